//! Nothing that this process prints shows a secret: what a server, a file or a
//! command line says may quote one.

use std::borrow::Cow;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::context::secrets;
use super::failure::Failure;
use crate::evidence::redact::{Redactor, is_distinct};

/// Knows the secrets in the environment, and those that were learnt since, unless
/// they are words that output is made of. Its salt lasts as long as the process: what stands in place of a
/// secret tells nothing.
fn redactor() -> &'static Redactor {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    REDACTOR.get_or_init(|| {
        let distinct = secrets().map(|(_, secret)| secret);
        let distinct = distinct.filter(|secret| is_distinct(secret.expose_secret().as_bytes()));
        Redactor::new(Uuid::new_v4().as_bytes(), distinct)
    })
}

/// From now on, no output shows this secret either.
pub(super) fn learn(secret: &SecretString) {
    if is_distinct(secret.expose_secret().as_bytes()) {
        redactor().learn(secret);
    }
}

/// Output without known secrets.
pub(super) fn known(bytes: &[u8]) -> Cow<'_, [u8]> {
    redactor().known_bytes(bytes)
}

/// The same, of text.
pub(super) fn known_text(text: &str) -> String {
    redactor().known_text(text)
}

/// An error without known secrets, and without what its message names or shows
/// as one.
pub(super) fn failure(failure: &Failure) -> Failure {
    Failure {
        kind: failure.kind,
        message: redactor().text(&failure.message),
        hints: failure.hints.iter().map(|hint| known_text(hint)).collect(),
    }
}

/// Standard error for log lines.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A line comes whole.
        let text = redactor().text(&String::from_utf8_lossy(line));
        io::stderr().write_all(text.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// From now on, a panic says no secret either.
pub(super) fn panics() {
    std::panic::set_hook(Box::new(|info| {
        // Should standard error be gone, nobody is left to tell.
        let _ = io::stderr().write_all(last_words(info, redactor()).as_bytes());
    }));
}

fn last_words(info: &PanicHookInfo<'_>, redactor: &Redactor) -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let mut words = format!("thread '{name}' {info}\n");
    let backtrace = std::backtrace::Backtrace::capture();
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        words.push_str(&backtrace.to_string());
    }
    redactor.text(&words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_says_no_secret() {
        let said = Arc::new(Mutex::new(String::new()));
        let hear = Arc::clone(&said);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let redactor = Redactor::new(b"salt", ["t0ken-in-a-panic".into()]);
            hear.lock().unwrap().push_str(&last_words(info, &redactor));
        }));
        let panicked = std::thread::Builder::new().name("here".into()).spawn(|| {
            panic!("no use for {} or Authorization: Bearer abcdefgh12345678", "t0ken-in-a-panic")
        });
        assert!(panicked.unwrap().join().is_err());
        std::panic::set_hook(before);
        let said = said.lock().unwrap().clone();
        assert!(said.contains("thread 'here' panicked at src/cli/mask.rs"), "{said}");
        assert!(said.contains("no use for redacted:"), "{said}");
        assert!(!said.contains("t0ken") && !said.contains("abcdefgh"), "{said}");
    }
}
