//! `message validate`: messages against HMRC's schemas.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;
use schemars::JsonSchema;
use serde::Serialize;

use super::args::MessageValidate;
use super::bench::Bench;
use super::context::Context;
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, DIM, GOOD, Printer, hanging, paint};
use crate::files;
use crate::ncts::MessageType;
use crate::ncts::xsd::{self, Violation};
use crate::payload::error::MESSAGE_LIMIT;
use crate::project::xsd::{SchemaSet, XsdFolder, versions};

/// Most violations of one file shown to people; JSON has them all.
const SHOWN: usize = 50;

/// `message validate --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Validated {
    /// Always 1.
    schema_version: u32,
    /// In the order given.
    files: Vec<FileReport>,
}

/// What came of one file.
#[derive(Debug, Serialize, JsonSchema)]
struct FileReport {
    /// As given; `-` is standard input.
    file: String,
    valid: bool,
    /// The schemas' version, where their folder says it.
    version: Option<String>,
    /// What message it is.
    message: Option<MessageType>,
    /// Where it departs from the schemas.
    violations: Vec<Violation>,
    /// Why it could not be judged at all.
    error: Option<String>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &MessageValidate) -> Result<u8, Failure> {
    if args.files.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::usage("standard input (`-`) can be read only once"));
    }
    let bench = Bench::open(context)?;
    let folder = bench.xsd(args.xsd.as_deref(), &context.cwd).ok_or_else(|| {
        Failure::usage("there are no schemas to check against")
            .hint("`--xsd DIR` names the folder with HMRC's XSD files")
            .hint("`[payloads] xsd` in ctc-ready.toml names it for good")
    })?;
    let known = versions(&bench.catalogue);
    if let Some(api) = args.api.as_deref()
        && !known.contains(&api)
    {
        return Err(Failure::usage(format!("`--api {api}`: there is no such version"))
            .hint(format!("the versions are {}", known.join(", "))));
    }
    let folder = XsdFolder::open(&folder, &known)?;
    let mut court = Court { bench: &bench, folder, api: args.api.clone(), sets: BTreeMap::new() };
    let mut files = Vec::new();
    for path in &args.files {
        let report = court.judge(path, &context.cwd)?;
        print(&mut context.printer, &report);
        files.push(report);
    }
    let count = |wanted: &dyn Fn(&FileReport) -> bool| files.iter().filter(|f| wanted(f)).count();
    let (broken, valid) = (count(&|file| file.error.is_some()), count(&|file| file.valid));
    if files.len() > 1 {
        context.printer.line(format!(
            "{} files: {valid} valid, {} not valid, {broken} not judged",
            files.len(),
            files.len() - valid - broken
        ));
    }
    let code = match (broken, files.len() - valid) {
        (0, 0) => exit::DONE,
        (0, _) => exit::WANTING,
        _ => exit::INPUT,
    };
    context.printer.document(&Validated { schema_version: 1, files });
    Ok(code)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The schemas, each version read when it is first needed.
struct Court<'a> {
    bench: &'a Bench,
    folder: XsdFolder,
    api: Option<String>,
    sets: BTreeMap<Option<String>, SchemaSet>,
}

impl Court<'_> {
    /// What the schemas say of a file.
    ///
    /// # Errors
    /// When the schemas cannot be used; what is wrong with the file is in the
    /// report.
    fn judge(&mut self, path: &Path, cwd: &Path) -> Result<FileReport, Failure> {
        let mut report = FileReport {
            file: path.display().to_string(),
            valid: false,
            version: None,
            message: None,
            violations: Vec::new(),
            error: None,
        };
        let bytes = match read(path, cwd) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(FileReport { error: Some(error), ..report }),
        };
        let text = match xsd::text_of(&bytes) {
            Ok(text) => text,
            Err(refused) => return Ok(FileReport { error: Some(refused.to_string()), ..report }),
        };
        let (root, phase) = header(text);
        report.message = root.as_deref().and_then(MessageType::from_root);
        let version = match (root.is_some(), self.version(phase.as_deref())) {
            (_, Ok(version)) => version,
            (true, Err(error)) => return Ok(FileReport { error: Some(error), ..report }),
            // Any version tells what is wrong with what is not even XML.
            (false, Err(_)) => self.folder.versions().last().map(|version| (*version).to_owned()),
        };
        let set = self.set(version)?;
        report.version = set.version.clone();
        match set.schemas.validate(text) {
            Ok(violations) => {
                report.valid = violations.is_empty();
                report.violations = violations;
            }
            Err(refused) => report.error = Some(refused.to_string()),
        }
        Ok(report)
    }

    fn set(&mut self, version: Option<String>) -> Result<&SchemaSet, Failure> {
        if !self.sets.contains_key(&version) {
            let set = self.folder.load(version.as_deref())?;
            self.sets.insert(version.clone(), set);
        }
        self.sets.get(&version).ok_or_else(|| Failure::input("the schemas are gone"))
    }

    /// The version by whose schemas a message of this `PhaseID` is judged:
    /// NCTS5 messages of API 2.0 and 2.1 carry the same one, and the project's
    /// programme decides, else the newer version.
    fn version(&self, phase: Option<&str>) -> Result<Option<String>, String> {
        if let Some(api) = &self.api {
            return Ok(Some(api.clone()));
        }
        let versions = self.folder.versions();
        if let [] | [_] = versions.as_slice() {
            return Ok(versions.first().map(|version| (*version).to_owned()));
        }
        let programmes = self.bench.programmes(None).unwrap_or_default();
        let family = |phase: &str| phase.split('.').next().unwrap_or_default().to_owned();
        let fits: [&dyn Fn(&str) -> bool; 2] = [
            &|own| phase == Some(own),
            // `NCTS5.0` and `NCTS5.1` are read alike by the schemas.
            &|own| phase.is_some_and(|phase| family(phase) == family(own)),
        ];
        let found = fits.iter().find_map(|fits| {
            programmes.iter().find_map(|programme| {
                let (own, version) =
                    programme.api.phase_id.as_deref().zip(programme.api.xsd.as_deref())?;
                (versions.contains(&version) && fits(own)).then(|| version.to_owned())
            })
        });
        let name = match phase {
            Some(phase) => format!("its PhaseID `{}`", phase.chars().take(40).collect::<String>()),
            None => "it has no PhaseID, which".to_owned(),
        };
        match found {
            Some(version) => Ok(Some(version)),
            None => Err(format!(
                "{name} does not tell by which version to check it: say `--api {}`",
                versions.join("`, or `--api ")
            )),
        }
    }
}

/// The root element's local name and `PhaseID`, without building a tree of
/// what may be hostile.
fn header(text: &str) -> (Option<String>, Option<String>) {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    loop {
        match reader.read_event() {
            Ok(Event::Start(root) | Event::Empty(root)) => {
                let name = String::from_utf8_lossy(root.local_name().as_ref()).into_owned();
                let mut attributes = root.attributes();
                attributes.with_checks(false);
                let phase = attributes
                    .take(xsd::MAX_ATTRIBUTES)
                    .filter_map(Result::ok)
                    .find(|attribute| attribute.key.as_ref() == b"PhaseID")
                    .map(|attribute| String::from_utf8_lossy(&attribute.value).trim().to_owned());
                return (Some(name), phase);
            }
            Ok(Event::Eof) | Err(_) => return (None, None),
            Ok(_) => {}
        }
    }
}

/// A file's bytes, or those of standard input; what is larger than any message
/// is not read to its end.
fn read(path: &Path, cwd: &Path) -> Result<Vec<u8>, String> {
    if !is_stdin(path) {
        return files::read_bounded(&cwd.join(path), MESSAGE_LIMIT)
            .map_err(|error| error.to_string());
    }
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(MESSAGE_LIMIT + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(|error| format!("standard input cannot be read: {error}"))?;
    match bytes.len() as u64 > MESSAGE_LIMIT {
        true => Err(format!("standard input is larger than the {MESSAGE_LIMIT} bytes allowed")),
        false => Ok(bytes),
    }
}

/// One file for people: `file:line:column: message`, with the path below.
fn print(printer: &mut Printer, report: &FileReport) {
    let file = &report.file;
    let message = report.message.map_or_else(|| "unknown".to_owned(), |is| is.to_string());
    let version = report.version.as_deref().map(|v| format!(", version {v}")).unwrap_or_default();
    if let Some(error) = &report.error {
        printer.prose(0, &format!("{file}: {}: {error}", paint(BAD, "not judged")));
        return;
    }
    if report.valid {
        printer.line(format!("{file}: {} ({message}{version})", paint(GOOD, "valid")));
        return;
    }
    let count = report.violations.len();
    let word = if count == 1 { "violation" } else { "violations" };
    let not = paint(BAD, "not valid");
    printer.line(format!("{file}: {not} ({message}{version}): {count} {word}"));
    for violation in report.violations.iter().take(SHOWN) {
        let Violation { path, line, column, message, .. } = violation;
        let told = format!("{file}:{line}:{column}: {message}");
        hanging(0, &told).iter().for_each(|line| printer.line(line));
        printer.line(format!("    {}", paint(DIM, path)));
    }
    if count > SHOWN {
        printer.line(format!("  … and {} more (`--format json` has them all)", count - SHOWN));
    }
}
