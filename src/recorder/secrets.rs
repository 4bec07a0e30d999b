//! Tokens learnt on sight: before anything of a request is written anywhere,
//! the redactor knows them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::HeaderMap;

use crate::digest::Digest;
use crate::evidence::Redactor;

/// Most tokens learnt. Software has one, which changes every few hours.
const MAX_TOKENS: usize = 1_000;

/// Headers whose values, but for a scheme before them, are secret.
const CARRIERS: [&str; 3] = ["authorization", "proxy-authorization", "x-api-key"];

/// Knows which tokens the redactor was told of.
#[derive(Debug)]
pub(super) struct Secrets {
    redactor: Arc<Redactor>,
    /// Digests: the tokens themselves are the redactor's alone.
    known: Mutex<BTreeSet<Digest>>,
}

impl Secrets {
    pub(super) fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, known: Mutex::default() }
    }

    /// Has the redactor learn what these headers carry. False: there were so
    /// many before that nothing of this request may be kept.
    pub(super) fn learn(&self, headers: &HeaderMap) -> bool {
        let values = CARRIERS.iter().flat_map(|name| headers.get_all(*name));
        // All of them, even after one for which there is no room.
        values.filter(|value| !self.learn_one(value.as_bytes())).count() == 0
    }

    fn learn_one(&self, value: &[u8]) -> bool {
        let digest = Digest::of(value);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&digest) {
            return true;
        }
        if known.len() >= MAX_TOKENS {
            return false;
        }
        let text = String::from_utf8_lossy(value);
        let token = text.split_once(' ').map_or(&*text, |(_, token)| token).trim();
        self.redactor.learn(&token.to_owned().into());
        known.insert(digest);
        true
    }
}
