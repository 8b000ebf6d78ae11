//! `lab check`: exit statuses, and what is printed where.

#[expect(dead_code, reason = "nothing is started here")]
mod common;

use std::path::Path;
use std::process::Output;

use common::{lab, root};
use serde_json::Value;

fn check(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = lab().arg("check").args(arguments).output().expect("lab starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code().expect("a status"), text(&stdout), text(&stderr))
}

#[test]
fn a_site_that_is_right_and_one_that_is_not() {
    let (status, told, _) = check(&["scenarios/field/members/sysclone"]);
    assert_eq!((status, told.as_str()), (0, "0 errors, 0 warnings, 0 notes\n"));
    let (status, told, _) = check(&["crates/zos-config/tests/members/04-sequenced"]);
    assert_eq!(status, 1, "{told}");
    for expected in ["error[F01]: CLIENT port 5340", "04-sequenced/SYSX/PROFILE:8:23", "seen: ", "remedy: ", "3 errors"]
    {
        assert!(told.contains(expected), "{expected} in:\n{told}");
    }
    let (status, told, _) = check(&["scenarios/figure4.toml"]);
    assert_eq!(status, 0, "notes alone: {told}");
    assert!(told.contains("note[F09]"), "{told}");
}

#[test]
fn a_scenario_and_its_topology_are_one_mistake() {
    let (status, told, _) = check(&["scenarios/no-hub.toml", "scenarios/topologies/two-lpars-no-hub.toml", "--json"]);
    assert_eq!(status, 1);
    let found: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let hub: Vec<&Value> = found.iter().filter(|found| found["code"] == "F03").collect();
    let [hub] = hub.as_slice() else { panic!("{told}") };
    assert_eq!((&hub["severity"], &hub["location"]["line"]), (&"warning".into(), &44.into()));
    assert!(hub["location"]["file"].as_str().expect("a file").ends_with("topologies/two-lpars-no-hub.toml"), "{hub}");
    let (status, all, _) = check(&["scenarios/", "--json"]);
    assert_eq!(status, 1);
    assert!(all.contains("\"F01\"") && all.contains("\"F02\""), "{all}");
}

#[test]
fn what_cannot_be_read_is_status_2() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("t.toml");
    std::fs::write(&file, "[[lpar]]\nnmae = \"A\"\n").expect("written");
    for (path, expected) in [
        (file.to_str().expect("UTF-8"), "did you mean `name`?"),
        ("no/such.toml", "cannot read no/such.toml"),
        ("no/such/MEMBER", "no/such/MEMBER"),
    ] {
        let (status, told, said) = check(&[path, "scenarios/no-hub.toml"]);
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(told.contains("[F03]"), "the others are checked all the same: {told}");
    }
    assert_eq!(check(&[]).0, 2);
}

#[test]
fn a_topology_beside_members_does_not_hide_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let site = directory.path().join("site");
    let path = site.to_str().expect("UTF-8");
    let topology = root().join("scenarios/topologies/duplicate-client-port.toml");
    let exported = lab().args(["export", "zos"]).arg(&topology).args(["-o", path]).status().expect("lab starts");
    assert!(exported.success());
    std::fs::copy(root().join("scenarios/topologies/two-lpars.toml"), site.join("topology.toml")).expect("copied");
    let (status, told, _) = check(&[path]);
    assert_eq!(status, 1, "{told}");
    assert!(told.contains("error[F02]") && told.contains("site/DBGMGR.jcl:4:12"), "{told}");
    let scenario = directory.path().join("scenario.toml");
    std::fs::write(&scenario, "title = \"t\"\nmembers = \"site\"\n[[step]]\n").expect("written");
    let (status, of_scenario, said) = check(&[scenario.to_str().expect("UTF-8")]);
    assert_eq!((status, of_scenario), (1, told), "a scenario of members: {said}");
    std::fs::remove_file(site.join("site.toml")).expect("there");
    assert_eq!(check(&[path]).0, 1, "nor without a manifest");
}

#[test]
fn a_page_is_shown_for_a_code() {
    let (status, page, _) = check(&["--explain", "f02"]);
    assert_eq!(status, 0);
    let order = ["Two Debug Managers have the same CLIENT port", "What a user sees", "Cause", "Remedy", "Sources"];
    let places: Vec<usize> = order.iter().map(|word| page.find(word).expect(word)).collect();
    assert!(places.is_sorted(), "the symptom first: {page}");
    let (status, _, said) = check(&["--explain", "F35"]);
    assert_eq!(status, 2);
    assert!(said.contains("no code is named `F35`"), "{said}");
}

#[test]
fn sarif_names_rule_and_region() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("check.sarif");
    let (status, _, _) =
        check(&["crates/zos-config/tests/members/04-sequenced", "--sarif", file.to_str().expect("UTF-8")]);
    assert_eq!(status, 1);
    let log: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("written")).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.iter().filter(|result| result["level"] == "error").count(), 3);
    assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 8);
}

#[test]
fn members_may_be_given_one_by_one() {
    let site = root().join("crates/zos-config/tests/members/04-sequenced");
    let member = |name: &str| site.join(name).to_str().expect("UTF-8").to_owned();
    let all = [member("DBGMGR"), member("SYSX/PROFILE"), member("SYSY/PROFILE")];
    let (status, told, said) = check(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(status, 1, "{said}");
    assert!(told.contains("error[F02]") && Path::new(&all[0]).exists(), "{told}");
}
