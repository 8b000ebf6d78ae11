//! Findings as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), as far as findings need it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::finding::Finding;
use crate::page::{self, Page};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A SARIF file.
#[derive(Debug, Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    // Columns are characters, not UTF-16 units.
    column_kind: &'static str,
    results: Vec<RunResult>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Text,
    default_configuration: Level,
}

#[derive(Debug, Serialize)]
struct Level {
    level: &'static str,
}

#[derive(Debug, Serialize)]
struct Text {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RunResult {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<PlaceIn>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PlaceIn {
    physical_location: Physical,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Debug, Serialize)]
struct Artifact {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_column: usize,
}

/// The findings of one check; `version` is that of the tool.
pub fn log(findings: &[Finding], version: &'static str) -> Log {
    let shown: Vec<&Page> = page::all().filter(|page| page.severity.is_some()).collect();
    let index: BTreeMap<&str, usize> = shown.iter().enumerate().map(|(at, page)| (page.code, at)).collect();
    let results = findings.iter().map(|found| result(found, index.get(found.code).copied().unwrap_or_default()));
    let driver = Driver { name: "lab check", version, rules: shown.iter().map(|page| rule(page)).collect() };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results: results.collect() };
    Log { schema: SCHEMA, version: "2.1.0", runs: [run] }
}

fn text(text: impl Into<String>) -> Text {
    Text { text: text.into() }
}

fn rule(page: &Page) -> Rule {
    Rule {
        id: page.code,
        short_description: text(page.title),
        full_description: text(page.symptom),
        help: text(page.plain()),
        default_configuration: Level { level: page.severity_word() },
    }
}

fn result(found: &Finding, rule_index: usize) -> RunResult {
    let location = found.location.as_ref().map(|at| PlaceIn {
        physical_location: Physical {
            artifact_location: Artifact { uri: uri(&at.file) },
            region: Region { start_line: at.line, start_column: at.column, end_column: at.end_column },
        },
    });
    RunResult {
        rule_id: found.code,
        rule_index,
        level: found.severity.as_str(),
        message: text(format!("{}. Seen: {} Remedy: {}", found.message, found.symptom, found.remedy)),
        locations: location.into_iter().collect(),
    }
}

/// A relative reference (RFC 3986): what is no unreserved character or slash is written by its bytes.
fn uri(file: &str) -> String {
    let mut uri = String::with_capacity(file.len());
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/@$".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Location, Severity};

    #[test]
    fn a_finding_is_a_result_with_rule_and_region() {
        let at = Location::of("SYS1/PROFILE #1", "VIPADYNAMIC\n  PORT 4035\n", &(19..23));
        let finding = Finding::new("F01", Severity::Error, Some(at), "missing".into());
        let log = serde_json::to_value(log(&[finding], "1")).expect("JSON");
        let run = &log["runs"][0];
        let result = &run["results"][0];
        assert_eq!(
            (&log["version"], &result["ruleId"], &result["level"]),
            (&"2.1.0".into(), &"F01".into(), &"error".into())
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "SYS1/PROFILE%20%231");
        assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&2.into(), &8.into()));
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "F01");
    }
}
