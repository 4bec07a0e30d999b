//! What a journal line says. These types are the stored format: fields may be
//! added (optional, with a default), never renamed.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Digest;
pub use crate::ncts::read::FunctionalError;
use crate::ncts::{MessageType, MovementKind};
pub use crate::project::Driver;
use crate::project::Environment;

/// The id of a run: a UUID version 7, so that ids sort by time.
pub type RunId = Uuid;

/// One event of a run. A journal line holds one, flattened beside `seq`, `at`,
/// `mono_ns`, `prev` and `hash`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// First line of every journal.
    RunOpened(RunOpened),
    /// Another process took the run up again; monotonic time starts anew.
    RunResumed(RunResumed),
    /// A request is about to leave. For a POST this line is on disk before the
    /// first byte leaves.
    Request(Request),
    /// Its answer.
    Response(Response),
    /// It got no answer.
    RequestFailed(RequestFailed),
    /// The fate of a POST without an answer was learnt.
    LookedUp(LookedUp),
    /// The API says where a large message is to be uploaded.
    Announced(Announced),
    /// The API has refused a message that was uploaded.
    UploadRefused(UploadRefused),
    /// The API took a message of the trader: a POST of ours, or one that the
    /// software sent and we found.
    Submitted(Submitted),
    /// A message of NCTS was fetched.
    Received(Received),
    /// The officers were asked to act.
    OfficerAsked(OfficerAsked),
    /// The officers were reminded of that.
    OfficerReminded(OfficerAsked),
    /// The user says that the officers replied.
    OfficerAnswered(OfficerAnswered),
    /// A question for the balance of a guarantee was answered.
    BalanceAnswered(BalanceAnswered),
    /// The user's command is about to make the software send. This line is on
    /// disk before it starts.
    CommandStarted(CommandStarted),
    /// It ended.
    CommandEnded(CommandEnded),
    /// A movement that the software made is known.
    MovementNamed(MovementNamed),
    /// Something is worth knowing about a message that the software sent.
    MessageNoted(MessageNoted),
    /// All of the run comes from a file.
    Imported(Imported),
    /// A run that was of no scenario so far is one's attempt from here on.
    Assigned(Assigned),
    /// Last line of a finished run.
    RunClosed(RunClosed),
}

/// What a run is about. Stated once, when it opens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOpened {
    /// This run.
    pub run: RunId,
    /// `ncts5-final`.
    pub programme: String,
    /// `DSGB1`.
    pub scenario: String,
    /// 1 for the first attempt at this scenario under this programme.
    pub attempt: u32,
    /// Where messages go.
    pub environment: Environment,
    /// True for the simulator, for life: never satisfies the gate.
    pub simulated: bool,
    /// Who acts as the trader's software.
    pub driver: Driver,
    /// The software under test.
    pub software: SoftwareId,
    /// `ctc-ready` and its version.
    pub tool: String,
    /// Who ran it, where the settings say.
    pub operator: Option<String>,
    /// Address of the API.
    pub base_url: String,
    /// API version (`2.1`).
    pub api_version: String,
    /// How much faster than real time the environment's timers run; 1 for
    /// HMRC's.
    pub time_scale: f64,
    /// The process that opened it.
    pub session: Uuid,
}

/// The software under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SoftwareId {
    /// Product name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the build, `sha256:<hex>`.
    pub build: Option<String>,
}

/// Another process took the run up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResumed {
    /// That process.
    pub session: Uuid,
    /// Its tool version.
    pub tool: String,
    /// Bytes of a half-written last line that were cut off, if any.
    pub cut_bytes: u64,
}

/// A stored body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// SHA-256 of the stored bytes; the object's name.
    pub sha256: Digest,
    /// Stored bytes.
    pub bytes: u64,
    /// `Content-Type` as sent or received, where there was one.
    pub media_type: Option<String>,
    /// Whether redaction changed the bytes on the wire. Their digest is not
    /// kept: all but the secret is in the object, so that a digest of the whole
    /// would let a secret be guessed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

/// A request about to leave; already redacted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Number of the exchange inside the run, from 1.
    pub exchange: u32,
    /// When it left, where this line was written only afterwards: what serves
    /// several runs is recorded in those that it concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// What it is for.
    pub purpose: Purpose,
    /// The scenario step, for a submission, an injection and a question for a
    /// balance.
    pub step: Option<u32>,
    /// The message type, for a submission and an injection.
    pub message: Option<MessageType>,
    /// The LRN inside, for a submission: what a lost POST is looked up by.
    pub lrn: Option<String>,
    /// `messageIdentification` inside, for a submission.
    pub message_identification: Option<String>,
    /// Where the payload came from, for a submission.
    pub payload_origin: Option<String>,
    /// How the scenario had the payload depart from its data, in words, for
    /// such a submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_mutation: Option<String>,
    /// What HMRC's schemas said of the payload, for a submission that was
    /// judged by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_check: Option<PayloadCheck>,
    /// HTTP method.
    pub method: String,
    /// Full address.
    pub url: String,
    /// Headers in the order sent.
    pub headers: Vec<(String, String)>,
    /// Body. Of an upload the file alone: the form around it has only what the
    /// API gave for it.
    pub body: Option<ObjectRef>,
}

/// What HMRC's schemas said of a payload before it left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PayloadCheck {
    /// Version of the schemas (`2.1`), where their folder says it.
    pub version: Option<String>,
    /// SHA-256 over the schema files: for each, in the order of their paths,
    /// path, NUL, length in decimal, NUL, text.
    pub schemas: Digest,
    /// How many violations; more than none only where the scenario sends an
    /// invalid message on purpose.
    pub violations: u32,
    /// The first of them: `line:column: path: message`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// POST of a message.
    Submit,
    /// GET of movements updated since an instant.
    ListMovements,
    /// GET of a movement's messages.
    ListMessages,
    /// GET of one message.
    GetMessage,
    /// GET of movements by LRN or MRN, or of a movement's messages: to learn the
    /// fate of a POST, or whether the software has sent a message.
    LookUp,
    /// An e-mail handed to a mailbox endpoint (simulator).
    Mail,
    /// POST of a question for the balance of a guarantee.
    Balance,
    /// GET of what waits in a box of notifications.
    PullNotifications,
    /// PUT that says which notifications were taken out of a box.
    AcknowledgeNotifications,
    /// POST that has a message of NCTS injected (sandbox).
    Inject,
    /// POST that announces a message too large to be sent as it is. Its file
    /// follows as [`Purpose::Submit`].
    Announce,
}

/// An answer; already redacted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The exchange it answers.
    pub exchange: u32,
    /// HTTP status.
    pub status: u16,
    /// Headers in the order received.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<ObjectRef>,
    /// The server's `Date`, where it was there and readable.
    pub server_date: Option<DateTime<Utc>>,
    /// From the request's first byte to the answer's last, in nanoseconds.
    pub elapsed_ns: u64,
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestFailed {
    /// The exchange.
    pub exchange: u32,
    /// `connect`, `timeout`, `reset`, `body`, `tls`, `other`.
    pub failure: String,
    /// In words, without secrets.
    pub detail: String,
    /// Whether the server may have acted all the same.
    pub may_have_arrived: bool,
}

/// The fate of a POST without an answer was learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookedUp {
    /// The exchange of the look-up.
    pub exchange: u32,
    /// The scenario step whose POST was in doubt.
    pub step: u32,
    /// Whether the API has the message. If it has, a [`Submitted`] follows.
    pub found: bool,
}

/// The API says where a large message is to be uploaded. What it must be
/// uploaded with is in no journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// The scenario step.
    pub step: u32,
    /// What is to be uploaded.
    pub message: MessageType,
    /// Kind of movement.
    pub movement: MovementKind,
    /// The API's id of the movement.
    pub movement_id: String,
    /// The API's id of the message.
    pub message_id: String,
    /// The exchange in which it was announced.
    pub exchange: u32,
    /// The box of notifications that is told of a new movement's messages,
    /// where the API named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub box_id: Option<String>,
}

/// The API has refused a message that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRefused {
    /// The scenario step.
    pub step: u32,
    /// What was uploaded.
    pub message: MessageType,
    /// The exchange that told.
    pub exchange: u32,
}

/// The API took a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// The scenario step.
    pub step: u32,
    /// What was sent.
    pub message: MessageType,
    /// Its LRN, where it has one.
    pub lrn: Option<String>,
    /// Its MRN, where it has one.
    pub mrn: Option<String>,
    /// Kind of movement.
    pub movement: MovementKind,
    /// The API's id of the movement.
    pub movement_id: String,
    /// The API's id of the message.
    pub message_id: String,
    /// The exchange in which it was taken, or found again after a lost answer;
    /// of a message that the software sent, the one that fetched it.
    pub exchange: u32,
    /// The API's own time for it, where known.
    pub received: Option<DateTime<Utc>>,
    /// The box of notifications that is told of a new movement's messages,
    /// where the API named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub box_id: Option<String>,
    /// The body as sent.
    pub body: ObjectRef,
}

/// A message of NCTS was fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// What came.
    pub message: MessageType,
    /// Kind of movement.
    pub movement: MovementKind,
    /// The API's id of the movement.
    pub movement_id: String,
    /// The API's id of the message.
    pub message_id: String,
    /// The exchange in which the body was fetched.
    pub exchange: u32,
    /// The API's `received`.
    pub received: Option<DateTime<Utc>>,
    /// MRN inside, where there is one.
    pub mrn: Option<String>,
    /// LRN inside, where there is one.
    pub lrn: Option<String>,
    /// The errors it names, for IE056 and IE057.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FunctionalError>,
    /// `releaseIndicator`, for IE025: 1 releases the goods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_indicator: Option<String>,
    /// The XML body.
    pub body: ObjectRef,
}

/// The officers were asked to act, or reminded of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfficerAsked {
    /// The scenario step.
    pub step: u32,
    /// Recipient.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// The e-mail's text.
    pub body: ObjectRef,
    /// The whole e-mail as a file (RFC 5322).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eml: Option<ObjectRef>,
    /// True when ctc-ready delivered it (simulator); false when a person must
    /// send it.
    pub delivered: bool,
}

/// The user says that the officers replied. The line's `at` is the time of
/// saying so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfficerAnswered {
    /// The scenario step that waited for them.
    pub step: u32,
    /// What the user wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The reply, a screenshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// A file that the user gave as evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// The file's name, without its folder.
    pub name: String,
    /// Its bytes; the media type is told from the name.
    pub file: ObjectRef,
}

/// A question for the balance of a guarantee was answered: with a balance, or
/// for good with a refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceAnswered {
    /// The scenario step.
    pub step: u32,
    /// The exchange.
    pub exchange: u32,
    /// HTTP status.
    pub status: u16,
    /// The balance, in units of the currency.
    pub balance: Option<f64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The code of a refusal, such as `NOT_FOUND`.
    pub code: Option<String>,
}

/// The user's command is about to make the software send a step's message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandStarted {
    /// The scenario step.
    pub step: u32,
    /// The message it is to send.
    pub message: MessageType,
    /// The LRN that was proposed: what a message is looked up by whose command
    /// did not live to name its movement.
    pub lrn: String,
    /// The program's name, without its folder and its arguments.
    pub program: String,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// The user's command ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandEnded {
    /// The scenario step.
    pub step: u32,
    /// Its exit code; none, where a signal or its time-out ended it, or it did
    /// not start.
    pub exit_code: Option<i32>,
    /// Why it did not do what it should, in words; none, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How long it took, in nanoseconds.
    pub elapsed_ns: u64,
    /// The movement that its output names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub movement_id: Option<String>,
    /// The end of its standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<ObjectRef>,
    /// The end of its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<ObjectRef>,
}

/// A movement that the software made is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovementNamed {
    /// Its kind.
    pub movement: MovementKind,
    /// The API's id of it.
    pub movement_id: String,
    /// Who says so.
    pub by: NamedBy,
}

/// Who says which movement a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedBy {
    /// The user.
    User,
    /// The output of the user's command.
    Command,
    /// The API, by the LRN or the MRN.
    Reference,
}

/// What is worth knowing about a message that the software sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageNoted {
    /// The scenario step that it is taken for; none, where it fits none.
    pub step: Option<u32>,
    /// Its type.
    pub message: MessageType,
    /// The API's id of the movement.
    pub movement_id: String,
    /// The API's id of the message.
    pub message_id: String,
    /// The exchange in which it was fetched.
    pub exchange: u32,
    /// The API's own time for it.
    pub received: DateTime<Utc>,
    /// How it contradicts its step, in words: it is another test case's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradiction: Option<String>,
    /// What a person should know; nothing that speaks against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The file that a run comes from: nobody has seen what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Its name, without its folder.
    pub file: String,
    /// SHA-256 of the file, which is not kept: it has secrets.
    pub digest: Digest,
    /// Its size in bytes.
    pub length: u64,
    /// Entries in it, those of others too.
    pub entries: u64,
}

/// The scenario, and where nothing told it the programme, of a run of which
/// nobody has said yet what it is an attempt at. Its attempt number is 0, and
/// its messages bear the numbers from 1 in place of steps.
pub const UNASSIGNED: &str = "unassigned";

/// What a run is an attempt at was said after it had begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// `ncts5-final`.
    pub programme: String,
    /// `DSGB1`.
    pub scenario: String,
    /// 1 for the first attempt at this scenario under this programme.
    pub attempt: u32,
    /// The scenario's steps of the messages that the API has taken so far, in
    /// their order.
    pub steps: Vec<u32>,
    /// Who said so, where the settings name anyone.
    pub by: Option<String>,
    /// `ctc-ready` and its version.
    pub tool: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunClosed {
    /// The end state; never `waiting`.
    pub state: RunState,
    /// Why, unless it passed.
    pub failure: Option<Failure>,
}

/// Where a run stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Every expectation came.
    Passed,
    /// Something else came, or came too late.
    Failed,
    /// Open: someone or something must act.
    Waiting,
    /// Given up by the user.
    Abandoned,
}

/// Why a run failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Stable kebab-case name, such as `rejected`, `unexpected-message`,
    /// `overdue`, `refused-by-api`, `no-answer`.
    pub reason: String,
    /// The scenario step.
    pub step: u32,
    /// In words: what happened and what to do.
    pub message: String,
    /// The message that ended the run, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<MessageType>,
    /// The message of ours that it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<MessageType>,
    /// The errors NCTS named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ExplainedError>,
}

/// An error that NCTS named, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedError {
    /// As NCTS named it.
    #[serde(flatten)]
    pub error: FunctionalError,
    /// What its code says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// What its rule says, where we know the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_meaning: Option<String>,
    /// The line of the message as sent to which its pointer leads, from 1; to
    /// the closest element around it, where the element itself is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// That line's text, or the part of it that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// Where to look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<FunctionalError> for ExplainedError {
    fn from(error: FunctionalError) -> Self {
        Self { error, meaning: None, rule_meaning: None, line: None, excerpt: None, hint: None }
    }
}

/// Who must act next on a waiting run, and by when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingFor {
    /// Who.
    pub actor: Actor,
    /// What is awaited, in words.
    pub what: String,
    /// When it is overdue.
    pub deadline: Option<DateTime<Utc>>,
}

/// Who a run waits for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The user.
    You,
    /// HMRC's officers.
    Officer,
    /// A timer of NCTS, or NCTS itself.
    Timer,
    /// The environment is closed.
    OpeningHours,
    /// The request budget.
    RequestBudget,
}
