//! The fields of a trader, in the order in which HMRC asks for them.

use chrono::{Datelike as _, NaiveDate};
use toml::{Table, Value};

use super::numbers;
use super::{FieldFinding, FieldState, TraderReport};

/// Longest company name in the register of companies (Companies Act 2006,
/// section 53 regulations).
const NAME: usize = 160;

/// Most SIC codes that a company has in the register.
const SIC_CODES: usize = 4;

/// The year before which no company of the register was founded.
const FIRST_YEAR: i32 = 1600;

/// The fields known.
const FIELDS: [&str; 9] =
    ["eori", "vat", "sic", "utr", "name", "address", "established", "email", "contact"];

/// A text, or a number that somebody forgot to put into quotation marks.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What there is to say about a trader.
pub(super) fn report(place: usize, trader: &Table, today: NaiveDate) -> TraderReport {
    let mut look = Look { trader, findings: Vec::new() };
    look.eori();
    look.vat();
    look.sic();
    look.utr();
    look.name();
    look.address();
    look.established(today);
    look.email();
    look.contact();
    for key in trader.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
        let key: String = key.chars().take(40).collect();
        look.say(&key, FieldState::Wrong, format!("is no field; known are {}", FIELDS.join(", ")));
    }
    let findings = look.findings;
    let name = trader.get("name").and_then(text).map(|name| name.chars().take(NAME).collect());
    let complete = findings.iter().all(|finding| finding.state == FieldState::Doubtful);
    TraderReport { place, name, complete, findings }
}

struct Look<'a> {
    trader: &'a Table,
    findings: Vec<FieldFinding>,
}

impl Look<'_> {
    fn say(&mut self, field: &str, state: FieldState, message: impl Into<String>) {
        self.findings.push(FieldFinding {
            field: field.to_owned(),
            state,
            message: message.into(),
        });
    }

    fn wrong(&mut self, field: &str, message: impl Into<String>) {
        self.say(field, FieldState::Wrong, message);
    }

    /// The text of a field HMRC asks for; says so where there is none.
    fn asked(&mut self, field: &str, what: &str) -> Option<String> {
        let found = self.optional(field);
        if found.is_none() && !self.trader.contains_key(field) {
            self.say(field, FieldState::Missing, format!("is missing: {what}"));
        }
        found
    }

    /// The text of a field, where it is there and a text.
    fn optional(&mut self, field: &str) -> Option<String> {
        let value = self.trader.get(field)?;
        let Some(text) = text(value) else {
            self.wrong(field, "must be a text in quotation marks");
            return None;
        };
        if matches!(value, Value::Integer(_)) {
            self.say(
                field,
                FieldState::Doubtful,
                "is written as a number, which loses noughts at its beginning; put it into quotation marks",
            );
        }
        if text.trim().is_empty() {
            self.wrong(field, "is empty");
            return None;
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            self.wrong(field, "holds control characters");
            return None;
        }
        Some(text)
    }

    fn eori(&mut self) {
        if let Some(text) = self.asked("eori", "the GB EORI number")
            && let Some(message) = numbers::eori(&text)
        {
            self.wrong("eori", message);
        }
    }

    fn vat(&mut self) {
        let Some(vat) = self.optional("vat") else { return };
        if let Some(message) = numbers::vat(&vat) {
            self.wrong("vat", message);
            return;
        }
        let eori = self.trader.get("eori").and_then(text);
        if let Some(eori) = eori.filter(|eori| numbers::eori(eori).is_none())
            && !numbers::eori_of_vat(&eori, &vat)
        {
            self.say(
                "vat",
                FieldState::Doubtful,
                "is not in the EORI number, as it is for most who are registered for VAT; do both belong to this trader?",
            );
        }
    }

    fn sic(&mut self) {
        let codes: Vec<String> = match self.trader.get("sic") {
            Some(Value::Array(codes)) => {
                let texts: Option<Vec<String>> = codes.iter().map(text).collect();
                match texts {
                    Some(texts) => texts,
                    None => return self.wrong("sic", "must be texts in quotation marks"),
                }
            }
            _ => match self.asked("sic", "the Standard Industrial Classification code, 5 digits") {
                Some(code) => vec![code],
                None => return,
            },
        };
        if codes.is_empty() {
            self.wrong("sic", "names no code");
        }
        if codes.len() > SIC_CODES {
            self.wrong("sic", format!("names more than {SIC_CODES} codes"));
        }
        if let Some(message) = codes.iter().find_map(|code| numbers::sic(code)) {
            self.wrong("sic", message);
        }
    }

    fn utr(&mut self) {
        if let Some(text) = self.asked("utr", "the unique taxpayer reference, 10 digits")
            && let Some(message) = numbers::utr(&text)
        {
            self.wrong("utr", message);
        }
    }

    fn name(&mut self) {
        let what = "the registered company name, letter by letter as in the register";
        let Some(name) = self.asked("name", what) else { return };
        if name.trim() != name || name.contains("  ") || name.contains('\n') {
            self.wrong("name", "has spaces too many: it must match the register letter by letter");
        }
        if name.chars().count() > NAME {
            self.wrong("name", format!("has more than {NAME} characters, which no company has"));
        }
    }

    fn address(&mut self) {
        let lines: Vec<String> = match self.trader.get("address") {
            Some(Value::Array(lines)) => lines.iter().filter_map(text).collect(),
            _ => match self.asked("address", "the registered address, with its postcode") {
                Some(text) => text.split([',', '\n']).map(str::to_owned).collect(),
                None => return,
            },
        };
        let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
        if lines.len() < 2 || lines.iter().any(|line| line.is_empty()) {
            self.wrong("address", "must be street, town and postcode, none of them empty");
            return;
        }
        let ends = lines.last().is_some_and(|last| {
            let words: Vec<&str> = last.split_whitespace().collect();
            let tail = words.get(words.len().saturating_sub(2)..).unwrap_or_default();
            numbers::is_postcode(last) || numbers::is_postcode(&tail.concat())
        });
        if !ends {
            self.say(
                "address",
                FieldState::Doubtful,
                "does not end with a postcode of the United Kingdom",
            );
        }
    }

    fn established(&mut self, today: NaiveDate) {
        let day = match self.trader.get("established") {
            Some(Value::Datetime(date)) => date.to_string(),
            _ => match self.asked("established", "the date on which the company was established") {
                Some(text) => text,
                None => return,
            },
        };
        match NaiveDate::parse_from_str(day.trim(), "%Y-%m-%d") {
            Ok(day) if day > today => self.wrong("established", "lies in the future"),
            Ok(day) if day.year() < FIRST_YEAR => {
                self.wrong("established", format!("lies before {FIRST_YEAR}"));
            }
            Ok(_) => {}
            Err(_) => self.wrong("established", "must be a date such as 2001-02-03"),
        }
    }

    fn email(&mut self) {
        let Some(email) = self.asked("email", "an e-mail address") else { return };
        let plain = !email.chars().any(|c| c.is_whitespace() || "<>(),;:\"".contains(c));
        let fits = email.rsplit_once('@').is_some_and(|(name, domain)| {
            let labels: Vec<&str> = domain.split('.').collect();
            let label = |label: &&str| {
                !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
            };
            !name.is_empty() && !name.contains('@') && labels.len() > 1 && labels.iter().all(label)
        });
        // RFC 5321, section 4.5.3.1: 64 for the name, 255 for the domain.
        if !plain || !fits || email.len() > 320 {
            self.wrong("email", "is no e-mail address");
        }
    }

    fn contact(&mut self) {
        let Some(contact) =
            self.asked("contact", "whom HMRC can ask: a name and a telephone number")
        else {
            return;
        };
        if contact.chars().filter(char::is_ascii_digit).count() < 7 {
            self.say("contact", FieldState::Doubtful, "has no telephone number");
        }
        if !contact.chars().any(char::is_alphabetic) {
            self.say("contact", FieldState::Doubtful, "has no name");
        }
    }
}

/// `traders.toml` to begin with.
pub const TEMPLATE: &str = include_str!("../../../templates/settings/traders.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_asks_for_every_field_and_passes_for_nobody() {
        let table: Table = toml::from_str(TEMPLATE).unwrap();
        let trader = table["trader"][0].as_table().unwrap();
        let report = report(1, trader, NaiveDate::from_ymd_opt(2026, 11, 21).unwrap());
        let empty = report.findings.iter().filter(|finding| finding.message == "is empty");
        let asked = FIELDS.iter().filter(|field| **field != "vat");
        assert!(empty.map(|finding| finding.field.as_str()).eq(asked.copied()), "{report:?}");
        assert!(!report.complete);
    }
}
