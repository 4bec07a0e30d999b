//! Reading the text of `ctc-ready.toml`.
//!
//! The text becomes a tree of spanned values; each section is then read on
//! its own, so that one wrong field does not hide the problems of the other
//! sections. A key that looks like a secret is a problem, and neither its
//! value nor the line it stands on is ever repeated in a message.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::settings::{Settings, SoftwareSettings};
use super::{check, credentials};
use crate::catalogue::Side;

/// Words in a key that make it a secret's. Compared in lower case with `_`
/// read as `-`.
const SECRET_WORDS: [&str; 11] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "bearer",
    "authorization",
    "private-key",
    "api-key",
    "apikey",
];

/// The section on production credentials held, which is no secret.
const HELD: &str = "credentials";

/// Longest excerpt of a line shown, in characters.
const EXCERPT: usize = 120;

/// Something wrong in the settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// Line, from 1, where it is known.
    pub line: Option<usize>,
    /// Column, from 1, in characters.
    pub column: Option<usize>,
    /// Dotted name of the field: `software.flows`. Empty for the whole file.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
    /// The line with a caret below, for errors of form. Never shows a secret.
    pub excerpt: Option<String>,
}

/// Every problem found in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The file.
    pub file: PathBuf,
    /// The problems, in the order of their lines.
    pub problems: Vec<SettingsProblem>,
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.display();
        match self.problems.len() {
            1 => write!(f, "`{name}` has a problem")?,
            n => write!(f, "`{name}` has {n} problems")?,
        }
        for problem in &self.problems {
            write!(f, "\n{name}")?;
            for place in [problem.line, problem.column].into_iter().flatten() {
                write!(f, ":{place}")?;
            }
            match problem.field.as_str() {
                "" => write!(f, ": {}", problem.message)?,
                field => write!(f, ": `{field}` {}", problem.message)?,
            }
            if let Some(excerpt) = &problem.excerpt {
                write!(f, "\n{excerpt}")?;
            }
        }
        Ok(())
    }
}

impl Settings {
    /// Reads and checks the text of `ctc-ready.toml`. `file` is for messages
    /// alone. `known_programmes` are the ids of the catalogue's programmes;
    /// empty: not checked (an overlay may add some; see
    /// [`super::Project::check_programmes`]).
    ///
    /// # Errors
    /// Every problem at once; but where the text is no TOML, that alone.
    pub fn parse(
        text: &str,
        file: &Path,
        known_programmes: &[&str],
    ) -> Result<Self, SettingsError> {
        let document = Document { text, holds_secret: mentions_secret(text) };
        let failed = |mut problems: Vec<SettingsProblem>| {
            problems.sort_by_key(|problem| (problem.line.unwrap_or(usize::MAX), problem.column));
            SettingsError { file: file.to_owned(), problems }
        };
        let mut table = DeTable::parse(text)
            .map_err(|error| failed(vec![document.toml_problem("", &error)]))?
            .into_inner();

        let mut problems = Vec::new();
        document.take_secrets(&mut table, "", &mut problems);
        let before = problems.len();
        let settings = document.sections(&table, &mut problems);
        let unread = problems.iter().skip(before).map(|problem| problem.field.clone()).collect();
        let places = Places { document: &document, table: &table, unread };
        // Only an overlay's own catalogue knows which programmes it adds.
        let overlaid = settings.catalogue.path.is_some();
        let known = if overlaid { &[] } else { known_programmes };
        check::check(&settings, &places, known, &mut problems);
        if problems.is_empty() { Ok(settings) } else { Err(failed(problems)) }
    }
}

/// The text being read.
struct Document<'t> {
    text: &'t str,
    /// Some key looks like a secret's: no line is quoted at all, since a
    /// malformed text does not say where a value ends.
    holds_secret: bool,
}

impl Document<'_> {
    /// Reads each section by itself. A section that cannot be read is a
    /// problem and stands as if it were left out.
    fn sections(&self, table: &DeTable<'_>, problems: &mut Vec<SettingsProblem>) -> Settings {
        let mut settings = empty();
        for (key, value) in table {
            let field = key.get_ref().as_ref();
            let mut reader = Reader { document: self, field, value, problems };
            match field {
                "programmes" => reader.read(&mut settings.programmes),
                "business" => reader.read(&mut settings.business),
                "software" => reader.read(&mut settings.software),
                "sandbox-application" => reader.read(&mut settings.sandbox_application),
                "production-application" => reader.read(&mut settings.production_application),
                "run" => reader.read(&mut settings.run),
                "driver" => reader.read(&mut settings.driver),
                "auth" => reader.read(&mut settings.auth),
                "network" => reader.read(&mut settings.network),
                "record" => reader.read(&mut settings.record),
                "notifications" => reader.read(&mut settings.notifications),
                "payloads" => reader.read(&mut settings.payloads),
                "gate" => reader.read(&mut settings.gate),
                "waiver" => reader.read(&mut settings.waivers),
                "answers" => reader.read(&mut settings.answers),
                "statements" => reader.read(&mut settings.statements),
                "not-applicable" => reader.read(&mut settings.not_applicable),
                "credentials" => {
                    reader.read_with(&mut settings.credentials, credentials::one_or_many);
                }
                "documentation-change" => reader.read(&mut settings.documentation_change),
                "programme" => reader.read(&mut settings.programme),
                "before-you-start" => reader.read(&mut settings.before_you_start),
                "catalogue" => reader.read(&mut settings.catalogue),
                _ => {
                    let (line, column) = self.position(key.span().start);
                    problems.push(SettingsProblem {
                        line: Some(line),
                        column: Some(column),
                        field: field.to_owned(),
                        message: format!(
                            "is not a setting; expected one of {}",
                            quoted(SECTIONS.iter().copied())
                        ),
                        excerpt: None,
                    });
                }
            }
        }
        settings
    }

    /// Removes keys that look like a secret's, with a problem for each, so
    /// that nothing later can quote them.
    fn take_secrets(
        &self,
        table: &mut DeTable<'_>,
        prefix: &str,
        problems: &mut Vec<SettingsProblem>,
    ) {
        let secret: Vec<_> = table
            .iter()
            .filter(|(key, value)| {
                is_secret_key(key.get_ref()) && !(prefix.is_empty() && is_held(key, value))
            })
            .map(|(key, _)| (key.get_ref().to_string(), key.span()))
            .collect();
        for (key, span) in secret {
            table.remove(key.as_str());
            let (line, column) = self.position(span.start);
            problems.push(SettingsProblem {
                line: Some(line),
                column: Some(column),
                field: join(prefix, &key),
                message: "looks like a secret, and this file is made to be shared; take it out \
                          (and replace the secret if the file was ever committed); \
                          the bearer token belongs into CTC_READY_TOKEN, and the \
                          application's secret into CTC_READY_CLIENT_SECRET"
                    .to_owned(),
                excerpt: None,
            });
        }
        for (key, value) in table.iter_mut() {
            let field = join(prefix, key.get_ref());
            self.take_secrets_of_value(value.get_mut(), &field, problems);
        }
    }

    fn take_secrets_of_value(
        &self,
        value: &mut DeValue<'_>,
        field: &str,
        problems: &mut Vec<SettingsProblem>,
    ) {
        match value {
            DeValue::Table(table) => self.take_secrets(table, field, problems),
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    self.take_secrets_of_value(item.get_mut(), field, problems);
                }
            }
            _ => {}
        }
    }

    /// A toml error as a problem, with line, column and caret.
    fn toml_problem(&self, field: &str, error: &toml::de::Error) -> SettingsProblem {
        let span = error.span();
        let position = span.as_ref().map(|span| self.position(span.start));
        SettingsProblem {
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            field: field.to_owned(),
            message: match field {
                "" => format!("not TOML: {}", one_line(error.message())),
                _ => format!("cannot be read: {}", one_line(error.message())),
            },
            excerpt: span
                .and_then(|span| self.excerpt(span, error.message().starts_with("unknown field"))),
        }
    }

    /// Line and column (from 1, in characters) of a byte offset.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        (before.matches('\n').count() + 1, column + 1)
    }

    /// The line at `span` with carets below. `key_only` hides what follows
    /// the key: the value of a field nobody knows may be anything.
    fn excerpt(&self, span: Range<usize>, key_only: bool) -> Option<String> {
        if self.holds_secret {
            return None;
        }
        let (number, column) = self.position(span.start);
        let line = self.text.lines().nth(number - 1)?;
        let shown = match line.split_once('=') {
            Some((key, _)) if key_only => format!("{key}= …"),
            _ if key_only && !line.trim_start().starts_with('[') => return None,
            _ => line.to_owned(),
        };
        let length = shown.chars().count();
        if length > EXCERPT || column > length + 1 {
            return None;
        }
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = shown.chars().map(printable).collect();
        let wide = self
            .text
            .get(span)
            .map_or(1, |text| text.lines().next().unwrap_or_default().chars().count());
        let carets = "^".repeat(wide.clamp(1, (length + 1).saturating_sub(column - 1).max(1)));
        let margin = " ".repeat(number.to_string().len());
        let indent = " ".repeat(column - 1);
        Some(format!("{margin} |\n{number} | {shown}\n{margin} | {indent}{carets}"))
    }
}

/// One section's value, about to be read.
struct Reader<'a, 'd, 't> {
    document: &'a Document<'d>,
    field: &'a str,
    value: &'a Spanned<DeValue<'t>>,
    problems: &'a mut Vec<SettingsProblem>,
}

impl<'t> Reader<'_, '_, 't> {
    fn read<T: DeserializeOwned>(&mut self, into: &mut T) {
        self.read_with(into, T::deserialize);
    }

    fn read_with<T>(
        &mut self,
        into: &mut T,
        read: impl FnOnce(ValueDeserializer<'t>) -> Result<T, toml::de::Error>,
    ) {
        match read(ValueDeserializer::from(self.value.clone())) {
            Ok(value) => *into = value,
            Err(error) => {
                let mut problem = self.document.toml_problem(self.field, &error);
                if problem.line.is_none() {
                    let (line, column) = self.document.position(self.value.span().start);
                    (problem.line, problem.column) = (Some(line), Some(column));
                }
                self.problems.push(problem);
            }
        }
    }
}

/// Where fields stand in the text.
pub(super) struct Places<'a, 't> {
    document: &'a Document<'a>,
    table: &'a DeTable<'t>,
    unread: Vec<String>,
}

impl Places<'_, '_> {
    /// Whether a section could not be read, so that nothing more can be said
    /// of it.
    pub(super) fn unread(&self, section: &str) -> bool {
        self.unread.iter().any(|unread| unread == section)
    }

    /// Whether the field is in the file.
    pub(super) fn has(&self, field: &str) -> bool {
        self.find(field).is_some()
    }

    /// A problem at a field's key, or at the nearest section that exists.
    pub(super) fn problem(&self, field: &str, message: impl Into<String>) -> SettingsProblem {
        let mut name = field;
        let span = loop {
            if let Some(span) = self.find(name) {
                break Some(span);
            }
            match name.rsplit_once('.') {
                Some((parent, _)) => name = parent,
                None => break None,
            }
        };
        let position = span.map(|span| self.document.position(span.start));
        SettingsProblem {
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            field: field.to_owned(),
            message: message.into(),
            excerpt: None,
        }
    }

    /// Where a field's key stands. An entry of an array is named by its number,
    /// from 1: `waiver.2.reason`.
    fn find(&self, field: &str) -> Option<Range<usize>> {
        let (first, rest) = field.split_once('.').map_or((field, None), |(a, b)| (a, Some(b)));
        let (key, value) = self.table.get_key_value(first)?;
        let (mut span, mut value) = (key.span(), value);
        for name in rest.into_iter().flat_map(|rest| rest.split('.')) {
            (span, value) = match value.get_ref() {
                DeValue::Table(table) => {
                    let (key, value) = table.get_key_value(name)?;
                    (key.span(), value)
                }
                DeValue::Array(items) => {
                    let item = items.get(name.parse::<usize>().ok()?.checked_sub(1)?)?;
                    (item.span(), item)
                }
                _ => return None,
            };
        }
        Some(span)
    }
}

/// The file's top-level names, in the order in which `init` writes them.
const SECTIONS: [&str; 22] = [
    "programmes",
    "business",
    "software",
    "sandbox-application",
    "production-application",
    "run",
    "driver",
    "auth",
    "network",
    "record",
    "notifications",
    "payloads",
    "gate",
    "waiver",
    "answers",
    "statements",
    "not-applicable",
    "credentials",
    "documentation-change",
    "programme",
    "before-you-start",
    "catalogue",
];

/// Settings as an empty file would give them, before any check.
fn empty() -> Settings {
    Settings {
        programmes: Vec::new(),
        business: Default::default(),
        software: SoftwareSettings {
            name: String::new(),
            version: String::new(),
            build: None,
            flows: Vec::new(),
            procedures: Vec::new(),
            combination: None,
            side: Side::Gb,
            other_versions: Vec::new(),
        },
        sandbox_application: Default::default(),
        production_application: Default::default(),
        run: Default::default(),
        driver: Default::default(),
        auth: Default::default(),
        network: Default::default(),
        record: Default::default(),
        notifications: Default::default(),
        payloads: Default::default(),
        gate: Default::default(),
        waivers: Default::default(),
        answers: Default::default(),
        statements: Default::default(),
        not_applicable: Default::default(),
        credentials: Vec::new(),
        documentation_change: Vec::new(),
        programme: Default::default(),
        before_you_start: Default::default(),
        catalogue: Default::default(),
    }
}

/// Whether a key's name says that its value is a secret.
pub fn is_secret_key(key: &str) -> bool {
    let key = key.to_lowercase().replace('_', "-");
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// Whether this is the section on production credentials held. It says when and
/// for what they were granted; what is inside is looked at for secrets as
/// everything is.
fn is_held(key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> bool {
    let tables = match value.get_ref() {
        DeValue::Table(_) => true,
        DeValue::Array(items) => {
            items.iter().all(|item| matches!(item.get_ref(), DeValue::Table(_)))
        }
        _ => false,
    };
    key.get_ref() == HELD && tables
}

/// Whether a text, however malformed, seems to hold a secret: a secret's word
/// outside comments.
fn mentions_secret(text: &str) -> bool {
    let heading = |line: &str| line.trim_matches(['[', ']', ' ']) == HELD && line.starts_with('[');
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#') && !heading(line))
        .any(is_secret_key)
}

/// `` `a`, `b`, `c` ``.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}
