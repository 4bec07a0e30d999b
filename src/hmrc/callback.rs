//! Where the browser comes back to after a sign-in: a listener on this machine
//! that takes one request and ends.
//!
//! It reads a request's first line alone, in bounded memory and time, whatever
//! connects; it never shows what the address holds.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::{Host, Url};

/// Most bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most connections at once; those beyond wait.
const MAX_CONNECTIONS: usize = 16;

/// Takes the code out of the address bar and the history's top entry.
const HIDE: &str = "<script>history.replaceState(null,'',location.pathname)</script>";

/// Says whether a query is what was waited for.
pub type Judge = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A listener at a redirect address.
#[derive(Debug)]
pub struct Callback {
    listener: TcpListener,
    /// The same port in the other family of addresses: `localhost` is both.
    other: Option<TcpListener>,
    path: String,
}

impl Callback {
    /// Listens at this address of this machine, which names its port.
    ///
    /// # Errors
    /// When another program listens there, say.
    pub async fn listen(redirect: &Url) -> io::Result<Self> {
        let port = redirect.port_or_known_default().unwrap_or(80);
        let bind = |address: SocketAddr| TcpListener::bind(address);
        let (v4, v6) = ((Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into());
        let (listener, other) = match redirect.host() {
            Some(Host::Ipv6(_)) => (bind(v6).await?, None),
            Some(Host::Ipv4(_)) => (bind(v4).await?, None),
            _ => {
                let listener = bind(v4).await?;
                match bind(v6).await {
                    Ok(other) => (listener, Some(other)),
                    // Somebody else would get half of what comes.
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                    // This machine knows no such addresses.
                    Err(_) => (listener, None),
                }
            }
        };
        Ok(Self { listener, other, path: redirect.path().to_owned() })
    }

    /// Waits for the browser; what it asks for gets the page that `judge` says.
    /// The query, once the page has left. Other paths are not there, and a second
    /// request is told that it comes too late.
    pub async fn query(self, judge: Judge) -> SecretString {
        let taken = Arc::new(AtomicBool::new(false));
        let path: Arc<str> = self.path.into();
        let mut connections = JoinSet::new();
        loop {
            let room = connections.len() < MAX_CONNECTIONS;
            let stream = tokio::select! {
                Some(ended) = connections.join_next() => match ended {
                    Ok(Some(query)) => return query,
                    _ => continue,
                },
                accepted = self.listener.accept(), if room => accepted,
                accepted = accept(self.other.as_ref()), if room => accepted,
            };
            let Ok((stream, _)) = stream else {
                // Out of file descriptors, say: others will end.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (path, judge, taken) = (Arc::clone(&path), Arc::clone(&judge), Arc::clone(&taken));
            connections.spawn(async move {
                let served = serve(stream, &path, &judge, &taken);
                tokio::time::timeout(PATIENCE, served).await.ok().flatten()
            });
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// Answers one request; tells its query where it is the one waited for.
async fn serve(
    mut stream: TcpStream,
    path: &str,
    judge: &Judge,
    taken: &AtomicBool,
) -> Option<SecretString> {
    let head = read_head(&mut stream).await?;
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (asked, query) = target.split_once('?').unwrap_or((target, ""));
    let (status, page, query) = if asked != path {
        ("404 Not Found", Page::Nothing, None)
    } else if method != "GET" {
        ("405 Method Not Allowed", Page::Nothing, None)
    } else if taken.swap(true, Ordering::SeqCst) {
        ("410 Gone", Page::Late, None)
    } else if judge(query) {
        ("200 OK", Page::Done, Some(query))
    } else {
        ("400 Bad Request", Page::Failed, Some(query))
    };
    let page = page.html();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n\
         content-length: {}\r\ncache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    // A browser that went away has brought its query all the same.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    query.map(|query| query.to_owned().into())
}

/// Everything up to the empty line; none when that does not come.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        head.extend_from_slice(buffer.get(..read)?);
        if head.windows(4).any(|window| window == b"\r\n\r\n") {
            return String::from_utf8(head).ok();
        }
        if head.len() > MAX_HEAD {
            return None;
        }
    }
}

/// What the browser shows.
enum Page {
    Done,
    Failed,
    Late,
    Nothing,
}

impl Page {
    fn html(&self) -> String {
        let (title, text) = match self {
            Self::Done => (
                "Nearly there",
                "HMRC has sent you back to ctc-ready, which goes on in the terminal. You can \
                 close this page.",
            ),
            Self::Failed => (
                "That did not work",
                "ctc-ready says in the terminal why nobody was signed in, and what to do. You can \
                 close this page.",
            ),
            Self::Late => (
                "This sign-in is over",
                "It has been answered already. To sign in again, call ctc-ready auth login again.",
            ),
            Self::Nothing => {
                ("Nothing here", "ctc-ready waits for HMRC's answer at another place.")
            }
        };
        let hide = if matches!(self, Self::Nothing) { "" } else { HIDE };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <title>ctc-ready: {title}</title><style>body{{font:1.2em/1.5 sans-serif;\
             max-width:32em;margin:15vh auto;padding:0 1em}}</style></head>\
             <body><h1>{title}</h1><p>{text}</p>{hide}</body></html>\n"
        )
    }
}
