//! The iCalendar file, read back line by line by the rules of RFC 5545.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::{NaiveDate, NaiveDateTime};
use ctc_ready::verdict::Plan;
use ctc_ready::verdict::plan::ics;

use crate::support::*;
use crate::verdict_support::*;

/// Properties by name, with parameters; text is unescaped.
type Event = BTreeMap<String, String>;

/// Reads a calendar, and refuses what RFC 5545 refuses.
fn read(text: &str) -> (Event, Vec<Event>) {
    assert!(text.ends_with("\r\n"));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "lines end with CRLF");
    assert_eq!(text.matches('\r').count(), text.matches("\r\n").count());
    for line in text.split("\r\n") {
        assert!(line.len() <= 75, "{} octets: {line}", line.len());
        assert!(!line.chars().any(|c| c.is_control()), "{line:?}");
    }
    let unfolded = text.replace("\r\n ", "");
    let mut lines = unfolded.split_terminator("\r\n");
    assert_eq!(lines.next(), Some("BEGIN:VCALENDAR"));
    let (mut head, mut events, mut open) = (Event::new(), Vec::new(), None::<Event>);
    let mut ended = false;
    for line in lines {
        assert!(!ended, "nothing after the end: {line}");
        let (name, value) = line.split_once(':').unwrap();
        match (name, value) {
            ("BEGIN", "VEVENT") => assert!(open.replace(Event::new()).is_none()),
            ("END", "VEVENT") => events.push(open.take().unwrap()),
            ("END", "VCALENDAR") => ended = true,
            _ => {
                let value = if matches!(name, "SUMMARY" | "DESCRIPTION") {
                    unescape(value)
                } else {
                    value.to_owned()
                };
                let place = open.as_mut().unwrap_or(&mut head);
                assert!(place.insert(name.to_owned(), value).is_none(), "{name} twice");
            }
        }
    }
    assert!(ended && open.is_none());
    (head, events)
}

/// TEXT of RFC 5545, section 3.3.11.
fn unescape(value: &str) -> String {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(c @ ('\\' | ';' | ',')) => out.push(c),
                other => panic!("escape {other:?} in {value}"),
            },
            ';' | ',' => panic!("`{c}` must be escaped: {value}"),
            c => out.push(c),
        }
    }
    out
}

fn instant(value: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(value, "%Y%m%dT%H%M%SZ").unwrap()
}

fn date(value: &str) -> NaiveDate {
    NaiveDate::parse_from_str(value, "%Y%m%d").unwrap()
}

/// Every event has what it must have.
fn check(events: &[Event], as_of: &str) {
    let uids: BTreeSet<&str> = events.iter().map(|event| event["UID"].as_str()).collect();
    assert_eq!(uids.len(), events.len(), "UIDs are unique");
    for event in events {
        assert_eq!(event["DTSTAMP"], as_of, "{event:?}");
        assert!(!event["SUMMARY"].is_empty() && !event["DESCRIPTION"].is_empty());
        match (event.get("DTSTART"), event.get("DTSTART;VALUE=DATE")) {
            (Some(start), None) => {
                if let Some(end) = event.get("DTEND") {
                    assert!(instant(start) < instant(end), "{event:?}");
                }
            }
            (None, Some(day)) => {
                date(day);
                assert!(!event.contains_key("DTEND"), "{event:?}");
                assert_eq!(event["TRANSP"], "TRANSPARENT");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Half proven, half to do, with a phase that closes and a date ahead.
fn house() -> House {
    let mut house = House::new();
    house.runs.remove(0);
    house.programme.phase[0].closes = Some(day("2026-12-24"));
    house.go_live("2026-12-20");
    house.submit_on = Some(day("2026-12-03"));
    house
}

fn plan(house: &House) -> Plan {
    plan_with(house, &[NORMAL, SIMPLIFIED])
}

#[test]
fn a_calendar_has_what_people_must_not_miss() {
    let house = house();
    let text = ics::calendar("Transit Desk", &[plan(&house)]).unwrap();
    let (head, events) = read(&text);
    assert_eq!(head["VERSION"], "2.0");
    assert_eq!(head["PRODID"], ics::PRODUCT);
    assert_eq!(ics::events(&text), events.len());
    check(&events, "20261121T120000Z");
    let rows: Vec<(&str, &str, Option<&str>)> = events
        .iter()
        .map(|event| {
            let start = event.get("DTSTART").or(event.get("DTSTART;VALUE=DATE")).unwrap();
            let end = event.get("DTEND").map(String::as_str);
            (event["SUMMARY"].as_str(), start.as_str(), end)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("DNGB1: latest start (ncts5-final)", "20261202T164500Z", Some("20261202T170000Z")),
            // Until the office closes; the follow-up is a day later.
            (
                "DNGB1: officers at step 2 (ncts5-final)",
                "20261202T164500Z",
                Some("20261202T170000Z")
            ),
            ("Evidence for arrival lapses (ncts5-final)", "20261203T235959Z", None),
            ("Send the application to HMRC (ncts5-final)", "20261203", None),
            ("Phase 2 closes (ncts5-final)", "20261224", None),
            ("lead time (ncts5-final)", "20261206", None),
        ]
    );
    let description = &events[0]["DESCRIPTION"];
    assert!(description.contains("from Mon 2026-11-23 09:00 (London)"), "{description}");
    assert!(
        description.contains("\nStep 2, Wed 2026-12-02 16:45 (London): e-mail"),
        "{description}"
    );
    assert!(events[1]["DESCRIPTION"].contains("by Thu 2026-12-03 16:45 (London)"));
}

#[test]
fn lapses_are_those_of_runs_that_count() {
    let lapses = |house: &House| {
        let (_, events) = read(&ics::calendar("Transit Desk", &[plan(house)]).unwrap());
        events.iter().filter(|event| event["SUMMARY"].contains("lapses")).count()
    };
    let mut house = House::new();
    // Good now, and too old on the day: all the more a date to know.
    house.submit_on = Some(day("2026-12-10"));
    assert_eq!(lapses(&house), 2);
    // Of another version: it counts for nothing.
    house.runs[0].software.version = "4.1".to_owned();
    assert_eq!(lapses(&house), 1);
    // Lapsed already.
    house.as_of = utc("2026-12-04T00:00:00Z");
    assert_eq!(lapses(&house), 0);
}

#[test]
fn london_summer_is_an_hour_ahead_of_the_calendar() {
    let mut house = House::new();
    house.runs.clear();
    house.as_of = utc("2026-07-01T00:00:00Z");
    house.submit_on = Some(day("2026-07-14"));
    let (_, events) = read(&ics::calendar("Transit Desk", &[plan(&house)]).unwrap());
    assert_eq!(events[0]["SUMMARY"], "DNGB1: latest start (ncts5-final)");
    assert_eq!(events[0]["DTSTART"], "20260713T154500Z");
}

#[test]
fn a_later_plan_moves_events_and_makes_no_others() {
    let mut house = house();
    let text = ics::calendar("Transit Desk", &[plan(&house)]).unwrap();
    assert_eq!(text, ics::calendar("Transit Desk", &[plan(&house)]).unwrap());
    let (_, before) = read(&text);
    house.as_of = utc("2026-11-22T12:00:00Z");
    house.submit_on = Some(day("2026-12-02"));
    let (_, after) = read(&ics::calendar("Transit Desk", &[plan(&house)]).unwrap());
    check(&after, "20261122T120000Z");
    let uids = |events: &[Event]| -> Vec<String> {
        events.iter().map(|event| event["UID"].clone()).collect()
    };
    assert_eq!(uids(&before), uids(&after));
    assert_ne!(before[0]["DTSTART"], after[0]["DTSTART"]);
    // Another project's events are others.
    let (_, others) = read(&ics::calendar("Other Desk", &[plan(&house)]).unwrap());
    assert!(uids(&others).iter().all(|uid| !uids(&after).contains(uid)));
    // Two programmes in one calendar do not meet either.
    let mut second = plan(&house);
    second.programme = "ncts6".to_owned();
    let (_, both) = read(&ics::calendar("Transit Desk", &[plan(&house), second]).unwrap());
    check(&both, "20261122T120000Z");
}

#[test]
fn no_day_no_latest_start() {
    let mut house = House::new();
    house.runs.clear();
    let (_, events) = read(&ics::calendar("Transit Desk", &[plan(&house)]).unwrap());
    let summaries: Vec<&str> = events.iter().map(|event| event["SUMMARY"].as_str()).collect();
    assert!(summaries.contains(&"DNGB1: first start (ncts5-final)"), "{summaries:?}");
    assert!(!summaries.iter().any(|summary| summary.contains("Send the application")));
}

#[test]
fn nobody_writes_lines_of_their_own() {
    let hostile =
        "A;B,C\\D\r\nEND:VCALENDAR\u{7}\u{85} \u{1b}[2J 株式会社🚚".to_owned() + &"é ".repeat(90);
    let mut house = house();
    house.programme.phase[0].name.clone_from(&hostile);
    house.programme.unpublished[0].what = format!("{hostile}\n{hostile}");
    let text = ics::calendar(&hostile, &[plan(&house)]).unwrap();
    let (_, events) = read(&text);
    check(&events, "20261121T120000Z");
    let whose = "\nA;B,C\\D\nEND:VCALENDAR [2J 株式会社🚚é é";
    assert!(events.iter().all(|event| event["DESCRIPTION"].contains(whose)), "{events:?}");
    let lead = events.iter().find(|event| event["SUMMARY"].starts_with("lead time")).unwrap();
    assert!(lead["DESCRIPTION"].contains("株式会社🚚é"), "{lead:?}");
}

#[test]
fn an_independent_reader_reads_the_same() {
    let script = "import sys, icalendar\n\
        c = icalendar.Calendar.from_ical(sys.stdin.buffer.read())\n\
        for e in c.walk('VEVENT'):\n    \
        print(e['SUMMARY'], e.decoded('DTSTART').isoformat(), sep='|')\n";
    let there =
        Command::new("python3").args(["-c", "import icalendar"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        crate::reference::skipped("Python's `icalendar` is not there");
        return;
    }
    let text = ics::calendar("Transit Desk", &[plan(&house())]).unwrap();
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let (_, events) = read(&text);
    let own: Vec<String> = events
        .iter()
        .map(|event| {
            let start = match event.get("DTSTART") {
                Some(at) => instant(at).format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
                None => date(&event["DTSTART;VALUE=DATE"]).to_string(),
            };
            format!("{}|{start}", event["SUMMARY"])
        })
        .collect();
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(theirs.lines().collect::<Vec<_>>(), own);
}
