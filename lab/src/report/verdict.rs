//! What is to be known first: the verdict, why, and what the kernel showed. Pure.

use std::time::{Duration, UNIX_EPOCH};

use maud::{Markup, html};
use site_check::{Page, page};

use super::run_dir::Run;
use super::{connections, words};
use crate::run::result::{Proof, ScenarioResult, Verdict};

/// Longest reason that is shown, in characters.
const LONGEST: usize = 4_000;
/// Proofs that are shown.
const PROOFS: usize = 200;

/// The head of the page.
pub(super) fn header(run: &Run) -> Markup {
    let result = &run.result;
    html! {
        header.verdict.(result.verdict.as_str()) {
            p.badge { span aria-hidden="true" { (symbol(result.verdict)) } " " (result.verdict.as_str()) }
            h1 { (result.scenario) " " span.on { "on " (result.backend) } }
            @if !run.record.title.is_empty() { p.title { (run.record.title) } }
            (why(result))
            (facts(run))
        }
    }
}

fn symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✓",
        Verdict::Failed => "✗",
        Verdict::Inconclusive => "?",
        Verdict::Skipped => "–",
    }
}

fn why(result: &ScenarioResult) -> Markup {
    let as_expected = result.verdict == Verdict::Passed;
    html! {
        @if let Some(reason) = &result.reason {
            div.reason {
                p.kind { @if as_expected { "Failed as it had to" } @else { "Reason" } }
                p { (words::cut(reason, LONGEST)) }
                p.where {
                    @if let Some(symptom) = result.symptom { span { "Symptom " code { (symptom) } } }
                    @if let Some(place) = &result.at { span { "Step at " code { (place.file.display()) ":" (place.line) } } }
                }
                @if let Some(code) = &result.cause { (cause(code)) }
            }
        }
    }
}

/// The page of the field catalogue, in the report: it may be read far from the repository.
fn cause(code: &str) -> Markup {
    let Some(page) = page::of(code) else { return html! { p { "Cause " b { (code) } } } };
    let Page { title, symptom, cause, look, remedy, .. } = page;
    html! {
        details.cause #cause {
            summary { "Cause " b { (page.code) } ": " (title) }
            dl {
                dt { "What a user sees" } dd { (words::marked(symptom)) }
                dt { "Cause" } dd { (words::marked(cause)) }
                dt { "How to see it on z/OS" } dd { (words::marked(look)) }
                dt { "Remedy" } dd { (words::marked(remedy)) }
            }
            p.when { "The whole page is " code { "docs/codes/" (page.code) ".md" } " in the repository; " code { "lab check --explain " (page.code) } " prints it." }
        }
    }
}

fn facts(run: &Run) -> Markup {
    let result = &run.result;
    let steps = result.steps.iter().filter(|step| step.ok).count();
    let proofs = result.evidence.iter().filter(|proof| proof.ok).count();
    let (agree, disagree) = connections::tally(&connections::of(run));
    let when = run.record.clock.unix_s(run.record.start_ns);
    html! {
        dl.facts {
            (fact("Steps", &format!("{steps} of {}", result.steps.len()), steps == result.steps.len()))
            (fact("Proofs", &format!("{proofs} of {}", result.evidence.len()), proofs == result.evidence.len()))
            (fact("Connections", &if disagree == 0 { format!("{agree} agree") } else { format!("{disagree} disagree") }, disagree == 0))
            (fact("Up in", &words::lasting(result.up_ms), true))
            (fact("Ran for", &words::lasting(result.run_ms), true))
            @if result.down_ms > 0.0 { (fact("Down in", &words::lasting(result.down_ms), true)) }
            @if run.record.start_ns > 0 {
                (fact("Begun", &humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(when)).to_string().replace('T', " "), true))
            }
        }
    }
}

fn fact(name: &str, value: &str, good: bool) -> Markup {
    html! { div.fact.short[!good] { dt { (name) } dd { (value) } } }
}

/// What the kernel shows.
pub(super) fn proofs(run: &Run) -> Markup {
    let evidence = &run.result.evidence;
    // What is not shown comes first.
    let mut sorted: Vec<&Proof> = evidence.iter().collect();
    sorted.sort_by_key(|proof| proof.ok);
    html! {
        section #proofs aria-labelledby="proofs-h" {
            h2 #proofs-h { "What the kernel shows" }
            @if evidence.is_empty() { p.none { "It was not asked: no step that asks it was reached." } } @else {
                ul.proofs {
                    @for proof in sorted.into_iter().take(PROOFS) {
                        li class=(if proof.ok { "good" } else { "bad" }) {
                            p.claim { span.mark { @if proof.ok { "✓ shown" } @else { "✗ not shown" } } " " (proof.claim) }
                            p.source { (proof.source) ": " span.shown { (words::cut(&proof.shown, LONGEST)) } }
                        }
                    }
                }
                @if evidence.len() > PROOFS { p.cut { (words::count((evidence.len() - PROOFS) as u64, "proof")) " left out." } }
            }
        }
    }
}
