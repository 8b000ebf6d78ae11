//! Rules on topology files, and the files of this project: no false alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use site_check::{Finding, Severity, of_site, of_sysplex, of_topology, page};
use sysplex::Sysplex;
use sysplex::raw::Topology;
use zos_config::site::disk;

const GOOD: &str = r#"[sysplex]
name = "PLEX1"
[[lpar]]
name = "LPAR1"
symbols = { SYSCLONE = "34" }
[[lpar]]
name = "LPAR2"
symbols = { SYSCLONE = 35, EQADBM = "53&SYSCLONE" }
[[dvipa]]
address = "10.10.10.1"
owner = "LPAR1"
[[dvipa.backup]]
lpar = "LPAR2"
moveable = "IMMEDIATE"
[[dvipa.distribute]]
ports = [4035, "5330-5339"]
method = "BASEWLM"
targets = ["LPAR1", "LPAR2"]
sysplexports = true
[[started_task]]
name = "DBGMGR"
program = "dbgmgr"
client = "53&SYSCLONE"
host = 5336
hubip = "9.9.9.1"
hubport = 5337
[[started_task]]
name = "RSED"
program = "rsed"
on = ["LPAR1", "LPAR2"]
[[started_task]]
name = "OTHER"
program = "server"
ports = [8000]
bind = "10.10.10.1"
[[viparoute]]
dynxcf = "9.9.9.2"
target = "10.10.10.12"
"#;

/// On the second VIPADISTRIBUTE, where it has no effect.
const LATE: &str = "[[dvipa.distribute]]\nports = [7000]\ntargets = [\"ALL\"]\nsysplexports = true";

fn check(text: &str) -> Vec<Finding> {
    let topology: Topology = toml::from_str(text).expect("a topology");
    let checked = of_topology("t.toml", text, &topology);
    assert_eq!(checked.unreadable, [""; 0], "{text}");
    checked.findings
}

/// `F01 15`: code and line.
fn codes(text: &str) -> Vec<String> {
    let line = |found: &Finding| found.location.as_ref().map_or(0, |at| at.line);
    check(text).iter().map(|found| format!("{} {}", found.code, line(found))).collect()
}

#[test]
fn one_mistake_in_a_topology_at_its_line() {
    assert_eq!(codes(GOOD), [""; 0]);
    for (from, to, expected) in [
        ("5330-5339", "5330-5334", vec!["F01 16"]),
        ("ports = [4035, \"5330-5339\"]\n", "ports = [4035]\n", vec!["F01 16", "F01 16"]),
        ("[\"LPAR1\", \"LPAR2\"]\nsys", "[\"LPAR1\"]\nsys", vec!["F01 18"]),
        ("client = \"53&SYSCLONE\"", "client = 5335", vec!["F02 23"]),
        ("hubip = \"9.9.9.1\"\n", "", vec!["F03 21"]),
        ("\"9.9.9.1\"", "\"9.9.9.77\"", vec!["F04 25"]),
        ("\"9.9.9.1\"", "\"9.9.9.&SYSCLONE(2:1)\"", vec!["F04 25", "F04 25", "F04 25"]),
        ("\"9.9.9.1\"", "\"10.10.10.1\"", vec!["F05 25"]),
        ("\"9.9.9.1\"", "\"127.0.0.1\"", vec!["F05 25"]),
        ("SYSCLONE = 35", "SYSCLONE = 34", vec!["F02 23", "F07 8"]),
        ("SYSCLONE = 35", "SYSCLONE = 36", vec!["F07 23"]),
        ("SYSCLONE = 35", "SYSCLONE = \"SA\"", vec!["F07 23"]),
        ("\"53&SYSCLONE\"\nhost", "\"&EQADBM\"\nhost", vec!["F08 23"]),
        ("BASEWLM", "ROUNDROBIN", vec!["F09 17"]),
        ("BASEWLM", "SERVERWLM", vec!["F10 17"]),
        ("sysplexports = true", "sysplexports = false", vec!["F11 16"]),
        ("sysplexports = true", LATE, vec!["F11 21"]),
        ("on = [\"LPAR1\", \"LPAR2\"]", "port_range = \"8108-8118\"", vec!["F13 30"]),
        ("on = [\"LPAR1\", \"LPAR2\"]", "on = [\"LPAR1\"]\nport_range = \"8108-8109\"", vec!["F14 31"]),
        ("on = [\"LPAR1\", \"LPAR2\"]", "on = [\"LPAR1\"]\nport_range = \"8108-8108\"", vec!["F14 31"]),
        ("on = [\"LPAR1\", \"LPAR2\"]", "on = [\"LPAR1\"]", vec![]),
        ("[4035, ", "[", vec!["F16 16"]),
        ("program = \"dbgmgr\"", "program = \"dbgmgr\"\non = [\"LPAR1\"]", vec!["F19 29"]),
        ("[[dvipa.backup]]\nlpar = \"LPAR2\"\nmoveable = \"IMMEDIATE\"", "backups = [\"LPAR2\"]", vec!["F24 12"]),
        ("moveable = \"IMMEDIATE\"\n", "", vec!["F24 13"]),
        ("sysplexports = true", "sysplexports = true\n[[dvipa.distribute]]\ntargets = [\"ALL\"]", vec!["F26 21"]),
        ("10.10.10.12", "10.10.10.13", vec!["F27 38"]),
        ("4035, ", "4035, 8000, ", vec![]),
        ("sysplexports = true", "sysplexports = true\ntimed_affinity = \"30s\"", vec!["F31 20"]),
        ("\"53&SYSCLONE\" }", "\"1234567890\" }", vec!["D01 8"]),
    ] {
        assert!(GOOD.contains(from), "{from}");
        assert_eq!(codes(&GOOD.replacen(from, to, 1)), expected, "{from} -> {to}");
    }
    let second =
        "[[started_task]]\nname = \"DBGMGR\"\nprogram = \"dbgmgr\"\non = [\"LPAR2\"]\nclient = \"53&SYSCLONE\"\n";
    let trusted = "program = \"dbgmgr\"\non = [\"LPAR1\"]\nprm = \"TRUSTEDTCP=ON\"";
    let one_side = |prm: &str| {
        let first = GOOD.replacen("program = \"dbgmgr\"", trusted, 1);
        codes(&format!("{first}{second}hubip = \"9.9.9.1\"\n{prm}"))
    };
    assert_eq!(one_side(""), ["F06 24"]);
    assert_eq!(one_side("prm = \"TRUSTEDTCP=ON\"\n"), [""; 0]);
    let elsewhere = GOOD.replace("4035, ", "4035, 8000, ").replace("bind = \"10.10.10.1\"", "bind = \"10.10.10.12\"");
    assert_eq!(codes(&elsewhere), ["F30 35", "F30 35"]);
    let ports: Vec<String> = (0..65).map(|n| (6000 + n).to_string()).collect();
    assert_eq!(codes(&GOOD.replace("[4035,", &format!("[{}, 4035,", ports.join(", ")))), ["D02 16"]);
    assert_eq!(codes(&GOOD.replace("BASEWLM\"", "ROUNDROBIN\"\ntimed_affinity = \"5s\"")), ["F31 18"]);
    let alone = "[[lpar]]\nname = \"SYS1\"\n[[started_task]]\nname = \"DBGMGR\"\nprogram = \"dbgmgr\"\n";
    assert_eq!(codes(alone), [""; 0], "without a DVIPA and without another system all is right");
}

#[test]
fn three_systems_and_roundrobin_are_right() {
    let three = GOOD.replace("[[dvipa]]", "[[lpar]]\nname = \"LPAR3\"\nsymbols = { SYSCLONE = 33 }\n[[dvipa]]");
    let three = three.replace("[\"LPAR1\", \"LPAR2\"]", "[\"ALL\"]").replace("on = [\"ALL\"]\n", "");
    assert_eq!(codes(&three.replace("BASEWLM", "ROUNDROBIN")), [""; 0]);
}

#[test]
fn messages_name_what_was_found() {
    let found = check(&GOOD.replace("5330-5339", "5330-5334"));
    assert!(found[0].message.contains("5335") && found[0].message.contains("LPAR2"), "{found:?}");
    assert!(!found[0].symptom.is_empty() && !found[0].remedy.is_empty());
    let at = found[0].location.as_ref().expect("a place");
    assert_eq!((at.file.as_str(), at.line, at.column), ("t.toml", 16, 9));
}

#[test]
fn a_sysplex_without_its_file_has_the_same_mistakes() {
    let text = GOOD.replace("5330-5339", "5330-5334").replace("hubip = \"9.9.9.1\"\n", "");
    let found = of_sysplex(&Sysplex::from_toml(&text).expect("a sysplex"));
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["F01", "F03"]);
    assert!(found.iter().all(|found| found.location.is_none()));
    for n in 1..=32 {
        let found = of_sysplex(&Sysplex::uniform(n));
        assert!(found.iter().all(|found| found.severity == Severity::Note), "{n} LPARs: {found:?}");
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[derive(Deserialize)]
struct Scenario {
    topology: Option<String>,
    plex: Option<Topology>,
}

/// The findings of a scenario or topology that are no notes.
fn alarms(file: &Path) -> Vec<&'static str> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let scenario: Scenario = toml::from_str(&text).expect("a scenario or a topology");
    if let Some(beside) = scenario.topology {
        return alarms(&file.with_file_name(beside));
    }
    let topology = scenario.plex.unwrap_or_else(|| toml::from_str(&text).expect("a topology"));
    let checked = of_topology("t.toml", &text, &topology);
    assert_eq!(checked.unreadable, [""; 0], "{}", file.display());
    let alarms = checked.findings.into_iter().filter(|found| found.severity > Severity::Note);
    alarms.map(|found| found.code).collect()
}

/// Every alarm on the project's own files is a right one: what the file was made to show.
#[test]
fn scenarios_and_topologies_give_no_false_alarm() {
    let expected = BTreeMap::from([
        ("scenarios/duplicate-client-port.toml", vec!["F02"]),
        ("scenarios/no-hub.toml", vec!["F03"]),
        ("scenarios/same-lpar.toml", vec!["F03"]),
        ("scenarios/port-not-distributed.toml", vec!["F01"]),
        ("scenarios/topologies/duplicate-client-port.toml", vec!["F02"]),
        ("scenarios/topologies/two-lpars-no-hub.toml", vec!["F03"]),
        ("scenarios/topologies/port-not-distributed.toml", vec!["F01"]),
        // A server at its system's own address, which is how they make a target that is not ready.
        ("scenarios/distributor/not-ready.toml", vec!["F30", "F30"]),
        // A VIPAROUTE that leads nowhere.
        ("scenarios/distributor/unreachable.toml", vec!["F27"]),
    ]);
    let mut seen = BTreeMap::new();
    for directory in ["scenarios", "scenarios/topologies", "scenarios/distributor"] {
        for entry in std::fs::read_dir(project().join(directory)).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            // The broken twins of `distributor` are broken in many ways.
            let is_twin = directory.ends_with("distributor") && name.ends_with("-broken.toml");
            if path.extension().is_some_and(|ending| ending == "toml") && !is_twin {
                seen.insert(format!("{directory}/{name}"), alarms(&path));
            }
        }
    }
    assert!(seen.len() > 60, "{} files", seen.len());
    for (name, alarms) in &seen {
        let right = expected.get(name.as_str()).cloned().unwrap_or_default();
        assert_eq!(*alarms, right, "{name}");
    }
    assert!(expected.keys().all(|name| seen.contains_key(*name)));
}

/// The sites in a directory, by name, each with what was found.
fn sites(directory: &str) -> impl Iterator<Item = (String, Vec<Finding>)> {
    let entries = std::fs::read_dir(project().join(directory)).expect("the members");
    entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let checked = of_site(&disk::directory(&path).expect("files"));
        assert_eq!(checked.unreadable, [""; 0], "{name}");
        (name, checked.findings)
    })
}

#[test]
fn members_of_other_tests_give_no_false_alarm() {
    for (name, found) in sites("crates/zos-config/tests/members") {
        let alarms = found.iter().filter(|found| found.severity > Severity::Note).map(|found| found.code);
        let right = match name.as_str() {
            // One CLIENT port for both systems, and none of it in PORT.
            "04-sequenced" => vec!["F01", "F01", "F02"],
            "05-ebcdic-fixed" => vec!["F03"],
            _ => vec![],
        };
        assert_eq!(alarms.collect::<Vec<_>>(), right, "{name}");
    }
}

/// A broken site is named after its code, and that alone is found in it, where configuration shows it; in a cured one nothing.
#[test]
fn in_the_sites_of_the_field_catalogue_the_mistake_is_found_and_nothing_else() {
    let (mut broken, mut cured) = (0, 0);
    for (name, found) in sites("scenarios/field/members") {
        let right = page::of(&name).filter(|page| page.severity.is_some()).map(|page| page.code);
        let codes: BTreeSet<&str> = found.iter().map(|found| found.code).collect();
        assert_eq!(codes, right.into_iter().collect(), "{name}");
        *(if right.is_some() { &mut broken } else { &mut cured }) += 1;
    }
    assert!(broken >= 20 && cured >= 8, "{broken} broken, {cured} cured");
}
