//! The last look before anything leaves this machine: is a secret in it?
//!
//! Redaction at capture ([`super::redact`]) should have left nothing to find.
//! This looks again, over the very bytes that leave, for secrets that are
//! known (in any writing) and for what looks like one: keys in
//! PEM, bearer tokens, JSON Web Tokens. It tells where, never what.
//!
//! HMRC's published test data (access codes of guarantees, EORI numbers) look
//! like nothing here, and pass.
//!
//! ```
//! use ctc_ready::evidence::leak::Secrets;
//!
//! let mut secrets = Secrets::new();
//! secrets.add("the token of CTC_READY_TOKEN", b"0123456789abcdef");
//! let file = br#"{"form":"aWQ6MDEyMzQ1Njc4OWFiY2RlZg=="}"#;
//! let leaks = secrets.scan("index.html", &mut file.as_slice()).unwrap();
//! assert_eq!(leaks[0].to_string(), "`index.html`, byte 13: the token of CTC_READY_TOKEN");
//! ```

use std::fmt;
use std::io::{self, Read};

use super::error::EvidenceError;
use super::format::Layout;
use super::redact::known::{Known, LONGEST_UNIT};
use super::redact::shapes::{self, LOOK_BACK};
use super::repair;

/// A secret in something that is about to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The file.
    pub place: String,
    /// Where in it, in bytes from its start.
    pub offset: u64,
    /// What it is, in words; never the secret.
    pub what: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, byte {}: {}", self.place, self.offset, self.what)
    }
}

/// Most leaks told of one file: one is enough to stop.
pub const MAX_LEAKS: usize = 20;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;
/// Bytes that are looked at again with the next ones, so that nothing hides
/// where one reading ends; more where a secret is long.
const OVERLAP: usize = 16 << 10;

/// What must not leave.
#[derive(Default)]
pub struct Secrets {
    known: Known,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// None known yet: finds what looks like a secret.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. `what` names it in a [`Leak`]. Secrets of fewer than four
    /// bytes cannot be sought.
    pub fn add(&mut self, what: &str, secret: &[u8]) {
        self.known.add(secret, what.to_owned());
    }

    /// Adds the salt of the store in this folder, where it has one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn add_salt(&mut self, store: &std::path::Path) -> Result<(), EvidenceError> {
        if let Some(salt) = repair::read_salt(&Layout::new(store))? {
            self.add("the salt of the evidence store", salt.as_bytes());
        }
        Ok(())
    }

    /// Looks through everything a reader yields, in one pass and bounded
    /// memory. `place` names it in a [`Leak`]; at most [`MAX_LEAKS`] are told.
    ///
    /// # Errors
    /// The reader's.
    pub fn scan(&self, place: &str, reader: &mut impl Read) -> io::Result<Vec<Leak>> {
        let overlap = OVERLAP.max(self.known.longest().saturating_mul(LONGEST_UNIT));
        let mut leaks = Vec::new();
        let mut buffer: Vec<u8> = Vec::new();
        // Bytes before the buffer; where in it looking goes on.
        let (mut before, mut from) = (0_u64, 0);
        loop {
            let read = reader.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
            let ended = read == 0;
            // What begins later may not be whole yet.
            let limit = if ended { buffer.len() } else { buffer.len().saturating_sub(overlap) };
            while from < limit && leaks.len() < MAX_LEAKS {
                let Some((range, what)) = self.first(&buffer, from, limit) else { break };
                let offset = before + range.start as u64;
                leaks.push(Leak { place: place.to_owned(), offset, what: what.to_owned() });
                from = range.end.max(from + 1);
            }
            if ended || leaks.len() >= MAX_LEAKS {
                return Ok(leaks);
            }
            from = from.max(limit);
            // A little stays before, for what is told by what precedes it.
            let done = from.min(buffer.len()).saturating_sub(LOOK_BACK);
            buffer.drain(..done);
            before += done as u64;
            from -= done;
        }
    }

    /// The first leak that begins at `from` or later, before `limit`.
    fn first(
        &self,
        bytes: &[u8],
        from: usize,
        limit: usize,
    ) -> Option<(std::ops::Range<usize>, &str)> {
        let known = self.known.find(bytes, from, limit).map(|found| (found.range, found.tag));
        let limit = known.as_ref().map_or(limit, |(range, _)| range.start.min(limit));
        let shape = shapes::find(bytes, from, limit).map(|(range, shape)| (range, shape.what()));
        // What is known is told as what it is, also where it looks like one.
        match (known, shape) {
            (Some(known), Some(shape)) if shape.0.start < known.0.start => Some(shape),
            (known, shape) => known.or(shape),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = b"q7Kd-0fX_canary.31";

    fn secrets() -> Secrets {
        let mut secrets = Secrets::new();
        secrets.add("canary", SECRET);
        secrets
    }

    fn found(bytes: &[u8]) -> Vec<(u64, String)> {
        let leaks = secrets().scan("f", &mut &*bytes).unwrap();
        leaks.into_iter().map(|leak| (leak.offset, leak.what)).collect()
    }

    #[test]
    fn what_looks_like_a_secret_is_found_where_it_stands() {
        let jwt =
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
        for (text, offset, what) in [
            ("-----BEGIN PRIVATE KEY-----\nMC4", 0, "a private key"),
            ("x -----BEGIN EC PRIVATE KEY-----", 2, "a private key"),
            ("x -----BEGIN OPENSSH PRIVATE KEY-----", 2, "a private key"),
            ("[\"authorization\",\"Bearer abcdef01\"]", 25, "credentials of a bearer"),
            ("authorization: bearer%20abcdef01", 24, "credentials of a bearer"),
            ("x Bearer 0123456789abcdef0123456789abcdef", 9, "credentials of a bearer"),
            ("x Basic aWQ6c2VjcmV0", 8, "credentials of a bearer"),
            (&format!("a={jwt}&b"), 2, "a JSON Web Token"),
        ] {
            assert_eq!(found(text.as_bytes()), [(offset, what.to_owned())], "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_passes() {
        for text in [
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "[\"authorization\",\"Bearer redacted:0123456789abcdef\"]",
            "Authorization: Bearer redacted:0123456789abcdef",
            "a bearer token is required; Basic authentication failed; WWW-Authenticate: Bearer realm=\"x\"",
            // HMRC's published test data: guarantees with their access codes.
            "<GuaranteeReference><GRN>21GB0000010000GU1</GRN><accessCode>AC01</accessCode></GuaranteeReference>",
            "{\"accessCode\":\"AC01\",\"grn\":\"21GB0000010000GU1\",\"eori\":\"GB000001000000\"}",
            // The payload of a seal: JSON in Base64.
            "\"payload\":\"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ\"",
            "eyJhbGciOiJIUzI1NiJ9.html, and eyJ.a.b",
            "<descriptionOfGoods>Basic chemicals-2026, bearer plate-304L, BASIC 12345678</descriptionOfGoods>",
        ] {
            assert_eq!(found(text.as_bytes()), [], "{text}");
        }
    }

    #[test]
    fn the_salt_is_found_as_its_file_has_it() {
        let mut secrets = Secrets::new();
        let salt = crate::digest::Digest::of(b"some salt");
        secrets.add("salt", salt.as_bytes());
        let text = format!("x{salt}\n");
        let leaks = secrets.scan("salt", &mut text.as_bytes()).unwrap();
        assert_eq!(leaks[0].to_string(), "`salt`, byte 1: salt");
        assert_eq!(leaks.len(), 1);
    }

    #[test]
    fn where_one_reading_ends_nothing_hides() {
        // Readers that give few bytes at a time, and secrets around the end of
        // every chunk and overlap.
        struct Few<'a>(&'a [u8]);
        impl Read for Few<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let limit = buffer.len().min(777);
                self.0.read(&mut buffer[..limit])
            }
        }
        let secrets = secrets();
        for edge in [CHUNK - OVERLAP, CHUNK, 2 * CHUNK - OVERLAP, 2 * CHUNK] {
            for shift in [0, 1, 5, SECRET.len() - 1, SECRET.len(), 400] {
                let at = edge - shift;
                let mut bytes = vec![b'.'; 2 * CHUNK + 1000];
                bytes[at..at + SECRET.len()].copy_from_slice(SECRET);
                for leaks in
                    [secrets.scan("f", &mut bytes.as_slice()), secrets.scan("f", &mut Few(&bytes))]
                {
                    let leaks: Vec<u64> =
                        leaks.unwrap().into_iter().map(|leak| leak.offset).collect();
                    assert_eq!(leaks, [at as u64]);
                }
            }
        }
    }

    #[test]
    fn a_file_full_of_secrets_is_told_briefly() {
        let bytes = SECRET.repeat(1000);
        assert_eq!(found(&bytes).len(), MAX_LEAKS);
    }

    proptest! {
        #[test]
        fn a_secret_among_any_bytes_is_found_in_any_writing(
            before in proptest::collection::vec(any::<u8>(), 0..60),
            after in proptest::collection::vec(any::<u8>(), 0..60),
            writing in 0..4,
        ) {
            use super::super::redact::known::base64;
            let written: Vec<u8> = match writing {
                0 => SECRET.to_vec(),
                1 => SECRET.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes()).collect(),
                2 => SECRET.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
                _ => base64(&[before.as_slice(), SECRET, &after].concat()),
            };
            let bytes = match writing {
                3 => written,
                _ => [before.as_slice(), &written, &after].concat(),
            };
            let found = found(&bytes);
            prop_assert!(found.iter().any(|(_, what)| what == "canary"), "{:?}", found);
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            found(&bytes);
        }
    }
}
