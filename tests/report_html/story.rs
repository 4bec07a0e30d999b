//! The page of a house with attempts of every kind.

use std::sync::LazyLock;

use ctc_ready::digest::Digest;
use ctc_ready::evidence::format::Layout;
use ctc_ready::evidence::{
    BalanceAnswered, Event, Failure, FunctionalError, Purpose, Recorded, RunResumed, RunState,
    SealReport, TimeStampReport,
};
use ctc_ready::report::Dossier;

use crate::checks::{check, elements, parse, words};
use crate::support::{House, get, house, id, messages};

static STORY: LazyLock<(String, Dossier)> = LazyLock::new(|| house().page());

#[test]
fn the_page_holds_together() {
    check(&STORY.0);
}

#[test]
fn the_words_are_these() {
    insta::with_settings!({filters => vec![
        // The salt of a store is random, and so is its id.
        (r"redacted:[0-9a-f]{16}", "redacted:[salted]"),
        (r"Store [0-9a-f-]{36}", "Store [id]"),
        (r"with [0-9,]+ bytes", "with [some] bytes"),
        (r"ctc-ready [0-9]+\.[0-9]+\.[0-9]+", "ctc-ready [version]"),
    ]}, {
        insta::assert_snapshot!(words(&STORY.0));
    });
}

#[test]
fn the_picture_is_this() {
    let (from, to) = (STORY.0.find("<figure>").unwrap(), STORY.0.find("<figcaption>").unwrap());
    insta::assert_snapshot!(&STORY.0[from..to]);
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let house = house();
    assert!(house.page().0 == house.page().0);
}

#[test]
fn every_requirement_run_message_and_exchange_is_there() {
    let (page, dossier) = &*STORY;
    let document = parse(page);
    let has = |id: String| {
        assert!(document.descendants().any(|node| node.attribute("id") == Some(&id)), "{id}");
    };
    for at in 1..=dossier.verdict.requirements.len() {
        has(format!("requirement-{at}"));
    }
    for at in 1..=dossier.verdict.findings.len() {
        has(format!("finding-{at}"));
    }
    assert_eq!(dossier.runs.len(), 5);
    for story in &dossier.runs {
        has(format!("run-{}", story.record.run));
        for exchange in &story.exchanges {
            has(format!("run-{}-x{}", story.record.run, exchange.request.exchange));
        }
    }
    assert_eq!(messages(dossier).count(), 12);
    for (run, number, _) in messages(dossier) {
        has(format!("run-{run}-m{number}"));
    }
    // Each run has its row in the picture, which leads to it.
    let svg = elements(&document, "svg").next().unwrap();
    for story in &dossier.runs {
        let target = format!("#run-{}", story.record.run);
        assert!(svg.descendants().any(|node| node.attribute("href") == Some(&target)));
    }
}

#[test]
fn what_counts_is_open_and_what_does_not_is_told_with_its_reason() {
    let document = parse(&STORY.0);
    let open = |n: u128| {
        let anchor = format!("run-{}", id(n));
        let place = document.descendants().find(|node| node.attribute("id") == Some(&anchor));
        place.unwrap().parent().unwrap().attribute("open").is_some()
    };
    assert!(open(3));
    assert!(!open(1) && !open(2) && !open(4) && !open(5));
    let words = words(&STORY.0);
    for reason in [
        "Does not count: failed at step 1: NCTS refused the IE015 with IE056: rejection",
        "Does not count: passed, in the built-in simulator, which never counts",
        "Does not count: not finished: 1 message so far",
        "Does not count: given up",
    ] {
        assert!(words.contains(reason), "{reason}");
    }
}

#[test]
fn marks_are_on_top_in_the_title_and_on_paper() {
    let document = parse(&STORY.0);
    let text = |name| elements(&document, name).next().unwrap().text().unwrap();
    assert!(text("title").starts_with("DRAFT · "));
    assert!(text("style").contains("@top-center { content: \"DRAFT\""));
    assert!(words(&STORY.0).contains("\nDRAFT\n"));
    // Some of it is simulated, and says so; none of that counts.
    assert!(!STORY.0.contains("SIMULATED: NOT FROM"));
    assert_eq!(STORY.0.matches("<span class=\"tag\">SIMULATED</span>").count(), 1);

    let house = House::new();
    let simulated = house.open(1, "DNGB1", true);
    house.close(simulated, RunState::Passed, None);
    let (page, _) = house.page();
    check(&page);
    assert!(words(&page).contains("\nSIMULATED: NOT FROM HMRC’S TEST SYSTEM\n"));
    assert!(
        page.contains("@top-center { content: \"DRAFT · SIMULATED: NOT FROM HMRC’S TEST SYSTEM\"")
    );
}

#[test]
fn rarer_things_are_told_too() {
    let house = House::new();
    let mut asked = house.open_in("guarantee-balance", 1, "Scenario 1 GB", false);
    house.ask(&mut asked, get(Purpose::Balance, "/balance"));
    house.answer(&mut asked, 200, None);
    let answered = BalanceAnswered {
        step: 1,
        exchange: 1,
        status: 200,
        balance: Some(12.5),
        currency: Some("GBP".into()),
        code: None,
    };
    house.tell(&mut asked, Event::BalanceAnswered(answered));
    let mut last = get(Purpose::Balance, "/balance");
    last.headers = (0..70).map(|n| (format!("x-{n}"), String::new())).collect();
    house.ask(&mut asked, last);
    let error = FunctionalError {
        pointer: "/CC015C".into(),
        code: "12".into(),
        reason: "N/A".into(),
        value: None,
    };
    let errors = vec![error.into(); 60];
    let failure = Failure { reason: "rejected".into(), step: 1, errors, ..Failure::default() };
    house.close(asked, RunState::Failed, Some(failure));

    let (store, mut dossier) = house.dossier();
    let resumed = RunResumed { session: id(98), tool: "ctc-ready 0.1.0".into(), cut_bytes: 7 };
    let events = &mut dossier.runs[0].events;
    events.insert(3, Recorded { event: Event::RunResumed(resumed), ..events[3].clone() });
    let waived = &mut dossier.verdict.findings[0];
    waived.waived = Some("agreed by letter".into());
    dossier.verdict.submit_on = Some("2026-12-01".parse().unwrap());
    dossier.verdict.ready = true;
    dossier.verdict.rehearsal = true;
    dossier.mark = None;
    for valid in [true, false] {
        let seal = format!("{}.dsse.json", 1 + dossier.integrity.seals.len());
        let key = Digest::of(b"key");
        dossier.integrity.seals.push(SealReport {
            seal,
            at: None,
            key,
            endorsed_by: None,
            covers_runs: 1,
            index_head: None,
            valid,
            time_stamp: valid.then(|| TimeStampReport {
                at: "2026-11-12T12:00:00Z".parse().unwrap(),
                authority: Some("Invented <authority>".into()),
                authority_checked: false,
            }),
        });
    }
    let page = house.render(&store, &dossier, 32 << 20);
    check(&page);
    let words = words(&page);
    for told in [
        "REHEARSAL: NOT FOR SUBMISSION",
        "# ✓ READY, in a rehearsal only ",
        "1 waived",
        "Waived by the house, agreed by letter",
        "Day of submission: 2026-12-01",
        "Step 1: HTTP 200 12.5 GBP",
        "took the run up again",
        "7 bytes of a half-written line were cut off",
        "asks for a balance: the journal ends before its answer",
        "and 10 headers more",
        "and 10 errors more",
        "| 1.dsse.json | ✓ valid | 1 run | 2026-11-12 12:00:00 UTC (12:00:00 GMT) by Invented \
         <authority>; whether it is that authority was not checked |",
        "| 2.dsse.json | ✗ not valid | 1 run | none |",
    ] {
        assert!(words.contains(told), "{told}");
    }
}

#[test]
fn a_store_without_runs_makes_a_page() {
    let (page, dossier) = House::new().page();
    assert!(dossier.runs.is_empty());
    check(&page);
    assert!(words(&page).contains("No attempt counts."));
}

#[test]
fn a_body_that_is_gone_or_changed_is_named() {
    let house = house();
    let (_, dossier) = house.page();
    let layout = Layout::new(&house.dir);
    let body = |run: usize| dossier.runs[run].record.messages[0].body.sha256;
    std::fs::remove_file(layout.object(body(0))).unwrap();
    std::fs::write(layout.object(body(2)), b"<forged/>").unwrap();
    let (page, _) = house.page();
    check(&page);
    assert!(!page.contains("forged"));
    for sha256 in [body(0), body(2)] {
        assert!(!page.contains(&format!("id=\"o-{sha256}\"")));
        assert!(page.contains(&sha256.to_string()));
    }
    let words = words(&page);
    assert!(words.contains("not on this page: it cannot be read: "));
    // Where the store lies on this machine is nobody's business.
    assert!(words.contains("cannot read evidence/objects/"));
    assert!(!page.contains(house.dir.parent().unwrap().to_str().unwrap()));
}

#[test]
fn a_run_that_was_removed_is_disclosed() {
    let mut house = house();
    house.remove(2, "made by <mistake>");
    let (page, dossier) = house.page();
    assert_eq!(dossier.runs.len(), 4);
    check(&page);
    assert!(page.contains(&format!("<tr id=\"run-{}\">", id(2))));
    let words = words(&page);
    assert!(words.contains("# Removed by the house"));
    assert!(words.contains(
        "| DNGB2, attempt 1 | ncts5-final | trader-test | given up | 2 | made by <mistake>"
    ));
    assert!(words.contains("Every other attempt (4)"));
}

#[test]
fn a_run_that_cannot_be_read_is_disclosed() {
    let house = house();
    std::fs::write(Layout::new(&house.dir).journal(id(1)), b"{}\n").unwrap();
    let (page, dossier) = house.page();
    assert_eq!(dossier.runs.len(), 4);
    check(&page);
    let words = words(&page);
    assert!(words.contains("# On record, and not to be read"));
    assert!(words.contains("Not intact"));
}
