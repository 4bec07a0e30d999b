//! HMRC's published files, which are not part of this project: tests that
//! compare with them say loudly that they were skipped where they are absent.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Says that a test is skipped, and why. Written past the test harness, which
/// swallows what passing tests print: a skip must be seen.
pub(crate) fn skipped(why: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The folder of HMRC's files: what `CTC_READY_REFERENCE` names, or
/// `../shared/reference`. None, and said so, when it is not there.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CTC_READY_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/reference"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(format!("no reference folder at {} (CTC_READY_REFERENCE)", folder.display()));
    None
}
