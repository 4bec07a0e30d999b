//! Which address belongs to which environment.
//!
//! Source: HMRC Developer Hub, reference guide, environments. Sandbox and
//! Trader Test share one host; the difference is who answers.

use url::Url;

use crate::project::Environment;

/// The API host of HMRC's sandbox and of Trader Test.
pub const SANDBOX: &str = "https://test-api.service.hmrc.gov.uk";

/// Where traders sign in for it: another host than the API's.
const SANDBOX_SIGN_IN: &str = "https://test-www.tax.service.gov.uk";

/// An address that does not belong to the environment.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Not an address at all.
    #[error("`{0}` is not an http or https address")]
    NotAnAddress(String),
    /// Evidence from elsewhere would claim to be HMRC's.
    #[error(
        "`{url}` is not HMRC's: evidence for `{}` must come from {SANDBOX}",
        environment.as_str()
    )]
    NotHmrc {
        /// The address given.
        url: String,
        /// The environment asked for.
        environment: Environment,
    },
    /// The simulator listens on this machine only.
    #[error("`{0}` is not on this machine: the simulator is reached by a loopback address")]
    NotLoopback(String),
}

/// The base address of an environment: the one given, checked, or HMRC's.
/// None for the simulator without an address: it is embedded then.
///
/// # Errors
/// When `given` is no address, or not one of that environment.
pub fn base_url(environment: Environment, given: Option<&str>) -> Result<Option<Url>, HostError> {
    let Some(text) = given else {
        return match environment {
            Environment::Simulator => Ok(None),
            Environment::Sandbox | Environment::TraderTest => {
                Url::parse(SANDBOX).map(Some).map_err(|_| HostError::NotAnAddress(SANDBOX.into()))
            }
        };
    };
    let shown = || text.chars().take(200).collect::<String>();
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .filter(|url| url.username().is_empty() && url.password().is_none())
        .ok_or_else(|| HostError::NotAnAddress(redact_userinfo(&shown())))?;
    match environment {
        Environment::Simulator if !is_loopback(&url) => Err(HostError::NotLoopback(shown())),
        Environment::Sandbox | Environment::TraderTest if !is_hmrc(&url) => {
            Err(HostError::NotHmrc { url: shown(), environment })
        }
        _ => Ok(Some(url)),
    }
}

/// Where traders sign in for the API at `base`: HMRC's own host, or with a
/// simulator the simulator.
pub fn sign_in(base: &Url) -> Url {
    match Url::parse(SANDBOX_SIGN_IN) {
        Ok(host) if is_hmrc(base) => host,
        _ => base.clone(),
    }
}

fn is_hmrc(url: &Url) -> bool {
    Url::parse(SANDBOX).is_ok_and(|hmrc| url.origin() == hmrc.origin())
}

/// Whether an address is on this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What stands before an `@` may be a password.
fn redact_userinfo(text: &str) -> String {
    match text.rfind('@') {
        Some(at) => format!("…{}", &text[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_environment_has_its_own_addresses() {
        use Environment::{Sandbox, Simulator, TraderTest};
        let ok = |environment, given| base_url(environment, given).is_ok();
        assert_eq!(base_url(Simulator, None).unwrap(), None);
        assert_eq!(base_url(TraderTest, None).unwrap().unwrap().as_str(), format!("{SANDBOX}/"));
        for (environment, given, expected) in [
            (TraderTest, "https://test-api.service.hmrc.gov.uk", true),
            (TraderTest, "https://test-api.service.hmrc.gov.uk/", true),
            (TraderTest, "http://test-api.service.hmrc.gov.uk", false),
            (TraderTest, "https://test-api.service.hmrc.gov.uk.example.com", false),
            (TraderTest, "https://api.service.hmrc.gov.uk", false),
            (Sandbox, "http://127.0.0.1:8080", false),
            (Simulator, "http://127.0.0.1:8080", true),
            (Simulator, "http://[::1]:8080", true),
            (Simulator, "http://localhost:8080", true),
            (Simulator, "https://test-api.service.hmrc.gov.uk", false),
            (Simulator, "http://localhost.example.com", false),
            (Simulator, "file:///etc", false),
            (Simulator, "nonsense", false),
        ] {
            assert_eq!(ok(environment, Some(given)), expected, "{environment:?} {given}");
        }
    }

    #[test]
    fn traders_sign_in_at_hmrcs_other_host() {
        let host = |base: &str| sign_in(&base.parse().unwrap()).to_string();
        assert_eq!(host(SANDBOX), "https://test-www.tax.service.gov.uk/");
        assert_eq!(host("http://127.0.0.1:8989"), "http://127.0.0.1:8989/");
    }

    #[test]
    fn a_password_in_an_address_is_not_repeated() {
        let error = base_url(Environment::Simulator, Some("http://u:pa55@127.0.0.1")).unwrap_err();
        assert!(!error.to_string().contains("pa55"), "{error}");
    }
}
