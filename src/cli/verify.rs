//! `verify`: was any evidence changed? Of a store, or of a bundle.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Verify;
use super::context::{Context, MAX_PEM, authorities, shown, verified};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, CARE, GOOD, Printer, paint};
use super::seal::print_stamp;
use crate::calendar::london;
use crate::catalogue::Catalogue;
use crate::digest::Digest;
use crate::evidence::bundle::{self, BundleSummary};
use crate::evidence::seal::PublicKey;
use crate::evidence::{SealReport, Trust, VerifyReport};
use crate::files;

/// Most problems shown to people; JSON has them all.
const SHOWN: usize = 40;

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
    let trust = Trust {
        key: args.key.as_deref().map(|key| pinned(context, key)).transpose()?,
        authorities: authorities(context, args.tsa_ca.as_deref())?,
    };
    let dir = match &args.store {
        Some(dir) => context.cwd.join(dir),
        None => context.project(&Catalogue::built_in()?)?.evidence_dir(),
    };
    let verified = examine(&dir, &trust)?;
    context.printer.document(&verified);
    let place = shown(&dir, &context.cwd);
    let report = &verified.report;
    print(&mut context.printer, &place, report);
    match &verified.bundle {
        Some(bundle) => print_bundle(&mut context.printer, bundle, report.intact),
        None if report.intact && trust.key.is_none() && !report.seals.is_empty() => {
            context.printer.prose(
                2,
                "Compare the key with the fingerprint you were told (`--key` does): anybody can make one.",
            );
        }
        None => {}
    }
    Ok(if report.intact { exit::DONE } else { exit::WANTING })
}

fn examine(path: &Path, trust: &Trust) -> Result<Verified, Failure> {
    if bundle::is_bundle(path) {
        let bundle::VerifiedBundle { report, summary } = bundle::verify_bundle(path, trust)?;
        return Ok(Verified { report, bundle: Some(summary) });
    }
    if path.is_file() {
        return Err(Failure::input(format!(
            "`{}` is no bundle, and there is no evidence store in it",
            path.display()
        ))
        .hint("a bundle is a zip made by `ctc-ready pack`"));
    }
    let report = verified(path, trust).map_err(|error| {
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

/// The fingerprint that `--key` means: itself, or that of the key in a file.
fn pinned(context: &Context, key: &str) -> Result<Digest, Failure> {
    if let Ok(fingerprint) = key.trim().to_ascii_lowercase().parse() {
        return Ok(fingerprint);
    }
    let path = context.cwd.join(key);
    if path.symlink_metadata().is_err() {
        return Err(Failure::usage(format!("`--key {key}` is neither a fingerprint nor a file"))
            .hint("a fingerprint has 64 hexadecimal digits; `ctc-ready keys show` shows yours"));
    }
    let pem = files::read_bounded(&path, MAX_PEM)?;
    PublicKey::from_pem(&String::from_utf8_lossy(&pem))
        .map(|key| key.fingerprint())
        .map_err(|message| Failure::input(format!("`{key}` {message}")))
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
        print_seals(printer, report);
        return;
    }
    let count = report.problems.len();
    let word = if count == 1 { "problem" } else { "problems" };
    printer.line(format!("{} {place}: {count} {word}", paint(BAD, "NOT INTACT")));
    printer.line(format!("  {counts}"));
    if !report.seals.is_empty() {
        print_seals(printer, report);
    }
    for problem in report.problems.iter().take(SHOWN) {
        printer.line(format!("  {} {}", paint(BOLD, problem.rule), problem.place));
        printer.prose(4, &problem.message);
    }
    if count > SHOWN {
        printer.line(format!("  … and {} more (`--format json` has them all)", count - SHOWN));
    }
}

/// Who vouches for it, and for how much of it.
fn print_seals(printer: &mut Printer, report: &VerifyReport) {
    let valid = report.seals.iter().filter(|seal| seal.valid).count();
    let Some(newest) = report.seals.iter().rev().find(|seal| seal.valid) else {
        let text = match report.seals.len() {
            0 => "Nothing signs this store yet: whoever can write to it could rewrite all of it.",
            _ => "None of its seals holds.",
        };
        return printer.prose(2, text);
    };
    let unsealed = report.unsealed_runs.len() as u64;
    let covered = report.runs.saturating_sub(unsealed);
    let seals = report.seals.len();
    let of = if valid == seals { String::new() } else { format!(" of {seals}") };
    let word = if valid == 1 && valid == seals { "seal holds" } else { "seals hold" };
    printer.line(format!("  {valid}{of} {word}; {covered} of {} runs are sealed", report.runs));
    let at = newest.at.map(london::for_people).unwrap_or_default();
    printer.line(format!("  newest: {} of {at}", newest.seal));
    if let Some(stamp) = report.seals.iter().rev().find_map(valid_stamp) {
        print_stamp(printer, stamp);
    }
    // Keys in the order in which they first sealed.
    let mut keys: Vec<(Digest, Option<Digest>)> = Vec::new();
    for seal in report.seals.iter().filter(|seal| seal.valid) {
        if !keys.iter().any(|(key, _)| *key == seal.key) {
            keys.push((seal.key, seal.endorsed_by));
        }
    }
    for (key, endorsed_by) in keys {
        printer.line(format!("  key {key}"));
        if let Some(older) = endorsed_by {
            printer.line("    which the key before it vouches for:");
            printer.line(format!("    {older}"));
        }
    }
}

fn valid_stamp(seal: &SealReport) -> Option<&crate::evidence::TimeStampReport> {
    seal.time_stamp.as_ref().filter(|_| seal.valid)
}
