//! What may be removed, what stays, and that it stays disclosed.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ctc_ready::evidence::prune::{Stays, plan};
use ctc_ready::evidence::*;
use ctc_ready::project::Environment;

use crate::support::*;

const DAY: u64 = 86_400;

/// One attempt a day: (scenario, environment, state).
fn history(
    dir: &std::path::Path,
    attempts: &[(&str, Environment, RunState)],
) -> (Vec<RunId>, DateTime<Utc>) {
    let clock = clock();
    let store = open(dir, &clock).unwrap();
    let redactor = store.redactor();
    let mut runs = Vec::new();
    for (n, (scenario, environment, state)) in attempts.iter().enumerate() {
        clock.advance(Duration::from_secs(DAY));
        let mut run_opened = opened(&store, scenario);
        run_opened.environment = *environment;
        let mut run = store.open_run(run_opened).unwrap();
        let own = run.put_object(format!("<own n='{n}'/>").as_bytes(), None, &redactor).unwrap();
        let shared = run.put_object(b"<shared/>", None, &redactor).unwrap();
        for (exchange, body) in [(1, own), (2, shared)] {
            let asked = request(exchange, Purpose::Submit, Some(body.clone()));
            run.append(Event::Request(asked), Durability::Buffered).unwrap();
            let answer = Event::Response(response(exchange, 202, None));
            run.append(answer, Durability::Buffered).unwrap();
            run.append(Event::Submitted(submitted(exchange, body)), Durability::Synced).unwrap();
        }
        runs.push(run.run());
        if *state != RunState::Waiting {
            store.close_run(run, RunClosed { state: *state, failure: None }).unwrap();
        }
    }
    clock.advance(Duration::from_secs(DAY));
    (runs, start() + TimeDelta::days(attempts.len() as i64 + 1))
}

use Environment::{Sandbox, TraderTest};
use RunState::{Abandoned, Failed, Passed, Waiting};

#[test]
fn what_stands_for_something_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, now) = history(
        folder.path(),
        &[
            ("DSGB1", TraderTest, Failed),    // goes
            ("DSGB1", TraderTest, Passed),    // stands for a requirement
            ("DSGB1", TraderTest, Passed),    // goes
            ("DSGB1", TraderTest, Passed),    // newest passed
            ("DSGB1", TraderTest, Abandoned), // goes
            ("DSGB1", TraderTest, Failed),    // latest
            ("DSGB1", Sandbox, Passed),       // newest of another environment
            ("DSGB2", Sandbox, Waiting),      // open
            ("DSGB3", Sandbox, Failed),       // goes: see next
            ("DSGB3", Sandbox, Failed),       // latest, and recent
        ],
    );
    let store = Store::open(folder.path()).unwrap();
    let keep = BTreeSet::from([runs[1]]);
    let planned = plan(&store, &keep, now).unwrap();
    let stays: Vec<Option<Stays>> = runs
        .iter()
        .map(|run| {
            let all = planned.keep.iter().chain(&planned.remove);
            all.clone().find(|it| it.run == *run).unwrap().stays
        })
        .collect();
    assert_eq!(
        stays,
        [
            None,
            Some(Stays::StandsForRequirement),
            None,
            Some(Stays::NewestPassed),
            None,
            Some(Stays::LatestAttempt),
            Some(Stays::NewestPassed),
            Some(Stays::Open),
            None,
            Some(Stays::LatestAttempt),
        ]
    );
    assert_eq!(planned.objects, 4, "the shared body stays");
    assert_eq!(planned.remove.iter().map(|it| it.bytes).sum::<u64>(), planned.bytes);
    // What ended lately stays.
    let recent = plan(&store, &keep, start() + TimeDelta::days(4)).unwrap();
    assert_eq!(recent.runs(), BTreeSet::from([runs[0], runs[2]]));
    assert_eq!(recent.keep.iter().filter(|it| it.stays == Some(Stays::Recent)).count(), 2);
    // A plan changes nothing.
    assert_eq!(verify(folder.path()).unwrap().problems, []);
    assert_eq!(store.runs().unwrap().len(), runs.len());
}

#[test]
fn a_removed_run_is_gone_and_disclosed() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, now) = history(
        folder.path(),
        &[("DSGB1", Sandbox, Failed), ("DSGB1", Sandbox, Passed), ("DSGB1", Sandbox, Passed)],
    );
    let before = files(folder.path());
    let size =
        |dir| files(dir).iter().map(|file| dir.join(file).metadata().unwrap().len()).sum::<u64>();
    let bytes_before =
        size(folder.path()) - folder.path().join("index.jsonl").metadata().unwrap().len();
    let planned = plan(&Store::open(folder.path()).unwrap(), &BTreeSet::new(), now).unwrap();
    assert_eq!(planned.runs(), BTreeSet::from([runs[0], runs[1]]));
    let writer = open(folder.path(), &clock()).unwrap();
    writer.remove_runs(&planned.runs(), "no room").unwrap();
    let again = writer.remove_runs(&planned.runs(), "no room");
    assert!(matches!(again, Err(EvidenceError::Misplaced { .. })));
    assert_eq!(writer.next_attempt("ncts5-final", "DSGB1"), 4, "every attempt counts");
    drop(writer);

    assert_eq!(files(folder.path()).len(), before.len() - 4);
    let bytes = size(folder.path()) - folder.path().join("index.jsonl").metadata().unwrap().len();
    assert_eq!(bytes_before - bytes, planned.bytes, "what was planned");
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.problems, report.runs, report.objects), (vec![], 3, 2));
    let store = Store::open(folder.path()).unwrap();
    let told: Vec<_> = store
        .removed()
        .map(|(run, it)| (run, it.attempt, it.closed.unwrap().state, it.removed.as_deref()))
        .collect();
    assert_eq!(
        told,
        [(runs[0], 1, Failed, Some("no room")), (runs[1], 2, Passed, Some("no room"))]
    );
    assert_eq!(store.runs().unwrap().len(), 1);
    assert_eq!(store.readable_runs().1, []);
    let error = store.run(runs[0]).unwrap_err();
    assert!(error.to_string().contains("was removed from the store: no room"), "{error}");
    let resumed = open(folder.path(), &clock()).unwrap().resume_run(runs[0]);
    assert!(matches!(resumed, Err(EvidenceError::RunClosed(_))));
}

#[test]
fn open_and_unknown_runs_are_not_removed() {
    let small = small_store();
    let writer = open(&small.dir, &clock()).unwrap();
    let refused = writer.remove_runs(&BTreeSet::from([small.open]), "x");
    assert!(matches!(refused, Err(EvidenceError::Misplaced { .. })));
    let unknown = writer.remove_runs(&BTreeSet::from([uuid::Uuid::nil()]), "x");
    assert!(matches!(unknown, Err(EvidenceError::UnknownRun(_))));
    drop(writer);
    assert!(verify(&small.dir).unwrap().intact);
    assert_eq!(Store::open(&small.dir).unwrap().removed().count(), 0);
}

/// Someone puts a removed run back, takes its lines out of the index, or says
/// that a run was removed that was not.
#[test]
fn a_removal_cannot_be_forged() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, _) =
        history(folder.path(), &[("DSGB1", Sandbox, Passed), ("DSGB1", Sandbox, Passed)]);
    let journal = folder.path().join(format!("runs/{}/journal.jsonl", runs[0]));
    let text = std::fs::read(&journal).unwrap();
    let writer = open(folder.path(), &clock()).unwrap();
    writer.remove_runs(&BTreeSet::from([runs[0]]), "x").unwrap();
    drop(writer);
    let problems = || verify(folder.path()).unwrap().problems;
    assert_eq!(problems(), []);

    std::fs::create_dir(journal.parent().unwrap()).unwrap();
    std::fs::write(&journal, &text).unwrap();
    assert!(problems().iter().any(|it| it.rule == "removed-run-there"), "{:?}", problems());
    // The next process finishes what looks like a removal that was cut short.
    drop(open(folder.path(), &clock()).unwrap());
    assert_eq!(problems(), []);
    // What is not a journal was put there by someone, and is told for ever.
    std::fs::create_dir(journal.parent().unwrap()).unwrap();
    std::fs::write(journal.with_file_name("notes"), "x").unwrap();
    drop(open(folder.path(), &clock()).unwrap());
    assert!(problems().iter().any(|it| it.rule == "removed-run-there"));
    std::fs::remove_dir_all(journal.parent().unwrap()).unwrap();

    let index = folder.path().join("index.jsonl");
    let good = std::fs::read_to_string(&index).unwrap();
    for (n, line) in good.lines().enumerate().skip(1) {
        let without: String =
            good.lines().filter(|other| *other != line).map(|line| format!("{line}\n")).collect();
        std::fs::write(&index, &without).unwrap();
        // Cutting off the last line is the one thing that a chain cannot show.
        let last = n + 1 == good.lines().count();
        assert!(last || !problems().is_empty(), "line {n}");
    }
    let forged = good.replacen(&runs[0].to_string(), &runs[1].to_string(), 9);
    std::fs::write(&index, forged).unwrap();
    assert!(!problems().is_empty());
}

/// A secret that a server puts into what is read from its answers is in no
/// line either.
#[test]
fn no_line_of_a_journal_holds_a_known_secret() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &clock()).unwrap();
    let secret = "s3cr3t\"&<token>/0123456789";
    store.redactor().learn(&secret.to_owned().into());
    let mut first = opened(&store, "DSGB1");
    first.operator = Some(format!("who has {secret}"));
    let mut run = store.open_run(first).unwrap();
    let failed = RequestFailed {
        exchange: 1,
        failure: "other".into(),
        detail: format!("no such host: {secret}"),
        may_have_arrived: true,
    };
    run.append(Event::Request(request(1, Purpose::Submit, None)), Durability::Synced).unwrap();
    let recorded = run.append(Event::RequestFailed(failed), Durability::Synced).unwrap();
    let Event::RequestFailed(kept) = &recorded.event else { panic!() };
    assert!(kept.detail.starts_with("no such host: redacted:"), "{}", kept.detail);
    let id = run.run();
    let failure = Failure { message: secret.to_owned(), ..Failure::default() };
    store.close_run(run, RunClosed { state: Failed, failure: Some(failure) }).unwrap();
    drop(store);
    let text = std::fs::read_to_string(folder.path().join(format!("runs/{id}/journal.jsonl")));
    let text = text.unwrap();
    assert!(!text.contains("s3cr3t") && text.matches("redacted:").count() == 3, "{text}");
    assert_eq!(Store::open(folder.path()).unwrap().events(id).unwrap()[2], recorded);
    assert!(verify(folder.path()).unwrap().intact);
}
