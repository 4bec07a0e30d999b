//! Turns of a target, with time and memory watched.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ctc_ready::evidence::{EvidenceError, VerifyReport};

use crate::HEAP;
use crate::random::{Random, seed};

/// How long a turn may take before it counts as hung. Ordinary ones take
/// milliseconds; the machine may be busy.
const HUNG: Duration = Duration::from_secs(120);

/// Heap that each byte of an input may cost, beside what any may.
const HEAP_PER_BYTE: usize = 64;

/// Something that reads what others wrote.
pub trait Target {
    /// What it reads.
    type Input;

    /// Makes an input, and lays it where it is read from.
    fn make(&mut self, random: &mut Random) -> Self::Input;

    /// Heap that any input may cost, whatever its size.
    const HEAP: usize = 16 << 20;

    /// Its size, in bytes.
    fn size(input: &Self::Input) -> usize;

    /// Reads it. Tells what came of it, for the figures alone: they show how
    /// deep the inputs get.
    fn read(&self, input: &Self::Input) -> Vec<&'static str>;
}

/// What came of an input that nothing is wrong with, and of others.
pub fn taken(taken: bool) -> Vec<&'static str> {
    vec![if taken { "taken" } else { "refused" }]
}

/// What verification found.
pub fn found(report: Result<VerifyReport, EvidenceError>) -> Vec<&'static str> {
    match report {
        Ok(report) => {
            assert_eq!(report.intact, report.problems.is_empty());
            let rules: BTreeSet<_> = report.problems.iter().map(|problem| problem.rule).collect();
            if report.intact { taken(true) } else { rules.into_iter().collect() }
        }
        Err(EvidenceError::NewerFormat { .. }) => vec!["newer-format"],
        Err(_) => taken(false),
    }
}

/// How long to go on.
pub enum Span {
    Turns(u64),
    For(Duration),
}

impl Span {
    /// `CTC_READY_FUZZ_SECONDS`, or five minutes.
    pub fn asked() -> Self {
        let seconds = std::env::var("CTC_READY_FUZZ_SECONDS").ok();
        let seconds = seconds.map_or(300, |seconds| seconds.parse().unwrap());
        Self::For(Duration::from_secs(seconds))
    }

    fn over(&self, turn: u64, began: Instant) -> bool {
        match self {
            Self::Turns(turns) => turn >= *turns,
            Self::For(time) => began.elapsed() >= *time,
        }
    }
}

/// Tells which turn it was, should it panic.
struct Told<'a>(&'a str, u64, u64);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(name, seed, turn) = self;
            say(format!("{name}: it was turn {turn} of seed {seed}"));
        }
    }
}

fn say(what: String) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// The heap is counted for the whole process: one target at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Feeds a target. `CTC_READY_SEED` gives other inputs, `CTC_READY_TURN` begins
/// with that turn.
pub fn fuzz<T: Target>(name: &str, mut target: T, span: Span) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seed = seed();
    let first = std::env::var("CTC_READY_TURN").map_or(0, |turn| turn.parse().unwrap());
    let began = Instant::now();
    let (turns, watched) = channel::<u64>();
    let watch = {
        let name = name.to_owned();
        std::thread::spawn(move || {
            let mut turn = first;
            loop {
                match watched.recv_timeout(HUNG) {
                    Ok(next) => turn = next,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        say(format!("{name}: turn {turn} of seed {seed} hangs"));
                        // Nothing else ends a thread that does.
                        std::process::abort();
                    }
                }
            }
        })
    };
    let (mut peak, mut largest, mut slowest) = (0, 0, (Duration::ZERO, first));
    let mut came = BTreeMap::<&'static str, u64>::new();
    let mut turn = first;
    while !span.over(turn - first, began) {
        turns.send(turn).unwrap();
        let told = Told(name, seed, turn);
        let input = target.make(&mut Random::of(seed, turn));
        let size = T::size(&input);
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let at = Instant::now();
        let outcome = target.read(&input);
        let cost = HEAP.peak_usage().saturating_sub(before);
        assert!(
            cost <= T::HEAP + HEAP_PER_BYTE * size,
            "an input of {size} bytes takes {cost} bytes of heap"
        );
        (peak, largest) = (peak.max(cost), largest.max(size));
        slowest = slowest.max((at.elapsed(), turn));
        outcome.into_iter().for_each(|what| *came.entry(what).or_default() += 1);
        drop(told);
        turn += 1;
    }
    drop(turns);
    watch.join().unwrap();
    let came: Vec<String> = came.iter().map(|(what, times)| format!("{what} {times}")).collect();
    say(format!(
        "{name}: {} inputs of up to {largest} bytes; heap at most {} KiB; slowest {} ms (turn {}); \
         resident at most {}; {} s; {}",
        turn - first,
        peak >> 10,
        slowest.0.as_millis(),
        slowest.1,
        resident(),
        began.elapsed().as_secs(),
        came.join(", ")
    ));
}

/// The most memory that the process ever had, where the system tells.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "?".to_owned(), |line| line.trim().to_owned())
}
