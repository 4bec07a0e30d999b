//! Files that mean harm, or are none: refused with a reason, in bounded memory.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail and skip loudly")]

mod document_support;

use std::sync::{Mutex, MutexGuard, PoisonError};

use ctc_ready::document::{DocumentError, fill, recognise};
use document_support::*;

/// Counts what the whole process has on the heap, and its peak.
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Held by each test, so that no other adds to what is counted.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a file costs that is refused before its document is unpacked.
const UNREAD: usize = 1 << 20;
/// What one costs whose document is as large as may be.
const READ: usize = 160 << 20;

#[track_caller]
fn refused_within(bytes: &[u8], limit: usize) -> DocumentError {
    let forms = known_forms();
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let error = recognise(bytes, &forms).unwrap_err();
    let used = HEAP.peak_usage().saturating_sub(before);
    assert!(used <= limit, "{used} bytes to refuse {} with: {error}", bytes.len());
    // What cannot be read is not filled either; a letter can be read.
    if !matches!(error, DocumentError::UnknownForm { .. }) {
        let filled = fill(bytes, &forms[0], &ncts5_answers(false)).unwrap_err();
        assert_eq!(filled.to_string(), error.to_string());
    }
    error
}

#[track_caller]
fn refused(bytes: &[u8]) -> DocumentError {
    refused_within(bytes, UNREAD)
}

fn p(text: &str) -> String {
    format!("<w:p><w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r></w:p>")
}

#[test]
fn files_that_are_no_word_document_are_refused() {
    let _alone = alone();
    assert!(matches!(refused(b""), DocumentError::NotAZip(_)));
    assert!(matches!(refused(b"%PDF-1.7"), DocumentError::NotAZip(_)));
    assert!(matches!(refused(b"PK\x03\x04 half a zip"), DocumentError::NotAZip(_)));
    let compound = [&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1][..], &[0; 600]].concat();
    assert!(refused(&compound).to_string().contains("password"));
    assert!(matches!(
        refused(&archive(&[("a.txt", b"a")])),
        DocumentError::MissingMember { name: "[Content_Types].xml" }
    ));
    let no_document = archive(&[("[Content_Types].xml", CONTENT_TYPES.as_bytes())]);
    assert!(matches!(
        refused(&no_document),
        DocumentError::MissingMember { name: "word/document.xml" }
    ));
    let mut half = docx(&p("First phrase"));
    half.truncate(half.len() / 2);
    assert!(matches!(refused(&half), DocumentError::NotAZip(_)));
}

#[test]
fn hostile_archives_are_refused() {
    let _alone = alone();
    let plain = document(&p("First phrase"));
    for name in ["../evil.xml", "/etc/passwd", "word\\..\\x", "C:/x", "word/../../x"] {
        let error = refused(&docx_with(&plain, &[(name, b"x")]));
        assert!(matches!(error, DocumentError::UnsafeMember { .. }), "{name}: {error}");
    }
    // Macros, by content type and by part.
    let types = CONTENT_TYPES.replace(
        "vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        "vnd.ms-word.document.macroEnabled.main+xml",
    );
    let macros = archive(&[
        ("[Content_Types].xml", types.as_bytes()),
        ("word/document.xml", plain.as_bytes()),
    ]);
    assert!(matches!(refused(&macros), DocumentError::MacroEnabled { .. }));
    let macros = docx_with(&plain, &[("word/vbaProject.bin", b"x")]);
    assert!(matches!(refused(&macros), DocumentError::MacroEnabled { .. }));
    // A template or a spreadsheet.
    let types = CONTENT_TYPES.replace("document.main+xml", "template.main+xml");
    let template = archive(&[
        ("[Content_Types].xml", types.as_bytes()),
        ("word/document.xml", plain.as_bytes()),
    ]);
    assert!(matches!(refused(&template), DocumentError::NotWord { .. }));
    // Two members of one name: readers differ in which they show.
    let mut twice = archive(&[
        ("[Content_Types].xml", CONTENT_TYPES.as_bytes()),
        ("word/document.xml", plain.as_bytes()),
        ("word/documenu.xml", plain.as_bytes()),
    ]);
    let wanted = b"word/documenu.xml";
    while let Some(at) = twice.windows(wanted.len()).position(|window| window == wanted) {
        twice[at + 12] = b't';
    }
    assert!(matches!(refused(&twice), DocumentError::NotAZip(_)));
}

#[test]
fn bombs_are_refused_without_being_unpacked() {
    let _alone = alone();
    // One member that unpacks to more than allowed.
    let zeros = vec![b' '; 80 << 20];
    let bomb = docx_with(&document(""), &[("word/media/big.bin", &zeros)]);
    assert!(bomb.len() < 1 << 20);
    assert!(matches!(refused(&bomb), DocumentError::TooLarge { limit_mb: 64, .. }));
    // Many members that do so together.
    let names: Vec<String> = (0..9).map(|n| format!("word/media/{n}.bin")).collect();
    let members: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), &zeros[..8 << 20])).collect();
    let bomb = docx_with(&document(""), &members);
    assert!(matches!(refused(&bomb), DocumentError::TooLarge { limit_mb: 64, .. }));
    // The document itself, and one that lies about its size.
    let text = String::from_utf8(zeros[..17 << 20].to_vec()).unwrap();
    let mut bomb = docx(&text);
    assert!(matches!(refused_within(&bomb, READ), DocumentError::TooLarge { limit_mb: 16, .. }));
    let size = u32::try_from(document(&text).len()).unwrap().to_le_bytes();
    while let Some(at) = bomb.windows(4).position(|window| window == size) {
        bomb[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
    }
    let error = refused_within(&bomb, READ);
    assert!(matches!(error, DocumentError::TooLarge { .. } | DocumentError::NotAZip(_)), "{error}");
    // More paragraphs than any form has.
    let error = refused_within(&docx(&"<w:p/>".repeat(100_001)), READ);
    assert!(matches!(error, DocumentError::TooMany { .. }), "{error}");
}

#[test]
fn hostile_xml_is_refused() {
    let _alone = alone();
    let plain = document(&p("First phrase"));
    let laughs = plain.replace(
        "<w:document",
        "<!DOCTYPE w:document [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><w:document",
    );
    let error = refused(&docx_with(&laughs, &[]));
    assert!(error.to_string().contains("DOCTYPE"), "{error}");
    let error = refused(&docx(&p("&outside;")));
    assert!(error.to_string().contains("entity"), "{error}");
    let error = refused(&docx("<w:p><w:r></w:p></w:r>"));
    assert!(matches!(error, DocumentError::Xml { .. }), "{error}");
    let error = refused(&docx(&("<w:sdt>".repeat(300) + &"</w:sdt>".repeat(300))));
    assert!(error.to_string().contains("nested"), "{error}");
    let cut = plain.get(..plain.len() - 20).unwrap();
    assert!(matches!(refused(&docx_with(cut, &[])), DocumentError::Xml { .. }));
    let types = CONTENT_TYPES.replace("<Types", "<!DOCTYPE Types><Types");
    let bytes = archive(&[
        ("[Content_Types].xml", types.as_bytes()),
        ("word/document.xml", plain.as_bytes()),
    ]);
    assert!(refused(&bytes).to_string().contains("DOCTYPE"));
    let mut latin = plain.into_bytes();
    latin.push(0xE9);
    let bytes = archive(&[
        ("[Content_Types].xml", CONTENT_TYPES.as_bytes()),
        ("word/document.xml", &latin),
    ]);
    assert!(refused(&bytes).to_string().contains("UTF-8"));
}

#[test]
fn nothing_outside_the_file_is_read() {
    let _alone = alone();
    let plain = document(&p("First phrase"));
    let scratch = tempfile::tempdir().unwrap();
    let secret = scratch.path().join("secret.txt");
    std::fs::write(&secret, "OPEN SESAME").unwrap();
    let url = format!("file://{}", secret.display());
    for doctype in [
        format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"{url}\">]>"),
        format!("<!DOCTYPE x [<!ENTITY % e SYSTEM \"{url}\"> %e;]>"),
        format!("<!DOCTYPE x SYSTEM \"{url}\">"),
        "<!DOCTYPE x PUBLIC \"-//X//EN\" \"http://127.0.0.1:9/x.dtd\">".to_owned(),
    ] {
        let outside = plain
            .replace("<w:document", &format!("{doctype}<w:document"))
            .replace("First phrase", "&e;");
        let error = refused(&docx_with(&outside, &[]));
        assert!(error.to_string().contains("DOCTYPE"), "{error}");
        assert!(!error.to_string().contains("SESAME"));
    }
}

#[test]
fn an_encrypted_member_is_refused() {
    let _alone = alone();
    let mut locked = docx(&p("First phrase"));
    // Bit 0 of the flags, in every header of a member (APPNOTE, 4.4.4).
    for (signature, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let places: Vec<usize> = locked
            .windows(4)
            .enumerate()
            .filter(|(_, window)| window == signature)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(places.len(), 3);
        for at in places {
            locked[at + flags] |= 1;
        }
    }
    let error = refused(&locked);
    assert!(matches!(error, DocumentError::Encrypted), "{error}");
    assert!(error.to_string().contains("password"));
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let _alone = alone();
    let whole = docx(&p("First phrase"));
    for length in (0..whole.len()).step_by(37) {
        let error = refused(&whole[..length]);
        assert!(matches!(error, DocumentError::NotAZip(_)), "{length}: {error}");
    }
}

#[test]
fn xml_of_any_depth_and_breadth_is_read_in_little_time_and_memory() {
    let _alone = alone();
    let deep = "<w:tbl><w:tr><w:tc>".repeat(200_000);
    let error = refused_within(&docx(&deep), READ);
    assert!(error.to_string().contains("nested"), "{error}");
    for (nested, why) in [(100_000, "nested"), (1, "ends in the middle")] {
        let types = CONTENT_TYPES.replace("<Default", &("<a>".repeat(nested) + "<Default"));
        let types = types.replace("</Types>", "");
        let bytes = archive(&[
            ("[Content_Types].xml", types.as_bytes()),
            ("word/document.xml", document("").as_bytes()),
        ]);
        let error = refused_within(&bytes, READ);
        assert!(error.to_string().contains(why), "{error}");
    }
    // A name for each attribute: no comparing of each with every other.
    let many: String = (0..200_000).map(|n| format!(" a{n}=\"\"")).collect();
    let error = refused_within(
        &docx(&format!("<w:sdt><w:sdtPr><w:showingPlcHdr{many}/></w:sdtPr></w:sdt>")),
        READ,
    );
    assert!(matches!(error, DocumentError::UnknownForm { .. }), "{error}");
    let many: String = (0..200).map(|n| format!(" xmlns:a{n}=\"x\"")).collect();
    let error = refused_within(&docx(&format!("<w:p{many}>").repeat(100)), READ);
    assert!(error.to_string().contains("namespace declarations"), "{error}");
}
