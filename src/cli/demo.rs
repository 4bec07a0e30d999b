//! `demo`: the whole story on the built-in simulator.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::{Demo, Run, UnderTest};
use super::checklist::{self, Order};
use super::context::{Context, Desk, Evidence, case, shown};
use super::exit;
use super::failure::Failure;
use super::printer::{BOLD, DIM, paint};
use super::{gate, plan, run, status, verify};
use crate::calendar::london;
use crate::catalogue::{Catalogue, Combination, Flow, Procedure, RequirementKind, Side};
use crate::evidence::seal::{KeyError, KeyRing};
use crate::evidence::{self, RunState};
use crate::files;
use crate::project::locate::FILE_NAME;
use crate::project::write::{InitAnswers, render};
use crate::project::{AnswerValue, Application, Business, Driver, Environment, Project};
use crate::verdict;

/// Where the demo's project goes.
const FOLDER: &str = "ctc-ready-demo";

/// Where the demo's key lies; its name says that it is no real one.
const KEYS: &str = "demo-keys";

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Demo) -> Result<u8, Failure> {
    let root = match &context.global.project {
        Some(dir) => context.cwd.join(dir),
        None => context.cwd.join(FOLDER),
    };
    let file = root.join(FILE_NAME);
    let folder = shown(&root, &context.cwd);
    heading(context, 1, "A project for an invented software house");
    if file.exists() {
        refuse_real_projects(context, &root)?;
        context.printer.line(format!("  {folder} is there already: new attempts are added"));
    } else {
        if root.exists() && std::fs::read_dir(&root).is_ok_and(|mut dir| dir.next().is_some()) {
            return Err(Failure::input(format!("`{folder}` exists and is no demo project"))
                .hint("name another folder with `--project DIR`"));
        }
        files::create_dir_all_durable(&root, files::Access::Shared)?;
        files::write_atomic(&file, render(&invented_house()).as_bytes())?;
        context.printer.line(format!("  wrote {}", shown(&file, &context.cwd)));
    }
    context.global.project = Some(root.clone());
    // A key of its own: the user's signs nothing that is made up.
    let keys = root.join(KEYS);
    match KeyRing::generate(&keys) {
        Ok(_) | Err(KeyError::Exists(_)) => context.keys = Some(keys),
        Err(error) => return Err(error.into()),
    }
    let desk = Desk::open(context)?;
    let as_of = context.now();

    heading(context, 2, "What HMRC asks of it");
    let mut selected = Vec::new();
    for (programme, place) in desk.programmes(None)?.into_iter().zip(0..) {
        if place > 0 {
            context.printer.line("");
        }
        let mut plan = plan::plan_of(&desk, &Evidence::default(), programme, as_of, None)?;
        // The full plan has its own command.
        plan.schedule.clear();
        plan.consequences.clear();
        plan.requirements.retain(|item| item.kind == RequirementKind::Mandatory);
        plan::print(&mut context.printer, programme, &plan);
        for id in
            plan.requirements.iter().filter(|item| item.applies).filter_map(|i| i.chosen.as_deref())
        {
            selected.push((programme.clone(), desk.scenario(programme, id)?.clone()));
        }
    }

    heading(context, 3, "Running all of it at once against the built-in simulator");
    context.printer.line(format!(
        "  timers run {} times faster; the officers answer by themselves",
        args.time_scale
    ));
    let run_args = Run {
        scenarios: Vec::new(),
        recommended: false,
        all: false,
        programme: None,
        environment: Some(Environment::Simulator),
        driver: Some(Driver::Direct),
        base_url: None,
        profile: None,
        time_scale: Some(args.time_scale),
        wait: true,
        again: true,
        failed: true,
        abandon: false,
        max_requests_per_second: None,
        events: None,
        under_test: UnderTest::default(),
    };
    let run::Executed { report, .. } = run::execute(context, &desk, &selected, &run_args, None)?;
    context.printer.line("");
    run::print_runs(context, &report, None);
    let as_of = context.now();
    let evidence = desk.evidence(as_of)?;

    heading(context, 4, "Where everything stands");
    for (programme, place) in desk.programmes(None)?.into_iter().zip(0..) {
        if place > 0 {
            context.printer.line("");
        }
        let needs = desk.needs(programme, london::day_of(as_of))?;
        let case = case(&desk, programme, &needs, &evidence, as_of, true);
        let status = verdict::status(&case);
        status::print(
            &mut context.printer,
            &format!("{} (rehearsal: as if simulated evidence counted)", programme.title),
            &status,
        );
    }

    heading(context, 5, "May it be submitted? No: simulated evidence proves nothing");
    for (programme, place) in desk.programmes(None)?.into_iter().zip(0..) {
        if place > 0 {
            context.printer.line("");
        }
        let needs = desk.needs(programme, london::day_of(as_of))?;
        let case = case(&desk, programme, &needs, &evidence, as_of, false);
        let mut verdict = verdict::judge(&case);
        // What matters here; `gate` tells all.
        verdict.findings.retain(|finding| finding.severity == verdict::Severity::Error);
        gate::print(&mut context.printer, &verdict);
    }

    heading(context, 6, "Was any evidence changed?");
    let dir = desk.project.evidence_dir();
    let verified = evidence::verify(&dir)?;
    let place = shown(&dir, &context.cwd);
    verify::print(&mut context.printer, &place, &verified);

    heading(context, 7, "Rehearsal checklists");
    let mut written = Vec::new();
    for programme in desk.programmes(None)? {
        let order = Order {
            programme,
            form: None,
            output: root.join(format!("checklist-{}-REHEARSAL.docx", programme.id)),
            rehearsal: true,
            draft: false,
            annex: false,
            submit_on: None,
        };
        let report = checklist::write(&desk, &evidence, &order, as_of, &context.cwd)?;
        context.printer.line(format!("  wrote {}", report.output));
        context.printer.line(format!(
            "    {} fields filled, {} left for a person",
            report.filled.len(),
            report.left_for_you.len()
        ));
        written.push(report.output);
    }
    next(context, &folder);
    let passed = report.runs.iter().all(|run| run.state == RunState::Passed);
    context.printer.document(&serde_json::json!({
        "schema_version": 1,
        "project": root,
        "runs": report.runs,
        "intact": verified.intact,
        "checklists": written,
    }));
    Ok(if passed && verified.intact { exit::DONE } else { exit::WANTING })
}

/// Simulated attempts have no business in a project that someone means.
fn refuse_real_projects(context: &Context, root: &Path) -> Result<(), Failure> {
    let catalogue = Catalogue::built_in()?;
    let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
    let project = Project::locate(Some(root), &context.cwd, &known)?;
    if project.settings.business.name == invented_house().business.name {
        return Ok(());
    }
    Err(Failure::input(format!("`{}` is a project of your own", project.file.display()))
        .hint("`ctc-ready run --environment simulator` rehearses in it")
        .hint("for the demo name another folder with `--project DIR`"))
}

fn heading(context: &mut Context, number: u32, text: &str) {
    let printer = &mut context.printer;
    if number > 1 {
        printer.line("");
    }
    printer.line(paint(BOLD, format!("{number}. {text}")));
}

fn next(context: &mut Context, folder: &str) {
    let printer = &mut context.printer;
    printer.line("");
    printer.line(paint(BOLD, "What next"));
    let commands = [
        (format!("ctc-ready plan --project {folder}"), "why each test applies"),
        (format!("ctc-ready gate --project {folder} --rehearsal"), "the verdict in full"),
        (format!("ctc-ready verify {folder}/evidence"), "change a byte, and see"),
        ("ctc-ready init".to_owned(), "a project for your own software"),
    ];
    for (command, what) in commands {
        printer.line(format!("  {command}"));
        printer.line(format!("      {}", paint(DIM, what)));
    }
    printer.line(format!("  ctc-ready checklist --project {folder} --rehearsal --form FORM.docx"));
    printer.line(format!("      {}", paint(DIM, "fill HMRC's own form")));
}

/// Everything about this house is made up.
fn invented_house() -> InitAnswers {
    let text = |text: &str| Some(text.to_owned());
    InitAnswers {
        programmes: vec!["ncts5-final".to_owned(), "ncts6".to_owned()],
        flows: vec![Flow::StandardDeparture, Flow::PreLodgedDeparture, Flow::Arrival],
        procedures: vec![Procedure::Normal, Procedure::Simplified],
        combination: Some(Combination::A),
        side: Side::Gb,
        software_name: "Cargoflow".to_owned(),
        software_version: "4.2.0".to_owned(),
        business: Business {
            name: text("Invented Customs Software Ltd"),
            address: text("1 Example Quay, Dover, CT99 9ZZ"),
            contact_email: text("customs@software.example"),
        },
        sandbox_application: Application {
            name: text("Cargoflow sandbox"),
            id: text("00000000-0000-4000-8000-000000000001"),
        },
        production_application: Application {
            name: text("Cargoflow"),
            id: text("00000000-0000-4000-8000-000000000002"),
        },
        message_sender: None,
        environment: Environment::Simulator,
        answers: BTreeMap::from([
            ("saas".to_owned(), AnswerValue::YesNo(true)),
            ("on-premise".to_owned(), AnswerValue::YesNo(false)),
            ("rate-limit-enough".to_owned(), AnswerValue::YesNo(true)),
            ("more-than-500".to_owned(), AnswerValue::YesNo(false)),
            ("more-than-5000".to_owned(), AnswerValue::YesNo(false)),
        ]),
        statements: BTreeMap::new(),
        not_applicable: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Settings;

    #[test]
    fn the_invented_house_has_sound_settings() {
        let catalogue = Catalogue::built_in().unwrap();
        let known: Vec<&str> = catalogue.programmes().iter().map(|p| p.id.as_str()).collect();
        let text = render(&invented_house());
        let settings = Settings::parse(&text, std::path::Path::new(FILE_NAME), &known).unwrap();
        assert_eq!(settings.programmes, ["ncts5-final", "ncts6"]);
    }
}
