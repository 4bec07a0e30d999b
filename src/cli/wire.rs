//! The way to a server: proxy and authorities of the settings, and the request
//! budget that all processes of the project share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use url::Url;

use super::context::{Context, MAX_PEM, TOOL};
use super::failure::{Failure, Kind};
use crate::clock::Clock;
use crate::files::{self, Access};
use crate::hmrc::budget::SharedBudget;
use crate::hmrc::pacer::STANDARD_RATE;
use crate::hmrc::transport::{
    Answer, Call, Carried, Carrier, Network, NoAnswer, SetUpError, Transport,
};
use crate::project::{Project, network};

/// The folder in a project for what processes share while they run. It is no
/// evidence, and may be removed while none runs.
const WORK: &str = ".ctc-ready";

/// The client for a server, by way of the network that the settings name.
///
/// # Errors
/// When the file of authorities cannot be read, or the client cannot be made.
pub(super) fn transport(project: &Project, base: &Url) -> Result<Transport, Failure> {
    let settings = &project.settings.network;
    let authorities = match &settings.ca {
        Some(file) => files::read_bounded(file, MAX_PEM)
            .map_err(|error| Failure::from(error).hint("see `network.ca` in ctc-ready.toml"))?,
        None => Vec::new(),
    };
    if settings.ca.is_some() && authorities.is_empty() {
        return Err(SetUpError::NoAuthorities.into());
    }
    // The settings were checked.
    let proxy = settings.proxy.as_deref().and_then(|text| network::proxy(text).ok());
    let network = Network { proxy, authorities };
    Ok(Transport::by(&TOOL.replace(' ', "/"), base, &network)?)
}

/// The request budget that all processes of a project share for a server.
///
/// # Errors
/// When its folder cannot be made.
pub(super) fn budget(project: &Project, base: &Url, rate: f64) -> Result<SharedBudget, Failure> {
    let folder: PathBuf = project.root.join(WORK);
    files::create_dir_all_durable(&folder, Access::Shared)?;
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        match files::create_new(&ignore, b"*\n", Access::Shared) {
            // Another process was as fast.
            Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(SharedBudget::new(&folder, base.as_str(), rate)?)
}

/// Makes single calls, within the budget.
pub(super) struct Wire {
    /// What they go by.
    pub(super) transport: Arc<Transport>,
    budget: Mutex<SharedBudget>,
    clock: Arc<dyn Clock>,
}

impl Carrier for Wire {
    fn carry<'a>(&'a self, call: &'a Call, _: &'a dyn Clock) -> Carried<'a> {
        Box::pin(self.send(call))
    }
}

impl Wire {
    /// The way to the server at `base`.
    ///
    /// # Errors
    /// As [`transport`] and [`budget`].
    pub(super) fn new(context: &Context, project: &Project, base: &Url) -> Result<Self, Failure> {
        let rate = project.settings.run.max_requests_per_second.map_or(STANDARD_RATE, f64::from);
        Ok(Self {
            transport: Arc::new(transport(project, base)?),
            budget: Mutex::new(budget(project, base, rate)?),
            clock: Arc::clone(&context.clock),
        })
    }

    /// Makes a call once the budget lets it go.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, NoAnswer> {
        self.send_at(call).await.1
    }

    /// The same, with when the call left.
    pub(super) async fn send_at(&self, call: &Call) -> (DateTime<Utc>, Result<Answer, NoAnswer>) {
        loop {
            let wait = {
                // A panic elsewhere cannot leave it half-changed.
                let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
                budget.take(self.clock.now())
            };
            if wait.is_zero() {
                let sent_at = self.clock.now();
                return (sent_at, self.transport.send(call, self.clock.as_ref()).await);
            }
            tokio::time::sleep(wait).await;
        }
    }
}

impl From<SetUpError> for Failure {
    fn from(error: SetUpError) -> Self {
        let text = error.to_string();
        match error {
            SetUpError::NoAuthorities => {
                Self::input(text).hint("see `network.ca` in ctc-ready.toml")
            }
            SetUpError::Client(_) => Self::new(Kind::Environment, text)
                .hint("see `[network]` in ctc-ready.toml, and SSL_CERT_FILE"),
        }
    }
}
