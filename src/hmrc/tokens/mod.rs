//! Bearer tokens: where a call has its token from, and how it gets the next one.
//!
//! - [`Tokens`]: what whoever makes calls needs of them. [`Fixed`] is one token
//!   that somebody else got; [`Stored`] are a trader's tokens that `auth login`
//!   brought, renewed when due.
//! - [`kept`]: tokens on disk, or in the system's keyring.
//! - `ring`: the system's keyring.
//! - `stored`: renewing them, one process at a time.
//!
//! The engine and the command line may call it.

pub mod kept;
mod ring;
mod stored;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::transport::Carrier;
use crate::clock::Clock;

pub use kept::{Kept, KeptError, Place, Profile, Shelf};
pub use stored::{Learn, Stored};

/// A bearer token, and how long it is good.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The token.
    pub secret: SecretString,
    /// When to have another one; none: nobody knows.
    pub replace_at: Option<DateTime<Utc>>,
    /// When it ends; none: nobody knows.
    pub ends_at: Option<DateTime<Utc>>,
}

/// What comes of asking for another token, in time.
pub type Renewing = Pin<Box<dyn Future<Output = Result<Bearer, RenewError>> + Send>>;

/// Where bearer tokens come from.
pub trait Tokens: Send + Sync + fmt::Debug {
    /// The token there is; asks nobody.
    fn held(&self) -> Bearer;

    /// Whether there can be another one.
    fn renewable(&self) -> bool;

    /// Another token in place of `old`, which is due or was refused: one that
    /// another process has got meanwhile, or else a new one, for which at most
    /// one request leaves. It survives a crash once this has returned.
    fn renew(
        self: Arc<Self>,
        old: SecretString,
        carrier: Arc<dyn Carrier>,
        clock: Arc<dyn Clock>,
    ) -> Renewing;
}

/// Why there is no other token.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It came from outside: only who got it can get another.
    #[error("it was given, and not got by signing in")]
    Given,
    /// The application's secret is not at hand.
    #[error("the application's client secret is not at hand")]
    NoSecret,
    /// The trader's consent has ended: withdrawn, 18 months old, or the refresh
    /// token is spent.
    #[error("the sign-in of profile `{profile}` is over: {text}")]
    Over {
        /// The profile.
        profile: String,
        /// What shows it.
        text: String,
    },
    /// The application's id or secret is wrong.
    #[error("the application is not known by its client id and secret: {0}")]
    Application(String),
    /// Any other refusal.
    #[error("the sign-in service refuses: {0}")]
    Refused(String),
    /// The service could not answer; later it may.
    #[error("the sign-in service cannot be used: {text}")]
    Unusable {
        /// What happened.
        text: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Another process is at it, for longer than a request can take.
    #[error("another process has been renewing it for too long")]
    Busy,
    /// What is kept cannot be read or written.
    #[error(transparent)]
    Kept(#[from] KeptError),
}

impl RenewError {
    /// Whether the same may work a little later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unusable { .. } | Self::Busy)
    }

    /// The same with what the service said changed by `redact`.
    #[must_use]
    pub fn redacted(self, redact: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Over { profile, text } => Self::Over { profile, text: redact(&text) },
            Self::Application(text) => Self::Application(redact(&text)),
            Self::Refused(text) => Self::Refused(redact(&text)),
            Self::Unusable { text, retry_after } => {
                Self::Unusable { text: redact(&text), retry_after }
            }
            other => other,
        }
    }
}

/// One token, got by somebody else.
#[derive(Debug)]
pub struct Fixed(Bearer);

impl Fixed {
    /// This token.
    pub fn new(secret: SecretString) -> Self {
        Self(Bearer { secret, replace_at: None, ends_at: None })
    }
}

impl Tokens for Fixed {
    fn held(&self) -> Bearer {
        self.0.clone()
    }

    fn renewable(&self) -> bool {
        false
    }

    fn renew(self: Arc<Self>, _: SecretString, _: Arc<dyn Carrier>, _: Arc<dyn Clock>) -> Renewing {
        Box::pin(async { Err(RenewError::Given) })
    }
}
