//! One quantity over time: a line, and around it what was least and most. Pure.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::course::{Bucket, Of, Range};
use crate::report::{axis, words};

/// Where the time begins, how wide it is, and what is free behind it.
pub(super) const LEFT: f64 = 96.0;
pub(super) const WIDTH: f64 = 912.0;
pub(super) const RIGHT: f64 = 36.0;
/// Height of a chart: its name, what is drawn, and the space below.
pub(super) const NAME: f64 = 20.0;
const DRAWN: f64 = 62.0;
pub(super) const HEIGHT: f64 = NAME + DRAWN + 14.0;

/// From time to place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    /// How long the whole is.
    pub(super) span_ms: f64,
}

impl Time {
    /// Where a time is.
    pub(super) fn x(self, ms: f64) -> f64 {
        LEFT + WIDTH * (ms / self.span_ms).clamp(0.0, 1.0)
    }
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// As they are.
    Number,
    /// Microseconds, as a duration; each power of ten is as high as the other.
    Micros,
}

/// What a chart shows.
#[derive(Debug)]
pub(super) struct Chart {
    /// Its name, with the unit.
    pub(super) name: &'static str,
    /// Its lines, with what tells them apart.
    pub(super) lines: &'static [(Of, &'static str)],
    /// How its values are written.
    pub(super) unit: Unit,
}

/// All charts, from above.
pub(super) const CHARTS: [Chart; 7] = [
    Chart { name: "Handoffs in a second", lines: &[(Of::PerS, "")], unit: Unit::Number },
    Chart { name: "How long a handoff took", lines: &[(Of::P99, "p99"), (Of::P50, "p50")], unit: Unit::Micros },
    Chart { name: "Open sessions", lines: &[(Of::Open, "")], unit: Unit::Number },
    Chart { name: "Users logged on", lines: &[(Of::Users, "")], unit: Unit::Number },
    Chart { name: "Processor of the lab, % of one", lines: &[(Of::Cpu, "")], unit: Unit::Number },
    Chart { name: "Memory of the lab, MiB", lines: &[(Of::Rss, "")], unit: Unit::Number },
    Chart { name: "Entries of the VCRT", lines: &[(Of::Vcrt, "")], unit: Unit::Number },
];

/// From value to place.
#[derive(Clone, Debug)]
struct Scale {
    unit: Unit,
    least: f64,
    most: f64,
    marks: Vec<f64>,
}

impl Scale {
    fn new(unit: Unit, values: impl Iterator<Item = f64> + Clone) -> Self {
        let highest = values.clone().fold(0.0, f64::max);
        if unit == Unit::Number {
            let step = axis::step(highest.max(1.0), 2.5);
            let most = (highest.max(1.0) / step).ceil() * step;
            return Self { unit, least: 0.0, most, marks: axis::ticks(0.0, most, step) };
        }
        let lowest = values.fold(f64::INFINITY, f64::min).clamp(1.0, 1e12);
        let (from, to) = (lowest.log10().floor(), highest.clamp(10.0, 1e12).log10().ceil());
        let to = to.max(from + 1.0);
        let marks = axis::ticks(from, to, 1.0).into_iter().map(|power| 10_f64.powf(power)).collect();
        Self { unit, least: from, most: to, marks }
    }

    /// Of a hundredth of the height, from above.
    fn y(&self, value: f64) -> f64 {
        let value = if self.unit == Unit::Micros { value.max(1.0).log10() } else { value };
        DRAWN * (1.0 - ((value - self.least) / (self.most - self.least)).clamp(0.0, 1.0))
    }
}

/// A value for a person.
pub(super) fn say(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Micros => words::lasting(value / 1e3),
        Unit::Number if value.fract() == 0.0 || value >= 1_000.0 => format!("{value:.0}"),
        Unit::Number => format!("{value:.1}"),
    }
}

/// At a mark there is no room for a fraction of nothing.
fn mark(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Number => say(unit, value),
        Unit::Micros if value >= 1e6 => format!("{:.0} s", value / 1e6),
        Unit::Micros if value >= 1e3 => format!("{:.0} ms", value / 1e3),
        Unit::Micros => format!("{value:.0} µs"),
    }
}

impl Chart {
    /// The drawing, from `top` on; nothing when there is nothing to draw.
    pub(super) fn draw(&self, buckets: &[Bucket], time: Time, top: f64) -> Option<Markup> {
        let ranges = |of: Of| buckets.iter().filter_map(move |bucket| bucket.of(of));
        let values = self.lines.iter().flat_map(|(of, _)| ranges(*of)).flat_map(|range| [range.least, range.most]);
        values.clone().next()?;
        let scale = Scale::new(self.unit, values);
        let (floor, x) = (top + NAME, LEFT + WIDTH);
        let place = |value: f64| floor + scale.y(value);
        Some(html! {
            g.chart {
                text.chart-name x=(LEFT) y=(top + 13.0) { (self.name) }
                @for &at in &scale.marks {
                    line.grid x1=(LEFT) x2=(x) y1=(short(place(at))) y2=(short(place(at))) {}
                    text.mark x=(LEFT - 8.0) y=(short(place(at) + 3.5)) { (mark(self.unit, at)) }
                }
                @for (index, (of, label)) in self.lines.iter().enumerate() {
                    @let band = band(buckets, *of, time, &place);
                    @if !band.is_empty() { path class={ "band line-" (index) } d=(band) {} }
                    path class={ "course line-" (index) } d=(line(buckets, *of, time, &place)) {}
                    @if !label.is_empty() {
                        text class={ "key line-" (index) } x=(x - 56.0 * index as f64) y=(top + 13.0) { "— " (label) }
                    }
                }
            }
        })
    }
}

/// Through the means; it pauses where nothing is known. A point alone is a line of no length, which has round ends.
fn line(buckets: &[Bucket], of: Of, time: Time, y: &impl Fn(f64) -> f64) -> String {
    let (mut path, mut is_down) = (String::new(), false);
    for bucket in buckets {
        if let Some(range) = bucket.of(of) {
            let (x, y) = (time.x(bucket.at_ms), y(range.mean()));
            let _ = if is_down { write!(path, "L{x:.1} {y:.1}") } else { write!(path, "M{x:.1} {y:.1}h0") };
        }
        is_down = bucket.of(of).is_some();
    }
    path
}

/// From the least to the most, where a bucket has several values: there along the most, and back along the least.
fn band(buckets: &[Bucket], of: Of, time: Time, y: &impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for run in buckets.split(|bucket| bucket.of(of).is_none()) {
        let known: Vec<(f64, Range)> = run.iter().filter_map(|it| Some((time.x(it.at_ms), it.of(of)?))).collect();
        if known.iter().any(|(_, range)| range.most > range.least) {
            let there = known.iter().map(|(x, range)| (x, y(range.most)));
            let back = known.iter().rev().map(|(x, range)| (x, y(range.least)));
            for (index, (x, y)) in there.chain(back).enumerate() {
                let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
            }
            path.push('z');
        }
    }
    path
}

/// No more digits than can be seen.
fn short(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_the_values_between_them() {
        let scale = Scale::new(Unit::Number, [3.0, 207.0].into_iter());
        assert_eq!(scale.marks, [0.0, 100.0, 200.0, 300.0]);
        assert_eq!((scale.y(0.0), scale.y(300.0)), (DRAWN, 0.0));
        let scale = Scale::new(Unit::Micros, [350.0, 2_000_000.0].into_iter());
        assert_eq!(scale.marks.iter().map(|at| mark(Unit::Micros, *at)).collect::<Vec<_>>()[..2], ["100 µs", "1 ms"]);
        assert_eq!(scale.marks.len(), 6, "to ten seconds");
        let nothing = Scale::new(Unit::Number, [0.0].into_iter());
        assert!(nothing.y(0.0) == DRAWN && nothing.most >= 1.0, "{nothing:?}");
    }

    #[test]
    fn values_are_written_for_a_person() {
        assert_eq!(
            [say(Unit::Number, 28.92), say(Unit::Number, 7.0), say(Unit::Micros, 3583.0)],
            ["28.9", "7", "3.6 ms"]
        );
    }
}
