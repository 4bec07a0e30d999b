//! The connection to the environment. It adds nothing to a request and follows
//! nothing; so it is hyper itself, for a client library adds headers and takes
//! compression off. Names, certificates and companies' proxies are as for our
//! own calls: TLS by rustls with the platform's roots, proxies by the
//! environment variables that everyone knows, none for this machine.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri, body::Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use url::Url;

use crate::hmrc::hosts;
use crate::hmrc::transport::NoAnswer;

/// Any failure of a body.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that is passed on.
pub(super) type Passing = UnsyncBoxBody<Bytes, BodyError>;

/// For the connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// From the request to the head of the answer. HMRC's own hand-over waits up to
/// 30 seconds three times over (API source, transit-movements-router).
pub(super) const TIMEOUT: Duration = Duration::from_secs(100);

/// How long a connection that nobody uses stays open.
const IDLE: Duration = Duration::from_secs(30);

/// The connection cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetUpError {
    /// The platform's certificates cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The address is none that HTTP knows.
    #[error("`{0}` is not an address to pass requests on to")]
    Address(String),
}

/// Reaches the environment.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Way,
    scheme: Scheme,
    authority: Authority,
    /// What stands before every path; mostly nothing.
    prefix: String,
}

#[derive(Debug)]
enum Way {
    Direct(Client<HttpsConnector<HttpConnector>, Passing>),
    Tunnelled(Client<HttpsConnector<Tunnel<HttpConnector>>, Passing>),
}

impl Upstream {
    /// Reaches the environment at `base`.
    ///
    /// # Errors
    /// When the address is none, or the platform has no usable certificates.
    pub(super) fn new(base: &Url) -> Result<Self, SetUpError> {
        let wrong = || SetUpError::Address(base.as_str().to_owned());
        let uri: Uri = base.as_str().parse().map_err(|_| wrong())?;
        let scheme = uri.scheme().cloned().ok_or_else(wrong)?;
        let authority = uri.authority().cloned().ok_or_else(wrong)?;
        // A second installation only says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let proxy = match hosts::is_loopback(base) {
            true => None,
            false => Matcher::from_env().intercept(&uri),
        };
        let tls = ClientConfig::with_platform_verifier()?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .http1_preserve_header_case(true)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .set_host(false);
        let client = match proxy {
            None => Way::Direct(builder.build((http, tls).into())),
            Some(proxy) => {
                let tunnel = Tunnel::new(proxy.uri().clone(), http);
                let tunnel = match proxy.basic_auth() {
                    Some(login) => tunnel.with_auth(login.clone()),
                    None => tunnel,
                };
                Way::Tunnelled(builder.build((tunnel, tls).into()))
            }
        };
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { client, scheme, authority, prefix })
    }

    /// Whom it reaches, as `Host` says it.
    pub(super) fn host(&self) -> &str {
        self.authority.as_str()
    }

    /// The address of a path with its query there; none where it can be none.
    pub(super) fn address(&self, path: &str) -> Option<Uri> {
        let path = format!("{}{path}", self.prefix);
        let path = PathAndQuery::from_maybe_shared(Bytes::from(path)).ok()?;
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .ok()
    }

    /// Sends a request, once.
    pub(super) async fn send(
        &self,
        request: Request<Passing>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let sent = match &self.client {
            Way::Direct(client) => client.request(request),
            Way::Tunnelled(client) => client.request(request),
        };
        match tokio::time::timeout(TIMEOUT, sent).await {
            Ok(answer) => answer.map_err(|error| no_answer(&error)),
            Err(_) => Err(NoAnswer {
                failure: "timeout",
                detail: format!("no answer within {} seconds", TIMEOUT.as_secs()),
                may_have_arrived: true,
            }),
        }
    }
}

fn no_answer(error: &Error) -> NoAnswer {
    let cause = root_cause(error);
    match error.is_connect() {
        // A request that never got a connection cannot have arrived.
        true => NoAnswer {
            failure: "connect",
            detail: format!("no connection: {cause}"),
            may_have_arrived: false,
        },
        false => NoAnswer {
            failure: "request",
            detail: format!("the connection broke: {cause}"),
            may_have_arrived: true,
        },
    }
}

/// The innermost cause: it names no address, which may carry a password.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
