//! Signing in, and runs with what it brought: from nothing to a token, and every
//! way in which a token is not, or no longer, good. The simulator is the judge.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::contract::assert_valid;
use crate::support::{
    CLIENT, CLIENT_SECRET, Guard, NO_PROFILES, Outcome, Project, Simulate, outcome, process, raw,
    set, tree,
};

/// The pace of these runs, which have no deadline: 45 minutes in under two
/// seconds.
const PACE: &str = "1500";

const SECRET: &str = "CTC_READY_CLIENT_SECRET";
const TOKEN: &str = "CTC_READY_TOKEN";
const PROFILES: &str = "CTC_READY_PROFILES";

/// A port at which nobody listens, below those that the system gives to whoever
/// connects: nobody takes it in the moment until it is listened to.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 1_000) as u16 * 10;
    let ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.take(1_000).find(free).unwrap()
}

/// A project of a house with an application, a folder for its profiles, and a
/// server.
struct House {
    project: Project,
    profiles: TempDir,
    simulator: Simulate,
    port: u16,
}

impl House {
    fn new() -> Self {
        Self::with(Simulate::start(PACE))
    }

    fn with(simulator: Simulate) -> Self {
        let project = Project::new();
        let port = free_port();
        let text = set(&project.settings(), "client-id", &format!("\"{CLIENT}\""));
        let redirect = format!("\"http://localhost:{port}/callback\"");
        project.write_settings(&set(&text, "redirect", &redirect));
        Self { project, profiles: tempfile::tempdir().unwrap(), simulator, port }
    }

    /// The server, as flags name it.
    fn server(&self) -> [&str; 4] {
        ["--environment", "simulator", "--base-url", &self.simulator.base_url]
    }

    fn command(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = self.project.command(&[args, &self.server()].concat());
        command.env(PROFILES, self.profiles.path()).env(SECRET, CLIENT_SECRET);
        command
    }

    fn call(&self, args: &[&str]) -> Outcome {
        outcome(&mut self.command(args))
    }

    fn run(&self) -> Vec<&str> {
        vec!["run", "P6-DSGB-01", "--time-scale", PACE, "--wait", "--format", "json"]
    }

    /// Begins to sign in; the address to open.
    fn begin(&self, args: &[&str]) -> (Login, String) {
        self.begin_with(CLIENT_SECRET, args)
    }

    /// The same with this secret.
    fn begin_with(&self, secret: &str, args: &[&str]) -> (Login, String) {
        let args = [&["auth", "login", "--no-browser"], args, &self.server()].concat();
        let mut child = process(&args)
            .current_dir(self.project.path())
            .env(PROFILES, self.profiles.path())
            .env(SECRET, secret)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("waiting for the browser") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
        }
        let address = said.lines().find(|line| line.starts_with("http://")).unwrap().to_owned();
        (Login { guard: Guard(child), stderr, said }, address)
    }

    /// Opens the address as a browser does; where it is sent back to.
    fn open(&self, address: &str) -> String {
        let path = address.strip_prefix(&self.simulator.base_url).unwrap();
        let host = self.simulator.base_url.strip_prefix("http://").unwrap();
        let answer = raw(host, &format!("GET {path} HTTP/1.0\r\n\r\n"));
        let location = answer.lines().find_map(|line| {
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location"))
        });
        location.unwrap_or_else(|| panic!("{answer}")).1.to_owned()
    }

    /// Goes back to the program; the page it shows.
    fn back(&self, location: &str) -> String {
        let here = format!("localhost:{}", self.port);
        let path = location.strip_prefix(&format!("http://{here}")).unwrap();
        raw(&here, &format!("GET {path} HTTP/1.1\r\nHost: {here}\r\n\r\n"))
    }

    #[track_caller]
    fn login(&self, args: &[&str]) -> Outcome {
        let (login, address) = self.begin(args);
        let page = self.back(&self.open(&address));
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("close this page"), "{page}");
        login.end().code(0)
    }

    /// The file of the one profile that is signed in.
    fn file(&self) -> PathBuf {
        let mut files: Vec<_> = tree(self.profiles.path()).into_iter().map(|it| it.0).collect();
        files.retain(|path| {
            let name = path.to_str().unwrap();
            name.ends_with(".json") && !name.ends_with(".test-user.json")
        });
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    fn kept(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap()
    }

    /// Changes what is kept, as time or a mishap would.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut kept = self.kept();
        change(&mut kept);
        std::fs::write(self.file(), kept.to_string()).unwrap();
    }

    /// Has the access token end.
    fn expire(&self) {
        self.change(|kept| {
            for name in ["replace_at", "ends_at"] {
                kept[name] = "2026-01-01T00:00:00Z".into();
            }
        });
    }

    fn secrets(&self) -> Vec<String> {
        let kept = self.kept();
        let secret = |name: &str| kept["secrets"][name].as_str().unwrap().to_owned();
        vec![secret("access_token"), secret("refresh_token"), CLIENT_SECRET.into()]
    }

    /// No output and no file of the project has any of these.
    #[track_caller]
    fn assert_nowhere(&self, secrets: &[String], outcomes: &[&Outcome]) {
        let said = outcomes.iter().map(|it| format!("{}{}", it.stdout, it.stderr));
        let said: String = said.collect();
        for secret in secrets {
            assert!(secret.len() > 8);
            assert!(!said.contains(secret), "{said}");
            for (path, bytes) in tree(self.project.path()) {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "a secret is in {}", path.display());
            }
        }
    }

    #[track_caller]
    fn assert_runs(&self) -> Outcome {
        let outcome = self.call(&self.run()).code(0);
        assert_eq!(outcome.json()["runs"][0]["state"], "passed", "{outcome:?}");
        outcome
    }
}

/// A sign-in under way.
struct Login {
    guard: Guard,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Login {
    fn end(self) -> Outcome {
        let Self { mut guard, mut stderr, mut said } = self;
        stderr.read_to_string(&mut said).unwrap();
        ended(&mut guard.0, said)
    }
}

fn ended(child: &mut Child, stderr: String) -> Outcome {
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    Outcome { code: child.wait().unwrap().code().unwrap_or(-1), stdout, stderr }
}

#[test]
fn from_nothing_to_a_token_a_run_and_out_again() {
    let house = House::new();
    let nobody = house.call(&["auth", "status", "--format", "json"]).code(1);
    assert_eq!(nobody.json()["signed_in"], false);

    let login = house.login(&["--format", "json"]);
    let status = house.call(&["auth", "status", "--format", "json"]).code(0);
    for json in [login.json(), status.json(), nobody.json()] {
        assert_valid("auth", &json);
    }
    let json = status.json();
    assert_eq!(json["signed_in"], true);
    assert_eq!(
        (json["profile"].as_str(), json["profiles"][0].as_str()),
        (Some("default"), Some("default"))
    );
    assert_eq!(json["sign_in"]["client_id"], CLIENT);
    assert_eq!(json["sign_in"]["scopes"][0], "common-transit-convention-traders");
    assert_eq!(
        (json["sign_in"]["kept_in"].as_str(), json["sign_in"]["ends_soon"].as_bool()),
        (Some("file"), Some(false))
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&house.file()), mode(house.file().parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(house.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
        house.call(&house.run()).code(3).says(&["can be read by others", "chmod 600"]);
        std::fs::set_permissions(house.file(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let shown = house.call(&["auth", "status"]).code(0);
    assert!(shown.stdout.contains("signed in as default"), "{shown:?}");

    let run = house.assert_runs();
    house.project.call(&["verify"]).code(0);
    let secrets = house.secrets();
    house.assert_nowhere(&secrets, &[&login, &status, &shown, &run]);

    // Nothing with a token of a profile is handed over.
    let settings = house.project.settings();
    let slip = settings.replace("Invented Software Ltd", &secrets[1]);
    assert_ne!(slip, settings);
    house.project.write_settings(&slip);
    let mut pack = house.project.command(&["pack", "--rehearsal", "--output", "x.zip"]);
    let held_back = outcome(pack.env(PROFILES, house.profiles.path())).code(3);
    let held_back = held_back.says(&["the refresh token of profile `default`"]);
    assert!(!held_back.stderr.contains(&secrets[1]), "{held_back:?}");
    house.project.write_settings(&settings);

    // A token of the environment goes first.
    let mut other = house.command(&["auth", "status", "--format", "json"]);
    assert_eq!(outcome(other.env(TOKEN, "another")).code(0).json()["overridden"], true);
    let mut both = house.command(&[&house.run()[..], &["--profile", "default"]].concat());
    outcome(both.env(TOKEN, "another")).code(2).says(&["both say whose token to use"]);

    let out = house.call(&["auth", "logout"]).code(0);
    assert!(out.stdout.contains("consent itself lasts"), "{out:?}");
    house.call(&["auth", "status"]).code(1);
    house.call(&["auth", "logout"]).code(0);
    let unknown = [&house.run()[..], &["--profile", "default"]].concat();
    house.call(&unknown).code(4).says(&["nobody is signed in as `default`", "auth login"]);
}

#[test]
fn traders_are_told_apart_by_profile() {
    let house = House::new();
    house.login(&["--profile", "importer"]);
    house.login(&[]);
    house.project.write_settings(&set(&house.project.settings(), "profile", "\"importer\""));
    let json = house.call(&["auth", "status", "--format", "json"]).code(0).json();
    assert_eq!(json["profile"], "importer");
    assert_eq!(json["profiles"], serde_json::json!(["default", "importer"]));
    house.call(&["auth", "logout", "--profile", "default"]).code(0);
    house.assert_runs();
    house.call(&["auth", "status", "--profile", "../up"]).code(2).says(&["a profile's name"]);
}

/// What the browser comes back with is looked at before anything is believed.
#[test]
fn a_sign_in_that_goes_wrong_says_why_and_keeps_nothing() {
    let house = House::new();
    type Wrong = fn(&House, &str) -> String;
    let cases: [(Wrong, &str); 5] = [
        (
            |house, _| format!("http://localhost:{}/callback?code=c0de-c0de", house.port),
            "without `state`",
        ),
        (
            |house, _| {
                format!("http://localhost:{}/callback?code=c0de-c0de&state=other", house.port)
            },
            "`state` of another sign-in",
        ),
        (
            |house, address| house.open(&format!("{address}&consent=refused")),
            "refused: access_denied: user denied",
        ),
        (|house, address| house.open(address).replace("code=", "other="), "without a code"),
        (|house, address| house.open(address).replace("code=", "code=c0de-"), "invalid_grant"),
    ];
    for (wrong, expected) in cases {
        let (login, address) = house.begin(&[]);
        let nothing =
            raw(&format!("127.0.0.1:{}", house.port), "GET /favicon.ico HTTP/1.1\r\n\r\n");
        assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
        let location = wrong(&house, &address);
        let page = house.back(&location);
        let (_, code) = location.split_once("code=").unwrap_or(("", "c0de-c0de"));
        assert!(!page.contains(code.split('&').next().unwrap()), "{page}");
        let outcome = login.end().code(4).says(&[expected]);
        assert!(!outcome.stderr.contains("c0de-"), "{outcome:?}");
    }
    assert_eq!(
        tree(house.profiles.path())
            .iter()
            .filter(|(path, _)| path.extension().unwrap() == "json")
            .count(),
        0
    );
}

#[test]
fn what_signing_in_needs_is_said_before_the_browser_opens() {
    let house = House::new();
    let login = ["auth", "login", "--no-browser"];
    outcome(house.command(&login).env_remove(SECRET)).code(4).says(&[SECRET, "is not set"]);
    let taken = TcpListener::bind(("127.0.0.1", house.port)).unwrap();
    house.call(&login).code(4).says(&["nothing can listen", "`auth.redirect`"]);
    drop(taken);
    house
        .project
        .call(&["auth", "login", "--environment", "simulator"])
        .code(2)
        .says(&["is for a server"]);
    let mut inside = house.command(&login);
    outcome(inside.env(PROFILES, house.project.path().join("p")))
        .code(3)
        .says(&["would get the tokens"]);
    let text = house.project.settings();
    house.project.write_settings(&text.replace("client-id = \"simulator-client\"", ""));
    house.call(&login).code(3).says(&["`[auth] client-id` is missing"]);
    house.project.write_settings(&text.replace("http://localhost:", "https://localhost:"));
    house.call(&login).code(3).says(&["`auth.redirect` must be an address of this machine"]);
    assert!(!PathBuf::from(NO_PROFILES).exists());
}

#[test]
fn a_wrong_secret_is_told_when_signing_in_and_when_renewing() {
    let house = House::new();
    let (login, address) = house.begin_with("wrong-s3cr3t", &[]);
    house.back(&house.open(&address));
    let wrong = login.end().code(4).says(&["invalid_client", SECRET]);
    assert!(!wrong.stderr.contains("s3cr3t"), "{wrong:?}");

    house.login(&[]);
    house.expire();
    let mut run = house.command(&house.run());
    let wrong = outcome(run.env(SECRET, "wrong-s3cr3t")).code(4);
    let wrong = wrong.says(&["invalid_client", SECRET, "goes on where it stopped"]);
    assert!(!wrong.stderr.contains("s3cr3t"), "{wrong:?}");
    let mut run = house.command(&house.run());
    outcome(run.env_remove(SECRET)).code(4).says(&["cannot be renewed", SECRET]);
    // Nothing is lost.
    house.assert_runs();
}

#[test]
fn a_token_that_ended_is_renewed_and_one_by_a_wrong_clock_too() {
    let house = House::new();
    house.login(&[]);
    let before = house.secrets();
    house.expire();
    house.assert_runs();
    let after = house.secrets();
    assert_ne!((&before[0], &before[1]), (&after[0], &after[1]));
    // By our clock, which was an hour behind, it is good; by HMRC's it has ended.
    house.change(|kept| kept["secrets"]["access_token"] = "simulator-token-that-ended".into());
    house.call(&["run", "P6-DSGB-01", "--again", "--time-scale", PACE, "--wait"]).code(0);
    let last = house.secrets();
    assert_ne!(last[0], after[0]);
    for secrets in [before, after, last] {
        house.assert_nowhere(&secrets, &[]);
    }
}

/// Tokens end in the middle: each is replaced, what was refused is made again,
/// and every attempt is in the evidence.
#[test]
fn a_token_that_ends_in_the_middle_of_a_run_is_renewed_there() {
    let faults = tempfile::tempdir().unwrap();
    let file = faults.path().join("faults.toml");
    let text = "[[fault]]\ndo = \"expired-token\"\npath = \"/customs/**\"\nmethod = \"POST\"\nnth = 1\n\
                [[fault]]\ndo = \"expired-token\"\npath = \"/customs/**\"\nmethod = \"GET\"\nevery = 3\ntimes = 3\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let house = House::with(Simulate::with(PACE, &["--faults", file]));
    house.login(&[]);
    let before = house.secrets();
    let run = house.assert_runs();
    // The POST, and at least one GET.
    assert!(house.simulator.get("/simulator/log")["faults"].as_array().unwrap().len() >= 2);
    let journal =
        std::fs::read_to_string(house.project.journal(&run.json()["runs"][0]["run"])).unwrap();
    let refused = journal.lines().filter(|line| line.contains("\"status\":401")).count();
    assert!(refused >= 2, "{journal}");
    let after = house.secrets();
    assert_ne!(before[0], after[0]);
    house.assert_nowhere(&before, &[&run]);
    house.assert_nowhere(&after, &[&run]);
    house.project.call(&["verify"]).code(0);
    house.call(&["auth", "status"]).code(0);
}

#[test]
fn a_consent_that_was_withdrawn_ends_the_run_and_says_to_sign_in_again() {
    let house = House::new();
    house.login(&[]);
    house.expire();
    let kept = std::fs::read(house.file()).unwrap();
    house.change(|kept| kept["secrets"]["refresh_token"] = "withdrawn-by-the-trader".into());
    let over = house.call(&house.run()).code(4);
    let over = over.says(&["sign-in of profile `default` is over", "invalid_grant", "auth login"]);
    assert!(!over.stderr.contains("withdrawn-by-the-trader"), "{over:?}");
    assert_eq!(house.simulator.submissions(), 0);
    // The run goes on with the next sign-in.
    std::fs::write(house.file(), kept).unwrap();
    house.assert_runs();
    assert_eq!(house.project.runs(), 1);

    house.change(|kept| kept["grant_ends_at"] = "2026-01-01T00:00:00Z".into());
    let old = house.call(&["auth", "status"]).code(1);
    assert!(old.stdout.contains("too long ago"), "{old:?}");
    let soon = chrono::Utc::now() + chrono::TimeDelta::days(59);
    house.change(|kept| kept["grant_ends_at"] = soon.to_rfc3339().into());
    let soon = house.call(&["auth", "status"]).code(0);
    assert!(soon.stdout.contains("warning") && soon.stdout.contains("again before"), "{soon:?}");
}

#[test]
fn a_scope_that_is_missing_is_told_before_and_by_the_server() {
    let house = House::new();
    let settings = house.project.settings();
    // A sign-in for another programme.
    let only = "programmes = [\"guarantee-balance\"]";
    let ours = settings.lines().find(|line| line.starts_with("programmes = ")).unwrap();
    house.project.write_settings(&settings.replace(ours, only));
    house.login(&[]);
    house.project.write_settings(&settings);
    let lacks = house.call(&house.run()).code(4);
    lacks.says(&["does not cover `common-transit-convention-traders`", "auth login"]);
    house.change(|kept| kept["scopes"] = serde_json::json!(["common-transit-convention-traders"]));
    let wrong = house.call(&house.run()).code(4);
    wrong.says(&["INVALID_SCOPE", "auth login", "goes on where it stopped"]);
}

#[test]
fn an_application_that_is_not_subscribed_is_told_what_to_do() {
    let house = House::new();
    let mut run = house.command(&house.run());
    let told = outcome(run.env(TOKEN, "not-subscribed")).code(4);
    let told = told.says(&["RESOURCE_FORBIDDEN", "must be subscribed"]);
    assert!(!told.stderr.contains("enrolment"), "{told:?}");
}

#[test]
fn a_clock_an_hour_off_is_told_when_signing_in() {
    let faults = tempfile::tempdir().unwrap();
    let file = faults.path().join("faults.toml");
    std::fs::write(&file, "[[fault]]\ndo = \"clock-skew\"\nseconds = -3600\n").unwrap();
    let args = ["--faults", file.to_str().unwrap()];
    let house = House::with(Simulate::with(PACE, &args));
    house.login(&[]).says(&["clock is 60 minutes ahead of HMRC's"]);
    house.assert_runs();
}

/// Two processes whose token ended at the same time: one renews it, the other
/// waits and takes what it brought. A second request would end the sign-in.
#[test]
fn two_processes_that_renew_at_once_do_it_once() {
    let house = House::new();
    house.login(&[]);
    house.expire();
    let other = Project::new();
    other.write_settings(&house.project.settings());
    let args = [&house.run()[..], &house.server()].concat();
    let start = |project: &Project| {
        let mut command = process(&args);
        command.current_dir(project.path()).env(PROFILES, house.profiles.path());
        command.env(SECRET, CLIENT_SECRET).stdout(Stdio::piped()).stderr(Stdio::piped());
        Guard(command.spawn().unwrap())
    };
    let mut both = [start(&house.project), start(&other)];
    for guard in &mut both {
        let mut said = String::new();
        guard.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let ended = ended(&mut guard.0, said).code(0);
        assert_eq!(ended.json()["runs"][0]["state"], "passed", "{ended:?}");
    }
    house.call(&["run", "P6-DSGB-01", "--again", "--time-scale", PACE, "--wait"]).code(0);
}

#[test]
fn a_test_user_is_made_kept_and_can_sign_in() {
    let house = House::new();
    house.call(&["test-user", "show"]).code(3).says(&["has no test user"]);
    let made = house.call(&["test-user", "create", "--format", "json"]).code(0);
    let json = made.json();
    assert_valid("test-user", &json);
    assert_eq!(json["kind"], "organisation");
    assert!(json["eori"].as_str().unwrap().starts_with("GB"), "{json}");
    let shown = house.call(&["test-user", "show"]).code(0);
    assert!(shown.stdout.contains(json["user_id"].as_str().unwrap()), "{shown:?}");
    house.call(&["test-user", "show", "--show-password"]).code(2).says(&["at a terminal"]);

    let (_, bytes) = tree(house.profiles.path())
        .into_iter()
        .find(|(path, _)| path.to_str().unwrap().ends_with(".test-user.json"))
        .unwrap();
    let kept: Value = serde_json::from_slice(&bytes).unwrap();
    let password = kept["password"].as_str().unwrap().to_owned();
    house.assert_nowhere(&[password], &[&made, &shown]);

    house.login(&[]);
    let run = house.assert_runs();
    let journal =
        std::fs::read_to_string(house.project.journal(&run.json()["runs"][0]["run"])).unwrap();
    assert!(!journal.is_empty());
    let individual =
        house.call(&["test-user", "create", "--individual", "--format", "json"]).code(0);
    assert_eq!(individual.json()["kind"], "individual");
    assert_ne!(individual.json()["user_id"], json["user_id"]);
    let mut wrong = house.command(&["test-user", "create"]);
    outcome(wrong.env(SECRET, "wrong-s3cr3t")).code(4).says(&["invalid_client", SECRET]);
}

/// Six processes at once on one project: together they keep HMRC's pace, so that
/// the simulator, which counts, refuses none of them (HTTP 429).
#[test]
fn all_processes_of_a_project_share_one_request_budget() {
    let house = House::with(Simulate::start("1"));
    let names: Vec<String> = (0..6).map(|nth| format!("trader-{nth}")).collect();
    let mut all: Vec<Guard> = names
        .iter()
        .map(|name| {
            let args = ["test-user", "create", "--profile", name];
            let mut command = process(&[&args[..], &house.server()].concat());
            command.current_dir(house.project.path()).env(PROFILES, house.profiles.path());
            command.env(SECRET, CLIENT_SECRET).stdout(Stdio::piped()).stderr(Stdio::piped());
            Guard(command.spawn().unwrap())
        })
        .collect();
    for guard in &mut all {
        let mut said = String::new();
        guard.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let ended = ended(&mut guard.0, said);
        assert!(ended.code == 0 && !ended.stderr.contains("429"), "{ended:?}");
    }
}
