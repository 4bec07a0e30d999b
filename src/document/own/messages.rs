//! Every message of an attempt, or every question for a balance, in the order of
//! the record.

use chrono::{DateTime, Utc};

use super::Dossier;
use super::sheet::{Blocks, Cell, Line, Look, Shape, Table};
use super::words::words;
use crate::evidence::{BalanceRecord, MessageRecord, RunRecord};
use crate::ncts::Direction;

pub(super) fn write(dossier: &Dossier<'_>, run: &RunRecord, blocks: &mut Blocks) {
    if run.messages.is_empty() && run.balances.is_empty() {
        return blocks.text(&words().no_messages);
    }
    if let Some(mark) = dossier.mark() {
        blocks.warning(mark.trim());
    }
    if !run.messages.is_empty() {
        let columns =
            [("Message", 17), ("Times (UTC)", 46), ("HTTP", 11), ("Movement, message, body", 110)];
        let rows = run.messages.iter().map(message).collect();
        blocks.table(Table::new(Shape::Records, &columns, rows));
    }
    if !run.balances.is_empty() {
        let columns = [("Balance", 30), ("Times (UTC)", 46), ("HTTP", 11), ("Answer", 97)];
        let rows = run.balances.iter().map(balance).collect();
        blocks.table(Table::new(Shape::Records, &columns, rows));
    }
}

/// Columns: type and direction; our time, the API's, the server's; the HTTP
/// status; the ids of movement and message, and the digest of the body.
fn message(record: &MessageRecord) -> Vec<Cell> {
    let (direction, ours) = match record.direction {
        Direction::Sent => ("sent", "sent"),
        Direction::Received => ("received", "fetched"),
    };
    let line = |text: &str, look| Line { label: None, text: text.to_owned(), look };
    let lines = vec![line(record.message.as_str(), Look::Strong), line(direction, Look::Plain)];
    vec![
        Cell { lines, ..Cell::default() },
        times(ours, record.at, record.received, record.server_time),
        Cell::text(record.status.to_string()),
        Cell::labelled(
            [
                ("movement", record.movement_id.clone()),
                ("message", record.message_id.clone()),
                ("SHA-256", record.body.sha256.to_string()),
            ],
            Look::Id,
        ),
    ]
}

fn balance(record: &BalanceRecord) -> Vec<Cell> {
    let answer = match (record.balance, &record.code) {
        (Some(balance), _) => {
            format!("{balance} {}", record.currency.as_deref().unwrap_or("(no currency)"))
        }
        (None, Some(code)) => code.clone(),
        (None, None) => "neither balance nor code".to_owned(),
    };
    vec![
        Cell::strong(format!("step {}, exchange {}", record.step, record.exchange)),
        times("asked", record.at, None, record.server_time),
        Cell::text(record.status.to_string()),
        Cell::text(answer),
    ]
}

fn times(
    ours: &'static str,
    at: DateTime<Utc>,
    api: Option<DateTime<Utc>>,
    server: Option<DateTime<Utc>>,
) -> Cell {
    let lines = [(ours, Some(at)), ("API", api), ("server", server)];
    let told = lines.into_iter().filter_map(|(label, at)| Some((label, moment(at?))));
    Cell::labelled(told, Look::Exact)
}

/// `2026-11-21 09:30:05.412`; without milliseconds where there are none, as the
/// `Date` of a server has none.
fn moment(at: DateTime<Utc>) -> String {
    let format = match at.timestamp_subsec_millis() {
        0 => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    at.format(format).to_string()
}
