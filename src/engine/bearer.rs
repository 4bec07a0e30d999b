//! The token of the trader whose movements these are: a call has the one that is
//! good now, and the next one is asked for before it ends, or when it is refused.
//!
//! A renewal ends the token before it at once, so that nothing leaves while one is
//! under way, nor does one begin while calls are. What was refused for its token
//! (HTTP 401) was not acted upon: it is recorded, and made again with the next.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::batch::{Batch, BatchError, Done, Whose};
use crate::hmrc::backoff::MAX_ATTEMPTS;
use crate::hmrc::tokens::{Bearer, RenewError, Tokens};
use crate::hmrc::transport::Call;

/// Most tokens in a row that were refused before their time, though calls had
/// been taken with each: an API that does this will not stop.
const MAX_REFUSED: u32 = 10;

/// A call that ended, or a renewal.
pub(super) enum Ended {
    Call(Box<Done>),
    Renewal(Result<Bearer, RenewError>),
}

/// A trader's token, as it comes and goes.
#[derive(Debug)]
pub(super) struct TraderToken {
    tokens: Arc<dyn Tokens>,
    bearer: Bearer,
    /// Whether a call was taken with it.
    worked: bool,
    /// Whether it was refused.
    refused: bool,
    /// Tokens refused one after the other before they were due.
    refusals: u32,
    /// A renewal is under way.
    renewing: bool,
    /// Renewals that failed one after the other.
    failures: u32,
    /// None begins before this instant: a back-off.
    not_before: Option<DateTime<Utc>>,
    /// A call is due that has to wait for a token.
    pub(super) awaited: bool,
    /// The call whose end is being looked at was refused for its token alone.
    pub(super) unread: bool,
}

impl TraderToken {
    pub(super) fn new(tokens: Arc<dyn Tokens>) -> Self {
        Self {
            bearer: tokens.held(),
            tokens,
            // The first one may have been replaced by another process.
            worked: true,
            refused: false,
            refusals: 0,
            renewing: false,
            failures: 0,
            not_before: None,
            awaited: false,
            unread: false,
        }
    }

    /// The token.
    pub(super) fn secret(&self) -> SecretString {
        self.bearer.secret.clone()
    }

    /// When a renewal that failed is tried again, where a call waits for it.
    pub(super) fn next_try(&self) -> Option<DateTime<Utc>> {
        self.not_before.filter(|_| self.awaited && !self.renewing)
    }

    /// A plan made by a clock that was then set back lies too far ahead.
    pub(super) fn by_a_clock_set_back(&mut self) {
        self.not_before = None;
    }

    /// Whether it is good at `now`, as far as is known.
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        !self.refused && self.bearer.ends_at.is_none_or(|ends| now < ends)
    }

    fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.refused || self.bearer.replace_at.is_some_and(|due| now >= due)
    }

    fn is_of(&self, call: &Call) -> bool {
        let bearer = format!("Bearer {}", self.bearer.secret.expose_secret());
        call.headers.iter().any(|(name, value)| name == "authorization" && *value == bearer)
    }
}

impl Batch<'_> {
    /// The same batch with tokens that are renewed when due.
    #[must_use]
    pub fn renewing(mut self, tokens: Arc<dyn Tokens>) -> Self {
        self.bearer = TraderToken::new(tokens);
        self.redactor.learn(&self.bearer.bearer.secret);
        self
    }

    /// Whether there is a token for a call now. Where there is none, or it ends
    /// soon, another one is asked for.
    pub(super) fn has_token(&mut self) -> bool {
        let now = self.clock.now();
        if !self.bearer.renewing {
            if !self.bearer.is_due(now) || !self.bearer.tokens.renewable() {
                return true;
            }
            if self.bearer.not_before.is_some_and(|until| now < until) {
                // It failed just now; what is left of this token is used.
                self.bearer.awaited = !self.bearer.is_good(now);
                return !self.bearer.awaited;
            }
            // Calls under way would lose theirs, unless it is lost already.
            if (self.calls.is_empty() || self.bearer.refused) && self.may_ask() {
                self.renew();
            }
        }
        self.bearer.awaited = true;
        false
    }

    fn renew(&mut self) {
        self.bearer.renewing = true;
        self.count_request();
        let tokens = Arc::clone(&self.bearer.tokens);
        let (carrier, clock) = (Arc::clone(&self.carrier), Arc::clone(&self.clock));
        let renewal = tokens.renew(self.bearer.secret(), carrier, clock);
        self.calls.spawn(async move { Ended::Renewal(renewal.await) });
    }

    /// Takes the end of a renewal into account.
    pub(super) fn renewed(&mut self, result: Result<Bearer, RenewError>) {
        let now = self.clock.now();
        let bearer = &mut self.bearer;
        bearer.renewing = false;
        let error = match result {
            Ok(next) => {
                // Before anything is recorded that may hold it.
                self.redactor.learn(&next.secret);
                bearer.refusals = if bearer.refused { bearer.refusals + 1 } else { 0 };
                bearer.bearer = next;
                (bearer.worked, bearer.refused) = (false, false);
                (bearer.failures, bearer.not_before) = (0, None);
                return;
            }
            Err(error) => error.redacted(|text| self.redactor.text(text)),
        };
        bearer.failures = bearer.failures.saturating_add(1);
        let (failures, good) = (bearer.failures, bearer.is_good(now));
        let may_pass = error.may_pass() && (failures < MAX_ATTEMPTS || self.options.wait);
        let until = match &error {
            RenewError::Unusable { retry_after, .. } if may_pass => {
                Some(now + self.pause(failures, *retry_after))
            }
            _ if may_pass => Some(now + self.pause(failures, None)),
            _ if good => self.bearer.bearer.ends_at,
            _ => None,
        };
        match until {
            None => self.fatal = Some(BatchError::Renewal(error)),
            Some(_) => {
                self.bearer.not_before = until;
                self.watcher.note(&format!("the access token cannot be renewed yet: {error}"));
            }
        }
    }

    /// Notes what a call's end tells of the token.
    pub(super) fn note_token(&mut self, done: &Done) {
        self.bearer.unread = false;
        let Ok(answer) = &done.result else { return };
        let as_trader = !matches!(done.of, Whose::Errand(_));
        let current = self.bearer.is_of(&done.call);
        let bearer = &mut self.bearer;
        if answer.status != 401 {
            bearer.worked |= current;
        } else if as_trader && bearer.tokens.renewable() {
            if current && !bearer.refused {
                // One that was never taken: the next would not be either.
                let hopeless = !bearer.worked || bearer.refusals >= MAX_REFUSED;
                bearer.refused = !hopeless;
                bearer.not_before = bearer.not_before.filter(|_| hopeless);
            }
            // One of before, or the present one that is to be replaced.
            bearer.unread = !current || bearer.refused;
        }
    }
}
