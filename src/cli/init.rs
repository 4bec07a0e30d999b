//! `init`: the few questions that decide everything.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};

use chrono::NaiveDate;
use clap::ValueEnum;

use super::args::Init;
use super::context::{Context, programme, shown};
use super::exit;
use super::failure::Failure;
use super::printer::{BOLD, DIM, Printer, paint};
use crate::calendar::london;
use crate::catalogue::{Catalogue, Combination, Flow, Procedure, Programme, Side};
use crate::files;
use crate::project::locate::FILE_NAME;
use crate::project::write::{InitAnswers, render};
use crate::project::{Application, Business, Environment, Settings};
use crate::verdict;

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Init) -> Result<u8, Failure> {
    let catalogue = Catalogue::built_in()?;
    let root = match &context.global.project {
        Some(dir) => context.cwd.join(dir),
        None => context.cwd.clone(),
    };
    let file = root.join(FILE_NAME);
    if file.exists() {
        return Err(Failure::input(format!("`{}` exists already", file.display()))
            .hint("edit it, or name another folder with `--project DIR`"));
    }
    for id in &args.programme {
        programme(&catalogue, id)?;
    }
    let day = london::day_of(context.as_of()?);
    let answers = answers(context, &catalogue, args, day)?;
    let text = render(&answers);
    // What is written must be readable: the same check as on reading.
    let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
    Settings::parse(&text, &file, &known)
        .map_err(|error| Failure::usage(format!("these answers make no sound project\n{error}")))?;
    files::create_dir_all_durable(&root, files::Access::Shared)?;
    files::write_atomic(&file, text.as_bytes())?;
    context.printer.document(&serde_json::json!({
        "schema_version": 1,
        "project": root,
        "file": file,
    }));
    let place = shown(&file, &context.cwd);
    let printer = &mut context.printer;
    printer.line(format!("wrote {}", paint(BOLD, place)));
    printer.line("");
    printer.line("next:");
    printer.line("  ctc-ready plan                          what applies to you, and why");
    if declares(&catalogue, &answers.programmes) {
        printer.line("  ctc-ready run --environment simulator   rehearse");
        printer
            .line("  ctc-ready run                           for real, with CTC_READY_TOKEN set");
    }
    Ok(exit::DONE)
}

fn answers(
    context: &mut Context,
    catalogue: &Catalogue,
    args: &Init,
    day: NaiveDate,
) -> Result<InitAnswers, Failure> {
    let mut ask = Asker {
        interactive: std::io::stdin().is_terminal() && !context.printer.json(),
        printer: &mut context.printer,
        missing: Vec::new(),
    };
    let programmes: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
    let usual = verdict::usual(catalogue.programmes(), day);
    let programme = ask.list(
        &args.programme,
        "--programme",
        "Which programme do you apply under?",
        &programmes,
        usual.map(|programme| programme.id.as_str()),
        |text| programmes.contains(&text).then(|| text.to_owned()),
    )?;
    let (flows, procedures) = match declares(catalogue, &programme) {
        true => (
            ask.list(
                &args.flows,
                "--flows",
                "Which flows does your software support?",
                &["standard-departure", "pre-lodged-departure", "arrival"],
                None,
                value::<Flow>,
            )?,
            ask.list(
                &args.procedures,
                "--procedures",
                "Which procedures does it support?",
                &["normal", "simplified"],
                None,
                value::<Procedure>,
            )?,
        ),
        false => (args.flows.clone(), args.procedures.clone()),
    };
    let combination = match (args.combination, procedures.len()) {
        (None, 2..) => ask
            .list(
                &[],
                "--combination",
                "Which column of HMRC's matrix do you follow, with both procedures?",
                &["A", "B"],
                None,
                value::<Combination>,
            )?
            .first()
            .copied(),
        (given, _) => given,
    };
    let side = ask
        .list(
            args.side.as_slice(),
            "--side",
            "Whose scenarios do you run where either side is enough?",
            &["gb", "xi"],
            Some("gb"),
            value::<Side>,
        )?
        .first()
        .copied();
    let software = ask.text(&args.software, "--software", "What is your software called?")?;
    let version =
        ask.text(&args.software_version, "--software-version", "Which version is under test?")?;
    if !ask.missing.is_empty() {
        return Err(Failure::usage(format!("init needs {}", ask.missing.join(", ")))
            .hint("give them as flags, or call it on a terminal and it asks"));
    }
    Ok(InitAnswers {
        programmes: programme,
        flows,
        procedures,
        combination,
        side: side.unwrap_or(Side::Gb),
        software_name: software.unwrap_or_default(),
        software_version: version.unwrap_or_default(),
        business: Business {
            name: ask.optional(&args.business_name, "Your registered business name")?,
            address: ask.optional(&args.business_address, "Your business address")?,
            contact_email: ask.optional(&args.contact_email, "E-mail address for HMRC")?,
        },
        sandbox_application: Application {
            name: ask.optional(&args.sandbox_app_name, "Name of your sandbox application")?,
            id: ask.optional(&args.sandbox_app_id, "Id of your sandbox application")?,
        },
        production_application: Application {
            name: ask.optional(&args.production_app_name, "Name of your production application")?,
            id: ask.optional(&args.production_app_id, "Id of your production application")?,
        },
        message_sender: None,
        environment: Environment::TraderTest,
        answers: BTreeMap::new(),
        statements: BTreeMap::new(),
        not_applicable: BTreeMap::new(),
    })
}

/// Whether any movement is declared: whoever asks for guarantee balances alone
/// declares nothing.
fn declares(catalogue: &Catalogue, programmes: &[String]) -> bool {
    programmes.iter().filter_map(|id| catalogue.programme(id)).any(Programme::declares)
}

fn value<T: ValueEnum>(text: &str) -> Option<T> {
    T::from_str(text, true).ok()
}

/// Asks on the terminal for what the flags did not say.
struct Asker<'a> {
    interactive: bool,
    printer: &'a mut Printer,
    missing: Vec<&'static str>,
}

impl Asker<'_> {
    fn list<T: Clone>(
        &mut self,
        given: &[T],
        flag: &'static str,
        question: &str,
        choices: &[&str],
        default: Option<&str>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        if !given.is_empty() {
            return Ok(given.to_vec());
        }
        if !self.interactive {
            // What has a sensible default need not be said.
            if let Some(value) = default.and_then(&read) {
                return Ok(vec![value]);
            }
            self.missing.push(flag);
            return Ok(Vec::new());
        }
        loop {
            let default_shown = default.map_or(String::new(), |text| format!(" [{text}]"));
            self.printer.line(format!("{}{default_shown}", paint(BOLD, question)));
            self.printer.line(paint(DIM, format!("  {}", choices.join(", "))));
            let line = self.read_line()?;
            let line = if line.is_empty() { default.unwrap_or_default() } else { &line };
            let words: Vec<&str> =
                line.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()).collect();
            let values: Option<Vec<T>> = words.iter().map(|word| read(word)).collect();
            match values.filter(|values| !values.is_empty()) {
                Some(values) => return Ok(values),
                None => self.printer.line("  please answer with the words above, comma between"),
            }
        }
    }

    fn text(
        &mut self,
        given: &Option<String>,
        flag: &'static str,
        question: &str,
    ) -> Result<Option<String>, Failure> {
        if let Some(text) = given {
            return Ok(Some(text.clone()));
        }
        if !self.interactive {
            self.missing.push(flag);
            return Ok(None);
        }
        loop {
            self.printer.line(paint(BOLD, question));
            let line = self.read_line()?;
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    fn optional(
        &mut self,
        given: &Option<String>,
        question: &str,
    ) -> Result<Option<String>, Failure> {
        if given.is_some() || !self.interactive {
            return Ok(given.clone());
        }
        self.printer.line(format!("{} [later]", paint(BOLD, question)));
        let line = self.read_line()?;
        Ok(Some(line).filter(|line| !line.is_empty()))
    }

    fn read_line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) => Err(Failure::usage("the answers ended before the questions did")),
            Ok(_) => Ok(line.trim().to_owned()),
            Err(error) => Err(Failure::input(format!("the terminal cannot be read: {error}"))),
        }
    }
}
