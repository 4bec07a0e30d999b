//! Small documents of our own making: each kind of field, labels in pieces,
//! doubtful labels. Needs no reference material.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use ctc_ready::catalogue::FormFile;
use ctc_ready::document::{
    Answers, DocumentError, Filled, FormDefinition, collect, fill, recognise, statement,
};
use ctc_ready::project::Settings;
use document_support::*;
use proptest::prelude::*;

fn form(fields: &str) -> FormDefinition {
    let text = format!(
        "title = \"Form under test\"\nprogrammes = [\"ncts5-final\", \"ncts6\"]\nsource = \"test\"\nrecognise = [\"First phrase\", \"Second phrase\"]\n{fields}"
    );
    FormDefinition::parse(&FormFile {
        id: "test".into(),
        path: "test/forms/test.toml".into(),
        text,
    })
    .unwrap()
}

fn field(key: &str, kind: &str, label: &str, more: &str) -> String {
    // A box here states its label and no more.
    let states = match kind {
        "tick" => format!("states = \"{}\"\n", statement::digest(label)),
        _ => String::new(),
    };
    format!(
        "[[field]]\nkey = \"{key}\"\nname = \"{key}\"\nkind = \"{kind}\"\nlabel = \"{label}\"\n{states}{more}\n"
    )
}

fn settings(name: &str) -> Settings {
    let mut settings = full_settings();
    settings.business.name = Some(name.to_owned());
    settings
}

fn answers(settings: &Settings) -> Answers {
    collect(&ncts5(), settings, &[], &[], false)
}

fn filled(fields: &str, body: &str, settings: &Settings) -> Filled {
    fill(&docx(body), &form(fields), &answers(settings)).unwrap()
}

fn p(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

#[test]
fn a_label_may_be_spread_over_runs_entities_and_odd_spaces() {
    let body = "<w:p><w:pPr><w:rPr><w:b/></w:rPr></w:pPr>\
        <w:r><w:rPr><w:b/><w:sz w:val=\"24\"/></w:rPr><w:t>Na</w:t></w:r><w:proofErr w:type=\"spellStart\"/>\
        <w:r><w:t>me\u{a0}</w:t></w:r><w:r><w:tab/><w:t>&amp; </w:t></w:r>\
        <w:ins w:id=\"1\" w:author=\"x\"><w:r><w:rPr><w:u w:val=\"single\"/><w:sz w:val=\"18\"/></w:rPr><w:t>“trade”:</w:t></w:r></w:ins></w:p>";
    let fields = field("business.name", "after-label", "Name & \\\"trade\\\":", "");
    let result = filled(&fields, body, &settings("A<B> & \"C\""));
    assert_eq!(result.not_found, Vec::<String>::new());
    assert_eq!(paragraphs(&result.bytes), ["Name\u{a0}\t& “trade”: A<B> & \"C\""]);
    let xml = part(&result.bytes, "word/document.xml");
    // After the insertion mark, in the label's size, without its underline.
    assert!(
        xml.contains(
            "</w:ins><w:r><w:rPr><w:sz w:val=\"18\"/></w:rPr><w:t xml:space=\"preserve\"> A&lt;B"
        ),
        "{xml}"
    );
}

#[test]
fn a_label_that_occurs_twice_is_refused() {
    let body = p("Name:") + &p("Name: ") + &p("Address:");
    let fields = field("business.name", "after-label", "Name:", "")
        + &field("business.address", "after-label", "Address:", "");
    let result = filled(&fields, &body, &settings("A"));
    assert_eq!(result.not_found.len(), 1);
    assert!(result.not_found[0].contains("`Name:` occurs 2 times"), "{:?}", result.not_found);
    assert_eq!(paragraphs(&result.bytes)[..2], ["Name:", "Name: "]);
    assert_eq!(result.filled.len(), 1);
}

#[test]
fn a_label_that_is_missing_is_reported() {
    let result = filled(
        &field("business.name", "after-label", "Name:", ""),
        &p("The Name: of it"),
        &settings("A"),
    );
    assert_eq!(result.not_found, ["business.name: `Name:` does not occur where it should"]);
    assert_eq!(result.filled, []);
}

#[test]
fn fields_of_a_section_stay_in_its_table() {
    let table = |title: &str| {
        format!("<w:tbl><w:tr><w:tc>{}{}</w:tc></w:tr></w:tbl>", p(title), p("Name:"))
    };
    let body = p("Two") + &table("One") + &table("Two") + &table("Three");
    let fields = "[[section]]\nname = \"two\"\ntable = \"Two\"\n[[section.field]]\nkey = \"business.name\"\nname = \"n\"\nkind = \"after-label\"\nlabel = \"Name:\"\n";
    let result = filled(fields, &body, &settings("A"));
    assert_eq!(
        paragraphs(&result.bytes),
        ["Two", "One", "Name:", "Two", "Name: A", "Three", "Name:"]
    );
    // Two tables of that title: which is meant is not certain.
    let result = filled(fields, &(body + &table("Two")), &settings("A"));
    assert!(result.not_found[0].contains("2 times"), "{:?}", result.not_found);
}

#[test]
fn a_line_of_underscores_gives_way() {
    let fields = field("business.name", "line", "Name:", "");
    for (body, wanted) in [
        (p("Name: ________"), "Name: A & B"),
        ("<w:p><w:r><w:t>Name:</w:t></w:r><w:r><w:t>____</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>___ (registered)</w:t></w:r></w:p>".to_owned(), "Name: A & B (registered)"),
    ] {
        let result = filled(&fields, &body, &settings("A & B"));
        if wanted.ends_with(')') {
            // Words after the line may be a person's answer: left alone.
            assert!(result.left_for_you[0].why.contains("already"));
        } else {
            assert_eq!(paragraphs(&result.bytes), [wanted]);
            assert_eq!(result.filled[0].value, "A & B");
        }
    }
    let split = "<w:p><w:r><w:t>Name: __</w:t></w:r><w:r><w:t>____</w:t></w:r></w:p>";
    let result = filled(&fields, split, &settings("A\nB"));
    assert_eq!(paragraphs(&result.bytes), ["Name: A, B"]);
    let result = filled(&fields, &p("Name:"), &settings("A"));
    assert!(result.not_found[0].contains("no line of underscores"));
}

const CONTROL: &str = "<w:p><w:r><w:t xml:space=\"preserve\">Name: </w:t></w:r><w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:r><w:rPr><w:rStyle w:val=\"PlaceholderText\"/><w:sz w:val=\"30\"/></w:rPr><w:t>Click here</w:t></w:r></w:sdtContent></w:sdt></w:p>";

#[test]
fn a_placeholder_control_is_filled_and_is_no_placeholder_any_more() {
    let fields = field("business.name", "control", "Name:", "");
    let result = filled(&fields, CONTROL, &settings("A"));
    assert_eq!(paragraphs(&result.bytes), ["Name: A"]);
    let xml = part(&result.bytes, "word/document.xml");
    assert!(!xml.contains("showingPlcHdr") && !xml.contains("PlaceholderText"), "{xml}");
    assert!(xml.contains("<w:sz w:val=\"30\"/>"));
    // What a person typed into it stays.
    let typed = CONTROL.replace("<w:showingPlcHdr/>", "");
    let result = filled(&fields, &typed, &settings("A"));
    assert_eq!(paragraphs(&result.bytes), ["Name: Click here"]);
    assert_eq!(result.filled, []);
    let bound = CONTROL.replace("<w:showingPlcHdr/>", "<w:showingPlcHdr/><w:dataBinding/>");
    let result = filled(&fields, &bound, &settings("A"));
    assert!(result.not_found[0].contains("other data"));
    let result = filled(&fields, &p("Name:"), &settings("A"));
    assert!(result.not_found[0].contains("no content control"));
}

#[test]
fn an_answer_below_its_label_keeps_its_lines() {
    let fields = field("rate-limit-why", "below", "Why:", "");
    for blank in [
        "<w:p/>",
        "<w:p></w:p>",
        "<w:p w14:paraId=\"1\"/>",
        "<w:p><w:pPr><w:rPr><w:sz w:val=\"18\"/><w:b/></w:rPr></w:pPr></w:p>",
    ] {
        let body = p("Why:") + blank + "<w:p/>" + &p("Next:");
        let result = filled(&fields, &body, &full_settings());
        assert_eq!(
            paragraphs(&result.bytes),
            ["Why:", "Two ports, one evening peak.\nForty lorries an hour.", "", "Next:"]
        );
    }
    let result = filled(&fields, &(p("Why:") + &p("My words")), &full_settings());
    assert_eq!(paragraphs(&result.bytes), ["Why:", "My words"]);
    assert!(result.left_for_you[0].why.contains("already"));
    let result = filled(&fields, &p("Why:"), &full_settings());
    assert!(result.not_found[0].contains("no blank line"));
}

/// Typeface, size and colour of a label, with emphasis that is the label's own.
const LOOKS: &str = "<w:rPr><w:rFonts w:ascii=\"Arial\" w:cs=\"Arial\"/><w:b/><w:color w:val=\"009999\"/><w:sz w:val=\"18\"/><w:szCs w:val=\"18\"/></w:rPr>";

/// The looks of the run that holds `text`, child by child of its `w:rPr`.
fn looks_of(docx: &[u8], text: &str) -> Vec<String> {
    let xml = part(docx, "word/document.xml");
    let tree = roxmltree::Document::parse(&xml).unwrap();
    let is = |node: &roxmltree::Node<'_, '_>, name: &str| node.tag_name().name() == name;
    let holds = |node: &roxmltree::Node<'_, '_>| {
        node.descendants().any(|n| is(&n, "t") && n.text().unwrap_or_default().contains(text))
    };
    let run = tree.descendants().find(|node| is(node, "r") && holds(node)).unwrap();
    run.children()
        .filter(|node| is(node, "rPr"))
        .flat_map(|props| props.children().collect::<Vec<_>>())
        .map(|node| xml[node.range()].to_owned())
        .collect()
}

#[test]
fn any_answer_looks_like_its_label_and_says_what_was_said() {
    let label = format!("<w:r>{LOOKS}<w:t xml:space=\"preserve\">Why: </w:t></w:r>");
    let placeholder = format!(
        "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent><w:r>{}<w:t>Click</w:t></w:r></w:sdtContent></w:sdt>",
        LOOKS.replace("<w:rPr>", "<w:rPr><w:rStyle w:val=\"PlaceholderText\"/>")
    );
    let long: String = (0..3_000).map(|n| format!("Figure {n} & more; ")).collect();
    for (says, lines) in [
        ("Fish & Chips <Ltd> \"quoted\" 'twice' ]]>".to_owned(), 1),
        ("Žaneta Öğretmen, Ελλάδα, Київ, 株式会社 東京, شركة الشحن, חברה, 👍🏽".to_owned(), 1),
        ("First line\nsecond & last\n\nafter a blank".to_owned(), 4),
        (long.trim().to_owned(), 1),
    ] {
        let mut settings = full_settings();
        let value = ctc_ready::project::AnswerValue::Text(says.clone());
        settings.answers.insert("rate-limit-why".to_owned(), value);
        for (kind, body) in [
            ("after-label", format!("<w:p>{label}</w:p>")),
            ("line", format!("<w:p>{label}<w:r>{LOOKS}<w:t>_______</w:t></w:r></w:p>")),
            ("control", format!("<w:p>{label}{placeholder}</w:p>")),
            ("below", format!("<w:p>{label}</w:p><w:p/>")),
        ] {
            let fields = field("rate-limit-why", kind, "Why:", "");
            let result = filled(&fields, &body, &settings);
            let one_line = matches!(kind, "after-label" | "line");
            let wanted = if one_line && lines > 1 {
                says.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
            } else {
                says.clone()
            };
            let text = paragraphs(&result.bytes);
            let said = if kind == "below" { text[1].clone() } else { text[0].replace("Why: ", "") };
            assert_eq!(said.trim(), wanted, "{kind}");
            let begins: String = wanted.chars().take(8).collect();
            let mut looks = looks_of(&result.bytes, &begins);
            // A line's own run keeps all of its looks.
            looks.retain(|of| kind != "line" || of != "<w:b/>");
            assert_eq!(
                looks,
                [
                    "<w:rFonts w:ascii=\"Arial\" w:cs=\"Arial\"/>",
                    "<w:color w:val=\"009999\"/>",
                    "<w:sz w:val=\"18\"/>",
                    "<w:szCs w:val=\"18\"/>"
                ],
                "{kind}"
            );
        }
    }
}

const OPTIONS: &str = "options = { yes = \"Yes\", no = \"No\" }";

#[test]
fn boxes_are_found_by_the_word_before_them() {
    let fields = field("on-premise", "choice", "On premise", OPTIONS);
    for body in [
        p("On premise? Yes ☐ No ☐"),
        p("On premise, at last?") + "<w:p/>" + &p("Yes ☐\u{a0}No ☐"),
        "<w:p><w:r><w:t>On premise? Y</w:t></w:r><w:r><w:t>es </w:t></w:r><w:sdt><w:sdtPr><w:tag w:val=\"x\"/></w:sdtPr><w:sdtContent><w:r><w:t>☐</w:t></w:r></w:sdtContent></w:sdt><w:r><w:tab/><w:t>No ☐</w:t></w:r></w:p>".to_owned(),
    ] {
        let result = filled(&fields, &body, &full_settings());
        let text = paragraphs(&result.bytes).concat();
        assert!(text.contains("Yes ☒") && text.contains("No ☐"), "{text}");
        assert_eq!(result.filled[0].value, "yes");
    }
    // Ticked by a person: stays, even against the settings.
    let result = filled(&fields, &p("On premise? Yes ☐ No ☑"), &full_settings());
    assert_eq!(paragraphs(&result.bytes), ["On premise? Yes ☐ No ☑"]);
    assert!(result.left_for_you[0].why.contains("already"));
    // Words that do not fit, or fit twice, or boxes in another cell.
    for (body, why) in [
        (p("On premise? Oui ☐ Non ☐"), "no box `Yes`"),
        (p("On premise? Yes ☐ Yes ☐ No ☐"), "several boxes `Yes`"),
        (
            p("On premise?") + "<w:tbl><w:tr><w:tc>" + &p("Yes ☐ No ☐") + "</w:tc></w:tr></w:tbl>",
            "no boxes follow",
        ),
    ] {
        let result = filled(&fields, &body, &full_settings());
        assert!(result.not_found[0].contains(why), "{:?}", result.not_found);
        assert!(!paragraphs(&result.bytes).concat().contains('☒'));
    }
}

#[test]
fn an_answer_without_a_box_is_left() {
    let fields = field("rate-limit-enough", "choice", "Enough?", OPTIONS);
    let mut settings = full_settings();
    let unsure = ctc_ready::project::AnswerValue::Text("dont-know".to_owned());
    settings.answers.insert("rate-limit-enough".to_owned(), unsure);
    let result = filled(&fields, &p("Enough? Yes ☐ No ☐"), &settings);
    assert_eq!(paragraphs(&result.bytes), ["Enough? Yes ☐ No ☐"]);
    assert!(result.left_for_you[0].why.contains("no box for `dont-know`"));
}

fn check_box(checked: &str, states: &str, glyph: &str) -> String {
    format!(
        "<w:p><w:sdt><w:sdtPr><w14:checkbox>{checked}{states}</w14:checkbox></w:sdtPr><w:sdtContent><w:r><w:rPr><w:rFonts w:ascii=\"Old\"/><w:sz w:val=\"28\"/></w:rPr><w:t>{glyph}</w:t></w:r></w:sdtContent></w:sdt><w:r><w:t xml:space=\"preserve\"> 1) Aligned</w:t></w:r></w:p>"
    )
}

#[test]
fn a_check_box_control_takes_the_glyph_and_font_of_its_state() {
    let fields = field("aligned", "tick", "1) Aligned", "");
    let answers = collect(&ncts6(), &full_settings(), &[], &[], false);
    let fill_in = |body: &str| fill(&docx(body), &form(&fields), &answers).unwrap();
    let states =
        |on: &str| format!("{on}<w14:uncheckedState w14:val=\"2610\" w14:font=\"MS Gothic\"/>");
    let off = "<w14:checked w14:val=\"0\"/>";
    for (on, glyph, font) in [
        (
            "<w14:checkedState w14:val=\"2611\" w14:font=\"Segoe UI Symbol\"/>",
            "☑",
            "Segoe UI Symbol",
        ),
        ("<w14:checkedState w14:val=\"00FE\" w14:font=\"Arial\"/>", "þ", "Arial"),
        // Wingdings has no such character: a reader would see a blank.
        ("<w14:checkedState w14:val=\"2612\" w14:font=\"Wingdings\"/>", "☒", "MS Gothic"),
        ("", "☒", "MS Gothic"),
    ] {
        let result = fill_in(&check_box(off, &states(on), "☐"));
        let xml = part(&result.bytes, "word/document.xml");
        assert!(xml.contains("<w14:checked w14:val=\"1\"/>"), "{xml}");
        assert!(xml.contains(&format!("<w:t>{glyph}</w:t>")), "{xml}");
        assert!(xml.contains(&format!("w:ascii=\"{font}\"")) && !xml.contains("Old"), "{xml}");
        assert!(xml.contains("<w:sz w:val=\"28\"/>"));
    }
    // Without a state of its own it is unticked.
    let result = fill_in(&check_box("", &states(""), "☐"));
    let xml = part(&result.bytes, "word/document.xml");
    assert!(xml.contains("<w14:checkbox><w14:checked w14:val=\"1\"/>"), "{xml}");
}

#[test]
fn text_boxes_and_their_repetition_for_old_readers_do_not_confuse() {
    let inner = |text: &str| format!("<w:txbxContent>{}</w:txbxContent>", p(text));
    let body = format!(
        "<w:p><w:r><mc:AlternateContent><mc:Choice Requires=\"wps\">{}</mc:Choice><mc:Fallback>{}</mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>Outside</w:t></w:r></w:p>",
        inner("Name:"),
        inner("Name:")
    );
    let result = filled(&field("business.name", "after-label", "Name:", ""), &body, &settings("A"));
    assert_eq!(result.not_found, Vec::<String>::new());
    let xml = part(&result.bytes, "word/document.xml");
    assert_eq!(xml.matches(" A</w:t>").count(), 1);
}

proptest! {
    /// Whatever a house calls itself, the document stays readable and says it.
    #[test]
    fn any_name_survives(name in "\\PC{1,60}|[\\x00-\\x7f]{1,60}|(a|&|<|>|\"|'|]]>|\\n|☒|_){1,20}") {
        for (kind, body) in [
            ("after-label", p("Name:")),
            ("line", p("Name: ____")),
            ("control", CONTROL.to_owned()),
        ] {
            let fields = field("business.name", kind, "Name:", "");
            let result = filled(&fields, &body, &settings(&name));
            let text = paragraphs(&result.bytes);
            if let Some(done) = result.filled.first() {
                let said: String = text.concat().chars().filter(|c| !c.is_whitespace()).collect();
                let wanted: String = format!("Name:{}", done.value)
                    .chars()
                    .filter(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}'))
                    .collect();
                prop_assert_eq!(said, wanted);
            }
        }
    }

    /// No file makes it panic.
    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..3000) {
        let _ = recognise(&bytes, &[]);
        let mut broken = docx(&(p("First phrase") + CONTROL + &p("Second phrase")));
        let end = at.min(broken.len());
        for (target, byte) in broken[end..].iter_mut().zip(&bytes) {
            *target ^= byte;
        }
        let form = form(&field("business.name", "control", "Name:", ""));
        let _ = recognise(&broken, std::slice::from_ref(&form));
        let _ = fill(&broken, &form, &answers(&full_settings()));
    }

    /// No document makes it panic, however its elements are put together.
    #[test]
    fn any_mixture_of_elements_is_read(parts in proptest::collection::vec(0_usize..16, 0..40)) {
        let words = [
            "<w:p>", "</w:p>", "<w:r>", "</w:r>", "<w:t>", "</w:t>", "Name:", "☐", "<w:sdt>",
            "</w:sdt>", "<w:sdtContent>", "</w:sdtContent>", "&amp;", "<w:p/>", "<w:tab/>", "____",
        ];
        let body: String = parts.iter().filter_map(|index| words.get(*index)).copied().collect();
        for kind in ["after-label", "line", "control", "below", "tick"] {
            let key = if kind == "tick" { "aligned" } else { "business.name" };
            let form = form(&field(key, kind, "Name:", ""));
            let _ = fill(&docx(&body), &form, &answers(&full_settings()));
        }
    }
}

#[test]
fn an_unknown_form_is_refused_by_name() {
    let forms = known_forms();
    let error = recognise(&docx(&p("A letter")), &forms).unwrap_err();
    for form in &forms {
        assert!(error.to_string().contains(&form.title), "{error}");
    }
    // Most of the phrases: another edition of it.
    let ncts6 = forms.iter().find(|form| form.id.starts_with("ncts6")).unwrap();
    let body: String = ncts6.recognise.iter().skip(1).map(|phrase| p(phrase)).collect();
    let error = recognise(&docx(&body), &forms).unwrap_err();
    assert!(matches!(error, DocumentError::OtherEdition { .. }), "{error}");
    assert!(error.to_string().contains(&ncts6.recognise[0]), "{error}");
    // A phrase may be in pieces, but not spread over paragraphs.
    let one = [form("")];
    let pieces = "<w:p><w:r><w:t>Fir</w:t></w:r><w:r><w:t>st\u{a0}phrase,</w:t></w:r></w:p>";
    assert!(recognise(&docx(&(pieces.to_owned() + &p("and Second phrase"))), &one).is_ok());
    assert!(recognise(&docx(&(p("First") + &p("phrase") + &p("Second phrase"))), &one).is_err());
}

#[test]
fn a_byte_order_mark_does_not_shift_the_places() {
    let marked = format!("\u{feff}{}", document(&p("Name:")));
    let form = form(&field("business.name", "after-label", "Name:", ""));
    let result = fill(&docx_with(&marked, &[]), &form, &answers(&settings("A"))).unwrap();
    let xml = part(&result.bytes, "word/document.xml");
    assert!(
        xml.contains("Name:</w:t></w:r><w:r><w:t xml:space=\"preserve\"> A</w:t></w:r></w:p>"),
        "{xml}"
    );
}

#[test]
fn form_files_with_mistakes_are_refused() {
    let parse = |fields: &str| {
        let text = format!(
            "title = \"t\"\nprogrammes = [\"p\"]\nsource = \"s\"\nrecognise = [\"a\", \"b\"]\n{fields}"
        );
        FormDefinition::parse(&FormFile { id: "f".into(), path: "p/forms/f.toml".into(), text })
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(parse(""), Ok(()));
    for (fields, wanted) in [
        (field("a", "after-label", " ", ""), "label"),
        (field("a", "tickle", "L", ""), "unknown variant"),
        (field("a", "choice", "L", ""), "options"),
        (field("a", "tick", "L", OPTIONS), "options"),
        (field("a", "tick", "L", "position = 3"), "position"),
        (field("a", "line", "L", "published-ticked = true"), "published-ticked"),
        (field("a", "tick", "L", "").replace("states = ", "# "), "`states`"),
        (field("a", "line", "L", &format!("states = \"{}\"", "0".repeat(64))), "`states`"),
        (field("a", "tick", "L", "states = \"\""), "states"),
        (field("a", "tick", "L", "") + &field("a", "tick", "M", ""), "twice"),
    ] {
        let error = parse(&fields).unwrap_err();
        assert!(error.contains(wanted) && error.contains("p/forms/f.toml"), "{error}");
    }
}

#[test]
fn every_field_of_the_forms_has_an_answer_or_a_reason() {
    // A key that no question and no evidence has would never be filled.
    let known: Vec<&str> = ctc_ready::project::questions::questions()
        .iter()
        .map(|question| question.key.as_str())
        .collect();
    for form in known_forms() {
        for field in &form.fields {
            let key = field.key.as_str();
            let evidence = ["mandatory.", "recommended.", "outbound-movement."]
                .iter()
                .any(|prefix| key.starts_with(prefix));
            assert!(evidence || known.contains(&key), "{}: `{key}`", form.id);
        }
    }
}
