//! The locks of the guarantee balance API: a trader may ask the balance of a
//! guarantee once in a while. No HTTP and no clock.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Most locks kept; beyond it those that have ended go, then all.
const KEPT: usize = 10_000;

/// Until when who may not ask what, by `EORI/GRN`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Locks(HashMap<String, DateTime<Utc>>);

impl Locks {
    /// Takes the lock of a user on a GRN. Tells whether it was free.
    pub(super) fn take(
        &mut self,
        user: &str,
        grn: &str,
        now: DateTime<Utc>,
        lasts: TimeDelta,
    ) -> bool {
        let key = format!("{user}/{grn}");
        if self.0.get(&key).is_some_and(|until| *until > now) {
            return false;
        }
        if self.0.len() >= KEPT {
            self.0.retain(|_, until| *until > now);
            if self.0.len() >= KEPT {
                self.0.clear();
            }
        }
        let until = now.checked_add_signed(lasts).unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.0.insert(key, until);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_one_users_on_one_guarantee_and_ends() {
        let (mut locks, minute) = (Locks::default(), TimeDelta::minutes(1));
        let now = DateTime::<Utc>::UNIX_EPOCH;
        assert!(locks.take("A", "1", now, minute));
        assert!(!locks.take("A", "1", now + TimeDelta::seconds(59), minute));
        assert!(locks.take("A", "2", now, minute) && locks.take("B", "1", now, minute));
        assert!(locks.take("A", "1", now + minute, minute));
        for nth in 0..KEPT {
            locks.take("C", &nth.to_string(), now, minute);
        }
        assert!(locks.0.len() <= KEPT);
    }
}
