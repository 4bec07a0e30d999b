//! Signing in: the address to open in a browser, and what it comes back with.
//! The grant of an authorisation code, with PKCE and `state`. Pure but for
//! randomness.
//!
//! Source: Developer Hub, user-restricted endpoints; RFC 6749, section 4.1; RFC
//! 7636; RFC 9700, section 2.1.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

use super::oauth::{Application, is_token};
use super::transport::Call;
use crate::digest::Digest;

/// Most characters repeated of what a redirect says.
const SHOWN: usize = 200;

/// Why a redirect brings no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It answers nothing that was asked.
    #[error("the browser came back without `state`: it does not belong to any sign-in")]
    NoState,
    /// It answers something else.
    #[error("the browser came back with the `state` of another sign-in")]
    OtherState,
    /// The trader said no.
    #[error("the sign-in was refused: {0}")]
    Denied(String),
    /// HMRC said no.
    #[error("HMRC's sign-in page reports an error: {0}")]
    Refused(String),
    /// Neither a code nor an error.
    #[error("the browser came back without a code")]
    NoCode,
    /// A parameter that may stand there once.
    #[error("the browser came back with `{0}` twice")]
    Twice(&'static str),
}

/// One sign-in, from opening the browser to the tokens.
pub struct SignIn {
    application: Application,
    scopes: Vec<String>,
    redirect: String,
    state: SecretString,
    verifier: SecretString,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("redirect", &self.redirect).finish_non_exhaustive()
    }
}

impl SignIn {
    /// Begins one for an application, with these scopes. `redirect` is as it is
    /// registered.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn begin(
        application: Application,
        scopes: &[&str],
        redirect: &str,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self {
            application,
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            redirect: redirect.to_owned(),
            state: random()?,
            verifier: random()?,
        })
    }

    /// What nobody may see but HMRC and this process.
    pub fn secrets(&self) -> [&SecretString; 2] {
        [&self.verifier, &self.application.client_secret]
    }

    /// The address to open in a browser, at HMRC's sign-in host. It holds no
    /// secret of the application.
    pub fn address(&self, host: &Url) -> Url {
        let challenge = Digest::of(self.verifier.expose_secret().as_bytes());
        let mut url = super::api::below(host, &["oauth", "authorize"]);
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.application.client_id),
            ("scope", &self.scopes.join(" ")),
            ("redirect_uri", &self.redirect),
            ("state", self.state.expose_secret()),
            ("code_challenge", &URL_SAFE_NO_PAD.encode(challenge.as_bytes())),
            ("code_challenge_method", "S256"),
        ]);
        url
    }

    /// The code in the query that the browser came back with.
    ///
    /// # Errors
    /// Why there is none. What comes with another `state` is not even read.
    pub fn code(&self, query: &str) -> Result<SecretString, RedirectError> {
        let one = |name: &'static str| {
            let mut values = form_urlencoded::parse(query.as_bytes())
                .filter_map(|(key, value)| (key == name).then(|| value.into_owned()));
            match (values.next(), values.next()) {
                (_, Some(_)) => Err(RedirectError::Twice(name)),
                (value, None) => Ok(value.filter(|value| !value.is_empty())),
            }
        };
        let state = one("state")?.ok_or(RedirectError::NoState)?;
        // By their digests: comparing takes as long whatever they have in common.
        let own = self.state.expose_secret();
        if Digest::of(state.as_bytes()) != Digest::of(own.as_bytes()) {
            return Err(RedirectError::OtherState);
        }
        if let Some(error) = one("error")? {
            let words: Vec<String> =
                [Some(error.clone()), one("error_description")?, one("error_code")?]
                    .into_iter()
                    .flatten()
                    .map(|text| text.chars().filter(|c| !c.is_control()).take(SHOWN).collect())
                    .collect();
            let words = words.join(": ");
            return Err(match error.as_str() {
                "access_denied" => RedirectError::Denied(words),
                _ => RedirectError::Refused(words),
            });
        }
        let code = SecretString::from(one("code")?.ok_or(RedirectError::NoCode)?);
        if is_token(&code) { Ok(code) } else { Err(RedirectError::NoCode) }
    }

    /// POST that exchanges the code for tokens.
    pub fn exchange(&self, base: &Url, code: &SecretString) -> Call {
        self.application.authorisation_code(base, code, &self.redirect, &self.verifier)
    }
}

/// 256 random bits in 43 characters that every part of an address takes (the
/// shortest that RFC 7636, section 4.1, wants of a verifier).
fn random() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const REDIRECT: &str = "http://localhost:8917/callback";

    fn begun() -> SignIn {
        let application =
            Application { client_id: "id".into(), client_secret: "s3cret".to_owned().into() };
        SignIn::begin(application, &["read:a", "b"], REDIRECT).unwrap()
    }

    fn asked(sign_in: &SignIn) -> BTreeMap<String, String> {
        let url = sign_in.address(&"https://example.org".parse().unwrap());
        assert!(url.as_str().starts_with("https://example.org/oauth/authorize?"), "{url}");
        url.query_pairs().into_owned().collect()
    }

    #[test]
    fn the_address_is_as_documented_and_holds_no_secret() {
        let sign_in = begun();
        let asked = asked(&sign_in);
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "id"),
            ("scope", "read:a b"),
            ("redirect_uri", REDIRECT),
            ("code_challenge_method", "S256"),
        ] {
            assert_eq!(asked[name], value);
        }
        let verifier = sign_in.verifier.expose_secret();
        assert_eq!(verifier.len(), 43);
        let challenge = Digest::of(verifier.as_bytes());
        assert_eq!(asked["code_challenge"], URL_SAFE_NO_PAD.encode(challenge.as_bytes()));
        let shown = format!("{asked:?} {sign_in:?}");
        assert!(!shown.contains(verifier) && !shown.contains("s3cret"), "{shown}");
        assert_ne!(asked["state"], super::tests::asked(&begun())["state"]);
    }

    #[test]
    fn only_its_own_answer_is_taken() {
        let sign_in = begun();
        let state = &asked(&sign_in)["state"];
        let code = |query: &str| sign_in.code(&query.replace("OWN", state));
        assert_eq!(code("code=c0de&state=OWN").unwrap().expose_secret(), "c0de");
        for (query, expected) in [
            ("code=c0de", RedirectError::NoState),
            ("", RedirectError::NoState),
            ("code=c0de&state=", RedirectError::NoState),
            ("code=c0de&state=other", RedirectError::OtherState),
            ("code=c0de&state=OWN&state=OWN", RedirectError::Twice("state")),
            ("code=a&code=b&state=OWN", RedirectError::Twice("code")),
            ("state=OWN", RedirectError::NoCode),
            ("state=OWN&code=%0D%0Ax", RedirectError::NoCode),
            (
                "error=access_denied&error_description=user+said+no&state=OWN",
                RedirectError::Denied("access_denied: user said no".into()),
            ),
            (
                "error=invalid_scope&state=OWN&code=c0de",
                RedirectError::Refused("invalid_scope".into()),
            ),
            // An error of another sign-in is not this one's.
            ("error=access_denied&state=other", RedirectError::OtherState),
        ] {
            let error = code(query).unwrap_err();
            assert_eq!(error, expected, "{query}");
            assert!(!error.to_string().contains("c0de"));
        }
        let long = format!("error=x&error_description={}%1b[31m&state=OWN", "y".repeat(9_000));
        let said = code(&long).unwrap_err().to_string();
        assert!(said.len() < 500 && !said.contains('\u{1b}'), "{said}");
    }
}
