//! What grew, and what it may. Pure.

use maud::{Markup, html};
use soak::summary::Grown;

use super::dir::Soak;
use crate::report::words;

/// Series that are rows.
const MOST: usize = 600;

/// The section.
pub(super) fn section(soak: &Soak) -> Markup {
    let mut grown: Vec<&Grown> = soak.summary.grown.iter().collect();
    // What is over its budget first, then what is nearest to it.
    let part = |it: &Grown| it.slope.per_hour / it.budget.per_hour.max(1e-9);
    grown.sort_by(|a, b| a.keeps.cmp(&b.keeps).then(part(b).total_cmp(&part(a))));
    html! {
        section #growth aria-labelledby="growth-h" {
            h2 #growth-h { "Growth" }
            @if grown.is_empty() { p.none { "Nothing was sampled for long enough." } } @else {
                p.note { "The slope of each series after the warm-up (the median of slopes between samples, after Theil and Sen). One keeps its budget when it grows by no more in an hour, or by so little in all that it does not count." }
                div.tall tabindex="0" role="region" aria-label="Growth of each series" {
                    table.growth {
                        caption { (words::count(grown.len() as u64, "series").replace("seriess", "series")) }
                        thead { tr {
                            th scope="col" { "Of" } th scope="col" { "What" } th.num scope="col" { "First" } th.num scope="col" { "Last" } th.num scope="col" { "Most" }
                            th.num scope="col" { "In an hour" } th.num scope="col" { "Budget" } th.num scope="col" { "In all" } th.num scope="col" { "Does not count" } th scope="col" { "Keeps" }
                        } }
                        tbody { @for grown in grown.iter().take(MOST) { (row(grown)) } }
                    }
                }
                @if grown.len() > MOST { p.cut { (grown.len() - MOST) " series left out; summary.json has them all." } }
            }
        }
    }
}

fn row(grown: &Grown) -> Markup {
    let (slope, budget) = (&grown.slope, &grown.budget);
    html! {
        tr class=(if grown.keeps { "good" } else { "bad" }) {
            th scope="row" { (words::cut(&grown.of, 80)) }
            td { (grown.quantity.as_str()) }
            @for value in [slope.first, slope.last, slope.most, slope.per_hour, budget.per_hour, slope.growth, budget.floor] {
                // Zero has no sign.
                td.num { (format!("{:.0}", value.round() + 0.0)) }
            }
            td.agree { @if grown.keeps { "✓ yes" } @else { strong { "✗ no" } } }
        }
    }
}
