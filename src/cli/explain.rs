//! `explain RULE` and `gate --list-rules`: what the gate looks for, and what
//! `checklist --check` finds.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Explain;
use super::context::Context;
use super::exit;
use super::failure::{Failure, Kind};
use super::printer::{BAD, BOLD, CARE, DIM, PLAIN, Printer, columns, paint};
use crate::document::check::rules::{self as check, CheckRule};
use crate::evidence::verify;
use crate::verdict::Severity;
use crate::verdict::explain::{Explanation, explanation};
use crate::verdict::rules::{RULES, Rule, nearest_of, rule};

/// `explain --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explained {
    /// Always 1.
    schema_version: u32,
    /// The command that finds it: `gate` or `checklist --check`.
    command: &'static str,
    /// The rule.
    #[serde(flatten)]
    rule: Listed,
    /// What there is to say about it.
    #[serde(flatten)]
    explanation: Explanation,
}

/// `gate --list-rules --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Rules {
    /// Always 1.
    schema_version: u32,
    /// Every rule of the gate.
    rules: Vec<Listed>,
}

/// A rule in a line.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// Its stable name.
    rule: &'static str,
    /// Its weight, unless a finding says otherwise.
    severity: Severity,
    /// Whether a `[[waiver]]` may let its findings pass.
    waivable: bool,
    /// What it finds, in a line.
    about: &'static str,
}

impl From<&Rule> for Listed {
    fn from(rule: &Rule) -> Self {
        Self {
            rule: rule.name,
            severity: rule.severity,
            waivable: rule.waivable,
            about: rule.about,
        }
    }
}

impl From<&CheckRule> for Listed {
    fn from(rule: &CheckRule) -> Self {
        Self { rule: rule.name, severity: rule.severity, waivable: false, about: rule.about }
    }
}

/// The commands whose findings are explained.
const GATE: &str = "gate";
const CHECK: &str = "checklist --check";

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Explain) -> Result<u8, Failure> {
    let of_gate = rule(&args.rule).map(|rule| (GATE, Listed::from(rule)));
    let found = of_gate.or_else(|| Some((CHECK, Listed::from(check::rule(&args.rule)?))));
    let (command, rule) = found.ok_or_else(|| unknown(&args.rule))?;
    let explanation = explanation(rule.rule)
        .cloned()
        .ok_or_else(|| Failure::new(Kind::Bug, format!("nothing explains `{}`", rule.rule)))?;
    let explained = Explained { schema_version: 1, command, rule, explanation };
    context.printer.document(&explained);
    print(&mut context.printer, &explained);
    Ok(exit::DONE)
}

/// Lists every rule.
pub(super) fn list(printer: &mut Printer) {
    let rules = Rules { schema_version: 1, rules: RULES.iter().map(Listed::from).collect() };
    printer.document(&rules);
    let rows: Vec<_> = rules
        .rules
        .iter()
        .map(|rule| {
            let waivable = if rule.waivable { "yes" } else { "no" };
            let (style, word) = weight(rule.severity);
            vec![
                (BOLD, rule.rule.to_owned()),
                (style, word.to_owned()),
                (PLAIN, waivable.to_owned()),
                (PLAIN, rule.about.to_owned()),
            ]
        })
        .collect();
    for line in columns(&["RULE", "WEIGHT", "WAIVABLE", "WHAT IT FINDS"], &rows) {
        printer.line(line);
    }
    printer.line("");
    printer.line("`ctc-ready explain RULE` tells what a rule means and how to mend it");
}

/// A weight in words and colour.
pub(super) fn weight(severity: Severity) -> (anstyle::Style, &'static str) {
    match severity {
        Severity::Error => (BAD, "error"),
        Severity::Warning => (CARE, "warning"),
        Severity::Info => (DIM, "info"),
    }
}

fn unknown(name: &str) -> Failure {
    let shown: String = name.chars().take(60).collect();
    let failure = Failure::usage(format!("there is no rule `{shown}`"));
    // What the gate tells of a broken store names these.
    if let Some((_, meaning)) = verify::RULES.iter().find(|(rule, _)| *rule == name) {
        return failure
            .hint(format!("`ctc-ready verify` has it: {meaning}"))
            .hint("`ctc-ready explain journal-broken` tells what to do about it");
    }
    let known = RULES.iter().map(|rule| rule.name).chain(check::RULES.iter().map(|rule| rule.name));
    let near: Vec<String> =
        nearest_of(name, known).into_iter().map(|rule| format!("`{rule}`")).collect();
    let failure = match near.as_slice() {
        [] => failure,
        _ => failure.hint(format!("the nearest: {}", near.join(", "))),
    };
    failure.hint("`ctc-ready gate --list-rules` lists them")
}

fn print(printer: &mut Printer, explained: &Explained) {
    let Explained { command, rule, explanation, .. } = explained;
    let (style, word) = weight(rule.severity);
    let finder = paint(DIM, format!("(`ctc-ready {command}`)"));
    printer.line(format!("{}  {}  {finder}", paint(BOLD, rule.rule), paint(style, word)));
    printer.prose(2, &explanation.means);
    printer.line("");
    printer.line(format!("  {}", paint(BOLD, "why it matters")));
    printer.prose(4, &explanation.why);
    printer.line("");
    printer.line(format!("  {}", paint(BOLD, "what to do")));
    for step in &explanation.mend {
        printer.prose(4, &format!("- {step}"));
    }
    printer.line("");
    match &explanation.protects {
        Some(protects) => {
            printer.line(format!("  {}", paint(BOLD, "a rule of ours: HMRC says nothing of it")));
            printer.prose(4, protects);
        }
        None => {
            printer.line(format!("  {}", paint(BOLD, "where HMRC says so")));
            for source in &explanation.source {
                printer.prose(4, &format!("- {source}"));
            }
        }
    }
    if *command == GATE {
        printer.line("");
        printer.line(match rule.waivable {
            true => "  a `[[waiver]]` in ctc-ready.toml can let it pass",
            false => "  it cannot be waived",
        });
    }
}
