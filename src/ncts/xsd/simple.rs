//! Compiling simple types: where they come from, and their facets.

use std::collections::HashSet;

use roxmltree::Node;

use super::decimal::Decimal;
use super::load::{Defined, Loader, MAX_CHAIN};
use super::model::{Builtin, Facets, Type};
use super::regex::Regex;
use super::source::{check_attributes, children};
use super::{shown, value};

/// Most steps of all patterns together. HMRC's schemas have about 7,500.
const MAX_STEPS: usize = 1_000_000;

impl<'s, 'a> Loader<'s, 'a> {
    /// Resolves what a simple type restricts; returns its `restriction`.
    pub(super) fn simple_base(
        &mut self,
        at: Defined<'s, 'a>,
        index: usize,
    ) -> Option<Node<'s, 'a>> {
        check_attributes(&mut self.problems, at.source, at.node, &["name"]);
        let found = children(&mut self.problems, at.source, at.node, &["restriction"]);
        let [restriction] = found[..] else {
            self.problems.at(at.source, at.node, "a `simpleType` needs one `restriction`");
            return None;
        };
        check_attributes(&mut self.problems, at.source, restriction, &["base"]);
        match self.resolve(at.source, restriction, "base")? {
            Type::Simple(base) => self.simple[index].base = Some(base),
            Type::Complex(_) => {
                self.problems.at(at.source, restriction, "the base of a `simpleType` is none");
            }
        }
        Some(restriction)
    }

    /// The built-in type at the end of a chain of bases; none when the chain
    /// is broken or has no end.
    fn root(&self, index: usize) -> Option<Builtin> {
        let mut root = index;
        for _ in 0..=MAX_CHAIN {
            match self.simple[root].base {
                Some(base) => root = base,
                None => return Builtin::ALL.get(root).map(|(builtin, _)| *builtin),
            }
        }
        None
    }

    /// Gives every simple type the built-in type it comes from; circles and
    /// endless chains are problems.
    pub(super) fn settle_chains(&mut self, types: &[(&'s str, Defined<'s, 'a>)]) {
        let mut endless = Vec::new();
        for (name, at) in types {
            let Some(Type::Simple(index)) = self.indices.get(name).copied() else { continue };
            let bases = std::iter::successors(Some(index), |index| self.simple[*index].base);
            if let Some(builtin) = self.root(index) {
                self.simple[index].builtin = builtin;
            } else if bases.take(MAX_CHAIN + 2).count() > MAX_CHAIN + 1 {
                let message = format!("derived from itself, or in more than {MAX_CHAIN} steps");
                self.problems.at(at.source, at.node, message);
                endless.push(index);
            }
        }
        for index in endless {
            self.simple[index].base = None;
        }
    }

    /// The facets of a restriction.
    pub(super) fn facets(
        &mut self,
        source: usize,
        restriction: Node<'s, 'a>,
        index: usize,
    ) -> Facets {
        let builtin = self.simple[index].builtin;
        // Where the base is a problem already, nothing is known to be unfit.
        let rooted = self.root(index).is_some();
        let known = [
            "pattern",
            "enumeration",
            "length",
            "minLength",
            "maxLength",
            "totalDigits",
            "fractionDigits",
            "minInclusive",
            "maxInclusive",
        ];
        let mut facets = Facets::default();
        let mut seen = HashSet::new();
        for node in children(&mut self.problems, source, restriction, &known) {
            check_attributes(&mut self.problems, source, node, &["value"]);
            children(&mut self.problems, source, node, &[]);
            let name = node.tag_name().name();
            let Some(text) = node.attribute("value") else {
                self.problems.at(source, node, format!("`{name}` has no `value`"));
                continue;
            };
            let again = !seen.insert(name) && !matches!(name, "pattern" | "enumeration");
            let fits = match name {
                "pattern" | "enumeration" => true,
                "length" | "minLength" | "maxLength" => builtin.is_text(),
                _ => builtin.is_number(),
            };
            if again || rooted && !fits {
                let why = if again { "stands twice" } else { "does not suit this type" };
                self.problems.at(source, node, format!("`{name}` {why}"));
                continue;
            }
            let count = || text.trim().parse::<usize>().ok();
            let number = || match builtin {
                Builtin::Integer => Decimal::parse_integer(text.trim()),
                _ => Decimal::parse(text.trim()),
            };
            let well = match name {
                "pattern" => match Regex::new(text) {
                    Ok(regex) => {
                        self.steps += regex.size();
                        if self.steps > MAX_STEPS {
                            let message = "the patterns are too long, all together";
                            self.problems.at(source, node, message);
                        } else {
                            facets.patterns.push((text.to_owned(), regex));
                        }
                        true
                    }
                    Err(message) => {
                        let message = format!("pattern `{}`: {message}", shown(text));
                        self.problems.at(source, node, message);
                        true
                    }
                },
                "enumeration" => {
                    let value = value::normalized(builtin, text).into_owned();
                    facets.enumeration.push(value);
                    true
                }
                "length" => set(&mut facets.length, count()),
                "minLength" => set(&mut facets.min_length, count()),
                "maxLength" => set(&mut facets.max_length, count()),
                "totalDigits" => set(&mut facets.total_digits, count().filter(|n| *n > 0)),
                "fractionDigits" => set(&mut facets.fraction_digits, count()),
                "minInclusive" => set(&mut facets.min_inclusive, number()),
                _ => set(&mut facets.max_inclusive, number()),
            };
            if !well {
                self.problems.at(source, node, format!("`{}` is no `{name}`", shown(text)));
            }
        }
        if !facets.enumeration.is_empty() && rooted && !builtin.is_text() {
            let message = "`enumeration` of other than text is not known to this validator";
            self.problems.at(source, restriction, message);
        }
        facets
    }

    /// A value that its own base forbids makes the schema wrong.
    pub(super) fn check_enumeration(&mut self, at: Defined<'s, 'a>, index: usize) {
        let Some(base) = self.simple[index].base else { return };
        for one in &self.simple[index].facets.enumeration {
            if let Some((_, words)) = value::fault(&self.simple, base, one) {
                self.problems.at(at.source, at.node, format!("`enumeration`: {words}"));
            }
        }
    }
}

/// Sets a facet; false when there is nothing to set.
fn set<T>(facet: &mut Option<T>, value: Option<T>) -> bool {
    *facet = value;
    facet.is_some()
}
