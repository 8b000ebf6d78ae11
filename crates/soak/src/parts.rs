//! A soak that was interrupted goes on later: what was counted before and what is counted then, added up.
//!
//! Each part begins with a sysplex of its own, so memory and tables begin anew, and so does what the model knows. Sessions that were
//! open when a part was cut off are nobody's fault: they are listed with that part.

use serde::{Deserialize, Serialize};

use crate::model::MOST_VIOLATIONS;
use crate::summary::Summary;

/// How a part has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It goes on; or it was cut off, and nobody has resumed it.
    #[default]
    GoesOn,
    /// It has come to the end of the plan, or to a failure.
    Ended,
    /// It was told to end early, and did so in order.
    Interrupted,
    /// It ended without a word: what came after its last snapshot is not known.
    CutOff,
}

/// What a soak did from one start to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From where in the plan, in milliseconds.
    pub from_ms: u64,
    /// To where.
    pub to_ms: u64,
    /// How it ended.
    pub how: How,
    /// Sessions that reached.
    pub reached: u64,
    /// Those that failed with an excuse.
    pub excused: u64,
    /// Those that were open when it was last written down.
    pub open: u64,
    /// Invariants that were broken.
    pub violations: u64,
    /// Of the handoffs, in microseconds.
    pub p50_us: u64,
    /// See [`Part::p50_us`].
    pub p99_us: u64,
}

impl Summary {
    /// The summary of a soak that goes on: what was, and what this part adds.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        let (mut handoffs, mut undisturbed) = (before.handoffs.clone(), before.undisturbed.clone());
        handoffs.add_all(&self.handoffs);
        undisturbed.add_all(&self.undisturbed);
        self.took(handoffs, undisturbed);

        let (was, is) = (before.ran_ms as f64, self.ran_ms as f64);
        let cpu = before.orchestrator_cpu_percent * was + self.orchestrator_cpu_percent * is;
        self.orchestrator_cpu_percent = cpu / (was + is).max(1.0);
        self.orchestrator_rss_mib = self.orchestrator_rss_mib.max(before.orchestrator_rss_mib);
        self.ran_ms += before.ran_ms;
        self.counts.add_all(&before.counts);
        self.per_s = self.counts.reached as f64 * 1e3 / self.ran_ms.max(1) as f64;
        for (kind, count) in &before.faults {
            *self.faults.entry(*kind).or_insert(0) += count;
        }

        // What was wrong before is wrong for good.
        let grown = before.grown.iter().filter(|grown| !grown.keeps).cloned();
        self.grown = grown.chain(self.grown).collect();
        self.faults_failed = [before.faults_failed.clone(), self.faults_failed].concat();
        self.violations = [before.violations.clone(), self.violations].concat();
        self.violations.truncate(MOST_VIOLATIONS);
        self.parts = [before.parts.clone(), self.parts].concat();
        self
    }

    /// It is a part from there in the plan, in milliseconds, to where it is; so many sessions are open.
    pub fn is_part(&mut self, from_ms: u64, open: u64) {
        self.parts = vec![Part {
            from_ms,
            to_ms: self.at_ms,
            how: How::GoesOn,
            reached: self.counts.reached,
            excused: self.counts.excused,
            open,
            violations: self.counts.violations,
            p50_us: self.p50_us,
            p99_us: self.p99_us,
        }];
    }

    /// Nothing more is added to its last part.
    pub fn ends(&mut self) {
        let how = if self.interrupted { How::Interrupted } else { How::Ended };
        if let Some(part) = self.parts.last_mut() {
            part.how = how;
        }
    }

    /// Nobody goes on with it any more: a part that had not ended was cut off.
    pub fn close_parts(&mut self) {
        for part in self.parts.iter_mut().filter(|part| part.how == How::GoesOn) {
            part.how = How::CutOff;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Quantity, Slope};
    use crate::fault::Kind;
    use crate::model::{self, Counts, Violation};
    use crate::summary::{Grown, Histogram};

    fn part(from_ms: u64, reached: u64, handoff_us: u64, how: How) -> Summary {
        let mut handoffs = Histogram::default();
        (0..reached).for_each(|_| handoffs.add(handoff_us));
        let mut summary = Summary {
            ran_ms: 10_000,
            at_ms: from_ms + 10_000,
            counts: Counts { sessions: reached + 1, reached, excused: 1, ..Counts::default() },
            faults: [(Kind::Kill, 2)].into(),
            parts: vec![Part { from_ms, to_ms: from_ms + 10_000, how, reached, ..Part::default() }],
            orchestrator_cpu_percent: from_ms as f64 / 1e3,
            ..Summary::default()
        };
        summary.took(handoffs.clone(), handoffs);
        summary
    }

    #[test]
    fn what_was_is_added_up_and_what_was_wrong_stays_wrong() {
        let mut first = part(0, 300, 1_000, How::GoesOn);
        let slope = Slope { first: 1.0, last: 900.0, most: 900.0, per_hour: 9e5, growth: 899.0 };
        let grown = |keeps| Grown {
            of: "DBGMGR on LPAR1".into(),
            quantity: Quantity::Threads,
            slope,
            budget: Quantity::Threads.budget(0.0),
            keeps,
        };
        first.grown = vec![grown(true), grown(false)];
        first.violations = vec![Violation { t_ns: 1, kind: model::Kind::Lost, what: "gone".into() }];
        first.close_parts();
        let mut second = part(10_000, 100, 9_000, How::Ended);
        second.finished = true;
        let both = second.clone().after(&first);
        assert_eq!((both.counts.reached, both.counts.excused, both.counts.sessions), (400, 2, 402));
        assert_eq!((both.ran_ms, both.at_ms, both.faults[&Kind::Kill]), (20_000, 20_000, 4));
        assert_eq!((both.handoffs.count(), both.undisturbed.count()), (400, 400));
        assert!(both.p50_us < 1_100 && both.p99_us >= 9_000 && both.undisturbed_p99_us >= 9_000, "{both:?}");
        assert_eq!((both.per_s, both.orchestrator_cpu_percent), (20.0, 5.0));
        assert_eq!((both.grown.len(), both.violations.len()), (1, 1));
        assert!(both.finished && !both.passed(), "a leak and a lost session before");
        let how: Vec<How> = both.parts.iter().map(|part| part.how).collect();
        assert_eq!(how, [How::CutOff, How::Ended]);
        assert!(second.clone().after(&part(0, 3, 1, How::Interrupted)).passed());
    }
}
