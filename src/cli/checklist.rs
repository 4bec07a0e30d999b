//! `checklist`: HMRC's form filled, or ctc-ready's own document.

use std::path::{Path, PathBuf};

use super::args::Checklist;
use super::checklist_check;
use super::checklist_questions;
use super::context::{Context, Desk, Evidence, case, shown};
use super::exit;
use super::failure::{Failure, Kind};
use super::kept;
use super::printer::{BOLD, CARE, DIM, Printer, paint};
use super::sign;
use crate::calendar::london;
use crate::catalogue::{FormFile, Programme};
use crate::document::own::{self, Dossier};
use crate::document::{self, ChecklistReport, Filled, FormDefinition};
use crate::files;
use crate::verdict;
use chrono::{DateTime, NaiveDate, Utc};

/// Largest form read, in bytes; HMRC's have some 120 kB.
const MAX_FORM: u64 = 32 << 20;

/// What `checklist` writes.
const DOCUMENT: kept::Kind = kept::Kind {
    what: "Word document",
    extension: "docx",
    max: MAX_FORM,
    // A .docx is a zip.
    ours: |bytes| bytes.starts_with(b"PK"),
    flag: "--output",
};

/// What to write, and where.
pub(super) struct Order<'a> {
    pub(super) programme: &'a Programme,
    pub(super) form: Option<PathBuf>,
    pub(super) output: PathBuf,
    pub(super) rehearsal: bool,
    /// It goes into a bundle that is packed to be looked at.
    pub(super) draft: bool,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Checklist) -> Result<u8, Failure> {
    if let Some(file) = &args.check {
        return checklist_check::run(context, args, file);
    }
    if args.questions {
        return checklist_questions::run(context, args);
    }
    if let (Some(name), Some(form)) = (&args.sign_as, &args.form) {
        return sign::run(context, args, form, name);
    }
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let evidence = desk.evidence(context.clock.now())?;
    let form = args.form.as_ref().map(|path| context.cwd.join(path));
    let programme =
        programme_for(&desk, args.programme.as_deref(), form.as_deref(), london::day_of(as_of))?;
    let name = if args.rehearsal { "checklist-REHEARSAL.docx" } else { "checklist.docx" };
    let output = match &args.output {
        Some(path) => context.cwd.join(path),
        None => desk.project.root.join(name),
    };
    let order = Order { programme, form, output, rehearsal: args.rehearsal, draft: false };
    let report = write(&desk, &evidence, &order, as_of, &context.cwd)?;
    context.printer.document(&report);
    print(&mut context.printer, &report);
    Ok(exit::DONE)
}

/// The forms of all programmes.
pub(super) fn forms(desk: &Desk) -> Result<Vec<FormDefinition>, Failure> {
    let files: Vec<&FormFile> = desk
        .catalogue
        .programmes()
        .iter()
        .flat_map(|programme| desk.catalogue.forms(&programme.id))
        .collect();
    // Part of the binary, and tested.
    document::forms(files).map_err(|error| Failure::new(Kind::Bug, error))
}

pub(super) fn read_form(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(files::read_bounded(path, MAX_FORM)?)
}

/// The programme that a document is about: the one named, or that of the form,
/// or the one open on the London day judged.
pub(super) fn programme_for<'a>(
    desk: &'a Desk,
    id: Option<&str>,
    form: Option<&Path>,
    day: NaiveDate,
) -> Result<&'a Programme, Failure> {
    match (id, form) {
        (None, Some(path)) => programme_of_form(desk, path, day),
        (id, _) => desk.programme(id, day),
    }
}

/// The project's programme that takes the form, the one open on the day first,
/// so that nobody has to name what the form itself says.
fn programme_of_form<'a>(
    desk: &'a Desk,
    path: &Path,
    day: NaiveDate,
) -> Result<&'a Programme, Failure> {
    let bytes = read_form(path)?;
    let forms = forms(desk)?;
    let form = document::recognise(&bytes, &forms)
        .map_err(|error| Failure::from(error).hint(format!("the file is `{}`", path.display())))?;
    programme_taking(desk, form, day)
}

/// The project's programme that takes the form, the one open on the day first.
pub(super) fn programme_taking<'a>(
    desk: &'a Desk,
    form: &FormDefinition,
    day: NaiveDate,
) -> Result<&'a Programme, Failure> {
    let open = desk.programme(None, day)?;
    let ours = desk.programmes(None)?;
    let mut in_order = std::iter::once(open).chain(ours);
    Ok(in_order.find(|ours| form.programmes.contains(&ours.id)).unwrap_or(open))
}

/// Makes the document and writes it; what stood in its place is kept beside.
pub(super) fn write(
    desk: &Desk,
    evidence: &Evidence,
    order: &Order<'_>,
    as_of: DateTime<Utc>,
    cwd: &Path,
) -> Result<ChecklistReport, Failure> {
    let (form, filled) = make(desk, evidence, order, as_of)?;
    put(order, form.as_deref(), &filled, cwd)
}

/// Writes a document that is made.
pub(super) fn put(
    order: &Order<'_>,
    form: Option<&str>,
    filled: &Filled,
    cwd: &Path,
) -> Result<ChecklistReport, Failure> {
    // A document that stands there may have been signed.
    kept::keep_previous(&order.output, &filled.bytes, &DOCUMENT)?;
    files::write_atomic(&order.output, &filled.bytes)?;
    let place = shown(&order.output, cwd);
    Ok(ChecklistReport::new(form, &place, order.rehearsal, filled))
}

/// Makes the document, and tells the id of the form that was filled; the
/// order's `output` is not looked at.
pub(super) fn make(
    desk: &Desk,
    evidence: &Evidence,
    order: &Order<'_>,
    as_of: DateTime<Utc>,
) -> Result<(Option<String>, Filled), Failure> {
    let needs = desk.needs(order.programme, london::day_of(as_of))?;
    let case = case(desk, order.programme, &needs, evidence, as_of, order.rehearsal);
    let requirements = verdict::status(&case).requirements;
    let settings = &desk.project.settings;
    let answers = document::collect(
        order.programme,
        settings,
        &requirements,
        &evidence.runs,
        order.rehearsal,
    );
    match &order.form {
        Some(path) => {
            let bytes = read_form(path)?;
            let forms = forms(desk)?;
            let named =
                |error| Failure::from(error).hint(format!("the file is `{}`", path.display()));
            let form = document::recognise(&bytes, &forms).map_err(named)?;
            let filled = document::fill(&bytes, form, &answers).map_err(named)?;
            Ok((Some(form.id.clone()), filled))
        }
        None => {
            let filled = own::write(&Dossier {
                programme: order.programme,
                settings,
                requirements: &requirements,
                runs: &evidence.runs,
                answers: &answers,
                made: as_of,
                draft: order.draft,
            })?;
            Ok((None, filled))
        }
    }
}

/// What was filled and what is left, for people.
pub(super) fn print(printer: &mut Printer, report: &ChecklistReport) {
    let kind = match (&report.form, report.rehearsal) {
        (Some(form), true) => format!("HMRC's form `{form}`, marked REHEARSAL"),
        (Some(form), false) => format!("HMRC's form `{form}`"),
        (None, true) => "ctc-ready's own document, marked REHEARSAL".to_owned(),
        (None, false) => "ctc-ready's own document (no form given)".to_owned(),
    };
    printer.line(format!("wrote {}", paint(BOLD, &report.output)));
    printer.line(format!("  {kind}: {} fields filled", report.filled.len()));
    if report.edition_known == Some(false) {
        printer.line("");
        printer.line(paint(CARE, "this edition of the form is unknown to ctc-ready"));
        printer.prose(2, "It was filled by its labels. Compare every field and every statement with what HMRC asks there");
    }
    if !report.left_for_you.is_empty() {
        printer.line("");
        printer.line(paint(CARE, format!("left for you: {}", report.left_for_you.len())));
        for left in &report.left_for_you {
            printer.prose(2, &format!("- {}: {}", left.field, left.why));
        }
    }
    if !report.not_found.is_empty() {
        printer.line("");
        printer.line(paint(CARE, "not found in this form"));
        for name in &report.not_found {
            printer.prose(2, &format!("- {name}"));
        }
    }
    printer.line("");
    printer.line(paint(DIM, "read it before you sign it"));
}
