//! One run of a lab that is killed, and what must be left of it: nothing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::lab;
use crate::machine::mounts;
use crate::process::{self, Namespaces, Process, Victim, ends_by, of_lab};

/// How soon nothing may be left.
const GONE_WITHIN: Duration = Duration::from_secs(1);
/// How soon a lab must have its verdict when a part of it was killed: a step of the scenario takes 5 s at most.
const VERDICT_WITHIN: Duration = Duration::from_secs(20);
/// How long to wait for a victim that is not there yet.
const VICTIM_WITHIN: Duration = Duration::from_secs(5);
/// How often to look for it: no event tells a stranger of a new process.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What came of it.
#[derive(Debug)]
pub(crate) struct Killed {
    /// Who was killed; nobody when the lab was over before.
    pub(crate) victim: Option<Victim>,
    /// How many namespaces it had, as far as they were seen.
    pub(crate) namespaces: usize,
    /// How long it took until nothing was left.
    pub(crate) gone: Duration,
}

/// A lab that runs, and what it is watched by.
struct Watched {
    child: Child,
    handle: OwnedFd,
    pid: i32,
    namespaces: Namespaces,
    mounts: BTreeSet<String>,
    /// `out`, `err`, the directory `tmp`, which is the lab's TMPDIR, and perhaps `evidence`.
    directory: tempfile::TempDir,
}

/// Runs a lab without disturbing it; how long it took.
pub(crate) fn left_alone() -> Result<Duration, String> {
    let started = Instant::now();
    let mut watched = Watched::start(false)?;
    let status = watched.wait_for_verdict("its start")?;
    let took = started.elapsed();
    watched.nothing_is_left()?;
    if !status.success() {
        return Err(format!("expected that it passes, seen: {status}; it said: {}", watched.said("err")));
    }
    Ok(took)
}

/// Runs a lab and kills one of its processes after `moment`; `which` chooses among several of the kind.
pub(crate) fn run_and_kill(victim: Victim, moment: Duration, which: u64) -> Result<Killed, String> {
    // Every other lab writes its evidence, which also shows what its tasks print.
    let mut watched = Watched::start(which & 1 == 1)?;
    // Not a wait for something: the moment is what is being tested.
    let over = ends_by(&watched.handle, Instant::now() + moment);
    let victim = if over { None } else { watched.kill(victim, which) };
    if victim == Some(Victim::Lab) {
        watched.child.wait().map_err(|e| e.to_string())?;
    } else {
        let status =
            watched.wait_for_verdict(&victim.map_or("its start".into(), |victim| format!("{victim:?} was killed")))?;
        watched.verdict_is_clear(status)?;
    }
    let gone = watched.nothing_is_left()?;
    watched.nobody_panicked()?;
    Ok(Killed { victim, namespaces: watched.namespaces.count(), gone })
}

impl Watched {
    fn start(with_evidence: bool) -> Result<Self, String> {
        let start = || {
            let directory = tempfile::tempdir()?;
            fs::create_dir(directory.path().join("tmp"))?;
            let (out, err) = (File::create(directory.path().join("out"))?, File::create(directory.path().join("err"))?);
            let lab = lab();
            // `setsid` becomes the lab, with its own number: a child that leads no group need not fork for a session.
            let mut command = Command::new("setsid");
            command.arg(lab.get_program()).args(["run", "scenarios/figure4.toml", "--json"]);
            if with_evidence {
                command.arg("--out").arg(directory.path().join("evidence"));
            }
            command.current_dir(lab.get_current_dir().unwrap_or(directory.path()));
            command.env("TMPDIR", directory.path().join("tmp")).stdin(Stdio::null()).stdout(out).stderr(err);
            let mounts = mounts();
            Ok((directory, mounts, command.spawn()?))
        };
        let (directory, mounts, child) = start().map_err(|e: std::io::Error| format!("cannot start a lab: {e}"))?;
        let pid = i32::try_from(child.id()).map_err(|e| e.to_string())?;
        let handle = process::handle(pid).ok_or("no handle for the lab's process")?;
        Ok(Self { child, handle, pid, namespaces: Namespaces::new(), mounts, directory })
    }

    /// Kills one of this kind, as soon as there is one; when there is none for long, the outer process. Nobody, when the lab
    /// is over before.
    fn kill(&mut self, victim: Victim, which: u64) -> Option<Victim> {
        let deadline = Instant::now() + VICTIM_WITHIN;
        loop {
            let processes = of_lab(self.pid);
            let victim = if Instant::now() < deadline { victim } else { Victim::Lab };
            let found = victim.among(&processes, self.pid);
            if !found.is_empty() {
                self.namespaces.note(&processes);
                let at = usize::try_from((which >> 1) % found.len() as u64).unwrap_or_default();
                if found[at].kill() {
                    // Who came between the look and the kill.
                    self.namespaces.note(&of_lab(self.pid));
                    return Some(victim);
                }
            }
            if ends_by(&self.handle, Instant::now() + LOOK_AGAIN) {
                return None;
            }
        }
    }

    fn wait_for_verdict(&mut self, since: &str) -> Result<ExitStatus, String> {
        if !ends_by(&self.handle, Instant::now() + VERDICT_WITHIN) {
            let left = self.left();
            let message = format!(
                "expected that the lab ends within {VERDICT_WITHIN:?} after {since}; it runs: {}; it said: {}",
                list(&left),
                self.said("err")
            );
            end(&left);
            let _ = self.child.wait();
            return Err(message);
        }
        self.child.wait().map_err(|e| e.to_string())
    }

    /// Whoever still runs in the lab's session or in one of its namespaces.
    fn left(&self) -> Vec<Process> {
        let is_left = |process: &Process| process.is_of(self.pid) || self.namespaces.have(process);
        process::all().into_iter().filter(is_left).collect()
    }

    /// Waits until no process is left; then nothing else may be. How long it took.
    fn nothing_is_left(&self) -> Result<Duration, String> {
        let begin = Instant::now();
        let deadline = begin + GONE_WITHIN;
        loop {
            let left = self.left();
            let Some(first) = left.first() else { break };
            if !first.wait_for_end(deadline) {
                let left = self.left();
                end(&left);
                return Err(format!(
                    "expected no process of the lab {GONE_WITHIN:?} after its end, left: {}",
                    list(&left)
                ));
            }
        }
        let gone = begin.elapsed();
        let mut found = self.namespaces.kept_open();
        found.extend(mounts().difference(&self.mounts).map(|mount| format!("the mount {mount}")));
        let tmp = fs::read_dir(self.directory.path().join("tmp")).map_err(|e| e.to_string())?;
        found.extend(tmp.flatten().map(|entry| format!("in its TMPDIR: {}", entry.file_name().display())));
        if found.is_empty() {
            Ok(gone)
        } else {
            Err(format!("expected nothing of the lab, left: {}", found.join(", ")))
        }
    }

    /// A lab that has lost a part still has a verdict, and a reason unless it passed.
    fn verdict_is_clear(&self, status: ExitStatus) -> Result<(), String> {
        let said = self.said("out");
        let result: Value = serde_json::from_str(&said).unwrap_or_default();
        let (verdict, reason) = (result["verdict"].as_str(), result["reason"].as_str());
        match (status.code(), verdict, reason) {
            (Some(0), Some("passed"), _) | (Some(1), Some("failed" | "inconclusive"), Some(_)) => Ok(()),
            _ => Err(format!(
                "expected exit status 0 and passed, or 1 and a reason; seen: {status} and `{said}`; it said: {}",
                self.said("err")
            )),
        }
    }

    fn nobody_panicked(&self) -> Result<(), String> {
        let evidence = fs::read_dir(self.directory.path().join("evidence")).into_iter().flatten().flatten();
        let files =
            evidence.filter_map(|entry| fs::read_dir(entry.path()).ok()).flatten().flatten().map(|entry| entry.path());
        let logs = files.filter(|file| file.extension().is_some_and(|ending| ending == "log"));
        for log in logs.chain([self.directory.path().join("err")]) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("panicked at") {
                return Err(format!("expected no panic, seen in {}: {said}", log.display()));
            }
        }
        Ok(())
    }

    fn said(&self, stream: &str) -> String {
        fs::read_to_string(self.directory.path().join(stream)).unwrap_or_default()
    }
}

/// A failed test leaves nothing behind either.
fn end(left: &[Process]) {
    for process in left {
        process.kill();
    }
}

fn list(processes: &[Process]) -> String {
    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
