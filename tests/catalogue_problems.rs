//! One validator finds everything that is wrong with catalogue files, at once
//! and with its place.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use ctc_ready::catalogue::Catalogue;

/// The embedded files, with one piece of text replaced by another.
fn broken(file: &str, from: &str, to: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Catalogue::embedded().collect();
    let text = &mut files.iter_mut().find(|(path, _)| path == file).unwrap().1;
    assert!(text.contains(from), "{from}");
    *text = text.replacen(from, to, 1);
    files
}

fn problems(files: Vec<(String, String)>) -> Vec<String> {
    Catalogue::load(files).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn every_problem_is_found_with_its_place() {
    let departures = "ncts5/standard-departures.toml";
    let common = "ncts5/common.toml";
    let six = "ncts6/programme.toml";
    let mut missed = Vec::new();
    for (file, from, to, expected) in [
        (
            departures,
            "title = ",
            "titel = ",
            "ncts5/standard-departures.toml:7:1: unknown field `titel`",
        ),
        (
            departures,
            "\"DSXI1\"",
            "\"DSGB1\"",
            ":19:6: `DSGB1` is there twice in programme `ncts5-final`",
        ),
        (departures, "side = \"GB\"", "side = \"XI\"", ":9:8: the id `DSGB1` tells GB"),
        (
            departures,
            "procedure = \"simplified\"",
            "procedure = \"normal\"",
            ":10:13: the id `DSGB1` tells simplified",
        ),
        (
            departures,
            "flow = \"standard-departure\"",
            "flow = \"arrival\"",
            ":8:8: the id `DSGB1` tells standard-departure",
        ),
        (
            departures,
            "\"ncts5-final\"",
            "\"ncts5-fianl\"",
            ":3:35: there is no programme `ncts5-fianl`",
        ),
        (
            departures,
            "send = \"IE015\"\ndata = [\"Simplified GB-XI\"]\n",
            "",
            "step 1 has no action: `send` or `officer`",
        ),
        (
            departures,
            "data = [\"Simplified GB-XI\"]",
            "data = [\"Simplified\"]",
            ":15:9: programme `ncts5-final` has no test data `Simplified` for IE015",
        ),
        (departures, "data = [\"Simplified GB-XI\"]\n", "", "IE015 needs `data`"),
        (
            departures,
            "message = \"IE928\"",
            "message = \"IE170\"",
            "IE170 is sent by the trader: it cannot be expected",
        ),
        (departures, "message = \"IE928\"", "message = \"IE999\"", "`IE999` is not a message type"),
        (
            departures,
            "send = \"IE015\"",
            "send = \"IE028\"",
            "IE028 comes from NCTS: it cannot be sent",
        ),
        (
            departures,
            "send = \"IE015\"",
            "send = \"IE170\"",
            "IE170 belongs to a movement, and none is open yet",
        ),
        (departures, "after_minutes = 45", "after_minutes = 0", "IE029 after no minutes"),
        (
            "ncts5/pre-lodged-departures.toml",
            "minutes-after-ie015 = 45",
            "minutes-after-ie015 = 0",
            "a deadline of no minutes",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"DNXI7\"]",
            "`DNXI7` is pending, which a mandatory requirement cannot wait for",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"DNXI99\"]",
            ":54:20: there is no scenario `DNXI99` in programme `ncts5-final`",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"DSXI1\"]",
            "`DSXI1` tests the simplified procedure, the requirement is about normal",
        ),
        (
            common,
            "normal = [\"DNGB1\", \"DNXI1\"]",
            "normal = [\"DNGB1\", \"ANXI1\"]",
            "`ANXI1` tests arrival, the requirement is about standard-departure",
        ),
        (common, "normal = [\"DNGB1\", \"DNXI1\"]\n", "", "give `any` alone, or `normal`"),
        (
            common,
            "\"PSGB3\", \"PSXI3\", \"PNGB3\"",
            "\"PSGB3\", \"PSXI3\", \"DSGB1\", \"PNGB3\"",
            ":14:21: `DSGB1` is in the catalogue: it is no longer pending",
        ),
        (
            common,
            "\"PSGB3\", \"PSXI3\", \"PNGB3\"",
            "\"PSGB3\", \"PSXI3\", \"PNGB9\", \"PNGB3\"",
            "no requirement names `PNGB9`",
        ),
        (
            common,
            "\"PSGB3\", \"PSXI3\", \"PNGB3\"",
            "\"PSXI3\", \"PNGB3\"",
            "there is no scenario `PSGB3`",
        ),
        (
            common,
            "id = \"arrival\"",
            "id = \"standard-departure\"",
            "`standard-departure` is there twice",
        ),
        (common, "to = \"SDSTeam@hmrc.gov.uk\"\n", "", "`email` needs an address in `to`"),
        (
            common,
            "closes = \"19:00\"",
            "closes = \"06:00\"",
            "it closes at 06:00:00, not after it opens at 07:00:00",
        ),
        (
            common,
            "automatic-release-minutes = 45",
            "automatic-release-minutes = -1",
            "invalid value: integer `-1`",
        ),
        (six, "until = \"2026-06-15\"", "until = \"2026-06-31\"", ":26:9: input is out of range"),
        (
            six,
            "until = \"2026-06-15\"",
            "until = \"2026-03-15\"",
            "2026-03-15 is before 2026-04-14",
        ),
        (
            six,
            "from = \"2026-06-16\"",
            "from = \"2026-06-15\"",
            "a timetable must begin after the one before it ends",
        ),
        (six, "always = true\n", "", "a timetable is either `always = true`, or has both"),
        (six, "id = \"ncts6\"", "id = \"ncts7\"", "must stand in a folder of that name"),
        (six, "[timers]", "[[timers]]", ":50:1: invalid"),
        (
            six,
            "source = \"RM\"\n\n[[availability]]",
            "source = \" \"\n\n[[availability]]",
            "a fact without its source",
        ),
        (
            "ncts5-final/programme.toml",
            "extends = \"ncts5\"",
            "extends = \"ncts4\"",
            ":5:11: there is no `ncts4/common.toml`",
        ),
        (
            "ncts5-final/data.toml",
            "extends = \"ncts5\"",
            "extends = \"ncts4\"",
            "there is no `ncts4/data.toml`",
        ),
        (
            common,
            "source = \"F11: recommended tests; TG5: test scenarios\"",
            "source = \"\"",
            ":196:10: a fact without its source",
        ),
        (
            "ncts5-final/programme.toml",
            "source = \"TG5: test scenarios; DS5: sheet IE015 (Final Only)\"",
            "source = \"\"",
            ":58:10: a fact without its source",
        ),
        (
            "ncts6/data.toml",
            "\"two-houses-xi\"",
            "\"two-houses-x\"",
            "there is no part `two-houses-x`",
        ),
        (
            "ncts6/data.toml",
            "same-as = [\"IE044\", \"Simplified Arrival XI-GB (No",
            "same-as = [\"IE044\", \"Simplified Arrival XI-XI (No",
            ":165:1: sheet `IE044` has no column `Simplified Arrival XI-XI (No Discrepancies)`",
        ),
        ("ncts6/data.toml", "[IE007.", "[IE008.", "`IE008` is not a message type"),
        ("ncts6/data.toml", "[IE007.", "[IE025.", "IE025 comes from NCTS"),
        (departures, "[[scenario]]", "[[scenario]", ":5:"),
    ] {
        let problems = problems(broken(file, from, to));
        let there = |problem: &String| {
            problem.contains(expected) && problem.starts_with(&format!("{file}:"))
        };
        if !problems.iter().any(there) {
            missed.push(format!("{file}: {to}\nexpected: {expected}\ngot: {problems:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn problems_of_many_files_come_together() {
    let mut files = broken("ncts5/standard-departures.toml", "title = ", "titel = ");
    for (path, text) in &mut files {
        match path.as_str() {
            "ncts5/standard-departures.toml" => {
                *text = text.replace("side = \"XI\"", "side = \"XI\"\nextra = 1")
                    + "\n[[scenario]]\nid = \"DSGB99\"\nflow = \"nowhere\"\n";
            }
            "ncts5/arrivals.toml" => *text = text.replacen("\"arrival\"", "\"departure\"", 1),
            "ncts6/programme.toml" => {
                *text = text.replace("closes = \"17:00\"", "closes = \"08:00\"")
            }
            _ => {}
        }
    }
    files.push(("stray.toml".into(), "x = 1".into()));
    files.push(("ncts7/forms/f.toml".into(), String::new()));
    let problems = problems(files);
    for expected in [
        "ncts5/arrivals.toml:8:8: unknown variant `departure`",
        "ncts5/standard-departures.toml:7:1: unknown field `titel`",
        "unknown field `extra`",
        "unknown variant `nowhere`",
        "ncts6/programme.toml:40:10: officers leave at 08:00:00, not after they come at 09:00:00",
        "stray.toml: there is no place for this file",
    ] {
        assert!(problems.iter().any(|p| p.contains(expected)), "{expected}\n{problems:#?}");
    }
    // What could not be read is not also reported as missing.
    assert!(!problems.iter().any(|p| p.contains("there is no scenario")), "{problems:#?}");
    assert_eq!(problems.iter().filter(|p| p.contains("unknown field `extra`")).count(), 2);
}

#[test]
fn an_overlay_replaces_and_adds_files() {
    let mut files: Vec<(String, String)> = Catalogue::embedded().collect();
    let (_, text) = files.iter().find(|(path, _)| path == "ncts6/programme.toml").unwrap();
    let text = text.replace("title = \"NCTS6\"", "title = \"Ours\"");
    files.push(("ncts6/programme.toml".into(), text));
    files.push(("ncts6/forms/ours.toml".into(), "x = 1".into()));
    let catalogue = Catalogue::load(files).unwrap();
    assert_eq!(catalogue.programme("ncts6").unwrap().title, "Ours");
    let forms = catalogue.forms("ncts6");
    let ours = forms.iter().find(|form| form.id == "ours").unwrap();
    assert_eq!((ours.path.as_str(), ours.text.as_str()), ("ncts6/forms/ours.toml", "x = 1"));
}
