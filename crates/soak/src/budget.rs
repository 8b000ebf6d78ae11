//! What must not grow: memory, file descriptors, threads, sockets, entries of the VCRT. Each has a budget, which its slope over the
//! soak must keep.
//!
//! The slope is that of Theil and Sen: the median of the slopes between pairs of samples, so that a peak while a fault stood does not
//! count. It is taken over what came after the warm-up, because caches and pools fill at first. A slope counts only when it has
//! brought about more than a step that is normal (`floor`): one more descriptor in two minutes is no leak.

use serde::{Deserialize, Serialize};

/// Samples of each series that are kept; when there are more, every second one goes.
const MOST: usize = 512;

/// What is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Resident memory of a process, in KiB.
    RssKib,
    /// File descriptors of a process.
    Descriptors,
    /// Threads of a process.
    Threads,
    /// TCP sockets of a host that a process holds.
    Sockets,
    /// Entries of the connection routing table of a DVIPA's owner.
    VcrtEntries,
}

/// How much of a quantity may be added in an hour, and what is too little to count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// At most so many more in an hour.
    pub per_hour: f64,
    /// A growth over the whole soak of less than this is not counted.
    pub floor: f64,
}

impl Quantity {
    /// Its budget: ours. A process that leaks for each session is far over it in minutes. `moves` is how many sockets may be open more at
    /// the end than at the beginning and mean nothing: users who are logged on elsewhere now, and sessions that are under way.
    pub fn budget(self, moves: f64) -> Budget {
        let (per_hour, floor) = match self {
            Self::RssKib => (4096.0, 8192.0),
            Self::Descriptors | Self::Sockets => (60.0, 24.0 + moves),
            Self::Threads => (2.0, 2.0),
            Self::VcrtEntries => (500.0, 600.0 + moves),
        };
        Budget { per_hour, floor }
    }

    /// Its name, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RssKib => "RSS KiB",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::Sockets => "sockets",
            Self::VcrtEntries => "VCRT entries",
        }
    }
}

/// Samples of one quantity of one thing over time. Bounded: when it is full it keeps every second sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Time in milliseconds, and value.
    samples: Vec<(u64, f64)>,
    every: u64,
    seen: u64,
}

/// What a series says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slope {
    /// First value after the warm-up.
    pub first: f64,
    /// Last value.
    pub last: f64,
    /// Highest value.
    pub most: f64,
    /// Growth in an hour.
    pub per_hour: f64,
    /// Growth over the time of the samples, by the slope.
    pub growth: f64,
}

impl Series {
    /// Adds a sample; a time before the last one's is passed over.
    pub fn add(&mut self, at_ms: u64, value: f64) {
        if self.samples.last().is_some_and(|(last, _)| *last >= at_ms) {
            return;
        }
        self.every = self.every.max(1);
        if self.seen.is_multiple_of(self.every) {
            self.samples.push((at_ms, value));
            if self.samples.len() > MOST {
                let mut keep = false;
                self.samples.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.every *= 2;
            }
        }
        self.seen += 1;
    }

    /// The last value that is kept.
    pub fn last(&self) -> Option<f64> {
        self.samples.last().map(|(_, value)| *value)
    }

    /// Its slope from `from_ms` on; nothing with fewer than eight samples.
    pub fn slope(&self, from_ms: u64) -> Option<Slope> {
        /// Fewer say nothing.
        const LEAST: usize = 8;
        let samples: Vec<(f64, f64)> =
            self.samples.iter().filter(|(at, _)| *at >= from_ms).map(|(at, value)| (*at as f64, *value)).collect();
        if samples.len() < LEAST {
            return None;
        }
        // Pairs half the list apart: as robust, and as many as there are samples.
        let half = samples.len() / 2;
        let mut slopes: Vec<f64> = (0..samples.len() - half)
            .map(|at| (samples[at + half].1 - samples[at].1) / (samples[at + half].0 - samples[at].0))
            .collect();
        slopes.sort_by(f64::total_cmp);
        let per_ms = slopes[slopes.len() / 2];
        let (first, last) = (samples[0], samples[samples.len() - 1]);
        let most = samples.iter().map(|(_, value)| *value).fold(f64::MIN, f64::max);
        let growth = per_ms * (last.0 - first.0);
        Some(Slope { first: first.1, last: last.1, most, per_hour: per_ms * 3_600_000.0, growth })
    }
}

impl Slope {
    /// Does it keep this budget?
    pub fn keeps(&self, budget: Budget) -> bool {
        self.per_hour <= budget.per_hour || self.growth <= budget.floor
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(values: impl Iterator<Item = f64>) -> Series {
        let mut series = Series::default();
        for (at, value) in values.enumerate() {
            series.add((at as u64 + 1) * 1_000, value);
        }
        series
    }

    #[test]
    fn a_leak_is_over_the_budget_and_noise_is_not() {
        let budget = Quantity::Descriptors.budget(0.0);
        let slope = |values: &dyn Fn(u64) -> f64| series((0..120).map(values)).slope(0).expect("enough");
        assert!(slope(&|at| 40.0 + (at % 7) as f64).keeps(budget));
        let leak = slope(&|at| 40.0 + at as f64);
        assert!(!leak.keeps(budget) && (3_500.0..3_700.0).contains(&leak.per_hour), "{leak:?}");
        // One fault's peak.
        assert!(slope(&|at| if (50..70).contains(&at) { 900.0 } else { 40.0 }).keeps(budget));
        // What fills at first and then stays.
        let filled = series((0..120).map(|at: u64| at.min(30) as f64 * 10.0));
        assert!(filled.slope(40_000).expect("enough").keeps(budget));
        assert!(!series((0..120).map(|at| f64::from(at) * 10.0)).slope(40_000).expect("enough").keeps(budget));
        assert_eq!(series((0..7).map(f64::from)).slope(0), None, "too few");
    }

    #[test]
    fn a_step_that_is_normal_does_not_count_in_a_short_soak() {
        let slope = series((0..60).map(|at| 10.0 + f64::from(at) / 10.0)).slope(0).expect("enough");
        assert!(slope.per_hour > Quantity::Descriptors.budget(0.0).per_hour);
        assert!(slope.keeps(Quantity::Descriptors.budget(0.0)), "six more: {slope:?}");
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_keeps_the_slope(count in 600_u64..5_000, per_s in 0.5_f64..20.0) {
            let series = series((0..count).map(|at| at as f64 * per_s));
            prop_assert!(series.samples.len() <= MOST);
            let slope = series.slope(0).expect("enough");
            prop_assert!((slope.per_hour / (per_s * 3_600.0) - 1.0).abs() < 1e-6);
        }
    }
}
