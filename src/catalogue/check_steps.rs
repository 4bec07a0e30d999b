//! What types alone cannot say about the steps of scenarios.

use super::check_scenarios::unknown_word;
use super::data::ColumnKey;
use super::problem::Key;
use super::read::{Draft, DraftScenarios};
use super::{
    BalanceAnswer, BalanceRequest, Expectation, Flow, Mutation, PresentationTimer, Scenario, Step,
    TestedProcedure,
};
use crate::ncts::{Direction, MessageType};

use Key::{At, Name};

/// Every problem of a scenario's steps.
pub(super) fn steps(
    draft: &Draft,
    file: &DraftScenarios,
    scenario: &Scenario,
    say: &mut impl FnMut(&[Key<'_>], String),
) {
    let mut before = Before::default();
    for (index, step) in scenario.step.iter().enumerate() {
        let mut say = |path: &[Key<'_>], message: String| {
            let mut whole = vec![Name("step"), At(index)];
            whole.extend_from_slice(path);
            say(&whole, message);
        };
        action(scenario, step, index + 1, &mut say);
        if let Some(message) = step.send {
            if message.direction() != Direction::Sent {
                say(&[Name("send")], format!("{message} comes from NCTS: it cannot be sent"));
            } else if before.sent.is_empty() && !message.opens_movement() {
                say(
                    &[Name("send")],
                    format!("{message} belongs to a movement, and none is open yet"),
                );
            }
            columns(draft, file, scenario, step, message, &mut say);
        } else if before.sent.is_empty() && step.officer.is_some() {
            say(&[Name("officer")], "officers cannot act before a movement is open".into());
        }
        deadlines(scenario, step, index + 1, &mut before, &mut say);
        if let Some(mutation) = &step.mutation {
            self::mutation(mutation, &mut say);
        }
        if let Some(request) = &step.request {
            self::request(request, index, &mut say);
        }
        if let Some(answer) = &step.answer {
            self::answer(answer, &mut say);
        }
        for (position, expected) in step.expect.iter().enumerate() {
            expectation(expected, |key, message| {
                let path = [Name("expect"), At(position), Name(key)];
                say(&path[..if key.is_empty() { 2 } else { 3 }], message);
            });
        }
    }
    let expects = |step: &Step| !step.expect.is_empty() || step.answer.is_some();
    if !scenario.step.is_empty() && !scenario.step.iter().any(expects) {
        say(&[], format!("`{}` expects nothing: it could not fail", scenario.id));
    }
}

/// What the steps before brought.
#[derive(Default)]
struct Before {
    sent: Vec<MessageType>,
    timer_started: bool,
}

/// Who acts in a step, and what goes with it.
fn action(
    scenario: &Scenario,
    step: &Step,
    number: usize,
    say: &mut impl FnMut(&[Key<'_>], String),
) {
    match (step.send.is_some(), step.request.is_some(), step.officer.is_some()) {
        (true, false, _) | (false, true, false) | (false, false, true) => {}
        (false, false, false) => {
            say(&[], format!("step {number} has no action: `send`, `request` or `officer`"))
        }
        (_, true, _) => say(
            &[Name("request")],
            format!("step {number} asks for a balance: it has neither `send` nor `officer`"),
        ),
    }
    let balance = scenario.flow == Flow::GuaranteeBalance;
    if step.request.is_some() && !balance {
        say(
            &[Name("request")],
            format!(
                "only scenarios of flow `{}` ask for a balance",
                Flow::GuaranteeBalance.as_str()
            ),
        );
    } else if balance && (step.send.is_some() || step.officer.is_some()) {
        let key = if step.send.is_some() { "send" } else { "officer" };
        say(
            &[Name(key)],
            format!("step {number}: there is no movement when a balance is asked for"),
        );
    }
    match (&step.request, &step.answer) {
        (Some(_), None) => {
            say(&[Name("request")], format!("step {number} does not say which `answer` must come"));
        }
        (None, Some(_)) => {
            say(&[Name("answer")], format!("step {number} has an `answer` and no `request`"));
        }
        _ => {}
    }
    if step.request.is_some() && !step.expect.is_empty() {
        say(
            &[Name("expect")],
            format!("step {number}: a balance is answered at once, by `answer`"),
        );
    }
    if step.send.is_none() {
        for (key, given) in [
            ("data", !step.data.is_empty()),
            ("sheet", step.sheet.is_some()),
            ("mutation", step.mutation.is_some()),
        ] {
            if given {
                say(&[Name(key)], format!("step {number} sends nothing: it needs no `{key}`"));
            }
        }
    }
    if let Some(words) = &step.officer {
        if words.trim().is_empty() {
            say(&[Name("officer")], format!("step {number} does not say what officers are asked"));
        }
        if let Some(message) = unknown_word(words) {
            say(&[Name("officer")], message);
        }
    }
}

/// Deadlines, and the timer that waits for the presentation of the goods.
fn deadlines(
    scenario: &Scenario,
    step: &Step,
    number: usize,
    before: &mut Before,
    say: &mut impl FnMut(&[Key<'_>], String),
) {
    let key = "deadline-minutes-after-ie015";
    if step.deadline_minutes_after_ie015.is_some() && !before.sent.contains(&MessageType::Ie015) {
        say(
            &[Name(key)],
            format!("no IE015 was sent before step {number}, from which its deadline could count"),
        );
    }
    if step.deadline_minutes_after_ie015 == Some(0) {
        say(&[Name(key)], "a deadline of no minutes".into());
    }
    before.sent.extend(step.send);
    let key = "officer-deadline-minutes";
    if step.officer_deadline_minutes.is_some() && step.officer.is_none() {
        say(&[Name(key)], format!("step {number} asks nothing of officers: it needs no `{key}`"));
    } else if step.officer_deadline_minutes.is_some() && !before.sent.contains(&MessageType::Ie015)
    {
        say(
            &[Name(key)],
            format!("no IE015 was sent up to step {number}, from which this deadline could count"),
        );
    }
    if step.officer_deadline_minutes == Some(0) {
        say(&[Name(key)], "a deadline of no minutes".into());
    }
    let Some(timer) = step.presentation_timer else { return };
    let key = [Name("presentation-timer")];
    if scenario.flow != Flow::PreLodgedDeparture {
        say(&key, "only pre-lodged goods are waited for".into());
    }
    match timer {
        PresentationTimer::Starts if before.timer_started => {
            say(&key, "the timer was started before".into());
        }
        PresentationTimer::Starts => before.timer_started = true,
        PresentationTimer::Expires if !before.timer_started => {
            say(&key, format!("no step before step {number} starts the timer"));
        }
        PresentationTimer::Expires if step.expect.is_empty() => {
            say(&key, "when it runs out a message comes, and none is expected".into());
        }
        PresentationTimer::Expires => {}
    }
}

fn mutation(mutation: &Mutation, say: &mut impl FnMut(&[Key<'_>], String)) {
    let at = |key| [Name("mutation"), Name(key)];
    if mutation.what.trim().is_empty() {
        say(&at("what"), "must not be empty".into());
    }
    if mutation.remove.is_empty() && mutation.set.is_empty() && mutation.at_least.is_empty() {
        say(
            &[Name("mutation")],
            "a mutation that changes nothing: give `remove`, `set` or `at-least`".into(),
        );
    }
    for (position, path) in mutation.remove.iter().enumerate() {
        let here = [Name("mutation"), Name("remove"), At(position)];
        if let Some(message) = wrong_path(path) {
            say(&here, message);
        } else if mutation.set.contains_key(path) {
            say(&here, format!("`{path}` is both removed and set"));
        }
    }
    for (path, value) in &mutation.set {
        let here = [Name("mutation"), Name("set"), Name(path)];
        if let Some(message) = wrong_path(path) {
            say(&here, message);
        }
        if value.is_empty() {
            say(&here, format!("`{path}` is set to nothing: name it in `remove` instead"));
        }
    }
    for (path, count) in &mutation.at_least {
        let here = [Name("mutation"), Name("at-least"), Name(path)];
        if let Some(message) = wrong_path(path) {
            say(&here, message);
        }
        if *count == 0 {
            say(&here, format!("`{path}` at least 0 times: leave it out"));
        }
    }
    for text in mutation.set.values().chain([&mutation.what]) {
        if let Some(message) = unknown_word(text) {
            say(&[Name("mutation")], message);
        }
    }
}

/// What is wrong with a path of element names.
fn wrong_path(path: &str) -> Option<String> {
    let name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    (!path.split('/').all(name)).then(|| {
        format!("`{path}` is not a path of elements such as `Consignment/LocationOfGoods/UNLocode`")
    })
}

fn request(request: &BalanceRequest, index: usize, say: &mut impl FnMut(&[Key<'_>], String)) {
    let at = |key| [Name("request"), Name(key)];
    if let Some(message) = unknown_word(&request.grn) {
        say(&at("grn"), message);
    } else if !is_grn(&request.grn) {
        say(&at("grn"), format!("`{}` is not a guarantee reference number", request.grn));
    }
    let code = &request.access_code;
    if code.len() != 4 || !code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        say(&at("access_code"), "an access code has four letters or digits".into());
    }
    match request.within_seconds {
        Some(0) => say(&at("within_seconds"), "within no seconds".into()),
        Some(_) if index == 0 => say(
            &at("within_seconds"),
            "there is no step before, from which the seconds could count".into(),
        ),
        _ => {}
    }
}

/// As the Guarantee Balance API 2.0 takes it: two digits, a country, twelve
/// letters or digits and a check digit.
fn is_grn(grn: &str) -> bool {
    let grn = grn.as_bytes();
    let of = |range: std::ops::Range<usize>, kind: fn(&u8) -> bool| {
        grn.get(range).is_some_and(|part| part.iter().all(kind))
    };
    grn.len() == 17
        && of(0..2, u8::is_ascii_digit)
        && of(2..4, u8::is_ascii_uppercase)
        && of(4..16, |b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && of(16..17, u8::is_ascii_digit)
}

fn answer(answer: &BalanceAnswer, say: &mut impl FnMut(&[Key<'_>], String)) {
    let granted = answer.status == 200;
    if !(100..600).contains(&answer.status) {
        say(&[Name("answer"), Name("status")], format!("{} is not an HTTP status", answer.status));
    }
    let whole = match granted {
        true => answer.balance.is_some() && answer.currency.is_some() && answer.code.is_none(),
        false => answer.balance.is_none() && answer.currency.is_none() && answer.code.is_some(),
    };
    if !whole {
        say(
            &[Name("answer")],
            "an answer has `balance` and `currency` with status 200, else `code`".into(),
        );
    }
}

/// `say` takes the key concerned, or an empty one.
fn expectation(expected: &Expectation, mut say: impl FnMut(&'static str, String)) {
    let message = expected.message;
    if message.direction() != Direction::Received {
        say("", format!("{message} is sent by the trader: it cannot be expected"));
    }
    if expected.after_minutes == Some(0) {
        say("after_minutes", format!("{message} after no minutes: leave `after_minutes` out"));
    }
    if !expected.violations.is_empty() && !message.is_refusal() {
        say("violations", format!("{message} refuses nothing: it names no violations"));
    }
    for (index, rule) in expected.violations.iter().enumerate() {
        if !is_rule(rule) {
            say("violations", format!("`{rule}` is not a rule such as `B1890`"));
        }
        if expected.violations.iter().take(index).any(|earlier| earlier == rule) {
            say("violations", format!("`{rule}` is there twice"));
        }
    }
    if expected.release.is_some() && message != MessageType::Ie025 {
        say("release", format!("only an IE025 says whether goods are released, not {message}"));
    }
}

/// A letter and four digits.
fn is_rule(rule: &str) -> bool {
    let mut bytes = rule.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && bytes.len() == 4
        && bytes.all(|b| b.is_ascii_digit())
}

/// The data columns a step names.
fn columns(
    draft: &Draft,
    file: &DraftScenarios,
    scenario: &Scenario,
    step: &Step,
    message: MessageType,
    say: &mut impl FnMut(&[Key<'_>], String),
) {
    let most = if scenario.procedure == Some(TestedProcedure::Either) { 2 } else { 1 };
    if step.data.is_empty() {
        say(&[Name("send")], format!("{message} needs `data`: the name of a column of test data"));
    } else if step.data.len() > most {
        say(
            &[Name("data")],
            "only a scenario of both procedures (`simplified/normal`) has two columns, one for each"
                .into(),
        );
    }
    for text in step.data.iter().chain(&step.sheet) {
        if let Some(message) = unknown_word(text) {
            say(&[Name("data")], message);
        }
    }
    for (position, column) in step.data.iter().enumerate() {
        for programme in file.programmes.iter().filter(|_| draft.whole.data) {
            let Some(columns) = draft.columns.get(programme) else { continue };
            if !columns.contains_key(&ColumnKey::new(message, step.sheet.as_deref(), column)) {
                let sheet = step.sheet.as_ref().map(|sheet| format!(" on sheet `{sheet}`"));
                say(
                    &[Name("data"), At(position)],
                    format!(
                        "programme `{programme}` has no test data `{column}` for {message}{}",
                        sheet.unwrap_or_default()
                    ),
                );
            }
        }
    }
}
