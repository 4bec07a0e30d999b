//! `traders.toml`: what HMRC wants to know of each trader that a house will
//! serve, before it lets the trader's software into production (service guide,
//! before you start).
//!
//! - [`check`]: each field's format, and what is missing.
//! - `numbers`: EORI, VAT, UTR and SIC numbers.
//!
//! These are other people's data. They stand in a file of their own, are never
//! repeated in a message, and go into no evidence, form or bundle. The command
//! line may call it, and nothing else does.

mod fields;
mod numbers;

pub use fields::TEMPLATE;

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;
use toml::{Table, Value};

/// The file's name, beside `ctc-ready.toml`.
pub const FILE_NAME: &str = "traders.toml";

/// Largest file read, in bytes: some tens of thousands of traders.
pub const MAX_BYTES: u64 = 16 << 20;

/// Most traders told of one by one; the rest are counted.
pub const TOLD: usize = 1_000;

/// A file that cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TradersError {
    /// No TOML. The line itself is not repeated.
    #[error("`{file}`{place} is not TOML: {message}", file = .file.display(), place = .line.map_or_else(String::new, |line| format!(", line {line},")))]
    NotToml {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// Something else than traders in it.
    #[error("`{file}` holds {found}; it is a list of `[[trader]]` and nothing else", file = .file.display())]
    NotTraders {
        /// The file.
        file: PathBuf,
        /// What it holds instead.
        found: String,
    },
}

/// How a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FieldState {
    /// HMRC asks for it and it is not there.
    Missing,
    /// It cannot be right.
    Wrong,
    /// It may be right, and is unusual.
    Doubtful,
}

/// Something about a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldFinding {
    /// Its name in the file.
    pub field: String,
    /// How it stands.
    pub state: FieldState,
    /// What is the matter and what to do; never the value.
    pub message: String,
}

/// A trader and what there is to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TraderReport {
    /// Its place in the file, from 1.
    pub place: usize,
    /// Its name, where the file has one: a register's, and public.
    pub name: Option<String>,
    /// Nothing is missing or wrong.
    pub complete: bool,
    /// What is, in the order in which HMRC asks.
    pub findings: Vec<FieldFinding>,
}

/// Checks the text of `traders.toml`; `file` is for messages alone. `today` is
/// the London day on which nobody can have been founded yet tomorrow.
///
/// # Errors
/// When it is no list of traders.
pub fn check(text: &str, file: &Path, today: NaiveDate) -> Result<Vec<TraderReport>, TradersError> {
    let table: Table = toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().and_then(|span| Some(text.get(..span.start)?.lines().count()));
        // A malformed line may say anything of anybody: only its number.
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        TradersError::NotToml { file: file.to_owned(), line: line.map(|n| n.max(1)), message }
    })?;
    let not_traders =
        |found: &str| TradersError::NotTraders { file: file.to_owned(), found: found.to_owned() };
    if let Some(other) = table.keys().find(|key| *key != "trader") {
        let other: String = other.chars().take(40).collect();
        return Err(not_traders(&format!("`{other}`")));
    }
    let traders = match table.get("trader") {
        Some(Value::Array(traders)) if !traders.is_empty() => traders,
        Some(Value::Table(_)) => return Err(not_traders("one `[trader]` in single brackets")),
        Some(_) => return Err(not_traders("a `trader` that is no list")),
        None => return Err(not_traders("no trader")),
    };
    let mut reports = Vec::with_capacity(traders.len());
    for (place, trader) in (1..).zip(traders) {
        let Value::Table(trader) = trader else {
            return Err(not_traders("a `trader` that is no table"));
        };
        reports.push(fields::report(place, trader, today));
    }
    twice(traders, &mut reports);
    Ok(reports)
}

/// The unique taxpayer references in the text, as far as it can be read: what
/// must be in nothing that leaves this machine. Ten digits or more each.
pub fn references(text: &str) -> Vec<String> {
    let Ok(table) = toml::from_str::<Table>(text) else { return Vec::new() };
    let Some(Value::Array(traders)) = table.get("trader") else { return Vec::new() };
    let reference = |trader: &Value| {
        let text = fields::text(trader.get("utr")?)?;
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        (digits.len() >= 10).then_some(digits)
    };
    traders.iter().filter_map(reference).collect()
}

/// One trader is there twice: an EORI number is given to one alone.
fn twice(traders: &[Value], reports: &mut [TraderReport]) {
    let mut seen = std::collections::BTreeMap::new();
    for (trader, report) in traders.iter().zip(reports) {
        let eori = trader.get("eori").and_then(fields::text).map(|text| numbers::plain(&text));
        let Some(eori) = eori.filter(|eori| !eori.is_empty()) else { continue };
        if let Some(first) = seen.get(&eori) {
            report.findings.push(FieldFinding {
                field: "eori".to_owned(),
                state: FieldState::Wrong,
                message: format!("is the same as that of trader {first}"),
            });
            report.complete = false;
        } else {
            seen.insert(eori, report.place);
        }
    }
}
