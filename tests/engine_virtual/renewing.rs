//! Tokens that end in the middle, and a server that is not there: what leaves,
//! with which token, and when nothing does.

use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use ctc_ready::clock::Clock;
use ctc_ready::engine::BatchError;
use ctc_ready::evidence::Event;
use ctc_ready::hmrc::tokens::{Bearer, RenewError, Renewing, Tokens};
use ctc_ready::hmrc::transport::{Call, Carrier, NoAnswer};
use secrecy::{ExposeSecret, SecretString};

use crate::fake::{Bench, answer};
use crate::{assert_intact, assert_passed};

/// How long a renewal takes.
const TAKES: StdDuration = StdDuration::from_secs(3);

/// A sign-in service, and what the API knows of its tokens.
#[derive(Debug, Default)]
struct Issued {
    /// The number of the token that is good.
    good: u32,
    /// The renewals that were asked for, each by which token.
    asked: Vec<String>,
    /// What becomes of the next renewals; then they work.
    errors: Vec<RenewError>,
    /// A renewal is under way.
    under_way: bool,
}

/// Tokens `canary-token-1`, `-2` and so on.
#[derive(Debug)]
struct Series {
    issued: Arc<Mutex<Issued>>,
    held: Mutex<Bearer>,
    lasts: Duration,
}

fn bearer(number: u32, now: DateTime<Utc>, lasts: Duration) -> Bearer {
    Bearer {
        secret: format!("canary-token-{number}").into(),
        replace_at: Some(now + lasts - Duration::minutes(5)),
        ends_at: Some(now + lasts),
    }
}

impl Tokens for Series {
    fn held(&self) -> Bearer {
        self.held.lock().unwrap().clone()
    }

    fn renewable(&self) -> bool {
        true
    }

    fn renew(
        self: Arc<Self>,
        old: SecretString,
        _: Arc<dyn Carrier>,
        clock: Arc<dyn Clock>,
    ) -> Renewing {
        Box::pin(async move {
            {
                let mut issued = self.issued.lock().unwrap();
                issued.asked.push(old.expose_secret().to_owned());
                if !issued.errors.is_empty() {
                    return Err(issued.errors.remove(0));
                }
                // It ends the one before at once.
                issued.good += 1;
                issued.under_way = true;
            }
            tokio::time::sleep(TAKES).await;
            let mut issued = self.issued.lock().unwrap();
            issued.under_way = false;
            let next = bearer(issued.good, clock.now(), self.lasts);
            *self.held.lock().unwrap() = next.clone();
            Ok(next)
        })
    }
}

/// A bench whose API takes the good token alone, and says what `look` does; and
/// its sign-in service. Tokens last so long.
fn bench(
    lasts: Duration,
    mut look: impl FnMut(&Call, &mut Issued) + Send + 'static,
) -> (Bench, Arc<Mutex<Issued>>) {
    let issued = Arc::new(Mutex::new(Issued { good: 1, ..Issued::default() }));
    let known = Arc::clone(&issued);
    let mut bench = Bench::hooked(move |call, _| {
        let mut issued = known.lock().unwrap();
        look(call, &mut issued);
        let good = format!("Bearer canary-token-{}", issued.good);
        let fits =
            call.headers.iter().any(|(name, value)| name == "authorization" && *value == good);
        (!fits).then(|| Ok(answer(401, r#"{"code":"INVALID_CREDENTIALS"}"#)))
    });
    let held = Mutex::new(bearer(1, bench.clock.now(), lasts));
    bench.tokens = Some(Arc::new(Series { issued: Arc::clone(&issued), held, lasts }));
    (bench, issued)
}

fn refused(bench: &Bench) -> usize {
    let runs: Vec<_> = bench.store().indexed().map(|(run, _)| run).collect();
    let events = runs.into_iter().flat_map(|run| bench.events(run));
    events.filter(|line| matches!(&line.event, Event::Response(it) if it.status == 401)).count()
}

fn jobs(bench: &Bench) -> Vec<ctc_ready::engine::batch::Job> {
    ["DSGB1", "DSXI1", "PSGB1", "ASGB1"].iter().map(|id| bench.job(id)).collect()
}

/// Tokens that are due three seconds after they came.
#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_before_it_ends_and_nothing_leaves_meanwhile() {
    let (mut bench, issued) = bench(Duration::seconds(303), |_, issued| {
        assert!(!issued.under_way, "a call left during a renewal");
    });
    let outcome = bench.run(jobs(&bench), true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    assert_eq!(refused(&bench), 0);
    let asked = &issued.lock().unwrap().asked;
    assert!(asked.len() >= 3, "{asked:?}");
    let expected: Vec<String> =
        (1..=asked.len()).map(|nth| format!("canary-token-{nth}")).collect();
    assert_eq!(*asked, expected);
}

/// Somewhere else the consent was used: the token ends without a word.
#[tokio::test(start_paused = true)]
async fn what_is_refused_for_its_token_is_made_again_and_recorded() {
    let mut calls = 0;
    let (mut bench, issued) = bench(Duration::hours(4), move |_, issued| {
        calls += 1;
        if [2, 7, 15].contains(&calls) {
            issued.good += 100;
        }
    });
    // The first replaces what the API takes; a renewal brings the next number.
    let outcome = bench.run(jobs(&bench), true).await.unwrap();
    assert_passed(&outcome);
    assert_intact(&bench);
    let asked = issued.lock().unwrap().asked.len();
    assert_eq!(asked, 3);
    assert!(refused(&bench) >= 2, "{}", refused(&bench));
    let journal =
        |run| std::fs::read_to_string(bench.evidence().join(format!("runs/{run}/journal.jsonl")));
    for run in &outcome.runs {
        assert!(!journal(run.run).unwrap().contains("canary-token"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_is_refused_as_well_ends_the_batch() {
    let (mut bench, issued) = bench(Duration::hours(4), |_, issued| issued.good += 1_000);
    let error = bench.run(jobs(&bench), true).await.unwrap_err();
    assert!(matches!(error, BatchError::Unauthorised(_)), "{error}");
    assert_eq!(issued.lock().unwrap().asked.len(), 1);
    assert_intact(&bench);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_for_now_leaves_the_token_that_is_still_good() {
    let (mut bench, issued) = bench(Duration::minutes(10), |_, _| {});
    let trouble = || RenewError::Unusable { text: "HTTP 503".into(), retry_after: None };
    issued.lock().unwrap().errors = (0..3).map(|_| trouble()).collect();
    let outcome = bench.run(jobs(&bench), true).await.unwrap();
    assert_passed(&outcome);
    assert_eq!(refused(&bench), 0);
    let notes = bench.watcher.notes.join("\n");
    assert!(
        notes.contains("cannot be renewed yet: the sign-in service cannot be used: HTTP 503"),
        "{notes}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_consent_that_is_over_ends_the_batch_once_the_token_does() {
    let over =
        || RenewError::Over { profile: "p".into(), text: "canary-token-1 is no good".into() };
    let (mut bench, issued) = bench(Duration::minutes(10), |_, _| {});
    issued.lock().unwrap().errors = (0..9).map(|_| over()).collect();
    let began = bench.clock.now();
    let error = bench.run(jobs(&bench), true).await.unwrap_err();
    let BatchError::Renewal(error) = error else { panic!("{error}") };
    assert!(!error.to_string().contains("canary"), "{error}");
    // The ten minutes were used.
    assert!(bench.clock.now() - began >= Duration::minutes(10));
    assert_eq!(refused(&bench), 0);
    assert_intact(&bench);
    issued.lock().unwrap().errors.clear();
    let runs: Vec<_> = bench.store().indexed().map(|(run, _)| run).collect();
    assert_eq!(runs.len(), 4);
    let open = runs.into_iter().find(|run| bench.got(*run, "IE029").is_none());
    assert!(open.is_some(), "nothing was left to go on with");
}

fn absent() -> NoAnswer {
    NoAnswer { failure: "connect", detail: "no connection".into(), may_have_arrived: false }
}

/// The network goes while sixteen runs are under way, for an hour.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_is_tried_by_one_call_at_a_time() {
    for wait in [true, false] {
        let mut bench = Bench::hooked(move |_, world| {
            let (began, now) = (world.calls[0].0, world.calls.last().unwrap().0);
            let gone = now > began + Duration::seconds(20) && now < began + Duration::hours(1);
            gone.then(|| Err(absent()))
        });
        let ids = ["DSGB1", "DSXI1", "PSGB1", "PSXI1", "ASGB1", "ASXI1", "DSGB2", "DSXI2"];
        let jobs: Vec<_> = ids.iter().chain(&ids).map(|id| bench.job(id)).collect();
        let outcome = bench.run(jobs, wait).await.unwrap();
        assert_intact(&bench);
        let world = bench.world();
        let began = world.calls[0].0;
        let during = world.calls.iter().filter(|(at, _)| {
            *at > began + Duration::seconds(60) && *at < began + Duration::hours(1)
        });
        let (during, posts) =
            (during.count(), world.calls.iter().filter(|(_, call)| is_post_line(call)).count());
        drop(world);
        let notes = bench.watcher.notes.join("\n");
        assert!(notes.contains("the API does not answer any more"), "{notes}");
        if wait {
            assert!(during < 80, "{during} calls into the void");
            assert!(notes.contains("the API answers again"), "{notes}");
            assert!(posts > 0);
        } else {
            assert!(during < 20, "{during} calls into the void");
            assert_eq!(outcome.stalled.len(), ids.len() * 2, "{:?}", outcome.stalled);
        }
    }
}

fn is_post_line(call: &str) -> bool {
    call.starts_with("POST")
}
