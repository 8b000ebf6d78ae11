//! A short soak of the real lab: with a fault, with its evidence, and what is refused.

mod common;

use std::path::Path;
use std::process::Output;

use common::{build_programs, lab};
use serde_json::Value;

const TOPOLOGY: &str = "scenarios/topologies/two-lpars.toml";

fn soak(arguments: &[&str], out: &Path) -> Output {
    lab().arg("soak").args(arguments).arg("--out").arg(out).output().expect("lab starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_short_soak_with_a_fault_passes_and_can_be_replayed() {
    build_programs();
    let directory = tempfile::tempdir().expect("a directory");
    let (faults, out) = (directory.path().join("faults.json"), directory.path().join("first"));
    let kill = r#"[{"at_ms": 4000, "for_ms": 500, "kind": "kill", "task": "DBGMGR", "on": "LPAR2"}]"#;
    std::fs::write(&faults, kill).expect("written");
    let faults = faults.display().to_string();
    let what =
        [TOPOLOGY, "--duration", "10s", "--users", "6", "--rate", "10/s", "--seed", "7", "--json", "--faults", &faults];
    let first = soak(&what, &out);
    let said = text(&first.stderr);
    if first.status.code() == Some(3) {
        println!("this machine cannot run it: {said}");
        return;
    }
    assert_eq!(first.status.code(), Some(0), "{said}");
    let summary: Value = serde_json::from_slice(&first.stdout).expect("the summary on standard output");
    assert_eq!(summary, json(&out.join("summary.json")), "the same on disk");
    let counts = &summary["counts"];
    assert_eq!((counts["violations"].as_u64(), summary["finished"].as_bool()), (Some(0), Some(true)));
    let number = |key: &str| counts[key].as_u64().expect("a number");
    assert_eq!(number("sessions"), number("reached") + number("excused"), "nothing is lost: {counts}");
    assert!(number("reached") > 30 && number("cross_lpar") > 0, "{counts}");
    assert_eq!(summary["faults"]["kill"], 1);
    let events = std::fs::read_to_string(out.join("events.jsonl")).expect("events");
    assert!(events.contains("\"begins\"") && events.contains("\"healed\""), "the fault stands among the events");

    assert!(out.join("faults.jsonl").is_file() && said.contains("report: "), "{said}");
    the_report_says_the_same(&out, counts["reached"].as_u64().expect("a number"));

    let again = soak(&what, &out);
    assert_eq!(again.status.code(), Some(2), "evidence is not overwritten");
    assert!(text(&again.stderr).contains("--out gives this one another place"), "{}", text(&again.stderr));

    let second = directory.path().join("second");
    let replay = soak(&["--replay", &out.display().to_string()], &second);
    assert_eq!(replay.status.code(), Some(0), "{}", text(&replay.stderr));
    assert_eq!(json(&out.join("plan.json")), json(&second.join("plan.json")), "the same plan");
    assert_eq!(json(&second.join("summary.json"))["counts"]["sessions"], counts["sessions"], "the same sessions");
}

/// What the soak itself has written is what `lab report` makes of its evidence.
fn the_report_says_the_same(out: &Path, reached: u64) {
    let page = std::fs::read_to_string(out.join("report.html")).expect("a report");
    let anew = lab().arg("report").arg(out).args(["-o", "-"]).output().expect("lab starts");
    assert_eq!(text(&anew.stdout), page);
    for words in ["passed: soak of", &format!("{reached} ("), "DBGMGR on LPAR2 is killed", "class=\"course line-0\""] {
        assert!(page.contains(words), "no `{words}` in the report");
    }
}

#[test]
fn what_is_wrong_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let faults = directory.path().join("faults.json");
    std::fs::write(&faults, r#"[{"at_ms": 1, "for_ms": 1, "kind": "crash", "lpar": "LPAR9"}]"#).expect("written");
    let cases: [(&[&str], &str); 4] = [
        (&[TOPOLOGY, "--rate", "fast"], "found `fast`, expected a number of sessions in a second"),
        (&["no-such.toml"], "cannot read no-such.toml"),
        (&[TOPOLOGY, "--faults", "/no/such/file"], "cannot read /no/such/file"),
        (&[TOPOLOGY, "--faults", &faults.display().to_string()], "there is no host LPAR9"),
    ];
    for (arguments, expected) in cases {
        let refused = soak(arguments, &directory.path().join("out"));
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}
