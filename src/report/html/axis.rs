//! The timeline's axis: where an instant stands in the picture. Stretches in
//! which nothing happens are collapsed, so that days with minutes of work in
//! them can be looked at. Called by `super::timeline`.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::london;

/// Blank at either end of a stretch, in pixels.
const PAD: f64 = 10.0;
/// A collapsed gap, in pixels, where there is room for as much.
const BREAK: f64 = 30.0;
/// Part of the picture that collapsed gaps may take together.
const BREAKS: f64 = 0.3;
/// A gap is collapsed that is longer than this part of all that is left.
const PART: i64 = 12;
/// While a run is open, nothing shorter is collapsed: it may be a timer.
const TIMER: TimeDelta = TimeDelta::hours(2);
/// Least distance of two labels, in pixels.
const APART: f64 = 88.0;
/// Most days whose beginning is drawn.
const DAYS: usize = 60;

type Instant = DateTime<Utc>;

/// A stretch drawn to scale.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    from: Instant,
    to: Instant,
    left: f64,
    right: f64,
}

/// The axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    stretches: Vec<Stretch>,
    scale: f64,
}

/// A collapsed gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gap {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) length: TimeDelta,
}

/// The beginning of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Midnight {
    /// Of the UTC day.
    Utc,
    /// Of the London day.
    London,
    /// Of both: London keeps GMT.
    Both,
}

impl Axis {
    /// An axis `width` pixels wide from `left` on. `instants`: everything that
    /// happened; `open`: from when to when runs were open.
    pub(super) fn new(
        mut instants: Vec<Instant>,
        open: &[(Instant, Instant)],
        left: f64,
        width: f64,
    ) -> Self {
        instants.sort_unstable();
        instants.dedup();
        let gaps = collapsed(&instants, open);
        let mut parts: Vec<(Instant, Instant)> = Vec::new();
        for (at, instant) in instants.iter().enumerate() {
            match parts.last_mut() {
                Some(last) if !gaps.contains(&at) => last.1 = *instant,
                _ => parts.push((*instant, *instant)),
            }
        }
        let breaks = parts.len().saturating_sub(1) as f64;
        let gap = if breaks > 0.0 { BREAK.min(width * BREAKS / breaks) } else { 0.0 };
        let pad = PAD.min(width * BREAKS / 2.0 / (breaks + 1.0));
        let total: f64 = parts.iter().map(|(from, to)| ms(*to - *from)).sum();
        let room = width - gap * breaks - 2.0 * pad * (breaks + 1.0);
        let scale = if total > 0.0 { room.max(0.0) / total } else { 0.0 };
        let mut at = left;
        let stretches = parts
            .into_iter()
            .map(|(from, to)| {
                let start = at + pad;
                let end = start + ms(to - from) * scale;
                at = end + pad + gap;
                Stretch { from, to, left: start, right: end }
            })
            .collect();
        Self { stretches, scale }
    }

    /// Where an instant stands.
    pub(super) fn x(&self, at: Instant) -> f64 {
        let next = self.stretches.partition_point(|stretch| stretch.to < at);
        let before = next.checked_sub(1).and_then(|before| self.stretches.get(before));
        match (before, self.stretches.get(next)) {
            (_, Some(stretch)) if stretch.from <= at => {
                stretch.left + ms(at - stretch.from) * self.scale
            }
            // In a collapsed gap, by its share of it.
            (Some(before), Some(after)) => {
                let share = ms(at - before.to) / ms(after.from - before.to).max(1.0);
                before.right + (after.left - before.right) * share
            }
            (None, Some(first)) => first.left,
            (Some(last), None) => last.right,
            (None, None) => 0.0,
        }
    }

    /// The collapsed gaps.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let pairs = self.stretches.iter().zip(self.stretches.iter().skip(1));
        pairs
            .map(|(before, after)| {
                let middle = (before.right + after.left) / 2.0;
                let half = (after.left - before.right) * 0.25;
                let length = after.from - before.to;
                Gap { left: middle - half, right: middle + half, length }
            })
            .collect()
    }

    /// Instants to label, with their places.
    pub(super) fn ticks(&self) -> Vec<(Instant, f64)> {
        let mut ticks: Vec<(Instant, f64)> = Vec::new();
        let mut last = f64::NEG_INFINITY;
        let step = self.step();
        for stretch in &self.stretches {
            let first = std::iter::once(stretch.from);
            let (from, to) = (stretch.from.timestamp_millis(), stretch.to.timestamp_millis());
            let start = from.div_euclid(step).saturating_add(1).saturating_mul(step);
            let rest = std::iter::successors(Some(start), |at| at.checked_add(step))
                .take_while(|at| *at <= to)
                .filter_map(DateTime::from_timestamp_millis);
            for at in first.chain(rest) {
                let x = self.x(at);
                if x - last >= APART {
                    ticks.push((at, x));
                    last = x;
                }
            }
        }
        ticks
    }

    /// Milliseconds between labels: a round number, not too many of them.
    fn step(&self) -> i64 {
        const MS: [i64; 24] = [
            10,
            50,
            100,
            200,
            500,
            1000,
            2000,
            5000,
            10_000,
            15_000,
            30_000,
            60_000,
            120_000,
            300_000,
            600_000,
            900_000,
            1_800_000,
            3_600_000,
            7_200_000,
            10_800_000,
            21_600_000,
            43_200_000,
            86_400_000,
            172_800_000,
        ];
        let wide = |step: &i64| *step as f64 * self.scale >= APART;
        MS.into_iter()
            .find(wide)
            .or_else(|| (2..40).map(|power| 86_400_000_i64 << power.min(33)).find(wide))
            .unwrap_or(i64::MAX / 4)
    }

    /// The beginnings of days between the first and the last instant, with
    /// their places: all that lie in a stretch, and of those in a gap the last.
    pub(super) fn midnights(&self) -> Vec<(Instant, Midnight, f64)> {
        let mut found = Vec::new();
        let mut before: Option<Instant> = None;
        for stretch in &self.stretches {
            if let Some(before) = before {
                found.extend(last_midnights(before, stretch.from));
            }
            found.extend(midnights(stretch.from, stretch.to));
            before = Some(stretch.to);
        }
        found.truncate(DAYS);
        found.into_iter().map(|(at, which)| (at, which, self.x(at))).collect()
    }
}

fn ms(length: TimeDelta) -> f64 {
    length.num_milliseconds() as f64
}

/// The places in `instants` before which a gap is collapsed.
fn collapsed(
    instants: &[Instant],
    open: &[(Instant, Instant)],
) -> std::collections::BTreeSet<usize> {
    let mut gaps = std::collections::BTreeSet::new();
    let (Some(first), Some(last)) = (instants.first(), instants.last()) else { return gaps };
    let mut left = *last - *first;
    let pairs = instants.iter().zip(instants.iter().skip(1)).enumerate();
    let mut candidates: Vec<(TimeDelta, usize)> = pairs
        .map(|(at, (before, after))| (*after - *before, *before, at + 1))
        .filter(|(length, before, _)| {
            *length > TIMER || !open.iter().any(|(from, to)| from <= before && before < to)
        })
        .map(|(length, _, at)| (length, at))
        .collect();
    // The longest first: each makes what is left smaller, and the next count.
    candidates.sort_unstable_by_key(|(length, at)| (std::cmp::Reverse(*length), *at));
    for (length, at) in candidates {
        if length <= left / i32::try_from(PART).unwrap_or(1) {
            break;
        }
        left -= length;
        gaps.insert(at);
    }
    gaps
}

/// The midnights in a stretch, in order.
fn midnights(from: Instant, to: Instant) -> Vec<(Instant, Midnight)> {
    let mut found = Vec::new();
    let mut day = london::day_of(from);
    while found.len() < DAYS {
        day = london::add_days(day, 1);
        let utc = day.and_time(chrono::NaiveTime::MIN).and_utc();
        let of_london = london::start_of_day(day);
        if of_london > to && utc > to || day == chrono::NaiveDate::MAX {
            break;
        }
        if of_london == utc {
            found.push((utc, Midnight::Both));
        } else {
            found.push((of_london, Midnight::London));
            found.push((utc, Midnight::Utc));
        }
    }
    found.retain(|(at, _)| from < *at && *at <= to);
    found
}

/// The last midnights in a gap.
fn last_midnights(from: Instant, to: Instant) -> Vec<(Instant, Midnight)> {
    let late = to.checked_sub_signed(TimeDelta::days(2)).unwrap_or(to).max(from);
    let found = midnights(late, to);
    let last = |which: Midnight| found.iter().rfind(|(_, of)| *of == which).copied();
    match last(Midnight::Both) {
        Some(both) => vec![both],
        None => [last(Midnight::London), last(Midnight::Utc)].into_iter().flatten().collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn axis(instants: &[&str], open: &[(&str, &str)]) -> Axis {
        let open: Vec<_> = open.iter().map(|(from, to)| (at(from), at(to))).collect();
        Axis::new(instants.iter().map(|text| at(text)).collect(), &open, 100.0, 800.0)
    }

    #[test]
    fn a_timer_is_to_scale_and_a_night_is_not() {
        let axis = axis(
            &[
                "2026-11-20T16:00:00Z",
                "2026-11-20T16:45:00Z",
                "2026-11-23T09:30:00Z",
                "2026-11-23T09:40:00Z",
            ],
            &[("2026-11-20T16:00:00Z", "2026-11-23T09:40:00Z")],
        );
        let gaps = axis.gaps();
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].length, TimeDelta::minutes(64 * 60 + 45));
        let x = |text| axis.x(at(text));
        let timer = x("2026-11-20T16:45:00Z") - x("2026-11-20T16:00:00Z");
        let rest = x("2026-11-23T09:40:00Z") - x("2026-11-23T09:30:00Z");
        assert!((timer / rest - 4.5).abs() < 1e-6, "{timer} {rest}");
        // In order, and inside the picture.
        let night = x("2026-11-22T00:00:00Z");
        assert!(x("2026-11-20T16:45:00Z") < night && night < x("2026-11-23T09:30:00Z"));
        assert!(x("1990-01-01T00:00:00Z") >= 100.0 && x("2990-01-01T00:00:00Z") <= 900.0);
        // Of the nights in the gap, the last.
        let midnights = axis.midnights();
        assert_eq!(midnights.len(), 1);
        assert_eq!(midnights[0].0, at("2026-11-23T00:00:00Z"));
        assert_eq!(midnights[0].1, Midnight::Both);
    }

    #[test]
    fn london_and_utc_begin_their_days_apart_in_summer() {
        let axis = axis(
            &["2026-07-21T22:00:00Z", "2026-07-22T01:00:00Z"],
            &[("2026-07-21T22:00:00Z", "2026-07-22T01:00:00Z")],
        );
        let found: Vec<_> = axis.midnights().iter().map(|(at, which, _)| (*at, *which)).collect();
        // No gap: the run was open, but for more than a timer.
        assert_eq!(axis.gaps().len(), 1);
        assert_eq!(
            found,
            [
                (at("2026-07-21T23:00:00Z"), Midnight::London),
                (at("2026-07-22T00:00:00Z"), Midnight::Utc)
            ]
        );
    }

    #[test]
    fn any_instants_have_a_place() {
        assert_eq!(axis(&[], &[]).x(at("2026-01-01T00:00:00Z")), 0.0);
        let one = axis(&["2026-01-01T00:00:00Z"], &[]);
        assert_eq!(one.ticks().len(), 1);
        let ends = [DateTime::<Utc>::MIN_UTC, at("2026-01-01T00:00:00Z"), DateTime::<Utc>::MAX_UTC];
        let axis = Axis::new(ends.to_vec(), &[], 0.0, 800.0);
        assert!(axis.midnights().len() <= DAYS);
        assert!(ends.iter().all(|at| (0.0..=800.0).contains(&axis.x(*at))));
        let ticks = axis.ticks();
        assert!(ticks.windows(2).all(|two| two[1].1 - two[0].1 >= APART));
    }

    #[test]
    fn a_hundred_runs_a_second_an_hour_apart_stay_in_the_picture() {
        let start = at("2026-11-21T09:00:00Z");
        let instants: Vec<_> = (0..100)
            .flat_map(|hour| {
                let at = start + TimeDelta::hours(hour);
                [at, at + TimeDelta::seconds(1)]
            })
            .collect();
        let axis = Axis::new(instants.clone(), &[], 100.0, 800.0);
        assert_eq!(axis.gaps().len(), 99);
        let places: Vec<f64> = instants.iter().map(|at| axis.x(*at)).collect();
        assert!(places.windows(2).all(|two| two[0] < two[1]));
        assert!(places.iter().all(|x| (100.0..=900.0).contains(x)));
    }
}
