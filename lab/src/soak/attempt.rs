//! Attempts: each takes place in a realm of its own, which ends with it.

use std::net::TcpListener;
use std::path::Path;

use netns::realm;
use soak::summary::Summary;

use super::director::{self, Orders, Report};
use super::interrupt::Interrupt;
use super::plan::Plan;
use crate::backends::{self, Choice};
use crate::{exit, programs};

/// What all attempts of a command have in common.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    /// What distributes connections in the kernel.
    pub backend: Choice,
    /// Go on when an invariant was broken.
    pub keep_going: bool,
    /// They may be told to end early.
    pub interrupt: &'a Interrupt,
    /// Where the evidence goes; that of more attempts, in directories below.
    pub out: &'a Path,
}

/// Why one did not take place: an exit status, and a sentence.
pub(super) type NotDone = (u8, String);

/// What the first attempt has and others do not: it is what was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown<'a> {
    /// Say how it goes.
    pub progress: bool,
    /// Whoever asks here is told how it goes.
    pub metrics: Option<&'a TcpListener>,
    /// What was done before, when it is resumed.
    pub before: Option<&'a Summary>,
}

impl Attempts<'_> {
    /// One attempt, with its evidence in this directory.
    ///
    /// # Errors
    /// When it cannot begin here, or ended without a verdict.
    pub(super) fn run(&self, plan: &Plan, out: &Path, shown: Shown<'_>) -> Result<Summary, NotDone> {
        let cannot = |why: String| (exit::CANNOT_RUN, why);
        let bin_dir = programs::own_directory().map_err(cannot)?;
        let chosen = backends::choose(self.backend).map_err(cannot)?;
        let backend = chosen.run.first().ok_or_else(|| cannot("there is no backend".to_owned()))?;
        let orders = Orders {
            backend: backend.make(&plan.sysplex),
            plan: Plan { backend: backend.name.to_owned(), ..plan.clone() },
            before: shown.before,
            bin_dir,
            out: out.to_owned(),
            progress: shown.progress,
            stop_when_broken: !self.keep_going,
            interrupt: self.interrupt,
            metrics: shown.metrics,
        };
        let ended = realm::run(|network, report| director::direct(&network, &orders, report), |_, _| ());
        let ended = ended.map_err(|e| cannot(e.to_string()))?;
        match serde_json::from_slice::<Report>(&ended.report) {
            Ok(Report::Done(summary)) => Ok(*summary),
            Ok(Report::Failed(why)) => Err((exit::FAILED, why)),
            Err(_) => {
                let how = ended.killed.unwrap_or_else(|| format!("exit status {:?}", ended.status));
                Err((exit::FAILED, format!("the lab itself ended before the verdict: {how}")))
            }
        }
    }
}
