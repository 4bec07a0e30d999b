//! What is asked of the environment: whether it can be reached, what time it
//! is there, whether it takes the token, whether the application may use each
//! version of the API. One request for each version, which changes nothing and
//! is no evidence.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::Finding;
use super::State::{Error, NotChecked, Warning};
use crate::catalogue::Programme;
use crate::cli::application::application;
use crate::cli::context::{Context, Desk, TOKEN_VARIABLE, TOOL};
use crate::cli::failure::Failure;
use crate::cli::runtime;
use crate::clock::Clock;
use crate::engine::BatchError;
use crate::hmrc::api::Api;
use crate::hmrc::health::{self, Access, STATUS_PAGE};
use crate::hmrc::hosts;
use crate::hmrc::notifications;
use crate::hmrc::oauth::{self, Application};
use crate::hmrc::pacer::{Pacer, STANDARD_RATE};
use crate::hmrc::transport::{Answer, Call, NoAnswer, Transport};
use crate::project::{Environment, Settings};

/// What came of asking.
pub(super) enum Online {
    /// Nobody was asked, and why.
    NotAsked(&'static str),
    /// Nobody can be asked.
    Unusable(Failure),
    /// What the environment says.
    Asked(Asked),
}

/// What an environment says.
pub(super) struct Asked {
    environment: Environment,
    host: String,
    /// Whether there was a token to ask with.
    token: bool,
    /// For each version of the CTC Traders API.
    probes: Vec<Probe>,
    /// Whether the application gets a token of its own, where one is needed.
    own: Option<(String, Result<(), String>)>,
    /// Seconds by which clocks may differ.
    tolerance: u32,
}

/// A version that was asked for.
struct Probe {
    version: String,
    sent_at: DateTime<Utc>,
    result: Result<Answer, NoAnswer>,
}

/// Whoever asks, at the pace that HMRC allows.
struct Asker<'a> {
    transport: Transport,
    pacer: Pacer,
    clock: &'a dyn Clock,
}

impl Asker<'_> {
    async fn ask(&mut self, call: &Call) -> (DateTime<Utc>, Result<Answer, NoAnswer>) {
        let wait: Duration = self.pacer.wait(self.clock.mono_ns());
        tokio::time::sleep(wait).await;
        self.pacer.take(self.clock.mono_ns());
        let sent_at = self.clock.now();
        (sent_at, self.transport.send(call, self.clock).await)
    }
}

impl Online {
    /// Asks the environment of the project, unless `offline`.
    pub(super) fn ask(desk: &Desk, context: &Context, offline: bool) -> Self {
        let settings = &desk.project.settings;
        let run = &settings.run;
        if offline {
            return Self::NotAsked("--offline");
        }
        if run.environment == Environment::Simulator && run.base_url.is_none() {
            return Self::NotAsked("the built-in simulator needs none of it");
        }
        asked(desk, context, settings).map_or_else(Self::Unusable, Self::Asked)
    }

    /// Every check that needs the environment, in order.
    pub(super) fn findings(&self) -> Vec<(&'static str, Finding)> {
        const NAMES: [&str; 4] = ["server", "clock", "token", "subscription"];
        let same = |finding: &dyn Fn() -> Finding| Vec::from(NAMES.map(|name| (name, finding())));
        match self {
            Self::NotAsked(why) => same(&|| Finding::new(NotChecked, *why)),
            Self::Unusable(failure) => {
                let mut findings =
                    same(&|| Finding::new(NotChecked, "the server must be reached first"));
                if let Some(server) = findings.first_mut() {
                    server.1 = Finding::of(failure);
                }
                findings
            }
            Self::Asked(asked) => NAMES
                .into_iter()
                .zip([asked.server(), asked.clock(), asked.token(), asked.subscription()])
                .collect(),
        }
    }

    /// Whether notifications can be pulled.
    pub(super) fn notifications(&self, desk: &Desk, context: &Context) -> Result<Finding, Failure> {
        let settings = &desk.project.settings;
        let embedded = is_embedded(settings);
        let Some(own) = application(context, settings, embedded)? else {
            return Ok(Finding::ok("off: news is looked for in lists of movements"));
        };
        if embedded {
            return Ok(Finding::ok("pulled; the built-in simulator has its own application"));
        }
        Ok(match self {
            Self::Asked(Asked { own: Some((client_id, Ok(()))), .. }) => {
                Finding::ok(format!("pulled by `{client_id}`, which has a token of its own"))
            }
            Self::Asked(Asked { own: Some((client_id, Err(why))), .. }) => {
                Finding::new(Error, format!("`{client_id}` got no token of its own: {why}"))
                    .hint("`[notifications] client-id` and CTC_READY_CLIENT_SECRET are those of the sandbox application, which must be subscribed to the Push Pull Notifications API")
            }
            _ => Finding::ok(format!("pulled by `{}`; its secret was not tried", own.client_id)),
        })
    }

    /// What the environment lacks for the scenarios of a programme.
    pub(super) fn missing_for(&self, programme: &Programme) -> Vec<String> {
        let asked = match self {
            Self::NotAsked(_) => return Vec::new(),
            Self::Unusable(_) => return vec!["the server".to_owned()],
            Self::Asked(asked) => asked,
        };
        if asked.probes.iter().all(|probe| probe.result.is_err()) && !asked.probes.is_empty() {
            return vec!["the server".to_owned()];
        }
        if !asked.token {
            return vec!["a token".to_owned()];
        }
        let version = &programme.api.version;
        let of = asked.probes.iter().filter(|probe| {
            // Another API's version is not asked for; a token that is refused is
            // refused by all.
            probe.version == *version || matches!(probe.access(), Some(Access::TokenRefused(_)))
        });
        of.filter_map(|probe| match probe.access()? {
            Access::Granted => None,
            Access::TokenRefused(_) => Some("a token that is taken".to_owned()),
            Access::ScopeMissing(_) => Some("the token's scope".to_owned()),
            Access::NotSubscribed(_) => Some(format!("the subscription to version {version}")),
            Access::NoEnrolment(_) => Some("the trader's enrolment for transit".to_owned()),
            Access::Throttled(_) | Access::Down(_) | Access::Unexpected(_) => {
                Some(format!("an answer of version {version}"))
            }
        })
        .take(1)
        .collect()
    }
}

/// Whether the simulator is started by each run.
fn is_embedded(settings: &Settings) -> bool {
    settings.run.environment == Environment::Simulator && settings.run.base_url.is_none()
}

fn asked(desk: &Desk, context: &Context, settings: &Settings) -> Result<Asked, Failure> {
    let environment = settings.run.environment;
    let Some(base) = hosts::base_url(environment, settings.run.base_url.as_deref())? else {
        return Err(Failure::input("the environment has no address"));
    };
    let token = match (context.token()?, environment) {
        (None, Environment::Simulator) => Some(SecretString::from("rehearsal".to_owned())),
        (token, _) => token,
    };
    let mut versions: Vec<String> = Vec::new();
    for programme in desk.programmes(None)?.into_iter().filter(|it| it.declares()) {
        if !versions.contains(&programme.api.version) {
            versions.push(programme.api.version.clone());
        }
    }
    // What it lacks is told by the check of notifications.
    let own = application(context, settings, false).ok().flatten();
    let transport = Transport::new(&TOOL.replace(' ', "/"), &base).map_err(BatchError::from)?;
    let clock = context.clock.as_ref();
    let mut asker = Asker { transport, pacer: Pacer::new(STANDARD_RATE), clock };
    runtime()?.block_on(async {
        let mut probes = Vec::new();
        for version in versions {
            let secret = token.clone().unwrap_or_default();
            let mut call = Api::new(base.clone(), &version, secret).probe();
            if token.is_none() {
                call = health::anonymous(call);
            }
            let (sent_at, result) = asker.ask(&call).await;
            let nobody = result.is_err();
            probes.push(Probe { version, sent_at, result });
            if nobody || token.is_none() {
                break;
            }
        }
        let own = match own {
            Some(application) => Some(own_token(&mut asker, &base, application).await),
            None => None,
        };
        Ok(Asked {
            environment,
            host: base.host_str().unwrap_or_default().to_owned(),
            token: token.is_some(),
            probes,
            own,
            tolerance: settings.gate.max_clock_skew_seconds,
        })
    })
}

/// Whether the application gets a token of its own.
async fn own_token(
    asker: &mut Asker<'_>,
    base: &url::Url,
    application: Application,
) -> (String, Result<(), String>) {
    let call = application.client_credentials(base, notifications::SCOPES);
    let (sent_at, result) = asker.ask(&call).await;
    let got = match result {
        Ok(answer) => oauth::token(&answer, sent_at).map(|_| ()).map_err(|e| e.to_string()),
        Err(none) => Err(none.to_string()),
    };
    (application.client_id, got)
}

impl Probe {
    fn access(&self) -> Option<Access> {
        self.result.as_ref().ok().map(health::access)
    }
}

impl Asked {
    fn server(&self) -> Finding {
        let Some(first) = self.probes.first() else {
            return Finding::new(NotChecked, "no programme of this project declares anything");
        };
        let trouble = |message: String| {
            let finding = Finding::new(Error, message);
            match self.environment {
                Environment::Simulator => finding.hint("`ctc-ready simulate` starts one"),
                _ => finding.hint(format!("what HMRC says of its platform: {STATUS_PAGE}")),
            }
        };
        if let Err(none) = &first.result {
            return trouble(format!("{} cannot be reached: {none}", self.host));
        }
        let of = |probe: &Probe| match probe.access() {
            Some(Access::Down(said) | Access::Throttled(said) | Access::Unexpected(said)) => {
                Some(format!("{} is in trouble: {said}", self.host))
            }
            None => Some(format!("{} did not answer each time", self.host)),
            _ => None,
        };
        match self.probes.iter().find_map(of) {
            Some(message) => trouble(message),
            None => {
                Finding::ok(format!("{} answers as `{}`", self.host, self.environment.as_str()))
            }
        }
    }

    fn clock(&self) -> Finding {
        let skews = self
            .probes
            .iter()
            .filter_map(|probe| health::skew(probe.result.as_ref().ok()?, probe.sent_at));
        let Some(skew) = skews.max_by_key(|skew| skew.num_milliseconds().abs()) else {
            return Finding::new(NotChecked, "the server told no time");
        };
        let seconds = skew.num_seconds();
        let told = match seconds {
            0 => "as the server's".to_owned(),
            1.. => format!("{seconds} s ahead of the server's"),
            _ => format!("{} s behind the server's", seconds.unsigned_abs()),
        };
        match seconds.unsigned_abs() > u64::from(self.tolerance) {
            true => Finding::new(Error, format!("{told}; {} s are allowed", self.tolerance))
                .hint("set this machine's clock by the network (NTP): age is counted from it, and a token ends by it"),
            false => Finding::ok(told),
        }
    }

    fn token(&self) -> Finding {
        if !self.token {
            return Finding::new(Error, format!("{TOKEN_VARIABLE} is not set"))
                .hint("get a user-restricted access token for your sandbox application and put it into the environment variable; it is never stored");
        }
        let accesses: Vec<Access> = self.probes.iter().filter_map(Probe::access).collect();
        for access in &accesses {
            match access {
                Access::TokenRefused(said) => {
                    return Finding::new(Error, format!("it is not taken: {said}"))
                        .hint("a token lasts 4 hours, and ends at once when it is refreshed: get a fresh user-restricted one");
                }
                Access::ScopeMissing(said) => {
                    return Finding::new(Error, format!("its scope is not enough: {said}"))
                        .hint("ask for the scope `common-transit-convention-traders` when the trader signs in");
                }
                Access::NoEnrolment(said) => {
                    return Finding::new(Error, format!("its trader cannot use transit: {said}"))
                        .hint("sign in as a test user that was made with the service `common-transit-convention-traders`");
                }
                _ => {}
            }
        }
        match accesses.contains(&Access::Granted) {
            true => Finding::ok("taken, with the scope and the enrolment that transit needs"),
            false => Finding::new(NotChecked, "no version of the API looked at it"),
        }
    }

    fn subscription(&self) -> Finding {
        if !self.token {
            return Finding::new(NotChecked, "only a token shows it");
        }
        let mut has = Vec::new();
        let mut lacks = Vec::new();
        for probe in &self.probes {
            match probe.access() {
                Some(Access::Granted) => has.push(probe.version.as_str()),
                Some(Access::NotSubscribed(said)) => {
                    lacks.push(format!("version {} is not to be had: {said}", probe.version));
                }
                _ => {}
            }
        }
        match (lacks.is_empty(), has.is_empty()) {
            (false, _) => Finding::new(Error, lacks.join("\n"))
                .hint("subscribe your sandbox application to that version of the CTC Traders API on the Developer Hub"),
            (true, false) if has.len() == self.probes.len() => {
                Finding::ok(format!("CTC Traders API {}", has.join(", ")))
            }
            (true, false) => {
                Finding::new(Warning, format!("CTC Traders API {}; the rest is not known", has.join(", ")))
            }
            (true, true) => Finding::new(NotChecked, "the token must be taken first"),
        }
    }
}
