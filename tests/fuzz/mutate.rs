//! How bytes, JSON and DER are spoilt.

use serde_json::Value;

use crate::random::Random;

/// Largest input made of a smaller one, in bytes.
const LARGEST: usize = 2 << 20;

/// What parsers of all kinds look for.
const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\uD800\\uDC00",
    b"null",
    b"true",
    b"-0",
    b"1e400",
    b"1e-400",
    b"0.1",
    b"<",
    b">",
    b"</",
    b"/>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"&amp;",
    b"&#0;",
    b"&#x10FFFF;",
    b"&lt",
    b"&b;",
    b"<?xml version=\"1.1\" encoding=\"UTF-16\"?>",
    b" xmlns:a=\"b\"",
    b" a=\"b\" a=\"b\"",
    b"\n",
    b"\r\n",
    b"\0",
    b"\t",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "\u{202e}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"PK\x07\x08",
    b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff",
    b"\x02\x01\x80",
    b"../",
    b"/etc/passwd",
    b"C:\\",
    b"-----BEGIN CERTIFICATE-----",
    b"-----END CERTIFICATE-----",
    b"[[",
    b"]]",
    b" = ",
    b"'''",
    b"\"\"\"",
    b"#",
    b"2026-11-21T09:30:00.123Z",
    b"+262143-12-31T23:59:59.999Z",
    b"0000-00-00T24:60:60Z",
];

/// Numbers at which something overflows, rounds or turns.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e309",
    "-1e-999",
    "99999999999999999999999999999999999999",
];

/// The same of fixed size, in either order of bytes.
const FIXED: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xfffe,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Texts that mean something else somewhere.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\0",
    "\n",
    "..",
    "/",
    "a/../../b",
    "\u{feff}",
    "\u{202e}",
    "\u{10ffff}",
    "%00",
    "2026-11-21T09:30:00.123Z",
    "+262142-12-31T23:59:59.999Z",
    "-262143-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "0000-01-01T00:00:00.000Z",
    "2016-12-31T23:59:60.000Z",
    "0192f0c1-2b3c-7d4e-8f50-0123456789ab",
    "00000000-0000-0000-0000-000000000000",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "https://a/?b=c#d",
    "http://[::1",
    "<script>",
    "]]>",
    "passed",
    "IE015",
    "IE999",
    "redacted:0123456789abcdef",
];

/// Spoils bytes in a few places; `others` lend pieces.
pub fn bytes(random: &mut Random, from: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = from.to_vec();
    // Mostly few changes: many at once are found at the first of them.
    let turns = 1 + random.below(3) * random.below(4);
    for _ in 0..turns {
        once(random, &mut bytes, others);
        bytes.truncate(LARGEST);
    }
    bytes
}

fn once(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = random.below(bytes.len());
    let [from, to] = random.places(bytes.len());
    match random.below(14) {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
        1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.byte()),
        2 => bytes.insert(at, random.byte()),
        3 => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
        4 => drop(bytes.drain(from..to)),
        5 => bytes.truncate(at),
        6 => put(bytes, at, random.pick::<&[u8]>(WORDS)),
        7 => {
            let word = random.pick(WORDS);
            let end = (at + word.len()).min(bytes.len());
            drop(bytes.splice(at..end, word.iter().copied()));
        }
        8 => number(random, bytes, at),
        9 => {
            let value = *random.pick(FIXED);
            let size = *random.pick(&[1, 2, 4, 8]);
            let mut laid = value.to_le_bytes();
            if random.below(2) == 0 {
                laid = (value << (64 - 8 * size)).to_be_bytes();
            }
            bytes
                .iter_mut()
                .skip(at)
                .zip(laid.iter().take(size))
                .for_each(|(to, from)| *to = *from);
        }
        10 => {
            // One piece over and over: deep nesting, long lists, long words.
            let to = (from + 1 + random.below(24)).min(bytes.len());
            let piece = bytes[from..to].to_vec();
            let times = *random.pick(&[2, 5, 100, 3_000, 60_000]);
            put(bytes, to, &piece.repeat(times.min(LARGEST / piece.len().max(1))));
        }
        11 => {
            let piece = bytes[from..to].to_vec();
            put(bytes, at, &piece);
        }
        12 if !others.is_empty() => {
            let other = random.pick(others);
            let [start, end] = random.places(other.len());
            drop(bytes.splice(from..to, other[start..end].iter().copied()));
        }
        _ => {
            let word = random.pick(WORDS).repeat(*random.pick(&[3, 200, 20_000]));
            put(bytes, at, &word[..word.len().min(LARGEST)]);
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    drop(bytes.splice(at..at, what.iter().copied()));
}

/// Another number for the digits at some place.
fn number(random: &mut Random, bytes: &mut Vec<u8>, at: usize) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes.iter().skip(at).position(digit).map(|found| at + found) else { return };
    let length = bytes.iter().skip(start).take_while(|byte| digit(byte)).count();
    let other = random.pick(NUMBERS).bytes();
    drop(bytes.splice(start..start + length, other));
}

/// Spoils text, and keeps it text.
pub fn text(random: &mut Random, from: &str, others: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&bytes(random, from.as_bytes(), others)).into_owned()
}

/// Spoils a value in a few places: it stays JSON.
pub fn json(random: &mut Random, value: &mut Value) {
    for _ in 0..1 + random.below(3) {
        let places = count(value);
        let mut left = random.below(places);
        let whole = value.clone();
        if let Some(place) = nth(value, &mut left) {
            spoil(random, place, &whole);
        }
    }
}

fn inside(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(members) => Box::new(members.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// About how many bytes a value is written in.
fn weight(value: &Value) -> usize {
    2 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(name, of)| name.len() + weight(of)).sum(),
        _ => 4,
    }
}

fn nth<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    inside(value).find_map(|part| nth(part, left))
}

fn spoil(random: &mut Random, place: &mut Value, whole: &Value) {
    let text = || Value::from(*TEXTS.first().unwrap_or(&""));
    match (random.below(10), &mut *place) {
        (0, Value::Object(members)) if !members.is_empty() => {
            let name = members.keys().nth(random.below(members.len())).cloned();
            name.and_then(|name| members.remove(&name));
        }
        (1, Value::Object(members)) => {
            members.insert((*random.pick(TEXTS)).to_owned(), whole.clone());
        }
        (2, Value::Array(items)) => {
            let item = items.first().cloned().unwrap_or_else(text);
            let most = LARGEST / weight(&item);
            items.extend(std::iter::repeat_n(item, most.min(*random.pick(&[1, 40, 2_000]))));
        }
        (3, Value::Array(items)) => items.clear(),
        (0..=4, Value::String(old)) => {
            *old = String::from_utf8_lossy(&bytes(random, old.as_bytes(), &[])).into_owned();
        }
        (0..=6, Value::Number(_)) | (5, _) => {
            let number = serde_json::from_str(random.pick::<&str>(NUMBERS));
            *place = number.unwrap_or(Value::Null);
        }
        (6, _) => *place = random.pick(&[Value::Null, true.into(), false.into()]).clone(),
        (7, _) => {
            *place =
                [Value::Array(vec![]), Value::Object(Default::default())][random.below(2)].clone()
        }
        (8, _) => {
            let deep = *random.pick(&[2, 30, 90]);
            *place = (0..deep).fold(place.take(), |inner, _| Value::Array(vec![inner]));
        }
        _ => *place = (*random.pick(TEXTS)).into(),
    }
}

/// Spoils DER where its lengths are: an element's length, its tag, its
/// contents, or an element in place of another; lengths around it follow.
pub fn der(random: &mut Random, from: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, from.len());
    // Down to some element, noting those around it.
    while let Some((content, next)) = element(from, start, end) {
        let constructed = from[start] & 0x20 != 0;
        path.push((start, content, next));
        if !constructed || content == next || random.below(8) == 0 {
            break;
        }
        (start, end) = (content, next);
        while let Some((_, after)) = element(from, start, end) {
            if after >= end || random.below(3) == 0 {
                break;
            }
            start = after;
        }
    }
    let Some((start, content, next)) = path.pop() else { return bytes(random, from, others) };
    let element = &from[start..next];
    let mut new = match random.below(6) {
        0 => Vec::new(),
        1 => [element, element].concat(),
        2 => wrap(random.byte(), &from[content..next]),
        3 => wrap(from[start], &bytes(random, &from[content..next], others)),
        4 => wrap(from[start], &wrap(from[start], &from[content..next])),
        _ => bytes(random, element, others),
    };
    let (mut from_here, mut to_here) = (start, next);
    for (start, content, next) in path.into_iter().rev() {
        let inner = [&from[content..from_here], &new[..], &from[to_here..next]].concat();
        new = wrap(from[start], &inner);
        (from_here, to_here) = (start, next);
    }
    new
}

/// Where an element's contents begin and end.
fn element(bytes: &[u8], at: usize, end: usize) -> Option<(usize, usize)> {
    let first = usize::from(*bytes[..end].get(at + 1)?);
    let digits = if first < 0x80 { 0 } else { first & 0x7f };
    let content = at + 2 + digits;
    let long = bytes[..end].get(at + 2..content)?;
    let length = match first {
        0..0x80 => first,
        _ if digits > 4 => return None,
        _ => long.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)),
    };
    (content + length <= end).then_some((content, content + length))
}

fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let head: Vec<u8> = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        0x100..0x1_0000 => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        _ => vec![tag, 0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8],
    };
    [&head, contents].concat()
}
