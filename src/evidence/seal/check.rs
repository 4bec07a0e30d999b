//! One seal against the index as it was when the seal was made.

use super::dsse::{DsseError, Envelope};
use super::keys::introduced;
use super::statement::{Extent, PAYLOAD_TYPE, Statement, StatementError};
use crate::digest::Digest;
use crate::evidence::index::Index;

/// Why a seal does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// The envelope holds something else than a statement.
    #[error("its payload is of type `{0}`, not `{PAYLOAD_TYPE}`")]
    PayloadType(String),
    /// No line of the index before it introduces its key.
    #[error("it is signed by key `{0}`, which the index does not introduce")]
    UnknownKey(Digest),
    /// The statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
}

impl SealError {
    /// Whether it was not signed as it should be; else it says what is not so.
    pub fn is_signature(&self) -> bool {
        !matches!(self, Self::Statement(_))
    }
}

/// Checks seal `number`, but for the journals, against an index that ends
/// where it was made (at `extent`). Gives the key that signed, too.
///
/// # Errors
/// Why it does not hold.
pub fn check(
    bytes: &[u8],
    index: &Index,
    extent: &Extent,
    number: u64,
) -> Result<(Statement, Digest), SealError> {
    let envelope = Envelope::parse(bytes)?;
    let key = index
        .keys
        .get(&envelope.key)
        .and_then(|said| introduced(envelope.key, said).ok())
        .ok_or(SealError::UnknownKey(envelope.key))?;
    envelope.verify(&key)?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(SealError::PayloadType(envelope.payload_type));
    }
    let statement = Statement::parse(&envelope.payload)?;
    let before = number.checked_sub(1).and_then(|number| index.seals.get(&number));
    statement.check(index, extent, number, before.map(|seal| seal.sha256))?;
    Ok((statement, envelope.key))
}
