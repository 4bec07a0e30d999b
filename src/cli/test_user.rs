//! `test-user`: who can sign in at HMRC's sandbox.
//!
//! The password opens nothing but a made-up trader in a sandbox, but it is kept
//! and shown like any other: in a file of the user's alone, and on a terminal
//! when asked for, so that no log of a build has it.

use std::io::IsTerminal;

use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::args::{Server, TestUserCommand};
use super::auth::{application, held};
use super::bearer::{a_server, profile, shelf};
use super::context::{CLIENT_SECRET_VARIABLE, Context, Desk};
use super::exit;
use super::failure::{Failure, Kind};
use super::printer::{BOLD, GOOD, paint};
use super::wire::Wire;
use super::{mask, runtime};
use crate::hmrc::ctc;
use crate::hmrc::oauth::{self, Fault, TokenError};
use crate::hmrc::test_users::{self, TestUser, UserKind};
use crate::hmrc::tokens::Place;

/// `test-user … --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TestUserReport {
    /// Always 1.
    schema_version: u32,
    profile: String,
    kind: UserKind,
    /// What to type where HMRC asks for the user id.
    user_id: String,
    eori: Option<String>,
    /// What HMRC calls the user.
    name: Option<String>,
    created: chrono::DateTime<chrono::Utc>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, command: &TestUserCommand) -> Result<u8, Failure> {
    let (server, show_password) = match command {
        TestUserCommand::Create(args) => (&args.server, args.show_password),
        TestUserCommand::Show(args) => (&args.server, args.show_password),
    };
    if show_password && (context.printer.json() || !std::io::stdout().is_terminal()) {
        return Err(Failure::usage("`--show-password` is for people at a terminal")
            .hint("without it everything else is shown"));
    }
    let desk = Desk::open(context)?;
    let (_, base) = a_server(&desk.project.settings, server, "test-user")?;
    let profile = profile(&desk.project.settings, server.profile.as_ref())?;
    let place = shelf(context)?.place(&profile, &base);
    let (user, done) = match command {
        TestUserCommand::Create(args) => {
            let kind = if args.individual { UserKind::Individual } else { UserKind::Organisation };
            (create(context, &desk, server, &place, kind)?, "made a test user")
        }
        TestUserCommand::Show(_) => {
            let user = TestUser::load(&place)?.ok_or_else(|| {
                Failure::input(format!("profile `{profile}` has no test user at `{base}`"))
                    .hint("`ctc-ready test-user create` makes one")
            })?;
            (user, "test user")
        }
    };
    let report = TestUserReport {
        schema_version: 1,
        profile: profile.to_string(),
        kind: user.kind,
        user_id: user.user_id,
        eori: user.eori,
        name: user.name,
        created: user.created,
    };
    context.printer.document(&report);
    let printer = &mut context.printer;
    printer.line(format!("{} of profile {}", paint(GOOD, done), paint(BOLD, &report.profile)));
    printer.line(format!("  user id   {}", report.user_id));
    match show_password {
        true => printer.line(format!("  password  {}", user.password.expose_secret())),
        false => {
            printer.line("  password  kept; `ctc-ready test-user show --show-password` shows it")
        }
    }
    printer.line(format!("  EORI      {}", report.eori.as_deref().unwrap_or("-")));
    if let Some(name) = &report.name {
        printer.line(format!("  name      {name}"));
    }
    printer.line("");
    printer.line("next: `ctc-ready auth login`, and sign in with user id and password");
    Ok(exit::DONE)
}

fn create(
    context: &Context,
    desk: &Desk,
    server: &Server,
    place: &Place,
    kind: UserKind,
) -> Result<TestUser, Failure> {
    let (_, base) = a_server(&desk.project.settings, server, "test-user")?;
    let application = application(context, desk)?;
    mask::learn(&application.client_secret);
    // Before HMRC makes a user that could not be kept.
    let holding = held(place)?;
    let wire = Wire::new(context, &desk.project, &base)?;
    let failed = |message: String| Failure::new(Kind::Environment, message);
    let user = runtime()?.block_on(async {
        let no_answer = |none: crate::hmrc::transport::NoAnswer| {
            failed(format!("no test user from `{base}`: {}", none.detail))
        };
        let sent_at = context.clock.now();
        let answer =
            wire.send(&application.client_credentials(&base, &[])).await.map_err(no_answer)?;
        let token = oauth::token(&answer, sent_at).map_err(|error| {
            let text = format!("the application got no token: {error}");
            match error {
                TokenError::Refused(refusal) if refusal.fault == Fault::Application => failed(text)
                    .hint(format!(
                        "{CLIENT_SECRET_VARIABLE} must hold a client secret of the application \
                         that `auth.client-id` names"
                    )),
                _ => failed(text),
            }
        })?;
        mask::learn(&token.secret);
        let call = test_users::create(&base, token.secret, kind);
        let answer = wire.send(&call).await.map_err(no_answer)?;
        match answer.status {
            201 => test_users::created(kind, &answer.body, context.now())
                .map_err(|error| failed(error.to_string())),
            status => {
                let failure = failed(format!("no test user was made: {}", ctc::problem(&answer)));
                Err(match status {
                    403 => failure.hint(
                        "the sandbox application must be subscribed to the Create Test User API",
                    ),
                    _ => failure,
                })
            }
        }
    })?;
    user.save(place, &holding)?;
    Ok(user)
}
