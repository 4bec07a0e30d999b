//! Dead Simple Signing Envelope (DSSE v1.0.2): a payload, its type, and one
//! Ed25519 signature over both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys::{KeyRing, PublicKey};
use crate::digest::{Digest, canonical_json};
use crate::evidence::format::MAX_SEAL;

/// What is wrong with an envelope.
#[derive(Debug, thiserror::Error)]
pub enum DsseError {
    /// Larger than any that is written.
    #[error("it is larger than {MAX_SEAL} bytes")]
    TooLarge,
    /// Not JSON, or not the JSON of an envelope.
    #[error("it is not a DSSE envelope: {0}")]
    NotAnEnvelope(String),
    /// JSON in another form than canonical JSON (RFC 8785) and a line feed.
    #[error("it is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// No signature, or more than one.
    #[error("it has {0} signatures, not one")]
    Signatures(usize),
    /// Signed by another key than the one that should have.
    #[error("it is signed by key `{found}`, not by `{expected}`")]
    OtherKey {
        /// The key that should have.
        expected: Digest,
        /// The key it names.
        found: Digest,
    },
    /// The signature does not fit the payload.
    #[error("its signature is wrong")]
    BadSignature,
}

/// The stored form.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    payload: String,
    payload_type: String,
    signatures: Vec<StoredSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSignature {
    keyid: Digest,
    sig: String,
}

/// An envelope whose signature was not looked at yet.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// What is signed.
    pub payload: Vec<u8>,
    /// Fingerprint of the key that is said to have signed.
    pub key: Digest,
    signature: [u8; 64],
}

/// The bytes that are signed: DSSE's pre-authentication encoding.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let lengths = (payload_type.len(), payload.len());
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", lengths.0, lengths.1).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Signs a payload: the envelope as it is stored, canonical JSON and a line
/// feed. The same key and payload give the same bytes.
pub fn sign(keys: &KeyRing, payload_type: &str, payload: &[u8]) -> String {
    let signature = keys.sign(&pae(payload_type, payload));
    let keyid = keys.fingerprint();
    let stored = Stored {
        payload: BASE64.encode(payload),
        payload_type: payload_type.to_owned(),
        signatures: vec![StoredSignature { keyid, sig: BASE64.encode(signature) }],
    };
    // Strings in a struct cannot fail to become JSON.
    canonical_json(&serde_json::to_value(stored).unwrap_or_default()) + "\n"
}

impl Envelope {
    /// Reads an envelope in the one form in which it is stored.
    ///
    /// # Errors
    /// What is wrong with it; a signature is for [`Envelope::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DsseError> {
        let foreign = |error: &dyn std::fmt::Display| DsseError::NotAnEnvelope(error.to_string());
        if bytes.len() as u64 > MAX_SEAL {
            return Err(DsseError::TooLarge);
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| foreign(&error))?;
        if (canonical_json(&value) + "\n").as_bytes() != bytes {
            return Err(DsseError::NotCanonical);
        }
        let stored: Stored = serde_json::from_value(value).map_err(|error| foreign(&error))?;
        let [StoredSignature { keyid, sig }] = stored.signatures.as_slice() else {
            return Err(DsseError::Signatures(stored.signatures.len()));
        };
        // Refuses any but the canonical Base64 of the bytes.
        let payload = BASE64.decode(&stored.payload).map_err(|error| foreign(&error))?;
        let signature = BASE64.decode(sig).map_err(|error| foreign(&error))?;
        let signature =
            signature.try_into().map_err(|_| foreign(&"an Ed25519 signature has 64 bytes"))?;
        Ok(Self { payload_type: stored.payload_type, payload, key: *keyid, signature })
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// When it is by another key, or wrong.
    pub fn verify(&self, key: &PublicKey) -> Result<(), DsseError> {
        if self.key != key.fingerprint() {
            return Err(DsseError::OtherKey { expected: key.fingerprint(), found: self.key });
        }
        match key.verifies(&pae(&self.payload_type, &self.payload), &self.signature) {
            true => Ok(()),
            false => Err(DsseError::BadSignature),
        }
    }

    /// The signature alone.
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_the_one_of_the_specification() {
        // DSSE protocol.md, test vectors.
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn any_changed_byte_and_any_other_form_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyRing::generate(folder.path()).unwrap();
        let text = sign(&keys, "text/plain", b"ab");
        let holds = |bytes: &[u8]| {
            Envelope::parse(bytes).and_then(|envelope| {
                assert_eq!(envelope.payload, b"ab");
                envelope.verify(keys.public())
            })
        };
        holds(text.as_bytes()).unwrap();
        for at in 0..text.len() {
            for mask in [0x01, 0x02, 0x20, 0x80] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= mask;
                let read = Envelope::parse(&bytes);
                assert!(read.is_err() || read.unwrap().verify(keys.public()).is_err(), "byte {at}");
            }
        }
        let value: Value = serde_json::from_str(&text).unwrap();
        let with = |change: fn(&mut Value)| {
            let mut value = value.clone();
            change(&mut value);
            holds((canonical_json(&value) + "\n").as_bytes()).unwrap_err()
        };
        let twice = with(|value| {
            let list = value["signatures"].as_array_mut().unwrap();
            list.push(list[0].clone());
        });
        assert!(matches!(twice, DsseError::Signatures(2)));
        let none = with(|value| value["signatures"] = serde_json::json!([]));
        assert!(matches!(none, DsseError::Signatures(0)));
        let more = with(|value| value["more"] = 1.into());
        assert!(matches!(more, DsseError::NotAnEnvelope(_)));
        // `YWJ=` decodes to the same two bytes as `YWI=`, where that is let pass.
        let loose = with(|value| value["payload"] = "YWJ=".into());
        assert!(matches!(loose, DsseError::NotAnEnvelope(_)));
        let spaced = text.replace("\":", "\": ");
        assert!(matches!(holds(spaced.as_bytes()), Err(DsseError::NotCanonical)));
        assert!(matches!(holds(text.trim_end().as_bytes()), Err(DsseError::NotCanonical)));
        let other = KeyRing::generate(&folder.path().join("other")).unwrap();
        let error = Envelope::parse(text.as_bytes()).unwrap().verify(other.public()).unwrap_err();
        assert!(matches!(error, DsseError::OtherKey { .. }));
    }
}
