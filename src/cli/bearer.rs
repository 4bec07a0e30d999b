//! The bearer token that calls go with: CTC_READY_TOKEN, or else a profile that
//! signed in.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use url::Url;

use super::args::Server;
use super::context::{CLIENT_SECRET_VARIABLE, Context, PROFILES_VARIABLE, TOKEN_VARIABLE};
use super::failure::{Failure, Kind};
use super::mask;
use super::wire::Wire;
use crate::calendar::london;
use crate::catalogue::Programme;
use crate::clock::Clock;
use crate::evidence::Redactor;
use crate::hmrc::tokens::{
    Fixed, Kept, KeptError, Learn, Place, Profile, RenewError, Shelf, Stored, Tokens,
};
use crate::hmrc::transport::Carrier;
use crate::hmrc::{ctc, guarantees, hosts};
use crate::project::{Environment, Settings};

/// The environment and its address, from flags and settings; none: the
/// simulator is embedded.
///
/// # Errors
/// When the address is not one of the environment.
pub(super) fn server(
    settings: &Settings,
    environment: Option<Environment>,
    base_url: Option<&str>,
) -> Result<(Environment, Option<Url>), Failure> {
    let environment = environment.unwrap_or(settings.run.environment);
    let given = base_url.or_else(|| {
        // An address in the settings belongs to the environment there.
        settings.run.base_url.as_deref().filter(|_| environment == settings.run.environment)
    });
    Ok((environment, hosts::base_url(environment, given)?))
}

/// The same for what makes sense with a server alone.
///
/// # Errors
/// When the simulator would be embedded.
pub(super) fn a_server(
    settings: &Settings,
    args: &Server,
    command: &str,
) -> Result<(Environment, Url), Failure> {
    let (environment, url) = server(settings, args.environment, args.base_url.as_deref())?;
    let url = url.ok_or_else(|| {
        Failure::usage(format!(
            "`{command}` is for a server, and the built-in simulator is none: nobody signs in there"
        ))
        .hint("`ctc-ready simulate` is one; name its address with `--base-url`")
    })?;
    Ok((environment, url))
}

/// The profile that is meant.
///
/// # Errors
/// When the settings name none that can be.
pub(super) fn profile(settings: &Settings, given: Option<&Profile>) -> Result<Profile, Failure> {
    match (given, &settings.auth.profile) {
        (Some(profile), _) => Ok(profile.clone()),
        (None, Some(name)) => name
            .parse()
            .map_err(|why| Failure::input(format!("`auth.profile` of the settings: {why}"))),
        (None, None) => Ok(Profile::default()),
    }
}

/// The profiles of this user.
///
/// # Errors
/// When nothing says where they are.
pub(super) fn shelf(context: &Context) -> Result<Shelf, Failure> {
    let profiles = context.profiles.as_ref().ok_or_else(|| {
        Failure::new(Kind::Environment, "this user has no home folder for what signing in brings")
            .hint(format!("set {PROFILES_VARIABLE} to a folder that is yours alone"))
    })?;
    // A folder that was named is meant.
    Ok(Shelf::new(&profiles.folder, !profiles.named))
}

/// The scopes that programmes need of a trader's token.
pub(super) fn scopes<'a>(programmes: impl IntoIterator<Item = &'a Programme>) -> Vec<&'static str> {
    let mut scopes: Vec<&str> = programmes
        .into_iter()
        .map(|it| if it.declares() { ctc::SCOPE } else { guarantees::SCOPE })
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// The token there is for a run.
pub(super) enum Chosen {
    /// From the environment, or none that matters.
    Given(SecretString),
    /// A profile's, with what renews it.
    Profile(Box<Ready>),
}

/// A profile that signed in.
pub(super) struct Ready {
    place: Place,
    kept: Kept,
    base: Url,
    client_secret: Option<SecretString>,
}

/// Chooses the token for calls to a server (none: the embedded simulator), for
/// which these scopes are needed.
///
/// # Errors
/// When there is none, or it would not do.
pub(super) fn choose(
    context: &Context,
    settings: &Settings,
    (environment, base): (Environment, Option<&Url>),
    named: Option<&Profile>,
    scopes: &[&str],
) -> Result<Chosen, Failure> {
    if let Some(token) = context.token()? {
        if let Some(profile) = named {
            return Err(Failure::usage(format!(
                "`--profile {profile}` and {TOKEN_VARIABLE} both say whose token to use"
            ))
            .hint(format!("unset {TOKEN_VARIABLE}, or leave `--profile` out")));
        }
        return Ok(Chosen::Given(token));
    }
    let rehearsal = || Chosen::Given("rehearsal".to_owned().into());
    let Some(base) = base else {
        return match named {
            None => Ok(rehearsal()),
            Some(_) => Err(Failure::usage(
                "`--profile` is for a server, and the built-in simulator is none: nobody signs in there",
            )),
        };
    };
    let profile = profile(settings, named)?;
    let simulated = environment == Environment::Simulator && named.is_none();
    let shelf = match shelf(context) {
        Err(_) if simulated => return Ok(rehearsal()),
        shelf => shelf?,
    };
    let place = shelf.place(&profile, base);
    let Some(kept) = place.load()? else {
        return match simulated {
            true => Ok(rehearsal()),
            false => Err(nobody(&profile, base)),
        };
    };
    if settings.client_id().is_some_and(|own| own != kept.client_id) {
        return Err(Failure::new(
            Kind::Environment,
            format!(
                "profile `{profile}` signed in for the application `{}`, and `auth.client-id` of \
                 the settings names another",
                kept.client_id
            ),
        )
        .hint(sign_in_again(&profile)));
    }
    let lacking: Vec<&str> =
        scopes.iter().copied().filter(|scope| !kept.scopes.iter().any(|it| it == scope)).collect();
    if !lacking.is_empty() {
        return Err(Failure::new(
            Kind::Environment,
            format!("the sign-in of profile `{profile}` does not cover `{}`", lacking.join("`, `")),
        )
        .hint(format!(
            "{}: it asks for what the project's programmes need",
            sign_in_again(&profile)
        )));
    }
    tell_end(&profile, &kept, context.now());
    let client_secret = context.client_secret()?;
    Ok(Chosen::Profile(Box::new(Ready { place, kept, base: base.clone(), client_secret })))
}

impl Chosen {
    /// A token for calls that are made at once, before any evidence is open: a
    /// profile's is renewed, should it be due.
    ///
    /// # Errors
    /// When it is due and cannot be renewed.
    pub(super) async fn at_once(
        &self,
        wire: &Wire,
        clock: &Arc<dyn Clock>,
    ) -> Result<SecretString, Failure> {
        let ready = match self {
            Self::Given(token) => return Ok(token.clone()),
            Self::Profile(ready) => ready,
        };
        let Ready { place, kept, base, client_secret } = ready.as_ref();
        let learn: Learn = Arc::new(mask::learn);
        let (place, kept) = (place.clone(), kept.clone());
        let stored = Stored::new(place, kept, base.clone(), client_secret.clone(), learn);
        let held = stored.held();
        if held.replace_at.is_none_or(|due| clock.now() < due) {
            return Ok(held.secret);
        }
        let way: Arc<dyn Carrier> = Arc::clone(&wire.transport) as Arc<dyn Carrier>;
        let renewed = Arc::new(stored).renew(held.secret, way, Arc::clone(clock)).await?;
        Ok(renewed.secret)
    }

    /// Where calls have their token from, with every secret known to `redactor`
    /// before it is used.
    pub(super) fn tokens(self, redactor: &Arc<Redactor>) -> (Arc<dyn Tokens>, Option<Arc<Stored>>) {
        match self {
            Self::Given(token) => (Arc::new(Fixed::new(token)), None),
            Self::Profile(ready) => {
                let Ready { place, kept, base, client_secret } = *ready;
                let redactor = Arc::clone(redactor);
                let learn: Learn = Arc::new(move |secret| {
                    redactor.learn(secret);
                    mask::learn(secret);
                });
                let stored = Arc::new(Stored::new(place, kept, base, client_secret, learn));
                (Arc::clone(&stored) as Arc<dyn Tokens>, Some(stored))
            }
        }
    }
}

/// How long before a trader's consent ends that is told.
pub(super) const ENDS_SOON: chrono::Duration = chrono::Duration::days(60);

/// Tells of a consent that ends soon.
fn tell_end(profile: &Profile, kept: &Kept, now: DateTime<Utc>) {
    if kept.grant_ends_at - now < ENDS_SOON {
        tracing::warn!(
            "the sign-in of profile `{profile}` ends on {}: `ctc-ready auth login` again before",
            london::day_of(kept.grant_ends_at)
        );
    }
}

fn sign_in_again(profile: &Profile) -> String {
    match profile.as_str() {
        Profile::DEFAULT => "`ctc-ready auth login` signs in again".to_owned(),
        name => format!("`ctc-ready auth login --profile {name}` signs in again"),
    }
}

/// Nobody signed in.
fn nobody(profile: &Profile, base: &Url) -> Failure {
    let login = match profile.as_str() {
        Profile::DEFAULT => "ctc-ready auth login".to_owned(),
        name => format!("ctc-ready auth login --profile {name}"),
    };
    Failure::new(
        Kind::Environment,
        format!(
            "nobody is signed in as `{profile}` at `{base}`, and {TOKEN_VARIABLE} is not set: \
             HMRC's API needs a bearer token"
        ),
    )
    .hint(format!("`{login}` signs in with a browser; docs/signing-in.md tells how"))
    .hint(format!(
        "or put a user-restricted access token into {TOKEN_VARIABLE}; it is never stored"
    ))
    .hint("`ctc-ready run --environment simulator` rehearses without one")
}

impl From<KeptError> for Failure {
    fn from(error: KeptError) -> Self {
        let text = error.to_string();
        match error {
            KeptError::File(error) => error.into(),
            KeptError::Exposed(it) => Self::input(text)
                .hint(format!("`chmod {:o} {}`", it.wanted, it.path.display()))
                .hint(
                    "if others may have read it, have the trader withdraw the consent on HMRC's page, then `ctc-ready auth login` again",
                ),
            KeptError::Foreign { .. } => {
                Self::input(text).hint("`ctc-ready auth login` writes it anew")
            }
            KeptError::Ring(_) => Self::new(Kind::Environment, text).hint(format!(
                "unlock it; or name a folder in {PROFILES_VARIABLE}, and tokens are kept there"
            )),
        }
    }
}

impl From<RenewError> for Failure {
    fn from(error: RenewError) -> Self {
        let text = format!("the access token cannot be renewed: {error}");
        let failure = Self::new(Kind::Environment, text);
        match error {
            RenewError::Given => {
                failure.hint(format!("set {TOKEN_VARIABLE} to a fresh access token"))
            }
            RenewError::NoSecret => failure.hint(format!(
                "put the client secret of your sandbox application into {CLIENT_SECRET_VARIABLE}: \
                 tokens last 4 hours, and the next one is not given without it"
            )),
            RenewError::Over { profile, .. } => failure.hint(match profile.parse::<Profile>() {
                Ok(profile) => sign_in_again(&profile),
                Err(_) => "`ctc-ready auth login` signs in again".into(),
            }),
            RenewError::Application(_) => failure.hint(format!(
                "{CLIENT_SECRET_VARIABLE} must hold the client secret of the sandbox application \
                 that signed in; a new one is made on its page on the Developer Hub"
            )),
            RenewError::Refused(_) | RenewError::Unusable { .. } => {
                failure.hint("HMRC's sign-in service may be down: try again later")
            }
            RenewError::Busy => failure.hint("wait until it has ended, or end it"),
            RenewError::Kept(error) => error.into(),
        }
    }
}
