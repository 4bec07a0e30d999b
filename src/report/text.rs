//! Text that a server, a file or a user wrote, made fit for a report.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::evidence::Store;
pub(super) use crate::foreign::text::{plain, short};

/// A message without the folder in which the store happens to lie: that is
/// nobody's business, and another one on every machine. `prefix`, ending with
/// `/` or empty, stands in its place.
pub(super) fn unplaced(message: &str, store: &Store, prefix: &str) -> String {
    let dir = store.dir().display().to_string();
    match dir.as_str() {
        "" | "." | "/" => message.to_owned(),
        dir => message.replace(&format!("{dir}/"), prefix).replace(dir, prefix),
    }
}

/// `2026-11-21T09:30:05.120Z`.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
