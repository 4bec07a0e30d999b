//! Hostile text made harmless: every character is shown for what it is, none
//! does anything. Called by the rest of `report::html`.

use std::borrow::Cow;
use std::fmt;

/// Writes text as HTML. Beside what markup would take for its own, characters
/// that a reader cannot see or that would change what others look like
/// (controls, direction, joiners without width, what is no character) are
/// written as pictures or by number: `␀`, `[U+202E]`.
///
/// # Errors
/// The writer's.
pub(super) fn write(out: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let mut number = String::new();
        let Some(instead) = instead(c, &mut number) else { continue };
        out.write_str(text.get(from..at).unwrap_or_default())?;
        out.write_str(instead)?;
        from = at + c.len_utf8();
    }
    out.write_str(text.get(from..).unwrap_or_default())
}

/// What is written for a character that may not stand for itself.
fn instead(c: char, number: &mut String) -> Option<&str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        '\n' | '\t' => return None,
        '\u{7f}' => "\u{2421}",
        c if c < ' ' => {
            number.extend(char::from_u32(0x2400 + u32::from(c)));
            number
        }
        c if is_unseen(c) => {
            *number = format!("[U+{:04X}]", u32::from(c));
            number
        }
        _ => return None,
    })
}

fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

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
    fn nothing_hidden_and_no_markup_gets_through() {
        assert_eq!(
            written("<a href='x'>\"&amp;\0\u{7f}\u{1b}[0m\u{202e}\u{feff}\r\n\té"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;\u{2400}\u{2421}\u{241b}[0m[U+202E][U+FEFF]\
             \u{240d}\n\té"
        );
        assert_eq!(written("\u{ffff}\u{10fffe}"), "[U+FFFF][U+10FFFE]");
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
