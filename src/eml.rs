//! An e-mail as a file (RFC 5322, MIME with RFC 2045 and 2047) that any mail
//! program opens, ready to be sent.
//!
//! Whatever a text holds, it stays in its place: no value can add a header, and
//! a body's lines are short and plain ASCII on the wire. Files go with it in
//! base64, and come out as they went in.
//!
//! Floor 1: it uses nothing of ours. Any floor above may call it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

/// Longest line on the wire, without its end.
const LINE: usize = 76;

/// Most characters of a header's value: ids and titles of a house's own
/// catalogue may be of any length.
const MAX_VALUE: usize = 400;

/// A file that goes with a letter.
#[derive(Clone, Debug)]
pub struct Attachment<'a> {
    /// Its name, without a folder.
    pub name: &'a str,
    /// Its media type: `application/zip`.
    pub media_type: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// What the file says.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    /// Sender, where known; the mail program fills it in where not.
    pub from: Option<&'a str>,
    /// Recipient; one that is no address is left out.
    pub to: &'a str,
    /// Subject.
    pub subject: &'a str,
    /// When it was drafted.
    pub date: DateTime<Utc>,
    /// Its own id, without angle brackets.
    pub id: &'a str,
    /// The id of the letter that it follows.
    pub follows: Option<&'a str>,
    /// Text.
    pub body: &'a str,
    /// Files that go with it.
    pub attachments: &'a [Attachment<'a>],
}

impl Letter<'_> {
    /// The file; lines end with CR LF.
    pub fn to_eml(&self) -> String {
        let mut out = String::new();
        let mut header = |name: &str, value: &str| {
            out.push_str(&format!("{name}: {value}\r\n"));
        };
        // Mail programs open it as a draft.
        header("X-Unsent", "1");
        if let Some(from) = self.from.and_then(address) {
            header("From", from);
        }
        if let Some(to) = address(self.to) {
            header("To", to);
        }
        header("Subject", &unstructured("Subject: ".len(), self.subject));
        header("Date", &self.date.to_rfc2822());
        header("Message-ID", &format!("<{}>", id(self.id)));
        if let Some(follows) = self.follows {
            let follows = format!("<{}>", id(follows));
            header("In-Reply-To", &follows);
            header("References", &follows);
        }
        header("MIME-Version", "1.0");
        if self.attachments.is_empty() {
            out.push_str(&text_part(self.body));
            return out;
        }
        // Neither of the two encodings has a line that begins with `--=_`.
        let word: String = self.id.chars().filter(char::is_ascii_alphanumeric).collect();
        let boundary = format!("=_{}", word.get(..LINE / 2).unwrap_or(&word));
        header("Content-Type", &format!("multipart/mixed;\r\n boundary=\"{boundary}\""));
        out.push_str(&format!("\r\n--{boundary}\r\n"));
        out.push_str(&text_part(self.body));
        for attachment in self.attachments {
            out.push_str(&format!("--{boundary}\r\n"));
            attachment.write(&mut out);
        }
        out.push_str(&format!("--{boundary}--\r\n"));
        out
    }
}

impl Attachment<'_> {
    fn write(&self, out: &mut String) {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        let name: String = self.name.chars().map(plain).take(LINE / 2).collect();
        let of_type = |c: &char| c.is_ascii_alphanumeric() || "-+./".contains(*c);
        let media_type: String = self.media_type.chars().filter(of_type).collect();
        out.push_str(&format!("Content-Type: {media_type};\r\n name=\"{name}\"\r\n"));
        out.push_str(&format!("Content-Disposition: attachment;\r\n filename=\"{name}\"\r\n"));
        out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
        // A multiple of 3 bytes for each line, so that none is padded but the
        // last.
        for line in self.bytes.chunks(LINE / 4 * 3) {
            STANDARD.encode_string(line, out);
            out.push_str("\r\n");
        }
    }
}

/// The headers of a text, and the text.
fn text_part(text: &str) -> String {
    format!(
        "Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{}",
        quoted_printable(text)
    )
}

/// `text`, if it is an address and nothing else: one `@`, and characters that
/// mean nothing in a header.
pub fn address(text: &str) -> Option<&str> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let dots = |part: &str| part.split('.').all(|label| !label.is_empty());
    (local.chars().all(atom)
        && domain.chars().all(host)
        && dots(local)
        && dots(domain)
        && text.len() <= 254)
        .then_some(text)
}

fn id(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-._@".contains(*c)).collect()
}

/// A header's free text: as it is where it is plain words, else in encoded
/// words (RFC 2047).
fn unstructured(name: usize, text: &str) -> String {
    let text: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_VALUE).collect();
    let text = text.trim();
    let short = |word: &str| (1..=LINE / 2).contains(&word.len());
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !text.contains("=?")
        && text.split(' ').all(short);
    if plain {
        return folded(name, text);
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        let coded: String = match c {
            ' ' => "_".to_owned(),
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c => c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("={byte:02X}")).collect(),
        };
        // At most 75 characters a word, a character never in two words.
        match words.last_mut() {
            Some(word) if word.len() + coded.len() <= 50 => word.push_str(&coded),
            _ => words.push(coded),
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?Q?{word}?=")).collect();
    words.join("\r\n ")
}

/// Words in lines: a line but the first begins with a space.
fn folded(name: usize, text: &str) -> String {
    let (mut out, mut length) = (String::new(), name);
    for word in text.split(' ') {
        if !out.is_empty() {
            if length + 1 + word.len() > LINE {
                out.push_str("\r\n");
                length = 0;
            }
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += word.len();
    }
    out
}

/// A text in quoted-printable (RFC 2045, section 6.7), ended by a line end.
fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut length = 0;
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            let at_end = characters.peek().is_none();
            let plain = matches!(c, '!'..='~') && c != '=' || matches!(c, ' ' | '\t') && !at_end;
            let coded: String = match plain {
                true => c.to_string(),
                false => {
                    c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("={byte:02X}")).collect()
                }
            };
            if length + coded.len() > LINE - 1 {
                out.push_str("=\r\n");
                length = 0;
            }
            length += coded.len();
            out.push_str(&coded);
        }
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn letter<'a>(to: &'a str, subject: &'a str, body: &'a str) -> Letter<'a> {
        Letter {
            from: Some("customs@software.example"),
            to,
            subject,
            date: Utc.with_ymd_and_hms(2026, 11, 23, 9, 5, 7).unwrap(),
            id: "run.2.asked@software.example",
            follows: None,
            body,
            attachments: &[],
        }
    }

    /// The headers and the body, decoded.
    fn read(eml: &str) -> (Vec<(String, String)>, String) {
        let (head, body) = eml.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ");
        let headers = head.split("\r\n").map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        });
        (headers.collect(), decoded(&body.replace("=\r\n", ""), false))
    }

    fn decoded(text: &str, words: bool) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'=' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    let digits = std::str::from_utf8(&digits).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                }
                b'_' if words => bytes.push(b' '),
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    fn subject_of(headers: &[(String, String)]) -> String {
        let (_, value) = headers.iter().find(|(name, _)| name == "Subject").unwrap();
        if !value.starts_with("=?") {
            return value.clone();
        }
        let words = value.split(' ');
        let inner = |word: &str| {
            let inner = word.strip_prefix("=?utf-8?Q?").unwrap().strip_suffix("?=").unwrap();
            decoded(inner, true)
        };
        words.map(inner).collect()
    }

    #[test]
    fn only_an_address_is_one() {
        for good in ["a@b.example", "customs+test@software.example", " x@y "] {
            assert_eq!(address(good), Some(good.trim()), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "A <a@b>",
            "a@b\r\nBcc: x@y",
            "a,b@c",
            "é@b",
            "a@.b",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn files_go_with_it_and_nothing_gets_out_of_its_part() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        let name = "form\" ; x=\r\nBcc: y@z/..";
        let media_type = "application/zip\r\nBcc: y@z";
        let attachments = [
            Attachment { name, media_type, bytes: &bytes },
            Attachment { name: "b", media_type: "a/b", bytes: b"" },
        ];
        let letter =
            Letter { attachments: &attachments, ..letter("o@h.example", "s", "--=_\n=_\n") };
        let eml = letter.to_eml();
        assert!(eml.is_ascii() && eml.split("\r\n").all(|line| line.len() <= 78));
        assert!(!eml.to_lowercase().contains("\r\nbcc"), "{eml}");
        let (head, body) = eml.split_once("\r\n\r\n").unwrap();
        let boundary = head.split('"').nth(1).unwrap();
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 5, "{eml}");
        assert_eq!(parts[4], "--\r\n");
        let (_, coded) = parts[2].split_once("\r\n\r\n").unwrap();
        assert_eq!(STANDARD.decode(coded.replace("\r\n", "")).unwrap(), bytes);
    }

    proptest! {
        /// Nobody's text becomes a header, breaks a line, or gets lost.
        #[test]
        fn no_text_leaves_its_place(
            subject in "(\\PC|[\r\n\t =?_]){0,120}",
            body in "(\\PC|[\n =.]){0,300}",
            to in "(\\PC|[\r\n]){0,20}",
        ) {
            let eml = letter(&to, &subject, &body).to_eml();
            prop_assert!(eml.is_ascii());
            prop_assert!(!eml.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert!(eml.split("\r\n").all(|line| line.len() <= 78));
            let (headers, text) = read(&eml);
            let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
            let known = ["X-Unsent", "From", "To", "Subject", "Date", "Message-ID",
                "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
            let expected: Vec<&str> =
                known.into_iter().filter(|name| *name != "To" || address(&to).is_some()).collect();
            prop_assert_eq!(names, expected);
            let wanted: String =
                subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            prop_assert_eq!(subject_of(&headers), wanted.trim());
            let lines: Vec<&str> = body.lines().collect();
            prop_assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        }
    }
}
