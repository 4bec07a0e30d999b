//! Progress of a batch as it goes: a live board on a terminal, plain lines
//! elsewhere, both on standard error; e-mails that a person must send; events
//! for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::board::{Board, words};
use super::context::shown;
use super::events::{EventLog, RunEvent};
use super::mails::{self, Whose};
use super::mask;
use super::printer::{Printer, WIDTH, tame, wrap};
use crate::clock::Clock;
use crate::engine::mail::Mail;
use crate::engine::report::Doing;
use crate::engine::{RunView, Watcher};
use crate::evidence::{RunId, RunState};

/// How often the time left is painted anew.
const TICK: Duration = Duration::from_secs(1);

/// Most lines of the board; what is above stays readable.
const MAX_HEIGHT: usize = 40;

/// Most kinds of notes whose repetition is counted.
const MAX_NOTES: usize = 1_000;

/// Where a batch's progress goes, besides standard error.
pub(super) struct Outlets {
    /// The project's folder: e-mails are written into it.
    pub(super) root: PathBuf,
    /// The folder in which the command was called.
    pub(super) cwd: PathBuf,
    /// Events for programs.
    pub(super) events: Option<EventLog>,
    /// Requests a second that are allowed.
    pub(super) rate: f64,
}

/// Shows a batch as it goes.
pub(super) struct Progress<'a> {
    printer: &'a mut Printer,
    clock: Arc<dyn Clock>,
    outlets: Outlets,
    board: Arc<Mutex<Board>>,
    live: Option<Live>,
    last: BTreeMap<RunId, String>,
    /// How often each kind of note was told.
    notes: BTreeMap<String, u64>,
    /// Runs whose e-mail was shown.
    shown: BTreeSet<RunId>,
    /// The e-mail of an event that is about to be told.
    asked: Option<RunEvent>,
}

impl<'a> Progress<'a> {
    /// Progress for a batch of scenarios.
    pub(super) fn new(printer: &'a mut Printer, clock: Arc<dyn Clock>, outlets: Outlets) -> Self {
        let board = Arc::new(Mutex::new(Board::new(outlets.rate)));
        let live = std::io::stderr()
            .is_terminal()
            .then(|| Live::start(Arc::clone(&board), Arc::clone(&clock)));
        Self {
            printer,
            clock,
            outlets,
            board,
            live,
            last: BTreeMap::new(),
            notes: BTreeMap::new(),
            shown: BTreeSet::new(),
            asked: None,
        }
    }

    /// Leaves the live lines as they are; tells the runs whose e-mail was
    /// shown.
    pub(super) fn finish(mut self) -> BTreeSet<RunId> {
        self.flush_asked(None);
        let (tally, requests) = {
            let board = locked(&self.board);
            (board.tally(), board.requests)
        };
        let ended = RunEvent::ended(tally, self.clock.now(), requests);
        self.tell(&ended);
        if let Some(live) = self.live.take() {
            live.stop();
            self.printer.note("");
        }
        self.shown
    }

    /// A line above the board.
    fn above(&mut self, line: &str) {
        match &self.live {
            // A terminal would break it inside words.
            Some(live) if line.chars().count() > WIDTH => {
                wrap(&tame(line), WIDTH).iter().for_each(|line| live.above(line));
            }
            Some(live) => live.above(&tame(line)),
            None => self.printer.note(line),
        }
    }

    fn tell(&mut self, event: &RunEvent) {
        let failed = match &mut self.outlets.events {
            None => return,
            Some(EventLog::Output) => {
                self.printer.json_line(event);
                return;
            }
            Some(EventLog::File(file)) => {
                let mut line = serde_json::to_vec(event).unwrap_or_default();
                line.push(b'\n');
                file.append(&mask::known(&line)).err()
            }
        };
        // The runs matter more than what is told of them.
        if let Some(error) = failed {
            self.outlets.events = None;
            self.above(&format!("no more events are told: {error}"));
        }
    }

    /// Tells that the officers were asked, once it is known whether a person
    /// must send the e-mail.
    fn flush_asked(&mut self, mail: Option<String>) {
        if let Some(asked) = self.asked.take() {
            self.tell(&asked.with_mail(mail));
        }
    }

    fn text(view: &RunView) -> String {
        let mark = match view.state {
            RunState::Passed => "passed ",
            RunState::Failed => "FAILED ",
            RunState::Waiting => "running",
            RunState::Abandoned => "given up",
        };
        let (got, expected) = view.messages;
        let doing = match (&view.doing, view.state) {
            (Doing::Waiting, _) => format!("waiting: {}", words(view)),
            (_, RunState::Passed) => "passed".to_owned(),
            _ => words(view),
        };
        format!(
            "{:<11} {mark} step {}/{}  messages {got}/{expected}  {doing}",
            view.scenario, view.step, view.steps
        )
    }
}

impl Watcher for Progress<'_> {
    fn moved(&mut self, view: &RunView) {
        self.flush_asked(None);
        let requests = {
            let mut board = locked(&self.board);
            board.moved(view);
            board.requests
        };
        match RunEvent::of(view, self.clock.now(), requests) {
            Some(event) if matches!(view.doing, Doing::Asked { .. }) => self.asked = Some(event),
            Some(event) => self.tell(&event),
            None => {}
        }
        match &mut self.live {
            Some(live) => live.paint(),
            None => {
                let text = Self::text(view);
                if self.last.insert(view.run, text.clone()).as_ref() != Some(&text) {
                    self.printer.note(&text);
                }
            }
        }
    }

    fn requested(&mut self, total: u64) {
        locked(&self.board).requests = total;
    }

    /// At once: with `--wait` nothing else comes until it was sent.
    fn mail_to_send(&mut self, view: &RunView, mail: &Mail) {
        let written = mails::write(&self.outlets.root, &Whose::of(view), mail);
        let file = match written {
            Ok(path) => shown(&path, &self.outlets.cwd),
            // The text is shown, and kept as evidence.
            Err(failure) => format!("none: {}", failure.message),
        };
        mails::lines(&view.scenario, mail, &file).iter().for_each(|line| self.above(line));
        self.flush_asked(Some(file));
        self.shown.insert(view.run);
    }

    /// The same over and over, but for its numbers, is told ever more rarely.
    fn note(&mut self, text: &str) {
        self.flush_asked(None);
        let kind: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.notes.len() < MAX_NOTES || self.notes.contains_key(&kind) {
            let times = self.notes.entry(kind).or_default();
            *times += 1;
            if !times.is_power_of_two() {
                return;
            }
        }
        self.above(text);
        let requests = locked(&self.board).requests;
        self.tell(&RunEvent::note(text, self.clock.now(), requests));
    }
}

/// No value behind this lock is left half-changed by a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The board on a terminal, painted by whoever moves and every second.
struct Live {
    canvas: Arc<Mutex<Canvas>>,
    stop: mpsc::Sender<()>,
    ticker: Option<JoinHandle<()>>,
}

struct Canvas {
    bars: MultiProgress,
    lines: Vec<ProgressBar>,
    board: Arc<Mutex<Board>>,
    clock: Arc<dyn Clock>,
}

impl Live {
    fn start(board: Arc<Mutex<Board>>, clock: Arc<dyn Clock>) -> Self {
        let bars = MultiProgress::new();
        let canvas = Arc::new(Mutex::new(Canvas { bars, lines: Vec::new(), board, clock }));
        let (stop, stopped) = mpsc::channel::<()>();
        let painter = Arc::clone(&canvas);
        // Without it the time left stands still while nothing moves.
        let ticker = std::thread::Builder::new().spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                locked(&painter).paint();
            }
        });
        Self { canvas, stop, ticker: ticker.ok() }
    }

    fn paint(&self) {
        locked(&self.canvas).paint();
    }

    fn above(&self, line: &str) {
        let _ = locked(&self.canvas).bars.println(line);
    }

    /// Paints a last time and lets go of the terminal.
    fn stop(self) {
        drop(self.stop);
        if let Some(ticker) = self.ticker {
            let _ = ticker.join();
        }
        let mut canvas = locked(&self.canvas);
        canvas.paint();
        canvas.lines.iter().for_each(ProgressBar::abandon);
    }
}

impl Canvas {
    fn paint(&mut self) {
        // Asked anew each time: windows change.
        let (height, width) = Term::stderr().size();
        let width = usize::from(width).saturating_sub(1).min(WIDTH - 1);
        let height = usize::from(height).saturating_sub(2).clamp(1, MAX_HEIGHT);
        let texts = locked(&self.board).lines(self.clock.now(), width, height);
        while self.lines.len() > texts.len() {
            if let Some(bar) = self.lines.pop() {
                self.bars.remove(&bar);
            }
        }
        while self.lines.len() < texts.len() {
            let bar = self.bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            self.lines.push(bar);
        }
        for (bar, text) in self.lines.iter().zip(texts) {
            if bar.message() != text {
                bar.set_message(text);
            }
        }
    }
}
