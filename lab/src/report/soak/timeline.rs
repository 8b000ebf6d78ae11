//! The whole soak on one line of time: faults by kind, violations, and below them each quantity. Pure.

use maud::{Markup, html};

use super::chart::{self, CHARTS, LEFT, RIGHT, Time, WIDTH};
use super::dir::Soak;
use super::lanes;
use crate::report::{axis, words};

/// Points of a line.
const POINTS: usize = 600;

/// The section.
pub(super) fn section(soak: &Soak) -> Markup {
    let time = Time { span_ms: soak.span_ms() };
    let left_out = soak.course.left_out;
    html! {
        section #timeline aria-labelledby="timeline-h" {
            h2 #timeline-h { "Timeline" }
            div.scroll tabindex="0" role="region" aria-label="Timeline, drawn" { (svg(soak, time)) }
            p.legend {
                "Hours, minutes and seconds from the beginning. "
                @match soak.faults.len() {
                    0 => {}
                    n if n <= lanes::MOST => "Shaded: a fault stands; its bar has the colour of its host, as in the topology. ",
                    _ => "The lanes show how many faults of each kind began when; they are too many to shade each. ",
                }
                "A band around a line goes from the least to the most where a point stands for several snapshots."
            }
            @if left_out > 0 { p.cut { (words::count(left_out, "snapshot")) " left out." } }
            (figures(soak))
        }
    }
}

fn svg(soak: &Soak, time: Time) -> Markup {
    let buckets = soak.course.buckets(time.span_ms, POINTS);
    let kinds = lanes::kinds(&soak.faults).len();
    let broken: Vec<f64> = soak.summary.violations.iter().filter_map(|it| soak.course.ms(it.t_ns)).collect();
    let rows = kinds + usize::from(!broken.is_empty());
    let top = 8.0 + lanes::LANE * rows as f64 + if rows > 0 { 10.0 } else { 0.0 };
    let (mut charts, mut bottom) = (Vec::new(), top);
    for chart in &CHARTS {
        if let Some(drawn) = chart.draw(&buckets, time, bottom) {
            charts.push(drawn);
            bottom += chart::HEIGHT;
        }
    }
    let (width, height) = (LEFT + WIDTH + RIGHT, bottom + 26.0);
    html! {
        svg.timeline.soak viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="img" aria-labelledby="time-title time-desc" {
            title #time-title { "The soak over " (words::elapsed(time.span_ms as u64)) ": " (words::count(soak.faults.len() as u64, "fault")) ", and how things were" }
            desc #time-desc { "The table after this figure has the figures of each line; the faults are in a table of their own." }
            (lanes::shade(&soak.faults, time, top, bottom - top - 12.0))
            (lanes::lanes(&soak.faults, &soak.topology, time, 8.0))
            (ticks(time, top, bottom))
            @for chart in charts { (chart) }
            @if !broken.is_empty() { (violations(&broken, time, 8.0 + lanes::LANE * kinds as f64, bottom)) }
        }
    }
}

fn ticks(time: Time, top: f64, bottom: f64) -> Markup {
    html! {
        @for at in axis::ticks(0.0, time.span_ms, axis::time_step(time.span_ms, 8.0)) {
            line.grid x1=(time.x(at)) x2=(time.x(at)) y1=(top) y2=(bottom - 8.0) {}
            text.axis x=(time.x(at)) y=(bottom + 8.0) { (words::elapsed(at as u64)) }
        }
    }
}

fn violations(broken: &[f64], time: Time, lane: f64, bottom: f64) -> Markup {
    html! {
        text.lane-name.bad x=(LEFT - 8.0) y=(lane + 15.0) { "broken" }
        @for &at in broken {
            g.broken {
                title { "An invariant is broken at " (words::moment(at as u64)) }
                line x1=(time.x(at)) x2=(time.x(at)) y1=(lane + 18.0) y2=(bottom - 8.0) {}
                text x=(time.x(at)) y=(lane + 15.0) { "✗" }
            }
        }
    }
}

/// The same as a table.
fn figures(soak: &Soak) -> Markup {
    let lines = CHARTS.iter().flat_map(|chart| chart.lines.iter().map(move |(of, label)| (chart, *of, *label)));
    let known =
        lines.filter_map(|(chart, of, label)| Some((chart, label, soak.course.range(of)?, soak.course.last(of)?)));
    let known: Vec<_> = known.collect();
    html! {
        @if known.is_empty() { p.none { "No snapshot was taken: it was over before ten seconds." } } @else {
            div.scroll tabindex="0" role="region" aria-label="The timeline in figures" {
                table.figures {
                    caption { "The timeline in figures" }
                    thead { tr {
                        th scope="col" { "What" } th.num scope="col" { "Least" } th.num scope="col" { "Mean" } th.num scope="col" { "Most" } th.num scope="col" { "Last" }
                    } }
                    tbody { @for (chart, label, range, last) in known { tr {
                        th scope="row" { (chart.name) @if !label.is_empty() { ", " (label) } }
                        @for value in [range.least, range.mean(), range.most, last] { td.num { (chart::say(chart.unit, value)) } }
                    } } }
                }
            }
        }
    }
}
