//! `lab diagnose`: from the directory of a failed run to its likely cause.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::exit;
use crate::run::diagnose::{CASE, Case, Cause, EVENTS, diagnose};
use crate::run::result::{ScenarioResult, Verdict};
use crate::scenario::{Symptom, read_bounded};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 a cause was found for each failed run, 1 for one there is none that fits, 2 something is no run or cannot be read.

Examples:
  lab run scenarios/no-hub.toml --ignore-expected-failure --out out
  lab diagnose out/no-hub-nftables
      F03, and the lines of evidence it rests on
  lab diagnose out --json
      all runs in it; one JSON object for each that failed, and null for symptom and cause of each that passed";

/// `lab diagnose`.
#[derive(Debug, clap::Args)]
pub(crate) struct Diagnose {
    /// Directories of runs, as `lab run --out` leaves them, or the directory that they are in
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// One JSON object for each run on standard output
    #[arg(long)]
    json: bool,
}

/// A run's directory.
enum Run {
    /// It left a case.
    Failed(PathBuf),
    /// It left its events and no case.
    NoCase(PathBuf),
}

/// What is said of a run.
#[derive(Serialize)]
struct Said<'a> {
    run: &'a Path,
    /// Nothing when it passed.
    symptom: Option<Symptom>,
    seen: &'a str,
    cause: Option<&'a Cause>,
    missing: &'a [String],
}

/// Says the cause of each; returns the exit status.
pub(crate) fn main(arguments: &Diagnose) -> u8 {
    let mut worst = exit::PASSED;
    for path in &arguments.runs {
        match runs(path) {
            Ok(runs) => {
                for run in &runs {
                    worst = worst.max(say(run, arguments.json));
                }
            }
            Err(why) => worst = worst.max(wrong(&why)),
        }
    }
    worst
}

fn wrong(why: &str) -> u8 {
    crate::note!("error: {why}");
    exit::BAD_INPUT
}

/// The runs that are meant: a directory that is none stands for those in it, by name.
fn runs(path: &Path) -> Result<Vec<Run>, String> {
    let cannot = |e: io::Error| format!("cannot read {}: {e}", path.display());
    if let Some(run) = run(path) {
        return Ok(vec![run]);
    }
    let entries = std::fs::read_dir(path).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let found: Vec<Run> = paths.iter().filter_map(|path| run(path)).collect();
    if found.is_empty() {
        return Err(format!(
            "{}: found neither {CASE} nor {EVENTS}, nor a directory with one of them; expected what `lab run --out` leaves",
            path.display()
        ));
    }
    Ok(found)
}

fn run(path: &Path) -> Option<Run> {
    let has = |name: &str| path.join(name).symlink_metadata().is_ok();
    match (has(CASE), has(EVENTS)) {
        (true, _) => Some(Run::Failed(path.to_owned())),
        (false, true) => Some(Run::NoCase(path.to_owned())),
        (false, false) => None,
    }
}

fn say(run: &Run, json: bool) -> u8 {
    let run = match run {
        Run::Failed(run) => run,
        Run::NoCase(run) => {
            let (seen, status) = verdict(run);
            let said = Said { run, symptom: None, seen: &seen, cause: None, missing: &[] };
            return print(&said, json).unwrap_or(status);
        }
    };
    let case = match Case::read(run) {
        Ok(case) => case,
        Err(why) => return wrong(&why),
    };
    let cause = diagnose(&case);
    let (seen, missing) = (case.failure.what.as_str(), case.missing.as_slice());
    let said = Said { run, symptom: Some(case.failure.symptom), seen, cause: cause.as_ref(), missing };
    let status = if cause.is_some() { exit::PASSED } else { exit::FAILED };
    print(&said, json).unwrap_or(status)
}

/// What became of a run that left no case, and the exit status.
fn verdict(run: &Path) -> (String, u8) {
    let result = read_bounded(&run.join("result.json")).ok();
    let result = result.and_then(|text| serde_json::from_str::<ScenarioResult>(&text).ok());
    match result {
        Some(result) if result.verdict == Verdict::Passed => ("passed: nothing to explain".into(), exit::PASSED),
        Some(result) => {
            let why = result.reason.unwrap_or_default();
            (format!("{}, and no case was taken: {why}", result.verdict.as_str()), exit::FAILED)
        }
        None => ("it has no result: it was not run to its end".into(), exit::FAILED),
    }
}

/// An exit status when it cannot be printed.
fn print(said: &Said<'_>, json: bool) -> Option<u8> {
    let text = if json { serde_json::to_string(said).unwrap_or_default() + "\n" } else { printable(&page(said)) };
    let e = io::stdout().write_all(text.as_bytes()).err()?;
    crate::note!("error: the diagnosis cannot be printed: {e}");
    Some(exit::FAILED)
}

/// What was read may be anything: nothing in it is to move a terminal's cursor.
fn printable(page: &str) -> String {
    page.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// For a person.
fn page(said: &Said<'_>) -> String {
    let run = said.run.display();
    let Some(symptom) = said.symptom else { return format!("{run}: {}\n", said.seen) };
    let mut page = format!("{run}: {symptom}\n  seen: {}\n", said.seen);
    match said.cause {
        Some(cause) => {
            page += &format!("  likely cause: {}: {}\n", cause.code, cause.sentence);
            for line in &cause.rests_on {
                page += &format!("    {line}\n");
            }
            page += &format!("  more: lab check --explain {}\n", cause.code);
        }
        None => page += "  no cause of the catalogue fits what was seen\n",
    }
    for missing in said.missing {
        page += &format!("  not known: {missing}\n");
    }
    page
}
