//! What types cannot say about credentials held, versions in use and changed
//! documentation.

use super::check::Check;
use crate::catalogue::Flow;

impl Check<'_, '_, '_> {
    pub(super) fn credentials(&mut self) {
        let settings = self.settings;
        for (entry, place) in settings.credentials.iter().zip(1..) {
            let of = format!("entry {place}");
            if !is_version(&entry.api) {
                self.problem(
                    "credentials",
                    format!(
                        "{of}: `api` must be a version of the CTC Traders API, such as `2.1`, not `{}`",
                        shown(&entry.api)
                    ),
                );
            }
            self.flows("credentials", &of, &entry.flows, false);
            if let Some(version) = &entry.version {
                self.words("credentials", &of, "version", version);
            }
        }

        let software = &settings.software;
        let field = "software.other-versions";
        for (n, other) in software.other_versions.iter().enumerate() {
            let of = format!("entry {}", n + 1);
            self.words(field, &of, "version", &other.version);
            let earlier = software.other_versions.iter().take(n);
            if other.version == software.version {
                self.problem(
                    field,
                    format!("{of}: `{}` is `software.version` itself", shown(&other.version)),
                );
            } else if earlier.into_iter().any(|earlier| earlier.version == other.version) {
                self.problem(
                    field,
                    format!("{of}: names `{}` twice; name it once", shown(&other.version)),
                );
            }
            self.flows(field, &of, &other.flows, false);
        }

        for (change, place) in settings.documentation_change.iter().zip(1..) {
            let of = format!("entry {place}");
            self.words("documentation-change", &of, "what", &change.what);
            self.flows("documentation-change", &of, &change.flows, true);
        }
    }

    /// Flows of movements, each once.
    fn flows(&mut self, field: &str, of: &str, flows: &[Flow], may_be_empty: bool) {
        if flows.is_empty() && !may_be_empty {
            self.problem(field, format!("{of}: `flows` names no flow; name those it is for"));
        }
        for (n, flow) in flows.iter().enumerate() {
            if *flow == Flow::GuaranteeBalance {
                self.problem(
                    field,
                    format!(
                        "{of}: `flows` names `guarantee-balance`, which needs no credentials of its own; take it out"
                    ),
                );
            } else if flows.iter().take(n).any(|earlier| earlier == flow) {
                let flow = flow.as_str();
                self.problem(field, format!("{of}: `flows` names `{flow}` twice; name it once"));
            }
        }
    }

    /// A line of words that must say something.
    fn words(&mut self, field: &str, of: &str, key: &str, text: &str) {
        if text.trim().is_empty() {
            self.problem(field, format!("{of}: `{key}` is empty; say it, or take the line out"));
        } else {
            self.line(field, text);
        }
    }
}

/// `2.1`.
fn is_version(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() < 10 && text.split_once('.').is_some_and(|(one, two)| number(one) && number(two))
}

/// A value short enough to be repeated.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}
