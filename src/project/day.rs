//! Days as people write them in settings: a TOML date, or the same as text.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer};

use crate::calendar::london;

/// A day as it stands in the file.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a date such as 2026-12-04")]
enum Written {
    Text(String),
    Toml(toml::value::Datetime),
}

impl Written {
    /// The day; none where it is no date from 2000 to 2099.
    pub(super) fn day(&self) -> Option<NaiveDate> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Toml(date) => date.to_string(),
        };
        london::parse_date(&text).ok()
    }
}

/// Reads `2026-12-04` and `"2026-12-04"` alike.
pub(super) fn day<'de, D: Deserializer<'de>>(from: D) -> Result<NaiveDate, D::Error> {
    Written::deserialize(from)?.day().ok_or_else(|| {
        serde::de::Error::custom(
            "expected a date between 2000-01-01 and 2099-12-31, such as 2026-12-04",
        )
    })
}

/// The same of several days, each by its key.
pub(super) fn by_key<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, NaiveDate>, D::Error> {
    BTreeMap::<String, Written>::deserialize(from)?
        .into_iter()
        .map(|(key, written)| match written.day() {
            Some(day) => Ok((key, day)),
            None => Err(serde::de::Error::custom(format!(
                "`{key}` is not a date between 2000-01-01 and 2099-12-31, such as 2026-12-04"
            ))),
        })
        .collect()
}
