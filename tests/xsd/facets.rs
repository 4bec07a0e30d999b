//! Values and contents against small schemas of the tests' own. Where
//! `xmllint` is installed, it must say the same of every row.

use std::fs;

use ctc_ready::ncts::xsd::{Schemas, Violation, ViolationKind as Kind};

use crate::support::xmllint;

pub const HEAD: &str = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
    xmlns=\"http://ncts.dgtaxud.ec\" targetNamespace=\"http://ncts.dgtaxud.ec\">\n";

/// A file with this in it.
pub fn schema(inside: &str) -> String {
    format!("{HEAD}{inside}</xs:schema>")
}

pub fn load(inside: &str) -> Schemas {
    Schemas::load([("one.xsd".to_owned(), schema(inside))]).unwrap_or_else(|e| panic!("{e}"))
}

/// A root element `CC015C` with one element `v` of a type that restricts
/// `base` by these facets.
fn one_value(base: &str, facets: &str) -> String {
    format!(
        "<xs:element name=\"CC015C\" type=\"Root\"/>\
         <xs:complexType name=\"Root\"><xs:sequence><xs:element name=\"v\" type=\"V\"/></xs:sequence></xs:complexType>\
         <xs:simpleType name=\"V\"><xs:restriction base=\"{base}\">{facets}</xs:restriction></xs:simpleType>\
         <xs:simpleType name=\"Code\"><xs:restriction base=\"xs:token\"><xs:pattern value=\"[A-Z]*\"/></xs:restriction></xs:simpleType>"
    )
}

fn message(inside: &str) -> String {
    format!("<n:CC015C xmlns:n=\"http://ncts.dgtaxud.ec\">{inside}</n:CC015C>")
}

fn facet(name: &str, value: &str) -> String {
    format!("<xs:{name} value=\"{value}\"/>")
}

/// Values with the kind of their fault, none when they are valid.
type Row<'a> = (&'a str, String, &'a [(&'a str, Option<Kind>)]);

#[test]
fn every_facet_of_every_builtin_type_judges_as_libxml2_does() {
    use Kind::*;
    let two = |a: (&str, &str), b: (&str, &str)| facet(a.0, a.1) + &facet(b.0, b.1);
    let pattern = |text| facet("pattern", text);
    let any_date: &[(&str, Option<Kind>)] = &[
        ("2026-11-21", None),
        (" \n2026-11-21\t", None),
        ("2024-02-29", None),
        ("2026-02-29", Some(Type)),
        ("2000-02-29", None),
        ("1900-02-29", Some(Type)),
        ("2026-04-31", Some(Type)),
        ("2026-00-01", Some(Type)),
        ("2026-13-01", Some(Type)),
        ("2026-01-00", Some(Type)),
        ("0000-01-01", Some(Type)),
        ("-0044-03-15", None),
        ("12026-01-01", None),
        ("02026-01-01", Some(Type)),
        ("226-01-01", Some(Type)),
        ("2026-1-01", Some(Type)),
        ("2026-01-01Z", None),
        ("2026-01-01+14:00", None),
        ("2026-01-01-14:00", None),
        ("2026-01-01+14:01", Some(Type)),
        ("2026-01-01+24:00", Some(Type)),
        ("2026-01-01+01:60", Some(Type)),
        ("2026-01-01+1:00", Some(Type)),
        ("2026-01-01T00:00:00", Some(Type)),
        ("", Some(Type)),
        ("２０２６-01-01", Some(Type)),
    ];
    let any_time: &[(&str, Option<Kind>)] = &[
        ("2026-11-21T09:30:00", None),
        ("2026-11-21T24:00:00", None),
        ("2026-11-21T24:00:00.0", None),
        ("2026-11-21T24:00:00.1", Some(Type)),
        ("2026-11-21T24:00:01", Some(Type)),
        ("2026-11-21T25:00:00", Some(Type)),
        ("2026-11-21T23:60:00", Some(Type)),
        ("2026-11-21T23:59:60", Some(Type)),
        ("2026-11-21T23:59:59.999", None),
        ("2026-11-21T23:59:59.", Some(Type)),
        ("2026-11-21T09:30", Some(Type)),
        ("2026-11-21 09:30:00", Some(Type)),
        ("2026-11-21T09:30:00Z", None),
        ("2026-11-21T09:30:00.5-05:30", None),
        ("2026-11-21T09:30:00ZZ", Some(Type)),
        ("2026-11-21", Some(Type)),
        ("2026-02-30T09:30:00", Some(Type)),
    ];
    let rows: Vec<Row<'_>> = vec![
        ("xs:date", pattern(".*"), any_date),
        ("xs:dateTime", pattern(".*"), any_time),
        (
            "xs:decimal",
            String::new(),
            &[
                ("0", None),
                (" 12.50\n", None),
                ("12.", None),
                (".5", None),
                ("-.5", None),
                ("+1", None),
                ("", Some(Type)),
                (".", Some(Type)),
                ("+", Some(Type)),
                ("1e3", Some(Type)),
                ("1,5", Some(Type)),
                ("1.5.5", Some(Type)),
                ("INF", Some(Type)),
                ("٣", Some(Type)),
                ("123456789012345678901234", None),
                ("1234567890123456789012345", Some(Type)),
                ("0000000000000000000000000000001", None),
                ("1.00000000000000000000000", None),
                ("1.000000000000000000000000", Some(Type)),
            ],
        ),
        (
            "xs:decimal",
            two(("totalDigits", "5"), ("fractionDigits", "2")),
            &[
                ("123.45", None),
                ("99999", None),
                ("100000", Some(Digits)),
                ("1234.56", Some(Digits)),
                ("1.234", Some(Digits)),
                ("1.2300", None),
                ("00001.20", None),
                ("0.05", None),
                ("0.0", None),
                ("-999.99", None),
            ],
        ),
        (
            "xs:integer",
            two(("minInclusive", "1"), ("maxInclusive", "1999")),
            &[
                ("1", None),
                ("1999", None),
                ("0", Some(Range)),
                ("-0", Some(Range)),
                ("2000", Some(Range)),
                ("-5", Some(Range)),
                ("0005", None),
                ("+5", None),
                ("5.0", Some(Type)),
                ("5.", Some(Type)),
                ("99999999999999999999999", Some(Range)),
                ("", Some(Type)),
                ("a", Some(Type)),
            ],
        ),
        (
            "xs:decimal",
            two(("minInclusive", "-1.5"), ("maxInclusive", "0.25")),
            &[
                ("-1.5", None),
                ("-1.50", None),
                ("-1.51", Some(Range)),
                ("-2", Some(Range)),
                ("0.25", None),
                ("0.3", Some(Range)),
                ("-0", None),
            ],
        ),
        (
            "xs:string",
            two(("minLength", "2"), ("maxLength", "3")),
            &[
                ("ab", None),
                (" a ", None),
                ("\n\t", None),
                ("a", Some(Length)),
                ("abcd", Some(Length)),
                ("é𝄞ß", None),
                ("é𝄞ßx", Some(Length)),
                ("", Some(Length)),
            ],
        ),
        ("xs:string", facet("length", "2"), &[("ab", None), ("a", Some(Length))]),
        (
            "xs:normalizedString",
            two(("maxLength", "3"), ("pattern", "[a ]*")),
            &[
                ("a\na", None),
                ("\t\t\t", None),
                ("  a ", Some(Length)),
                ("a\u{a0}", Some(Pattern)),
                ("&#13;", None),
            ],
        ),
        (
            "xs:token",
            two(("maxLength", "3"), ("pattern", "[a ]{1,}")),
            &[
                ("  a  a\n", None),
                ("   ", Some(Pattern)),
                ("\u{a0}a", Some(Pattern)),
                ("aaaa", Some(Length)),
                ("", Some(Pattern)),
            ],
        ),
        (
            "xs:token",
            two(("enumeration", " b"), ("enumeration", "c d")),
            &[
                ("b", None),
                (" b ", None),
                ("c   d", None),
                ("B", Some(Enumeration)),
                ("", Some(Enumeration)),
                ("cd", Some(Enumeration)),
            ],
        ),
        (
            "xs:token",
            two(("pattern", "a+"), ("pattern", "b+")),
            &[("aa", None), ("b", None), ("ab", Some(Pattern))],
        ),
        (
            // A pattern of the base and one of its own: both.
            "Code",
            two(("pattern", ".{2}"), ("maxLength", "3")),
            &[("AB", None), ("Ab", Some(Pattern)), ("ABC", Some(Pattern)), ("ABCD", Some(Length))],
        ),
        (
            "xs:token",
            pattern("\\P{Z}(.*\\P{Z})?"),
            &[
                ("a", None),
                ("a\u{a0}b", None),
                ("a\u{a0}", Some(Pattern)),
                ("\u{180e}", Some(Pattern)),
                ("\u{2028}a", Some(Pattern)),
                ("\u{200b}", None),
            ],
        ),
        (
            "xs:normalizedString",
            pattern("\\p{IsBasicLatin}+"),
            &[("~\u{7f}", None), ("\u{80}", Some(Pattern)), ("é", Some(Pattern))],
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut reference = true;
    for (base, facets, values) in rows {
        let inside = one_value(base, &facets);
        let schemas = load(&inside);
        let documents: Vec<String> =
            values.iter().map(|(value, _)| message(&format!("<v>{value}</v>"))).collect();
        for ((value, expected), document) in values.iter().zip(&documents) {
            let kinds: Vec<Kind> =
                schemas.validate(document).unwrap().iter().map(|one| one.kind).collect();
            let expected: Vec<Kind> = expected.iter().copied().collect();
            assert_eq!(kinds, expected, "{base} {facets} {value:?}");
        }
        let path = folder.path().join("one.xsd");
        fs::write(&path, schema(&inside)).unwrap();
        let verdicts = if reference { xmllint(&path, &documents) } else { None };
        reference = verdicts.is_some();
        for ((value, expected), verdict) in values.iter().zip(verdicts.into_iter().flatten()) {
            assert_eq!(verdict, expected.is_none(), "xmllint: {base} {facets} {value:?}");
        }
    }
}

/// A little of everything: order, number, groups, extension, attributes.
const CONTENT: &str = r#"
    <xs:element name="CC015C" type="Root"/>
    <xs:element name="CC007C"><xs:complexType><xs:attribute name="v" type="xs:token" use="required"/></xs:complexType></xs:element>
    <xs:group name="HEAD"><xs:sequence>
        <xs:element name="sender" type="Text"/>
        <xs:element name="note" type="Text" minOccurs="0"/>
    </xs:sequence></xs:group>
    <xs:complexType name="Root">
        <xs:annotation><xs:documentation>any <b>thing</b></xs:documentation></xs:annotation>
        <xs:sequence>
            <xs:group ref="HEAD"/>
            <xs:element name="item" type="Item" maxOccurs="3"/>
            <xs:element name="more" type="Item" minOccurs="0" maxOccurs="unbounded"/>
            <xs:element name="two" type="Text" minOccurs="2" maxOccurs="2"/>
            <xs:element name="last" type="More"/>
        </xs:sequence>
        <xs:attribute name="PhaseID" type="Phase"/>
    </xs:complexType>
    <xs:complexType name="Item"><xs:sequence>
        <xs:element name="number" type="Number"/>
        <xs:element name="item" type="Item" minOccurs="0"/>
    </xs:sequence></xs:complexType>
    <xs:complexType name="More"><xs:complexContent><xs:extension base="Item"><xs:sequence>
        <xs:element name="code" type="Text"/>
    </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
    <xs:simpleType name="Text"><xs:restriction base="xs:token"><xs:maxLength value="5"/></xs:restriction></xs:simpleType>
    <xs:simpleType name="Short"><xs:restriction base="Text"><xs:maxLength value="2"/></xs:restriction></xs:simpleType>
    <xs:simpleType name="Number"><xs:restriction base="xs:integer"><xs:maxInclusive value="9"/></xs:restriction></xs:simpleType>
    <xs:simpleType name="Phase"><xs:restriction base="xs:token"><xs:enumeration value="NCTS6"/></xs:restriction></xs:simpleType>
"#;

const XSI: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

/// The content of a valid message.
const GOOD: &str = "<sender>S</sender><item><number>1</number></item><two>a</two><two>b</two>\
    <last><number>2</number><code>c</code></last>";

fn told(violations: &[Violation]) -> Vec<(Kind, &str)> {
    violations.iter().map(|one| (one.kind, one.path.as_str())).collect()
}

#[test]
fn one_mistake_is_one_violation_where_it_was_made() {
    use Kind::*;
    let schemas = load(CONTENT);
    assert_eq!(schemas.validate(&message(GOOD)).unwrap(), []);
    let ncts = "http://ncts.dgtaxud.ec";
    let rows: Vec<(String, Kind, &str)> = vec![
        (GOOD.replace("<sender>S</sender>", ""), MissingElement, "/CC015C/sender"),
        (GOOD.replace("<two>b</two>", ""), MissingElement, "/CC015C/two"),
        (GOOD.replace("<code>c</code>", ""), MissingElement, "/CC015C/last/code"),
        (GOOD.replace("<number>1</number>", ""), MissingElement, "/CC015C/item/number"),
        (GOOD.replace("<two>b</two>", "<two>b</two><two>c</two>"), TooMany, "/CC015C/two[3]"),
        (
            GOOD.replace("<two>a", &("<item><number>1</number></item>".repeat(6) + "<two>a")),
            TooMany,
            "/CC015C/item[4]",
        ),
        (GOOD.replace("sender", "Sender"), UnexpectedElement, "/CC015C/Sender"),
        (GOOD.replace("<two>a", "<odd><x/></odd><two>a"), UnexpectedElement, "/CC015C/odd"),
        (GOOD.replace(">1<", "><x/><y/><"), UnexpectedElement, "/CC015C/item/number/x"),
        (
            "<item><number>1</number></item><sender>S</sender><two>a</two><two>b</two>\
             <last><number>2</number><code>c</code></last>"
                .to_owned(),
            Order,
            "/CC015C/item",
        ),
        // The last of a long row stands first: the row is right.
        (
            "<last><number>2</number><code>c</code></last><sender>S</sender>\
             <item><number>1</number></item><two>a</two><two>b</two>"
                .to_owned(),
            Order,
            "/CC015C/last",
        ),
        (GOOD.replace("<two>a</two>", "<two>a</two>text"), UnexpectedText, "/CC015C"),
        (GOOD.replace("<two>a", "<![CDATA[ ]]><two>a"), UnexpectedText, "/CC015C"),
        (GOOD.replace("<two>a", "<two x='1'>a"), Attribute, "/CC015C/two[1]/@x"),
        (GOOD.replace("<two>a", "<two xml:lang='en'>a"), Attribute, "/CC015C/two[1]/@lang"),
        (GOOD.replace("<sender", &format!("<sender xmlns='{ncts}'")), Namespace, "/CC015C/sender"),
        // One mistake, though everything inside is in that namespace too.
        (GOOD.replace("<last", &format!("<last xmlns='{ncts}'")), Namespace, "/CC015C/last"),
        (GOOD.replace(">1<", ">10<"), Range, "/CC015C/item/number"),
        (GOOD.replace(">S<", ">S<!-- -->ENDER<"), Length, "/CC015C/sender"),
        (
            GOOD.replace("<two>a", &format!("<two {XSI} xsi:nil='true'>a")),
            Attribute,
            "/CC015C/two[1]/@nil",
        ),
        (
            GOOD.replace("<two>a", &format!("<two {XSI} xsi:type='n:Number'>a")),
            Attribute,
            "/CC015C/two[1]/@type",
        ),
        (
            GOOD.replace("<two>a", &format!("<two {XSI} xsi:type=' n:Text'>a")),
            Attribute,
            "/CC015C/two[1]/@type",
        ),
        (
            GOOD.replace("<two>a", &format!("<two {XSI} xsi:type='n:Short'>abc")),
            Length,
            "/CC015C/two[1]",
        ),
    ];
    let mut documents = Vec::new();
    for (inside, kind, path) in rows {
        let document = message(&inside);
        let violations = schemas.validate(&document).unwrap();
        assert_eq!(told(&violations), [(kind, path)], "{document}\n{violations:#?}");
        documents.push((document, false));
    }
    for inside in [
        GOOD.to_owned(),
        GOOD.replace('>', ">\n  "),
        GOOD.replace("<two>a", "<!-- --><?x y?>&#32;<two>a"),
        GOOD.replace("<two>a", "<two>a<!-- -->b<![CDATA[ c]]>"),
        GOOD.replace("<two>a", "<more><number>&#x31;</number></more><two>a"),
        GOOD.replace("<two>a", &format!("<two {XSI} xsi:schemaLocation='a b'>a")),
        GOOD.replace("<two>a", &format!("<two {XSI} xsi:type='n:Short'>ab")),
        GOOD.replace("<two>a", &format!("<two {XSI} xsi:type='n:Text'>abc")),
        GOOD.replace(
            "<two>a",
            &format!("<more {XSI} xsi:type='n:More'><number>1</number><code/></more><two>a"),
        ),
    ] {
        let document = message(&inside);
        assert_eq!(schemas.validate(&document).unwrap(), [], "{document}");
        documents.push((document, true));
    }
    // The namespace given to all by default: told once, and the rest judged.
    let default = message(&GOOD.replace(">1<", ">x<")).replace("n:CC015C", "CC015C");
    let violations = schemas.validate(&default.replace("xmlns:n", "xmlns")).unwrap();
    assert_eq!(
        told(&violations),
        [(Namespace, "/CC015C/sender"), (Type, "/CC015C/item/number")],
        "{violations:#?}"
    );
    let roots = [
        (message(GOOD).replace("n:CC015C", "CC015C"), UnknownRoot),
        (message(GOOD).replace("CC015C", "CC999C"), UnknownRoot),
        (message(GOOD).replace(" xmlns", " PhaseID=\"NCTS5.1\" xmlns"), Enumeration),
        (message("").replace("CC015C", "CC007C"), Attribute),
        (
            message(" ").replace("<n:CC015C", "<n:CC007C v='1'").replace("CC015C", "CC007C"),
            UnexpectedText,
        ),
        (
            message("<a/>").replace("<n:CC015C", "<n:CC007C v='1'").replace("CC015C", "CC007C"),
            UnexpectedElement,
        ),
    ];
    for (document, kind) in roots {
        let violations = schemas.validate(&document).unwrap();
        assert_eq!(violations.len(), 1, "{document}\n{violations:#?}");
        assert_eq!(violations[0].kind, kind, "{document}");
        documents.push((document, false));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.xsd");
    fs::write(&path, schema(CONTENT)).unwrap();
    let texts: Vec<&str> = documents.iter().map(|(text, _)| text.as_str()).collect();
    for (theirs, (document, ours)) in xmllint(&path, &texts).into_iter().flatten().zip(&documents) {
        assert_eq!(theirs, *ours, "xmllint: {document}");
    }
}

#[test]
fn ten_different_mistakes_are_ten_violations_in_order() {
    use Kind::*;
    let schemas = load(CONTENT);
    let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<n:CC015C xmlns:n="http://ncts.dgtaxud.ec" PhaseID="NCTS5">
  <note>N</note>
  <item>
    <number>x</number>
    <item><number>10</number></item>
  </item>
  <item foo="1">
    text
    <number>1</number>
  </item>
  <item><number>1</number><strange/></item>
  <item><number>2</number></item>
  <last>
    <number>2</number>
    <code>é—too long</code>
  </last>
  <two>a</two>
  <two>b</two>
</n:CC015C>
"#;
    let violations = schemas.validate(document).unwrap();
    let found: Vec<(u32, u32, Kind, &str)> =
        violations.iter().map(|one| (one.line, one.column, one.kind, one.path.as_str())).collect();
    assert_eq!(
        found,
        [
            (2, 44, Enumeration, "/CC015C/@PhaseID"),
            (3, 3, MissingElement, "/CC015C/sender"),
            (5, 5, Type, "/CC015C/item[1]/number"),
            (6, 11, Range, "/CC015C/item[1]/item/number"),
            (8, 9, Attribute, "/CC015C/item[2]/@foo"),
            (9, 5, UnexpectedText, "/CC015C/item[2]"),
            (12, 27, UnexpectedElement, "/CC015C/item[3]/strange"),
            (13, 3, TooMany, "/CC015C/item[4]"),
            (14, 3, Order, "/CC015C/last"),
            (16, 5, Length, "/CC015C/last/code"),
        ],
        "{violations:#?}"
    );
    let messages: Vec<String> = violations.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn places_count_characters_and_survive_every_kind_of_line() {
    let schemas = load(CONTENT);
    let at = |document: &str| {
        let violations = schemas.validate(document).unwrap();
        assert_eq!(violations.len(), 1, "{violations:#?}");
        (violations[0].line, violations[0].column)
    };
    let bad = GOOD.replace(">S<", ">too long<");
    assert_eq!(at(&message(&bad)), (1, 44));
    assert_eq!(at(&message(&format!("<!-- é𝄞 -->{bad}"))), (1, 55));
    assert_eq!(at(&message(&format!("\r\n\r\n  {bad}"))), (3, 3));
    assert_eq!(at(&format!("\u{feff}{}", message(&bad))), (1, 44));
    // Something missing at the end belongs before the end tag.
    let cut = GOOD.replace("<code>c</code></last>", "\n </last>");
    assert_eq!(at(&message(&cut)), (2, 2));
    let empty = GOOD.replace("<item><number>1</number></item>", "<item/>");
    assert_eq!(at(&message(&empty)), (1, 62));
}

#[test]
fn values_are_shown_cut_and_without_what_moves_the_cursor() {
    let schemas = load(CONTENT);
    let document = message(&GOOD.replace(">S<", &format!(">\u{9b}{}<", "x".repeat(100_000))));
    let violations = schemas.validate(&document).unwrap();
    let message = &violations[0].message;
    assert!(message.len() < 200 && message.contains("\\u{9b}xx") && message.contains('…'));
    assert!(message.contains("has 100001 characters instead of at most 5"), "{message}");
}

#[test]
fn kinds_have_stable_names_of_their_own() {
    let names: std::collections::BTreeSet<&str> =
        Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
    }
}
