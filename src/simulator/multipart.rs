//! Reading `multipart/form-data` (RFC 7578) that is whole in memory.

/// Most parts of a form.
const PARTS: usize = 64;

/// Most bytes of a part's headers.
const HEADERS: usize = 8 << 10;

/// A part of a form. It borrows the form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) name: String,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) body: &'a [u8],
}

/// What is not `multipart/form-data`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The boundary that a content type names, when it is `multipart/form-data`.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (essence, parameters) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    })?;
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    (1..=70).contains(&value.len()).then_some(value)
}

/// Where `needle`, which begins with a rare byte, first stands.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let at = from + haystack.get(from..)?.iter().position(|byte| *byte == first)?;
        if haystack.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The value of a parameter of a header, quoted or not.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|one| {
        let (key, value) = one.split_once('=')?;
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

fn part<'a>(whole: &'a [u8]) -> Result<Part<'a>, Malformed> {
    let split = find(whole.get(..whole.len().min(HEADERS)).unwrap_or_default(), b"\r\n\r\n");
    let split = split.ok_or(Malformed)?;
    let (headers, body) = whole.split_at(split);
    let headers = std::str::from_utf8(headers).map_err(|_| Malformed)?;
    let header = |wanted: &str| {
        headers.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let disposition = header("content-disposition")
        .filter(|value| {
            let kind = value.split(';').next().unwrap_or_default();
            kind.trim().eq_ignore_ascii_case("form-data")
        })
        .ok_or(Malformed)?;
    Ok(Part {
        name: parameter(disposition, "name").ok_or(Malformed)?,
        filename: parameter(disposition, "filename"),
        content_type: header("content-type").map(str::to_owned),
        body: body.get(4..).unwrap_or_default(),
    })
}

/// The parts of a form.
///
/// # Errors
/// It does not follow the standard, or has more parts than any form.
pub(super) fn parts<'a>(form: &'a [u8], boundary: &str) -> Result<Vec<Part<'a>>, Malformed> {
    let delimiter = format!("\r\n--{boundary}");
    let (first, delimiter) = (&delimiter.as_bytes()[2..], delimiter.as_bytes());
    // What stands before the first delimiter is no part.
    let start = if form.starts_with(first) {
        first.len()
    } else {
        find(form, delimiter).ok_or(Malformed)? + delimiter.len()
    };
    let mut rest = form.get(start..).unwrap_or_default();
    let mut all = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(all);
        }
        // Spaces may pad a delimiter.
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        rest = rest.get(padding..).and_then(|rest| rest.strip_prefix(b"\r\n")).ok_or(Malformed)?;
        let end = find(rest, delimiter).ok_or(Malformed)?;
        if all.len() == PARTS {
            return Err(Malformed);
        }
        all.push(part(rest.get(..end).unwrap_or_default())?);
        rest = rest.get(end + delimiter.len()..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_part_by_part() {
        let form =
            b"preamble\r\n--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--B \r\n\
            content-disposition: form-data; name=file; filename=\"a.xml\"\r\n\
            Content-Type: application/xml\r\n\r\n<a>\r\n--A</a>\r\n--B--\r\n";
        let parts = parts(form, "B").unwrap();
        assert_eq!((parts[0].name.as_str(), parts[0].body), ("key", &b"k"[..]));
        assert_eq!(parts[1].filename.as_deref(), Some("a.xml"));
        assert_eq!(parts[1].content_type.as_deref(), Some("application/xml"));
        assert_eq!(parts[1].body, b"<a>\r\n--A</a>");
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let head = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n";
        for form in [
            String::new(),
            "--".into(),
            "--B".into(),
            "--Bx".into(),
            "--B\r\n\r\n\r\n--B--".into(),
            "--B\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--B--".into(),
            "--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--".into(),
            format!("{head}never ends"),
            format!("{head}1\r\n--C--"),
            format!("--B\r\n{}: x\r\n\r\n1\r\n--B--", "x".repeat(HEADERS)),
            format!("{}--", format!("{head}1\r\n").repeat(PARTS + 1) + "--B"),
        ] {
            assert_eq!(parts(form.as_bytes(), "B"), Err(Malformed), "{form:.80}");
        }
        assert_eq!(parts(b"--B--", "B"), Ok(Vec::new()));
    }

    #[test]
    fn boundaries_are_found() {
        for (value, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=abc", None),
        ] {
            assert_eq!(boundary(value), expected, "{value}");
        }
    }
}
