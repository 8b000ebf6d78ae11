//! The invariants that were broken, each with the events around it. Pure.

use maud::{Markup, html};
use soak::model::Violation;

use super::around::Around;
use super::dir::Soak;
use super::stood;
use crate::report::log::fields;
use crate::report::run_dir::Said;
use crate::report::words;

/// Bytes of markup for the events of all of them.
const BUDGET: usize = 3 << 19;
/// Longest event, in characters.
const LONGEST: usize = 400;

/// The section.
pub(super) fn section(soak: &Soak) -> Markup {
    let (all, count) = (&soak.summary.violations, soak.summary.counts.violations);
    let mut left = BUDGET;
    html! {
        section #invariants aria-labelledby="invariants-h" {
            h2 #invariants-h { "Invariants" }
            @if all.is_empty() {
                p.held { "Each session reached its own user's client and its own LPAR's job exactly once, or failed with a fault that excuses it; nothing was lost or crossed." }
            } @else {
                p { (words::count(count, "time")) " broken" @if count > all.len() as u64 { "; the first " (all.len()) " are kept" } "." }
                ol.violations { @for (number, (violation, around)) in (1..).zip(all.iter().zip(&soak.around)) {
                    li { (one(soak, number, (violation, around), &mut left)) }
                } }
            }
        }
    }
}

fn one(soak: &Soak, number: u32, (violation, around): (&Violation, &Around), left: &mut usize) -> Markup {
    let at = soak.course.ms(violation.t_ns).map(|ms| words::moment(ms as u64));
    let mut rows = Vec::new();
    for (named, said) in around.events() {
        let row = row(soak, violation, named, said).into_string();
        let Some(less) = left.checked_sub(row.len()) else { break };
        *left = less;
        rows.push(row);
    }
    html! {
        h3 { (format!("{:?}", violation.kind)) @if let Some(at) = at { " at " (at) } }
        p.what { (words::cut(&violation.what, 2_000)) }
        @if rows.is_empty() {
            p.none { "No event around it is kept." }
        } @else {
            details {
                summary { (words::count(rows.len() as u64, "event")) " around it" }
                div.scroll tabindex="0" role="region" aria-label={ "Events around violation " (number) } {
                    table.logs {
                        caption { "In bold those of its job and its user, and faults. Times are seconds before and after it was told, which is some seconds after the end." }
                        thead { tr { th.num scope="col" { "Seconds" } th scope="col" { "Host" } th scope="col" { "Task" } th scope="col" { "Event" } } }
                        tbody { @for row in rows { (maud::PreEscaped(row)) } }
                    }
                }
            }
        }
    }
}

fn row(soak: &Soak, violation: &Violation, named: bool, said: &Said) -> Markup {
    let s = (said.t_ns as f64 - violation.t_ns as f64) / 1e9;
    let fault = stood::in_words(&said.json);
    html! {
        tr class={ "hue-" (soak.topology.hue(&said.system)) @if named { " named" } } {
            td.num { (format!("{s:+.3}")) }
            @if let Some(fault) = fault {
                td.host { "lab" }
                td { "fault" }
                td.text { (words::cut(&fault, LONGEST)) }
            } @else {
                td.host { (words::cut(&said.system, 40)) }
                td { (words::cut(&said.task, 40)) }
                td.text { span.event-name { (words::cut(&said.event, 60)) } " " (words::cut(&fields(&said.json), LONGEST)) }
            }
        }
    }
}
