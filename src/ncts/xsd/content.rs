//! Judging the order and number of an element's children.
//!
//! Every content is a sequence of differently named elements, so a list of
//! children is right when the places of its names never go down and each
//! stands as often as it may. When it is wrong, the longest part that is in
//! order is taken to be right, and the rest is told once each: an element that
//! stands in the wrong place is not also missing from the right one.

use super::model::Particle;
use super::{MAX_VIOLATIONS, ViolationKind, shown};

/// A child element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child<'a> {
    pub(super) name: &'a str,
    /// Index of the particle of its name.
    pub(super) particle: Option<usize>,
}

/// Something wrong with the children.
#[derive(Debug)]
pub(super) enum Fault<'a> {
    /// With one that is there, by index.
    Child { child: usize, kind: ViolationKind, message: String },
    /// One is not there: it belongs before a child, or at the end.
    Missing { before: Option<usize>, name: &'a str, message: String },
}

/// What is wrong with the children of one element.
pub(super) fn judge<'a>(content: &'a [Particle], children: &[Child<'_>]) -> Vec<Fault<'a>> {
    let mut counts = vec![0usize; content.len()];
    let mut in_order = true;
    let mut last = 0;
    for child in children {
        match child.particle {
            Some(at) => {
                in_order &= at >= last;
                last = at;
                counts[at] += 1;
            }
            None => in_order = false,
        }
    }
    let enough = |particle: &Particle, count: usize| count >= particle.min;
    let not_too_many =
        |particle: &Particle, count: usize| particle.max.is_none_or(|max| count <= max);
    let counted = content
        .iter()
        .zip(&counts)
        .all(|(particle, count)| enough(particle, *count) && not_too_many(particle, *count));
    if in_order && counted {
        return Vec::new();
    }

    let mut faults = Vec::new();
    // Those beyond the most that may stand are told by the first of them.
    let mut seen = vec![0usize; content.len()];
    let mut candidates = Vec::new();
    for (index, child) in children.iter().enumerate() {
        let Some(at) = child.particle else { continue };
        let particle = &content[at];
        seen[at] += 1;
        if not_too_many(particle, seen[at]) {
            candidates.push((index, at));
        } else if not_too_many(particle, seen[at] - 1) {
            let message = format!(
                "element `{}` stands here {} times instead of at most {}",
                shown(&particle.name),
                counts[at],
                particle.max.unwrap_or_default()
            );
            faults.push(Fault::Child { child: index, kind: ViolationKind::TooMany, message });
        }
    }
    let kept = longest_in_order(&candidates);
    let mut next_kept = kept.iter().peekable();
    for (index, at) in &candidates {
        if next_kept.next_if(|(kept, _)| kept == index).is_some() {
            continue;
        }
        if faults.len() >= MAX_VIOLATIONS {
            break;
        }
        let name = &content[*at].name;
        // Sorted by place, like all that is in order.
        let after = kept.partition_point(|(_, place)| place < at).checked_sub(1);
        let before = kept.get(kept.partition_point(|(_, place)| place <= at));
        let called = |(index, _): &(usize, usize)| shown(children[*index].name);
        let place = match (before, after.and_then(|after| kept.get(after))) {
            (Some(other), _) if other.0 < *index => format!("before `{}`", called(other)),
            (_, Some(other)) => format!("after `{}`", called(other)),
            _ => "elsewhere".to_owned(),
        };
        let message = format!("element `{}` must stand {place}", shown(name));
        faults.push(Fault::Child { child: *index, kind: ViolationKind::Order, message });
    }

    // An unknown element where one is missing is one mistake: a wrong name.
    let mut missing: Vec<Option<usize>> =
        (0..content.len()).filter(|at| !enough(&content[*at], counts[*at])).map(Some).collect();
    for (index, child) in children.iter().enumerate() {
        if child.particle.is_some() {
            continue;
        }
        if faults.len() >= MAX_VIOLATIONS {
            break;
        }
        let split = kept.partition_point(|(kept, _)| *kept < index);
        let low = split.checked_sub(1).and_then(|at| kept.get(at)).map(|(_, place)| *place);
        let high = kept.get(split).map(|(_, place)| *place);
        let inside =
            |at: usize| low.is_none_or(|low| low < at) && high.is_none_or(|high| at < high);
        let name = shown(child.name);
        let renamed = missing.iter_mut().find(|at| at.is_some_and(inside)).and_then(Option::take);
        let message = match renamed {
            Some(at) => format!(
                "element `{name}` is not allowed where `{}` must stand",
                shown(&content[at].name)
            ),
            None => {
                format!("element `{name}` is not allowed here: {}", expected(content, low, &counts))
            }
        };
        let kind = ViolationKind::UnexpectedElement;
        faults.push(Fault::Child { child: index, kind, message });
    }
    for at in missing.into_iter().flatten() {
        let particle = &content[at];
        let before = kept.iter().find(|(_, place)| *place > at).map(|(index, _)| *index);
        let name = shown(&particle.name);
        let place = match before.and_then(|index| children.get(index)) {
            Some(child) => format!("before `{}`", shown(child.name)),
            None => "at the end".to_owned(),
        };
        let message = if counts[at] == 0 {
            format!("element `{name}` is missing {place}")
        } else {
            format!(
                "element `{name}` stands {} times instead of at least {}",
                counts[at], particle.min
            )
        };
        faults.push(Fault::Missing { before, name: &particle.name, message });
    }
    faults
}

/// What may stand behind the particle `low`, in words.
fn expected(content: &[Particle], low: Option<usize>, counts: &[usize]) -> String {
    const MOST: usize = 8;
    let repeats = low.filter(|at| content[*at].max.is_none_or(|max| counts[*at] < max));
    let mut names = Vec::new();
    for at in repeats.into_iter().chain(low.map_or(0, |at| at + 1)..content.len()) {
        names.push(format!("`{}`", shown(&content[at].name)));
        if content[at].min > 0 && Some(at) != low {
            break;
        }
    }
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    match (&names[..], more) {
        ([], _) if content.is_empty() => "the element must be empty".to_owned(),
        ([], _) => "no element may follow".to_owned(),
        ([one], _) => format!("the next can be {one}"),
        (_, 0) => format!("the next can be one of {}", names.join(", ")),
        _ => format!("the next can be one of {} and {more} more", names.join(", ")),
    }
}

/// The longest part of `items` (child, place) whose places never go down.
fn longest_in_order(items: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // By length less one: the item with the lowest place that ends such a part.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(items.len());
    for (index, (_, place)) in items.iter().enumerate() {
        let length = ends.partition_point(|end| items[*end].1 <= *place);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut kept: Vec<(usize, usize)> =
        std::iter::successors(ends.last().copied(), |index| before[*index])
            .map(|index| items[index])
            .collect();
    kept.reverse();
    kept
}
