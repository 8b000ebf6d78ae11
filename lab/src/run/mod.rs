//! Running scenarios: a realm for each, a director in it, and the result outside.

mod acts;
pub mod agreement;
mod asserted;
pub mod assertions;
pub(crate) mod attempt;
mod calls;
mod commands;
pub mod diagnose;
mod director;
mod ezbeport;
mod fault;
pub mod figure4;
mod hostile;
mod inquest;
mod logons;
pub mod memory;
mod network;
mod program;
mod progress;
pub mod proofs;
pub mod result;
mod snapshot;
mod steps;
mod watch;

use std::path::{Path, PathBuf};

use evidence::monotonic_ns;
use netns::realm;

use crate::backends::Known;
use crate::scenario::Scenario;
use director::{Orders, Report};
use figure4::ms_since;
use progress::Progress;
use result::{ScenarioResult, Verdict};

/// How scenarios are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the lab's programs are.
    pub bin_dir: PathBuf,
    /// Where the evidence goes: a directory per scenario and backend in it.
    pub out: Option<PathBuf>,
    /// Broken twins are to be judged like any other scenario.
    pub ignore_expected_failure: bool,
    /// Keep the sysplex after the verdict.
    pub keep: bool,
    /// Say what happens, on standard error.
    pub progress: bool,
}

/// Why a scenario could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This machine gives no namespaces.
    #[error(transparent)]
    Realm(#[from] realm::RealmError),
    /// The evidence cannot be written.
    #[error("cannot write to {path}: {error}")]
    Out {
        /// Where.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Runs one scenario. The calling process must have one thread.
///
/// # Errors
/// When this machine cannot run it; whatever the scenario itself does is in the result.
pub fn run(scenario: &Scenario, backend: &Known, options: &Options) -> Result<ScenarioResult, RunError> {
    let (name, backend) = (backend.name, backend.make(&scenario.sysplex));
    let attempt = |out: &PathBuf| {
        let made = attempt::directory(out, &format!("{}-{name}", scenario.name));
        made.map_err(|error| RunError::Out { path: out.clone(), error })
    };
    let out = options.out.as_ref().map(attempt).transpose()?;
    if options.progress {
        crate::note!("{} on {name}: {}", scenario.name, scenario.title);
    }
    let orders = Orders {
        scenario: scenario.clone(),
        backend,
        bin_dir: options.bin_dir.clone(),
        out: out.clone(),
        ignore_expected_failure: options.ignore_expected_failure,
        keep: options.keep,
        progress: Progress { shown: options.progress },
    };
    let keep = options.keep;
    let ended = realm::run(
        |network, report| director::direct(&network, &orders, report),
        |keeper, report| {
            // The verdict first: whoever ends it with Ctrl-C ends this program too.
            if let (true, Ok(report)) = (keep, serde_json::from_slice::<Report>(report)) {
                let _ = conclude(&report.result, out.as_deref(), options);
                say_how_to_look_in(keeper, &report);
            }
        },
    )?;
    let ended_ns = monotonic_ns();
    let result = match serde_json::from_slice::<Report>(&ended.report) {
        Ok(Report { mut result, done_ns, .. }) => {
            result.down_ms = if keep { 0.0 } else { ms_since(done_ns, ended_ns) };
            result
        }
        Err(_) => {
            let mut result = ScenarioResult::new(&scenario.name, name);
            let status = ended.status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
            let how = ended.killed.unwrap_or_else(|| format!("exit status of the director: {status}"));
            result.reason = Some(format!("the lab itself ended before the verdict: {how}"));
            result
        }
    };
    if !keep {
        conclude(&result, out.as_deref(), options)?;
    }
    Ok(result)
}

/// Says what was found, and writes the result once more: the director has, but did not know how long it takes to come down.
fn conclude(result: &ScenarioResult, out: Option<&Path>, options: &Options) -> Result<(), RunError> {
    if options.progress {
        say_outcome(result, out);
    }
    out.map_or(Ok(()), |out| write_result(out, result))
}

/// Writes `result.json`.
fn write_result(out: &Path, result: &ScenarioResult) -> Result<(), RunError> {
    let path = out.join(result::FILE);
    let text = serde_json::to_string_pretty(result).unwrap_or_default();
    attempt::write_whole(&path, &(text + "\n")).map_err(|error| RunError::Out { path, error })
}

fn say_outcome(result: &ScenarioResult, out: Option<&Path>) {
    crate::note!("  verdict: {}", result.verdict.as_str());
    for proof in &result.evidence {
        let mark = if proof.ok { "shown" } else { "NOT SHOWN" };
        crate::note!("  {mark}: {}", proof.claim);
        crate::note!("         {}: {}", proof.source, proof.shown);
    }
    if let Some(reason) = &result.reason {
        let as_expected = result.verdict == Verdict::Passed;
        let cause = result.cause.as_ref().map_or_else(String::new, |cause| format!(" ({cause})"));
        crate::note!("  {}{cause}: {reason}", if as_expected { "failed as expected" } else { "reason" });
    }
    if let Some(out) = out {
        crate::note!("  report, events, captures and logs: {}", out.display());
    }
}

/// Prints the command for each host by which another shell looks into it.
fn say_how_to_look_in(keeper: i32, report: &Report) {
    crate::note!("  kept; look in from another shell:");
    for (name, init) in &report.inits {
        if let Some(pid) = outside_pid(keeper, *init) {
            crate::note!("    {name}: nsenter --target {pid}{} --net --mount --uts --ipc --pid", user_namespace(pid));
        }
    }
    crate::note!("  it goes down when standard input ends (Ctrl-D) or with Ctrl-C");
}

/// How `nsenter` is to enter the user namespace of a process; it refuses to when that is its own.
fn user_namespace(pid: i32) -> &'static str {
    let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/user")).ok();
    if of("self") == of(&pid.to_string()) { "" } else { " --user --preserve-credentials" }
}

/// The number, out here, of the process that the realm knows as `inner`.
fn outside_pid(keeper: i32, inner: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        // Here, in the realm, in the host itself.
        numbers.split_whitespace().rev().nth(1).and_then(|n| n.parse().ok()) == Some(inner)
    })
}
