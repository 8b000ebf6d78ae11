//! A failure is made short: the soak is run again with fewer faults, each time in a directory of its own.

use soak::budget::Quantity;
use soak::fault::Planned;
use soak::model;
use soak::shrink::shrink;
use soak::summary::Summary;

use super::attempt::{Attempts, Shown};
use super::plan::{self, Plan};
use super::record;
use crate::exit;

/// How much later a failure may come when the soak is run again with fewer faults.
const AFTER_FAILURE_MS: u64 = 10_000;

/// What kind of failure it is: another one does not count when faults are taken out.
#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Broken(model::Kind),
    Grown(Quantity),
    Other,
}

fn failure(summary: &Summary) -> Option<Failure> {
    if let Some(violation) = summary.violations.first() {
        return Some(Failure::Broken(violation.kind));
    }
    let grown = summary.grown.iter().find(|grown| !grown.keeps).map(|grown| Failure::Grown(grown.quantity));
    grown.or_else(|| (!summary.passed()).then_some(Failure::Other))
}

/// The shortest list of faults with which it was seen to fail in the same way, in at most so many runs.
pub(super) fn make_short(attempts: &Attempts<'_>, plan: &Plan, summary: &Summary, runs: u32) -> Option<Vec<Planned>> {
    let wanted = failure(summary)?;
    let mut plan = plan.clone();
    // What came after the failure is not its cause.
    plan.faults.retain(|planned| planned.at_ms <= summary.at_ms);
    if matches!(wanted, Failure::Broken(_)) {
        plan.settings.duration_ms = plan.settings.duration_ms.min(summary.at_ms + AFTER_FAILURE_MS);
    }
    crate::note!("it failed after {} s; looking for fewer of {} faults", summary.at_ms / 1000, plan.faults.len());
    let mut number = 0;
    let shrunk = shrink(&plan.faults.clone(), runs, |faults| {
        if attempts.interrupt.came() {
            return false;
        }
        number += 1;
        let out = attempts.out.join(format!("shrink-{number}"));
        let fewer = Plan { faults: faults.to_vec(), ..plan.clone() };
        let written = std::fs::create_dir_all(&out).and_then(|()| record::write_whole(&out, plan::FILE, &fewer));
        let found = written.map_err(|e| (exit::BAD_INPUT, e.to_string()));
        let found = found.and_then(|()| attempts.run(&fewer, &out, Shown::default()));
        let failed = match &found {
            Ok(summary) => failure(summary).as_ref() == Some(&wanted),
            Err((_, why)) => {
                crate::note!("  run {number}: {why}");
                false
            }
        };
        crate::note!("  run {number}, {} faults: {}", faults.len(), if failed { "fails" } else { "does not fail so" });
        failed
    });
    if attempts.interrupt.came() {
        crate::note!("interrupted; a shorter list may fail, too");
    } else if !shrunk.is_minimal {
        crate::note!("the runs are used up; a shorter list may fail, too");
    }
    Some(shrunk.list)
}
