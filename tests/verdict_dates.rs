//! Dates, phases and credentials held, with HMRC's own programmes: what each
//! day brings about. Every row says why.

#![allow(clippy::unwrap_used)]

mod verdict_support;

use std::path::Path;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, Utc};
use ctc_ready::calendar::london;
use ctc_ready::catalogue::{Catalogue, Flow, Programme, RequirementKind, Scenario};
use ctc_ready::project::{Credentials, DocumentationChange, OtherVersion, Settings};
use ctc_ready::verdict::{
    self, Case, Need, PlanCase, Verdict, judge, needs, nothing_left, plan, usual,
};
use proptest::prelude::*;
use verdict_support::{House, day, utc};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());

const T: &str = "ncts5-transition";
const F: &str = "ncts5-final";
const S: &str = "ncts6";
const G: &str = "guarantee-balance";

/// Standard departures and arrivals; with pre-lodged ones; arrivals alone.
const SA: &str = r#""standard-departure", "arrival""#;
const SPA: &str = r#""standard-departure", "pre-lodged-departure", "arrival""#;
const A: &str = r#""arrival""#;

fn programme(id: &str) -> &'static Programme {
    CATALOGUE.programme(id).unwrap()
}

/// A house with these flows, and `more` in its settings.
fn settings(flows: &str, more: &str) -> Settings {
    let text = format!(
        "programmes = [\"{F}\"]\n[software]\nname = \"Transit Desk\"\nversion = \"4.2\"\n\
         flows = [{flows}]\nprocedures = [\"normal\"]\nside = \"GB\"\n{more}"
    );
    Settings::parse(&text, Path::new("ctc-ready.toml"), &[]).unwrap()
}

/// Judged without any evidence.
fn judged(
    programme: &Programme,
    settings: &Settings,
    as_of: DateTime<Utc>,
) -> (Vec<Need>, Verdict) {
    let needs = needs(programme, &CATALOGUE, settings, london::day_of(as_of)).unwrap();
    let verdict = judge(&Case {
        programme,
        settings,
        needs: &needs,
        runs: &[],
        removed: &[],
        waiting: &Default::default(),
        integrity: None,
        as_of,
        submit_on: None,
        rehearsal: false,
    });
    (needs, verdict)
}

/// What is to be read of a day: a line for each finding, and for each need.
fn told(id: &str, flows: &str, more: &str, at: &str) -> Vec<String> {
    let as_of = london::parse_at(at).unwrap();
    let (needs, verdict) = judged(programme(id), &settings(flows, more), as_of);
    let findings = verdict.findings.iter().map(|finding| {
        let severity = serde_json::to_value(finding.severity).unwrap();
        format!("{} {}: {}", finding.rule, severity.as_str().unwrap(), finding.message)
    });
    let applies = |need: &Need| if need.applies { "needed" } else { "not needed" };
    let needs =
        needs.iter().map(|need| format!("{} {}: {}", need.requirement, applies(need), need.reason));
    let ready = [format!("ready {}", verdict.ready)];
    findings.chain(needs).chain(ready).collect()
}

/// Whether a line begins with a pattern's first part and holds the others;
/// ` … ` stands between them.
fn fits(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split(" … ");
    line.starts_with(parts.next().unwrap()) && parts.all(|part| line.contains(part))
}

struct Row {
    /// The reasoning by hand.
    why: &'static str,
    programme: &'static str,
    flows: &'static str,
    /// Settings besides.
    more: &'static str,
    /// A day (its last instant) or an instant.
    at: &'static str,
    says: &'static [&'static str],
    never: &'static [&'static str],
}

#[track_caller]
fn hold(rows: &[Row]) {
    for Row { why, programme, flows, more, at, says, never } in rows {
        let told = told(programme, flows, more, at);
        for pattern in *says {
            let found = told.iter().any(|line| fits(line, pattern));
            assert!(found, "{why}\n`{programme}` at {at}: `{pattern}` is not said:\n{told:#?}");
        }
        for pattern in *never {
            let found = told.iter().find(|line| fits(line, pattern));
            assert_eq!(found, None, "{why}\n`{programme}` at {at}: `{pattern}` is said");
        }
    }
}

/// A row about a programme's dates alone.
const fn on(
    programme: &'static str,
    at: &'static str,
    more: &'static str,
    says: &'static [&'static str],
    never: &'static [&'static str],
    why: &'static str,
) -> Row {
    Row { why, programme, flows: SA, more, at, says, never }
}

const CLOSED: &[&str] = &["outside-phase error"];
const NONE: &[&str] = &[];

#[test]
fn windows_open_and_close_on_their_days() {
    const OPENS: &str = "[programme.dates]\nncts5-final-testing-opens = 2024-07-15";
    const CLOSES: &str = "[programme.dates]\nncts5-final-testing-closes = 2026-12-31";
    const ONE_DAY: &str = "[programme.dates]\nncts5-final-testing-opens = 2024-08-01\nncts5-final-testing-closes = 2024-08-01";
    const SIX: &str = "[programme.dates]\nncts6-testing-closes = 2027-03-28";
    hold(&[
        on(
            T,
            "2023-10-29",
            "",
            &["outside-phase error … it opens on 2023-10-30"],
            NONE,
            "the day before phase 1",
        ),
        on(T, "2023-10-30", "", NONE, CLOSED, "the first day of phase 1"),
        on(T, "2023-10-31", "", NONE, CLOSED, "the day after the first"),
        on(
            T,
            "2023-10-29T23:59:59Z",
            "",
            CLOSED,
            NONE,
            "clocks went back that night: London is UTC again, and it is still the 29th",
        ),
        on(T, "2023-10-30T00:00:00Z", "", NONE, CLOSED, "a second later the 30th has begun"),
        on(T, "2024-02-29", "", NONE, CLOSED, "a leap day is a day like others"),
        on(T, "2024-06-02", "", NONE, CLOSED, "the day before the last of phase 1"),
        on(T, "2024-06-03", "", NONE, CLOSED, "the last day of phase 1 counts"),
        on(
            T,
            "2024-06-04",
            "",
            &["outside-phase error … it closed on 2024-06-03"],
            NONE,
            "the day after the last",
        ),
        on(
            T,
            "2024-06-03T22:59:59Z",
            "",
            NONE,
            CLOSED,
            "summer time: one second before midnight in London",
        ),
        on(T, "2024-06-03T23:00:00Z", "", CLOSED, NONE, "midnight in London, an hour before UTC's"),
        on(
            F,
            "2024-06-03",
            "",
            &["outside-phase error … it opens on 2024-06-04"],
            NONE,
            "phase 1 still runs",
        ),
        on(F, "2024-06-04", "", NONE, CLOSED, "the first day on which phase 2 can have been open"),
        on(F, "2024-06-05", "", NONE, CLOSED, "the day after it"),
        on(F, "2024-06-03T23:00:00Z", "", NONE, CLOSED, "the 4th has begun in London"),
        on(
            F,
            "2024-07-14",
            OPENS,
            &["outside-phase error … it opens on 2024-07-15"],
            NONE,
            "the day given moves the opening: the day before it",
        ),
        on(F, "2024-07-15", OPENS, NONE, CLOSED, "the day given itself"),
        on(F, "2024-07-16", OPENS, NONE, CLOSED, "the day after it"),
        on(F, "2026-12-30", CLOSES, NONE, CLOSED, "the day before the last day given"),
        on(F, "2026-12-31", CLOSES, NONE, CLOSED, "the last day given counts"),
        on(
            F,
            "2027-01-01",
            CLOSES,
            &["outside-phase error … it closed on 2026-12-31"],
            NONE,
            "the day after it: nothing is accepted any more",
        ),
        on(F, "2024-08-01", ONE_DAY, NONE, CLOSED, "a window of one day is open on it"),
        on(F, "2024-08-02", ONE_DAY, CLOSED, NONE, "and closed on the next"),
        on(F, "2099-12-31", "", NONE, CLOSED, "no end is published: open until one is given"),
        on(
            S,
            "2026-04-13",
            "",
            &["outside-phase error … it opens on 2026-04-14"],
            NONE,
            "the day before Trader Test for NCTS6",
        ),
        on(S, "2026-04-14", "", NONE, CLOSED, "its first day"),
        on(S, "2026-04-15", "", NONE, CLOSED, "the day after"),
        on(
            S,
            "2026-04-13T22:59:59Z",
            "",
            CLOSED,
            NONE,
            "summer time: a second before midnight in London",
        ),
        on(S, "2026-04-13T23:00:00Z", "", NONE, CLOSED, "midnight in London"),
        on(
            S,
            "2027-03-28T22:59:59Z",
            SIX,
            NONE,
            CLOSED,
            "clocks went forward that morning, so the last day has 23 hours",
        ),
        on(S, "2027-03-28T23:00:00Z", SIX, CLOSED, NONE, "and ends an hour before UTC's"),
        on(
            G,
            "2020-02-29",
            "",
            &["checklist-pending warning"],
            CLOSED,
            "no dates are published: always open",
        ),
    ]);
}

#[test]
fn dates_nobody_published_are_asked_for_and_weighed() {
    const IMPOSSIBLE: &[&str] = &["unpublished-date error"];
    hold(&[
        on(
            F,
            "2026-11-21",
            "",
            &[
                "unpublished-date info … `ncts5-final-testing-opens`",
                "unpublished-date info … `ncts5-final-testing-closes`",
            ],
            IMPOSSIBLE,
            "neither is given: both are asked for",
        ),
        on(
            F,
            "2026-11-21",
            "[programme.dates]\nncts5-final-testing-opens = 2024-07-15",
            &["unpublished-date info … `ncts5-final-testing-closes`"],
            &["unpublished-date info … `ncts5-final-testing-opens`"],
            "one given is asked for no more",
        ),
        on(
            F,
            "2024-06-04",
            "[programme.dates]\nncts5-final-testing-opens = 2024-06-03",
            &["unpublished-date error … 2024-06-03 … cannot be before 2024-06-04"],
            CLOSED,
            "phase 1 still ran: the day is not used, and told",
        ),
        on(
            F,
            "2024-06-04",
            "[programme.dates]\nncts5-final-testing-opens = 2024-06-04",
            NONE,
            &["unpublished-date error", "outside-phase error"],
            "the first day it can be",
        ),
        on(
            F,
            "2026-11-21",
            "[programme.dates]\nncts5-final-testing-opens = 2024-09-30",
            NONE,
            IMPOSSIBLE,
            "the last day of any summer",
        ),
        on(
            F,
            "2026-11-21",
            "[programme.dates]\nncts5-final-testing-opens = 2024-10-01",
            &["unpublished-date error … cannot be after 2024-09-30"],
            NONE,
            "HMRC said summer",
        ),
        on(
            F,
            "2026-11-21",
            "[programme.dates]\nncts5-final-testing-closes = 2024-06-03",
            &["unpublished-date error … opens on 2024-06-04, and cannot close before"],
            CLOSED,
            "it closes before it opens: not used",
        ),
        on(
            F,
            "2026-11-21",
            "[programme.dates]\nncts5-final-testing-opens = 2024-08-01\nncts5-final-testing-closes = 2024-07-31",
            &["unpublished-date error … opens on 2024-08-01, and cannot close before"],
            CLOSED,
            "before the opening that is given",
        ),
        on(
            S,
            "2026-11-21",
            "",
            &[
                "unpublished-date info … `ncts6-go-live`",
                "unpublished-date info … `ncts6-testing-closes`",
            ],
            IMPOSSIBLE,
            "NCTS6 has two such days",
        ),
        on(
            S,
            "2026-11-21",
            "[programme.dates]\nncts6-go-live = 2026-04-13",
            &["unpublished-date error … cannot be before 2026-04-14"],
            NONE,
            "live before testing opened",
        ),
        on(
            S,
            "2026-11-21",
            "[programme.dates]\nncts6-go-live = 2026-04-14",
            NONE,
            IMPOSSIBLE,
            "on that day it could, however unlikely",
        ),
        on(
            S,
            "2026-11-21",
            "[programme.dates]\nncts6-testing-closes = 2026-04-13",
            &["unpublished-date error … cannot close before"],
            CLOSED,
            "it closes before it opens",
        ),
        on(
            T,
            "2024-01-15",
            "",
            &["unpublished-date warning … `ncts5-go-live` … in 14 days before it"],
            NONE,
            "a lead time hangs on it: a warning",
        ),
        on(
            T,
            "2024-01-15",
            "[programme.dates]\nncts5-go-live = 2025-01-20",
            NONE,
            IMPOSSIBLE,
            "the last day of the transition period",
        ),
        on(
            T,
            "2024-01-15",
            "[programme.dates]\nncts5-go-live = 2025-01-21",
            &["unpublished-date error … cannot be after 2025-01-20"],
            NONE,
            "the transition period is over then",
        ),
        on(
            T,
            "2024-01-15",
            "[programme.dates]\nncts5-go-live = 2023-10-29",
            &["unpublished-date error … cannot be before 2023-10-30"],
            &["lead-time"],
            "before testing opened: no lead is counted from it",
        ),
    ]);
}

#[test]
fn the_form_is_in_fourteen_days_before_go_live() {
    const LEAP: &str = "[programme.dates]\nncts5-go-live = 2024-03-14";
    const SPRING: &str = "[programme.dates]\nncts5-go-live = 2024-04-10";
    const LATE: &[&str] = &["lead-time warning"];
    hold(&[
        on(T, "2024-02-28", LEAP, NONE, LATE, "15 days before: in a leap year February has 29"),
        on(T, "2024-02-29", LEAP, NONE, LATE, "exactly 14 days before is in time"),
        on(T, "2024-02-29T23:59:59Z", LEAP, NONE, LATE, "to the last second of that day"),
        on(
            T,
            "2024-03-01",
            LEAP,
            &["lead-time warning … by 2024-02-29"],
            NONE,
            "13 days before is late",
        ),
        on(T, "2024-03-14", LEAP, LATE, NONE, "the day itself is late"),
        on(T, "2024-03-15", LEAP, NONE, LATE, "after it nobody waits for it"),
        on(T, "2024-03-27", SPRING, NONE, LATE, "14 days, though clocks go forward between"),
        on(T, "2024-03-28T00:00:00Z", SPRING, LATE, NONE, "midnight begins the 13th day before"),
    ]);
}

const HELD_2_0: &str = "[credentials]\ngranted = 2024-03-01\napi = \"2.0\"\nflows = [\"standard-departure\", \"arrival\"]";
const HELD: &str = "[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\nversion = \"4.1\"";

#[test]
fn credentials_rest_on_the_rules_of_the_day_they_are_gained() {
    const FINAL: &str = "credentials-basis info: production credentials first gained … NCTS5 final rules alone; the live system cannot be used with them until 2025-01-21";
    const LIVE: &str = "credentials-basis info … rest on NCTS5 final rules alone; the live system can be used with them, since 2025-01-21";
    const SUMMER: &str =
        "[credentials]\ngranted = 2024-08-01\napi = \"2.1\"\nflows = [\"arrival\"]";
    const JUNE: &str = "[credentials]\ngranted = 2024-06-30\napi = \"2.1\"\nflows = [\"arrival\"]";
    hold(&[
        on(
            F,
            "2024-06-30",
            "",
            &[
                "credentials-basis info … first gained on 2024-06-30 rest on the rules of their day … Granted on 2024-07-01 or later, they rest on NCTS5 final rules alone",
            ],
            NONE,
            "the day before the line; but HMRC grants later",
        ),
        on(F, "2024-07-01", "", &[FINAL], NONE, "the day of the line"),
        on(F, "2024-07-02", "", &[FINAL], NONE, "the day after"),
        on(
            F,
            "2024-06-30T22:59:59Z",
            "",
            &["credentials-basis info … rest on the rules of their day"],
            NONE,
            "a second before the 1st of July in London",
        ),
        on(
            F,
            "2024-06-30T23:00:00Z",
            "",
            &[FINAL],
            NONE,
            "the 1st of July in London, still June in UTC",
        ),
        on(F, "2025-01-20", "", &[FINAL], NONE, "the last day without live use"),
        on(F, "2025-01-21", "", &[LIVE], NONE, "final rules are live"),
        on(F, "2025-01-22", "", &[LIVE], NONE, "and stay so"),
        on(
            T,
            "2024-01-15",
            "",
            &[
                "credentials-basis info … rest on NCTS5 transition rules; the live system can be used with them once NCTS is live under these rules; version 2.0 of the API stops working on 2025-01-21",
            ],
            NONE,
            "phase 1 tests transition rules, on an API with an end",
        ),
        on(
            T,
            "2025-01-21",
            "",
            &["credentials-basis info … version 2.0 of the API stopped working on 2025-01-21"],
            NONE,
            "that end has come",
        ),
        on(
            S,
            "2026-11-21",
            "",
            NONE,
            &["credentials-basis"],
            "no such line is published for NCTS6",
        ),
        on(
            G,
            "2024-07-01",
            "",
            NONE,
            &["credentials-basis"],
            "balances take no credentials of their own",
        ),
        on(
            F,
            "2024-09-01",
            SUMMER,
            &[
                "credentials-basis info: production credentials granted on 2024-08-01 rest on NCTS5 final rules alone … until 2025-01-21",
            ],
            &["credentials-basis info … first gained"],
            "those held were gained after the line",
        ),
        on(
            F,
            "2025-02-01",
            SUMMER,
            &[
                "credentials-basis info: production credentials granted on 2024-08-01 … since 2025-01-21",
            ],
            NONE,
            "and can be used by now",
        ),
        on(
            F,
            "2025-02-01",
            JUNE,
            &[
                "credentials-basis info: production credentials granted on 2024-06-30 rest on the rules of their day",
            ],
            NONE,
            "those held were gained before the line",
        ),
    ]);
}

#[test]
fn version_2_0_of_the_api_ends_on_its_day() {
    const BOTH: &str = "[[credentials]]\ngranted = 2024-03-01\napi = \"2.0\"\nflows = [\"standard-departure\", \"arrival\"]\n[[credentials]]\ngranted = 2025-01-10\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]";
    const ENDED: &str = "further-application warning: production credentials granted on 2024-03-01 are for version 2.0 of the CTC Traders API, which stopped working on 2025-01-21";
    hold(&[
        on(
            F,
            "2025-01-20",
            HELD_2_0,
            &[
                "further-application info … cover nothing here … version 2.0 stops working on 2025-01-21",
                "arrival needed",
            ],
            &["further-application warning"],
            "the day before the end: no use under final rules, but no warning yet",
        ),
        on(F, "2025-01-21", HELD_2_0, &[ENDED, "arrival needed"], NONE, "the day of the end"),
        on(F, "2025-01-22", HELD_2_0, &[ENDED], NONE, "the day after"),
        on(
            F,
            "2025-01-21",
            BOTH,
            &["arrival not needed", "standard-departure not needed", "ready true"],
            &["further-application warning"],
            "those for 2.1 have taken their place",
        ),
        on(
            T,
            "2024-05-01",
            HELD_2_0,
            &["further-application info: no new application is needed", "arrival not needed"],
            NONE,
            "while it works they cover",
        ),
        on(
            T,
            "2025-01-20",
            HELD_2_0,
            &["arrival not needed"],
            &["further-application warning"],
            "to the last day",
        ),
        on(
            T,
            "2025-01-21",
            HELD_2_0,
            &[ENDED, "arrival needed", "outside-phase error"],
            NONE,
            "an API that is gone covers nothing",
        ),
        on(
            S,
            "2026-11-21",
            HELD_2_0,
            &[ENDED, "outbound-movement needed"],
            NONE,
            "under NCTS6 they are as dead",
        ),
        on(
            S,
            "2026-11-21",
            HELD,
            &[
                "further-application info … asks its one requirement of houses that hold access to version 2.1 too",
                "outbound-movement needed",
            ],
            &["further-application warning"],
            "NCTS6 asks of those who hold 2.1 as well",
        ),
        on(
            G,
            "2026-11-21",
            HELD_2_0,
            NONE,
            &["further-application"],
            "the balance API's 2.0 is another API",
        ),
    ]);
}

/// A row about credentials held.
const fn held(
    programme: &'static str,
    flows: &'static str,
    at: &'static str,
    more: &'static str,
    says: &'static [&'static str],
    never: &'static [&'static str],
    why: &'static str,
) -> Row {
    Row { why, programme, flows, more, at, says, never }
}

#[test]
fn what_credentials_cover_is_not_asked_again() {
    const SIX: &str =
        "[credentials]\ngranted = 2026-06-01\napi = \"3.0\"\nflows = [\"standard-departure\"]";
    const CLOSED_2026: &str = "[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\n[programme.dates]\nncts5-final-testing-closes = 2026-12-31";
    const ARRIVALS: &str =
        "[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"arrival\"]";
    hold(&[
        held(
            F,
            SA,
            "2026-11-21",
            HELD,
            &[
                "standard-departure not needed: production credentials granted on 2025-03-01 for API 2.1 cover it",
                "arrival not needed",
                "further-application info: no new application is needed",
                "ready true",
            ],
            &[
                "unanswered-question",
                "not-applicable-unexplained error … `arrival`",
                "required-scenario-missing",
            ],
            "all covered: nothing to prove, no form to fill in",
        ),
        held(
            F,
            SA,
            "2025-03-01",
            HELD,
            &["ready true"],
            NONE,
            "they hold from the day of the grant",
        ),
        held(
            F,
            SA,
            "2025-02-28",
            HELD,
            &[
                "arrival needed",
                "further-application info … granted on 2025-03-01 are not counted",
                "required-scenario-missing error",
            ],
            NONE,
            "the day before nobody had them",
        ),
        held(
            F,
            A,
            "2026-11-21",
            HELD,
            &[
                "arrival not needed",
                "standard-departure not needed: the software does not do standard departures",
                "ready true",
            ],
            NONE,
            "a flow given up asks nothing",
        ),
        held(
            F,
            SPA,
            "2026-11-21",
            HELD,
            &[
                "pre-lodged-departure needed … no production credentials held cover it",
                "standard-departure not needed",
                "arrival not needed",
                "further-application info: a new application is needed for `pre-lodged-departure`",
                "further-application info: HMRC's guide speaks of inbound and outbound flows alone",
                "unanswered-question",
            ],
            &["not-applicable-unexplained", "further-application info: no new"],
            "a flow added: its tests, and a form",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            ARRIVALS,
            &[
                "standard-departure needed",
                "arrival not needed",
                "further-application info: a new application is needed for `standard-departure`",
            ],
            &["further-application info: HMRC's guide"],
            "outbound added to inbound: no doubt about it",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            HELD_2_0,
            &["standard-departure needed", "arrival needed"],
            NONE,
            "another version of the API covers nothing",
        ),
        held(
            F,
            SA,
            "2027-02-01",
            CLOSED_2026,
            &["ready true"],
            CLOSED,
            "nothing goes in, so a closed window matters to nobody",
        ),
        held(F, SPA, "2027-02-01", CLOSED_2026, CLOSED, NONE, "with a flow added it does"),
        held(
            S,
            "\"standard-departure\"",
            "2026-11-21",
            SIX,
            &["outbound-movement not needed", "further-application info: no new application"],
            NONE,
            "NCTS6's one requirement is covered where all flows are",
        ),
        held(
            S,
            SA,
            "2026-11-21",
            SIX,
            &[
                "outbound-movement needed",
                "further-application info: a new application is needed for `outbound-movement`",
            ],
            NONE,
            "arrivals were added: apply again, and the form asks for the movement",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            "",
            NONE,
            &["further-application"],
            "who holds none applies for the first time",
        ),
    ]);
}

#[test]
fn versions_of_the_software() {
    const WARNS: &[&str] = &["further-application warning"];
    const OTHER: &str = "[[software.other-versions]]\nversion = \"3.9\"\nflows = [\"arrival\"]\n";
    const OTHER_HELD: &str = "[[software.other-versions]]\nversion = \"3.9\"\nflows = [\"arrival\"]\n[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\nversion = \"4.1\"";
    const BOTH_HELD: &str = "[[software.other-versions]]\nversion = \"3.9\"\nflows = [\"arrival\"]\n[[credentials]]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\nversion = \"4.1\"\n[[credentials]]\ngranted = 2025-01-30\napi = \"2.1\"\nflows = [\"arrival\"]\nversion = \"3.9\"";
    const CHANGED: &str = "[[software.other-versions]]\nversion = \"3.9\"\nflows = [\"arrival\"]\n[credentials]\ngranted = 2025-01-30\napi = \"2.1\"\nflows = [\"arrival\"]\nversion = \"3.9\"\n[[documentation-change]]\non = 2026-06-01\nwhat = \"order\"";
    const LESS: &str = "[[software.other-versions]]\nversion = \"3.9\"\nflows = [\"arrival\", \"pre-lodged-departure\"]\n[credentials]\ngranted = 2025-01-30\napi = \"2.1\"\nflows = [\"arrival\"]\nversion = \"3.9\"";
    const SAME: &str = "[[software.other-versions]]\nversion = \"4.0\"\nflows = [\"arrival\", \"standard-departure\"]\n[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\nversion = \"4.2\"";
    hold(&[
        held(
            F,
            SA,
            "2026-11-21",
            HELD,
            &["further-application info … one application covers all versions"],
            WARNS,
            "4.1 was tested, 4.2 has the same flows",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            OTHER,
            &["further-application warning: version 3.9 … `arrival` … an application of its own"],
            NONE,
            "other flows, no credentials at all",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            OTHER_HELD,
            &["further-application warning: version 3.9"],
            NONE,
            "credentials that name another version are not its own",
        ),
        held(F, SA, "2026-11-21", BOTH_HELD, &["ready true"], WARNS, "it has its own"),
        held(
            F,
            SA,
            "2025-01-29",
            BOTH_HELD,
            &["further-application warning: version 3.9"],
            NONE,
            "not before they were granted",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            CHANGED,
            &["further-application warning: version 3.9"],
            NONE,
            "the documentation changed after they were granted",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            LESS,
            &["further-application warning: version 3.9 … for `pre-lodged-departure`"],
            NONE,
            "its own credentials lack one of its flows",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            SAME,
            &[
                "further-application info: one application covers all versions … `4.0` and `4.2` alike",
                "ready true",
            ],
            WARNS,
            "the same flows in another order are the same",
        ),
        held(G, SA, "2026-11-21", OTHER, NONE, WARNS, "balances need no credentials"),
    ]);
}

#[test]
fn a_change_of_the_documentation_asks_again() {
    const ARRIVAL: &str = "[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\n[[documentation-change]]\non = 2026-06-01\nwhat = \"IE025 first\"\nflows = [\"arrival\"]";
    const ALL: &str = "[credentials]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\n[[documentation-change]]\non = 2026-06-01\nwhat = \"IE025 first\"";
    const SAME_DAY: &str = "[credentials]\ngranted = 2026-06-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\n[[documentation-change]]\non = 2026-06-01\nwhat = \"IE025 first\"";
    const RENEWED: &str = "[[credentials]]\ngranted = 2025-03-01\napi = \"2.1\"\nflows = [\"standard-departure\", \"arrival\"]\n[[credentials]]\ngranted = 2026-07-01\napi = \"2.1\"\nflows = [\"arrival\"]\n[[documentation-change]]\non = 2026-06-01\nwhat = \"IE025 first\"\nflows = [\"arrival\"]";
    const SIX: &str = "[credentials]\ngranted = 2026-05-01\napi = \"3.0\"\nflows = [\"standard-departure\", \"arrival\"]\n[[documentation-change]]\non = 2026-06-01\nwhat = \"IE025 first\"\nflows = [\"arrival\"]";
    const SIX_OUT: &str = "[credentials]\ngranted = 2026-05-01\napi = \"3.0\"\nflows = [\"standard-departure\", \"arrival\"]\n[[documentation-change]]\non = 2026-06-01\nwhat = \"IE028 first\"\nflows = [\"standard-departure\"]";
    hold(&[
        held(
            F,
            SA,
            "2026-05-31",
            ARRIVAL,
            &[
                "arrival not needed",
                "documentation-changed info: the documentation changes on 2026-06-01",
                "ready true",
            ],
            NONE,
            "the day before it still holds, and is told",
        ),
        held(
            F,
            SA,
            "2026-06-01",
            ARRIVAL,
            &[
                "arrival needed: the documentation changed on 2026-06-01 (IE025 first), after production credentials were granted on 2025-03-01",
                "standard-departure not needed",
                "further-application info: a new application is needed for `arrival`: the documentation changed",
                "ready false",
            ],
            NONE,
            "the day itself: the flow affected alone",
        ),
        held(F, SA, "2026-06-02", ARRIVAL, &["arrival needed"], NONE, "the day after"),
        held(
            F,
            SA,
            "2026-06-14",
            ARRIVAL,
            &[
                "documentation-changed info: the documentation changed on 2026-06-01 … must have begun on that day or later",
            ],
            NONE,
            "evidence of 13 days before may still lie before it",
        ),
        held(
            F,
            SA,
            "2026-06-15",
            ARRIVAL,
            &["arrival needed"],
            &["documentation-changed"],
            "evidence that is fresh now lies after it",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            ALL,
            &["arrival needed", "standard-departure needed"],
            &["further-application info: no new"],
            "a change that names no flow affects all",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            SAME_DAY,
            &["ready true"],
            NONE,
            "granted on that day is not before it",
        ),
        held(
            F,
            SA,
            "2026-11-21",
            RENEWED,
            &["ready true"],
            NONE,
            "the flow affected was applied for again",
        ),
        held(
            F,
            SA,
            "2026-06-30",
            RENEWED,
            &["arrival needed", "standard-departure not needed"],
            NONE,
            "the day before that was granted",
        ),
        held(
            S,
            SA,
            "2026-11-21",
            SIX,
            &["outbound-movement not needed"],
            NONE,
            "NCTS6 tests an outbound movement, which this does not affect",
        ),
        held(S, SA, "2026-11-21", SIX_OUT, &["outbound-movement needed"], NONE, "this does"),
    ]);
}

#[test]
fn runs_begun_before_a_change_do_not_count() {
    // The house's runs began on 20 November 2026.
    let rows: &[(&str, &[Flow], bool, &str)] = &[
        ("2026-11-19", &[], true, "begun after it"),
        ("2026-11-20", &[], true, "begun on its day"),
        ("2026-11-21", &[], false, "begun the day before, judged on its day"),
        ("2026-11-22", &[], true, "it comes only after the day judged"),
        ("2026-11-21", &[Flow::Arrival], false, "it affects one of the two"),
        ("2026-11-21", &[Flow::PreLodgedDeparture], true, "it affects neither"),
    ];
    for (on, flows, counts, why) in rows {
        let mut house = House::new();
        house.settings.documentation_change.push(DocumentationChange {
            on: day(on),
            what: "order".to_owned(),
            flows: flows.to_vec(),
        });
        let verdict = house.judge();
        let found = verdict.findings.iter().filter(|finding| {
            finding.rule == "documentation-changed" && finding.severity == verdict::Severity::Error
        });
        let hit: Vec<_> = found.filter_map(|finding| finding.requirement.as_deref()).collect();
        assert_eq!(verdict.ready, *counts, "{why}: {verdict:#?}");
        assert_eq!(hit.is_empty(), *counts, "{why}: {hit:?}");
        assert_eq!(hit.contains(&"standard-departure"), !counts && flows.is_empty(), "{why}");
    }
    // On the later day of submission the change has come.
    let mut house = House::new();
    let change = DocumentationChange { on: day("2026-11-22"), what: "order".into(), flows: vec![] };
    house.settings.documentation_change.push(change);
    house.submit_on = Some(day("2026-11-23"));
    let verdict = house.judge();
    let message = verdict.findings.iter().find(|finding| finding.rule == "documentation-changed");
    assert_eq!(
        message.unwrap().message,
        "`DNGB1` was begun on 2026-11-20, before the documentation changed on 2026-11-22 (order); change the software where that affects it, and run it again"
    );
}

#[test]
fn runs_start_no_earlier_than_a_change() {
    let scenario: Scenario = toml::from_str(
        "id = \"ANGB1\"\ntitle = \"Arrival\"\nflow = \"arrival\"\nside = \"GB\"\n\
         source = \"TG5\"\n[[step]]\nsend = \"IE007\"\nexpect = [{ message = \"IE043\" }]",
    )
    .unwrap();
    let start = |on: &str, flow: Flow| {
        let mut house = House::new();
        let change = DocumentationChange { on: day(on), what: "order".into(), flows: vec![flow] };
        house.settings.documentation_change.push(change);
        house.runs.clear();
        house.integrity = None;
        house.as_of = utc("2026-11-10T12:00:00Z");
        house.submit_on = Some(day("2026-12-04"));
        let scenarios = [&scenario];
        let case = PlanCase { case: house.case(), scenarios: &scenarios, recommended: false };
        plan(&case).schedule[0].start_no_earlier
    };
    // Fresh on 4 December is what began on Saturday 21 November or later.
    let fresh = Some(utc("2026-11-23T07:00:00Z"));
    assert_eq!(start("2026-12-01", Flow::Arrival), Some(utc("2026-12-01T07:00:00Z")));
    assert_eq!(start("2026-12-01", Flow::StandardDeparture), fresh);
    assert_eq!(start("2026-11-12", Flow::Arrival), fresh);
    assert_eq!(start("2026-12-05", Flow::Arrival), fresh, "it comes only after submission");
}

#[test]
fn the_programme_to_begin_with_is_the_one_open() {
    for (on, id, why) in [
        ("2020-01-01", T, "the first to open"),
        ("2023-10-30", T, "phase 1"),
        ("2024-06-03", T, "its last day"),
        ("2024-06-04", F, "phase 2"),
        ("2026-04-14", F, "NCTS6 is open too; NCTS5 is what is live"),
        ("2099-12-31", F, "no end is published"),
    ] {
        let programme = usual(CATALOGUE.programmes(), day(on)).unwrap();
        assert_eq!(programme.id, id, "{on}: {why}");
    }
    assert!(usual(&[], day("2026-01-01")).is_none());
}

fn flows() -> impl Strategy<Value = Vec<Flow>> {
    let all = vec![Flow::StandardDeparture, Flow::PreLodgedDeparture, Flow::Arrival];
    proptest::sample::subsequence(all, 1..=3)
}

fn days() -> impl Strategy<Value = NaiveDate> {
    (0_u64..1500).prop_map(|n| london::add_days(day("2023-10-01"), n))
}

fn entry() -> impl Strategy<Value = Credentials> {
    let api = proptest::sample::select(vec!["2.0", "2.1", "3.0"]);
    (days(), api, flows()).prop_map(|(granted, api, flows)| Credentials {
        granted,
        api: api.to_owned(),
        flows,
        version: None,
    })
}

fn change() -> impl Strategy<Value = DocumentationChange> {
    (days(), proptest::option::of(flows())).prop_map(|(on, flows)| DocumentationChange {
        on,
        what: "order".to_owned(),
        flows: flows.unwrap_or_default(),
    })
}

fn house() -> impl Strategy<Value = (&'static Programme, Settings, NaiveDate)> {
    let programmes = proptest::sample::select(vec![T, F, S, G]);
    let entries = proptest::collection::vec(entry(), 0..4);
    let changes = proptest::collection::vec(change(), 0..3);
    (programmes, flows(), entries, changes, days()).prop_map(|(id, flows, held, changes, day)| {
        let mut settings = settings(SA, "");
        settings.software.flows = flows;
        settings.credentials = held;
        settings.documentation_change = changes;
        (programme(id), settings, day)
    })
}

/// The requirements that apply.
fn applying(programme: &Programme, settings: &Settings, day: NaiveDate) -> Vec<String> {
    let needs = needs(programme, &CATALOGUE, settings, day).unwrap();
    needs.into_iter().filter(|need| need.applies).map(|need| need.requirement).collect()
}

fn within(some: &[String], all: &[String]) -> bool {
    some.iter().all(|one| all.contains(one))
}

proptest! {
    #[test]
    fn credentials_for_more_flows_never_ask_more(
        (programme, settings, day) in house(),
        at in any::<proptest::sample::Index>(),
        more in flows(),
        another in entry(),
    ) {
        let before = applying(programme, &settings, day);
        let mut wider = settings.clone();
        if !wider.credentials.is_empty() {
            let at = at.index(wider.credentials.len());
            wider.credentials[at].flows.extend(more);
        }
        let after = applying(programme, &wider, day);
        prop_assert!(within(&after, &before), "{before:?} became {after:?}");
        wider.credentials.push(another);
        let after = applying(programme, &wider, day);
        prop_assert!(within(&after, &before), "{before:?} became {after:?}");
    }

    #[test]
    fn a_change_of_the_documentation_never_asks_less(
        (programme, mut settings, day) in house(),
        change in change(),
    ) {
        let before = applying(programme, &settings, day);
        settings.documentation_change.push(change);
        let after = applying(programme, &settings, day);
        prop_assert!(within(&before, &after), "{before:?} became {after:?}");
    }

    #[test]
    fn needs_findings_and_the_gate_agree((programme, settings, day) in house()) {
        let (needs, verdict) = judged(programme, &settings, london::judging_instant(day));
        let asked = needs
            .iter()
            .any(|need| need.kind == RequirementKind::Mandatory && need.applies);
        let has = |text: &str| {
            let mut findings = verdict.findings.iter();
            findings.any(|it| it.rule == "further-application" && it.message.starts_with(text))
        };
        let nothing = nothing_left(programme, &settings, day);
        prop_assert_eq!(nothing, has("no new application is needed"));
        // Without a requirement of these flows there is nothing to cover.
        prop_assert!(!(nothing && asked));
        if has("a new application is needed") {
            prop_assert!(asked && !verdict.ready);
        }
        let pending = programme.pending_checklist.is_some();
        prop_assert_eq!(verdict.nothing_to_submit().is_some(), nothing || pending);
    }

    #[test]
    fn other_versions_change_no_needs((programme, mut settings, day) in house(), more in flows()) {
        let before = applying(programme, &settings, day);
        let version = "3.9".to_owned();
        settings.software.other_versions.push(OtherVersion { version, flows: more });
        prop_assert_eq!(before, applying(programme, &settings, day));
    }
}
