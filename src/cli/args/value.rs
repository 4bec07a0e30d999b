//! Values of arguments, read from their text.

use chrono::NaiveDate;

use super::Build;
use crate::calendar::london;

pub(super) fn london_date(text: &str) -> Result<NaiveDate, String> {
    london::parse_date(text)
        .map_err(|_| "it must be a date from 2000 to 2099, such as 2026-12-04".to_owned())
}

/// A digest where it says so, and a file otherwise.
pub(super) fn build(text: &str) -> Result<Build, String> {
    let Some(hex) = text.strip_prefix("sha256:") else { return Ok(Build::File(text.into())) };
    hex.parse().map(Build::Digest).map_err(|_| {
        "after `sha256:` it must have 64 lower-case hexadecimal digits (a file of such a name: \
         `./sha256:…`)"
            .to_owned()
    })
}

/// Data type of the LRN: at most 22 characters, none of them a space at either
/// end.
pub(super) fn lrn(text: &str) -> Result<String, String> {
    let fits = (1..=22).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control);
    match fits {
        true => Ok(text.to_owned()),
        false => Err("it must have 1 to 22 characters, no space at either end".to_owned()),
    }
}

/// The API's id of a movement.
pub(super) fn movement_id(text: &str) -> Result<String, String> {
    match crate::hmrc::api::is_id(text) {
        true => Ok(text.to_owned()),
        false => Err("it must have 16 lower-case hexadecimal digits".to_owned()),
    }
}

/// Data type of the MRN: year, country, 13 letters or digits, a digit.
pub(super) fn mrn(text: &str) -> Result<String, String> {
    let fits = text.len() == 18
        && text.bytes().enumerate().all(|(place, byte)| match place {
            0 | 1 | 17 => byte.is_ascii_digit(),
            2 | 3 => byte.is_ascii_uppercase(),
            _ => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
        });
    match fits {
        true => Ok(text.to_owned()),
        false => Err("it must have 18 characters, such as 26GB00EXAMPLE000J7".to_owned()),
    }
}

pub(super) fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && (0.001..=1_000_000.0).contains(&scale) => Ok(scale),
        _ => Err("it must be a number from 0.001 to 1000000".to_owned()),
    }
}
