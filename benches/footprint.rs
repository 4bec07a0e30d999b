//! Prints what a user waits for and what it costs: the start-up time of
//! `ctc-ready --version`, and the wall time and peak memory of `demo`.
//!
//! It measures whole processes, so it is no criterion bench. Bounds that the
//! project promises stand beside the figures; nothing fails here.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_ctc-ready");

fn main() {
    let mut starts: Vec<Duration> = (0..41).map(|_| start_up()).skip(1).collect();
    starts.sort();
    let (least, median, most) = (starts[0], starts[starts.len() / 2], starts[starts.len() - 1]);
    print(&format!(
        "start-up of `--version`: median {median:.1?} (min {least:.1?}, max {most:.1?}); promised < 20 ms"
    ));
    let folder = std::env::temp_dir().join(format!("ctc-ready-footprint-{}", std::process::id()));
    let (wall, peak) = demo(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    let peak = peak.map_or_else(
        || "not measured on this system".to_owned(),
        |kib| format!("{:.1} MB", kib as f64 / 1_000.0 * 1.024),
    );
    print(&format!("`demo`: wall {wall:.2?}, peak memory {peak}; promised < 30 s and < 100 MB"));
}

fn start_up() -> Duration {
    let begin = Instant::now();
    let status = Command::new(BINARY).arg("--version").stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "`--version` failed");
    begin.elapsed()
}

/// Wall time, and the peak of resident memory in KiB as the kernel counts it
/// (Linux: `VmHWM`, read until the process is gone).
fn demo(folder: &Path) -> (Duration, Option<u64>) {
    let begin = Instant::now();
    let child = Command::new(BINARY)
        .args(["demo", "--project"])
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { panic!("`demo` cannot be started") };
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = None;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status_file) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok());
            peak = peak.max(kib);
        }
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            Ok(Some(status)) => {
                assert!(status.success(), "`demo` failed: {status}");
                return (begin.elapsed(), peak);
            }
            Err(error) => panic!("`demo` cannot be waited for: {error}"),
        }
    }
}

fn print(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
