//! How long it takes to load a version's schemas and to validate an IE015,
//! beside what `xmllint` takes for the same.
//!
//! Promised: loading under 150 ms, validating under 1 ms. The schemas and the
//! message are HMRC's, which are not part of this project: where the reference
//! folder is absent nothing is measured, and it says so.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use criterion::Criterion;
use ctc_ready::ncts::xsd::Schemas;

const VERSIONS: [&str; 3] = ["2.0", "2.1", "3.0"];

fn main() {
    let folder = std::env::var_os("CTC_READY_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"),
        PathBuf::from,
    );
    if !folder.join("xsd").is_dir() {
        print("SKIPPED: no reference folder (CTC_READY_REFERENCE), so nothing was measured");
        return;
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(30);
    for version in VERSIONS {
        let files = files(&folder.join("xsd").join(version));
        criterion.bench_function(&format!("load {version}"), |bencher| {
            bencher.iter(|| Schemas::load(files.clone()).unwrap());
        });
    }
    let message = largest(&folder.join("test-packs/NCTS5_Trader_Test_XML_Examples_v7.zip"));
    let schemas = Schemas::load(files(&folder.join("xsd/2.1"))).unwrap();
    let violations = schemas.validate(&message).unwrap();
    print(&format!("IE015 of {} bytes, {} violations", message.len(), violations.len()));
    criterion.bench_function("validate IE015", |bencher| {
        bencher.iter(|| schemas.validate(black_box(&message)).unwrap());
    });
    beside(&folder, &message);
    criterion.final_summary();
}

/// What `xmllint` takes: a run for one file, which loads the schema, and what
/// each of a hundred more adds.
fn beside(folder: &Path, message: &str) {
    let dir = std::env::temp_dir().join(format!("ctc-ready-validate-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("ie015.xml");
    std::fs::write(&file, message).unwrap();
    let run = |times: usize| {
        let started = Instant::now();
        let done = Command::new("xmllint")
            .args(["--noout", "--schema"])
            .arg(folder.join("xsd/2.1/cc015c.xsd"))
            .args(std::iter::repeat_n(&file, times))
            .output();
        done.ok().map(|_| started.elapsed())
    };
    let least = |times| (0..10).filter_map(|_| run(times)).min();
    match (least(1), least(101)) {
        (Some(one), Some(more)) => {
            let each: Duration = more.saturating_sub(one) / 100;
            print(&format!("xmllint: one run with one message {one:.1?}, each further {each:.1?}"));
        }
        _ => print("SKIPPED: `xmllint` is not installed, so there is nothing to compare with"),
    }
    let _ = std::fs::remove_dir_all(&dir);
}

fn files(folder: &Path) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else if name.ends_with(".xsd") {
                out.push((name, std::fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    out
}

/// The largest IE015 of a pack, its placeholders filled with something.
fn largest(pack: &Path) -> String {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(pack).unwrap()).unwrap();
    let mut largest = String::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let name = file.name().to_lowercase();
        let mut text = String::new();
        if name.contains("ie015")
            && name.ends_with(".xml")
            && !name.contains("__macosx")
            && file.read_to_string(&mut text).is_ok()
            && text.len() > largest.len()
        {
            largest = text;
        }
    }
    let mut filled = String::new();
    let mut rest = largest.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap();
        filled.push_str(before);
        filled.push_str(match name.trim() {
            "limitDate" | "unloadingDate" => "2026-12-05",
            name if name.to_lowercase().contains("time") => "2026-11-21T09:30:00",
            _ => "READY1",
        });
        rest = after;
    }
    filled + rest
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
