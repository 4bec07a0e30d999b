//! The application's own token, with which boxes of notifications are read.
//!
//! It is asked for before anything is sent, and again before it ends or when
//! it is refused. While there is none, lists stand in.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::batch::{Batch, BatchError, Done, Job, Whose};
use super::boxes::PATIENCE;
use super::pull::Errand;
use crate::hmrc::notifications;
use crate::hmrc::oauth::{self, Application, Token, TokenError};
use crate::hmrc::transport::Answer;

/// An application's token, as it comes and goes.
#[derive(Debug)]
pub(super) struct OwnToken {
    application: Application,
    /// The last one there was.
    token: Option<Token>,
    /// Whether any call was taken with it.
    pub(super) worked: bool,
    /// Since when another is being asked for.
    pub(super) asking: Option<DateTime<Utc>>,
    /// Requests for one that failed one after the other.
    failures: u32,
    /// None is asked for before this instant: a back-off.
    not_before: Option<DateTime<Utc>>,
}

impl OwnToken {
    pub(super) fn new(application: Application) -> Self {
        Self {
            application,
            token: None,
            worked: false,
            asking: None,
            failures: 0,
            not_before: None,
        }
    }

    /// Whether one is there, or soon to be had.
    pub(super) fn usable(&self, now: DateTime<Utc>) -> bool {
        let backing_off = self.not_before.is_some_and(|until| now < until);
        let slow = self.asking.is_some_and(|since| now - since >= PATIENCE);
        !backing_off && !slow
    }

    /// The last one there was, fresh or not.
    pub(super) fn last(&self) -> Option<SecretString> {
        self.token.as_ref().map(|token| token.secret.clone())
    }

    pub(super) fn by_a_clock_set_back(&mut self, now: DateTime<Utc>) {
        self.not_before = None;
        self.asking = self.asking.map(|_| now);
    }
}

impl Batch<'_> {
    /// Has a token before anything is sent: whether the application's secret
    /// is right is known now, or never in time.
    pub(super) async fn begin_pulling(&mut self, jobs: &[Job]) -> Result<(), BatchError> {
        if !jobs.iter().any(|job| job.programme.declares()) {
            self.pull = None;
        }
        self.token_for_boxes();
        while let Some(done) = self.calls.join_next().await {
            self.finished(Some(done))?;
        }
        self.fatal.take().map_or(Ok(()), Err)
    }

    /// The application's token; without a fresh one, one is asked for.
    pub(super) fn token_for_boxes(&mut self) -> Option<SecretString> {
        let now = self.clock.now();
        let own = &mut self.pull.as_mut()?.own;
        if let Some(token) = own.token.as_ref().filter(|token| now < token.replace_at) {
            return Some(token.secret.clone());
        }
        if own.asking.is_none() && own.not_before.is_none_or(|until| now >= until) {
            own.asking = Some(now);
            let base = &self.options.base_url;
            let call = own.application.client_credentials(base, notifications::SCOPES);
            self.count_request();
            self.spawn(Whose::Errand(Errand::Token), call);
        }
        None
    }

    pub(super) fn take_token(&mut self, done: &Done) {
        let read = match &done.result {
            Ok(answer) => oauth::token(answer, done.sent_at),
            Err(none) => Err(TokenError::Unusable(none.detail.clone())),
        };
        let now = self.clock.now();
        let Some(pull) = &mut self.pull else { return };
        let own = &mut pull.own;
        own.asking = None;
        let problem = match read {
            Ok(token) => {
                // Before anything is recorded that may hold it.
                self.redactor.learn(&token.secret);
                own.failures = 0;
                own.not_before = None;
                own.worked = false;
                own.token = Some(token);
                return;
            }
            Err(error) => error,
        };
        own.failures = own.failures.saturating_add(1);
        let failures = own.failures;
        let text = self.redactor.text(&problem.to_string());
        match problem {
            // Nothing has begun yet.
            TokenError::Refused(_) if self.slots.is_empty() => {
                self.fatal = Some(BatchError::Application(text));
            }
            TokenError::Refused(_) => self.give_up_pulling(&text),
            TokenError::Unusable(_) => {
                let retry_after = done.result.as_ref().ok().and_then(Answer::retry_after);
                let until = now + self.pause(failures, retry_after);
                if let Some(pull) = &mut self.pull {
                    pull.own.not_before = Some(until);
                }
                if failures == 1 {
                    self.watcher.note(&format!(
                        "no token for notifications: {text}; movements are listed until there is \
                         one"
                    ));
                }
            }
        }
    }

    fn give_up_pulling(&mut self, problem: &str) {
        if let Some(pull) = &mut self.pull {
            pull.off = true;
        }
        self.watcher.note(&format!(
            "notifications cannot be had any more: {problem}; movements are listed instead"
        ));
    }

    /// Whether a call was refused because of its token, which is then replaced
    /// once. A fresh one that is refused as well ends pulling.
    pub(super) fn token_refused(&mut self, done: &Done) -> bool {
        if !matches!(&done.result, Ok(answer) if answer.status == 401) {
            return false;
        }
        let problem = self.describe(&done.result);
        let Some(pull) = &mut self.pull else { return true };
        let used = |token: &&mut Token| {
            let bearer = format!("Bearer {}", token.secret.expose_secret());
            let headers = &done.call.headers;
            headers.iter().any(|(name, value)| name == "authorization" && *value == bearer)
        };
        // Another call may have been told so before.
        if let Some(token) = pull.own.token.as_mut().filter(used) {
            if pull.own.worked {
                token.replace_at = done.sent_at;
            } else {
                self.give_up_pulling(&problem);
            }
        }
        true
    }
}
