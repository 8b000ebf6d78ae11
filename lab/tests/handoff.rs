//! What `lab run scenarios/figure4.toml` must show, beyond its own verdict, and that labs do not see each other.

mod common;
#[path = "common/harness.rs"]
mod harness;

use std::process::Stdio;

use common::lab;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

type Test = fn() -> Result<(), Failed>;

fn main() {
    let tests: [(&str, Test); 4] = [
        ("figure4_shows_what_the_kernel_saw", figure4_shows_what_the_kernel_saw),
        ("ten_labs_at_once_do_not_see_each_other", ten_labs_at_once_do_not_see_each_other),
        ("broken_twins_name_their_cause", broken_twins_name_their_cause),
        ("evidence_is_kept_where_it_is_asked_for", evidence_is_kept_where_it_is_asked_for),
    ];
    harness::run(&Arguments::from_args(), tests.map(|(name, test)| Trial::test(name, test)).into());
}

fn result_of(arguments: &[&str]) -> Result<(Value, i32), Failed> {
    let output = lab().arg("run").args(arguments).arg("--json").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let result = serde_json::from_slice(&output.stdout).map_err(|e| format!("no result ({e})\n{said}"))?;
    Ok((result, output.status.code().unwrap_or(-1)))
}

fn figure4_shows_what_the_kernel_saw() -> Result<(), Failed> {
    let (result, status) = result_of(&["scenarios/figure4.toml"])?;
    assert_eq!((result["verdict"].as_str(), status), (Some("passed"), 0), "{result:#}");

    let steps = result["steps"].as_array().expect("steps");
    assert_eq!(
        steps.iter().map(|step| step["n"].as_u64().expect("n")).collect::<Vec<_>>(),
        (1..=9).collect::<Vec<_>>()
    );
    let times: Vec<f64> = steps.iter().map(|step| step["at_ms"].as_f64().expect("a time")).collect();
    assert!(times.is_sorted(), "causal order: {times:?}");

    let evidence = result["evidence"].as_array().expect("evidence");
    let shown = |claim: &str| {
        let of = |proof: &&Value| proof["claim"].as_str().is_some_and(|text| text.contains(claim));
        let proof = evidence.iter().find(of).unwrap_or_else(|| panic!("no evidence of `{claim}` in {evidence:#?}"));
        assert_eq!(proof["ok"], true, "{proof:#}");
        proof["shown"].as_str().expect("shown").to_owned()
    };
    let held = shown("on LPAR2, the established socket 10.10.10.1:5335 belongs to the debugger");
    assert!(held.contains("ESTABLISHED") && held.ends_with("held by EQATST on LPAR2"), "{held}");
    shown("DBGMGR on LPAR1 never had a connection from the workstation");
    let path = shown("crossed XCF from LPAR1 to LPAR2, source and destination unchanged");
    assert!(path.starts_with("10.10.10.101:") && path.contains("> 10.10.10.1:5335; LAN in: "), "{path}");
    let back = shown("LPAR2's answers left by its own LAN interface");
    assert!(back.contains("LPAR2 lan0 out") && !back.contains("xcf0"), "{back}");
    Ok(())
}

fn ten_labs_at_once_do_not_see_each_other() -> Result<(), Failed> {
    let start = || {
        lab().args(["run", "scenarios/figure4.toml", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    let labs: Vec<_> = (0..10).map(|_| start()).collect::<Result<_, _>>()?;
    for lab in labs {
        let output = lab.wait_with_output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn broken_twins_name_their_cause() -> Result<(), Failed> {
    let twins = [
        ("duplicate-client-port", "engine-turned-away", "F02", "both have CLIENT=5335"),
        ("port-not-distributed", "engine-connection-refused", "F01", "is missing in the VIPADISTRIBUTE PORT list"),
        ("no-hub", "user-not-notified", "F03", "has no HUBIP"),
    ];
    for (name, symptom, cause, sentence) in twins {
        let (result, status) = result_of(&[&format!("scenarios/{name}.toml"), "--ignore-expected-failure"])?;
        assert_eq!((result["verdict"].as_str(), status), (Some("failed"), 1), "{result:#}");
        assert_eq!((result["symptom"].as_str(), result["cause"].as_str()), (Some(symptom), Some(cause)), "{result:#}");
        assert!(result["reason"].as_str().is_some_and(|reason| reason.contains(sentence)), "{result:#}");
    }
    Ok(())
}

fn evidence_is_kept_where_it_is_asked_for() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let out = directory.path().to_str().ok_or("a path")?;
    let junit = directory.path().join("junit.xml");
    let output = lab().args(["run", "scenarios/same-lpar.toml", "--out", out, "--junit"]).arg(&junit).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let of = |name: &str| std::fs::read(directory.path().join("same-lpar-nftables").join(name));
    assert!(of("LPAR1-lan0.pcapng")?.len() > 1000 && !of("LPAR2-xcf0.pcapng")?.is_empty());
    let events = String::from_utf8(of("events.jsonl")?)?;
    assert!(events.lines().all(|line| serde_json::from_str::<evidence::Event>(line).is_ok()));
    let result: Value = serde_json::from_slice(&of("result.json")?)?;
    assert_eq!(result["verdict"], "passed");
    let junit = std::fs::read_to_string(junit)?;
    assert!(junit.contains(r#"<testcase name="same-lpar::nftables""#) && junit.contains(r#"failures="0""#), "{junit}");
    Ok(())
}
