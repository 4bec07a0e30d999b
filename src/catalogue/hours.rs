//! Opening hours as the catalogue states them.

use super::model::{Availability, Officers};
use crate::calendar::hours::{Hours, Span, Timetable};

/// When a programme's test environment answers. Where no hours are published,
/// none are held against a start.
pub fn environment_hours(availability: &[Availability]) -> Timetable {
    if availability.is_empty() {
        return Timetable::always();
    }
    Timetable::new(availability.iter().filter_map(|span| {
        let hours = match (span.always, span.opens, span.closes) {
            (true, _, _) => Hours::Always,
            (false, Some(opens), Some(closes)) => Hours::WorkingDays { opens, closes },
            _ => return None,
        };
        Some(Span { from: span.from, until: span.until, hours })
    }))
}

/// When the officers read their mail; a programme without officers has no such
/// hours.
pub fn officer_hours(officers: Option<&Officers>) -> Timetable {
    match officers {
        Some(officers) => Timetable::working_days(officers.opens, officers.closes),
        None => Timetable::default(),
    }
}
