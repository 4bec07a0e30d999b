//! `submission`: the folder to send from: HMRC's form filled, the bundle, and
//! the e-mail that takes both, or the text for the support form.
//!
//! - `told`: what it says.

mod told;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::args::{Pack, Submission as Args};
use super::checklist::{self, Made, Order, forms, programme_for};
use super::context::{Context, Desk, Evidence, case, shown};
use super::exit;
use super::failure::{Failure, Kind};
use super::kept;
use super::leaks::Guard;
use super::pack::{self, Packing};
use crate::catalogue::{Programme, Submission, SubmissionChannel};
use crate::digest::Digest;
use crate::document::submission::{SubmissionFile, Submitted, Words, words};
use crate::document::{self, CheckFinding, Filled, FilledForm};
use crate::eml::{self, Attachment, Letter};
use crate::evidence::bundle::{self, Mark};
use crate::files::{self, Access};
use crate::verdict::{self, Case, Severity, Verdict, day_judged};

pub(super) use told::SubmissionReport;

/// The e-mail.
const EML: &str = "submission.eml";
/// The text for the support form.
const PASTE: &str = "text-to-paste.txt";

/// Largest e-mail, in bytes: many mailboxes refuse larger ones.
const MAX_LETTER: u64 = 10 << 20;

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// What is to be submitted.
struct Task<'a> {
    desk: &'a Desk,
    programme: &'a Programme,
    submission: &'a Submission,
    mark: Option<Mark>,
    form: PathBuf,
    output: PathBuf,
    as_of: chrono::DateTime<chrono::Utc>,
    place: String,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Args) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let as_of = context.as_of()?;
    let form = context.cwd.join(&args.form);
    let day = day_judged(args.submit_on, as_of);
    let programme = programme_for(&desk, args.programme.as_deref(), Some(&form), day)?;
    let submission = programme.submission.as_ref().ok_or_else(|| {
        Failure::usage(format!("nothing is known of how HMRC takes a form for `{}`", programme.id))
            .hint("`ctc-ready pack` makes the bundle alone")
    })?;
    let mark = match (args.draft, args.rehearsal) {
        (true, _) => Some(Mark::Draft),
        (false, true) => Some(Mark::Rehearsal),
        (false, false) => None,
    };
    let name = format!("submission-{}{}", programme.id, suffix(mark));
    let output = match &args.output {
        Some(path) => context.cwd.join(path),
        None => desk.project.root.join(name),
    };
    let place = shown(&output, &context.cwd);
    room(&output, &place, &desk.project.evidence_dir())?;
    let task = Task { desk: &desk, programme, submission, mark, form, output, as_of, place };

    // Judged and compared before anything is written.
    let evidence = desk.evidence(as_of)?;
    let needs = desk.needs(programme, day)?;
    let mut judged = case(&desk, programme, &needs, &evidence, as_of, args.rehearsal);
    judged.submit_on = args.submit_on;
    let verdict = verdict::judge(&judged);
    let order = Order {
        programme,
        form: Some(task.form.clone()),
        output: PathBuf::new(),
        rehearsal: args.rehearsal,
        draft: args.draft,
        // The bundle has it.
        annex: false,
        submit_on: args.submit_on,
    };
    let Made { filled, .. } = checklist::make(&desk, &evidence, &order, as_of)?;
    let form_findings = compare(&desk, &judged, &filled)?;
    let nothing = verdict.nothing_to_submit().is_some();
    let wrong = form_findings.iter().any(|finding| finding.severity == Severity::Error);
    if mark.is_none() && (!verdict.ready || wrong || nothing) {
        return Ok(task.refuse(context, verdict, form_findings, &filled));
    }

    // The same instant for all of it, so that form and bundle agree.
    context.global.at = Some(as_of.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    let made = !task.output.exists();
    files::create_dir_all_durable(&task.output, Access::Shared)?;
    let written = task.write(context, args, &evidence, &verdict, &filled);
    let Written { files, letter, words } = match written {
        Ok(written) => written,
        Err(failure) => {
            task.take_back(made);
            return Err(failure);
        }
    };
    let report = SubmissionReport {
        written: true,
        output: Some(task.place.clone()),
        files,
        letter: Some(letter),
        ..task.report(verdict, form_findings, &filled)
    };
    context.printer.document(&report);
    task.print(&mut context.printer, &report, &words);
    Ok(exit::DONE)
}

fn suffix(mark: Option<Mark>) -> String {
    mark.map_or_else(String::new, |mark| format!("-{mark}"))
}

/// Refuses a folder that holds anything, or lies in the evidence.
fn room(output: &Path, place: &str, store: &Path) -> Result<(), Failure> {
    let standing = output.ancestors().find(|folder| folder.exists()).unwrap_or(output);
    kept::outside(&standing.join(EML), store)?;
    if output.exists() && !files::list(output)?.is_empty() {
        return Err(Failure::input(format!("`{place}` is there already and not empty"))
            .hint("name another folder: `--output DIR`"));
    }
    Ok(())
}

/// Reads the filled form back, as HMRC will.
fn compare(desk: &Desk, case: &Case<'_>, filled: &Filled) -> Result<Vec<CheckFinding>, Failure> {
    let known = forms(desk)?;
    let form = FilledForm::read(&filled.bytes, &known)?;
    let requirements = verdict::status(case).requirements;
    let answers =
        document::collect(case.programme, case.settings, &requirements, case.runs, case.rehearsal);
    Ok(document::check(&form, "checklist.docx", case, &answers)?.findings)
}

/// What was written.
struct Written {
    files: Vec<SubmissionFile>,
    letter: &'static str,
    words: Words,
}

impl Task<'_> {
    fn zip(&self) -> String {
        format!("submission-{}{}.zip", plain(&self.programme.id), suffix(self.mark))
    }

    /// No half of a submission stays behind; what failed is told, not this.
    fn take_back(&self, made: bool) {
        for name in [bundle::checklist(self.mark), &self.zip(), EML, PASTE] {
            let _ = files::remove_file(&self.output.join(name));
        }
        if made {
            let _ = files::remove_empty_folder(&self.output);
        }
    }

    /// Writes all files; the folder is there, and empty.
    fn write(
        &self,
        context: &mut Context,
        args: &Args,
        evidence: &Evidence,
        verdict: &Verdict,
        filled: &Filled,
    ) -> Result<Written, Failure> {
        let form = bundle::checklist(self.mark);
        let zip = self.zip();
        let packed = self.output.join(&zip);
        let pack = Pack {
            output: Some(packed.clone()),
            form: Some(self.form.clone()),
            programme: Some(self.programme.id.clone()),
            submit_on: args.submit_on,
            draft: args.draft,
            rehearsal: args.rehearsal,
            under_test: args.under_test.clone(),
        };
        if let Packing::Refused(..) = pack::pack(context, &pack)? {
            return Err(Failure::new(Kind::Environment, "the evidence changed meanwhile")
                .hint("call it again"));
        }
        let unread = |source| files::FileError { path: packed.clone(), doing: "read", source };
        let (sha256, size) =
            Digest::of_reader(&mut files::open_regular(&packed)?).map_err(unread)?;
        let by_mail = self.submission.channel == SubmissionChannel::Email;
        // Base64 makes four characters of three bytes, and breaks lines.
        let on_the_wire = (size + filled.bytes.len() as u64) / 54 * 74;
        let fits = !by_mail || on_the_wire < MAX_LETTER;
        let files = vec![
            SubmissionFile {
                name: form.to_owned(),
                what: "the checklist, filled in".to_owned(),
                bytes: filled.bytes.len() as u64,
                sha256: Digest::of(&filled.bytes),
                attached: true,
            },
            SubmissionFile {
                name: zip,
                what: "the evidence".to_owned(),
                bytes: size,
                sha256,
                attached: fits,
            },
        ];
        let most = self.submission.max_files.map_or(usize::MAX, |most| most as usize);
        if files.len() > most {
            return Err(Failure::input(format!(
                "HMRC takes {most} files at most, and there are {}",
                files.len()
            )));
        }
        let settings = &self.desk.project.settings;
        let words = words(&Submitted {
            programme: self.programme,
            settings,
            verdict,
            runs: &evidence.runs,
            mark: self.mark,
            files: &files,
        })
        .map_err(|error| Failure::new(Kind::Bug, error))?;
        self.look_through(form, filled, &words)?;
        files::write_atomic(&self.output.join(form), &filled.bytes)?;
        let letter = if by_mail { EML } else { PASTE };
        if by_mail {
            let bundle = match fits {
                true => Some(files::read_bounded(&packed, MAX_LETTER)?),
                false => None,
            };
            let eml = self.letter(&words, &files, &filled.bytes, bundle.as_deref());
            files::write_atomic(&self.output.join(EML), eml.as_bytes())?;
        } else {
            files::write_atomic(&self.output.join(PASTE), words.text.as_bytes())?;
        }
        Ok(Written { files, letter, words })
    }

    fn letter(
        &self,
        words: &Words,
        files: &[SubmissionFile],
        form: &[u8],
        bundle: Option<&[u8]>,
    ) -> String {
        let contact = self.desk.project.settings.business.contact_email.as_deref();
        let contact = contact.and_then(eml::address);
        let domain = contact.and_then(|contact| contact.split_once('@')).map(|(_, domain)| domain);
        let body = Digest::of(words.text.as_bytes()).to_string();
        let id = format!(
            "submission.{}@{}",
            body.get(..32).unwrap_or_default(),
            domain.unwrap_or("ctc-ready.invalid")
        );
        let attachments: Vec<Attachment<'_>> = files
            .iter()
            .zip([(DOCX, Some(form)), ("application/zip", bundle)])
            .filter_map(|(file, (media_type, bytes))| {
                Some(Attachment { name: &file.name, media_type, bytes: bytes? })
            })
            .collect();
        Letter {
            from: contact,
            to: self.to().unwrap_or_default(),
            subject: &words.subject,
            date: self.as_of,
            id: &id,
            follows: None,
            body: &words.text,
            attachments: &attachments,
        }
        .to_eml()
    }

    /// Where the e-mail goes: what is no submission goes nowhere.
    fn to(&self) -> Option<&str> {
        self.submission.to.as_deref().filter(|_| self.mark.is_none())
    }

    /// `pack` has looked through the bundle.
    fn look_through(&self, name: &str, filled: &Filled, words: &Words) -> Result<(), Failure> {
        let bug = |error| Failure::new(Kind::Bug, error);
        let mut guard = Guard::new(&self.desk.project.evidence_dir())?;
        guard.look("the text", &mut words.text.as_bytes())?;
        guard.look("the subject", &mut words.subject.as_bytes())?;
        let mut form = zip::ZipArchive::new(Cursor::new(&filled.bytes)).map_err(bug)?;
        for part in 0..form.len() {
            let mut part = form.by_index(part).map_err(bug)?;
            let place = format!("{name}!{}", part.name());
            guard.look(&place, &mut part)?;
        }
        guard.decide()
    }
}

/// A file's name from an id, which an overlay may choose.
fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    text.chars().map(plain).take(60).collect()
}
