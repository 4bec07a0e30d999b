//! What is asked of the environment: whether it can be reached, what time it
//! is there, whether it takes the token, whether the application may use each
//! version of the API. One request for each version, which changes nothing and
//! is no evidence.

use chrono::{DateTime, Utc};

use super::Finding;
use super::State::{Error, NotChecked, Warning};
use crate::catalogue::Programme;
use crate::cli::application::application;
use crate::cli::args::Doctor;
use crate::cli::bearer;
use crate::cli::context::{Context, Desk};
use crate::cli::failure::Failure;
use crate::cli::runtime;
use crate::cli::wire::Wire;
use crate::hmrc::api::Api;
use crate::hmrc::health::{self, Access, STATUS_PAGE};
use crate::hmrc::notifications;
use crate::hmrc::oauth::{self, Application};
use crate::hmrc::transport::{Answer, NoAnswer};
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
    /// Why there was no token to ask with.
    no_token: Option<Finding>,
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

impl Online {
    /// Asks the environment of the project, unless `offline`.
    pub(super) fn ask(desk: &Desk, context: &Context, args: &Doctor) -> Self {
        let settings = &desk.project.settings;
        if args.offline {
            return Self::NotAsked("--offline");
        }
        if is_embedded(settings) {
            return Self::NotAsked("the built-in simulator needs none of it");
        }
        asked(desk, context, args).map_or_else(Self::Unusable, Self::Asked)
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
        if asked.no_token.is_some() {
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

fn asked(desk: &Desk, context: &Context, args: &Doctor) -> Result<Asked, Failure> {
    let settings = &desk.project.settings;
    let (environment, base) = bearer::server(settings, None, None)?;
    let Some(base) = base else {
        return Err(Failure::input("the environment has no address"));
    };
    let programmes: Vec<&Programme> =
        desk.programmes(None)?.into_iter().filter(|it| it.declares()).collect();
    let mut versions: Vec<String> = Vec::new();
    for programme in &programmes {
        if !versions.contains(&programme.api.version) {
            versions.push(programme.api.version.clone());
        }
    }
    let scopes = bearer::scopes(programmes);
    let server = (environment, Some(&base));
    let chosen = bearer::choose(context, settings, server, args.profile.as_ref(), &scopes);
    // What it lacks is told by the check of notifications.
    let own = application(context, settings, false).ok().flatten();
    let wire = Wire::new(context, &desk.project, &base)?;
    let clock = &context.clock;
    runtime()?.block_on(async {
        let token = match chosen {
            Ok(chosen) => chosen.at_once(&wire, clock).await,
            Err(failure) => Err(failure),
        };
        let mut probes = Vec::new();
        for version in versions {
            let secret = token.as_ref().cloned().unwrap_or_default();
            let mut call = Api::new(base.clone(), &version, secret).probe();
            if token.is_err() {
                call = health::anonymous(call);
            }
            let (sent_at, result) = wire.send_at(&call).await;
            let nobody = result.is_err();
            probes.push(Probe { version, sent_at, result });
            if nobody || token.is_err() {
                break;
            }
        }
        let own = match own {
            Some(application) => Some(own_token(&wire, &base, application).await),
            None => None,
        };
        Ok(Asked {
            environment,
            host: base.host_str().unwrap_or_default().to_owned(),
            no_token: token.err().as_ref().map(Finding::of),
            probes,
            own,
            tolerance: settings.gate.max_clock_skew_seconds,
        })
    })
}

/// Whether the application gets a token of its own.
async fn own_token(
    wire: &Wire,
    base: &url::Url,
    application: Application,
) -> (String, Result<(), String>) {
    let call = application.client_credentials(base, notifications::SCOPES);
    let got = match wire.send_at(&call).await {
        (sent_at, Ok(answer)) => {
            oauth::token(&answer, sent_at).map(|_| ()).map_err(|error| error.to_string())
        }
        (_, Err(none)) => Err(none.to_string()),
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
        if let Some(none) = &self.no_token {
            return none.clone();
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
        if self.no_token.is_some() {
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
