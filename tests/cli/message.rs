//! `message build` and `message validate`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::contract::assert_valid;
use crate::reading::snapshot;
use crate::reference;
use crate::schema_of::schema_of;
use crate::support::{Outcome, Project, command, outcome, set, tree};

const AT: [&str; 2] = ["--at", "2026-11-23T09:00:00Z"];

/// A folder with a message and a schema of its like in `xsd`.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        let xml = bench.call(&["message", "build", "ASGB1", "--step", "3"]).code(0).stdout;
        fs::create_dir(bench.path("xsd")).unwrap();
        fs::write(bench.path("xsd/cc044c.xsd"), schema_of(&xml)).unwrap();
        fs::write(bench.path("good.xml"), xml).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn call(&self, args: &[&str]) -> Outcome {
        let args = [args, &AT].concat();
        outcome(command(&args).current_dir(self.dir.path()))
    }

    /// Validates what is in a file.
    fn judged(&self, bytes: impl AsRef<[u8]>, code: i32) -> Outcome {
        fs::write(self.path("m.xml"), bytes).unwrap();
        self.call(&["message", "validate", "m.xml", "--xsd", "xsd"]).code(code)
    }

    fn good(&self) -> String {
        fs::read_to_string(self.path("good.xml")).unwrap()
    }
}

#[test]
fn standard_output_is_the_message_and_nothing_else() {
    let bench = Bench::new();
    let build = ["message", "build", "asgb1", "--step", "3"];
    let first = bench.call(&build).code(0);
    assert_eq!(first.stdout, bench.good(), "it is not the same twice");
    let root = roxmltree::Document::parse(&first.stdout).unwrap();
    assert_eq!(root.root_element().tag_name().name(), "CC044C");
    assert!(first.stdout.contains("<preparationDateAndTime>2026-11-23T09:00:00<"));
    snapshot("message-build", &first.stderr);

    let own = [&build[..], &["--mrn", "26GB000246ABC123J8", "--programme", "ncts5-transition"]];
    let own = bench.call(&own.concat()).code(0);
    assert!(own.stdout.contains("<MRN>26GB000246ABC123J8</MRN>"), "{own:?}");
    assert!(own.stderr.contains("ncts5-transition") && !own.stderr.contains("--mrn"), "{own:?}");
    let lrn = ["message", "build", "DSGB1", "--lrn", "MY LRN/1"];
    assert!(bench.call(&lrn).code(0).stdout.contains("<LRN>MY LRN/1</LRN>"));

    let json = bench.call(&[&build[..], &["--format", "json", "--xsd", "xsd"]].concat()).code(0);
    assert_eq!(json.stderr, "");
    let json = json.json();
    assert_valid("message-build", &json);
    assert_eq!(json["xml"], bench.good());
    assert_eq!((&json["step"], &json["message"]), (&3.into(), &"IE044".into()));
    assert_eq!(json["programme"], "ncts5-final");
    assert_eq!((&json["mutation"], &json["output"]), (&Value::Null, &Value::Null));
    assert_eq!(json["check"]["valid"], true);
    assert!(json["origin"].as_str().unwrap().contains("IE044.xml"), "{json:#}");
}

#[test]
fn letters_of_any_alphabet_reach_standard_output_unharmed() {
    let project = Project::new();
    let xml = project.call(&["message", "build", "DSGB1"]).code(0).stdout;
    // Bytes that a filter of control characters could take for its own.
    let xml = xml.replace("Plastic toys", "ěščř žluť 株式会社 \u{85} é");
    fs::create_dir_all(project.file("own/DSGB1")).unwrap();
    fs::write(project.file("own/DSGB1/1-IE015.xml"), &xml).unwrap();
    project.write_settings(&set(&project.settings(), "folder", "\"own\""));
    for color in ["never", "always"] {
        let built = project.call(&["message", "build", "DSGB1", "--color", color]).code(0);
        assert!(built.stdout.contains("ěščř žluť 株式会社 \u{85} é"), "{built:?}");
        assert!(built.stderr.contains("1-IE015.xml"), "{built:?}");
    }
}

#[test]
fn a_message_goes_into_a_file_and_an_earlier_one_is_kept() {
    let bench = Bench::new();
    let build = |more: &[&str]| {
        let args = ["message", "build", "DSGB1", "--output", "m.xml"];
        bench.call(&[&args[..], more].concat())
    };
    let wrote = build(&[]).code(0);
    assert_eq!(wrote.stdout, "wrote m.xml\n");
    let first = fs::read(bench.path("m.xml")).unwrap();
    assert_eq!(build(&[]).code(0).stdout, "wrote m.xml\n");
    let again = build(&["--lrn", "OTHER"]).code(0).stdout;
    assert!(again.contains("the earlier one is now m.previous-1.xml"), "{again}");
    assert!(fs::read(bench.path("m.previous-1.xml")).unwrap() == first);
    let json = build(&["--format", "json"]).code(0).json();
    assert_eq!(json["output"], "m.xml");

    fs::write(bench.path("mine.xml"), "<notes/>").unwrap();
    fs::create_dir(bench.path("folder")).unwrap();
    let before = tree(bench.dir.path());
    for taken in ["mine.xml", "folder", ".", "no/such/m.xml"] {
        let args = ["message", "build", "DSGB1", "--output", taken];
        bench.call(&args).code(3).says(&[taken]);
    }
    assert!(tree(bench.dir.path()) == before);
}

#[test]
fn what_cannot_be_built_is_said_with_what_can() {
    let bench = Bench::new();
    let long = "x".repeat(100_000);
    for (args, parts) in [
        (&["ASGB1"][..], &["several messages", "1 (IE015), 2 (IE007), 3 (IE044)"][..]),
        (&["ASGB1", "--step", "0"], &["no step 0", "it has 3"]),
        (&["ASGB1", "--step", "4"], &["no step 4", "3 (IE044)"]),
        (&["DNGB1", "--step", "2"], &["sends no message", "1 (IE015)"]),
        (&["NOSUCH1"], &["NOSUCH1", "scenario list"]),
        (&["DSGB1", "--programme", "ncts6"], &["DSGB1"]),
        (&["DSGB1", "--programme", "ncts7"], &["ncts7"]),
        (&["DSGB1", "--lrn", ""], &["--lrn", "1 to 22"]),
        (&["DSGB1", "--lrn", " A"], &["--lrn"]),
        (&["DSGB1", "--lrn", &long], &["--lrn"]),
        (&["DSGB1", "--mrn", "26GB"], &["--mrn", "18 characters"]),
        (&["DSGB1", "--at", "then"], &["--at"]),
    ] {
        let args = [&["message", "build"][..], args].concat();
        let refused = outcome(command(&args).current_dir(bench.dir.path())).code(2).says(parts);
        assert_eq!(refused.stdout, "");
    }
    let xsd = ["message", "build", "DSGB1", "--xsd", "nowhere"];
    assert_eq!(bench.call(&xsd).code(3).says(&["nowhere"]).stdout, "");
}

#[test]
fn a_built_message_that_is_not_valid_is_shown_and_said_to_be_so() {
    let bench = Bench::new();
    let schema = fs::read_to_string(bench.path("xsd/cc044c.xsd")).unwrap();
    fs::write(bench.path("xsd/cc044c.xsd"), schema.replace("unloadingDate", "unloadingDay"))
        .unwrap();
    let args = ["message", "build", "ASGB1", "--step", "3", "--xsd", "xsd"];
    let built = bench.call(&args).code(1).says(&["not valid", "`run` would not send it"]);
    assert_eq!(built.stdout, bench.good());
    let json = bench.call(&[&args[..], &["--format", "json"]].concat()).code(1).json();
    assert_eq!(
        (&json["check"]["valid"], &json["check"]["on_purpose"]),
        (&false.into(), &false.into())
    );
    assert!(!json["check"]["violations"].as_array().unwrap().is_empty());
}

#[test]
fn messages_are_judged_with_file_line_and_path() {
    let bench = Bench::new();
    let bad = bench.good().replace("<stateOfSeals>1</stateOfSeals>", "<seals>1</seals>");
    fs::write(bench.path("bad.xml"), bad).unwrap();
    let validate = ["message", "validate", "--xsd", "xsd", "good.xml", "bad.xml"];
    let told = bench.call(&validate).code(1);
    assert_eq!(told.stderr, "");
    snapshot("message-validate", &told.stdout);
    let json = bench.call(&[&validate[..], &["--format", "json"]].concat()).code(1).json();
    assert_valid("message-validate", &json);
    let [good, bad] = [&json["files"][0], &json["files"][1]];
    assert_eq!((&good["valid"], &good["violations"]), (&true.into(), &Value::Array(vec![])));
    assert_eq!((&bad["valid"], &bad["error"]), (&false.into(), &Value::Null));
    let violation = &bad["violations"][0];
    assert_eq!(violation["line"], 20);
    assert!(violation["path"].as_str().unwrap().starts_with("/CC044C/UnloadingRemark/"));
    for field in ["column", "kind", "message"] {
        assert!(!violation[field].is_null(), "{violation:#}");
    }
    let one = bench.call(&["message", "validate", "good.xml", "--xsd", "xsd"]).code(0).stdout;
    assert_eq!(one, "good.xml: valid (IE044)\n");

    let piped = |stdin: String| {
        let args = ["message", "validate", "-", "--xsd", "xsd"];
        outcome(command(&args).current_dir(bench.dir.path()).write_stdin(stdin))
    };
    assert_eq!(piped(bench.good()).code(0).stdout, "-: valid (IE044)\n");
    assert!(piped(" ".repeat(8_000_001)).code(3).stdout.contains("larger than"));
    bench.call(&["message", "validate", "-", "-", "--xsd", "xsd"]).code(2).says(&["only once"]);
}

#[test]
fn hostile_files_are_refused_by_name_and_quickly() {
    let bench = Bench::new();
    let good = bench.good();
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let bomb = format!("<!DOCTYPE x [<!ENTITY a '{}'><!ENTITY b '&a;&a;'>]>{good}", "x".repeat(99));
    let external = format!("<!DOCTYPE x SYSTEM 'file:///etc/passwd'>{good}");
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = [b"<?xml version='1.0' encoding='ISO-8859-1'?>", good.as_bytes()].concat();
    let odd = [good.as_bytes(), b"\xff"].concat();
    let cut = &good.as_bytes()[..good.len() / 2];
    let huge = vec![b' '; 8_000_001];
    for (bytes, part) in [
        (&b""[..], "not judged"),
        (deep.as_bytes(), "more than"),
        (bomb.as_bytes(), "DTD"),
        (external.as_bytes(), "DTD"),
        (&utf16, "UTF-8"),
        (&latin, "ISO-8859-1"),
        (&odd, "UTF-8"),
        (cut, "not well-formed"),
        (&huge, "larger than the 8000000 bytes"),
    ] {
        let told = bench.judged(bytes, 3);
        assert!(told.stdout.starts_with("m.xml: not judged: "), "{told:?}");
        // Lines fold: compare without their breaks.
        let text = told.stdout.replace('\n', " ");
        assert!(text.contains(part), "`{part}`: {text:.300}");
        assert!(told.stdout.len() < 1_000);
    }
    // Well-formed, and no message of ours.
    let other = bench.judged("<x:\u{1b}[2J/>", 3).stdout;
    assert!(!other.contains('\u{1b}'), "{other:?}");
    bench.judged("<invoice/>", 1);
    for (name, part) in [("nowhere.xml", "nowhere.xml"), ("xsd", "not a regular file")] {
        let args = ["message", "validate", name, "good.xml", "--xsd", "xsd"];
        let told = bench.call(&args).code(3).stdout;
        assert!(told.contains(part) && told.contains("good.xml: valid"), "{told}");
    }
}

#[test]
fn schemas_that_cannot_be_used_are_named() {
    let bench = Bench::new();
    let validate = |xsd: &str| bench.call(&["message", "validate", "good.xml", "--xsd", xsd]);
    let none = bench.call(&["message", "validate", "good.xml"]).code(2);
    none.says(&["--xsd DIR", "[payloads] xsd"]);
    validate("nowhere").code(3).says(&["nowhere"]);
    validate("good.xml").code(3).says(&["good.xml"]);
    fs::create_dir(bench.path("empty")).unwrap();
    validate("empty").code(3).says(&["empty", "no schemas"]);
    fs::create_dir(bench.path("broken")).unwrap();
    for (text, part) in [("<xs:schema", "cc044c.xsd:1"), ("<a/>", "cc044c.xsd:1:1")] {
        fs::write(bench.path("broken/cc044c.xsd"), text).unwrap();
        let broken = validate("broken").code(3).says(&["broken", part]);
        assert_eq!(broken.stdout, "");
    }
    let api = ["message", "validate", "good.xml", "--xsd", "xsd", "--api", "9.9"];
    bench.call(&api).code(2).says(&["9.9", "2.1"]);
    #[cfg(unix)]
    {
        fs::create_dir(bench.path("links")).unwrap();
        let target = bench.path("xsd/cc044c.xsd");
        std::os::unix::fs::symlink(target, bench.path("links/cc044c.xsd")).unwrap();
        validate("links").code(3).says(&["symbolic link"]);
    }
}

#[test]
fn the_phase_of_a_message_says_which_version_judges_it() {
    let bench = Bench::new();
    let version = |path: &Path, args: &[&str], code: i32| {
        let args = [&["message", "validate", "m.xml", "--format", "json"], args].concat();
        let mut command = command(&args);
        outcome(command.current_dir(path)).code(code).json()["files"][0].clone()
    };
    for name in ["2.0", "2.1", "3.0"] {
        fs::create_dir_all(bench.path("all").join(name)).unwrap();
        let target = bench.path("all").join(name).join("cc044c.xsd");
        fs::copy(bench.path("xsd/cc044c.xsd"), target).unwrap();
    }
    let here = bench.dir.path();
    for (phase, api, expected) in [
        ("PhaseID=\"NCTS5.1\"", None, Some("2.1")),
        ("PhaseID=\"NCTS5.0\"", None, Some("2.1")),
        ("PhaseID=\" NCTS6 \"", None, Some("3.0")),
        ("PhaseID=\"NCTS6\"", Some("2.0"), Some("2.0")),
        ("", Some("2.0"), Some("2.0")),
        ("", None, None),
        ("PhaseID=\"NCTS9\"", None, None),
    ] {
        let xml = bench.good().replace("PhaseID=\"NCTS5.1\"", phase);
        fs::write(bench.path("m.xml"), xml).unwrap();
        let mut args = vec!["--xsd", "all"];
        args.extend(api.iter().flat_map(|api| ["--api", api]));
        let found = version(here, &args, if expected.is_some() { 0 } else { 3 });
        assert_eq!(found["version"].as_str(), expected, "{phase} {api:?}");
        if expected.is_none() {
            assert!(found["error"].as_str().unwrap().contains("--api"), "{found:#}");
        }
    }
    // A project's own programme and folder come first.
    let project = Project::new();
    let settings = set(&project.settings(), "xsd", &format!("{:?}", bench.path("all")));
    project.write_settings(&settings.replace("\"ncts5-final\"", "\"ncts5-transition\""));
    fs::write(project.file("m.xml"), bench.good()).unwrap();
    assert_eq!(version(project.path(), &[], 0)["version"], "2.0");
    // One version's files under its own name, or under none.
    fs::write(bench.path("m.xml"), bench.good()).unwrap();
    assert_eq!(version(here, &["--xsd", "all/3.0"], 0)["version"], "3.0");
    assert_eq!(version(here, &["--xsd", "xsd"], 0)["version"], Value::Null);
    assert_eq!(version(here, &["--xsd", "xsd", "--api", "3.0"], 0)["version"], "3.0");
    let other = ["message", "validate", "m.xml", "--xsd", "all/3.0", "--api", "2.1"];
    bench.call(&other).code(3).says(&["named for version 3.0"]);
}

/// With HMRC's own schemas, every version: what is built in is valid.
#[test]
fn built_messages_are_valid_against_hmrcs_schemas() {
    let Some(reference) = reference::folder() else { return };
    let xsd = reference.join("xsd");
    let xsd = xsd.to_str().unwrap();
    let bench = Bench::new();
    for (scenario, step, programme) in [
        ("PSGB1", "2", "ncts5-transition"),
        ("DNXI1", "1", "ncts5-final"),
        ("P6-DSGB-01", "1", "ncts6"),
    ] {
        let args = ["message", "build", scenario, "--step", step, "--programme", programme];
        let args = [&args[..], &["--xsd", xsd, "--output", "m.xml"]].concat();
        bench.call(&args).code(0).says(&["valid against HMRC's schemas (version "]);
        bench.call(&["message", "validate", "m.xml", "--xsd", xsd]).code(0);
    }
}
