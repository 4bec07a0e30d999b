//! Decimal numbers of any size, as XML Schema writes them.

use std::cmp::Ordering;

/// Most digits that libxml2 reads; XML Schema asks for 18 at least.
const MAX_DIGITS: usize = 24;

/// A number: no zeros at either end of its digits, and no negative zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Decimal {
    /// Reads `-12.30`, `.5`, `12.`; none when it is no number, or one with
    /// more than 24 digits, zeros at its end included.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        // libxml2 has no room for a point behind its last digit.
        let point = usize::from(digits.contains('.'));
        if whole.len() + point.max(fraction.len()) > MAX_DIGITS {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let negative = negative && whole.len() + fraction.len() > 0;
        Some(Self { negative, whole: whole.to_owned(), fraction: fraction.to_owned() })
    }

    /// The same, without a point.
    pub(super) fn parse_integer(text: &str) -> Option<Self> {
        if text.contains('.') { None } else { Self::parse(text) }
    }

    /// Digits that matter: 100 has three, 0.05 two, 0 one.
    pub(super) fn total_digits(&self) -> usize {
        (self.whole.len() + self.fraction.len()).max(1)
    }

    /// Digits behind the point that matter.
    pub(super) fn fraction_digits(&self) -> usize {
        self.fraction.len()
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |one: &Self, two: &Self| {
            let by_whole = one.whole.len().cmp(&two.whole.len()).then(one.whole.cmp(&two.whole));
            by_whole.then(one.fraction.cmp(&two.fraction))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self, other),
            (true, true) => size(other, self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        let point = if self.fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{}", self.fraction)
    }
}
