//! The application whose notifications a run pulls.

use super::context::{CLIENT_SECRET_VARIABLE, Context};
use super::failure::{Failure, Kind};
use crate::hmrc::oauth::Application;
use crate::project::Settings;
use crate::simulator::SimulatorOptions;

/// The client id is missing, though it is needed.
pub(super) fn no_client_id(why: &str) -> Failure {
    Failure::input(format!("`[auth] client-id` is missing, and {why}"))
        .hint("it is on the page of your sandbox application on the Developer Hub, under client ID; it is no secret")
}

/// The application whose notifications are pulled, where the settings say so;
/// with the embedded simulator its own.
///
/// # Errors
/// When its client id or its secret is not there.
pub(super) fn application(
    context: &Context,
    settings: &Settings,
    embedded: bool,
) -> Result<Option<Application>, Failure> {
    if !settings.notifications.pull {
        return Ok(None);
    }
    if embedded {
        let first = SimulatorOptions::default().applications.into_iter().next();
        return Ok(first.map(|it| Application {
            client_id: it.client_id,
            client_secret: it.client_secret.into(),
        }));
    }
    let Some(client_id) = settings.client_id().map(str::to_owned) else {
        return Err(no_client_id("`[notifications] pull` is on")
            .hint("`pull = false` has movements listed instead"));
    };
    let Some(client_secret) = context.client_secret()? else {
        return Err(Failure::new(
            Kind::Environment,
            format!(
                "{CLIENT_SECRET_VARIABLE} is not set: notifications are the application's own, \
                 and need a token of its own"
            ),
        )
        .hint("put the client secret of your sandbox application into the environment variable; it is never stored")
        .hint("`[notifications] pull = false` has movements listed instead"));
    };
    Ok(Some(Application { client_id, client_secret }))
}
