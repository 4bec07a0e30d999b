//! Messages in any order: what NCTS says to each in every state, and what it
//! never does whatever comes.

use std::collections::HashMap;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::play::{
    Do::{self, Ask, Send, Wait},
    Play, bad_guarantee, normal, pre_lodged, simplified,
};
use super::sample::{Sample, message};
use crate::ncts::MessageType::{self, Ie007, Ie013, Ie014, Ie015, Ie044, Ie170};
use crate::simulator::movement::{Actor, ArrivalState, DepartureState};
use crate::simulator::options::ApiVersion;

/// What NCTS says at once to the last of these.
fn answer(version: ApiVersion, before: &[Do], last: &Do) -> String {
    let mut play = Play::new(version);
    for what in before {
        play.act(what);
    }
    play.pass(play.now + TimeDelta::seconds(10));
    play.seen.clear();
    play.act(last);
    play.pass(play.now + TimeDelta::milliseconds(1_500));
    let said: Vec<&str> =
        play.seen.iter().filter_map(|line| line.split_once(' ').map(|(_, rest)| rest)).collect();
    said.join(", ")
}

fn released() -> Vec<Do> {
    vec![Send(Ie015, normal()), Ask("accept and release the declaration")]
}

fn arrived(sample: Sample) -> Vec<Do> {
    released().into_iter().chain([Send(Ie007, sample)]).collect()
}

fn discrepant(wish: &'static str) -> Vec<Do> {
    let remarks = Sample { conform: false, seals: Some(false), ..simplified() };
    arrived(simplified()).into_iter().chain([Send(Ie044, remarks), Ask(wish)]).collect()
}

/// A way into every state of a departure.
fn departures() -> Vec<(DepartureState, Vec<Do>)> {
    use DepartureState as State;
    let and = |mut script: Vec<Do>, more: Do| {
        script.push(more);
        script
    };
    vec![
        (State::Acknowledged, vec![Send(Ie015, normal())]),
        (State::PreLodged, vec![Send(Ie015, pre_lodged(simplified()))]),
        (State::Accepted, vec![Send(Ie015, simplified())]),
        (State::UnderControl, vec![Send(Ie015, simplified()), Ask("control it")]),
        (State::GuaranteeInvalid, vec![Send(Ie015, bad_guarantee(simplified()))]),
        (State::Released, released()),
        (State::NotReleased, vec![Send(Ie015, normal()), Ask("accept, control and end it")]),
        (State::Invalidated, and(released(), Ask("cancel the declaration"))),
        (State::Rejected, vec![Send(Ie015, pre_lodged(simplified())), Wait(50)]),
        (State::WrittenOff, and(released(), Ask("ask for the movement to be arrived"))),
        (State::UnderRecovery, discrepant("request major discrepancies and to confirm them")),
    ]
}

/// A way into every state of an arrival.
fn arrivals() -> Vec<(ArrivalState, Vec<Do>)> {
    use ArrivalState as State;
    let and = |mut script: Vec<Do>, more: Do| {
        script.push(more);
        script
    };
    vec![
        (State::Notified, arrived(normal())),
        (State::Accepted, and(arrived(normal()), Ask("accept the arrival notification"))),
        (State::Unloading, arrived(simplified())),
        (
            State::Remarked,
            and(arrived(simplified()), Send(Ie044, Sample { conform: false, ..simplified() })),
        ),
        (State::Discrepant, discrepant("find major discrepancies")),
        (State::Released, and(arrived(simplified()), Send(Ie044, simplified()))),
        (State::Rejected, vec![Send(Ie015, simplified()), Wait(1), Send(Ie007, simplified())]),
        (State::Closed, discrepant("request major discrepancies and to confirm them")),
    ]
}

#[test]
fn every_message_has_its_answer_in_every_state_of_a_departure() {
    use DepartureState as State;
    let guarantee = Sample { guarantee_only: true, ..simplified() };
    for (state, script) in departures() {
        let mut play = Play::new(ApiVersion::V2_1);
        script.iter().for_each(|what| play.act(what));
        play.pass(play.now + TimeDelta::seconds(10));
        assert_eq!(play.ncts.departures["d1"].state, state);
        let late = "d1 IE056:92";
        let amended = match state {
            State::Acknowledged | State::PreLodged => "d1 IE004",
            State::Accepted | State::GuaranteeInvalid => "d1 IE004",
            _ => late,
        };
        let guaranteed = if state == State::GuaranteeInvalid { "d1 IE004" } else { late };
        let cancelled = match state {
            State::Acknowledged | State::PreLodged => "d1 IE009",
            // An officer decides.
            State::Accepted | State::UnderControl | State::GuaranteeInvalid => "",
            _ => late,
        };
        let presented = if state == State::PreLodged { "d1 IE028" } else { late };
        let arrived = match state {
            State::Released => "a1 IE043",
            State::WrittenOff => "a1 IE057:92",
            // Its goods are there already.
            State::UnderRecovery => "a2 IE057:92",
            // The office of destination has not heard of it.
            _ => "a1 IE057:90",
        };
        for (what, expected) in [
            (Send(Ie013, simplified()), amended),
            (Send(Ie013, guarantee.clone()), guaranteed),
            (Send(Ie014, simplified()), cancelled),
            (Send(Ie170, simplified()), presented),
            (Send(Ie007, simplified()), arrived),
        ] {
            let Send(of, sample) = &what else { unreachable!() };
            // A notification needs an MRN, which early states have not got.
            if *of == Ie007 && play.mrn.is_empty() {
                continue;
            }
            let got = answer(ApiVersion::V2_1, &script, &what);
            assert_eq!(got, expected, "{state:?} {of} flag {}", sample.guarantee_only);
        }
        let asked: Vec<Do> = script.iter().cloned().chain([Send(Ie014, simplified())]).collect();
        let again = answer(ApiVersion::V2_1, &asked, &Send(Ie014, simplified()));
        assert_eq!(again, late, "{state:?}: a second request to cancel");
    }
}

#[test]
fn every_message_has_its_answer_in_every_state_of_an_arrival() {
    for (state, script) in arrivals() {
        let mut play = Play::new(ApiVersion::V3_0);
        script.iter().for_each(|what| play.act(what));
        play.pass(play.now + TimeDelta::seconds(10));
        assert_eq!(play.ncts.arrivals["a1"].state, state);
        let remarks = answer(ApiVersion::V3_0, &script, &Send(Ie044, simplified()));
        let expected = match state {
            ArrivalState::Unloading => "a1 IE025, d1 IE045",
            _ => "a1 IE057:92",
        };
        assert_eq!(remarks, expected, "{state:?}");
        let again = answer(ApiVersion::V3_0, &script, &Send(Ie007, simplified()));
        // The rejected one came before the release; so does this.
        let expected = match state {
            ArrivalState::Rejected => "a2 IE057:90",
            _ => "a2 IE057:92",
        };
        assert_eq!(again, expected, "{state:?}");
    }
}

#[test]
fn references_and_places_that_do_not_fit_are_named() {
    let lodged = || vec![Send(Ie015, pre_lodged(simplified()))];
    let accepted = || vec![Send(Ie015, simplified())];
    let place = |location| Sample { location, ..simplified() };
    let cases: Vec<(Vec<Do>, Do, &str)> = vec![
        (lodged(), Send(Ie013, Sample { lrn: "OTHER", ..simplified() }), "d1 IE056:90"),
        (lodged(), Send(Ie170, Sample { lrn: "OTHER", ..simplified() }), "d1 IE056:90"),
        (accepted(), Send(Ie013, Sample { by_mrn: false, ..simplified() }), "d1 IE056:15"),
        (
            lodged(),
            Send(Ie170, place("<qualifierOfIdentification>Y</qualifierOfIdentification>")),
            "d1 IE056:13",
        ),
        (
            lodged(),
            Send(
                Ie170,
                place(
                    "<qualifierOfIdentification>Y</qualifierOfIdentification>\
                     <authorisationNumber>NOWHERE</authorisationNumber>",
                ),
            ),
            "d1 IE056:14",
        ),
        (
            lodged(),
            Send(
                Ie170,
                place(
                    "<qualifierOfIdentification>U</qualifierOfIdentification>\
                     <UNLocode>GBQQQ</UNLocode>",
                ),
            ),
            "d1 IE056:12",
        ),
    ];
    for (before, last, expected) in cases {
        assert_eq!(answer(ApiVersion::V3_0, &before, &last), expected);
    }
    // MRNs of no movement: one that could be, one that could not.
    for (mrn, code) in [("26GB000246AL65TIJ5", "90"), ("26GB000246AL65TIJ6", "93")] {
        let mut play = Play::new(ApiVersion::V3_0);
        play.mrn = mrn.to_owned();
        play.act(&Send(Ie007, simplified()));
        play.pass(play.now + TimeDelta::seconds(2));
        assert!(play.seen[0].ends_with(&format!("a1 IE057:{code}")), "{:?}", play.seen);
        let mut play = Play::new(ApiVersion::V3_0);
        play.act(&Send(Ie015, simplified()));
        play.act(&Wait(1));
        play.mrn = mrn.to_owned();
        play.act(&Send(Ie014, simplified()));
        play.pass(play.now + TimeDelta::seconds(2));
        assert!(play.seen[2].ends_with(&format!("d1 IE056:{code}")), "{:?}", play.seen);
    }
}

#[test]
fn transition_judges_declarations_of_version_2_0_alone() {
    let loaded = |of: MessageType| {
        let sample = Sample { place_of_loading: true, ..simplified() };
        assert!(message(of, &sample, "").contains("PlaceOfLoading"));
        Send(of, sample)
    };
    for (version, rejected) in
        [(ApiVersion::V2_0, true), (ApiVersion::V2_1, false), (ApiVersion::V3_0, false)]
    {
        let first = answer(version, &[], &loaded(Ie015));
        assert_eq!(first, if rejected { "d1 IE056:50" } else { "d1 IE928" }, "{version:?}");
        // A rejected amendment leaves the movement as it was.
        let amended = [Send(Ie015, normal()), loaded(Ie013), Ask("accept it")];
        let (last, before) = amended.split_last().unwrap();
        let said = answer(version, &before[..1], &before[1]);
        assert_eq!(said, if rejected { "d1 IE056:50" } else { "d1 IE004" }, "{version:?}");
        let mut play = Play::new(version);
        before.iter().chain([last]).for_each(|what| play.act(what));
        assert_eq!(play.ncts.departures["d1"].state, DepartureState::Accepted, "{version:?}");
    }
    // The LRN of a rejected declaration is free.
    let mut play = Play::new(ApiVersion::V2_0);
    play.act(&loaded(Ie015));
    play.act(&Send(Ie015, simplified()));
    play.pass(play.now + TimeDelta::seconds(5));
    assert!(play.seen.iter().any(|line| line.ends_with("d2 IE028")), "{:?}", play.seen);
}

#[test]
fn a_second_mail_about_a_step_does_nothing_again_unless_the_first_failed() {
    let mut play = Play::new(ApiVersion::V2_1);
    play.act(&Send(Ie015, normal()));
    let mail = |play: &mut Play, step: u32, number: u64, wish: &str| {
        play.pass(play.now + TimeDelta::seconds(10));
        let told = play.told("LRN1", step, wish);
        play.ncts.on_instruction(&told, number, play.now);
        play.pass(play.now + TimeDelta::minutes(6));
        let refused = play.ncts.outcomes().into_iter().map(|one| one.refused);
        refused.collect::<Vec<_>>()
    };
    // Too early for a release.
    let refused = mail(&mut play, 3, 1, "release the declaration");
    assert!(refused[0].as_ref().unwrap().contains("waits for an officer"), "{refused:?}");
    assert_eq!(mail(&mut play, 2, 2, "accept the declaration"), [None]);
    let again = mail(&mut play, 2, 3, "accept the declaration");
    assert_eq!(again, [Some("mail 2 had it done".to_owned())]);
    // The first mail about step 3 came to nothing, so this one counts.
    assert_eq!(mail(&mut play, 3, 4, "release the declaration"), [None]);
    // Two mails at once about one step.
    assert_eq!(play.seen.len(), 3);
    let told = play.told("LRN1", 4, "cancel the declaration");
    play.ncts.on_instruction(&told, 5, play.now);
    play.ncts.on_instruction(&told, 6, play.now);
    play.pass(play.now + TimeDelta::minutes(6));
    assert_eq!(play.seen.iter().filter(|line| line.ends_with("IE009")).count(), 1);
}

#[test]
fn mails_about_movements_of_one_scenario_are_told_apart_by_lrn() {
    let mut play = Play::new(ApiVersion::V2_1);
    for lrn in ["RUN-1", "RUN-12", "RUN 1-B", "accept"] {
        play.act(&Send(Ie015, Sample { lrn, ..normal() }));
    }
    play.pass(play.now + TimeDelta::seconds(10));
    for (lrn, id) in [("RUN-1", "d1"), ("RUN-12", "d2"), ("RUN 1-B", "d3"), ("accept", "d4")] {
        assert_eq!(play.told(lrn, 2, "accept the declaration").departure, id);
    }
    let read = |body: &str| play.read(&format!("DNGB1 step 2: release it. {body}"));
    assert_eq!(read("The reference is RUN-12.").unwrap().departure, "d2");
    assert_eq!(read("(RUN-1)").unwrap().departure, "d1");
    for (body, why) in [
        ("LRN: RUN-13", "no LRN"),
        ("LRN: NEW, not RUN-1", "no LRN"),
        ("RUN-1-C", "no LRN"),
        ("We accept.", "no LRN"),
        ("LRN: RUN-1, LRN: RUN-12", "several LRNs"),
    ] {
        let refusal = read(body).unwrap_err();
        assert!(refusal.contains(why), "{body}: {refusal}");
    }
}

/// Anything a trader, an officer or time can do.
fn anything() -> impl Strategy<Value = Do> {
    let messages = prop_oneof![
        2 => Just(Ie013), 2 => Just(Ie014), 2 => Just(Ie170), 3 => Just(Ie007), 4 => Just(Ie044),
    ];
    let sample = (any::<[bool; 7]>(), 0..4_u8).prop_map(|(flags, kind)| {
        let [simplified, pre_lodged, guarantee, flag, conform, complete, by_mrn] = flags;
        Sample {
            simplified,
            pre_lodged,
            grn: if guarantee || kind > 0 { "24GB0000010000031" } else { "99GB0000010000031" },
            guarantee_only: flag,
            conform: conform || kind > 1,
            complete: complete || kind > 1,
            by_mrn: by_mrn || kind > 0,
            seals: [None, Some(true), Some(true), Some(false)][usize::from(kind)],
            identification: ["ID1", "ID1", "ID1", "SAME"][usize::from(kind)],
            ..Sample::default()
        }
    });
    let wishes = prop::sample::select(vec![
        "accept the declaration",
        "accept and release the declaration",
        "control it",
        "control and release it",
        "control and end it",
        "release the movement",
        "cancel the declaration",
        "accept the cancellation request",
        "refuse the cancellation request",
        "accept the arrival notification and release the movement",
        "ask for the movement to be arrived",
        "find major discrepancies",
        "request major discrepancies and to resolve them",
        "request major discrepancies and to confirm them",
    ]);
    prop_oneof![
        5 => (messages, sample.clone()).prop_map(|(of, sample)| Send(of, sample)),
        1 => sample.prop_map(|sample| Send(Ie015, sample)),
        4 => wishes.prop_map(Ask),
        2 => (0..70_i64).prop_map(Wait),
    ]
}

/// What must hold of the replies of a play, in order.
fn sound(seen: &[String]) -> Result<(), String> {
    // What each movement was told so far, and whether any arrival was let in.
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    // Other lines tell of officers and of LRNs.
    for line in seen.iter().filter(|line| line.split(' ').next().is_some_and(|at| at.contains(':')))
    {
        let mut parts = line.split(' ').skip(1);
        let (Some(movement), Some(said)) = (parts.next(), parts.next()) else { continue };
        let before = told.entry(movement.to_owned()).or_default();
        let was = |name: &str| before.iter().any(|one| one == name);
        let rejection = said.starts_with("IE056") || said.starts_with("IE057");
        let ended = ["IE009", "IE051", "IE045", "IE035"].iter().any(|end| was(end));
        let fits = match said {
            _ if rejection => true,
            "IE928" => before.is_empty(),
            // A request that the end overtook is answered all the same.
            "IE009:refused" => was("IE029") || was("IE051") || was("IE028"),
            "IE045" | "IE019" | "IE035" => was("IE029") && !ended,
            "IE009" => was("IE928") && !ended,
            "IE028" => was("IE928") && !was("IE028") && !ended,
            "IE029" => was("IE028") && !was("IE029") && !ended,
            "IE051" | "IE055" | "IE060" => was("IE028") && !was("IE029") && !ended,
            "IE004" => was("IE928") && !was("IE029") && !ended,
            "IE043" => !was("IE043"),
            "IE025:refused" => !was("IE025") && !was("IE025:refused"),
            "IE025" => !was("IE025"),
            said => said.starts_with("IE043:") && was("IE043") && !was("IE025"),
        };
        if !fits {
            return Err(format!("{line} after {before:?}"));
        }
        before.push(said.to_owned());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_nothing_is_said_out_of_turn_and_nothing_hangs(
        first in any::<[bool; 3]>(),
        script in prop::collection::vec(anything(), 0..24),
    ) {
        let mut play = Play::new(ApiVersion::V3_0);
        let [simplified, pre_lodged, bad] = first;
        let grn = if bad { "99GB0000010000031" } else { "24GB0000010000031" };
        play.act(&Send(Ie015, Sample { simplified, pre_lodged, grn, ..Sample::default() }));
        for what in &script {
            // Only a departure with an MRN can be notified.
            let unknown = play.mrn.is_empty() || play.ncts.arrivals.is_empty();
            match what {
                Send(Ie007, _) if play.mrn.is_empty() => continue,
                Send(Ie044, _) if unknown => continue,
                _ => play.act(what),
            }
        }
        play.pass(play.now + TimeDelta::hours(3));
        prop_assert_eq!(sound(&play.seen), Ok(()), "{:#?}", play.seen);
        for departure in play.ncts.departures.values() {
            let waits = departure.waits_for();
            prop_assert!(!matches!(waits, Some(Actor::System | Actor::Timer)), "{}", departure.standing());
            // A movement is discharged together with the release of its goods.
            let arrived = play.ncts.arrivals.values().find(|arrival| {
                arrival.departure.as_ref() == Some(&departure.id)
                    && arrival.state == ArrivalState::Released
            });
            if arrived.is_some() {
                prop_assert_eq!(departure.state, DepartureState::WrittenOff);
            }
        }
        for arrival in play.ncts.arrivals.values() {
            prop_assert!(arrival.waits_for() != Some(Actor::System), "{}", arrival.standing());
            let open = arrival.waits_for().is_some();
            let goods = arrival.departure.as_ref().and_then(|id| play.ncts.departures.get(id));
            if open {
                prop_assert_eq!(goods.map(|one| one.state), Some(DepartureState::Released));
            }
        }
        let mut mrns: Vec<_> = play.ncts.departures.values().filter_map(|one| one.mrn.clone()).collect();
        mrns.sort();
        mrns.dedup();
        let with_mrn = play.ncts.departures.values().filter(|one| one.mrn.is_some()).count();
        prop_assert_eq!(mrns.len(), with_mrn);
    }
}
