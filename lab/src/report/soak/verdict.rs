//! What is to be known first: passed, failed or interrupted, why, and how to have it again. Pure.

use std::time::Duration;

use maud::{Markup, html};

use super::dir::Soak;
use crate::report::words;

/// Longest reason, in characters.
const LONGEST: usize = 600;
/// Reasons that are said.
const REASONS: usize = 8;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is as it must be.
    Passed,
    /// Something is not.
    Failed,
    /// Nothing was seen to be wrong, and it did not come to its end: somebody ended it, or it still goes on.
    Interrupted,
}

impl Verdict {
    /// What the summary says.
    pub(super) fn of(soak: &Soak) -> Self {
        let summary = &soak.summary;
        // Growth is judged at the end: what fills at first is no leak.
        let is_broken = !summary.violations.is_empty() || !summary.faults_failed.is_empty();
        match (summary.passed(), summary.finished && !summary.interrupted) {
            (_, false) if !is_broken => Self::Interrupted,
            (true, _) => Self::Passed,
            _ => Self::Failed,
        }
    }

    /// A word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Interrupted => "–",
        }
    }
}

/// The head of the page.
pub(super) fn header(soak: &Soak) -> Markup {
    let (verdict, settings) = (Verdict::of(soak), &soak.plan.settings);
    let (backend, lpars) = (&soak.plan.backend, settings.lpars.len() as u64);
    html! {
        header.verdict.(verdict.as_str()) {
            p.badge { span aria-hidden="true" { (verdict.symbol()) } " " (verdict.as_str()) }
            h1 { "Soak of " (soak.topology.name) @if !backend.is_empty() { " " span.on { "on " (backend) } } }
            p.title {
                (words::count(settings.users.into(), "user")) ", " (settings.rate) " sessions a second on " (words::count(lpars, "LPAR")) ", "
                (words::count(soak.plan.faults.len() as u64, "fault")) " planned, for " (humantime::format_duration(Duration::from_secs(settings.duration_ms.div_ceil(1000))))
            }
            (why(soak, verdict))
            (facts(soak))
            p.again { "The same again, from what this one has written: " code { "lab soak --replay " (soak.directory.display()) " --out ANOTHER" } }
        }
    }
}

fn why(soak: &Soak, verdict: Verdict) -> Markup {
    let reasons = reasons(soak);
    html! {
        @if verdict == Verdict::Interrupted {
            div.reason { p { "It did not come to its planned end, and nothing was seen to be wrong until then: it was told to end, was killed, or still goes on." } }
        } @else if !reasons.is_empty() {
            div.reason {
                p.kind { @if reasons.len() == 1 { "Reason" } @else { "Reasons" } }
                @for reason in reasons.iter().take(REASONS) { p { (words::cut(reason, LONGEST)) } }
                @if reasons.len() > REASONS { p { "and " (reasons.len() - REASONS) " more, below" } }
            }
        }
    }
}

fn reasons(soak: &Soak) -> Vec<String> {
    let summary = &soak.summary;
    let broken = summary.violations.iter().map(|it| format!("{:?}: {}", it.kind, it.what));
    let failed = summary.faults_failed.iter().map(|why| format!("A fault was not as planned: {why}"));
    let grown = summary.grown.iter().filter(|grown| !grown.keeps).map(|grown| {
        let (what, slope) = (grown.quantity.as_str(), &grown.slope);
        format!("{what} of {} grow by {:.0} in an hour, at most {:.0}", grown.of, slope.per_hour, grown.budget.per_hour)
    });
    broken.chain(failed).chain(grown).collect()
}

fn facts(soak: &Soak) -> Markup {
    let (summary, counts) = (&soak.summary, &soak.summary.counts);
    let over = summary.grown.iter().filter(|grown| !grown.keeps).count();
    let ms = |us: u64| words::lasting(us as f64 / 1e3);
    html! {
        dl.facts {
            (fact("Invariants broken", &counts.violations.to_string(), counts.violations == 0))
            (fact("Over their budget", &format!("{over} of {}", summary.grown.len()), over == 0))
            (fact("Ran for", &words::elapsed(summary.ran_ms), true))
            (fact("Handoffs", &format!("{} ({:.1}/s)", counts.reached, summary.per_s), true))
            (fact("Half, 99 of 100 within", &format!("{}, {}", ms(summary.p50_us), ms(summary.p99_us)), true))
            (fact("Excused", &counts.excused.to_string(), true))
            (fact("Faults", &summary.faults.values().copied().fold(0, u64::saturating_add).to_string(), true))
            (fact("Seed", &soak.plan.settings.seed.to_string(), true))
        }
    }
}

fn fact(name: &str, value: &str, good: bool) -> Markup {
    html! { div.fact.short[!good] { dt { (name) } dd { (value) } } }
}
