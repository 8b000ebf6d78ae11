//! The faults over time: a lane for each kind, a bar for each fault in the colour of its host, and their shade on everything below. Pure.

use std::fmt::Write as _;

use maud::{Markup, html};
use soak::fault::Kind;

use super::chart::{LEFT, Time, WIDTH};
use super::stood::{Stood, name};
use crate::report::plan::Plan;
use crate::report::words;

/// Height of a lane.
pub(super) const LANE: f64 = 22.0;
/// Faults that are bars of their own; of more a lane shows how many began.
pub(super) const MOST: usize = 600;
/// Into so many parts of the time.
const PARTS: usize = 300;
/// The narrowest bar.
const NARROW: f64 = 2.0;
/// Width of a letter of a label.
const LETTER: f64 = 6.4;

/// The kinds that there are, in order.
pub(super) fn kinds(faults: &[Stood]) -> Vec<Kind> {
    let kinds: std::collections::BTreeSet<Kind> = faults.iter().map(|stood| stood.fault.kind()).collect();
    kinds.into_iter().collect()
}

/// From where to where a fault is.
fn place(stood: &Stood, time: Time) -> (f64, f64) {
    let from = time.x(stood.from_ms as f64);
    let to = stood.to_ms.map_or(LEFT + WIDTH, |to| time.x(to as f64));
    (from, to.max(from + NARROW).min(LEFT + WIDTH + NARROW))
}

/// The lanes, from `top` on.
pub(super) fn lanes(faults: &[Stood], topology: &Plan, time: Time, top: f64) -> Markup {
    html! {
        @for (index, kind) in kinds(faults).into_iter().enumerate() {
            @let y = top + LANE * index as f64;
            rect.lane-floor x=(LEFT) y=(y + 1.0) width=(WIDTH) height=(LANE - 2.0) {}
            text.lane-name x=(LEFT - 8.0) y=(y + 15.0) { (name(kind)) }
            @let of_kind: Vec<&Stood> = faults.iter().filter(|stood| stood.fault.kind() == kind).collect();
            @if faults.len() <= MOST { (bars(&of_kind, topology, time, y)) } @else { (amounts(&of_kind, time, y)) }
        }
    }
}

fn hue(stood: &Stood, topology: &Plan) -> usize {
    stood.fault.host().map_or(0, |host| topology.hue(host))
}

/// A bar each, with its host where there is room.
fn bars(faults: &[&Stood], topology: &Plan, time: Time, y: f64) -> Markup {
    let places: Vec<(f64, f64)> = faults.iter().map(|stood| place(stood, time)).collect();
    html! {
        @for (index, stood) in faults.iter().enumerate() {
            @let (from, to) = places[index];
            @let label = format!("{} {}", stood.number, stood.fault.host().unwrap_or("several"));
            @let next = places.get(index + 1).map_or(LEFT + WIDTH, |(next, _)| *next);
            g class={ "bar hue-" (hue(stood, topology)) } {
                title { (sentence(stood)) }
                rect x=(tenth(from)) y=(y + 3.0) width=(tenth(to - from)) height=(LANE - 6.0) rx="2" {}
                // Beside the bar, when the next one is far enough away.
                @if next - to > LETTER * label.chars().count() as f64 + 8.0 { text x=(tenth(to + 4.0)) y=(y + 15.0) { (label) } }
            }
        }
    }
}

/// How many began when, as one path: the most is as high as the lane.
fn amounts(faults: &[&Stood], time: Time, y: f64) -> Markup {
    let mut parts = [0_u32; PARTS];
    for stood in faults {
        let part = (stood.from_ms as f64 / time.span_ms * PARTS as f64) as usize;
        parts[part.min(PARTS - 1)] += 1;
    }
    let most = f64::from(parts.iter().copied().max().unwrap_or(0).max(1));
    let (width, floor) = (WIDTH / PARTS as f64, y + LANE - 2.0);
    let path =
        parts.iter().enumerate().filter(|(_, count)| **count > 0).fold(String::new(), |mut path, (part, count)| {
            let height = (LANE - 4.0) * f64::from(*count) / most;
            let _ = write!(path, "M{:.1} {floor}v-{height:.1}h{:.1}v{height:.1}z", LEFT + width * part as f64, width);
            path
        });
    html! { g.bar.hue-0 { title { (words::count(faults.len() as u64, "fault")) } path d=(path) {} } }
}

/// The time that any fault stood, as one path; of very many, one stands nearly always.
pub(super) fn shade(faults: &[Stood], time: Time, top: f64, height: f64) -> Markup {
    let places: Vec<(f64, f64)> = faults.iter().map(|stood| place(stood, time)).collect();
    html! { @if (1..=MOST).contains(&places.len()) { path.shade d=(path(&places, top, height)) {} } }
}

/// Rectangles of these places, in order; those that touch are one.
fn path(places: &[(f64, f64)], y: f64, height: f64) -> String {
    let mut runs: Vec<(f64, f64)> = Vec::new();
    for &(from, to) in places {
        let (from, to) = (from.floor(), to.ceil());
        match runs.last_mut() {
            Some((_, last)) if from <= *last => *last = to.max(*last),
            _ => runs.push((from, to)),
        }
    }
    runs.into_iter().fold(String::new(), |mut path, (from, to)| {
        let _ = write!(path, "M{from} {y}h{0}v{height}h-{0}z", to - from);
        path
    })
}

/// What was wrong, and when.
pub(super) fn sentence(stood: &Stood) -> String {
    let from = words::moment(stood.from_ms);
    let to = stood.to_ms.map_or_else(|| "the end".to_owned(), words::moment);
    format!("Fault {}: {}, from {from} to {to}", stood.number, stood.fault)
}

fn tenth(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touches_is_one() {
        assert_eq!(path(&[(10.0, 12.0), (11.5, 14.2), (20.0, 21.0)], 3.0, 16.0), "M10 3h5v16h-5zM20 3h1v16h-1z");
    }

    #[test]
    fn many_faults_are_few_bytes() {
        let fault = soak::fault::Fault::Crash { lpar: "LPAR1".into() };
        let stood = |n: u64| Stood {
            number: n,
            fault: fault.clone(),
            from_ms: n * 15_000,
            to_ms: Some(n * 15_000 + 5_000),
            failed: None,
        };
        let all: Vec<Stood> = (0..12_000).map(stood).collect();
        let time = Time { span_ms: 12_000.0 * 15_000.0 };
        let drawn = lanes(&all, &Plan::default(), time, 0.0).into_string();
        assert!(drawn.len() < 20_000, "{} bytes", drawn.len());
        assert_eq!(drawn.matches('M').count(), PARTS);
        assert_eq!(lanes(&all[..MOST], &Plan::default(), time, 0.0).into_string().matches("<title>").count(), MOST);
    }
}
