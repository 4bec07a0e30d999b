//! Errors at the edge: what failed, where, what to do, and the exit code.

use std::fmt::Display;

use serde::Serialize;

use super::exit;
use crate::catalogue::{CatalogueError, OverlayError};
use crate::engine::BatchError;
use crate::evidence::EvidenceError;
use crate::project::ProjectError;

/// Whose matter an error is; decides prefix and exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The command line.
    Usage,
    /// A settings or input file.
    Input,
    /// The environment or the network.
    Environment,
    /// ctc-ready itself.
    Bug,
}

impl Kind {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Usage => exit::USAGE,
            Self::Input => exit::INPUT,
            Self::Environment => exit::ENVIRONMENT,
            Self::Bug => exit::BUG,
        }
    }
}

/// An error as the user sees it.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// Whose matter it is.
    pub kind: Kind,
    /// What failed, and where.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl Failure {
    /// An error without hints.
    pub fn new(kind: Kind, message: impl Display) -> Self {
        Self { kind, message: message.to_string(), hints: Vec::new() }
    }

    /// An error about the command line.
    pub fn usage(message: impl Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// An error about a file.
    pub fn input(message: impl Display) -> Self {
        Self::new(Kind::Input, message)
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// An error of a library floor with the causes behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        let failure = Self::input(chain(&error));
        match error {
            ProjectError::NotFound(_) => failure.hint("`--project DIR` names a project elsewhere"),
            _ => failure,
        }
    }
}

impl From<CatalogueError> for Failure {
    fn from(error: CatalogueError) -> Self {
        // The built-in catalogue is tested: what is wrong with it is our bug.
        Self::new(Kind::Bug, chain(&error))
    }
}

impl From<OverlayError> for Failure {
    fn from(error: OverlayError) -> Self {
        Self::input(chain(&error)).hint("see `[catalogue] path` in ctc-ready.toml")
    }
}

impl From<EvidenceError> for Failure {
    fn from(error: EvidenceError) -> Self {
        let text = chain(&error);
        match error {
            EvidenceError::InUse { .. } => Self::new(Kind::Environment, text)
                .hint("wait until it has ended, then call this again")
                .hint("`ctc-ready status` and `gate` can be called meanwhile"),
            EvidenceError::File(error) => error.into(),
            _ => Self::input(text),
        }
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        let text = chain(&error);
        match error {
            BatchError::Evidence(error) => error.into(),
            BatchError::Payload(_) => Self::input(text)
                .hint("nothing was sent; mend the file or `[payloads]` in ctc-ready.toml"),
            BatchError::Mail(_) | BatchError::Broken(_) => Self::new(Kind::Bug, text),
            BatchError::SetUp(error) => error.into(),
            BatchError::Renewal(error) => Self::from(error)
                .hint("nothing is lost: `ctc-ready run` goes on where it stopped"),
            BatchError::Unauthorised(_) => Self::new(Kind::Environment, text)
                .hint("`ctc-ready auth login` signs in again; or set CTC_READY_TOKEN to a fresh user-restricted access token (they last 4 hours)")
                .hint("nothing is lost: `ctc-ready run` goes on where it stopped"),
            BatchError::Application(_) => Self::new(Kind::Environment, text)
                .hint("`[auth] client-id` and CTC_READY_CLIENT_SECRET are those of the sandbox application for which the bearer token was made; it must be subscribed to the Push Pull Notifications API")
                .hint("nothing was sent; `pull = false` has movements listed instead"),
            BatchError::InjectionForbidden(_) => Self::new(Kind::Environment, text)
                .hint(format!("the sandbox application must be subscribed to the CTC Traders test support API, and the token's scopes must have `{}`", crate::hmrc::test_support::SCOPE))
                .hint("nothing is lost: `ctc-ready run` goes on where it stopped"),
            BatchError::Forbidden(_) => forbidden(text)
                .hint("nothing is lost: `ctc-ready run` goes on where it stopped"),
        }
    }
}

/// What to do about HTTP 403, by the code that the gateway or the API gave
/// (Developer Hub reference guide, error responses).
fn forbidden(text: String) -> Failure {
    let failure = Failure::new(Kind::Environment, &text);
    let subscribe = "the sandbox application must be subscribed to this version of the API, on its page on the Developer Hub";
    let scope = "the token's scope must cover the API: `ctc-ready auth login` asks for what the project's programmes need, and `auth status` shows what there is";
    let trader = "whoever signed in must be a trader with the transit enrolment: `ctc-ready test-user create` makes one, then sign in again";
    if text.contains("RESOURCE_FORBIDDEN") {
        failure.hint(subscribe)
    } else if text.contains("INVALID_SCOPE") {
        failure.hint(scope)
    } else if text.contains("FORBIDDEN") {
        failure.hint(trader)
    } else {
        failure.hint(subscribe).hint(scope).hint(trader)
    }
}

impl From<crate::document::DocumentError> for Failure {
    fn from(error: crate::document::DocumentError) -> Self {
        Self::input(chain(&error))
    }
}

impl From<crate::payload::PayloadError> for Failure {
    fn from(error: crate::payload::PayloadError) -> Self {
        Self::input(chain(&error))
    }
}

impl From<crate::project::XsdError> for Failure {
    fn from(error: crate::project::XsdError) -> Self {
        Self::input(chain(&error))
            .hint("`--xsd DIR` and `[payloads] xsd` name the folder with HMRC's XSD files")
    }
}

impl From<crate::report::ReportError> for Failure {
    fn from(error: crate::report::ReportError) -> Self {
        Self::new(Kind::Bug, chain(&error))
    }
}

impl From<crate::report::PageError> for Failure {
    fn from(error: crate::report::PageError) -> Self {
        Self::new(Kind::Bug, chain(&error))
    }
}

impl From<crate::files::FileError> for Failure {
    fn from(error: crate::files::FileError) -> Self {
        let text = chain(&error);
        match error.is_out_of_room() {
            true => Self::new(Kind::Environment, text).hint(
                "make room on that disk, then call this again: nothing that was written before is \
                 lost",
            ),
            false => Self::input(text),
        }
    }
}

impl From<crate::hmrc::hosts::HostError> for Failure {
    fn from(error: crate::hmrc::hosts::HostError) -> Self {
        Self::input(chain(&error)).hint("see `run.base-url` in ctc-ready.toml, or `--base-url`")
    }
}

impl From<crate::simulator::SimulatorError> for Failure {
    fn from(error: crate::simulator::SimulatorError) -> Self {
        use crate::simulator::{SimulatorError, StateError};
        let text = chain(&error);
        match error {
            SimulatorError::State(StateError::InUse { .. }) => Self::new(Kind::Environment, text)
                .hint("stop that simulator, or name another folder with `--state`"),
            SimulatorError::State(_) => Self::input(text),
            _ => Self::new(Kind::Environment, text),
        }
    }
}
