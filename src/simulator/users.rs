//! Test users: who can sign in. No HTTP and no clock.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::grants::User;
use super::ids::Ids;

/// The service that gives the enrolment for the CTC Traders API.
pub(super) const TRADERS: &str = "common-transit-convention-traders";
/// The service of the API before it, whose enrolment no longer opens anything.
pub(super) const LEGACY: &str = "common-transit-convention-traders-legacy";

/// Days after which a user that nobody signs in as is deleted: three months.
const UNUSED_DAYS: i64 = 91;

/// Most users kept; the one not used for longest goes first.
const KEPT: usize = 10_000;

/// A kind of test user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum UserKind {
    Individual,
    Organisation,
    Agent,
}

/// A test user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TestUser {
    pub(super) id: String,
    pub(super) password: String,
    pub(super) kind: UserKind,
    services: Vec<String>,
    /// Every user enrolled for transit, then or now, has one.
    pub(super) eori: Option<String>,
    used: DateTime<Utc>,
}

/// All test users, the one used last at the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Users(VecDeque<TestUser>);

/// Whether a text is an EORI number that a test user may have: GB or XI with
/// 12 to 15 digits, another country with up to 15.
pub(super) fn is_eori(text: &str) -> bool {
    let Some((country, number)) = text.split_at_checked(2) else { return false };
    let least = if matches!(country, "GB" | "XI") { 12 } else { 1 };
    country.bytes().all(|b| b.is_ascii_uppercase())
        && (least..=15).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

impl Users {
    /// Makes a user with these services, and with this EORI number if they
    /// want one and it is given.
    pub(super) fn create(
        &mut self,
        kind: UserKind,
        services: Vec<String>,
        eori: Option<String>,
        now: DateTime<Utc>,
        ids: &mut Ids,
    ) -> TestUser {
        let stale = now - TimeDelta::days(UNUSED_DAYS);
        while self.0.front().is_some_and(|first| first.used < stale) || self.0.len() >= KEPT {
            self.0.pop_front();
        }
        let enrolled = services.iter().any(|one| one == TRADERS || one == LEGACY);
        let user = TestUser {
            id: ids.digits(12),
            password: ids.identification(),
            kind,
            services,
            eori: enrolled.then(|| eori.unwrap_or_else(|| format!("GB{}", ids.digits(12)))),
            used: now,
        };
        self.0.push_back(user.clone());
        user
    }

    /// Signs in as a user, or as the one with the enrolment used last. None
    /// when there is none.
    pub(super) fn sign_in(&mut self, id: Option<&str>, now: DateTime<Utc>) -> Option<User> {
        let stale = now - TimeDelta::days(UNUSED_DAYS);
        let enrolled = |one: &TestUser| one.services.iter().any(|service| service == TRADERS);
        let at = self.0.iter().rposition(|one| {
            one.used >= stale && id.map_or_else(|| enrolled(one), |id| one.id == id)
        })?;
        let mut user = self.0.remove(at)?;
        user.used = now;
        let eori = user.eori.clone().filter(|_| enrolled(&user));
        let signed_in = User { id: user.id.clone(), eori };
        self.0.push_back(user);
        Some(signed_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eori_numbers_have_the_documented_forms() {
        for good in ["GB123456789012", "XI123456789012345", "FR1", "DE123456789012345"] {
            assert!(is_eori(good), "{good}");
        }
        for bad in ["GB12345678901", "XI1234567890123456", "FR", "fr1", "é1", "", "GB12345678901A"]
        {
            assert!(!is_eori(bad), "{bad}");
        }
    }

    #[test]
    fn users_that_nobody_uses_are_deleted_and_there_are_never_too_many() {
        let (mut users, mut ids) = (Users::default(), Ids::new(1));
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let services = || vec![TRADERS.to_owned()];
        let kind = UserKind::Organisation;
        let first = users.create(kind, services(), None, now, &mut ids);
        let second = users.create(kind, services(), None, now, &mut ids);
        let later = now + TimeDelta::days(60);
        assert!(users.sign_in(Some(&first.id), later).is_some());
        let latest = later + TimeDelta::days(60);
        assert!(users.sign_in(Some(&second.id), latest).is_none());
        assert_eq!(users.sign_in(None, latest).unwrap().id, first.id);
        for _ in 0..KEPT {
            users.create(kind, services(), None, latest, &mut ids);
        }
        assert_eq!(users.0.len(), KEPT);
    }
}
