//! One run inside a batch: its journal, its state, and the one call it may
//! have under way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::boxes::Vain;
use super::decide;
use super::due;
use super::hours::Hours;
use super::progress::Progress;
use super::report::{Doing, RunView};
use super::state::State;
use super::tempo::Tempo;
use super::upload::Ready;
use crate::catalogue::{Programme, Scenario, Step};
use crate::evidence::{
    Durability, Event, EvidenceError, Received, Recorded, RunId, RunWriter, WaitingFor,
};
use crate::hmrc::ctc::ListedMovement;
use crate::ncts::{MessageType, MovementKind};

/// How long a run that waits is left alone: whom it waits for is told anew when
/// their hours begin or end.
const MOMENT: Duration = Duration::seconds(1);

/// A run under way.
pub(super) struct Slot {
    /// Its programme.
    pub(super) programme: Programme,
    /// Its scenario.
    pub(super) scenario: Scenario,
    /// The hours it keeps.
    pub(super) hours: Hours,
    /// Attempt number.
    pub(super) attempt: u32,
    /// The run.
    pub(super) run: RunId,
    /// Its journal; none once closed.
    pub(super) writer: Option<RunWriter>,
    /// What has happened.
    pub(super) state: State,
    /// The exchange under way.
    pub(super) under_way: Option<UnderWay>,
    /// A large message that is announced.
    pub(super) upload: Option<Ready>,
    /// GETs to make next.
    pub(super) fetches: VecDeque<Fetch>,
    /// Movements a look-up found, whose messages are asked for next, newest
    /// first.
    pub(super) suspects: VecDeque<String>,
    /// Not before this instant: a back-off.
    pub(super) not_before: Option<DateTime<Utc>>,
    /// Calls that failed one after the other.
    pub(super) failures: u32,
    /// When to look for news; none until it waits.
    pub(super) plan: Option<Plan>,
    /// Until when the lists of movements are known, by our clock.
    pub(super) looked: BTreeMap<MovementKind, DateTime<Utc>>,
    /// The movements' `updated` as of which their messages were listed.
    pub(super) listed: BTreeMap<MovementKind, DateTime<Utc>>,
    /// How many messages it had when the messages of all its movements were
    /// listed to make sure that none is missing.
    sure_of: Option<usize>,
    /// Movements that changed since, and whose messages are to be listed.
    pub(super) news: BTreeMap<MovementKind, News>,
    /// Its own messages that the API took last.
    pub(super) own: BTreeMap<MovementKind, Own>,
    /// Whether its news comes from its box of notifications now.
    pub(super) by_box: bool,
    /// For how long that has brought nothing.
    pub(super) vain: Vain,
    /// Messages of which only the answer that held them is kept.
    pub(super) passed_over: BTreeSet<String>,
    /// Who must act next.
    pub(super) waiting_for: Option<WaitingFor>,
    /// Since when.
    pub(super) waiting_since: Option<DateTime<Utc>>,
    /// Set when the run cannot go on in this batch.
    pub(super) stalled: Option<String>,
    /// What the API last said of a refused request.
    pub(super) last_problem: Option<String>,
}

/// A change in a movement of which a look told.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    /// The movement's `updated`.
    pub(super) updated: DateTime<Utc>,
    /// When to list its messages, by our clock: it may not be all yet.
    pub(super) list_at: DateTime<Utc>,
}

/// A message of ours that the API took: it, too, changes the movement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    /// What changed before may be this message alone, by the API's clock.
    pub(super) until: DateTime<Utc>,
    /// By then, by ours, it is listed all the same: an answer of NCTS may have
    /// been as fast.
    pub(super) doubt_until: DateTime<Utc>,
}

/// A look for news to come.
pub(super) struct Plan {
    /// When it is due.
    pub(super) look_at: DateTime<Utc>,
    /// The lists that have not been looked at since the plan was made; once
    /// there is none, it is made anew.
    pub(super) needs: BTreeSet<MovementKind>,
    /// When it was last thought about.
    pub(super) thought_at: DateTime<Utc>,
}

/// A call under way for a run.
pub(super) struct UnderWay {
    /// Its exchange number.
    pub(super) exchange: u32,
    /// What it is for.
    pub(super) task: Task,
}

/// What to do with the answer.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// POST of a message.
    Submit,
    /// POST that announces a large message.
    Announce,
    /// POST of its file.
    Upload,
    /// Learn the fate of a POST.
    LookUp,
    /// Look whether the software has sent something: in the movement of this
    /// id, or for its movement by the reference.
    LookFor(MovementKind, Option<String>),
    /// Have the software send a step's message.
    Perform(u32),
    /// Fetch something.
    Fetch(Fetch),
    /// Hand a mail to the simulator's mailbox.
    Mail(super::mail::Mail),
    /// Have a message of NCTS injected.
    Inject(MessageType),
    /// Ask for the balance of this step's guarantee (its GRN).
    Balance(u32, String),
}

/// A GET to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fetch {
    /// A movement's list of messages.
    List(MovementKind, String),
    /// One message.
    Message(Box<MessageToFetch>),
    /// One message of which a notification told.
    Notified(Box<Notice>),
}

impl Fetch {
    /// Whether it brings this message.
    fn brings(&self, id: &str) -> bool {
        match self {
            Self::List(..) => false,
            Self::Message(what) => what.message_id == id,
            Self::Notified(notice) => notice.message_id == id,
        }
    }
}

/// A message of NCTS of which a notification told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// Kind of movement.
    pub(super) kind: MovementKind,
    /// The movement.
    pub(super) movement: String,
    /// The message.
    pub(super) message_id: String,
}

/// A message of NCTS that is listed and not yet fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageToFetch {
    /// Kind of movement.
    pub(super) kind: MovementKind,
    /// The movement.
    pub(super) movement: String,
    /// The message.
    pub(super) message_id: String,
    /// Whether its listed type is one we know.
    pub(super) known_type: bool,
    /// The API's time for it.
    pub(super) received: DateTime<Utc>,
}

impl Slot {
    /// A run that was just opened or taken up again.
    pub(super) fn new(
        programme: Programme,
        scenario: Scenario,
        attempt: u32,
        writer: RunWriter,
        events: &[Recorded],
    ) -> Self {
        let opened = events.iter().find_map(|recorded| match &recorded.event {
            Event::RunOpened(opened) => Some(opened.environment),
            _ => None,
        });
        Self {
            hours: opened
                .map_or_else(Hours::none, |environment| Hours::of(&programme, environment)),
            programme,
            scenario,
            attempt,
            run: writer.run(),
            writer: Some(writer),
            state: State::fold(events),
            under_way: None,
            upload: None,
            fetches: VecDeque::new(),
            suspects: VecDeque::new(),
            not_before: None,
            failures: 0,
            plan: None,
            looked: BTreeMap::new(),
            listed: BTreeMap::new(),
            sure_of: None,
            news: BTreeMap::new(),
            own: BTreeMap::new(),
            by_box: false,
            vain: Vain::default(),
            passed_over: BTreeSet::new(),
            waiting_for: None,
            waiting_since: None,
            stalled: None,
            last_problem: None,
        }
    }

    /// Whether there may still be something to do in this batch.
    pub(super) fn open(&self) -> bool {
        self.writer.is_some() && self.stalled.is_none()
    }

    /// Whether it waits, and nothing has come up since that was found a moment
    /// ago.
    pub(super) fn rests(&self, now: DateTime<Utc>) -> bool {
        let fresh = |plan: &Plan| {
            let thought = plan.thought_at;
            !plan.needs.is_empty() && now < plan.look_at && thought <= now && now - thought < MOMENT
        };
        self.fetches.is_empty() && self.plan.as_ref().is_some_and(fresh)
    }

    /// A step by its number.
    pub(super) fn step(&self, number: u32) -> Option<&Step> {
        self.scenario.step.get((number as usize).checked_sub(1)?)
    }

    /// Appends an event and takes it into account.
    pub(super) fn append(
        &mut self,
        event: Event,
        durability: Durability,
    ) -> Result<(), EvidenceError> {
        if let Some(writer) = &mut self.writer {
            let recorded = writer.append(event, durability)?;
            self.state.apply(&recorded);
        }
        Ok(())
    }

    /// The kinds of movement in which it expects news. What was sent last may
    /// be refused where it was sent, until it was answered there.
    pub(super) fn kinds(&self) -> BTreeSet<MovementKind> {
        let (number, missing) = decide::position(&self.scenario, &self.state);
        // What the software is to send is looked for by itself.
        if self.state.seeks_what_was_sent()
            && self.step(number).is_some_and(|step| step.send.is_some())
            && !self.state.sent.contains_key(&number)
        {
            return BTreeSet::new();
        }
        let last = self.state.sent.values().next_back();
        let last = last.map(|(left, sent)| (*left, sent.movement)).filter(|(left, kind)| {
            let answers =
                |(at, got): &(DateTime<Utc>, Received)| at > left && got.movement == *kind;
            !self.state.received.iter().any(answers)
        });
        let last = last.map(|(_, kind)| kind);
        missing
            .into_iter()
            .map(MessageType::movement)
            .chain(last)
            .filter(|kind| self.state.movements.contains_key(kind))
            .collect()
    }

    /// How many messages it expects to come in one go in a movement.
    pub(super) fn together(&self, kind: MovementKind) -> usize {
        let progress = Progress::of(&self.scenario, &self.state, Tempo::REAL);
        let step = progress.current(&self.scenario);
        step.map_or(0, |step| {
            let together = due::together(step, &progress.missing);
            together.iter().filter(|expected| expected.message.movement() == kind).count()
        })
    }

    /// When the first of its news that matter to it is to be listed.
    pub(super) fn list_at(&self, kinds: &BTreeSet<MovementKind>) -> Option<DateTime<Utc>> {
        let news = self.news.iter().filter(|(kind, _)| kinds.contains(kind));
        news.map(|(_, news)| news.list_at).min()
    }

    /// Queues the lists of messages that are due.
    pub(super) fn queue_lists(&mut self, kinds: &BTreeSet<MovementKind>, now: DateTime<Utc>) {
        let due =
            |(kind, news): &(&MovementKind, &News)| kinds.contains(kind) && news.list_at <= now;
        let due: Vec<(MovementKind, News)> =
            self.news.iter().filter(due).map(|(kind, news)| (*kind, *news)).collect();
        for (kind, news) in due {
            self.news.remove(&kind);
            self.listed.insert(kind, news.updated);
            if let Some(id) = self.state.movements.get(&kind) {
                self.fetches.push_back(Fetch::List(kind, id.clone()));
            }
        }
    }

    /// Forgets what was to be fetched, and that anything was listed: it is all
    /// looked at again once the environment opens.
    pub(super) fn forget_news(&mut self) {
        self.fetches.clear();
        self.news.clear();
        self.listed.clear();
        self.looked.clear();
        self.sure_of = None;
    }

    /// Whether the messages of all its movements were listed for what is about
    /// to be decided since one is missing; queues these lists where they were
    /// not. A message that appears late, behind others, does not change when its
    /// movement was last updated, so that it is no news.
    pub(super) fn made_sure(&mut self) -> bool {
        if self.makes_sure() {
            self.sure_of = None;
            return true;
        }
        self.sure_of = Some(self.state.received.len());
        let movements = self.state.movements.iter();
        self.fetches.extend(movements.map(|(kind, id)| Fetch::List(*kind, id.clone())));
        false
    }

    /// Whether these lists were queued, and have brought nothing so far.
    pub(super) fn makes_sure(&self) -> bool {
        self.sure_of == Some(self.state.received.len())
    }

    /// Until when all these lists are known; `now` where there is nothing to
    /// look at.
    pub(super) fn looked(
        &self,
        kinds: &BTreeSet<MovementKind>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        kinds.iter().try_fold(now, |oldest, kind| Some(oldest.min(*self.looked.get(kind)?)))
    }

    /// The reference by which the API lists its movement of this kind.
    pub(super) fn reference(&self, kind: MovementKind) -> Option<&str> {
        match kind {
            MovementKind::Departure => self.state.lrn.as_deref(),
            MovementKind::Arrival => self.state.mrn.as_deref(),
        }
    }

    /// The ids of those movements that have exactly its reference, in their
    /// order: the API's filter is a substring.
    pub(super) fn of_its_reference(
        &self,
        kind: MovementKind,
        movements: Vec<ListedMovement>,
    ) -> impl Iterator<Item = String> {
        let reference = self.reference(kind).map(str::to_owned);
        let matching = movements.into_iter().filter(move |movement| {
            let has = match kind {
                MovementKind::Departure => &movement.local_reference_number,
                MovementKind::Arrival => &movement.movement_reference_number,
            };
            reference.is_some() && *has == reference
        });
        matching.map(|movement| movement.id)
    }

    /// The movement among whose messages a lost one may be.
    pub(super) fn suspect(&self, message: MessageType) -> Option<&str> {
        self.suspects.front().map(String::as_str).or_else(|| self.movement_of(message))
    }

    /// The movement that a message goes to; none for one that begins its own.
    pub(super) fn movement_of(&self, message: MessageType) -> Option<&str> {
        match message.opens_movement() {
            true => None,
            false => self.state.movements.get(&message.movement()).map(String::as_str),
        }
    }

    /// Where to look for a message of the software: the movement of this kind
    /// that is known, or that a command named.
    pub(super) fn named_movement(&self, message: MessageType) -> Option<&str> {
        let known = self.state.movements.get(&message.movement()).map(String::as_str);
        let named = || self.state.command.as_ref()?.end.as_ref()?.movement_id.as_deref();
        known.or_else(named)
    }

    /// Whether a movement is its own.
    pub(super) fn has_movement(&self, id: &str) -> bool {
        self.state.movements.values().any(|own| own == id)
    }

    /// Whether this box is told of any of its movements.
    pub(super) fn has_box(&self, id: &str) -> bool {
        self.state.boxes.values().any(|own| own == id)
    }

    /// The box that is told of all its movements, where there is one.
    pub(super) fn only_box(&self) -> Option<&str> {
        let mut boxes = self.state.movements.keys().map(|kind| self.state.boxes.get(kind));
        let first = boxes.next()??;
        boxes.all(|id| id == Some(first)).then_some(first)
    }

    /// Whether a message is being fetched, or about to be.
    pub(super) fn is_fetching(&self, id: &str) -> bool {
        let under_way = self.under_way.as_ref().map(|under_way| &under_way.task);
        matches!(under_way, Some(Task::Fetch(fetch)) if fetch.brings(id))
            || self.fetches.iter().any(|fetch| fetch.brings(id))
    }

    /// The next free exchange number.
    pub(super) fn next_exchange(&self) -> u32 {
        self.state.last_exchange + 1
    }

    /// How it looks from outside.
    pub(super) fn view(&self, doing: impl Into<Doing>) -> RunView {
        let of = (&self.programme, &self.scenario);
        let waiting_for = self.waiting_for.clone();
        RunView::of(self.run, self.attempt, of, &self.state, waiting_for, doing.into())
    }
}

/// A new LRN: the scenario's id, the day and eight random characters; at most
/// 22 letters and digits (data type of the LRN). A scenario that two programmes
/// share is declared twice in the same second.
pub(super) fn new_lrn(scenario: &str, now: DateTime<Utc>) -> String {
    let id: String = scenario.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let random = Uuid::new_v4().simple().to_string().to_uppercase();
    format!("{}{}{}", id.to_uppercase(), now.format("%y%m%d"), &random[..8])
}

/// A new message identification: 32 hexadecimal digits (at most 35 are
/// allowed, and no two messages may share one).
pub(super) fn new_message_identification() -> String {
    Uuid::new_v4().simple().to_string().to_uppercase()
}

/// A number from 0 to 1 that spreads back-offs.
pub(super) fn jitter() -> f64 {
    f64::from(Uuid::new_v4().as_bytes()[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn an_lrn_is_short_enough_and_tells_its_scenario() {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 9, 5, 7).unwrap();
        for scenario in ["DSGB1", "P6-DSGB-01", "guarantee-balance-1"] {
            let lrn = new_lrn(scenario, now);
            assert!(lrn.len() <= 22, "{lrn}");
            assert!(lrn.bytes().all(|c| c.is_ascii_alphanumeric()), "{lrn}");
        }
        assert!(new_lrn("P6-DSGB-01", now).starts_with("P6DSGB01261121"));
        let all: BTreeSet<String> = (0..1_000).map(|_| new_lrn("ANGB1", now)).collect();
        assert_eq!(all.len(), 1_000, "declared in the same second");
        assert_ne!(new_message_identification(), new_message_identification());
        assert!(new_message_identification().len() <= 35);
    }
}
