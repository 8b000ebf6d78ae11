//! A summary in Markdown, for `GITHUB_STEP_SUMMARY` and anybody who reads such.

use std::fmt::Write as _;

use crate::run::result::{ScenarioResult, Verdict};

/// Rows, and reasons; GitHub takes a mebibyte.
const ROWS: usize = 1_000;
const REASONS: usize = 100;
/// Longest reason, in characters.
const LONGEST: usize = 1_000;

/// The whole summary.
pub fn summary(results: &[ScenarioResult]) -> String {
    let mut text = format!("## DVIPA Lab: {}\n\n", tally(results));
    let mut sorted: Vec<&ScenarioResult> = results.iter().collect();
    sorted.sort_by_key(|result| rank(result.verdict)); // what failed first; else as they were run
    text += "| scenario | backend | verdict | cause | up | run | down |\n|---|---|---|---|--:|--:|--:|\n";
    for result in sorted.iter().take(ROWS) {
        let (cause, ms) = (result.cause.as_deref().unwrap_or_default(), |ms: f64| format!("{ms:.0} ms"));
        let times = [result.up_ms, result.run_ms, result.down_ms].map(ms).join(" | ");
        let times = if result.verdict == Verdict::Skipped { " | | ".to_owned() } else { times };
        let [scenario, backend, cause] = [&result.scenario, &result.backend, cause].map(plain);
        let _ = writeln!(
            text,
            "| {scenario} | {backend} | {} {} | {cause} | {times} |",
            mark(result.verdict),
            result.verdict.as_str()
        );
    }
    left_out(&mut text, results.len(), ROWS, "scenarios");
    let bad = sorted.iter().filter(|result| matches!(result.verdict, Verdict::Failed | Verdict::Inconclusive));
    for result in bad.clone().take(REASONS) {
        let reason: String = result.reason.as_deref().unwrap_or("no reason is known").chars().take(LONGEST).collect();
        let place = result.at.as_ref().map_or_else(String::new, |at| format!(" ({}:{})", at.file.display(), at.line));
        let kept = result.out.as_ref().map_or_else(String::new, |out| format!(" Evidence: {}", out.display()));
        let [name, place, reason, kept] =
            [&format!("{} on {}", result.scenario, result.backend), &place, &reason, &kept].map(|t| plain(t));
        let _ = write!(text, "\n**{name}**{place}: {reason}{kept}\n");
    }
    left_out(&mut text, bad.count(), REASONS, "reasons");
    text
}

fn left_out(text: &mut String, there: usize, most: usize, what: &str) {
    if there > most {
        let _ = write!(text, "\n{} more {what} are left out.\n", there - most);
    }
}

fn tally(results: &[ScenarioResult]) -> String {
    let of = |verdict| results.iter().filter(|result| result.verdict == verdict).count();
    let all = [Verdict::Passed, Verdict::Failed, Verdict::Inconclusive, Verdict::Skipped];
    let some = all.map(|verdict| (of(verdict), verdict.as_str())).into_iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = some.map(|(count, verdict)| format!("{count} {verdict}")).collect();
    if words.is_empty() { "nothing was run".to_owned() } else { words.join(", ") }
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Failed => 0,
        Verdict::Inconclusive => 1,
        Verdict::Passed => 2,
        Verdict::Skipped => 3,
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "✅",
        Verdict::Failed => "❌",
        Verdict::Inconclusive => "⚠️",
        Verdict::Skipped => "⏭️",
    }
}

/// A text on one line, none of whose characters is markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => plain.push(' '),
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(scenario: &str, verdict: Verdict) -> ScenarioResult {
        ScenarioResult { verdict, run_ms: 21.4, ..ScenarioResult::new(scenario, "nftables") }
    }

    #[test]
    fn what_failed_stands_first_with_its_reason() {
        let mut failed = result("b", Verdict::Failed);
        (failed.reason, failed.cause) = (Some("a|b\n<script>".into()), Some("F03".into()));
        let text = summary(&[result("a", Verdict::Passed), failed, ScenarioResult::skipped("c", "ipvs", "no ip_vs")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "## DVIPA Lab: 1 passed, 1 failed, 1 skipped");
        assert_eq!(lines[4], "| b | nftables | ❌ failed | F03 | 0 ms | 21 ms | 0 ms |");
        assert_eq!(lines[5], "| a | nftables | ✅ passed |  | 0 ms | 21 ms | 0 ms |");
        assert_eq!(lines[6], "| c | ipvs | ⏭️ skipped |  |  | |  |");
        assert_eq!(lines[8], r"**b on nftables**: a\|b &lt;script>");
    }

    #[test]
    fn thousands_of_results_are_cut_and_counted() {
        let mut failed = result("x", Verdict::Failed);
        failed.reason = Some("\u{1F600}".repeat(5_000));
        let text = summary(&vec![failed; 3_000]);
        assert!(text.len() < 1 << 20, "{} bytes", text.len());
        assert!(text.contains("2000 more scenarios are left out.") && text.contains("2900 more reasons are left out."));
    }
}
