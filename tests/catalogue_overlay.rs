//! A house's own files laid over the built-in catalogue: the example of
//! `docs/catalogue.md`, and what can go wrong.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::Path;

use chrono::NaiveDate;
use ctc_ready::catalogue::{Catalogue, Inspection};
use ctc_ready::ncts::MessageType;
use tempfile::TempDir;

/// An overlay of these files.
fn overlay(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn inspect(files: &[(&str, &str)]) -> Inspection {
    Catalogue::inspect_overlay(overlay(files).path()).unwrap()
}

/// Problems, with the overlay's folder taken out of their files' names.
#[track_caller]
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = overlay(files);
    let inspection = Catalogue::inspect_overlay(folder.path()).unwrap();
    assert!(inspection.catalogue.is_none());
    told(&inspection.problems, folder.path())
}

fn told(problems: &[ctc_ready::catalogue::Problem], folder: &Path) -> Vec<String> {
    let inside = format!("{}/", folder.display());
    problems.iter().map(|problem| problem.to_string().replace(&inside, "")).collect()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The files in the guide's example: blocks that begin with their path.
fn example() -> Vec<(String, String)> {
    let guide = fs::read_to_string("docs/catalogue.md").unwrap();
    let blocks = guide.split("```toml\n# ").skip(1);
    let files = blocks.map(|block| {
        let (path, rest) = block.split_once('\n').unwrap();
        (path.to_owned(), rest.split("```").next().unwrap().to_owned())
    });
    files.collect()
}

#[test]
fn the_guides_example_does_what_it_says() {
    let files = example();
    assert_eq!(files.len(), 4);
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let folder = overlay(&files);
    let inspection = Catalogue::inspect_overlay(folder.path()).unwrap();
    assert_eq!(told(&inspection.problems, folder.path()), Vec::<String>::new());
    assert_eq!(
        told(&inspection.notes, folder.path()),
        ["house/changed.toml:4:6: `DSGB1` takes the place of the built-in scenario in ncts5-final"]
    );
    assert_eq!(inspection.scenarios, 200);
    let (ours, built_in) = (inspection.catalogue.unwrap(), Catalogue::built_in().unwrap());

    // A date changed, and nothing else of the programme.
    let programme = ours.programme("ncts5-final").unwrap();
    let before = built_in.programme("ncts5-final").unwrap();
    let ([phase], [old]) = (&programme.phase[..], &before.phase[..]) else { panic!() };
    assert_eq!(phase.closes, Some(day("2027-03-31")));
    assert_eq!((phase.opens, &phase.note), (old.opens, &old.note));
    assert_eq!(phase.source, "HMRC's e-mail of 2 February 2027");
    assert_eq!(programme.api.version, before.api.version);
    assert_eq!(programme.requirement.len(), before.requirement.len());

    // One value of one column, and nothing else of the data.
    let column = |catalogue: &Catalogue, programme: &str| {
        catalogue.data(programme, MessageType::Ie015, None, "Simplified GB-XI").unwrap().clone()
    };
    let mut expected = column(&built_in, "ncts5-final");
    expected["Guarantee"]["GuaranteeReference"]["GRN"] = "24GB0000010000040".into();
    assert_eq!(column(&ours, "ncts5-final"), expected);
    assert_eq!(column(&ours, "ncts6"), column(&built_in, "ncts6"));
    let count = |catalogue: &Catalogue| catalogue.columns("ncts5-final").count();
    assert_eq!(count(&ours), count(&built_in));

    // A scenario replaced in its place, in one programme only.
    let ids = |catalogue: &Catalogue, programme: &str| -> Vec<String> {
        catalogue.scenarios(programme).iter().map(|scenario| scenario.id.clone()).collect()
    };
    let minutes = |programme: &str| {
        ours.scenario(programme, "DSGB1").unwrap().step[0].expect[2].after_minutes
    };
    assert_eq!((minutes("ncts5-final"), minutes("ncts5-transition")), (Some(30), Some(45)));
    assert_eq!(ids(&ours, "ncts5-transition"), ids(&built_in, "ncts5-transition"));

    // Two added, after those of their flow.
    let mut expected = ids(&built_in, "ncts5-final");
    let after = expected.iter().position(|id| id == "DNXI12").unwrap() + 1;
    expected.splice(after..after, ["HOUSE-GB-1".to_owned(), "HOUSE-XI-1".to_owned()]);
    assert_eq!(ids(&ours, "ncts5-final"), expected);
}

#[test]
fn a_common_file_can_be_changed_for_all_who_share_it() {
    let ours = inspect(&[(
        "ncts5/common.toml",
        "[officers]\nmailbox = \"new@example.com\"\n\n[[requirement]]\nid = \"arrival\"\ntitle = \"Ours\"\n",
    )]);
    let catalogue = ours.catalogue.unwrap();
    for id in ["ncts5-transition", "ncts5-final"] {
        let programme = catalogue.programme(id).unwrap();
        let officers = programme.officers.as_ref().unwrap();
        assert_eq!(officers.mailbox, "new@example.com");
        assert_eq!(officers.follow_up_working_days, 1);
        let titles: Vec<&str> = programme.requirement.iter().map(|r| r.title.as_str()).collect();
        assert_eq!((titles.len(), titles[2]), (15, "Ours"));
        assert_eq!(programme.requirement[2].any_of.normal, ["ANGB1", "ANXI1"]);
    }
    assert_ne!(
        catalogue.programme("ncts6").unwrap().officers.as_ref().unwrap().mailbox,
        "new@example.com"
    );
}

#[test]
fn dates_and_phases_are_added_where_their_name_is_new() {
    let ours = inspect(&[(
        "ncts6/programme.toml",
        "title = \"Six\"\n\
         [[phase]]\nname = \"Trader Test for NCTS6\"\ncloses = \"2026-12-31\"\n\
         [[phase]]\nname = \"More\"\nopens = \"2027-02-01\"\nsource = \"x\"\n\
         [[date]]\nid = \"round-the-clock-ends\"\non = \"2026-09-01\"\n",
    )]);
    let catalogue = ours.catalogue.unwrap_or_else(|| panic!("{:#?}", ours.problems));
    let six = catalogue.programme("ncts6").unwrap();
    assert_eq!(six.title, "Six");
    let phases: Vec<_> = six.phase.iter().map(|phase| (phase.opens, phase.closes)).collect();
    assert_eq!(
        phases,
        [(Some(day("2026-04-14")), Some(day("2026-12-31"))), (Some(day("2027-02-01")), None)]
    );
    let date = six.date.iter().find(|date| date.id == "round-the-clock-ends").unwrap();
    assert_eq!(date.on, day("2026-09-01"));
    assert!(date.consequence.contains("07:00"));
}

#[test]
fn problems_stand_in_the_file_that_has_them() {
    for (path, text, expected) in [
        // What the house wrote, at its place in the house's file.
        (
            "ncts5-final/programme.toml",
            "[[phase]]\nname = \"Production access testing, phase 2\"\ncloses = \"2020-01-01\"\n",
            "ncts5-final/programme.toml:3:10: the phase closes on 2020-01-01, before it opens",
        ),
        (
            "ncts5-final/programme.toml",
            "[[date]]\nid = \"api-2-1-only\"\non = \"soon\"\n",
            "ncts5-final/programme.toml:3:6: ",
        ),
        (
            "ncts5-final/programme.toml",
            "[[date]]\nid = \"another\"\non = \"2027-01-01\"\n",
            "ncts5-final/programme.toml:1:1: missing field `consequence`",
        ),
        (
            "ncts5-final/programme.toml",
            "\n\ntitel = \"x\"\n",
            "ncts5-final/programme.toml:3:1: unknown field `titel`",
        ),
        ("ncts5-final/programme.toml", "x = [\n", "ncts5-final/programme.toml:1:"),
        (
            "ncts5/common.toml",
            "[[requirement]]\nid = \"arrival\"\nany-of.normal = [\"ANGB1\", \"ANXI99\"]\n",
            "ncts5/common.toml:3:27: there is no scenario `ANXI99` in programme `ncts5-final`",
        ),
        (
            "ncts6/data.toml",
            "extends = \"shared\"\n",
            "ncts6/data.toml:1:11: the built-in file that it lies over says what they extend",
        ),
        (
            "ncts6/data.toml",
            "[IE015.\"Simplified GB-XI\"]\nuse = [\"nowhere\"]\n",
            "ncts6/data.toml:1:1: there is no part `nowhere`",
        ),
        (
            "house/mine.toml",
            "programmes = [\"ncts6\"]\n[[scenario]]\nid = \"A\"\n",
            "house/mine.toml:2:1: missing field",
        ),
        ("mine.toml", "x = 1\n", "mine.toml: there is no place for this file"),
        // What the change brings about elsewhere, where it stands.
        (
            "house/mine.toml",
            "programmes = [\"ncts5-final\"]\n[[scenario]]\nid = \"DNGB1\"\ntitle = \"x\"\n\
             flow = \"standard-departure\"\nside = \"GB\"\nprocedure = \"normal\"\nsource = \"x\"\n\
             [[scenario.step]]\nsend = \"IE015\"\ndata = [\"Nothing\"]\nexpect = [{ message = \"IE928\" }]\n",
            "house/mine.toml:11:9: programme `ncts5-final` has no test data `Nothing` for IE015",
        ),
    ] {
        let problems = problems(&[(path, text)]);
        let found = problems.iter().any(|problem| problem.starts_with(expected));
        assert!(found, "{expected}\n{problems:#?}");
    }
}

#[test]
fn a_house_may_not_define_a_scenario_twice_itself() {
    let text = "programmes = [\"ncts6\"]\n[[scenario]]\nid = \"P6-DSGB-01\"\ntitle = \"x\"\n\
         flow = \"standard-departure\"\nside = \"GB\"\nprocedure = \"simplified\"\nsource = \"x\"\n\
         [[scenario.step]]\nsend = \"IE015\"\ndata = [\"Simplified GB-XI\"]\nexpect = [{ message = \"IE928\" }]\n";
    assert!(inspect(&[("house/a.toml", text)]).catalogue.is_some());
    let twice = problems(&[("house/a.toml", text), ("house/b.toml", text)]);
    assert_eq!(twice, ["house/b.toml:3:6: `P6-DSGB-01` is there twice in programme `ncts6`"]);
}

#[test]
fn a_programme_of_the_house_joins_the_others() {
    let programme = "id = \"house\"\ntitle = \"House\"\nrequirement = []\n\
         [api]\nversion = \"2.1\"\nsource = \"x\"\n\
         [[phase]]\nname = \"Always\"\nsource = \"x\"\n\
         [pending-checklist]\nwhat = \"None\"\nsource = \"x\"\n";
    let sound = inspect(&[("house/programme.toml", programme)]);
    let catalogue = sound.catalogue.unwrap_or_else(|| panic!("{:#?}", sound.problems));
    assert_eq!(catalogue.programmes().len(), 5);
    assert!(catalogue.scenarios("house").is_empty());
}

#[test]
fn a_form_takes_the_place_of_the_one_of_its_name() {
    let id = Catalogue::built_in().unwrap().forms("ncts6")[0].id.clone();
    let path = format!("ncts6/forms/{id}.toml");
    let ours = inspect(&[(path.as_str(), "x = 1"), ("ncts6/forms/ours.toml", "y = 2")]);
    let catalogue = ours.catalogue.unwrap();
    let forms: Vec<(&str, &str)> =
        catalogue.forms("ncts6").iter().map(|f| (f.id.as_str(), f.text.as_str())).collect();
    assert_eq!(forms, [(id.as_str(), "x = 1"), ("ours", "y = 2")]);
}
