//! Results for programs and CI: one JSON object per scenario, JUnit, annotations for GitHub, a summary in Markdown.

pub mod github;
pub mod markdown;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::run::result::{ScenarioResult, Verdict};
use crate::scenario::{Scenario, Symptom};

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

/// Of broken twins that have a cure, what was seen of each: a table for a person; nothing when there are none.
pub fn field_table(scenarios: &[Scenario], results: &[ScenarioResult]) -> Option<String> {
    let mut rows = Vec::new();
    for broken in scenarios {
        let Some(cured) = &broken.cured else { continue };
        for seen in results.iter().filter(|result| result.scenario == broken.name) {
            let same = |other: &&ScenarioResult| other.scenario == cured.name && other.backend == seen.backend;
            let cure = results.iter().find(same).map_or("not run", |cure| cure.verdict.as_str());
            let symptom = seen.symptom.map_or("none", Symptom::as_str);
            let cause = seen.cause.as_deref().unwrap_or("-");
            let verdict = seen.verdict.as_str();
            rows.push(format!("{:40} {:10} {symptom:28} {cause:5} {verdict:12} {cure}", broken.name, seen.backend));
        }
    }
    let head =
        format!("{:40} {:10} {:28} {:5} {:12} {}", "scenario", "backend", "symptom seen", "cause", "broken", "cured");
    (!rows.is_empty()).then(|| format!("{head}\n{}", rows.join("\n")))
}

/// Writes the Markdown summary to `file`, and appends it to what GitHub shows of a workflow's step, where those are.
///
/// # Errors
/// The first that cannot be written, and why.
pub fn write_summary(file: Option<&Path>, step: Option<&Path>, results: &[ScenarioResult]) -> Result<(), String> {
    let text = markdown::summary(results);
    let cannot = |path: &Path, e: std::io::Error| format!("cannot write {}: {e}", path.display());
    if let Some(path) = file {
        std::fs::write(path, &text).map_err(|e| cannot(path, e))?;
    }
    if let Some(path) = step {
        let opened = File::options().append(true).create(true).open(path);
        opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| cannot(path, e))?;
    }
    Ok(())
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
