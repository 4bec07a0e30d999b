//! A client that looks at what arrives, byte by byte, and believes nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In good order (FIN).
    Closed,
    /// By a reset (RST).
    Reset,
}

/// What arrived on a connection.
#[derive(Debug)]
pub struct Arrived {
    pub bytes: Vec<u8>,
    pub end: End,
    /// In how many pieces it was read.
    pub pieces: usize,
}

impl Arrived {
    pub fn head(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        text.split_once("\r\n\r\n").map_or(text.clone(), |(head, _)| head.to_owned())
    }

    pub fn body(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    pub fn status(&self) -> u16 {
        self.head().split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// A header's value, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<String> {
        self.head().lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }
}

/// A request as text; `Connection: close` unless it is one of several.
pub fn request(method: &str, path: &str, body: &str, close: bool) -> String {
    let typed = match body {
        "" => String::new(),
        _ => format!("Content-Type: application/xml\r\nContent-Length: {}\r\n", body.len()),
    };
    let last = if close { "Connection: close\r\n" } else { "" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: simulator\r\nAuthorization: Bearer trader-1\r\n\
         Accept: application/vnd.hmrc.2.1+json\r\n{typed}{last}\r\n{body}"
    )
}

/// Sends text and reads to the end of the connection.
pub fn exchange(addr: SocketAddr, text: &str) -> Arrived {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let (mut bytes, mut pieces) = (Vec::new(), 0);
    let mut buffer = [0; 4096];
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break End::Closed,
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                pieces += 1;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
            Err(error) => panic!("{error}"),
        }
    };
    Arrived { bytes, end, pieces }
}
