//! Reading a file of faults. Every problem is told at once, with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use axum::http::{HeaderValue, Method};
use chrono::DateTime;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Fault, Faults, Moment, Pattern, Rule};
use crate::catalogue::Problem;
use crate::catalogue::problem::place;
use crate::ncts::{Direction, MessageType};

/// Most bytes of a file of faults.
pub const FAULTS_MAX: u64 = 1 << 20;

/// Most rules in it.
const RULES: usize = 1_000;

/// Most problems told: whoever sees a hundred needs no more.
const PROBLEMS: usize = 100;

/// The longest wait, in seconds: more is no test.
const WAIT: f64 = 86_400.0;

/// A file of faults that cannot be used: every problem of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FaultsError {
    /// At least one, in the order of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for FaultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        write!(f, "the faults have {count} problem{}", if count == 1 { "" } else { "s" })?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Faults {
    /// Reads a file of faults; `file` names it in problems.
    ///
    /// # Errors
    /// Every problem, with line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, FaultsError> {
        let mut reading = Reading { file, text, problems: Vec::new() };
        let faults = reading.faults();
        if reading.problems.is_empty() {
            return Ok(faults);
        }
        let mut problems = reading.problems;
        problems.sort();
        problems.dedup();
        problems.truncate(PROBLEMS);
        Err(FaultsError { problems })
    }
}

struct Reading<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// A table of which fields are taken one by one.
struct Fields<'a> {
    span: Range<usize>,
    left: BTreeMap<&'a str, (Range<usize>, &'a Value<'a>)>,
}

/// The fields of each kind of fault.
const KINDS: &[(&str, &[&str])] = &[
    ("delay", &["seconds"]),
    ("status", &["status", "retry-after", "html", "taken"]),
    ("reset", &["taken"]),
    ("close", &["taken"]),
    ("truncate", &["keep", "chunked"]),
    ("drip", &["milliseconds"]),
    ("clock-skew", &["seconds"]),
    ("expired-token", &[]),
    ("wrong-type", &["content-type"]),
    ("empty", &[]),
    ("extra-fields", &[]),
    ("wrong-total", &["by"]),
    ("duplicate", &["seconds"]),
    ("late", &["seconds"]),
    ("out-of-order", &["seconds"]),
];

/// Statuses that the gateway may be made to answer.
const STATUSES: &[i64] = &[429, 500, 502, 503, 504];

fn string(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        other => Err(format!("must be a text, not {}", other.type_str())),
    }
}

fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(flag) => Ok(*flag),
        other => Err(format!("must be `true` or `false`, not {}", other.type_str())),
    }
}

fn integer(value: &DeValue<'_>) -> Result<i64, String> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| "is beyond what a number may be".to_owned()),
        other => Err(format!("must be a whole number, not {}", other.type_str())),
    }
}

fn number(value: &DeValue<'_>) -> Result<f64, String> {
    match value {
        DeValue::Float(number) => number.as_str().parse().map_err(|_| "is no number".to_owned()),
        DeValue::Integer(_) => integer(value).map(|number| number as f64),
        other => Err(format!("must be a number, not {}", other.type_str())),
    }
}

fn within<T>(range: RangeInclusive<T>) -> impl Fn(T) -> Result<T, String>
where
    T: PartialOrd + fmt::Display,
{
    move |value| {
        if range.contains(&value) {
            return Ok(value);
        }
        Err(format!("must lie between {} and {}", range.start(), range.end()))
    }
}

fn seconds(value: &DeValue<'_>) -> Result<Duration, String> {
    number(value).and_then(within(0.0..=WAIT)).map(Duration::from_secs_f64)
}

fn count(value: &DeValue<'_>) -> Result<u64, String> {
    let number = integer(value).and_then(within(1..=i64::MAX))?;
    u64::try_from(number).map_err(|error| error.to_string())
}

fn one_of(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn method(value: &DeValue<'_>) -> Result<Method, String> {
    const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE"];
    string(value)?
        .parse()
        .ok()
        .filter(|method: &Method| METHODS.contains(&method.as_str()))
        .ok_or_else(|| format!("must be one of {}", one_of(METHODS)))
}

fn pattern(value: &DeValue<'_>) -> Result<Pattern, String> {
    let text = string(value)?;
    if !text.starts_with('/') {
        return Err("must start with `/`".to_owned());
    }
    if text.starts_with("/simulator/") {
        return Err("the simulator's own endpoints have no faults".to_owned());
    }
    let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
    let (last, first) = parts.split_last().ok_or("must not be empty")?;
    if first.iter().any(|part| part == "**") {
        return Err("`**` may stand at the end only".to_owned());
    }
    if parts.iter().any(|part| part.contains('*') && part != "*" && part != "**") {
        return Err("`*` stands for a whole part between slashes".to_owned());
    }
    if last.contains(['?', '#']) {
        return Err("must not have a query".to_owned());
    }
    Ok(Pattern(parts))
}

fn message(value: &DeValue<'_>) -> Result<MessageType, String> {
    string(value)?.parse().map_err(|_| "must be a message type such as `IE015`".to_owned())
}

fn moment(value: &DeValue<'_>) -> Result<Moment, String> {
    const FORM: &str = "must be a date and time with its offset (`2026-11-23T09:00:00Z`), or \
                        seconds after the start";
    let instant = match value {
        DeValue::Datetime(at) => at.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => {
            return number(value)
                .and_then(within(0.0..=1e9))
                .map(Moment::After)
                .map_err(|_| FORM.to_owned());
        }
    };
    DateTime::parse_from_rfc3339(&instant)
        .map(|at| Moment::At(at.to_utc()))
        .map_err(|_| FORM.to_owned())
}

impl Reading<'_> {
    fn problem(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            place: Some(place(self.text, span.start)),
            message: message.into(),
        });
    }

    fn faults(&mut self) -> Faults {
        let mut faults = Faults { seed: 0, rules: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors.iter().take(PROBLEMS) {
            self.problem(&error.span().unwrap_or(0..0), error.message());
        }
        if !errors.is_empty() {
            return faults;
        }
        let mut fields = Fields::of(table.span(), table.get_ref());
        let seed = |value: &DeValue<'_>| integer(value).and_then(within(0..=i64::MAX));
        faults.seed = self.take(&mut fields, "seed", seed).unwrap_or(0).unsigned_abs();
        let rules = fields.left.remove("fault");
        self.refuse_rest(&fields, "unknown field");
        let Some((span, rules)) = rules else {
            self.problem(&(0..0), "there is no `[[fault]]`");
            return faults;
        };
        let DeValue::Array(items) = rules.get_ref() else {
            self.problem(&span, "faults are written `[[fault]]`");
            return faults;
        };
        if items.len() > RULES {
            self.problem(&span, format!("there are more than {RULES} faults"));
            return faults;
        }
        for (index, item) in items.iter().enumerate() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let fields = Fields::of(item.span(), table);
                    faults.rules.extend(self.rule(fields, index + 1));
                }
                _ => self.problem(&item.span(), "a fault is a table"),
            }
        }
        faults
    }

    /// Takes a field out of a table, if it is there.
    fn take<T>(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        let (_, value) = fields.left.remove(name)?;
        match read(value.get_ref()) {
            Ok(read) => Some(read),
            Err(why) => {
                self.problem(&value.span(), format!("`{name}` {why}"));
                None
            }
        }
    }

    /// The same for a field that must be there. None: a problem was told.
    fn need<T>(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
        read: impl FnOnce(&DeValue<'_>) -> Result<T, String>,
    ) -> Option<T> {
        if !fields.left.contains_key(name) {
            let span = fields.span.clone();
            self.problem(&span, format!("`{name}` is missing"));
        }
        self.take(fields, name, read)
    }

    fn refuse_rest(&mut self, fields: &Fields<'_>, why: &str) {
        for (name, (span, _)) in &fields.left {
            let name: String = name.chars().take(80).collect();
            self.problem(span, format!("{why} `{name}`"));
        }
    }

    fn rule(&mut self, mut fields: Fields<'_>, nth: usize) -> Option<Rule> {
        let span = fields.span.clone();
        let kind_at = fields.left.get("do").map_or(span.clone(), |(_, value)| value.span());
        let kind = self.need(&mut fields, "do", string);
        let known = kind.as_deref().and_then(|kind| KINDS.iter().find(|(name, _)| *name == kind));
        if let (Some(_), None) = (&kind, known) {
            let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            self.problem(&kind_at, format!("`do` must be one of {}", one_of(&names)));
        }
        let name = |value: &DeValue<'_>| {
            string(value).and_then(|name| match name.chars().count() {
                1..=80 => Ok(name),
                _ => Err("must have 1 to 80 characters".to_owned()),
            })
        };
        let name = self.take(&mut fields, "name", name);
        let path_at = fields.left.get("path").map(|(at, _)| at.clone());
        let method_at = fields.left.get("method").map(|(at, _)| at.clone());
        let message_at = fields.left.get("message").map_or(span.clone(), |(at, _)| at.clone());
        let until_at = fields.left.get("until").map_or(span, |(at, _)| at.clone());
        let chance = |value: &DeValue<'_>| number(value).and_then(within(0.0..=1.0));
        let mut rule = Rule {
            name: name.unwrap_or_else(|| format!("fault {nth}")),
            fault: Fault::Empty,
            method: self.take(&mut fields, "method", method),
            path: self.take(&mut fields, "path", pattern),
            message: self.take(&mut fields, "message", message),
            nth: self.take(&mut fields, "nth", count),
            every: self.take(&mut fields, "every", count),
            probability: self.take(&mut fields, "probability", chance),
            times: self.take(&mut fields, "times", count),
            from: self.take(&mut fields, "from", moment),
            until: self.take(&mut fields, "until", moment),
        };
        let empty = match (rule.from, rule.until) {
            (Some(Moment::At(from)), Some(Moment::At(until))) => until <= from,
            (Some(Moment::After(from)), Some(Moment::After(until))) => until <= from,
            _ => false,
        };
        if empty {
            self.problem(&until_at, "`until` must be after `from`");
        }
        let Some((kind, _)) = known else {
            // Which of the other fields belong, nobody can tell.
            let all = |name: &str| KINDS.iter().any(|(_, fields)| fields.contains(&name));
            fields.left.retain(|name, _| !all(name));
            self.refuse_rest(&fields, "unknown field");
            return None;
        };
        let fault = self.fault(kind, &mut fields);
        let belongs = |name: &str| KINDS.iter().any(|(_, fields)| fields.contains(&name));
        let strange = format!("`do = \"{kind}\"` has no");
        for (name, (at, _)) in &fields.left {
            let why = if belongs(name) { strange.as_str() } else { "unknown field" };
            let name: String = name.chars().take(80).collect();
            self.problem(at, format!("{why} `{name}`"));
        }
        rule.fault = fault?;
        let of_replies = rule.fault.is_of_replies();
        for (name, at) in [("path", path_at), ("method", method_at)] {
            if let (true, Some(at)) = (of_replies, at) {
                let why = format!("`{name}` says nothing of replies, which `{kind}` strikes");
                self.problem(&at, why);
            }
        }
        if let Some(message) = rule.message {
            let sent = message.direction() == Direction::Sent;
            if sent == of_replies {
                let what = if of_replies { "a reply of NCTS" } else { "sent by traders" };
                self.problem(&message_at, format!("`{message}` is not {what}"));
            } else if sent && rule.method.as_ref().is_some_and(|method| method != Method::POST) {
                self.problem(&message_at, "only a `POST` carries a message");
            }
        }
        Some(rule)
    }

    fn fault(&mut self, kind: &str, fields: &mut Fields<'_>) -> Option<Fault> {
        let skew =
            |value: &DeValue<'_>| integer(value).and_then(within(-1_000_000_000..=1_000_000_000));
        Some(match kind {
            "delay" => Fault::Delay(self.need(fields, "seconds", seconds)?),
            "status" => {
                let status = self.need(fields, "status", |value| {
                    let status = integer(value)?;
                    STATUSES
                        .contains(&status)
                        .then(|| u16::try_from(status).ok())
                        .flatten()
                        .ok_or_else(|| "must be one of 429, 500, 502, 503, 504".to_owned())
                });
                let retry_after = self.take(fields, "retry-after", |value| {
                    let seconds = integer(value).and_then(within(0..=86_400))?;
                    u32::try_from(seconds).map_err(|error| error.to_string())
                });
                let html = self.take(fields, "html", flag).unwrap_or(false);
                let taken = self.taken(fields);
                Fault::Status { status: status?, retry_after, html, taken }
            }
            "reset" => Fault::Reset { taken: self.taken(fields) },
            "close" => Fault::Close { taken: self.taken(fields) },
            "truncate" => {
                let keep = self.take(fields, "keep", |value| {
                    let bytes = integer(value).and_then(within(0..=1 << 30))?;
                    usize::try_from(bytes).map_err(|error| error.to_string())
                });
                let chunked = self.take(fields, "chunked", flag).unwrap_or(false);
                Fault::Truncate { keep, chunked }
            }
            "drip" => {
                let pause = |value: &DeValue<'_>| {
                    number(value)
                        .and_then(within(0.0..=60_000.0))
                        .map(|milliseconds| Duration::from_secs_f64(milliseconds / 1000.0))
                };
                Fault::Drip(self.need(fields, "milliseconds", pause)?)
            }
            "clock-skew" => Fault::ClockSkew(self.need(fields, "seconds", skew)?),
            "expired-token" => Fault::ExpiredToken,
            "wrong-type" => {
                let name = self.need(fields, "content-type", |value| {
                    let name = string(value)?;
                    match HeaderValue::from_str(&name) {
                        Ok(_) if name.len() <= 200 => Ok(name),
                        _ => Err("is no header value".to_owned()),
                    }
                });
                Fault::WrongType(name?)
            }
            "empty" => Fault::Empty,
            "extra-fields" => Fault::ExtraFields,
            "wrong-total" => {
                let by = self.need(fields, "by", |value| {
                    integer(value).and_then(within(-1_000_000..=1_000_000))
                });
                Fault::WrongTotal(by?)
            }
            "duplicate" => Fault::Duplicate(self.need(fields, "seconds", seconds)?),
            "late" => Fault::Late(self.need(fields, "seconds", seconds)?),
            "out-of-order" => Fault::OutOfOrder(self.need(fields, "seconds", seconds)?),
            _ => return None,
        })
    }

    fn taken(&mut self, fields: &mut Fields<'_>) -> bool {
        self.take(fields, "taken", flag).unwrap_or(false)
    }
}

impl<'a> Fields<'a> {
    fn of(span: Range<usize>, table: &'a DeTable<'a>) -> Self {
        let left = table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), (key.span(), value)))
            .collect();
        Self { span, left }
    }
}
