//! The one form in which a list of files is a zip (APPNOTE 6.3.10): names in
//! byte order, nothing compressed, no folders, fixed times and attributes,
//! zip64 only where a number does not fit, no byte that is not said here. Who
//! reads one lays it out again and compares, so that no byte in it is a choice.
//!
//! Nothing is compressed, so that a reader needs no bound on what may come out
//! of a few bytes, and the same files are the same zip by any version.

use std::fmt::Write as _;

use crate::digest::Digest;

/// Bytes of a local header before the name.
pub(super) const LOCAL: usize = 30;
/// Bytes of a directory record before the name.
pub(super) const RECORD: usize = 46;
/// Bytes of the zip64 end record and its locator.
pub(super) const END64: usize = 56 + 20;
/// Bytes of the end record up to the comment's length.
pub(super) const END: usize = 20;
/// Bytes of the comment: `sha256:` and 64 digits.
pub(super) const COMMENT: usize = 7 + 64;
/// Bytes of the comment with its length before it: what its digest is not of.
pub(super) const TAIL: usize = 2 + COMMENT;

/// What the comment begins with.
const PREFIX: &str = "sha256:";

/// The first four bytes of each part.
pub(super) const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const RECORD_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";

/// Version needed to extract: 1.0, or 4.5 for zip64 (APPNOTE, 4.4.3.2).
const PLAIN: u16 = 10;
const ZIP64: u16 = 45;
/// Made on Unix, so that readers look at the mode (APPNOTE, 4.4.2).
const UNIX: u16 = 3 << 8;
/// A regular file that everybody may read, and its owner write.
const MODE: u32 = 0o100_644 << 16;
/// 1 January 1980, the first day that a zip knows.
const DATE: u16 = 1 << 5 | 1;

/// A file in a zip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name: ASCII.
    pub(super) name: String,
    /// Bytes; never as many as 2^32 - 1.
    pub(super) size: u32,
    /// CRC-32.
    pub(super) crc: u32,
    /// Where its local header begins.
    pub(super) offset: u64,
}

impl Member {
    /// Where the next one begins.
    pub(super) fn end(&self) -> u64 {
        self.offset + (LOCAL + self.name.len()) as u64 + u64::from(self.size)
    }
}

/// Bytes in the order of the format.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u16s<const N: usize>(&mut self, values: [u16; N]) -> &mut Self {
        values.iter().for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
        self
    }

    fn u32s<const N: usize>(&mut self, values: [u32; N]) -> &mut Self {
        values.iter().for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
        self
    }

    fn u64s<const N: usize>(&mut self, values: [u64; N]) -> &mut Self {
        values.iter().for_each(|value| self.0.extend_from_slice(&value.to_le_bytes()));
        self
    }
}

/// A count that fits, or the value that refers to the zip64 record.
fn short(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn long(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Version needed, flags, method (stored), time, date, CRC, both sizes.
fn common(bytes: &mut Bytes, needed: u16, member: &Member) {
    bytes.u16s([needed, 0, 0, 0, DATE]);
    bytes.u32s([member.crc, member.size, member.size]);
    bytes.u16s([short(member.name.len() as u64)]);
}

/// What stands before a file's bytes (APPNOTE, 4.3.7).
pub(super) fn local_header(member: &Member) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.raw(&LOCAL_SIGNATURE);
    common(&mut bytes, PLAIN, member);
    bytes.u16s([0]).raw(member.name.as_bytes());
    bytes.0
}

/// A file's record in the directory (APPNOTE, 4.3.12).
pub(super) fn record(member: &Member) -> Vec<u8> {
    let far = long(member.offset) == u32::MAX;
    let needed = if far { ZIP64 } else { PLAIN };
    let mut bytes = Bytes::default();
    bytes.raw(&RECORD_SIGNATURE).u16s([UNIX | ZIP64]);
    common(&mut bytes, needed, member);
    bytes.u16s([if far { 12 } else { 0 }, 0, 0, 0]).u32s([MODE, long(member.offset)]);
    bytes.raw(member.name.as_bytes());
    if far {
        bytes.u16s([1, 8]).u64s([member.offset]);
    }
    bytes.0
}

/// What stands after the directory, up to the comment's length (APPNOTE,
/// 4.3.14 to 4.3.16).
pub(super) fn end(files: u64, offset: u64, size: u64) -> Vec<u8> {
    let mut bytes = Bytes::default();
    if short(files) == u16::MAX || long(offset) == u32::MAX || long(size) == u32::MAX {
        bytes.raw(&END64_SIGNATURE).u64s([44]).u16s([UNIX | ZIP64, ZIP64]).u32s([0, 0]);
        bytes.u64s([files, files, size, offset]);
        bytes.raw(&LOCATOR_SIGNATURE).u32s([0]).u64s([offset + size]).u32s([1]);
    }
    bytes.raw(&END_SIGNATURE).u16s([0, 0, short(files), short(files)]);
    bytes.u32s([long(size), long(offset)]);
    bytes.0
}

/// The comment with its length: the digest of everything before.
pub(super) fn tail(digest: Digest) -> Vec<u8> {
    let mut bytes = Bytes::default();
    bytes.u16s([COMMENT as u16]).raw(PREFIX.as_bytes()).raw(digest.to_string().as_bytes());
    bytes.0
}

/// The digest in a comment with its length.
pub(super) fn read_tail(bytes: &[u8]) -> Option<Digest> {
    let (length, comment) = bytes.split_first_chunk()?;
    let comment = std::str::from_utf8(comment).ok()?;
    let digest = comment.strip_prefix(PREFIX)?.parse().ok()?;
    (usize::from(u16::from_le_bytes(*length)) == COMMENT).then_some(digest)
}

/// What the end says, not yet compared with anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Files.
    pub(super) files: u64,
    /// Where the directory begins.
    pub(super) offset: u64,
    /// Bytes of the directory.
    pub(super) size: u64,
    /// Bytes of the end records up to the comment's length.
    pub(super) length: u64,
}

/// Reads what stands before the comment's length: the last [`END64`] and
/// [`END`] bytes, or as many as there are.
pub(super) fn read_end(bytes: &[u8]) -> Option<End> {
    let (before, end) = bytes.split_at_checked(bytes.len().checked_sub(END)?)?;
    if !end.starts_with(&END_SIGNATURE) {
        return None;
    }
    let (files, size, offset) = (u16_at(end, 10)?, u32_at(end, 12)?, u32_at(end, 16)?);
    if files == u16::MAX || size == u32::MAX || offset == u32::MAX {
        let before = before.get(before.len().checked_sub(END64)?..)?;
        return before.starts_with(&END64_SIGNATURE).then_some(End {
            files: u64_at(before, 32)?,
            size: u64_at(before, 40)?,
            offset: u64_at(before, 48)?,
            length: (END64 + END) as u64,
        });
    }
    Some(End {
        files: u64::from(files),
        size: u64::from(size),
        offset: u64::from(offset),
        length: END as u64,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A record of the directory, cut out and not yet compared with anything.
pub(super) struct RawRecord<'a> {
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// The name.
    pub(super) name: &'a [u8],
    /// The size unpacked.
    pub(super) size: u32,
    /// The CRC-32.
    pub(super) crc: u32,
}

/// Cuts the first record off what is left of a directory.
pub(super) fn read_record(directory: &[u8]) -> Option<(RawRecord<'_>, &[u8])> {
    if !directory.starts_with(&RECORD_SIGNATURE) {
        return None;
    }
    let length = |at| u16_at(directory, at).map(usize::from);
    let name = length(28)?;
    let (bytes, rest) = directory.split_at_checked(RECORD + name + length(30)? + length(32)?)?;
    let (crc, size) = (u32_at(bytes, 16)?, u32_at(bytes, 24)?);
    let name = bytes.get(RECORD..RECORD + name)?;
    Some((RawRecord { bytes, name, size, crc }, rest))
}

/// Where each field of a local header begins.
pub(super) const LOCAL_FIELDS: &[(usize, &str)] = &[
    (0, "signature"),
    (4, "version needed"),
    (6, "flags"),
    (8, "method"),
    (10, "time"),
    (12, "date"),
    (14, "CRC-32"),
    (18, "packed size"),
    (22, "size"),
    (26, "length of the name"),
    (28, "length of extra fields"),
    (LOCAL, "name"),
];

/// The same of a directory record.
pub(super) const RECORD_FIELDS: &[(usize, &str)] = &[
    (0, "signature"),
    (4, "version made by"),
    (6, "version needed"),
    (8, "flags"),
    (10, "method"),
    (12, "time"),
    (14, "date"),
    (16, "CRC-32"),
    (20, "packed size"),
    (24, "size"),
    (28, "length of the name"),
    (30, "length of extra fields"),
    (32, "length of the comment"),
    (34, "number of the disk"),
    (36, "internal attributes"),
    (38, "attributes"),
    (42, "offset"),
    (RECORD, "name or extra fields"),
];

/// Names the first field in which two layouts of the same part differ.
pub(super) fn difference(
    found: &[u8],
    expected: &[u8],
    fields: &[(usize, &'static str)],
) -> Option<String> {
    let at = found.iter().zip(expected).position(|(a, b)| a != b);
    let at = at.or((found.len() != expected.len()).then(|| found.len().min(expected.len())))?;
    let place = fields.iter().rposition(|(start, _)| *start <= at)?;
    let (start, name) = fields.get(place)?;
    let end = fields.get(place + 1).map_or(start + 8, |(next, _)| *next);
    let hex = |bytes: &[u8]| {
        let part = bytes.get(*start..end.min(bytes.len())).unwrap_or_default();
        part.iter().rev().fold(String::from("0x"), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    Some(match *start >= LOCAL && name.starts_with("name") {
        true => format!("its {name} is another than belongs here"),
        false => format!("its `{name}` is {}, {} belongs here", hex(found), hex(expected)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(offset: u64) -> Member {
        Member { name: "README.txt".into(), size: 7, crc: 0x1234_5678, offset }
    }

    #[test]
    fn what_is_laid_out_reads_back() {
        for offset in [0, 1000, u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 33] {
            let bytes = record(&member(offset));
            let (raw, rest) = read_record(&bytes).unwrap();
            assert_eq!((raw.name, raw.size, raw.crc), (&b"README.txt"[..], 7, 0x1234_5678));
            assert_eq!((raw.bytes, rest), (&bytes[..], &b""[..]));
            assert_eq!(difference(&bytes, &record(&member(offset)), RECORD_FIELDS), None);
        }
        let near = u64::from(u32::MAX) - 1;
        for (files, offset, size) in [
            (1, 50, 60),
            (65_534, near, near),
            (65_535, 50, 60),
            (2, near + 1, 60),
            (3, 1 << 40, 9),
        ] {
            let bytes = end(files, offset, size);
            let expected = End { files, offset, size, length: bytes.len() as u64 };
            assert_eq!(read_end(&bytes), Some(expected));
            assert_eq!(read_end(&[b"before".repeat(20), bytes].concat()), Some(expected));
        }
        let digest = Digest::of(b"x");
        assert_eq!(tail(digest).len(), TAIL);
        assert_eq!(read_tail(&tail(digest)), Some(digest));
        assert_eq!(local_header(&member(0)).len() as u64 + 7, member(0).end());
    }

    #[test]
    fn a_difference_is_named_by_its_field() {
        let good = local_header(&member(0));
        let mut bad = good.clone();
        bad[6] |= 1;
        let told = difference(&bad, &good, LOCAL_FIELDS).unwrap();
        assert_eq!(told, "its `flags` is 0x0001, 0x0000 belongs here");
        bad[6] = 0;
        bad.push(0);
        assert!(difference(&bad, &good, LOCAL_FIELDS).unwrap().contains("name"));
    }
}
