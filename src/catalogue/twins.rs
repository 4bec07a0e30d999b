//! Scenario entries as they stand in files. Most scenarios are published twice,
//! once for each side; such twins are one entry with `side = ["GB", "XI"]`, in
//! whose texts these words take the side's values:
//!
//! ```text
//! {side}   GB, XI
//! {there}  the other one
//! {place}  Great Britain, Northern Ireland
//! ```
//!
//! Where twins differ in more than that, `id` and `errata` are given by side:
//! `id = { GB = "DNGB9", XI = "DNXI10" }`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Flow, Scenario, Side, Step, TestedProcedure};

/// `[[scenario]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Entry {
    id: BySide,
    title: String,
    flow: Flow,
    side: Sides,
    procedure: Option<TestedProcedure>,
    step: Vec<Step>,
    errata: Option<BySide>,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sides {
    One(Side),
    Several(Vec<Side>),
}

/// A text for every side, or one for each; a side that is left out has none.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum BySide {
    Every(String),
    Each(BTreeMap<Side, String>),
}

impl BySide {
    fn of(&self, side: Side) -> Option<&str> {
        match self {
            Self::Every(text) => Some(text),
            Self::Each(texts) => texts.get(&side).map(String::as_str),
        }
    }
}

impl Entry {
    /// What is wrong with it before it is told apart by side: the key and what
    /// to say.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let sides = self.sides();
        let mut problems = Vec::new();
        if sides.is_empty() {
            problems.push(("side", "no side is named".to_owned()));
        }
        for (index, side) in sides.iter().enumerate() {
            if sides.iter().take(index).any(|earlier| earlier == side) {
                problems.push(("side", format!("`{}` is there twice", side.as_str())));
            }
        }
        if let (BySide::Every(id), [_, _, ..]) = (&self.id, sides)
            && !id.contains("{side}")
        {
            problems.push((
                "id",
                format!("both sides would have the id `{id}`: write `{{side}}` in it, or give one for each side"),
            ));
        }
        for (key, texts) in [("id", Some(&self.id)), ("errata", self.errata.as_ref())] {
            let Some(BySide::Each(texts)) = texts else { continue };
            for side in texts.keys().filter(|side| !sides.contains(side)) {
                problems.push((key, format!("`{}` is not among the sides", side.as_str())));
            }
        }
        problems
    }

    fn sides(&self) -> &[Side] {
        match &self.side {
            Sides::One(side) => std::slice::from_ref(side),
            Sides::Several(sides) => sides,
        }
    }

    /// One scenario for each side. A side without an id gets an empty one,
    /// which the validator reports.
    pub(super) fn expand(&self) -> Vec<Scenario> {
        self.sides()
            .iter()
            .map(|side| {
                let fill = |text: &str| fill(text, *side);
                Scenario {
                    id: fill(self.id.of(*side).unwrap_or_default()),
                    title: fill(&self.title),
                    flow: self.flow,
                    side: *side,
                    procedure: self.procedure,
                    step: self.step.iter().map(|step| sided(step, *side)).collect(),
                    errata: self.errata.as_ref().and_then(|texts| texts.of(*side)).map(fill),
                    source: fill(&self.source),
                }
            })
            .collect()
    }
}

/// A step with the words of one side.
fn sided(step: &Step, side: Side) -> Step {
    let mut step = step.clone();
    for text in step.data.iter_mut().chain(&mut step.officer).chain(&mut step.sheet) {
        *text = fill(text, side);
    }
    if let Some(mutation) = &mut step.mutation {
        mutation.what = fill(&mutation.what, side);
        for value in mutation.set.values_mut() {
            *value = fill(value, side);
        }
    }
    if let Some(request) = &mut step.request {
        request.grn = fill(&request.grn, side);
    }
    step
}

fn fill(text: &str, side: Side) -> String {
    let (there, place) = match side {
        Side::Gb => (Side::Xi, "Great Britain"),
        Side::Xi => (Side::Gb, "Northern Ireland"),
    };
    text.replace("{side}", side.as_str())
        .replace("{there}", there.as_str())
        .replace("{place}", place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_take_their_sides_words() {
        let entry: Entry = toml::from_str(
            "id = { GB = 'DNGB9', XI = 'DNXI10' }\ntitle = 'From {place}'\n\
             flow = 'standard-departure'\nside = ['GB', 'XI']\nprocedure = 'normal'\n\
             errata = { GB = 'Named {side} data' }\nsource = 'TG5'\n\
             [[step]]\nsend = 'IE015'\ndata = ['Normal {side}-{there}']\n\
             mutation = { what = 'no such guarantee', set = { 'Guarantee/GRN' = '24{side}1' } }\n",
        )
        .unwrap();
        let twins = entry.expand();
        let [gb, xi] = twins.as_slice() else { panic!("{twins:?}") };
        assert_eq!((gb.id.as_str(), xi.id.as_str()), ("DNGB9", "DNXI10"));
        assert_eq!(xi.title, "From Northern Ireland");
        assert_eq!(xi.step[0].data, ["Normal XI-GB"]);
        assert_eq!(xi.step[0].mutation.as_ref().unwrap().set["Guarantee/GRN"], "24XI1");
        assert_eq!((gb.errata.as_deref(), &xi.errata), (Some("Named GB data"), &None));
    }

    #[test]
    fn one_side_alone_is_no_twin() {
        let entry: Entry = toml::from_str(
            "id = 'DNXI8'\ntitle = 'TIR from {place}'\nflow = 'standard-departure'\n\
             side = 'XI'\nprocedure = 'normal'\nsource = 'TG5'\nstep = []\n",
        )
        .unwrap();
        assert_eq!(entry.expand().len(), 1);
    }
}
