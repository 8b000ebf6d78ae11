//! A short soak of the real lab: with a fault, with its evidence, interrupted and resumed; and what is refused.

mod common;
#[path = "common/harness.rs"]
mod harness;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use common::lab;
use libtest_mimic::{Arguments, Trial};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

/// How long anything may take that is waited for.
const WITHIN: Duration = Duration::from_secs(60);
const TOPOLOGY: &str = "scenarios/topologies/two-lpars.toml";

fn main() {
    let tests: [(&str, fn()); 3] = [
        ("a_short_soak_with_a_fault_passes_and_can_be_replayed", a_short_soak_with_a_fault_passes_and_can_be_replayed),
        (
            "a_soak_that_is_interrupted_and_one_that_is_killed_go_on",
            a_soak_that_is_interrupted_and_one_that_is_killed_go_on,
        ),
        ("what_is_wrong_is_refused_before_anything_starts", what_is_wrong_is_refused_before_anything_starts),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    harness::run(&Arguments::from_args(), trials.into());
}

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

fn a_short_soak_with_a_fault_passes_and_can_be_replayed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (faults, out) = (directory.path().join("faults.json"), directory.path().join("first"));
    let kill = r#"[{"at_ms": 4000, "for_ms": 500, "kind": "kill", "task": "DBGMGR", "on": "LPAR2"}]"#;
    std::fs::write(&faults, kill).expect("written");
    let faults = faults.display().to_string();
    let what =
        [TOPOLOGY, "--duration", "10s", "--users", "6", "--rate", "10/s", "--seed", "7", "--json", "--faults", &faults];
    let first = soak(&what, &out);
    let said = text(&first.stderr);
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

/// A soak that goes on while the test does; it does not outlive it.
struct Going(Child);

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Going {
    fn start(arguments: &[&str]) -> Self {
        let mut command = lab();
        command.arg("soak").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().expect("lab starts"))
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("its status")
    }

    /// Waits until this shows something, while it goes on.
    fn until<T>(&mut self, awaited: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + WITHIN;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert_eq!(self.ended(), None, "it ended before {awaited}");
            assert!(Instant::now() < until, "awaited {awaited} for {WITHIN:?}");
            // It has no event for that: files and metrics are looked at.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).expect("a pid")).expect("a pid")
    }
}

fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

fn metric(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// Told to end, then killed, then left alone: three parts, one soak, and each of its faults once.
fn a_soak_that_is_interrupted_and_one_that_is_killed_go_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let (faults, out) = (directory.path().join("faults.json"), directory.path().join("out"));
    let list = r#"[{"at_ms": 3500, "for_ms": 300, "kind": "kill", "task": "RSED", "on": "LPAR2"},
                   {"at_ms": 20000, "for_ms": 300, "kind": "kill", "task": "RSED", "on": "LPAR2"}]"#;
    std::fs::write(&faults, list).expect("written");
    let (faults, at) = (faults.display().to_string(), out.display().to_string());
    let (summary, snapshots) = (out.join("summary.json"), out.join("snapshots.jsonl"));
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let metrics = format!("127.0.0.1:{port}");
    let begin = [TOPOLOGY, "--duration", "24s", "--users", "6", "--rate", "10/s", "--faults", &faults];
    let mut first = Going::start(&[&begin[..], &["--out", &at, "--metrics", &metrics]].concat());
    let page = first.until("a fault and ten handoffs among its metrics", || {
        let page = ask(port)?;
        let is_there = metric(&page, "lab_soak_faults_total{kind=\"kill\"}") == Some(1.0);
        (is_there && metric(&page, "lab_soak_handoffs_total")? >= 10.0).then_some(page)
    });
    for name in ["lab_soak_violations_total", "lab_soak_users", "lab_soak_cpu_seconds_total"] {
        assert!(metric(&page, name).is_some(), "{name} in\n{page}");
    }
    // As Ctrl-C does: to the lab and to all that it has forked.
    kill_process_group(first.pid(), Signal::INT).expect("signalled");
    let status = first.0.wait().expect("its end");
    assert_eq!(status.code(), Some(130), "interrupted");
    let one = json(&summary);
    assert_eq!((&one["interrupted"], &one["finished"]), (&true.into(), &false.into()));
    let number = |of: &Value, key: &str| of["counts"][key].as_u64().expect("a number");
    assert_eq!(number(&one, "sessions"), number(&one, "reached") + number(&one, "excused"), "in order: {one}");

    // The second part is killed after its first snapshot.
    let lines = || std::fs::read_to_string(&snapshots).map_or(0, |text| text.lines().count());
    let before = lines();
    let mut second = Going::start(&["--resume", &at]);
    second.until("a snapshot and its summary", || {
        let parts = json(&summary)["parts"].as_array().map_or(0, Vec::len);
        (lines() > before && parts == 2).then_some(())
    });
    kill_process(second.pid(), Signal::KILL).expect("signalled");
    second.0.wait().expect("its end");

    let third = lab().args(["soak", "--json", "--resume", &at]).output().expect("lab starts");
    assert_eq!(third.status.code(), Some(0), "{}", text(&third.stderr));
    let all: Value = serde_json::from_slice(&third.stdout).expect("the summary on standard output");
    assert_eq!(all, json(&summary), "the same on disk");
    let parts = all["parts"].as_array().expect("parts");
    let how: Vec<&str> = parts.iter().filter_map(|part| part["how"].as_str()).collect();
    assert_eq!(how, ["interrupted", "cut_off", "ended"]);
    assert!(parts.windows(2).all(|two| two[0]["to_ms"] == two[1]["from_ms"]), "one goes on where the other was: {all}");
    let reached: u64 = parts.iter().filter_map(|part| part["reached"].as_u64()).sum();
    assert_eq!(number(&all, "reached"), reached, "added up");
    assert!(number(&all, "reached") > number(&one, "reached") && all["finished"] == true, "{all}");
    assert_eq!(all["faults"]["kill"], 2, "each fault once");

    let again = lab().args(["soak", "--resume", &at]).output().expect("lab starts");
    assert_eq!(again.status.code(), Some(2), "nothing is left");
    assert!(text(&again.stderr).contains("it has come to its end"), "{}", text(&again.stderr));
}

fn what_is_wrong_is_refused_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let faults = directory.path().join("faults.json");
    std::fs::write(&faults, r#"[{"at_ms": 1, "for_ms": 1, "kind": "crash", "lpar": "LPAR9"}]"#).expect("written");
    let cases: [(&[&str], &str); 5] = [
        (&[TOPOLOGY, "--rate", "fast"], "found `fast`, expected a number of sessions in a second"),
        (&[TOPOLOGY, "--metrics", "0.0.0.0:9100"], "expected a loopback address and a port"),
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
