//! `lab diagnose`: what is a run and what is none, and whatever may be in its files.

#[expect(dead_code, reason = "no program of the lab is started here")]
mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::lab;
use serde_json::{Value, json};

/// Status, standard output, standard error.
fn diagnose(arguments: &[&Path]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = lab().arg("diagnose").args(arguments).output().expect("lab starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code().expect("a status"), text(&stdout), text(&stderr))
}

/// A run of two LPARs in which the job's port is in no PORT list.
fn not_distributed() -> Value {
    let mut sysplex = sysplex::Sysplex::uniform(2);
    if let sysplex::Ports::Listed(ports) = &mut sysplex.dvipas[0].distribute[0].ports {
        ports.retain(|port| *port != 5402);
    }
    let handoff = json!({ "job": "EQATST", "on": "LPAR2", "user": "IBMUSER" });
    json!({
        "sysplex": sysplex, "done": [], "exits": [], "listeners": {}, "connections": {}, "distributed": [], "owners": {},
        "carried": [], "missing": ["sockets of LPAR1: gone"],
        "failure": { "symptom": "engine-connection-refused", "what": "refused", "handoff": handoff },
    })
}

const REFUSED: &str = r#"{"t_ns":1,"system":"WS1","task":"IBMUSER","pid":7,"event":"connect_failed","what":"engine","address":"10.10.10.1:5402","how":"refused","reason":"refused"}"#;

fn run(directory: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(directory).expect("made");
    for (name, text) in files {
        fs::write(directory.join(name), text).expect("written");
    }
}

fn result(verdict: &str) -> String {
    json!({
        "scenario": "s", "backend": "nftables", "verdict": verdict, "steps": [], "evidence": [], "up_ms": 1.0, "run_ms": 1.0,
        "down_ms": 1.0, "reason": "why",
    })
    .to_string()
}

#[test]
fn the_runs_of_a_directory_are_told_one_by_one() {
    let out = tempfile::tempdir().expect("a directory");
    let case = not_distributed().to_string();
    run(&out.path().join("broken"), &[("case.json", &case), ("events.jsonl", REFUSED)]);
    run(&out.path().join("good"), &[("events.jsonl", ""), ("result.json", &result("passed"))]);
    fs::write(out.path().join("junit.xml"), "<testsuites/>").expect("written");
    let (status, told, said) = diagnose(&[out.path()]);
    assert_eq!(status, 0, "{told}{said}");
    assert!(told.contains("good: passed: nothing to explain\n"), "{told}");
    for expected in ["likely cause: F01: ", "5402", "event: {", "not known: sockets of LPAR1: gone", "--explain F01"] {
        assert!(told.contains(expected), "{expected} in:\n{told}");
    }
    let (status, told, _) = diagnose(&[&out.path().join("good"), &out.path().join("broken"), Path::new("--json")]);
    let objects: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!((status, objects.len()), (0, 2));
    assert_eq!((&objects[0]["symptom"], &objects[0]["cause"]), (&Value::Null, &Value::Null));
    assert_eq!(objects[1]["cause"]["code"], "F01");
}

#[test]
fn what_no_cause_fits_is_status_1() {
    let out = tempfile::tempdir().expect("a directory");
    let mut case = not_distributed();
    case["failure"]["symptom"] = "step-timed-out".into();
    case["failure"]["what"] = "\u{1b}[2Jit took too long".into();
    run(&out.path().join("slow"), &[("case.json", &case.to_string()), ("events.jsonl", "")]);
    let (status, told, _) = diagnose(&[out.path()]);
    assert_eq!(status, 1, "{told}");
    assert!(told.contains("no cause of the catalogue fits") && !told.contains('\u{1b}'), "{told:?}");
    run(&out.path().join("slow"), &[("result.json", &result("inconclusive"))]);
    fs::remove_file(out.path().join("slow/case.json")).expect("there");
    let (status, told, _) = diagnose(&[out.path()]);
    assert_eq!(status, 1);
    assert!(told.contains("inconclusive, and no case was taken: why"), "{told}");
    fs::remove_file(out.path().join("slow/result.json")).expect("there");
    assert!(diagnose(&[out.path()]).1.contains("it was not run to its end"));
}

#[test]
fn whatever_is_in_the_files_is_status_2_and_said() {
    let out = tempfile::tempdir().expect("a directory");
    let case = not_distributed().to_string();
    let deep = "[".repeat(100_000);
    let strange = case.replace("engine-connection-refused", &"\u{1b}x".repeat(5000).replace('\u{1b}', "\\u001b"));
    let far = case.replace("\"index\":1", "\"index\":4294967296");
    for (name, case, events, expected) in [
        ("cut", &case[..case.len() / 2], REFUSED, "case.json: EOF while parsing"),
        ("empty", "", REFUSED, "case.json: EOF while parsing"),
        ("none", "null", REFUSED, "case.json: invalid type: null"),
        ("deep", &deep, REFUSED, "case.json: "),
        ("strange", &strange, REFUSED, "unknown variant"),
        ("far", &far, REFUSED, "case.json: "),
        ("event", &case, "{\"t_ns\":1}\n", "events.jsonl: line 1 is no event"),
        ("second", &case, &format!("{REFUSED}\nx\n"), "events.jsonl: line 2 is no event"),
    ] {
        let directory = out.path().join(name);
        run(&directory, &[("case.json", case), ("events.jsonl", events)]);
        let (status, told, said) = diagnose(&[&directory]);
        assert_eq!((status, told.as_str()), (2, ""), "{name}: {said}");
        assert!(said.contains(expected) && said.starts_with("error: "), "{name}: {said}");
        assert!(said.len() < 1500 && !said.contains('\u{1b}'), "{name}: {} bytes: {said:?}", said.len());
    }
}

#[test]
fn a_case_must_be_a_file_of_a_bearable_size() {
    let out = tempfile::tempdir().expect("a directory");
    let (huge, odd) = (out.path().join("huge"), out.path().join("odd"));
    run(&huge, &[]);
    fs::File::create(huge.join("case.json")).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
    run(&odd, &[]);
    std::os::unix::fs::symlink("/dev/zero", odd.join("case.json")).expect("a link");
    let (status, _, said) = diagnose(&[&huge, &odd]);
    assert_eq!(status, 2);
    assert!(said.contains("found more than 67108864 bytes") && said.contains("found no regular file"), "{said}");
    let (status, _, said) = diagnose(&[&out.path().join("no")]);
    assert!(status == 2 && said.contains("cannot read") && said.contains("No such file"), "{said}");
    let empty = tempfile::tempdir().expect("a directory");
    let (status, _, said) = diagnose(&[empty.path()]);
    assert!(status == 2 && said.contains("expected what `lab run --out` leaves"), "{said}");
}
