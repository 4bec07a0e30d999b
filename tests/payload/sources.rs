//! Which source a message comes from, and what is wrong with one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use ctc_ready::catalogue::{Catalogue, Mutation};
use ctc_ready::ncts::build::Stamp;
use ctc_ready::ncts::read::Message;
use ctc_ready::payload::{Payload, PayloadError, Payloads, Sources};

use crate::{catalogue, payloads, reference, values};

/// A zip with these entries.
fn zip(path: &Path, entries: &[(&str, &str)]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, text) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

fn declaration(marker: &str) -> String {
    format!(
        "<n:CC015C PhaseID=\"NCTS5.1\" xmlns:n=\"http://ncts.dgtaxud.ec\"><messageSender>{marker}</messageSender>\
         <messageIdentification>{{{{ messageIdentification }}}}</messageIdentification>\
         <TransitOperation><LRN></LRN></TransitOperation>\
         <Guarantee><GuaranteeReference><GRN>24GB0000010000031</GRN></GuaranteeReference></Guarantee></n:CC015C>"
    )
}

struct House {
    folder: tempfile::TempDir,
    catalogue: Catalogue,
}

impl House {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), catalogue: catalogue() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn open(&self, folder: Option<&str>, packs: &[&str]) -> Result<Payloads, PayloadError> {
        let sources = Sources {
            folder: folder.map(|name| self.path(name)),
            packs: packs.iter().map(|name| self.path(name)).collect(),
            ..Sources::default()
        };
        Payloads::new(sources, &self.catalogue)
    }

    fn prepare(&self, payloads: &Payloads, id: &str, step: u32) -> Result<Payload, PayloadError> {
        let (programme, scenario) = *self.catalogue.find_scenario(id).last().unwrap();
        payloads.prepare(programme, scenario, step, &values())
    }
}

#[test]
fn the_houses_file_wins_over_packs_and_packs_over_templates() {
    let house = House::new();
    house.write("own/dsgb1/1-ie015.XML", declaration("own"));
    zip(
        &house.path("first.zip"),
        &[("any where/DNGB1_IE015_xml_example.xml", &declaration("first"))],
    );
    zip(
        &house.path("second.zip"),
        &[
            ("__MACOSX/x/._dsxi1_ie015_xml_example.xml", "not XML"),
            ("x/.DS_Store", "\u{1}"),
            ("x/dngb1_ie015_xml_example.xml", &declaration("second")),
            ("x/dsxi1_ie0015_xml_example.xml", &declaration("second")),
        ],
    );
    let payloads = house.open(Some("own"), &["first.zip", "second.zip"]).unwrap();
    for (id, sender, origin) in [
        ("DSGB1", "own", "file "),
        ("DNGB1", "first", "pack first.zip: any where/DNGB1_IE015_xml_example.xml"),
        ("DSXI1", "second", "pack second.zip: x/dsxi1_ie0015_xml_example.xml"),
        ("DNXI1", "XI175521246821", "built-in templates/messages/IE015.xml, data \"Normal XI-GB\""),
    ] {
        let payload = house.prepare(&payloads, id, 1).unwrap();
        let read = Message::parse(&payload.xml).unwrap();
        assert_eq!(read.text("messageSender"), Some(sender));
        assert!(payload.origin.starts_with(origin), "{}", payload.origin);
        assert_eq!(read.lrn(), Some("READY-LRN-1"));
        assert_eq!(read.text("messageIdentification"), Some("READY-MSG-1"));
    }
}

/// A pack that has two scenarios' messages the wrong way round, and another
/// that has one of them right.
#[test]
fn a_packs_message_that_leads_elsewhere_is_passed_over_and_said() {
    let house = House::new();
    let built_in = house.open(None, &[]).unwrap();
    let message = |id: &str| house.prepare(&built_in, id, 1).unwrap().xml;
    let wrong = [
        ("x/dsgb1_ie015_xml_example.xml", &*message("DNGB1")),
        ("x/dsxi1_ie015_xml_example.xml", &*message("DSGB1")),
        ("x/psgb1_ie015_xml_example.xml", &*message("DSGB1")),
        ("x/dngb1_ie015_xml_example.xml", &*message("DNGB1")),
    ];
    zip(&house.path("wrong.zip"), &wrong);
    zip(&house.path("right.zip"), &[("y/dsxi1_ie015_xml_example.xml", &*message("DSXI1"))]);
    let payloads = house.open(None, &["wrong.zip", "right.zip"]).unwrap();
    for (id, why) in
        [("DSGB1", "it is for the normal procedure"), ("PSGB1", "it is not pre-lodged")]
    {
        let payload = house.prepare(&payloads, id, 1).unwrap();
        assert!(payload.origin.starts_with("built-in "), "{}", payload.origin);
        let told = payload.passed_over.unwrap();
        assert!(told.contains("wrong.zip") && told.contains(why), "{told}");
        assert!(payload.notes.contains(&told), "{:?}", payload.notes);
    }
    let next = house.prepare(&payloads, "DSXI1", 1).unwrap();
    assert!(next.origin.starts_with("pack right.zip"), "{}", next.origin);
    assert!(next.notes.iter().any(|note| note.contains("`GB`")), "{:?}", next.notes);
    let right = house.prepare(&payloads, "DNGB1", 1).unwrap();
    assert!(right.origin.starts_with("pack wrong.zip"), "{}", right.origin);
    assert_eq!((right.passed_over, right.contradiction), (None, None));
}

#[test]
fn a_name_with_the_scenario_alone_is_enough_where_one_step_sends_the_message() {
    let house = House::new();
    house.write("own/DSGB1_IE015.xml", declaration("own"));
    let payloads = house.open(Some("own"), &[]).unwrap();
    let payload = house.prepare(&payloads, "dsgb1", 1).unwrap();
    assert!(payload.xml.contains("<messageSender>own<"), "{}", payload.xml);

    house.write("own/dsgb1/1-ie015.xml", declaration("other"));
    let error = house.prepare(&payloads, "DSGB1", 1).unwrap_err();
    assert!(
        matches!(error, PayloadError::Ambiguous { ref files, .. } if files.len() == 2),
        "{error}"
    );
}

#[test]
fn one_name_with_two_contents_is_decided_by_the_folder_and_said() {
    let house = House::new();
    let entries = [
        ("Arrivals/dsgb1_ie015_xml_example.xml", declaration("arrivals")),
        ("Standard Departures/dsgb1_ie015_xml_example.xml", declaration("departures")),
        ("Standard Departures/dnxi1_ie015_xml_example.xml", declaration("same")),
        ("Arrivals/dnxi1_ie015_xml_example.xml", declaration("same")),
    ];
    let entries: Vec<(&str, &str)> = entries.iter().map(|(a, b)| (*a, b.as_str())).collect();
    zip(&house.path("p.zip"), &entries);
    let payloads = house.open(None, &["p.zip"]).unwrap();
    let payload = house.prepare(&payloads, "DSGB1", 1).unwrap();
    assert!(payload.xml.contains("<messageSender>departures<"));
    assert_eq!(
        payload.notes,
        [
            "the pack has 2 files of this name with different content; used the one for standard-departures, `Standard Departures/dsgb1_ie015_xml_example.xml`"
        ]
    );
    assert_eq!(house.prepare(&payloads, "DNXI1", 1).unwrap().notes, Vec::<String>::new());
}

#[test]
fn doubtful_values_are_noted_and_left_alone() {
    let house = House::new();
    let text = declaration("own").replace("24GB0000010000031", "23GB0000010000058");
    house.write("own/DSGB1/1-IE015.xml", text.replace("NCTS5.1", "NCTS5.0"));
    let payloads = house.open(Some("own"), &[]).unwrap();
    let payload = house.prepare(&payloads, "DSGB1", 1).unwrap();
    assert!(payload.xml.contains("<GRN>23GB0000010000058</GRN>"));
    assert_eq!(payload.notes.len(), 2, "{:?}", payload.notes);
    assert!(payload.notes[0].contains("`NCTS5.0`"), "{:?}", payload.notes);
    assert!(payload.notes[1].contains("`24GB0000010000031`"), "{:?}", payload.notes);
}

#[test]
fn a_bad_file_of_the_house_is_an_error_that_names_it_and_never_passed_over() {
    let house = House::new();
    let payloads = |text: &[u8]| {
        house.write("own/DSGB1/1-IE015.xml", text);
        house.open(Some("own"), &[]).unwrap()
    };
    let good = declaration("own");
    for (text, part) in [
        ("<a>\n{{ Some Thing }}</a>".to_owned(), "line 2: unknown placeholder `{{Some Thing}}`"),
        ("<a>\n</b>".to_owned(), "line 2, column 1: not well-formed XML"),
        (good.replace("CC015C", "CC170C"), "it is an IE170, the step sends an IE015"),
        (good.replace("LRN", "Lrn"), "it has no element `TransitOperation/LRN`"),
        (format!("<!DOCTYPE x [<!ENTITY y 'z'>]>{good}"), "DTD"),
    ] {
        let error = house.prepare(&payloads(text.as_bytes()), "DSGB1", 1).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("1-IE015.xml: ") && message.contains(part), "{message}");
    }
    let error = house.prepare(&payloads(b"<a>\n\xff"), "DSGB1", 1).unwrap_err().to_string();
    assert!(error.ends_with("1-IE015.xml is not UTF-8 text (line 2)"), "{error}");
    let error = house.prepare(&payloads(&vec![b' '; 8_000_001]), "DSGB1", 1).unwrap_err();
    assert!(matches!(error, PayloadError::TooLarge { .. }), "{error}");

    std::fs::remove_file(house.path("own/DSGB1/1-IE015.xml")).unwrap();
    house.write("own/DSGB1/1-IE170.xml", &good);
    let payloads = house.open(Some("own"), &[]).unwrap();
    let error = house.prepare(&payloads, "DSGB1", 1).unwrap_err();
    assert!(matches!(error, PayloadError::Misnamed { .. }), "{error}");
    assert!(matches!(house.open(Some("nowhere"), &[]), Err(PayloadError::Read { .. })));
}

#[test]
fn what_is_no_pack_is_refused_by_name() {
    let house = House::new();
    house.write("text.zip", "this is no zip");
    house.write("folder.zip/x", "");
    zip(&house.path("empty.zip"), &[("readme.md", "x"), ("x/IE028.xml", "<a/>")]);
    zip(&house.path("climbs.zip"), &[("../../dsgb1_ie015_xml_example.xml", "<a/>")]);
    let bomb = " ".repeat(8_000_001);
    zip(&house.path("bomb.zip"), &[("dsgb1_ie015_xml_example.xml", &bomb)]);
    let mut cut = std::fs::read(house.path("bomb.zip")).unwrap();
    cut.truncate(cut.len() / 2);
    house.write("cut.zip", cut);
    for (name, part) in [
        ("text.zip", "is not a zip file"),
        ("folder.zip", "it is a folder"),
        ("missing.zip", "cannot be read"),
        ("empty.zip", "none of its files is named like a message"),
        ("climbs.zip", "leads out of it"),
        ("bomb.zip", "dsgb1_ie015_xml_example.xml is larger than 8000000 bytes"),
        ("cut.zip", "is not a zip file"),
    ] {
        let error = house.open(None, &[name]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(part), "{error}");
    }
}

/// A pipe would be waited for without end, a large pack must not be.
#[test]
fn odd_files_and_crowded_packs_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = catalogue();
    let wanted = catalogue.programme("ncts5-final").unwrap();
    let scenario = catalogue.scenario("ncts5-final", "DSGB1").unwrap();
    let opened = |pack: &Path| {
        let sources = Sources { packs: vec![pack.to_owned()], ..Sources::default() };
        Payloads::new(sources, &catalogue)
    };
    let pipe = folder.path().join("pipe.zip");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if made.is_ok_and(|status| status.success()) {
        let error = opened(&pipe).unwrap_err().to_string();
        assert!(error.contains("it is not a file"), "{error}");
    } else {
        reference::skipped("no mkfifo here");
    }
    let crowded = folder.path().join("crowded.zip");
    let mut names: Vec<(String, String)> =
        (0..5_000).map(|n| (format!("a/b/other{n}_ie015.xml"), String::new())).collect();
    names.push(("a/b/dsgb1_ie015.xml".into(), declaration("crowded")));
    let entries: Vec<(&str, &str)> =
        names.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    zip(&crowded, &entries);
    let found = opened(&crowded).unwrap().prepare(wanted, scenario, 1, &values()).unwrap();
    assert!(found.xml.contains("crowded"));
    #[cfg(unix)]
    {
        let link = folder.path().join("link.zip");
        std::os::unix::fs::symlink(&crowded, &link).unwrap();
        opened(&link).unwrap();
        let nowhere = folder.path().join("nowhere.zip");
        std::os::unix::fs::symlink(folder.path().join("gone"), &nowhere).unwrap();
        assert!(opened(&nowhere).unwrap_err().to_string().contains("nowhere.zip"));
    }
}

#[test]
fn steps_that_send_nothing_or_are_not_there_are_said_to_be_so() {
    let house = House::new();
    let payloads = house.open(None, &[]).unwrap();
    let nothing = house.prepare(&payloads, "DNGB1", 2).unwrap_err();
    assert_eq!(nothing.to_string(), "step 2 of `DNGB1` sends no message");
    for step in [0, 3] {
        let error = house.prepare(&payloads, "DNGB1", step).unwrap_err().to_string();
        assert_eq!(error, format!("`DNGB1` has no step {step}: it has 2"));
    }
    let (programme, scenario) = house.catalogue.find_scenario("ANGB1")[0];
    let values = Stamp { mrn: None, ..values() };
    let error = payloads.prepare(programme, scenario, 2, &values).unwrap_err().to_string();
    assert!(error.contains("does not have yet"), "{error}");
}

#[test]
fn a_word_in_a_packs_file_name_says_which_of_several_steps_is_meant() {
    let house = House::new();
    let remarks = |marker: &str| {
        format!(
            "<n:CC044C xmlns:n=\"http://ncts.dgtaxud.ec\"><messageSender>{marker}</messageSender>\
             <messageIdentification/><TransitOperation><MRN/></TransitOperation></n:CC044C>"
        )
    };
    zip(
        &house.path("p.zip"),
        &[
            ("x/asgb1_ie044_invalid_xml_example.xml", &remarks("bad")),
            ("x/asgb1_ie044_valid_xml_example.xml", &remarks("good")),
            ("x/asgb1_ie007_normal_xml_example.xml", "meant for another step"),
        ],
    );
    let payloads = house.open(None, &["p.zip"]).unwrap();
    let programme = house.catalogue.programme("ncts5-final").unwrap();
    let mut scenario = house.catalogue.scenario("ncts5-final", "ASGB1").unwrap().clone();
    let good = payloads.prepare(programme, &scenario, 3, &values()).unwrap();
    assert!(good.xml.contains("<messageSender>good<"), "{}", good.xml);
    let arrival = payloads.prepare(programme, &scenario, 2, &values()).unwrap();
    assert!(arrival.origin.starts_with("built-in "), "{}", arrival.origin);

    scenario.step[2].mutation = Some(Mutation {
        what: "state of seals left out".into(),
        remove: vec!["UnloadingRemark/stateOfSeals".into()],
        set: BTreeMap::new(),
        at_least: BTreeMap::new(),
    });
    // HMRC has left the element out already.
    let bad = payloads.prepare(programme, &scenario, 3, &values()).unwrap();
    assert!(bad.xml.contains("<messageSender>bad<"), "{}", bad.xml);
    let built_in = payloads.built_in(programme, &scenario, 3, &values()).unwrap();
    assert!(built_in.xml.contains("unloadingDate"), "{}", built_in.xml);
    assert!(!built_in.xml.contains("stateOfSeals"), "{}", built_in.xml);
}

#[test]
fn test_data_the_template_has_no_place_for_is_not_lost() {
    let mut files: Vec<(String, String)> = Catalogue::embedded().collect();
    for (path, text) in &mut files {
        if path == "shared/data.toml" {
            *text = text.replace("referenceNumberUCR", "referenceNumberUcr");
        }
    }
    let catalogue = Catalogue::load(files).unwrap();
    let payloads = payloads(&catalogue, Sources::default());
    let (programme, scenario) = catalogue.find_scenario("DSGB1")[0];
    let error = payloads.prepare(programme, scenario, 1, &values()).unwrap_err().to_string();
    assert!(error.contains("no place for `CC015C/Consignment/referenceNumberUcr`"), "{error}");
}
