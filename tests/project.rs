//! Finding, reading, refusing and writing `ctc-ready.toml`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use ctc_ready::catalogue::{Combination, Flow, Procedure, Side};
use ctc_ready::project::write::{InitAnswers, render};
use ctc_ready::project::{
    AnswerValue, Application, Business, Environment, FreshnessPolicy, Project, ProjectError,
    Settings, questions,
};
use proptest::prelude::*;

const KNOWN: &[&str] = &["ncts5-transition", "ncts5-final", "ncts6", "guarantee-balance"];

const GOOD: &str = r#"programmes = ["ncts5-final"]

[software]
name = "Transit Desk"
version = "4.2"
flows = ["standard-departure", "arrival"]
procedures = ["normal"]
side = "GB"
"#;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(text, Path::new("ctc-ready.toml"), KNOWN).map_err(|error| error.to_string())
}

/// The problems of `GOOD` with `more` put after it.
fn with(more: &str) -> String {
    parse(&format!("{GOOD}{more}")).expect_err(more)
}

/// The problems of `GOOD` with one text replaced.
fn replacing(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    parse(&GOOD.replace(old, new)).expect_err(new)
}

#[test]
fn the_smallest_file_has_the_documented_defaults() {
    let settings = parse(GOOD).unwrap();
    assert_eq!(settings.run.environment, Environment::TraderTest);
    assert_eq!(settings.gate.freshness, FreshnessPolicy::Strict);
    assert_eq!((settings.gate.warn_before_hours, settings.gate.fail_before_hours), (72, 0));
    assert_eq!(settings.gate.max_clock_skew_seconds, 60);
    assert!(settings.payloads.pack.paths().is_empty());
    assert!(!settings.notifications.pull && settings.notifications.client_id.is_none());
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let text = r#"programmes = ["ncts5-final", "ncts7", "ncts5-final"]

[business]
name = " "
contact-email = "customs.example.com"
address = ""

[software]
name = ""
build = "sha256:abc"
flows = ["arrival", "guarantee-balance", "arrival"]
procedures = ["normal", "simplified"]

[run]
environment = "trader-test"
base-url = "http://127.0.0.1:8080"
message-sender = "THIS-SENDER-NAME-IS-LONGER-THAN-35-CHARACTERS"
max-requests-per-second = 0

[notifications]
pull = true
client-id = ""

[gate]
warn-before-hours = 24
fail-before-hours = 48

[answers]
saas = "dont-know"
production-applications = -1
colour = "blue"

[statements]
alligned = true

[not-applicable]
arrival = "we do not do arrivals"
pre-lodged-departure = ""
"#;
    insta::assert_snapshot!(parse(text).unwrap_err());
}

#[test]
fn an_empty_file_names_what_it_needs() {
    insta::assert_snapshot!(parse("").unwrap_err());
}

#[test]
fn errors_of_form_keep_line_column_and_caret() {
    let problems = [
        GOOD.replace("\"4.2\"", "4.2.1"),
        GOOD.replace("\"4.2\"", "42"),
        GOOD.replace("\"normal\"", "\"quick\""),
        format!("{GOOD}colour = \"blue\"\n"),
        format!("{GOOD}\n[colours]\nsea = \"green\"\n"),
        format!("{GOOD}\n[programme.dates]\nncts6-go-live = \"soon\"\n"),
        format!("{GOOD}\n[answers]\nsaas = 1.5\n"),
        format!("{GOOD}\n[payloads]\npack = 3\n"),
    ]
    .map(|text| parse(&text).unwrap_err())
    .join("\n\n");
    insta::assert_snapshot!(problems);
}

#[test]
fn errors_in_two_sections_are_both_told() {
    let told = with("\n[gate]\nfreshness = \"lax\"\n\n[run]\nenvironment = \"moon\"\n");
    assert!(told.contains("2 problems"), "{told}");
    assert!(told.contains("`lax`") && told.contains("`moon`"), "{told}");
}

/// Whatever is wrong around it, a secret is not repeated.
#[test]
fn a_secret_is_refused_and_never_repeated() {
    let secret = "9f3c-VERY-PRIVATE-77aa";
    for text in [
        format!("{GOOD}\n[sandbox-application]\nclient_secret = \"{secret}\"\n"),
        format!("{GOOD}\n[sandbox-application]\nclient-secret = \"{secret}\n"),
        format!("{GOOD}\n[sandbox-application]\nserver_token = {secret}\n"),
        format!("{GOOD}\ntoken = \"{secret}\"\n"),
        format!("token = \"{secret}\"\n{GOOD}"),
        format!("token = \"\"\"\n{secret}\n{GOOD}"),
        format!("{GOOD}\n[tokens]\naccess = \"{secret}\"\n"),
        format!("{GOOD}\n[auth]\nPassword = \"{secret}\"\n"),
        format!("{GOOD}\n[run]\nproxy = {{ password = \"{secret}\" }}\n"),
        format!("{GOOD}\n[answers]\nsaas = [{{ api_key = \"{secret}\" }}]\n"),
        format!("{GOOD}\n[run]\nbase-url = \"https://me:{secret}@test-api.service.hmrc.gov.uk\"\n"),
        // A name nobody knows may hold anything.
        format!("{GOOD}\n[sandbox-application]\nkey = \"{secret}\"\n"),
        format!("{GOOD}\n[hmrc]\nkey = \"{secret}\"\n"),
    ] {
        let told = parse(&text).expect_err(&text);
        assert!(!told.contains("PRIVATE"), "{told}");
    }
    insta::assert_snapshot!(with("\n[sandbox-application]\nclient_secret = \"9f3c\"\n"));
}

#[test]
fn ordinary_words_are_no_secrets() {
    let text = GOOD.replace("Transit Desk", "Token Secret Desk");
    assert_eq!(parse(&text).unwrap().software.name, "Token Secret Desk");
}

#[test]
fn combination_goes_with_both_procedures_alone() {
    let both = "procedures = [\"normal\", \"simplified\"]";
    let one = "procedures = [\"normal\"]";
    assert!(replacing(one, both).contains("`software.combination` is missing"));
    assert!(replacing(one, &format!("{one}\ncombination = \"A\"")).contains("take it out"));
    let settings = parse(&GOOD.replace(one, &format!("{both}\ncombination = \"B\""))).unwrap();
    assert_eq!(settings.software.combination, Some(Combination::B));
}

#[test]
fn base_url_must_fit_the_environment() {
    let of = |environment: &str, url: &str| {
        parse(&format!("{GOOD}\n[run]\nenvironment = \"{environment}\"\nbase-url = \"{url}\"\n"))
    };
    let hmrc = "https://test-api.service.hmrc.gov.uk";
    for (environment, url, fits) in [
        ("trader-test", hmrc, true),
        ("trader-test", "https://test-api.service.hmrc.gov.uk/", true),
        ("sandbox", hmrc, true),
        ("sandbox", "http://test-api.service.hmrc.gov.uk", false),
        ("sandbox", "https://api.service.hmrc.gov.uk", false),
        ("sandbox", "https://test-api.service.hmrc.gov.uk.evil.example", false),
        ("sandbox", "https://test-api.service.hmrc.gov.uk:8443", false),
        ("trader-test", "http://localhost:9000", false),
        ("simulator", "http://localhost:9000", true),
        ("simulator", "http://127.0.0.2:9000/base", true),
        ("simulator", "http://[::1]:9000", true),
        ("simulator", hmrc, false),
        ("simulator", "http://10.0.0.1", false),
        ("simulator", "file:///etc/passwd", false),
        ("simulator", "nonsense", false),
    ] {
        let read = of(environment, url);
        assert_eq!(read.is_ok(), fits, "{environment} {url}: {read:?}");
        if let Err(told) = read {
            assert!(told.contains("`run.base-url`") && !told.contains("evil"), "{told}");
        }
    }
}

#[test]
fn guarantee_balance_alone_needs_no_flows() {
    let text = "programmes = [\"guarantee-balance\"]\n[software]\nname = \"G\"\nversion = \"1\"\nside = \"GB\"\n";
    assert!(parse(text).is_ok());
    assert!(parse(&text.replace("guarantee-balance", "ncts6")).is_err());
}

#[test]
fn a_policy_that_makes_no_sense_is_refused() {
    for (lines, told) in [
        ("environments = []", "`gate.environments` names none"),
        ("environments = [\"simulator\"]", "`simulator`, whose evidence never counts"),
        ("environments = [\"sandbox\", \"sandbox\"]", "names `sandbox` twice"),
        ("environments = [\"moon\"]", "unknown variant `moon`"),
        ("drivers = []", "`gate.drivers` names none"),
        ("drivers = [\"telepathy\"]", "unknown variant `telepathy`"),
        ("drivers = [\"proxy\", \"direct\", \"proxy\"]", "names `proxy` twice"),
        ("seals = \"always\"", "unknown variant `always`"),
        ("seal-keys = [\"abc\"]", "`abc` is not a SHA-256 digest"),
        ("same-build = true", "cannot be read"),
        ("recommended = \"yes\"", "unknown variant `yes`"),
        ("fail-before-hours = 73", "more than `gate.warn-before-hours` (72)"),
        ("warn-before-hours = 336", "must be less than 336"),
        ("seal = \"wanted\"", "unknown field `seal`"),
    ] {
        let found = with(&format!("\n[gate]\n{lines}\n"));
        assert!(found.contains(told), "{lines}: {found}");
    }
    let key = "0".repeat(64);
    let twice = with(&format!("\n[gate]\nseal-keys = [\"{key}\", \"{key}\"]\n"));
    assert!(twice.contains("`gate.seal-keys` names"), "{twice}");
    let moot = with(&format!("\n[gate]\nseals = \"ignored\"\nseal-keys = [\"{key}\"]\n"));
    assert!(moot.contains("keep one of the two"), "{moot}");
}

#[test]
fn a_policy_reads_as_it_is_written() {
    use ctc_ready::project::{BuildPolicy, Driver, RecommendedPolicy, SealPolicy};
    let gate = parse(GOOD).unwrap().gate;
    assert_eq!(gate.environments, [Environment::TraderTest]);
    assert_eq!(gate.drivers, Driver::ALL);
    assert_eq!((gate.seals, gate.same_build), (SealPolicy::Wanted, BuildPolicy::Compare));
    assert_eq!(gate.recommended, RecommendedPolicy::Optional);
    assert!(gate.seal_keys.is_empty());
    let key = "ab".repeat(32);
    let gate = parse(&format!(
        "{GOOD}\n[gate]\nenvironments = [\"sandbox\"]\ndrivers = [\"proxy\"]\nseals = \"required\"\nseal-keys = [\"{key}\"]\nsame-build = \"required\"\nrecommended = \"wanted\"\n"
    ))
    .unwrap()
    .gate;
    assert_eq!(gate.environments, [Environment::Sandbox]);
    assert_eq!(gate.drivers, [Driver::Proxy]);
    assert_eq!((gate.seals, gate.same_build), (SealPolicy::Required, BuildPolicy::Required));
    assert_eq!(gate.recommended, RecommendedPolicy::Wanted);
    assert_eq!(gate.seal_keys[0].to_string(), key);
}

#[test]
fn waivers_need_a_rule_a_reason_and_an_end() {
    let good = "\n[[waiver]]\nrule = \"clock-skew\"\nreason = \"why\"\nuntil = 2026-12-31\n";
    let settings = parse(&format!("{GOOD}{good}{good}")).unwrap();
    assert_eq!(settings.waivers.len(), 2);
    assert_eq!(settings.waivers[0].until.to_string(), "2026-12-31");
    for (old, new, told) in [
        ("rule = \"clock-skew\"\n", "", "missing field `rule`"),
        ("reason = \"why\"\n", "", "missing field `reason`"),
        ("until = 2026-12-31\n", "", "missing field `until`"),
        ("\"why\"", "\"  \"", "`waiver.1.reason` is empty; say why"),
        ("\"why\"", "\"a\\nb\"", "`waiver.1.reason` must be one line"),
        ("\"clock-skew\"", "\"\"", "`waiver.1.rule` is empty"),
        ("2026-12-31", "\"soon\"", "expected a date"),
        ("2026-12-31", "2026-12-31T10:00:00Z", "expected a date"),
        ("until", "run = \"0192\"\nuntil", "cannot be read"),
        ("until", "requirement = \"\"\nuntil", "`waiver.1.requirement` is empty"),
        ("until", "programme = \"ncts6\"\nuntil", "names `ncts6`, which `programmes` does not"),
        ("until", "colour = \"blue\"\nuntil", "unknown field `colour`"),
        ("[[waiver]]", "[waiver]", "cannot be read"),
    ] {
        assert!(good.contains(old), "{old}");
        let found = with(&good.replacen(old, new, 1));
        assert!(found.contains(told), "{new}: {found}");
    }
    // The second one's place, not the first one's.
    let found = with(&format!("{good}{}", good.replace("\"why\"", "\"\"")));
    let line = GOOD.lines().count() + good.lines().count() + 4;
    assert!(found.contains(&format!("ctc-ready.toml:{line}:")), "{found}");
    assert!(found.contains("`waiver.2.reason`"), "{found}");
}

#[test]
fn dates_are_written_either_way() {
    let settings =
        parse(&format!("{GOOD}\n[programme.dates]\na = 2027-01-31\nb = \"2027-01-31\"\n")).unwrap();
    let dates: Vec<_> = settings.programme.dates.values().map(ToString::to_string).collect();
    assert_eq!(dates, ["2027-01-31", "2027-01-31"]);
    for wrong in ["2027-01-31T10:00:00Z", "07:00:00", "\"31.1.2027\"", "2150-01-01"] {
        let told = with(&format!("\n[programme.dates]\na = {wrong}\n"));
        assert!(told.contains("is not a date"), "{told}");
    }
}

#[test]
fn hostile_texts_are_refused_without_a_panic() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let wide = format!("{GOOD}\n[answers]\n\"{}\" = 1\n", "x".repeat(10_000));
    for text in [deep.as_str(), &wide, "\u{0}", "=", "[[software]]", "software = 1", "a.b.c.d = 1"]
    {
        assert!(parse(text).is_err());
    }
}

#[test]
fn the_nearest_folder_upwards_is_the_project() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let below = root.join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let text =
        format!("{GOOD}\n[payloads]\nfolder = \"mine\"\npack = [\"one.zip\", \"/abs/two.zip\"]\n");
    std::fs::write(root.join("ctc-ready.toml"), text).unwrap();

    let project = Project::locate(None, &below, KNOWN).unwrap();
    assert_eq!(project.root, root);
    assert_eq!(project.evidence_dir(), root.join("evidence"));
    assert_eq!(project.settings.payloads.folder, Some(root.join("mine")));
    assert_eq!(
        project.settings.payloads.pack.paths(),
        [root.join("one.zip"), Path::new("/abs/two.zip").to_owned()]
    );
    // A folder that is named must hold the file itself.
    assert!(Project::locate(Some(Path::new("..")), &root.join("a"), KNOWN).is_ok());
    let refused = Project::locate(Some(Path::new("b")), &root.join("a"), KNOWN).unwrap_err();
    assert!(matches!(&refused, ProjectError::NotInFolder(dir) if dir == &below), "{refused}");
}

#[test]
fn files_that_are_no_settings_are_refused_with_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ctc-ready.toml");
    let locate = || Project::locate(Some(dir.path()), dir.path(), KNOWN);
    assert!(matches!(locate(), Err(ProjectError::NotInFolder(_))));

    std::fs::write(&file, b"programmes = [\n\"\xff\"]").unwrap();
    let told = locate().unwrap_err().to_string();
    assert!(told.contains("ctc-ready.toml`:2 is not UTF-8"), "{told}");

    std::fs::write(&file, vec![b'#'; 2 << 20]).unwrap();
    assert!(matches!(locate(), Err(ProjectError::TooLarge(_))));

    std::fs::write(&file, format!("\u{feff}{GOOD}")).unwrap();
    assert!(locate().is_ok());
}

#[test]
fn an_overlay_may_add_programmes() {
    let dir = tempfile::tempdir().unwrap();
    let text = GOOD.replace("ncts5-final", "ours") + "\n[catalogue]\npath = \"more\"\n";
    std::fs::write(dir.path().join("ctc-ready.toml"), text).unwrap();
    let project = Project::locate(None, dir.path(), KNOWN).unwrap();
    assert!(project.check_programmes(&["ours"]).is_ok());
    let told = project.check_programmes(KNOWN).unwrap_err().to_string();
    assert!(told.contains("names `ours`, which is no programme"), "{told}");
}

#[test]
fn a_new_file_explains_every_setting() {
    let answers = InitAnswers {
        programmes: vec!["ncts5-final".to_owned(), "ncts6".to_owned()],
        flows: vec![Flow::StandardDeparture],
        procedures: vec![Procedure::Normal, Procedure::Simplified],
        combination: Some(Combination::A),
        side: Side::Xi,
        software_name: "Transit \"Desk\"".to_owned(),
        software_version: "4.2".to_owned(),
        business: Business { name: Some("Acme Ltd".to_owned()), ..Business::default() },
        sandbox_application: Application { name: Some("desk".to_owned()), id: None },
        production_application: Application::default(),
        message_sender: None,
        environment: Environment::Simulator,
        answers: BTreeMap::from([("saas".to_owned(), AnswerValue::YesNo(true))]),
        statements: BTreeMap::new(),
        not_applicable: BTreeMap::from([(Flow::Arrival, "Outbound only".to_owned())]),
    };
    insta::assert_snapshot!(render(&answers));
}

fn text() -> impl Strategy<Value = String> {
    // Quotes, backslashes, comment signs, other alphabets.
    proptest::string::string_regex("[ -~£é漢\u{202e}😀]{1,60}")
        .unwrap()
        .prop_filter("not blank", |text| !text.trim().is_empty())
}

fn lines() -> impl Strategy<Value = String> {
    (text(), any::<bool>(), text()).prop_map(|(a, windows, b)| {
        if windows { format!("{a}\r\n\t{b}") } else { format!("{a}\n{b}\u{7f}\u{1}") }
    })
}

fn maybe<S: Strategy<Value = String> + 'static>(of: S) -> BoxedStrategy<Option<String>> {
    proptest::option::of(of).boxed()
}

fn answered() -> impl Strategy<Value = BTreeMap<String, AnswerValue>> {
    let keys: Vec<_> =
        questions::questions().iter().filter(|question| question.kind.is_answer()).collect();
    let all = keys.len();
    (proptest::sample::subsequence(keys, 0..=all), lines(), any::<bool>(), 0i64..99).prop_map(
        |(keys, text, yes, count)| {
            let value = |kind| match kind {
                questions::QuestionKind::YesNo => AnswerValue::YesNo(yes),
                questions::QuestionKind::YesNoDontKnow if yes => {
                    AnswerValue::Text("dont-know".to_owned())
                }
                questions::QuestionKind::YesNoDontKnow => AnswerValue::YesNo(yes),
                questions::QuestionKind::Number => AnswerValue::Number(count),
                _ => AnswerValue::Text(text.clone()),
            };
            keys.into_iter()
                .map(|question| (question.key.to_owned(), value(question.kind)))
                .collect()
        },
    )
}

fn init_answers() -> impl Strategy<Value = InitAnswers> {
    let all = vec![Flow::StandardDeparture, Flow::PreLodgedDeparture, Flow::Arrival];
    let procedures =
        proptest::sample::subsequence(vec![Procedure::Normal, Procedure::Simplified], 1..=2);
    let what = (
        proptest::sample::subsequence(KNOWN.to_vec(), 1..=KNOWN.len()),
        proptest::sample::subsequence(all, 1..=3),
        procedures,
        any::<(bool, bool, bool)>(),
        text(),
        text(),
    );
    let who = (
        maybe(text()),
        maybe(lines()),
        maybe(Just("a.b@example.org".to_owned())),
        proptest::array::uniform4(maybe(text())),
        maybe("[A-Z0-9]{1,35}".prop_map(|text| text)),
    );
    (what, who, answered(), proptest::option::of(any::<bool>()), text()).prop_map(
        |(what, who, answers, stated, why)| {
            let (programmes, flows, procedures, (a, xi, simulator), name, version) = what;
            let (business, address, contact_email, [sn, si, pn, pi], message_sender) = who;
            let not_applicable = [Flow::StandardDeparture, Flow::PreLodgedDeparture, Flow::Arrival]
                .into_iter()
                .filter(|flow| !flows.contains(flow))
                .map(|flow| (flow, why.clone()))
                .collect();
            let combination =
                (procedures.len() == 2).then_some(if a { Combination::A } else { Combination::B });
            InitAnswers {
                programmes: programmes.into_iter().map(str::to_owned).collect(),
                flows,
                procedures,
                combination,
                side: if xi { Side::Xi } else { Side::Gb },
                software_name: name,
                software_version: version,
                business: Business { name: business, address, contact_email },
                sandbox_application: Application { name: sn, id: si },
                production_application: Application { name: pn, id: pi },
                message_sender,
                environment: if simulator { Environment::Simulator } else { Environment::Sandbox },
                answers,
                statements: stated
                    .map(|stated| ("aligned".to_owned(), stated))
                    .into_iter()
                    .collect(),
                not_applicable,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// What `init` writes reads back as what was answered.
    #[test]
    fn what_is_written_reads_back(answers in init_answers()) {
        let text = render(&answers);
        let settings = match parse(&text) {
            Ok(settings) => settings,
            Err(told) => return Err(TestCaseError::fail(format!("{told}\n{text}"))),
        };
        prop_assert_eq!(&settings.programmes, &answers.programmes);
        prop_assert_eq!(&settings.software.name, &answers.software_name);
        prop_assert_eq!(&settings.software.version, &answers.software_version);
        prop_assert_eq!(&settings.software.flows, &answers.flows);
        prop_assert_eq!(&settings.software.procedures, &answers.procedures);
        prop_assert_eq!(settings.software.combination, answers.combination);
        prop_assert_eq!(settings.software.side, answers.side);
        prop_assert_eq!(&settings.business, &answers.business);
        prop_assert_eq!(&settings.sandbox_application, &answers.sandbox_application);
        prop_assert_eq!(&settings.production_application, &answers.production_application);
        prop_assert_eq!(&settings.run.message_sender, &answers.message_sender);
        prop_assert_eq!(settings.run.environment, answers.environment);
        prop_assert_eq!(&settings.answers, &answers.answers);
        prop_assert_eq!(&settings.statements, &answers.statements);
        prop_assert_eq!(&settings.not_applicable, &answers.not_applicable);
    }

    /// Any edit of a good file is read or refused, never a panic.
    #[test]
    fn broken_files_never_panic(at in 0usize..200, garbage in ".{0,8}", cut in any::<bool>()) {
        let at = at.min(GOOD.len());
        let rest = if cut { "" } else { &GOOD[at..] };
        let _ = parse(&format!("{}{garbage}{rest}", &GOOD[..at]));
    }
}

/// Every example that is commented out would be accepted.
#[test]
fn the_examples_in_a_new_file_are_valid() {
    let mut answers = InitAnswers {
        programmes: vec!["ncts5-final".to_owned()],
        flows: vec![Flow::StandardDeparture],
        procedures: vec![Procedure::Normal, Procedure::Simplified],
        combination: Some(Combination::A),
        side: Side::Gb,
        software_name: "D".to_owned(),
        software_version: "1".to_owned(),
        business: Business::default(),
        sandbox_application: Application::default(),
        production_application: Application::default(),
        message_sender: None,
        environment: Environment::Simulator,
        answers: BTreeMap::new(),
        statements: BTreeMap::new(),
        not_applicable: BTreeMap::new(),
    };
    answers.flows.clear();
    let text: String = render(&answers)
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") || setting.starts_with('[') => {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let told = parse(&text).unwrap_err();
    // The one thing left out on purpose.
    assert!(
        told.contains("has a problem") && told.contains("`software.flows` names no flow"),
        "{told}"
    );
}

#[test]
fn credentials_held_are_read_and_are_no_secret() {
    let one = "[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"arrival\"]\n";
    let list =
        one.replace("[credentials]", "[[credentials]]").replace("2025-03-01", "\"2025-03-01\"");
    for text in [one, &list] {
        let settings = parse(&format!("{GOOD}{text}")).unwrap();
        let [held] = &settings.credentials[..] else { panic!("{text}") };
        assert_eq!(held.granted.to_string(), "2025-03-01");
        assert_eq!((held.api.as_str(), &held.flows[..]), ("2.1", &[Flow::Arrival][..]));
        assert_eq!(held.version, None);
    }
    assert!(parse(GOOD).unwrap().credentials.is_empty());
    // Nothing else of that name is let pass, and nothing of it repeated.
    for secret in [
        "[credentials]\ntoken = \"hunter2\"\n",
        "[[credentials]]\nclient-secret = \"hunter2\"\n",
        "[run]\ncredentials = \"hunter2\"\n",
        "[business.credentials]\nname = \"hunter2\"\n",
    ] {
        let told = with(secret);
        assert!(told.contains("looks like a secret") && !told.contains("hunter2"), "{told}");
    }
    let told = parse(&format!("credentials = \"hunter2\"\n{GOOD}")).unwrap_err();
    assert!(told.contains("looks like a secret") && !told.contains("hunter2"), "{told}");
    // A heading is no reason to hide where a text goes wrong.
    let told = with("[[credentials]]\ngranted = tomorrow\n");
    assert!(told.contains("granted = tomorrow"), "{told}");
}

#[test]
fn what_credentials_versions_and_changes_must_say() {
    let told = with(
        r#"
[[software.other-versions]]
version = "4.2"
flows = ["arrival"]
[[software.other-versions]]
version = "3.9"
flows = []
[[software.other-versions]]
version = "3.9"
flows = ["guarantee-balance"]
[[credentials]]
granted = 2025-03-01
api = "v2"
flows = ["arrival", "arrival"]
version = " "
[[documentation-change]]
on = 2026-06-01
what = ""
"#,
    );
    for problem in [
        "ctc-ready.toml:11:1: `software.other-versions.1.version` is `software.version` itself",
        "`software.other-versions.2.flows` names no flow",
        "`software.other-versions.3.version` is there twice",
        "`software.other-versions.3.flows` names `guarantee-balance`",
        "`credentials.1.api` must be a version of the CTC Traders API",
        "`credentials.1.flows` names `arrival` twice",
        "`credentials.1.version` is empty",
        "`documentation-change.1.what` is empty",
    ] {
        assert!(told.contains(problem), "`{problem}` is not said:\n{told}");
    }
    for (text, problem) in [
        ("[[credentials]]\napi = \"2.1\"\nflows = [\"arrival\"]\n", "missing field `granted`"),
        ("[credentials]\ngranted = 2025-02-29\n", "ctc-ready.toml:10:"),
        ("[[documentation-change]]\non = 1999-12-31\nwhat = \"x\"\n", "between 2000-01-01 and"),
        ("[credentials]\ncolour = 1\n", "unknown field `colour`"),
    ] {
        assert!(with(text).contains(problem), "{problem}: {}", with(text));
    }
}
