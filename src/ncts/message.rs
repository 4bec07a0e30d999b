//! The types of message that a trader and NCTS exchange.
//!
//! Source: CTC Traders API OpenAPI (message types) and the NCTS technical
//! interface specification, list of messages.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a movement is seen from the office of departure or of destination.
/// The API keeps the two apart: `/movements/departures`, `/movements/arrivals`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum MovementKind {
    /// Created by an IE015.
    Departure,
    /// Created by an IE007.
    Arrival,
}

impl MovementKind {
    /// The plural used in paths and JSON: `departures`, `arrivals`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Departure => "departures",
            Self::Arrival => "arrivals",
        }
    }

    /// The singular used in links: `departure`, `arrival`.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Departure => "departure",
            Self::Arrival => "arrival",
        }
    }

    /// The name of the id field: `departureId`, `arrivalId`.
    pub fn id_field(self) -> &'static str {
        match self {
            Self::Departure => "departureId",
            Self::Arrival => "arrivalId",
        }
    }
}

/// Who sends a message.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the trader's software to NCTS.
    Sent,
    /// From NCTS to the trader.
    Received,
}

/// One row per message type: number, direction, movement, meaning.
macro_rules! message_types {
    ($($variant:ident $number:literal $direction:ident $movement:ident $meaning:literal;)*) => {
        /// A message type, written `IE015` in the guides and in the API's
        /// `type` field, `CC015C` as an XML root element.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MessageType {
            $(#[doc = $meaning] $variant,)*
        }

        impl MessageType {
            /// Every type, in the order of their numbers.
            pub const ALL: &[MessageType] = &[$(MessageType::$variant,)*];

            /// `IE015`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => concat!("IE", $number),)* }
            }

            /// The XML root element's local name: `CC015C`.
            pub fn root(self) -> &'static str {
                match self { $(Self::$variant => concat!("CC", $number, "C"),)* }
            }

            /// Who sends it.
            pub fn direction(self) -> Direction {
                match self { $(Self::$variant => Direction::$direction,)* }
            }

            /// The kind of movement it belongs to.
            pub fn movement(self) -> MovementKind {
                match self { $(Self::$variant => MovementKind::$movement,)* }
            }

            /// What it says, in a few words.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

message_types! {
    Ie004 "004" Received Departure "amendment accepted";
    Ie007 "007" Sent Arrival "arrival notification";
    Ie009 "009" Received Departure "invalidation decision";
    Ie013 "013" Sent Departure "declaration amendment";
    Ie014 "014" Sent Departure "declaration invalidation request";
    Ie015 "015" Sent Departure "transit declaration";
    Ie019 "019" Received Departure "discrepancies";
    Ie025 "025" Received Arrival "goods release notification";
    Ie028 "028" Received Departure "MRN allocated";
    Ie029 "029" Received Departure "released for transit";
    Ie035 "035" Received Departure "recovery notification";
    Ie043 "043" Received Arrival "unloading permission";
    Ie044 "044" Sent Arrival "unloading remarks";
    Ie045 "045" Received Departure "write-off notification";
    Ie051 "051" Received Departure "not released for transit";
    Ie055 "055" Received Departure "guarantee not valid";
    Ie056 "056" Received Departure "rejection from office of departure";
    Ie057 "057" Received Arrival "rejection from office of destination";
    Ie060 "060" Received Departure "control decision";
    Ie170 "170" Sent Departure "presentation notification";
    Ie182 "182" Received Departure "forwarded incident notification";
    Ie928 "928" Received Departure "positive acknowledgement";
}

impl MessageType {
    /// The type with this XML root element (local name, `CC015C`).
    pub fn from_root(root: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|message| message.root() == root)
    }

    /// Whether this message starts a movement (IE015, IE007).
    pub fn opens_movement(self) -> bool {
        matches!(self, Self::Ie015 | Self::Ie007)
    }

    /// Whether this message refuses what was asked: it ends a run unless the
    /// scenario expects it.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Ie051 | Self::Ie055 | Self::Ie056 | Self::Ie057)
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no message type.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a message type (such as `IE015`)")]
pub struct UnknownMessageType(String);

impl FromStr for MessageType {
    type Err = UnknownMessageType;

    fn from_str(text: &str) -> Result<Self, UnknownMessageType> {
        Self::ALL
            .iter()
            .copied()
            .find(|message| message.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownMessageType(text.chars().take(40).collect()))
    }
}

impl Serialize for MessageType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MessageType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for MessageType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MessageType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^IE[0-9]{3}$"})
    }
}
