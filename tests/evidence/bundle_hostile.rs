//! Zips that are no bundle, each made by hand: every one is told for what it
//! is, although the digest in its comment is right.

use std::io::Write as _;

use crate::bundle_support::*;

/// What is wrong, how to make it so, and what is said.
type Case = (&'static str, fn(&mut Hand), &'static str);

const CASES: &[Case] = &[
    ("an absolute path", |zip| rename(zip, b"/etc/cron.d/x"), "`/etc/cron.d/x`, which no bundle"),
    ("a way up", |zip| rename(zip, b"../README.txt"), "`../README.txt`, which no bundle"),
    ("a way up in the middle", |zip| rename(zip, b"evidence/../../x"), "which no bundle has"),
    ("a dot", |zip| rename(zip, b"./README.txt"), "which no bundle has"),
    ("backslashes", |zip| rename(zip, b"evidence\\store.json"), "which no bundle has"),
    ("a drive letter", |zip| rename(zip, b"C:README.txt"), "which no bundle has"),
    ("a device", |zip| rename(zip, b"CON"), "`CON`, which no bundle has"),
    ("a stream", |zip| rename(zip, b"README.txt::$DATA"), "which no bundle has"),
    ("NUL in a name", |zip| rename(zip, b"README.txt\0.exe"), "`README.txt\\0.exe`, which no"),
    ("a name that is not UTF-8", |zip| rename(zip, b"README\xff.txt"), "which no bundle has"),
    ("a look-alike", |zip| rename(zip, "RE\u{410}DME.txt".as_bytes()), "which no bundle has"),
    ("an escape sequence", |zip| rename(zip, b"\x1b[2Jx"), "`\\u{1b}[2Jx`, which no bundle has"),
    ("no name", |zip| rename(zip, b""), "``, which no bundle has"),
    ("a long name", |zip| rename(zip, &[b'a'; 60_000]), "directory is larger"),
    ("a folder", |zip| add(zip, b"evidence/", b""), "`evidence/`, which no bundle has"),
    ("a program", |zip| add(zip, b"setup.exe", b"MZ"), "`setup.exe`, which no bundle has"),
    ("the salt", |zip| add(zip, b"evidence/salt", b"5"), "`evidence/salt`, which no bundle has"),
    ("another case", |zip| add(zip, b"readme.txt", b"x"), "`readme.txt`, which no bundle has"),
    (
        "a second file of a name",
        |zip| again(zip, "index.html"),
        "index.html: it stands there twice",
    ),
    ("files in another order", |zip| zip.entries.reverse(), "not in its place"),
    ("a link", |zip| readme(zip).attributes = 0o120_777 << 16, "`attributes` is 0xa1ff0000"),
    ("a program's mode", |zip| readme(zip).attributes = 0o100_755 << 16, "`attributes` is"),
    ("a folder's attribute", |zip| readme(zip).attributes |= 0x10, "`attributes` is"),
    ("made on another system", |zip| readme(zip).made_by = 20, "`version made by` is 0x0014"),
    ("a later version", |zip| readme(zip).both(|h| h.needed = 63), "`version needed` is 0x003f"),
    ("encryption", |zip| readme(zip).both(|h| h.flags = 1), "`flags` is 0x0001, 0x0000"),
    ("encryption said once", |zip| readme(zip).local.flags = 1, "`flags` is 0x0001, 0x0000"),
    ("a data descriptor", |zip| readme(zip).both(|h| h.flags = 8), "`flags` is 0x0008"),
    ("another method", |zip| readme(zip).both(|h| h.method = 99), "`method` is 0x0063"),
    ("compression", deflate, "`method` is 0x0008"),
    ("a bomb", bomb, "`method` is 0x0008"),
    ("a time", |zip| readme(zip).both(|h| h.time = 1), "`time` is 0x0001, 0x0000"),
    ("a date", |zip| readme(zip).both(|h| h.date = 0x5a75), "`date` is 0x5a75, 0x0021"),
    (
        "zip64 for no reason",
        |zip| readme(zip).central.extra = b"\x01\0\x08\0\0\0\0\0\0\0\0\0".into(),
        "`length of extra fields` is 0x000c",
    ),
    (
        "extra fields before a file",
        |zip| readme(zip).local.extra = b"\xfe\xca\x01\0x".into(),
        "`offset` is",
    ),
    (
        "extra fields in the directory",
        |zip| readme(zip).central.extra = b"\xfe\xca\x01\0x".into(),
        "`length of extra fields` is 0x0005",
    ),
    (
        "another name in extra fields",
        |zip| readme(zip).central.extra = b"up\x06\0\x01\0\0\0\0x".into(),
        "`length of extra fields`",
    ),
    (
        "a file's comment",
        |zip| readme(zip).comment = b"hello".into(),
        "`length of the comment` is 0x0005",
    ),
    (
        "another name before the file",
        |zip| readme(zip).local.name = Some(b"INSTALL.md".into()),
        "before its bytes, its name is another",
    ),
    (
        "another size before the file",
        |zip| readme(zip).local.size += 1,
        "before its bytes, its `size` is",
    ),
    ("another packed size", |zip| readme(zip).central.packed += 1, "`packed size` is"),
    (
        "another CRC before the file",
        |zip| readme(zip).local.crc ^= 1,
        "before its bytes, its `CRC-32` is",
    ),
    (
        "a CRC that lies",
        |zip| readme(zip).both(|h| h.crc ^= 1),
        "its CRC-32 is not that of its bytes",
    ),
    (
        "a size that lies",
        |zip| {
            readme(zip).both(|h| {
                h.size += 9;
                h.packed += 9
            })
        },
        "`offset` is",
    ),
    (
        "a size beyond the file",
        |zip| {
            zip.file("verdict.json").both(|h| {
                h.size = 200 << 20;
                h.packed = h.size
            })
        },
        "do not fill",
    ),
    (
        "a size of 4 GiB",
        |zip| {
            readme(zip).both(|h| {
                h.size = u32::MAX;
                h.packed = u32::MAX
            })
        },
        "at most 1048576 may be",
    ),
    ("more than such a file has", huge, "at most 1048576 may be"),
    ("something between files", |zip| readme(zip).after = b"hidden".into(), "`offset` is"),
    (
        "something before the first",
        |zip| zip.before = b"#!/bin/sh\n".into(),
        "`offset` is 0x0000000a",
    ),
    ("something before the directory", |zip| zip.gaps[0] = b"hidden".into(), "do not fill"),
    (
        "something after the directory",
        |zip| zip.gaps[1] = b"hidden".into(),
        "does not lie where its end says",
    ),
    (
        "a file that the directory leaves out",
        |zip| zip.file("index.html").no_central = true,
        "`offset` is",
    ),
    ("two names for one file", overlap, "`offset` is"),
    ("an offset that lies", |zip| readme(zip).shift = 5, "`offset` is 0x00000005"),
    ("a record without a file", |zip| zip.file("index.html").no_local = true, "`offset` is"),
    (
        "a count too small",
        |zip| zip.count = Some(zip.entries.len() as u16 - 1),
        "different numbers of files",
    ),
    ("a count too large", |zip| zip.count = Some(60_000), "different numbers of files"),
    ("a count without its record", |zip| zip.count = Some(u16::MAX), "does not end as a bundle"),
    ("a directory elsewhere", |zip| zip.offset = Some(4), "does not lie where its end says"),
    ("several disks", |zip| zip.disk = 1, "its end says something"),
    ("a zip64 end for no reason", |zip| zip.zip64 = true, "does not lie where its end says"),
    (
        "a zip64 end, and referred to",
        |zip| {
            zip.zip64 = true;
            zip.count = Some(u16::MAX)
        },
        "its end says something",
    ),
    ("no comment", |zip| zip.comment = Some(Vec::new()), "does not end as a bundle does"),
    ("another comment", |zip| zip.comment = Some(vec![b'a'; 71]), "does not end as a bundle does"),
    ("a longer comment", |zip| zip.comment = Some(vec![b'a'; 72]), "does not end as a bundle does"),
    (
        "capitals in the digest",
        |zip| zip.comment = Some(b"sha256:".iter().copied().chain([b'A'; 64]).collect()),
        "does not end as a bundle does",
    ),
    (
        "another digest",
        |zip| zip.comment = Some(b"sha256:".iter().copied().chain([b'a'; 64]).collect()),
        "it was changed after it was made",
    ),
    ("something after the end", |zip| zip.after = b"\n".into(), "does not end as a bundle does"),
    (
        "a second end",
        |zip| zip.after = Hand::new(Vec::new()).build(),
        "does not lie where its end says",
    ),
    ("nothing in it", |zip| zip.entries.clear(), "there is no evidence in it"),
];

fn readme(zip: &mut Hand) -> &mut Entry {
    zip.file("README.txt")
}

fn rename(zip: &mut Hand, name: &[u8]) {
    readme(zip).name = name.into();
}

/// Adds a file in its place.
fn add(zip: &mut Hand, name: &[u8], data: &[u8]) {
    zip.entries.push(entry(name, data));
    zip.entries.sort_by(|a, b| a.name.cmp(&b.name));
}

fn again(zip: &mut Hand, name: &str) {
    let mut second = zip.file(name).clone();
    second.data = b"other".into();
    let second = entry(&second.name, &second.data);
    zip.entries.push(second);
    zip.entries.sort_by(|a, b| a.name.cmp(&b.name));
}

fn pack(data: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("x", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(data).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let directory = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[31..directory].to_vec()
}

fn deflated(zip: &mut Hand, name: &str, data: &[u8]) {
    let good = entry(name.as_bytes(), data);
    let file = zip.file(name);
    file.data = pack(data);
    let packed = file.data.len() as u32;
    file.both(|header| *header = Header { method: 8, needed: 20, packed, ..good.local.clone() });
    file.both(|header| header.needed = 10);
}

fn deflate(zip: &mut Hand) {
    deflated(zip, "README.txt", b"read me\n");
}

/// Twenty mebibytes in a few thousand bytes.
fn bomb(zip: &mut Hand) {
    deflated(zip, "verdict.json", &vec![b' '; 20 << 20]);
}

fn huge(zip: &mut Hand) {
    let name = b"README.txt";
    *readme(zip) = entry(name, &vec![b' '; (1 << 20) + 1]);
}

/// `index.html` and `signing-key.pem` share their bytes.
fn overlap(zip: &mut Hand) {
    let page = zip.file("index.html").clone();
    let back = (30 + page.name.len() + page.data.len()) as i64;
    let key = zip.file("signing-key.pem");
    key.no_local = true;
    key.shift = -back;
    key.data = page.data.clone();
    key.central = page.central;
}

#[test]
fn every_kind_of_hostile_zip_is_told_for_what_it_is() {
    let made = made();
    let good = made.good();
    let hand = Hand::of(&good);
    assert_eq!(hand.build(), good, "the hand-made zip is the one that is written");
    assert_eq!(made.problems(&good), Vec::<String>::new());
    assert!(CASES.len() >= 25);
    for (what, change, expected) in CASES {
        let mut zip = hand.clone();
        change(&mut zip);
        let bytes = zip.build();
        assert_ne!(bytes, good, "{what}");
        let problems = made.problems(&bytes);
        let said = problems.iter().any(|problem| problem.contains(expected));
        assert!(said, "{what}: `{expected}` is not in {problems:#?}");
        let place = problems.iter().all(|problem| problem.contains(" bundle.zip"));
        assert!(place, "{what}: {problems:#?}");
    }
}

#[test]
fn a_directory_for_more_files_than_any_bundle_has_is_not_read() {
    let made = made();
    let mut zip = Hand::new(Vec::new());
    zip.zip64 = true;
    zip.count = Some(u16::MAX);
    let mut bytes = zip.build();
    let record = bytes.windows(4).position(|window| window == b"PK\x06\x06").unwrap();
    bytes[record + 32..record + 40].copy_from_slice(&u64::MAX.to_le_bytes());
    let problems = made.problems(&bytes);
    assert!(problems[0].contains("larger than that of any bundle"), "{problems:#?}");
    for at in [40, 48] {
        let mut bytes = zip.build();
        bytes[record + at..record + at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(made.problems(&bytes)[0].contains("does not lie where"), "{at}");
    }
}
