//! Prints what a user waits for and what it costs: the start-up time of
//! `ctc-ready --version`; wall time and peak memory of `demo`, of a run with a
//! message of 8 MB, and of a batch with every scenario of every programme, all
//! open at once, with the simulator inside the process and beside it.
//!
//! It measures whole processes, so it is no criterion bench. Bounds that the
//! project promises stand beside the figures; nothing fails here, but how a
//! process ended is told where it did not end well. The batches take as long as
//! HMRC's timers at a twentieth of their time: some four minutes each. `-- quick` leaves them out.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_ctc-ready");

/// What the batch beside a simulator takes as its pace: a minute, in which
/// something must be asked twice, lasts three seconds.
const SCALE: &str = "20";

/// Whose rules let a consignment have any number of documents.
const PROGRAMME: [&str; 2] = ["--programme", "ncts5-final"];

/// The pace of a single run: 45 minutes last nine seconds.
const QUICK: &str = "300";

fn main() {
    let mut starts: Vec<Duration> = (0..41).map(|_| start_up()).skip(1).collect();
    starts.sort();
    let (least, median, most) = (starts[0], starts[starts.len() / 2], starts[starts.len() - 1]);
    print(&format!(
        "start-up of `--version`: median {median:.1?} (min {least:.1?}, max {most:.1?}); promised < 20 ms"
    ));
    let folder = std::env::temp_dir().join(format!("ctc-ready-footprint-{}", std::process::id()));
    let demo = measure(start(&folder, &["demo"]));
    print(&format!("`demo`: {}; promised < 30 s and < 100 MB", demo.shown()));
    let _ = std::fs::remove_dir_all(&folder);
    large_message(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    if std::env::args().all(|arg| arg != "quick") {
        batches(&folder);
        let _ = std::fs::remove_dir_all(&folder);
    }
}

fn start_up() -> Duration {
    let begin = Instant::now();
    let status = Command::new(BINARY).arg("--version").stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "`--version` failed");
    begin.elapsed()
}

/// A run whose declaration is as large as the API takes, beside the same run with
/// a small one.
fn large_message(folder: &Path) {
    let mut most = Vec::new();
    let mut told = String::new();
    for large in [false, true] {
        let project = folder.join(if large { "large" } else { "small" });
        make_project(&project);
        let mut simulator = simulator(QUICK);
        let base_url = base_url(&mut simulator);
        if large {
            write_large(&project);
        }
        let run =
            ["run", "DSGB1", PROGRAMME[0], PROGRAMME[1], "--environment", "simulator", "--wait"];
        let at = ["--base-url", base_url.as_str(), "--time-scale", QUICK];
        let cost = measure(start(&project, &[&run[..], &at[..]].concat()));
        let _ = simulator.kill();
        let _ = simulator.wait();
        told = cost.shown();
        most.extend(cost.peak);
    }
    let more = match most.as_slice() {
        [small, large] => shown(Some(large.saturating_sub(*small))),
        _ => shown(None),
    };
    print(&format!(
        "a message of 8 MB through run and evidence: {told}; {more} more than with a small one; \
         promised < 64 MB more"
    ));
}

/// Makes a declaration of nearly 8 MB of the one that would be sent.
fn write_large(project: &Path) {
    let file = project.join("payloads").join("DSGB1").join("1-IE015.xml");
    let built = Command::new(BINARY)
        .args(["message", "build", "DSGB1", "--step", "1"])
        .args(PROGRAMME)
        .arg("--project")
        .arg(project)
        .output();
    let xml = built.ok().and_then(|built| String::from_utf8(built.stdout).ok()).unwrap_or_default();
    let Some(end) = xml.rfind("</Consignment>") else { panic!("`message build` builds nothing") };
    // Nothing but a longer and longer list of documents, as in a large message.
    let filled = (1..).map(|n| {
        format!("<PreviousDocument><sequenceNumber>{n}</sequenceNumber><type>N337</type></PreviousDocument>")
    });
    let mut text = xml[..end].to_owned();
    for more in filled {
        if text.len() + more.len() + 10_000 > 8_000_000 {
            break;
        }
        text.push_str(&more);
    }
    text.push_str(&xml[end..]);
    let made = file.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
    let settings = project.join("ctc-ready.toml");
    let section = "[payloads]\n";
    let told = std::fs::read_to_string(&settings)
        .map(|old| old.replacen(section, &format!("{section}folder = \"payloads\"\n"), 1));
    let written = std::fs::write(&file, text).is_ok()
        && told.is_ok_and(|told| std::fs::write(&settings, told).is_ok());
    assert!(made && written, "the large message cannot be written");
}

/// A simulator beside.
fn simulator(scale: &str) -> Child {
    let simulate = ["simulate", "--port", "0", "--format", "json", "--time-scale", scale];
    Command::new(BINARY)
        .args(simulate)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`simulate` cannot be started: {error}"))
}

/// Every scenario of every programme at once.
fn batches(folder: &Path) {
    let run = ["run", "--all", "--environment", "simulator", "--wait"];
    let inside = folder.join("inside");
    make_project(&inside);
    let told = measure(start(&inside, &run));
    print(&format!(
        "`run --all` of every programme, the simulator inside: {}; promised < 100 MB",
        told.shown()
    ));

    let beside = folder.join("beside");
    make_project(&beside);
    let mut simulator = simulator(SCALE);
    let base_url = base_url(&mut simulator);
    let at = ["--base-url", base_url.as_str(), "--time-scale", SCALE];
    let told = measure(start(&beside, &[&run[..], &at[..]].concat()));
    let server = peak(simulator.id());
    let _ = simulator.kill();
    let _ = simulator.wait();
    print(&format!(
        "the same beside a simulator: {}; promised < 100 MB; the simulator: peak memory {}",
        told.shown(),
        shown(server)
    ));
}

fn make_project(folder: &Path) {
    let made = std::fs::create_dir_all(folder).is_ok();
    let status = Command::new(BINARY)
        .args(["init", "--programme", "ncts5-transition,ncts5-final,ncts6,guarantee-balance"])
        .args(["--flows", "standard-departure,pre-lodged-departure,arrival"])
        .args(["--procedures", "normal,simplified", "--combination", "A", "--side", "gb"])
        .args(["--software", "Footprint", "--software-version", "1"])
        .args(["--business-name", "Invented Software Ltd"])
        .args(["--business-address", "1 Example Quay, Dover"])
        .args(["--contact-email", "customs@software.example", "--project"])
        .arg(folder)
        .stdout(Stdio::null())
        .status();
    assert!(made && status.is_ok_and(|status| status.success()), "`init` failed");
}

/// Where a simulator that was just started says it is.
fn base_url(simulator: &mut Child) -> String {
    let Some(stdout) = simulator.stdout.take() else { panic!("`simulate` says nothing") };
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let line = lines.into_iter().find_map(|line| {
        let (_, rest) = line.split_once("\"base_url\": \"")?;
        Some(rest.trim_end_matches([',', '"']).to_owned())
    });
    line.unwrap_or_else(|| panic!("`simulate` does not say where it is"))
}

/// Starts the binary for the project in `folder`.
fn start(folder: &Path, args: &[&str]) -> Child {
    let child = Command::new(BINARY)
        .args(args)
        .arg("--project")
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.unwrap_or_else(|error| panic!("`{}` cannot be started: {error}", args.join(" ")))
}

/// What a process cost.
struct Cost {
    wall: Duration,
    /// KiB; none where the system does not tell.
    peak: Option<u64>,
    ended: ExitStatus,
}

impl Cost {
    fn shown(&self) -> String {
        let ended = match self.ended.success() {
            true => String::new(),
            false => format!(" ({})", self.ended),
        };
        format!("wall {:.2?}, peak memory {}{ended}", self.wall, shown(self.peak))
    }
}

fn shown(peak: Option<u64>) -> String {
    peak.map_or_else(
        || "not measured on this system".to_owned(),
        |kib| format!("{:.1} MB", kib as f64 / 1_000.0 * 1.024),
    )
}

/// The peak of a process's resident memory so far, in KiB, as the kernel
/// counts it (Linux: `VmHWM`).
fn peak(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// Watches a process until it is gone.
fn measure(mut child: Child) -> Cost {
    let begin = Instant::now();
    let mut most = None;
    loop {
        most = most.max(peak(child.id()));
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            Ok(Some(ended)) => return Cost { wall: begin.elapsed(), peak: most, ended },
            Err(error) => panic!("it cannot be waited for: {error}"),
        }
    }
}

fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
