//! Text that a server, a file or a user wrote, made fit to be passed on.

use std::borrow::Cow;

/// What stands for a character that no report should pass on.
const REPLACED: char = char::REPLACEMENT_CHARACTER;

/// `text` with lines ended by `\n`, and without control characters (no XML 1.0
/// document can hold them, and on a terminal they act), the two code points
/// that XML forbids, and those by which text is shown in another order than it
/// is written: each becomes U+FFFD, so that it shows that something was there.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_foul) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace(is_foul, &REPLACED.to_string()))
}

fn is_foul(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// The first `max` characters, and a sign where there were more.
pub fn short(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_or_break_a_document_becomes_a_visible_sign() {
        assert_eq!(plain("a\tb\r\nc é 株 ]]>"), "a\tb\nc é 株 ]]>");
        assert_eq!(
            plain("\0\u{1b}[2J\r\u{85}\u{ffff}\u{202e}x"),
            "\u{fffd}\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}x"
        );
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(short("é株x", 3), "é株x");
        assert_eq!(short("é株x", 2), "é株…");
    }
}
