//! Times as people write them into a form: `21/11/2026 09:30`, `9.30am on 21st
//! November 2026`, `2026-11-21T09:30:05Z`. What is not surely a time is none.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::calendar::london;
use crate::ncts::MessageType;

/// Longest text looked at, in characters: an answer is a line or two.
const MAX_TEXT: usize = 2_000;

/// A time in a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The message named before it: `IE015 21/11/2026 09:30`.
    pub(super) message: Option<MessageType>,
    /// The instants it may mean: without a zone, UTC's and London's.
    at: Vec<DateTime<Utc>>,
    /// Whether it has seconds.
    seconds: bool,
}

impl Written {
    /// Whether this is `at`, to the second or minute in which it is written.
    pub(super) fn agrees(&self, at: DateTime<Utc>) -> bool {
        let unit = if self.seconds { TimeDelta::seconds(1) } else { TimeDelta::minutes(1) };
        self.at.iter().any(|written| (*written - at).abs() < unit)
    }
}

/// Every time in `text` that has a date, in order.
pub(super) fn times(text: &str) -> Vec<Written> {
    let tokens = tokens(text);
    let mut parts = Vec::new();
    let mut rest = &tokens[..];
    while let Some((_, after)) = rest.split_first() {
        let found = message(rest).or_else(|| date(rest)).or_else(|| time(rest));
        let found = found.or_else(|| zone(rest).map(|(zone, used)| (Part::Zone(zone), used)));
        rest = match found {
            Some((part, used)) => {
                parts.push(part);
                rest.get(used.max(1)..).unwrap_or_default()
            }
            None => after,
        };
    }
    together(&parts)
}

/// The first date in `text`.
pub(super) fn day(text: &str) -> Option<NaiveDate> {
    let tokens = tokens(text);
    (0..tokens.len()).find_map(|at| match date(tokens.get(at..)?) {
        Some((Part::Date(day), _)) => Some(day),
        _ => None,
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Digits.
    Number(String),
    /// Letters, in lower case.
    Word(String),
    /// Anything else but white space.
    Other(char),
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Message(MessageType),
    Date(NaiveDate),
    Time { time: NaiveTime, seconds: bool },
    Zone(Zone),
}

#[derive(Clone, Copy, Debug)]
enum Zone {
    /// This many minutes ahead of UTC.
    Ahead(i64),
    London,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    let mut joined = false;
    for c in text.chars().take(MAX_TEXT) {
        match (out.last_mut(), c) {
            (Some(Token::Number(number)), c) if joined && c.is_ascii_digit() => number.push(c),
            (Some(Token::Word(word)), c) if joined && c.is_alphabetic() => {
                word.extend(c.to_lowercase());
            }
            (_, c) if c.is_ascii_digit() => out.push(Token::Number(c.to_string())),
            (_, c) if c.is_alphabetic() => out.push(Token::Word(c.to_lowercase().collect())),
            (_, c) if c.is_whitespace() => {}
            (_, c) => out.push(Token::Other(super::body::plain(c))),
        }
        joined = !c.is_whitespace();
    }
    out
}

/// A number of at most `digits` digits, and at least `least`.
fn number(token: Option<&Token>, least: usize, digits: usize) -> Option<u32> {
    match token? {
        Token::Number(text) if (least..=digits).contains(&text.len()) => text.parse().ok(),
        _ => None,
    }
}

fn word(token: Option<&Token>) -> Option<&str> {
    match token? {
        Token::Word(text) => Some(text),
        _ => None,
    }
}

fn other(token: Option<&Token>) -> Option<char> {
    match token? {
        Token::Other(c) => Some(*c),
        _ => None,
    }
}

fn message(tokens: &[Token]) -> Option<(Part, usize)> {
    let (Some("ie"), Some(Token::Number(digits))) = (word(tokens.first()), tokens.get(1)) else {
        return None;
    };
    let message = format!("IE{digits}").parse().ok()?;
    Some((Part::Message(message), 2))
}

fn date(tokens: &[Token]) -> Option<(Part, usize)> {
    let found = |year: u32, month, day, used| {
        let year = if year < 100 { 2000 + year } else { year };
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        Some((Part::Date(date), used))
    };
    let year = |token| number(token, 4, 4).or_else(|| number(token, 2, 2));
    let short = |at: usize| number(tokens.get(at), 1, 2);
    if let (Some(one @ ('-' | '/' | '.')), Some(two)) = (other(tokens.get(1)), other(tokens.get(3)))
        && one == two
    {
        if let (Some(year), Some(month), Some(day)) =
            (number(tokens.first(), 4, 4), short(2), short(4))
        {
            return found(year, month, day, 5);
        }
        if let (Some(first), Some(second), Some(year)) = (short(0), short(2), year(tokens.get(4))) {
            // The form is a British one: the day comes first wherever it can.
            return found(year, second, first, 5).or_else(|| found(year, first, second, 5));
        }
    }
    // Words of a date, with what may stand between them.
    let idle = |at: usize| {
        let between = |token: &Token| match token {
            Token::Word(text) => ["st", "nd", "rd", "th", "of"].contains(&text.as_str()),
            Token::Other(c) => matches!(c, '-' | ',' | '/' | '.'),
            Token::Number(_) => false,
        };
        at + tokens.iter().skip(at).take(3).take_while(|token| between(token)).count()
    };
    let (second, third) = (idle(1), idle(idle(1) + 1));
    let year = year(tokens.get(third));
    match (short(0), month(word(tokens.get(second)))) {
        (Some(day), Some(month)) => return found(year?, month, day, third + 1),
        (Some(_), None) => return None,
        (None, _) => {}
    }
    found(year?, month(word(tokens.first()))?, short(second)?, third + 1)
}

/// A month by its name or the beginning of it, of three letters or more.
fn month(word: Option<&str>) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.filter(|word| word.len() >= 3)?;
    (1..).zip(MONTHS).find(|(_, month)| month.starts_with(word)).map(|(number, _)| number)
}

fn time(tokens: &[Token]) -> Option<(Part, usize)> {
    let part = |hour, minute, second: Option<u32>, used| {
        let time = NaiveTime::from_hms_opt(hour, minute, second.unwrap_or(0))?;
        Some((Part::Time { time, seconds: second.is_some() }, used))
    };
    if let Some(four) = number(tokens.first(), 4, 4) {
        // `0930 UTC`: a year stands in a date, which was looked for before.
        return part(four / 100, four % 100, None, 1);
    }
    let hour = number(tokens.first(), 1, 2)?;
    let colon = |at| other(tokens.get(at)).filter(|c| matches!(c, ':' | '.'));
    let (mut minute, mut second, mut used) = (None, None, 1);
    if colon(1).is_some() {
        minute = number(tokens.get(2), 2, 2);
        used = if minute.is_some() { 3 } else { 1 };
    }
    if minute.is_some() && colon(3).is_some() {
        second = number(tokens.get(4), 2, 2);
        used = if second.is_some() { 5 } else { 3 };
    }
    let fraction = matches!(other(tokens.get(used)), Some('.' | ','))
        && matches!(tokens.get(used + 1), Some(Token::Number(digits)) if digits.len() >= 3);
    if second.is_some() && fraction {
        used += 2;
    }
    let half = word(tokens.get(used)).and_then(|half| match half {
        "am" => Some((0, 1)),
        "pm" => Some((12, 1)),
        "a" | "p" if word(tokens.get(used + 2)) == Some("m") => {
            Some((if half == "p" { 12 } else { 0 }, 3))
        }
        _ => None,
    });
    let hour = match half {
        Some((later, words)) if (1..=12).contains(&hour) => {
            used += words;
            hour % 12 + later
        }
        // A number alone is no time.
        _ if minute.is_none() => return None,
        _ => hour,
    };
    part(hour, minute.unwrap_or(0), second, used)
}

fn zone(tokens: &[Token]) -> Option<(Zone, usize)> {
    let ahead = |from: usize| {
        other(tokens.get(from)).filter(|c| *c == '+')?;
        if let Some(four) = number(tokens.get(from + 1), 4, 4) {
            return Some((i64::from(four / 100 * 60 + four % 100), from + 2));
        }
        let hours = i64::from(number(tokens.get(from + 1), 1, 2)?) * 60;
        match (other(tokens.get(from + 2)), number(tokens.get(from + 3), 2, 2)) {
            (Some(':'), Some(minutes)) => Some((hours + i64::from(minutes), from + 4)),
            _ => Some((hours, from + 2)),
        }
    };
    let (minutes, used) = match word(tokens.first()) {
        Some("z" | "utc" | "gmt") => ahead(1).unwrap_or((0, 1)),
        Some("bst" | "cet") => (60, 1),
        Some("cest") => (120, 1),
        Some("london" | "uk" | "local") => return Some((Zone::London, 1)),
        _ => ahead(0)?,
    };
    Some((Zone::Ahead(minutes), used))
}

/// Each time with its date, zone and message.
fn together(parts: &[Part]) -> Vec<Written> {
    let dates = |part: &Part| if let Part::Date(date) = part { Some(*date) } else { None };
    let zones = |part: &Part| if let Part::Zone(zone) = part { Some(*zone) } else { None };
    let is_time = |part: &Part| matches!(part, Part::Time { .. });
    let dated = |part: &&Part| is_time(part) || dates(part).is_some();
    let time_first = parts.iter().find(dated).is_some_and(is_time);
    let mut all_zones = parts.iter().filter_map(zones);
    let only_zone = all_zones.next().filter(|_| all_zones.next().is_none());
    let mut out = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let Part::Time { time, seconds } = *part else { continue };
        let (before, after) = parts.split_at(place);
        let after = after.get(1..).unwrap_or_default();
        let earlier = before.iter().rev().find_map(dates);
        let later = after.iter().find_map(dates);
        let date = if time_first { later.or(earlier) } else { earlier.or(later) };
        let Some(date) = date else { continue };
        let near = after.iter().take_while(|part| !is_time(part)).find_map(zones);
        let utc = date.and_time(time).and_utc();
        let at = match near.or(only_zone) {
            Some(Zone::Ahead(minutes)) => vec![utc - TimeDelta::minutes(minutes)],
            Some(Zone::London) => in_london(date, time),
            None => [vec![utc], in_london(date, time)].concat(),
        };
        let message = before.iter().rev().find_map(|part| match part {
            Part::Message(message) => Some(*message),
            _ => None,
        });
        out.push(Written { message, at, seconds });
    }
    out
}

fn in_london(date: NaiveDate, time: NaiveTime) -> Vec<DateTime<Utc>> {
    let found = london::instant_of(date, time);
    found.map_or_else(
        |_| Vec::new(),
        |found| [Some(found.instant), found.also].into_iter().flatten().collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(text: &str, at: &str) -> bool {
        let found = times(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found[0].agrees(at.parse().unwrap())
    }

    #[test]
    fn people_write_times_in_many_ways() {
        for text in [
            "2026-11-21 09:30:05 UTC",
            "2026-11-21T09:30:05Z",
            "2026-11-21T10:30:05.412+01:00",
            "21/11/2026 09:30",
            "21/11/26, 9:30am",
            "21.11.2026 9.30",
            "21-11-2026 at 09:30 GMT",
            "11/21/2026 09:30",
            "Sat 21 Nov 2026 09:30:05",
            "21-Nov-2026 0930 hrs",
            "9.30 a.m. on the 21st of November 2026",
            "November 21, 2026, 9:30 am",
            "09:30:05 21/11/2026 (UTC)",
            "10:30 on 21 November 2026 CET",
            "2026/11/21 10:30 UTC+1",
        ] {
            assert!(agrees(text, "2026-11-21T09:30:05.412Z"), "{text}: {:?}", times(text));
            assert!(!agrees(text, "2026-11-21T09:32:00Z"), "{text}");
            assert!(!agrees(text, "2026-11-22T09:30:05Z"), "{text}");
        }
        assert!(agrees("9:30 pm 21/11/2026", "2026-11-21T21:30:00Z"));
        assert!(agrees("12.05am 21/11/2026", "2026-11-21T00:05:00Z"));
        // Minutes may be cut off or rounded, seconds too.
        assert!(agrees("21/11/2026 09:31", "2026-11-21T09:30:05Z"));
        assert!(!agrees("21/11/2026 09:30:07", "2026-11-21T09:30:05Z"));
    }

    #[test]
    fn in_summer_no_zone_may_be_either() {
        for at in ["2026-07-04T09:30:00Z", "2026-07-04T08:30:00Z"] {
            assert!(agrees("4 July 2026 09:30", at));
        }
        assert!(!agrees("4 July 2026 09:30 UTC", "2026-07-04T08:30:00Z"));
        assert!(!agrees("4 July 2026 09:30 BST", "2026-07-04T09:30:00Z"));
        assert!(agrees("4 July 2026 09:30 UK time", "2026-07-04T08:30:00Z"));
    }

    #[test]
    fn several_times_have_their_own_date_and_message() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for text in [
            "IE015 2026-11-21 09:30:05 UTC, IE029 2026-11-22 10:00:00 UTC",
            "IE015: 09:30:05 21/11/2026; IE029: 10:00:00 22/11/2026",
        ] {
            let found = times(text);
            assert_eq!(found.len(), 2, "{text}");
            assert_eq!(found[0].message, Some(MessageType::Ie015));
            assert!(found[0].agrees(at("2026-11-21T09:30:05Z")));
            assert_eq!(found[1].message, Some(MessageType::Ie029));
            assert!(found[1].agrees(at("2026-11-22T10:00:00Z")), "{text}: {found:?}");
        }
        // One date for both.
        let found = times("21/11/2026 09:30-10:00");
        assert!(found.len() == 2 && found[1].agrees(at("2026-11-21T10:00:00Z")), "{found:?}");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "see e-mail",
            "21/11/2026",
            "09:30",
            "31/02/2026 09:30",
            "2026-11-21 25:61",
            "99/99/9999 99:99",
            "1",
            "+",
            "IE",
            "IE015",
            "21 2026",
            "::..//--",
            "٠٩:٣٠ 21/11/2026",
        ] {
            assert_eq!(times(text), [], "{text}");
        }
        let long = "21/11/2026 ".repeat(100_000);
        assert_eq!(times(&long), []);
    }
}
