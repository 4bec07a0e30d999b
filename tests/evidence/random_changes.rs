//! Random changes to a large store and to its bundle: every one is found, and
//! what nobody touched verifies before, in between and after.
//!
//! A change is made to the files in memory, written over those on disk, looked
//! for, and taken back. `CTC_READY_SEED` gives other changes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use ctc_ready::digest::Digest;
use ctc_ready::evidence::bundle::{is_bundle, verify_bundle};
use ctc_ready::evidence::seal::KeyRing;
use ctc_ready::evidence::seal::time_stamp::{nonce, request as question};
use ctc_ready::evidence::*;

use crate::authority::{Authority, Kind};
use crate::bundle_support::*;
use crate::random::{Random, seed};
use crate::support::*;

/// Runs in the large store, of which some are open and some were removed.
const RUNS: usize = 130;

/// The same where only some changes are made.
const FEWER_RUNS: usize = 50;

/// How often what nobody touched is looked at, in changes.
const UNTOUCHED_EVERY: u64 = 100;

/// Files by name, as they are or as a change leaves them.
type Files = BTreeMap<String, Vec<u8>>;
/// What a change makes of some files; none: it is gone.
type Change = BTreeMap<String, Option<Vec<u8>>>;
/// A kind of change. Gives none where the numbers drawn leave all as it was.
type Maker = fn(&mut Random, &Files) -> Option<Change>;

/// A store of many small runs, a seal over every 25 more of them, by two keys,
/// a time stamp where there is `openssl`, removed runs; the last seal covers
/// everything.
fn large(runs: usize) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("evidence");
    let keys_folder = tempfile::tempdir().unwrap();
    let mut keys = KeyRing::generate(&keys_folder.path().join("keys")).unwrap();
    let clock = clock();
    let store = open(&dir, &clock).unwrap();
    let redactor = Redactor::new(store.salt(), []);
    let (mut closed, mut left_open) = (Vec::new(), Vec::new());
    for number in 0..runs {
        let mut about = opened(&store, "DSGB1");
        let stays = number % 25 == 7;
        if stays {
            about = opened(&store, "DSGB2");
        }
        let mut run = store.open_run(about).unwrap();
        clock.advance(Duration::from_millis(1100));
        let xml = format!("<sent number='{number}'/>");
        let body = run.put_object(xml.as_bytes(), Some("application/xml"), &redactor).unwrap();
        // The same answer to many: an object that several runs share.
        let answer =
            run.put_object(b"{\"_links\":{}}", Some("application/json"), &redactor).unwrap();
        for event in [
            Event::Request(request(1, Purpose::Submit, Some(body.clone()))),
            Event::Response(response(1, 202, Some(answer))),
            Event::Submitted(submitted(1, body)),
            Event::Request(request(2, Purpose::ListMovements, None)),
            Event::Response(response(2, 200, None)),
        ] {
            run.append(event, Durability::Buffered).unwrap();
        }
        match stays {
            true => left_open.push(run.run()),
            false => {
                closed.push(run.run());
                store.close_run(run, passed()).unwrap();
            }
        }
        if number % 25 == 24 {
            let sealed = store.seal(&keys).unwrap();
            let authority = (sealed.number == 1).then(|| Authority::make(Kind::P256)).flatten();
            if let Some(authority) = authority {
                let answer = authority.answer(&question(sealed.sha256, nonce([7; 8])));
                store.add_time_stamp(&answer, None, None).unwrap();
            }
        }
        if number == runs / 2 {
            keys.rotate().unwrap();
            store.remove_runs(&closed[2..5].iter().copied().collect(), "tried out").unwrap();
        }
    }
    store.seal(&keys).unwrap();
    let small = Small { _folder: folder, dir, closed: closed[9], open: left_open[1] };
    Made { small, keys, folder: keys_folder }
}

/// What is evidence in a store, with `/` in the names.
fn stored(dir: &Path) -> Files {
    let name = |file: &Path| file.to_str().unwrap().replace('\\', "/");
    files(dir).iter().map(|file| (name(file), fs::read(dir.join(file)).unwrap())).collect()
}

/// A change of one file's bytes.
fn of(name: &str, bytes: Vec<u8>, files: &Files) -> Option<Change> {
    (files[name] != bytes).then(|| Change::from([(name.to_owned(), Some(bytes))]))
}

/// Two files that exchange their bytes.
fn exchanged(a: &str, b: &str, files: &Files) -> Option<Change> {
    let change = [(a, b), (b, a)].map(|(to, from)| (to.to_owned(), Some(files[from].clone())));
    (files[a] != files[b]).then(|| change.into())
}

fn names(files: &Files, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
    files.keys().map(String::as_str).filter(|name| wanted(name)).collect()
}

/// The file's name within a store, wherever the store is.
fn inside(name: &str) -> &str {
    name.strip_prefix("evidence/").unwrap_or(name)
}

fn any<'f>(random: &mut Random, files: &'f Files) -> (&'f str, &'f [u8]) {
    // As likely one of each kind as one of the many.
    let kind = *random.pick(&["runs/", "objects/", "seals/", ""]);
    let found = names(files, |name| match kind {
        "" => !inside(name).contains('/'),
        kind => inside(name).starts_with(kind),
    });
    let name = match found.is_empty() {
        true => files.keys().next().unwrap(),
        false => *random.pick(&found),
    };
    (name, &files[name])
}

fn of_kind<'f>(random: &mut Random, files: &'f Files, kind: &str) -> &'f str {
    let found = names(files, |name| inside(name).starts_with(kind));
    random.pick::<&str>(&found)
}

/// A chain and its lines.
fn chain<'f>(random: &mut Random, files: &'f Files) -> (&'f str, Vec<&'f [u8]>) {
    let kind = *random.pick(&["runs/", "runs/", "runs/", "index.jsonl"]);
    let name = of_kind(random, files, kind);
    (name, files[name].split_inclusive(|byte| *byte == b'\n').collect())
}

/// What can happen to the bytes of one file.
const BYTES: &[(&str, Maker)] = &[
    ("a byte changed", |random, files| {
        let (name, bytes) = any(random, files);
        let mut bytes = bytes.to_vec();
        let at = random.below(bytes.len());
        *bytes.get_mut(at)? = random.byte();
        of(name, bytes, files)
    }),
    ("a bit changed", |random, files| {
        let (name, bytes) = any(random, files);
        let mut bytes = bytes.to_vec();
        let at = random.below(bytes.len());
        *bytes.get_mut(at)? ^= 1 << random.below(8);
        of(name, bytes, files)
    }),
    ("a byte inserted", |random, files| {
        let (name, bytes) = any(random, files);
        let mut bytes = bytes.to_vec();
        bytes.insert(random.below(bytes.len() + 1), random.byte());
        of(name, bytes, files)
    }),
    ("a byte removed", |random, files| {
        let (name, bytes) = any(random, files);
        let mut bytes = bytes.to_vec();
        bytes.remove(random.below(bytes.len()));
        of(name, bytes, files)
    }),
    ("cut short", |random, files| {
        let (name, bytes) = any(random, files);
        of(name, bytes[..random.below(bytes.len())].to_vec(), files)
    }),
    ("a stretch overwritten", |random, files| {
        let (name, bytes) = any(random, files);
        let [from, to] = random.places(bytes.len());
        let mut bytes = bytes.to_vec();
        bytes[from..to].fill(random.byte());
        of(name, bytes, files)
    }),
    ("a stretch removed", |random, files| {
        let (name, bytes) = any(random, files);
        let [from, to] = random.places(bytes.len());
        of(name, [&bytes[..from], &bytes[to..]].concat(), files)
    }),
    ("a stretch repeated", |random, files| {
        let (name, bytes) = any(random, files);
        let [from, to] = random.places(bytes.len());
        of(name, [&bytes[..to], &bytes[from..]].concat(), files)
    }),
    ("stretches exchanged", |random, files| {
        let (name, bytes) = any(random, files);
        let [a, b, c, d] = random.places(bytes.len());
        let parts = [&bytes[..a], &bytes[c..d], &bytes[b..c], &bytes[a..b], &bytes[d..]];
        of(name, parts.concat(), files)
    }),
];

/// What can happen to lines, runs, objects and seals.
const PARTS: &[(&str, Maker)] = &[
    ("a line removed", |random, files| {
        let (name, mut lines) = chain(random, files);
        lines.remove(random.below(lines.len()));
        of(name, lines.concat(), files)
    }),
    ("a line repeated", |random, files| {
        let (name, mut lines) = chain(random, files);
        let line = *random.pick(&lines);
        lines.insert(random.below(lines.len() + 1), line);
        of(name, lines.concat(), files)
    }),
    ("lines exchanged", |random, files| {
        let (name, mut lines) = chain(random, files);
        let (a, b) = (random.below(lines.len()), random.below(lines.len()));
        lines.swap(a, b);
        of(name, lines.concat(), files)
    }),
    ("a line moved", |random, files| {
        let (name, mut lines) = chain(random, files);
        let line = lines.remove(random.below(lines.len()));
        lines.insert(random.below(lines.len() + 1), line);
        of(name, lines.concat(), files)
    }),
    ("a line of another chain", |random, files| {
        let (name, mut lines) = chain(random, files);
        let (_, others) = chain(random, files);
        let line = *random.pick(&others);
        match random.below(2) {
            0 => lines.insert(random.below(lines.len() + 1), line),
            _ => *lines.last_mut()? = line,
        }
        of(name, lines.concat(), files)
    }),
    ("a file removed", |random, files| {
        let (name, _) = any(random, files);
        Some(Change::from([(name.to_owned(), None)]))
    }),
    ("a run removed", |random, files| {
        Some(Change::from([(of_kind(random, files, "runs/").to_owned(), None)]))
    }),
    ("a run repeated under another id", |random, files| {
        let run = of_kind(random, files, "runs/");
        let at = run.rfind("/journal")? - 12;
        let mut other = run.to_owned();
        other.replace_range(at..at + 12, &format!("{:012x}", random.next() >> 16));
        (!files.contains_key(&other)).then(|| Change::from([(other, Some(files[run].clone()))]))
    }),
    ("runs exchanged", |random, files| {
        let (a, b) = (of_kind(random, files, "runs/"), of_kind(random, files, "runs/"));
        exchanged(a, b, files)
    }),
    ("an object removed", |random, files| {
        Some(Change::from([(of_kind(random, files, "objects/").to_owned(), None)]))
    }),
    ("an object repeated under another name", |random, files| {
        let object = of_kind(random, files, "objects/");
        let digest = Digest::of(&random.next().to_le_bytes()).to_string();
        let at = object.find("objects/")?;
        let other = format!("{}objects/{}/{}", &object[..at], &digest[..2], &digest[2..]);
        Some(Change::from([(other, Some(files[object].clone()))]))
    }),
    ("objects exchanged", |random, files| {
        let (a, b) = (of_kind(random, files, "objects/"), of_kind(random, files, "objects/"));
        exchanged(a, b, files)
    }),
    ("a seal removed", |random, files| {
        Some(Change::from([(of_kind(random, files, "seals/").to_owned(), None)]))
    }),
    ("a seal repeated under another number", |random, files| {
        let seal = of_kind(random, files, "seals/");
        let (folder, ending) = (&seal[..seal.find("seals/")? + 6], &seal[seal.find('.')?..]);
        let other = format!("{folder}{}{ending}", 1 + random.below(9));
        let same = files.get(&other) == Some(&files[seal]);
        (!same).then(|| Change::from([(other, Some(files[seal].clone()))]))
    }),
    ("seals exchanged", |random, files| {
        let (a, b) = (of_kind(random, files, "seals/"), of_kind(random, files, "seals/"));
        exchanged(a, b, files)
    }),
    // By somebody who knows the format, and has no key.
    ("a run written anew, and the index", |random, files| {
        let run = of_kind(random, files, "runs/");
        let text = std::str::from_utf8(&files[run]).unwrap();
        let line = 1 + random.below(text.lines().count() - 1);
        let anew = rechain(text, |value| {
            if value["seq"] == line {
                value["mono_ns"] = (value["mono_ns"].as_u64().unwrap() + 1).into();
            }
        });
        let head = |text: &str| hash(text.lines().last().unwrap());
        let name = *names(files, |name| inside(name) == "index.jsonl").first()?;
        let index = std::str::from_utf8(&files[name]).unwrap();
        let index = rechain(&index.replace(&head(text), &head(&anew)), |_| {});
        let of = |name: &str, text: String| (name.to_owned(), Some(text.into_bytes()));
        Some(Change::from([of(run, anew), of(name, index)]))
    }),
];

/// The `hash` of a line.
fn hash(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["hash"].as_str().unwrap().to_owned()
}

/// How often each kind was made, and found.
#[derive(Default)]
struct Tally {
    kinds: BTreeMap<&'static str, (u64, u64)>,
    missed: Vec<String>,
    untouched: u64,
    false_alarms: Vec<String>,
}

impl Tally {
    /// Makes so many changes to `files`. `found` lays the changed files out and
    /// tells whether something is wrong with them; with no change, whether
    /// anything is.
    fn run(
        turns: std::ops::Range<u64>,
        kinds: &[(&'static str, Maker)],
        files: &Files,
        mut found: impl FnMut(Option<&Change>) -> Option<String>,
    ) -> Self {
        let mut tally = Self::default();
        let seed = seed();
        for turn in turns {
            if turn.is_multiple_of(UNTOUCHED_EVERY) {
                tally.untouched(turn, found(None));
            }
            let mut random = Random::of(seed, turn);
            let (kind, change) = loop {
                let (kind, make) = *random.pick(kinds);
                if let Some(change) = make(&mut random, files) {
                    break (kind, change);
                }
            };
            let told = found(Some(&change));
            let count = tally.kinds.entry(kind).or_default();
            count.0 += 1;
            count.1 += u64::from(told.is_some());
            if told.is_none() {
                let names: Vec<&String> = change.keys().collect();
                tally.missed.push(format!("seed {seed}, turn {turn}: {kind}, {names:?}"));
            }
        }
        tally.untouched(u64::MAX, found(None));
        tally
    }

    fn untouched(&mut self, turn: u64, told: Option<String>) {
        self.untouched += 1;
        self.false_alarms.extend(told.map(|told| format!("before turn {turn}: {told}")));
    }

    fn conclude(self, what: &str) {
        let (made, found) =
            self.kinds.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        let mut out = std::io::stderr();
        let mut say = |text: String| drop(writeln!(out, "{text}"));
        let rate = 100.0 * found as f64 / made as f64;
        say(format!("{what}: {found} of {made} changes found ({rate:.2} %)"));
        for (kind, (made, found)) in &self.kinds {
            say(format!("  {kind:<40}{found:>6} of {made}"));
        }
        let alarms = self.false_alarms.len();
        say(format!("  {:<40}{alarms:>6} of {} false alarms", "untouched", self.untouched));
        assert_eq!((self.missed, self.false_alarms), (vec![], vec![]), "{what}");
    }
}

fn alarm(report: Result<VerifyReport, EvidenceError>) -> Option<String> {
    match report {
        Ok(report) if report.intact => None,
        Ok(report) => Some(format!("{:?}", report.problems.first())),
        Err(error) => Some(error.to_string()),
    }
}

fn change_store(made: &Made, turns: std::ops::Range<u64>) {
    let dir = &made.small.dir;
    let files = stored(dir);
    let write = |name: &str, bytes: Option<&Vec<u8>>| {
        let path = dir.join(name);
        let parent = path.parent().unwrap();
        match bytes {
            Some(bytes) => {
                fs::create_dir_all(parent).unwrap();
                fs::write(&path, bytes).unwrap();
            }
            None => {
                fs::remove_file(&path).unwrap();
                // Of a run that is gone, not even the folder is left.
                if fs::read_dir(parent).unwrap().next().is_none() {
                    fs::remove_dir(parent).unwrap();
                }
            }
        }
    };
    let kinds = [BYTES, PARTS].concat();
    let tally = Tally::run(turns, &kinds, &files, |change| {
        let change = change.into_iter().flatten();
        change.clone().for_each(|(name, bytes)| write(name, bytes.as_ref()));
        let told = alarm(verify(dir));
        change.for_each(|(name, _)| match (files.get(name), dir.join(name).exists()) {
            (None, false) => {}
            (before, _) => write(name, before),
        });
        told
    });
    assert!(stored(dir) == files, "every change was taken back");
    tally.conclude("a large store");
}

/// `laid`: the zip is laid out anew around changed files, so that its own form
/// and digest are right; else the zip itself is changed.
fn change_bundle(made: &Made, turns: std::ops::Range<u64>, laid: bool) {
    let bytes = made.good();
    let found = |bytes: &[u8]| {
        fs::write(made.path(), bytes).unwrap();
        if !is_bundle(&made.path()) {
            return Some("it is no bundle".to_owned());
        }
        alarm(verify_bundle(&made.path(), &Trust::default()).map(|verified| verified.report))
    };
    let zip = made.path().display().to_string();
    if !laid {
        let files = Files::from([(zip.clone(), bytes.clone())]);
        let tally = Tally::run(turns, BYTES, &files, |change| {
            let changed = change.and_then(|change| change[&zip].as_ref());
            found(changed.unwrap_or(&bytes))
        });
        return tally.conclude("a large bundle");
    }
    let files: Files = unzip(&bytes).into_iter().collect();
    let kinds = [BYTES, PARTS].concat();
    let tally = Tally::run(turns, &kinds, &files, |change| {
        let mut changed: BTreeMap<&str, &[u8]> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        for (name, bytes) in change.into_iter().flatten() {
            match bytes {
                Some(bytes) => changed.insert(name, bytes),
                None => changed.remove(name.as_str()),
            };
        }
        let entries = changed.iter().map(|(name, data)| entry(name.as_bytes(), data));
        found(&Hand::new(entries.collect()).build())
    });
    tally.conclude("a large bundle, changed and laid out anew");
}

#[test]
fn some_random_changes_to_a_large_store_and_its_bundle_are_found() {
    let made = large(FEWER_RUNS);
    change_store(&made, 0..150);
    change_bundle(&made, 0..75, false);
    change_bundle(&made, 0..75, true);
}

/// docs/testing.md names the command.
#[test]
#[ignore = "a quarter of an hour"]
fn ten_thousand_random_changes_to_a_large_store_are_found() {
    change_store(&large(RUNS), 0..10_000);
}

/// docs/testing.md names the command.
#[test]
#[ignore = "a quarter of an hour"]
fn ten_thousand_random_changes_to_a_large_bundle_are_found() {
    let made = large(RUNS);
    change_bundle(&made, 0..5_000, false);
    change_bundle(&made, 5_000..10_000, true);
}
