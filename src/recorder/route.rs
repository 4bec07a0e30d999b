//! What a request is about, by its method and path.
//!
//! Source: CTC Traders API OpenAPI 2.1 and 3.0, paths.

use crate::hmrc::api::is_id;
use crate::ncts::MovementKind;

/// Where the CTC Traders API keeps movements.
const MOVEMENTS: &str = "/customs/transits/movements/";

/// What a request is about. Ids are of 16 hexadecimal digits, as the API's are;
/// whatever has others is [`Route::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// POST of the first message of a movement.
    Open(MovementKind),
    /// POST of a further message of this movement.
    Add(MovementKind, String),
    /// GET of a list of movements, or of this one.
    Movements(MovementKind),
    /// GET of a movement's messages.
    Messages(MovementKind, String),
    /// GET of a message, or of its body alone.
    Message { kind: MovementKind, movement: String, message: String, body: bool },
    /// Anything else.
    Other,
}

impl Route {
    /// Reads a method and a path without its query.
    pub(super) fn of(method: &str, path: &str) -> Self {
        Self::read(method, path).unwrap_or(Self::Other)
    }

    fn read(method: &str, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix(MOVEMENTS)?.split('/').collect();
        let (plural, rest) = parts.split_first()?;
        let kinds = [MovementKind::Departure, MovementKind::Arrival];
        let kind = kinds.into_iter().find(|kind| kind.plural() == *plural)?;
        let id = |text: &&str| Some((*text).to_owned()).filter(|id| is_id(id));
        Some(match (method, rest) {
            ("POST", []) => Self::Open(kind),
            ("POST", [movement, "messages"]) => Self::Add(kind, id(movement)?),
            ("GET", []) => Self::Movements(kind),
            ("GET", [movement]) => {
                id(movement)?;
                Self::Movements(kind)
            }
            ("GET", [movement, "messages"]) => Self::Messages(kind, id(movement)?),
            ("GET", [movement, "messages", message, body @ ..])
                if matches!(body, [] | ["body"]) =>
            {
                let (movement, message) = (id(movement)?, id(message)?);
                Self::Message { kind, movement, message, body: !body.is_empty() }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        let of = |line: &str| {
            let (method, path) = line.split_once(' ').unwrap();
            Route::of(method, &path.replace("/m/", "/customs/transits/movements/"))
        };
        let (departure, arrival) = (MovementKind::Departure, MovementKind::Arrival);
        let id = "66a0000011112222";
        let own = || id.to_owned();
        let message = |kind, body| Route::Message { kind, movement: own(), message: own(), body };
        assert_eq!(of("POST /m/departures"), Route::Open(departure));
        assert_eq!(of("GET /m/arrivals"), Route::Movements(arrival));
        assert_eq!(of(&format!("GET /m/departures/{id}")), Route::Movements(departure));
        assert_eq!(of(&format!("POST /m/arrivals/{id}/messages")), Route::Add(arrival, own()));
        assert_eq!(of(&format!("GET /m/arrivals/{id}/messages")), Route::Messages(arrival, own()));
        for (end, body) in [("", false), ("/body", true)] {
            let line = format!("GET /m/departures/{id}/messages/{id}{end}");
            assert_eq!(of(&line), message(departure, body));
        }
        for line in [
            "POST /oauth/token",
            "GET /",
            "PUT /m/departures",
            "HEAD /m/departures",
            "POST /m/departures/",
            "POST /m/imports",
            "GET /m/departures/1/messages",
            &format!("GET /m/departures/{id}/messages/"),
            &format!("GET /m/departures/{id}/messages/{id}/body/"),
            &format!("GET /test/m/departures/{id}/messages"),
            &format!("POST /m/departures/{id}/messages/{id}"),
            "GET *",
        ] {
            assert_eq!(of(line), Route::Other, "{line}");
        }
    }
}
