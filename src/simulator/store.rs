//! What the API keeps: movements and their messages, per trader.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::options::ApiVersion;
use super::texts::text_option;
use crate::ncts::{MessageType, MovementKind};

/// Days a movement is kept after its last change.
const RETENTION_DAYS: i64 = 60;

/// How far a message has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    /// To be uploaded.
    Pending,
    /// Handed over to NCTS.
    Success,
    /// Not handed over.
    Failed,
    /// From NCTS.
    Received,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Success => "Success",
            Self::Failed => "Failed",
            Self::Received => "Received",
        }
    }
}

/// A message of a movement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredMessage {
    pub(super) id: String,
    pub(super) received: DateTime<Utc>,
    /// None while it is to be uploaded, and when what was uploaded is none.
    pub(super) message: Option<MessageType>,
    pub(super) status: Status,
    #[serde(with = "text_option")]
    pub(super) body: Option<Arc<str>>,
}

impl StoredMessage {
    fn bytes(&self) -> usize {
        self.body.as_ref().map_or(0, |body| body.len())
    }
}

/// A movement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredMovement {
    pub(super) id: String,
    pub(super) kind: MovementKind,
    pub(super) version: ApiVersion,
    /// EORI of the token that created it.
    pub(super) eori: String,
    /// EORI in the message that created it.
    pub(super) trader: Option<String>,
    pub(super) lrn: Option<String>,
    pub(super) mrn: Option<String>,
    /// Where its notifications go.
    pub(super) box_id: Option<String>,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    /// Oldest first.
    pub(super) messages: Vec<StoredMessage>,
}

impl StoredMovement {
    fn bytes(&self) -> usize {
        self.messages.iter().map(StoredMessage::bytes).sum()
    }

    pub(super) fn message(&self, id: &str) -> Option<&StoredMessage> {
        self.messages.iter().find(|one| one.id == id)
    }
}

/// All movements, in the order of creation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Store {
    movements: HashMap<String, StoredMovement>,
    order: VecDeque<String>,
    bytes: usize,
    /// No movement is past retention before.
    stale_from: DateTime<Utc>,
}

impl Store {
    /// Adds a movement.
    pub(super) fn open(&mut self, movement: StoredMovement) {
        self.bytes += movement.bytes();
        self.order.push_back(movement.id.clone());
        self.movements.insert(movement.id.clone(), movement);
    }

    /// Adds a message to a movement, if that is still there.
    pub(super) fn add(&mut self, movement: &str, message: StoredMessage) {
        if let Some(movement) = self.movements.get_mut(movement) {
            self.bytes += message.bytes();
            movement.updated = movement.updated.max(message.received);
            movement.messages.push(message);
        }
    }

    /// Fills in a message that was announced, if it is still there.
    pub(super) fn fill(&mut self, movement: &str, filled: StoredMessage, at: DateTime<Utc>) {
        let Some(movement) = self.movements.get_mut(movement) else { return };
        movement.updated = movement.updated.max(at);
        if let Some(message) = movement.messages.iter_mut().find(|one| one.id == filled.id) {
            self.bytes = self.bytes - message.bytes() + filled.bytes();
            *message = filled;
        }
    }

    /// A movement, whosever it is.
    pub(super) fn get(&self, id: &str) -> Option<&StoredMovement> {
        self.movements.get(id)
    }

    pub(super) fn movement_mut(&mut self, id: &str) -> Option<&mut StoredMovement> {
        self.movements.get_mut(id)
    }

    /// A movement of a trader.
    pub(super) fn movement(
        &self,
        kind: MovementKind,
        eori: &str,
        id: &str,
    ) -> Option<&StoredMovement> {
        self.movements.get(id).filter(|one| one.kind == kind && one.eori == eori)
    }

    /// The movements of a trader, latest change first.
    pub(super) fn list(&self, kind: MovementKind, eori: &str) -> Vec<&StoredMovement> {
        let mut all: Vec<_> =
            self.order.iter().rev().filter_map(|id| self.movement(kind, eori, id)).collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.updated));
        all
    }

    /// Drops what is past retention, then the oldest beyond the limits.
    /// Returns the ids dropped.
    pub(super) fn trim(
        &mut self,
        now: DateTime<Utc>,
        movements: usize,
        bytes: usize,
    ) -> Vec<String> {
        let keep = TimeDelta::days(RETENTION_DAYS);
        let mut dropped: Vec<String> = Vec::new();
        if now >= self.stale_from {
            let stale: Vec<String> = self
                .movements
                .values()
                .filter(|one| one.updated + keep < now)
                .map(|one| one.id.clone())
                .collect();
            for id in stale {
                self.remove(&id);
                dropped.push(id);
            }
            self.order.retain(|id| self.movements.contains_key(id));
            // Changes only put this off.
            let first = self.movements.values().map(|one| one.updated).min();
            self.stale_from = first.unwrap_or(now) + keep;
        }
        // The oldest in the order of creation goes first.
        while self.order.len() > movements || (self.bytes > bytes && self.order.len() > 1) {
            let Some(id) = self.order.pop_front() else { break };
            self.remove(&id);
            dropped.push(id);
        }
        dropped
    }

    fn remove(&mut self, id: &str) {
        if let Some(movement) = self.movements.remove(id) {
            self.bytes -= movement.bytes();
        }
    }

    pub(super) fn count(&self) -> usize {
        self.order.len()
    }
}
