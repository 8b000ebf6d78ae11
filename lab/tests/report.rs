//! The report of a run: one page that holds together, escapes what processes say, and stays small. No browser, no namespaces: from
//! directories written here. (`scripts/report-browser-test` opens reports in a browser.)

#[path = "report/page.rs"]
mod page;

use std::fmt::Write as _;

use page::{all, lab, report, text_of, write};
use scraper::Html;
use serde_json::{Value, json};

/// One handoff as a run leaves it, cut from a real one: client 10.10.10.101:36908, DVIPA 10.10.10.1:5335, job on LPAR2.
const EVENTS: &str = include_str!("report/events.jsonl");
const RECORD: &str = include_str!("report/record.json");
const RESULT: &str = include_str!("report/result.json");
const MIB: usize = 1 << 20;

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), "events.jsonl", EVENTS);
    write(directory.path(), "record.json", RECORD);
    write(directory.path(), "result.json", RESULT);
    directory
}

#[test]
fn every_reference_leads_somewhere_and_nothing_leads_outside() {
    let (text, page) = report(directory().path());
    let references = page::references_lead_somewhere(&page);
    assert!(references > 30, "{references} references");
    page::nothing_leads_outside(&text, &page);
}

#[test]
fn each_arrow_opens_its_evidence() {
    let (_, page) = report(directory().path());
    let arrows = all(&page, "svg.sequence a");
    assert_eq!(arrows.len(), 9);
    for arrow in arrows {
        let target = arrow.attr("href").unwrap_or_default();
        let evidence = text_of(&page, &format!("ol.steps details > {target}"));
        assert!(evidence.contains(r#""event":"#), "{target}: {evidence}");
    }
    let socket = text_of(&page, "#step-EQATST-9");
    assert!(socket.contains("10.10.10.1:5335 - 10.10.10.101:36908 ESTABLISHED on LPAR2"), "{socket}");
    assert!(
        socket.contains("held by EQATST on LPAR2") && socket.contains("goes to LPAR2, in the table of LPAR1"),
        "{socket}"
    );
    let list: Vec<String> = all(&page, "ol.steps .name").iter().map(|name| name.text().collect()).collect();
    assert_eq!(list.len(), 9);
    assert_eq!(list[8], "Debug Manager links the client with EQATST on LPAR2");
}

#[test]
fn a_screen_reader_finds_its_way() {
    let (_, page) = report(directory().path());
    page::a_screen_reader_finds_its_way(&page);
}

#[test]
fn what_processes_say_is_text_and_no_markup() {
    let directory = directory();
    let hostile = r#"<script>alert(1)</script><img src=x onerror="alert(2)">&amp;</script><!-- ]]> '"#;
    let mut events = EVENTS.to_owned();
    let event = json!({"t_ns": 34247240369728_u64, "system": hostile, "task": hostile, "pid": 1, "event": hostile, "text": hostile});
    let _ = writeln!(events, "{event}");
    let _ = writeln!(events, "{hostile}");
    write(directory.path(), "events.jsonl", &events);
    let line = json!({"t_ns": 34247240369729_u64, "system": "LPAR2", "task": "EQATST", "line": hostile});
    write(directory.path(), "logs.jsonl", &format!("{line}\n{hostile}\n"));
    let mut result: Value = serde_json::from_str(RESULT).expect("JSON");
    for field in ["scenario", "backend", "reason", "cause"] {
        result[field] = hostile.into();
    }
    result["evidence"][0]["claim"] = hostile.into();
    write(directory.path(), "result.json", &result.to_string());
    write(directory.path(), "record.json", &RECORD.replace("LPAR1", &hostile.replace('"', "\\\"")));

    let (text, page) = report(directory.path());
    assert!(all(&page, "img").is_empty(), "an element came of a log line");
    let scripts: Vec<String> = all(&page, "script").iter().map(|script| script.text().collect()).collect();
    assert_eq!(scripts.len(), 2, "the result and the page's own: {scripts:#?}");
    let island: Value = serde_json::from_str(&scripts[0]).expect("the island is whole");
    assert_eq!(island["reason"], hostile);
    assert!(!text.contains("<script>alert"));
    assert!(text_of(&page, "#log-rows").contains(hostile), "the line is shown as it is");
}

#[test]
fn a_long_run_stays_small_and_says_what_is_left_out() {
    let directory = directory();
    let (mut events, mut logs) = (EVENTS.to_owned(), String::new());
    for n in 0..41_000_u64 {
        let t_ns = 34247240369728 + n * 1000;
        let _ = writeln!(
            events,
            "{}",
            json!({"t_ns": t_ns, "system": "WS1", "task": "C", "pid": 1, "event": "answered", "call": "C", "number": n, "local": format!("10.10.10.101:{}", 1024 + n), "peer": "10.10.10.1:8000", "on": "LPAR1"})
        );
        let _ = writeln!(
            logs,
            "{}",
            json!({"t_ns": t_ns, "system": "LPAR1", "task": "T", "line": "<<<<\"\"\"\"&&&&".repeat(60)})
        );
    }
    write(directory.path(), "events.jsonl", &events);
    write(directory.path(), "logs.jsonl", &logs);
    let (text, page) = report(directory.path());
    assert!(text.len() < 5 * MIB, "{} bytes", text.len());
    let cut = text_of(&page, "#log-rows .cut");
    assert!(cut.ends_with("lines left out here; the run's directory has them all."), "{cut}");
    let left_out: usize = cut.split(' ').next().and_then(|n| n.parse().ok()).expect("a count");
    let rows = all(&page, "#log-rows tr").len() - 1;
    assert_eq!(rows + left_out, EVENTS.lines().count() + 82_000);
}

#[test]
fn the_report_of_one_handoff_is_small() {
    let directory = directory();
    let output = lab(&["report", directory.path().to_str().expect("a path")]);
    assert!(output.status.success());
    let path = directory.path().join("report.html");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), path.to_str().expect("a path"));
    assert!(std::fs::metadata(path).expect("written").len() < MIB as u64);
}

#[test]
fn vantage_points_that_disagree_are_marked() {
    let directory = directory();
    let row = |page: &Html| text_of(page, ".connections tbody tr:last-child");
    let (_, page) = report(directory.path());
    assert!(
        row(&page).contains("10.10.10.101:36908 > 10.10.10.1:5335") && row(&page).contains("✓ yes"),
        "{}",
        row(&page)
    );
    let mut record: Value = serde_json::from_str(RECORD).expect("JSON");
    for picture in record["pictures"].as_array_mut().expect("pictures") {
        for entry in picture["vcrt"].as_array_mut().expect("a table") {
            entry["target"] = "LPAR1".into();
        }
    }
    write(directory.path(), "record.json", &record.to_string());
    let (_, page) = report(directory.path());
    let bad = text_of(&page, ".connections tr.bad");
    assert!(bad.contains("✗ no: the client says LPAR2, the distributor LPAR1"), "{bad}");
    assert!(text_of(&page, ".facts .short").contains("1 disagree"));
}

#[test]
fn a_failure_says_why_and_where() {
    let directory = directory();
    let mut result: Value = serde_json::from_str(RESULT).expect("JSON");
    result["verdict"] = "failed".into();
    result["reason"] = "DBGMGR on LPAR2 has no HUBIP".into();
    result["symptom"] = "user-not-notified".into();
    result["cause"] = "F03".into();
    result["at"] = json!({"file": "scenarios/no-hub.toml", "line": 16});
    for n in 4..9 {
        result["steps"][n]["at_ms"] = Value::Null;
        result["steps"][n]["ok"] = false.into();
    }
    write(directory.path(), "result.json", &result.to_string());
    let (_, page) = report(directory.path());
    let head = text_of(&page, "header.verdict.failed");
    for words in [
        "failed",
        "DBGMGR on LPAR2 has no HUBIP",
        "user-not-notified",
        "scenarios/no-hub.toml:16",
        "F03",
        "docs/codes/F03.md",
    ] {
        assert!(head.contains(words), "no `{words}` in {head}");
    }
    assert_eq!(all(&page, "svg.sequence a.missing").len(), 5);
    assert_eq!(all(&page, "ol.steps li.bad").len(), 5);
}

#[test]
fn faults_are_shaded_where_events_tell_of_them() {
    let directory = directory();
    let fault = |t_ns: u64, event: &str| json!({"t_ns": t_ns, "system": "lab", "task": "lab", "event": event, "name": "XCF down"});
    write(
        directory.path(),
        "events.jsonl",
        &format!("{EVENTS}{}\n{}\n", fault(34247211000000, "fault_began"), fault(34247217000000, "fault_healed")),
    );
    let (_, page) = report(directory.path());
    assert_eq!((all(&page, "svg.sequence .fault").len(), all(&page, "svg.timeline .fault").len()), (1, 1));
    assert!(text_of(&page, "#timeline li").contains("A Fault XCF down from"), "{}", text_of(&page, "#timeline li"));
}

#[test]
fn a_directory_of_an_earlier_lab_has_a_report_too() {
    let directory = tempfile::tempdir().expect("a directory");
    write(directory.path(), "result.json", RESULT);
    let (_, page) = report(directory.path());
    assert!(text_of(&page, "#topology").contains("Not recorded."));
    assert_eq!(all(&page, "table.acts tbody tr").len(), 9, "the steps as a table");
}

#[test]
fn what_is_no_run_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = lab(&["report", directory.path().to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("has no result.json; expected one that `lab run --out DIR` made"), "{said}");
}
