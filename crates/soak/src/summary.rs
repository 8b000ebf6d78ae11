//! The figures of a soak: how many handoffs, how long they took, which faults stood, what grew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::budget::{Budget, Quantity, Slope};
use crate::fault::{Kind, Planned};
use crate::model::{Counts, Violation};
use crate::parts::Part;

/// Steps of a histogram for each doubling: a quantile is at most 1/16 too high.
const STEPS: u64 = 16;
/// The step of the highest number.
const LAST: u32 = 975;

/// How long something took, for any number of times, in bounded memory: steps of a sixteenth (as HdrHistogram has them).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    counts: BTreeMap<u32, u64>,
    total: u64,
    most: u64,
}

impl Histogram {
    /// Adds one, in any unit.
    pub fn add(&mut self, value: u64) {
        *self.counts.entry(step(value)).or_insert(0) += 1;
        self.total += 1;
        self.most = self.most.max(value);
    }

    /// Adds all of another one.
    pub fn add_all(&mut self, other: &Self) {
        for (step, count) in &other.counts {
            *self.counts.entry(*step).or_insert(0) += count;
        }
        self.total += other.total;
        self.most = self.most.max(other.most);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// What was added since it was as `before`, an earlier state of it.
    pub fn since(&self, before: &Self) -> Self {
        let mut added = self.clone();
        for (step, count) in &mut added.counts {
            *count = count.saturating_sub(before.counts.get(step).copied().unwrap_or(0));
        }
        added.counts.retain(|_, count| *count > 0);
        added.total = added.counts.values().sum();
        added
    }

    /// The steps that hold any, from the lowest: their lowest and highest value, and how many they hold.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let lower = |step: u32| step.checked_sub(1).map_or(0, |below| upper(below).saturating_add(1));
        self.counts.iter().map(move |(&step, &count)| (lower(step), upper(step), count))
    }

    /// The value that so many of a thousand are not above.
    pub fn quantile(&self, per_mille: u64) -> u64 {
        let wanted = self.total.saturating_mul(per_mille).div_ceil(1_000).max(1);
        let mut passed = 0;
        for (step, count) in &self.counts {
            passed = count.saturating_add(passed);
            if passed >= wanted {
                return upper(*step).min(self.most);
            }
        }
        0
    }
}

fn step(value: u64) -> u32 {
    if value < STEPS {
        return u32::try_from(value).unwrap_or(0);
    }
    // Position of the highest bit; the four bits behind it are the step.
    let high = 63 - value.leading_zeros();
    let within = (value >> (high - 4)) & (STEPS - 1);
    (high - 3) * 16 + u32::try_from(within).unwrap_or(0)
}

/// The highest value of a step; a file may name one that there is not.
fn upper(step: u32) -> u64 {
    let step = step.min(LAST);
    if step < 16 {
        return step.into();
    }
    let high = step / 16 + 3;
    let low = (STEPS + u64::from(step % 16)) << (high - 4);
    low + ((1_u64 << (high - 4)) - 1)
}

/// One thing that was sampled, and how it grew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grown {
    /// Whose: `DBGMGR on LPAR1`, `LPAR1`.
    pub of: String,
    /// What.
    pub quantity: Quantity,
    /// How.
    pub slope: Slope,
    /// What it may.
    pub budget: Budget,
    /// Is that kept?
    pub keeps: bool,
}

/// What a soak comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It came to its end, and everything was as it must be.
    Passed,
    /// It was told to end early, and until then everything was.
    Interrupted,
    /// Something was wrong; or it has no end.
    Failed,
}

/// Everything about a soak. What a summary of before does not have is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// How long it has gone on, in milliseconds: all its parts.
    pub ran_ms: u64,
    /// How far the plan was carried out, in milliseconds from its beginning.
    pub at_ms: u64,
    /// Has it come to its planned end, and is all drained?
    pub finished: bool,
    /// Was it told to end early?
    pub interrupted: bool,
    /// One, and one more for each time that it was resumed.
    pub parts: Vec<Part>,
    /// What was counted.
    pub counts: Counts,
    /// Of the handoffs: sessions that reached their client, in a second.
    pub per_s: f64,
    /// From `waiting` to the first message of the debug conversation, in microseconds: half, 99 of 100, 999 of 1000.
    pub p50_us: u64,
    /// See [`Summary::p50_us`].
    pub p99_us: u64,
    /// See [`Summary::p50_us`].
    pub p999_us: u64,
    /// The same, half and 99 of 100, of the sessions that no fault touched: none would excuse them, had they failed.
    pub undisturbed_p50_us: u64,
    /// See [`Summary::undisturbed_p50_us`].
    pub undisturbed_p99_us: u64,
    /// All of these times, and those of the undisturbed ones.
    pub handoffs: Histogram,
    /// See [`Summary::handoffs`].
    pub undisturbed: Histogram,
    /// The faults that were brought about, by kind.
    pub faults: BTreeMap<Kind, u64>,
    /// Faults that did not come about, or were not seen to heal, and why.
    pub faults_failed: Vec<String>,
    /// What grew, and what may.
    pub grown: Vec<Grown>,
    /// The first invariants that were broken.
    pub violations: Vec<Violation>,
    /// Of the lab itself: percent of one processor, and the most memory in MiB.
    pub orchestrator_cpu_percent: f64,
    /// See above.
    pub orchestrator_rss_mib: f64,
    /// The short list of faults with which it fails, when it was looked for.
    pub shrunk: Option<Vec<Planned>>,
}

impl Summary {
    /// Writes down how long handoffs took.
    pub fn took(&mut self, handoffs: Histogram, undisturbed: Histogram) {
        (self.p50_us, self.p99_us, self.p999_us) =
            (handoffs.quantile(500), handoffs.quantile(990), handoffs.quantile(999));
        (self.undisturbed_p50_us, self.undisturbed_p99_us) = (undisturbed.quantile(500), undisturbed.quantile(990));
        (self.handoffs, self.undisturbed) = (handoffs, undisturbed);
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let is_right =
            self.violations.is_empty() && self.faults_failed.is_empty() && self.grown.iter().all(|it| it.keeps);
        match (is_right, self.finished, self.interrupted) {
            (true, true, _) => Verdict::Passed,
            (true, false, true) => Verdict::Interrupted,
            _ => Verdict::Failed,
        }
    }

    /// Is everything as it must be?
    pub fn passed(&self) -> bool {
        self.verdict() == Verdict::Passed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_thousand_one_may_be_longer() {
        let mut all = Histogram::default();
        (1..=1000).for_each(|value| all.add(value));
        let near =
            |found: u64, value: u64| assert!((value..=value + value / 16 + 1).contains(&found), "{found} for {value}");
        near(all.quantile(500), 500);
        near(all.quantile(990), 990);
        assert_eq!((all.quantile(1000), all.count()), (1000, 1000));
        assert_eq!(Histogram::default().quantile(500), 0);
    }

    #[test]
    fn what_came_later_can_be_told() {
        let (mut all, mut later) = (Histogram::default(), Histogram::default());
        (1..=100).for_each(|value| all.add(value));
        let before = all.clone();
        for value in [7, 7, 900_000] {
            all.add(value);
            later.add(value);
        }
        assert_eq!(all.since(&before), later);
        assert_eq!(later.steps().collect::<Vec<_>>()[0], (7, 7, 2));
        assert_eq!(all.since(&all).steps().count(), 0);
        assert_eq!((step(u64::MAX), upper(LAST), upper(u32::MAX)), (LAST, u64::MAX, u64::MAX));
    }

    proptest! {
        #[test]
        fn steps_are_in_order_and_hold_their_values(value: u64, other: u64) {
            let value = value >> 1;
            prop_assert!(upper(step(value)) >= value);
            prop_assert!(value < 32 || upper(step(value)) - value <= value / 16);
            let mut one = Histogram::default();
            one.add(value);
            prop_assert!(one.steps().all(|(least, most, count)| (least..=most).contains(&value) && count == 1));
            let other = other >> 1;
            prop_assert_eq!(value < other && step(value) > step(other), false);
        }
    }
}
