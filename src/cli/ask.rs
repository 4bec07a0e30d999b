//! Asking a person on the terminal: `init`, `checklist --questions` and
//! `checklist --sign-as`.

use std::io::{BufRead, IsTerminal, Read};

use super::failure::Failure;
use super::printer::{BOLD, DIM, Printer, paint};

/// Longest line read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Whether somebody sits at standard input.
pub(super) fn is_there() -> bool {
    std::io::stdin().is_terminal()
}

/// Asks on the terminal for what the flags did not say.
pub(super) struct Asker<'a> {
    /// Somebody is there who can answer.
    pub(super) interactive: bool,
    /// Where questions are put.
    pub(super) printer: &'a mut Printer,
    /// The flags that were not given, where nobody can be asked.
    pub(super) missing: Vec<&'static str>,
}

impl<'a> Asker<'a> {
    /// Asks on the terminal, if there is one and standard output is for people.
    pub(super) fn new(printer: &'a mut Printer) -> Self {
        let interactive = is_there() && !printer.json();
        Self { interactive, printer, missing: Vec::new() }
    }

    /// A line typed, without white space around it; none: the answers ended.
    pub(super) fn line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        // A terminal's lines are short; whatever comes, memory is bounded.
        match std::io::stdin().lock().take(LONGEST).read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line.trim().to_owned())),
            Err(error) => Err(Failure::input(format!("the terminal cannot be read: {error}"))),
        }
    }

    /// Lines typed up to an empty one, or to the end of the answers; none: they
    /// had ended before.
    pub(super) fn lines(&mut self) -> Result<Option<String>, Failure> {
        let mut lines: Vec<String> = Vec::new();
        while let Some(line) = self.line()? {
            if line.is_empty() {
                return Ok(Some(lines.join("\n")));
            }
            lines.push(line);
        }
        Ok((!lines.is_empty()).then(|| lines.join("\n")))
    }

    pub(super) fn list<T: Clone>(
        &mut self,
        given: &[T],
        flag: &'static str,
        question: &str,
        choices: &[&str],
        default: Option<&str>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        if !given.is_empty() {
            return Ok(given.to_vec());
        }
        if !self.interactive {
            // What has a sensible default need not be said.
            if let Some(value) = default.and_then(&read) {
                return Ok(vec![value]);
            }
            self.missing.push(flag);
            return Ok(Vec::new());
        }
        loop {
            let default_shown = default.map_or(String::new(), |text| format!(" [{text}]"));
            self.printer.line(format!("{}{default_shown}", paint(BOLD, question)));
            self.printer.line(paint(DIM, format!("  {}", choices.join(", "))));
            let line = self.read_line()?;
            let line = if line.is_empty() { default.unwrap_or_default() } else { &line };
            let words: Vec<&str> =
                line.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()).collect();
            let values: Option<Vec<T>> = words.iter().map(|word| read(word)).collect();
            match values.filter(|values| !values.is_empty()) {
                Some(values) => return Ok(values),
                None => self.printer.line("  please answer with the words above, comma between"),
            }
        }
    }

    pub(super) fn text(
        &mut self,
        given: &Option<String>,
        flag: &'static str,
        question: &str,
    ) -> Result<Option<String>, Failure> {
        if let Some(text) = given {
            return Ok(Some(text.clone()));
        }
        if !self.interactive {
            self.missing.push(flag);
            return Ok(None);
        }
        loop {
            self.printer.line(paint(BOLD, question));
            let line = self.read_line()?;
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    pub(super) fn optional(
        &mut self,
        given: &Option<String>,
        question: &str,
    ) -> Result<Option<String>, Failure> {
        if given.is_some() || !self.interactive {
            return Ok(given.clone());
        }
        self.printer.line(format!("{} [later]", paint(BOLD, question)));
        let line = self.read_line()?;
        Ok(Some(line).filter(|line| !line.is_empty()))
    }

    fn read_line(&mut self) -> Result<String, Failure> {
        self.line()?.ok_or_else(|| Failure::usage("the answers ended before the questions did"))
    }
}
