//! The evidence as one HTML page that needs nothing but a browser: no script,
//! no network, no file beside it. Made of bodies that a hostile server may have
//! written, so everything is escaped, and a content security policy forbids
//! what is left.
//!
//! - `look`: the templates, and how values get into them. `text`: escaping.
//! - `summary`: what comes before the runs. `run`: one attempt; its parts
//!   `steps`, `journal`, `body` (with `pretty`).
//! - `timeline`: the picture; `axis`: where an instant stands in it.
//! - `room`: what there is room for. `times`: instants and spans in words.
//!
//! The markup is XML too, so that any XML reader can check it.
//!
//! Part of floor 7; the command line may call it.

mod axis;
mod body;
mod journal;
mod look;
mod pretty;
mod room;
mod run;
mod steps;
mod summary;
mod text;
mod timeline;
mod times;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::digest::Digest;
use crate::evidence::{RunId, Store};
use crate::project::Settings;
use crate::report::{Dossier, RunStory};
use crate::verdict::RequirementState;

use body::Shelf;
use look::{Look, SCRIPT, STYLE};
use room::Room;
use run::{Around, Run};
use timeline::Timeline;

/// What the page is made with, beside the dossier.
#[derive(Clone, Copy, Debug)]
pub struct PageOptions<'a> {
    /// Where scenarios, steps and requirements are looked up.
    pub catalogue: &'a Catalogue,
    /// The house and its software.
    pub settings: &'a Settings,
    /// Where the store lies as seen from the page, ending with `/`
    /// (`evidence/`): named where a reader may look for what the page leaves
    /// out.
    pub store: &'a str,
    /// Bytes that the page should not exceed. Bodies that would make it larger
    /// are left out, then headers, then whole exchanges; each says so and gives
    /// its digest. What every run must tell is there in any case.
    pub max_bytes: usize,
}

impl<'a> PageOptions<'a> {
    /// For a page that lies beside the folder `evidence`.
    pub fn new(catalogue: &'a Catalogue, settings: &'a Settings) -> Self {
        Self { catalogue, settings, store: "evidence/", max_bytes: 48 << 20 }
    }
}

/// A page that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A template does not fit what it is given: a bug.
    #[error("template `{name}`: {message}")]
    Template {
        /// The template.
        name: &'static str,
        /// What the template engine says.
        message: String,
    },
}

/// The page. The same dossier, store and options yield the same bytes. A body
/// that cannot be read from `store` is no error: the page says why in its
/// place.
///
/// # Errors
/// Never for anything in the evidence.
pub fn page(
    dossier: &Dossier,
    store: &Store,
    options: &PageOptions<'_>,
) -> Result<String, PageError> {
    let look = Look::new()?;
    let counted = summary::counted(dossier);
    let told: BTreeSet<RunId> = dossier.runs.iter().map(|story| story.record.run).collect();
    let story_of = |run: &RunId| dossier.runs.iter().find(|story| story.record.run == *run);
    let counting: Vec<&RunStory> = counted.iter().filter_map(story_of).collect();
    let others: Vec<&RunStory> =
        dossier.runs.iter().filter(|story| !counted.contains(&story.record.run)).collect();

    let in_order: Vec<&RunStory> = counting.iter().chain(&others).copied().collect();
    let room = Room::plan(&in_order, options.max_bytes);
    let mut shelf = Shelf::new(store, options.store, room.bodies.clone());
    let mut sections = |stories: &[&RunStory], counts: bool| -> Result<Vec<String>, PageError> {
        let each = stories.iter().map(|story| {
            let around = around(dossier, options, &room, story, counts);
            let run = Run::new(story, around, &mut shelf);
            look.render("run.html", RunPage { run, counts })
        });
        each.collect()
    };
    let (counting, others) = (sections(&counting, true)?, sections(&others, false)?);

    let timeline = match Timeline::new(&dossier.runs, options.catalogue) {
        Some(timeline) => Some(look.render("timeline.html", TimelinePage { timeline })?),
        None => None,
    };
    let marks = summary::marks(dossier, &counted);
    let style = STYLE.replace("MARK", &printed(&marks.join(" · ")));
    let (removed, unreadable) = summary::gone(dossier, store);
    let business = options.settings.business.name.clone();
    look.render(
        "page.html",
        Page {
            policy: policy(&style),
            style,
            script: SCRIPT,
            software: format!(
                "{} {}",
                options.settings.software.name, options.settings.software.version
            ),
            business: business.unwrap_or_else(|| "a business not named yet".into()),
            programme: options
                .catalogue
                .programme(&dossier.verdict.programme)
                .map_or_else(|| dossier.verdict.programme.clone(), |known| known.title.clone()),
            about: summary::facts(dossier, options, counting.len()),
            decision: summary::decision(dossier, &told),
            requirements: summary::requirements(dossier, options),
            integrity: summary::integrity(dossier, store),
            store: options.store,
            marks,
            timeline,
            counting,
            others,
            removed,
            unreadable,
        },
    )
}

/// What `page.html` is filled with.
#[derive(Serialize)]
struct Page<'a> {
    policy: String,
    style: String,
    script: &'static str,
    marks: Vec<String>,
    software: String,
    business: String,
    programme: String,
    about: Vec<run::Fact>,
    decision: summary::Decision,
    requirements: Vec<summary::RequirementRow>,
    timeline: Option<String>,
    counting: Vec<String>,
    others: Vec<String>,
    removed: Vec<summary::Gone>,
    unreadable: Vec<summary::Gone>,
    integrity: summary::Integrity,
    store: &'a str,
}

/// What `run.html` is filled with.
#[derive(Serialize)]
struct RunPage {
    run: Run,
    counts: bool,
}

/// What `timeline.html` is filled with.
#[derive(Serialize)]
struct TimelinePage {
    timeline: Timeline,
}

fn around<'a>(
    dossier: &Dossier,
    options: &PageOptions<'a>,
    room: &'a Room,
    story: &RunStory,
    counts: bool,
) -> Around<'a> {
    let verdict = &dossier.verdict;
    let run = story.record.run;
    let programme = options.catalogue.programme(&verdict.programme);
    let stands = || verdict.requirements.iter().filter(|status| status.run == Some(run));
    let stale = stands().any(|status| status.state == RequirementState::Stale);
    let titles = stands().map(|status| summary::title(programme, &status.requirement));
    let findings = verdict.findings.iter().zip(1..);
    Around {
        catalogue: options.catalogue,
        room,
        stands_for: if counts { titles.collect() } else { Vec::new() },
        why_not: (!counts).then(|| run::why_not(story, verdict.rehearsal, stale)),
        findings: findings
            .filter(|(finding, _)| finding.run == Some(run))
            .map(|(finding, number)| (number, finding.rule))
            .collect(),
        fresh_until: stands().filter_map(|status| status.fresh_until).max(),
    }
}

/// Nothing may be loaded, sent or run but what stands in the page: its style,
/// its script, and pictures given as data.
fn policy(style: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Digest::of(text.as_bytes()).as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        hash(style),
        hash(SCRIPT)
    )
}

/// A mark as the text of a CSS string.
fn printed(mark: &str) -> String {
    mark.chars().filter(|c| c.is_alphanumeric() || " :·’-".contains(*c)).collect()
}
