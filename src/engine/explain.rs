//! Why a run failed, told so that it can be mended: in the customs officer's
//! terms (codes and rules, with their meaning) and the developer's (the line of
//! the message that NCTS complains of).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::pointer;
use crate::evidence::{ExplainedError, Failure};
use crate::ncts::MessageType;
use crate::ncts::read::{self, Message, children, text_at};

const ERRORS: &str = include_str!("../../templates/failures/errors.toml");

/// Errors told in words, and looked up in the message: a rejection may have
/// thousands.
const MAX_TOLD: usize = 5;
const MAX_LOCATED: usize = 20;

/// Most guarantees told of an IE055, and most characters of their texts.
const MAX_GUARANTEES: usize = 9;
const MAX_TEXT: usize = 200;

/// What is known of a code or a rule.
#[derive(Clone, Debug)]
struct Known {
    meaning: String,
    hint: String,
}

#[derive(Debug, Default)]
struct Table {
    codes: BTreeMap<String, Known>,
    rules: BTreeMap<String, Known>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    code: Vec<Code>,
    rule: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
    meaning: String,
    hint: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    rule: String,
    meaning: String,
    hint: String,
    #[serde(rename = "source")]
    _source: String,
}

/// A file that cannot be read explains nothing; a test sees to it that it can.
static KNOWN: LazyLock<Table> = LazyLock::new(|| {
    let file: File = toml::from_str(ERRORS).unwrap_or_default();
    let codes = file.code.into_iter();
    let rules = file.rule.into_iter();
    Table {
        codes: codes.map(|c| (c.code, Known { meaning: c.meaning, hint: c.hint })).collect(),
        rules: rules.map(|r| (r.rule, Known { meaning: r.meaning, hint: r.hint })).collect(),
    }
});

/// A message of ours and its text as sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Its type.
    pub message: MessageType,
    /// Its text.
    pub xml: &'a str,
}

/// The message of ours that a refusal (its text) is about, by its own word.
pub fn refused_type(refusal: &str) -> Option<MessageType> {
    let refusal = Message::parse(refusal).ok()?;
    let digits = refusal.text("TransitOperation/businessRejectionType")?;
    MessageType::from_root(&format!("CC{digits}C"))
}

/// The message of ours that a failure's errors point into, by their pointers.
pub fn pointed_type(failure: &Failure) -> Option<MessageType> {
    let pointers = failure.errors.iter().map(|error| error.error.pointer.as_str());
    pointers
        .filter_map(|pointer| {
            let first = pointer.split('/').find(|part| !part.is_empty())?;
            let first = first.split('[').next()?;
            MessageType::from_root(first.rsplit(':').next()?)
        })
        .next()
}

/// Completes a failure that a message of NCTS brought about: meanings, lines,
/// hints, and the words that tell them. `sent` is the message of ours that it
/// is about, `answer` the text of NCTS's, where they can be had.
pub fn explain(failure: &mut Failure, sent: Option<Sent<'_>>, answer: Option<&str>) {
    failure.refused = sent.map(|sent| sent.message).or(failure.refused);
    let document = sent.and_then(|sent| read::parse(sent.xml).ok());
    for (nth, told) in failure.errors.iter_mut().enumerate() {
        let code = KNOWN.codes.get(&told.error.code);
        let rule = KNOWN.rules.get(&told.error.reason);
        told.meaning = code.map(|known| known.meaning.clone());
        told.rule_meaning = rule.map(|known| known.meaning.clone());
        told.hint = rule.or(code).map(|known| known.hint.clone());
        let place = document
            .as_ref()
            .filter(|_| nth < MAX_LOCATED)
            .and_then(|document| pointer::resolve(document, &told.error.pointer));
        if let Some(place) = place {
            told.line = Some(place.line);
            told.excerpt = Some(match place.exact {
                true => place.excerpt,
                false => format!("(not there; the closest is) {}", place.excerpt),
            });
        }
    }
    if failure.reason == "rejected"
        && let (Some(refused), Some(answer)) = (failure.refused, failure.answer)
    {
        failure.message = format!("NCTS refused the {refused} with {answer}: {}", answer.meaning());
    }
    let mut parts = vec![failure.message.clone()];
    parts
        .extend(failure.errors.iter().take(MAX_TOLD).map(|error| in_words(error, failure.refused)));
    if failure.errors.len() > MAX_TOLD {
        parts.push(format!("and {} errors more", failure.errors.len() - MAX_TOLD));
    }
    if let Some(reasons) = answer.map(reasons).filter(|reasons| !reasons.is_empty()) {
        parts.push(reasons);
    }
    failure.message = parts.join("; ");
}

/// What happened, without the errors that NCTS named, which its `errors` tell
/// one by one.
pub fn headline(failure: &Failure) -> &str {
    let Some(first) = failure.errors.first() else { return &failure.message };
    let mark = format!("; code {}", first.error.code);
    failure.message.split_once(&mark).map_or(failure.message.as_str(), |(before, _)| before)
}

/// One error in a line of text.
fn in_words(told: &ExplainedError, refused: Option<MessageType>) -> String {
    let error = &told.error;
    let mut text = format!("code {}", error.code);
    if let Some(meaning) = &told.meaning {
        text.push_str(&format!(" ({meaning})"));
    }
    if !error.reason.is_empty() && error.reason != "N/A" {
        text.push_str(&format!(", rule {}", error.reason));
        if let Some(meaning) = &told.rule_meaning {
            text.push_str(&format!(" ({meaning})"));
        }
    }
    text.push_str(&format!(", at `{}`", error.pointer));
    if let Some(value) = &error.value {
        text.push_str(&format!(", value read `{value}`"));
    }
    if let (Some(line), Some(excerpt)) = (told.line, &told.excerpt) {
        let of = refused.map(|message| format!(" of the {message}")).unwrap_or_default();
        text.push_str(&format!(", line {line}{of}: `{excerpt}`"));
    }
    if let Some(hint) = &told.hint {
        text.push_str(&format!(". Hint: {hint}"));
    }
    text
}

/// What an IE055 or IE051 says of itself: it names no functional errors.
fn reasons(answer: &str) -> String {
    let Ok(message) = Message::parse(answer) else { return String::new() };
    let short = |text: &str| text.chars().take(MAX_TEXT).collect::<String>();
    match message.message_type() {
        MessageType::Ie055 => children(message.root(), "GuaranteeReference")
            .take(MAX_GUARANTEES)
            .map(|guarantee| {
                let grn = text_at(guarantee, "GRN").map(short).unwrap_or_default();
                let why: Vec<String> = children(guarantee, "InvalidGuaranteeReason")
                    .take(MAX_GUARANTEES)
                    .map(|reason| {
                        let code = text_at(reason, "code").unwrap_or("none");
                        let text = text_at(reason, "text").map(|text| format!(" ({text})"));
                        short(&format!("{code}{}", text.unwrap_or_default()))
                    })
                    .collect();
                format!("guarantee `{grn}`, reason {}", why.join(", "))
            })
            .collect::<Vec<_>>()
            .join("; "),
        MessageType::Ie051 => {
            let at = |name: &str| message.text(&format!("TransitOperation/{name}")).map(short);
            let code = at("noReleaseMotivationCode").map(|code| format!("motivation {code}"));
            let text = at("noReleaseMotivationText").map(|text| format!("`{text}`"));
            [code, text].into_iter().flatten().collect::<Vec<_>>().join(": ")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ncts::read::FunctionalError;

    const SENT: &str = "<n:CC015C xmlns:n='http://ncts.dgtaxud.ec'>\n <Guarantee>\n  \
        <GRN>7</GRN>\n </Guarantee>\n</n:CC015C>";

    fn rejected(pointer: &str, code: &str, reason: &str) -> Failure {
        let error = FunctionalError {
            pointer: pointer.into(),
            code: code.into(),
            reason: reason.into(),
            value: Some("7".into()),
        };
        Failure { message: "NCTS said no".into(), errors: vec![error.into()], ..Failure::default() }
    }

    #[test]
    fn every_code_of_the_specification_has_a_meaning() {
        let file: File = toml::from_str(ERRORS).unwrap();
        assert_eq!((file.code.len(), file.rule.len()), (KNOWN.codes.len(), KNOWN.rules.len()));
        for code in ["12", "13", "14", "15", "26", "50", "51", "52", "90", "92", "93"] {
            assert!(KNOWN.codes.contains_key(code), "{code}");
        }
        for sentence in KNOWN.codes.values().chain(KNOWN.rules.values()) {
            assert!(!sentence.meaning.is_empty() && !sentence.hint.is_empty());
        }
    }

    #[test]
    fn an_error_is_told_with_its_rule_and_its_line() {
        let mut failure = rejected("/CC015C/Guarantee[1]/GRN[1]", "50", "B1890");
        assert_eq!(pointed_type(&failure), Some(MessageType::Ie015));
        explain(&mut failure, Some(Sent { message: MessageType::Ie015, xml: SENT }), None);
        let error = &failure.errors[0];
        assert_eq!((error.line, error.excerpt.as_deref()), (Some(3), Some("<GRN>7</GRN>")));
        assert_eq!(failure.refused, Some(MessageType::Ie015));
        assert_eq!(headline(&failure), "NCTS said no");
        for part in [
            "NCTS said no; code 50 (a constraint",
            "rule B1890 (there is one means",
            "value read `7`",
            "line 3 of the IE015: `<GRN>7</GRN>`. Hint: look at",
        ] {
            assert!(failure.message.contains(part), "{part}: {}", failure.message);
        }
    }

    #[test]
    fn what_is_not_known_is_named_without_a_meaning() {
        let mut failure = rejected("//Nowhere", "77", "R9999");
        explain(&mut failure, Some(Sent { message: MessageType::Ie015, xml: SENT }), None);
        assert_eq!(
            failure.message,
            "NCTS said no; code 77, rule R9999, at `//Nowhere`, value read `7`"
        );
        let mut failure = rejected("/CC015C/x", "92", "N/A");
        explain(&mut failure, Some(Sent { message: MessageType::Ie015, xml: "<broken" }), None);
        assert!(!failure.message.contains("rule"), "{}", failure.message);
        assert_eq!(failure.errors[0].line, None);
    }

    #[test]
    fn a_refused_guarantee_says_which_and_why() {
        let mut failure = Failure { message: "no".into(), ..Failure::default() };
        let answer = "<n:CC055C xmlns:n='http://ncts.dgtaxud.ec'><GuaranteeReference><GRN>24X</GRN>\
            <InvalidGuaranteeReason><code>G03</code><text>t</text></InvalidGuaranteeReason>\
            </GuaranteeReference></n:CC055C>";
        explain(&mut failure, None, Some(answer));
        assert_eq!(failure.message, "no; guarantee `24X`, reason G03 (t)");
        let rejection = "<n:CC056C xmlns:n='http://ncts.dgtaxud.ec'><TransitOperation>\
            <businessRejectionType>170</businessRejectionType></TransitOperation></n:CC056C>";
        assert_eq!(refused_type(rejection), Some(MessageType::Ie170));
        assert_eq!(refused_type("<"), None);
    }
}
