//! One sysplex that is kept up for a test, and what must be left of it: nothing.

use std::io::Read;
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::lab;
use crate::process::{self, Namespaces, Process, of_lab};

/// How long anything may take that is awaited.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);
/// How soon nothing may be left.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// What a test returns.
pub(crate) type Tested = Result<(), String>;

/// A sysplex that is up. When a test fails, it goes with it.
pub(crate) struct Kept {
    /// Its name: nobody else's on this machine.
    pub(crate) name: String,
    /// Its background process.
    pub(crate) pid: i32,
    namespaces: Namespaces,
}

impl Kept {
    /// Brings the two LPARs of the seed up.
    pub(crate) fn up() -> Result<Self, String> {
        let name = free_name();
        let up = run(&["up", "scenarios/topologies/two-lpars.toml", "--name", &name])?;
        expect(&up, 0, &[&format!("{name} is up"), "LPAR1", "home 10.10.10.11", &format!("lab down {name}")])?;
        let listed = listed(&name)?.ok_or_else(|| format!("{name} is not in `lab ls` after `lab up`"))?;
        let pid = listed["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let mut kept =
            Self { pid: pid.ok_or_else(|| format!("no pid in {listed}"))?, name, namespaces: Namespaces::new() };
        kept.namespaces.note(&of_lab(kept.pid));
        match kept.namespaces.count() {
            0 => Err("no namespace of it was seen, so its end would show little".into()),
            _ => Ok(kept),
        }
    }

    /// Runs one of the commands that take `--name`.
    pub(crate) fn run(&self, command: &str, rest: &[&str]) -> Result<Output, String> {
        run(&[&[command, "--name", &self.name], rest].concat())
    }

    /// Starts `lab exec`, with pipes.
    pub(crate) fn start(&self, system: &str, command: &[&str]) -> Result<Child, String> {
        let mut exec = lab();
        exec.args(["exec", "--name", &self.name, system, "--"]).args(command);
        exec.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|e| format!("lab exec: {e}"))
    }

    /// Its director: the child of the keeper that is in the keeper's own PID namespace.
    pub(crate) fn director(&self) -> Result<Process, String> {
        let processes = of_lab(self.pid);
        let found = process::Victim::Director.among(&processes, self.pid).first().map(|director| (*director).clone());
        found.ok_or_else(|| "no director was seen".into())
    }

    /// Waits until no process is left; then there may be no namespace and no name either.
    pub(crate) fn nothing_is_left(&self) -> Tested {
        let deadline = Instant::now() + GONE_WITHIN;
        while let Some(first) = self.left().first() {
            if !first.wait_for_end(deadline) {
                let left: Vec<String> = self.left().iter().map(ToString::to_string).collect();
                return Err(format!("expected no process after {GONE_WITHIN:?}, left: {}", left.join(", ")));
            }
        }
        let open = self.namespaces.kept_open();
        if !open.is_empty() {
            return Err(format!("expected no namespace, left: {}", open.join(", ")));
        }
        match listed(&self.name)? {
            None => Ok(()),
            Some(line) => Err(format!("expected no such name, listed: {line}")),
        }
    }

    fn left(&self) -> Vec<Process> {
        let is_left = |process: &Process| process.is_of(self.pid) || self.namespaces.have(process);
        process::all().into_iter().filter(is_left).collect()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for process in of_lab(self.pid) {
            process.kill();
        }
    }
}

/// A name that no other test and no user has.
pub(crate) fn free_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs `lab` to its end.
pub(crate) fn run(arguments: &[&str]) -> Result<Output, String> {
    lab().args(arguments).stdin(Stdio::null()).output().map_err(|e| format!("lab {arguments:?}: {e}"))
}

/// The exit status, and that all of `parts` were said.
pub(crate) fn expect(output: &Output, status: i32, parts: &[&str]) -> Tested {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() != Some(status) {
        return Err(format!("expected exit status {status}, seen: {}; it said: {said}", output.status));
    }
    match parts.iter().find(|part| !said.contains(**part)) {
        Some(part) => Err(format!("expected `{part}`, it said: {said}")),
        None => Ok(()),
    }
}

/// The line of `lab ls --json` for this name.
pub(crate) fn listed(name: &str) -> Result<Option<Value>, String> {
    let output = run(&["ls", "--json"])?;
    expect(&output, 0, &[])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.into_iter().find(|line| line["name"] == name))
}

/// Reads from a child's output until it has said `what`, or to the end when that is empty.
pub(crate) fn wait_for(what: &'static str, mut from: impl Read + Send + 'static) -> Result<String, String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut said, mut part) = (String::new(), [0; 256]);
        while what.is_empty() || !said.contains(what) {
            match from.read(&mut part) {
                Ok(0) | Err(_) => break,
                Ok(length) => said += &String::from_utf8_lossy(&part[..length]),
            }
        }
        // The reading end stays open: whoever writes more is not to fail of that.
        let _ = sender.send((said, from));
    });
    match receiver.recv_timeout(WITHIN) {
        Ok((said, from)) => {
            std::mem::forget(from);
            Ok(said)
        }
        Err(_) => Err(format!("neither `{what}` nor the end was seen within {WITHIN:?}")),
    }
}
