//! What HMRC's sign-in service keeps: applications, authorisation codes,
//! grants and access tokens. No HTTP and no clock.
//!
//! Lifetimes run with the clock as it is: they are people's, not NCTS's, so
//! the time scale does not shorten them.
//!
//! Source: Developer Hub, authorisation of user-restricted and of
//! application-restricted endpoints.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Months, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::ids::Ids;
use super::options::Application;
use crate::digest::Digest;

/// Minutes an authorisation code may wait.
const CODE_MINUTES: i64 = 10;

/// Hours an access token lasts.
const ACCESS_HOURS: i64 = 4;

/// Months a grant lasts, however often it is refreshed.
const GRANT_MONTHS: u32 = 18;

/// Most of each that are kept; beyond it those that end first go.
const KEPT: usize = 10_000;

/// What every token issued here begins with. Any other token is a trader of
/// its own.
const ISSUED: &str = "simulator-token-";

/// Seconds an access token lasts.
pub(super) const EXPIRES_IN: i64 = ACCESS_HOURS * 3600;

/// Scope of the CTC Traders API.
pub(super) const TRADERS: &str = "common-transit-convention-traders";
/// Scope of its test-support API.
pub(super) const TEST_SUPPORT: &str = "common-transit-convention-traders-test-support";
/// Scope of the guarantee balance API.
pub(super) const BALANCE: &str = "common-transit-convention-guarantee-balance";
/// Scope to read notifications.
pub(super) const PULL: &str = "read:pull-notifications";
/// Scope to acknowledge notifications.
pub(super) const ACKNOWLEDGE: &str = "write:notifications";

const SCOPES: &[&str] = &[TRADERS, TEST_SUPPORT, BALANCE, PULL, ACKNOWLEDGE];

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    /// None: without the enrolment that the CTC Traders API wants.
    pub(super) eori: Option<String>,
}

/// What a token lets its bearer do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Access {
    pub(super) client: String,
    /// None: an application's own token.
    pub(super) user: Option<User>,
    pub(super) scopes: BTreeSet<String>,
    expires: DateTime<Utc>,
}

/// What a user is asked to consent to.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) scopes: BTreeSet<String>,
    /// PKCE, method S256.
    pub(super) challenge: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    client: String,
    redirect_uri: String,
    challenge: Option<String>,
    user: User,
    scopes: BTreeSet<String>,
    expires: DateTime<Utc>,
}

/// A user's consent, by its current refresh token.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Grant {
    client: String,
    user: User,
    scopes: BTreeSet<String>,
    ends: DateTime<Utc>,
    /// Its current access token.
    access: String,
}

/// Tokens just issued.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access: String,
    /// None for an application's own token.
    pub(super) refresh: Option<String>,
    pub(super) scopes: BTreeSet<String>,
}

/// Why no tokens are issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// No such application, or another secret.
    Client,
    /// The code or the refresh token is not, or no longer, good; or it is not
    /// this application's.
    Grant,
}

/// Everything the sign-in service keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grants {
    applications: BTreeMap<String, Application>,
    codes: HashMap<String, Code>,
    grants: HashMap<String, Grant>,
    access: HashMap<String, Access>,
}

/// The scopes of a request, separated by spaces; none when one is unknown.
pub(super) fn scopes(text: &str) -> Option<BTreeSet<String>> {
    let all: BTreeSet<_> = text.split(' ').filter(|one| !one.is_empty()).collect();
    let known = all.iter().all(|one| SCOPES.contains(one));
    known.then(|| all.into_iter().map(str::to_owned).collect())
}

/// Whether a redirect URI begins with a registered one.
fn covers(registered: &str, wanted: &Url) -> bool {
    let Ok(registered) = Url::parse(registered) else { return false };
    let loopback = matches!(registered.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let any_port = loopback && registered.port().is_none();
    let prefix = registered.path().trim_end_matches('/');
    registered.scheme() == wanted.scheme()
        && registered.host() == wanted.host()
        && (any_port || registered.port_or_known_default() == wanted.port_or_known_default())
        && wanted
            .path()
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && registered.query().is_none_or(|query| wanted.query() == Some(query))
}

/// Drops what has ended, and what ends first beyond the limit.
fn trim<T>(all: &mut HashMap<String, T>, now: DateTime<Utc>, ends: impl Fn(&T) -> DateTime<Utc>) {
    if all.len() < KEPT {
        return;
    }
    all.retain(|_, one| ends(one) > now);
    while all.len() >= KEPT {
        let first = all.iter().min_by_key(|(_, one)| ends(one)).map(|(key, _)| key.clone());
        let Some(first) = first else { break };
        all.remove(&first);
    }
}

impl Grants {
    pub(super) fn new(applications: &[Application]) -> Self {
        let by_id = |one: &Application| (one.client_id.clone(), one.clone());
        Self {
            applications: applications.iter().map(by_id).collect(),
            codes: HashMap::new(),
            grants: HashMap::new(),
            access: HashMap::new(),
        }
    }

    /// Registers an application, in the place of one with the same client id.
    /// Tells when there are too many.
    pub(super) fn register(&mut self, application: Application) -> bool {
        let room = self.applications.len() < KEPT
            || self.applications.contains_key(&application.client_id);
        if room {
            self.applications.insert(application.client_id.clone(), application);
        }
        room
    }

    /// Whether there is an application with this client id.
    pub(super) fn knows(&self, client: &str) -> bool {
        self.applications.contains_key(client)
    }

    /// The URI, if the application has registered it.
    pub(super) fn redirect(&self, client: &str, uri: &str) -> Option<Url> {
        let uri = Url::parse(uri).ok()?;
        let plain = uri.fragment().is_none() && uri.username().is_empty() && uri.has_host();
        let application = self.applications.get(client)?;
        (plain && application.redirect_uris.iter().any(|one| covers(one, &uri))).then_some(uri)
    }

    /// A code for a user's consent.
    pub(super) fn consent(
        &mut self,
        wish: Wish,
        user: User,
        now: DateTime<Utc>,
        ids: &mut Ids,
    ) -> String {
        trim(&mut self.codes, now, |one| one.expires);
        let code = ids.hex();
        let Wish { client, redirect_uri, scopes, challenge } = wish;
        let expires = now + TimeDelta::minutes(CODE_MINUTES);
        let kept = Code { client, redirect_uri, challenge, user, scopes, expires };
        self.codes.insert(code.clone(), kept);
        code
    }

    /// Checks that an application is who it says.
    ///
    /// # Errors
    /// It is unknown, or its secret another.
    pub(super) fn authenticate(&self, client: &str, secret: &str) -> Result<(), Denied> {
        let known = self.applications.get(client).filter(|one| one.client_secret == secret);
        known.map(|_| ()).ok_or(Denied::Client)
    }

    /// Exchanges a code, which is then spent.
    ///
    /// # Errors
    /// It is spent, too old, of another application or redirect URI, or the
    /// verifier is not what was announced.
    pub(super) fn exchange(
        &mut self,
        client: &str,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: DateTime<Utc>,
        ids: &mut Ids,
    ) -> Result<Issued, Denied> {
        if self.codes.get(code).is_none_or(|one| one.client != client) {
            return Err(Denied::Grant);
        }
        let code = self.codes.remove(code).ok_or(Denied::Grant)?;
        let proved = match (&code.challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => {
                let digest = Digest::of(verifier.as_bytes());
                URL_SAFE_NO_PAD.encode(digest.as_bytes()) == *challenge
            }
            _ => false,
        };
        if !proved || code.redirect_uri != redirect_uri || code.expires <= now {
            return Err(Denied::Grant);
        }
        let ends = now.checked_add_months(Months::new(GRANT_MONTHS));
        let grant = Grant {
            client: code.client,
            user: code.user,
            scopes: code.scopes,
            ends: ends.unwrap_or(DateTime::<Utc>::MAX_UTC),
            access: String::new(),
        };
        Ok(self.issue(grant, now, ids))
    }

    /// Exchanges a refresh token, which is then spent, and ends the access
    /// token that came with it.
    ///
    /// # Errors
    /// It is spent, of another application, or the grant has ended.
    pub(super) fn refresh(
        &mut self,
        client: &str,
        refresh: &str,
        now: DateTime<Utc>,
        ids: &mut Ids,
    ) -> Result<Issued, Denied> {
        if self.grants.get(refresh).is_none_or(|one| one.client != client) {
            return Err(Denied::Grant);
        }
        let grant = self.grants.remove(refresh).ok_or(Denied::Grant)?;
        self.access.remove(&grant.access);
        if grant.ends <= now {
            return Err(Denied::Grant);
        }
        Ok(self.issue(grant, now, ids))
    }

    fn issue(&mut self, mut grant: Grant, now: DateTime<Utc>, ids: &mut Ids) -> Issued {
        trim(&mut self.grants, now, |one| one.ends);
        let scopes = grant.scopes.clone();
        let access = self.token(&grant.client, Some(grant.user.clone()), &scopes, now, ids);
        let refresh = ids.hex();
        grant.access.clone_from(&access);
        self.grants.insert(refresh.clone(), grant);
        Issued { access, refresh: Some(refresh), scopes }
    }

    fn token(
        &mut self,
        client: &str,
        user: Option<User>,
        scopes: &BTreeSet<String>,
        now: DateTime<Utc>,
        ids: &mut Ids,
    ) -> String {
        trim(&mut self.access, now, |one| one.expires);
        let token = format!("{ISSUED}{}", ids.hex());
        let expires = now + TimeDelta::hours(ACCESS_HOURS);
        let access = Access { client: client.to_owned(), user, scopes: scopes.clone(), expires };
        self.access.insert(token.clone(), access);
        token
    }

    /// An application's own token.
    pub(super) fn application_token(
        &mut self,
        client: &str,
        scopes: BTreeSet<String>,
        now: DateTime<Utc>,
        ids: &mut Ids,
    ) -> Issued {
        let access = self.token(client, None, &scopes, now, ids);
        Issued { access, refresh: None, scopes }
    }

    /// What a token allows: none for a token issued elsewhere.
    ///
    /// # Errors
    /// It was issued here and is not good any more.
    pub(super) fn access(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<&Access>, Denied> {
        if !token.starts_with(ISSUED) {
            return Ok(None);
        }
        let live = self.access.get(token).filter(|one| one.expires > now);
        live.map(Some).ok_or(Denied::Grant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_must_begin_with_a_registered_one() {
        let covered =
            |registered: &str, wanted: &str| covers(registered, &Url::parse(wanted).unwrap());
        for (registered, wanted) in [
            ("http://localhost", "http://localhost:41217/callback"),
            ("http://localhost:8080/a", "http://localhost:8080/a"),
            ("http://localhost:8080/a", "http://localhost:8080/a/b?c=d"),
            ("https://example.org/a", "https://example.org:443/a"),
        ] {
            assert!(covered(registered, wanted), "{registered} {wanted}");
        }
        for (registered, wanted) in [
            ("http://localhost:8080/a", "http://localhost:8081/a"),
            ("http://localhost:8080/a", "http://localhost:8080/ab"),
            ("http://localhost", "http://localhost.example.org/"),
            ("https://example.org/a", "http://example.org/a"),
            ("https://example.org", "https://example.org:8443/"),
            ("https://example.org", "https://other.example.org/"),
        ] {
            assert!(!covered(registered, wanted), "{registered} {wanted}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let mut grants = Grants::new(&[]);
        let mut ids = Ids::new(1);
        for nth in 0..(KEPT + 5) {
            let at = now + TimeDelta::milliseconds(nth as i64);
            grants.application_token("c", BTreeSet::new(), at, &mut ids);
        }
        assert_eq!(grants.access.len(), KEPT);
    }
}
