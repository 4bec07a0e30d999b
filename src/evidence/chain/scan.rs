//! Reading a line in one pass over its bytes. What is told of a line here is
//! what taking it apart and writing it anew would tell; where that cannot be
//! told in one pass, nothing is, and the long way decides
//! ([`super::Line::parse`]). So this may give up wherever it likes, and must
//! never accept what the long way refuses.

use std::ops::Range;

use crate::digest::Digest;

/// Objects and arrays in one another; evidence has five at most.
const MAX_DEPTH: u32 = 32;
/// So many digits are below 2^53 - 1.
const MAX_DIGITS: usize = 15;

/// A JSON object in canonical form (RFC 8785) with the members of a chain.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    pub(super) text: &'a str,
    pub(super) seq: u64,
    pub(super) at: &'a str,
    pub(super) mono_ns: u64,
    pub(super) prev: Digest,
    pub(super) hash: Digest,
    /// Where in the text the member `hash` lies with the comma before it.
    pub(super) hash_member: Range<usize>,
    /// As [`crate::evidence::format::object_refs`] finds them.
    pub(super) objects: Vec<(Digest, u64)>,
}

/// Reads a line, if it is plain enough.
pub(super) fn scan(bytes: &[u8]) -> Option<Scanned<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut scanner = Scanner { text, at: 0, objects: Vec::new() };
    let (mut seq, mut at, mut mono_ns, mut prev, mut hash) = (None, None, None, None, None);
    scanner.object(0, |name, value, member| match (name, value) {
        ("seq", Seen::Whole(number)) => seq = Some(number),
        ("at", Seen::Text(text)) => at = Some(text),
        ("mono_ns", Seen::Whole(number)) => mono_ns = Some(number),
        ("prev", Seen::Text(text)) => prev = text.parse().ok(),
        ("hash", Seen::Text(text)) => hash = text.parse().ok().map(|hash| (hash, member)),
        _ => {}
    })?;
    if scanner.at != text.len() {
        return None;
    }
    let (hash, hash_member) = hash?;
    // Without a comma before it there would be one after it to be taken away.
    if !bytes.get(hash_member.clone())?.starts_with(b",") {
        return None;
    }
    Some(Scanned {
        text,
        seq: seq?,
        at: at?,
        mono_ns: mono_ns?,
        prev: prev?,
        hash,
        hash_member,
        objects: scanner.objects,
    })
}

/// A value that was passed.
enum Seen<'a> {
    /// A string without escapes.
    Text(&'a str),
    /// An integer from 0 to 10^15 - 1.
    Whole(u64),
    Other,
}

/// A reader that only goes on past what is in canonical form.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    objects: Vec<(Digest, u64)>,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes this byte, if it comes next.
    fn passes(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn pass(&mut self, bytes: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        rest.starts_with(bytes.as_bytes()).then(|| self.at += bytes.len())
    }

    fn value(&mut self, depth: u32) -> Option<Seen<'a>> {
        match self.peek()? {
            b'"' => return Some(self.string()?.map_or(Seen::Other, Seen::Text)),
            b'0'..=b'9' => return self.digits().map(Seen::Whole),
            b'-' => {
                self.at += 1;
                // Minus zero is written without the minus.
                (self.digits()? > 0).then_some(())?;
            }
            b'{' if depth < MAX_DEPTH => self.object(depth + 1, |_, _, _| {})?,
            b'[' if depth < MAX_DEPTH => self.array(depth + 1)?,
            b't' => self.pass("true")?,
            b'f' => self.pass("false")?,
            b'n' => self.pass("null")?,
            _ => return None,
        }
        Some(Seen::Other)
    }

    /// Passes an object; hands over every member with its place and that of the
    /// comma before it. Gives up on names whose order is not that of their
    /// bytes.
    fn object(
        &mut self,
        depth: u32,
        mut each: impl FnMut(&'a str, Seen<'a>, Range<usize>),
    ) -> Option<()> {
        self.pass("{")?;
        let mut last = None;
        let (mut sha256, mut bytes) = (None, None);
        while !self.passes(b'}') {
            let start = self.at;
            if last.is_some() {
                self.pass(",")?;
            }
            let name = self.string()?.filter(|name| name.is_ascii())?;
            if last.is_some_and(|last| last >= name) {
                return None;
            }
            last = Some(name);
            self.pass(":")?;
            let value = self.value(depth)?;
            match (name, &value) {
                ("sha256", Seen::Text(text)) => sha256 = text.parse::<Digest>().ok(),
                ("bytes", Seen::Whole(number)) => bytes = Some(*number),
                _ => {}
            }
            each(name, value, start..self.at);
        }
        self.objects.extend(sha256.zip(bytes));
        Some(())
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.pass("[")?;
        let mut first = true;
        while !self.passes(b']') {
            if !first {
                self.pass(",")?;
            }
            first = false;
            self.value(depth)?;
        }
        Some(())
    }

    /// Passes a string; what it says, where it has no escapes.
    fn string(&mut self) -> Option<Option<&'a str>> {
        self.pass("\"")?;
        let (start, mut plain) = (self.at, true);
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    plain = false;
                    self.at += 1;
                    self.escape()?;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        let text = self.text.get(start..self.at)?;
        self.at += 1;
        Some(plain.then_some(text))
    }

    /// Passes the rest of an escape: the short one where there is one, else
    /// that of a control character.
    fn escape(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r' => self.at += 1,
            _ => {
                self.pass("u00")?;
                let high = matches!(self.peek()?, b'0' | b'1').then(|| self.peek())??;
                self.at += 1;
                let low = self.peek()?;
                let short = high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
                (matches!(low, b'0'..=b'9' | b'a'..=b'f') && !short).then_some(())?;
                self.at += 1;
            }
        }
        Some(())
    }

    /// Passes an integer without sign; gives up on fractions, exponents and
    /// what is long.
    fn digits(&mut self) -> Option<u64> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - start == MAX_DIGITS {
                return None;
            }
            number = number * 10 + u64::from(digit - b'0');
            self.at += 1;
        }
        let length = self.at - start;
        let starts_with_zero = self.text.as_bytes().get(start) == Some(&b'0');
        let more = matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        (length > 0 && !more && (length == 1 || !starts_with_zero)).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Head, Line, LineError};
    use super::scan;
    use crate::digest::Digest;
    use chrono::DateTime;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use serde_json::{Map, Value, json};

    /// Bytes that mean something in JSON, or nearly.
    const TELLING: &[u8] = b"\"\\{}[],:-+.0189abfnrtuE/ \t\n\x00\x1f\x7f\xc3\xa9\xff";

    fn line(event: &Value) -> String {
        let (text, _) = Head::START.compose(DateTime::UNIX_EPOCH, 7, event).unwrap();
        text.trim_end_matches('\n').to_owned()
    }

    /// All that is told of a line, or what is wrong with it.
    fn told(line: Result<Line<'_>, LineError>) -> String {
        let sorted = |mut line: Line<'_>| {
            line.objects.sort();
            format!("{line:?}")
        };
        line.map_or_else(|error| format!("{error:?}"), sorted)
    }

    fn both_ways_say_the_same(bytes: &[u8]) {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(told(Line::parse(bytes)), told(Line::take_apart(bytes)), "{shown}");
    }

    fn plain() -> Value {
        json!({
            "kind": "x", "body": {"bytes": 12, "media_type": null, "sha256": Digest::of(b"a")},
            "headers": [["a", "b \"q\" \\ \u{1}\u{8}\u{b}\n\u{7f}\u{e9}"], []], "n": [0, -5, true],
            "nested": {"deep": [{"bytes": 0, "sha256": Digest::of(b"b")}], "none": {}},
        })
    }

    #[test]
    fn what_a_usual_line_says_is_found_in_one_pass() {
        let text = line(&plain());
        let scanned = scan(text.as_bytes()).unwrap();
        assert_eq!((scanned.seq, scanned.mono_ns, scanned.prev), (0, 7, Digest::ZERO));
        assert_eq!(scanned.objects, [(Digest::of(b"a"), 12), (Digest::of(b"b"), 0)]);
        both_ways_say_the_same(text.as_bytes());
    }

    #[test]
    fn every_telling_byte_anywhere_is_judged_as_the_long_way_does() {
        let text = line(&plain()).into_bytes();
        for at in 0..text.len() {
            for byte in TELLING {
                let mut changed = text.clone();
                changed[at] = *byte;
                both_ways_say_the_same(&changed);
                changed[at] = text[at];
                changed.insert(at, *byte);
                both_ways_say_the_same(&changed);
            }
            let mut shorter = text.clone();
            shorter.remove(at);
            both_ways_say_the_same(&shorter);
            both_ways_say_the_same(&text[..at]);
        }
    }

    #[test]
    fn members_out_of_order_or_twice_are_refused() {
        let text = line(&json!({"kind": "x", "a": 1, "b": 2}));
        for other in [
            text.replace("\"a\":1,", "\"a\":1,\"a\":1,"),
            text.replace("{\"a\":1,", "{\"ay\":1,"),
            text.replace("\"a\":1,", ""),
            text.replace("\"b\":2", "\"b\":-0"),
            text.replace("\"b\":2", "\"b\":02"),
            text.replace("\"b\":2", "\"b\":9007199254740993"),
            text.replace("\"b\":2", "\"b\":\"\\u000a\""),
            text.replace("\"b\":2", "\"b\":\"\\u001F\""),
            text.replace("\"b\":2", "\"b\":\"\\/\""),
            text.replace("\"b\":2", "\"b\":\"\\ud800\""),
            text.replace("\"kind\":\"x\",", "\"kind\":\"x\",\"l\":[1,],"),
            text.replace("\"b\":2", &format!("\"b\":{}{}", "[".repeat(200), "]".repeat(200))),
        ] {
            assert!(Line::parse(other.as_bytes()).is_err(), "{other}");
            both_ways_say_the_same(other.as_bytes());
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![any::<String>(), "[ -~\\x00-\\x20]{0,8}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            (-20_i64..20).prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            text.prop_map(Value::from),
            any::<u8>().prop_map(|byte| json!({"sha256": Digest::of(&[byte]), "bytes": byte})),
        ];
        let name = || prop_oneof!["[a-z]{1,3}", any::<String>(), "[\\PC]{1,2}"];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(name(), inner, 0..5)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    fn events() -> impl Strategy<Value = Value> {
        prop::collection::hash_map(prop_oneof!["[a-zA-Z]{2,3}", any::<String>()], values(), 0..5)
            .prop_map(|members| {
                let chains = |name: &str| super::super::ENVELOPE.contains(&name);
                let members: Map<_, _> =
                    members.into_iter().filter(|(name, _)| !chains(name)).collect();
                Value::Object(members)
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn any_line_is_read_the_same_both_ways(event in events()) {
            let text = line(&event);
            prop_assert!(Line::parse(text.as_bytes()).is_ok());
            both_ways_say_the_same(text.as_bytes());
        }

        #[test]
        fn any_change_is_judged_the_same_both_ways(
            event in events(),
            changes in prop::collection::vec(
                (any::<Index>(), any::<Index>(), 0..5_u8, prop::sample::select(TELLING)), 1..4
            ),
        ) {
            let mut bytes = line(&event).into_bytes();
            for (at, other, how, byte) in changes {
                if bytes.len() < 2 {
                    break;
                }
                let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => drop(bytes.remove(at)),
                    3 => bytes.swap(at, other),
                    _ => {
                        let part = bytes[at.min(other)..at.max(other)].to_vec();
                        let at = at.max(other);
                        drop(bytes.splice(at..at, part));
                    }
                }
            }
            both_ways_say_the_same(&bytes);
        }

        #[test]
        fn the_same_json_written_otherwise_is_refused_both_ways(event in events()) {
            let text = line(&event);
            let value: Value = serde_json::from_str(&text).unwrap();
            let other = serde_json::to_string_pretty(&value).unwrap();
            prop_assert!(Line::parse(other.as_bytes()).is_err());
            both_ways_say_the_same(other.as_bytes());
            let other = serde_json::to_string(&value).unwrap();
            both_ways_say_the_same(other.as_bytes());
        }
    }
}
