//! What a form needs and only the house can say. A missing answer leaves the
//! form incomplete, so it is an error: a gate that says "ready" must mean it.
//!
//! Sources: CTC Traders API v2.0 Application for Production Credentials
//! Checklist v1.1 (both NCTS5 programmes); NCTS6 Readiness Checklist,
//! 14 April 2026. Guarantee balance has no form yet: HMRC lists it as pending.

use super::finding;
use crate::catalogue::RequirementKind;
use crate::project::{AnswerValue, Settings, questions};
use crate::verdict::case::Case;
use crate::verdict::credentials;
use crate::verdict::model::Finding;
use crate::verdict::rules;

/// A form, as far as its questions to the house go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verdict) enum Form {
    Ncts5,
    Ncts6,
    None,
}

impl Form {
    /// The form of a programme. A programme of an overlay has none that we
    /// know the questions of.
    pub(in crate::verdict) fn of(programme: &str) -> Self {
        match programme {
            "ncts5-transition" | "ncts5-final" => Self::Ncts5,
            "ncts6" => Self::Ncts6,
            _ => Self::None,
        }
    }

    /// Whether the form asks why a flow does not apply.
    fn asks_why_not(self) -> bool {
        self == Self::Ncts5
    }
}

/// What the form needs of the house.
pub(in crate::verdict) fn findings(case: &Case<'_>) -> Vec<Finding> {
    if credentials::nothing_left(case.programme, case.settings, case.submission_day()) {
        return Vec::new();
    }
    let form = Form::of(&case.programme.id);
    let mut findings: Vec<Finding> = unanswered(form, case.settings)
        .into_iter()
        .map(|message| finding(&rules::UNANSWERED_QUESTION, message))
        .collect();
    let explained = |flow| {
        let reason = case.settings.not_applicable.get(&flow);
        reason.is_some_and(|reason| !reason.trim().is_empty())
    };
    for need in case.needs {
        if let Some(flow) = need.flow
            && form.asks_why_not()
            && !need.applies
            && need.kind == RequirementKind::Mandatory
            && !credentials::supports(case, flow)
            && !explained(flow)
        {
            let flow = flow.as_str();
            findings.push(Finding {
                requirement: Some(need.requirement.clone()),
                ..finding(
                    &rules::NOT_APPLICABLE_UNEXPLAINED,
                    format!(
                        "the form asks why `{}` does not apply; say so as `{flow}` under `[not-applicable]`",
                        need.requirement
                    ),
                )
            });
        }
    }
    findings
}

/// Questions of the form that the settings leave open, each as a sentence.
fn unanswered(form: Form, settings: &Settings) -> Vec<String> {
    let mut open = Vec::new();
    if form == Form::None {
        return open;
    }
    let business = &settings.business;
    let (sandbox, production) = (&settings.sandbox_application, &settings.production_application);
    let asked = [
        ("business.name", &business.name, true),
        ("business.address", &business.address, form == Form::Ncts5),
        ("business.contact-email", &business.contact_email, form == Form::Ncts6),
        ("sandbox-application.name", &sandbox.name, true),
        ("sandbox-application.id", &sandbox.id, true),
        ("production-application.name", &production.name, true),
        ("production-application.id", &production.id, true),
    ];
    for (field, value, asks) in asked {
        if asks && value.as_ref().is_none_or(|value| value.trim().is_empty()) {
            open.push(format!("the form asks for `{field}`; set it in `ctc-ready.toml`"));
        }
    }
    match form {
        Form::Ncts5 => open.extend(answers(settings)),
        Form::Ncts6 => open.extend(statements(settings)),
        Form::None => {}
    }
    open
}

/// NCTS5: the boxes, and what each ticked box asks further.
fn answers(settings: &Settings) -> impl Iterator<Item = String> {
    let answer = |key: &str| settings.answers.get(key);
    let mut keys = vec!["saas", "on-premise"];
    if answer("on-premise").and_then(AnswerValue::yes_no) == Some(true) {
        keys.push("production-applications");
    }
    keys.push("rate-limit-enough");
    match answer("rate-limit-enough") {
        Some(value) if value.is_dont_know() => keys.push("rate-limit-unsure"),
        Some(value) if value.yes_no() == Some(false) => keys.extend([
            "rate-limit-why",
            "rate-limit-history",
            "rate-limit-usage",
            "rate-limit-calls-per-session",
            "rate-limit-batch",
            "rate-limit-impact",
        ]),
        _ => {}
    }
    keys.extend(["more-than-500", "more-than-5000"]);
    keys.retain(|key| answer(key).is_none());
    keys.into_iter().map(|key| {
        let asks = questions::question(key)
            .and_then(|question| question.asks.as_deref())
            .unwrap_or_default();
        format!("the form asks: {asks} Answer with `{key}` under `[answers]`")
    })
}

/// NCTS6: every box must be ticked for the declaration to hold, and only the
/// house can declare.
fn statements(settings: &Settings) -> impl Iterator<Item = String> {
    questions::statements().filter_map(|(key, states)| {
        match settings.statements.get(key) {
            Some(true) => None,
            None => Some(format!(
                "the form has you declare: {states}; once that is true, set `{key} = true` under `[statements]`"
            )),
            Some(false) => Some(format!(
                "the form has you declare: {states}; the settings say that it is not so (`statements.{key}`)"
            )),
        }
    })
}
