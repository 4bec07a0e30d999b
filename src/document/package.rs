//! A `.docx` as a zip: opened with care, and written again with one part
//! replaced. Every other member is copied as it is, without unpacking it.

use std::io::{Cursor, Read as _, Write as _};

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::error::DocumentError;

/// HMRC's forms are 0.1 MB packed and 0.6 MB unpacked.
const MAX_FILE: u64 = 32 << 20;
const MAX_TOTAL: u64 = 64 << 20;
const MAX_DOCUMENT: u64 = 16 << 20;
const MAX_CONTENT_TYPES: u64 = 1 << 20;
const MAX_MEMBERS: usize = 2_000;
/// It is a list: two levels (ECMA-376 part 2, 7.2.3.2).
const MAX_TYPES_DEPTH: usize = 8;

const DOCUMENT: &str = "word/document.xml";
const CONTENT_TYPES: &str = "[Content_Types].xml";
const CONTENT_TYPES_NS: &[u8] = b"http://schemas.openxmlformats.org/package/2006/content-types";
const MAIN_TYPE: &str =
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";

/// A `.docx` that passed every check of [`Package::open`].
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    document: String,
}

impl<'a> Package<'a> {
    /// Opens `bytes`: bounded in size, safe in names, not encrypted, without
    /// macros, a Word document by its content type.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, DocumentError> {
        if bytes.len() as u64 > MAX_FILE {
            return Err(too_large("the file", MAX_FILE));
        }
        // The compound-file signature: Word 97 to 2003, and what Word wraps a
        // password-protected .docx in (MS-CFB, section 2.2).
        if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]) {
            return Err(DocumentError::Encrypted);
        }
        if !bytes.starts_with(b"PK") {
            return Err(DocumentError::NotAZip("it is not a zip archive".to_owned()));
        }
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_a_zip)?;
        check_members(&mut archive, bytes)?;
        check_content_type(&read(&mut archive, CONTENT_TYPES, MAX_CONTENT_TYPES)?)?;
        let document = read(&mut archive, DOCUMENT, MAX_DOCUMENT)?;
        Ok(Self { archive, document })
    }

    /// The text of `word/document.xml`.
    pub(super) fn document(&self) -> &str {
        &self.document
    }

    /// The archive with `document` in place of `word/document.xml`: members in
    /// the same order, all the others with the same compressed bytes.
    pub(super) fn with_document(&mut self, document: &str) -> Result<Vec<u8>, DocumentError> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for index in 0..self.archive.len() {
            let member = self.archive.by_index_raw(index).map_err(not_a_zip)?;
            if member.name() == DOCUMENT {
                let mut options =
                    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
                if let Some(modified) = member.last_modified() {
                    options = options.last_modified_time(modified);
                }
                drop(member);
                writer.start_file(DOCUMENT, options).map_err(not_a_zip)?;
                writer
                    .write_all(document.as_bytes())
                    .map_err(|error| DocumentError::Write(error.to_string()))?;
            } else {
                writer.raw_copy_file(member).map_err(not_a_zip)?;
            }
        }
        Ok(writer.finish().map_err(not_a_zip)?.into_inner())
    }
}

fn check_members(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    bytes: &[u8],
) -> Result<(), DocumentError> {
    if archive.len() > MAX_MEMBERS {
        return Err(DocumentError::TooMany { what: "members", limit: MAX_MEMBERS });
    }
    // The reader keeps one of two members of the same name; the other would be
    // lost in the copy, and readers differ in which they show.
    if entries_declared(bytes).is_some_and(|declared| declared != archive.len()) {
        return Err(DocumentError::NotAZip(
            "two of its members have the same name, or its directory is damaged".to_owned(),
        ));
    }
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(not_a_zip)?;
        let name = member.name();
        if !is_safe(name) {
            return Err(DocumentError::UnsafeMember { name: shortened(name) });
        }
        if member.encrypted() {
            return Err(DocumentError::Encrypted);
        }
        if name.to_ascii_lowercase().ends_with("vbaproject.bin") {
            return Err(DocumentError::MacroEnabled { name: shortened(name) });
        }
        total = total.saturating_add(member.size());
        if total > MAX_TOTAL {
            return Err(too_large("the unpacked document", MAX_TOTAL));
        }
    }
    Ok(())
}

/// Number of members that the end record declares, where it is a plain zip
/// (APPNOTE, 4.3.16).
fn entries_declared(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let field: [u8; 2] = bytes.get(at + 10..at + 12)?.try_into().ok()?;
    let declared = u16::from_le_bytes(field);
    // 0xFFFF refers to the zip64 record.
    (declared != u16::MAX).then_some(usize::from(declared))
}

fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('/')
        && !name.contains(['\\', '\0', ':'])
        && !name.split('/').any(|part| part == "..")
}

fn read(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &'static str,
    limit: u64,
) -> Result<String, DocumentError> {
    let member = match archive.by_name(name) {
        Ok(member) => member,
        Err(zip::result::ZipError::FileNotFound) => {
            return Err(DocumentError::MissingMember { name });
        }
        Err(error) => return Err(not_a_zip(error)),
    };
    // The declared size may lie; what is read is bounded whatever it says.
    let mut bytes = Vec::new();
    member
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| DocumentError::NotAZip(format!("`{name}` is damaged: {error}")))?;
    if bytes.len() as u64 > limit {
        return Err(too_large(name, limit));
    }
    // The XML reader passes over a byte order mark without counting it.
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| DocumentError::Xml {
        member: name,
        detail: "it is not UTF-8".to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })
}

fn check_content_type(types: &str) -> Result<(), DocumentError> {
    let mut reader = NsReader::from_str(types);
    let broken = |detail: String, offset: u64| DocumentError::Xml {
        member: CONTENT_TYPES,
        detail,
        offset: usize::try_from(offset).unwrap_or(usize::MAX),
    };
    let mut main = None;
    let mut depth = 0_usize;
    loop {
        let at = reader.buffer_position();
        let (namespace, event) =
            reader.read_resolved_event().map_err(|error| broken(error.to_string(), at))?;
        let tag = match event {
            Event::Start(_) if depth == MAX_TYPES_DEPTH => {
                return Err(broken("its elements are nested too deeply".to_owned(), at));
            }
            Event::Start(tag) => {
                depth += 1;
                tag
            }
            Event::Empty(tag) => tag,
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            Event::Eof if depth > 0 => return Err(broken("it ends in the middle".to_owned(), at)),
            Event::DocType(_) => return Err(broken("it has a DOCTYPE".to_owned(), at)),
            Event::Eof => break,
            _ => continue,
        };
        if !matches!(namespace, ResolveResult::Bound(ns) if ns.as_ref() == CONTENT_TYPES_NS) {
            continue;
        }
        let attribute = |name: &str| -> Result<Option<String>, DocumentError> {
            let value = tag.try_get_attribute(name).map_err(|e| broken(e.to_string(), at))?;
            Ok(value.map(|value| String::from_utf8_lossy(&value.value).into_owned()))
        };
        let content_type = attribute("ContentType")?.unwrap_or_default();
        if content_type.to_ascii_lowercase().contains("macroenabled") {
            return Err(DocumentError::MacroEnabled { name: shortened(&content_type) });
        }
        let part = attribute("PartName")?.unwrap_or_default();
        if part.eq_ignore_ascii_case("/word/document.xml") {
            main = Some(content_type);
        }
    }
    match main {
        Some(content_type) if content_type == MAIN_TYPE => Ok(()),
        Some(content_type) => {
            Err(DocumentError::NotWord { content_type: shortened(&content_type) })
        }
        None => Err(DocumentError::MissingMember { name: DOCUMENT }),
    }
}

fn too_large(what: &str, limit: u64) -> DocumentError {
    DocumentError::TooLarge { what: what.to_owned(), limit_mb: limit >> 20 }
}

fn not_a_zip(error: zip::result::ZipError) -> DocumentError {
    DocumentError::NotAZip(error.to_string())
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
