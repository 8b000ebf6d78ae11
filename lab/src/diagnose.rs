//! `lab diagnose`: from the directory of a failed run to its likely cause.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::exit;
use crate::run::diagnose::{Case, Cause, diagnose};
use crate::scenario::Symptom;

pub(crate) const EXAMPLES: &str = "\
Examples:
  lab run scenarios/no-hub.toml --ignore-expected-failure --out out
  lab diagnose out/no-hub-nftables
      F03, and the lines of evidence it rests on; exit status 1 when no known cause fits
  lab diagnose out/* --json
      one JSON object for each run";

/// `lab diagnose`.
#[derive(Debug, clap::Args)]
pub(crate) struct Diagnose {
    /// Directories of failed runs, as `lab run --out` leaves them
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// One JSON object for each run on standard output
    #[arg(long)]
    json: bool,
}

/// What is said of a run.
#[derive(Serialize)]
struct Said<'a> {
    run: &'a Path,
    symptom: Symptom,
    seen: &'a str,
    cause: Option<&'a Cause>,
    missing: &'a [String],
}

/// Says the cause of each; returns the exit status.
pub(crate) fn main(arguments: &Diagnose) -> u8 {
    let mut worst = exit::PASSED;
    for run in &arguments.runs {
        let case = match Case::read(run) {
            Ok(case) => case,
            Err(why) => {
                crate::note!("error: {why}");
                return exit::BAD_INPUT;
            }
        };
        let cause = diagnose(&case);
        worst = worst.max(if cause.is_some() { exit::PASSED } else { exit::FAILED });
        let (seen, missing) = (case.failure.what.as_str(), case.missing.as_slice());
        let said = Said { run, symptom: case.failure.symptom, seen, cause: cause.as_ref(), missing };
        let text = if arguments.json { serde_json::to_string(&said).unwrap_or_default() + "\n" } else { page(&said) };
        if let Err(e) = io::stdout().write_all(text.as_bytes()) {
            crate::note!("error: the diagnosis cannot be printed: {e}");
            return exit::FAILED;
        }
    }
    worst
}

/// For a person.
fn page(said: &Said<'_>) -> String {
    let mut page = format!("{}: {}\n  seen: {}\n", said.run.display(), said.symptom, said.seen);
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
