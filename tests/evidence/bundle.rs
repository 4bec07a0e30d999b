//! Bundles: the same bytes from the same evidence, and whatever is changed is
//! found, in the zip and unpacked.

use std::fs;
use std::path::Path;
use std::process::Command;

use ctc_ready::digest::Digest;
use ctc_ready::evidence::bundle::*;
use ctc_ready::evidence::seal::keys::KeyRing;
use ctc_ready::evidence::{Trust, verify};
use serde_json::{Value, json};

use crate::bundle_support::*;
use crate::random::Random;
use crate::support::*;

/// Whether the change was found, as a problem or as no bundle at all.
fn found(path: &Path) -> bool {
    if !is_bundle(path) {
        return true;
    }
    match verify_bundle(path, &Trust::default()) {
        Ok(verified) => !verified.report.intact,
        Err(_) => true,
    }
}

#[test]
fn a_bundle_tells_what_is_in_it_wherever_it_lies() {
    let made = made();
    let bytes = made.good();
    let verified = made.verify(&bytes);
    assert_eq!(told(&verified), Vec::<String>::new());
    let store = verify(&made.small.dir).unwrap();
    let report = &verified.report;
    assert_eq!(
        (report.runs, report.exchanges, report.objects, report.bytes),
        (store.runs, store.exchanges, store.objects, store.bytes)
    );
    let summary = &verified.summary;
    assert_eq!(summary.files, unzip(&bytes).len() as u64);
    assert_eq!(summary.sha256, Some(Digest::of(&bytes)));
    assert_eq!(summary.key, Some(made.keys.fingerprint()));
    assert_eq!((summary.mark, summary.ready), (None, Some(true)));
    assert_eq!(summary.programme.as_deref(), Some("ncts5-final"));
    assert_eq!(summary.counted_runs, [made.small.closed]);

    // Everything that is evidence, and nothing else of the store.
    let mut names: Vec<String> = unzip(&bytes).into_iter().map(|(name, _)| name).collect();
    let mut expected: Vec<String> =
        files(&made.small.dir).iter().map(|file| format!("evidence/{}", file.display())).collect();
    for paper in [README, PAGE, VERDICT, checklist(None), annex(None), KEY, SIGNED] {
        expected.push(paper.to_owned());
    }
    expected.sort();
    assert_eq!(names, expected);
    names.sort();
    assert_eq!(names, expected);

    // Elsewhere, under another name, the evidence it was made of gone.
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("other name.zip");
    fs::write(&path, &bytes).unwrap();
    fs::remove_dir_all(&made.small.dir).unwrap();
    assert!(is_bundle(&path));
    assert!(
        verify_bundle(&path, &Trust { key: Some(made.keys.fingerprint()), ..Trust::default() })
            .unwrap()
            .report
            .intact
    );
    // What the user names may be a link.
    #[cfg(unix)]
    {
        let link = elsewhere.path().join("link.zip");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(is_bundle(&link) && verify_bundle(&link, &Trust::default()).unwrap().report.intact);
    }
}

#[test]
fn the_same_evidence_is_the_same_bytes() {
    let made = made();
    let good = made.good();
    assert_eq!(made.good(), good);
    // A copy made in the opposite order, at another time, with what is no
    // evidence beside it.
    let copy = made.folder.path().join("copy");
    for file in files(&made.small.dir).into_iter().rev() {
        let to = copy.join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(&to, fs::read(made.small.dir.join(&file)).unwrap()).unwrap();
        fs::File::open(&to).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    fs::write(copy.join("salt"), "00").unwrap();
    fs::write(copy.join("lock"), "{}").unwrap();
    fs::create_dir(copy.join("tmp")).unwrap();
    fs::write(copy.join("tmp/half"), "x").unwrap();
    fs::write(copy.join("notes.txt"), "secret").unwrap();
    let papers = papers(&verdict(&made.small));
    let plan = Plan::new(&copy, papers, None, Some(&made.keys), TOOL).unwrap();
    let mut bytes = Vec::new();
    plan.write(&mut bytes).unwrap();
    assert!(bytes == good);
}

#[test]
fn every_single_changed_byte_is_found() {
    // The bytes shared out between two threads.
    let work = |half: usize| {
        let made = made();
        let bytes = made.good();
        for at in (0..bytes.len()).filter(|at| at % 2 == half) {
            let mut changed = bytes.clone();
            changed[at] ^= [0x01, 0x20, 0x80, 0xff][at / 2 % 4];
            fs::write(made.path(), &changed).unwrap();
            assert!(found(&made.path()), "byte {at}");
        }
        fs::write(made.path(), &bytes).unwrap();
        assert!(!found(&made.path()));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(0));
        scope.spawn(|| work(1));
    });
}

#[test]
fn every_truncation_and_every_added_byte_is_found() {
    let made = made();
    let bytes = made.good();
    for length in 0..bytes.len() {
        fs::write(made.path(), &bytes[..length]).unwrap();
        assert!(found(&made.path()), "cut to {length}");
    }
    for length in (0..bytes.len()).step_by(7) {
        fs::write(made.path(), &bytes[bytes.len() - length..]).unwrap();
        assert!(found(&made.path()), "the last {length}");
    }
    for added in [&b"\n"[..], b"\0", b"PK\x03\x04", b"PK\x05\x06", &bytes] {
        for changed in [[&bytes, added].concat(), [added, &bytes].concat()] {
            fs::write(made.path(), changed).unwrap();
            assert!(found(&made.path()));
        }
    }
}

#[test]
fn pieces_removed_repeated_and_exchanged_are_found() {
    let made = made();
    let bytes = made.good();
    let mut random = Random::of(1, 0);
    for turn in 0..3_000 {
        let [a, b, c, d] = random.places(bytes.len());
        let changed = match turn % 4 {
            0 => [&bytes[..a], &bytes[b..]].concat(),
            1 => [&bytes[..b], &bytes[a..b], &bytes[b..]].concat(),
            2 => [&bytes[..a], &bytes[c..d], &bytes[b..c], &bytes[a..b], &bytes[d..]].concat(),
            _ => {
                let mut changed = bytes.clone();
                changed[a..b].fill(random.byte());
                changed
            }
        };
        fs::write(made.path(), &changed).unwrap();
        assert_eq!(found(&made.path()), changed != bytes, "turn {turn}: {a} {b} {c} {d}");
    }
}

#[test]
fn a_file_changed_before_it_was_packed_anew_is_found_by_name() {
    // The zip itself is as ctc-ready writes it: what is left is the statement.
    let made = made();
    let hand = Hand::of(&made.good());
    for place in 0..hand.entries.len() {
        let name = String::from_utf8(hand.entries[place].name.clone()).unwrap();
        let mut data = hand.entries[place].data.clone();
        let middle = data.len() / 2;
        data[middle] ^= 1;
        let mut changed = hand.clone();
        changed.entries[place] = entry(name.as_bytes(), &data);
        let problems = made.problems(&changed.build());
        let place_of = format!(" bundle.zip!{name}");
        assert!(problems.iter().any(|problem| problem.contains(&place_of)), "{problems:#?}");

        let mut removed = hand.clone();
        removed.entries.remove(place);
        let problems = made.problems(&removed.build());
        let missing = format!("bundle-file-missing bundle.zip!{name}: ");
        assert!(problems.iter().any(|problem| problem.starts_with(&missing)), "{problems:#?}");
        assert_eq!(problems.iter().filter(|p| p.starts_with(&missing)).count(), 1);
    }
    // The store's own problems have their place with the line.
    let mut changed = hand.clone();
    let journal = format!("evidence/runs/{}/journal.jsonl", made.small.closed);
    let mut data = changed.file(&journal).data.clone();
    let second = data.iter().position(|byte| *byte == b'\n').unwrap() + 10;
    data[second] ^= 1;
    *changed.file(&journal) = entry(journal.as_bytes(), &data);
    let problems = made.problems(&changed.build());
    let broken = format!("broken-line bundle.zip!{journal}:2: ");
    assert!(problems.iter().any(|problem| problem.starts_with(&broken)), "{problems:#?}");
    // A file that a bundle may have and the statement does not name.
    let mut more = hand.clone();
    let digest = Digest::of(b"x").to_string();
    let name = format!("evidence/objects/{}/{}", &digest[..2], &digest[2..]);
    more.entries.push(entry(name.as_bytes(), b"x"));
    more.entries.sort_by(|a, b| a.name.cmp(&b.name));
    let problems = made.problems(&more.build());
    assert!(problems[0].starts_with(&format!("bundle-file-added bundle.zip!{name}: ")));
}

#[test]
fn a_signature_by_another_key_is_found() {
    let made = made();
    let other = KeyRing::generate(&made.folder.path().join("other")).unwrap();
    // The whole bundle made anew by someone else, over the same store.
    let new_papers = || papers(&verdict(&made.small));
    let plan = Plan::new(&made.small.dir, new_papers(), None, Some(&other), TOOL).unwrap();
    let mut bytes = Vec::new();
    plan.write(&mut bytes).unwrap();
    let problems = made.problems(&bytes);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("the store does not know the key"), "{problems:#?}");
    // The store knows it too: only who knows the key can tell.
    introduce(&made.small.dir, &other);
    let verified = made.verify(&made.good());
    assert!(verified.report.intact);
    let pinned =
        verify_bundle(&made.path(), &Trust { key: Some(other.fingerprint()), ..Trust::default() })
            .unwrap();
    assert!(told(&pinned)[0].starts_with("bundle-signature bundle.zip!bundle.dsse.json: "));
    // A key that the named one vouches for.
    let mut rotated = KeyRing::load(other.folder()).unwrap();
    rotated.rotate().unwrap();
    introduce(&made.small.dir, &rotated);
    let plan = Plan::new(&made.small.dir, new_papers(), None, Some(&rotated), TOOL).unwrap();
    plan.write(&mut fs::File::create(made.path()).unwrap()).unwrap();
    for (named, problems) in [(&rotated, 0), (&other, 0), (&made.keys, 1)] {
        let verified = verify_bundle(
            &made.path(),
            &Trust { key: Some(named.fingerprint()), ..Trust::default() },
        )
        .unwrap();
        assert_eq!(verified.report.problems.len(), problems, "{:#?}", told(&verified));
    }
    // The statement of another bundle, and its key.
    let good = Hand::of(&made.good());
    for name in ["bundle.dsse.json", "signing-key.pem"] {
        let mut mixed = good.clone();
        let data = unzip(&bytes).into_iter().find(|(found, _)| found == name).unwrap().1;
        *mixed.file(name) = entry(name.as_bytes(), &data);
        let problems = made.problems(&mixed.build());
        assert!(problems.iter().any(|p| p.starts_with("bundle-signature")), "{problems:#?}");
    }
}

#[test]
fn a_verdict_that_the_evidence_does_not_bear_out_is_found() {
    let made = made();
    let change = |at: &str, value: Value| {
        let mut verdict = verdict(&made.small);
        *verdict.pointer_mut(at).unwrap() = value;
        verdict
    };
    let (closed, open) = (json!(made.small.closed), json!(made.small.open));
    let unknown = json!("0192f0c1-2b3c-7d4e-8f50-0123456789ab");
    for (verdict, expected) in [
        (change("/requirements/0/run", unknown.clone()), "which is not in the store"),
        (change("/requirements/0/run", open), "is open by the index"),
        (change("/requirements/0/run", Value::Null), "names no run"),
        (change("/requirements/0/state", json!("failed")), "passed by the index"),
        (change("/requirements/0/state", json!("splendid")), "which there is not"),
        (change("/requirements/0/scenario", json!("DSGB9")), "is of scenario `DSGB1`"),
        (change("/requirements/1/run", closed.clone()), "passed by the index"),
        (change("/requirements/2/run", closed), "and names run"),
        (change("/programme", json!("ncts6")), "is of programme `ncts5-final`"),
        (change("/findings/0/run", unknown), "`store-unsealed` is about run"),
        (change("/findings/0/severity", json!("error")), "it says ready, and has an error"),
        (change("/ready", json!(false)), "it says not ready, and has no error"),
        (change("/rehearsal", json!(true)), "not marked REHEARSAL"),
    ] {
        let problems = made.problems(&made.bundle(&verdict, None, true));
        let said = problems.iter().any(|problem| {
            problem.contains(expected) && problem.contains(" bundle.zip!verdict.json: ")
        });
        assert!(said, "`{expected}` is not in {problems:#?}");
    }
    // The verdict of another day beside the statement of this one.
    let good = Hand::of(&made.good());
    let mut other = good.clone();
    let verdict = change("/as_of", json!("2026-11-20T12:00:00Z")).to_string();
    *other.file("verdict.json") = entry(b"verdict.json", verdict.as_bytes());
    let problems = made.problems(&other.build());
    assert!(problems.iter().any(|p| p.contains("it says otherwise than the verdict")));
}

#[test]
fn what_is_no_submission_says_so_everywhere() {
    let made = made();
    let mut refused = verdict(&made.small);
    refused["ready"] = json!(false);
    refused["findings"][0]["severity"] = json!("error");
    let problems = made.problems(&made.bundle(&refused, None, true));
    assert!(problems[0].contains("the bundle is not marked DRAFT"), "{problems:#?}");

    for (mark, signed) in [
        (Mark::Draft, true),
        (Mark::Draft, false),
        (Mark::Rehearsal, true),
        (Mark::Rehearsal, false),
    ] {
        let mut verdict = refused.clone();
        verdict["rehearsal"] = json!(mark == Mark::Rehearsal);
        let bytes = made.bundle(&verdict, Some(mark), signed);
        let verified = made.verify(&bytes);
        assert_eq!(told(&verified), Vec::<String>::new());
        assert_eq!((verified.summary.mark, verified.summary.ready), (Some(mark), Some(false)));
        assert_eq!(verified.summary.key.is_some(), signed);
        let file = mark.file();
        let names: Vec<String> = unzip(&bytes).into_iter().map(|(name, _)| name).collect();
        assert!(names.iter().any(|name| name == file));
        assert!(names.contains(&checklist(Some(mark)).to_owned()));
        assert!(!names.contains(&checklist(None).to_owned()));

        // The form by the name that it has in a submission.
        let mut renamed = Hand::of(&bytes);
        renamed.file(checklist(Some(mark))).name = checklist(None).into();
        renamed.entries.sort_by(|a, b| a.name.cmp(&b.name));
        let problems = made.problems(&renamed.build());
        let said = "bundle-mark bundle.zip!checklist.docx: ";
        assert!(problems.iter().any(|p| p.starts_with(said)), "{problems:#?}");

        // Its annex likewise.
        assert!(names.contains(&annex(Some(mark)).to_owned()));
        let mut renamed = Hand::of(&bytes);
        renamed.file(annex(Some(mark))).name = annex(None).into();
        renamed.entries.sort_by(|a, b| a.name.cmp(&b.name));
        let problems = made.problems(&renamed.build());
        let said = "bundle-mark bundle.zip!checklist-annex.docx: ";
        assert!(problems.iter().any(|p| p.starts_with(said)), "{problems:#?}");

        // Without its mark it is no good bundle.
        let mut unmarked = Hand::of(&bytes);
        unmarked.entries.retain(|entry| entry.name != file.as_bytes());
        let problems = made.problems(&unmarked.build());
        assert!(problems.iter().any(|p| p.starts_with("bundle-mark")), "{problems:#?}");
        if !signed {
            let statement = unmarked.file("bundle.json");
            let mut said: Value = serde_json::from_slice(&statement.data).unwrap();
            said["predicate"].as_object_mut().unwrap().remove("mark");
            said["subject"].as_array_mut().unwrap().retain(|subject| subject["name"] != file);
            let text = ctc_ready::digest::canonical_json(&said) + "\n";
            *statement = entry(b"bundle.json", text.as_bytes());
            let problems = made.problems(&unmarked.build());
            assert!(problems.iter().any(|p| p.starts_with("bundle-signature")), "{problems:#?}");
        }
    }
    let papers = papers(&refused);
    assert!(Plan::new(&made.small.dir, papers, None, None, TOOL).is_err());
}

#[test]
fn a_store_that_changes_meanwhile_is_not_packed() {
    let made = made();
    let papers = papers(&verdict(&made.small));
    let plan = Plan::new(&made.small.dir, papers, None, Some(&made.keys), TOOL).unwrap();
    let index = made.small.dir.join("index.jsonl");
    let text = fs::read(&index).unwrap();
    for changed in [&text[..text.len() - 1], &[&text[..], b"\n"].concat(), b""] {
        fs::write(&index, changed).unwrap();
        let error = plan.write(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("`evidence/index.jsonl` changed"), "{error}");
    }
    fs::remove_file(&index).unwrap();
    assert!(plan.write(&mut Vec::new()).is_err());
}

#[test]
fn an_unpacked_bundle_verifies_and_every_change_in_it_is_found() {
    let made = made();
    let folder = made.folder.path().join("unpacked");
    unpack(&made.good(), &folder);
    assert!(is_bundle(&folder));
    let verified = verify_bundle(&folder, &Trust::default()).unwrap();
    assert_eq!(told(&verified), Vec::<String>::new());
    assert_eq!(verified.summary.sha256, None);
    assert_eq!(verified.summary.key, Some(made.keys.fingerprint()));

    let aside = made.folder.path().join("aside");
    for file in files(&folder) {
        let path = folder.join(&file);
        let bytes = fs::read(&path).unwrap();
        // What lies in the store is hashed as it is in the other tests.
        let step = if file.starts_with("evidence") { 11 } else { 1 };
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= [0x01, 0x20, 0x80][at % 3];
            fs::write(&path, changed).unwrap();
            assert!(found(&folder), "{} byte {at}", file.display());
        }
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(found(&folder));
        fs::write(&path, &bytes).unwrap();

        fs::rename(&path, &aside).unwrap();
        assert!(found(&folder), "removed: {}", file.display());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&aside, &path).unwrap();
            assert!(found(&folder), "a link instead: {}", file.display());
            fs::remove_file(&path).unwrap();
        }
        fs::create_dir(&path).unwrap();
        assert!(found(&folder), "a folder instead: {}", file.display());
        fs::remove_dir(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
        let second = path.with_file_name("second");
        fs::copy(&path, &second).unwrap();
        assert!(found(&folder), "copied: {}", file.display());
        fs::remove_file(&second).unwrap();
    }
    for more in ["lock", "salt", "evidence/lock", "evidence/salt", "DRAFT.txt", ".hidden"] {
        fs::write(folder.join(more), "x").unwrap();
        assert!(found(&folder), "{more}");
        fs::remove_file(folder.join(more)).unwrap();
    }
    fs::create_dir(folder.join("evidence/tmp")).unwrap();
    assert!(found(&folder));
    fs::remove_dir(folder.join("evidence/tmp")).unwrap();
    assert!(!found(&folder));
}

/// Whether a program is there; says so loudly where it is not.
#[allow(clippy::print_stderr, reason = "tests skip loudly")]
fn there(program: &str) -> bool {
    let there = Command::new(program).arg("--help").output().is_ok();
    if !there {
        eprintln!("SKIPPED: `{program}` is not installed");
    }
    there
}

#[test]
fn other_programs_read_it_and_what_they_unpack_verifies() {
    let made = made();
    fs::write(made.path(), made.good()).unwrap();
    let unpacked = |name: &str, program: &str, args: &[&str]| {
        if !there(program) {
            return;
        }
        let folder = made.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let output =
            Command::new(program).args(args).arg("../bundle.zip").current_dir(&folder).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
        assert_eq!(output.stderr, b"", "{program}");
        let verified = verify_bundle(&folder, &Trust::default()).unwrap();
        assert_eq!(told(&verified), Vec::<String>::new(), "{program}");
    };
    unpacked("by-unzip", "unzip", &["-q"]);
    let python = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
                  assert z.testzip() is None; z.extractall()";
    unpacked("by-python", "python3", &["-c", python]);
    if there("unzip") {
        let output = Command::new("unzip").arg("-tq").arg(made.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_is_no_bundle_is_not_taken_for_one() {
    let made = made();
    let small = &made.small;
    for path in [&small.dir, &small.dir.join("index.jsonl"), &small.dir.join("nothing")] {
        assert!(!is_bundle(path), "{}", path.display());
    }
    let form = Hand::new(vec![entry(b"[Content_Types].xml", b"<Types/>")]);
    let others = [form.build()[..60].to_vec(), Vec::new(), b"PK\x03\x04".to_vec(), vec![0; 200]];
    for bytes in others {
        fs::write(made.path(), bytes).unwrap();
        assert!(!is_bundle(&made.path()));
    }
    // A bundle packed anew by another program is one, and says what to do.
    let good = made.good();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, data) in unzip(&good) {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, &data).unwrap();
    }
    let problems = made.problems(&zip.finish().unwrap().into_inner());
    assert!(is_bundle(&made.path()));
    assert!(problems[0].starts_with("bundle-form bundle.zip: "), "{problems:#?}");
    assert!(problems[0].contains("unpack it then, and verify the folder"));
}
