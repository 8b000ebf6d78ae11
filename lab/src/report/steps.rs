//! The steps: for each job the nine of Figure 4, drawn and as a list with the evidence of each; then what else was done. Pure.

use std::collections::BTreeMap;

use evidence::Event;
use maud::{Markup, html};

use super::draw::{Drawing, anchor};
use super::fault::Fault;
use super::record::Whose;
use super::run_dir::Run;
use super::sequence::{Arrow, Sequence};
use super::{evidence as behind, words};
use crate::run::result::StepSeen;

/// Jobs whose steps are drawn; of others there is the table.
const DRAWN: usize = 8;
/// Other steps that are shown.
const OTHERS: usize = 500;

/// The section.
pub(super) fn section(run: &Run, faults: &[Fault]) -> Markup {
    let mut jobs: BTreeMap<&str, Vec<&StepSeen>> = BTreeMap::new();
    for step in run.result.steps.iter().filter(|step| !step.job.is_empty()) {
        jobs.entry(&step.job).or_default().push(step);
    }
    // Those that did not go well first.
    let mut drawn: Vec<&Whose> =
        run.record.handoffs.iter().filter(|whose| jobs.contains_key(whose.job.as_str())).collect();
    drawn.sort_by_key(|whose| jobs[whose.job.as_str()].iter().all(|step| step.ok));
    drawn.truncate(DRAWN);
    let events: Vec<&Event> = run.known().collect();
    let mut others: Vec<&StepSeen> = run.result.steps.iter().collect();
    others.retain(|step| !drawn.iter().any(|whose| whose.job == step.job));
    html! {
        section #steps aria-labelledby="steps-h" {
            h2 #steps-h { @if jobs.is_empty() { "Steps" } @else { "The nine steps" } }
            @if run.result.steps.is_empty() { p.none { "No step was begun." } }
            @for whose in drawn {
                (job(run, &Sequence::of(whose, &jobs[whose.job.as_str()], &events, &run.record), faults))
            }
            @if !others.is_empty() { (table(&others)) }
        }
    }
}

fn job(run: &Run, sequence: &Sequence, faults: &[Fault]) -> Markup {
    let Whose { job, on, user } = &sequence.whose;
    html! {
        article.job {
            h3 { (job) " on " (on) ", for " (user) " at " (sequence.workstation) }
            figure {
                div.scroll tabindex="0" role="region" aria-label={ "The nine steps of " (job) ", drawn" } {
                    (Drawing::new(run, sequence).svg(faults))
                }
                figcaption { "Each arrow leads to its evidence below. Times are milliseconds since the first step of the scenario." }
            }
            ol.steps {
                @for arrow in &sequence.arrows { (step(run, sequence, arrow)) }
            }
        }
    }
}

fn step(run: &Run, sequence: &Sequence, arrow: &Arrow) -> Markup {
    let (class, mark) = match arrow {
        arrow if arrow.is_needless() => ("needless", "not needed"),
        arrow if arrow.at_ms.is_none() => ("bad", "not seen"),
        arrow if !arrow.ok => ("bad", "out of order"),
        _ => ("good", "seen"),
    };
    let name = arrow.name.strip_prefix("not seen: ").unwrap_or(&arrow.name);
    html! {
        li class=(class) {
            details {
                summary {
                    span.n { (arrow.n) } " "
                    span.time { @match arrow.at_ms { Some(ms) => { (words::at(ms)) " ms" } None => (mark) } } " "
                    span.name { (name) }
                    @if class == "bad" { " " strong.mark { (mark) } }
                }
                div.evidence id=(anchor(&sequence.whose.job, arrow.n)) tabindex="-1" {
                    (behind::of(run, sequence, arrow).markup(run))
                }
            }
        }
    }
}

fn table(steps: &[&StepSeen]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Steps, a table" {
            table.acts {
                caption { "Steps of the scenario" }
                thead { tr { th.num scope="col" { "Step" } th.num scope="col" { "At, ms" } th scope="col" { "What" } th scope="col" { "Done" } } }
                tbody {
                    @for step in steps.iter().take(OTHERS) {
                        tr class=(if step.ok { "good" } else { "bad" }) {
                            td.num { (step.n) }
                            td.num { @match step.at_ms { Some(ms) => (words::at(ms)), None => "–" } }
                            th scope="row" { @if !step.job.is_empty() { (step.job) ": " } (step.name) }
                            td { @if step.ok { "✓ yes" } @else { strong { "✗ no" } } }
                        }
                    }
                }
            }
        }
        @if steps.len() > OTHERS { p.cut { (words::count((steps.len() - OTHERS) as u64, "step")) " left out." } }
    }
}
