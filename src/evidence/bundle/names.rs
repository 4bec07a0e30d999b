//! What may lie in a bundle. A closed list: no name in it can lead out of a
//! folder, differ from another in case alone, or mean a device.

use super::{KEY, MARKS, PAGE, README, SIGNED, STORE, UNSIGNED, VERDICT, annex, checklist};
use crate::digest::Digest;
use crate::evidence::format::{
    INDEX, JOURNAL, MAX_DESCRIPTION, MAX_JOURNAL, MAX_OBJECT, MAX_SEAL, MAX_TIME_STAMP, OBJECTS,
    RUNS, SEALS, STORE_JSON, run_of_folder, seal_name, time_stamp_name,
};

/// Most files: as many as a statement of [`MAX_SEAL`] bytes can list.
pub(super) const MAX_FILES: u64 = 200_000;
/// Longest name, in bytes; the longest that there is has 83.
pub(super) const MAX_NAME: usize = 128;

/// Largest text made by ctc-ready, in bytes.
const MAX_TEXT: u64 = 1 << 20;
/// Largest page or document, in bytes.
const MAX_PAPER: u64 = 256 << 20;

/// Most bytes that a file of this name has; none where no bundle has one.
pub(super) fn limit_of(name: &str) -> Option<u64> {
    match name {
        README | KEY => Some(MAX_TEXT),
        PAGE | VERDICT => Some(MAX_PAPER),
        SIGNED | UNSIGNED => Some(MAX_SEAL),
        _ if MARKS.iter().flatten().any(|mark| mark.file() == name) => Some(MAX_TEXT),
        _ if MARKS.iter().any(|mark| [checklist(*mark), annex(*mark)].contains(&name)) => {
            Some(MAX_PAPER)
        }
        _ => limit_in_store(name.strip_prefix(STORE)?.strip_prefix('/')?),
    }
}

/// The same for a name in the store; none where it is no evidence either.
pub(super) fn limit_in_store(name: &str) -> Option<u64> {
    let parts: Vec<&str> = name.splitn(4, '/').collect();
    match parts.as_slice() {
        [STORE_JSON] => Some(MAX_DESCRIPTION),
        [INDEX] => Some(MAX_JOURNAL),
        [RUNS, run, JOURNAL] => run_of_folder(run).map(|_| MAX_JOURNAL),
        [OBJECTS, folder, rest] if folder.len() == 2 => {
            format!("{folder}{rest}").parse::<Digest>().ok().map(|_| MAX_OBJECT)
        }
        [SEALS, file] => {
            let number: u64 = file.split('.').next()?.parse().ok().filter(|number| *number > 0)?;
            match *file {
                file if file == seal_name(number) => Some(MAX_SEAL),
                file if file == time_stamp_name(number) => Some(MAX_TIME_STAMP),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a bundle, unpacked, has a folder of this name.
pub(super) fn is_folder(name: &str) -> bool {
    let parts: Vec<&str> = name.splitn(4, '/').collect();
    match parts.as_slice() {
        [STORE] | [STORE, RUNS | OBJECTS | SEALS] => true,
        [STORE, RUNS, run] => run_of_folder(run).is_some(),
        [STORE, OBJECTS, folder] => {
            folder.len() == 2 && folder.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_bundle_has_has_a_name() {
        let object = format!("evidence/objects/ab/{}", "c".repeat(62));
        let run = "evidence/runs/0192f0c1-2b3c-7d4e-8f50-0123456789ab/journal.jsonl";
        for good in [
            "README.txt",
            "DRAFT.txt",
            "REHEARSAL.txt",
            "bundle.dsse.json",
            "bundle.json",
            "checklist.docx",
            "checklist-DRAFT.docx",
            "checklist-REHEARSAL.docx",
            "checklist-annex.docx",
            "checklist-DRAFT-annex.docx",
            "checklist-REHEARSAL-annex.docx",
            "index.html",
            "signing-key.pem",
            "verdict.json",
            "evidence/store.json",
            "evidence/index.jsonl",
            "evidence/seals/1.dsse.json",
            "evidence/seals/20.tsr",
            run,
            &object,
        ] {
            assert!(limit_of(good).is_some(), "{good}");
            assert!(good.len() <= MAX_NAME);
            assert!(limit_of(&good.to_uppercase()).is_none(), "{good}");
            for spoilt in [
                format!("/{good}"),
                format!("./{good}"),
                format!("../{good}"),
                format!("{good}/"),
                format!("{good}\0"),
                format!("C:{good}"),
                format!("{good} "),
                good.replace('/', "\\") + "\\",
                format!("evidence/{good}"),
            ] {
                assert!(limit_of(&spoilt).is_none(), "{spoilt}");
            }
        }
        for bad in [
            "",
            "evidence",
            "evidence/lock",
            "evidence/salt",
            "evidence/tmp/x",
            "evidence/runs/x/journal.jsonl",
            "evidence/runs/0192F0C1-2b3c-7d4e-8f50-0123456789ab/journal.jsonl",
            "evidence/runs/../store.json",
            "evidence/seals/0.dsse.json",
            "evidence/seals/01.dsse.json",
            "evidence/seals/+1.dsse.json",
            "evidence/seals/1.tsr.tsr",
            "evidence/objects/a/bc",
            "evidence//store.json",
        ] {
            assert!(limit_of(bad).is_none(), "{bad}");
            assert!(bad == "evidence" || !is_folder(bad), "{bad}");
        }
        assert!(is_folder("evidence/objects/ab") && !is_folder("evidence/objects/AB"));
        assert!(!is_folder("evidence/objects/ab/cd"));
    }
}
