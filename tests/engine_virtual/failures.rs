//! A run that fails says where in the message it went wrong.

use ctc_ready::evidence::RunState;
use ctc_ready::hmrc::transport::Method;
use ctc_ready::ncts::MessageType;

use crate::fake::{Bench, answer};

const REJECTION: &str = r#"<n:CC056C xmlns:n="http://ncts.dgtaxud.ec">
  <TransitOperation><businessRejectionType>015</businessRejectionType></TransitOperation>
  <FunctionalError>
    <errorPointer>/CC015C/Guarantee[1]/GuaranteeReference[1]/GRN</errorPointer>
    <errorCode>12</errorCode><errorReason>R9999</errorReason>
    <originalAttributeValue>24GB0</originalAttributeValue>
  </FunctionalError>
</n:CC056C>"#;

#[tokio::test(start_paused = true)]
async fn a_rejection_is_told_with_the_line_it_is_about() {
    let replies = |_: &str| vec![("IE056", chrono::Duration::seconds(2))];
    let mut bench = Bench::new(replies);
    *bench.fake_hook() = Box::new(|call, world| {
        let rejection = call.method == Method::Get
            && call.url.ends_with("/body")
            && world.movements[0].messages.iter().any(|message| message.kind == "IE056");
        rejection.then(|| Ok(answer(200, REJECTION)))
    });
    let outcome = bench.run(vec![bench.job("DSGB1")], true).await.unwrap();
    let run = &outcome.runs[0];
    assert_eq!(run.state, RunState::Failed);
    let failure = run.failure.as_ref().unwrap();
    assert_eq!(failure.reason, "rejected");
    assert_eq!(failure.answer, Some(MessageType::Ie056));
    assert_eq!(failure.refused, Some(MessageType::Ie015));
    let error = &failure.errors[0];
    let sent = {
        let world = bench.world();
        world.movements[0].messages.iter().find(|m| m.kind == "IE015").unwrap().body.clone()
    };
    let line = sent.lines().nth(error.line.unwrap() as usize - 1).unwrap();
    assert!(line.contains("<GRN>"), "{line}");
    assert_eq!(error.excerpt.as_deref(), Some(line.trim()));
    assert!(error.meaning.is_some() && error.rule_meaning.is_none() && error.hint.is_some());
    for part in [
        "NCTS refused the IE015 with IE056",
        "code 12 (",
        "rule R9999",
        "value read `24GB0`",
        "of the IE015: `<GRN>",
    ] {
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
}
