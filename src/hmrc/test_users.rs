//! The Create Test User API, version 1.0: who can sign in at HMRC's sandbox.
//!
//! Source: HMRC's OpenAPI file and published source of the API
//! (api-platform-test-user). It is called with an application's own token,
//! without any scope.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use url::Url;

use super::api::{Api, ShapeError};
use super::oauth::is_token;
use super::tokens::kept::{self, Holding, KeptError, Place};
use super::transport::{Call, Method};

/// The API's version.
const VERSION: &str = "1.0";

/// The service that gives a test user the enrolment that the CTC Traders API
/// wants (published source).
const SERVICE: &str = "common-transit-convention-traders";

/// How a test user's file is called beside the tokens.
const FILE: &str = "test-user";

/// Longest text taken of an answer, in characters.
const LONGEST: usize = 200;

/// A kind of test user that can have the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UserKind {
    /// A company.
    Organisation,
    /// A person.
    Individual,
}

/// A test user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestUser {
    /// What kind.
    pub kind: UserKind,
    /// What to type where HMRC asks for the user id.
    pub user_id: String,
    /// What to type where it asks for the password.
    #[serde(serialize_with = "exposed", deserialize_with = "hidden")]
    pub password: SecretString,
    /// The trader's EORI number, which goes with every call.
    pub eori: Option<String>,
    /// What HMRC calls the user.
    pub name: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn hidden<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// POST that makes a test user with the service of transit.
pub fn create(base: &Url, token: SecretString, kind: UserKind) -> Call {
    let plural = match kind {
        UserKind::Organisation => "organisations",
        UserKind::Individual => "individuals",
    };
    Api::new(base.clone(), VERSION, token)
        .call(Method::Post, &["create-test-user", plural], "json")
        .body("application/json", json!({"serviceNames": [SERVICE]}).to_string())
}

/// Reads the answer to [`create`].
///
/// # Errors
/// When it has not the documented shape; its words are not repeated, since it
/// holds a password.
pub fn created(kind: UserKind, body: &[u8], now: DateTime<Utc>) -> Result<TestUser, ShapeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Created {
        user_id: String,
        #[serde(deserialize_with = "hidden")]
        password: SecretString,
        user_full_name: Option<String>,
        eori_number: Option<String>,
    }
    let wrong = || ShapeError("no test user is in it".into());
    let created: Created = serde_json::from_slice(body).map_err(|_| wrong())?;
    let plain = |text: &String| text.len() <= LONGEST && !text.chars().any(char::is_control);
    if !plain(&created.user_id) || !is_token(&created.password) {
        return Err(wrong());
    }
    Ok(TestUser {
        kind,
        user_id: created.user_id,
        password: created.password,
        eori: created.eori_number.filter(plain),
        name: created.user_full_name.filter(plain),
        created: now,
    })
}

impl TestUser {
    /// The test user of a profile; none where none was made.
    ///
    /// # Errors
    /// When others could read the file, or it is not what it should be.
    pub fn load(place: &Place) -> Result<Option<Self>, KeptError> {
        let path = place.beside(FILE);
        let Some(bytes) = kept::read_private(&path)? else { return Ok(None) };
        // The parser's words would quote the password.
        serde_json::from_slice(&bytes).map(Some).map_err(|_| KeptError::Foreign {
            path,
            message: "is not what `test-user create` writes".into(),
        })
    }

    /// Keeps it as the test user of a profile, in the place of the one before.
    /// Once this has returned it survives a crash.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self, place: &Place, _: &Holding) -> Result<(), KeptError> {
        kept::write_private(&place.beside(FILE), &kept::json(self)?)
    }
}
