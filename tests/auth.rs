//! Tokens, the way back from the browser, and the way to HMRC, without the
//! binary: what two processes, a lost answer, a proxy or a strange visitor do.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

#[path = "reference/mod.rs"]
#[allow(dead_code, reason = "only its word for what is skipped")]
mod reference;

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ctc_ready::clock::{Clock, ManualClock, SystemClock};
use ctc_ready::hmrc::callback::Callback;
use ctc_ready::hmrc::oauth::{Granted, Token};
use ctc_ready::hmrc::tokens::kept::Holding;
use ctc_ready::hmrc::tokens::{Kept, Place, Profile, RenewError, Shelf, Stored, Tokens};
use ctc_ready::hmrc::transport::{
    Answer, Call, Carried, Carrier, Method, Network, NoAnswer, Transport,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const BASE: &str = "https://test-api.service.hmrc.gov.uk";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// A sign-in service that answers what it is told to, each request after a
/// second.
#[derive(Default)]
struct Service {
    answers: Mutex<VecDeque<Result<Answer, NoAnswer>>>,
    asked: Mutex<Vec<String>>,
}

impl Service {
    fn answering(answers: impl IntoIterator<Item = Result<Answer, NoAnswer>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Carrier for Service {
    fn carry<'a>(&'a self, call: &'a Call, _: &'a dyn Clock) -> Carried<'a> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let body = String::from_utf8(call.body.clone().unwrap()).unwrap();
            self.asked.lock().unwrap().push(body);
            self.answers.lock().unwrap().pop_front().expect("a request too many")
        })
    }
}

fn answer(status: u16, body: &str) -> Result<Answer, NoAnswer> {
    let body = body.as_bytes().to_vec();
    Ok(Answer { status, headers: vec![], body, server_date: None, elapsed_ns: 0 })
}

fn tokens(nth: u32) -> Result<Answer, NoAnswer> {
    answer(
        200,
        &format!(
            r#"{{"access_token":"access-{nth}","token_type":"bearer","expires_in":14400,"refresh_token":"refresh-{nth}"}}"#
        ),
    )
}

fn place(folder: &Path) -> Place {
    Shelf::new(folder, false).place(&Profile::default(), &BASE.parse().unwrap())
}

fn hold(place: &Place) -> Holding {
    place.hold().unwrap().unwrap()
}

/// Signs in at instant 0, for 4 hours.
fn signed_in(place: &Place) -> Kept {
    let secret: SecretString = "access-0".to_owned().into();
    let granted = Granted {
        access: Token { secret, replace_at: at(14_100), ends_at: at(14_400) },
        refresh: Some("refresh-0".to_owned().into()),
        scopes: None,
    };
    let kept = Kept::signed_in(granted, "id", &["a", "b"], at(0));
    place.save(&kept, &hold(place)).unwrap();
    kept
}

/// What a process has that was started now.
fn process(folder: &Path) -> Arc<Stored> {
    let place = place(folder);
    let kept = place.load().unwrap().unwrap();
    let secret = Some("s3cret".to_owned().into());
    Arc::new(Stored::new(place, kept, BASE.parse().unwrap(), secret, Arc::new(|_| ())))
}

async fn renew(
    stored: &Arc<Stored>,
    service: &Arc<Service>,
    clock: &Arc<ManualClock>,
) -> Result<String, RenewError> {
    let old = stored.held().secret;
    let (carrier, clock) = (Arc::clone(service) as Arc<dyn Carrier>, Arc::clone(clock));
    let bearer = Arc::clone(stored).renew(old, carrier, clock).await?;
    Ok(bearer.secret.expose_secret().to_owned())
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_another_process_takes_what_it_got() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(&place(folder.path()));
    let service = Service::answering([tokens(1)]);
    let clock = Arc::new(ManualClock::at(at(14_200)));
    let all: Vec<_> = (0..4).map(|_| process(folder.path())).collect();
    let (a, b, c, d) = tokio::join!(
        renew(&all[0], &service, &clock),
        renew(&all[1], &service, &clock),
        renew(&all[2], &service, &clock),
        renew(&all[2], &service, &clock),
    );
    for got in [a, b, c, d] {
        assert_eq!(got.unwrap(), "access-1");
    }
    // One that comes later reads what is there.
    assert_eq!(renew(&all[3], &service, &clock).await.unwrap(), "access-1");
    let asked = service.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("grant_type=refresh_token&refresh_token=refresh-0"), "{asked:?}");
    let kept = place(folder.path()).load().unwrap().unwrap();
    assert_eq!(kept.refresh.unwrap().expose_secret(), "refresh-1");
    assert_eq!((kept.scopes.len(), kept.ends_at), (2, at(14_200 + 14_400)));
    // The consent lasts as long as it did.
    assert_eq!(kept.grant_ends_at, at(0).checked_add_months(chrono::Months::new(18)).unwrap());
}

/// A token that is refused before its time is replaced; one that another process
/// has replaced is not.
#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(&place(folder.path()));
    let service = Service::answering([tokens(1), tokens(2)]);
    let clock = Arc::new(ManualClock::at(at(60)));
    let (one, other) = (process(folder.path()), process(folder.path()));
    assert_eq!(renew(&one, &service, &clock).await.unwrap(), "access-1");
    assert_eq!(renew(&other, &service, &clock).await.unwrap(), "access-1");
    assert_eq!(service.asked().len(), 1);
    assert_eq!(renew(&other, &service, &clock).await.unwrap(), "access-2");
    assert!(service.asked()[1].contains("refresh_token=refresh-1"));
}

/// Whoever asked is gone before the answer is there: it is kept all the same.
#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_though_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    signed_in(&place(folder.path()));
    let service = Service::answering([tokens(1)]);
    let clock = Arc::new(ManualClock::at(at(14_200)));
    let stored = process(folder.path());
    let impatient =
        tokio::time::timeout(Duration::from_millis(10), renew(&stored, &service, &clock));
    assert!(impatient.await.is_err());
    stored.settled().await;
    assert_eq!(stored.held().secret.expose_secret(), "access-1");
    let kept = place(folder.path()).load().unwrap().unwrap();
    assert_eq!(kept.access.expose_secret(), "access-1");
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_way_of_a_token_is_told_apart() {
    let refused = |status, error: &str| answer(status, &format!(r#"{{"error":"{error}"}}"#));
    let lost = NoAnswer { failure: "timeout", detail: "no answer".into(), may_have_arrived: true };
    let absent = NoAnswer { failure: "connect", may_have_arrived: false, ..lost.clone() };
    type Fits = fn(&RenewError) -> bool;
    let cases: [(Result<Answer, NoAnswer>, Fits, bool); 8] = [
        (refused(400, "invalid_grant"), |it| matches!(it, RenewError::Over { .. }), false),
        (refused(400, "invalid_request"), |it| matches!(it, RenewError::Over { .. }), false),
        (
            answer(400, r#"{"code":"INVALID_REQUEST"}"#),
            |it| matches!(it, RenewError::Over { .. }),
            false,
        ),
        (refused(401, "invalid_client"), |it| matches!(it, RenewError::Application(_)), false),
        (answer(403, "<html>"), |it| matches!(it, RenewError::Refused(_)), false),
        (answer(503, ""), |it| it.may_pass(), false),
        (Err(absent), |it| it.may_pass(), false),
        (Err(lost), |it| it.may_pass(), true),
    ];
    for (said, fits, cut_off) in cases {
        let shown = format!("{said:?}");
        let folder = tempfile::tempdir().unwrap();
        signed_in(&place(folder.path()));
        let service = Service::answering([said, refused(400, "invalid_grant")]);
        let clock = Arc::new(ManualClock::at(at(14_200)));
        let stored = process(folder.path());
        let error = renew(&stored, &service, &clock).await.unwrap_err();
        assert!(fits(&error), "{shown}: {error}");
        // What is kept stays; the next process knows whether it may be spent.
        assert_eq!(hold(&place(folder.path())).cut_off().is_some(), cut_off, "{shown}");
        let next = renew(&process(folder.path()), &service, &clock).await.unwrap_err().to_string();
        assert_eq!(next.contains("cut off at 2027-01-15T11:56:40Z"), cut_off, "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_secret_a_refresh_token_or_a_profile_nothing_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    let mut kept = signed_in(&place);
    let service = Service::answering([]);
    let clock = Arc::new(ManualClock::at(at(14_200)));
    let base: Url = BASE.parse().unwrap();
    let poor = Stored::new(place.clone(), kept.clone(), base, None, Arc::new(|_| ()));
    let error = renew(&Arc::new(poor), &service, &clock).await.unwrap_err();
    assert!(matches!(error, RenewError::NoSecret), "{error}");
    kept.refresh = None;
    place.save(&kept, &hold(&place)).unwrap();
    let stored = process(folder.path());
    let error = renew(&stored, &service, &clock).await.unwrap_err();
    assert!(error.to_string().contains("no refresh token"), "{error}");
    place.forget(&hold(&place)).unwrap();
    let error = renew(&stored, &service, &clock).await.unwrap_err();
    assert!(error.to_string().contains("signed out"), "{error}");
    // A process that holds the lock for ever is not waited for as long.
    signed_in(&place);
    let _held = hold(&place);
    let stuck = tokio::spawn({
        let clock = Arc::clone(&clock);
        async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                clock.advance(Duration::from_secs(1));
            }
        }
    });
    let error = renew(&stored, &service, &clock).await.unwrap_err();
    assert!(matches!(error, RenewError::Busy) && error.may_pass(), "{error}");
    stuck.abort();
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_never_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    assert!(place.load().unwrap().is_none());
    signed_in(&place);
    let good = std::fs::read_to_string(place.file()).unwrap();
    for (bad, expected) in [
        ("{\"access_token\":\"c4nary\"".to_owned(), "is not what"),
        (good.replace("access-0", "c4nary\\r\\nx"), "no token"),
        (good.replace("\"format\":1", "\"format\":2"), "another version"),
        (good.replace("test-api", "other-api"), "another profile or address"),
        (good.replace("\"profile\":\"default\"", "\"profile\":\"c4nary\""), "another profile"),
        ("x".repeat(70_000), "larger"),
    ] {
        std::fs::write(place.file(), bad).unwrap();
        let error = format!("{:?}", place.load().map(|_| ()).map_err(|error| error.to_string()));
        assert!(error.contains(expected) && !error.contains("c4nary"), "{error}");
    }
    // Tokens of one address are no other's.
    std::fs::write(place.file(), good).unwrap();
    let shelf = Shelf::new(folder.path(), false);
    let secrets = shelf.secrets().into_iter();
    let secrets: Vec<_> = secrets.map(|(_, it)| it.expose_secret().to_owned()).collect();
    assert_eq!(secrets, ["access-0", "refresh-0"]);
    let other: Url = "http://127.0.0.1:8080".parse().unwrap();
    assert!(shelf.place(&Profile::default(), &other).load().unwrap().is_none());
    assert_eq!(shelf.profiles(&BASE.parse().unwrap()).unwrap(), [Profile::default()]);
    assert_eq!(shelf.profiles(&other).unwrap(), []);
    for bad in ["", "A", "../x", ".x", "a/b", "-a", "a b", "é", &"x".repeat(41)] {
        assert!(bad.parse::<Profile>().is_err(), "{bad}");
    }
}

async fn says(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A listener that has ended breaks the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Whoever connects first, and says nothing or nonsense, keeps nobody else out.
#[tokio::test]
async fn strange_visitors_do_not_keep_the_browser_out() {
    let port =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let redirect: Url = format!("http://localhost:{port}/back").parse().unwrap();
    let callback = Callback::listen(&redirect).await.unwrap();
    let again = Callback::listen(&redirect).await.unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AddrInUse);
    let waiting = tokio::spawn(callback.query(Arc::new(|query: &str| query == "code=right")));
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let _silent = connect().await.unwrap();
    let mut loud = connect().await.unwrap();
    let endless = format!("GET /{} HTTP/1.1\r\n", "x".repeat(100_000));
    let _ = loud.write_all(endless.as_bytes()).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("GET /backx?code=right HTTP/1.1\r\n\r\n", "404"),
        ("POST /back?code=right HTTP/1.1\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", ""),
    ] {
        let said = says(&mut connect().await.unwrap(), request).await;
        assert!(said.strip_prefix("HTTP/1.1 ").unwrap_or_default().starts_with(status), "{said}");
        assert!(!said.contains("right"), "{said}");
    }
    // A browser may take either address for `localhost`.
    let mut browser = match TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await {
        Ok(stream) => stream,
        Err(_) => connect().await.unwrap(),
    };
    let page = says(&mut browser, "GET /back?code=right HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("no-store"), "{page}");
    assert!(!page.contains("right"), "{page}");
    assert_eq!(waiting.await.unwrap().expose_secret(), "code=right");
}

fn get(url: &str) -> Call {
    Call { method: Method::Get, url: url.into(), headers: vec![], body: None }
}

/// A proxy is asked for HMRC's address, and never for one on this machine.
#[tokio::test]
async fn a_proxy_of_the_settings_is_asked_and_not_for_this_machine() {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let heard = tokio::spawn(async move {
        let (mut stream, _) = proxy.accept().await.unwrap();
        let mut buffer = vec![0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    });
    let network = Network { proxy: Some(address.parse().unwrap()), authorities: vec![] };
    let clock = SystemClock::new();

    // Nobody listens there, and the proxy is not asked.
    let here: Url = "http://127.0.0.1:9".parse().unwrap();
    let transport = Transport::by("test/0", &here, &network).unwrap();
    let none = transport.send(&get("http://127.0.0.1:9/x"), &clock).await.unwrap_err();
    assert!(!none.may_have_arrived, "{none}");

    let transport = Transport::by("test/0", &BASE.parse().unwrap(), &network).unwrap();
    let none = transport.send(&get(&format!("{BASE}/x")), &clock).await.unwrap_err();
    assert_eq!((none.failure, none.may_have_arrived), ("connect", false));
    let heard = heard.await.unwrap();
    assert!(heard.starts_with("CONNECT test-api.service.hmrc.gov.uk:443"), "{heard}");
}

/// A server on this machine that speaks TLS with a certificate of its own
/// authority; its port, and the authority (PEM). None, after saying so loudly,
/// where there is no `openssl`.
fn tls_server(folder: &Path) -> Option<(u16, Vec<u8>)> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let openssl = |args: &str| {
        let mut command = std::process::Command::new("openssl");
        command.current_dir(folder).args(args.split(' ')).output()
    };
    if openssl("version").is_err() {
        reference::skipped("`openssl` is not installed");
        return None;
    }
    std::fs::write(folder.join("ext"), "subjectAltName=DNS:localhost\n").unwrap();
    for args in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out csr.pem",
        "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem",
    ] {
        let done = openssl(args).unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            // A client that does not trust us goes away.
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    Some((port, std::fs::read(folder.join("ca.pem")).unwrap()))
}

#[tokio::test]
async fn an_authority_of_the_settings_is_trusted_besides_the_systems() {
    let folder = tempfile::tempdir().unwrap();
    let Some((port, authority)) = tls_server(folder.path()) else { return };
    let base: Url = format!("https://localhost:{port}").parse().unwrap();
    let send = async |network: &Network| {
        let transport = Transport::by("test/0", &base, network).unwrap();
        transport.send(&get(&format!("{base}x")), &SystemClock::new()).await
    };
    let stranger = send(&Network::default()).await.unwrap_err();
    assert_eq!((stranger.failure, stranger.may_have_arrived), ("connect", false), "{stranger}");
    let network = Network { proxy: None, authorities: authority };
    assert_eq!(send(&network).await.unwrap().status, 204);
    for no_authority in
        [&b"nonsense"[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let network = Network { proxy: None, authorities: no_authority.to_vec() };
        assert!(Transport::by("test/0", &base, &network).is_err());
    }
}
