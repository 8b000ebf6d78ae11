//! What became of the sessions, and what excused those that failed. Pure.

use maud::{Markup, html};

use super::dir::Soak;
use crate::report::words;

/// Excuses that are named.
const MOST: usize = 100;

/// The section.
pub(super) fn section(soak: &Soak) -> Markup {
    let (summary, counts) = (&soak.summary, &soak.summary.counts);
    let open = counts.sessions.saturating_sub(counts.reached.saturating_add(counts.excused));
    let rows = [
        ("Sessions ordered", counts.sessions, "jobs that want their user's workstation"),
        ("Reached", counts.reached, "their own user's client and their own LPAR's job, exactly once"),
        ("Across LPARs", counts.cross_lpar, "of these: the user was logged on elsewhere than the job ran"),
        ("Failed with an excuse", counts.excused, "a fault explains it"),
        ("Neither", open, "broke an invariant, or had not ended"),
        ("Logons", counts.logons, ""),
        ("Users lost with an excuse", counts.users_lost, "and logged on again"),
    ];
    html! {
        section #sessions aria-labelledby="sessions-h" {
            h2 #sessions-h { "Sessions" }
            div.scroll tabindex="0" role="region" aria-label="What became of the sessions" {
                table.counts {
                    caption { "What became of the sessions" }
                    thead { tr { th scope="col" { "What" } th.num scope="col" { "How many" } th scope="col" { "Which" } } }
                    tbody { @for (name, count, which) in rows { tr { th scope="row" { (name) } td.num { (count) } td.when { (which) } } } }
                }
            }
            p.note { "The lab itself took " (format!("{:.1}", summary.orchestrator_cpu_percent)) " % of one processor, and " (format!("{:.0}", summary.orchestrator_rss_mib)) " MiB at most." }
            (excuses(soak))
        }
    }
}

fn excuses(soak: &Soak) -> Markup {
    let mut excuses: Vec<(&String, &u64)> = soak.summary.counts.excuses.iter().collect();
    excuses.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    html! {
        @if !excuses.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="What excused failures" {
                table.counts {
                    caption { "What excused the sessions that failed" }
                    thead { tr { th scope="col" { "Excuse" } th.num scope="col" { "Sessions" } } }
                    tbody { @for (excuse, count) in excuses.iter().take(MOST) { tr { th scope="row" { (words::cut(excuse, 300)) } td.num { (count) } } } }
                }
            }
            @if excuses.len() > MOST { p.cut { (words::count((excuses.len() - MOST) as u64, "excuse")) " left out; summary.json has them all." } }
        }
    }
}
