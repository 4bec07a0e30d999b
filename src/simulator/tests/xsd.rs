//! Every reply to the messages of HMRC's test packs is valid against HMRC's
//! XSDs, and says what it should.
//!
//! The packs and XSDs are no part of the repository: see `packs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::packs::{invalid, now, pack, reference, stamped};
use super::sample::{Sample, message};
use crate::ncts::read::Message;
use crate::ncts::{MessageType, MovementKind};
use crate::simulator::check::check;
use crate::simulator::officer::{Act, Instruction};
use crate::simulator::options::{ApiVersion, SimulatorOptions};
use crate::simulator::replies::Writer;
use crate::simulator::state::State;
use crate::simulator::store::Status;

/// A simulator without HTTP.
struct Bench {
    state: State,
    version: ApiVersion,
    now: DateTime<Utc>,
    asked: u32,
}

impl Bench {
    fn new(version: ApiVersion) -> Self {
        let options = SimulatorOptions { movements_kept: 100_000, ..SimulatorOptions::default() };
        let writer = Writer::new(&options.phase_id).unwrap();
        let now = now();
        Self { state: State::new(Arc::new(options), writer), version, now, asked: 0 }
    }

    fn pass(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
        self.state.advance(self.now);
    }

    /// Sends a message; none when the API refuses it.
    fn send(&mut self, xml: &str, movement: Option<&str>) -> Option<String> {
        self.pass(0);
        let of = Message::parse(xml).ok()?.message_type();
        let kind = of.movement();
        let submitted =
            check(xml.as_bytes(), kind, of.opens_movement(), self.version, &mut self.state.outside)
                .ok()?;
        match movement {
            Some(movement) => {
                self.state.add(movement, submitted, "E", self.now).ok()?;
                Some(movement.to_owned())
            }
            None => {
                self.state.open(submitted, self.version, "E", None, self.now).ok().map(|ids| ids.0)
            }
        }
    }

    fn ask(&mut self, departure: &str, acts: &[Act]) {
        self.pass(1);
        self.asked += 1;
        let told = Instruction {
            scenario: "DNGB1".to_owned(),
            step: self.asked,
            lrn: String::new(),
            departure: departure.to_owned(),
            acts: acts.to_vec(),
        };
        self.state.ncts.on_instruction(&told, 0, self.now);
        self.pass(10);
    }

    fn mrn(&self, departure: &str) -> Option<String> {
        self.state.ncts.departures.get(departure)?.mrn.clone()
    }

    /// Everything received, by type.
    fn received(&self) -> Vec<(MessageType, String)> {
        [MovementKind::Departure, MovementKind::Arrival]
            .into_iter()
            .flat_map(|kind| self.state.store.list(kind, "E"))
            .flat_map(|movement| &movement.messages)
            .filter(|one| one.status == Status::Received)
            .filter_map(|one| Some((one.message?, one.body.as_ref()?.to_string())))
            .collect()
    }
}

fn is_valid(reference: &Path, version: ApiVersion, of: MessageType, xml: &str) -> bool {
    invalid(reference, version, &[(of, xml.to_owned())]).is_empty()
}

/// Plays every declaration of a pack to its end in several ways, and every
/// other message against it. Returns the replies, and how many declarations
/// were played.
fn play_pack(
    reference: &Path,
    file: &str,
    version: ApiVersion,
) -> (Vec<(MessageType, String)>, usize) {
    let pack = pack(&reference.join("test-packs").join(file));
    let none = Vec::new();
    let of = |kind: &str| pack.get(kind).unwrap_or(&none);
    let mut bench = Bench::new(version);
    let mut nth = 0;
    let mut played = 0;
    // The first of a kind for the side that `office` names.
    let other = |kind: &str, side: &str| {
        of(kind).iter().map(|(_, text)| text).find(|text| text.contains(&format!("NTA.{side}")))
    };
    for (_, text) in of("ie015") {
        nth += 1;
        let lrn = format!("LRN{nth}");
        let Some(xml) = stamped(text, MessageType::Ie015, &lrn, None, nth) else { continue };
        if !is_valid(reference, version, MessageType::Ie015, &xml) {
            continue;
        }
        played += 1;
        let side = if xml.contains("NTA.GB") { "GB" } else { "XI" };
        let away = if side == "GB" { "XI" } else { "GB" };
        let departure = bench.send(&xml, None).expect("a valid IE015 is taken");
        bench.pass(2);
        if let Some(text) = other("ie170", side)
            && let Some(xml) = stamped(text, MessageType::Ie170, &lrn, None, nth)
        {
            bench.send(&xml, Some(&departure));
        }
        if nth % 3 == 0 {
            bench.ask(&departure, &[Act::Accept, Act::Control, Act::Release]);
        } else if nth % 5 == 0 {
            bench.ask(&departure, &[Act::Accept, Act::Control, Act::DoNotRelease]);
        } else {
            bench.ask(&departure, &[Act::Accept, Act::Release]);
        }
        for (kind, message) in [("ie013", MessageType::Ie013), ("ie014", MessageType::Ie014)] {
            for (_, text) in of(kind).iter().skip(nth % 4).take(1) {
                let mrn = bench.mrn(&departure);
                if let Some(xml) = stamped(text, message, &lrn, mrn, nth) {
                    bench.send(&xml, Some(&departure));
                }
            }
        }
        bench.pass(120);
        let mrn = bench.mrn(&departure);
        let notified = other("ie007", away)
            .and_then(|text| stamped(text, MessageType::Ie007, &lrn, mrn.clone(), nth))
            .and_then(|xml| bench.send(&xml, None));
        bench.pass(2);
        if let Some(arrival) = notified {
            for (_, text) in of("ie044").iter().skip(nth % 5).take(3) {
                if let Some(xml) = stamped(text, MessageType::Ie044, &lrn, mrn.clone(), nth) {
                    bench.send(&xml, Some(&arrival));
                    bench.pass(2);
                }
            }
            let end = if nth % 2 == 0 { Act::Resolve } else { Act::Confirm };
            bench.ask(
                &departure,
                &[Act::AcceptArrival, Act::FindDiscrepancies, end, Act::Release, Act::Cancel],
            );
        }
    }
    // Notifications of movements nobody knows.
    for (_, text) in of("ie007") {
        nth += 1;
        if let Some(xml) = stamped(text, MessageType::Ie007, "", None, nth) {
            bench.send(&xml, None);
        }
    }
    bench.pass(120);
    (bench.received(), played)
}

#[test]
fn replies_to_the_test_packs_are_valid_against_the_schemas() {
    let Some(reference) = reference() else { return };
    let mut kinds = BTreeMap::new();
    for (file, version, at_least) in [
        ("NCTS5_Trader_Test_XML_Examples_v7.zip", ApiVersion::V2_0, 60),
        ("NCTS5_Trader_Test_XML_Examples_v7.zip", ApiVersion::V2_1, 60),
        ("NCTS5_Trader_Test_XML_Examples_v8.zip", ApiVersion::V2_1, 12),
        ("P6_Example_XML_Payloads_14_04_26.zip", ApiVersion::V3_0, 8),
    ] {
        let (replies, played) = play_pack(&reference, file, version);
        assert!(played >= at_least, "{file}: only {played} declarations of the pack were played");
        for (of, _) in &replies {
            *kinds.entry(*of).or_insert(0) += 1;
        }
        let faults = invalid(&reference, version, &replies);
        assert!(faults.is_empty(), "{file} {version:?}: {:#?}", &faults[..faults.len().min(8)]);
    }
    // The packs exercise every message that the simulator can send.
    let all = MessageType::ALL
        .iter()
        .filter(|one| one.direction() == crate::ncts::Direction::Received)
        .filter(|one| **one != MessageType::Ie182);
    let missing: Vec<_> = all.filter(|one| !kinds.contains_key(one)).collect();
    assert!(missing.is_empty(), "never sent: {missing:?}; sent: {kinds:?}");
}

#[test]
fn replies_to_a_small_declaration_are_valid_in_every_version() {
    let Some(reference) = reference() else { return };
    for version in ApiVersion::ALL {
        let mut bench = Bench::new(*version);
        let sample = Sample::default();
        let departure = bench.send(&message(MessageType::Ie015, &sample, ""), None).unwrap();
        bench.pass(50);
        let mrn = bench.mrn(&departure).unwrap();
        let arrival = bench.send(&message(MessageType::Ie007, &sample, &mrn), None).unwrap();
        bench.pass(1);
        let partial = Sample { complete: false, ..Sample::default() };
        bench.send(&message(MessageType::Ie044, &partial, &mrn), Some(&arrival)).unwrap();
        bench.pass(1);
        let replies = bench.received();
        assert_eq!(replies.len(), 5, "{version:?}");
        let faults = invalid(&reference, *version, &replies);
        assert!(faults.is_empty(), "{version:?}: {faults:#?}");
    }
}

#[test]
fn replies_say_what_they_answer_and_repeat_what_was_declared() {
    let mut bench = Bench::new(ApiVersion::V3_0);
    let sample = Sample::default();
    let departure = bench.send(&message(MessageType::Ie015, &sample, ""), None).unwrap();
    bench.pass(50);
    let mrn = bench.mrn(&departure).unwrap();
    let arrival = bench.send(&message(MessageType::Ie007, &sample, &mrn), None).unwrap();
    bench.pass(1);
    let remarks = Sample { identification: "ID2", ..Sample::default() };
    bench.send(&message(MessageType::Ie044, &remarks, &mrn), Some(&arrival)).unwrap();
    bench.pass(1);
    let replies: BTreeMap<_, _> = bench.received().into_iter().collect();
    assert_eq!(replies.len(), 6);
    for (of, xml) in &replies {
        let read = Message::parse(xml).unwrap();
        assert_eq!(read.message_type(), *of);
        assert_eq!(read.text("messageType"), Some(of.root()));
        assert_eq!(read.text("messageRecipient"), Some("SENDER"));
        let sender = if of.movement() == MovementKind::Departure { "NTA.GB" } else { "NTA.XI" };
        assert_eq!(read.text("messageSender"), Some(sender));
        let identification = read.text("messageIdentification").unwrap();
        assert_eq!(identification.len(), 14);
        let answers = match of {
            MessageType::Ie928 | MessageType::Ie028 => Some("ID1"),
            MessageType::Ie025 => Some("ID2"),
            MessageType::Ie045 => read.text("correlationIdentifier"),
            _ => None,
        };
        assert_eq!(read.text("correlationIdentifier"), answers, "{of}");
        if *of != MessageType::Ie928 {
            assert_eq!(read.mrn(), Some(mrn.as_str()), "{of}");
        }
    }
    let release = Message::parse(&replies[&MessageType::Ie029]).unwrap();
    assert_eq!(release.lrn(), Some("LRN1"));
    assert_eq!(release.text("Guarantee/GuaranteeReference/accessCode"), Some("****"));
    let goods = "Consignment/HouseConsignment/ConsignmentItem/Commodity";
    for xml in [&replies[&MessageType::Ie029], &replies[&MessageType::Ie043]] {
        let read = Message::parse(xml).unwrap();
        let at = |path: &str| read.text(&format!("{goods}/{path}")).map(str::to_owned);
        assert_eq!(at("descriptionOfGoods").as_deref(), Some("Nuts & bolts"));
        assert_eq!(at("GoodsMeasure/netMass").as_deref(), Some("950"));
        assert_eq!(at("GoodsMeasure/supplementaryUnits"), None);
        assert_eq!(read.text("Consignment/containerIndicator"), Some("1"));
    }
    let permission = Message::parse(&replies[&MessageType::Ie043]).unwrap();
    assert_eq!(permission.text("Consignment/LocationOfGoods/typeOfLocation"), None);
    assert_eq!(permission.text("Consignment/TransportEquipment/Seal/identifier"), Some("S1"));
}
