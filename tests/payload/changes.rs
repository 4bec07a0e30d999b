//! What happens to a message between its source and the API: it departs from
//! its data as the scenario says, one of two columns is taken, and HMRC's
//! schemas judge it.

use std::fs;

use ctc_ready::catalogue::{Catalogue, Expectation, Mutation, Procedure, Programme, Scenario};
use ctc_ready::ncts::MessageType;
use ctc_ready::payload::{Payload, PayloadError, Payloads, Sources};
use tempfile::TempDir;

use crate::schema_of::schema_of;
use crate::{catalogue, reference, values};

/// ASGB1 of NCTS5, final rules: IE015, IE007, IE044.
fn arrival(catalogue: &Catalogue) -> (&Programme, Scenario) {
    let programme = catalogue.programme("ncts5-final").unwrap();
    (programme, catalogue.scenario("ncts5-final", "ASGB1").unwrap().clone())
}

fn mutation(remove: &[&str], set: &[(&str, &str)], at_least: &[(&str, usize)]) -> Mutation {
    Mutation {
        what: "made up for a test".into(),
        remove: remove.iter().map(|path| (*path).to_owned()).collect(),
        set: set.iter().map(|(path, value)| ((*path).into(), (*value).into())).collect(),
        at_least: at_least.iter().map(|(path, least)| ((*path).into(), *least)).collect(),
    }
}

#[test]
fn a_scenario_changes_messages_of_every_source_after_they_are_stamped() {
    let catalogue = catalogue();
    let (programme, mut scenario) = arrival(&catalogue);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("ASGB1")).unwrap();
    let built_in = Payloads::new(Sources::default(), &catalogue).unwrap();
    let plain = built_in.prepare(programme, &scenario, 1, &values()).unwrap();
    assert_eq!(plain.mutation, None);
    fs::write(folder.path().join("ASGB1/1-IE015.xml"), &plain.xml).unwrap();
    let sources = Sources { folder: Some(folder.path().into()), ..Sources::default() };
    let own = Payloads::new(sources, &catalogue).unwrap();

    let grn = "Guarantee/GuaranteeReference/GRN";
    scenario.step[0].mutation = Some(mutation(&[], &[(grn, "26GB9999999999999")], &[]));
    for payloads in [&built_in, &own] {
        let payload = payloads.prepare(programme, &scenario, 1, &values()).unwrap();
        let expected =
            plain.xml.replace("<GRN>24XI0000010000031</GRN>", "<GRN>26GB9999999999999</GRN>");
        assert_ne!(expected, plain.xml);
        assert_eq!(payload.xml, expected);
        assert_eq!(payload.mutation.as_deref(), Some("made up for a test"));
        // The scenario's own guarantee is no surprise.
        assert_eq!(payload.notes, Vec::<String>::new());
    }
    for (mutation, part) in [
        (mutation(&[], &[("Guarantee/Grn", "x")], &[]), "has no `Guarantee/Grn` that could be"),
        (mutation(&[], &[], &[("Consignment/HouseConsignment", 2)]), "needs at least 2"),
        (mutation(&[], &[(grn, "(run)")], &[]), "still says `(run)`"),
    ] {
        scenario.step[0].mutation = Some(mutation);
        for (payloads, origin) in [(&built_in, "built-in "), (&own, "file ")] {
            let error = payloads.prepare(programme, &scenario, 1, &values()).unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with(origin) && error.contains(part), "{error}");
        }
    }
}

#[test]
fn test_data_that_asks_for_a_value_nothing_sets_is_an_error() {
    let mut files: Vec<(String, String)> = Catalogue::embedded().collect();
    for (path, text) in &mut files {
        if path == "shared/data.toml" {
            *text =
                text.replace("referenceNumberUCR = \"AB1234\"", "referenceNumberUCR = \"(run)\"");
        }
    }
    let catalogue = Catalogue::load(files).unwrap();
    let payloads = Payloads::new(Sources::default(), &catalogue).unwrap();
    let (programme, scenario) = catalogue.find_scenario("DSGB1")[0];
    let error = payloads.prepare(programme, scenario, 1, &values()).unwrap_err().to_string();
    assert!(error.contains("`Consignment/referenceNumberUCR` still says `(run)`"), "{error}");
}

#[test]
fn of_two_columns_the_one_for_the_houses_procedure_is_taken() {
    let catalogue = catalogue();
    let (programme, mut scenario) = arrival(&catalogue);
    let both = ["Normal Arrival XI-GB", "Simplified Arrival XI-GB"];
    scenario.step[1].data = both.map(str::to_owned).to_vec();
    let prepared = |procedures: &[Procedure], scenario: &Scenario| {
        let sources = Sources { procedures: procedures.to_vec(), ..Sources::default() };
        Payloads::new(sources, &catalogue).unwrap().prepare(programme, scenario, 2, &values())
    };
    use Procedure::{Normal, Simplified};
    for (procedures, column, flag) in [
        (&[Normal][..], both[0], 0),
        (&[Simplified], both[1], 1),
        (&[Normal, Simplified], both[1], 1),
        // A house that nobody told anything of.
        (&[], both[1], 1),
    ] {
        let payload = prepared(procedures, &scenario).unwrap();
        let said = format!("<simplifiedProcedure>{flag}<");
        assert!(payload.xml.contains(&said), "{procedures:?}: {}", payload.xml);
        assert!(payload.origin.ends_with(&format!("data \"{column}\"")), "{}", payload.origin);
        assert_eq!(payload.notes.len(), 1);
        assert!(payload.notes[0].contains(&format!("used `{column}`")), "{:?}", payload.notes);
    }
    for columns in [&["Normal Arrival XI-GB", "Normal Arrival GB-XI"][..], &[]] {
        scenario.step[1].data = columns.iter().map(|name| (*name).to_owned()).collect();
        let error = prepared(&[Normal], &scenario).unwrap_err().to_string();
        assert!(error.contains("column"), "{error}");
    }
}

/// ASGB1's IE044 with a schema of its like, once valid, once with another
/// mutation, expectation or file.
struct Judged {
    catalogue: Catalogue,
    folder: TempDir,
}

impl Judged {
    fn new() -> Self {
        let judged = Self { catalogue: catalogue(), folder: tempfile::tempdir().unwrap() };
        let (programme, scenario) = arrival(&judged.catalogue);
        let payloads = Payloads::new(Sources::default(), &judged.catalogue).unwrap();
        let xml = payloads.prepare(programme, &scenario, 3, &values()).unwrap().xml;
        fs::create_dir_all(judged.folder.path().join("xsd/2.1")).unwrap();
        let schema = judged.folder.path().join("xsd/2.1/cc044c.xsd");
        fs::write(schema, schema_of(&xml)).unwrap();
        judged
    }

    fn to_send(&self, change: impl FnOnce(&mut Scenario)) -> Result<Payload, PayloadError> {
        let (programme, mut scenario) = arrival(&self.catalogue);
        change(&mut scenario);
        let xsd = Some(self.folder.path().join("xsd"));
        let payloads = Payloads::new(Sources { xsd, ..Sources::default() }, &self.catalogue)?;
        payloads.to_send(programme, &scenario, 3, &values())
    }
}

#[test]
fn a_message_that_departs_from_the_schemas_is_sent_only_on_purpose() {
    let judged = Judged::new();
    let check = judged.to_send(|_| ()).unwrap().check.unwrap();
    assert_eq!((check.version.as_deref(), check.violations.len()), (Some("2.1"), 0));
    assert!(!check.on_purpose);

    let without = mutation(&["UnloadingRemark/stateOfSeals"], &[], &[]);
    let payload = judged.to_send(|scenario| scenario.step[2].mutation = Some(without)).unwrap();
    let check = payload.check.unwrap();
    assert!(check.on_purpose);
    assert_eq!(check.violations.len(), 1, "{:?}", check.violations);
    assert!(check.violations[0].path.ends_with("UnloadingRemark/stateOfSeals"));

    // The same by accident: the test data lacks it.
    let schema = judged.folder.path().join("xsd/2.1/cc044c.xsd");
    let stricter = fs::read_to_string(&schema).unwrap().replace("unloadingDate", "unloadingDay");
    fs::write(&schema, stricter).unwrap();
    let error = judged.to_send(|_| ()).unwrap_err();
    assert!(matches!(error, PayloadError::Invalid { .. }), "{error}");
    let error = error.to_string();
    for part in ["built-in templates/messages/IE044.xml", "version 2.1", "unloadingDay", ":5: /CC"]
    {
        assert!(error.contains(part), "`{part}`: {error}");
    }
    // A rejection that is to be provoked is a purpose too.
    let refused = |scenario: &mut Scenario| {
        scenario.step[2].expect = vec![Expectation {
            message: MessageType::Ie057,
            after_minutes: None,
            violations: vec!["B1890".into()],
            release: None,
        }];
    };
    assert!(judged.to_send(refused).unwrap().check.unwrap().on_purpose);
}

#[test]
fn schemas_that_cannot_be_used_let_nothing_through() {
    let judged = Judged::new();
    let xsd = judged.folder.path().join("xsd");
    let error = |part: &str| {
        let error = judged.to_send(|_| ()).unwrap_err();
        assert!(matches!(error, PayloadError::Schemas(_)), "{error}");
        let error = error.to_string();
        assert!(error.contains(part), "`{part}`: {error}");
    };
    fs::write(xsd.join("2.1/cc044c.xsd"), "<xs:schema").unwrap();
    error("cc044c.xsd");
    fs::remove_file(xsd.join("2.1/cc044c.xsd")).unwrap();
    error("no schemas of version 2.1");
    fs::rename(xsd.join("2.1"), xsd.join("3.0")).unwrap();
    error("no schemas of version 2.1");
    fs::remove_dir(xsd.join("3.0")).unwrap();
    error("no schemas of version 2.1");
    fs::write(xsd.join("a.xsd"), b"\n\xff").unwrap();
    error("line 2 is not UTF-8");
    fs::remove_dir_all(&xsd).unwrap();
    error("xsd");
}

#[test]
fn the_files_of_one_version_may_lie_in_the_folder_itself() {
    let judged = Judged::new();
    let xsd = judged.folder.path().join("xsd");
    fs::rename(xsd.join("2.1/cc044c.xsd"), xsd.join("cc044c.XSD")).unwrap();
    fs::remove_dir(xsd.join("2.1")).unwrap();
    fs::write(xsd.join("readme.txt"), b"\xff").unwrap();
    let check = judged.to_send(|_| ()).unwrap().check.unwrap();
    assert_eq!(check.version.as_deref(), Some("2.1"));
    // A message that the schemas do not know is not let through either.
    let schema = fs::read_to_string(xsd.join("cc044c.XSD")).unwrap();
    fs::write(xsd.join("cc044c.XSD"), schema.replace("CC044C", "CC045C")).unwrap();
    assert!(matches!(judged.to_send(|_| ()), Err(PayloadError::Invalid { .. })));
}

/// HMRC's own schemas, as they are downloaded.
#[test]
fn hmrcs_schemas_tell_what_is_wrong() {
    let Some(reference) = reference::folder() else { return };
    let catalogue = catalogue();
    let (programme, mut scenario) = arrival(&catalogue);
    let xsd = Some(reference.join("xsd"));
    let payloads = Payloads::new(Sources { xsd, ..Sources::default() }, &catalogue).unwrap();
    for step in 1..=3 {
        let check = payloads.prepare(programme, &scenario, step, &values()).unwrap().check.unwrap();
        assert_eq!(check.violations, [], "step {step}");
    }
    let wrong =
        mutation(&["UnloadingRemark/conform"], &[("UnloadingRemark/stateOfSeals", "9")], &[]);
    scenario.step[2].mutation = Some(wrong);
    let check = payloads.to_send(programme, &scenario, 3, &values()).unwrap().check.unwrap();
    let paths: Vec<&str> = check.violations.iter().map(|found| found.path.as_str()).collect();
    assert_eq!(paths, ["/CC044C/UnloadingRemark/conform", "/CC044C/UnloadingRemark/stateOfSeals"]);
}
