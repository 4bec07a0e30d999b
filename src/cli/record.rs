//! `record`: evidence from the software under test as it works.

use std::net::SocketAddr;
use std::sync::Arc;

use url::Url;

use super::args::Record;
use super::bearer;
use super::context::{Context, Desk, TOOL, scenario_in, secrets};
use super::events::EventLog;
use super::exit;
use super::failure::{Failure, Kind};
use super::printer::{BOLD, paint};
use super::progress::{Outlets, Progress};
use super::run::{check_scale, open_events, print_table, print_waits, software, tempo};
use super::seal;
use super::tally::{Checklist, Tally};
use crate::engine::report::{RunEntry, RunReport};
use crate::evidence::{Driver, RunState, StoreWriter};
use crate::hmrc::pacer;
use crate::project::Environment;
use crate::recorder::recognise::{RecogniseError, Recognition};
use crate::recorder::{self, Options, RecordError, Recorded, Recorder};

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Record) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    if !args.listen.ip().is_loopback() && !args.listen_anywhere {
        return Err(Failure::usage(format!(
            "`{}` is reached by other machines, and the software's token would cross the network \
             in clear",
            args.listen
        ))
        .hint("listen on this machine, as `--listen 127.0.0.1:8787` does")
        .hint(
            "`--listen-anywhere` does it all the same: within a pod or between containers, say",
        ));
    }
    let events = open_events(context, args.events.as_deref())?;
    let (environment, base_url) = address(&desk, args)?;
    let recognition = recognition(&desk, args.scenario.as_deref(), args.programme.as_deref())?;
    let clock = Arc::clone(&context.clock);
    let checklist = Checklist::open(&desk, environment == Environment::Simulator, clock.now())?;
    let store = StoreWriter::open(&desk.project.evidence_dir(), Arc::clone(&clock), TOOL)?;
    let redactor = store.redactor();
    secrets().for_each(|(_, secret)| redactor.learn(&secret));
    let listener = recorder::bind(args.listen)
        .and_then(|listener| Ok((listener.local_addr()?, listener)))
        .map_err(|error| {
            let text = format!("cannot listen on `{}`: {error}", args.listen);
            Failure::new(Kind::Environment, text).hint("`--listen ADDRESS:PORT` names another")
        });
    let (listening, listener) = listener?;
    tell(context, listening, &base_url, &recognition);
    context.printer.note(format!("  {}", checklist.line()));

    let options = options(&desk, Driver::Proxy, (environment, base_url), args.time_scale);
    let outlets = outlets(context, &desk, events);
    let mut progress = Progress::new(&mut context.printer, Arc::clone(&clock), outlets);
    let mut tally = Tally::new(checklist, &mut progress);
    let recorded = Recorder {
        store: &store,
        catalogue: &desk.catalogue,
        recognition: &recognition,
        clock: &clock,
        options: &options,
    }
    .record(listener, &mut tally, stopped());
    progress.finish();
    // Whatever came of it: what is there is there.
    seal::after_batch(context, &store);
    let Recorded { runs, requests, passed_on } = recorded?;
    let code = report(context, runs);
    context.printer.line("");
    context.printer.line(format!(
        "{requests} requests recorded, {passed_on} passed on of which nothing is kept"
    ));
    Ok(code)
}

/// Tells where runs stand; gives the exit code that says it: 1 if any failed,
/// else 5 if any waits.
pub(super) fn report(context: &mut Context, runs: Vec<RunEntry>) -> u8 {
    let any = |state| runs.iter().any(|run| run.state == state);
    let code = match (any(RunState::Failed), any(RunState::Waiting)) {
        (true, _) => exit::WANTING,
        (false, true) => exit::WAITING,
        (false, false) => exit::DONE,
    };
    let report = RunReport { schema_version: 1, runs, held_back: Vec::new() };
    context.printer.document(&report);
    if !context.printer.json() {
        print_table(&mut context.printer, &report);
        print_waits(&mut context.printer, &report);
    }
    code
}

/// Where to pass on to.
fn address(desk: &Desk, args: &Record) -> Result<(Environment, Url), Failure> {
    let settings = &desk.project.settings;
    check_scale(args.environment.unwrap_or(settings.run.environment), args.time_scale)?;
    let (environment, url) = bearer::server(settings, args.environment, args.base_url.as_deref())?;
    let url = url.ok_or_else(|| {
        Failure::usage("`record` needs the address of a simulator that runs by itself")
            .hint("`ctc-ready simulate` starts one and tells its address: `--base-url URL`")
    })?;
    Ok((environment, url))
}

/// How the project's software is recorded.
pub(super) fn options(
    desk: &Desk,
    driver: Driver,
    (environment, base_url): (Environment, Url),
    time_scale: Option<f64>,
) -> Options {
    let settings = &desk.project.settings;
    Options {
        driver,
        environment,
        base_url,
        tempo: tempo(environment, time_scale.unwrap_or(1.0)),
        software: software(settings),
        operator: settings.run.operator.clone(),
        contact: settings.business.contact_email.clone(),
        tool: TOOL.to_owned(),
    }
}

/// What tells the scenario: the user, or the LRN.
pub(super) fn recognition(
    desk: &Desk,
    scenario: Option<&str>,
    programme: Option<&str>,
) -> Result<Recognition, Failure> {
    let settings = &desk.project.settings;
    let fixed = match scenario {
        None => None,
        Some(id) => {
            let own = desk.programmes(programme)?;
            let all = desk.catalogue.programmes().iter().filter(|_| programme.is_none());
            let of = scenario_in(&desk.catalogue, own.into_iter().chain(all), id)?;
            Some((of.0.clone(), of.1.clone()))
        }
    };
    let lrn = &settings.record.lrn;
    Recognition::new(&desk.catalogue, &settings.programmes, fixed, lrn).map_err(|error| match error
    {
        RecogniseError::UnknownScenario { .. } => {
            Failure::input(error).hint("`ctc-ready scenario list --all-programmes` lists them")
        }
        RecogniseError::NoMovement(_) => Failure::usage(error),
    })
}

fn outlets(context: &Context, desk: &Desk, events: Option<EventLog>) -> Outlets {
    let rate = pacer::STANDARD_RATE;
    Outlets { root: desk.project.root.clone(), cwd: context.cwd.clone(), events, rate }
}

fn tell(context: &mut Context, listening: SocketAddr, base_url: &Url, known: &Recognition) {
    let address = base_url.as_str().trim_end_matches('/');
    let scenario = match known.fixed() {
        Some((programme, scenario)) => format!("{} ({})", scenario.id, programme.id),
        None => "told by each LRN, or later by `ctc-ready evidence assign`".to_owned(),
    };
    let printer = &mut context.printer;
    printer.note(format!(
        "recording: your software's base URL is {}",
        paint(BOLD, format!("http://{listening}"))
    ));
    printer.note(format!("  passes on to {address}"));
    printer.note(format!("  scenario: {scenario}"));
    printer.note("  Ctrl-C ends it; what is open goes on with the next `record`");
}

/// Resolves when the user, or the system, wants it to end.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut ended) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = ended.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Evidence(error) => error.into(),
            RecordError::Mail(_) => Self::new(Kind::Bug, error),
            RecordError::SetUp(_) | RecordError::Upstream(_) | RecordError::Serve(_) => {
                Self::new(Kind::Environment, error)
            }
        }
    }
}
