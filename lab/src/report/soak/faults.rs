//! The faults as tables: how many of each kind, and each with its time and what it excused. Pure.

use std::collections::BTreeMap;

use maud::{Markup, html};
use soak::fault::{Kind, Planned};

use super::dir::Soak;
use super::stood::{Stood, name};
use crate::report::words;

/// Faults that are rows, at either end of a long soak.
const ROWS: usize = 250;
/// Of what went wrong with them.
const FAILED: usize = 50;
/// Of the short list.
const SHORT: usize = 200;

/// The section.
pub(super) fn section(soak: &Soak) -> Markup {
    let summary = &soak.summary;
    html! {
        section #faults aria-labelledby="faults-h" {
            h2 #faults-h { "Faults" }
            @if summary.faults.is_empty() && soak.faults.is_empty() {
                p.none { "No fault was brought about." }
            } @else {
                (by_kind(soak))
                @if !soak.faults.is_empty() { (each(soak)) }
            }
            @if !summary.faults_failed.is_empty() {
                h3 { "Not as planned" }
                ul.plain { @for why in summary.faults_failed.iter().take(FAILED) { li.bad { strong.mark { "✗" } " " (words::cut(why, 600)) } } }
                @if summary.faults_failed.len() > FAILED { p.cut { (summary.faults_failed.len() - FAILED) " more left out." } }
            }
            @if let Some(shrunk) = &summary.shrunk { (short_list(shrunk)) }
        }
    }
}

/// Sessions that a fault excused, by its words: faults that are alike are not told apart.
fn excused(soak: &Soak, stood: &Stood) -> u64 {
    soak.summary.counts.excuses.get(&stood.fault.to_string()).copied().unwrap_or(0)
}

fn by_kind(soak: &Soak) -> Markup {
    let end = soak.span_ms();
    let mut kinds: BTreeMap<Kind, (u64, f64, f64)> =
        soak.summary.faults.iter().map(|(kind, count)| (*kind, (*count, 0.0, 0.0))).collect();
    let mut words_of: BTreeMap<Kind, BTreeMap<String, u64>> = BTreeMap::new();
    for stood in &soak.faults {
        let (_, all, longest) = kinds.entry(stood.fault.kind()).or_default();
        let lasted = stood.lasted_ms(end);
        (*all, *longest) = (*all + lasted, longest.max(lasted));
        words_of.entry(stood.fault.kind()).or_default().insert(stood.fault.to_string(), excused(soak, stood));
    }
    let excused = |kind: &Kind| words_of.get(kind).map_or(0, |all| all.values().copied().fold(0, u64::saturating_add));
    html! {
        div.scroll tabindex="0" role="region" aria-label="Faults by kind" {
            table.faults {
                caption { "By kind" }
                thead { tr { th scope="col" { "Kind" } th.num scope="col" { "How many" } th.num scope="col" { "Stood, in all" } th.num scope="col" { "Longest" } th.num scope="col" { "Sessions excused" } } }
                tbody { @for (kind, (count, all, longest)) in &kinds { tr {
                    th scope="row" { (name(*kind)) }
                    td.num { (count) } td.num { (words::lasting(*all)) } td.num { (words::lasting(*longest)) } td.num { (excused(kind)) }
                } } }
            }
        }
    }
}

fn each(soak: &Soak) -> Markup {
    let all = &soak.faults;
    let (first, last) =
        if all.len() <= 2 * ROWS { (all.as_slice(), &[][..]) } else { (&all[..ROWS], &all[all.len() - ROWS..]) };
    let left_out = all.len() - first.len() - last.len();
    html! {
        div.tall tabindex="0" role="region" aria-label="Each fault" {
            table.faults.each {
                caption { "Each of them; sessions are excused by all faults of the same words together" }
                thead { tr {
                    th.num scope="col" { "No." } th.num scope="col" { "From" } th.num scope="col" { "To" } th.num scope="col" { "Stood" }
                    th scope="col" { "Kind" } th scope="col" { "What" } th.num scope="col" { "Excused" }
                } }
                tbody {
                    @for stood in first { (row(soak, stood)) }
                    @if left_out > 0 { tr.cut { td colspan="7" { (words::count(left_out as u64, "fault")) " left out here; faults.jsonl has them." } } }
                    @for stood in last { (row(soak, stood)) }
                }
            }
        }
    }
}

fn row(soak: &Soak, stood: &Stood) -> Markup {
    let hue = stood.fault.host().map_or(0, |host| soak.topology.hue(host));
    html! {
        tr class={ "hue-" (hue) @if stood.failed.is_some() { " bad" } } {
            td.num { (stood.number) }
            td.num { (words::moment(stood.from_ms)) }
            td.num { @match stood.to_ms { Some(to) => (words::moment(to)), None => "not healed" } }
            td.num { (words::lasting(stood.lasted_ms(soak.span_ms()))) }
            td.host { (name(stood.fault.kind())) }
            th scope="row" { (words::cut(&stood.fault.to_string(), 300)) @if let Some(why) = &stood.failed { " " strong { (words::cut(why, 300)) } } }
            td.num { (excused(soak, stood)) }
        }
    }
}

fn short_list(shrunk: &[Planned]) -> Markup {
    html! {
        div #shrunk {
            h3 { "It fails with " (words::count(shrunk.len() as u64, "fault")) }
            p.note { "The short list that was looked for; shrunk.json has it for " code { "lab soak --faults" } "." }
            @if shrunk.is_empty() { p { "None of the faults has to do with it." } }
            ol { @for planned in shrunk.iter().take(SHORT) { li { (planned) } } }
        }
    }
}
