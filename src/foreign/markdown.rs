//! Foreign text in Markdown of GitHub's and GitLab's flavours: it neither breaks
//! a table nor becomes a link, a mention or HTML.

use std::borrow::Cow;

use super::text::plain;

/// Text in one line that is nothing but text: no mark-up, no HTML, no link, no
/// mention, no reference.
pub fn prose(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text.chars().peekable();
    let mut word = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(' '),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|'
            | '~' | '$' | '^' | '=' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        // Mentions (`@`), references (`#` `!` `~` `%` `$` `&`), addresses and
        // short names of pictures (`:`) are looked for in the finished text,
        // where escapes are gone: a space without width ends them.
        let joined = rest.peek().is_some_and(|next| !next.is_whitespace());
        let mark = matches!(c, '@' | '#' | '!' | '~' | '%' | '$' | '&' | ':');
        let www = c == '.' && word.eq_ignore_ascii_case("www");
        if joined && (mark || www) {
            out.push('\u{200b}');
        }
        match c.is_alphanumeric() {
            true => word.push(c),
            false => word.clear(),
        }
    }
    out
}

/// A code span in a cell of a table: text as it is, of which nothing is made.
pub fn code(text: &str) -> String {
    let text = plain(text);
    let text = text.trim().replace(['\n', '\t'], " ");
    if text.is_empty() {
        return String::new();
    }
    // A fence longer than any inside; a table's cells are split before code is
    // looked for, and there alone is the backslash taken away again.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    let text: Cow<'_, str> = text.replace('|', "\\|").into();
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(prose("plain words, 1.5"), "plain words, 1.5");
        assert_eq!(
            prose("a|b\n<img src=x> `c` [d](e) *f* \\"),
            "a\\|b &lt;img src\\=x&gt; \\`c\\` \\[d\\]\\(e\\) \\*f\\* \\\\"
        );
        let marks = prose("@team #12 !3 https://x www.y: &amp; ok: fine");
        for broken in
            ["@\u{200b}team", "\\#\u{200b}12", "\\!\u{200b}3", "https:\u{200b}//x", "www.\u{200b}y"]
        {
            assert!(marks.contains(broken), "{broken}: {marks}");
        }
        assert!(marks.contains("&amp;\u{200b}amp;") && marks.ends_with("ok: fine"), "{marks}");
    }

    #[test]
    fn code_stays_code_whatever_is_in_it() {
        assert_eq!(code("26GB00|x"), "`26GB00\\|x`");
        assert_eq!(code("a``b`"), "``` a``b` ```");
        assert_eq!(code(" \n "), "");
    }
}
