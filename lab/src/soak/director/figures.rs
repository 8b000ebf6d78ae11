//! The figures of an attempt as it stands: for the line, for the summary, for Prometheus.

use std::io::IsTerminal;

use evidence::monotonic_ns;
use soak::summary::Summary;

use super::metrics::{self, Moment};
use super::state::State;
use crate::soak::sample;
use crate::soak::text::{self, Now};

impl State {
    fn cpu_percent(&self) -> f64 {
        let used = sample::own_processor_ns().saturating_sub(self.begin_cpu_ns);
        used as f64 * 100.0 / monotonic_ns().saturating_sub(self.begin_ns).max(1) as f64
    }

    pub(super) fn now(&self) -> Now {
        let (counts, before) = (self.model.counts(), &self.before.counts);
        Now {
            ran_ms: self.now_ms(),
            of_ms: self.plan.settings.duration_ms,
            reached: before.reached + counts.reached,
            excused: before.excused + counts.excused,
            open: self.model.open(),
            users: self.model.users_on(),
            per_s: counts.reached as f64 * 1e3 / self.ran_ms().max(1) as f64,
            p99_us: self.model.handoffs().quantile(990),
            faults: self.before.faults.values().chain(self.faults.values()).sum(),
            standing: self.coming.standing.iter().map(|standing| standing.fault.to_string()).collect(),
            violations: before.violations + counts.violations,
            cpu_percent: self.cpu_percent(),
            rss_mib: sample::own_rss_kib() / 1024.0,
        }
    }

    pub(super) fn summary(&self, finished: bool) -> Summary {
        let (counts, ran_ms) = (self.model.counts().clone(), self.ran_ms());
        let mut summary = Summary {
            ran_ms,
            // It begins a little before what was done: users log on.
            at_ms: self.interrupted_ms.unwrap_or_else(|| self.now_ms()).max(self.before.at_ms),
            finished,
            interrupted: self.interrupted_ms.is_some(),
            per_s: counts.reached as f64 * 1e3 / ran_ms.max(1) as f64,
            counts,
            faults: self.faults.clone(),
            faults_failed: self.failures.clone(),
            grown: self.samples.grown(ran_ms),
            violations: self.model.violations().to_vec(),
            orchestrator_cpu_percent: self.cpu_percent(),
            orchestrator_rss_mib: self.most_rss_kib / 1024.0,
            ..Summary::default()
        };
        summary.took(self.model.handoffs().clone(), self.model.undisturbed().clone());
        summary.is_part(self.before.at_ms, self.model.open() as u64);
        summary
    }

    /// How it goes, for Prometheus.
    pub(super) fn metrics(&self) -> String {
        let moment = Moment {
            open: self.model.open(),
            users: self.model.users_on(),
            standing: self.coming.standing.len(),
            cpu_s: sample::own_processor_ns() as f64 / 1e9,
            rss_kib: sample::own_rss_kib(),
            vcrt: self.samples.vcrt(),
        };
        metrics::text(&self.summary(false).after(&self.before), &moment)
    }
}

/// On a terminal one line is written over the other.
pub(super) fn say(now: &Now) {
    use std::io::Write as _;
    let line = text::line(now);
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    } else {
        crate::note!("{line}");
    }
}
