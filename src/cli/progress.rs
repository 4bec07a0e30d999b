//! Live progress of a batch: a line per run on a terminal, plain lines
//! elsewhere. Goes to standard error.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::printer::{Printer, WIDTH};
use crate::engine::mail::Mail;
use crate::engine::{RunView, Watcher};
use crate::evidence::{RunId, RunState};

/// Shows a batch as it goes.
pub(super) struct Progress<'a> {
    printer: &'a mut Printer,
    bars: Option<MultiProgress>,
    lines: BTreeMap<RunId, ProgressBar>,
    last: BTreeMap<RunId, String>,
    /// E-mails that a person must send, by scenario and step.
    mails: Vec<(String, u32, Mail)>,
}

impl<'a> Progress<'a> {
    /// Progress for a batch of scenarios.
    pub(super) fn new(printer: &'a mut Printer) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { printer, bars, lines: BTreeMap::new(), last: BTreeMap::new(), mails: Vec::new() }
    }

    /// Leaves the live lines as they are; tells the e-mails to send.
    pub(super) fn finish(self) -> Vec<(String, u32, Mail)> {
        if self.bars.is_some() {
            self.printer.note("");
        }
        self.mails
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

    fn mail_to_send(&mut self, view: &RunView, mail: &Mail) {
        self.mails.push((view.scenario.clone(), view.step, mail.clone()));
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
