//! `checklist`: HMRC's form filled, with an annex if wanted, or ctc-ready's own
//! document.

use std::path::{Path, PathBuf};

use super::args::Checklist;
use super::context::{Context, Desk, Evidence, case, shown};
use super::exit;
use super::failure::{Failure, Kind};
use super::kept;
use super::printer::{BOLD, CARE, DIM, Printer, paint};
use super::sign;
use super::{checklist_check, checklist_preview, checklist_questions};
use crate::calendar::london;
use crate::catalogue::{FormFile, Programme};
use crate::digest::Digest;
use crate::document::own::{self, Dossier, FormRead};
use crate::document::{self, Answers, ChecklistReport, Filled, FormDefinition};
use crate::files;
use crate::verdict::{self, Need, Verdict, day_judged};
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
    /// A form gets an annex.
    pub(super) annex: bool,
    /// The London day of submission; none: the day judged at.
    pub(super) submit_on: Option<NaiveDate>,
}

/// A document that is to be written.
pub(super) struct Made {
    /// Id of the form that was filled; none: ctc-ready's own document.
    pub(super) form: Option<String>,
    /// The document.
    pub(super) filled: Filled,
    /// The form's annex.
    pub(super) annex: Option<Vec<u8>>,
}

/// What a document says, before it is one.
pub(super) struct Judged {
    needs: Vec<Need>,
    verdict: Verdict,
    pub(super) answers: Answers,
}

/// A form, filled.
pub(super) struct FilledForm {
    title: String,
    id: String,
    digest: Digest,
    filled: Filled,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Checklist) -> Result<u8, Failure> {
    if let Some(file) = &args.check {
        return checklist_check::run(context, args, file);
    }
    if args.preview.is_some() && context.printer.json() {
        return Err(Failure::usage("`--preview` cannot be told as json")
            .hint("`ctc-ready schema checklist` describes what `checklist --format json` tells"));
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
    let order = Order {
        programme,
        form,
        output,
        rehearsal: args.rehearsal,
        draft: false,
        annex: args.annex,
        submit_on: None,
    };
    if let Some(how) = args.preview {
        return checklist_preview::run(context, &desk, &evidence, &order, as_of, how);
    }
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
    let made = make(desk, evidence, order, as_of)?;
    put(order, made, cwd)
}

/// Writes a document that is made, and its annex.
pub(super) fn put(order: &Order<'_>, made: Made, cwd: &Path) -> Result<ChecklistReport, Failure> {
    let Made { form, filled, annex } = made;
    let annex = annex.map(|bytes| (annex_beside(&order.output), bytes));
    if let Some((path, _)) = &annex {
        // Refused before the form is written.
        kept::standing(path, &DOCUMENT)?;
    }
    let place = |path: &Path| shown(path, cwd);
    let mut report =
        ChecklistReport::new(form.as_deref(), &place(&order.output), order.rehearsal, &filled);
    report.annex = annex.as_ref().map(|(path, _)| place(path));
    for (path, bytes) in std::iter::once((order.output.clone(), filled.bytes)).chain(annex) {
        // A document that stands there may have been signed.
        kept::keep_previous(&path, &bytes, &DOCUMENT)?;
        files::write_atomic(&path, &bytes)?;
    }
    Ok(report)
}

/// `checklist.docx`: `checklist-annex.docx`.
fn annex_beside(output: &Path) -> PathBuf {
    let mut name = output.file_stem().unwrap_or_default().to_owned();
    name.push("-annex.docx");
    output.with_file_name(name)
}

/// Makes the document and its annex; of the order's `output`, the name alone is
/// looked at.
pub(super) fn make(
    desk: &Desk,
    evidence: &Evidence,
    order: &Order<'_>,
    as_of: DateTime<Utc>,
) -> Result<Made, Failure> {
    let judged = judged(desk, evidence, order, as_of)?;
    let dossier = judged.dossier(desk, evidence, order);
    let Some(path) = &order.form else {
        return Ok(Made { form: None, filled: own::write(&dossier)?, annex: None });
    };
    let form = fill_form(desk, path, &judged.answers)?;
    let annex = match order.annex {
        true => Some(own::annex(&dossier, &form.read(&order.file_name()))?),
        false => None,
    };
    Ok(Made { form: Some(form.id), filled: form.filled, annex })
}

/// Judges for the day of submission, and answers.
pub(super) fn judged(
    desk: &Desk,
    evidence: &Evidence,
    order: &Order<'_>,
    as_of: DateTime<Utc>,
) -> Result<Judged, Failure> {
    let needs = desk.needs(order.programme, day_judged(order.submit_on, as_of))?;
    let mut case = case(desk, order.programme, &needs, evidence, as_of, order.rehearsal);
    case.submit_on = order.submit_on;
    let verdict = verdict::judge(&case);
    let answers = document::collect(
        order.programme,
        &desk.project.settings,
        &verdict.requirements,
        &evidence.runs,
        order.rehearsal,
    );
    Ok(Judged { needs, verdict, answers })
}

/// Fills HMRC's form.
pub(super) fn fill_form(
    desk: &Desk,
    path: &Path,
    answers: &Answers,
) -> Result<FilledForm, Failure> {
    let bytes = read_form(path)?;
    let forms = forms(desk)?;
    let named = |error| Failure::from(error).hint(format!("the file is `{}`", path.display()));
    let form = document::recognise(&bytes, &forms).map_err(named)?;
    let filled = document::fill(&bytes, form, answers).map_err(named)?;
    let (title, id) = (form.title.clone(), form.id.clone());
    Ok(FilledForm { title, id, digest: Digest::of(&bytes), filled })
}

impl Order<'_> {
    /// The name of the document, without its folder.
    pub(super) fn file_name(&self) -> String {
        self.output.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Judged {
    /// All of it, for a document.
    pub(super) fn dossier<'a>(
        &'a self,
        desk: &'a Desk,
        evidence: &'a Evidence,
        order: &Order<'a>,
    ) -> Dossier<'a> {
        Dossier {
            programme: order.programme,
            settings: &desk.project.settings,
            needs: &self.needs,
            verdict: &self.verdict,
            runs: &evidence.runs,
            removed: &evidence.removed,
            integrity: evidence.report.as_ref(),
            answers: &self.answers,
            draft: order.draft,
        }
    }
}

impl FilledForm {
    /// What an annex says of it; `file` is the name of the filled form.
    pub(super) fn read<'a>(&'a self, file: &'a str) -> FormRead<'a> {
        FormRead {
            title: &self.title,
            id: &self.id,
            file,
            digest: self.digest,
            filled: &self.filled,
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
    if let Some(annex) = &report.annex {
        printer.line(format!("wrote {}", paint(BOLD, annex)));
        printer.line("  its annex: the evidence behind each requirement");
    }
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
