//! What must not be lost, and what must not be given away.

use std::fs;
use std::path::Path;

use ctc_ready::evidence::*;

use crate::support::*;

/// A crash came, and a run's folder is away just then: its bodies stay, for
/// when it is back.
#[test]
fn bodies_of_a_run_that_is_away_are_not_swept() {
    let small = small_store();
    let folder = small.dir.join(format!("runs/{}", small.closed));
    let aside = small.dir.with_extension("aside");
    fs::rename(&folder, &aside).unwrap();
    fs::write(small.dir.join("lock"), b"{}").unwrap();
    drop(open(&small.dir, &clock()).unwrap());
    fs::rename(&aside, &folder).unwrap();
    assert_eq!(verify(&small.dir).unwrap().problems, []);
}

#[test]
#[cfg(unix)]
fn a_store_may_lie_behind_a_link_and_its_parts_may_not() {
    let small = small_store();
    let link = small.dir.with_extension("link");
    std::os::unix::fs::symlink(&small.dir, &link).unwrap();
    assert_eq!(verify(&link).unwrap().problems, []);
    let store = open(&link, &clock()).unwrap();
    store.open_run(opened(&store, "DSGB3")).unwrap();
    drop(store);
    assert_eq!(verify(&link).unwrap().runs, 3);
    let runs = small.dir.with_extension("runs");
    fs::rename(small.dir.join("runs"), &runs).unwrap();
    std::os::unix::fs::symlink(&runs, small.dir.join("runs")).unwrap();
    assert!(!verify(&link).unwrap().intact);
}

fn salt(dir: &Path) -> Vec<u8> {
    open(dir, &clock()).unwrap().salt().to_vec()
}

#[test]
fn the_salt_is_no_part_of_the_evidence() {
    let small = small_store();
    let first = salt(&small.dir);
    assert_eq!(salt(&small.dir), first, "the same in every session");
    let digits = fs::read_to_string(small.dir.join("salt")).unwrap();
    for file in files(&small.dir) {
        let bytes = fs::read(small.dir.join(&file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(digits.trim()), "{}", file.display());
    }
    // Whoever is given the store is not given the salt.
    fs::remove_file(small.dir.join("salt")).unwrap();
    assert_eq!(verify(&small.dir).unwrap().problems, []);
    assert_ne!(salt(&small.dir), first);
    for damaged in [&b""[..], b"x", &[b'f'; 4096]] {
        fs::write(small.dir.join("salt"), damaged).unwrap();
        assert_eq!(salt(&small.dir).len(), 32);
        assert_eq!(verify(&small.dir).unwrap().problems, []);
    }
}

/// A body with a secret that can be guessed, of which all else is known.
#[test]
fn no_digest_of_the_wire_is_kept_to_try_guesses_on() {
    let small = small_store();
    let store = open(&small.dir, &clock()).unwrap();
    let redactor = Redactor::new(store.salt(), []);
    let mut run = store.open_run(opened(&store, "DSGB3")).unwrap();
    let wire = br#"{"password":"letmein"}"#;
    let object = run.put_object(wire, Some("application/json"), &redactor).unwrap();
    assert!(object.redacted);
    let event = Event::Request(request(1, Purpose::Mail, Some(object)));
    run.append(event, Durability::Synced).unwrap();
    drop((run, store));
    let guess = ctc_ready::digest::Digest::of(wire).to_string();
    for file in files(&small.dir) {
        let bytes = fs::read(small.dir.join(&file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(&guess), "{}", file.display());
    }
}

/// Headers and messages are a server's: their size must not cost its square.
/// (Done at once; for hours if it does.)
#[test]
fn hostile_texts_are_redacted_in_one_go() {
    let redactor = Redactor::new(b"salt", ["canary-0123456789".into()]);
    for part in [":", "token=", "://", " Bearer ", "\"", "\\", "\"token\":", "%", "cookie:", "&#"] {
        let text = part.repeat(400_000 / part.len());
        let redacted = redactor.text(&text);
        assert!(redacted.len() <= text.len() * 4 + 64, "{part}");
        redactor.headers(&[("x-answer".into(), text.clone())]);
        redactor.url(&format!("https://h/?{text}"));
        redactor.body(Some("application/json"), text.as_bytes());
        redactor.body(Some("application/x-www-form-urlencoded"), text.as_bytes());
        redactor.body(Some("application/xml"), text.as_bytes());
    }
}

/// Months of polling: read back whole, line by line.
#[test]
fn a_journal_of_a_hundred_thousand_lines_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("evidence");
    let store = open(&dir, &clock()).unwrap();
    let mut run = store.open_run(opened(&store, "DSGB1")).unwrap();
    for exchange in 1..50_000 {
        let event = Event::Request(request(exchange, Purpose::ListMovements, None));
        run.append(event, Durability::Buffered).unwrap();
        let event = Event::Response(response(exchange, 200, None));
        run.append(event, Durability::Buffered).unwrap();
    }
    store.close_run(run, passed()).unwrap();
    let record = store.read().unwrap().runs().unwrap().remove(0);
    assert_eq!((record.requests, record.state), (49_999, RunState::Passed));
    drop(store);
    let report = verify(&dir).unwrap();
    assert_eq!((report.problems, report.exchanges), (vec![], 49_999));
}
