//! The test-support API of the sandbox: it files a message of NCTS with a
//! movement, when asked. Its content is random: its LRN, MRN, offices and
//! traders are not the movement's.
//!
//! Source: CTC Traders API test-support OpenAPI 2.1 and 3.0, and its published
//! source (types accepted for each kind of movement).

use super::api::Api;
use super::transport::{Call, Method};
use crate::ncts::{Direction, MessageType, MovementKind};

/// Scope of a token that may inject.
pub const SCOPE: &str = "common-transit-convention-traders-test-support";

/// Whether the API can inject this message.
pub fn injectable(message: MessageType) -> bool {
    message.direction() == Direction::Received
}

/// The version of the API that serves movements of this version of the CTC
/// Traders API: 2.0 was retired without any of its own.
pub fn version(of: &str) -> &str {
    if of == "2.0" { "2.1" } else { of }
}

impl Api {
    /// POST that has a message of NCTS filed with the movement `id`, which is
    /// the trader's own.
    pub fn inject(&self, kind: MovementKind, id: &str, message: MessageType) -> Call {
        let body = serde_json::json!({"message": {"messageType": message.as_str()}}).to_string();
        let path = ["test", "customs", "transits", "movements", kind.plural(), id, "messages"];
        self.call(Method::Post, &path, "json").body("application/json", body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn a_message_is_asked_for_by_its_name() {
        let base = Url::parse("https://example.org/").unwrap();
        let api = Api::new(base, "2.1", "t0ken".to_owned().into());
        let call = api.inject(MovementKind::Departure, "0123456789abcdef", MessageType::Ie028);
        assert_eq!(
            call.url,
            "https://example.org/test/customs/transits/movements/departures/0123456789abcdef/messages"
        );
        assert_eq!(call.headers[0].1, "application/vnd.hmrc.2.1+json");
        assert_eq!(call.headers[2].1, "application/json");
        assert_eq!(call.body.unwrap(), br#"{"message":{"messageType":"IE028"}}"#);
    }
}
