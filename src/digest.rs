//! SHA-256 digests and the canonical JSON they are taken over (RFC 8785).
//! Pure functions; any floor may call them.

use std::fmt::{self, Write as _};
use std::io::{self, Read};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Thirty-two zero bytes: the `prev` of the first line of a chain.
    pub const ZERO: Digest = Digest([0; 32]);

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of several pieces as if they were one.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }

    /// The digest and the length of everything a reader yields, in constant
    /// memory.
    ///
    /// # Errors
    /// The reader's.
    pub fn of_reader(reader: &mut impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Sha256::new();
        // On the stack, and small enough to stay in a processor's first cache
        // while it is hashed: most of what is read is smaller still.
        let mut buffer = [0; 16 * 1024];
        let mut length = 0;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((Self(hasher.finalize().into()), length)),
                Ok(read) => {
                    hasher.update(buffer.get(..read).unwrap_or_default());
                    length += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A digest in the making.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything so far.
    pub fn so_far(&self) -> Digest {
        Digest(self.0.clone().finalize().into())
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What a byte is worth as a digit. A table, since a branch for each of 64
/// digits that nobody can foresee is slow.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        nibbles[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    nibbles
};
/// Has all bits, so that it stays when others are or-ed to it.
const NO_DIGIT: u8 = 0xff;

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.so_far())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            let digit = |nibble: u8| DIGITS[usize::from(nibble & 15)];
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte)]);
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest (64 lower-case hexadecimal digits)")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let (mut out, mut all) = ([0; 32], 0);
        for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let nibble = |digit: u8| NIBBLES[usize::from(digit)];
            let (high, low) = (nibble(pair[0]), nibble(pair[1]));
            all |= high | low;
            *slot = high << 4 | low;
        }
        if text.len() != 64 || all == NO_DIGIT {
            return Err(NotADigest(text.chars().take(80).collect()));
        }
        Ok(Self(out))
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

/// The largest integer that every JSON reader keeps exactly: 2^53 - 1
/// (RFC 7493, section 2.2).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The canonical form of a JSON value (RFC 8785): no white space, members in
/// the order of their names' UTF-16 code units, strings with as few escapes as
/// JSON allows, numbers as ECMAScript writes them.
///
/// As the RFC demands, an integer beyond [`MAX_SAFE_INTEGER`] is written as
/// the nearest double. Who must not lose digits keeps such numbers in strings;
/// [`inexact_number`] finds them.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

/// The first number in `value` that [`canonical_json`] would not keep exactly.
pub fn inexact_number(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(number) => {
            let integer = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            integer.is_some_and(|integer| integer > MAX_SAFE_INTEGER).then_some(number)
        }
        Value::Array(items) => items.iter().find_map(inexact_number),
        Value::Object(members) => members.values().find_map(inexact_number),
        _ => None,
    }
}

/// The order of member names (RFC 8785, section 3.2.3).
pub fn canonical_order(a: &str, b: &str) -> std::cmp::Ordering {
    // Of ASCII, bytes have the same order.
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| canonical_order(a.0, b.0));
            out.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_member(name, value, out);
            }
            out.push('}');
        }
    }
}

/// Appends `"name":value` in canonical form.
pub(crate) fn write_member(name: &str, value: &Value, out: &mut String) {
    write_string(name, out);
    out.push(':');
    write_value(value, out);
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    let escaped = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    while let Some(at) = rest.bytes().position(escaped) {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        let (character, after) = from.split_at(1);
        rest = after;
        match character {
            "\u{8}" => out.push_str("\\b"),
            "\t" => out.push_str("\\t"),
            "\n" => out.push_str("\\n"),
            "\u{c}" => out.push_str("\\f"),
            "\r" => out.push_str("\\r"),
            "\"" | "\\" => {
                out.push('\\');
                out.push_str(character);
            }
            control => {
                let code = control.bytes().next().unwrap_or_default();
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{code:04x}");
            }
        }
    }
    out.push_str(rest);
    out.push('"');
}

fn write_number(number: &Number, out: &mut String) {
    let _ = match (number.as_u64(), number.as_i64()) {
        (Some(integer), _) if integer <= MAX_SAFE_INTEGER => write!(out, "{integer}"),
        (_, Some(integer)) if integer.unsigned_abs() <= MAX_SAFE_INTEGER => {
            write!(out, "{integer}")
        }
        _ => write!(out, "{}", ecmascript(number.as_f64().unwrap_or_default())),
    };
}

/// ECMAScript's `Number::toString` (RFC 8785, section 3.2.2.3), for finite
/// numbers.
fn ecmascript(number: f64) -> String {
    if number == 0.0 {
        return "0".into(); // minus zero too
    }
    // serde_json has the shortest digits that read back exactly, and of two
    // equally near the even one, as ECMAScript wants them (the standard library
    // breaks such ties otherwise); only the layout differs.
    let text = serde_json::to_string(&number.abs()).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
    // The number is 0.digits x 10^point.
    let point =
        exponent.parse::<i32>().unwrap_or(0) + length(whole) - (length(&all) - length(significant));
    let digits = significant.trim_end_matches('0');
    let count = length(digits);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let sign = if number < 0.0 { "-" } else { "" };
    if count <= point && point <= 21 {
        format!("{sign}{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (whole, rest) = digits.split_at(usize::try_from(point).unwrap_or(0));
        format!("{sign}{whole}.{rest}")
    } else if -6 < point && point <= 0 {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{dot}{rest}e{:+}", point - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn numbers_are_written_as_the_rfc_lists_them() {
        // RFC 8785, appendix B.
        for (bits, expected) in [
            (0x0000000000000000_u64, "0"),
            (0x8000000000000000, "0"),
            (0x0000000000000001, "5e-324"),
            (0x8000000000000001, "-5e-324"),
            (0x7fefffffffffffff, "1.7976931348623157e+308"),
            (0xffefffffffffffff, "-1.7976931348623157e+308"),
            (0x4340000000000000, "9007199254740992"),
            (0xc340000000000000, "-9007199254740992"),
            (0x4430000000000000, "295147905179352830000"),
            (0x44b52d02c7e14af5, "9.999999999999997e+22"),
            (0x44b52d02c7e14af6, "1e+23"),
            (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
            (0x444b1ae4d6e2ef4e, "999999999999999700000"),
            (0x444b1ae4d6e2ef4f, "999999999999999900000"),
            (0x444b1ae4d6e2ef50, "1e+21"),
            (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
            (0x3eb0c6f7a0b5ed8d, "0.000001"),
            (0x41b3de4355555553, "333333333.3333332"),
            (0x41b3de4355555554, "333333333.33333325"),
            (0x41b3de4355555555, "333333333.3333333"),
            (0x41b3de4355555556, "333333333.3333334"),
            (0x41b3de4355555557, "333333333.33333343"),
            (0xbecbf647612f3696, "-0.0000033333333333333333"),
            (0x43143ff3c1cb0959, "1424953923781206.2"),
        ] {
            assert_eq!(canonical_json(&json!(f64::from_bits(bits))), expected);
        }
        assert_eq!(canonical_json(&json!(u64::MAX)), "18446744073709552000");
        assert_eq!(canonical_json(&json!(-9007199254740991_i64)), "-9007199254740991");
    }

    #[test]
    fn the_rfcs_example_comes_out_as_the_rfc_has_it() {
        // RFC 8785, section 3.2.2 and 3.2.3.
        let source = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]}"#;
        let value: Value = serde_json::from_str(source).unwrap();
        assert_eq!(
            canonical_json(&value),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn what_must_be_escaped_is_and_nothing_else() {
        // RFC 8785, section 3.2.2.2.
        let escaped = |code: u8| match code {
            0x08 => "\\b".to_owned(),
            0x09 => "\\t".to_owned(),
            0x0a => "\\n".to_owned(),
            0x0c => "\\f".to_owned(),
            0x0d => "\\r".to_owned(),
            b'"' => "\\\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            0..0x20 => format!("\\u00{code:02x}"),
            _ => char::from(code).to_string(),
        };
        for code in 0..=0xff {
            let text = format!("\u{e9}{}a{0}", char::from(code));
            let expected = format!("\"\u{e9}{}a{0}\"", escaped(code));
            assert_eq!(canonical_json(&json!(text)), expected);
        }
    }

    #[test]
    fn members_are_sorted_by_utf16_code_units() {
        // RFC 8785, section 3.2.3: an emoji sorts before U+FB33.
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5,
            "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            canonical_json(&value),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn a_number_that_would_lose_digits_is_found() {
        assert_eq!(inexact_number(&json!({"a": [1, MAX_SAFE_INTEGER, -5, 1.5]})), None);
        let value = json!({"a": [MAX_SAFE_INTEGER + 1]});
        assert_eq!(inexact_number(&value).unwrap().to_string(), "9007199254740992");
        assert!(inexact_number(&json!(i64::MIN)).is_some());
    }

    #[test]
    fn reading_and_slicing_do_not_change_a_digest() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        let whole = Digest::of(&bytes);
        assert_eq!(Digest::of_reader(&mut bytes.as_slice()).unwrap(), (whole, 200_000));
        assert_eq!(Digest::of_parts(&[&bytes[..7], &bytes[7..]]), whole);
        let mut hasher = Hasher::default();
        assert_eq!(hasher.so_far(), Digest::of(b""));
        hasher.update(&bytes[..7]);
        assert_eq!(hasher.so_far(), Digest::of(&bytes[..7]));
        hasher.update(&bytes[7..]);
        assert_eq!(hasher.so_far(), whole);
        assert_eq!(whole.to_string().parse::<Digest>().unwrap(), whole);
    }

    #[test]
    fn a_digest_is_64_lower_case_digits() {
        let text = "00019fa0ff7e1234567890abcdef1234567890abcdef1234567890abcdef0a0b";
        let digest: Digest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text);
        assert_eq!(digest.as_bytes()[..6], [0x00, 0x01, 0x9f, 0xa0, 0xff, 0x7e]);
        for at in 0..64 {
            for wrong in (0..128_u8).map(char::from).filter(|c| !"0123456789abcdef".contains(*c)) {
                let other = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
                assert!(other.parse::<Digest>().is_err(), "{other}");
            }
        }
        for other in ["", &text[..62], &text[..63], &format!("{text}0"), &format!("{text}00")] {
            assert!(other.parse::<Digest>().is_err(), "{other}");
        }
        assert!("\u{e9}".repeat(32).parse::<Digest>().is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let integer = -(MAX_SAFE_INTEGER as i64)..=MAX_SAFE_INTEGER as i64;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            integer.prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_form_reads_back_to_the_same_form(value in values()) {
            let text = canonical_json(&value);
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(canonical_json(&read), text);
        }

        #[test]
        fn every_double_survives(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let read: f64 = serde_json::from_str(&canonical_json(&json!(number))).unwrap();
            prop_assert_eq!(read, number);
        }
    }
}
