//! Further applications: what production credentials already held leave to be
//! proven, and whether a new application is needed.
//!
//! HMRC grants credentials for the flows applied for and one version of the
//! API, and for all versions of the software. A new application is needed for
//! flows added since, for a version of the software that supports other flows,
//! and for flows affected by a significant change of the documentation; each
//! time with the mandatory tests concerned (CTC Traders API phase 5 testing
//! guide, additional production credentials applications).
//!
//! The guide speaks of inbound and outbound flows; standard and pre-lodged
//! departures are both outbound. They are held apart here, as the checklist
//! does: a pre-lodged flow added to standard departures is taken as added.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::case::{Case, Need};
use super::dates::Note;
use super::model::Severity;
use super::rules::{self, Rule};
use super::standing::age_origin;
use crate::calendar::{freshness, london};
use crate::catalogue::requirements::{Capabilities, RequirementError, applicable};
use crate::catalogue::{
    Catalogue, CredentialsBasis, Flow, OtherApi, Programme, Requirement, RequirementKind,
};
use crate::evidence::RunRecord;
use crate::project::{Credentials, DocumentationChange, OtherVersion, Settings};

/// What a programme asks of a house that applies on `day` (London): what the
/// decision matrix says, less what credentials held cover, plus what changed
/// since they were granted.
///
/// # Errors
/// When the settings leave the matrix undecided.
pub fn needs(
    programme: &Programme,
    catalogue: &Catalogue,
    settings: &Settings,
    day: NaiveDate,
) -> Result<Vec<Need>, RequirementError> {
    let capabilities = capabilities(settings);
    let held = Held::new(programme, settings, day);
    let items = applicable(programme, catalogue, &capabilities)?;
    Ok(items
        .into_iter()
        .map(|item| {
            let mut need =
                Need::new(item.requirement, item.applies, item.reason, item.any_of, item.chosen);
            held.settle(&mut need);
            need
        })
        .collect())
}

/// What the settings say that the software supports.
pub fn capabilities(settings: &Settings) -> Capabilities {
    let software = &settings.software;
    Capabilities {
        flows: software.flows.clone(),
        procedures: software.procedures.clone(),
        combination: software.combination,
        side: software.side,
    }
}

/// The change of the documentation, in force on the day of submission, that a
/// run of this requirement was begun before.
pub(super) fn changed_since<'a>(
    case: &Case<'a>,
    need: &Need,
    run: &RunRecord,
) -> Option<&'a DocumentationChange> {
    latest_change(case.settings, need.tests, begun(run), case.submission_day())
}

/// The first London day on which a run for submission on `day` may begin,
/// where a change of the documentation decides that.
pub(super) fn not_before(settings: &Settings, need: &Need, day: NaiveDate) -> Option<NaiveDate> {
    latest_change(settings, need.tests, NaiveDate::MIN, day).map(|change| change.on)
}

/// That change in words.
pub(super) fn before_change(case: &Case<'_>, need: &Need, run: &RunRecord) -> Option<String> {
    let change = changed_since(case, need, run)?;
    Some(format!(
        "`{}` was begun on {}, before the documentation changed on {} ({}); change the software where that affects it, and run it again",
        run.scenario,
        begun(run),
        change.on,
        change.what
    ))
}

/// The first London day of a run, by its oldest defensible time.
fn begun(run: &RunRecord) -> NaiveDate {
    london::day_of(age_origin(run).min(run.opened))
}

/// Whether credentials held leave nothing to apply for on `day` (London), so
/// that no form is filled in.
pub fn nothing_left(programme: &Programme, settings: &Settings, day: NaiveDate) -> bool {
    Held::new(programme, settings, day).nothing_left()
}

/// Whether the software supports a flow: where it does and need not be proven,
/// credentials cover it, and that is the reason.
pub(super) fn supports(case: &Case<'_>, flow: Flow) -> bool {
    case.settings.software.flows.contains(&flow)
}

fn latest_change(
    settings: &Settings,
    flow: Option<Flow>,
    after: NaiveDate,
    day: NaiveDate,
) -> Option<&DocumentationChange> {
    let holds = |change: &&DocumentationChange| after < change.on && change.on <= day;
    let changes = settings.documentation_change.iter().filter(holds);
    changes.filter(|change| change.affects(flow)).max_by_key(|change| change.on)
}

/// What credentials mean for a flow.
enum Cover<'a> {
    /// None are for it.
    Not,
    /// These cover it.
    By(&'a Credentials),
    /// These did, until the documentation changed.
    Until(&'a Credentials, &'a DocumentationChange),
}

/// The production credentials that a house holds on a day, seen from a
/// programme.
pub(super) struct Held<'a> {
    programme: &'a Programme,
    settings: &'a Settings,
    day: NaiveDate,
    /// Those for the programme's version of the API, while it works.
    entries: Vec<&'a Credentials>,
}

impl<'a> Held<'a> {
    pub(super) fn new(programme: &'a Programme, settings: &'a Settings, day: NaiveDate) -> Self {
        let api = &programme.api;
        let works = asks(programme) && api.ends.is_none_or(|ends| day < ends);
        let counts =
            |entry: &&Credentials| works && entry.api == api.version && entry.granted <= day;
        let entries = settings.credentials.iter().filter(counts).collect();
        Self { programme, settings, day, entries }
    }

    /// What credentials mean for a requirement about `flow`, whose scenarios
    /// test `tests`. One about no flow is covered where all flows of the
    /// software are.
    fn cover(&self, flow: Option<Flow>, tests: Option<Flow>) -> Cover<'a> {
        let of = |flow: Flow| {
            let entries = self.entries.iter().filter(move |entry| entry.flows.contains(&flow));
            entries.max_by_key(|entry| entry.granted)
        };
        let latest = match flow {
            Some(flow) => of(flow),
            None if self.settings.software.flows.iter().all(|flow| of(*flow).is_some()) => {
                self.entries.iter().max_by_key(|entry| entry.granted)
            }
            None => None,
        };
        let Some(entry) = latest else { return Cover::Not };
        match latest_change(self.settings, tests, entry.granted, self.day) {
            Some(change) => Cover::Until(entry, change),
            None => Cover::By(entry),
        }
    }

    fn of(&self, slot: &Requirement) -> Cover<'a> {
        self.cover(slot.flow, slot.flow.or(slot.tests))
    }

    /// Lets a mandatory requirement rest on credentials, or says why it cannot.
    fn settle(&self, need: &mut Need) {
        if !need.applies || need.kind != RequirementKind::Mandatory || self.entries.is_empty() {
            return;
        }
        match self.cover(need.flow, need.tests) {
            Cover::By(entry) => {
                need.applies = false;
                need.reason = format!(
                    "production credentials granted on {} for API {} cover it",
                    entry.granted, entry.api
                );
            }
            Cover::Until(entry, change) => {
                need.reason = format!(
                    "the documentation changed on {} ({}), after production credentials were granted on {}: test again",
                    change.on, change.what, entry.granted
                );
            }
            Cover::Not => need.reason.push_str("; no production credentials held cover it"),
        }
    }

    /// The mandatory requirements that the software's flows bring about.
    fn mandatory(&self) -> impl Iterator<Item = &'a Requirement> {
        let flows = &self.settings.software.flows;
        self.programme
            .requirement
            .iter()
            .filter(|slot| slot.kind == RequirementKind::Mandatory)
            .filter(|slot| slot.flow.is_none_or(|flow| flows.contains(&flow)))
    }

    /// Whether credentials cover all that the programme asks of the house, so
    /// that there is nothing to apply for.
    pub(super) fn nothing_left(&self) -> bool {
        let covered = |slot: &Requirement| matches!(self.of(slot), Cover::By(_));
        !self.entries.is_empty()
            && self.mandatory().next().is_some()
            && self.mandatory().all(covered)
    }

    /// What follows from the credentials, for the gate and the plan alike.
    pub(super) fn notes(&self) -> Vec<Note> {
        if !asks(self.programme) {
            return Vec::new();
        }
        let mut notes = Vec::new();
        self.of_other_apis(&mut notes);
        self.later(&mut notes);
        if !self.entries.is_empty() {
            self.application(&mut notes);
        }
        self.of_other_versions(&mut notes);
        self.changes(&mut notes);
        self.basis(&mut notes);
        notes
    }

    /// Credentials for other versions of the API, and for the programme's own
    /// once it has ended. Those whose flows newer ones cover are history.
    fn of_other_apis(&self, notes: &mut Vec<Note>) {
        let mut by_api: BTreeMap<&str, Vec<&Credentials>> = BTreeMap::new();
        for entry in &self.settings.credentials {
            let counted = |flow: &Flow| self.entries.iter().any(|own| own.flows.contains(flow));
            let counts = self.entries.iter().any(|own| std::ptr::eq(*own, entry));
            if !counts && entry.granted <= self.day && !entry.flows.iter().all(counted) {
                by_api.entry(&entry.api).or_default().push(entry);
            }
        }
        let own = &self.programme.api;
        for (version, entries) in by_api {
            let other = self.programme.other_api.iter().find(|other| other.version == version);
            let ends = match version == own.version {
                true => own.ends,
                false => other.and_then(|other| other.ends),
            };
            let ended = ends.is_some_and(|ends| ends <= self.day);
            let days = days(entries.iter().copied());
            let mut message = match ends {
                Some(ends) if ended => format!(
                    "production credentials granted on {days} are for version {version} of the CTC Traders API, which stopped working on {ends}: they give no access any more"
                ),
                _ => format!(
                    "production credentials granted on {days} are for version {version} of the CTC Traders API and cover nothing here: `{}` takes version {}",
                    self.programme.id, own.version
                ),
            };
            if let Some(ends) = ends.filter(|_| !ended) {
                message.push_str(&format!("; version {version} stops working on {ends}"));
            }
            if let Some(OtherApi { consequence, .. }) = other {
                message.push_str(&format!(". {consequence}"));
            }
            let source = other.map_or(&own.source, |other| &other.source);
            notes.push(Note {
                severity: if ended { Severity::Warning } else { Severity::Info },
                source: Some(source.clone()),
                ..note(&rules::FURTHER_APPLICATION, message)
            });
        }
    }

    /// Credentials granted only after the day judged.
    fn later(&self, notes: &mut Vec<Note>) {
        let own = &self.programme.api.version;
        let later = |entry: &&Credentials| entry.api == *own && self.day < entry.granted;
        let later: Vec<&Credentials> = self.settings.credentials.iter().filter(later).collect();
        if !later.is_empty() {
            let message = format!(
                "production credentials granted on {} are not counted: that is after {}, the day judged for",
                days(later.into_iter()),
                self.day
            );
            notes.push(info(message));
        }
    }

    /// Whether a new application is needed, and why.
    fn application(&self, notes: &mut Vec<Note>) {
        let granted = days(self.entries.iter().copied());
        let api = &self.programme.api.version;
        let (mut covered, mut added) = (Vec::new(), Vec::new());
        let mut changed: BTreeMap<NaiveDate, (&DocumentationChange, Vec<&str>)> = BTreeMap::new();
        for slot in self.mandatory() {
            match self.of(slot) {
                Cover::By(_) => covered.push(slot),
                Cover::Not => added.push(slot),
                Cover::Until(_, change) => {
                    changed.entry(change.on).or_insert((change, Vec::new())).1.push(&slot.id);
                }
            }
        }
        let names = |slots: &[&Requirement]| list(slots.iter().map(|slot| slot.id.as_str()));
        if added.is_empty() && changed.is_empty() {
            notes.push(info(format!(
                "no new application is needed: production credentials granted on {granted} for version {api} of the API cover {}",
                names(&covered)
            )));
        }
        if !added.is_empty() {
            notes.push(info(format!(
                "a new application is needed for {}: production credentials granted on {granted} for version {api} of the API do not cover it; run its mandatory tests and apply again",
                names(&added)
            )));
        }
        for (change, slots) in changed.into_values() {
            notes.push(info(format!(
                "a new application is needed for {}: the documentation changed on {} ({}), after production credentials were granted on {granted}; change the software where it is affected, test again and apply again",
                list(slots.into_iter()),
                change.on,
                change.what
            )));
        }
        let outbound = |slot: &&&Requirement| {
            matches!(slot.flow, Some(Flow::StandardDeparture | Flow::PreLodgedDeparture))
        };
        if let (Some(one), Some(other)) =
            (added.iter().find(outbound), covered.iter().find(outbound))
        {
            notes.push(info(format!(
                "HMRC's guide speaks of inbound and outbound flows alone: `{}` is outbound like `{}`, which credentials cover, and is taken as added all the same, as the checklist has it; ask HMRC if that matters to you",
                one.id, other.id
            )));
        }
        if !covered.is_empty() {
            self.all_versions(notes);
        }
    }

    /// One application covers all versions of the software: said where more
    /// than one is named.
    fn all_versions(&self, notes: &mut Vec<Note>) {
        let software = &self.settings.software;
        let tested = self.entries.iter().filter_map(|entry| entry.version.as_deref());
        let same = software.other_versions.iter().filter(|other| !self.differs(other));
        let others: BTreeSet<&str> = tested
            .filter(|version| !self.named(version))
            .chain(same.map(|other| other.version.as_str()))
            .filter(|version| *version != software.version)
            .collect();
        if !others.is_empty() {
            notes.push(info(format!(
                "one application covers all versions of the software for one version of the API: what credentials cover holds for {} and `{}` alike",
                list(others.into_iter()),
                software.version
            )));
        }
    }

    /// Whether a version in use supports other flows than the software under
    /// test.
    fn differs(&self, other: &OtherVersion) -> bool {
        let set = |flows: &[Flow]| flows.iter().copied().collect::<BTreeSet<Flow>>();
        set(&other.flows) != set(&self.settings.software.flows)
    }

    /// Whether this is a version in use that supports other flows.
    fn named(&self, version: &str) -> bool {
        let others = &self.settings.software.other_versions;
        others.iter().any(|other| other.version == version && self.differs(other))
    }

    /// Versions in use that support other flows, and have no credentials of
    /// their own for them.
    fn of_other_versions(&self, notes: &mut Vec<Note>) {
        let software = &self.settings.software;
        for other in software.other_versions.iter().filter(|other| self.differs(other)) {
            let own = |entry: &&&Credentials| entry.version.as_ref() == Some(&other.version);
            let covered = |flow: &&Flow| {
                let of_flow = |entry: &&&Credentials| entry.flows.contains(flow);
                let entries = self.entries.iter().filter(own).filter(of_flow);
                entries.map(|entry| entry.granted).max().is_some_and(|granted| {
                    latest_change(self.settings, Some(**flow), granted, self.day).is_none()
                })
            };
            let open: Vec<&str> = other
                .flows
                .iter()
                .filter(|flow| !covered(flow))
                .map(|flow| flow.as_str())
                .collect();
            if !open.is_empty() {
                notes.push(Note {
                    severity: Severity::Warning,
                    ..info(format!(
                        "version {} of the software supports other flows than {}, and no production credentials held name it for {}: it needs the mandatory tests of these flows, made with it, and an application of its own",
                        other.version,
                        software.version,
                        list(open.into_iter())
                    ))
                });
            }
        }
    }

    /// Changes of the documentation that evidence of these days must heed: the
    /// coming ones, and those that evidence may still lie before.
    fn changes(&self, notes: &mut Vec<Note>) {
        let recent = london::sub_days(self.day, u64::from(freshness::DAYS));
        for change in self.settings.documentation_change.iter().filter(|it| recent < it.on) {
            let flows = match change.flows.as_slice() {
                [] => "all flows".to_owned(),
                flows => list(flows.iter().map(|flow| flow.as_str())),
            };
            let (on, what) = (change.on, &change.what);
            let message = if on <= self.day {
                format!(
                    "the documentation changed on {on} ({what}): evidence of {flows} must have begun on that day or later"
                )
            } else {
                format!(
                    "the documentation changes on {on} ({what}): what is tested and granted before then for {flows} must be tested and applied for again"
                )
            };
            notes.push(Note {
                severity: Severity::Info,
                ..note(&rules::DOCUMENTATION_CHANGED, message)
            });
        }
    }

    /// What credentials rest on: those held, else those that an application of
    /// this day can bring.
    fn basis(&self, notes: &mut Vec<Note>) {
        let bases = &self.programme.credentials_basis;
        let at = |day: NaiveDate| {
            bases.iter().find(|basis| {
                basis.from.is_none_or(|from| from <= day)
                    && basis.until.is_none_or(|until| day <= until)
            })
        };
        let mut say = |basis: &CredentialsBasis, message: String| {
            let source = Some(basis.source.clone());
            notes.push(Note { source, ..note(&rules::CREDENTIALS_BASIS, message) });
        };
        for entry in &self.entries {
            if let Some(basis) = at(entry.granted) {
                say(
                    basis,
                    format!(
                        "production credentials granted on {} rest on {}; {}",
                        entry.granted,
                        basis.rests_on,
                        self.live(basis)
                    ),
                );
            }
        }
        if !self.entries.is_empty() {
            return;
        }
        if let Some(basis) = at(self.day) {
            let mut message = format!(
                "production credentials first gained on {} rest on {}; {}",
                self.day,
                basis.rests_on,
                self.live(basis)
            );
            // The day on which HMRC grants them decides, and that comes later.
            let next = bases.iter().filter(|next| next.from.is_some_and(|from| self.day < from));
            if let Some((next, from)) = next.filter_map(|next| Some((next, next.from?))).next() {
                message.push_str(&format!(
                    ". Granted on {from} or later, they rest on {}; {}",
                    next.rests_on,
                    self.live(next)
                ));
            }
            say(basis, message);
        }
    }

    /// Whether the live system can be used with credentials.
    fn live(&self, basis: &CredentialsBasis) -> String {
        let api = &self.programme.api;
        let from = match basis.live_from {
            None => "the live system can be used with them once NCTS is live under these rules"
                .to_owned(),
            Some(from) if self.day < from => {
                format!("the live system cannot be used with them until {from}")
            }
            Some(from) => format!("the live system can be used with them, since {from}"),
        };
        match api.ends {
            Some(ends) if self.day < ends => {
                format!("{from}; version {} of the API stops working on {ends}", api.version)
            }
            Some(ends) => {
                format!("{from}; version {} of the API stopped working on {ends}", api.version)
            }
            None => from,
        }
    }
}

/// Whether credentials are gained under a programme at all: one that requires
/// nothing rests on those of others.
fn asks(programme: &Programme) -> bool {
    programme.requirement.iter().any(|slot| slot.kind == RequirementKind::Mandatory)
}

fn note(rule: &'static Rule, message: String) -> Note {
    Note { rule, severity: rule.severity, message, source: None }
}

fn info(message: String) -> Note {
    Note { severity: Severity::Info, ..note(&rules::FURTHER_APPLICATION, message) }
}

/// `2025-03-01 and 2025-06-01`.
fn days<'e>(entries: impl Iterator<Item = &'e Credentials>) -> String {
    let days: BTreeSet<NaiveDate> = entries.map(|entry| entry.granted).collect();
    days.iter().map(NaiveDate::to_string).collect::<Vec<_>>().join(" and ")
}

/// `` `a`, `b` ``.
fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
