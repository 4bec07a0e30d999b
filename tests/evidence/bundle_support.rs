//! A small bundle, and the same taken apart and put together by hand.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctc_ready::clock::Clock;
use ctc_ready::digest::Digest;
use ctc_ready::evidence::Trust;
use ctc_ready::evidence::bundle::*;
use ctc_ready::evidence::chain::{Head, Line};
use ctc_ready::evidence::format::IndexEvent;
use ctc_ready::evidence::seal::keys::KeyRing;
use serde_json::{Value, json};

use crate::support::*;

pub(crate) struct Made {
    pub(crate) small: Small,
    pub(crate) keys: KeyRing,
    /// Where bundles are written.
    pub(crate) folder: tempfile::TempDir,
}

/// A small store whose index knows a key.
pub(crate) fn made() -> Made {
    let small = small_store();
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyRing::generate(&folder.path().join("keys")).unwrap();
    introduce(&small.dir, &keys);
    Made { small, keys, folder }
}

/// Has the index of a store know a key, as its first seal would.
pub(crate) fn introduce(dir: &Path, keys: &KeyRing) {
    let path = dir.join("index.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut head = Head::START;
    text.lines().for_each(|line| head.follow(&Line::parse(line.as_bytes()).unwrap()).unwrap());
    let (replaces, endorsement) = keys.chain().last().unwrap().endorsement.unzip();
    let added = IndexEvent::KeyAdded {
        key: keys.fingerprint(),
        public: keys.public().to_base64(),
        replaces,
        endorsement: endorsement.map(|signature| STANDARD.encode(signature)),
    };
    let clock = clock();
    let (line, _) = head.compose(clock.now(), 0, &added).unwrap();
    fs::write(&path, text + &line).unwrap();
}

/// A verdict by which the closed run stands.
pub(crate) fn verdict(small: &Small) -> Value {
    json!({
        "schema_version": 1, "ready": true, "rehearsal": false, "programme": "ncts5-final",
        "as_of": "2026-11-21T12:00:00Z", "submit_on": null,
        "findings": [{"rule": "store-unsealed", "severity": "info", "requirement": null,
            "scenario": null, "run": null, "message": "m", "source": null, "waived": null}],
        "requirements": [
            {"requirement": "standard-departure", "kind": "mandatory", "any_of": ["DSGB1"],
             "state": "fresh", "scenario": "DSGB1", "run": small.closed, "attempts": 1,
             "fresh_until": "2026-12-04T09:30:00Z", "next_actor": null, "waiting_for": null},
            {"requirement": "arrival", "kind": "mandatory", "any_of": ["DSGB2"],
             "state": "waiting", "scenario": "DSGB2", "run": small.open, "attempts": 1,
             "fresh_until": null, "next_actor": "you", "waiting_for": null},
            {"requirement": "pre-lodged", "kind": "mandatory", "any_of": ["PSGB1"],
             "state": "missing", "scenario": "PSGB1", "run": null, "attempts": 0,
             "fresh_until": null, "next_actor": "you", "waiting_for": null},
        ],
    })
}

pub(crate) fn papers(verdict: &Value) -> Papers {
    Papers {
        readme: "read me\n".into(),
        page: "<!DOCTYPE html>\n".into(),
        verdict: verdict.to_string(),
        checklist: b"PK\x03\x04 a form".to_vec(),
        annex: Some(b"PK\x03\x04 an annex".to_vec()),
    }
}

impl Made {
    /// The bytes of a bundle with this verdict.
    pub(crate) fn bundle(&self, verdict: &Value, mark: Option<Mark>, signed: bool) -> Vec<u8> {
        let keys = signed.then_some(&self.keys);
        let plan = Plan::new(&self.small.dir, papers(verdict), mark, keys, TOOL).unwrap();
        let mut bytes = Vec::new();
        let written = plan.write(&mut bytes).unwrap();
        assert_eq!((written.bytes, written.sha256), (bytes.len() as u64, Digest::of(&bytes)));
        bytes
    }

    /// The ordinary one: signed, no mark.
    pub(crate) fn good(&self) -> Vec<u8> {
        self.bundle(&verdict(&self.small), None, true)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("bundle.zip")
    }

    /// Verifies these bytes as a bundle.
    pub(crate) fn verify(&self, bytes: &[u8]) -> VerifiedBundle {
        fs::write(self.path(), bytes).unwrap();
        let verified = verify_bundle(&self.path(), &Trust::default()).unwrap();
        assert_eq!(verified.report.intact, verified.report.problems.is_empty());
        verified
    }

    /// `rule place: message` of every problem.
    pub(crate) fn problems(&self, bytes: &[u8]) -> Vec<String> {
        told(&self.verify(bytes))
    }
}

pub(crate) fn told(verified: &VerifiedBundle) -> Vec<String> {
    let problems = verified.report.problems.iter();
    problems
        .map(|problem| format!("{} {}: {}", problem.rule, problem.place, problem.message))
        .collect()
}

/// A file in a zip made by hand, with whatever is to be wrong about it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) local: Header,
    pub(crate) central: Header,
    pub(crate) made_by: u16,
    pub(crate) attributes: u32,
    pub(crate) comment: Vec<u8>,
    /// Bytes after it.
    pub(crate) after: Vec<u8>,
    /// Added to the offset in the directory.
    pub(crate) shift: i64,
    /// Left out: of the files, of the directory.
    pub(crate) no_local: bool,
    pub(crate) no_central: bool,
}

/// What a local header and a directory record have in common.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) needed: u16,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) time: u16,
    pub(crate) date: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u32,
    pub(crate) size: u32,
    pub(crate) extra: Vec<u8>,
}

/// A zip made by hand.
#[derive(Clone)]
pub(crate) struct Hand {
    pub(crate) before: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    /// Between the last file and the directory, and after the directory.
    pub(crate) gaps: [Vec<u8>; 2],
    pub(crate) zip64: bool,
    pub(crate) disk: u16,
    pub(crate) count: Option<u16>,
    pub(crate) offset: Option<u32>,
    pub(crate) comment: Option<Vec<u8>>,
    pub(crate) after: Vec<u8>,
}

pub(crate) fn entry(name: &[u8], data: &[u8]) -> Entry {
    let mut crc = crc32fast::Hasher::new();
    crc.update(data);
    let size = data.len() as u32;
    let header = Header {
        name: None,
        needed: 10,
        flags: 0,
        method: 0,
        time: 0,
        date: 0x21,
        crc: crc.finalize(),
        packed: size,
        size,
        extra: Vec::new(),
    };
    Entry {
        name: name.to_vec(),
        data: data.to_vec(),
        local: header.clone(),
        central: header,
        made_by: 0x032d,
        attributes: 0o100_644 << 16,
        comment: Vec::new(),
        after: Vec::new(),
        shift: 0,
        no_local: false,
        no_central: false,
    }
}

impl Entry {
    pub(crate) fn both(&mut self, change: impl Fn(&mut Header)) {
        change(&mut self.local);
        change(&mut self.central);
    }
}

impl Header {
    fn write(&self, own: &[u8], out: &mut Vec<u8>) -> Vec<u8> {
        let name = self.name.clone().unwrap_or_else(|| own.to_vec());
        for value in [self.needed, self.flags, self.method, self.time, self.date] {
            out.extend(value.to_le_bytes());
        }
        for value in [self.crc, self.packed, self.size] {
            out.extend(value.to_le_bytes());
        }
        out.extend((name.len() as u16).to_le_bytes());
        out.extend((self.extra.len() as u16).to_le_bytes());
        name
    }
}

impl Hand {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Self {
            before: Vec::new(),
            entries,
            gaps: [Vec::new(), Vec::new()],
            zip64: false,
            disk: 0,
            count: None,
            offset: None,
            comment: None,
            after: Vec::new(),
        }
    }

    /// A bundle taken apart.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::new(
            unzip(bytes).into_iter().map(|(name, data)| entry(name.as_bytes(), &data)).collect(),
        )
    }

    pub(crate) fn file(&mut self, name: &str) -> &mut Entry {
        self.entries.iter_mut().find(|entry| entry.name == name.as_bytes()).unwrap()
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        let mut directory = Vec::new();
        let mut count = 0_u64;
        for entry in &self.entries {
            let offset = (out.len() as i64 + entry.shift) as u32;
            if !entry.no_local {
                out.extend(b"PK\x03\x04");
                let name = entry.local.write(&entry.name, &mut out);
                out.extend(name);
                out.extend(&entry.local.extra);
                out.extend(&entry.data);
                out.extend(&entry.after);
            }
            if entry.no_central {
                continue;
            }
            count += 1;
            directory.extend(b"PK\x01\x02");
            directory.extend(entry.made_by.to_le_bytes());
            let name = entry.central.write(&entry.name, &mut directory);
            directory.extend((entry.comment.len() as u16).to_le_bytes());
            directory.extend([0; 4]);
            directory.extend(entry.attributes.to_le_bytes());
            directory.extend(offset.to_le_bytes());
            directory.extend(name);
            directory.extend(&entry.central.extra);
            directory.extend(&entry.comment);
        }
        out.extend(&self.gaps[0]);
        let (start, size) = (out.len() as u64, directory.len() as u64);
        out.extend(directory);
        out.extend(&self.gaps[1]);
        if self.zip64 {
            let place = out.len() as u64;
            out.extend(b"PK\x06\x06");
            out.extend(44_u64.to_le_bytes());
            out.extend([0x2d, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for value in [count, count, size, start] {
                out.extend(value.to_le_bytes());
            }
            out.extend(b"PK\x06\x07\0\0\0\0");
            out.extend(place.to_le_bytes());
            out.extend(1_u32.to_le_bytes());
        }
        out.extend(b"PK\x05\x06");
        let count = self.count.unwrap_or(count as u16);
        for value in [self.disk, self.disk, count, count] {
            out.extend(value.to_le_bytes());
        }
        out.extend((size as u32).to_le_bytes());
        out.extend(self.offset.unwrap_or(start as u32).to_le_bytes());
        let comment = match &self.comment {
            Some(comment) => comment.clone(),
            None => format!("sha256:{}", Digest::of(&out)).into_bytes(),
        };
        out.extend((comment.len() as u16).to_le_bytes());
        out.extend(comment);
        out.extend(&self.after);
        out
    }
}

/// Names and bytes, by another program's reader.
pub(crate) fn unzip(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    (0..zip.len())
        .map(|at| {
            let mut file = zip.by_index(at).unwrap();
            let mut data = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut data).unwrap();
            (file.name().to_owned(), data)
        })
        .collect()
}

/// Unpacks a bundle into a folder.
pub(crate) fn unpack(bytes: &[u8], to: &Path) {
    for (name, data) in unzip(bytes) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, data).unwrap();
    }
}
