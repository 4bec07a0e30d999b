//! Judging the value of an element or attribute against its simple type.
//!
//! Dates and numbers are judged as libxml2 does, also where it is stricter
//! than XML Schema: it takes no number of more than 24 digits.

use std::borrow::Cow;

use super::decimal::Decimal;
use super::model::{Builtin, SimpleType};
use super::{ViolationKind, shown};

/// XML's white space. A no-break space is none.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The value as the type sees it: `normalizedString` makes every white space a
/// space, all but `string` besides take what is left of runs and ends.
pub(super) fn normalized(builtin: Builtin, raw: &str) -> Cow<'_, str> {
    match builtin {
        Builtin::String => Cow::Borrowed(raw),
        Builtin::NormalizedString if !raw.contains(['\t', '\n', '\r']) => Cow::Borrowed(raw),
        Builtin::NormalizedString => Cow::Owned(raw.replace(is_space, " ")),
        _ if raw.contains(is_space) => {
            let words: Vec<&str> = raw.split(is_space).filter(|word| !word.is_empty()).collect();
            Cow::Owned(words.join(" "))
        }
        _ => Cow::Borrowed(raw),
    }
}

/// What is wrong with a value: the kind of the first fault, and all in words.
/// None when the type allows it.
pub(super) fn fault(types: &[SimpleType], of: usize, raw: &str) -> Option<(ViolationKind, String)> {
    let builtin = types[of].builtin;
    let value = normalized(builtin, raw);
    let number = match builtin {
        Builtin::String | Builtin::NormalizedString | Builtin::Token => None,
        Builtin::Integer | Builtin::Decimal => {
            let number = match builtin {
                Builtin::Integer => Decimal::parse_integer(&value),
                _ => Decimal::parse(&value),
            };
            let what = if builtin == Builtin::Integer { "a whole number" } else { "a number" };
            match number {
                Some(number) => Some(number),
                None => return Some((ViolationKind::Type, wrong(raw, &format!("is not {what}")))),
            }
        }
        Builtin::Date | Builtin::DateTime => {
            let with_time = builtin == Builtin::DateTime;
            if is_date(&value, with_time) {
                None
            } else {
                let what = if with_time {
                    "is not a date and time such as `2026-11-21T09:30:00`"
                } else {
                    "is not a date such as `2026-11-21`"
                };
                return Some((ViolationKind::Type, wrong(raw, what)));
            }
        }
    };
    let mut faults = Vec::new();
    let mut next = Some(of);
    while let Some(simple) = next.and_then(|index| types.get(index)) {
        facets(simple, &value, number.as_ref(), &mut faults);
        next = simple.base;
    }
    // A restriction may say again what its base says.
    faults.sort_by_key(|(kind, _)| *kind);
    faults.dedup_by(|a, b| a.1 == b.1);
    let kind = faults.first()?.0;
    let words: Vec<&str> = faults.iter().map(|(_, words)| words.as_str()).collect();
    Some((kind, wrong(&value, &words.join(", and "))))
}

fn wrong(value: &str, words: &str) -> String {
    if value.is_empty() {
        return format!("the empty value {words}");
    }
    format!("`{}` {words}", shown(value))
}

/// The faults of one step of derivation.
fn facets(
    simple: &SimpleType,
    value: &str,
    number: Option<&Decimal>,
    faults: &mut Vec<(ViolationKind, String)>,
) {
    let facets = &simple.facets;
    let mut fault = |kind, words: String| faults.push((kind, words));
    if !facets.enumeration.is_empty() && !facets.enumeration.iter().any(|one| one == value) {
        let mut allowed: Vec<String> =
            facets.enumeration.iter().take(20).map(|one| format!("`{}`", shown(one))).collect();
        if facets.enumeration.len() > allowed.len() {
            allowed.push(format!("and {} more", facets.enumeration.len() - allowed.len()));
        }
        let word = if allowed.len() == 1 { "not" } else { "none of" };
        fault(ViolationKind::Enumeration, format!("is {word} {}", allowed.join(", ")));
    }
    if facets.length.is_some() || facets.min_length.is_some() || facets.max_length.is_some() {
        let length = value.chars().count();
        let limits = [
            ("", facets.length.filter(|limit| length != *limit)),
            (" at least", facets.min_length.filter(|limit| length < *limit)),
            (" at most", facets.max_length.filter(|limit| length > *limit)),
        ];
        for (word, limit) in limits {
            if let Some(limit) = limit {
                let words = format!("has {length} characters instead of{word} {limit}");
                fault(ViolationKind::Length, words);
            }
        }
    }
    if let Some(number) = number {
        let digits = number.total_digits();
        if let Some(limit) = facets.total_digits.filter(|limit| digits > *limit) {
            fault(ViolationKind::Digits, format!("has {digits} digits instead of at most {limit}"));
        }
        let digits = number.fraction_digits();
        if let Some(limit) = facets.fraction_digits.filter(|limit| digits > *limit) {
            let words = format!("has {digits} decimal places instead of at most {limit}");
            fault(ViolationKind::Digits, words);
        }
        if let Some(limit) = facets.min_inclusive.as_ref().filter(|limit| number < *limit) {
            fault(ViolationKind::Range, format!("is less than {limit}"));
        }
        if let Some(limit) = facets.max_inclusive.as_ref().filter(|limit| number > *limit) {
            fault(ViolationKind::Range, format!("is more than {limit}"));
        }
    }
    let patterns = &facets.patterns;
    if !patterns.is_empty() && !patterns.iter().any(|(_, regex)| regex.matches(value)) {
        let texts: Vec<String> =
            patterns.iter().map(|(text, _)| format!("`{}`", shown(text))).collect();
        fault(ViolationKind::Pattern, format!("does not match {}", texts.join(" or ")));
    }
}

/// `2026-11-21`, or with a time; both with an optional zone. Years have four
/// digits or more, there is no year 0, and `24:00:00` ends a day.
fn is_date(text: &str, with_time: bool) -> bool {
    let mut rest = Digits(text.as_bytes());
    let date = (|| {
        rest.take(b'-');
        let year = rest.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, after) = rest.0.split_at(year);
        rest.0 = after;
        let leading_zero = digits.first() == Some(&b'0');
        // Years of more digits than a machine word has are beyond libxml2.
        if !(4..=18).contains(&year) || year > 4 && leading_zero {
            return None;
        }
        let year = digits.iter().fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
        let month = rest.after(b'-')?;
        let day = rest.after(b'-')?;
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        (year != 0 && (1..=days).contains(&day)).then_some(())
    })();
    date.is_some() && (!with_time || rest.time().is_some()) && rest.zone().is_some()
}

/// What is left of a date.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn take(&mut self, byte: u8) -> bool {
        let taken = self.0.first() == Some(&byte);
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    fn two(&mut self) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(2)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
    }

    fn after(&mut self, byte: u8) -> Option<u32> {
        if self.take(byte) { self.two() } else { None }
    }

    fn time(&mut self) -> Option<()> {
        let hour = self.after(b'T')?;
        let minute = self.after(b':')?;
        let second = self.after(b':')?;
        let mut whole = true;
        if self.take(b'.') {
            let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let (fraction, rest) = self.0.split_at(digits);
            whole = fraction.iter().all(|b| *b == b'0');
            self.0 = rest;
        }
        let midnight = hour == 24 && minute == 0 && second == 0 && whole;
        (midnight || hour < 24 && minute < 60 && second < 60).then_some(())
    }

    /// The rest must be a time zone, or nothing.
    fn zone(&mut self) -> Option<()> {
        if self.0.is_empty() {
            return Some(());
        }
        if !self.take(b'Z') {
            if !self.take(b'+') && !self.take(b'-') {
                return None;
            }
            let hours = self.two()?;
            let minutes = self.after(b':')?;
            if minutes > 59 || hours * 60 + minutes > 14 * 60 {
                return None;
            }
        }
        self.0.is_empty().then_some(())
    }
}
