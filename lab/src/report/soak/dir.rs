//! Reading a soak's directory.

use std::path::{Path, PathBuf};

use soak::summary::Summary;

use super::around::{Around, Search};
use super::course::Course;
use super::stood::{Faults, Stood};
use crate::report::plan;
use crate::report::run_dir::{LoadError, json, lines};
use crate::soak::{EVENTS, FAULTS, PLAN, Plan, SNAPSHOTS, SUMMARY};

/// What is in the directory.
#[derive(Debug)]
pub(in crate::report) struct Soak {
    /// Where.
    pub(super) directory: PathBuf,
    /// What was asked for.
    pub(super) plan: Plan,
    /// Its sysplex, as it is drawn.
    pub(super) topology: plan::Plan,
    /// The figures.
    pub(super) summary: Summary,
    /// How things went.
    pub(super) course: Course,
    /// What went wrong on purpose.
    pub(super) faults: Vec<Stood>,
    /// The events around each violation of the summary.
    pub(super) around: Vec<Around>,
}

impl Soak {
    /// How long the page's line of time is, in milliseconds.
    pub(super) fn span_ms(&self) -> f64 {
        let last = self.faults.iter().map(|stood| stood.to_ms.unwrap_or(stood.from_ms)).max().unwrap_or(0);
        self.summary.ran_ms.max(self.course.last_ms()).max(last).max(1) as f64
    }
}

/// Is it that of a soak?
pub(in crate::report) fn is_one(directory: &Path) -> bool {
    directory.join(PLAN).is_file()
}

/// Reads the directory.
///
/// # Errors
/// When there is no plan or no summary, or a file cannot be read.
pub(in crate::report) fn load(directory: &Path) -> Result<Soak, LoadError> {
    let none = || LoadError::NoSummary(directory.to_owned());
    let plan: Plan = json(&directory.join(PLAN))?.ok_or_else(none)?;
    let summary: Summary = json(&directory.join(SUMMARY))?.ok_or_else(none)?;
    let mut course = Course::default();
    both(directory, SNAPSHOTS, |line| course.add(&serde_json::from_str(line).unwrap_or_default()))?;
    let mut faults = Faults::default();
    both(directory, FAULTS, |line| faults.add(&serde_json::from_str(line).unwrap_or_default()))?;
    let mut search = Search::new(&summary.violations);
    if !search.is_idle() {
        both(directory, EVENTS, |line| search.offer(line))?;
    }
    let topology = plan::Plan::of(&plan.sysplex);
    let directory = directory.to_owned();
    Ok(Soak { directory, topology, plan, summary, course, faults: faults.all(), around: search.found() })
}

/// The lines of a file that began anew when it was long, the older ones first.
fn both(directory: &Path, name: &str, mut take: impl FnMut(&str)) -> Result<(), LoadError> {
    lines(&directory.join(format!("{name}.1")), &mut take)?;
    lines(&directory.join(name), take)
}
