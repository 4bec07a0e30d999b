//! `[auth]` and `[network]`: who signs in at HMRC, and how to get there.

use std::path::PathBuf;

use serde::Deserialize;
use url::{Host, Url};

/// Where the browser comes back to when the settings name no other place.
pub const REDIRECT: &str = "http://localhost:8917/callback";

/// How a trader signs in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AuthSettings {
    /// The client id of the sandbox application (no secret; its secret is).
    pub client_id: Option<String>,
    /// The profile whose tokens are used when no flag says otherwise.
    pub profile: Option<String>,
    /// Where HMRC sends the browser back to, exactly as the application's page
    /// on the Developer Hub has it: see [`redirect`].
    pub redirect: String,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { client_id: None, profile: None, redirect: REDIRECT.to_owned() }
    }
}

/// How to get to HMRC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NetworkSettings {
    /// The proxy for every request, but for those to this machine; without it,
    /// what `HTTPS_PROXY` and `NO_PROXY` say: see [`proxy`].
    pub proxy: Option<String>,
    /// PEM file of authorities trusted besides the platform's. Relative to the
    /// project's folder in the file, absolute in a [`super::Project`].
    pub ca: Option<PathBuf>,
}

/// A redirect address that can be registered, and that this program can listen
/// at: `http://localhost:<port>/…`. HMRC takes plain HTTP for `localhost` alone,
/// and compares everything with what is registered (Developer Hub, redirect
/// URIs).
///
/// # Errors
/// What is wrong with it, as in "`auth.redirect` …".
pub fn redirect(text: &str) -> Result<Url, &'static str> {
    let wrong = "must be an address of this machine with a port, such as \
                 `http://localhost:8917/callback`, as it is registered on the Developer Hub";
    let url = Url::parse(text).map_err(|_| wrong)?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let port = url.port().is_some_and(|port| port != 0);
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if url.scheme() == "http" && here && port && plain { Ok(url) } else { Err(wrong) }
}

/// The address of a proxy.
///
/// # Errors
/// What is wrong with it, as in "`network.proxy` …"; it is not repeated, since it
/// may hold a password.
pub fn proxy(text: &str) -> Result<Url, &'static str> {
    let wrong = "must be the address of a proxy, such as `http://proxy.example.com:8080`";
    let url = Url::parse(text).map_err(|_| wrong)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user name and password, since this file is made to be shared; \
                    put such an address into HTTPS_PROXY instead");
    }
    let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    match matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
        true => Ok(url),
        false => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_an_address_of_this_machine_with_a_port() {
        for good in [REDIRECT, "http://localhost:1/", "http://127.0.0.1:8080", "http://[::1]:81/"] {
            assert!(redirect(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost:8917",
            "http://localhost/callback",
            "http://localhost:0/callback",
            "https://localhost:8917/callback",
            "http://localhost.example.org:8917/",
            "http://u:p@localhost:8917/",
            "http://localhost:8917/?a=b",
            "http://localhost:8917/#x",
            "file:///callback",
        ] {
            assert!(redirect(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_has_no_password() {
        assert!(proxy("http://proxy.example.com:8080").is_ok());
        assert!(proxy("https://10.0.0.1/").is_ok());
        let secret = proxy("http://me:pa55@proxy.example.com").unwrap_err();
        assert!(secret.contains("HTTPS_PROXY") && !secret.contains("pa55"), "{secret}");
        for bad in ["", "proxy:8080", "socks5://proxy:1080", "http://proxy/path", "http://p?q"] {
            assert!(proxy(bad).is_err(), "{bad}");
        }
    }
}
