//! Evidence from a file of what the software did (HAR): each exchange is taken
//! as if it passed by now, with the times that the file claims.
//!
//! What a file says, nobody has seen: neither its times nor its answers are
//! proven. The run says so (driver `import`, the file's digest), and `[gate]
//! drivers` decides whether it counts.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::sync::mpsc::unbounded_channel;
use url::Url;

use super::asked::read;
use super::har::{self, Entry, HarError, MAX_FILE};
use super::ledger::Ledger;
use super::recognise::Recognition;
use super::record::{Options, RecordError};
use super::route::Route;
use super::secrets::Secrets;
use super::text::MAX_BODY;
use super::wire::Heard;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::engine::RunView;
use crate::engine::Watcher;
use crate::engine::exchange::Answered;
use crate::engine::mail::Mail;
use crate::engine::report::RunEntry;
use crate::evidence::{Driver, Event, EvidenceError, Imported, RunId, RunState, StoreWriter};
use crate::files::{self, FileError};
use crate::hmrc::transport::{Answer, Call, Method, NoAnswer};
use crate::hmrc::{ctc, hosts};
use crate::ncts::MovementKind;
use crate::project::Environment;

/// Most bytes of HMRC's entries that are kept in memory.
const MAX_KEPT: usize = 64 << 20;

/// A file that is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is larger than any that is read.
    #[error("`{}` has {bytes} bytes; at most {MAX_FILE} are read", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The file is no HAR file.
    #[error("`{}` {source}", .path.display())]
    Har {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: HarError,
    },
    /// It has more of HMRC's than is kept.
    #[error("`{}` has more than {MAX_KEPT} bytes of HMRC's API; export one movement alone", .0.display())]
    TooMuch(PathBuf),
    /// No declaration for the environment.
    #[error(
        "`{}` has no declaration (POST of an IE015) to {address}: {entries} entries, {ours} of that \
         address", .path.display()
    )]
    NoDeclaration {
        /// The file.
        path: PathBuf,
        /// Address of the environment.
        address: String,
        /// Entries in all.
        entries: usize,
        /// Those of the address.
        ours: usize,
    },
    /// Several declarations, of which none is named.
    #[error("`{}` has several declarations, with the LRNs {lrns}", .path.display())]
    Several {
        /// The file.
        path: PathBuf,
        /// Their LRNs.
        lrns: String,
    },
    /// The same file, once more.
    #[error("this very file was imported before, as run `{run}` ({scenario})")]
    Again {
        /// The run.
        run: RunId,
        /// Its scenario.
        scenario: String,
    },
    /// The movement is evidence already.
    #[error("the movement {movement} is evidence already, in run `{run}` ({scenario})")]
    Known {
        /// The API's id of the movement.
        movement: String,
        /// The run.
        run: RunId,
        /// Its scenario.
        scenario: String,
    },
    /// The evidence cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<EvidenceError> for ImportError {
    fn from(error: EvidenceError) -> Self {
        Self::Record(error.into())
    }
}

/// What was imported.
#[derive(Debug)]
pub struct Import {
    /// The run.
    pub run: RunEntry,
    /// Exchanges taken from the file.
    pub exchanges: u64,
    /// What is worth telling.
    pub notes: Vec<String>,
}

/// Takes a file in as a run of the scenario that `recognition` has fixed.
/// `lrn`: which of several declarations.
///
/// # Errors
/// When it is no such file, has no declaration to the environment or several,
/// or is evidence already; or the store cannot be written.
pub fn import(
    path: &Path,
    lrn: Option<&str>,
    store: &StoreWriter,
    recognition: &Recognition,
    clock: &Arc<dyn Clock>,
    options: &Options,
) -> Result<Import, ImportError> {
    let (digest, length) = digest(path)?;
    let known = already(store, |run, event| match event {
        Event::Imported(imported) if imported.digest == digest => Some(run),
        _ => None,
    })?;
    if let Some((run, scenario)) = known {
        return Err(ImportError::Again { run, scenario });
    }
    let secrets = Secrets::new(store.redactor());
    let mut wanted = Wanted::read(path, options)?;
    let mut options = options.clone();
    if let Some(base) = wanted.base.take() {
        options.base_url = base;
    }
    // Before anything of any is written.
    wanted.entries.iter().for_each(|taken| taken.learn(&secrets));
    wanted.choose(path, lrn, recognition, &options)?;
    if let Some(movement) = wanted.movement() {
        let known = already(store, |run, event| match event {
            Event::Submitted(sent) if sent.movement_id == movement => Some(run),
            _ => None,
        })?;
        if let Some((run, scenario)) = known {
            return Err(ImportError::Known { movement, run, scenario });
        }
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let imported = Imported {
        file: store.redactor().text(&name.chars().take(200).collect::<String>()),
        digest,
        length,
        entries: wanted.read as u64,
    };
    let mut notes = Notes::default();
    let (errands, _none) = unbounded_channel();
    let mut ledger = Ledger {
        store,
        clock: Arc::clone(clock),
        watcher: &mut notes,
        options: &options,
        recognition,
        redactor: store.redactor(),
        errands,
        in_doubt: Arc::new(AtomicBool::new(false)),
        held: Vec::new(),
        imported: Some(imported),
        claimed: None,
        runs: Vec::new(),
        seen: Vec::new(),
        requests: 0,
        passed_on: 0,
    };
    for taken in wanted.entries {
        let (heard, result) = taken.into_parts();
        ledger.replay(heard, result)?;
    }
    ledger.file_ends()?;
    let exchanges = ledger.requests;
    let run = ledger.entries()?.into_iter().next();
    let run = run.ok_or_else(|| ImportError::NoDeclaration {
        path: path.to_owned(),
        address: options.address().to_owned(),
        entries: wanted.read,
        ours: 0,
    })?;
    Ok(Import { run, exchanges, notes: notes.0 })
}

/// SHA-256 and size of a file.
fn digest(path: &Path) -> Result<(Digest, u64), ImportError> {
    let mut file = open(path)?;
    let unread = |source| FileError { path: path.to_owned(), doing: "read", source };
    Ok(Digest::of_reader(&mut file).map_err(unread)?)
}

fn open(path: &Path) -> Result<File, ImportError> {
    let file = files::open_regular(path)?;
    let unread = |source| FileError { path: path.to_owned(), doing: "read", source };
    let bytes = file.metadata().map_err(unread)?.len();
    match bytes > MAX_FILE {
        true => Err(ImportError::TooLarge { path: path.to_owned(), bytes }),
        false => Ok(file),
    }
}

/// The first run that is not over for nothing, and of which an event says so.
fn already(
    store: &StoreWriter,
    says: impl Fn(RunId, &Event) -> Option<RunId>,
) -> Result<Option<(RunId, String)>, EvidenceError> {
    let store = store.read()?;
    for record in store.readable_runs().0 {
        if matches!(record.state, RunState::Failed | RunState::Abandoned)
            && record.driver == Driver::Import
            && record.failure.as_ref().is_some_and(|failure| failure.reason == "incomplete")
        {
            continue;
        }
        let events = store.events(record.run)?;
        if let Some(run) = events.iter().find_map(|line| says(record.run, &line.event)) {
            return Ok(Some((run, record.scenario)));
        }
    }
    Ok(None)
}

/// An entry of the environment's.
struct Taken {
    heard: Heard,
    result: Answered,
}

impl Taken {
    fn of(entry: Entry, route: Route) -> Option<Self> {
        let at = entry.at();
        let pairs = |headers: Vec<har::Header>| -> Vec<(String, String)> {
            let real = headers.into_iter().filter(|header| !header.name.starts_with(':'));
            real.map(|header| (header.name, header.value)).collect()
        };
        let har::Request { method, url, headers, post_data } = entry.request;
        let headers = pairs(headers);
        let named = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
        let typed = headers.iter().any(named);
        let body = match method.as_str() {
            "POST" => Some(post_data.and_then(|body| body.bytes()).unwrap_or_default()),
            _ => None,
        };
        let method = if body.is_some() { Method::Post } else { Method::Get };
        let call = Call { method, url, headers, body };
        let heard = Heard { route, call, typed, sent_at: Some(at?) };
        let elapsed = entry.time.filter(|ms| ms.is_finite() && *ms > 0.0).unwrap_or_default();
        let result = match entry.response {
            Some(response) if (100..=999).contains(&response.status) => {
                let headers = pairs(response.headers);
                let date = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"));
                let date =
                    date.and_then(|(_, text)| chrono::DateTime::parse_from_rfc2822(text).ok());
                Ok(Answer {
                    status: u16::try_from(response.status).unwrap_or_default(),
                    body: response.content.and_then(|body| body.bytes()).unwrap_or_default(),
                    server_date: date.map(|date| date.to_utc()),
                    headers,
                    // A float beyond the type becomes its largest value.
                    elapsed_ns: (elapsed * 1e6) as u64,
                })
            }
            _ => Err(NoAnswer {
                failure: "request",
                detail: "the file has no answer".to_owned(),
                may_have_arrived: true,
            }),
        };
        Some(Self { heard, result })
    }

    fn size(&self) -> usize {
        let sent = self.heard.call.body.as_ref().map_or(0, Vec::len);
        sent + self.result.as_ref().map_or(0, |answer| answer.body.len())
    }

    fn learn(&self, secrets: &Secrets) {
        for (name, value) in &self.heard.call.headers {
            if name.eq_ignore_ascii_case(AUTHORIZATION.as_str())
                && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
            {
                secrets.learn(&HeaderMap::from_iter([(AUTHORIZATION, value)]));
            }
        }
    }

    /// The LRN of a declaration.
    fn lrn(&self) -> Option<String> {
        let body = self.heard.call.body.as_deref().unwrap_or_default();
        read(self.heard.header("content-type"), body).ok()?.lrn
    }

    fn declares(&self) -> bool {
        self.heard.route == Route::Open(MovementKind::Departure)
    }

    fn into_parts(self) -> (Heard, Answered) {
        (self.heard, self.result)
    }
}

/// What is wanted of a file.
#[derive(Default)]
struct Wanted {
    entries: Vec<Taken>,
    /// Entries in all.
    read: usize,
    /// The simulator's address, where the file alone tells it.
    base: Option<Url>,
}

impl Wanted {
    fn read(path: &Path, options: &Options) -> Result<Self, ImportError> {
        let mut wanted = Self::default();
        let (mut kept, mut too_much) = (0_usize, false);
        let any_port = options.environment == Environment::Simulator;
        let read = har::read(open(path)?, |entry| {
            wanted.read += 1;
            let Ok(url) = Url::parse(&entry.request.url) else { return };
            let ours = match any_port {
                true => hosts::is_loopback(&url),
                false => url.origin() == options.base_url.origin(),
            };
            let route = Route::of(&entry.request.method, url.path());
            if !ours || route == Route::Other {
                return;
            }
            if any_port && wanted.base.is_none() {
                wanted.base = Url::parse(&url.origin().ascii_serialization()).ok();
            }
            let Some(taken) = Taken::of(entry, route) else { return };
            kept = kept.saturating_add(taken.size());
            too_much |= kept > MAX_KEPT || taken.size() > 2 * MAX_BODY;
            if !too_much {
                wanted.entries.push(taken);
            }
        });
        read.map_err(|source| ImportError::Har { path: path.to_owned(), source })?;
        if too_much {
            return Err(ImportError::TooMuch(path.to_owned()));
        }
        // Stable: what began in the same millisecond keeps the file's order.
        wanted.entries.sort_by_key(|taken| taken.heard.sent_at);
        Ok(wanted)
    }

    /// Leaves the declaration that is meant, and no other.
    fn choose(
        &mut self,
        path: &Path,
        lrn: Option<&str>,
        recognition: &Recognition,
        options: &Options,
    ) -> Result<(), ImportError> {
        let ours = self.entries.len();
        let lrns: BTreeSet<Option<String>> =
            self.entries.iter().filter(|taken| taken.declares()).map(Taken::lrn).collect();
        let chosen: Vec<&Option<String>> = match lrn {
            Some(lrn) => lrns.iter().filter(|own| own.as_deref() == Some(lrn)).collect(),
            None if lrns.len() > 1 => {
                lrns.iter().filter(|own| recognition.named_by(own.as_deref())).collect()
            }
            None => lrns.iter().collect(),
        };
        match chosen[..] {
            [one] => {
                self.entries.retain(|taken| !taken.declares() || taken.lrn() == *one);
                Ok(())
            }
            [] if lrns.len() < 2 || lrn.is_some() => Err(ImportError::NoDeclaration {
                path: path.to_owned(),
                address: options.address().to_owned(),
                entries: self.read,
                ours,
            }),
            _ => {
                let told = lrns.iter().flatten().take(20).map(|lrn| format!("`{lrn}`"));
                let lrns = told.collect::<Vec<_>>().join(", ");
                Err(ImportError::Several { path: path.to_owned(), lrns })
            }
        }
    }

    /// The movement that the declaration made.
    fn movement(&self) -> Option<String> {
        let made = self.entries.iter().filter(|taken| taken.declares());
        let answers = made.filter_map(|taken| taken.result.as_ref().ok());
        let taken = answers.filter_map(|it| ctc::taken(MovementKind::Departure, &it.body).ok());
        taken.map(|taken| taken.movement_id).next()
    }
}

/// Keeps what is worth telling.
#[derive(Debug, Default)]
struct Notes(Vec<String>);

impl Watcher for Notes {
    fn moved(&mut self, _: &RunView) {}

    fn requested(&mut self, _: u64) {}

    fn mail_to_send(&mut self, _: &RunView, _: &Mail) {}

    fn note(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}
