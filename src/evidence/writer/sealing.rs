//! Sealing under the writer's lock; adding time stamps.

use std::path::Path;

use super::{Inner, StoreWriter, locked};
use crate::digest::Digest;
use crate::evidence::chain::format_at;
use crate::evidence::error::EvidenceError;
use crate::evidence::format::{IndexEvent, Layout, MAX_SEAL};
use crate::evidence::index::{IndexWriter, IndexedSeal};
use crate::evidence::seal::statement::{Occasion, PAYLOAD_TYPE, Statement};
use crate::evidence::seal::time_stamp::{self, Authorities, Nonce, TimeStamp};
use crate::evidence::seal::{Envelope, KeyRing, dsse};
use crate::files::{self, Access, AppendFile};

/// A seal over the whole store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its number, from 1.
    pub number: u64,
    /// SHA-256 of its file.
    pub sha256: Digest,
    /// The key that signed it.
    pub key: Digest,
    /// Runs it covers.
    pub runs: u64,
    /// It was made now. If not, it was there, and nothing is new since.
    pub new: bool,
}

impl StoreWriter {
    /// Seals everything that is in the store now, the lines of open runs too.
    /// Once this has returned, the seal survives a crash. Where nothing is new
    /// since the newest seal by this key, that one is given back.
    ///
    /// # Errors
    /// When a journal cannot be read or was changed (nothing that is broken is
    /// signed), or the store cannot be written.
    pub fn seal(&self, keys: &KeyRing) -> Result<Sealed, EvidenceError> {
        let inner = &self.inner;
        // Held throughout: no line gets between those covered and `sealed`.
        let mut index = locked(&inner.index);
        let before = index.index.newest_seal().map(|(number, seal)| (number, *seal));
        let occasion = Occasion {
            number: before.map_or(0, |(number, _)| number) + 1,
            previous: before.map(|(_, seal)| seal.sha256),
            at: format_at(inner.clock.now()),
            tool: inner.tool.clone(),
        };
        if let Some((number, seal)) = before
            && seal.key == keys.fingerprint()
            && index.index.news < seal.line
            && let Some(covered) = sealed_before(&inner.layout, number, &seal)
        {
            let now = Statement::about(&self.read()?, occasion.clone())?;
            if covered.predicate.runs == now.predicate.runs {
                let IndexedSeal { sha256, key, .. } = seal;
                let runs = covered.predicate.runs.len() as u64;
                return Ok(Sealed { number, sha256, key, runs, new: false });
            }
        }
        let number = occasion.number;
        let path = inner.layout.seal(number);
        let refuse = |message: String| Err(EvidenceError::Contents { path: path.clone(), message });
        if path.symlink_metadata().is_ok() {
            return refuse("it is there, and the index does not name it; move it away".into());
        }
        inner.watch(inner.introduce(&mut index, keys))?;
        let statement = Statement::about(&self.read()?, occasion)?;
        let envelope = dsse::sign(keys, PAYLOAD_TYPE, statement.payload().as_bytes());
        if envelope.len() as u64 > MAX_SEAL {
            return refuse(format!("a seal larger than {MAX_SEAL} bytes cannot be read back"));
        }
        let sha256 = Digest::of(envelope.as_bytes());
        let key = keys.fingerprint();
        inner.watch((|| {
            // What is signed must not be lost to a crash: lines of open runs
            // may so far be in memory alone.
            for (run, indexed) in &index.index.runs {
                if indexed.closed.is_none() {
                    AppendFile::open(&inner.layout.journal(*run))?.sync()?;
                }
            }
            inner.put(&path, envelope.as_bytes())?;
            let sealed = IndexEvent::Sealed { seal: number, sha256, key };
            index.record(&inner.layout, sealed).inspect_err(|_| inner.take_back(&path))
        })())?;
        let runs = statement.predicate.runs.len() as u64;
        Ok(Sealed { number, sha256, key, runs, new: true })
    }

    /// Adds an authority's answer to the seal that it is over; gives the seal's
    /// number and what the answer says. Once this has returned, it survives a
    /// crash.
    ///
    /// # Errors
    /// When it does not hold ([`time_stamp::check`]), no seal is what it is
    /// over, or that has one already.
    pub fn add_time_stamp(
        &self,
        answer: &[u8],
        nonce: Option<Nonce>,
        authorities: Option<&Authorities>,
    ) -> Result<(u64, TimeStamp), EvidenceError> {
        let inner = &self.inner;
        let mut index = locked(&inner.index);
        let over = time_stamp::imprint(answer)?;
        let (seal, known) = index.index.seal_of(over).ok_or(EvidenceError::NoSuchSeal(over))?;
        if known.time_stamp.is_some() {
            return Err(EvidenceError::StampedAlready(seal));
        }
        let stamp = time_stamp::check(answer, over, nonce, authorities)?;
        let path = inner.layout.time_stamp(seal);
        if path.symlink_metadata().is_ok() {
            let message = "it is there, and the index does not name it; move it away".into();
            return Err(EvidenceError::Contents { path, message });
        }
        let sha256 = Digest::of(answer);
        inner.watch((|| {
            inner.put(&path, answer)?;
            let stamped = IndexEvent::TimeStamped { seal, sha256 };
            index.record(&inner.layout, stamped).inspect_err(|_| inner.take_back(&path))
        })())?;
        Ok((seal, stamp))
    }
}

/// The statement of a seal, where its file is still what the index says.
fn sealed_before(layout: &Layout, number: u64, seal: &IndexedSeal) -> Option<Statement> {
    let bytes = files::read_bounded(&layout.seal(number), MAX_SEAL).ok()?;
    let envelope = Envelope::parse(&bytes).ok().filter(|_| Digest::of(&bytes) == seal.sha256)?;
    Statement::parse(&envelope.payload).ok()
}

impl Inner {
    /// Has the index introduce every key of a ring that it does not know yet,
    /// oldest first, so that each is vouched for by one that it knows.
    fn introduce(&self, index: &mut IndexWriter, keys: &KeyRing) -> Result<(), EvidenceError> {
        for key in keys.chain() {
            if !index.index.keys.contains_key(&key.public.fingerprint()) {
                index.record(&self.layout, key.introduction())?;
            }
        }
        Ok(())
    }

    /// Puts a file into `seals/`. Where that fails, it is not there.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), EvidenceError> {
        files::create_dir_all_durable(&self.layout.seals(), Access::Private)?;
        let put = files::replace_through(&self.layout.tmp(), path, bytes, Access::Private);
        Ok(put.inspect_err(|_| self.take_back(path))?)
    }

    /// Removes a file that the index will not name. Where even that fails, the
    /// next session finishes what was begun, if nothing came in between.
    fn take_back(&self, path: &Path) {
        if let Err(error) = files::remove_file(path)
            && !error.is_not_found()
        {
            tracing::warn!(%error, "a file that the index does not name stays");
        }
    }
}
