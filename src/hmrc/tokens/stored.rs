//! A trader's tokens that are kept on disk, and renewed when due.
//!
//! A refresh token works once, and HMRC ends the access token that came with it
//! at once. So one process at a time renews, with the lock of the [`Place`] held
//! from before its request leaves until the answer is on disk; whoever waited
//! reads what is there first, and asks for nothing when that is enough.
//!
//! What can be lost: if this process or machine dies after HMRC has answered and
//! before the answer is on disk, the refresh token is spent and the next one is
//! gone. Nothing on this side can prevent that; it is a matter of milliseconds
//! once the answer is here, and of the request's time before. The lock's file
//! then says since when, and the next process says that this is why the trader
//! must sign in again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::kept::{Holding, Kept, Place};
use super::{Bearer, RenewError, Renewing, Tokens};
use crate::clock::Clock;
use crate::hmrc::oauth::{self, Application, Fault, TokenError};
use crate::hmrc::transport::Carrier;

/// How long to wait for another process that renews: longer than its request
/// can take.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often to look whether it has ended.
const LOOK: Duration = Duration::from_millis(50);

/// Is told of each secret before it is used or written.
pub type Learn = Arc<dyn Fn(&SecretString) + Send + Sync>;

/// A profile's tokens.
pub struct Stored {
    place: Place,
    base: Url,
    client_secret: Option<SecretString>,
    learn: Learn,
    held: Mutex<Kept>,
    /// Held while a request of this process may spend the refresh token.
    renewing: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Stored {
    /// The tokens that were loaded from a place, for the API at `base`. Without
    /// the client secret they are good until they end.
    pub fn new(
        place: Place,
        kept: Kept,
        base: Url,
        client_secret: Option<SecretString>,
        learn: Learn,
    ) -> Self {
        teach(&learn, &kept);
        let held = Mutex::new(kept);
        Self { place, base, client_secret, learn, held, renewing: tokio::sync::Mutex::default() }
    }

    /// What is held now.
    pub fn kept(&self) -> Kept {
        self.lock().clone()
    }

    /// Returns once no request for new tokens is under way. One that is cut off
    /// loses the sign-in, so that whoever is about to end asks here first.
    pub async fn settled(&self) {
        drop(self.renewing.lock().await);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere cannot leave it half-changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn renew_now(
        &self,
        old: &SecretString,
        carrier: &dyn Carrier,
        clock: &dyn Clock,
    ) -> Result<Bearer, RenewError> {
        let mut holding = self.hold(clock).await?;
        let _one = self.renewing.lock().await;
        let profile = self.place.profile().to_string();
        let over = |text: &str| RenewError::Over { profile: profile.clone(), text: text.into() };
        let Some(kept) = self.place.load()? else {
            return Err(over("somebody signed out meanwhile"));
        };
        teach(&self.learn, &kept);
        let now = clock.now();
        // Another process has renewed it, or another sign-in replaced it.
        if kept.access.expose_secret() != old.expose_secret() && !kept.is_due(now) {
            return Ok(self.take(kept));
        }
        let cut_off = holding.cut_off();
        let Some(client_secret) = self.client_secret.clone() else {
            return Err(RenewError::NoSecret);
        };
        let Some(refresh) = kept.refresh.clone() else {
            return Err(over("no refresh token came with it"));
        };
        let application = Application { client_id: kept.client_id.clone(), client_secret };
        let call = application.refresh(&self.base, &refresh);
        holding.begin(now)?;
        let sent_at = clock.now();
        let result = carrier.carry(&call, clock).await;
        // Whether the refresh token may be spent, and why there are no tokens.
        let (spent, error) = match &result {
            Ok(answer) => match oauth::granted(answer, sent_at) {
                Ok(granted) => {
                    let kept = kept.renewed(granted);
                    teach(&self.learn, &kept);
                    self.place.save(&kept, &holding)?;
                    holding.end()?;
                    return Ok(self.take(kept));
                }
                Err(TokenError::Refused(refusal)) => (
                    false,
                    match refusal.fault {
                        Fault::Application => RenewError::Application(refusal.text),
                        Fault::Grant => over(&why(&refusal.text, cut_off.as_deref(), &kept, now)),
                        Fault::Scope | Fault::Other => RenewError::Refused(refusal.text),
                    },
                ),
                // An answer that cannot be read may have held the tokens.
                Err(TokenError::Unusable(text)) => {
                    let retry_after = answer.retry_after();
                    (answer.status == 200, RenewError::Unusable { text, retry_after })
                }
            },
            Err(none) => {
                let text = none.detail.clone();
                (none.may_have_arrived, RenewError::Unusable { text, retry_after: None })
            }
        };
        if !spent {
            holding.end()?;
        }
        Err(error)
    }

    fn take(&self, kept: Kept) -> Bearer {
        let bearer = kept.bearer();
        *self.lock() = kept;
        bearer
    }

    /// Waits for other processes that renew.
    async fn hold(&self, clock: &dyn Clock) -> Result<Holding, RenewError> {
        let since = clock.mono_ns();
        loop {
            if let Some(holding) = self.place.hold()? {
                return Ok(holding);
            }
            let waited = Duration::from_nanos(clock.mono_ns().saturating_sub(since));
            if waited >= PATIENCE {
                return Err(RenewError::Busy);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Why a refresh token is not taken any more, as far as that can be told.
fn why(said: &str, cut_off: Option<&str>, kept: &Kept, now: DateTime<Utc>) -> String {
    match cut_off {
        _ if now >= kept.grant_ends_at => format!("18 months have passed ({said})"),
        Some(since) => format!("a renewal was cut off at {since}, and used it up ({said})"),
        None => format!("it was ended on HMRC's side, or used elsewhere ({said})"),
    }
}

fn teach(learn: &Learn, kept: &Kept) {
    learn(&kept.access);
    kept.refresh.iter().for_each(|refresh| learn(refresh));
}

impl Tokens for Stored {
    fn held(&self) -> Bearer {
        self.lock().bearer()
    }

    fn renewable(&self) -> bool {
        true
    }

    fn renew(
        self: Arc<Self>,
        old: SecretString,
        carrier: Arc<dyn Carrier>,
        clock: Arc<dyn Clock>,
    ) -> Renewing {
        Box::pin(async move {
            // A task of its own: whoever asked may be dropped in the middle, and
            // HMRC's answer must be kept all the same.
            let renewing = tokio::spawn(async move {
                self.renew_now(&old, carrier.as_ref(), clock.as_ref()).await
            });
            renewing.await.unwrap_or_else(|_| {
                let text = "the request broke down".to_owned();
                Err(RenewError::Unusable { text, retry_after: None })
            })
        })
    }
}
