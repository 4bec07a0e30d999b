//! The user's command that makes the software send a message: how it is called,
//! and what its output says.
//!
//! It is a program with its arguments, never a shell's line. It is told what to
//! do by environment variables (`CTC_READY_…`), and two of them name files: the
//! message that ctc-ready would have sent, and the step's test data. The last
//! line of its standard output that is not empty names the movement:
//! `{"departureId": "66a0000011112222"}`, `{"arrivalId": …}`, `{"movementId": …}`,
//! or the id alone. Secrets of ctc-ready are not handed on.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::files::{self, Access};
use crate::hmrc::api::is_id;
use crate::ncts::MovementKind;

/// Most bytes kept of an output: its end.
const MAX_OUTPUT: usize = 256 << 10;

/// Most characters of standard error told to the user.
const TAIL: usize = 400;

/// How long an output may stay open after the program has ended: whatever it
/// left running may hold it for ever.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// What the software is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Environment variables.
    pub variables: Vec<(String, String)>,
    /// The message that ctc-ready would have sent.
    pub payload: String,
    /// The step's test data, as JSON.
    pub data: Option<String>,
}

impl Order {
    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code, where it ended by itself.
    pub exit_code: Option<i32>,
    /// Why it did not do what it should, in words.
    pub failure: Option<String>,
    /// The end of its standard output.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: Vec<u8>,
}

/// What comes of an order, in time.
pub type Performing<'a> = Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

/// Whoever makes the software act: [`UserCommand`], or in tests anything.
pub trait Software: Send + Sync {
    /// The program's name, for the evidence.
    fn program(&self) -> String;
    /// How long an order may take.
    fn timeout(&self) -> Duration;
    /// Carries an order out, once.
    fn perform<'a>(&'a self, order: &'a Order) -> Performing<'a>;
}

/// The user's command.
#[derive(Clone, Debug)]
pub struct UserCommand {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder in which it runs.
    pub folder: PathBuf,
    /// How long it may take.
    pub timeout: Duration,
    /// Where the files lie meanwhile that its variables name.
    pub scratch: PathBuf,
    /// Environment variables that are not handed on.
    pub withheld: Vec<&'static str>,
}

impl Software for UserCommand {
    fn program(&self) -> String {
        let name = std::path::Path::new(&self.program).file_name();
        name.map_or_else(|| self.program.clone(), |name| name.to_string_lossy().into_owned())
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn perform<'a>(&'a self, order: &'a Order) -> Performing<'a> {
        Box::pin(self.run(order))
    }
}

impl UserCommand {
    async fn run(&self, order: &Order) -> Ended {
        // Gone with its files when this ends, however it ends.
        let folder = match self.lay_out(order) {
            Ok(folder) => folder,
            Err(why) => return Ended { failure: Some(why), ..Ended::default() },
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .envs(order.variables.iter().map(|(name, value)| (name, value)))
            .env("CTC_READY_PAYLOAD", folder.path().join(PAYLOAD))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if order.data.is_some() {
            command.env("CTC_READY_DATA", folder.path().join(DATA));
        }
        for name in &self.withheld {
            command.env_remove(name);
        }
        #[cfg(unix)]
        command.process_group(0);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let failure = format!("`{}` cannot be started: {error}", self.program);
                return Ended { failure: Some(failure), ..Ended::default() };
            }
        };
        wait(Group::of(child), self.timeout).await
    }

    /// Writes what the order has into a folder of its own.
    fn lay_out(&self, order: &Order) -> Result<tempfile::TempDir, String> {
        let why = |error: &dyn std::fmt::Display| {
            format!("no files can be made for it in `{}`: {error}", self.scratch.display())
        };
        let folder = tempfile::Builder::new()
            .prefix("ctc-ready-")
            .tempdir_in(&self.scratch)
            .map_err(|error| why(&error))?;
        let payload = folder.path().join(PAYLOAD);
        files::create_new(&payload, order.payload.as_bytes(), Access::Private)
            .map_err(|error| why(&error))?;
        if let Some(data) = &order.data {
            files::create_new(&folder.path().join(DATA), data.as_bytes(), Access::Private)
                .map_err(|error| why(&error))?;
        }
        Ok(folder)
    }
}

const PAYLOAD: &str = "message.xml";
const DATA: &str = "data.json";

/// A process with all that it has started; killed with the value, unless it
/// has ended.
struct Group {
    child: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        Self {
            #[cfg(unix)]
            id: child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw),
            child,
        }
    }

    /// It ended by itself; what it left running may stay.
    fn let_go(&mut self) {
        #[cfg(unix)]
        {
            self.id = None;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.id {
            // One that is gone needs no killing.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

/// Waits for a process, reading what it says.
async fn wait(mut group: Group, timeout: Duration) -> Ended {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let out = group.child.stdout.take();
    let err = group.child.stderr.take();
    let mut exit = None;
    let (mut failure, mut exit_code) = (None, None);
    {
        let mut outputs = Box::pin(async {
            tokio::join!(read(out, &mut stdout), read(err, &mut stderr));
        });
        let mut read_all = false;
        let ends = async {
            loop {
                tokio::select! {
                    ended = group.child.wait() => break ended,
                    () = &mut outputs, if !read_all => read_all = true,
                }
            }
        };
        match tokio::time::timeout(timeout, ends).await {
            Ok(ended) => exit = Some(ended),
            Err(_) => {
                failure = Some(format!("it did not end within {} seconds", timeout.as_secs()));
            }
        }
        if exit.is_some() {
            group.let_go();
            if !read_all {
                // What comes later is not waited for.
                let _ = tokio::time::timeout(AFTERWARDS, &mut outputs).await;
            }
        }
    }
    match exit {
        Some(Ok(status)) => {
            exit_code = status.code();
            failure = match exit_code {
                Some(0) => None,
                Some(code) => Some(format!("it ended with exit code {code}")),
                None => Some(format!("it was ended: {status}")),
            };
        }
        Some(Err(error)) => failure = Some(format!("its end cannot be told: {error}")),
        None => {}
    }
    Ended { exit_code, failure, stdout, stderr }
}

/// Reads an output to its end, and keeps the last of it.
async fn read(output: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut output) = output else { return };
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if kept.len() > 2 * MAX_OUTPUT {
            kept.drain(..kept.len() - MAX_OUTPUT);
        }
    }
    if kept.len() > MAX_OUTPUT {
        kept.drain(..kept.len() - MAX_OUTPUT);
    }
}

/// The movement that an output names: none, where it says nothing at all.
///
/// # Errors
/// In words, when its last line is not one of those that name a movement.
pub fn named_movement(stdout: &[u8], kind: MovementKind) -> Result<Option<String>, String> {
    let text = String::from_utf8_lossy(stdout);
    let Some(line) = text.lines().map(str::trim).rfind(|line| !line.is_empty()) else {
        return Ok(None);
    };
    let json = serde_json::from_str::<serde_json::Value>(line).ok().filter(|it| it.is_object());
    let named = match &json {
        Some(json) => {
            [kind.id_field(), "movementId"].iter().find_map(|field| json.get(field)?.as_str())
        }
        None => Some(line),
    };
    named.filter(|id| is_id(id)).map(|id| Some(id.to_owned())).ok_or_else(|| {
        let shown: String = line.chars().take(80).collect();
        format!(
            "the last line that it printed names no {} (`{{\"{}\": \"16 hexadecimal digits\"}}`): \
             `{shown}`",
            kind.singular(),
            kind.id_field()
        )
    })
}

/// The end of an output in one line, for people.
pub(super) fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let skip = line.chars().count().saturating_sub(TAIL);
    let shown: String = line.chars().skip(skip).collect();
    if skip > 0 { format!("… {shown}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_names_the_movement() {
        let named = |text: &str| named_movement(text.as_bytes(), MovementKind::Departure);
        let id = Some("66a0000011112222".to_owned());
        for text in [
            "66a0000011112222",
            "sending\nsent\n66a0000011112222\n\n",
            r#"{"departureId":"66a0000011112222"}"#,
            "log\r\n {\"movementId\": \"66a0000011112222\", \"lrn\": 1}\r\n",
            r#"{"arrivalId":"66a0000033334444","departureId":"66a0000011112222"}"#,
        ] {
            assert_eq!(named(text), Ok(id.clone()), "{text}");
        }
        for text in ["", "\n \n"] {
            assert_eq!(named(text), Ok(None));
        }
        for text in [
            "done",
            "66A0000011112222",
            "66a0000011112222 ok",
            r#"{"arrivalId":"66a0000033334444"}"#,
            r#"{"departureId":"../../x"}"#,
            r#"{"departureId":7}"#,
            "66a0000011112222\nbye",
        ] {
            assert!(named(text).is_err(), "{text}");
        }
        assert!(named(&"x".repeat(100_000)).unwrap_err().len() < 250);
    }

    #[test]
    fn an_output_is_told_by_its_end() {
        assert_eq!(tail(b"a\n  b\n"), "a b");
        let long = tail("x".repeat(10_000).as_bytes());
        assert!(long.starts_with('…') && long.chars().count() < 410);
    }

    fn command(script: &str) -> UserCommand {
        UserCommand {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            folder: std::env::temp_dir(),
            timeout: Duration::from_secs(20),
            scratch: std::env::temp_dir(),
            withheld: vec!["CARGO_MANIFEST_DIR"],
        }
    }

    fn run(command: &UserCommand) -> Ended {
        let order = Order {
            variables: vec![("CTC_READY_STEP".into(), "2".into())],
            payload: "<message/>".into(),
            data: Some("{\"a\":1}".into()),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(command.perform(&order))
    }

    #[cfg(unix)]
    #[test]
    fn a_command_is_told_what_to_do_and_no_secret() {
        let script = "cat \"$CTC_READY_PAYLOAD\" \"$CTC_READY_DATA\"; echo \"$CTC_READY_STEP\"; \
                      echo \"[$CARGO_MANIFEST_DIR]\"; echo no >&2; exit 3";
        let ended = run(&command(script));
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "<message/>{\"a\":1}2\n[]\n");
        assert_eq!((ended.exit_code, ended.stderr.as_slice()), (Some(3), b"no\n".as_slice()));
        assert_eq!(ended.failure.as_deref(), Some("it ended with exit code 3"));
        assert_eq!(command("").program(), "sh");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_says_much_or_leaves_something_running_ends_all_the_same() {
        let ended = run(&command("yes | head -c 3000000; echo 66a0000011112222"));
        assert_eq!((ended.failure, ended.stdout.len()), (None, MAX_OUTPUT));
        assert!(ended.stdout.ends_with(b"\n66a0000011112222\n"));
        let ended = run(&command("echo 66a0000011112222; sleep 60 & exit 0"));
        assert_eq!((ended.failure, ended.exit_code), (None, Some(0)));
    }

    /// Tells once nobody holds the pipe any more for writing.
    #[cfg(unix)]
    fn all_gone(pipe: &std::path::Path) -> std::sync::mpsc::Receiver<()> {
        let made = std::process::Command::new("mkfifo").arg(pipe).status().unwrap();
        assert!(made.success());
        let (gone, is_gone) = std::sync::mpsc::channel();
        let pipe = pipe.to_owned();
        std::thread::spawn(move || {
            std::fs::read(pipe).unwrap();
            gone.send(()).unwrap();
        });
        is_gone
    }

    #[cfg(unix)]
    #[test]
    fn a_command_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let script = format!("echo begun; sleep 600 > '{}' & wait", pipe.display());
        let brief = UserCommand { timeout: Duration::from_secs(1), ..command(&script) };
        let is_gone = all_gone(&pipe);
        let ended = run(&brief);
        assert_eq!(ended.failure.as_deref(), Some("it did not end within 1 seconds"));
        assert_eq!((ended.exit_code, ended.stdout.as_slice()), (None, b"begun\n".as_slice()));
        is_gone.recv_timeout(Duration::from_secs(60)).expect("its child lives on");

        // The same when nobody waits for it any more.
        std::fs::remove_file(&pipe).unwrap();
        let is_gone = all_gone(&pipe);
        let order = Order { variables: vec![], payload: String::new(), data: None };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let forever = command(&script);
        let dropped = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(1), forever.perform(&order)).await
        });
        assert!(dropped.is_err());
        is_gone.recv_timeout(Duration::from_secs(60)).expect("its child lives on");

        let absent = UserCommand { program: "/nowhere/software".into(), ..brief };
        let failure = run(&absent).failure.unwrap();
        assert!(failure.starts_with("`/nowhere/software` cannot be started"), "{failure}");
    }
}
