//! The sentences: `templates/document/own.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Words {
    pub title: String,
    pub annex_title: String,
    pub preview_title: String,
    pub about: String,
    pub annex_about: String,
    pub preview_about: String,
    pub rehearsal: String,
    pub draft: String,
    pub times: String,
    pub times_of_balances: String,
    pub form: String,
    pub form_of_labels: String,
    pub ready: String,
    pub ready_in_rehearsal: String,
    pub nothing_to_submit: String,
    pub not_ready: String,
    pub judged: String,
    pub no_findings: String,
    pub matrix: String,
    pub matrix_without_columns: String,
    pub matrix_any: String,
    pub chosen: String,
    pub requirements: String,
    pub told_before: String,
    pub no_messages: String,
    pub not_tried: String,
    pub attempts: String,
    pub no_attempts: String,
    pub counts: String,
    pub never_counts: String,
    pub too_old: String,
    pub unasked: String,
    pub other_counts: String,
    pub does_not_count: String,
    pub failed: String,
    pub removed: String,
    pub intact: String,
    pub not_intact: String,
    pub no_store: String,
    pub not_sealed: String,
    pub unsealed_runs: String,
    pub authority: String,
    pub authority_checked: String,
    pub authority_not_checked: String,
    pub left: String,
    pub nothing_left: String,
    pub not_found: String,
}

pub(super) fn words() -> &'static Words {
    static WORDS: LazyLock<Words> = LazyLock::new(|| {
        // Part of the binary; a test reads it, so that it cannot be wrong here.
        toml::from_str(include_str!("../../../templates/document/own.toml")).unwrap_or_default()
    });
    &WORDS
}

/// A sentence with values in the places of their names.
pub(super) fn fill_in(sentence: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(sentence.len() + 32);
    let mut rest = sentence;
    // From left to right, so that a value that looks like a name stays.
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let found = after.split_once('}').and_then(|(name, after)| {
            Some((values.iter().find(|(known, _)| *known == name)?, after))
        });
        match found {
            Some(((_, value), after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// `1 run`, `2 runs`.
pub(super) fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_sentences_are_sound() {
        let words: Words =
            toml::from_str(include_str!("../../../templates/document/own.toml")).unwrap();
        assert!(!words.about.is_empty());
    }

    #[test]
    fn values_are_put_in_once() {
        let values = [("a", "{b}"), ("b", "x")];
        assert_eq!(fill_in("{a} and {b}, {c} {", &values), "{b} and x, {c} {");
    }
}
