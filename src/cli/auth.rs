//! `auth`: signing in as a trader, who is signed in, signing out.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use url::Url;

use super::application::no_client_id;
use super::args::{AuthCommand, Login, Server};
use super::bearer::{ENDS_SOON, a_server, profile, scopes, shelf};
use super::context::{CLIENT_SECRET_VARIABLE, Context, Desk, PROFILES_VARIABLE, TOKEN_VARIABLE};
use super::exit;
use super::failure::{Failure, Kind};
use super::keys::refuse_project;
use super::printer::{BOLD, CARE, GOOD, Printer, paint};
use super::wire::Wire;
use super::{mask, runtime};
use crate::calendar::london;
use crate::hmrc::callback::Callback;
use crate::hmrc::oauth::{self, Application, Fault, TokenError};
use crate::hmrc::signin::{RedirectError, SignIn};
use crate::hmrc::tokens::kept::Holding;
use crate::hmrc::tokens::{Kept, Place, Profile};
use crate::hmrc::{ctc, hosts};
use crate::project::{Environment, network};

/// How long the browser may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How far this machine's clock may be from HMRC's without a word.
const SKEW: chrono::Duration = chrono::Duration::seconds(60);

/// `auth … --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuthReport {
    /// Always 1.
    schema_version: u32,
    /// Whether there are tokens, and the consent they rest on has not ended.
    signed_in: bool,
    profile: String,
    environment: Environment,
    /// The API's address.
    address: String,
    /// The sign-in, where there is one.
    sign_in: Option<SignedIn>,
    /// Whether CTC_READY_TOKEN is set, which goes before all profiles.
    overridden: bool,
    /// The profiles that are signed in at this address.
    profiles: Vec<String>,
}

/// A trader's sign-in.
#[derive(Debug, Serialize, JsonSchema)]
struct SignedIn {
    /// The application's client id.
    client_id: String,
    /// What may be done.
    scopes: Vec<String>,
    /// When the access token ends; it is renewed before.
    access_ends: DateTime<Utc>,
    /// When the trader must sign in again, however often it is renewed.
    grant_ends: DateTime<Utc>,
    /// Whether that is within 60 days.
    ends_soon: bool,
    /// `keyring` or `file`.
    kept_in: &'static str,
    /// The file; with a keyring, that of everything but the tokens.
    file: String,
}

/// Whose tokens, and for which server.
struct Target {
    desk: Desk,
    environment: Environment,
    base: Url,
    place: Place,
}

impl Target {
    fn new(context: &Context, args: &Server) -> Result<Self, Failure> {
        let desk = Desk::open(context)?;
        let settings = &desk.project.settings;
        let (environment, base) = a_server(settings, args, "auth")?;
        let profile = profile(settings, args.profile.as_ref())?;
        let place = shelf(context)?.place(&profile, &base);
        Ok(Self { desk, environment, base, place })
    }

    fn report(&self, context: &Context, kept: Option<&Kept>) -> Result<AuthReport, Failure> {
        let now = context.now();
        let sign_in = kept.map(|kept| SignedIn {
            client_id: kept.client_id.clone(),
            scopes: kept.scopes.clone(),
            access_ends: kept.ends_at,
            grant_ends: kept.grant_ends_at,
            ends_soon: kept.grant_ends_at - now < ENDS_SOON,
            kept_in: if kept.in_ring { "keyring" } else { "file" },
            file: self.place.file().display().to_string(),
        });
        let profiles = shelf(context)?.profiles(&self.base)?;
        Ok(AuthReport {
            schema_version: 1,
            signed_in: kept.is_some_and(|kept| now < kept.grant_ends_at),
            profile: self.place.profile().to_string(),
            environment: self.environment,
            address: self.base.as_str().trim_end_matches('/').to_owned(),
            sign_in,
            overridden: context.token()?.is_some(),
            profiles: profiles.iter().map(Profile::to_string).collect(),
        })
    }
}

/// Runs the command.
pub(super) fn run(context: &mut Context, command: &AuthCommand) -> Result<u8, Failure> {
    match command {
        AuthCommand::Login(args) => login(context, args),
        AuthCommand::Status(args) => {
            let target = Target::new(context, args)?;
            let kept = target.place.load()?;
            let report = target.report(context, kept.as_ref())?;
            context.printer.document(&report);
            print(&mut context.printer, &report, context.clock.now());
            Ok(if report.signed_in { exit::DONE } else { exit::WANTING })
        }
        AuthCommand::Logout(args) => logout(context, args),
    }
}

fn logout(context: &mut Context, args: &Server) -> Result<u8, Failure> {
    let target = Target::new(context, args)?;
    let forgotten = target.place.forget(&held(&target.place)?)?;
    let report = target.report(context, None)?;
    context.printer.document(&report);
    let printer = &mut context.printer;
    let (profile, address) = (&report.profile, &report.address);
    if !forgotten {
        printer.line(format!("nobody was signed in as `{profile}` at {address}"));
        return Ok(exit::DONE);
    }
    printer.line(format!("{} as `{profile}` at {address}", paint(GOOD, "signed out")));
    printer.prose(
        2,
        "The tokens are gone from this machine. The consent itself lasts until the trader \
         withdraws it, on HMRC's page for managing the software that may act for them.",
    );
    Ok(exit::DONE)
}

/// The right to change what is kept.
///
/// # Errors
/// When another process has it, or the folder is not fit for secrets.
pub(super) fn held(place: &Place) -> Result<Holding, Failure> {
    let file = place.file();
    if let Some(folder) = file.parent() {
        refuse_project(folder, "the tokens", PROFILES_VARIABLE)?;
    }
    place.hold()?.ok_or_else(|| {
        Failure::new(
            Kind::Environment,
            format!("another process is renewing the tokens of profile `{}`", place.profile()),
        )
        .hint("call this again in a moment")
    })
}

/// The application that signs in, or is to.
///
/// # Errors
/// When its client id or its secret is missing.
pub(super) fn application(context: &Context, desk: &Desk) -> Result<Application, Failure> {
    let client_id = desk.project.settings.client_id();
    let client_id = client_id.ok_or_else(|| no_client_id("signing in needs it"))?.to_owned();
    let client_secret = context.client_secret()?.ok_or_else(|| {
        Failure::new(
            Kind::Environment,
            format!("{CLIENT_SECRET_VARIABLE} is not set: HMRC gives tokens to applications that prove who they are"),
        )
        .hint("put the client secret of your sandbox application into the environment variable; it is never stored")
    })?;
    Ok(Application { client_id, client_secret })
}

fn login(context: &mut Context, args: &Login) -> Result<u8, Failure> {
    let target = Target::new(context, &args.server)?;
    let desk = &target.desk;
    let application = application(context, desk)?;
    let redirect = desk.project.settings.auth.redirect.clone();
    let here = network::redirect(&redirect)
        .map_err(|why| Failure::input(format!("`auth.redirect` {why}")))?;
    let mut scopes = scopes(desk.programmes(None)?);
    if target.environment == Environment::Sandbox {
        scopes.push(ctc::TEST_SUPPORT_SCOPE);
    }
    // What would be in the way afterwards is told before the browser opens.
    drop(held(&target.place)?);
    let wire = Wire::new(context, &desk.project, &target.base)?;
    let client_id = application.client_id.clone();
    let sign_in = SignIn::begin(application, &scopes, &redirect).map_err(|error| {
        Failure::new(Kind::Environment, format!("the system gives no random bytes: {error}"))
    })?;
    sign_in.secrets().into_iter().for_each(mask::learn);
    let address = sign_in.address(&hosts::sign_in(&target.base));
    let clock = Arc::clone(&context.clock);
    let printer = &mut context.printer;
    let kept: Kept = runtime()?.block_on(async {
        let callback = Callback::listen(&here).await.map_err(|error| {
            Failure::new(
                Kind::Environment,
                format!("nothing can listen at `{redirect}`, where the browser would come back to: {error}"),
            )
            .hint("does another `ctc-ready auth login` wait there?")
            .hint("`auth.redirect` in ctc-ready.toml names another port; it must be registered on the Developer Hub too")
        })?;
        printer.note(format!("sign in as `{}` at:", target.place.profile()));
        printer.note(address.as_str());
        if !args.no_browser && !open(&address) {
            printer.note("no browser could be opened: open that address yourself, on this machine");
        }
        printer.note("waiting for the browser to come back …");
        let sign_in = Arc::new(sign_in);
        let code = code(callback, &sign_in).await?;
        mask::learn(&code);
        let call = sign_in.exchange(&target.base, &code);
        let sent_at = clock.now();
        let answer = wire.send(&call).await.map_err(|none| {
            Failure::new(
                Kind::Environment,
                format!("the browser signed in, but `{}` gave no tokens: {}", target.base, none.detail),
            )
            .hint("call this again once it can be reached: the code of this sign-in is lost")
        })?;
        let granted = oauth::granted(&answer, sent_at).map_err(|error| refused(error, &scopes))?;
        mask::learn(&granted.access.secret);
        granted.refresh.iter().for_each(mask::learn);
        let server_now = answer.server_date.unwrap_or(sent_at);
        let skew = clock.now() - server_now;
        if skew.abs() > SKEW {
            let (minutes, way) = (skew.num_minutes().abs(), if skew > chrono::Duration::zero() { "ahead of" } else { "behind" });
            printer.note(format!(
                "{}: this machine's clock is {minutes} minutes {way} HMRC's: set it, for evidence \
                 by such a clock does not count",
                paint(CARE, "warning")
            ));
        }
        Ok::<_, Failure>(Kept::signed_in(granted, &client_id, &scopes, server_now))
    })?;
    let mut holding = held(&target.place)?;
    target.place.save(&kept, &holding)?;
    holding.end()?;
    let kept = target.place.load()?;
    let report = target.report(context, kept.as_ref())?;
    context.printer.document(&report);
    print(&mut context.printer, &report, context.clock.now());
    Ok(exit::DONE)
}

/// Waits for the browser, and reads what it brings.
async fn code(callback: Callback, sign_in: &Arc<SignIn>) -> Result<SecretString, Failure> {
    let judged = Arc::clone(sign_in);
    let judge = Arc::new(move |query: &str| judged.code(query).is_ok());
    let query = tokio::select! {
        query = tokio::time::timeout(PATIENCE, callback.query(judge)) => query,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::new(Kind::Environment, "interrupted; nobody was signed in"));
        }
    };
    let query = query.map_err(|_| {
        let minutes = PATIENCE.as_secs() / 60;
        Failure::new(
            Kind::Environment,
            format!("the browser did not come back within {minutes} minutes; nobody was signed in"),
        )
        .hint("did HMRC's page report an error? The redirect URI in the address must be registered for your application, character by character")
        .hint("call this again to have another address")
    })?;
    sign_in.code(query.expose_secret()).map_err(|error| {
        let failure = Failure::new(Kind::Environment, format!("{error}; nobody was signed in"));
        match error {
            RedirectError::Denied(_) => failure.hint("to try again, call this again and grant authority on HMRC's page"),
            RedirectError::Refused(_) => failure.hint("the application must be subscribed to the APIs whose scopes are asked for"),
            RedirectError::NoState | RedirectError::OtherState => failure
                .hint("an old page may have been loaded again, or someone tried to sign you in as somebody else: close it, and call this again"),
            RedirectError::NoCode | RedirectError::Twice(_) => failure.hint("call this again"),
        }
    })
}

/// Why the code brought no tokens.
fn refused(error: TokenError, scopes: &[&str]) -> Failure {
    let failure = Failure::new(Kind::Environment, format!("HMRC gave no tokens: {error}"));
    match error {
        TokenError::Refused(refusal) => match refusal.fault {
            Fault::Application => failure.hint(format!(
                "{CLIENT_SECRET_VARIABLE} must hold a client secret of the application that \
                 `auth.client-id` names: the sandbox application's, not the production one's"
            )),
            Fault::Grant => failure.hint("a code works once, for 10 minutes: call this again"),
            Fault::Scope => failure.hint(format!(
                "the application must be subscribed to the APIs of {}",
                scopes.join(", ")
            )),
            Fault::Other => failure,
        },
        TokenError::Unusable(_) => failure.hint("call this again later"),
    }
}

/// Opens an address in the user's browser, without a shell.
fn open(address: &Url) -> bool {
    let (program, args): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(args).arg(address.as_str());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
}

fn print(printer: &mut Printer, report: &AuthReport, now: DateTime<Utc>) {
    let (profile, address) = (&report.profile, &report.address);
    match &report.sign_in {
        None => printer.line(format!("nobody is signed in as `{profile}` at {address}")),
        Some(sign_in) => {
            let state = match report.signed_in {
                true => paint(GOOD, "signed in"),
                false => paint(CARE, "signed in too long ago"),
            };
            printer.line(format!("{state} as {} at {address}", paint(BOLD, profile)));
            printer.line(format!("  application  {}", sign_in.client_id));
            printer.line(format!("  scopes       {}", sign_in.scopes.join(" ")));
            let ended = if sign_in.access_ends <= now { "ended" } else { "ends" };
            let at = london::for_planning(sign_in.access_ends);
            printer.line(format!("  access       {ended} {at}; it is renewed when needed"));
            let until = london::for_planning(sign_in.grant_ends);
            printer.line(format!("  consent      until {until}"));
            printer.line(format!("  kept in      {}: {}", sign_in.kept_in, sign_in.file));
            if sign_in.ends_soon {
                printer.line("");
                let warning = paint(CARE, "warning");
                printer.line(format!(
                    "{warning}: however often it is renewed, the consent ends with that day: \
                     `ctc-ready auth login` again before"
                ));
            }
        }
    }
    let others: Vec<&str> =
        report.profiles.iter().map(String::as_str).filter(|it| it != profile).collect();
    if !others.is_empty() {
        printer.line(format!("  other profiles here: {}", others.join(", ")));
    }
    if report.overridden {
        printer.line(format!("  {TOKEN_VARIABLE} is set, and `run` takes that token instead"));
    }
}
