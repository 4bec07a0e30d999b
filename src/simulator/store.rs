//! What the API keeps: movements and their messages, per trader.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::options::ApiVersion;
use super::texts::text;
use crate::ncts::{MessageType, MovementKind};

/// Days a movement is kept after its last change.
const RETENTION_DAYS: i64 = 60;

/// How far a message has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
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
    pub(super) message: MessageType,
    pub(super) status: Status,
    #[serde(with = "text")]
    pub(super) body: Arc<str>,
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
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    /// Oldest first.
    pub(super) messages: Vec<StoredMessage>,
}

/// All movements, in the order of creation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Store {
    movements: HashMap<String, StoredMovement>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Store {
    /// Adds a movement.
    pub(super) fn open(&mut self, movement: StoredMovement) {
        self.bytes += movement.messages.iter().map(|one| one.body.len()).sum::<usize>();
        self.order.push_back(movement.id.clone());
        self.movements.insert(movement.id.clone(), movement);
    }

    /// Adds a message to a movement, if that is still there.
    pub(super) fn add(&mut self, movement: &str, message: StoredMessage) {
        if let Some(movement) = self.movements.get_mut(movement) {
            self.bytes += message.body.len();
            movement.updated = movement.updated.max(message.received);
            movement.messages.push(message);
        }
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
        let stale = now - TimeDelta::days(RETENTION_DAYS);
        let mut dropped: Vec<String> = Vec::new();
        // Movements are created in order; only the first can be the oldest.
        while self
            .order
            .front()
            .and_then(|id| self.movements.get(id))
            .is_some_and(|oldest| oldest.updated < stale)
            || self.order.len() > movements
            || (self.bytes > bytes && self.order.len() > 1)
        {
            let Some(id) = self.order.pop_front() else { break };
            if let Some(movement) = self.movements.remove(&id) {
                self.bytes -= movement.messages.iter().map(|one| one.body.len()).sum::<usize>();
            }
            dropped.push(id);
        }
        dropped
    }

    pub(super) fn count(&self) -> usize {
        self.order.len()
    }
}
