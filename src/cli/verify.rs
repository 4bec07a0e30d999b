//! `verify`: was any evidence changed? Of a store, or of a bundle.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Verify;
use super::context::{Context, shown, verified};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, CARE, GOOD, Printer, paint};
use crate::catalogue::Catalogue;
use crate::digest::Digest;
use crate::evidence::VerifyReport;
use crate::evidence::bundle::{self, BundleSummary};
use crate::evidence::seal::PublicKey;
use crate::files;

/// Most problems shown to people; JSON has them all.
const SHOWN: usize = 40;

/// Largest key read, in bytes; they have about a hundred.
const MAX_KEY: u64 = 16 << 10;

/// `verify --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Verified {
    /// The store, and every problem.
    #[serde(flatten)]
    report: VerifyReport,
    /// The bundle that the store lies in.
    bundle: Option<BundleSummary>,
}

/// Runs the command. It needs no settings when a store or bundle is named.
pub(super) fn run(context: &mut Context, args: &Verify) -> Result<u8, Failure> {
    let dir = match &args.store {
        Some(dir) => context.cwd.join(dir),
        None => context.project(&Catalogue::built_in()?)?.evidence_dir(),
    };
    let key = args.key.as_deref().map(|key| fingerprint(context, key)).transpose()?;
    let verified = examine(&dir, key)?;
    context.printer.document(&verified);
    let place = shown(&dir, &context.cwd);
    print(&mut context.printer, &place, &verified.report);
    if let Some(bundle) = &verified.bundle {
        print_bundle(&mut context.printer, bundle, verified.report.intact);
    }
    Ok(if verified.report.intact { exit::DONE } else { exit::WANTING })
}

/// The fingerprint that `--key` means: itself, or that of the key in a file.
fn fingerprint(context: &Context, key: &str) -> Result<Digest, Failure> {
    if let Ok(fingerprint) = key.parse() {
        return Ok(fingerprint);
    }
    let path = context.cwd.join(key);
    let text = files::read_bounded(&path, MAX_KEY).map_err(|error| {
        Failure::from(error).hint("`--key` takes a fingerprint (64 digits) or a PEM file")
    })?;
    PublicKey::from_pem(&String::from_utf8_lossy(&text))
        .map(|key| key.fingerprint())
        .map_err(|why| Failure::input(format!("`{}` {why}", path.display())))
}

fn examine(path: &Path, key: Option<Digest>) -> Result<Verified, Failure> {
    if bundle::is_bundle(path) {
        let bundle::VerifiedBundle { report, summary } = bundle::verify_bundle(path, key)?;
        return Ok(Verified { report, bundle: Some(summary) });
    }
    if path.is_file() {
        return Err(Failure::input(format!(
            "`{}` is no bundle, and there is no evidence store in it",
            path.display()
        ))
        .hint("a bundle is a zip made by `ctc-ready pack`"));
    }
    let report = verified(path).map_err(|error| {
        let failure = Failure::from(error);
        failure.hint("name a store's folder, such as `ctc-ready verify my-project/evidence`")
    })?;
    Ok(Verified { report, bundle: None })
}

/// What a bundle says of itself, for people.
fn print_bundle(printer: &mut Printer, bundle: &BundleSummary, intact: bool) {
    if let Some(mark) = bundle.mark {
        printer.line(format!("  {}", paint(CARE, format!("{mark}: not a submission"))));
    }
    if let (Some(programme), Some(ready)) = (&bundle.programme, bundle.ready) {
        let word = if ready { "ready" } else { "not ready" };
        let as_of = bundle.as_of.as_deref().unwrap_or("an unknown time");
        printer.line(format!("  {programme}: {word} as of {as_of}"));
    }
    if let Some(sha256) = bundle.sha256 {
        printer.line(format!("  SHA-256 {sha256}"));
    }
    match bundle.key {
        Some(key) => {
            printer.line(format!("  signed by {key}"));
            printer.prose(
                2,
                "Anybody can make a key: compare this fingerprint with the one that the software \
                 house gave you by another way.",
            );
        }
        None => {
            let said = if intact { "not signed" } else { "no good signature" };
            printer.line(format!("  {}", paint(CARE, said)));
        }
    }
}

/// The report for people.
pub(super) fn print(printer: &mut Printer, place: &str, report: &VerifyReport) {
    let counts = format!(
        "{} runs, {} exchanges, {} bodies, {} bytes",
        report.runs, report.exchanges, report.objects, report.bytes
    );
    if report.intact {
        printer.line(format!("{} {place}", paint(GOOD, "INTACT")));
        printer.line(format!("  {counts}"));
        if report.seals.is_empty() {
            printer.prose(
                2,
                "Nothing signs this store yet: whoever can write to it could rewrite all of it.",
            );
        }
        return;
    }
    let count = report.problems.len();
    let word = if count == 1 { "problem" } else { "problems" };
    printer.line(format!("{} {place}: {count} {word}", paint(BAD, "NOT INTACT")));
    printer.line(format!("  {counts}"));
    for problem in report.problems.iter().take(SHOWN) {
        printer.line(format!("  {} {}", paint(BOLD, problem.rule), problem.place));
        printer.prose(4, &problem.message);
    }
    if count > SHOWN {
        printer.line(format!("  … and {} more (`--format json` has them all)", count - SHOWN));
    }
}
