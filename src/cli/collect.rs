//! `collect`: evidence of movements that the software made by itself.

use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::args::{Collect, Run};
use super::context::{Context, Desk, TOOL, scenario_in};
use super::failure::{Failure, Kind};
use super::printer::{BOLD, paint};
use super::run::{self, Executed};
use super::runtime;
use super::standing::{GivenUp, Selected, Standing, address};
use crate::engine::find::{FindError, Finder, Wanted};
use crate::engine::state::State;
use crate::evidence::{Driver, RunId, RunRecord, RunState, Store};
use crate::hmrc::api::Api;
use crate::hmrc::transport::{SetUpError, Transport};
use crate::ncts::{MessageType, MovementKind};

/// Movements by their ids.
pub(super) type Movements = Vec<(MovementKind, String)>;

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Collect) -> Result<u8, Failure> {
    let desk = Desk::open(context)?.under_test(context, &args.under_test)?;
    let programmes = desk.programmes(args.programme.as_deref())?;
    let known = programmes.iter().copied();
    let others = desk.catalogue.programmes().iter().filter(|_| args.programme.is_none());
    let (programme, scenario) = scenario_in(&desk.catalogue, known.chain(others), &args.scenario)?;
    if scenario.step.iter().any(|step| step.request.is_some()) {
        return Err(Failure::usage(format!(
            "`{}` makes no movement: the API keeps nothing that could be collected",
            scenario.id
        ))
        .hint(format!("`ctc-ready run {}` asks for the balance itself", scenario.id)));
    }
    let selected = vec![(programme.clone(), scenario.clone())];
    let how = Run {
        scenarios: vec![scenario.id.clone()],
        recommended: false,
        all: false,
        programme: args.programme.clone(),
        environment: args.environment,
        driver: None,
        base_url: args.base_url.clone(),
        time_scale: args.time_scale,
        wait: args.wait,
        again: args.again,
        failed: false,
        abandon: args.abandon,
        max_requests_per_second: None,
        events: None,
        under_test: args.under_test.clone(),
    };
    let Executed { report, stalled, again_at, new } =
        run::execute(context, &desk, &selected, &how, Some(args))?;
    context.printer.document(&report);
    if !new {
        let bold = paint(BOLD, &scenario.id);
        context.printer.note(format!(
            "{bold}: this movement was collected to its end before; `--again` collects it anew"
        ));
    }
    run::print_runs(context, &report, again_at);
    run::tell_stalled(context, &stalled);
    Ok(run::exit_code(&report, !stalled.is_empty()))
}

/// The movements that are meant, seen at the API: no run is begun without.
///
/// # Errors
/// When they are not there, or cannot be told from others.
pub(super) fn find(
    context: &Context,
    args: &Collect,
    selected: &[Selected],
    base_url: Option<&Url>,
    token: &SecretString,
) -> Result<Movements, Failure> {
    let Some(base_url) = base_url else {
        return Err(Failure::usage("the simulator that `run` starts is gone with it")
            .hint("`--base-url` names one that runs by itself (`ctc-ready simulate`)"));
    };
    let arrives = selected
        .iter()
        .flat_map(|(_, scenario)| &scenario.step)
        .any(|step| step.send.is_some_and(|message| message.movement() == MovementKind::Arrival));
    let version = selected.first().map(|(programme, _)| programme.api.version.as_str());
    let wanted = Wanted {
        departure: args.departure.clone(),
        lrn: args.lrn.clone(),
        arrival: args.arrival.clone(),
        mrn: args.mrn.clone(),
        arrives,
    };
    if args.arrival.is_some() && !arrives {
        return Err(Failure::usage(format!(
            "`{}` has no {}: `--arrival` has no place in it",
            args.scenario,
            MessageType::Ie007
        )));
    }
    let transport = Transport::new(&TOOL.replace(' ', "/"), base_url)
        .map_err(|error: SetUpError| Failure::new(Kind::Environment, error))?;
    let api = Api::new(base_url.clone(), version.unwrap_or_default(), token.clone());
    let clock = Arc::clone(&context.clock);
    let finder = Finder { carrier: &transport, clock: clock.as_ref(), api: &api };
    runtime()?.block_on(finder.find(&wanted)).map_err(|error| {
        let failure = Failure::new(Kind::Environment, &error);
        match error {
            FindError::NotThere { .. } => failure
                .hint("the API keeps movements for 60 days, and shows them to the trader alone whose token sent them")
                .hint("is it in this environment, and of the version of the API that the programme has? No run was begun"),
            FindError::Several(_) => failure.hint("name one with `--departure` or `--arrival`"),
            FindError::Unauthorised(_) => failure
                .hint("CTC_READY_TOKEN must be a fresh user-restricted access token of the trader that sent it"),
            FindError::Unanswered(_) => failure.hint("no run was begun; try again"),
        }
    })
}

/// What is to be done about these movements, given the runs so far.
///
/// # Errors
/// When they are evidence of something else already.
pub(super) fn standing(
    store: Option<&Store>,
    (programme, scenario): &Selected,
    base_url: Option<&Url>,
    movements: &Movements,
    args: &Run,
) -> Result<Standing, Failure> {
    let Some(store) = store else { return Ok(Standing::Starts) };
    let (runs, _) = store.readable_runs();
    let here = |run: &&RunRecord| base_url.is_some_and(|url| address(url) == run.base_url);
    let mut latest: Option<RunRecord> = None;
    for run in runs.iter().filter(here) {
        let known = movements_of(store, run.run)?;
        let same = run.programme == programme.id && run.scenario == scenario.id;
        // Killed when it had hardly begun: it is as good for these as for any.
        let blank = known.is_empty() && same && run.state == RunState::Waiting;
        let shared = movements.iter().find(|one| known.contains(one));
        let shared =
            shared.or(movements.first().filter(|_| blank && run.driver == Driver::Collect));
        let Some((kind, id)) = shared else { continue };
        let void = matches!(run.state, RunState::Failed | RunState::Abandoned);
        match (run.driver, same) {
            (Driver::Collect, true) => {
                if latest.as_ref().is_none_or(|it| (it.attempt, it.run) < (run.attempt, run.run)) {
                    latest = Some(run.clone());
                }
            }
            (Driver::Direct, _) => {
                return Err(Failure::input(format!(
                    "{} `{id}` was made by ctc-ready itself, in run {}: it is no evidence of what \
                     your software sends",
                    kind.singular(),
                    run.run
                )));
            }
            (_, _) if void => {}
            (driver, _) => {
                return Err(Failure::input(format!(
                    "{} `{id}` is evidence of `{}` already (run {}, driver `{}`)",
                    kind.singular(),
                    run.scenario,
                    run.run,
                    driver.as_str()
                ))
                .hint("HMRC wants a movement of its own for each test"));
            }
        }
    }
    Ok(match latest {
        None => Standing::Starts,
        Some(run) => match run.state {
            RunState::Waiting if args.abandon => Standing::Replaces(Box::new(run), GivenUp::ByUser),
            RunState::Waiting => Standing::GoesOn(Box::new(run)),
            RunState::Passed | RunState::Failed if !args.again => Standing::Stays(Box::new(run)),
            _ => Standing::Starts,
        },
    })
}

/// The movements of a run, as far as it knows them.
fn movements_of(store: &Store, run: RunId) -> Result<Movements, Failure> {
    Ok(State::fold(&store.events(run)?).movements.into_iter().collect())
}
