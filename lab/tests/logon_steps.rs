//! Wrong steps about logons: exit status 2, with the place, what was found and what was expected.

#[expect(dead_code, reason = "nothing is started here")]
mod common;

use common::{lab, root};

/// What `lab run` says of a scenario with this step, in the topology of Figure 4.
fn refused(step: &str, without: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let topology = std::fs::read_to_string(root().join("scenarios/topologies/two-lpars.toml")).expect("the topology");
    assert!(topology.contains(without), "{without}");
    std::fs::write(directory.path().join("topology.toml"), topology.replace(without, "")).expect("written");
    let first = "[[step]]\nlogon = { user = \"USER1\", from = \"WS1\" }\n";
    let file = directory.path().join("scenario.toml");
    std::fs::write(&file, format!("title = \"t\"\ntopology = \"topology.toml\"\n{first}[[step]]\n{step}\n"))
        .expect("written");
    let output = lab().arg("run").arg(&file).output().expect("lab starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[test]
fn a_wrong_step_is_named_with_its_place() {
    for (step, place, words) in [
        ("logons = { users = [], from = \"WS1\" }", ":6:10", "logons of 0 users: expected 1 to 64"),
        ("logons = { users = [\"USER1\"], from = \"WS1\" }", ":6:21", "`USER1` logs on before, or twice"),
        ("logons = { users = [\"user2\"], from = \"WS1\" }", ":6:21", "did you mean `USER2`?"),
        ("logons = { users = [\"USER2\"], from = \"WS2\" }", ":6:38", "no workstation `WS2`: there is WS1"),
        ("logons = { user = [\"USER2\"], from = \"WS1\" }", ":6:12", "did you mean `users`?"),
        ("users = { on = {} }", ":6:9", "users on no LPAR"),
        ("users = { on = { LPRA1 = 1 } }", ":6:18", "did you mean `LPAR1`?"),
        ("ezbeport = \"gone\"", ":6:12", "no state of the structure `gone`: there is lost, there"),
    ] {
        let said = refused(step, "");
        assert!(said.contains(place) && said.contains(words), "{step}: no `{place}`, `{words}` in:\n{said}");
    }
}

#[test]
fn ezbeport_is_for_sysplexports() {
    let said = refused("ezbeport = \"lost\"", "sysplexports = true");
    assert!(said.contains("no DVIPA here has SYSPLEXPORTS in effect"), "{said}");
}
