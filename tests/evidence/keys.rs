//! The folder with the key that signs.

use std::fs;
use std::path::Path;

use ctc_ready::digest::Digest;
use ctc_ready::evidence::seal::{KeyError, KeyRing, PublicKey};
use ctc_ready::files::Exposed;

fn private(folder: &Path) -> String {
    fs::read_to_string(folder.join("signing-key.pem")).unwrap()
}

#[test]
fn a_key_is_made_once_and_read_again() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("deep/keys");
    assert!(matches!(KeyRing::load(&folder), Err(KeyError::Missing(_))));
    let made = KeyRing::generate(&folder).unwrap();
    let read = KeyRing::load(&folder).unwrap();
    assert_eq!(made.fingerprint(), read.fingerprint());
    assert_eq!(read.chain().len(), 1);
    assert!(read.chain()[0].endorsement.is_none());
    assert_eq!(read.private_file(), folder.join("signing-key.pem"));
    let before = private(&folder);
    assert!(before.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(matches!(KeyRing::generate(&folder), Err(KeyError::Exists(_))));
    assert_eq!(private(&folder), before);
    // No two keys are the same, and no debug output has the secret.
    let other = KeyRing::generate(&home.path().join("other")).unwrap();
    assert_ne!(other.fingerprint(), made.fingerprint());
    let secret: String = before.lines().nth(1).unwrap().chars().skip(22).collect();
    assert!(!format!("{made:?}").contains(&secret));
}

#[test]
fn the_public_half_keeps_its_fingerprint_in_every_form() {
    let home = tempfile::tempdir().unwrap();
    let keys = KeyRing::generate(home.path()).unwrap();
    let public = keys.public();
    assert_eq!(PublicKey::from_pem(&public.to_pem()).unwrap(), *public);
    assert_eq!(PublicKey::from_base64(&public.to_base64()).unwrap(), *public);
    let file = home.path().join(format!("public/{}.pem", keys.fingerprint()));
    assert_eq!(fs::read_to_string(file).unwrap(), public.to_pem());
    let der: String = public.to_pem().lines().filter(|line| !line.starts_with('-')).collect();
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD.decode(der).unwrap();
    assert_eq!(Digest::of(&der), keys.fingerprint());

    assert!(PublicKey::from_pem(&private(home.path())).unwrap_err().contains("private key"));
    assert!(PublicKey::from_pem("hello").is_err());
    assert!(PublicKey::from_base64(&"A".repeat(43)).is_none());
    // The identity, a point of small order: it would verify anything.
    let mut weak = [0; 32];
    weak[0] = 1;
    let weak = base64::engine::general_purpose::STANDARD.encode(weak);
    assert!(PublicKey::from_base64(&weak).is_none());
}

#[test]
fn a_rotated_key_is_vouched_for_by_the_one_before() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let mut keys = KeyRing::generate(folder).unwrap();
    let first = *keys.public();
    let first_private = private(folder);
    keys.rotate().unwrap();
    let second = *keys.public();
    keys.rotate().unwrap();
    let read = KeyRing::load(folder).unwrap();
    let chain = read.chain();
    assert_eq!(chain.iter().map(|key| key.public).collect::<Vec<_>>()[..2], [first, second]);
    assert_eq!(chain[2].public, *read.public());
    for pair in chain.windows(2) {
        let (replaces, endorsement) = pair[1].endorsement.unwrap();
        assert_eq!(replaces, pair[0].public.fingerprint());
        assert!(pair[1].public.takes_over(&pair[0].public, &endorsement));
        assert!(!pair[0].public.takes_over(&pair[1].public, &endorsement));
        let mut other = endorsement;
        other[7] ^= 1;
        assert!(!pair[1].public.takes_over(&pair[0].public, &other));
    }
    // The old private key is in no file any more.
    let secret = first_private.lines().nth(1).unwrap();
    let mut files = 0;
    for part in ["", "public", "takeovers"] {
        for entry in fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files += 1;
                assert!(!fs::read_to_string(&path).unwrap().contains(secret), "{path:?}");
            }
        }
    }
    assert_eq!(files, 2 + 3 + 2);
    // A ring that someone else rotated meanwhile does not go on.
    let mut stale = KeyRing::load(folder).unwrap();
    keys.rotate().unwrap();
    assert!(matches!(stale.rotate(), Err(KeyError::Busy(_))));
}

#[test]
fn a_takeover_that_was_changed_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    let mut keys = KeyRing::generate(folder).unwrap();
    let first = keys.fingerprint();
    keys.rotate().unwrap();
    let takeover = folder.join(format!("takeovers/{}.json", keys.fingerprint()));
    let good = fs::read(&takeover).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&takeover, bad).unwrap();
        assert!(KeyRing::load(folder).is_err(), "byte {at}");
    }
    fs::write(&takeover, &good).unwrap();
    let public = folder.join(format!("public/{first}.pem"));
    fs::write(&public, keys.public().to_pem()).unwrap();
    let error = KeyRing::load(folder).unwrap_err().to_string();
    assert!(error.contains("another key than its name says"), "{error}");
}

#[test]
fn files_that_hold_something_else_are_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    KeyRing::generate(folder).unwrap();
    let path = folder.join("signing-key.pem");
    for (text, says) in [
        (&b"hello"[..], "no Ed25519 private key"),
        (b"", "no Ed25519 private key"),
        (b"\xff\xfe", "is not text"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "is encrypted"),
        (
            b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA==\n-----END EC PRIVATE KEY-----\n",
            "no Ed25519 private key",
        ),
        (&[b'x'; 20_000], "larger"),
    ] {
        fs::write(&path, text).unwrap();
        let error = KeyRing::load(folder).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("signing-key.pem"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_could_take_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("keys");
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let keys = KeyRing::generate(&folder).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&keys.private_file())), (0o700, 0o600));
    for bad in [0o640, 0o604, 0o660, 0o666] {
        set(&keys.private_file(), bad);
        let error = KeyRing::load(&folder).unwrap_err();
        assert!(matches!(error, KeyError::Exposed(Exposed { what: "read", .. })), "{error}");
    }
    set(&keys.private_file(), 0o600);
    set(&folder, 0o777);
    let error = KeyRing::load(&folder).unwrap_err();
    assert!(matches!(error, KeyError::Exposed(Exposed { what: "replaced", .. })), "{error}");
    set(&folder, 0o755);
    KeyRing::load(&folder).unwrap();
    // A link is not followed: nobody swaps the key under us.
    let aside = home.path().join("aside.pem");
    fs::rename(keys.private_file(), &aside).unwrap();
    std::os::unix::fs::symlink(&aside, keys.private_file()).unwrap();
    assert!(KeyRing::load(&folder).unwrap_err().to_string().contains("symbolic link"));
}
