//! What types cannot say about settings. Each check adds its problem; none
//! stops the others.

use url::{Host, Url};

use super::before;
use super::network::{proxy, redirect};
use super::parse::{Places, SettingsProblem, quoted};
use super::questions::{self, QuestionKind};
use super::settings::{AnswerValue, Driver, Environment, Settings};
use crate::catalogue::Flow;

/// The one address of HMRC's sandbox and Trader Test (CTC Traders API, base
/// URL of the sandbox).
pub(super) const TEST_API: &str = "https://test-api.service.hmrc.gov.uk";

/// Longest `messageSender` (NCTS XSDs, `MessageSenderContentType`).
const MESSAGE_SENDER: usize = 35;

/// Longest of the other one-line texts: they go into a form and into every
/// run's evidence.
const LINE: usize = 300;

pub(super) fn check(
    settings: &Settings,
    places: &Places<'_, '_>,
    known_programmes: &[&str],
    problems: &mut Vec<SettingsProblem>,
) {
    let mut check = Check { settings, places, problems };
    check.programmes(known_programmes);
    check.software();
    check.combination();
    check.people();
    check.run();
    check.network();
    check.gate();
    check.waivers();
    check.answers();
    check.statements();
    check.not_applicable();
    check.before_you_start();
    check.credentials();
}

/// The ids in `programmes` that are not among `known`, each with its message.
pub(super) fn unknown_programmes<'a>(
    programmes: &'a [String],
    known: &'a [&str],
) -> impl Iterator<Item = String> + 'a {
    programmes.iter().filter(|id| !known.contains(&id.as_str())).map(|id| {
        let id: String = id.chars().take(60).collect();
        format!("names `{id}`, which is no programme; known are {}", quoted(known.iter().copied()))
    })
}

pub(super) struct Check<'a, 'p, 't> {
    pub(super) settings: &'a Settings,
    places: &'a Places<'p, 't>,
    problems: &'a mut Vec<SettingsProblem>,
}

impl Check<'_, '_, '_> {
    pub(super) fn problem(&mut self, field: &str, message: impl Into<String>) {
        let section = field.split('.').next().unwrap_or(field);
        if !self.places.unread(section) {
            self.problems.push(self.places.problem(field, message));
        }
    }

    fn programmes(&mut self, known: &[&str]) {
        let programmes = &self.settings.programmes;
        if programmes.is_empty() {
            let usual = "ncts5-final";
            let example = known.iter().find(|id| **id == usual).or(known.first());
            let example = example.copied().unwrap_or(usual);
            self.problem(
                "programmes",
                format!(
                    "names no programme; name what you apply under, such as `programmes = [\"{example}\"]`"
                ),
            );
        }
        for (n, id) in programmes.iter().enumerate() {
            if programmes.iter().take(n).any(|earlier| earlier == id) {
                self.problem("programmes", format!("names `{id}` twice; name it once"));
            }
        }
        if !known.is_empty() {
            for message in unknown_programmes(programmes, known) {
                self.problem("programmes", message);
            }
        }
    }

    fn software(&mut self) {
        let software = &self.settings.software;
        self.required("software.name", &software.name, "the product's name");
        self.required("software.version", &software.version, "the version under test");
        if !self.places.has("software.side") {
            self.problem(
                "software.side",
                "is missing; give `GB` or `XI`, the side whose scenarios you run where either is enough",
            );
        }
        if let Some(build) = &software.build
            && !is_build(build)
        {
            self.problem(
                "software.build",
                "must be `sha256:` and 64 lower-case hexadecimal digits, the SHA-256 of the build under test",
            );
        }

        // A house that asks for guarantee balances alone declares nothing.
        let guarantee = Flow::GuaranteeBalance.as_str();
        let programmes = &self.settings.programmes;
        let declares = programmes.is_empty() || programmes.iter().any(|id| id != guarantee);
        if declares && software.flows.is_empty() {
            self.problem(
                "software.flows",
                "names no flow; name those the software supports: `standard-departure`, `pre-lodged-departure`, `arrival`",
            );
        }
        for (n, flow) in software.flows.iter().enumerate() {
            if *flow == Flow::GuaranteeBalance {
                self.problem(
                    "software.flows",
                    "names `guarantee-balance`, which is a programme of its own; add it to `programmes` instead",
                );
            } else if software.flows.iter().take(n).any(|earlier| earlier == flow) {
                let flow = flow.as_str();
                self.problem("software.flows", format!("names `{flow}` twice; name it once"));
            }
        }
        if declares && software.procedures.is_empty() {
            self.problem(
                "software.procedures",
                "names no procedure; name those the software supports: `normal`, `simplified`",
            );
        }
        for (n, procedure) in software.procedures.iter().enumerate() {
            if software.procedures.iter().take(n).any(|earlier| earlier == procedure) {
                let procedure = procedure.as_str();
                self.problem(
                    "software.procedures",
                    format!("names `{procedure}` twice; name it once"),
                );
            }
        }
    }

    /// NCTS5 checklist, appendix A: software with both procedures follows one
    /// combination throughout.
    fn combination(&mut self) {
        let software = &self.settings.software;
        match (software.both_procedures(), software.combination) {
            (true, None) => self.problem(
                "software.combination",
                "is missing; software with both procedures follows combination `A` or `B` throughout (checklist, appendix A)",
            ),
            (false, Some(_)) => self.problem(
                "software.combination",
                "is for software with both procedures; take it out, or name both in `software.procedures`",
            ),
            _ => {}
        }
    }

    fn people(&mut self) {
        let settings = self.settings;
        let business = &settings.business;
        self.optional("business.name", business.name.as_deref());
        if business.address.as_ref().is_some_and(|address| address.trim().is_empty()) {
            self.problem("business.address", "is empty; give the address or take the line out");
        }
        if let Some(email) = &business.contact_email
            && !is_email(email)
        {
            self.problem(
                "business.contact-email",
                "is no e-mail address; it needs a name, an `@` and a domain",
            );
        }
        for (section, application) in [
            ("sandbox-application", &settings.sandbox_application),
            ("production-application", &settings.production_application),
        ] {
            self.optional(&format!("{section}.name"), application.name.as_deref());
            self.optional(&format!("{section}.id"), application.id.as_deref());
        }
    }

    fn run(&mut self) {
        let run = &self.settings.run;
        self.optional("run.operator", run.operator.as_deref());
        self.optional("run.message-sender", run.message_sender.as_deref());
        if let Some(sender) = &run.message_sender {
            let length = sender.chars().count();
            if length > MESSAGE_SENDER {
                self.problem(
                    "run.message-sender",
                    format!("has {length} characters; NCTS takes {MESSAGE_SENDER} at most"),
                );
            }
        }
        if !matches!(run.driver, Driver::Direct | Driver::Command) {
            let message = format!(
                "is `{}`; `run` sends by itself (`direct`) or has your command do it (`command`)",
                run.driver.as_str()
            );
            self.problem("run.driver", message);
        }
        if run.driver == Driver::Command && self.settings.driver.command.is_empty() {
            self.problem("driver.command", "is missing; `run.driver` is `command`");
        }
        for (field, message) in self.settings.driver.problems() {
            self.problem(field, message);
        }
        if run.max_requests_per_second == Some(0) {
            self.problem("run.max-requests-per-second", "must be 1 or more");
        }
        if let Some(url) = &run.base_url
            && let Err(message) = check_base_url(url, run.environment)
        {
            self.problem("run.base-url", message);
        }
    }

    fn network(&mut self) {
        let Settings { auth, network, notifications, .. } = self.settings;
        self.optional("auth.client-id", auth.client_id.as_deref());
        self.optional("auth.profile", auth.profile.as_deref());
        self.optional("notifications.client-id", notifications.client_id.as_deref());
        if let (Some(own), Some(other)) = (&auth.client_id, &notifications.client_id)
            && own != other
        {
            self.problem(
                "notifications.client-id",
                "is another application than `auth.client-id`, whose notifications would not be \
                 there; take it out",
            );
        }
        if let Err(message) = redirect(&auth.redirect) {
            self.problem("auth.redirect", message);
        }
        if let Some(Err(message)) = network.proxy.as_deref().map(proxy) {
            self.problem("network.proxy", message);
        }
    }

    fn gate(&mut self) {
        for (field, message) in self.settings.gate.problems() {
            self.problem(field, message);
        }
    }

    fn waivers(&mut self) {
        for (waiver, n) in self.settings.waivers.iter().zip(1..) {
            for (field, message) in waiver.problems() {
                self.problem(&format!("waiver.{n}.{field}"), message);
            }
            for (field, text) in waiver.lines() {
                self.line(&format!("waiver.{n}.{field}"), text);
            }
            let programmes = &self.settings.programmes;
            if let Some(id) = waiver.programme.as_ref().filter(|id| !programmes.contains(id)) {
                let id: String = id.chars().take(60).collect();
                self.problem(
                    &format!("waiver.{n}.programme"),
                    format!("names `{id}`, which `programmes` does not"),
                );
            }
        }
    }

    fn answers(&mut self) {
        for (key, answer) in &self.settings.answers {
            let field = format!("answers.{key}");
            match questions::question(key) {
                None => {
                    let known = questions::answer_keys();
                    self.problem(
                        &field,
                        format!("answers no question of a form; known are {}", quoted(known)),
                    );
                }
                Some(question) if !answers(question.kind, answer) => {
                    self.problem(&field, format!("must be {}", question.kind.accepts()));
                }
                Some(_) => {}
            }
        }
    }

    fn statements(&mut self) {
        for key in self.settings.statements.keys() {
            if !questions::statement_keys().any(|known| known == key) {
                let known = questions::statement_keys();
                self.problem(
                    &format!("statements.{key}"),
                    format!("is no statement of a form; known are {}", quoted(known)),
                );
            }
        }
    }

    fn before_you_start(&mut self) {
        for step in self.settings.before_you_start.days.keys() {
            if !before::steps().iter().any(|known| known.id == *step) {
                let known = before::steps().iter().map(|known| known.id.as_str());
                self.problem(
                    &format!("before-you-start.{step}"),
                    format!("is nothing that HMRC wants done first; known are {}", quoted(known)),
                );
            }
        }
    }

    fn not_applicable(&mut self) {
        for (flow, reason) in &self.settings.not_applicable {
            let field = format!("not-applicable.{}", flow.as_str());
            if *flow == Flow::GuaranteeBalance {
                self.problem(&field, "is no flow of the form; take it out");
            } else if self.settings.software.flows.contains(flow) {
                self.problem(
                    &field,
                    "explains why a flow does not apply that `software.flows` names; keep one of the two",
                );
            } else if reason.trim().is_empty() {
                self.problem(&field, "is empty; say why the software does not support this flow");
            }
        }
    }

    fn required(&mut self, field: &str, value: &str, what: &str) {
        if !self.places.has(field) {
            self.problem(field, format!("is missing; give {what}"));
        } else if value.trim().is_empty() {
            self.problem(field, format!("is empty; give {what}"));
        } else {
            self.line(field, value);
        }
    }

    fn optional(&mut self, field: &str, value: Option<&str>) {
        match value {
            Some(value) if value.trim().is_empty() => {
                self.problem(field, "is empty; give a value or take the line out");
            }
            Some(value) => self.line(field, value),
            None => {}
        }
    }

    pub(super) fn line(&mut self, field: &str, value: &str) {
        if value.chars().any(char::is_control) {
            self.problem(field, "must be one line, without control characters");
        } else if value.chars().count() > LINE {
            self.problem(field, format!("must have {LINE} characters at most"));
        }
    }
}

fn is_build(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.parse::<crate::digest::Digest>().is_ok())
}

fn is_email(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let halves = text.rsplit_once('@');
    plain && halves.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
}

fn answers(kind: QuestionKind, answer: &AnswerValue) -> bool {
    match kind {
        QuestionKind::YesNo => answer.yes_no().is_some(),
        QuestionKind::YesNoDontKnow => answer.yes_no().is_some() || answer.is_dont_know(),
        QuestionKind::Number => matches!(answer, AnswerValue::Number(n) if *n >= 0),
        QuestionKind::Text => {
            matches!(answer, AnswerValue::Text(text) if !text.trim().is_empty())
        }
        // The settings do not answer these under `[answers]`.
        QuestionKind::Setting
        | QuestionKind::Statement
        | QuestionKind::Given
        | QuestionKind::Person => false,
    }
}

/// Whether `url` may stand for `environment`'s address. The address itself
/// is not repeated: it may hold a user name and password.
fn check_base_url(url: &str, environment: Environment) -> Result<(), String> {
    let name = environment.as_str();
    let Ok(parsed) = Url::parse(url) else {
        return Err(format!("is no URL; for `{name}` give {}", accepted(environment)));
    };
    let plain = parsed.username().is_empty()
        && parsed.password().is_none()
        && parsed.query().is_none()
        && parsed.fragment().is_none();
    if !plain {
        return Err("must have no user name, password, query or fragment".to_owned());
    }
    let fits = match environment {
        Environment::Simulator => {
            matches!(parsed.scheme(), "http" | "https") && is_loopback(&parsed)
        }
        Environment::Sandbox | Environment::TraderTest => {
            Url::parse(TEST_API).is_ok_and(|hmrc| hmrc.origin() == parsed.origin())
                && parsed.path() == "/"
        }
    };
    if fits { Ok(()) } else { Err(format!("must be {} for `{name}`", accepted(environment))) }
}

fn accepted(environment: Environment) -> String {
    match environment {
        Environment::Simulator => {
            "an address of this machine, such as `http://127.0.0.1:8080`,".to_owned()
        }
        Environment::Sandbox | Environment::TraderTest => {
            format!("`{TEST_API}` (or leave it out)")
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
