//! The message sequences of HMRC's scenarios, in virtual time.

use std::time::Duration;

use chrono::TimeDelta;

use super::play::{
    Do::{Ask, Send, Wait},
    Play, after_release, bad_guarantee, normal, play, pre_lodged, same, sequence, simplified,
};
use super::sample::Sample;
use crate::ncts::MessageType::{Ie007, Ie013, Ie014, Ie015, Ie044, Ie170};
use crate::simulator::officer::{self, Mail};
use crate::simulator::options::{ApiVersion, SimulatorOptions};

#[test]
fn departures_go_as_the_guides_say() {
    let amended = |sample: Sample| Sample { identification: "ID2", ..sample };
    let by_lrn = |sample: Sample| Sample { by_mrn: false, ..sample };
    let cases: Vec<(&str, Vec<super::play::Do>, &str)> = vec![
        ("simplified", vec![Send(Ie015, simplified())], "d1 IE928, d1 IE028, d1 IE029"),
        ("normal waits for ever", vec![Send(Ie015, normal())], "d1 IE928"),
        (
            "normal accepted and released",
            vec![Send(Ie015, normal()), Ask("accept and release the declaration")],
            "d1 IE928, d1 IE028, d1 IE029",
        ),
        (
            "normal accepted, then released",
            vec![Send(Ie015, normal()), Ask("accept it"), Wait(60), Ask("release it")],
            "d1 IE928, d1 IE028, d1 IE029",
        ),
        (
            "control satisfactory",
            vec![Send(Ie015, simplified()), Ask("control and release the declaration")],
            "d1 IE928, d1 IE028, d1 IE060, d1 IE029",
        ),
        (
            "control unsatisfactory",
            vec![Send(Ie015, simplified()), Ask("control and to end the declaration")],
            "d1 IE928, d1 IE028, d1 IE060, d1 IE051",
        ),
        (
            "control stops the automatic release",
            vec![Send(Ie015, simplified()), Ask("control the declaration")],
            "d1 IE928, d1 IE028, d1 IE060",
        ),
        (
            "normal control unsatisfactory",
            vec![Send(Ie015, normal()), Ask("accept, control, and reject the declaration")],
            "d1 IE928, d1 IE028, d1 IE060, d1 IE051",
        ),
        (
            "cancelled by customs after release",
            after_release(vec![Ask("cancel the declaration")]),
            "d1 IE928, d1 IE028, d1 IE029, d1 IE009",
        ),
        (
            "accepted, released and cancelled in one mail",
            vec![Send(Ie015, normal()), Ask("accept, release, and cancel the declaration")],
            "d1 IE928, d1 IE028, d1 IE029, d1 IE009",
        ),
        (
            "invalidation before acceptance",
            vec![Send(Ie015, normal()), Send(Ie014, simplified())],
            "d1 IE928, d1 IE009",
        ),
        (
            "invalidation before release needs an officer",
            vec![
                Send(Ie015, normal()),
                Ask("accept it"),
                Send(Ie014, simplified()),
                Wait(60),
                Ask("accept the cancellation request"),
            ],
            "d1 IE928, d1 IE028, d1 IE009",
        ),
        (
            "invalidation that the release overtakes is refused",
            vec![Send(Ie015, simplified()), Wait(1), Send(Ie014, simplified())],
            "d1 IE928, d1 IE028, d1 IE029, d1 IE009:refused",
        ),
        (
            "invalidation after release",
            after_release(vec![Send(Ie014, simplified())]),
            "d1 IE928, d1 IE028, d1 IE029, d1 IE056:92",
        ),
        (
            "amendment by MRN before release",
            vec![Send(Ie015, simplified()), Wait(1), Send(Ie013, amended(simplified()))],
            "d1 IE928, d1 IE028, d1 IE004, d1 IE029",
        ),
        (
            "amendment by LRN though there is an MRN",
            vec![Send(Ie015, simplified()), Wait(1), Send(Ie013, by_lrn(simplified()))],
            "d1 IE928, d1 IE028, d1 IE056:15, d1 IE029",
        ),
        (
            "amendment by LRN before acceptance",
            vec![Send(Ie015, normal()), Send(Ie013, amended(normal())), Ask("accept it")],
            "d1 IE928, d1 IE004, d1 IE028",
        ),
        (
            "amendment of a guarantee nobody complained about",
            vec![Send(Ie015, normal()), Send(Ie013, Sample { guarantee_only: true, ..normal() })],
            "d1 IE928, d1 IE056:92",
        ),
        (
            "amendment after release",
            after_release(vec![Send(Ie013, simplified())]),
            "d1 IE928, d1 IE028, d1 IE029, d1 IE056:92",
        ),
        (
            "the very same amendment twice",
            vec![Send(Ie015, simplified()), Wait(1), Send(Ie013, same()), Send(Ie013, same())],
            "d1 IE928, d1 IE028, d1 IE004, d1 IE056:26, d1 IE029",
        ),
        (
            "amendment while an invalidation is asked for",
            vec![
                Send(Ie015, simplified()),
                Wait(1),
                Send(Ie014, simplified()),
                Send(Ie013, simplified()),
                Ask("accept the cancellation request"),
            ],
            "d1 IE928, d1 IE028, d1 IE056:92, d1 IE009",
        ),
        (
            "cancelled by customs while an invalidation is asked for",
            vec![
                Send(Ie015, simplified()),
                Wait(1),
                Send(Ie014, simplified()),
                Ask("cancel the declaration"),
            ],
            "d1 IE928, d1 IE028, d1 IE009",
        ),
        (
            "guarantee of the other side",
            vec![Send(Ie015, Sample { grn: "24XI0000010000031", ..simplified() })],
            "d1 IE928, d1 IE028, d1 IE055, d1 IE051",
        ),
        (
            "amended into the simplified procedure before acceptance",
            vec![Send(Ie015, normal()), Send(Ie013, simplified())],
            "d1 IE928, d1 IE004, d1 IE028, d1 IE029",
        ),
        (
            "amendment of another declaration",
            vec![Send(Ie015, normal()), Send(Ie013, Sample { lrn: "OTHER", ..normal() })],
            "d1 IE928, d1 IE056:90",
        ),
        (
            "unknown guarantee",
            vec![Send(Ie015, bad_guarantee(simplified()))],
            "d1 IE928, d1 IE028, d1 IE055, d1 IE051",
        ),
        (
            "unknown guarantee, normal",
            vec![Send(Ie015, bad_guarantee(normal())), Ask("accept and release the declaration")],
            "d1 IE928, d1 IE028, d1 IE055, officer cannot release, d1 IE051",
        ),
        (
            "unknown guarantee amended in time",
            vec![
                Send(Ie015, bad_guarantee(simplified())),
                Wait(2),
                Send(Ie013, Sample { guarantee_only: true, ..simplified() }),
            ],
            "d1 IE928, d1 IE028, d1 IE055, d1 IE004, d1 IE029",
        ),
        (
            "unknown guarantee amended into another unknown one",
            vec![
                Send(Ie015, bad_guarantee(simplified())),
                Wait(2),
                Send(Ie013, bad_guarantee(simplified())),
            ],
            "d1 IE928, d1 IE028, d1 IE055, d1 IE004, d1 IE055, d1 IE051",
        ),
    ];
    for (what, script, expected) in cases {
        let got = sequence(ApiVersion::V2_1, &script);
        assert_eq!(got, expected, "{what}");
    }
}

#[test]
fn pre_lodged_declarations_go_as_the_guides_say() {
    let nowhere = |location| Sample { location, ..Sample::default() };
    let unknown_code = nowhere(
        "<qualifierOfIdentification>U</qualifierOfIdentification><UNLocode>GBXYZ</UNLocode>",
    );
    let no_number = nowhere("<qualifierOfIdentification>Y</qualifierOfIdentification>");
    let cases: Vec<(&str, Vec<super::play::Do>, &str)> = vec![
        (
            "simplified",
            vec![Send(Ie015, pre_lodged(simplified())), Wait(5), Send(Ie170, simplified())],
            "d1 IE928, d1 IE028, d1 IE029",
        ),
        (
            "normal",
            vec![
                Send(Ie015, pre_lodged(normal())),
                Wait(5),
                Send(Ie170, simplified()),
                Ask("release the declaration"),
            ],
            "d1 IE928, d1 IE028, d1 IE029",
        ),
        ("never presented", vec![Send(Ie015, pre_lodged(simplified()))], "d1 IE928, d1 IE056"),
        (
            "presented at a place that does not exist",
            vec![Send(Ie015, pre_lodged(normal())), Wait(5), Send(Ie170, unknown_code)],
            "d1 IE928, d1 IE056:12, d1 IE056",
        ),
        (
            "presented without authorisation number, then rightly",
            vec![
                Send(Ie015, pre_lodged(simplified())),
                Send(Ie170, no_number),
                Send(Ie170, simplified()),
            ],
            "d1 IE928, d1 IE056:13, d1 IE028, d1 IE029",
        ),
        (
            "amended, then presented",
            vec![
                Send(Ie015, pre_lodged(simplified())),
                Send(Ie013, pre_lodged(simplified())),
                Send(Ie170, simplified()),
            ],
            "d1 IE928, d1 IE004, d1 IE028, d1 IE029",
        ),
        (
            "invalidated",
            vec![Send(Ie015, pre_lodged(normal())), Send(Ie014, simplified())],
            "d1 IE928, d1 IE009",
        ),
        (
            "presented without having been pre-lodged",
            vec![Send(Ie015, normal()), Send(Ie170, simplified())],
            "d1 IE928, d1 IE056:92",
        ),
        (
            "officers do not accept before the goods are there",
            vec![Send(Ie015, pre_lodged(normal())), Ask("accept it")],
            "d1 IE928, officer cannot accept, d1 IE056",
        ),
    ];
    for (what, script, expected) in cases {
        assert_eq!(sequence(ApiVersion::V3_0, &script), expected, "{what}");
    }
}

#[test]
fn arrivals_go_as_the_guides_say() {
    const LEFT: &str = "d1 IE928, d1 IE028, d1 IE029, ";
    let remarks = |conform, seals| Sample { conform, seals, ..Sample::default() };
    let clean = || Send(Ie044, simplified());
    let cases: Vec<(&str, Vec<super::play::Do>, &str)> = vec![
        ("simplified", vec![Send(Ie007, simplified()), clean()], "a1 IE043, a1 IE025, d1 IE045"),
        (
            "remarks without the state of the seals, then with it",
            vec![Send(Ie007, simplified()), Send(Ie044, remarks(true, None)), clean()],
            "a1 IE043, a1 IE057:13, a1 IE025, d1 IE045",
        ),
        (
            "discrepancies resolved",
            vec![
                Send(Ie007, simplified()),
                Send(Ie044, remarks(true, Some(false))),
                Ask("request major discrepancies and to resolve them"),
            ],
            "a1 IE043, a1 IE025:refused, d1 IE019, a1 IE025, d1 IE045",
        ),
        (
            "discrepancies confirmed",
            vec![
                Send(Ie007, simplified()),
                Send(Ie044, remarks(false, Some(false))),
                Ask("request major discrepancies and to confirm them"),
            ],
            "a1 IE043, a1 IE025:refused, d1 IE019, d1 IE035",
        ),
        (
            "non-conformance released by an officer",
            vec![
                Send(Ie007, simplified()),
                Send(Ie044, remarks(false, Some(false))),
                Ask("release the declaration"),
            ],
            "a1 IE043, a1 IE025, d1 IE045",
        ),
        (
            "normal",
            vec![
                Send(Ie007, normal()),
                Ask("accept the arrival notification and release the declaration"),
            ],
            "a1 IE025, d1 IE045",
        ),
        (
            "normal, in the words of the transition scenarios",
            vec![Send(Ie007, normal()), Ask("accept and release the movement")],
            "a1 IE025, d1 IE045",
        ),
        (
            "arrived by the officers without any notification",
            vec![Ask("ask for the movement to be arrived")],
            "d1 IE045",
        ),
        (
            "cancelled before it arrives",
            vec![Ask("cancel the declaration"), Send(Ie007, simplified())],
            "d1 IE009, a1 IE057:90",
        ),
        (
            "notified twice",
            vec![Send(Ie007, simplified()), Send(Ie007, simplified())],
            "a1 IE043, a2 IE057:92",
        ),
        (
            "the very same notification twice",
            vec![Send(Ie007, same()), Send(Ie007, same())],
            "a1 IE043, a2 IE057:26",
        ),
        (
            "notified after the officers had it arrived",
            vec![Ask("ask for the movement to be arrived"), Send(Ie007, simplified())],
            "d1 IE045, a1 IE057:92",
        ),
        (
            "not cancelled once the goods are there",
            vec![Send(Ie007, simplified()), Ask("cancel the declaration"), clean()],
            "a1 IE043, officer cannot cancel, a1 IE025, d1 IE045",
        ),
        (
            "the very same remarks again",
            vec![
                Send(Ie007, simplified()),
                Send(Ie044, Sample { complete: false, ..same() }),
                Send(Ie044, same()),
                clean(),
            ],
            "a1 IE043, a1 IE043:1, a1 IE057:26, a1 IE025, d1 IE045",
        ),
        (
            "rejected remarks may come again under the same identification",
            vec![
                Send(Ie007, simplified()),
                Send(Ie044, Sample { seals: None, ..same() }),
                Send(Ie044, same()),
            ],
            "a1 IE043, a1 IE057:13, a1 IE025, d1 IE045",
        ),
        (
            "discrepancies in two mails",
            vec![
                Send(Ie007, simplified()),
                Send(Ie044, remarks(true, Some(false))),
                Ask("find major discrepancies"),
                Ask("resolve the discrepancies"),
            ],
            "a1 IE043, a1 IE025:refused, d1 IE019, a1 IE025, d1 IE045",
        ),
        (
            "arrived by the officers after the notification",
            vec![Send(Ie007, normal()), Ask("ask for the movement to be arrived")],
            "a1 IE025, d1 IE045",
        ),
        (
            "remarks in several goes",
            vec![
                Send(Ie007, simplified()),
                Send(Ie044, Sample { complete: false, ..simplified() }),
                clean(),
            ],
            "a1 IE043, a1 IE043:1, a1 IE025, d1 IE045",
        ),
        (
            "remarks though nothing was permitted",
            vec![Send(Ie007, normal()), clean()],
            "a1 IE057:92",
        ),
    ];
    for (what, script, expected) in cases {
        let got = sequence(ApiVersion::V2_1, &after_release(script));
        assert_eq!(got.strip_prefix(LEFT), Some(expected), "{what}: {got}");
    }
}

#[test]
fn an_arrival_before_the_release_is_rejected() {
    let script = [Send(Ie015, simplified()), Wait(1), Send(Ie007, simplified())];
    assert_eq!(sequence(ApiVersion::V2_1, &script), "d1 IE928, d1 IE028, a1 IE057:90, d1 IE029");
}

#[test]
fn timers_are_those_of_the_version() {
    let simple = [Send(Ie015, simplified())];
    assert_eq!(
        play(ApiVersion::V2_1, &simple),
        ["00:11 d1 IE928", "00:12 d1 IE028", "45:12 d1 IE029"]
    );
    let bad = [Send(Ie015, bad_guarantee(simplified()))];
    for (version, ends) in [
        (ApiVersion::V2_0, "05:13 d1 IE051"),
        (ApiVersion::V2_1, "05:13 d1 IE051"),
        (ApiVersion::V3_0, "60:13 d1 IE051"),
    ] {
        let seen = play(version, &bad);
        assert_eq!(seen[2], "00:13 d1 IE055");
        assert_eq!(seen[3], ends, "{version:?}");
    }
    // The presentation timer runs from the submission.
    let waiting = [Send(Ie015, pre_lodged(simplified()))];
    assert_eq!(play(ApiVersion::V3_0, &waiting)[1], "45:10 d1 IE056");
}

#[test]
fn a_time_scale_divides_timers_and_delays_alike() {
    let options = SimulatorOptions { time_scale: 2700.0, ..SimulatorOptions::default() };
    assert_eq!(options.scaled(Duration::from_secs(45 * 60)), TimeDelta::seconds(1));
    assert_eq!(options.scaled(Duration::from_millis(2700)), TimeDelta::milliseconds(1));
}

#[test]
fn an_lrn_is_free_again_after_rejection_or_invalidation_only() {
    let again = || Send(Ie015, Sample { identification: "ID9", ..simplified() });
    let elsewhere = Sample { sender: "ANOTHER", ..simplified() };
    let cases: Vec<(&str, Vec<super::play::Do>, bool)> = vec![
        ("in use", vec![Send(Ie015, normal()), again()], false),
        ("released", after_release(vec![again()]), false),
        ("invalidated", after_release(vec![Ask("cancel the declaration"), again()]), true),
        ("rejected", vec![Send(Ie015, pre_lodged(normal())), Wait(60), again()], true),
        ("not released", vec![Send(Ie015, bad_guarantee(simplified())), Wait(90), again()], false),
        ("of another sender", vec![Send(Ie015, elsewhere), again()], true),
    ];
    for (what, script, free) in cases {
        let seen = play(ApiVersion::V2_1, &script);
        assert_eq!(!seen.iter().any(|line| line.contains("duplicate")), free, "{what}: {seen:?}");
    }
}

#[test]
fn the_same_seed_and_messages_give_the_same_mrn() {
    let mrn = || {
        let mut play = Play::new(ApiVersion::V3_0);
        play.act(&Send(Ie015, simplified()));
        play.act(&Wait(1));
        play.mrn
    };
    assert_eq!(mrn().len(), 18);
    assert_eq!(mrn(), mrn());
}

#[test]
fn a_mail_that_lacks_anything_is_refused_by_name() {
    let mut play = Play::new(ApiVersion::V3_0);
    play.act(&Send(Ie015, normal()));
    play.act(&Wait(1));
    let good = Mail {
        to: officer::NCTS6_MAILBOX.to_owned(),
        subject: "RE: manual intervention".to_owned(),
        body: "Scenario P6-DNGB-01, step 2: accept the declaration. LRN LRN1".to_owned(),
    };
    let read = |mail: &Mail| officer::read(mail, &play.ncts);
    let told = read(&good).unwrap();
    assert_eq!((told.scenario.as_str(), told.step, told.lrn.as_str()), ("P6-DNGB-01", 2, "LRN1"));
    let with_body = |body: &str| Mail { body: body.to_owned(), ..good.clone() };
    for (mail, why) in [
        (Mail { to: "someone@example.org".to_owned(), ..good.clone() }, "mailbox of the officers"),
        (Mail { to: officer::NCTS5_MAILBOX.to_owned(), ..good.clone() }, "whose mailbox is"),
        (Mail { subject: "Hello".to_owned(), ..good.clone() }, "subject lacks"),
        (with_body("step 2: accept. LRN1"), "no scenario"),
        (with_body("P6-DNGB-01: please accept. LRN1"), "no step number"),
        (with_body("P6-DNGB-01, step 2: accept. LRN2"), "no LRN"),
        (with_body("P6-DNGB-01, step 2: accept. XLRN1X"), "no LRN"),
        (with_body("P6-DNGB-01, step 2: stamp the papers, LRN1"), "stamp the papers"),
        (with_body("P6-DNGB-01, LRN1\nStep 2"), "what action"),
    ] {
        let refusal = read(&mail).unwrap_err();
        assert!(refusal.contains(why), "{refusal}");
    }
    let empty = Mail { to: String::new(), subject: String::new(), body: String::new() };
    assert_eq!(read(&empty).unwrap_err().matches(';').count(), 5);
}
