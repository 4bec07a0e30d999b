//! `pack`: one zip to send, with the form and its annex, the verdict, the whole
//! store and a signed list of all of it.
//!
//! - `readme`: README.txt.

mod readme;

use std::io::{BufWriter, Cursor};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Pack;
use super::checklist::{self, Made, Order};
use super::context::{Context, Desk, Evidence, TOOL, case, shown};
use super::exit;
use super::failure::{Failure, Kind};
use super::gate;
use super::kept;
use super::leaks::Guard;
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, Printer, paint};
use crate::catalogue::Programme;
use crate::digest::Digest;
use crate::document::ChecklistReport;
use crate::evidence::bundle::write::BundleError;
use crate::evidence::bundle::{self, Mark, Papers, Plan, Written};
use crate::evidence::seal::keys::{KeyError, KeyRing};
use crate::evidence::{RunId, Store, StoreWriter};
use crate::files::{self, Staged};
use crate::report::{self, Dossier, PageOptions};
use crate::verdict::{self, Finding, Verdict, day_judged};

/// What `pack` writes.
const BUNDLE: kept::Kind = kept::Kind {
    what: "bundle",
    extension: "zip",
    // Only the beginning is looked at.
    max: 0,
    ours: |bytes| bytes.starts_with(b"PK\x03\x04"),
    flag: "--output",
};

/// `pack --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PackReport {
    /// Always 1.
    schema_version: u32,
    /// A bundle was written; if not, `findings` say why.
    packed: bool,
    /// The bundle's file.
    output: Option<String>,
    /// Its SHA-256.
    sha256: Option<Digest>,
    /// Its size.
    bytes: Option<u64>,
    /// `DRAFT` or `REHEARSAL` where it is no submission.
    mark: Option<Mark>,
    /// The programme judged.
    programme: String,
    /// The gate found no error that is not waived.
    ready: bool,
    /// Fingerprint of the key that signed; none: nobody did.
    key: Option<Digest>,
    /// What is in it; none where nothing was written.
    contents: Option<Contents>,
    /// What was filled into the form, and what is left for a person.
    checklist: Option<ChecklistReport>,
    /// What the gate found.
    findings: Vec<Finding>,
}

/// What is in a bundle.
#[derive(Debug, Serialize, JsonSchema)]
struct Contents {
    /// Files.
    files: u64,
    /// The files beside the evidence.
    papers: Vec<String>,
    /// Attempts, all of them.
    runs: u64,
    /// Those that stand for a requirement.
    counted_runs: Vec<RunId>,
    /// HTTP requests.
    exchanges: u64,
    /// Stored bodies.
    objects: u64,
    /// Seals over them.
    seals: u64,
    /// Whether one of the seals was made now.
    sealed_now: bool,
}

/// What is to be packed.
struct Task<'a> {
    desk: &'a Desk,
    programme: &'a Programme,
    args: &'a Pack,
    mark: Option<Mark>,
    as_of: chrono::DateTime<chrono::Utc>,
    form: Option<PathBuf>,
    output: PathBuf,
}

/// The user's key; none where there is none yet.
fn keys(context: &Context) -> Result<Option<KeyRing>, Failure> {
    match KeyRing::load(&context.keys_folder()?) {
        Ok(keys) => Ok(Some(keys)),
        Err(KeyError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How packing ended.
pub(super) enum Packing {
    /// The bundle is there.
    Packed(Box<PackReport>),
    /// The gate found errors in this programme: nothing was written.
    Refused(String, Box<Verdict>),
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Pack) -> Result<u8, Failure> {
    match pack(context, args)? {
        Packing::Packed(report) => {
            context.printer.document(&report);
            print(&mut context.printer, &report);
            Ok(exit::DONE)
        }
        Packing::Refused(programme, verdict) => Ok(refuse(context, programme, *verdict)),
    }
}

/// Packs, and prints nothing.
pub(super) fn pack(context: &Context, args: &Pack) -> Result<Packing, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let form = args.form.as_ref().map(|path| context.cwd.join(path));
    let day = day_judged(args.submit_on, as_of);
    let programme =
        checklist::programme_for(&desk, args.programme.as_deref(), form.as_deref(), day)?;
    let mark = match (args.draft, args.rehearsal) {
        (true, _) => Some(Mark::Draft),
        (false, true) => Some(Mark::Rehearsal),
        (false, false) => None,
    };
    let output = match &args.output {
        Some(path) => context.cwd.join(path),
        None => {
            let mark = mark.map_or_else(String::new, |mark| format!("-{mark}"));
            desk.project.root.join(format!("submission-{}{mark}.zip", programme.id))
        }
    };
    let dir = desk.project.evidence_dir();
    if output.starts_with(&dir) {
        return Err(Failure::usage(format!(
            "`{}` lies in the evidence store, where nothing but evidence belongs",
            output.display()
        )));
    }
    let task = Task { desk: &desk, programme, args, mark, as_of, form, output };

    // Judged before anything is written: a refusal leaves all as it was.
    Store::open(&dir).map_err(|error| {
        Failure::from(error).hint("`ctc-ready run` makes evidence; then there is something to pack")
    })?;
    let (_, verdict) = task.judge()?;
    if mark.is_none() && !verdict.ready {
        return Ok(Packing::Refused(programme.id.clone(), Box::new(verdict)));
    }
    let keys = keys(context)?;
    if keys.is_none() && mark.is_none() {
        return Err(Failure::input("there is no key to sign the bundle with")
            .hint("`ctc-ready keys init` makes one, once, for all your projects")
            .hint("`--draft` packs without a signature, to be looked at"));
    }

    // Held to the end: what is packed is one state of the store.
    let writer = StoreWriter::open(&dir, Arc::clone(&context.clock), TOOL)?;
    let sealed_now = match &keys {
        Some(keys) => writer.seal(keys)?.new,
        None => false,
    };
    let (evidence, verdict) = task.judge()?;
    if mark.is_none() && !verdict.ready {
        return Ok(Packing::Refused(programme.id.clone(), Box::new(verdict)));
    }
    let report = task.pack(&writer, &evidence, verdict, keys.as_ref(), sealed_now, &context.cwd)?;
    Ok(Packing::Packed(Box::new(report)))
}

impl Task<'_> {
    /// The evidence as it is now, and what the gate says of it.
    fn judge(&self) -> Result<(Evidence, Verdict), Failure> {
        // As of the instant judged at, so that the same instant always gives
        // the same bundle.
        let evidence = self.desk.evidence(self.as_of)?;
        let needs = self.desk.needs(self.programme, day_judged(self.args.submit_on, self.as_of))?;
        let rehearsal = self.args.rehearsal;
        let mut case = case(self.desk, self.programme, &needs, &evidence, self.as_of, rehearsal);
        case.submit_on = self.args.submit_on;
        let verdict = verdict::judge(&case);
        Ok((evidence, verdict))
    }

    /// Makes all files, looks through them and writes the bundle.
    fn pack(
        &self,
        writer: &StoreWriter,
        evidence: &Evidence,
        verdict: Verdict,
        keys: Option<&KeyRing>,
        sealed_now: bool,
        cwd: &Path,
    ) -> Result<PackReport, Failure> {
        let bug = |error: &dyn std::fmt::Display| Failure::new(Kind::Bug, error);
        let store = writer.read()?;
        let Some(integrity) = evidence.report.clone() else {
            return Err(bug(&"the evidence was not verified"));
        };
        let rehearsal = self.args.rehearsal;
        let name = bundle::checklist(self.mark);
        let order = Order {
            programme: self.programme,
            form: self.form.clone(),
            output: name.into(),
            rehearsal,
            draft: self.mark == Some(Mark::Draft),
            annex: true,
            submit_on: self.args.submit_on,
        };
        let Made { form, filled, annex } =
            checklist::make(self.desk, evidence, &order, self.as_of)?;
        let mut checklist = ChecklistReport::new(form.as_deref(), name, rehearsal, &filled);
        checklist.annex = annex.as_ref().map(|_| bundle::annex(self.mark).to_owned());

        let counted_runs = counted(&verdict);
        let key = keys.map(KeyRing::fingerprint);
        let readme = readme::render(&readme::About {
            programme: self.programme,
            settings: &self.desk.project.settings,
            verdict: &verdict,
            runs: &evidence.runs,
            counted: counted_runs.len(),
            integrity: &integrity,
            key,
            mark: self.mark,
            form: form.as_deref(),
        })?;
        let mut text = serde_json::to_string_pretty(&verdict).map_err(|error| bug(&error))?;
        text.push('\n');
        let dossier = Dossier::gather(&store, verdict, integrity, self.mark.map(Mark::word));
        let options = PageOptions::new(&self.desk.catalogue, &self.desk.project.settings);
        let page = report::html::page(&dossier, &store, &options).map_err(|error| bug(&error))?;
        let papers = Papers { readme, page, verdict: text, checklist: filled.bytes, annex };

        let plan = Plan::new(writer.dir(), papers, self.mark, keys, TOOL).map_err(failed)?;
        look_through(&plan, writer.dir())?;
        let written = self.write(&plan)?;

        let Dossier { verdict, integrity, .. } = dossier;
        let outside = |name: &str| !name.contains('/');
        let papers: Vec<String> =
            plan.files().map(|(name, _)| name.to_owned()).filter(|name| outside(name)).collect();
        Ok(PackReport {
            schema_version: 1,
            packed: true,
            output: Some(shown(&self.output, cwd)),
            sha256: Some(written.sha256),
            bytes: Some(written.bytes),
            mark: self.mark,
            programme: self.programme.id.clone(),
            ready: verdict.ready,
            key,
            contents: Some(Contents {
                files: plan.files().count() as u64,
                papers,
                runs: integrity.runs,
                counted_runs,
                exchanges: integrity.exchanges,
                objects: integrity.objects,
                seals: integrity.seals.len() as u64,
                sealed_now,
            }),
            checklist: Some(checklist),
            findings: verdict.findings,
        })
    }

    /// Writes the bundle whole, then puts it in its place; another one that
    /// stands there is kept beside it.
    fn write(&self, plan: &Plan) -> Result<Written, Failure> {
        let mut staged = Staged::new(&self.output)?;
        let mut out = BufWriter::new(staged.file());
        let written = plan.write(&mut out).map_err(failed)?;
        drop(out);
        if self.output.symlink_metadata().is_ok() {
            let unread =
                |source| files::FileError { path: self.output.clone(), doing: "read", source };
            let mut begin = Vec::new();
            if self.output.is_file() {
                let mut old = files::open_regular(&self.output)?;
                let (digest, _) = Digest::of_reader(&mut old).map_err(unread)?;
                if digest == written.sha256 {
                    return Ok(written);
                }
                use std::io::Read as _;
                let old = files::open_regular(&self.output)?;
                old.take(4).read_to_end(&mut begin).map_err(unread)?;
            }
            kept::set_aside(&self.output, &begin, &BUNDLE)?;
        }
        staged.put_in_place()?;
        Ok(written)
    }
}

fn failed(error: BundleError) -> Failure {
    match error {
        BundleError::Evidence(error) => error.into(),
        BundleError::File(error) => error.into(),
        BundleError::Unsigned | BundleError::Verdict(_) => Failure::new(Kind::Bug, error),
        error => Failure::input(error),
    }
}

/// The runs that stand for a requirement, by id.
fn counted(verdict: &Verdict) -> Vec<RunId> {
    use verdict::RequirementState::{Expiring, Fresh};
    let standing =
        verdict.requirements.iter().filter(|item| matches!(item.state, Fresh | Expiring));
    let mut runs: Vec<RunId> = standing.filter_map(|item| item.run).collect();
    runs.sort();
    runs.dedup();
    runs
}

/// The findings that stand in the way.
fn errors(verdict: &Verdict) -> impl Iterator<Item = &Finding> {
    verdict.findings.iter().filter(|finding| finding.blocks())
}

/// Looks for secrets in every file, and in the parts of the documents, which are
/// compressed themselves.
fn look_through(plan: &Plan, store: &Path) -> Result<(), Failure> {
    let mut guard = Guard::new(store)?;
    for (name, _) in plan.files() {
        guard.look(name, &mut plan.open(name)?)?;
        if !name.ends_with(".docx") {
            continue;
        }
        let bug = |error: zip::result::ZipError| Failure::new(Kind::Bug, error);
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut plan.open(name)?, &mut bytes)
            .map_err(|error| Failure::new(Kind::Bug, error))?;
        let mut document = zip::ZipArchive::new(Cursor::new(bytes)).map_err(bug)?;
        for part in 0..document.len() {
            let mut part = document.by_index(part).map_err(bug)?;
            let place = format!("{name}!{}", part.name());
            guard.look(&place, &mut part)?;
        }
    }
    guard.decide()
}

/// Says why nothing was packed.
fn refuse(context: &mut Context, programme: String, mut verdict: Verdict) -> u8 {
    let printer = &mut context.printer;
    let report = PackReport {
        schema_version: 1,
        packed: false,
        output: None,
        sha256: None,
        bytes: None,
        mark: None,
        programme,
        ready: false,
        key: None,
        contents: None,
        checklist: None,
        findings: verdict.findings.clone(),
    };
    printer.document(&report);
    verdict.findings = errors(&verdict).cloned().collect();
    gate::print(printer, &verdict);
    printer.line("");
    printer.line(paint(BAD, "nothing was packed"));
    printer.prose(
        2,
        "`ctc-ready gate` tells more; `--draft` packs all the same, marked as no submission.",
    );
    exit::WANTING
}

/// What was packed, for people.
fn print(printer: &mut Printer, report: &PackReport) {
    let (Some(output), Some(sha256), Some(bytes), Some(contents)) =
        (&report.output, &report.sha256, report.bytes, &report.contents)
    else {
        return;
    };
    printer.line(format!("packed {}", paint(BOLD, output)));
    if let Some(mark) = report.mark {
        let ready = if report.ready { "" } else { ": the gate found errors" };
        printer.line(format!("  {}", paint(CARE, format!("{mark}, no submission{ready}"))));
    } else {
        printer.line(format!("  {}", paint(GOOD, "ready for submission")));
    }
    printer.line(format!("  {bytes} bytes in {} files", contents.files));
    printer.line(format!("  SHA-256 {sha256}"));
    match report.key {
        Some(key) => printer.line(format!("  signed by {key}")),
        None => printer.line(format!("  {}", paint(CARE, "not signed: there is no key yet"))),
    }
    printer.line("");
    printer.line("in it");
    let width = contents.papers.iter().map(String::len).max().unwrap_or(0).max(16);
    for paper in &contents.papers {
        let what = match paper.as_str() {
            "README.txt" => "what this is, how to look and how to check",
            "index.html" => "the evidence for people",
            "verdict.json" => "what the gate says",
            annex if annex.ends_with("-annex.docx") => "the evidence behind the form",
            form if form.starts_with("checklist") => "the form",
            "signing-key.pem" => "the public key",
            "bundle.dsse.json" => "every other file with its SHA-256, signed",
            "bundle.json" => "every other file with its SHA-256",
            _ => "that this is no submission",
        };
        printer.line(format!("  {paper:<width$} {what}"));
    }
    printer.line(format!(
        "  {:<width$} {} attempts, of which {} count, and {} seal{}",
        "evidence/",
        contents.runs,
        contents.counted_runs.len(),
        contents.seals,
        if contents.seals == 1 { "" } else { "s" }
    ));
    let left = report.checklist.as_ref().map_or(0, |checklist| checklist.left_for_you.len());
    if left > 0 {
        printer.line("");
        printer.line(paint(CARE, format!("left for you in the form: {left}")));
        printer.prose(2, "`ctc-ready checklist` writes the form alone, and says what is left.");
    }
    printer.line("");
    printer.line(paint(DIM, "`ctc-ready verify` checks it, anywhere and without your settings"));
}
