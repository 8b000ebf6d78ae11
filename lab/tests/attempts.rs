//! What an attempt leaves: a directory of its own, the verdict and the report in it before anything is taken down, and the lines for CI.

mod common;
#[path = "common/harness.rs"]
mod harness;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::lab;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

type Test = fn() -> Result<(), Failed>;

/// How long something may take that takes a second or two.
const WITHIN: Duration = Duration::from_secs(60);

fn main() {
    let tests: [(&str, Test); 4] = [
        ("no_attempt_is_written_over", no_attempt_is_written_over),
        ("the_verdict_is_on_disk_before_anything_is_taken_down", the_verdict_is_on_disk_before_anything_is_taken_down),
        ("a_run_leaves_a_report_that_agrees", a_run_leaves_a_report_that_agrees),
        ("failures_are_told_to_ci", failures_are_told_to_ci),
    ];
    harness::run(&Arguments::from_args(), tests.map(|(name, test)| Trial::test(name, test)).into());
}

/// A lab that ends with the test, however that ends.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal(child: &Child, signal: &str) -> Result<(), Failed> {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status()?;
    if sent.success() { Ok(()) } else { Err(format!("kill {signal}: {sent}").into()) }
}

/// Waits for a file; it appears whole.
fn wait_for(path: &Path) -> Result<(), Failed> {
    let deadline = Instant::now() + WITHIN;
    while !path.exists() {
        if Instant::now() > deadline {
            return Err(format!("{} is not there within {WITHIN:?}", path.display()).into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

fn no_attempt_is_written_over() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let out = directory.path().join("out");
    let twice = ["run", "scenarios/same-lpar.toml", "scenarios/same-lpar.toml", "--out"];
    let output = lab().args(twice).arg(&out).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let first = std::fs::read(out.join("same-lpar-nftables/result.json"))?;
    assert!(out.join("same-lpar-nftables.2/result.json").exists());
    assert!(said.contains("same-lpar-nftables.2"), "the path is said: {said}");

    let output = lab().args(["run", "scenarios/same-lpar.toml", "--json", "--out"]).arg(&out).output()?;
    let result: Value = serde_json::from_slice(&output.stdout)?;
    let third = out.join("same-lpar-nftables.3");
    assert_eq!(result["out"].as_str(), third.to_str());
    assert!(third.join("report.html").exists());
    assert_eq!(std::fs::read(out.join("same-lpar-nftables/result.json"))?, first, "the first is as it was");
    Ok(())
}

/// With the lab outside stopped, only the director inside can write; and it keeps the sysplex until the lab goes on.
fn the_verdict_is_on_disk_before_anything_is_taken_down() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let mut command = lab();
    command.args(["run", "scenarios/no-hub.toml", "--keep", "--out"]).arg(directory.path());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut guard = Guard(command.spawn()?);
    let out = directory.path().join("no-hub-nftables");
    wait_for(&out.join("events.jsonl"))?;
    signal(&guard.0, "-STOP")?;
    let written = wait_for(&out.join("result.json")).and_then(|()| wait_for(&out.join("report.html")));
    let keepers = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", guard.0.id()));
    signal(&guard.0, "-CONT")?;
    written?;
    assert!(!keepers?.trim().is_empty(), "the sysplex stands");
    let result: Value = serde_json::from_slice(&std::fs::read(out.join("result.json"))?)?;
    assert_eq!((result["verdict"].as_str(), result["down_ms"].as_f64()), (Some("passed"), Some(0.0)));
    drop(guard.0.stdin.take());
    guard.0.wait()?;
    Ok(())
}

fn a_run_leaves_a_report_that_agrees() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let output = lab().args(["run", "scenarios/figure4.toml", "--out"]).arg(directory.path()).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(directory.path().join("figure4-nftables/report.html"))?;
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    let page = scraper::Html::parse_document(&text);
    let text_of = |selector: &str| -> Result<String, Failed> {
        let selector = scraper::Selector::parse(selector).map_err(|e| e.to_string())?;
        Ok(page.select(&selector).flat_map(|element| element.text()).collect())
    };
    let facts = text_of(".facts")?;
    assert!(facts.contains("9 of 9") && facts.contains("8 of 8") && facts.contains("3 agree"), "{facts}");
    assert!(text_of(".connections tr.bad")?.is_empty());
    let eight = text_of("#step-EQATST-8")?;
    for seen in ["LPAR1 lan0", "LPAR1 xcf0", "LPAR2 xcf0", "Flags [S]", "LPAR2 lan0", "Flags [S.]"] {
        assert!(eight.contains(seen), "no `{seen}` in {eight}");
    }
    assert!(text_of("#step-EQATST-9")?.contains("held by EQATST on LPAR2"));
    assert!(text_of("#step-EQATST-5")?.contains("LPAR2 xcf0"), "the question to the hub is a packet");
    assert!(text_of("#log-rows")?.contains("EQACM901I Primary node of the hub"), "log lines are among the events");
    Ok(())
}

fn failures_are_told_to_ci() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let (summary, step) = (directory.path().join("summary.md"), directory.path().join("step.md"));
    std::fs::write(&step, "what was there\n")?;
    let arguments = [
        "run",
        "scenarios/no-hub.toml",
        "scenarios/same-lpar.toml",
        "--ignore-expected-failure",
        "--github",
        "--summary",
    ];
    let output = lab().args(arguments).arg(&summary).env("GITHUB_STEP_SUMMARY", &step).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = std::fs::read_to_string(common::root().join("scenarios/no-hub.toml"))?
        .lines()
        .take_while(|line| !line.starts_with("attach"))
        .count(); // of `[[step]]`, the line before
    let annotation = format!(
        "::error file=scenarios/no-hub.toml,line={line},title=no-hub on nftables failed (F03)::DBGMGR on LPAR2"
    );
    assert!(said.lines().any(|said| said.starts_with(&annotation)), "no `{annotation}` in\n{said}");
    let summary = std::fs::read_to_string(summary)?;
    assert!(summary.contains("| no-hub | nftables | ❌ failed | F03 |"), "{summary}");
    assert!(summary.contains("| same-lpar | nftables | ✅ passed |  |"), "{summary}");
    assert_eq!(std::fs::read_to_string(step)?, format!("what was there\n{summary}"));
    Ok(())
}
