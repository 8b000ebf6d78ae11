//! Results for programs: one JSON object per scenario, and JUnit.

use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::run::result::{ScenarioResult, Verdict};

/// One line of JSON.
pub fn json_line(result: &ScenarioResult) -> String {
    serde_json::to_string(result).unwrap_or_default()
}

/// One line for a person.
pub fn summary(result: &ScenarioResult) -> String {
    let steps = result.steps.iter().filter(|step| step.ok).count();
    let proofs = result.evidence.iter().filter(|proof| proof.ok).count();
    format!(
        "{} {}::{}  {steps}/{} steps, {proofs}/{} proofs, up {:.0} ms, run {:.0} ms, down {:.0} ms",
        result.verdict.as_str(),
        result.scenario,
        result.backend,
        result.steps.len(),
        result.evidence.len(),
        result.up_ms,
        result.run_ms,
        result.down_ms
    )
}

/// Writes a JUnit file.
///
/// # Errors
/// When it cannot be written.
pub fn write_junit(path: &Path, results: &[ScenarioResult]) -> std::io::Result<()> {
    let mut suite = TestSuite::new("scenarios");
    suite.add_test_cases(results.iter().map(test_case));
    let mut report = Report::new("dvipa-lab");
    report.add_test_suite(suite);
    let text = report.to_string().map_err(std::io::Error::other)?;
    std::fs::write(path, text)
}

fn test_case(result: &ScenarioResult) -> TestCase {
    let reason = result.reason.clone().unwrap_or_default();
    let mut status = match result.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skipped => TestCaseStatus::skipped(),
    };
    if result.verdict != Verdict::Passed {
        status.set_message(reason);
    }
    let mut case = TestCase::new(format!("{}::{}", result.scenario, result.backend), status);
    case.set_time(Duration::from_secs_f64((result.up_ms + result.run_ms + result.down_ms).max(0.0) / 1000.0));
    case
}
