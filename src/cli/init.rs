//! `init`: the few questions that decide everything.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::ValueEnum;

use super::args::Init;
use super::ask::Asker;
use super::context::{Context, programme, shown};
use super::exit;
use super::failure::Failure;
use super::printer::{BOLD, paint};
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
    let mut ask = Asker::new(&mut context.printer);
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
