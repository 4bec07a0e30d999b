//! Checking seals. A seal is checked against the index when its line is
//! reached, since that is the index it is about; what it says of journals is
//! kept until they are read, so that each file is read once. Seals that say the
//! same of a journal share what is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, SealReport, Start, TimeStampReport, Trust};
use crate::digest::{Digest, Hasher};
use crate::evidence::chain::Head;
use crate::evidence::event::RunId;
use crate::evidence::format::{
    MAX_SEAL, MAX_TIME_STAMP, SEALS, seal_name, seal_place, time_stamp_name, time_stamp_place,
};
use crate::evidence::index::{Index, IndexedRun};
use crate::evidence::seal::statement::{Extent, Statement};
use crate::evidence::seal::{check, keys, time_stamp};

/// What is known of seals while a store is checked.
pub(super) struct Seals<'a> {
    trust: &'a Trust,
    /// What they say of journals.
    claims: BTreeMap<RunId, Claims>,
    /// Those that say something that is not so.
    failed: BTreeSet<u64>,
    /// Those that cover a run to its end.
    whole: BTreeMap<RunId, Numbers>,
    /// Keys that another vouches for, and which.
    endorsed: BTreeMap<Digest, Digest>,
}

/// What seals say of one journal, by the bytes they cover.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<u64, Vec<Claim>>);

/// What some seals say of the start of a journal.
#[derive(Debug)]
struct Claim {
    head: Head,
    sha256: Digest,
    seals: Numbers,
    /// None until reading gets there.
    holds: Option<bool>,
}

/// Numbers of seals in ascending order, as ranges: a closed run is in every
/// seal from some on.
#[derive(Clone, Debug, Default)]
struct Numbers(Vec<(u64, u64)>);

impl Numbers {
    fn add(&mut self, number: u64) {
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.0.push((number, number)),
        }
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// `seals/3.dsse.json`, and how many more there are.
    fn shown(&self) -> String {
        let first = self.iter().next().map(seal_place).unwrap_or_default();
        match self.iter().count() {
            0 | 1 => format!("`{first}`"),
            many => format!("`{first}` (and {} more)", many - 1),
        }
    }
}

impl Claims {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, seal: u64, head: Head, bytes: u64, sha256: Digest) {
        let claims = self.0.entry(bytes).or_default();
        match claims.iter_mut().find(|claim| (claim.head, claim.sha256) == (head, sha256)) {
            Some(claim) => claim.seals.add(seal),
            None => {
                let mut seals = Numbers::default();
                seals.add(seal);
                claims.push(Claim { head, sha256, seals, holds: None });
            }
        }
    }
}

impl<'a> Seals<'a> {
    pub(super) fn new(trust: &'a Trust) -> Self {
        Self {
            trust,
            claims: BTreeMap::new(),
            failed: BTreeSet::new(),
            whole: BTreeMap::new(),
            endorsed: BTreeMap::new(),
        }
    }

    /// What they say of a run's journal.
    pub(super) fn of(&mut self, run: RunId) -> Claims {
        self.claims.remove(&run).unwrap_or_default()
    }

    /// What a checker knows from elsewhere.
    pub(super) fn trust(&self) -> &'a Trust {
        self.trust
    }

    /// Takes in what reading one journal showed.
    pub(super) fn absorb(&mut self, part: Seals<'_>) {
        self.failed.extend(part.failed);
        for (run, numbers) in part.whole {
            let whole = self.whole.entry(run).or_default();
            numbers.iter().for_each(|number| whole.add(number));
        }
    }

    /// A run that was removed after some of them were made, and whose journal
    /// is not there any more: what they say of it can be compared with the
    /// index alone.
    pub(super) fn removed(&mut self, run: RunId, indexed: &IndexedRun, claims: Claims) {
        let closed = indexed.closed.map(|it| Head { lines: it.lines, hash: it.head });
        for claim in claims.0.into_values().flatten() {
            if Some(claim.head) == closed {
                let whole = self.whole.entry(run).or_default();
                claim.seals.iter().for_each(|number| whole.add(number));
            }
        }
    }

    /// The keys that go back to the one that is trusted, and itself; none where
    /// every key will do.
    fn trusted(&self) -> Option<BTreeSet<Digest>> {
        let mut trusted = BTreeSet::from([self.trust.key?]);
        loop {
            let vouched = |(key, by): (&Digest, &Digest)| {
                (trusted.contains(by) && !trusted.contains(key)).then_some(*key)
            };
            let more: Vec<Digest> = self.endorsed.iter().filter_map(vouched).collect();
            if more.is_empty() {
                return Some(trusted);
            }
            trusted.extend(more);
        }
    }
}

impl Check<'_> {
    /// A line introduces a key.
    pub(super) fn key(&mut self, index: &Index, key: Digest, place: &str) {
        let Some(said) = index.keys.get(&key) else { return };
        match keys::endorsed(key, said, &index.keys) {
            Ok(Some(by)) => {
                self.seals.endorsed.insert(key, by);
            }
            Ok(None) => {}
            Err(message) => self.problem("bad-endorsement", place, message),
        }
    }

    /// A line says that a seal is there, over the index as far as `start`.
    pub(super) fn seal(&mut self, index: &Index, number: u64, start: &Start) {
        let Some(known) = index.seals.get(&number) else { return };
        let place = seal_place(number);
        let mut report = SealReport {
            seal: place.clone(),
            at: None,
            key: known.key,
            endorsed_by: self.seals.endorsed.get(&known.key).copied(),
            covers_runs: 0,
            index_head: None,
            valid: false,
            time_stamp: None,
        };
        if let Some((statement, valid)) = self.read_seal(index, number, start, &place) {
            report.at = statement.made();
            report.covers_runs = statement.predicate.runs.len() as u64;
            report.index_head = Some(statement.predicate.index_head);
            report.valid = valid;
            for (run, Extent { head, bytes, sha256 }) in statement.journals() {
                match sha256 {
                    Some(sha256) => {
                        let claims = self.seals.claims.entry(run).or_default();
                        claims.add(number, head, bytes, sha256);
                    }
                    // It had been removed by then, as the index says too.
                    None => self.seals.whole.entry(run).or_default().add(number),
                }
            }
        }
        self.report.seals.push(report);
    }

    /// Reads a seal and checks it against the index; tells whether it holds.
    /// Only what is rightly signed is believed to say anything.
    fn read_seal(
        &mut self,
        index: &Index,
        number: u64,
        start: &Start,
        place: &str,
    ) -> Option<(Statement, bool)> {
        let known = index.seals.get(&number)?;
        let bytes = match self.tree.read(place, MAX_SEAL) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.cannot_read("missing-seal", place, &error);
                return None;
            }
        };
        self.report.bytes += bytes.len() as u64;
        let found = Digest::of(&bytes);
        if found != known.sha256 {
            let message = format!("its SHA-256 is `{found}`, the index says `{}`", known.sha256);
            self.problem("seal-changed", place, message);
            return None;
        }
        let head = Head { lines: start.lines, hash: start.hash.unwrap_or(Digest::ZERO) };
        let sha256 = start.hasher.as_ref().map(Hasher::so_far);
        let extent = Extent { head, bytes: start.bytes, sha256 };
        match check::check(&bytes, index, &extent, number) {
            Ok((statement, key)) if key == known.key => Some((statement, true)),
            Ok((_, key)) => {
                let message =
                    format!("it is signed by key `{key}`, the index says `{}`", known.key);
                self.problem("bad-signature", place, message);
                None
            }
            Err(error) => {
                let rule = if error.is_signature() { "bad-signature" } else { "seal-mismatch" };
                self.problem(rule, place, error);
                None
            }
        }
    }

    /// A line says that a seal is time-stamped.
    pub(super) fn time_stamp(&mut self, index: &Index, number: u64) {
        let Some(known) = index.seals.get(&number) else { return };
        let place = time_stamp_place(number);
        let bytes = match self.tree.read(&place, MAX_TIME_STAMP) {
            Ok(bytes) => bytes,
            Err(error) => return self.cannot_read("missing-seal", &place, &error),
        };
        self.report.bytes += bytes.len() as u64;
        let found = Digest::of(&bytes);
        if known.time_stamp != Some(found) {
            let message = format!("its SHA-256 is `{found}`, and the index says another");
            return self.problem("seal-changed", place, message);
        }
        let authorities = self.seals.trust.authorities.as_ref();
        match time_stamp::check(&bytes, known.sha256, None, authorities) {
            Ok(stamp) => {
                let seal = usize::try_from(number - 1).ok();
                if let Some(report) = seal.and_then(|seal| self.report.seals.get_mut(seal)) {
                    report.time_stamp = Some(TimeStampReport {
                        at: stamp.at,
                        authority: stamp.authority,
                        authority_checked: stamp.checked,
                    });
                }
            }
            Err(error) => self.problem("bad-time-stamp", place, error),
        }
    }

    /// Checks what lies in `seals/`.
    pub(super) fn seal_files(&mut self, index: &Index) {
        let next = index.seals.len() as u64 + 1;
        for entry in self.entries(SEALS, SEALS) {
            let name = entry.name.as_str();
            let place = format!("{SEALS}/{name}");
            let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
            let number = digits.parse().unwrap_or(0);
            let seal = index.seals.get(&number);
            let stamped = seal.map(|seal| seal.time_stamp.is_some());
            let (named, finishable) = if name == seal_name(number) {
                (seal.is_some(), number == next)
            } else if name == time_stamp_name(number) {
                (stamped == Some(true), stamped == Some(false))
            } else {
                (false, false)
            };
            if named {
                self.expect_file(&entry, &place);
            } else if finishable {
                let message = format!("the index does not name `{place}`");
                self.problem("unindexed-seal", place, message);
            } else {
                self.unexpected(&place);
            }
        }
    }

    /// Reading a journal got as far as `start`: checks what seals say of it.
    pub(super) fn reached(&mut self, claims: &mut Claims, start: &Start, name: &str) {
        let Some(claims) = claims.0.get_mut(&start.bytes) else { return };
        let sha256 = start.hasher.as_ref().map(Hasher::so_far);
        for claim in claims {
            let Head { lines, hash } = claim.head;
            let holds =
                (lines, Some(hash), Some(claim.sha256)) == (start.lines, start.hash, sha256);
            claim.holds = Some(holds);
            if !holds {
                self.not_so(claim, start.bytes, name);
            }
        }
    }

    fn not_so(&mut self, claim: &Claim, bytes: u64, name: &str) {
        let message =
            format!("its first {bytes} bytes are not those that {} covers", claim.seals.shown());
        self.problem("seal-mismatch", name, message);
        self.seals.failed.extend(claim.seals.iter());
    }

    /// A journal was read to its end; none where it could not be, which was
    /// told already.
    pub(super) fn journal_ended(
        &mut self,
        run: RunId,
        name: &str,
        end: Option<&Start>,
        claims: Claims,
    ) {
        let last = end.map(|end| end.bytes);
        for (bytes, claims) in claims.0 {
            for claim in claims {
                match (claim.holds, last) {
                    (Some(true), Some(last)) if bytes == last => {
                        let whole = self.seals.whole.entry(run).or_default();
                        claim.seals.iter().for_each(|number| whole.add(number));
                    }
                    (Some(_), _) => {}
                    (None, None) => self.seals.failed.extend(claim.seals.iter()),
                    // No line ends there.
                    (None, Some(_)) => self.not_so(&claim, bytes, name),
                }
            }
        }
    }

    /// The keys of the valid seals that cover a run to its end, if there are any.
    fn sealed_by(&self, run: RunId) -> Option<(RunId, BTreeSet<Digest>)> {
        let seal = |number: u64| self.report.seals.get(usize::try_from(number - 1).ok()?);
        let seals = self.seals.whole.get(&run)?.iter().filter_map(seal);
        let mut keys: Vec<Digest> = seals.filter(|seal| seal.valid).map(|seal| seal.key).collect();
        // Most are by the key of the one before.
        keys.dedup();
        (!keys.is_empty()).then(|| (run, keys.into_iter().collect()))
    }

    /// Everything was read: which seals hold, and what they cover.
    pub(super) fn conclude_seals(&mut self, index: &Index) {
        for (report, number) in self.report.seals.iter_mut().zip(1..) {
            report.valid &= !self.seals.failed.contains(&number);
        }
        let trusted = self.seals.trusted();
        let trusts = |key: &Digest| trusted.as_ref().is_none_or(|keys| keys.contains(key));
        let valid: Vec<(bool, bool)> =
            self.report.seals.iter().map(|seal| (seal.valid, trusts(&seal.key))).collect();
        let covers = |run: &RunId, by: fn(&(bool, bool)) -> bool| {
            let seal = |number: u64| usize::try_from(number - 1).ok().and_then(|at| valid.get(at));
            let numbers = self.seals.whole.get(run);
            numbers.is_some_and(|numbers| numbers.iter().any(|number| seal(number).is_some_and(by)))
        };
        let unsealed: Vec<RunId> = index
            .runs
            .keys()
            .filter(|run| !covers(run, |(valid, trusted)| *valid && *trusted))
            .copied()
            .collect();
        let by_others = unsealed.iter().filter(|run| covers(run, |(valid, _)| *valid)).count();
        self.report.unsealed_runs = unsealed;
        self.report.sealed_by = index.runs.keys().filter_map(|run| self.sealed_by(*run)).collect();

        let Some(key) = self.seals.trust.key else { return };
        if !valid.iter().any(|(valid, trusted)| *valid && *trusted) {
            let message =
                format!("no seal that holds is by key `{key}`, or by one that goes back to it");
            self.problem("untrusted-key", SEALS, message);
        } else if by_others > 0 {
            let message = format!(
                "{by_others} runs are sealed by other keys alone than `{key}` and those that go \
                 back to it"
            );
            self.problem("untrusted-key", SEALS, message);
        }
    }
}
