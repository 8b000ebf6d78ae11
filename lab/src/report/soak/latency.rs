//! How long handoffs took: a histogram of all of them, and of those that no fault touched where the summary tells them apart. Pure.

use maud::{Markup, html};
use soak::summary::Histogram;

use super::dir::Soak;
use crate::report::words;

/// Bars for each power of ten.
const BARS: f64 = 12.0;
const BAR: f64 = 11.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 12.0;

/// The section.
pub(super) fn section(soak: &Soak) -> Markup {
    let summary = &soak.summary;
    let undisturbed = Some(&soak.summary.undisturbed).filter(|it| it.count() > 0);
    let all = (summary.handoffs.count() > 0).then_some(&summary.handoffs);
    let rows = [("All", all), ("No fault touched them", undisturbed)];
    html! {
        section #latency aria-labelledby="latency-h" {
            h2 #latency-h { "How long a handoff took" }
            p.note { "From " code { "waiting" } " to the first message of the debug conversation." }
            @match all {
                None if summary.counts.reached == 0 => p.none { "No session reached its client." },
                None => p.none { "The summary has no histogram: half within " (ms(summary.p50_us)) ", 99 of 100 within " (ms(summary.p99_us)) ", 999 of 1000 within " (ms(summary.p999_us)) "." },
                Some(all) => {
                    div.scroll tabindex="0" role="region" aria-label="Histogram of handoffs, drawn" { (svg(all, undisturbed)) }
                    div.scroll tabindex="0" role="region" aria-label="Handoffs, in figures" { (table(&rows)) }
                }
            }
        }
    }
}

fn ms(us: u64) -> String {
    words::lasting(us as f64 / 1e3)
}

fn table(rows: &[(&str, Option<&Histogram>)]) -> Markup {
    html! {
        table.latency {
            caption { "Handoffs, in figures; each is at most a sixteenth too high" }
            thead { tr {
                th scope="col" { "Which" } th.num scope="col" { "How many" } th.num scope="col" { "Median" } th.num scope="col" { "90 %" }
                th.num scope="col" { "99 %" } th.num scope="col" { "99.9 %" } th.num scope="col" { "Longest" }
            } }
            tbody { @for (name, histogram) in rows { @if let Some(histogram) = histogram { tr {
                th scope="row" { (name) }
                td.num { (histogram.count()) }
                @for per_mille in [500, 900, 990, 999, 1000] { td.num { (ms(histogram.quantile(per_mille))) } }
            } } } }
        }
    }
}

/// The bar of a value in microseconds.
fn bar(us: u64) -> usize {
    ((us.max(1) as f64).log10() * BARS) as usize
}

/// Bars of equal width on the logarithm. A step that lies in several is shared out among them, so that no bar is empty by chance.
fn bars(histogram: &Histogram) -> Vec<f64> {
    let mut bars = Vec::new();
    for (least, most, count) in histogram.steps() {
        let (from, to) = (bar(least), bar(most));
        if bars.len() <= to {
            bars.resize(to + 1, 0.0);
        }
        let share = count as f64 / (to - from + 1) as f64;
        bars[from..=to].iter_mut().for_each(|bar| *bar += share);
    }
    bars
}

fn svg(all: &Histogram, undisturbed: Option<&Histogram>) -> Markup {
    let (bars, calm) = (bars(all), undisturbed.map(bars).unwrap_or_default());
    let first = bars.iter().position(|count| *count > 0.0).unwrap_or(0);
    let decade = BARS as usize;
    let (from, to) = (first / decade * decade, bars.len().div_ceil(decade).max(first / decade + 1) * decade);
    let highest = bars.iter().copied().fold(1.0, f64::max);
    let (width, floor) = (LEFT * 2.0 + BAR * (to - from) as f64, HEIGHT + 30.0);
    let x = |at: usize| LEFT + BAR * (at - from) as f64;
    let draw = |class: &'static str, bars: &[f64]| -> Markup {
        let shown: Vec<(usize, f64)> =
            bars.iter().copied().enumerate().filter(|(at, count)| *at >= from && *count > 0.0).collect();
        html! { @for (at, count) in shown {
            @let height = (HEIGHT * count / highest).max(1.5);
            rect class=(class) x=(x(at) + 0.5) y=(format!("{:.1}", floor - height)) width=(BAR - 1.0) height=(format!("{height:.1}")) {}
        } }
    };
    html! {
        svg.histogram.large viewBox={ "0 0 " (width) " " (floor + 24.0) } width=(width) height=(floor + 24.0) role="img" aria-labelledby="hist-title hist-desc" {
            title #hist-title { "Histogram of " (words::count(all.count(), "handoff")) }
            desc #hist-desc { "Half took at most " (ms(all.quantile(500))) ", 99 of 100 at most " (ms(all.quantile(990))) ", the longest " (ms(all.quantile(1000))) ". The time is logarithmic." }
            @for at in (from..=to).step_by(decade) {
                line.grid x1=(x(at)) x2=(x(at)) y1="30" y2=(floor) {}
                text.axis x=(x(at)) y=(floor + 16.0) text-anchor=(if at == from { "start" } else if at == to { "end" } else { "middle" }) { (power(at / decade)) }
            }
            (draw("bar", &bars))
            @if !calm.is_empty() { (draw("bar calm", &calm)) }
            line.axis-line x1=(LEFT) x2=(width - LEFT) y1=(floor) y2=(floor) {}
            (quantiles(all, from, width, floor))
        }
        @if !calm.is_empty() { p.legend { "Darker: those that no fault touched." } }
    }
}

/// Lines for the median and the long tail, with their labels one above the other when they are near.
fn quantiles(all: &Histogram, from: usize, width: f64, floor: f64) -> Markup {
    /// Room for a label.
    const LABEL: f64 = 110.0;
    let mut marks: Vec<(f64, f64, String)> = Vec::new();
    for (per_mille, name) in [(500, "p50"), (990, "p99"), (999, "p99.9")] {
        let us = all.quantile(per_mille);
        let x = (LEFT + BAR * ((us.max(1) as f64).log10() * BARS - from as f64)).clamp(LEFT, width - LEFT);
        let y = marks.last().filter(|(before, ..)| x - before < LABEL).map_or(11.0, |(_, before, _)| 36.0 - before);
        marks.push((x, y, format!("{name} {}", ms(us))));
    }
    html! {
        @for (x, y, label) in marks {
            @let (x, at_end) = (format!("{x:.1}"), x > width - LABEL);
            line.quantile x1=(x) x2=(x) y1=(y - 9.0) y2=(floor) {}
            text.quantile x=(x) dx=(if at_end { -5 } else { 5 }) y=(y) text-anchor=(if at_end { "end" } else { "start" }) { (label) }
        }
    }
}

/// A power of ten of microseconds.
fn power(power: usize) -> String {
    let unit = ["µs", "ms", "s"][(power / 3).min(2)];
    format!("{} {unit}", 10_u64.saturating_pow(u32::try_from(power - (power / 3).min(2) * 3).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_hold_all_there_is() {
        let mut histogram = Histogram::default();
        for us in [1, 350, 3_500, 3_600, 2_752_511] {
            histogram.add(us);
        }
        let bars = bars(&histogram);
        assert!((bars.iter().sum::<f64>() - 5.0).abs() < 1e-9);
        assert_eq!([0, 1, 2, 3, 5, 6, 8].map(power), ["1 µs", "10 µs", "100 µs", "1 ms", "100 ms", "1 s", "100 s"]);
        let empty = svg(&histogram, None).into_string();
        assert!(empty.contains("p99") && !empty.contains("NaN"), "{empty}");
    }
}
