//! Every published scenario whose messages HMRC's packs hold, played from those
//! messages and the published wishes to the officers, in virtual time: the
//! replies, timers and violations are those that HMRC publishes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::packs::{aloud, invalid, now, pack, reference, stamped};
use crate::ncts::{MessageType, MovementKind};
use crate::simulator::check::check;
use crate::simulator::movement::Outgoing;
use crate::simulator::ncts::Ncts;
use crate::simulator::officer::{self, Mail};
use crate::simulator::options::{ApiVersion, SimulatorOptions};
use crate::simulator::outside::Outside;
use crate::simulator::replies::Writer;

/// One reply that a scenario expects.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    message: String,
    after_minutes: Option<i64>,
    violations: Vec<String>,
    release: Option<String>,
    to: Option<String>,
}

#[derive(Clone, Debug)]
struct Step {
    number: u64,
    send: Option<MessageType>,
    columns: Vec<String>,
    mutation: Vec<String>,
    officer: Option<String>,
    /// The presentation notification is refused, and time runs out.
    expires: bool,
    expect: Vec<Expected>,
}

#[derive(Clone, Debug)]
struct Scenario {
    id: String,
    versions: Vec<ApiVersion>,
    steps: Vec<Step>,
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

fn expected(value: &Value) -> Expected {
    Expected {
        message: text(&value["message"]).unwrap(),
        after_minutes: value["after_minutes"].as_i64(),
        violations: texts(&value["violations"]),
        release: text(&value["release"]),
        to: text(&value["to"]),
    }
}

fn plain(message: &str) -> Expected {
    expected(&serde_json::json!({ "message": message }))
}

/// The sheets write one column's name in several ways.
fn column(data: &Value) -> String {
    let name =
        format!("{} @ {}", data["column"].as_str().unwrap(), data["sheet"].as_str().unwrap());
    name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn scenarios(reference: &Path) -> Vec<Scenario> {
    let mut all = Vec::new();
    for file in ["ncts5", "ncts5-final-spreadsheet", "ncts6"] {
        let path = reference.join("scenarios").join(format!("{file}.json"));
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for one in json["scenarios"].as_array().unwrap() {
            let versions = match one["rules"].as_str() {
                _ if file == "ncts6" => vec![ApiVersion::V3_0],
                Some("transition only") => vec![ApiVersion::V2_0],
                Some("transition and final") => vec![ApiVersion::V2_0, ApiVersion::V2_1],
                _ => vec![ApiVersion::V2_1],
            };
            let steps = one["steps"].as_array().unwrap().iter().map(|step| Step {
                number: step["step"].as_u64().unwrap(),
                send: step["send"]
                    .as_str()
                    .map(|name| MessageType::from_root(&format!("CC{}C", &name[2..])).unwrap()),
                columns: step["data"].as_array().into_iter().flatten().map(column).collect(),
                mutation: texts(&step["mutation"]),
                officer: text(&step["officer_request"]),
                expires: step["presentation_timer"] == "expires",
                expect: step["expect"].as_array().unwrap().iter().map(expected).collect(),
            });
            let mut scenario =
                Scenario { id: text(&one["id"]).unwrap(), versions, steps: steps.collect() };
            correct(&mut scenario);
            all.push(scenario);
        }
    }
    all
}

/// What HMRC publishes and does not mean.
fn correct(scenario: &mut Scenario) {
    match scenario.id.as_str() {
        // The officers are asked to cancel, and its twin lists the IE009.
        "DNGB8" => scenario.steps[1].expect.push(plain("IE009")),
        // A movement of the normal procedure, and HMRC's example is one.
        "DNGB9" => scenario.steps[0].columns = vec!["normal gb-xi @ ie015".to_owned()],
        // The other scenarios with the same wish list the IE019 to the holder.
        "NCXI1" | "NCGB1" => {
            let expect = &mut scenario.steps[3].expect;
            expect[0].release = Some("refused".to_owned());
            expect[1].release = Some("granted".to_owned());
            expect.insert(1, plain("IE019"));
        }
        _ => {}
    }
}

/// The packs' messages by programme (`5`, `6`), scenario and type.
type Packs = BTreeMap<(char, String, &'static str), Vec<(String, String)>>;

fn packs(reference: &Path) -> Packs {
    let mut all = Packs::new();
    for (file, programme) in [
        ("NCTS5_Trader_Test_XML_Examples_v8.zip", '5'),
        ("NCTS5_Trader_Test_XML_Examples_v7.zip", '5'),
        ("P6_Example_XML_Payloads_14_04_26.zip", '6'),
    ] {
        for (kind, messages) in pack(&reference.join("test-packs").join(file)) {
            for (name, text) in messages {
                let file = name.rsplit('/').next().unwrap().to_lowercase();
                let id = file.split("_ie").next().unwrap().to_uppercase();
                all.entry((programme, id, kind)).or_default().push((file, text));
            }
        }
    }
    all
}

/// A step's message, and whether it is the scenario's own, which HMRC has
/// mutated already.
fn message_of(step: &Step, id: &str, packs: &Packs, all: &[Scenario]) -> Option<(String, bool)> {
    let kind = step.send?.as_str().to_lowercase();
    let programme = if id.starts_with("P6-") { '6' } else { '5' };
    let held = |programme: char, id: &str, mutated: bool| {
        let key = packs.keys().find(|key| key.0 == programme && key.1 == id && key.2 == kind)?;
        let messages = &packs[key];
        let named = |part: &str| messages.iter().find(|(name, _)| name.contains(part));
        let one = if mutated { named("_invalid_") } else { named("_valid_") };
        one.or_else(|| messages.first()).map(|(_, text)| text.clone())
    };
    // HMRC's own example is of the normal procedure, the published data are of
    // the simplified.
    let wrong = matches!(id, "ANGB2" | "ANXI2");
    if let Some(own) = held(programme, id, !step.mutation.is_empty()).filter(|_| !wrong) {
        return Some((own, true));
    }
    let same_data = |programme: char| {
        all.iter()
            .filter(|one| one.id.starts_with("P6-") == (programme == '6'))
            .flat_map(|one| one.steps.iter().map(move |step| (one, step)))
            .filter(|(_, other)| {
                let inert = other.mutation.iter().all(|one| one.contains("HouseConsignment"));
                other.send == step.send && other.columns == step.columns && inert
            })
            .filter(|(one, _)| one.id != id)
            .find_map(|(one, _)| held(programme, &one.id, false))
    };
    let found = same_data(programme).or_else(|| {
        // A request to cancel is the same in every version.
        (step.send == Some(MessageType::Ie014)).then(|| same_data('5')).flatten()
    });
    found.map(|text| (text, false))
}

fn without(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let start = xml.find(&open).unwrap();
    let end = xml.find(&close).unwrap() + close.len();
    format!("{}{}", &xml[..start], &xml[end..])
}

fn with(xml: &str, name: &str, value: &str) -> String {
    let start = xml.find(&format!("<{name}>")).unwrap() + name.len() + 2;
    let end = xml.find(&format!("</{name}>")).unwrap();
    format!("{}{value}{}", &xml[..start], &xml[end..])
}

fn mutated(xml: &str, mutation: &str) -> String {
    match mutation {
        "guarantee reference number (GRN) that does not exist" => {
            with(xml, "GRN", "99GB0000010000031")
        }
        "authorisationNumber omitted" if xml.contains("<authorisationNumber>") => {
            without(xml, "authorisationNumber")
        }
        "stateOfSeals element omitted" if xml.contains("<stateOfSeals>") => {
            without(xml, "stateOfSeals")
        }
        "authorisationNumber omitted" | "stateOfSeals element omitted" => xml.to_owned(),
        "UN/LOCODE that does not exist" => with(xml, "UNLocode", "GBQQQ"),
        "more than one HouseConsignment" => {
            assert!(xml.matches("<HouseConsignment>").count() > 1);
            xml.to_owned()
        }
        other => panic!("unknown mutation `{other}`"),
    }
}

/// What came, and when.
#[derive(Debug)]
struct Came {
    at: DateTime<Utc>,
    message: String,
    detail: Outgoing,
    at_destination: bool,
}

struct Play<'a> {
    scenario: &'a Scenario,
    version: ApiVersion,
    ncts: Ncts,
    writer: Writer,
    now: DateTime<Utc>,
    started: DateTime<Utc>,
    lrn: String,
    mrn: Option<String>,
    sent: usize,
    came: Vec<Came>,
    written: Vec<(MessageType, String)>,
}

impl<'a> Play<'a> {
    fn new(scenario: &'a Scenario, version: ApiVersion) -> Self {
        let options = SimulatorOptions::default();
        let writer = Writer::new(&options.phase_id).unwrap();
        // The LRN says nothing of the scenario.
        let lrn = format!("TEST{:04}", scenario.id.bytes().map(u32::from).sum::<u32>());
        Self {
            scenario,
            version,
            ncts: Ncts::new(Arc::new(options)),
            writer,
            now: now(),
            started: now(),
            lrn,
            mrn: None,
            sent: 0,
            came: Vec::new(),
            written: Vec::new(),
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
        for reply in self.ncts.due(self.now) {
            if reply.message == MessageType::Ie028 {
                self.mrn = reply.departure.as_ref().and_then(|one| one.mrn.clone());
            }
            let xml = self.writer.write(&reply, &mut self.ncts.ids).unwrap();
            self.written.push((reply.message, xml));
            self.came.push(Came {
                at: reply.at,
                message: reply.message.as_str().to_owned(),
                detail: reply.content,
                at_destination: reply.arrival.is_some(),
            });
        }
        for outcome in self.ncts.outcomes() {
            // HMRC asks for a release that the guarantee forbids.
            let forbidden = self.came.iter().any(|one| one.message == "IE055");
            assert!(outcome.refused.is_none() || forbidden, "{}: {outcome:?}", self.scenario.id);
        }
    }

    fn send(&mut self, of: MessageType, text: &str) {
        self.sent += 1;
        let xml = stamped(text, of, &self.lrn, self.mrn.clone(), self.sent)
            .unwrap_or_else(|| panic!("{}: {of} cannot be stamped", self.scenario.id));
        let kind = of.movement();
        let submitted =
            check(xml.as_bytes(), kind, of.opens_movement(), self.version, &mut Outside::default())
                .unwrap_or_else(|error| panic!("{}: {of}: {error:?}", self.scenario.id));
        let movement = if kind == MovementKind::Departure { "departure" } else { "arrival" };
        self.ncts.on_message(movement, self.version, Arc::new(submitted), self.now).unwrap();
    }

    fn ask(&mut self, step: &Step, wish: &str) {
        let ncts6 = self.version.is_ncts6();
        let to = if ncts6 { officer::NCTS6_MAILBOX } else { officer::NCTS5_MAILBOX };
        let mail = Mail {
            to: to.to_owned(),
            subject: format!("Manual Intervention {}", self.scenario.id),
            body: format!(
                "Scenario: {}\nStep: {}\nAction: {wish}\nLRN: {}\n\nThank you",
                self.scenario.id, step.number, self.lrn
            ),
        };
        let told = officer::read(&mail, &self.ncts).unwrap();
        assert_eq!(
            (told.scenario.as_str(), u64::from(told.step)),
            (&*self.scenario.id, step.number)
        );
        self.ncts.on_instruction(&told, 1, self.now);
    }

    /// Does a step, waits for what it is to bring, and compares.
    fn step(&mut self, step: &Step, message: Option<&str>) {
        let (began, seen) = (self.now, self.came.len());
        if let (Some(of), Some(text)) = (step.send, message) {
            self.send(of, text);
            self.pass(20);
        }
        if let Some(wish) = &step.officer {
            self.ask(step, wish);
        }
        let patience = if step.expect.is_empty() { 5 * 60 } else { 3 * 60 * 60 };
        while (self.now - began).num_seconds() < patience
            && (step.expect.is_empty() || self.came.len() < seen + step.expect.len())
        {
            self.pass(10);
        }
        let id = format!("{} {:?} step {}", self.scenario.id, self.version, step.number);
        let came: Vec<&str> = self.came[seen..].iter().map(|one| one.message.as_str()).collect();
        let expected: Vec<&str> = step.expect.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(came, expected, "{id}");
        for (nth, expected) in step.expect.iter().enumerate() {
            self.compare(&id, step, nth, expected, seen, began);
        }
    }

    fn compare(
        &self,
        id: &str,
        step: &Step,
        nth: usize,
        expected: &Expected,
        seen: usize,
        began: DateTime<Utc>,
    ) {
        let came = &self.came[seen + nth];
        let id = format!("{id} {}", expected.message);
        if let Outgoing::Rejected { errors, .. } = &came.detail {
            let mut rules: Vec<String> = errors.iter().map(|one| one.reason.clone()).collect();
            rules.dedup();
            match expected.violations.as_slice() {
                [] => assert!(errors.iter().all(|one| one.code != "50"), "{id}: {errors:?}"),
                violations => {
                    assert_eq!(rules, violations, "{id}");
                    assert!(errors.iter().all(|one| one.code == "50"), "{id}: {errors:?}");
                }
            }
        }
        let release = match &came.detail {
            Outgoing::GoodsReleased { released: true } => Some("granted"),
            Outgoing::GoodsReleased { released: false } => Some("refused"),
            _ => None,
        };
        if let Some(expected) = &expected.release {
            assert_eq!(release, Some(expected.as_str()), "{id}");
        } else if expected.message == "IE025" {
            assert_eq!(release, Some("granted"), "{id}");
        }
        if let Some(to) = &expected.to {
            assert_eq!(came.at_destination, to == "trader at destination", "{id}");
        }
        // Timers run from the message that started them.
        let starts = match expected.message.as_str() {
            "IE029" => Some("IE028"),
            "IE051" => Some("IE055"),
            _ => None,
        };
        let start = self.came.iter().rfind(|one| Some(one.message.as_str()) == starts);
        let minutes = |from: DateTime<Utc>| (came.at - from + TimeDelta::seconds(30)).num_minutes();
        if let Some(after) = expected.after_minutes {
            assert_eq!(minutes(start.unwrap().at), after, "{id}");
        } else if step.expires && nth + 1 == step.expect.len() {
            assert_eq!(minutes(self.started), 45, "{id}");
        } else if let (Some(start), "IE051") = (start, expected.message.as_str()) {
            assert_eq!(minutes(start.at), if self.version.is_ncts6() { 60 } else { 5 }, "{id}");
        } else {
            assert!(minutes(began) <= 10, "{id} took {} minutes", minutes(began));
        }
    }

    /// Nothing comes after the end.
    fn end(&mut self) {
        let seen = self.came.len();
        for _ in 0..40 {
            self.pass(10 * 60);
        }
        assert_eq!(self.came.len(), seen, "{}: {:?}", self.scenario.id, self.came.last());
    }
}

#[test]
fn every_published_scenario_ends_as_hmrc_publishes() {
    let Some(reference) = reference() else { return };
    let (all, packs) = (scenarios(&reference), packs(&reference));
    let mut written: BTreeMap<&str, Vec<(MessageType, String)>> = BTreeMap::new();
    let (mut played, mut plays, mut wanting) = (0, 0, Vec::new());
    for scenario in &all {
        let messages: Vec<_> = scenario
            .steps
            .iter()
            .map(|step| message_of(step, &scenario.id, &packs, &all))
            .collect();
        let missing: Vec<&str> = scenario
            .steps
            .iter()
            .zip(&messages)
            .filter(|(step, message)| step.send.is_some() && message.is_none())
            .filter_map(|(step, _)| Some(step.send?.as_str()))
            .collect();
        if !missing.is_empty() {
            wanting.push(format!("{} ({})", scenario.id, missing.join(", ")));
            continue;
        }
        played += 1;
        // HMRC's own examples of a mutation need not do it the published way.
        let mutates = scenario.steps.iter().any(|step| !step.mutation.is_empty());
        for version in &scenario.versions {
            for as_published in if mutates { &[false, true][..] } else { &[false] } {
                plays += 1;
                let mut play = Play::new(scenario, *version);
                for (step, message) in scenario.steps.iter().zip(&messages) {
                    let text = message.as_ref().map(|(text, own)| {
                        let mutation = step.mutation.iter().filter(|_| *as_published || !own);
                        mutation.fold(text.clone(), |text, one| mutated(&text, one))
                    });
                    play.step(step, text.as_deref());
                }
                play.end();
                written.entry(version.as_str()).or_default().append(&mut play.written);
            }
        }
    }
    aloud(&format!(
        "played {played} of {} published scenarios in {plays} plays; for want of a pack's message \
         not {}: {}",
        all.len(),
        wanting.len(),
        wanting.join("; ")
    ));
    for version in ApiVersion::ALL {
        let faults = invalid(&reference, *version, &written[version.as_str()]);
        assert!(faults.is_empty(), "{version:?}: {:#?}", &faults[..faults.len().min(8)]);
    }
    assert_eq!((all.len(), played, plays, wanting.len()), (190, 166, 266, 24));
}
