//! `run --events FILE`: what happens, for programs: one JSON document a line.

use std::path::Path;

use chrono::{DateTime, SubsecRound, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::failure::Failure;
use crate::engine::RunView;
use crate::engine::report::Doing;
use crate::evidence::{Actor, RunId, RunState};
use crate::files::{self, Access, AppendFile};
use crate::ncts::MessageType;

/// One line of `run --events FILE`. Members that an event does not have are
/// left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct RunEvent {
    /// Always 1.
    schema_version: u32,
    /// When it was noticed, UTC, to the millisecond.
    at: DateTime<Utc>,
    /// What happened.
    event: Kind,
    /// The run; none where it concerns no single one.
    run: Option<RunId>,
    /// `DSGB1`.
    scenario: Option<String>,
    /// `ncts5-final`.
    programme: Option<String>,
    /// 1 for the first attempt.
    attempt: Option<u32>,
    /// The step, from 1.
    step: Option<u32>,
    /// Requests to HMRC's API that this call of `run` has made so far, all runs
    /// together.
    requests: u64,
    #[serde(flatten)]
    more: More,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// A run was opened, or taken up again (`resumed`).
    Opened,
    /// The API took `message`.
    Sent,
    /// `message` was fetched.
    Received,
    /// The officers were asked to act; `mail` is the e-mail to send, if any.
    Asked,
    /// The officers are to be reminded; `mail` is the e-mail to send.
    Reminded,
    /// The user had said `replied` that the officers replied.
    Answered,
    /// It waits: `actor`, `what`, `deadline`.
    Waiting,
    /// It cannot go on in this call: `text` says why.
    Stopped,
    /// Every expectation came.
    Passed,
    /// It failed: `text` says why.
    Failed,
    /// It was given up: `text` says why.
    Abandoned,
    /// Something worth telling, such as a retry: `text`.
    Note,
    /// This call of `run` ends; the runs counted by where they stand.
    Ended,
}

/// What some events have.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
struct More {
    /// The message.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageType>,
    /// Whether an earlier process opened the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<bool>,
    /// Path of the e-mail that a person must send.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<String>,
    /// When the user said that the officers replied.
    #[serde(skip_serializing_if = "Option::is_none")]
    replied: Option<DateTime<Utc>>,
    /// Who must act.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    /// What is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    /// When it is overdue, or possible; null: no such time.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Option<DateTime<Utc>>>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Runs that passed in this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed: Option<usize>,
    /// Runs that failed in this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<usize>,
    /// Runs that are still open.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<usize>,
}

/// Runs by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) waiting: usize,
}

impl RunEvent {
    /// What a view tells; none: nothing that matters to a program.
    pub(super) fn of(view: &RunView, at: DateTime<Utc>, requests: u64) -> Option<Self> {
        let mut more = More::default();
        let mut at_step = view.step;
        let event = match &view.doing {
            Doing::Busy(_) => return None,
            Doing::Opened { resumed } => {
                more.resumed = Some(*resumed);
                Kind::Opened
            }
            Doing::Sent { step, message } => {
                at_step = *step;
                more.message = Some(*message);
                Kind::Sent
            }
            Doing::Received { step, message } => {
                at_step = *step;
                more.message = Some(*message);
                Kind::Received
            }
            Doing::Asked { step, follow_up } => {
                at_step = *step;
                if *follow_up { Kind::Reminded } else { Kind::Asked }
            }
            Doing::Answered { step, at } => {
                at_step = *step;
                more.replied = Some(*at);
                Kind::Answered
            }
            Doing::Waiting => {
                let waiting = view.waiting_for.as_ref()?;
                more.actor = Some(waiting.actor);
                more.what = Some(waiting.what.clone());
                more.deadline = Some(waiting.deadline);
                Kind::Waiting
            }
            Doing::Stopped(why) => {
                more.text = Some(why.clone());
                Kind::Stopped
            }
            Doing::Over(why) => {
                more.text.clone_from(why);
                match view.state {
                    RunState::Passed => Kind::Passed,
                    RunState::Abandoned => Kind::Abandoned,
                    RunState::Failed | RunState::Waiting => Kind::Failed,
                }
            }
        };
        Some(Self {
            schema_version: 1,
            at: at.trunc_subsecs(3),
            event,
            run: Some(view.run),
            scenario: Some(view.scenario.clone()),
            programme: Some(view.programme.clone()),
            attempt: Some(view.attempt),
            step: Some(at_step),
            requests,
            more,
        })
    }

    fn about_all(event: Kind, at: DateTime<Utc>, requests: u64, more: More) -> Self {
        let (run, scenario, programme) = (None, None, None);
        let (attempt, step) = (None, None);
        let (schema_version, at) = (1, at.trunc_subsecs(3));
        Self { schema_version, at, event, run, scenario, programme, attempt, step, requests, more }
    }

    /// Something worth telling.
    pub(super) fn note(text: &str, at: DateTime<Utc>, requests: u64) -> Self {
        let more = More { text: Some(text.to_owned()), ..More::default() };
        Self::about_all(Kind::Note, at, requests, more)
    }

    /// The end.
    pub(super) fn ended(tally: Tally, at: DateTime<Utc>, requests: u64) -> Self {
        let more = More {
            passed: Some(tally.passed),
            failed: Some(tally.failed),
            waiting: Some(tally.waiting),
            ..More::default()
        };
        Self::about_all(Kind::Ended, at, requests, more)
    }

    /// The same with the e-mail that a person must send.
    pub(super) fn with_mail(mut self, path: Option<String>) -> Self {
        self.more.mail = path;
        self
    }
}

/// Where events go.
pub(super) enum EventLog {
    /// Standard output.
    Output,
    /// A file that grows.
    File(AppendFile),
}

impl EventLog {
    /// Opens `file` to append to; `-` is standard output.
    ///
    /// # Errors
    /// When it cannot be written, or is no regular file.
    pub(super) fn open(file: &Path, cwd: &Path) -> Result<Self, Failure> {
        if file.as_os_str() == "-" {
            return Ok(Self::Output);
        }
        let path = cwd.join(file);
        let explain = |error: files::FileError| {
            Failure::from(error).hint("`--events FILE` names the file that events are added to")
        };
        if path.symlink_metadata().is_err() {
            files::create_new(&path, b"", Access::Shared).map_err(explain)?;
        }
        let mut log = AppendFile::open(&path).map_err(explain)?;
        // A line that an earlier process left half-written stays by itself.
        if !log.is_empty() && !ends_with_newline(&path).map_err(explain)? {
            log.append(b"\n").map_err(explain)?;
        }
        Ok(Self::File(log))
    }
}

fn ends_with_newline(path: &Path) -> Result<bool, files::FileError> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = files::open_regular(path)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))
        .and_then(|_| file.read_exact(&mut last))
        .map_err(|source| files::FileError { path: path.to_owned(), doing: "read", source })?;
    Ok(last == *b"\n")
}
