//! How a soak went: its snapshots, as few as fit into a drawing. Pure.

use serde_json::Value;

use soak::MS;

/// Snapshots that are read; more than the lab keeps.
const MOST: usize = 100_000;

/// What is drawn over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Handoffs in a second, since the snapshot before.
    PerS,
    /// Half of these handoffs took no longer, in microseconds.
    P50,
    /// 99 of 100 of them.
    P99,
    /// Sessions that have not ended.
    Open,
    /// Users who are logged on.
    Users,
    /// The lab itself, percent of one processor, since the snapshot before.
    Cpu,
    /// The lab itself, MiB.
    Rss,
    /// Entries of the owner's connection routing table.
    Vcrt,
}

/// What is told by the second is not told of less than one, such as the last moment of a soak.
const SHORTEST_MS: f64 = 1_000.0;
/// How many there are.
const SERIES: usize = 8;
type Values = [Option<f64>; SERIES];

/// All snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    points: Vec<(u64, Values)>,
    last: Last,
    /// Where the clock of events is at some time of the soak, in nanoseconds and milliseconds: once for each time that it was begun.
    clocks: Vec<(u64, u64)>,
    /// Snapshots that were not read.
    pub(super) left_out: u64,
}

/// The snapshot before.
#[derive(Clone, Debug, Default)]
struct Last {
    t_ms: u64,
    reached: u64,
    cpu_percent: f64,
}

/// The values of a series within some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    /// The least.
    pub(super) least: f64,
    /// The highest.
    pub(super) most: f64,
    /// All of them, added.
    sum: f64,
    /// How many.
    pub(super) count: u32,
}

/// What was between two times.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// When, on average.
    pub(super) at_ms: f64,
    values: [Option<Range>; SERIES],
}

impl Course {
    /// The next snapshot, as the lab writes it; whatever it lacks is not there.
    pub(super) fn add(&mut self, line: &Value) {
        let Some(t_ms) = line.get("t_ms").and_then(Value::as_u64) else { return };
        let number = |key: &str| line.get(key).and_then(Value::as_f64).filter(|value| value.abs() < 1e12);
        self.set_clock(line, t_ms);
        let (Some(reached), Some(cpu)) = (line.get("reached").and_then(Value::as_u64), number("cpu_percent")) else {
            self.last.t_ms = self.last.t_ms.max(t_ms);
            return;
        };
        let lately = |key: &str| line.get("lately").and_then(|lately| lately.get(key)).and_then(Value::as_f64);
        let Last { t_ms: before, reached: reached_before, cpu_percent } = self.last;
        self.last = Last { t_ms, reached, cpu_percent: cpu };
        if t_ms <= before {
            return;
        }
        let took = (t_ms - before) as f64;
        // What was counted from the beginning becomes what was since the snapshot before.
        let per_s = reached.checked_sub(reached_before).unwrap_or(reached) as f64 * 1e3 / took;
        let used = (cpu * t_ms as f64 - cpu_percent * before as f64) / took;
        let used = if used >= 0.0 { used } else { cpu };
        let is_long = took >= SHORTEST_MS;
        let no_handoff = lately("p99_us").is_some_and(|p99| p99 <= 0.0);
        let p = |key: &str| lately(key).or_else(|| number(key)).filter(|_| is_long && !no_handoff);
        let values = [
            is_long.then_some(per_s),
            p("p50_us"),
            p("p99_us"),
            number("open"),
            number("users"),
            is_long.then_some(used),
            number("rss_mib"),
            number("vcrt"),
        ];
        if self.points.len() < MOST {
            self.points.push((t_ms, values));
        } else {
            self.left_out += 1;
        }
    }

    /// A soak that is resumed has another beginning, and maybe another clock.
    fn set_clock(&mut self, line: &Value, t_ms: u64) {
        let Some(t_ns) = line.get("t_ns").and_then(Value::as_u64) else { return };
        let is_another = self.clocks.last().is_none_or(|&(ns, ms)| self.drift_ms((ns, ms), (t_ns, t_ms)) > 1_000);
        if is_another && self.clocks.len() < 1_000 {
            self.clocks.push((t_ns, t_ms));
        }
    }

    fn drift_ms(&self, (from_ns, from_ms): (u64, u64), (t_ns, t_ms): (u64, u64)) -> u64 {
        (t_ns / MS).wrapping_sub(from_ns / MS).wrapping_sub(t_ms).wrapping_add(from_ms).cast_signed().unsigned_abs()
    }

    /// Milliseconds from the beginning, of a time of `CLOCK_MONOTONIC`; nothing when it cannot be told.
    pub(super) fn ms(&self, t_ns: u64) -> Option<f64> {
        let known = self.clocks.iter().rev().find(|(ns, _)| *ns <= t_ns).or_else(|| self.clocks.first());
        known.map(|&(ns, ms)| (ms as f64 + (t_ns as f64 - ns as f64) / MS as f64).max(0.0))
    }

    /// When the last snapshot was.
    pub(super) fn last_ms(&self) -> u64 {
        self.last.t_ms
    }

    /// All values of a series; nothing when it has none.
    pub(super) fn range(&self, of: Of) -> Option<Range> {
        let values = self.points.iter().filter_map(|(_, values)| values[of as usize]);
        values.fold(None, |range, value| Some(with(range, value)))
    }

    /// The last value of a series.
    pub(super) fn last(&self, of: Of) -> Option<f64> {
        self.points.iter().rev().find_map(|(_, values)| values[of as usize])
    }

    /// At most so many buckets over the whole time, in order; the least and the highest value of each are kept.
    pub(super) fn buckets(&self, span_ms: f64, most: usize) -> Vec<Bucket> {
        let all = self.points.len();
        let slot = |index: usize, t_ms: u64| match all <= most {
            true => index,
            false => ((t_ms as f64 / span_ms * most as f64) as usize).min(most - 1),
        };
        let mut buckets: Vec<(usize, u32, Bucket)> = Vec::new();
        for (index, (t_ms, values)) in self.points.iter().enumerate() {
            let slot = slot(index, *t_ms);
            if buckets.last().is_none_or(|(last, ..)| *last != slot) {
                buckets.push((slot, 0, Bucket { at_ms: 0.0, values: [None; SERIES] }));
            }
            let Some((_, count, bucket)) = buckets.last_mut() else { continue };
            *count += 1;
            bucket.at_ms += (*t_ms as f64 - bucket.at_ms) / f64::from(*count);
            for (range, value) in bucket.values.iter_mut().zip(values) {
                *range = value.map(|value| with(*range, value)).or(*range);
            }
        }
        buckets.into_iter().map(|(.., bucket)| bucket).collect()
    }
}

impl Bucket {
    /// The values of a series.
    pub(super) fn of(&self, of: Of) -> Option<Range> {
        self.values[of as usize]
    }
}

impl Range {
    /// The mean.
    pub(super) fn mean(&self) -> f64 {
        self.sum / f64::from(self.count)
    }
}

fn with(range: Option<Range>, value: f64) -> Range {
    let range = range.unwrap_or(Range { least: value, most: value, sum: 0.0, count: 0 });
    Range {
        least: range.least.min(value),
        most: range.most.max(value),
        sum: range.sum + value,
        count: range.count.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn course(count: u64) -> Course {
        let mut course = Course::default();
        for n in 1..=count {
            let cpu = if n == 500 { 60.0 } else { 10.0 };
            course.add(&json!({"t_ms": n * 10_000, "t_ns": 5_000_000_000_000 + n * 10_000 * MS, "reached": n * 200, "open": n % 7,
                "cpu_percent": cpu, "vcrt": null, "p99_us": 9000, "lately": {"p50_us": 300, "p99_us": 700 + n % 2}}));
        }
        course
    }

    #[test]
    fn what_was_counted_from_the_beginning_is_told_of_each_interval() {
        let course = course(20);
        let per_s = course.range(Of::PerS).expect("handoffs");
        assert_eq!((per_s.least, per_s.most, per_s.count), (20.0, 20.0, 20));
        assert_eq!(course.range(Of::P99).map(|p99| (p99.least, p99.most)), Some((700.0, 701.0)), "the latest, not all");
        assert_eq!(course.range(Of::Vcrt), None);
        assert_eq!((course.last(Of::Open), course.last_ms()), (Some(6.0), 200_000));
        let mut course = course;
        course.add(&json!({"t_ms": 200_050, "reached": 4100, "cpu_percent": 99.0, "open": 0}));
        assert_eq!(
            (course.range(Of::PerS), course.last(Of::Open)),
            (Some(per_s), Some(0.0)),
            "2000/s for 50 ms is no rate"
        );
        assert_eq!(course.ms(5_000_000_000_000 + 33_000 * MS), Some(33_000.0));
        assert_eq!(course.ms(5_000_000_000_000 + 3_000 * MS), Some(3_000.0), "before the first snapshot");
    }

    #[test]
    fn a_long_soak_keeps_its_peaks() {
        let course = course(20_000);
        let buckets = course.buckets(20_000.0 * 10_000.0, 600);
        assert_eq!(buckets.len(), 600);
        assert!(buckets.windows(2).all(|two| two[0].at_ms < two[1].at_ms));
        let most = |of| buckets.iter().filter_map(|bucket| Some(bucket.of(of)?.most)).fold(0.0, f64::max);
        assert_eq!(most(Of::Cpu), course.range(Of::Cpu).expect("values").most, "a peak of one snapshot");
        assert_eq!(course.buckets(2e8, 30_000).len(), 20_000);
    }

    #[test]
    fn whatever_a_snapshot_lacks_is_not_there() {
        let mut course = Course::default();
        for line in
            [json!(null), json!({"t_ms": "x"}), json!({"t_ms": 5, "finished": true}), json!({"t_ms": 4, "reached": 1})]
        {
            course.add(&line);
        }
        assert!(course.buckets(10.0, 600).is_empty() && course.ms(7).is_none());
        assert_eq!(course.last_ms(), 5);
    }
}
