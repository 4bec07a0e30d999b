//! Writing a new `ctc-ready.toml`: every setting is there, explained, and
//! those not given are commented out with an example.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::before;
use super::network::REDIRECT;
use super::questions::{questions, statements};
use super::settings::{AnswerValue, Application, Business, Environment, GateSettings};
use crate::catalogue::{Combination, Flow, Procedure, Side};

/// What `init` asks, or takes from flags.
#[derive(Clone, Debug, PartialEq)]
pub struct InitAnswers {
    /// Programmes, the default one first.
    pub programmes: Vec<String>,
    /// Flows the software supports.
    pub flows: Vec<Flow>,
    /// Procedures it supports.
    pub procedures: Vec<Procedure>,
    /// The matrix column, with both procedures.
    pub combination: Option<Combination>,
    /// The side whose scenarios are chosen where either is enough.
    pub side: Side,
    /// Product name.
    pub software_name: String,
    /// Version under test.
    pub software_version: String,
    /// Name, address and contact e-mail of the house.
    pub business: Business,
    /// The application in the sandbox.
    pub sandbox_application: Application,
    /// The production application.
    pub production_application: Application,
    /// The house's own `messageSender`.
    pub message_sender: Option<String>,
    /// Where runs go when no flag says otherwise.
    pub environment: Environment,
    /// Answers to the form's questions, by key.
    pub answers: BTreeMap<String, AnswerValue>,
    /// Statements of the NCTS6 form, by key.
    pub statements: BTreeMap<String, bool>,
    /// Why a flow does not apply.
    pub not_applicable: BTreeMap<Flow, String>,
}

/// The text of a `ctc-ready.toml` that says what `answers` says.
/// [`super::Settings::parse`] reads the same values back.
pub fn render(answers: &InitAnswers) -> String {
    let mut page = Page(String::new());
    page.about(&[
        "Settings of ctc-ready. Commit this file: it holds no secrets, and must not.",
        "Lines that begin with `#` are explanations, or settings not in use.",
    ]);
    page.gap();
    page.about(&[
        "The bodies of HMRC rules you apply under: `ncts5-final`, `ncts6`, or both.",
        "Commands that judge one take the first that is open on the day judged.",
    ]);
    page.set("programmes", &list(answers.programmes.iter().map(String::as_str)));

    business(&mut page, &answers.business);
    software(&mut page, answers);
    applications(&mut page, answers);
    run(&mut page, answers);
    payloads_and_gate(&mut page);
    waivers(&mut page);
    asked(&mut page, answers);
    held(&mut page);
    page.section(
        "programme.dates",
        &[
            "Dates that HMRC has not published, once you know them. `ctc-ready plan` names",
            "those it misses, and nothing is ever guessed.",
        ],
    );
    page.example("ncts6-go-live", "2027-01-31");
    page.section(
        "before-you-start",
        &[
            "When you did what HMRC wants done first, where your evidence does not show it:",
            "`ctc-ready doctor` goes through the list.",
        ],
    );
    for step in before::steps().iter().filter(|step| step.shown.is_none()) {
        page.example(&step.id, "2026-10-01");
    }
    page.section("catalogue", &["Your own additions to the built-in scenarios."]);
    page.example("path", "\"scenarios\"");
    page.0
}

fn business(page: &mut Page, business: &Business) {
    page.section("business", &["Who applies. It goes into HMRC's form."]);
    page.text("name", business.name.as_deref(), "Registered Name Ltd");
    page.text("address", business.address.as_deref(), "1 Quay Street, Dover, CT16 1AA");
    page.text("contact-email", business.contact_email.as_deref(), "customs@example.com");
}

fn software(page: &mut Page, answers: &InitAnswers) {
    page.section("software", &["The product under test, and the version you want to release."]);
    page.set("name", &string(&answers.software_name));
    page.set("version", &string(&answers.software_version));
    page.about(&[
        "SHA-256 of the build under test; evidence of another build is then found out.",
        "`--build FILE` says it for one call.",
    ]);
    page.example("build", &string(&format!("sha256:{}", "0".repeat(64))));
    page.about(&[
        "What it supports decides which scenarios are mandatory:",
        "`standard-departure`, `pre-lodged-departure`, `arrival`.",
    ]);
    page.set("flows", &list(answers.flows.iter().map(|flow| flow.as_str())));
    page.about(&["`normal`, `simplified`, or both."]);
    page.set("procedures", &list(answers.procedures.iter().map(|procedure| procedure.as_str())));
    page.about(&["With both procedures: the column of the form's matrix, `A` or `B`, throughout."]);
    match answers.combination {
        Some(Combination::A) => page.set("combination", "\"A\""),
        Some(Combination::B) => page.set("combination", "\"B\""),
        None => page.example("combination", "\"A\""),
    }
    page.about(&["Whose scenarios to run where either side is enough: `GB` or `XI`."]);
    page.set("side", &string(answers.side.as_str()));
}

fn applications(page: &mut Page, answers: &InitAnswers) {
    page.section(
        "sandbox-application",
        &["The application in HMRC's sandbox. Its keys and tokens never go here."],
    );
    application(page, &answers.sandbox_application);
    page.section(
        "production-application",
        &["The production application; its id is in the address of its page on the Developer Hub."],
    );
    application(page, &answers.production_application);
}

fn application(page: &mut Page, application: &Application) {
    page.text("name", application.name.as_deref(), "Name on the Developer Hub");
    page.text("id", application.id.as_deref(), "01234567-89ab-cdef-0123-456789abcdef");
}

fn run(page: &mut Page, answers: &InitAnswers) {
    page.section("run", &["How `ctc-ready run` behaves when no flag says otherwise."]);
    page.about(&[
        "`trader-test` (HMRC's officers answer; the only results that count), `sandbox`,",
        "or `simulator` (built in; rehearsal only).",
    ]);
    page.set("environment", &string(answers.environment.as_str()));
    page.about(&[
        "Who sends the messages: ctc-ready (`direct`), or your software, which `[driver]`",
        "makes do it (`command`).",
    ]);
    page.example("driver", "\"command\"");
    page.about(&["Another address, for a simulator that runs by itself on this machine."]);
    page.example("base-url", "\"http://127.0.0.1:8080\"");
    page.about(&["`messageSender` of the messages, if yours is fixed; at most 35 characters."]);
    page.text("message-sender", answers.message_sender.as_deref(), "MYSOFTWARE");
    page.about(&["Who runs the tests; kept with the evidence."]);
    page.example("operator", "\"A. Tester\"");
    page.about(&["HMRC takes 3 requests a second from one application."]);
    page.example("max-requests-per-second", "3");

    page.section(
        "driver",
        &[
            "The program that makes your software send a message, with its arguments; it is",
            "told what to send by the environment, and prints the movement's id.",
        ],
    );
    page.example("command", "[\"python3\", \"send.py\"]");
    page.about(&["Seconds that it may take for one message."]);
    page.example("timeout", "120");
    page.about(&["How many of them may run at once."]);
    page.example("parallel", "1");

    page.section(
        "auth",
        &[
            "Signing in as a trader: `ctc-ready auth login`; docs/signing-in.md tells how. The",
            "application's secret goes into CTC_READY_CLIENT_SECRET, never here.",
        ],
    );
    page.about(&["The sandbox application's client id."]);
    page.example("client-id", "\"the client ID on the Developer Hub\"");
    page.about(&["Whose tokens `run` takes, where you sign in as several traders."]);
    page.example("profile", "\"default\"");
    page.about(&["A redirect URI of the application, port and all; the port must be free here."]);
    page.example("redirect", &string(REDIRECT));

    page.section("network", &["The way to HMRC, where your network has its own."]);
    page.about(&["Without it, HTTPS_PROXY and NO_PROXY say; a password belongs there alone."]);
    page.example("proxy", "\"http://proxy.example.com:8080\"");
    page.about(&["Authorities that you trust besides the system's: a PEM file."]);
    page.example("ca", "\"company-ca.pem\"");

    page.section(
        "record.lrn",
        &[
            "Which scenario a declaration of your own software begins, where its LRN does not",
            "begin with the scenario's id; `*` stands for any rest.",
        ],
    );
    page.example("\"TEST-A*\"", "\"DSGB1\"");

    page.section(
        "notifications",
        &[
            "What NCTS says can be learnt from HMRC's notifications instead of lists of",
            "movements: fewer requests. The sandbox application must be subscribed to the Push",
            "Pull Notifications API, and be named under `[auth]`.",
        ],
    );
    page.example("pull", "true");
}

fn payloads_and_gate(page: &mut Page) {
    page.section(
        "payloads",
        &[
            "Where messages come from, before the built-in ones. Paths start at this folder.",
            "Your own files: `<folder>/<scenario>/<step>-<message>.xml`.",
        ],
    );
    page.example("folder", "\"payloads\"");
    page.about(&["HMRC's test pack, or a list of packs, as downloaded."]);
    page.example("pack", "\"test-pack.zip\"");
    page.about(&[
        "HMRC's XSD files: one version's, or a folder for each (`2.1`, `3.0`). Every message",
        "is then checked before it is sent.",
    ]);
    page.example("xsd", "\"xsd\"");

    let gate = GateSettings::default();
    page.section("gate", &["The release gate."]);
    page.about(&[
        "`strict`: younger than 14 x 24 hours, and first submitted within the last 14 London",
        "days, today counted. `hours`: the first of the two alone.",
    ]);
    page.example("freshness", &string(gate.freshness.as_str()));
    page.about(&["Hours before evidence lapses from which the gate warns, and fails; 0: never."]);
    page.example("warn-before-hours", &gate.warn_before_hours.to_string());
    page.example("fail-before-hours", &gate.fail_before_hours.to_string());
    page.about(&["Largest difference between this machine's clock and HMRC's, in seconds."]);
    page.example("max-clock-skew-seconds", &gate.max_clock_skew_seconds.to_string());
    page.about(&[
        "Where runs count: `trader-test`, `sandbox`. HMRC takes results of Trader Test alone.",
    ]);
    page.example("environments", &list(gate.environments.iter().map(|it| it.as_str())));
    page.about(&["Who may have sent the messages: ctc-ready (`direct`), or the software itself."]);
    page.example("drivers", &list(gate.drivers.iter().map(|it| it.as_str())));
    page.about(&[
        "A run that counts and has no seal: an error (`required`), a warning (`wanted`), or",
        "nothing (`ignored`).",
    ]);
    page.example("seals", "\"wanted\"");
    page.about(&["Only seals by these keys count, as `ctc-ready keys show` prints them."]);
    page.example("seal-keys", &format!("[\"{}\"]", "0".repeat(64)));
    page.about(&[
        "`required`: evidence must name a build, that of `software.build` or `--build`;",
        "`compare`: where both name one; `ignored`: builds are not compared.",
    ]);
    page.example("same-build", "\"compare\"");
    page.about(&[
        "Recommended tests that apply and are not proven: an error (`required`), a warning",
        "(`wanted`), or your own business (`optional`).",
    ]);
    page.example("recommended", "\"optional\"");
}

fn waivers(page: &mut Page) {
    page.gap();
    page.about(&[
        "A finding of the gate that you let pass, with a reason and an end; one such part for",
        "each. `ctc-ready gate --list-rules` says which rules can be waived. One that nothing",
        "needs any more is an error.",
    ]);
    page.about(&["[[waiver]]"]);
    page.example("rule", "\"clock-skew\"");
    page.example("reason", "\"Why it may stand\"");
    page.about(&["The last day on which it holds, judged on the day of submission."]);
    page.example("until", "2026-12-31");
    page.example("approved-by", "\"Release board\"");
    page.about(&["Only findings about these, each optional:"]);
    page.example("requirement", "\"arrival\"");
    page.example("scenario", "\"ANGB1\"");
    page.example("run", "\"01920000-0000-7000-8000-000000000001\"");
    page.about(&["Only where this programme is judged."]);
    page.example("programme", "\"ncts5-final\"");
}

fn asked(page: &mut Page, answers: &InitAnswers) {
    page.section("answers", &["What the NCTS5 form asks and only you know."]);
    for question in questions().iter().filter(|question| question.kind.is_answer()) {
        let asks = question.asks.as_deref().unwrap_or_default();
        page.about(&[&format!("{asks} ({})", question.kind.accepts())]);
        match answers.answers.get(&question.key) {
            Some(answer) => page.set(&question.key, &value(answer)),
            None => page.example(&question.key, question.example.as_deref().unwrap_or_default()),
        }
    }
    page.section(
        "statements",
        &["What the NCTS6 form has you declare. Set to true only what is true."],
    );
    for (key, states) in statements() {
        page.about(&[states]);
        match answers.statements.get(key) {
            Some(stated) => page.set(key, &stated.to_string()),
            None => page.example(key, "true"),
        }
    }
    page.section(
        "not-applicable",
        &["Why the software does not support a flow: the NCTS5 form asks, for each it leaves out."],
    );
    for flow in [Flow::StandardDeparture, Flow::PreLodgedDeparture, Flow::Arrival] {
        let reason = answers.not_applicable.get(&flow).map(String::as_str);
        page.text(flow.as_str(), reason, "We serve inbound movements only");
    }
}

/// What decides about further applications: not in use until there is
/// something to say.
fn held(page: &mut Page) {
    page.unused(
        "[credentials]",
        &[
            "Production credentials you hold already; for more than one, a `[[credentials]]`",
            "each. What they cover is not asked again. The credentials themselves never go here.",
        ],
        &[
            ("granted", "2025-03-01", "The day they were granted."),
            ("api", "\"2.1\"", "The version of the CTC Traders API they are for."),
            ("flows", "[\"arrival\"]", "The flows you applied for."),
            ("version", "\"4.1\"", "The version of your software tested for them."),
        ],
    );
    page.unused(
        "[[software.other-versions]]",
        &["Other versions of your software in use, and the flows each supports."],
        &[("version", "\"3.9\"", ""), ("flows", "[\"arrival\"]", "")],
    );
    page.unused(
        "[[documentation-change]]",
        &[
            "Significant changes of HMRC's documentation: of the order of messages, or of more",
            "than rules and conditions. What was tested before one must be tested again.",
        ],
        &[
            ("on", "2026-06-01", "The day from which it holds."),
            ("what", "\"IE025 comes before IE045\"", "What changed."),
            ("flows", "[\"arrival\"]", "The flows it affects; leave it out for all."),
        ],
    );
}

/// The file being written.
struct Page(String);

impl Page {
    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{text}");
    }

    fn about(&mut self, lines: &[&str]) {
        for line in lines {
            self.line(format_args!("# {line}"));
        }
    }

    fn section(&mut self, name: &str, about: &[&str]) {
        self.gap();
        self.about(about);
        self.line(format_args!("[{name}]"));
    }

    fn set(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {value}"));
    }

    fn example(&mut self, key: &str, value: &str) {
        self.line(format_args!("# {key} = {value}"));
    }

    /// A section that is not in use: keys with an example and a line about them.
    fn unused(&mut self, header: &str, about: &[&str], keys: &[(&str, &str, &str)]) {
        self.gap();
        self.about(about);
        self.line(format_args!("# {header}"));
        for (key, value, what) in keys {
            match *what {
                "" => self.example(key, value),
                what => self.line(format_args!("# {key} = {value}  # {what}")),
            }
        }
    }

    fn text(&mut self, key: &str, value: Option<&str>, example: &str) {
        match value {
            Some(value) => self.set(key, &string(value)),
            None => self.example(key, &string(example)),
        }
    }
}

fn value(answer: &AnswerValue) -> String {
    match answer {
        AnswerValue::YesNo(answer) => answer.to_string(),
        AnswerValue::Number(answer) => answer.to_string(),
        AnswerValue::Text(answer) => string(answer),
    }
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", items.map(string).collect::<Vec<_>>().join(", "))
}

/// A TOML basic string.
fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
