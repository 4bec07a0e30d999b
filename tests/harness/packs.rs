//! Every scenario of a programme with HMRC's own messages, where its packs
//! hold them: in no time, against a simulator that has HMRC's schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ctc_ready::evidence::{Event, Purpose, Store};
use ctc_ready::project::xsd::XsdFolder;
use ctc_ready::simulator::{ApiVersion, SimulatorOptions};

use super::house::all;
use super::life::Life;
use super::world::{Blocking, FileTime, Moment, Server};
use super::{Scratch, aloud, judge, reference};

/// Runs every scenario of a programme with these packs. Those of them whose
/// message the packs hold and which is passed over must be these: scenario,
/// step, message.
fn with_packs(programme: &str, version: ApiVersion, packs: &[&str], passed_over: &[&str]) {
    let Some(reference) = reference::folder() else { return };
    let dir = Scratch::make();
    let xsd = XsdFolder::open(&reference.join("xsd"), &[version.as_str()]).unwrap();
    let schemas = xsd.load(Some(version.as_str())).unwrap().schemas;
    let options = SimulatorOptions {
        requests_per_second: None,
        schemas: BTreeMap::from([(version, Arc::new(schemas))]),
        ..SimulatorOptions::default()
    };
    let clock = FileTime::create(&dir.path().join("time"));
    let server = Server::start(options, Arc::new(clock));
    let jobs = all(programme);
    let packs: Vec<_> = packs.iter().map(|name| reference.join("test-packs").join(name)).collect();
    let life = Life { jobs, packs, ..Life::new(dir.path(), &server.base_url, &[]) };
    let (outcome, notes) =
        life.live(Arc::new(Blocking(|_: Moment<'_>| ())), |clock| clock).unwrap();
    assert_eq!((outcome.stalled, outcome.held_back), (vec![], vec![]));
    judge::passed_once(&life.evidence(), &life.jobs, &server.get("/simulator/log"));

    let (sent, of_packs) = origins(&life.evidence());
    aloud(format_args!(
        "{programme} with HMRC's packs: {} scenarios passed; {of_packs} of {sent} messages are \
         the packs', {} are passed over",
        life.jobs.len(),
        passed_over.len()
    ));
    let told: BTreeSet<String> = notes
        .0
        .iter()
        .filter(|note| note.contains("is passed over"))
        .map(|note| note.split(" of pack").next().unwrap().to_owned())
        .collect();
    let wanted = passed_over.iter().map(|one| (*one).to_owned()).collect();
    assert_eq!(told, wanted, "{notes:#?}");
}

/// How many messages were sent, and how many of them came from packs.
fn origins(evidence: &Path) -> (usize, usize) {
    let store = Store::open(evidence).unwrap();
    let (mut sent, mut of_packs) = (0, 0);
    for run in store.runs().unwrap() {
        for line in store.events(run.run).unwrap() {
            if let Event::Request(request) = line.event
                && request.purpose == Purpose::Submit
            {
                sent += 1;
                of_packs += usize::from(request.payload_origin.unwrap().starts_with("pack "));
            }
        }
    }
    (sent, of_packs)
}

const V7: &str = "NCTS5_Trader_Test_XML_Examples_v7.zip";
const V8: &str = "NCTS5_Trader_Test_XML_Examples_v8.zip";

#[test]
fn every_transition_scenario_passes_with_hmrcs_messages() {
    let amended = "PSGB3 step 2: the IE013";
    with_packs("ncts5-transition", ApiVersion::V2_0, &[V7], &[amended]);
}

/// The arrivals without the simplified procedure whose scenarios have no step
/// in which officers would release them; the mixed consignments, which the
/// pack has the wrong way round; the discrepancies that the pack does not find.
#[test]
fn every_final_scenario_passes_with_hmrcs_messages() {
    with_packs(
        "ncts5-final",
        ApiVersion::V2_1,
        &[V8, V7],
        &[
            "ANGB2 step 1: the IE015",
            "ANXI2 step 1: the IE015",
            "NCXI1 step 3: the IE044",
            "PSGB3 step 2: the IE013",
            "WCGB1 step 1: the IE015",
            "WCGB1 step 2: the IE007",
            "WCGB1 step 3: the IE044",
            "WCXI1 step 1: the IE015",
            "WCXI1 step 2: the IE007",
            "WCXI1 step 3: the IE044",
        ],
    );
}

#[test]
fn every_ncts6_scenario_passes_with_hmrcs_messages() {
    with_packs("ncts6", ApiVersion::V3_0, &["P6_Example_XML_Payloads_14_04_26.zip"], &[]);
}
