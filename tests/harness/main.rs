//! The client killed, starved and lied to, against the simulator: whatever
//! happens to it, every scenario ends as it should, and nothing is sent twice.
//!
//! Each test has a short form, which runs with all others, and a long one that
//! is ignored: `docs/testing.md` says what they do and how to run them.

#![cfg(unix)]
#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod deaths;
mod faults;
mod house;
mod instants;
mod judge;
mod life;
mod outage;
mod packs;
#[path = "../reference/mod.rs"]
mod reference;
mod world;

/// Scenarios of every kind: cancelled, controlled, amended, pre-lodged,
/// presented too late and wrongly, with a guarantee that nobody knows, arrived,
/// refused on purpose, with officers and without, and questions for balances.
pub const REPRESENTATIVE: [(&str, &str); 12] = [
    ("ncts6", "P6-DSGB-02"),
    ("ncts6", "P6-DNGB-04"),
    ("ncts6", "P6-PSGB-03"),
    ("ncts6", "P6-PSGB-02"),
    ("ncts6", "P6-DSGB-07"),
    ("ncts6", "P6-ASGB-02"),
    ("ncts6", "P6-AGB-01"),
    ("ncts6", "P6-ANGB-01"),
    ("ncts5-final", "DNGB1"),
    ("ncts5-final", "PNGB1"),
    ("guarantee-balance", "Scenario 2 GB"),
    ("guarantee-balance", "Scenario 3 XI"),
];

/// Says something past the test harness, which swallows what passing tests
/// print: figures are there to be read.
pub fn aloud(what: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// Does `what` for every item, on as many threads as the machine has
/// processors; a panic in one is a panic of the whole.
pub fn side_by_side<T: Send, R: Send>(items: Vec<T>, what: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let todo = std::sync::Mutex::new(items.into_iter());
    let next = || todo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            while let Some(item) = next() {
                done.push(what(item));
            }
            done
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// Numbers that a seed decides (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}

/// A folder that stays for people to look into where its test failed.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn make() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.disable_cleanup(true);
            aloud(format_args!("kept: {}", self.path().display()));
        }
    }
}
