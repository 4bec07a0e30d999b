//! Arguments of signing in: `auth`, `test-user`.

use clap::{Args, Subcommand};

use crate::hmrc::tokens::Profile;
use crate::project::Environment;

/// `auth`.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Sign in as a trader, in a browser
    Login(Login),
    /// Show who is signed in, for what, and until when
    Status(Server),
    /// Forget a trader's tokens on this machine
    Logout(Server),
}

/// Whose tokens, and for which server.
#[derive(Debug, Args)]
pub struct Server {
    /// The trader [default: `auth.profile` of the settings, or `default`]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Where [default: the project's]
    #[arg(long, value_name = "ENVIRONMENT")]
    pub environment: Option<Environment>,
    /// Another address of the environment
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
}

/// `auth login`.
#[derive(Debug, Args)]
#[command(
    after_help = "HMRC's sign-in page opens in your browser and sends it back to this machine,\n\
    to `auth.redirect` of the settings, which must be among the redirect URIs of\n\
    your sandbox application. The application's secret is read from\n\
    CTC_READY_CLIENT_SECRET. No output ever shows a token; docs/signing-in.md\n\
    tells the whole way.\n\n\
    Example:\n  ctc-ready auth login --profile importer"
)]
pub struct Login {
    /// Whose tokens, and for which server.
    #[command(flatten)]
    pub server: Server,
    /// Show the address only; open it yourself, on this machine
    #[arg(long)]
    pub no_browser: bool,
}

/// `test-user`.
#[derive(Debug, Subcommand)]
pub enum TestUserCommand {
    /// Make a test user that can sign in at HMRC's sandbox as a trader
    Create(TestUserCreate),
    /// Show the test user of a profile
    Show(TestUserShow),
}

/// `test-user create`.
#[derive(Debug, Args)]
#[command(
    after_help = "It is an organisation with the transit service, and kept with the profile in\n\
    the place of the one before. The application's secret is read from\n\
    CTC_READY_CLIENT_SECRET. HMRC deletes test users that are not used for three\n\
    months.\n\n\
    Example:\n  ctc-ready test-user create --profile importer --show-password"
)]
pub struct TestUserCreate {
    /// Whose tokens, and for which server.
    #[command(flatten)]
    pub server: Server,
    /// An individual instead of an organisation
    #[arg(long)]
    pub individual: bool,
    /// Show the password, which HMRC's sign-in page asks for: on a terminal only
    #[arg(long)]
    pub show_password: bool,
}

/// `test-user show`.
#[derive(Debug, Args)]
pub struct TestUserShow {
    /// Whose tokens, and for which server.
    #[command(flatten)]
    pub server: Server,
    /// Show the password too: on a terminal only
    #[arg(long)]
    pub show_password: bool,
}
