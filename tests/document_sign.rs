//! The signature of a form: written where it is asked for, by whoever was
//! asked, and nothing else with it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use chrono::NaiveDate;
use ctc_ready::document::{DocumentError, Filled, Source, fill, recognise, sign};
use document_support::*;

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 12, 3).unwrap()
}

fn p(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

/// An edition with these lines, filled.
fn filled(lines: &[&str]) -> Filled {
    let body: String = lines.iter().map(|line| p(line)).collect();
    let form =
        docx(&(p("Readiness Checklist for NCTS6, fourth edition") + &p("SWD Name: ____") + &body));
    let forms = made_up_forms();
    fill(&form, recognise(&form, &forms).unwrap(), &ncts6_answers(false)).unwrap()
}

fn signed(mut filled: Filled, name: &str) -> Result<Filled, DocumentError> {
    let forms = made_up_forms();
    let form = forms.iter().find(|form| form.id.starts_with("ncts6")).unwrap();
    sign(&mut filled, form, name, day())?;
    Ok(filled)
}

#[test]
fn the_official_form_takes_name_and_date_and_nothing_else() {
    let Some(form) = reference(NCTS6_FORM) else { return };
    let forms = known_forms();
    let definition = recognise(&form, &forms).unwrap();
    let before = fill(&form, definition, &ncts6_answers(false)).unwrap();
    let mut after = before.clone();
    sign(&mut after, definition, "Žaneta & Co <Director>", day()).unwrap();
    let changes: Vec<String> =
        changed(&before.bytes, &after.bytes).into_iter().map(|(_, after)| after).collect();
    assert_eq!(changes, ["Electronic Signature: Žaneta & Co <Director>", "Date: 3 December 2026"]);
    assert_other_members_untouched(&form, &after.bytes);
    assert_eq!(after.left_for_you, []);
    let by_hand = after.filled.iter().filter(|field| field.from == Source::Signed).count();
    assert_eq!((by_hand, after.filled.len()), (2, before.filled.len() + 2));
    let xml = part(&after.bytes, "word/document.xml");
    assert!(!xml.contains("showingPlcHdr"), "nothing is a placeholder any more");
    // Filled again, a signed form stays signed.
    let again = fill(&after.bytes, definition, &ncts6_answers(false)).unwrap();
    assert_eq!(part(&again.bytes, "word/document.xml"), xml);
    assert_eq!(again.left_for_you, []);
}

#[test]
fn an_unknown_edition_is_signed_where_it_has_room() {
    let filled = filled(&["Electronic Signature: ______", "Date: ______"]);
    let after = signed(filled, "A. Director").unwrap();
    let text = paragraphs(&after.bytes);
    assert_eq!(text[2..], ["Electronic Signature: A. Director", "Date: 3 December 2026"]);
}

#[test]
fn what_is_doubtful_or_taken_is_not_signed() {
    for (lines, why) in [
        (&["Electronic Signature: ______"][..], "date of the signature"),
        (&["Electronic Signature: B. Clerk", "Date: ____"], "already says something else"),
        (&["Electronic Signature: ____", "Date: 1 May 2026"], "already says something else"),
        (&["Electronic Signature: ____", "Electronic Signature: ____", "Date: ____"], "2 times"),
    ] {
        let before = filled(lines);
        let error = signed(before, "A. Director").unwrap_err();
        assert!(matches!(error, DocumentError::CannotSign { .. }), "{lines:?}: {error}");
        assert!(error.to_string().contains(why), "{lines:?}: {error}");
    }
    // The same name and day again are no contradiction.
    let lines = ["Electronic Signature: ____", "Date: ____"];
    let once = signed(filled(&lines), "A. Director").unwrap();
    assert_eq!(signed(once.clone(), "A. Director").unwrap().bytes.len(), once.bytes.len());
}

#[test]
fn a_form_without_a_place_and_a_rehearsal_are_refused() {
    let forms = known_forms();
    let ncts5 = forms.iter().find(|form| form.id.starts_with("ncts5")).unwrap();
    let mut none = filled(&[]);
    let error = sign(&mut none, ncts5, "A", day()).unwrap_err();
    assert!(matches!(error, DocumentError::NoSignature { .. }), "{error}");
    let mut copy = filled(&[]);
    copy.bytes = docx(&(p("REHEARSAL: NOT FOR SUBMISSION") + &p("SWD Name: __")));
    let error = signed(copy, "A").unwrap_err();
    assert!(matches!(error, DocumentError::RehearsalCopy), "{error}");
}
