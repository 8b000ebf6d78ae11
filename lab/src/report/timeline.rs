//! The whole run on one line of time: a lane per host with its events, the steps above, faults shaded. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use evidence::What;
use maud::{Markup, html};

use super::draw::hatch;
use super::fault::{BEGAN, Fault};
use super::run_dir::{Run, Said};
use super::{axis, words};

const LEFT: f64 = 108.0;
const WIDTH: f64 = 900.0;
const LANE: f64 = 34.0;
const TOP: f64 = 70.0;
/// Steps that are marked above the lanes.
const PINS: usize = 60;
/// Events nearer to each other than this are one tick, so that a long run stays small.
const COARSE: f64 = 1.0;

/// The section.
pub(super) fn section(run: &Run, faults: &[Fault]) -> Markup {
    html! {
        section #timeline aria-labelledby="timeline-h" {
            h2 #timeline-h { "Timeline" }
            @if run.events.is_empty() {
                p.none { "No events." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Timeline, drawn" { (svg(run, faults)) }
                p.legend {
                    span.tick-key { "an event" } span.tick-key.bad { "something failed" }
                    @if !faults.is_empty() { span.tick-key.fault-key { "a fault" } }
                    "Times in milliseconds since the first step. The logs below have every event."
                }
                @if !faults.is_empty() { ul.plain { @for (index, fault) in faults.iter().enumerate() { li { b { (letter(index)) } " " (in_words(run, fault)) } } } }
            }
        }
    }
}

fn in_words(run: &Run, fault: &Fault) -> Markup {
    let (from, to) = (run.ms(fault.from), fault.to.map(|to| run.ms(to)));
    html! { "Fault " b { (fault.name) } " from " (words::at(from)) " ms " @match to {
        Some(to) => { "to " (words::at(to)) " ms" }
        None => "to the end of the run",
    } }
}

/// A fault's letter in the figure: A to Z, then numbers.
fn letter(index: usize) -> String {
    let letter = u8::try_from(index).ok().filter(|index| *index < 26).map(|index| char::from(b'A' + index));
    letter.map_or_else(|| (index + 1).to_string(), String::from)
}

/// From time to place.
struct Scale {
    first: f64,
    last: f64,
}

impl Scale {
    fn x(&self, ms: f64) -> f64 {
        let part = (ms - self.first) / (self.last - self.first).max(0.001);
        LEFT + WIDTH * part.clamp(0.0, 1.0)
    }

    /// Round times along the line, about ten of them.
    fn ticks(&self) -> Vec<f64> {
        axis::ticks(self.first, self.last, axis::step((self.last - self.first).max(0.001), 8.0))
    }
}

fn svg(run: &Run, faults: &[Fault]) -> Markup {
    let times: Vec<f64> = run.events.iter().filter(|said| said.t_ns > 0).map(|said| run.ms(said.t_ns)).collect();
    let first = times.iter().copied().fold(0.0, f64::min);
    let last = times.iter().copied().fold(first.max(run.result.run_ms), f64::max);
    let scale = Scale { first, last };
    let mut lanes: Vec<&str> = run.record.plan.hosts().collect();
    for said in run.events.iter() {
        if !lanes.contains(&said.system.as_str()) && lanes.len() < 64 {
            lanes.push(&said.system);
        }
    }
    let bottom = TOP + LANE * lanes.len() as f64;
    let pins: Vec<(f64, u8)> =
        run.result.steps.iter().filter_map(|step| Some((step.at_ms?, step.n))).take(PINS).collect();
    html! {
        svg.timeline viewBox={ "0 0 " (LEFT + WIDTH + 20.0) " " (bottom + 34.0) } width=(LEFT + WIDTH + 20.0) height=(bottom + 34.0) role="img" aria-labelledby="time-title time-desc" {
            title #time-title { "Timeline of " (lanes.len()) " hosts over " (words::lasting(last - first)) }
            desc #time-desc { (words::count(run.events.len() as u64, "event")) ", each a tick in the lane of its host; the steps are numbered above." }
            defs { (hatch("hatch-time")) }
            @for (index, system) in lanes.iter().enumerate() {
                @let y = TOP + LANE * index as f64;
                g class={ "lane hue-" (run.hue(system)) } {
                    rect.floor x=(LEFT) y=(y + 2.0) width=(WIDTH) height=(LANE - 4.0) rx="5" {}
                    text.lane-name x=(LEFT - 10.0) y=(y + LANE / 2.0 + 4.0) { (words::cut_short(system, 12)) }
                }
            }
            @for (index, fault) in faults.iter().enumerate() {
                @let (from, to) = (scale.x(run.ms(fault.from)), scale.x(fault.to.map_or(last, |to| run.ms(to))));
                g.fault {
                    title { (in_words(run, fault)) }
                    rect x=(from) y=(TOP - 4.0) width=((to - from).max(2.0)) height=(bottom - TOP + 8.0) fill="url(#hatch-time)" {}
                    text.start x=(from + 3.0) y=(TOP + 8.0) { (letter(index)) }
                }
            }
            @for at in scale.ticks() {
                line.grid x1=(scale.x(at)) x2=(scale.x(at)) y1=(TOP) y2=(bottom + 6.0) {}
                text.axis x=(scale.x(at)) y=(bottom + 22.0) { (format!("{at:.3}").trim_end_matches('0').trim_end_matches('.')) }
            }
            @for (index, system) in lanes.iter().enumerate() { (ticks(run, system, &scale, TOP + LANE * index as f64)) }
            @for (level, (at, n)) in levels(&pins, &scale) {
                @let (x, y) = (scale.x(at), 14.0 + 19.0 * level as f64);
                line.pin x1=(x) x2=(x) y1=(y + 8.0) y2=(bottom) {}
                circle.badge cx=(x) cy=(y) r="8.5" {}
                text.number x=(x) y=(y + 3.5) { (n) }
            }
        }
    }
}

/// One path for all events of a host, and one for its failures.
fn ticks(run: &Run, system: &str, scale: &Scale, y: f64) -> Markup {
    let mut places: BTreeMap<(bool, i64), u32> = BTreeMap::new();
    for said in run.events.iter().filter(|said| said.system == system && said.t_ns > 0) {
        let x = scale.x(run.ms(said.t_ns));
        *places.entry((is_bad(said), (x / COARSE).round() as i64)).or_default() += 1;
    }
    let path = |bad: bool| {
        let mut path = String::new();
        for (_, place) in places.keys().filter(|(is_bad, _)| *is_bad == bad) {
            let _ = write!(path, "M{:.0} {:.0}v{:.0}", *place as f64 * COARSE, y + 8.0, LANE - 16.0);
        }
        path
    };
    html! {
        @for (class, d) in [("tick", path(false)), ("tick bad", path(true))] {
            @if !d.is_empty() { path class=(class) d=(d) {} }
        }
    }
}

/// Does the event tell of something that went wrong?
pub(super) fn is_bad(said: &Said) -> bool {
    let Some(event) = said.known.as_ref().filter(|_| said.event != BEGAN) else { return said.event == BEGAN };
    match &event.what {
        What::Fatal { .. }
        | What::HostRefused { .. }
        | What::HubRefused { .. }
        | What::EngineRefused { .. }
        | What::EngineTurnedAway { .. }
        | What::ConnectFailed { .. }
        | What::DebugBroken { .. }
        | What::MinerFailed { .. }
        | What::LogonAbandoned { .. }
        | What::HubRival { .. }
        | What::CallFailed { .. } => true,
        What::JobEnded { how, .. } => how != "debugged",
        _ => false,
    }
}

/// Pins that would cover each other go to different levels.
fn levels(pins: &[(f64, u8)], scale: &Scale) -> Vec<(usize, (f64, u8))> {
    let mut free = [f64::NEG_INFINITY; 3];
    let mut sorted = pins.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let place = |pin: (f64, u8)| {
        let x = scale.x(pin.0);
        let level = free.iter().position(|last| x - last >= 19.0).unwrap_or_else(|| {
            let nearest = |a: &usize, b: &usize| free[*a].total_cmp(&free[*b]);
            (0..free.len()).min_by(nearest).unwrap_or(0)
        });
        free[level] = x;
        (level, pin)
    };
    sorted.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_along_the_line_are_round() {
        let scale = Scale { first: -72.0, last: 104.0 };
        assert_eq!(scale.ticks(), [-50.0, 0.0, 50.0, 100.0]);
        assert_eq!(Scale { first: 0.0, last: 0.0 }.ticks().len(), 1);
    }

    #[test]
    fn pins_do_not_cover_each_other_while_there_is_room() {
        let scale = Scale { first: 0.0, last: 900.0 };
        let levels: Vec<usize> =
            levels(&[(0.0, 1), (5.0, 2), (9.0, 3), (30.0, 4)], &scale).into_iter().map(|p| p.0).collect();
        assert_eq!(levels, [0, 1, 2, 0]);
    }
}
