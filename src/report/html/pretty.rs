//! Bodies laid out for reading: white space between tokens changes, and
//! nothing else. Called by `super::body`.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::ncts::read;

/// Levels that are indented; deeper ones stand below each other.
const LEVELS: usize = 24;

/// The text laid out, where it is JSON or well-formed XML and gains by it.
pub(super) fn pretty(text: &str) -> Option<String> {
    let body = text.trim();
    let out = if body.starts_with('<') {
        read::parse(body).ok()?;
        xml(body)
    } else {
        serde_json::from_str::<serde::de::IgnoredAny>(body).ok()?;
        Some(json(body))
    };
    // What is nested for the sake of it is easier read as it is.
    out.filter(|out| out.len() <= text.len() * 3 + 256)
}

fn line(out: &mut String, depth: usize) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.extend(std::iter::repeat_n("  ", depth.min(LEVELS)));
}

/// Well-formed XML, an element a line; an element with text stays whole.
fn xml(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    let (mut out, mut depth, mut from) = (String::new(), 0_usize, 0);
    // Whether what comes next follows on the same line.
    let mut inline = false;
    loop {
        let event = reader.read_event().ok()?;
        let to = usize::try_from(reader.buffer_position()).ok()?;
        let source = text.get(from..to)?;
        from = to;
        match event {
            Event::Eof => return Some(out),
            Event::Text(_) if source.trim().is_empty() => {}
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                out.push_str(source);
                inline = true;
            }
            Event::Start(_) => {
                if !inline {
                    line(&mut out, depth);
                }
                out.push_str(source);
                depth += 1;
                // An element without children closes where it opened.
                inline = closes_next(text.get(to..)?);
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                if !inline {
                    line(&mut out, depth);
                }
                out.push_str(source);
                inline = follows_text(text.get(to..)?);
            }
            _ => {
                if !inline {
                    line(&mut out, depth);
                }
                out.push_str(source);
            }
        }
    }
}

fn closes_next(rest: &str) -> bool {
    rest.trim_start().starts_with("</")
}

/// Whether text stands beside an element that just ended: mixed content keeps
/// its line.
fn follows_text(rest: &str) -> bool {
    let next = rest.trim_start();
    !next.is_empty() && !next.starts_with('<')
}

/// Valid JSON, a member a line.
fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let (mut quoted, mut escaped) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if quoted {
            out.push(c);
            (quoted, escaped) = (c != '"' || escaped, c == '\\' && !escaped);
            continue;
        }
        match c {
            ' ' | '\t' | '\r' | '\n' => {}
            '"' => {
                quoted = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                match chars.next_if(|c| matches!(c, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn xml_has_an_element_a_line() {
        let text = "<?xml version=\"1.0\"?><a x='1>2'><b/><c>t &amp; u</c><d></d><e><f>1</f></e>\
                    <!-- n --><g>m<h/>n</g></a>";
        insta::assert_snapshot!(pretty(text).unwrap(), @r#"
        <?xml version="1.0"?>
        <a x='1>2'>
          <b/>
          <c>t &amp; u</c>
          <d></d>
          <e>
            <f>1</f>
          </e>
          <!-- n -->
          <g>m<h/>n</g>
        </a>
        "#);
    }

    #[test]
    fn json_keeps_its_tokens_as_they_are() {
        let text = r#"{"b":1.0,"a":[ ],"a":{"x":"},\"{"},"n":[1,{"y":null}], "e" : { } }"#;
        insta::assert_snapshot!(pretty(text).unwrap(), @r#"
        {
          "b": 1.0,
          "a": [],
          "a": {
            "x": "},\"{"
          },
          "n": [
            1,
            {
              "y": null
            }
          ],
          "e": {}
        }
        "#);
    }

    #[test]
    fn what_is_neither_is_left_alone() {
        assert_eq!(pretty("<html><br></html>"), None);
        assert_eq!(pretty("{\"a\":"), None);
        assert_eq!(pretty(""), None);
        let nested = "[".repeat(100) + &"]".repeat(100);
        assert_eq!(pretty(&nested), None, "more space than text");
    }

    fn bare(text: &str) -> String {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    }

    proptest! {
        #[test]
        fn only_white_space_changes(value in "[\\[\\]{}\",:a1 <>/&;=']{0,60}") {
            if let Some(out) = pretty(&value) {
                prop_assert_eq!(bare(&out), bare(&value));
            }
            let json = serde_json::json!({"k": [value, {"v": 1.5e3}]}).to_string();
            prop_assert_eq!(bare(&pretty(&json).unwrap()), bare(&json));
        }
    }
}
