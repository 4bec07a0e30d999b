//! What types cannot say about credentials held, versions in use and changed
//! documentation.

use super::check::Check;
use crate::catalogue::Flow;

impl Check<'_, '_, '_> {
    pub(super) fn credentials(&mut self) {
        let settings = self.settings;
        for (held, n) in settings.credentials.iter().zip(1..) {
            let of = format!("credentials.{n}");
            if !is_version(&held.api) {
                self.problem(
                    &format!("{of}.api"),
                    "must be a version of the CTC Traders API, such as `2.1`",
                );
            }
            self.movements(&of, &held.flows, false);
            if let Some(version) = &held.version {
                self.words(&format!("{of}.version"), version);
            }
        }

        let software = &settings.software;
        for (n, other) in software.other_versions.iter().enumerate() {
            let of = format!("software.other-versions.{}", n + 1);
            let field = format!("{of}.version");
            self.words(&field, &other.version);
            let mut earlier = software.other_versions.iter().take(n);
            if other.version == software.version {
                self.problem(&field, "is `software.version` itself; name other versions alone");
            } else if earlier.any(|earlier| earlier.version == other.version) {
                self.problem(&field, "is there twice; name it once");
            }
            self.movements(&of, &other.flows, false);
        }

        for (change, n) in settings.documentation_change.iter().zip(1..) {
            let of = format!("documentation-change.{n}");
            self.words(&format!("{of}.what"), &change.what);
            self.movements(&of, &change.flows, true);
        }
    }

    /// Flows of movements, each once.
    fn movements(&mut self, of: &str, flows: &[Flow], may_be_empty: bool) {
        let field = format!("{of}.flows");
        if flows.is_empty() && !may_be_empty {
            self.problem(&field, "names no flow; name those it is for");
        }
        for (n, flow) in flows.iter().enumerate() {
            if *flow == Flow::GuaranteeBalance {
                self.problem(
                    &field,
                    "names `guarantee-balance`, which needs no credentials of its own; take it out",
                );
            } else if flows.iter().take(n).any(|earlier| earlier == flow) {
                let flow = flow.as_str();
                self.problem(&field, format!("names `{flow}` twice; name it once"));
            }
        }
    }

    /// A line of words that must say something.
    fn words(&mut self, field: &str, text: &str) {
        match text.trim().is_empty() {
            true => self.problem(field, "is empty; say it, or take it out"),
            false => self.line(field, text),
        }
    }
}

/// `2.1`.
fn is_version(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() < 10 && text.split_once('.').is_some_and(|(one, two)| number(one) && number(two))
}
