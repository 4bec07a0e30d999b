//! Production credentials that a house holds, the versions of its software that
//! are in use, and changes of HMRC's documentation: what decides whether and
//! for what a further application is needed.
//!
//! Source of the rules: CTC Traders API phase 5 testing guide, additional
//! production credentials applications.

use chrono::NaiveDate;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::day::day;
use crate::catalogue::Flow;

/// An application for production credentials that HMRC granted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Credentials {
    /// The London day on which they were granted.
    #[serde(deserialize_with = "day")]
    pub granted: NaiveDate,
    /// The version of the CTC Traders API they are for: `2.1`.
    pub api: String,
    /// The flows applied for.
    pub flows: Vec<Flow>,
    /// The version of the software that was tested for them.
    pub version: Option<String>,
}

/// Another version of the software that is in use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OtherVersion {
    /// As in the software's own numbering.
    pub version: String,
    /// The flows it supports.
    pub flows: Vec<Flow>,
}

/// A significant change of the NCTS documentation: of the order of messages,
/// or of more than rules and conditions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DocumentationChange {
    /// The London day from which it holds.
    #[serde(deserialize_with = "day")]
    pub on: NaiveDate,
    /// What changed, in the house's words.
    pub what: String,
    /// The flows whose software it affects; none named: all.
    #[serde(default)]
    pub flows: Vec<Flow>,
}

impl DocumentationChange {
    /// Whether it affects a flow. What belongs to no flow is affected by every
    /// change.
    pub fn affects(&self, flow: Option<Flow>) -> bool {
        self.flows.is_empty() || flow.is_none_or(|flow| self.flows.contains(&flow))
    }
}

/// `[[credentials]]`, or `[credentials]` where there is one alone. A visitor,
/// since an untagged enum would lose what is wrong and where.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<Credentials>, D::Error> {
    struct Tables;
    impl<'de> Visitor<'de> for Tables {
        type Value = Vec<Credentials>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a table or a list of tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Ok(vec![Credentials::deserialize(MapAccessDeserializer::new(map))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }
    from.deserialize_any(Tables)
}
