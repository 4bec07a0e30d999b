//! Live progress of a batch: a line per run on a terminal, plain lines
//! elsewhere. Goes to standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::printer::{BOLD, Printer, WIDTH, paint};
use crate::engine::mail::Mail;
use crate::engine::{RunView, Watcher};
use crate::evidence::{RunId, RunState};

/// Shows a batch as it goes.
pub(super) struct Progress<'a> {
    printer: &'a mut Printer,
    bars: Option<MultiProgress>,
    lines: BTreeMap<RunId, ProgressBar>,
    last: BTreeMap<RunId, String>,
    /// Runs whose e-mail was shown.
    shown: BTreeSet<RunId>,
}

impl<'a> Progress<'a> {
    /// Progress for a batch of scenarios.
    pub(super) fn new(printer: &'a mut Printer) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self {
            printer,
            bars,
            lines: BTreeMap::new(),
            last: BTreeMap::new(),
            shown: BTreeSet::new(),
        }
    }

    /// Leaves the live lines as they are; tells the runs whose e-mail was
    /// shown.
    pub(super) fn finish(self) -> BTreeSet<RunId> {
        if self.bars.is_some() {
            self.printer.note("");
        }
        self.shown
    }

    fn text(view: &RunView) -> String {
        let mark = match view.state {
            RunState::Passed => "passed ",
            RunState::Failed => "FAILED ",
            RunState::Waiting => "running",
            RunState::Abandoned => "given up",
        };
        let (got, expected) = view.messages;
        format!(
            "{:<11} {mark} step {}/{}  messages {got}/{expected}  {}",
            view.scenario, view.step, view.steps, view.doing
        )
    }

    /// Never wider than the terminal: a live line must not fold.
    fn cut(text: &str) -> String {
        let mut short: String = text.chars().take(WIDTH - 3).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        short
    }
}

impl Watcher for Progress<'_> {
    fn moved(&mut self, view: &RunView) {
        let text = Self::text(view);
        let Some(bars) = &self.bars else {
            if self.last.insert(view.run, text.clone()).as_ref() != Some(&text) {
                self.printer.note(&text);
            }
            return;
        };
        let bar = self.lines.entry(view.run).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        match view.state {
            RunState::Waiting => bar.set_message(Self::cut(&text)),
            _ => bar.finish_with_message(Self::cut(&text)),
        }
    }

    /// At once: with `--wait` nothing else comes until it was sent.
    fn mail_to_send(&mut self, view: &RunView, mail: &Mail) {
        mail_lines(&view.scenario, view.step, mail).iter().for_each(|line| self.note(line));
        self.shown.insert(view.run);
    }

    fn note(&mut self, text: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.println(text);
            }
            None => self.printer.note(text),
        }
    }
}

/// An e-mail that a person must send, as shown to that person.
pub(super) fn mail_lines(scenario: &str, step: u32, mail: &Mail) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        paint(BOLD, format!("{scenario} step {step}: please send this e-mail")),
        format!("  To:      {}", mail.to),
        format!("  Subject: {}", mail.subject),
        String::new(),
    ];
    lines.extend(mail.body.lines().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines
}
