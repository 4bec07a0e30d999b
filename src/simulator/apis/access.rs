//! Who calls, as the gateway sees it: from the bearer token it knows the
//! application, the user and what they may do.

use super::super::grants::Denied;
use super::super::http_errors::HttpError;
use super::super::ids;
use super::super::requests;
use super::super::state::State;
use super::Call;
use crate::digest::Digest;

/// What an endpoint wants of a token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wants {
    /// A user's, with this scope.
    User(&'static str),
    /// An application's own, with this scope if any.
    Application(Option<&'static str>),
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// What the gateway puts into `X-Client-Id`.
    pub(super) client: String,
    /// None: no user, or one without the enrolment for transit.
    pub(super) eori: Option<String>,
}

/// Lets a request through the gateway.
///
/// A token that the simulator did not issue is a trader, and unless the options
/// name one an application, of its own with every scope, except `invalid-token`
/// and `not-subscribed`.
///
/// # Errors
/// Its refusals: token, subscription, scope, pace.
pub(super) fn admit(state: &mut State, call: &Call<'_>, wants: Wants) -> Result<Caller, HttpError> {
    let token = requests::bearer(call.headers())?;
    match token {
        "invalid-token" => return Err(HttpError::invalid_credentials()),
        "not-subscribed" => return Err(HttpError::resource_forbidden()),
        _ => {}
    }
    let caller = match state.grants.access(token, call.now) {
        Err(Denied::Client | Denied::Grant) => return Err(HttpError::invalid_credentials()),
        Ok(None) => {
            let own = call.options.own_application.clone();
            let client = own.unwrap_or_else(|| ids::client(token));
            Caller { client, eori: Some(ids::eori(token)) }
        }
        Ok(Some(access)) => {
            let (scope, fits) = match wants {
                Wants::User(scope) => (Some(scope), access.user.is_some()),
                Wants::Application(scope) => (scope, access.user.is_none()),
            };
            if !fits {
                return Err(HttpError::incorrect_token_type());
            }
            if scope.is_some_and(|scope| !access.scopes.contains(scope)) {
                return Err(HttpError::invalid_scope());
            }
            let eori = access.user.as_ref().and_then(|user| user.eori.clone());
            Caller { client: access.client.clone(), eori }
        }
    };
    let client = Digest::of(caller.client.as_bytes());
    if let Some(limit) = call.options.requests_per_second
        && !state.outside.allows(client, limit, call.mono_ns)
    {
        return Err(HttpError::throttled());
    }
    Ok(caller)
}
