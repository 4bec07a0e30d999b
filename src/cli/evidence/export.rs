//! `evidence export`: the evidence in other people's formats.

use schemars::JsonSchema;
use serde::Serialize;

use super::{REHEARSAL, Wanted, leave, look, no_evidence, open_store};
use crate::calendar::london;
use crate::cli::args::{EvidenceExport, ExportFormat};
use crate::cli::context::{Context, Desk, case, shown};
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::kept;
use crate::cli::printer::{BOLD, paint};
use crate::evidence::EvidenceError;
use crate::files;
use crate::report::{Dossier, PageOptions, har, html, json, junit, markdown};
use crate::verdict;

/// Largest file looked at before it is replaced, in bytes.
const MAX_EXPORT: u64 = 1 << 30;

/// `evidence export --output FILE --format json`: what was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct Written {
    /// Always 1.
    schema_version: u32,
    /// `har`, `junit`, `json`, `html`, `markdown`.
    to: &'static str,
    /// The file.
    output: String,
    /// Its bytes.
    bytes: u64,
    /// Attempts that it tells of.
    runs: u64,
    /// Attempts of which only the index tells.
    only_indexed: u64,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &EvidenceExport) -> Result<u8, Failure> {
    let desk = Desk::open(context)?;
    let as_of = context.as_of()?;
    let store = open_store(&desk)?;
    let output = args.output.as_ref().map(|path| context.cwd.join(path));
    if let Some(output) = &output {
        kept::outside(output, store.dir())?;
    }
    let wanted = Wanted::new(&desk, &store, &args.filter)?;
    let mut evidence = desk.evidence(context.clock.now())?;
    // It was there a moment ago.
    let gone = || no_evidence(EvidenceError::NoStore(store.dir().to_owned()));
    let integrity = evidence.report.take().ok_or_else(gone)?;
    let day = london::day_of(as_of);
    let programme = desk.programme(args.filter.programme.as_deref(), day)?;
    let needs = desk.needs(programme, day)?;
    let mut case = case(&desk, programme, &needs, &evidence, as_of, args.rehearsal);
    case.integrity = Some(&integrity);
    let verdict = verdict::judge(&case);
    let mark = args.rehearsal.then_some(REHEARSAL);
    let mut dossier = Dossier::gather(&store, verdict, integrity, mark);
    dossier.keep(|programme, scenario| wanted.takes(programme, scenario));
    let kind = kind(args.to);
    let bytes = match args.to {
        ExportFormat::Har => har::export(&dossier, &store)?,
        ExportFormat::Junit => junit::export(&dossier)?,
        ExportFormat::Json => json::export(&dossier, &store)?,
        ExportFormat::Html => {
            let options = PageOptions::new(&desk.catalogue, &desk.project.settings);
            html::page(&dossier, &store, &options)?.into_bytes()
        }
        ExportFormat::Markdown => markdown::export(&dossier).into_bytes(),
    };
    let Some(output) = output else {
        leave(context, store.dir(), "standard output", &bytes)?;
        return Ok(exit::DONE);
    };
    let place = shown(&output, &context.cwd);
    look(store.dir(), &place, &bytes)?;
    // What an export holds can be had again: an earlier one is not kept.
    // Nor is anything lost where a file is empty, as `mktemp` makes one.
    let empty = output.metadata().is_ok_and(|data| data.is_file() && data.len() == 0);
    if !empty {
        kept::standing(&output, &kind)?;
    }
    files::write_atomic(&output, &bytes)?;
    context.printer.line(format!("wrote {}", paint(BOLD, &place)));
    context.printer.line(format!("  {}: {} runs", kind.what, dossier.runs.len()));
    context.printer.document(&Written {
        schema_version: 1,
        to: name(args.to),
        output: place,
        bytes: bytes.len() as u64,
        runs: dossier.runs.len() as u64,
        only_indexed: dossier.only_indexed.len() as u64,
    });
    Ok(exit::DONE)
}

/// As on the command line.
fn name(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Har => "har",
        ExportFormat::Junit => "junit",
        ExportFormat::Json => "json",
        ExportFormat::Html => "html",
        ExportFormat::Markdown => "markdown",
    }
}

/// What an export looks like that may be replaced.
fn kind(format: ExportFormat) -> kept::Kind {
    let (what, ours): (_, fn(&[u8]) -> bool) = match format {
        ExportFormat::Har => ("HTTP archive of ctc-ready", |bytes| {
            begins(bytes, b"{") && has(bytes, b"\"creator\": {\n      \"name\": \"ctc-ready\"")
        }),
        ExportFormat::Junit => ("JUnit report of ctc-ready", |bytes| {
            begins(bytes, b"<?xml") && has(bytes, b"<testsuites name=\"ctc-ready ")
        }),
        ExportFormat::Json => ("JSON export of ctc-ready", |bytes| {
            begins(bytes, b"{") && has(bytes, b"\"tool\": \"ctc-ready ")
        }),
        ExportFormat::Html => ("HTML report of ctc-ready", |bytes| {
            let start = bytes.trim_ascii_start();
            let start = start.get(..HTML.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(HTML) && has(bytes, b": evidence for ")
        }),
        ExportFormat::Markdown => ("Markdown summary of ctc-ready", |bytes| {
            begins(bytes, markdown::FIRST_LINE.as_bytes())
        }),
    };
    kept::Kind { what, extension: name(format), max: MAX_EXPORT, ours, flag: "--output" }
}

fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.starts_with(start)
}

/// Whether the beginning of a file has `part`.
fn has(bytes: &[u8], part: &[u8]) -> bool {
    let head = bytes.get(..HEAD.min(bytes.len())).unwrap_or_default();
    head.windows(part.len()).any(|window| window == part)
}

const HTML: &[u8] = b"<!doctype html>";

/// Bytes in which an export says whose it is.
const HEAD: usize = 4 << 10;
