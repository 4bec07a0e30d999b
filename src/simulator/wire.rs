//! The connection beneath an answer: where it is reset, cut or slowed down.
//!
//! The HTTP library writes whole answers; what must not arrive whole is
//! stopped here, on its way to the socket.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// What ends the headers of an answer.
const END_OF_HEADERS: &[u8] = b"\r\n\r\n";

/// What is to be done to the answer under way.
#[derive(Debug, Default)]
struct Orders {
    /// The end of the connection is a reset.
    reset: bool,
    /// Bytes that may still follow the headers.
    keep: Option<usize>,
    /// How much of the end of the headers has passed.
    ended: usize,
    /// The pause before each byte.
    pause: Option<Duration>,
}

impl Orders {
    /// How many bytes of `buf` may be written.
    fn allowed(&self, buf: &[u8]) -> usize {
        let Some(keep) = self.keep else { return buf.len() };
        let (mut ended, mut count) = (self.ended, 0);
        for byte in buf {
            if ended == END_OF_HEADERS.len() {
                return buf.len().min(count + keep);
            }
            ended = progress(ended, *byte);
            count += 1;
        }
        count
    }

    /// Notes what was written.
    fn written(&mut self, buf: &[u8]) {
        let Some(keep) = &mut self.keep else { return };
        for byte in buf {
            if self.ended == END_OF_HEADERS.len() {
                *keep = keep.saturating_sub(1);
            } else {
                self.ended = progress(self.ended, *byte);
            }
        }
    }
}

/// How much of the end of the headers has passed with one byte more.
fn progress(ended: usize, byte: u8) -> usize {
    match END_OF_HEADERS.get(ended) {
        Some(wanted) if *wanted == byte => ended + 1,
        _ => usize::from(byte == b'\r'),
    }
}

/// Orders for one connection, from the answer to the socket.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire(Arc<Mutex<Orders>>);

impl Wire {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        // Plain numbers, each complete in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was ordered for the answer before.
    pub(super) fn clear(&self) {
        *self.orders() = Orders::default();
    }

    /// When the connection ends, the other side hears of a reset (RST) rather
    /// than of an end (FIN).
    pub(super) fn reset(&self) {
        self.orders().reset = true;
    }

    /// Ends the connection once `keep` bytes have followed the headers.
    pub(super) fn cut_after(&self, keep: usize) {
        self.orders().keep = Some(keep);
    }

    /// Writes byte by byte, with a pause before each.
    pub(super) fn drip(&self, pause: Duration) {
        self.orders().pause = Some(pause);
    }
}

/// A connection that obeys its [`Wire`].
#[derive(Debug)]
pub(super) struct Obedient {
    stream: TcpStream,
    wire: Wire,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Obedient {
    pub(super) fn new(stream: TcpStream, wire: Wire) -> Self {
        Self { stream, wire, pause: None }
    }
}

impl Drop for Obedient {
    fn drop(&mut self) {
        if self.wire.orders().reset {
            // Closing with a linger time of nothing is what sends RST. Should
            // the system refuse, the other side hears of an end.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Obedient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Obedient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let (mut allowed, pause) = {
            let orders = this.wire.orders();
            (orders.allowed(buf), orders.pause)
        };
        if allowed == 0 && !buf.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if let Some(pause) = pause {
            let waiting = this.pause.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(waiting.as_mut().poll(cx));
            allowed = allowed.min(1);
        }
        let buf = buf.get(..allowed).unwrap_or(buf);
        let count = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        this.pause = None;
        this.wire.orders().written(buf.get(..count).unwrap_or(buf));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.wire.orders().reset {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_counts_what_follows_the_headers_however_it_is_written() {
        let answer = b"HTTP/1.1 200 OK\r\nA: \r\r\n\r\n0123456789";
        for piece in [1, 2, 3, 5, 8, 100] {
            let mut orders = Orders { keep: Some(4), ..Orders::default() };
            let mut arrived = Vec::new();
            'answer: for chunk in answer.chunks(piece) {
                let mut rest = chunk;
                while !rest.is_empty() {
                    let allowed = orders.allowed(rest);
                    if allowed == 0 {
                        break 'answer;
                    }
                    orders.written(&rest[..allowed]);
                    arrived.extend_from_slice(&rest[..allowed]);
                    rest = &rest[allowed..];
                }
            }
            assert!(arrived.ends_with(b"\r\n\r\n0123"), "{piece}");
        }
    }
}
