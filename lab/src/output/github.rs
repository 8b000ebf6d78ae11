//! Workflow commands of GitHub Actions: what failed becomes an annotation of the scenario's file, at the step's line.
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>)

use std::collections::BTreeMap;
use std::path::Path;

use crate::run::result::{ScenarioResult, Verdict};

/// Annotations that are printed; GitHub shows ten of a kind for each step of a workflow and fifty for each job.
const MOST: usize = 50;

/// A result, and the file of its scenario.
pub type OfFile<'a> = (&'a ScenarioResult, &'a Path);

/// One line for each scenario that failed, or could not be judged, and one for each reason why some were skipped.
pub fn annotations(results: &[OfFile<'_>]) -> Vec<String> {
    let bad = results.iter().filter(|(result, _)| matches!(result.verdict, Verdict::Failed | Verdict::Inconclusive));
    let mut lines: Vec<String> = bad.clone().take(MOST).map(|(result, file)| error(result, file)).collect();
    let more = bad.count().saturating_sub(MOST);
    if more > 0 {
        lines.push(format!("::notice title=DVIPA Lab::{more} more scenarios failed"));
    }
    let mut skipped: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (result, _) in results.iter().filter(|(result, _)| result.verdict == Verdict::Skipped) {
        *skipped.entry((&result.backend, result.reason.as_deref().unwrap_or_default())).or_default() += 1;
    }
    lines.extend(skipped.into_iter().take(MOST).map(|((backend, why), count)| {
        let title = property(&format!("{count} skipped on {backend}"));
        format!("::notice title={title}::{}", data(why))
    }));
    lines
}

fn error(result: &ScenarioResult, file: &Path) -> String {
    let (file, line) = match &result.at {
        Some(place) => (place.file.as_path(), place.line),
        None => (file, 1),
    };
    let cause = result.cause.as_ref().map_or_else(String::new, |cause| format!(" ({cause})"));
    let title = format!("{} on {} {}{cause}", result.scenario, result.backend, result.verdict.as_str());
    let reason = result.reason.as_deref().unwrap_or("no reason is known");
    format!(
        "::error file={},line={line},title={}::{}",
        property(&file.display().to_string()),
        property(&title),
        data(reason)
    )
}

/// A message, so that none of its characters ends the command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, likewise.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::result::Place;

    fn failed(reason: &str) -> ScenarioResult {
        ScenarioResult {
            verdict: Verdict::Failed,
            reason: Some(reason.to_owned()),
            ..ScenarioResult::new("figure4", "nftables")
        }
    }

    #[test]
    fn a_failure_is_told_at_its_step() {
        let mut result = failed("it\nbroke: 100%");
        let file = Path::new("scenarios/a,b.toml");
        let line = "::error file=scenarios/a%2Cb.toml,line=1,title=figure4 on nftables failed::it%0Abroke: 100%25";
        assert_eq!(annotations(&[(&result, file)]), [line]);
        (result.at, result.cause) = (Some(Place { file: "c.toml".into(), line: 16 }), Some("F03".into()));
        let lines = annotations(&[(&result, file)]);
        assert!(
            lines[0].starts_with("::error file=c.toml,line=16,title=figure4 on nftables failed (F03)::"),
            "{lines:?}"
        );
    }

    #[test]
    fn no_reason_forges_a_command() {
        let lines = annotations(&[(&failed("x\n::stop-commands::y\r\n::error::z"), Path::new("f"))]);
        assert_eq!((lines.len(), lines[0].lines().count()), (1, 1), "{lines:?}");
    }

    #[test]
    fn skips_are_told_once_for_each_reason_and_many_failures_in_one_line() {
        let skipped = ScenarioResult::skipped("a", "ipvs", "no ip_vs");
        let file = Path::new("f");
        let passed = ScenarioResult { verdict: Verdict::Passed, ..ScenarioResult::new("a", "nftables") };
        let lines = annotations(&[(&skipped, file), (&passed, file), (&skipped, file)]);
        assert_eq!(lines, ["::notice title=2 skipped on ipvs::no ip_vs"]);
        let bad = failed("x");
        let lines = annotations(&vec![(&bad, file); 60]);
        assert_eq!((lines.len(), lines[50].as_str()), (51, "::notice title=DVIPA Lab::10 more scenarios failed"));
    }
}
