//! An answer that is copied while it is passed on. What came of it is told
//! before its last part goes to the software, so that the software's next
//! request cannot overtake it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::text::MAX_BODY;
use super::upstream::{BodyError, root_cause};
use crate::hmrc::transport::NoAnswer;

/// How long the environment may say nothing in the middle of an answer.
const IDLE: Duration = Duration::from_secs(100);

/// The whole body of an answer, or why there is none.
pub(super) type Copied = Result<Vec<u8>, NoAnswer>;

/// Told once what the copy is.
pub(super) type Tell = Box<dyn FnOnce(Copied) + Send>;

/// A body that is passed on.
pub(super) struct Tap {
    /// None once it was taken away to be read to its end.
    inner: Option<Incoming>,
    idle: Option<Pin<Box<Sleep>>>,
    copy: Option<Copying>,
    /// It is read to its end even if the software goes away: what the
    /// environment did matters, whoever heard of it.
    to_the_end: bool,
}

/// What is copied so far.
struct Copying {
    bytes: Vec<u8>,
    too_large: bool,
    tell: Tell,
}

impl Copying {
    fn take(&mut self, data: &[u8]) {
        if self.too_large || self.bytes.len().saturating_add(data.len()) > MAX_BODY {
            self.too_large = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(data);
        }
    }

    fn end(self, failed: Option<NoAnswer>) {
        let Self { bytes, too_large, tell } = self;
        tell(match failed {
            Some(failed) => Err(failed),
            None if too_large => Err(too_much()),
            None => Ok(bytes),
        });
    }
}

fn too_much() -> NoAnswer {
    NoAnswer {
        failure: "too-large",
        detail: format!("the answer was passed on; it is larger than the {MAX_BODY} bytes kept"),
        may_have_arrived: true,
    }
}

fn broke_off(cause: &str) -> NoAnswer {
    NoAnswer {
        failure: "body",
        detail: format!("the answer broke off: {cause}"),
        may_have_arrived: true,
    }
}

impl Tap {
    /// Passes `inner` on and tells what it was.
    pub(super) fn new(inner: Incoming, to_the_end: bool, tell: Tell) -> Self {
        let copy = Copying { bytes: Vec::new(), too_large: false, tell };
        let mut tap = Self { inner: Some(inner), idle: None, copy: Some(copy), to_the_end };
        // Nobody polls a body that has nothing.
        if tap.is_end_stream() {
            tap.end(None);
        }
        tap
    }

    /// Passes `inner` on, and tells nobody.
    pub(super) fn silent(inner: Incoming) -> Self {
        Self { inner: Some(inner), idle: None, copy: None, to_the_end: false }
    }

    fn end(&mut self, failed: Option<NoAnswer>) {
        if let Some(copy) = self.copy.take() {
            copy.end(failed);
        }
    }

    fn went_silent(&mut self, cx: &mut Context<'_>) -> bool {
        let idle = self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(IDLE)));
        idle.as_mut().poll(cx).is_ready()
    }
}

impl Body for Tap {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *inner).poll_frame(cx);
        let ended = inner.is_end_stream();
        match polled {
            Poll::Pending => {
                if !self.went_silent(cx) {
                    return Poll::Pending;
                }
                let cause = format!("nothing came for {} seconds", IDLE.as_secs());
                self.end(Some(broke_off(&cause)));
                Poll::Ready(Some(Err(cause.into())))
            }
            Poll::Ready(frame) => {
                self.idle = None;
                match &frame {
                    Some(Ok(frame)) => {
                        if let (Some(data), Some(copy)) = (frame.data_ref(), &mut self.copy) {
                            copy.take(data);
                        }
                        if ended {
                            self.end(None);
                        }
                    }
                    Some(Err(error)) => {
                        let cause = root_cause(error);
                        self.end(Some(broke_off(&cause)));
                    }
                    None => self.end(None),
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let Some(copy) = self.copy.take() else { return };
        match (self.to_the_end, self.inner.take(), tokio::runtime::Handle::try_current()) {
            (true, Some(inner), Ok(runtime)) => drop(runtime.spawn(read_on(inner, copy))),
            _ => copy.end(Some(NoAnswer {
                failure: "left",
                detail: "the software went away before it had the whole answer".to_owned(),
                may_have_arrived: true,
            })),
        }
    }
}

/// Reads what the software no longer does.
async fn read_on(mut inner: Incoming, mut copy: Copying) {
    loop {
        match tokio::time::timeout(IDLE, inner.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    copy.take(data);
                }
            }
            Ok(None) => return copy.end(None),
            Ok(Some(Err(error))) => return copy.end(Some(broke_off(&root_cause(&error)))),
            Err(_) => return copy.end(Some(broke_off("nothing came any more"))),
        }
    }
}
