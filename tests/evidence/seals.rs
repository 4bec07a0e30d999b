//! Seals: what they cover, and that no change to what is sealed goes unseen.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ctc_ready::digest::{Digest, canonical_json};
use ctc_ready::evidence::seal::statement::PAYLOAD_TYPE;
use ctc_ready::evidence::seal::{Envelope, KeyRing, Statement, dsse};
use ctc_ready::evidence::*;

use crate::support::*;

fn rules_with(dir: &Path, trust: &Trust) -> Vec<&'static str> {
    let report = verify_with(dir, trust).unwrap();
    report.problems.iter().map(|problem| problem.rule).collect()
}

fn rules(dir: &Path) -> Vec<&'static str> {
    rules_with(dir, &Trust::default())
}

fn pin(key: Digest) -> Trust {
    Trust { key: Some(key), authorities: None }
}

fn statement(dir: &Path, number: u64) -> Statement {
    let bytes = fs::read(dir.join(format!("seals/{number}.dsse.json"))).unwrap();
    Statement::parse(&Envelope::parse(&bytes).unwrap().payload).unwrap()
}

/// The hash of a chain's last line.
fn head(text: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    line["hash"].as_str().unwrap().to_owned()
}

struct SealedStore {
    small: Small,
    keys: KeyRing,
    home: tempfile::TempDir,
}

/// The small store, sealed; then more lines in the open run, sealed again.
fn sealed_twice() -> SealedStore {
    let small = small_store();
    let home = tempfile::tempdir().unwrap();
    let keys = KeyRing::generate(home.path()).unwrap();
    let store = open(&small.dir, &later(1)).unwrap();
    assert_eq!(store.seal(&keys).unwrap().number, 1);
    let (mut run, _) = store.resume_run(small.open).unwrap();
    run.append(Event::Request(request(2, Purpose::ListMovements, None)), Durability::Buffered)
        .unwrap();
    let second = store.seal(&keys).unwrap();
    assert_eq!((second.number, second.runs, second.new), (2, 2, true));
    drop((run, store));
    SealedStore { small, keys, home }
}

fn later(hours: u64) -> std::sync::Arc<ctc_ready::clock::ManualClock> {
    let clock = clock();
    clock.advance(Duration::from_secs(3600 * hours));
    clock
}

#[test]
fn a_seal_covers_everything_and_the_next_names_it() {
    let SealedStore { small, keys, .. } = sealed_twice();
    let dir = &small.dir;
    let report = verify(dir).unwrap();
    assert_eq!(report.problems, []);
    assert!(report.unsealed_runs.is_empty());
    assert_eq!(report.seals.len(), 2);
    for (seal, number) in report.seals.iter().zip(1..) {
        assert_eq!(seal.seal, format!("seals/{number}.dsse.json"));
        assert_eq!((seal.key, seal.covers_runs, seal.valid), (keys.fingerprint(), 2, true));
        assert_eq!(seal.index_head, Some(statement(dir, number).predicate.index_head));
        assert_eq!(seal.at.unwrap(), start() + chrono::TimeDelta::hours(1));
    }
    let bytes: u64 = files(dir)
        .iter()
        .filter(|file| file.as_os_str() != "store.json")
        .map(|file| fs::metadata(dir.join(file)).unwrap().len())
        .sum();
    assert_eq!(report.bytes, bytes);

    let (first, second) = (statement(dir, 1), statement(dir, 2));
    let file = fs::read(dir.join("seals/1.dsse.json")).unwrap();
    assert_eq!(first.predicate.previous, None);
    assert_eq!(second.predicate.previous, Some(Digest::of(&file)));
    assert_eq!(first.predicate.result, "FAILED");
    assert_eq!(first.predicate.passed_tests, ["ncts5-final/DSGB1#1"]);
    assert_eq!(first.predicate.failed_tests, ["ncts5-final/DSGB2#1"]);
    // What `head -c N FILE | sha256sum` checks.
    for statement in [&first, &second] {
        let mut lengths = vec![None, Some(statement.predicate.index_bytes)];
        lengths.extend(statement.predicate.runs.iter().map(|run| Some(run.bytes)));
        assert_eq!(statement.subject.len(), lengths.len());
        for (subject, length) in statement.subject.iter().zip(lengths) {
            let file = fs::read(dir.join(&subject.name)).unwrap();
            let covered = length.map_or(&file[..], |length| &file[..length as usize]);
            assert_eq!(subject.digest["sha256"], Digest::of(covered), "{}", subject.name);
        }
    }
    let open_run = |statement: &Statement| {
        statement.predicate.runs.iter().find(|run| run.run == small.open).unwrap().lines
    };
    assert_eq!((open_run(&first), open_run(&second)), (3, 5));
}

#[test]
fn where_nothing_is_new_there_is_no_new_seal() {
    let SealedStore { small, mut keys, home: _home } = sealed_twice();
    let before = fs::read(small.dir.join("index.jsonl")).unwrap();
    let store = open(&small.dir, &later(2)).unwrap();
    let again = store.seal(&keys).unwrap();
    assert_eq!((again.number, again.new), (2, false));
    assert_eq!(fs::read(small.dir.join("index.jsonl")).unwrap(), before);
    // A buffered line of an open run is new.
    let (mut run, _) = store.resume_run(small.open).unwrap();
    assert_eq!(store.seal(&keys).unwrap().number, 3);
    assert!(!store.seal(&keys).unwrap().new);
    run.append(Event::Response(response(2, 200, None)), Durability::Buffered).unwrap();
    assert_eq!(store.seal(&keys).unwrap().number, 4);
    // So is another key.
    keys.rotate().unwrap();
    assert_eq!(store.seal(&keys).unwrap().number, 5);
    assert!(!store.seal(&keys).unwrap().new);
    // A store without any run is sealed, too.
    let empty = small._folder.path().join("empty");
    assert_eq!(open(&empty, &later(3)).unwrap().seal(&keys).unwrap().runs, 0);
    let report = verify(&empty).unwrap();
    assert_eq!((report.problems.len(), report.seals.len()), (0, 1));
    assert_eq!(statement(&empty, 1).predicate.result, "PASSED");
}

#[test]
fn runs_after_the_newest_seal_are_told_and_no_problem() {
    let SealedStore { small, keys, .. } = sealed_twice();
    let store = open(&small.dir, &later(2)).unwrap();
    let new = store.open_run(opened(&store, "DSGB3")).unwrap();
    let new_id = new.run();
    store.close_run(new, passed()).unwrap();
    let (run, _) = store.resume_run(small.open).unwrap();
    store.close_run(run, passed()).unwrap();
    let report = verify(&small.dir).unwrap();
    assert_eq!(report.problems, []);
    let mut unsealed = report.unsealed_runs;
    unsealed.sort();
    let mut expected = vec![small.open, new_id];
    expected.sort();
    assert_eq!(unsealed, expected);
    store.seal(&keys).unwrap();
    assert!(verify(&small.dir).unwrap().unsealed_runs.is_empty());
}

/// A store with one closed run and one seal: small enough to change every byte.
fn smallest() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("evidence");
    let keys = KeyRing::generate(&folder.path().join("keys")).unwrap();
    let store = open(&dir, &clock()).unwrap();
    let run = store.open_run(opened(&store, "DSGB1")).unwrap();
    store.close_run(run, passed()).unwrap();
    store.seal(&keys).unwrap();
    (folder, dir)
}

#[test]
fn every_changed_byte_of_a_sealed_store_is_found() {
    // Two stores, so that two threads share the work.
    let work = |half: usize| {
        let (_folder, dir) = smallest();
        for file in files(&dir) {
            let path = dir.join(&file);
            let bytes = fs::read(&path).unwrap();
            for at in (0..bytes.len()).filter(|at| at % 2 == half) {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at / 2 % 8);
                fs::write(&path, &changed).unwrap();
                let found = verify(&dir).map_or(true, |report| !report.intact);
                assert!(found, "{}: byte {at}", file.display());
            }
            fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(rules(&dir), [""; 0]);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(0));
        scope.spawn(|| work(1));
    });
}

#[test]
fn every_length_of_a_seal_but_its_own_is_found() {
    let (_folder, dir) = smallest();
    let path = dir.join("seals/1.dsse.json");
    let bytes = fs::read(&path).unwrap();
    for cut in (0..bytes.len()).step_by(11).chain([1, bytes.len() - 1]) {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert_eq!(rules(&dir), ["seal-changed"], "cut to {cut}");
    }
    fs::write(&path, [&bytes[..], b"\n"].concat()).unwrap();
    assert_eq!(rules(&dir), ["seal-changed"]);
    // However large it is, no more than a bounded part of it is read.
    fs::File::options().write(true).open(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    assert_eq!(rules(&dir), ["unreadable-file"]);
}

/// Names of rules that a change to a sealed store causes, which it undoes.
fn after(dir: &Path, change: impl FnOnce(&Path)) -> Vec<&'static str> {
    let aside = tempfile::tempdir().unwrap();
    let copied = aside.path().join("evidence");
    copy(dir, &copied);
    change(&copied);
    let mut found = rules(&copied);
    found.dedup();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn seals_removed_swapped_and_added_are_found() {
    let SealedStore { small, keys, .. } = sealed_twice();
    let dir = &small.dir;
    let seal = |dir: &Path, number: u64| dir.join(format!("seals/{number}.dsse.json"));
    for number in [1, 2] {
        let found = after(dir, |dir| fs::remove_file(seal(dir, number)).unwrap());
        assert_eq!(found, ["missing-seal"], "{number}");
    }
    let found = after(dir, |dir| fs::remove_dir_all(dir.join("seals")).unwrap());
    assert_eq!(found, ["missing-seal"]);
    let found = after(dir, |dir| {
        fs::rename(seal(dir, 1), dir.join("aside")).unwrap();
        fs::rename(seal(dir, 2), seal(dir, 1)).unwrap();
        fs::rename(dir.join("aside"), seal(dir, 2)).unwrap();
    });
    assert_eq!(found, ["seal-changed"]);
    let found = after(dir, |dir| {
        fs::copy(seal(dir, 2), seal(dir, 3)).unwrap();
    });
    assert_eq!(found, ["unindexed-seal"]);
    for name in ["4.dsse.json", "02.dsse.json", "1.tsr.txt", "notes.txt", "3.tsr", "0.dsse.json"] {
        let found = after(dir, |dir| fs::write(dir.join("seals").join(name), "x").unwrap());
        assert_eq!(found, ["unexpected-file"], "{name}");
    }
    let found = after(dir, |dir| fs::write(dir.join("seals/1.tsr"), "x").unwrap());
    assert_eq!(found, ["unindexed-seal"]);
    // Signed by the right key, but about something else.
    let other = dsse::sign(&keys, PAYLOAD_TYPE, b"{}");
    let foreign = dsse::sign(&keys, "text/plain", b"{}");
    for (bytes, rule) in [(other, "seal-mismatch"), (foreign, "bad-signature")] {
        let found = after(dir, |dir| {
            replace_newest_seal(dir, bytes.as_bytes());
        });
        assert_eq!(found, [rule]);
    }
}

/// Puts other bytes in the place of seal 2 and has the index say so.
fn replace_newest_seal(dir: &Path, bytes: &[u8]) {
    let path = dir.join("seals/2.dsse.json");
    fs::write(&path, bytes).unwrap();
    let digest = Digest::of(bytes).to_string();
    let index = dir.join("index.jsonl");
    let text = fs::read_to_string(&index).unwrap();
    let changed = rechain(&text, |line| {
        if line["kind"] == "sealed" && line["seal"] == 2 {
            line["sha256"] = digest.clone().into();
        }
    });
    fs::write(&index, changed).unwrap();
}

#[test]
fn a_store_written_anew_is_found_by_its_seals() {
    // Someone who knows the format, but has not the key, turns the failed
    // status of an answer into another and computes every hash again.
    let SealedStore { small, .. } = sealed_twice();
    let journal = format!("runs/{}/journal.jsonl", small.closed);
    let rewrite = |dir: &Path| {
        let path = dir.join(&journal);
        let text = fs::read_to_string(&path).unwrap();
        let changed = rechain(&text, |line| {
            if line["kind"] == "response" {
                line["status"] = 201.into();
            }
        });
        assert_ne!(text, changed);
        fs::write(&path, &changed).unwrap();
        let index = dir.join("index.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        let changed = rechain(&text, |line| {
            if line["kind"] == "run-closed" {
                line["head"] = head(&changed).into();
            }
        });
        fs::write(&index, changed).unwrap();
    };
    let found = after(&small.dir, rewrite);
    assert!(found.contains(&"seal-mismatch"), "{found:?}");
    // Without seals it would not be.
    let found = after(&small.dir, |dir| {
        rewrite(dir);
        fs::remove_dir_all(dir.join("seals")).unwrap();
        let index = dir.join("index.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        let kept: String = text
            .split_inclusive('\n')
            .filter(|line| !line.contains("\"kind\":\"sealed\"") && !line.contains("key-added"))
            .collect();
        fs::write(&index, rechain(&kept, |_| {})).unwrap();
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn runs_removed_added_and_reordered_below_a_seal_are_found() {
    let SealedStore { small, .. } = sealed_twice();
    let without = |run: RunId| {
        after(&small.dir, |dir| {
            fs::remove_dir_all(dir.join(format!("runs/{run}"))).unwrap();
            let index = dir.join("index.jsonl");
            let text = fs::read_to_string(&index).unwrap();
            let kept: String = text
                .split_inclusive('\n')
                .filter(|line| !line.contains(&run.to_string()))
                .collect();
            fs::write(&index, rechain(&kept, |_| {})).unwrap();
        })
    };
    for run in [small.closed, small.open] {
        let found = without(run);
        assert!(found.contains(&"seal-mismatch"), "{found:?}");
    }
    // The two `run-opened` lines change places.
    let found = after(&small.dir, |dir| {
        let index = dir.join("index.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert!(lines[1].contains("run-opened") && lines[2].contains("run-opened"));
        lines.swap(1, 2);
        fs::write(&index, rechain(&lines.concat(), |_| {})).unwrap();
    });
    assert!(found.contains(&"seal-mismatch"), "{found:?}");
    // A run is slipped in before the first seal.
    let found = after(&small.dir, |dir| {
        let added = uuid::Uuid::now_v7();
        let folder = dir.join(format!("runs/{added}"));
        fs::create_dir(&folder).unwrap();
        let journal =
            fs::read_to_string(dir.join(format!("runs/{}/journal.jsonl", small.closed))).unwrap();
        let id = small.closed.to_string();
        let journal = rechain(&journal.replace(&id, &added.to_string()), |_| {});
        fs::write(folder.join("journal.jsonl"), &journal).unwrap();
        let first = head(journal.split_inclusive('\n').next().unwrap());
        let index = dir.join("index.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let of_closed: Vec<String> = lines
            .iter()
            .filter(|line| line.contains(&id))
            .map(|l| l.replace(&id, &added.to_string()))
            .collect();
        lines.splice(3..3, of_closed);
        let text = rechain(&lines.concat(), |line| {
            if line["kind"] == "run-opened" && line["run"] == added.to_string() {
                line["first"] = first.clone().into();
            }
            if line["kind"] == "run-closed" && line["run"] == added.to_string() {
                line["head"] = head(&journal).into();
            }
        });
        fs::write(&index, text).unwrap();
    });
    assert!(found.contains(&"seal-mismatch"), "{found:?}");
}

#[test]
fn what_only_a_copy_kept_elsewhere_can_show() {
    // `docs/evidence-format.md`, "What this can show, and what not": the newest
    // lines of the index, gone together with the seal they name.
    let SealedStore { small, keys, .. } = sealed_twice();
    let found = after(&small.dir, |dir| {
        let index = dir.join("index.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let (last, kept) = lines.split_last().unwrap();
        assert!(last.contains("\"seal\":2"));
        fs::write(&index, kept.concat()).unwrap();
        assert_eq!(rules(dir), ["unindexed-seal"]);
        fs::remove_file(dir.join("seals/2.dsse.json")).unwrap();
        // What is left is the store as it once was.
        assert_eq!(rules_with(dir, &pin(keys.fingerprint())), [""; 0]);
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn an_open_run_is_covered_as_far_as_it_went() {
    let SealedStore { small, .. } = sealed_twice();
    let path = small.dir.join(format!("runs/{}/journal.jsonl", small.open));
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // Cut back behind the newest seal: that one fails, the older one holds.
    fs::write(&path, lines[..4].concat()).unwrap();
    let report = verify(&small.dir).unwrap();
    assert_eq!(report.seals.iter().map(|seal| seal.valid).collect::<Vec<_>>(), [true, false]);
    assert_eq!(report.problems[0].rule, "seal-mismatch");
    assert_eq!(report.unsealed_runs, [small.open]);
    // Continued by hand behind it: the seals hold, the end is not covered.
    let forged = rechain(&(text.clone() + lines[3]), |_| {});
    assert!(forged.starts_with(&text));
    fs::write(&path, forged).unwrap();
    let report = verify(&small.dir).unwrap();
    assert!(report.seals.iter().all(|seal| seal.valid));
    assert_eq!(report.unsealed_runs, [small.open]);
    // Its object is gone from `references` twice, so nothing else is wrong.
    assert_eq!(report.problems, []);
}

#[test]
fn nothing_broken_is_signed() {
    let SealedStore { small, keys, .. } = sealed_twice();
    let path = small.dir.join(format!("runs/{}/journal.jsonl", small.closed));
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = open(&small.dir, &later(2)).unwrap();
    let error = store.seal(&keys).unwrap_err();
    assert!(matches!(error, EvidenceError::Line { .. }), "{error}");
    assert!(!small.dir.join("seals/3.dsse.json").exists());
}

#[test]
fn a_file_in_the_place_of_the_next_seal_is_not_overwritten() {
    let SealedStore { small, keys, .. } = sealed_twice();
    let path = small.dir.join("seals/3.dsse.json");
    fs::copy(small.dir.join("seals/2.dsse.json"), &path).unwrap();
    let before = fs::read(&path).unwrap();
    let store = open(&small.dir, &later(2)).unwrap();
    drop(store.open_run(opened(&store, "DSGB3")).unwrap());
    let error = store.seal(&keys).unwrap_err();
    assert!(error.to_string().contains("seals/3.dsse.json"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::remove_file(&path).unwrap();
    assert_eq!(store.seal(&keys).unwrap().number, 3);
}

#[test]
fn a_rotated_key_is_trusted_by_the_one_before() {
    let SealedStore { small, mut keys, home: _home } = sealed_twice();
    let dir = &small.dir;
    let first = keys.fingerprint();
    keys.rotate().unwrap();
    let skipped = keys.fingerprint();
    keys.rotate().unwrap();
    open(dir, &later(2)).unwrap().seal(&keys).unwrap();
    let report = verify_with(dir, &pin(first)).unwrap();
    assert_eq!(report.problems, []);
    let seal = &report.seals[2];
    assert_eq!((seal.key, seal.endorsed_by), (keys.fingerprint(), Some(skipped)));
    // Any key of the line will do from where it stands.
    for key in [skipped, keys.fingerprint()] {
        assert_eq!(rules_with(dir, &pin(key)), [""; 0]);
    }
    let stranger = Digest::of(b"a stranger");
    assert_eq!(rules_with(dir, &pin(stranger)), ["untrusted-key"]);
    assert_eq!(verify_with(dir, &pin(stranger)).unwrap().unsealed_runs.len(), 2);
    // The index names the takeover; without a right signature it is worth
    // nothing.
    let found = after(dir, |dir| {
        let index = dir.join("index.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        let changed = rechain(&text, |line| {
            if line["kind"] == "key-added" && line["replaces"].is_string() {
                let endorsement = line["endorsement"].as_str().unwrap();
                line["endorsement"] = endorsement.chars().rev().collect::<String>().into();
            }
        });
        fs::write(&index, changed).unwrap();
    });
    assert!(found.contains(&"bad-endorsement"), "{found:?}");
}

#[test]
fn runs_sealed_by_a_stranger_alone_do_not_pass_a_pinned_key() {
    let SealedStore { small, keys, .. } = sealed_twice();
    let dir = &small.dir;
    let home = tempfile::tempdir().unwrap();
    let stranger = KeyRing::generate(home.path()).unwrap();
    let store = open(dir, &later(2)).unwrap();
    // Sealed again, with nothing new: fine.
    store.seal(&stranger).unwrap();
    assert_eq!(rules_with(dir, &pin(keys.fingerprint())), [""; 0]);
    let run = store.open_run(opened(&store, "DSGB3")).unwrap();
    let added = run.run();
    store.close_run(run, passed()).unwrap();
    store.seal(&stranger).unwrap();
    assert_eq!(rules(dir), [""; 0]);
    let report = verify_with(dir, &pin(keys.fingerprint())).unwrap();
    assert_eq!(report.problems[0].rule, "untrusted-key");
    assert_eq!(report.unsealed_runs, [added]);
    // Once the trusted key has sealed over it, it is vouched for.
    store.seal(&keys).unwrap();
    assert_eq!(rules_with(dir, &pin(keys.fingerprint())), [""; 0]);
    // No seal at all is no seal by that key.
    let empty = small_store();
    assert_eq!(rules_with(&empty.dir, &pin(keys.fingerprint())), ["untrusted-key"]);
}

#[test]
fn a_removed_run_stays_in_the_seals_made_before() {
    let SealedStore { small, keys, .. } = sealed_twice();
    let dir = &small.dir;
    // As `evidence prune` leaves it.
    let removed = IndexLine { dir, kind: "run-removed", run: small.closed };
    removed.append();
    fs::remove_dir_all(dir.join(format!("runs/{}", small.closed))).unwrap();
    for file in files(dir) {
        let orphan = verify(dir).unwrap().problems.iter().any(|problem| {
            problem.rule == "unreferenced-object" && Path::new(&problem.place) == file
        });
        if orphan {
            fs::remove_file(dir.join(file)).unwrap();
        }
    }
    let report = verify(dir).unwrap();
    assert_eq!(report.problems, []);
    assert!(report.seals.iter().all(|seal| seal.valid));
    assert!(report.unsealed_runs.is_empty());
    let store = open(dir, &later(2)).unwrap();
    assert_eq!(store.seal(&keys).unwrap().number, 3);
    drop(store);
    let third = statement(dir, 3);
    let run = third.predicate.runs.iter().find(|run| run.run == small.closed).unwrap();
    assert!(run.removed);
    assert_eq!((run.bytes, third.subject.len()), (0, 3));
    let report = verify(dir).unwrap();
    assert_eq!((report.problems.len(), report.unsealed_runs.len()), (0, 0));
}

/// A line put at the end of the index.
struct IndexLine<'a> {
    dir: &'a Path,
    kind: &'a str,
    run: RunId,
}

impl IndexLine<'_> {
    fn append(&self) {
        let path = self.dir.join("index.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let line = canonical_json(&serde_json::json!({
            "at": "2026-11-21T11:30:00.000Z", "kind": self.kind, "mono_ns": 1,
            "reason": "not needed", "run": self.run,
        }));
        fs::write(&path, rechain(&(text + &line + "\n"), |_| {})).unwrap();
    }
}

#[test]
fn a_key_that_is_not_what_its_line_says_is_found() {
    let SealedStore { small, .. } = sealed_twice();
    let home = tempfile::tempdir().unwrap();
    let other = KeyRing::generate(home.path()).unwrap();
    let found = after(&small.dir, |dir| {
        let index = dir.join("index.jsonl");
        let text = fs::read_to_string(&index).unwrap();
        let changed = rechain(&text, |line| {
            if line["kind"] == "key-added" {
                line["public"] = other.public().to_base64().into();
            }
        });
        fs::write(&index, changed).unwrap();
    });
    assert!(found.contains(&"bad-endorsement") && found.contains(&"bad-signature"), "{found:?}");
}

#[test]
fn the_same_store_gives_the_same_statement() {
    let SealedStore { small, .. } = sealed_twice();
    let about = || {
        let store = Store::open(&small.dir).unwrap();
        let occasion = seal::statement::Occasion {
            number: 3,
            previous: Some(Digest::ZERO),
            at: "2026-11-21T09:30:00.000Z".into(),
            tool: TOOL.into(),
        };
        Statement::about(&store, occasion).unwrap()
    };
    let payload = about().payload();
    assert_eq!(payload, about().payload());
    assert_eq!(Statement::parse(payload.as_bytes()).unwrap(), about());
    let spaced = payload.replacen(':', ": ", 1);
    assert!(Statement::parse(spaced.as_bytes()).is_err());
}

/// Files of a store that an earlier version sealed, with a rotated key and a
/// time stamp.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evidence/sealed-store")
}

#[test]
fn a_store_that_an_earlier_version_sealed_still_verifies() {
    let pem = fs::read(kept().join("../sealed-store-authority.pem")).unwrap();
    let key = fs::read_to_string(kept().join("../sealed-store-key.pem")).unwrap();
    let trust = Trust {
        key: Some(seal::PublicKey::from_pem(&key).unwrap().fingerprint()),
        authorities: Some(seal::Authorities::from_pem(&pem).unwrap()),
    };
    let report = verify_with(&kept(), &trust).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.runs, report.seals.len()), (2, 2));
    assert_eq!(report.seals[1].endorsed_by, Some(report.seals[0].key));
    let stamp = report.seals[0].time_stamp.as_ref().unwrap();
    assert!(stamp.authority_checked);
    assert_eq!(stamp.authority.as_deref(), Some("Invented time stamps"));
    assert!(report.seals[1].time_stamp.is_none());
}
