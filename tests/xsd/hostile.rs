//! Input that means harm, or is no XML at all: refused at once, by name, and
//! never a panic.

use ctc_ready::ncts::xsd::{
    MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PREFIXES, MAX_VIOLATIONS, Refused,
    Schemas, text_of,
};
use proptest::prelude::*;

use crate::facets::{load, schema};
use crate::support::hmrc;

const SCHEMA: &str = r#"
    <xs:element name="CC015C" type="Root"/>
    <xs:complexType name="Root"><xs:sequence>
        <xs:element name="a" type="Text" maxOccurs="unbounded"/>
        <xs:element name="b" type="Root" minOccurs="0"/>
    </xs:sequence></xs:complexType>
    <xs:simpleType name="Text"><xs:restriction base="xs:token"><xs:pattern value="(a|a)*(.*\P{Z})*b?"/></xs:restriction></xs:simpleType>
"#;

fn message(inside: &str) -> String {
    format!("<n:CC015C xmlns:n=\"http://ncts.dgtaxud.ec\">{inside}</n:CC015C>")
}

fn refused(text: &str) -> Refused {
    load(SCHEMA).validate(text).unwrap_err()
}

#[test]
fn declarations_of_types_and_entities_are_refused_whatever_they_hold() {
    for dtd in [
        "<!DOCTYPE a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE a SYSTEM 'http://example.org/a.dtd'>",
        "<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>",
        "<!DOCTYPE",
    ] {
        let document = format!("<?xml version=\"1.0\"?>\n{dtd}{}", message("<a>&b;</a>"));
        assert_eq!(refused(&document), Refused::Dtd { line: 2, column: 1 }, "{dtd}");
    }
    // Without one, there are no entities but XML's own.
    let error = refused(&message("<a>&b;</a>")).to_string();
    assert!(error.contains("unknown entity reference 'b'"), "{error}");
}

#[test]
fn bounds_are_kept_before_any_tree_is_built() {
    let deep = "<b>".repeat(1_000_000);
    let many =
        |what| move |error: Refused| matches!(error, Refused::TooMany { what: w, .. } if w == what);
    assert!(many("elements inside each other")(refused(&message(&deep))));
    let siblings = message(&"<a/>".repeat(1_000_000));
    assert!(many("nodes")(refused(&siblings)));
    let comments = message(&"<!---->".repeat(1_000_000));
    assert!(many("nodes")(refused(&comments)));
    let attributes: String = (0..400_000).map(|n| format!(" a{n}='x'")).collect();
    assert!(many("attributes of one element")(refused(&message(&format!("<a{attributes}/>")))));
    let prefixes: String = (0..100).map(|n| format!("<a xmlns:p{n}='urn:{n}'/>")).collect();
    assert!(many("namespace prefixes")(refused(&message(&prefixes))));
    let huge = vec![b'a'; 100_000_000];
    assert_eq!(text_of(&huge), Err(Refused::TooLarge { bytes: 100_000_000 }));
    let huge = "a".repeat(MAX_BYTES + 1);
    assert_eq!(refused(&huge), Refused::TooLarge { bytes: MAX_BYTES + 1 });
}

#[test]
fn what_is_within_the_bounds_is_judged() {
    let schemas = load(SCHEMA);
    let count = |text: &str| schemas.validate(text).unwrap().len();
    let nested = MAX_DEPTH - 1;
    let deep = format!("{}{}", "<a/><b>".repeat(nested - 1), "<a/>") + &"</b>".repeat(nested - 1);
    assert_eq!(count(&message(&deep)), 0);
    assert_eq!(count(&message(&"<a/>".repeat(MAX_NODES / 2))), 0);
    // No expression is slower than its text is long.
    let text = "a".repeat(MAX_BYTES / 20);
    assert_eq!(count(&message(&format!("<a>{text}\u{a0}</a>"))), 1);
    // A value of nearly everything that may be sent.
    let attribute = format!("<a x=\"{}\"/>", "v".repeat(MAX_BYTES - 1_000));
    assert_eq!(count(&message(&attribute)), 1);
    let attributes: String = (0..MAX_ATTRIBUTES).map(|n| format!(" a{n}='x'")).collect();
    assert_eq!(count(&message(&format!("<a{attributes}/>"))), MAX_ATTRIBUTES);
    let prefixes: String = (0..MAX_PREFIXES - 1).map(|n| format!("<a xmlns:p{n}='u'/>")).collect();
    assert_eq!(count(&message(&prefixes)), 0);
}

#[test]
fn a_flood_of_mistakes_ends() {
    let schemas = load(SCHEMA);
    for inside in
        ["<x/>", "<a y='1'/>", "<a/>t", "<a>\u{a0}</a>", "<a xmlns='u'/><a xmlns='v'/>", "<b/><a/>"]
    {
        let violations = schemas.validate(&message(&inside.repeat(60_000))).unwrap();
        assert_eq!(violations.len(), MAX_VIOLATIONS, "{inside}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_with_their_place() {
    let xml = message("<a>x</a>");
    let utf_16: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked: Vec<u8> =
        [0xfe, 0xff].into_iter().chain(xml.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let declared =
        |name: &str| format!("<?xml version='1.0' encoding='{name}'?>{xml}").into_bytes();
    for (bytes, place, part) in [
        (utf_16, (1, 1), "UTF-16"),
        (marked, (1, 1), "UTF-16"),
        (b"<a>\n<b>\xe9</b></a>".to_vec(), (2, 4), "byte 0xE9 is not UTF-8"),
        (b"<a>\xed\xa0\x80</a>".to_vec(), (1, 4), "byte 0xED is not UTF-8"),
        (b"<a>\xc3".to_vec(), (1, 4), "byte 0xC3 is not UTF-8"),
        (b"<a>\n\0</a>".to_vec(), (2, 1), "a NUL byte"),
        (declared("ISO-8859-1"), (1, 31), "declared as `ISO-8859-1`"),
        (declared("UTF-16"), (1, 31), "declared as `UTF-16`"),
        (declared(""), (1, 31), "declared as ``"),
    ] {
        match text_of(&bytes) {
            Err(Refused::Encoding { line, column, message }) => {
                assert_eq!((line, column), place, "{message}");
                assert!(message.contains(part), "{message}");
            }
            other => panic!("{part}: {other:?}"),
        }
    }
    let mut bytes = vec![0xef, 0xbb, 0xbf];
    bytes.extend(declared("utf-8"));
    assert!(text_of(&bytes).unwrap().starts_with("<?xml"));
    assert_eq!(text_of(b"").unwrap(), "");
}

#[test]
fn what_the_parser_lets_pass_is_refused_all_the_same() {
    for (document, part) in [
        (message("<a>&#xD800;</a>"), "a character reference to no character"),
        (message("<a b='&#1114112;'/>"), "a character reference to no character"),
        (message("<:a/>"), "starts with `:`"),
        (message("<a :b='1'/>"), "starts with `:`"),
        (message("<a xmlns='' xmlns=''/>"), "stands here twice"),
        (message("<a xmlns:p=''/>"), "cannot stand for no namespace"),
        (message("<?XML a?>"), "not at the start"),
        (message("<?a+b?>"), "without a proper name"),
        (format!("<?xml version=\"2.0\"?>{}", message("")), "the XML declaration is not"),
        (format!("<?xml version='1.0' standalone='maybe'?>{}", message("")), "declaration is not"),
        (format!("<?xml encoding='UTF-8'?>{}", message("")), "declaration is not"),
        (format!("<?xml?>{}", message("")), "names no version"),
        (format!(" <?xml version='1.0'?>{}", message("")), "not at the start"),
        (message("<a"), "not closed"),
        (message("<!--"), "a comment is not closed"),
        (message("<![CDATA["), "a CDATA section is not closed"),
        (message("<a b/>"), "an attribute has no value"),
        (message("<a></b>"), "expected 'a' tag, not 'b'"),
        (message("<p:a/>"), "unknown namespace prefix 'p'"),
        (message("\u{1}"), "non-XML character"),
        (message("]]>"), "not allowed inside a character data"),
        (message("") + &message(""), "unknown token"),
        (String::new(), "does not have a root node"),
        ("<a>".to_owned(), "never closed"),
    ] {
        let error = refused(&document);
        assert!(matches!(error, Refused::NotWellFormed { .. }), "{document}: {error}");
        assert!(error.to_string().contains(part), "{document}: {error}");
    }
}

/// A schema may come from anyone as well.
#[test]
fn hostile_schemas_are_problems() {
    let chain: String = (0..5_000)
        .map(|n| {
            let base = format!("T{}", n + 1);
            format!(
                "<xs:simpleType name=\"T{n}\"><xs:restriction base=\"{base}\"/></xs:simpleType>"
            )
        })
        .collect();
    let group: String =
        (0..1_000).map(|n| format!("<xs:element name=\"e{n}\" type=\"xs:token\"/>")).collect();
    let users: String = (0..1_000)
        .map(|n| format!("<xs:complexType name=\"C{n}\"><xs:sequence><xs:group ref=\"G\"/></xs:sequence></xs:complexType>"))
        .collect();
    let groups =
        format!("<xs:group name=\"G\"><xs:sequence>{group}</xs:sequence></xs:group>{users}");
    let patterns: String = (0..3_000)
        .map(|n| {
            format!("<xs:simpleType name=\"T{n}\"><xs:restriction base=\"xs:token\"><xs:pattern value=\".{{1,9999}}\"/></xs:restriction></xs:simpleType>")
        })
        .collect();
    for (inside, part) in [
        (patterns, "too long, all together"),
        ("<xs:nothing/>".repeat(200_000), "`nothing` inside `schema`"),
        (chain, "derived from itself, or in more than"),
        (groups, "elements together"),
        ("<xs:annotation>".repeat(100_000), "inside each other"),
    ] {
        let error = Schemas::load([("a.xsd".to_owned(), schema(&inside))]).unwrap_err();
        assert!(error.to_string().contains(part), "{:.300}", error.to_string());
        assert!(error.problems.len() <= 1_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(text) = text_of(&bytes) {
            let _ = load(SCHEMA).validate(text);
        }
    }

    #[test]
    fn no_likely_text_makes_it_panic(parts in proptest::collection::vec(0..PARTS.len(), 0..40)) {
        let text: String = parts.into_iter().map(|at| PARTS[at]).collect();
        let _ = load(SCHEMA).validate(&text);
        let _ = load(SCHEMA).validate(&message(&text));
        let _ = Schemas::load([("a.xsd".to_owned(), text.clone())]);
        let _ = Schemas::load([("a.xsd".to_owned(), schema(&text))]);
    }

    #[test]
    fn no_change_of_a_byte_makes_it_panic(at in 0usize..10_000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = message("<a>x é</a><!-- c --><a y='1'/><![CDATA[z]]><b><a/></b><?p q?>").into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        if let Ok(text) = text_of(&bytes) {
            let _ = load(SCHEMA).validate(text);
        }
        let mut bytes = schema(SCHEMA).into_bytes();
        let at = at * 7 % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = Schemas::load([("a.xsd".to_owned(), text)]);
        }
    }

    #[test]
    fn no_pattern_makes_it_panic(pattern in "[a-z0-9.,\\\\|?*+{}()\\[\\]^$-]{0,30}", value in "[a-z0-9 é]{0,20}") {
        let inside = SCHEMA.replace("(a|a)*(.*\\P{Z})*b?", &pattern);
        if let Ok(schemas) = Schemas::load([("a.xsd".to_owned(), schema(&inside))]) {
            let _ = schemas.validate(&message(&format!("<a>{value}</a>")));
        }
    }
}

const PARTS: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "<a",
    "<a>",
    "</a>",
    "<b>",
    "</b>",
    "<n:CC015C",
    " xmlns:n=\"http://ncts.dgtaxud.ec\"",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "<?xml",
    " version='1.0'",
    " encoding='",
    "utf-8'",
    "&",
    "&#",
    "&#x41;",
    ";",
    "'",
    "\"",
    "=",
    " ",
    "\n",
    "é",
    "𝄞",
    "\u{feff}",
    "\0",
    "xmlns",
    ":",
    "<!DOCTYPE",
    "xsi:type='a'",
    "<xs:element",
    " name='a'",
    " type='xs:token'",
    "<xs:complexType name='T'>",
    "</xs:complexType>",
    "<xs:sequence>",
    "</xs:sequence>",
    "<xs:include schemaLocation='a.xsd'/>",
    " minOccurs='0'",
];

/// HMRC's schemas recurse nowhere and are far larger: the same bounds hold.
#[test]
fn hostile_messages_of_hmrcs_kind_are_judged_in_bounds() {
    let Some(schemas) = hmrc() else { return };
    let houses =
        "<HouseConsignment><sequenceNumber>1</sequenceNumber></HouseConsignment>".repeat(50_000);
    let text = message(&format!("<Consignment>{houses}</Consignment>"));
    for schemas in schemas.values() {
        assert_eq!(schemas.validate(&text).unwrap().len(), MAX_VIOLATIONS);
    }
}
