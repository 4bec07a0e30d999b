//! Hostile text made harmless: every character is shown for what it is, none
//! does anything. Called by the rest of `report::html`.

use std::borrow::Cow;

use crate::foreign::html::instead;
pub(super) use crate::foreign::html::write;

/// The longest beginning of `text` that [`write`] turns into at most `max`
/// bytes.
pub(super) fn fitting(text: &str, max: usize) -> &str {
    let mut room = max;
    let mut number = String::new();
    for (at, c) in text.char_indices() {
        number.clear();
        let size = instead(c, &mut number).map_or(c.len_utf8(), str::len);
        match room.checked_sub(size) {
            Some(left) => room = left,
            None => return text.get(..at).unwrap_or_default(),
        }
    }
    text
}

/// As much of `text` as [`write`] turns into `max` bytes; one that was longer
/// says so.
pub(super) fn short(text: &str, max: usize) -> Cow<'_, str> {
    let kept = fitting(text, max);
    if kept.len() == text.len() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{kept}… (cut; it has {} bytes)", thousands(text.len() as u64)))
}

/// `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 run`, `2 runs`.
pub(super) fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        write(&mut out, text).unwrap();
        out
    }

    #[test]
    fn what_fits_is_counted_as_it_will_be_written() {
        for text in ["<<<<", "abc\u{202e}def", "é\0é", "plain"] {
            for max in 0..40 {
                let kept = fitting(text, max);
                assert!(written(kept).len() <= max, "{text:?} {max}");
                let next = text[kept.len()..].chars().next();
                assert!(next.is_none_or(|c| written(&format!("{kept}{c}")).len() > max));
            }
        }
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(short("éé", 4), "éé");
        assert_eq!(short("ééé", 5), "éé… (cut; it has 6 bytes)");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(count(1, "run"), "1 run");
        assert_eq!(count(1000, "run"), "1,000 runs");
    }
}
