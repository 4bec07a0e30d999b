//! `traders`: the onboarding data of the traders that a house serves.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::args::{TradersCheck, TradersCommand, TradersInit};
use super::context::{Context, shown};
use super::exit;
use super::failure::Failure;
use super::printer::{BAD, BOLD, CARE, GOOD, PLAIN, Printer, columns, paint};
use crate::calendar::london;
use crate::catalogue::Catalogue;
use crate::files;
use crate::project::traders::{self, FILE_NAME, FieldState, MAX_BYTES, TOLD, TraderReport};

/// `traders check --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Traders {
    /// Always 1.
    schema_version: u32,
    /// Whether nothing is missing or wrong.
    ok: bool,
    /// How many traders there are.
    count: usize,
    /// The first thousand of those about whom there is something to say, or of
    /// all where there are no more.
    traders: Vec<TraderReport>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, command: &TradersCommand) -> Result<u8, Failure> {
    match command {
        TradersCommand::Init(args) => init(context, args),
        TradersCommand::Check(args) => check(context, args),
    }
}

/// The file named, or that of the project.
fn file(context: &Context, named: Option<&Path>) -> Result<PathBuf, Failure> {
    match named {
        Some(file) => Ok(context.cwd.join(file)),
        None => Ok(context.project(&Catalogue::built_in()?)?.root.join(FILE_NAME)),
    }
}

fn init(context: &mut Context, args: &TradersInit) -> Result<u8, Failure> {
    let file = file(context, args.file.as_deref())?;
    if file.exists() {
        return Err(Failure::input(format!("`{}` exists already", shown(&file, &context.cwd))));
    }
    files::create_new(&file, traders::TEMPLATE.as_bytes(), files::Access::Private)?;
    let place = shown(&file, &context.cwd);
    context.printer.document(&serde_json::json!({"schema_version": 1, "file": file}));
    let printer = &mut context.printer;
    printer.line(format!("wrote {}", paint(BOLD, place)));
    printer.line("");
    printer.line("next: put each trader's data into it, then `ctc-ready traders check`");
    printer.line("Keep the file out of version control: it is other people's data.");
    Ok(exit::DONE)
}

fn check(context: &mut Context, args: &TradersCheck) -> Result<u8, Failure> {
    let file = file(context, args.file.as_deref())?;
    let today = london::day_of(context.as_of()?);
    let place = shown(&file, &context.cwd);
    let bytes = files::read_bounded(&file, MAX_BYTES).map_err(|error| {
        let failure = Failure::from(error);
        match file.exists() {
            true => failure,
            false => failure.hint("`ctc-ready traders init` writes one to fill in"),
        }
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::input(format!("`{place}` is not UTF-8, which TOML must be")))?;
    let mut reports = traders::check(&text, Path::new(&place), today).map_err(|error| {
        Failure::input(error.to_string())
            .hint("`ctc-ready traders init --file FILE` writes one to look at")
    })?;
    let ok = reports.iter().all(|report| report.complete);
    let count = reports.len();
    if count > TOLD {
        reports.retain(|report| !report.findings.is_empty());
        reports.truncate(TOLD);
    }
    let told = Traders { schema_version: 1, ok, count, traders: reports };
    context.printer.document(&told);
    print(&mut context.printer, &told);
    Ok(if ok { exit::DONE } else { exit::WANTING })
}

fn print(printer: &mut Printer, told: &Traders) {
    if printer.json() {
        return;
    }
    let rows: Vec<_> = told
        .traders
        .iter()
        .flat_map(|trader| {
            trader.findings.iter().map(move |finding| {
                let (style, state) = match finding.state {
                    FieldState::Missing => (BAD, "missing"),
                    FieldState::Wrong => (BAD, "WRONG"),
                    FieldState::Doubtful => (CARE, "doubtful"),
                };
                let name = trader.name.clone().unwrap_or_else(|| format!("no. {}", trader.place));
                let name: String = name.chars().take(24).collect();
                vec![
                    (BOLD, name),
                    (style, state.to_owned()),
                    (PLAIN, format!("`{}` {}", finding.field, finding.message)),
                ]
            })
        })
        .collect();
    if !rows.is_empty() {
        columns(&["TRADER", "STATE", "WHAT"], &rows).iter().for_each(|line| printer.line(line));
        printer.line("");
    }
    let count = match told.count {
        1 => "1 trader".to_owned(),
        many => format!("{many} traders"),
    };
    let lacking = told.traders.iter().filter(|trader| !trader.complete).count();
    printer.line(match told.ok {
        true => paint(GOOD, format!("{count}: nothing HMRC asks for is missing")),
        false => paint(BAD, format!("{count}: {lacking} not complete")),
    });
    printer.prose(
        0,
        "Formats only: whether a name or number is the one in HMRC's or the companies' register \
         cannot be seen from here.",
    );
}
