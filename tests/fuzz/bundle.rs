//! Bundles: the zip itself, and what lies in it, laid out anew around it.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ctc_ready::digest::{Digest, canonical_json};
use ctc_ready::evidence::Trust;
use ctc_ready::evidence::bundle::{Mark, Plan, is_bundle, verify_bundle};
use ctc_ready::evidence::seal::dsse;
use ctc_ready::evidence::seal::statement::PAYLOAD_TYPE;
use serde_json::{Value, json};

use crate::bundle_support::*;
use crate::engine::{Target, found, taken};
use crate::mutate;
use crate::random::Random;
use crate::store::House;
use crate::support::TOOL;

const SIGNED: &str = "bundle.dsse.json";

pub struct Bundles {
    house: House,
    folder: tempfile::TempDir,
    good: Vec<u8>,
    hand: Hand,
    pieces: Vec<Vec<u8>>,
}

impl Bundles {
    pub fn new() -> Self {
        let house = House::new();
        let verdict = json!({
            "schema_version": 1, "ready": false, "rehearsal": false, "programme": "ncts5-final",
            "as_of": "2026-11-21T12:00:00Z", "submit_on": null, "requirements": [],
            "findings": [{"rule": "lead-time", "severity": "error", "requirement": null,
                "scenario": null, "run": null, "message": "m", "source": null, "waived": null}],
        });
        let mark = Some(Mark::Draft);
        let plan = Plan::new(&house.dir, papers(&verdict), mark, Some(&house.keys), TOOL).unwrap();
        let mut good = Vec::new();
        plan.write(&mut good).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand::of(&good);
        let pieces = hand.entries.iter().map(|entry| entry.data.clone()).collect();
        let bundles = Self { house, folder, good, hand, pieces };
        bundles.lay(&bundles.good);
        assert_eq!(bundles.read(&0), taken(true), "the bundle to begin with is a good one");
        bundles
    }

    fn lay(&self, bytes: &[u8]) {
        fs::write(self.folder.path().join("bundle.zip"), bytes).unwrap();
    }

    /// Another statement, or verdict, rightly signed.
    fn state(&self, random: &mut Random, zip: &mut Hand) {
        let name = *random.pick(&["verdict.json", SIGNED]);
        let Some(file) = zip.entries.iter_mut().find(|entry| entry.name == name.as_bytes()) else {
            return;
        };
        let Ok(mut value) = serde_json::from_slice::<Value>(&file.data) else { return };
        if name == "verdict.json" {
            mutate::json(random, &mut value);
            *file = entry(name.as_bytes(), value.to_string().as_bytes());
            return self.sign(zip, |_| {});
        }
        self.sign(zip, |statement| mutate::json(random, statement));
    }

    /// Has the statement name the digests that the files now have.
    fn sign(&self, zip: &mut Hand, change: impl FnOnce(&mut Value)) {
        let digests: Vec<(Vec<u8>, String)> = zip
            .entries
            .iter()
            .map(|entry| (entry.name.clone(), Digest::of(&entry.data).to_string()))
            .collect();
        let Some(file) = zip.entries.iter_mut().find(|entry| entry.name == SIGNED.as_bytes())
        else {
            return;
        };
        let envelope: Value = serde_json::from_slice(&file.data).unwrap_or_default();
        let payload = BASE64.decode(envelope["payload"].as_str().unwrap_or_default());
        let payload = serde_json::from_slice::<Value>(&payload.unwrap_or_default());
        // An earlier change may have made anything of it.
        let Some(mut statement) = payload.ok().filter(Value::is_object) else { return };
        for subject in statement["subject"].as_array_mut().into_iter().flatten() {
            let name = subject["name"].as_str().unwrap_or_default().as_bytes().to_vec();
            let digest = digests.iter().find(|(found, _)| *found == name);
            let said = subject.get_mut("digest").and_then(Value::as_object_mut);
            if let (Some((_, digest)), Some(said)) = (digest, said) {
                said.insert("sha256".into(), digest.clone().into());
            }
        }
        change(&mut statement);
        let payload = canonical_json(&statement);
        let envelope = dsse::sign(&self.house.keys, PAYLOAD_TYPE, payload.as_bytes());
        *file = entry(SIGNED.as_bytes(), envelope.as_bytes());
    }

    /// A store that says something else, in a bundle that is otherwise right.
    fn store(&self, random: &mut Random, zip: &mut Hand) {
        let mut files = self.house.good.clone();
        self.house.spoil_files(random, &mut files);
        for (name, bytes) in files {
            let name = format!("evidence/{name}");
            if let Some(file) = zip.entries.iter_mut().find(|e| e.name == name.as_bytes()) {
                *file = entry(name.as_bytes(), &bytes);
            }
        }
        self.sign(zip, |_| {});
    }

    /// A field of a header, a gap, an end that lies.
    fn form(&self, random: &mut Random, zip: &mut Hand) {
        let edges = [0, 1, 8, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x7fff_ffff, 0xffff_fffe, u32::MAX];
        let edge = *random.pick(&edges);
        let short = edge as u16;
        let at = random.below(zip.entries.len());
        let other = zip.entries[random.below(zip.entries.len())].clone();
        let file = &mut zip.entries[at];
        let which = random.below(3);
        let mut headers: Vec<&mut Header> = match which {
            0 => vec![&mut file.local],
            1 => vec![&mut file.central],
            _ => vec![&mut file.local, &mut file.central],
        };
        let field = random.below(19);
        for header in &mut headers {
            match field {
                0 => header.flags ^= 1 << random.below(16),
                1 => header.method = short,
                2 => header.crc ^= edge,
                3 => header.size = edge,
                4 => header.packed = edge,
                5 => (header.size, header.packed) = (edge, edge),
                6 => header.extra = vec![random.byte(); usize::from(short)],
                7 => {
                    let zip64 = [&b"\x01\0\x10\0"[..], &u64::MAX.to_le_bytes(), &[0; 8]].concat();
                    header.extra = zip64[..random.below(zip64.len() + 1)].to_vec();
                }
                8 => header.name = Some(mutate::bytes(random, &file.name, &[])),
                9 => header.needed = short,
                _ => {}
            }
        }
        match field {
            10 => file.shift = i64::from(edge as i32),
            11 => file.no_local = true,
            12 => file.no_central = true,
            13 => file.name = mutate::bytes(random, &file.name, &[]),
            14 => file.name = other.name,
            15 => file.after = vec![b'P'; random.below(200)],
            16 => zip.count = Some(short),
            17 => zip.offset = Some(edge),
            18 => {
                zip.zip64 = random.below(2) == 0;
                zip.disk = short;
                zip.gaps[random.below(2)] = vec![0; random.below(99)];
            }
            _ => {}
        }
        zip.entries.iter_mut().for_each(|entry| {
            entry.name.truncate(60_000);
            for header in [&mut entry.local, &mut entry.central] {
                header.name.iter_mut().for_each(|name| name.truncate(60_000));
                header.extra.truncate(60_000);
            }
        });
    }
}

impl Target for Bundles {
    type Input = usize;

    fn make(&mut self, random: &mut Random) -> usize {
        let mut zip = self.hand.clone();
        let bytes = match random.below(6) {
            0 => mutate::bytes(random, &self.good, &self.pieces),
            1 => {
                self.form(random, &mut zip);
                mutate::bytes(random, &zip.build(), &self.pieces)
            }
            way => {
                for _ in 0..1 + random.below(2) {
                    match way {
                        2 => self.form(random, &mut zip),
                        3 => self.state(random, &mut zip),
                        4 => self.store(random, &mut zip),
                        _ => {
                            let at = random.below(zip.entries.len());
                            let file = &mut zip.entries[at];
                            let data = mutate::bytes(random, &file.data, &self.pieces);
                            *file = entry(&file.name.clone(), &data);
                            if random.below(2) == 0 {
                                self.sign(&mut zip, |_| {});
                            }
                        }
                    }
                }
                zip.build()
            }
        };
        self.lay(&bytes);
        bytes.len()
    }

    fn size(input: &usize) -> usize {
        *input
    }

    fn read(&self, _: &usize) -> Vec<&'static str> {
        let path = self.folder.path().join("bundle.zip");
        // Whatever it looks like, the reader is tried.
        let _ = is_bundle(&path);
        found(verify_bundle(&path, &Trust::default()).map(|verified| verified.report))
    }
}
