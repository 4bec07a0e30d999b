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

/// A change to a file, and the problem that must come of it in that file.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[track_caller]
fn assert_found(rows: &[Row]) {
    let mut missed = Vec::new();
    for (file, from, to, expected) in rows {
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

const DEPARTURES: &str = "ncts5/standard-departures.toml";
const PRE_LODGED: &str = "ncts5/pre-lodged-departures.toml";
const ARRIVALS: &str = "ncts5/arrivals.toml";
const BALANCES: &str = "guarantee-balance/balances.toml";
const COMMON: &str = "ncts5/common.toml";
const SIX: &str = "ncts6/programme.toml";
const BALANCE: &str = "guarantee-balance/programme.toml";

#[test]
fn every_problem_of_a_scenario_is_found_with_its_place() {
    let titled = "title = \"Simplified departure from {place}\"";
    assert_found(&[
        (DEPARTURES, "title = ", "titel = ", "standard-departures.toml:9:1: unknown field `titel`"),
        (
            DEPARTURES,
            "\"DS{side}2\"",
            "\"DS{side}1\"",
            ":21:6: `DSGB1` is there twice in programme `ncts5-final`",
        ),
        (
            DEPARTURES,
            "\"DS{side}1\"",
            "\"DSGB1\"",
            ":8:6: both sides would have the id `DSGB1`: write `{side}` in it",
        ),
        (DEPARTURES, "\"DS{side}1\"", "{ GB = \"DSGB1\" }", ":8:6: `` is not a scenario id"),
        (DEPARTURES, "\"DS{side}1\"", "\"DS_{side}1\"", "`DS_GB1` is not a scenario id"),
        (DEPARTURES, "\"DS{side}1\"", "\"D  {side}1\"", "`D  GB1` is not a scenario id"),
        (
            DEPARTURES,
            "\"DNXI8\"",
            "{ GB = \"DNGB8\", XI = \"DNXI8\" }",
            "`GB` is not among the sides",
        ),
        (DEPARTURES, "side = [\"GB\", \"XI\"]", "side = []", ":11:8: no side is named"),
        (DEPARTURES, "side = [\"GB\", \"XI\"]", "side = [\"GB\", \"GB\"]", "`GB` is there twice"),
        (DEPARTURES, "side = \"GB\"", "side = \"XI\"", "the id `DNGB7` tells GB"),
        (
            DEPARTURES,
            "procedure = \"simplified\"",
            "procedure = \"normal\"",
            ":12:13: the id `DSGB1` tells simplified",
        ),
        (
            DEPARTURES,
            "procedure = \"simplified\"\n",
            "",
            "`DSGB1` does not say which `procedure` it tests",
        ),
        (
            DEPARTURES,
            "flow = \"standard-departure\"",
            "flow = \"arrival\"",
            ":10:8: the id `DSGB1` tells standard-departure",
        ),
        (
            DEPARTURES,
            "\"ncts5-final\"",
            "\"ncts5-fianl\"",
            ":3:35: there is no programme `ncts5-fianl`",
        ),
        (DEPARTURES, titled, "title = \" \"", ":9:9: must not be empty"),
        (DEPARTURES, titled, "title = \"a\\nb\"", ":9:9: a title is one line"),
        (DEPARTURES, titled, "title = \"From {here}\"", ":9:9: `{here}` is none of the words"),
        (DEPARTURES, "[[scenario]]", "[[scenario]", ":7:"),
        (BALANCES, "flow = ", "procedure = \"normal\"\nflow = ", "it follows no procedure"),
    ]);
}

#[test]
fn every_problem_of_a_step_is_found_with_its_place() {
    let send = "send = \"IE015\"\ndata = [\"Simplified {side}-{there}\"]\n";
    let no_such =
        "mutation = { what = \"no state of seals\", remove = [\"UnloadingRemark/stateOfSeals\"] }";
    let locode = "set = { \"Consignment/LocationOfGoods/UNLocode\" = \"GBXYZ\" }";
    assert_found(&[
        (DEPARTURES, send, "", "step 1 has no action: `send`, `request` or `officer`"),
        (
            DEPARTURES,
            "data = [\"Simplified {side}-{there}\"]",
            "data = [\"Simplified\"]",
            ":17:9: programme `ncts5-final` has no test data `Simplified` for IE015",
        ),
        (
            DEPARTURES,
            "data = [\"Simplified {side}-{there}\"]",
            "sheet = \"Nowhere\"\ndata = [\"Simplified {side}-{there}\"]",
            "has no test data `Simplified GB-XI` for IE015 on sheet `Nowhere`",
        ),
        (
            DEPARTURES,
            "data = [\"Simplified {side}-{there}\"]",
            "data = [\"Simplified {seite}-{there}\"]",
            "`{seite}` is none of the words",
        ),
        (
            DEPARTURES,
            "data = [\"Simplified {side}-{there}\"]",
            "data = [\"Simplified {side}-{there}\", \"Normal {side}-{there}\"]",
            ":17:8: only a scenario of both procedures (`simplified/normal`) has two columns",
        ),
        (DEPARTURES, "data = [\"Simplified {side}-{there}\"]\n", "", "IE015 needs `data`"),
        (
            DEPARTURES,
            "message = \"IE928\"",
            "message = \"IE170\"",
            ":18:11: IE170 is sent by the trader: it cannot be expected",
        ),
        (DEPARTURES, "message = \"IE928\"", "message = \"IE999\"", "`IE999` is not a message type"),
        (
            DEPARTURES,
            "send = \"IE015\"",
            "send = \"IE028\"",
            ":16:8: IE028 comes from NCTS: it cannot be sent",
        ),
        (
            DEPARTURES,
            "send = \"IE015\"",
            "send = \"IE170\"",
            "IE170 belongs to a movement, and none is open yet",
        ),
        (DEPARTURES, send, "officer = \"act\"\n", ":16:11: officers cannot act before"),
        (
            DEPARTURES,
            "officer = \"cancel",
            "data = [\"x\"]\nofficer = \"cancel",
            "sends nothing: it needs no `data`",
        ),
        (
            DEPARTURES,
            "officer = \"cancel",
            "sheet = \"x\"\nofficer = \"cancel",
            "sends nothing: it needs no `sheet`",
        ),
        (
            DEPARTURES,
            "officer = \"cancel the declaration\"",
            "officer = \" \"",
            "does not say what officers are asked",
        ),
        (
            DEPARTURES,
            "officer = \"cancel the",
            "officer = \"cancel {the}",
            "`{the}` is none of the words",
        ),
        (DEPARTURES, "after_minutes = 45", "after_minutes = 0", "IE029 after no minutes"),
        (
            PRE_LODGED,
            "minutes-after-ie015 = 45",
            "minutes-after-ie015 = 0",
            "a deadline of no minutes",
        ),
        (
            PRE_LODGED,
            "expect = [{ message = \"IE928\" }]",
            "deadline-minutes-after-ie015 = 45\nexpect = [{ message = \"IE928\" }]",
            "no IE015 was sent before step 1",
        ),
        (
            DEPARTURES,
            "officer-deadline-minutes = 45",
            "officer-deadline-minutes = 0",
            "a deadline of no minutes",
        ),
        (
            DEPARTURES,
            "officer = \"control the declaration, then release it\"\n",
            "send = \"IE014\"\ndata = [\"GB-XI Cancellation\"]\n",
            "asks nothing of officers: it needs no `officer-deadline-minutes`",
        ),
        // Refusals and releases.
        (
            DEPARTURES,
            "{ message = \"IE928\" }",
            "{ message = \"IE928\", violations = [\"B1890\"] }",
            "IE928 refuses nothing: it names no violations",
        ),
        (
            DEPARTURES,
            "{ message = \"IE056\" }",
            "{ message = \"IE056\", violations = [\"B189\"] }",
            "`B189` is not a rule such as `B1890`",
        ),
        (
            DEPARTURES,
            "{ message = \"IE056\" }",
            "{ message = \"IE056\", violations = [\"B1890\", \"B1890\"] }",
            "`B1890` is there twice",
        ),
        (
            ARRIVALS,
            "{ message = \"IE019\" }",
            "{ message = \"IE019\", release = \"granted\" }",
            "only an IE025 says whether goods are released, not IE019",
        ),
        // Mutations.
        (ARRIVALS, no_such, "mutation = { what = \"nothing\" }", "a mutation that changes nothing"),
        (
            ARRIVALS,
            no_such,
            "mutation = { what = \"\", remove = [\"A\"] }",
            ":50:21: must not be empty",
        ),
        (
            ARRIVALS,
            "UnloadingRemark/stateOfSeals",
            "/UnloadingRemark",
            "`/UnloadingRemark` is not a path of elements",
        ),
        (
            ARRIVALS,
            "remove = [\"UnloadingRemark/stateOfSeals\"]",
            "remove = [\"A/B\"], set = { \"A/B\" = \"1\" }",
            "`A/B` is both removed and set",
        ),
        (PRE_LODGED, locode, "set = { \"A b\" = \"1\" }", "`A b` is not a path of elements"),
        (PRE_LODGED, locode, "set = { A = \"\" }", "`A` is set to nothing"),
        (PRE_LODGED, locode, "set = { A = \"{x}\" }", "`{x}` is none of the words"),
        (PRE_LODGED, locode, "at-least = { A = 0 }", "`A` at least 0 times"),
        (PRE_LODGED, locode, "at-least = { \"A/\" = 2 }", "`A/` is not a path of elements"),
        (
            DEPARTURES,
            "officer = \"cancel",
            "mutation = { what = \"x\", remove = [\"A\"] }\nofficer = \"cancel",
            "sends nothing: it needs no `mutation`",
        ),
        // The timer that waits for the goods.
        (
            DEPARTURES,
            "expect = [{ message = \"IE928\" }]",
            "presentation-timer = \"starts\"\nexpect = [{ message = \"IE928\" }]",
            "only pre-lodged goods are waited for",
        ),
        (
            PRE_LODGED,
            "presentation-timer = \"starts\"\n",
            "",
            "no step before step 2 starts the timer",
        ),
        (
            PRE_LODGED,
            "presentation-timer = \"expires\"",
            "presentation-timer = \"starts\"",
            "the timer was started before",
        ),
        (
            PRE_LODGED,
            "expect = [{ message = \"IE056\" }, { message = \"IE056\" }]",
            "",
            "when it runs out a message comes, and none is expected",
        ),
    ]);
}

#[test]
fn every_problem_of_a_balance_is_found_with_its_place() {
    let answer = "answer = { status = 200, balance = 262626, currency = \"GBP\" }";
    let request = "request = { grn = \"23GB0000010000854\", access_code = \"AC01\" }";
    assert_found(&[
        (BALANCES, answer, "", ":14:11: step 1 does not say which `answer` must come"),
        (BALANCES, request, "", "step 1 has an `answer` and no `request`"),
        (
            BALANCES,
            request,
            "send = \"IE015\"\ndata = [\"x\"]",
            "there is no movement when a balance is asked for",
        ),
        (
            BALANCES,
            answer,
            "answer = { status = 200 }\nofficer = \"look\"",
            "step 1 asks for a balance: it has neither `send` nor `officer`",
        ),
        (
            BALANCES,
            answer,
            "answer = { status = 200, balance = 1 }",
            ":15:10: an answer has `balance` and `currency` with status 200, else `code`",
        ),
        (BALANCES, answer, "answer = { status = 404 }", "else `code`"),
        (BALANCES, answer, "answer = { status = 20, code = \"X\" }", "20 is not an HTTP status"),
        (
            BALANCES,
            answer,
            "answer = { status = 404, code = \"X\" }\nexpect = [{ message = \"IE928\" }]",
            "a balance is answered at once, by `answer`",
        ),
        (BALANCES, "23GB0000010000854", "23GB000001000085", "is not a guarantee reference number"),
        (BALANCES, "\"AC01\"", "\"AC1\"", "an access code has four letters or digits"),
        (
            BALANCES,
            "access_code = \"AC01\"",
            "access_code = \"AC01\", within_seconds = 60",
            "there is no step before",
        ),
        (BALANCES, "within_seconds = 60", "within_seconds = 0", "within no seconds"),
        (
            DEPARTURES,
            "send = \"IE015\"",
            "request = { grn = \"23GB0000010000854\", access_code = \"AC01\" }\nsend = \"IE015\"",
            "step 1 asks for a balance: it has neither",
        ),
        (
            BALANCES,
            "flow = \"guarantee-balance\"",
            "flow = \"arrival\"",
            "only scenarios of flow `guarantee-balance` ask for a balance",
        ),
    ]);
}

#[test]
fn every_problem_of_a_programme_is_found_with_its_place() {
    let normal = "normal = [\"DNGB1\", \"DNXI1\"]";
    assert_found(&[
        (
            COMMON,
            normal,
            "normal = [\"DNGB1\", \"DNXI99\"]",
            ":46:20: there is no scenario `DNXI99` in programme `ncts5-final`",
        ),
        (
            COMMON,
            normal,
            "normal = [\"DNGB1\", \"DSXI1\"]",
            "`DSXI1` tests the simplified procedure, the requirement is about normal",
        ),
        (
            COMMON,
            normal,
            "normal = [\"DNGB1\", \"ANXI1\"]",
            "`ANXI1` tests arrival, the requirement is about standard-departure",
        ),
        (COMMON, "normal = [\"DNGB1\", \"DNXI1\"]\n", "", "give `any` alone, or `normal`"),
        (
            COMMON,
            "id = \"arrival\"",
            "id = \"standard-departure\"",
            "`standard-departure` is there twice",
        ),
        (COMMON, "to = \"SDSTeam@hmrc.gov.uk\"\n", "", "`email` needs an address in `to`"),
        (
            COMMON,
            "closes = \"19:00\"",
            "closes = \"06:00\"",
            "it closes at 06:00:00, not after it opens at 07:00:00",
        ),
        (
            COMMON,
            "automatic-release-minutes = 45",
            "automatic-release-minutes = -1",
            "invalid value: integer `-1`",
        ),
        (SIX, "until = \"2026-06-15\"", "until = \"2026-06-31\"", "input is out of range"),
        (
            SIX,
            "until = \"2026-06-15\"",
            "until = \"2026-03-15\"",
            "2026-03-15 is before 2026-04-14",
        ),
        (
            SIX,
            "from = \"2026-06-16\"",
            "from = \"2026-06-15\"",
            "a timetable must begin after the one before it ends",
        ),
        (SIX, "always = true\n", "", "a timetable is either `always = true`, or has both"),
        (SIX, "id = \"ncts6\"", "id = \"ncts7\"", "must stand in a folder of that name"),
        (SIX, "[timers]", "[[timers]]", "invalid"),
        (
            SIX,
            "source = \"RM\"\n\n[[availability]]",
            "source = \" \"\n\n[[availability]]",
            "a fact without its source",
        ),
        (
            SIX,
            "closes-when = \"ncts6-testing-closes\"",
            "closes-when = \"ncts6-closes\"",
            ":25:15: `ncts6-closes` is none of the dates under `[[unpublished]]`",
        ),
        (
            SIX,
            "bounds = { not-before = \"2026-04-14\",",
            "bounds = { not-before = \"2026-04-14\", not-after = \"2026-04-13\",",
            "2026-04-13 is before 2026-04-14",
        ),
        (
            SIX,
            "tests = \"standard-departure\"",
            "tests = \"arrival\"",
            "`P6-DSGB-01` tests standard-departure, the requirement is about arrival",
        ),
        (SIX, "phase-id = \"NCTS6\"\n", "", "`ncts6` needs `api.phase-id`: its scenarios send"),
        (SIX, "xsd = \"3.0\"\n", "", "`ncts6` needs `api.xsd`: its scenarios send messages"),
        (SIX, "[submission]", "[pending-checklist]", "unknown field"),
        (
            BALANCE,
            "[pending-checklist]",
            "[submission]\nchannel = \"support-form\"\nhow = \"x\"\nsource = \"y\"\n[pending-checklist]",
            "needs either `submission`, how its form is sent, or `pending-checklist`",
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
            COMMON,
            "source = \"F11: recommended tests; TG5: test scenarios\"",
            "source = \"\"",
            ":188:10: a fact without its source",
        ),
        (
            "ncts5-final/programme.toml",
            "source = \"TG5: test scenarios; DS5: sheet IE015 (Final Only)\"",
            "source = \"\"",
            ":85:10: a fact without its source",
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
    ]);
}

/// Without a whole table, which takes several lines.
fn without(file: &str, table: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Catalogue::embedded().collect();
    let text = &mut files.iter_mut().find(|(path, _)| path == file).unwrap().1;
    let start = text.find(&format!("[{table}]\n")).unwrap();
    let end = text[start + 1..].find("\n[").unwrap() + start + 2;
    text.replace_range(start..end, "");
    files
}

#[test]
fn a_programme_must_have_what_its_scenarios_need() {
    for (table, expected) in [
        ("timers", "`ncts6` needs `timers`: its scenarios send messages"),
        ("officers", "`ncts6` needs `officers`: its scenarios ask them to act"),
        ("submission", "needs either `submission`, how its form is sent"),
    ] {
        let problems = problems(without(SIX, table));
        assert!(problems.iter().any(|p| p.contains(expected)), "{expected}\n{problems:#?}");
    }
    // Nobody acts on a balance, and nothing is sent.
    assert!(
        Catalogue::built_in().unwrap().programme("guarantee-balance").unwrap().timers.is_none()
    );
}

#[test]
fn problems_of_many_files_come_together() {
    let mut files = broken(DEPARTURES, "title = ", "titel = ");
    for (path, text) in &mut files {
        match path.as_str() {
            DEPARTURES => {
                *text = text.replace("side = \"XI\"", "side = \"XI\"\nextra = 1")
                    + "\n[[scenario]]\nid = \"DSGB99\"\nflow = \"nowhere\"\n";
                // The data could be read, so that it lacks this is certain.
                *text = text.replacen("Normal {side}-{there}", "Abnormal {side}-{there}", 1);
            }
            ARRIVALS => *text = text.replacen("\"arrival\"", "\"departure\"", 1),
            SIX => *text = text.replace("closes = \"17:00\"", "closes = \"08:00\""),
            _ => {}
        }
    }
    files.push(("stray.toml".into(), "x = 1".into()));
    files.push(("ncts7/forms/f.toml".into(), String::new()));
    let problems = problems(files);
    for expected in [
        "ncts5/arrivals.toml:9:8: unknown variant `departure`",
        "ncts5/standard-departures.toml:9:1: unknown field `titel`",
        "unknown field `extra`",
        "unknown variant `nowhere`",
        "officers leave at 08:00:00, not after they come at 09:00:00",
        "stray.toml: there is no place for this file",
        "`ncts5-final` has no test data `Abnormal",
        "there is no programme `ncts7`",
    ] {
        assert!(problems.iter().any(|p| p.contains(expected)), "{expected}\n{problems:#?}");
    }
    // What could not be read is not also reported as missing.
    assert!(!problems.iter().any(|p| p.contains("there is no scenario")), "{problems:#?}");
    assert_eq!(problems.iter().filter(|p| p.contains("unknown field `extra`")).count(), 2);
}
