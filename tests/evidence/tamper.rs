//! Whatever is changed, verification finds it.

use std::fs;
use std::path::{Path, PathBuf};

use ctc_ready::digest::Digest;
use ctc_ready::evidence::*;

use crate::support::*;

fn found(dir: &Path) -> bool {
    match verify(dir) {
        Ok(report) => {
            assert_eq!(report.intact, report.problems.is_empty());
            !report.intact
        }
        Err(_) => true,
    }
}

fn rules(dir: &Path) -> Vec<&'static str> {
    verify(dir).unwrap().problems.iter().map(|problem| problem.rule).collect()
}

/// Changes a file, checks that it is found, and changes it back.
fn expect_found(dir: &Path, file: &Path, bytes: &[u8], what: &str) {
    let path = dir.join(file);
    let before = fs::read(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    assert!(found(dir), "{what}: {}", file.display());
    fs::write(&path, before).unwrap();
}

fn chains(small: &Small) -> Vec<PathBuf> {
    files(&small.dir)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "jsonl"))
        .collect()
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

#[test]
fn an_untouched_store_verifies() {
    let small = small_store();
    let report = verify(&small.dir).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.runs, report.exchanges, report.objects), (2, 2, 3));
    let bytes: u64 = files(&small.dir)
        .iter()
        .filter(|file| file.as_os_str() != "store.json")
        .map(|file| fs::metadata(small.dir.join(file)).unwrap().len())
        .sum();
    assert_eq!(report.bytes, bytes);
    assert_eq!(files(&small.dir).len(), 2 + 2 + 3);
}

#[test]
fn every_single_changed_byte_is_found() {
    // Two stores, so that two threads share the work.
    let work = |half: usize| {
        let small = small_store();
        for file in files(&small.dir) {
            let bytes = fs::read(small.dir.join(&file)).unwrap();
            for at in (0..bytes.len()).filter(|at| at % 2 == half) {
                for mask in [0x01, 0x20, 0x80] {
                    let mut changed = bytes.clone();
                    changed[at] ^= mask;
                    expect_found(&small.dir, &file, &changed, &format!("byte {at} ^ {mask:#x}"));
                }
            }
        }
        assert!(!found(&small.dir));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(0));
        scope.spawn(|| work(1));
    });
}

#[test]
fn every_truncation_and_every_added_byte_is_found() {
    let small = small_store();
    for file in files(&small.dir) {
        let bytes = fs::read(small.dir.join(&file)).unwrap();
        for length in 0..bytes.len() {
            expect_found(&small.dir, &file, &bytes[..length], &format!("cut to {length}"));
        }
        for added in [&b"\n"[..], b" ", b"x", b"\0", b"{}\n"] {
            expect_found(&small.dir, &file, &[&bytes, added].concat(), "added at the end");
            expect_found(&small.dir, &file, &[added, &bytes].concat(), "added at the start");
        }
    }
    assert!(!found(&small.dir));
}

#[test]
fn every_removed_repeated_and_moved_line_is_found() {
    let small = small_store();
    for file in chains(&small) {
        let lines = lines(&small.dir.join(&file));
        assert!(lines.len() >= 3);
        let expect = |lines: Vec<String>, what: &str| {
            expect_found(&small.dir, &file, lines.concat().as_bytes(), what);
        };
        for at in 0..lines.len() {
            let mut removed = lines.clone();
            let line = removed.remove(at);
            expect(removed.clone(), &format!("line {at} removed"));
            for to in 0..=lines.len() {
                let mut repeated = lines.clone();
                repeated.insert(to, line.clone());
                expect(repeated, &format!("line {at} repeated at {to}"));
                let mut moved = removed.clone();
                if to < lines.len() && to != at {
                    moved.insert(to, line.clone());
                    expect(moved, &format!("line {at} moved to {to}"));
                }
            }
            for other in at + 1..lines.len() {
                let mut swapped = lines.clone();
                swapped.swap(at, other);
                expect(swapped, &format!("lines {at} and {other} swapped"));
            }
        }
    }
}

#[test]
fn lines_taken_from_another_journal_are_found() {
    let small = small_store();
    let path = |run| PathBuf::from(format!("runs/{run}/journal.jsonl"));
    let (a, b) = (path(small.closed), path(small.open));
    let other = lines(&small.dir.join(&a));
    for line in other {
        let mut mixed = lines(&small.dir.join(&b));
        mixed.push(line);
        expect_found(&small.dir, &b, mixed.concat().as_bytes(), "line of another run");
    }
    let whole = fs::read(small.dir.join(&a)).unwrap();
    expect_found(&small.dir, &b, &whole, "journal of another run");
}

#[test]
fn a_closed_journal_written_anew_with_right_hashes_is_found() {
    let small = small_store();
    let file = PathBuf::from(format!("runs/{}/journal.jsonl", small.closed));
    let text = fs::read_to_string(small.dir.join(&file)).unwrap();
    assert_eq!(rechain(&text, |_| {}), text);
    let changed = rechain(&text.replace("\"status\":202", "\"status\":200"), |_| {});
    assert_ne!(changed, text);
    expect_found(&small.dir, &file, changed.as_bytes(), "rewritten");
    let first = rechain(&text.replace("DSGB1", "DSGB9"), |_| {});
    expect_found(&small.dir, &file, first.as_bytes(), "another scenario");
    let store = Store::open(&small.dir).unwrap();
    fs::write(small.dir.join(&file), changed).unwrap();
    assert!(store.events(small.closed).is_err());
}

#[test]
fn every_removed_renamed_and_added_file_is_found() {
    let small = small_store();
    let dir = &small.dir;
    let aside = small._folder.path().join("aside");
    for file in files(dir) {
        fs::rename(dir.join(&file), &aside).unwrap();
        assert!(found(dir), "removed: {}", file.display());
        fs::create_dir(dir.join(&file)).unwrap();
        assert!(found(dir), "a folder instead: {}", file.display());
        fs::remove_dir(dir.join(&file)).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&aside, dir.join(&file)).unwrap();
            assert!(found(dir), "a link instead: {}", file.display());
            fs::remove_file(dir.join(&file)).unwrap();
        }
        let renamed = dir.join(&file).with_file_name("renamed");
        fs::rename(&aside, &renamed).unwrap();
        assert!(found(dir), "renamed: {}", file.display());
        fs::rename(&renamed, dir.join(&file)).unwrap();
        fs::copy(dir.join(&file), &renamed).unwrap();
        assert_eq!(rules(dir), ["unexpected-file"], "copied: {}", file.display());
        fs::remove_file(&renamed).unwrap();
    }
    assert!(!found(dir));

    let added = |path: &str, rule: &str| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"x").unwrap();
        assert_eq!(rules(dir), [rule], "{}", path.display());
        fs::remove_file(&path).unwrap();
    };
    added("notes.txt", "unexpected-file");
    added("runs/notes.txt", "unexpected-file");
    added("objects/notes.txt", "unexpected-file");
    added(&format!("runs/{}/notes.txt", small.open), "unexpected-file");
    let digest = Digest::of(b"x").to_string();
    added(&format!("objects/{}/{}", &digest[..2], &digest[2..]), "unreferenced-object");
    added(&format!("objects/{}/{}", &digest[..2], digest[2..].to_uppercase()), "unexpected-file");
    added(&format!("objects/00/{}", &digest[2..]), "object-changed");
    // No evidence, and ignored by name.
    fs::write(dir.join("lock"), b"{}").unwrap();
    fs::write(dir.join("tmp/half"), b"x").unwrap();
    assert!(!found(dir));
}

#[test]
fn every_removed_renamed_and_added_run_is_found() {
    let small = small_store();
    let dir = &small.dir;
    let aside = small._folder.path().join("aside");
    for run in [small.closed, small.open] {
        let folder = dir.join(format!("runs/{run}"));
        fs::rename(&folder, &aside).unwrap();
        assert!(rules(dir).contains(&"missing-journal"));
        let other = dir.join(format!("runs/{}", uuid::Uuid::new_v4()));
        fs::rename(&aside, &other).unwrap();
        assert!(rules(dir).contains(&"unindexed-run"));
        fs::create_dir(&folder).unwrap();
        assert!(rules(dir).contains(&"missing-journal"));
        fs::copy(other.join("journal.jsonl"), folder.join("journal.jsonl")).unwrap();
        assert_eq!(rules(dir), ["unindexed-run"]);
        fs::remove_dir_all(&other).unwrap();
        assert!(!found(dir));
    }
    fs::create_dir(dir.join("runs").join(small.open.to_string().to_uppercase())).unwrap();
    assert_eq!(rules(dir), ["unindexed-run"]);
}

#[test]
fn one_change_is_reported_once_with_its_place() {
    let small = small_store();
    let file = format!("runs/{}/journal.jsonl", small.closed);
    let path = small.dir.join(&file);
    let mut text = fs::read(&path).unwrap();
    let second = text.iter().position(|byte| *byte == b'\n').unwrap() + 10;
    text[second] ^= 1;
    fs::write(&path, text).unwrap();
    let report = verify(&small.dir).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert_eq!(report.problems[0].place, format!("{file}:2"));
    assert_eq!(report.problems[0].rule, "broken-line");
}

#[test]
fn hostile_sizes_are_bounded() {
    let small = small_store();
    let file = PathBuf::from(format!("runs/{}/journal.jsonl", small.open));
    let mut bytes = fs::read(small.dir.join(&file)).unwrap();
    bytes.extend(std::iter::repeat_n(b'a', (1 << 20) + 1));
    expect_found(&small.dir, &file, &bytes, "a long line");
    bytes.extend("\n".repeat(5000).bytes());
    fs::write(small.dir.join(&file), &bytes).unwrap();
    let problems = verify(&small.dir).unwrap().problems;
    assert_eq!(problems.len(), 1001);
    assert_eq!(problems.last().unwrap().rule, "too-many-problems");
    let nested = "[".repeat(100_000) + "\n";
    expect_found(&small.dir, &file, nested.as_bytes(), "deep nesting");
}

#[test]
fn what_only_a_seal_can_show() {
    // `docs/evidence-format.md`, "What this cannot show": the newest lines of
    // an open run, gone together with the objects that only they refer to.
    let small = small_store();
    let path = small.dir.join(format!("runs/{}/journal.jsonl", small.open));
    let mut kept = lines(&path);
    let last: serde_json::Value = serde_json::from_str(&kept.pop().unwrap()).unwrap();
    let object = last["body"]["sha256"].as_str().unwrap();
    fs::write(&path, kept.concat()).unwrap();
    assert_eq!(rules(&small.dir), ["unreferenced-object"]);
    fs::remove_file(small.dir.join(format!("objects/{}/{}", &object[..2], &object[2..]))).unwrap();
    assert!(!found(&small.dir));
}

#[test]
fn what_is_no_store_or_a_later_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    for dir in [folder.path(), &missing] {
        assert!(matches!(verify(dir), Err(EvidenceError::NoStore(_))));
        assert!(matches!(Store::open(dir), Err(EvidenceError::NoStore(_))));
    }
    let small = small_store();
    let path = small.dir.join("store.json");
    let later = fs::read_to_string(&path).unwrap().replace("\"format\":1", "\"format\":2");
    fs::write(&path, &later).unwrap();
    let error = Store::open(&small.dir).unwrap_err();
    assert!(error.to_string().contains("has format 2; this version knows formats up to 1"));
    assert!(matches!(open(&small.dir, &clock()), Err(EvidenceError::NewerFormat { .. })));
    // A later version would have said so in the index too.
    assert_eq!(rules(&small.dir), ["store-changed"]);
    let index = small.dir.join("index.jsonl");
    let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
    let text = fs::read_to_string(&index).unwrap();
    let text =
        text.replace(&digest(&later.replace("\"format\":2", "\"format\":1")), &digest(&later));
    fs::write(&index, rechain(&text, |_| {})).unwrap();
    assert!(matches!(verify(&small.dir), Err(EvidenceError::NewerFormat { found: 2, .. })));
}
