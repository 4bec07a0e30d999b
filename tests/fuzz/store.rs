//! Stores: read, verified, opened for writing, reported on.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ctc_ready::catalogue::Catalogue;
use ctc_ready::digest::{Digest, canonical_json};
use ctc_ready::evidence::seal::statement::PAYLOAD_TYPE;
use ctc_ready::evidence::seal::{KeyRing, dsse};
use ctc_ready::evidence::*;
use ctc_ready::project::Settings;
use ctc_ready::report::html::{PageOptions, page};
use ctc_ready::report::{Dossier, har, json, junit, markdown};
use serde_json::Value;

use crate::document_support::full_settings;
use crate::engine::{Target, found, taken};
use crate::mutate;
use crate::random::Random;
use crate::support::*;
use crate::tale::{Tale, tale, verdict};

const INDEX: &str = "index.jsonl";

/// Files by name; none: it is not there.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A sealed store of runs of all kinds, spoilt and made good again.
pub struct House {
    _tale: Tale,
    _home: tempfile::TempDir,
    pub dir: std::path::PathBuf,
    pub keys: KeyRing,
    pub good: Files,
    bodies: Vec<Vec<u8>>,
    /// What differs from `good` on disk.
    spoilt: Vec<String>,
}

impl House {
    pub fn new() -> Self {
        let tale = tale();
        let home = tempfile::tempdir().unwrap();
        let keys = KeyRing::generate(&home.path().join("keys")).unwrap();
        let dir = tale.dir.clone();
        let store = open(&dir, &clock()).unwrap();
        store.seal(&keys).unwrap();
        let run = store.read().unwrap().indexed().map(|(run, _)| run).nth(2).unwrap();
        drop(store.resume_run(run).unwrap());
        store.seal(&keys).unwrap();
        drop(store);
        assert_eq!(verify(&dir).unwrap().problems, []);
        let good = read(&dir);
        let bodies = good.values().cloned().collect();
        Self { _tale: tale, _home: home, dir, keys, good, bodies, spoilt: Vec::new() }
    }

    /// Takes back what was spoilt, and spoils the store in some other way.
    /// Gives its size.
    fn spoil(&mut self, random: &mut Random) -> usize {
        let mut files = self.good.clone();
        self.spoil_files(random, &mut files);
        self.lay(files)
    }

    /// As [`House::spoil`], in memory.
    pub fn spoil_files(&self, random: &mut Random, files: &mut Files) {
        for _ in 0..1 + random.below(2) {
            match random.below(8) {
                0 | 1 => self.bytes(random, files),
                2 | 3 => self.journal(random, files),
                4 => self.index(random, files),
                5 => self.description(random, files),
                _ => self.seal(random, files),
            }
        }
    }

    fn bytes(&self, random: &mut Random, files: &mut Files) {
        let names: Vec<String> = files.keys().cloned().collect();
        let name = random.pick(&names);
        let spoilt = mutate::bytes(random, &files[name], &self.bodies);
        files.insert(name.clone(), spoilt);
    }

    /// Lines that say something else, with right hashes; the index follows.
    fn journal(&self, random: &mut Random, files: &mut Files) {
        let names: Vec<&String> = files.keys().filter(|name| name.starts_with("runs/")).collect();
        let name = (*random.pick(&names)).clone();
        let run = name.split('/').nth(1).unwrap().to_owned();
        let Some(text) = text(files, &name) else { return };
        let chosen = random.below(text.lines().count());
        let Some(text) = chained(&text, |number, value| {
            if number == chosen || random.below(20) == 0 {
                said(random, value);
            }
        }) else {
            return;
        };
        files.insert(name, text.clone().into());
        let hash = |line: Option<&str>| -> Value {
            let line: Value = serde_json::from_str(line.unwrap()).unwrap();
            line["hash"].clone()
        };
        let (first, head) = (hash(text.lines().next()), hash(text.lines().last()));
        follow(files, |value| {
            if value["run"] == *run {
                match value["kind"].as_str() {
                    Some("run-opened") => value["first"] = first.clone(),
                    Some("run-closed") => {
                        value["head"] = head.clone();
                        value["lines"] = text.lines().count().into();
                    }
                    _ => {}
                }
            }
        });
    }

    fn index(&self, random: &mut Random, files: &mut Files) {
        let Some(index) = text(files, INDEX) else { return };
        let chosen = random.below(index.lines().count());
        let index = chained(&index, |number, value| {
            if number == chosen {
                said(random, value);
            }
        });
        index.map(|index| files.insert(INDEX.into(), index.into()));
    }

    fn description(&self, random: &mut Random, files: &mut Files) {
        let Some(mut value) = parsed(files, "store.json") else { return };
        mutate::json(random, &mut value);
        let text = canonical_json(&value) + "\n";
        let digest = Digest::of(text.as_bytes()).to_string();
        files.insert("store.json".into(), text.into());
        follow(files, |value| {
            if value["kind"] == "store-created" {
                value["store_json"] = digest.clone().into();
            }
        });
    }

    /// A seal that says something else, rightly signed; the index follows.
    fn seal(&self, random: &mut Random, files: &mut Files) {
        let number = 1 + random.below(2);
        let name = format!("seals/{number}.dsse.json");
        let Some(mut envelope) = parsed(files, &name) else { return };
        let sealed = match random.below(4) {
            0 => {
                mutate::json(random, &mut envelope);
                canonical_json(&envelope) + "\n"
            }
            way => {
                let payload = envelope["payload"].as_str().unwrap_or_default();
                let payload = BASE64.decode(payload).unwrap_or_default();
                let payload = match (way, serde_json::from_slice::<Value>(&payload)) {
                    (1, _) | (_, Err(_)) => mutate::bytes(random, &payload, &self.bodies),
                    (_, Ok(mut value)) => {
                        mutate::json(random, &mut value);
                        canonical_json(&value).into()
                    }
                };
                dsse::sign(&self.keys, PAYLOAD_TYPE, &payload)
            }
        };
        let digest = Digest::of(sealed.as_bytes()).to_string();
        files.insert(name, sealed.into());
        follow(files, |value| {
            if value["kind"] == "sealed" && value["seal"] == number {
                value["sha256"] = digest.clone().into();
            }
        });
    }

    /// Has the folder hold these files.
    fn lay(&mut self, files: Files) -> usize {
        for name in std::mem::take(&mut self.spoilt) {
            write(&self.dir, &name, self.good.get(&name).map(Vec::as_slice));
        }
        for (name, bytes) in &files {
            if self.good.get(name) != Some(bytes) {
                write(&self.dir, name, Some(bytes));
                self.spoilt.push(name.clone());
            }
        }
        files.values().map(Vec::len).sum()
    }
}

/// What is evidence in a store, by name.
fn read(dir: &Path) -> Files {
    let name = |file: &Path| file.to_str().unwrap().replace('\\', "/");
    files(dir).iter().map(|file| (name(file), fs::read(dir.join(file)).unwrap())).collect()
}

/// Puts a file where anything may stand, or nothing.
fn write(dir: &Path, name: &str, bytes: Option<&[u8]>) {
    let path = dir.join(name);
    if path.symlink_metadata().is_ok_and(|data| data.is_dir()) {
        fs::remove_dir_all(&path).unwrap();
    } else {
        let _ = fs::remove_file(&path);
    }
    if let Some(bytes) = bytes {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    }
}

fn text(files: &Files, name: &str) -> Option<String> {
    String::from_utf8(files.get(name)?.clone()).ok()
}

fn parsed(files: &Files, name: &str) -> Option<Value> {
    serde_json::from_slice(files.get(name)?).ok()
}

/// A chain whose lines were changed, with right hashes; none where it was no
/// chain any more.
fn chained(text: &str, mut change: impl FnMut(usize, &mut Value)) -> Option<String> {
    let lines: Option<Vec<Value>> =
        text.lines().map(|line| serde_json::from_str(line).ok().filter(Value::is_object)).collect();
    let mut lines = lines.filter(|lines| !lines.is_empty())?;
    lines.iter_mut().enumerate().for_each(|(number, value)| change(number, value));
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    // Several changes may nest deeper than any parser goes.
    let readable = |line: &String| serde_json::from_str::<Value>(line).is_ok();
    lines.iter().all(readable).then(|| rechain(&lines.join("\n"), |_| {}))
}

/// What a line says, and when, becomes something else.
fn said(random: &mut Random, line: &mut Value) {
    let mut other = line.clone();
    mutate::json(random, &mut other);
    if other.is_object() {
        *line = other;
    }
}

/// Has the index say what follows from a change elsewhere.
fn follow(files: &mut Files, change: impl Fn(&mut Value)) {
    let index = text(files, INDEX).and_then(|index| chained(&index, |_, value| change(value)));
    index.map(|index| files.insert(INDEX.into(), index.into()));
}

/// Opens the store and reads every run and body.
pub struct Reader(House);

impl Reader {
    pub fn new() -> Self {
        Self(House::new())
    }
}

impl Target for Reader {
    type Input = usize;

    fn make(&mut self, random: &mut Random) -> usize {
        self.0.spoil(random)
    }

    fn size(input: &usize) -> usize {
        *input
    }

    fn read(&self, _: &usize) -> Vec<&'static str> {
        let surveyed = survey(&self.0.dir, Depth::Lines);
        let Ok(store) = Store::open(&self.0.dir) else { return taken(false) };
        let (runs, problems) = store.readable_runs();
        for record in &runs {
            let bodies = record.messages.iter().map(|message| &message.body);
            bodies.for_each(|body| drop(store.object(body)));
            let _ =
                (record.first_submission(), record.message(ctc_ready::ncts::MessageType::Ie015));
        }
        let Ok(surveyed) = surveyed else { return taken(false) };
        assert!(problems.is_empty() || !surveyed.report.intact);
        taken(problems.is_empty())
    }
}

/// Verifies the store, which may be a folder of anything.
pub struct Verifier(House);

impl Verifier {
    pub fn new() -> Self {
        Self(House::new())
    }
}

impl Target for Verifier {
    type Input = (usize, Trust);

    fn make(&mut self, random: &mut Random) -> (usize, Trust) {
        let house = &mut self.0;
        let size = house.spoil(random);
        if random.below(4) == 0 {
            let names: Vec<String> = house.good.keys().cloned().collect();
            let name = random.pick(&names).clone();
            let path = house.dir.join(&name);
            house.spoilt.push(name.clone());
            match random.below(5) {
                0 => write(&house.dir, &name, None),
                1 => {
                    write(&house.dir, &name, None);
                    fs::create_dir_all(path.join("inside")).unwrap();
                }
                #[cfg(unix)]
                2 | 3 => {
                    write(&house.dir, &name, None);
                    let to = *random.pick(&["/dev/zero", "/", ".", "nowhere", "/proc/self/mem"]);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::os::unix::fs::symlink(to, &path).unwrap();
                }
                _ => {
                    let odd = format!("{name}.{}", random.pick(&["x", "\u{202e}", "1.tsr", "\n"]));
                    write(&house.dir, &odd, Some(b"{}"));
                    house.spoilt.push(odd);
                }
            }
        }
        let key = (random.below(2) == 0).then(|| house.keys.fingerprint());
        (size, Trust { key, authorities: None })
    }

    fn size(input: &(usize, Trust)) -> usize {
        input.0
    }

    fn read(&self, (_, trust): &(usize, Trust)) -> Vec<&'static str> {
        found(verify_with(&self.0.dir, trust))
    }
}

/// Opens the store for writing, mends it, goes on with its runs and seals it.
pub struct Repairs(House);

impl Repairs {
    pub fn new() -> Self {
        Self(House::new())
    }
}

impl Target for Repairs {
    type Input = usize;

    fn make(&mut self, random: &mut Random) -> usize {
        // The turn before may have written anything anywhere.
        let house = &mut self.0;
        for name in read(&house.dir).into_keys() {
            write(&house.dir, &name, None);
        }
        house.good.iter().for_each(|(name, bytes)| write(&house.dir, name, Some(bytes)));
        house.spoilt.clear();
        if random.below(2) == 0 {
            // A process that died here: objects are looked at too.
            fs::write(house.dir.join("lock"), "{\"pid\":1}").unwrap();
        }
        house.spoil(random)
    }

    fn size(input: &usize) -> usize {
        *input
    }

    fn read(&self, _: &usize) -> Vec<&'static str> {
        let Ok(store) = open(&self.0.dir, &clock()) else { return taken(false) };
        let Ok(snapshot) = store.read() else { return taken(false) };
        for (run, _) in snapshot.indexed() {
            drop(store.resume_run(run));
        }
        taken(store.seal(&self.0.keys).is_ok())
    }
}

/// Every report on what can still be read.
pub struct Reports {
    house: House,
    catalogue: Catalogue,
    settings: Settings,
}

impl Reports {
    pub fn new() -> Self {
        let catalogue = Catalogue::built_in().unwrap();
        Self { house: House::new(), catalogue, settings: full_settings() }
    }
}

impl Target for Reports {
    type Input = usize;

    fn make(&mut self, random: &mut Random) -> usize {
        let mut files = self.house.good.clone();
        for _ in 0..1 + random.below(4) {
            self.house.journal(random, &mut files);
        }
        self.house.lay(files)
    }

    fn size(input: &usize) -> usize {
        *input
    }

    fn read(&self, _: &usize) -> Vec<&'static str> {
        let Ok(store) = Store::open(&self.house.dir) else { return taken(false) };
        let integrity = verify(&self.house.dir).unwrap();
        let dossier = Dossier::gather(&store, verdict(), integrity, None);
        json::export(&dossier, &store).unwrap();
        junit::export(&dossier).unwrap();
        har::export(&dossier, &store).unwrap();
        markdown::export(&dossier);
        page(&dossier, &store, &PageOptions::new(&self.catalogue, &self.settings)).unwrap();
        taken(dossier.only_indexed.is_empty())
    }
}
