//! What the proxy tells the ledger, and is told by it.

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::route::Route;
use crate::engine::exchange::Answered;
use crate::engine::mail::Mail;
use crate::evidence::RunId;
use crate::hmrc::transport::Call;

/// A request as the software made it, addressed to the environment.
#[derive(Debug)]
pub(super) struct Heard {
    /// What it is about.
    pub(super) route: Route,
    /// The request; headers as they came.
    pub(super) call: Call,
    /// Whether it says what its body is (`Content-Type`).
    pub(super) typed: bool,
    /// When a file says that it was made; none: it is about to leave.
    pub(super) sent_at: Option<DateTime<Utc>>,
}

impl Heard {
    /// The first header of this name (lower case).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.call.headers.iter();
        headers.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The query of its address.
    pub(super) fn query(&self) -> Option<&str> {
        self.call.url.split_once('?').map(|(_, query)| query)
    }
}

/// What is on its way for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The run it belongs to.
    pub(super) run: RunId,
    /// Its exchange there.
    pub(super) exchange: u32,
}

/// The room that bodies take in memory, given back once they are recorded.
pub(super) type Room = OwnedSemaphorePermit;

/// Lets a message leave, and gives its body back; without a ticket it belongs to
/// no run.
pub(super) type Reply = oneshot::Sender<(Option<Ticket>, Vec<u8>)>;

/// What the proxy tells. In the order in which the software sees it happen.
#[derive(Debug)]
pub(super) enum Told {
    /// A message is about to leave. It leaves once there is a reply.
    Leaves(Heard, Reply),
    /// What came of it.
    Left(Ticket, Answered, Room),
    /// Something was asked, and what came of that.
    Asked { heard: Heard, sent_at: DateTime<Utc>, result: Answered, room: Room },
    /// Something was passed on of which nothing is kept.
    PassedOn,
    /// Worth telling the user.
    Note(String),
    /// What came of an e-mail to the simulator's officers.
    Mailed(Box<Errand>, Answered),
    /// The proxy has ended.
    Ended,
}

/// An e-mail for the simulator's officers.
#[derive(Debug)]
pub(super) struct Errand {
    /// Whose.
    pub(super) of: Ticket,
    /// The e-mail.
    pub(super) mail: Mail,
    /// How to hand it over.
    pub(super) call: Call,
}
