//! Ids, MRNs and message identifications, all drawn from one seed.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A source of names that repeats itself for the same seed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ids {
    seed: u64,
    drawn: u64,
}

const ALPHANUMERICS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// How many names were drawn so far.
    pub(super) fn drawn(&self) -> u64 {
        self.drawn
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        *Digest::of(format!("{}/{}", self.seed, self.drawn).as_bytes()).as_bytes()
    }

    fn alphanumerics(&mut self, count: usize) -> String {
        self.draw()
            .iter()
            .take(count)
            .map(|byte| char::from(ALPHANUMERICS[usize::from(*byte) % ALPHANUMERICS.len()]))
            .collect()
    }

    /// A movement or message id: the Unix second of creation in eight
    /// hexadecimal digits, then eight random ones.
    pub(super) fn id(&mut self, now: DateTime<Utc>) -> String {
        let [a, b, c, d, ..] = self.draw();
        format!(
            "{:08x}{:08x}",
            now.timestamp().rem_euclid(1 << 32),
            u32::from_be_bytes([a, b, c, d])
        )
    }

    /// Thirty-two hexadecimal digits.
    pub(super) fn hex(&mut self) -> String {
        let mut hex = Digest::from(self.draw()).to_string();
        hex.truncate(32);
        hex
    }

    /// So many decimal digits, at most 32.
    pub(super) fn digits(&mut self, count: usize) -> String {
        self.draw().iter().take(count).map(|byte| char::from(b'0' + byte % 10)).collect()
    }

    /// A random UUID.
    pub(super) fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.draw()[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// The `messageIdentification` of a reply: 14 upper-case alphanumerics.
    pub(super) fn identification(&mut self) -> String {
        self.alphanumerics(14)
    }

    /// A new MRN: year, office, six alphanumerics, a letter for the security
    /// data that goes with the declaration (J none, K exit, L entry, M both),
    /// and a check digit.
    pub(super) fn mrn(&mut self, now: DateTime<Utc>, office: &str, security: &str) -> String {
        let letter = match security {
            "1" => 'L',
            "2" => 'K',
            "3" => 'M',
            _ => 'J',
        };
        let year = now.year().rem_euclid(100);
        let base = format!("{year:02}{office}{}{letter}", self.alphanumerics(6));
        let digit = check_digit(&base);
        format!("{base}{digit}")
    }
}

/// The check digit of an MRN's first 17 characters, reckoned as for freight
/// containers (ISO 6346): letters count from 10 and skip multiples of 11, the
/// character at place n weighs 2 to the n, and the sum is taken modulo 11.
pub(super) fn check_digit(base: &str) -> u32 {
    let sum = base.bytes().enumerate().fold(0_u64, |sum, (place, byte)| {
        let value = match byte {
            b'0'..=b'9' => u64::from(byte - b'0'),
            _ => {
                let nth = u64::from(byte.to_ascii_uppercase().saturating_sub(b'A'));
                // A is 10, B 12: one is skipped after A, K and U.
                10 + nth + u64::from(nth >= 1) + u64::from(nth >= 11) + u64::from(nth >= 21)
            }
        };
        sum.wrapping_add(value << place.min(32))
    });
    (sum % 11 % 10) as u32
}

/// Twelve decimal digits that follow from a text.
pub(super) fn number_of(text: &str) -> String {
    let digest = Digest::of(text.as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&digest.as_bytes()[..8]);
    format!("{:012}", u64::from_be_bytes(number) % 1_000_000_000_000)
}

/// The EORI that the simulator gives to the holder of a bearer token that it
/// did not issue.
pub(super) fn eori(token: &str) -> String {
    format!("GB{}", number_of(token))
}

/// The client id of such a token. It does not give the token away.
pub(super) fn client(token: &str) -> String {
    let mut client = Digest::of_parts(&[b"client", token.as_bytes()]).to_string();
    client.truncate(32);
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn check_digits_are_those_of_published_mrns() {
        // From HMRC's example messages of NCTS5 and NCTS6.
        for mrn in
            ["26GB000246AL65TIJ5", "26GB000246CNETLOJ0", "26GB000246Z4U8NRJ6", "24XI000081GCQIIHJ9"]
        {
            let digit = check_digit(&mrn[..17]).to_string();
            assert_eq!(&mrn[17..], digit, "{mrn}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_names() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap();
        let names = |seed| {
            let mut ids = Ids::new(seed);
            (ids.id(now), ids.mrn(now, "XI000081", "2"), ids.identification())
        };
        assert_eq!(names(7), names(7));
        assert_ne!(names(7), names(8));
        let (id, mrn, identification) = names(7);
        assert_eq!(id.len(), 16);
        assert!(id.starts_with(&format!("{:08x}", now.timestamp())));
        assert_eq!((mrn.len(), &mrn[..10], &mrn[16..17]), (18, "26XI000081", "K"));
        assert_eq!(identification.len(), 14);
    }
}
