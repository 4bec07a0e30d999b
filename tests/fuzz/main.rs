//! Everything that reads what others wrote, fed with broken bytes: it may
//! refuse them, and that is all. No panic, no hang, no memory beyond a bound.
//!
//! No coverage guides it. What stands in for that are real files to begin
//! with, changes that know the format, and above all hashes, checksums and
//! signatures made anew around a change, so that it gets past them.
//!
//! - `engine`: turns, with time and memory watched.
//! - `mutate`: how bytes, JSON and DER are spoilt.
//! - `store`: the reader, the verifier, the writer's repairs, the reports.
//! - `bundle`: the bundle reader.
//! - `seals`: envelopes, statements, keys, certificates, time stamps.
//! - `inputs`: settings, forms, replies of the API.
//!
//! Each has a short form, which runs with all other tests, and a long one that
//! is ignored: `docs/testing.md`.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, reason = "what the tests themselves make is right")]

#[path = "../authority/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod authority;
mod bundle;
#[path = "../evidence/bundle_support.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod bundle_support;
#[path = "../document_support/mod.rs"]
mod document_support;
mod engine;
mod inputs;
mod mutate;
#[path = "../random/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod random;
mod seals;
mod store;
#[path = "../evidence/support.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod support;
#[path = "../report/tale.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod tale;

use document_support::reference;

/// Counts what the whole process has on the heap, and its peak.
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// A test of so many turns, and one of five minutes.
macro_rules! forms {
    ($($short:ident $long:ident: $target:expr, $turns:literal;)*) => {
        $(
            #[test]
            fn $short() {
                engine::fuzz(stringify!($short), $target, engine::Span::Turns($turns));
            }

            /// docs/testing.md names the command.
            #[test]
            #[ignore = "five minutes"]
            fn $long() {
                engine::fuzz(stringify!($long), $target, engine::Span::asked());
            }
        )*
    };
}

forms! {
    reader_short reader_long: store::Reader::new(), 100;
    verifier_short verifier_long: store::Verifier::new(), 100;
    repairs_short repairs_long: store::Repairs::new(), 50;
    reports_short reports_long: store::Reports::new(), 25;
    bundles_short bundles_long: bundle::Bundles::new(), 150;
    seals_short seals_long: seals::Seals::new(), 1_000;
    settings_short settings_long: inputs::SettingsFile::new(), 200;
    forms_short forms_long: inputs::Forms::new(), 40;
    replies_short replies_long: inputs::Replies::new(), 1_000;
}
