//! Simulated crashes: after a number of operations on files, the next write is
//! done in part and nothing after it is done at all.

use std::cell::Cell;
use std::io;

thread_local! {
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    static PERCENT: Cell<usize> = const { Cell::new(0) };
    static DEAD: Cell<bool> = const { Cell::new(false) };
}

/// Lets `operations` pass on this thread; a write that is hit writes
/// `percent` of its bytes.
pub(crate) fn arm(operations: u64, percent: usize) {
    LEFT.set(Some(operations));
    PERCENT.set(percent);
    DEAD.set(false);
}

/// Ends the simulation; whether it hit.
pub(crate) fn disarm() -> bool {
    LEFT.set(None);
    DEAD.replace(false)
}

pub(crate) fn armed() -> bool {
    LEFT.get().is_some()
}

pub(super) fn torn(len: usize) -> usize {
    // The first operation that is hit is torn; the rest never happens.
    if DEAD.get() && PERCENT.get() <= 100 {
        let percent = PERCENT.replace(101);
        if percent <= 100 { len * percent / 100 } else { 0 }
    } else {
        0
    }
}

pub(super) fn step() -> io::Result<()> {
    match LEFT.get() {
        None => Ok(()),
        Some(0) => {
            // Only a write that is hit first may be torn.
            if DEAD.replace(true) {
                PERCENT.set(101);
            }
            Err(io::Error::other("simulated crash"))
        }
        Some(left) => {
            LEFT.set(Some(left - 1));
            Ok(())
        }
    }
}
