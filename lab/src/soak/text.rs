//! The figures of a soak for a person: a line while it goes on, and a table at the end. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use soak::parts::{How, Part};
use soak::summary::{Summary, Verdict};

/// How things are, in one line.
#[derive(Clone, Debug, Default)]
pub(super) struct Now {
    pub ran_ms: u64,
    pub of_ms: u64,
    pub reached: u64,
    pub excused: u64,
    pub open: usize,
    pub users: usize,
    pub per_s: f64,
    pub p99_us: u64,
    pub faults: u64,
    /// What is wrong at the moment.
    pub standing: Vec<String>,
    pub violations: u64,
    pub cpu_percent: f64,
    pub rss_mib: f64,
}

/// The line.
pub(super) fn line(now: &Now) -> String {
    let time = |ms: u64| humantime::format_duration(Duration::from_secs(ms / 1000)).to_string();
    let standing = if now.standing.is_empty() { String::new() } else { format!("  [{}]", now.standing.join("; ")) };
    let broken = if now.violations == 0 { String::new() } else { format!("  BROKEN {}", now.violations) };
    format!(
        "{} of {}  {} handoffs ({:.0}/s, p99 {:.1} ms), {} excused, {} open, {} users, {} faults, lab {:.0} % {:.0} MiB{broken}{standing}",
        time(now.ran_ms),
        time(now.of_ms),
        now.reached,
        now.per_s,
        now.p99_us as f64 / 1e3,
        now.excused,
        now.open,
        now.users,
        now.faults,
        now.cpu_percent,
        now.rss_mib,
    )
}

/// The table.
pub(super) fn table(summary: &Summary) -> String {
    let mut text = String::new();
    let counts = &summary.counts;
    let time = |ms: u64| humantime::format_duration(Duration::from_secs(ms / 1000));
    let verdict = match summary.verdict() {
        Verdict::Passed => "passed",
        Verdict::Interrupted => "interrupted",
        Verdict::Failed => "FAILED",
    };
    let early = if summary.finished { "" } else { ", before its end" };
    let _ = writeln!(text, "{verdict} after {}{early}", time(summary.ran_ms));
    for (number, part) in summary.parts.iter().enumerate().filter(|_| summary.parts.len() > 1) {
        let _ = writeln!(
            text,
            "  part {}     {} to {} of the plan, {}: {} reached, p50 {:.2} ms, p99 {:.2} ms",
            number + 1,
            time(part.from_ms),
            time(part.to_ms),
            how(part),
            part.reached,
            part.p50_us as f64 / 1e3,
            part.p99_us as f64 / 1e3
        );
    }
    let _ = writeln!(
        text,
        "  sessions   {} ordered, {} reached ({} across LPARs, {:.1}/s), {} failed with an excuse",
        counts.sessions, counts.reached, counts.cross_lpar, summary.per_s, counts.excused
    );
    let _ = writeln!(
        text,
        "  handoff    p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, from `waiting` to the first message",
        summary.p50_us as f64 / 1e3,
        summary.p99_us as f64 / 1e3,
        summary.p999_us as f64 / 1e3
    );
    let _ = writeln!(
        text,
        "  of those   {} that no fault touched: p50 {:.2} ms, p99 {:.2} ms",
        summary.undisturbed.count(),
        summary.undisturbed_p50_us as f64 / 1e3,
        summary.undisturbed_p99_us as f64 / 1e3
    );
    let _ = writeln!(text, "  users      {} logons, {} lost with an excuse", counts.logons, counts.users_lost);
    if counts.stood_still > 0 {
        let (times, s) = (counts.stood_still, counts.stood_still_ms as f64 / 1e3);
        let _ =
            writeln!(text, "  machine    stood still {times} times, {s:.1} s in all: an excuse for what was under way");
    }
    let faults: Vec<String> = summary.faults.iter().map(|(kind, count)| format!("{count} {kind:?}")).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(", ") };
    let _ = writeln!(text, "  faults     {faults}");
    for why in &summary.faults_failed {
        let _ = writeln!(text, "             NOT AS PLANNED: {why}");
    }
    let over: Vec<_> = summary.grown.iter().filter(|it| !it.keeps).collect();
    let _ = writeln!(text, "  growth     {} series, {} over their budget", summary.grown.len(), over.len());
    for it in over.iter().take(8) {
        let (slope, of) = (&it.slope, &it.of);
        let quantity = it.quantity.as_str();
        let _ = writeln!(
            text,
            "             OVER: {quantity} of {of}: {:.0} to {:.0}, {:.0} in an hour, at most {:.0}",
            slope.first, slope.last, slope.per_hour, it.budget.per_hour
        );
    }
    if over.len() > 8 {
        let _ = writeln!(text, "             and {} more, in summary.json", over.len() - 8);
    }
    let _ = writeln!(
        text,
        "  lab        {:.1} % of one processor, {:.0} MiB at most",
        summary.orchestrator_cpu_percent, summary.orchestrator_rss_mib
    );
    let _ = writeln!(text, "  invariants {} broken", counts.violations);
    for violation in summary.violations.iter().take(10) {
        let _ = writeln!(text, "             {:?}: {}", violation.kind, violation.what);
    }
    if let Some(faults) = &summary.shrunk {
        let _ = writeln!(text, "  it fails with {} faults:", faults.len());
        for planned in faults {
            let _ = writeln!(text, "             {planned}");
        }
    }
    text.trim_end().to_owned()
}

fn how(part: &Part) -> String {
    match part.how {
        How::GoesOn => "goes on".to_owned(),
        How::Ended => "ended".to_owned(),
        How::Interrupted => "interrupted".to_owned(),
        How::CutOff => format!("cut off with {} sessions open", part.open),
    }
}

#[cfg(test)]
mod tests {
    use soak::model::{Counts, Kind, Violation};

    use super::*;

    #[test]
    fn what_is_broken_stands_in_the_line_and_in_the_table() {
        let now = Now { ran_ms: 61_000, of_ms: 120_000, violations: 2, standing: vec!["X".into()], ..Now::default() };
        let line = line(&now);
        assert!(line.starts_with("1m 1s of 2m") && line.contains("BROKEN 2") && line.ends_with("[X]"), "{line}");
        let violation = Violation { t_ns: 1, kind: Kind::Crossed, what: "J1 met J2".into() };
        let summary = Summary {
            ran_ms: 5000,
            interrupted: true,
            counts: Counts { violations: 1, ..Counts::default() },
            undisturbed_p99_us: 1_500,
            violations: vec![violation],
            shrunk: Some(Vec::new()),
            ..Summary::default()
        };
        let table = table(&summary);
        assert!(
            table.starts_with("FAILED after 5s, before its end") && table.contains("Crossed: J1 met J2"),
            "{table}"
        );
        assert!(table.contains("it fails with 0 faults") && table.contains("p99 1.50 ms"), "{table}");
    }

    #[test]
    fn the_parts_of_one_that_was_interrupted_are_listed() {
        let part = |from_ms, how| Part { from_ms, to_ms: from_ms + 9_000, how, open: 3, ..Part::default() };
        let parts = vec![part(0, How::CutOff), part(9_000, How::Interrupted)];
        let summary = Summary { ran_ms: 19_000, interrupted: true, parts, ..Summary::default() };
        let table = table(&summary);
        assert!(table.starts_with("interrupted after 19s, before its end"), "{table}");
        assert!(table.contains("part 1     0s to 9s of the plan, cut off with 3 sessions open: 0 reached"), "{table}");
        assert!(table.contains("part 2     9s to 18s of the plan, interrupted: "), "{table}");
    }
}
