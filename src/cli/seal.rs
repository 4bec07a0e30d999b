//! `seal`: sign what is in the evidence store, have it time-stamped.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use url::Url;

use super::args::Seal;
use super::context::{Context, TOOL, authorities, shown};
use super::exit;
use super::failure::{Failure, Kind};
use super::printer::{BAD, BOLD, CARE, DIM, GOOD, Printer, paint};
use super::runtime;
use super::wire::transport;
use crate::calendar::london;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::evidence::format::{MAX_TIME_STAMP, seal_place};
use crate::evidence::seal::{Authorities, KeyError, KeyRing, TimeStamp, time_stamp};
use crate::evidence::{EvidenceError, Store, StoreWriter, TimeStampReport};
use crate::files;
use crate::hmrc::hosts;
use crate::hmrc::transport::{Call, Method, Transport};
use crate::project::Project;

/// `seal --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Sealed {
    /// Always 1.
    schema_version: u32,
    /// The store's folder.
    store: String,
    /// A seal was made. If not, nothing is new since the one named here.
    new: bool,
    /// The seal's file in the store.
    seal: String,
    /// SHA-256 of that file.
    sha256: Digest,
    /// Fingerprint of the key that signed it.
    key: Digest,
    /// The time stamp that was added to it now.
    time_stamp: Option<TimeStampReport>,
}

/// Runs the command.
pub(super) fn run(context: &mut Context, args: &Seal) -> Result<u8, Failure> {
    let authorities = authorities(context, args.tsa_ca.as_deref())?;
    if authorities.is_some() && args.tsa.is_none() && args.time_stamp.is_none() {
        return Err(Failure::usage("`--tsa-ca` is of use only with `--tsa` or `--time-stamp`"));
    }
    let tsa = args.tsa.as_deref().map(|url| address(url, authorities.is_some())).transpose()?;
    let project = context.project(&Catalogue::built_in()?)?;
    let dir = project.evidence_dir();
    // Nothing is made where nothing was run.
    Store::open(&dir).map_err(|error| {
        let none = matches!(error, EvidenceError::NoStore(_));
        let failure = Failure::from(error);
        if none { failure.hint("`ctc-ready run` makes evidence first") } else { failure }
    })?;

    let (number, new, stamp) = match &args.time_stamp {
        Some(file) => {
            let answer = files::read_bounded(&context.cwd.join(file), MAX_TIME_STAMP)?;
            let (number, stamp) = add(context, &dir, &answer, None, authorities.as_ref())?;
            (number, false, Some(stamp))
        }
        None => {
            let keys = KeyRing::load(&context.keys_folder()?)?;
            let sealed = open(context, &dir)?.seal(&keys)?;
            let stamp = match tsa {
                Some(url) => {
                    have_stamped(context, &project, sealed.number, &url, authorities.as_ref())?
                }
                None => None,
            };
            (sealed.number, sealed.new, stamp)
        }
    };
    let store = Store::open(&dir)?;
    let seal = store.index().seals.get(&number).ok_or_else(|| {
        Failure::new(Kind::Bug, format!("`{}` is not in the index", seal_place(number)))
    })?;
    let report = Sealed {
        schema_version: 1,
        store: shown(&dir, &context.cwd),
        new,
        seal: seal_place(number),
        sha256: seal.sha256,
        key: seal.key,
        time_stamp: stamp.map(|stamp| TimeStampReport {
            at: stamp.at,
            authority: stamp.authority,
            authority_checked: stamp.checked,
        }),
    };
    context.printer.document(&report);
    print(&mut context.printer, &report, store.indexed().count());
    Ok(exit::DONE)
}

fn open(context: &Context, dir: &Path) -> Result<StoreWriter, Failure> {
    Ok(StoreWriter::open(dir, context.clock.clone(), TOOL)?)
}

fn add(
    context: &Context,
    dir: &Path,
    answer: &[u8],
    nonce: Option<time_stamp::Nonce>,
    authorities: Option<&Authorities>,
) -> Result<(u64, TimeStamp), Failure> {
    let added = open(context, dir)?.add_time_stamp(answer, nonce, authorities);
    added.map_err(|error| match error {
        EvidenceError::NoSuchSeal(_) => Failure::from(error).hint(
            "`openssl ts -query -data evidence/seals/N.dsse.json -sha256 -cert` asks for one over a seal's file",
        ),
        error => error.into(),
    })
}

/// The authority's address. Whoever sits between could answer in its stead,
/// unless the connection or the answer itself is checked.
fn address(text: &str, answer_checked: bool) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
        .ok_or_else(|| Failure::usage("`--tsa` takes an http or https address"))?;
    match url.scheme() == "https" || hosts::is_loopback(&url) || answer_checked {
        true => Ok(url),
        false => Err(Failure::usage("`--tsa` with a plain http address needs `--tsa-ca FILE` too")
            .hint("somebody on the way could answer instead of the authority; its certificates show that")),
    }
}

/// Has an authority stamp a seal; none where it is stamped already.
fn have_stamped(
    context: &Context,
    project: &Project,
    number: u64,
    url: &Url,
    authorities: Option<&Authorities>,
) -> Result<Option<TimeStamp>, Failure> {
    let dir = &project.evidence_dir();
    let store = Store::open(dir)?;
    let seal = store.index().seals.get(&number).filter(|seal| seal.time_stamp.is_none());
    let Some(seal) = seal else { return Ok(None) };
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| {
        Failure::new(Kind::Environment, format!("the system gives no random bytes: {error}"))
    })?;
    let nonce = time_stamp::nonce(random);
    // The store stays free for others meanwhile.
    let transport = transport(project, url)?;
    let question = time_stamp::request(seal.sha256, nonce);
    let answer = ask(&transport, url, question, context.clock.as_ref());
    let stamped = answer.and_then(|answer| add(context, dir, &answer, Some(nonce), authorities));
    let (_, stamp) = stamped.map_err(|failure| {
        // Whatever is wrong with it, the authority sent it.
        Failure { kind: Kind::Environment, ..failure }.hint(format!(
            "`{}` itself is made; the same command asks for its time stamp again",
            seal_place(number)
        ))
    })?;
    Ok(Some(stamp))
}

/// RFC 3161, section 3.4.
fn ask(
    transport: &Transport,
    url: &Url,
    question: Vec<u8>,
    clock: &dyn Clock,
) -> Result<Vec<u8>, Failure> {
    let failed = |message: String| Failure::new(Kind::Environment, message);
    let call = Call {
        method: Method::Post,
        url: url.to_string(),
        headers: vec![
            ("content-type".into(), "application/timestamp-query".into()),
            ("accept".into(), "application/timestamp-reply".into()),
        ],
        body: Some(question),
    };
    let answer = runtime()?
        .block_on(transport.send(&call, clock))
        .map_err(|error| failed(format!("no answer from the time-stamping authority: {error}")))?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(failed(format!("the time-stamping authority answers with status {status}"))),
    }
}

fn print(printer: &mut Printer, report: &Sealed, runs: usize) {
    let seal = format!("{}/{}", report.store, report.seal);
    match (report.new, &report.time_stamp) {
        (true, _) => {
            printer.line(format!("{} {seal}", paint(GOOD, "SEALED")));
            printer.line(format!("  covers {runs} runs"));
        }
        (false, Some(_)) => printer.line(format!("{} {seal}", paint(GOOD, "TIME-STAMPED"))),
        (false, None) => {
            printer.line(format!("nothing is new since {}", paint(BOLD, &seal)));
        }
    }
    printer.line(format!("  key {}", report.key));
    if let Some(stamp) = &report.time_stamp {
        print_stamp(printer, stamp);
    }
}

/// When, by whom, and whether that was checked.
pub(super) fn print_stamp(printer: &mut Printer, stamp: &TimeStampReport) {
    let by = stamp.authority.as_deref().unwrap_or("an authority without a name");
    printer.prose(2, &format!("time-stamped {} by {by}", london::for_people(stamp.at)));
    if !stamp.authority_checked {
        printer
            .line(paint(CARE, "    whether it is that authority was not checked: `--tsa-ca FILE`"));
    }
}

/// Seals what a batch, or word of the officers, brought. A seal that cannot be
/// made takes nothing from the runs, so it is told and no more.
pub(super) fn after_batch(context: &mut Context, store: &StoreWriter) {
    let folder: Result<PathBuf, Failure> = context.keys_folder();
    let keys = folder.and_then(|folder| match KeyRing::load(&folder) {
        Ok(keys) => Ok(Some(keys)),
        Err(KeyError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    });
    let sealed =
        keys.and_then(|keys| keys.map(|keys| store.seal(&keys).map_err(Failure::from)).transpose());
    let printer = &mut context.printer;
    match sealed {
        Ok(Some(sealed)) if sealed.new => printer.note(paint(
            DIM,
            format!("sealed: {} covers {} runs", seal_place(sealed.number), sealed.runs),
        )),
        Ok(Some(_)) => {}
        Ok(None) => printer
            .note(paint(DIM, "not sealed, since there is no key: `ctc-ready keys init` makes one")),
        Err(failure) => {
            let word = paint(BAD, "error");
            printer
                .note(format!("{word}: the evidence is kept, and not sealed: {}", failure.message));
            for hint in &failure.hints {
                printer.note(format!("{}: {hint}", paint(BOLD, "hint")));
            }
        }
    }
}
