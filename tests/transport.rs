//! One call over a real socket, against servers that misbehave.

#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ctc_ready::clock::SystemClock;
use ctc_ready::hmrc::api::Api;
use ctc_ready::hmrc::transport::{Answer, Call, Method, NoAnswer, Transport};
use ctc_ready::ncts::MessageType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that says `answer` to every request and hangs up.
async fn server(answer: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                let mut buffer = [0; 1024];
                let length = client.read(&mut buffer).await.unwrap_or(0);
                if length == 0 {
                    break;
                }
                head.extend_from_slice(&buffer[..length]);
            }
            // The client may have seen enough.
            let _ = client.write_all(&answer).await;
            let _ = client.shutdown().await;
        }
    });
    (address, count)
}

async fn get(address: SocketAddr) -> Result<Answer, NoAnswer> {
    let base = format!("http://{address}");
    let transport = Transport::new("test/0", &base.parse().unwrap()).unwrap();
    let call = Call {
        method: Method::Get,
        url: format!("{base}/x"),
        headers: vec![("authorization".into(), "Bearer canary-1".into())],
        body: None,
    };
    transport.send(&call, &SystemClock::new()).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("x", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(bytes).unwrap();
    let mut archive = zip::ZipArchive::new(archive.finish().unwrap()).unwrap();
    let crc = archive.by_index(0).unwrap().crc32();
    let mut deflated = Vec::new();
    archive.by_index_raw(0).unwrap().read_to_end(&mut deflated).unwrap();
    // RFC 1952: header, deflated data, check sum, length.
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let length = bytes.len() as u32;
    [&head[..], &deflated, &crc.to_le_bytes(), &length.to_le_bytes()].concat()
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    [format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n").as_bytes(), body].concat()
}

#[tokio::test]
async fn a_small_answer_that_unpacks_to_a_huge_one_is_cut_short() {
    let good = answer("200 OK\r\ncontent-encoding: gzip", &gzip(b"<small/>"));
    let (address, _) = server(good).await;
    assert_eq!(get(address).await.unwrap().body, b"<small/>");
    let bomb = gzip(&vec![0; 40 << 20]);
    assert!(bomb.len() < 1 << 20);
    let (address, _) = server(answer("200 OK\r\ncontent-encoding: gzip", &bomb)).await;
    let error = get(address).await.unwrap_err();
    assert_eq!((error.failure, error.may_have_arrived), ("too-large", true));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_short() {
    let body = vec![b'x'; 33 << 20];
    let (address, _) = server([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat()).await;
    assert_eq!(get(address).await.unwrap_err().failure, "too-large");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (elsewhere, count) = server(answer("200 OK", b"")).await;
    let head = format!("302 Found\r\nlocation: http://{elsewhere}/stolen");
    let (address, _) = server(answer(&head, b"")).await;
    let redirect = get(address).await.unwrap();
    assert_eq!(redirect.status, 302);
    assert!(redirect.header("Location").unwrap().ends_with("/stolen"));
    assert_eq!(count.load(Ordering::SeqCst), 0, "the token goes nowhere else");
}

#[tokio::test]
async fn one_call_is_one_request_whatever_comes() {
    for head in ["503 Service Unavailable", "429 Too Many Requests\r\nretry-after: 1", "200 OK"] {
        let (address, count) = server(answer(head, b"{}")).await;
        get(address).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1, "{head}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_had_its_effect() {
    let broken: [&[u8]; 3] = [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"220 smtp.example.com ESMTP\r\n",
    ];
    for bytes in broken {
        let (address, _) = server(bytes.to_vec()).await;
        let error = get(address).await.unwrap_err();
        assert!(error.may_have_arrived, "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    // A request that never left has none.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let error = get(address).await.unwrap_err();
    assert_eq!((error.failure, error.may_have_arrived), ("connect", false));
}

#[tokio::test]
async fn headers_that_are_no_text_are_shown_as_far_as_they_are() {
    let mut bytes = b"HTTP/1.1 200 OK\r\nx-odd: caf\xe9\r\ndate: nonsense\r\n".to_vec();
    bytes.extend_from_slice(b"content-length: 0\r\n\r\n");
    let (address, _) = server(bytes).await;
    let answer = get(address).await.unwrap();
    assert_eq!(answer.header("x-odd"), Some("caf\u{fffd}"));
    assert_eq!(answer.server_date, None);
}

/// The API takes such a POST for an announcement, and one with any content type
/// for a message; without a length, the body might have no end.
#[tokio::test]
async fn an_announcement_leaves_with_length_0_and_no_type() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let served = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        client.write_all(&answer("202 Accepted", b"{}")).await.unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    });
    let api = Api::new(base.clone(), "2.1", "t0ken".to_owned().into());
    let call = api.announce(MessageType::Ie015, None);
    let transport = Transport::new("test/0", &base).unwrap();
    assert_eq!(transport.send(&call, &SystemClock::new()).await.unwrap().status, 202);
    let head = served.await.unwrap();
    assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
    assert!(!head.contains("\r\ncontent-type:") && !head.contains("chunked"), "{head}");
}
