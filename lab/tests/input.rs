//! Wrong input: exit status 2, with file, line, column, what was found, what was expected, and the nearest right word; a
//! machine that cannot run it: exit status 3.

mod common;

use std::path::Path;

use common::{lab, root};

const SCENARIO: &str = r#"title = "t"
topology = "topology.toml"
[[step]]
logon = { user = "IBMUSER", from = "WS1", on = "LPAR1" }
[[step]]
submit = { job = "EQATST", on = "LPAR2", user = "IBMUSER" }
"#;

/// Runs the scenario with a topology, one place in one of them replaced, and returns what was said; the exit status must be 2.
fn refused(place: &str, instead: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let topology = std::fs::read_to_string(root().join("scenarios/topologies/two-lpars.toml")).expect("the topology");
    assert_eq!(SCENARIO.matches(place).count() + topology.matches(place).count(), 1, "`{place}` must be there once");
    std::fs::write(directory.path().join("topology.toml"), topology.replace(place, instead)).expect("written");
    let file = directory.path().join("scenario.toml");
    std::fs::write(&file, SCENARIO.replace(place, instead)).expect("written");
    said(&file, 2)
}

fn said(file: &Path, status: i32) -> String {
    let output = lab().arg("run").arg(file).output().expect("lab starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(output.stdout.is_empty(), "nothing was run");
    said
}

/// The message names the file, the line and column, and says all of `words`.
fn assert_says(message: &str, place: &str, words: &[&str]) {
    assert!(message.contains(place), "no `{place}` in:\n{message}");
    for word in words {
        assert!(message.contains(word), "no `{word}` in:\n{message}");
    }
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_right_one() {
    assert_says(&refused("from = ", "form = "), "scenario.toml:4:29", &["unknown key `form`", "did you mean `from`?"]);
    assert_says(
        &refused("ports = [", "prots = ["),
        "topology.toml:",
        &["unknown key `prots`", "did you mean `ports`?"],
    );
}

#[test]
fn an_lpar_that_does_not_exist_is_named_with_the_nearest_one() {
    assert_says(
        &refused(r#"on = "LPAR2""#, r#"on = "LPRA2""#),
        "scenario.toml:6:33",
        &["`LPRA2`", "did you mean `LPAR2`?"],
    );
    assert_says(&refused(r#"owner = "LPAR1""#, r#"owner = "LPAR3""#), "topology.toml:", &["`LPAR3`", "LPAR"]);
}

#[test]
fn a_bad_port_is_named() {
    assert_says(&refused("port = 4035", "port = 70000"), "topology.toml:", &["70000", "65535"]);
    assert_says(&refused("SYSCLONE = 34", r#"SYSCLONE = "SA""#), "topology.toml:", &["53SA", "LPAR1"]);
}

#[test]
fn an_assertion_that_can_never_hold_is_refused() {
    let step = r#"submit = { job = "EQATST", on = "LPAR2", user = "IBMUSER" }"#;
    let refused = |assert: &str| refused(step, assert);
    let unknown = refused(r#"assert = { eventually = { event = "linkde" } }"#);
    assert_says(&unknown, "scenario.toml:6:35", &["no event `linkde`", "did you mean `linked`?"]);
    let value = refused(r#"assert = { never = { event = "linked", session = "$S" } }"#);
    assert_says(&value, "scenario.toml:6:50", &["no captured value `S`"]);
    let forms = refused(r#"assert = { never = { event = "linked" }, exactly_once = { event = "linked" } }"#);
    assert_says(&forms, "scenario.toml:6:10", &["2 forms", "eventually, never, exactly_once"]);
    let bounds = refused(r#"assert = { count = { event = "linked" } }"#);
    assert_says(&bounds, "scenario.toml:6:10", &["at_least or at_most"]);
    let times = refused(r#"assert = { from = { event = "linked" }, p99 = "1s" }"#);
    assert_says(&times, "scenario.toml:6:10", &["`from`, `to`, `by`"]);
}

#[test]
fn a_symbol_that_does_not_resolve_is_named_with_the_nearest_one() {
    assert_says(&refused("53&SYSCLONE", "53&SYSCLON"), "topology.toml:", &["&SYSCLON", "SYSCLONE`?"]);
}

#[test]
fn two_lpars_with_one_address_are_refused() {
    assert_says(
        &refused(r#"home = "10.10.10.12""#, r#"home = "10.10.10.11""#),
        "topology.toml:",
        &["10.10.10.11", "LPAR1"],
    );
}

#[test]
fn what_the_network_is_to_do_must_be_something_it_does() {
    let step = r#"submit = { job = "EQATST", on = "LPAR2", user = "IBMUSER" }"#;
    for (instead, words) in [
        (r#"router = { on = "WS2", to = "10.10.10.1", path = "kept" }"#, ["`WS2`", "did you mean `WS1`?"]),
        (r#"router = { on = "WS1", to = "10.10.10.2", path = "kept" }"#, ["no DVIPA `10.10.10.2`", "10.10.10.1"]),
        (r#"router = { on = "WS1", to = "10.10.10.1", path = "old" }"#, ["no path `old`", "kept, new"]),
        (r#"filter = { on = "WS1", icmp = "echo" }"#, ["no ICMP message `echo`", "fragmentation-needed"]),
        (
            r#"calls = { from = "WS1", to = "10.10.10.1:4035", count = 1, hold = true, put = "1KiB" }"#,
            ["more than one of", "`put`"],
        ),
    ] {
        assert_says(&refused(step, instead), "scenario.toml:6:", &words);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let message = said(Path::new("scenarios/figure5.toml"), 2);
    assert!(message.contains("scenarios/figure5.toml"), "{message}");
}

#[test]
fn a_scenario_may_contain_its_topology() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("scenario.toml");
    let inside = SCENARIO.replace("topology = \"topology.toml\"", "[[plex.lpar]]\nname = \"lpar1\"");
    std::fs::write(&file, inside).expect("written");
    assert_says(&said(&file, 2), "scenario.toml:3:8", &["lpar1"]);
}

#[test]
fn without_namespaces_the_exit_status_is_3() {
    let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" run scenarios/figure4.toml";
    let mut command = std::process::Command::new("unshare");
    command.current_dir(root()).args(["--user", "--map-root-user", "sh", "-c", script, env!("CARGO_BIN_EXE_lab")]);
    common::build_programs();
    let output = command.output().expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("this machine cannot run it") && said.contains("lab doctor"), "{said}");
}
