//! A room for one test of a real binary: a private run directory, and the events that the processes in it write.
//! Shared by the integration tests of the stubs.
//!
//! In every test the binaries log all that they can, and when the room is left nothing that looks like a secret may stand in the
//! logs, in the events, or in what the binaries were started with.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use dbm_protocol::host::Logon;
use dbm_protocol::nametoken::{self, DbmToken, Pair};
use dbm_protocol::passticket::Key;
use dbm_protocol::{Role, frame};
use evidence::{EVENTS_ENV, Event, TASK_ENV, What};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long anything in a test may take. Never waited for when all is well.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// See the module.
pub(crate) struct Room {
    directory: tempfile::TempDir,
    lines: Lines<BufReader<pipe::Receiver>>,
    /// What binaries were started with.
    started: Mutex<Vec<String>>,
    /// All events read so far.
    pub(crate) seen: Vec<Event>,
}

impl Room {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("temp dir");
        let fifo = directory.path().join("events");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).expect("fifo");
        let reading = pipe::OpenOptions::new().read_write(true).open_receiver(&fifo).expect("open fifo");
        Self { directory, lines: BufReader::new(reading).lines(), started: Mutex::default(), seen: Vec::new() }
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Publishes a Debug Manager's name/token pair, and makes the key of the system.
    pub(crate) fn publish(&self, host_port: u16) -> Pair {
        Key::read_or_make(&self.run_dir()).expect("key");
        let token = DbmToken { host_port, client_port: 5335, pid: 1 };
        nametoken::create(&self.run_dir(), nametoken::DBM_NAME, token.to_bytes()).expect("name/token pair")
    }

    /// Takes the logon to Debug Manager, which must be one for this user.
    pub(crate) async fn logged_on(&self, stream: &mut TcpStream, role: Role, user: &str) {
        let logon: Logon = soon("a logon", frame::read(stream)).await.expect("frame").expect("a logon");
        assert_eq!(logon.user.as_str(), user);
        assert!(Key::read(&self.run_dir()).expect("key").has_made(role, &logon));
    }

    /// Starts a binary that writes its events into this room; it is killed when dropped.
    pub(crate) fn spawn(&self, binary: &str, task: &str, arguments: &[&str]) -> Child {
        let mut started = self.started.lock().expect("no panic");
        started.push(arguments.join(" "));
        let log = self.directory.path().join(format!("{}.log", started.len()));
        Command::new(binary)
            .args(arguments)
            .env("RUST_LOG", "trace")
            .env(EVENTS_ENV, self.directory.path().join("events"))
            .env(TASK_ENV, task)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log).expect("log"))
            .kill_on_drop(true)
            .spawn()
            .expect("spawn")
    }

    /// Reads events until one is what is awaited.
    pub(crate) async fn until<T>(&mut self, awaited: &str, pick: impl Fn(&What) -> Option<T>) -> T {
        let found = self.read_until(|what| pick(what).map_or(ControlFlow::Continue(()), ControlFlow::Break)).await;
        found.unwrap_or_else(|| panic!("awaited {awaited} for {DEADLINE:?}; seen: {:#?}", self.whats()))
    }

    async fn read_until<T>(&mut self, pick: impl Fn(&What) -> ControlFlow<T>) -> Option<T> {
        loop {
            let line = timeout(DEADLINE, self.lines.next_line()).await.ok()?.expect("fifo")?;
            let event: Event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in event {line}"));
            let picked = pick(&event.what);
            self.seen.push(event);
            if let ControlFlow::Break(found) = picked {
                return Some(found);
            }
        }
    }

    /// What was seen so far.
    pub(crate) fn whats(&self) -> Vec<&What> {
        self.seen.iter().map(|event| &event.what).collect()
    }

    /// Names of the events seen so far, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |event: &Event| serde_json::to_value(event).expect("event")["event"].as_str().map(str::to_owned);
        self.seen.iter().filter_map(name).collect()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let logs = std::fs::read_dir(self.directory.path()).expect("the room").flatten().map(|entry| entry.path());
        for log in logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
            let text = std::fs::read(&log).expect("log");
            no_secret_in(&String::from_utf8_lossy(&text), "a log");
        }
        for event in &self.seen {
            no_secret_in(&serde_json::to_string(event).expect("event"), "an event");
        }
        self.started.lock().expect("no panic").iter().for_each(|words| no_secret_in(words, "an argument"));
    }
}

/// Tokens, claims, tickets and keys are 32 hexadecimal digits, or more, in a row wherever they are written.
pub(crate) fn no_secret_in(text: &str, place: &str) {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit());
    let found = runs.filter(|run| run.len() >= 32).count();
    assert_eq!(found, 0, "{place} has what looks like a secret: {text}");
}

/// Waits for anything that must come.
pub(crate) async fn soon<T>(awaited: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("awaited {awaited} for {DEADLINE:?}, nothing came"))
}

/// The exit status, which must come by itself.
pub(crate) async fn exit_code(child: &mut Child) -> Option<i32> {
    soon("the end of the process", child.wait()).await.expect("wait").code()
}

/// Asks a process to end.
pub(crate) fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).expect("pid")));
    rustix::process::kill_process(pid.expect("it runs"), rustix::process::Signal::TERM).expect("kill");
}

/// `--help` of a binary.
pub(crate) async fn help(binary: &str) -> String {
    let output = soon("--help", Command::new(binary).arg("--help").output()).await.expect("run");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}
