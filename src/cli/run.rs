//! `run`: what is missing is started, what is under way goes on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::application::application;
use super::args::{Collect, Run};
use super::bearer;
use super::collect;
use super::context::{
    Context, Desk, KEYS_VARIABLE, PROFILES_VARIABLE, SECRET_VARIABLES, TOOL, scenario_in, secrets,
    shown, sources,
};
use super::events::EventLog;
use super::exit;
use super::failure::{Failure, Kind};
use super::mails::{self, Whose};
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, PLAIN, Printer, columns, paint};
use super::progress::{Outlets, Progress};
use super::standing::{Selected, Standing, abandon, standing_of};
use super::why::why;
use super::{runtime, seal, wire};
use crate::calendar::london;
use crate::catalogue::{Catalogue, Programme, RequirementKind, Step};
use crate::engine::batch::{Driving, Job, Options};
use crate::engine::command::UserCommand;
use crate::engine::mail::Mail;
use crate::engine::report::{RunEntry, RunReport};
use crate::engine::tempo::Tempo;
use crate::engine::{Batch, Outcome};
use crate::evidence::{Actor, Event, EvidenceError, RunState, SoftwareId, Store, StoreWriter};
use crate::hmrc::pacer;
use crate::ncts::xsd::Schemas;
use crate::payload::Payloads;
use crate::project::xsd::{self, XsdFolder};
use crate::project::{Driver, DriverSettings, Environment, Settings};
use crate::simulator::{self, ApiVersion, SimulatorOptions};
use crate::verdict;

/// How much faster the embedded simulator's timers run: 45 minutes a second.
pub(super) const EMBEDDED_SCALE: f64 = 2_700.0;

/// Runs that the embedded simulator's full pace leaves time to act in: what
/// must be done within 45 minutes must be done within a second. A slow disk
/// decides: each request is on it before it leaves.
const FULL_PACE_RUNS: usize = 9;

/// How long a renewal of the token that is under way may keep a batch from ending.
const SETTLING: Duration = Duration::from_secs(30);

/// How fast the embedded simulator runs where a scenario must ask twice within
/// a minute: that minute is a second.
const ASKING_TWICE_SCALE: f64 = 60.0;

/// How fast the embedded simulator runs where the user's command sends: what has
/// 45 minutes has 22 seconds, in which a program must start and send.
const COMMANDED_SCALE: f64 = 120.0;

/// How much faster the embedded simulator's timers run for these scenarios: the
/// more there are at once, the slower, for each must act in time.
fn embedded_scale(selected: &[Selected], driver: Driver) -> f64 {
    if driver == Driver::Command {
        return COMMANDED_SCALE;
    }
    let twice = |step: &Step| step.request.as_ref().is_some_and(|it| it.within_seconds.is_some());
    let asks_twice = selected.iter().any(|(_, scenario)| scenario.step.iter().any(twice));
    let share = FULL_PACE_RUNS as f64 / selected.len().max(1) as f64;
    let scale = EMBEDDED_SCALE * share.min(1.0);
    if asks_twice { scale.min(ASKING_TWICE_SCALE) } else { scale }
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Run) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let day = london::day_of(context.as_of()?);
    let selected = select(&desk, args, day)?;
    if selected.is_empty() {
        context.printer.document(&RunReport {
            schema_version: 1,
            runs: Vec::new(),
            held_back: Vec::new(),
        });
        let printer = &mut context.printer;
        printer.line("nothing to run: the production credentials you hold cover what is required;");
        printer.line("`ctc-ready plan` says more");
        return Ok(exit::DONE);
    }
    let executed = execute(context, &desk, &selected, args, None)?;
    let Executed { report, stalled, again_at, .. } = executed;
    context.printer.document(&report);
    print_runs(context, &report, again_at);
    tell_stalled(context, &stalled);
    tell_held_back(context, &report);
    Ok(exit_code(&report, !stalled.is_empty()))
}

/// What came of running.
pub(super) struct Executed {
    /// The attempt that now stands for each selected scenario.
    pub(super) report: RunReport,
    /// The runs that could not go on.
    pub(super) stalled: Vec<Stalled>,
    /// When running again can first bring something, where a clock decides.
    pub(super) again_at: Option<DateTime<Utc>>,
    /// Whether there was anything to do.
    pub(super) new: bool,
}

/// A run that could not go on, and why.
pub(super) type Stalled = (String, String);

/// Says once for each reason which runs could not go on, and what to do.
pub(super) fn tell_stalled(context: &mut Context, stalled: &[Stalled]) {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (scenario, why) in stalled {
        by_reason.entry(why).or_default().push(scenario);
    }
    let printer = &mut context.printer;
    for (why, scenarios) in &by_reason {
        let scenarios = scenarios.join(", ");
        printer.note(format!("{}: {scenarios} could not go on: {why}", paint(BAD, "error")));
    }
    if !by_reason.is_empty() {
        let hint = paint(BOLD, "hint");
        printer.note("");
        printer.note(format!(
            "{hint}: nothing is lost: once that is mended, the same command goes on where it stopped"
        ));
        printer.note(format!(
            "{hint}: where it cannot go on, the same command with `--abandon` gives it up and starts anew"
        ));
    }
}

/// Says which scenarios were held back, and why.
fn tell_held_back(context: &mut Context, report: &RunReport) {
    let printer = &mut context.printer;
    for held in &report.held_back {
        let scenario = &held.scenario;
        printer.note(format!("{}: {scenario} was held back: {}", paint(BAD, "error"), held.reason));
    }
    if !report.held_back.is_empty() {
        printer.note("");
        printer.note(format!(
            "{}: nothing of it was sent; mend the file, or `[payloads]` in ctc-ready.toml",
            paint(BOLD, "hint")
        ));
    }
}

/// 1 if any run failed, else 3 if any was held back, else 4 if any could not go
/// on, else 5 if any waits.
pub(super) fn exit_code(report: &RunReport, stalled: bool) -> u8 {
    let any = |state| report.runs.iter().any(|run| run.state == state);
    if any(RunState::Failed) {
        exit::WANTING
    } else if !report.held_back.is_empty() {
        exit::INPUT
    } else if stalled {
        exit::ENVIRONMENT
    } else if any(RunState::Waiting) {
        exit::WAITING
    } else {
        exit::DONE
    }
}

/// The scenarios the arguments select, in the order of the checklist; none
/// where none is named and credentials held leave nothing to apply for on `day`.
fn select(desk: &Desk, args: &Run, day: NaiveDate) -> Result<Vec<Selected>, Failure> {
    let programmes = desk.programmes(args.programme.as_deref())?;
    if args.scenarios.is_empty() {
        let mut selected: Vec<Selected> = Vec::new();
        let mut covered = false;
        for programme in programmes {
            covered |= verdict::nothing_left(programme, &desk.project.settings, day);
            if args.all {
                let all = desk.catalogue.scenarios(&programme.id);
                selected.extend(all.iter().map(|scenario| (programme.clone(), scenario.clone())));
                continue;
            }
            for item in desk.needs(programme, day)? {
                let wanted = args.recommended || item.kind == RequirementKind::Mandatory;
                let Some(id) = item.chosen.filter(|_| wanted && item.applies) else { continue };
                match desk.catalogue.scenario(&programme.id, &id) {
                    Some(scenario) => selected.push((programme.clone(), scenario.clone())),
                    None => tracing::warn!("`{id}` is not in the catalogue yet and is left out"),
                }
            }
        }
        return match selected.is_empty() && !covered {
            true => Err(Failure::input("no scenario is required of this software")
                .hint("`ctc-ready plan` says why")),
            false => Ok(selected),
        };
    }
    let mut selected: Vec<Selected> = Vec::new();
    for id in &args.scenarios {
        // The project's own programmes first, then any that has it.
        let known = programmes
            .iter()
            .copied()
            .chain(desk.catalogue.programmes().iter().filter(|_| args.programme.is_none()));
        let (programme, scenario) = scenario_in(&desk.catalogue, known, id)?;
        // Named twice, it is still one scenario.
        if !selected.iter().any(|(p, s)| p.id == programme.id && s.id == scenario.id) {
            selected.push((programme.clone(), scenario.clone()));
        }
    }
    Ok(selected)
}

/// Runs what is to be run; or collects what the software did by itself.
pub(super) fn execute(
    context: &mut Context,
    desk: &Desk,
    selected: &[Selected],
    args: &Run,
    collects: Option<&Collect>,
) -> Result<Executed, Failure> {
    // Before anything is sent: whoever wants to be told must not miss it.
    let events = open_events(context, args.events.as_deref())?;
    let settings = &desk.project.settings;
    let (environment, base_url) =
        bearer::server(settings, args.environment, args.base_url.as_deref())?;
    let driver = match collects {
        Some(_) => Driver::Collect,
        None => args.driver.unwrap_or(settings.run.driver),
    };
    let embedded = base_url.is_none();
    check_scale(environment, args.time_scale)?;
    let scopes = bearer::scopes(selected.iter().map(|(programme, _)| programme));
    let server = (environment, base_url.as_ref());
    let token = bearer::choose(context, settings, server, args.profile.as_ref(), &scopes)?;

    let application = application(context, settings, embedded)?;

    let movements = match collects {
        Some(collects) => {
            collect::find(context, collects, selected, base_url.as_ref(), &token, &desk.project)?
        }
        None => Vec::new(),
    };
    let driving = match driver {
        Driver::Collect => Driving::Collect { movements: movements.clone() },
        Driver::Command => by_command(desk, selected)?,
        _ => Driving::Direct,
    };

    let dir = desk.project.evidence_dir();
    let plan_from = |store: Option<&Store>| -> Result<Vec<(Selected, Standing)>, Failure> {
        let runs = store.map(|store| store.readable_runs().0).unwrap_or_default();
        let at = base_url.as_ref();
        let standing = |pair| match driver {
            Driver::Collect => collect::standing(store, pair, at, &movements, args),
            _ => Ok(standing_of(&runs, pair, (environment, driver), at, args)),
        };
        selected.iter().map(|pair| Ok((pair.clone(), standing(pair)?))).collect()
    };
    let mut plan = match Store::open(&dir) {
        Ok(store) => plan_from(Some(&store))?,
        Err(EvidenceError::NoStore(_)) => plan_from(None)?,
        Err(error) => return Err(error.into()),
    };
    let mut entries = Vec::new();
    let mut stalled = Vec::new();
    let mut held_back = Vec::new();
    let mut again_at = None;
    let rate = args
        .max_requests_per_second
        .or(settings.run.max_requests_per_second)
        .map_or(pacer::STANDARD_RATE, f64::from);
    let outlets =
        Outlets { root: desk.project.root.clone(), cwd: context.cwd.clone(), events, rate };
    let new = plan.iter().any(|(_, standing)| !matches!(standing, Standing::Stays(_)));
    if new {
        let payloads = Payloads::new(sources(&desk.project), &desk.catalogue)?;
        let scale = args.time_scale.unwrap_or(if embedded {
            embedded_scale(selected, driver)
        } else {
            1.0
        });
        let tempo = tempo(environment, scale);
        let contact = settings.business.contact_email.clone();
        let clock = Arc::clone(&context.clock);
        let mut store = StoreWriter::open(&dir, Arc::clone(&clock), TOOL)?;
        let redactor = store.redactor();
        secrets().for_each(|(_, secret)| redactor.learn(&secret));
        let (tokens, stored) = token.tokens(&redactor);
        // Another process may have gone on with them since: only now is
        // nobody else at it.
        plan = plan_from(Some(&store.read()?))?;
        let jobs = jobs(&plan);
        abandon(&mut store, &plan)?;
        let mut progress = Progress::new(&mut context.printer, Arc::clone(&clock), outlets);
        let outcome: Result<Outcome, Failure> = runtime()?.block_on(async {
            let simulator = match base_url {
                Some(_) => None,
                None => {
                    let options = SimulatorOptions {
                        schemas: schemas(desk, selected)?,
                        own_application: application.as_ref().map(|it| it.client_id.clone()),
                        ..simulator_options(&desk.catalogue, scale, rate)
                    };
                    let any_port = ([127, 0, 0, 1], 0).into();
                    Some(simulator::start(options, Arc::clone(&clock), any_port).await?)
                }
            };
            let base_url = match (base_url.clone(), &simulator) {
                (Some(url), _) => url,
                (None, Some(running)) => running.base_url.parse().map_err(|error| {
                    Failure::new(Kind::Bug, format!("the simulator's address is wrong: {error}"))
                })?,
                (None, None) => return Err(Failure::new(Kind::Bug, "no address")),
            };
            let options = Options {
                environment,
                base_url,
                token: tokens.held().secret,
                tempo,
                requests_per_second: rate,
                software: software(settings),
                operator: settings.run.operator.clone(),
                message_sender: settings.run.message_sender.clone(),
                contact,
                tool: TOOL.to_owned(),
                wait: args.wait || embedded,
            };
            let way = wire::transport(&desk.project, &options.base_url)?;
            let shared = match embedded {
                true => None,
                // Simulated minutes pass faster, and the budget with them.
                false => Some(wire::budget(
                    &desk.project,
                    &options.base_url,
                    rate * tempo.scale().max(1.0),
                )?),
            };
            let way = Arc::new(way);
            let batch = Batch::over(way, &mut store, &payloads, clock, &mut progress, options)
                .renewing(tokens)
                .driven(driving);
            let batch = match shared {
                Some(budget) => batch.sharing(budget),
                None => batch,
            };
            let batch = match application {
                Some(application) => batch.pulling(application),
                None => batch,
            };
            let outcome = tokio::select! {
                outcome = batch.run(jobs) => outcome.map_err(Failure::from),
                _ = tokio::signal::ctrl_c() => Err(Failure::new(
                    Kind::Environment,
                    "interrupted; every run is kept and can go on",
                )
                .hint(match (embedded, collects) {
                    (_, Some(_)) => "the same command goes on where it stopped",
                    (true, _) => "the built-in simulator ended with it: `ctc-ready run` starts new \
                             attempts at what was under way",
                    (false, _) => "`ctc-ready run` goes on where it stopped",
                })),
            };
            if let Some(stored) = stored {
                // A renewal that is cut off would lose the sign-in.
                let _ = tokio::time::timeout(SETTLING, stored.settled()).await;
            }
            if let Some(running) = simulator {
                running.stop().await?;
            }
            outcome
        });
        let shown = progress.finish();
        // Whatever came of it: what is there is there.
        seal::after_batch(context, &store);
        let outcome = outcome?;
        for run in outcome.runs.iter().filter(|run| !shown.contains(&run.run)) {
            if run.waiting_for.as_ref().is_some_and(|waiting| waiting.actor == Actor::Officer) {
                remind(context, desk, &store.read()?, run)?;
            }
        }
        entries.extend(outcome.runs);
        stalled = outcome.stalled;
        held_back = outcome.held_back;
        again_at = outcome.again_at;
    } else if outlets.events.is_some() {
        // Whoever reads them is told that nothing was to be done.
        let clock = Arc::clone(&context.clock);
        Progress::new(&mut context.printer, clock, outlets).finish();
    }
    entries.extend(plan.iter().filter_map(|(_, standing)| match standing {
        Standing::Stays(record) => Some(RunEntry::new(record, None)),
        _ => None,
    }));
    // In the order in which they were selected.
    let place = |entry: &RunEntry| {
        selected.iter().position(|(programme, scenario)| {
            programme.id == entry.programme && scenario.id == entry.scenario
        })
    };
    entries.sort_by_key(place);
    let report = RunReport { schema_version: 1, runs: entries, held_back };
    Ok(Executed { report, stalled, again_at, new })
}

/// The user's command, as the settings have it.
///
/// # Errors
/// When they name none, or it cannot do what a scenario wants.
fn by_command(desk: &Desk, selected: &[Selected]) -> Result<Driving, Failure> {
    let DriverSettings { command, timeout, parallel } = &desk.project.settings.driver;
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::input(
            "`[driver] command` is missing: nothing makes the software send",
        )
        .hint("docs/your-software.md tells what the command is told, and what it prints"));
    };
    let asks = selected
        .iter()
        .find(|(_, scenario)| scenario.step.iter().any(|step| step.request.is_some()));
    if let Some((_, scenario)) = asks {
        return Err(Failure::usage(format!(
            "`{}` asks for a balance: the API does not tell afterwards that the software did",
            scenario.id
        ))
        .hint(format!("`ctc-ready run --driver direct \"{}\"` asks itself", scenario.id)));
    }
    let root = &desk.project.root;
    let program = match program.contains(std::path::is_separator) {
        true => root.join(program).to_string_lossy().into_owned(),
        false => program.clone(),
    };
    Ok(Driving::Command {
        software: Arc::new(UserCommand {
            program,
            arguments: arguments.to_vec(),
            folder: root.clone(),
            timeout: Duration::from_secs(u64::from(*timeout)),
            scratch: std::env::temp_dir(),
            withheld: [&SECRET_VARIABLES[..], &[KEYS_VARIABLE, PROFILES_VARIABLE]].concat(),
        }),
        parallel: usize::try_from(*parallel).unwrap_or(1),
    })
}

/// Only a simulator has a pace.
pub(super) fn check_scale(environment: Environment, scale: Option<f64>) -> Result<(), Failure> {
    match scale.is_some() && environment != Environment::Simulator {
        true => Err(Failure::usage(format!(
            "`--time-scale` is for the simulator: the timers of `{}` are HMRC's",
            environment.as_str()
        ))),
        false => Ok(()),
    }
}

/// How fast the timers of an environment run.
pub(super) fn tempo(environment: Environment, scale: f64) -> Tempo {
    match environment {
        Environment::Simulator => Tempo::faster_by(scale),
        _ => Tempo::REAL,
    }
}

/// The software under test, as evidence states it.
pub(super) fn software(settings: &Settings) -> SoftwareId {
    let software = &settings.software;
    SoftwareId {
        name: software.name.clone(),
        version: software.version.clone(),
        build: software.build.clone(),
    }
}

/// What the batch is to do.
fn jobs(plan: &[(Selected, Standing)]) -> Vec<Job> {
    plan.iter()
        .filter_map(|((programme, scenario), standing)| {
            let resume = match standing {
                Standing::Stays(_) => return None,
                Standing::GoesOn(run) => Some(run.run),
                Standing::Starts | Standing::Replaces(..) => None,
            };
            Some(Job { programme: programme.clone(), scenario: scenario.clone(), resume })
        })
        .collect()
}

/// A simulator whose timers and request limit run `scale` times faster.
pub(super) fn simulator_options(
    catalogue: &Catalogue,
    scale: f64,
    requests_per_second: f64,
) -> SimulatorOptions {
    let limit = (requests_per_second * scale.max(1.0)).ceil();
    let defaults = SimulatorOptions::default();
    // A guarantee that the data gains, an overlay's say, exists in NCTS too.
    let guarantees = catalogue
        .programmes()
        .iter()
        .flat_map(|programme| catalogue.test_values(&programme.id, "GRN"))
        .map(str::to_owned);
    SimulatorOptions {
        known_guarantees: defaults.known_guarantees.iter().cloned().chain(guarantees).collect(),
        // Two simulators must not hand out the same MRNs.
        seed: uuid::Uuid::new_v4().as_u64_pair().0,
        time_scale: scale,
        // A float beyond the type becomes its largest value.
        requests_per_second: Some(limit as u32),
        ..defaults
    }
}

/// The house's XSDs for the embedded simulator, which then refuses what HMRC's
/// API would refuse; empty where the house has none.
fn schemas(
    desk: &Desk,
    selected: &[Selected],
) -> Result<BTreeMap<ApiVersion, Arc<Schemas>>, Failure> {
    let mut schemas = BTreeMap::new();
    let Some(path) = &desk.project.settings.payloads.xsd else { return Ok(schemas) };
    let folder = XsdFolder::open(path, &xsd::versions(&desk.catalogue))?;
    for (Programme { api, .. }, _) in selected {
        let (Some(of), Some(version)) = (&api.xsd, ApiVersion::named(&api.version)) else {
            continue;
        };
        if let Entry::Vacant(place) = schemas.entry(version) {
            place.insert(Arc::new(folder.load(Some(of))?.schemas));
        }
    }
    Ok(schemas)
}

/// Where events go; on standard output nothing else may stand.
pub(super) fn open_events(
    context: &mut Context,
    file: Option<&Path>,
) -> Result<Option<EventLog>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let log = EventLog::open(file, &context.cwd)?;
    if matches!(log, EventLog::Output) {
        if context.printer.json() {
            return Err(Failure::usage(
                "`--events -` and `--format json` both want standard output for themselves",
            )
            .hint("name a file: `--events FILE`"));
        }
        context.printer.step_aside();
    }
    Ok(Some(log))
}

/// Shows again the e-mail on which a run still waits: whoever closed the
/// terminal, or was interrupted, has no other copy.
fn remind(
    context: &mut Context,
    desk: &Desk,
    store: &Store,
    run: &RunEntry,
) -> Result<(), Failure> {
    let asked = store.events(run.run)?.into_iter().rev().find_map(|line| match line.event {
        Event::OfficerAsked(asked) if !asked.delivered => Some(Some((asked, false))),
        Event::OfficerReminded(asked) if !asked.delivered => Some(Some((asked, true))),
        // They have it.
        Event::OfficerAnswered(_) => Some(None),
        _ => None,
    });
    let Some((asked, follow_up)) = asked.flatten() else { return Ok(()) };
    let text = |object| -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&store.object(object)?).into_owned())
    };
    let eml = asked.eml.as_ref().map(&text).transpose()?;
    let mail = Mail {
        step: asked.step,
        follow_up,
        body: text(&asked.body)?,
        to: asked.to,
        subject: asked.subject,
        eml: eml.clone().unwrap_or_default(),
    };
    let whose = Whose { programme: &run.programme, scenario: &run.scenario, attempt: run.attempt };
    let file = match eml {
        Some(_) => shown(&mails::write(&desk.project.root, &whose, &mail)?, &context.cwd),
        None => "none: an earlier version of ctc-ready wrote the text alone".to_owned(),
    };
    let printer = &mut context.printer;
    printer.note("");
    printer.note(format!("{} still waits for the officers; if not sent yet:", run.scenario));
    mails::lines(&run.scenario, &mail, &file).iter().for_each(|line| printer.note(line));
    Ok(())
}

/// The runs as a table, then what failed and who is awaited.
pub(super) fn print_runs(
    context: &mut Context,
    report: &RunReport,
    again_at: Option<DateTime<Utc>>,
) {
    let printer = &mut context.printer;
    if printer.json() {
        return;
    }
    print_table(printer, report);
    print_waits(printer, report);
    let collected = report.runs.iter().any(|run| run.driver == Driver::Collect);
    let command = if collected { "the same command" } else { "`ctc-ready run`" };
    let any = |state| report.runs.iter().any(|run| run.state == state);
    if any(RunState::Failed) {
        printer.line("");
        printer.line(match collected {
            true => "next: mend it, let your software make another movement, and collect that",
            false => "next: mend it, then `ctc-ready run --failed` makes new attempts",
        });
    }
    if any(RunState::Waiting) {
        printer.line("");
        printer.line(match again_at {
            Some(at) => format!(
                "next: {command} again after {}, or `--wait` stays",
                london::for_planning(at)
            ),
            None => format!("next: {command} goes on from here, at any time; `--wait` stays"),
        });
    }
}

/// The runs as a table, then why some failed.
pub(super) fn print_table(printer: &mut Printer, report: &RunReport) {
    let rows: Vec<_> = report
        .runs
        .iter()
        .map(|run| {
            let (style, state) = match run.state {
                RunState::Passed => (GOOD, "passed"),
                RunState::Failed => (BAD, "FAILED"),
                RunState::Waiting => (CARE, "waiting"),
                RunState::Abandoned => (DIM, "abandoned"),
            };
            vec![
                (BOLD, run.scenario.clone()),
                (PLAIN, run.environment.as_str().to_owned()),
                (PLAIN, run.attempt.to_string()),
                (style, state.to_owned()),
                (PLAIN, run.mrn.clone().unwrap_or_else(|| "-".into())),
                (PLAIN, run.requests.to_string()),
            ]
        })
        .collect();
    for line in columns(&["SCENARIO", "WHERE", "ATTEMPT", "STATE", "MRN", "REQUESTS"], &rows) {
        printer.line(line);
    }
    for run in &report.runs {
        if let Some(failure) = &run.failure {
            printer.line("");
            printer.line(paint(BAD, format!("{} failed at step {}", run.scenario, failure.step)));
            why(printer, failure);
        }
    }
}

/// Whom each run waits for, and until when.
pub(super) fn print_waits(printer: &mut Printer, report: &RunReport) {
    for run in &report.runs {
        let Some(waiting) = &run.waiting_for else { continue };
        printer.line("");
        printer.line(paint(CARE, format!("{} is waiting", run.scenario)));
        printer.prose(2, &waiting.what);
        let london = waiting.deadline.map(london::for_planning);
        match (waiting.actor, london) {
            (Actor::OpeningHours, _) | (_, None) => {}
            (Actor::Officer, Some(at)) => {
                printer.line(format!("  the officers have until {at}"));
            }
            (_, Some(at)) => printer.line(format!("  by {at}")),
        }
        if waiting.actor == Actor::Officer {
            printer.line(format!("  their reply: `ctc-ready answered {}`", run.run));
        }
    }
}
