//! Time stamps, made by `openssl ts`: what is accepted, and what is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ctc_ready::digest::Digest;
use ctc_ready::evidence::seal::time_stamp::{check, imprint, nonce, request};
use ctc_ready::evidence::seal::{Authorities, KeyRing, TimeStampError};
use ctc_ready::evidence::*;

use crate::authority::{Authority, Kind};
use crate::support::*;

fn stamped(authority: &Authority, digest: Digest) -> Vec<u8> {
    authority.answer(&request(digest, nonce([7; 8])))
}

#[test]
fn an_answer_is_accepted_from_the_authority_alone() {
    let digest = Digest::of(b"a seal");
    for kind in [Kind::Rsa("sha256"), Kind::Rsa("sha512"), Kind::P256, Kind::P384] {
        let Some(authority) = Authority::make(kind) else { return };
        let answer = stamped(&authority, digest);
        assert_eq!(imprint(&answer).unwrap(), digest);
        let ca = Authorities::from_pem(authority.ca.as_bytes()).unwrap();
        let stamp = check(&answer, digest, Some(nonce([7; 8])), Some(&ca)).unwrap();
        assert_eq!(stamp.authority.as_deref(), Some("Invented time stamps"));
        assert!(stamp.checked, "{kind:?}");
        let plain = check(&answer, digest, None, None).unwrap();
        assert_eq!((plain.at, plain.checked), (stamp.at, false));

        let other = check(&answer, Digest::of(b"another"), None, None);
        assert!(matches!(other, Err(TimeStampError::OtherImprint { .. })));
        let replayed = check(&answer, digest, Some(nonce([8; 8])), None);
        assert!(matches!(replayed, Err(TimeStampError::Nonce)));
    }
    let (Some(one), Some(two)) = (Authority::make(Kind::P256), Authority::make(Kind::P256)) else {
        return;
    };
    let other = Authorities::from_pem(two.ca.as_bytes()).unwrap();
    let error = check(&stamped(&one, digest), digest, None, Some(&other)).unwrap_err();
    assert!(matches!(error, TimeStampError::Untrusted(_)), "{error}");
    // Several are given: one of them is enough.
    let both = Authorities::from_pem((two.ca.clone() + &one.ca).as_bytes()).unwrap();
    check(&stamped(&one, digest), digest, None, Some(&both)).unwrap();
}

#[test]
fn every_changed_byte_of_an_answer_is_found_or_says_the_same() {
    let Some(authority) = Authority::make(Kind::P256) else { return };
    let digest = Digest::of(b"a seal");
    let answer = stamped(&authority, digest);
    let ca = Authorities::from_pem(authority.ca.as_bytes()).unwrap();
    let expected = check(&answer, digest, None, Some(&ca)).unwrap();
    let mut passed = 0;
    for at in 0..answer.len() {
        let mut changed = answer.clone();
        changed[at] ^= 1 << (at % 8);
        // Some bytes are not signed (a version, a list of algorithms), but
        // nothing of what is said can differ.
        if let Ok(stamp) = check(&changed, digest, None, Some(&ca)) {
            assert_eq!(stamp, expected, "byte {at}");
            passed += 1;
        }
        assert!(check(&answer[..at], digest, None, None).is_err(), "cut to {at}");
    }
    assert!(passed < 60, "{passed} of {}", answer.len());
    assert!(check(&[&answer[..], b"\0"].concat(), digest, None, None).is_err());
    let huge = vec![0x30; (1 << 20) + 1];
    assert!(matches!(check(&huge, digest, None, None), Err(TimeStampError::TooLarge)));
}

#[test]
fn a_certificate_for_something_else_or_past_its_time_is_refused() {
    let digest = Digest::of(b"a seal");
    for (kind, says) in [
        (Kind::NotCritical, "time stamps alone"),
        (Kind::OtherPurposeToo, "time stamps alone"),
        (Kind::Expired, "not valid at its time"),
    ] {
        let Some(authority) = Authority::make(kind) else { return };
        let Some(answer) = authority.try_answer(&request(digest, nonce([7; 8]))) else {
            // `openssl ts` itself refuses to sign with such a certificate.
            continue;
        };
        check(&answer, digest, None, None).unwrap();
        let ca = Authorities::from_pem(authority.ca.as_bytes()).unwrap();
        let error = check(&answer, digest, None, Some(&ca)).unwrap_err().to_string();
        assert!(error.contains(says), "{kind:?}: {error}");
    }
}

#[test]
fn what_is_no_pem_of_certificates_is_refused() {
    for (bytes, says) in [
        (&b""[..], "no certificate"),
        (b"hello", "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ] {
        let error = Authorities::from_pem(bytes).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_seal_is_stamped_once() {
    let Some(authority) = Authority::make(Kind::P256) else { return };
    let small = small_store();
    let dir = &small.dir;
    let home = tempfile::tempdir().unwrap();
    let keys = KeyRing::generate(home.path()).unwrap();
    let clock = clock();
    clock.advance(Duration::from_secs(60));
    let store = open(dir, &clock).unwrap();
    let sealed = store.seal(&keys).unwrap();
    let answer = stamped(&authority, sealed.sha256);
    let ca = Authorities::from_pem(authority.ca.as_bytes()).unwrap();
    let foreign = stamped(&authority, Digest::of(b"something else"));
    let error = store.add_time_stamp(&foreign, None, None).unwrap_err();
    assert!(matches!(error, EvidenceError::NoSuchSeal(_)), "{error}");
    let (number, stamp) = store.add_time_stamp(&answer, None, Some(&ca)).unwrap();
    assert_eq!((number, stamp.checked), (1, true));
    assert_eq!(fs::read(dir.join("seals/1.tsr")).unwrap(), answer);
    let error = store.add_time_stamp(&answer, None, None).unwrap_err();
    assert!(matches!(error, EvidenceError::StampedAlready(1)), "{error}");
    // A time stamp is nothing new to seal.
    assert!(!store.seal(&keys).unwrap().new);
    drop(store);

    let rules = |trust: &Trust| -> Vec<&'static str> {
        verify_with(dir, trust).unwrap().problems.iter().map(|problem| problem.rule).collect()
    };
    let trust = Trust { key: None, authorities: Some(ca) };
    assert_eq!(rules(&trust), [""; 0]);
    let report = verify(dir).unwrap();
    let told = report.seals[0].time_stamp.as_ref().unwrap();
    assert_eq!((told.at, told.authority_checked), (stamp.at, false));
    let Some(other) = Authority::make(Kind::P256) else { return };
    let others = Authorities::from_pem(other.ca.as_bytes()).unwrap();
    assert_eq!(rules(&Trust { key: None, authorities: Some(others) }), ["bad-time-stamp"]);

    let path = dir.join("seals/1.tsr");
    for at in (0..answer.len()).step_by(7) {
        let mut changed = answer.clone();
        changed[at] ^= 4;
        fs::write(&path, changed).unwrap();
        assert_eq!(rules(&Trust::default()), ["seal-changed"], "byte {at}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(rules(&Trust::default()), ["missing-seal"]);
    fs::write(&path, &answer).unwrap();
    assert_eq!(rules(&Trust::default()), [""; 0]);
    // The other way round: openssl accepts what the store holds.
    assert!(openssl_accepts(&authority, &dir.join("seals/1.dsse.json"), &path));
}

fn openssl_accepts(authority: &Authority, seal: &Path, stamp: &Path) -> bool {
    let ca: PathBuf = authority.file("ca.pem");
    let output = Command::new("openssl")
        .args(["ts", "-verify", "-data"])
        .arg(seal)
        .arg("-in")
        .arg(stamp)
        .arg("-CAfile")
        .arg(ca)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).contains("Verification: OK")
        || String::from_utf8_lossy(&output.stderr).contains("Verification: OK")
}
