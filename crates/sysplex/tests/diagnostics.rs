//! Every kind of mistake in a topology file, and what is said of it.

use proptest::prelude::*;
use sysplex::{Diagnostic, Ports, Sysplex};

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
backups = ["LPAR2"]
no_target = "reset"
[[dvipa.distribute]]
ports = [4035, "5330-5339"]
method = "ROUNDROBIN"
targets = ["LPAR1", "LPAR2"]
sysplexports = true
[[started_task]]
name = "DBGMGR"
program = "dbgmgr"
client = "53&SYSCLONE"
host = 5336
hubip = "9.9.9.1"
hubport = 5337
wait = "300s"
[[started_task]]
name = "RSED"
program = "rsed"
on = ["LPAR1", "LPAR2"]
port_range = "8108-8118"
[[workstation]]
name = "WS1"
address = "10.10.10.101"
"#;

fn problems(text: &str) -> Vec<Diagnostic> {
    Sysplex::from_toml(text).err().unwrap_or_default()
}

/// The good file with one thing changed.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good file has no {from}");
    GOOD.replacen(from, to, 1)
}

/// Changes one thing and expects one problem, at `at` in the new text.
#[track_caller]
fn expect(from: &str, to: &str, at: &str, message: &str, help: Option<&str>) {
    let text = changed(from, to);
    let found = problems(&text);
    let [problem] = found.as_slice() else { panic!("{to}: expected one problem, found {found:#?}") };
    assert_eq!(problem.message, message);
    assert_eq!(problem.help.as_deref(), help);
    assert_eq!(text.get(problem.span.clone()), Some(at));
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(problems(GOOD), []);
}

#[test]
fn keys_and_types() {
    expect("ports =", "prots =", "prots", "unknown key `prots`", Some("did you mean `ports`?"));
    expect("[sysplex]", "[sysplx]", "sysplx", "unknown key `sysplx`", Some("did you mean `sysplex`?"));
    let message = "invalid type: boolean `true`, expected a number, or text with system symbols";
    expect("host = 5336", "host = true", "true", message, None);
    expect("owner = \"LPAR1\"", "owner = 1", "1", "invalid type: integer `1`, expected a string", None);
    let message = "`client` belongs to program `dbgmgr`, not to `rsed`";
    expect("program = \"rsed\"", "program = \"rsed\"\nclient = 1", "1", message, None);
    let message = "`port` belongs to program `rsed`, not to `dbgmgr`";
    expect("host = 5336", "host = 5336\nport = 1", "1", message, None);
    let found = problems(&changed("owner = \"LPAR1\"\n", ""));
    assert_eq!(found[0].message, "missing key `owner`");
}

#[test]
fn ports() {
    let bad = "`65536` is not a port number: expected 1 to 65535";
    expect("4035", "65536", "65536", bad, None);
    expect("host = 5336", "host = 0", "0", "on LPAR1, LPAR2: `0` is not a port number: expected 1 to 65535", None);
    let message = "on LPAR1: `53SA` is not a port number: expected 1 to 65535; `53&SYSCLONE` was resolved with \
                   &SYSCLONE is `SA`";
    expect("SYSCLONE = \"34\"", "SYSCLONE = \"SA\"", "\"53&SYSCLONE\"", message, None);
    let message = "`4035-40` is no range of ports: 4035 is greater than 40";
    expect("4035,", "\"4035-40\",", "\"4035-40\"", message, None);
    expect("4035,", "5335,", "\"5330-5339\"", "port 5335 is distributed twice for this DVIPA: expected it once", None);
    let message = "on LPAR1, LPAR2: `8108-8108` holds no port: the end of _RSE_PORTRANGE is exclusive, so it must be \
                   greater than the start";
    expect("8108-8118", "8108-8108", "\"8108-8108\"", message, None);
    expect(
        "[4035, \"5330-5339\"]",
        "[]",
        "[]",
        "no port is distributed: expected at least one",
        Some("leave `ports` out for dynamic ports"),
    );
    let text = changed("5330-5339", "1-2000");
    assert_eq!(problems(&text)[0].message, "2001 ports are distributed for this DVIPA: the lab takes 1024");
}

#[test]
fn ports_that_collide_on_one_lpar() {
    let with = |port: &str, other: &str, lpar: &str| {
        format!(
            "on {lpar}: CLIENT of DBGMGR is {port} (from `53&SYSCLONE`), which is {other} already: expected another port"
        )
    };
    let at = "\"53&SYSCLONE\"";
    expect("\"34\"", "\"36\"", at, &with("5336", "HOST of DBGMGR", "LPAR1"), None);
    expect("= 35", "= 37", at, &with("5337", "HUBPORT of DBGMGR", "LPAR2"), None);
    let message = "on LPAR1, LPAR2: port of RSED is 5336, which is HOST of DBGMGR already: expected another port";
    expect("program = \"rsed\"", "program = \"rsed\"\nport = 5336", "5336", message, None);
}

#[test]
fn symbols() {
    let message = "on LPAR1, LPAR2: system symbol `&SYSCLON` is not defined";
    expect(
        "client = \"53&SYSCLONE\"",
        "client = \"53&SYSCLON\"",
        "\"53&SYSCLON\"",
        message,
        Some("did you mean `&SYSCLONE`?"),
    );
    let message = "on LPAR1: system symbol `&EQADBM` is not defined";
    let help = Some("defined are &SYSCLONE, &SYSNAME, &SYSPLEX");
    expect("client = \"53&SYSCLONE\"", "client = \"&EQADBM\"", "\"&EQADBM\"", message, help);
    let message = "on LPAR1: `345` is no value for SYSCLONE: expected 1 or 2 of A-Z, 0-9, @, #, $";
    expect("\"34\"", "345", "345", message, None);
    expect("EQADBM", "SYSNAME", "SYSNAME", "SYSNAME is built in: it is the LPAR's `name`", None);
    expect("EQADBM", "SYSX", "SYSX", "`SYSX` begins with SYS: such names belong to the system", None);
    let message = "`eqadbm` is not a symbol's name: expected 1 to 16 of A-Z, 0-9, @, #, $, _";
    expect("EQADBM", "eqadbm", "eqadbm", message, None);
}

#[test]
fn names() {
    let unknown = "no LPAR is named `LPAR3`: expected one of LPAR1, LPAR2";
    let near = Some("did you mean `LPAR1`?");
    for (from, to) in [
        ("owner = \"LPAR1\"", "owner = \"LPAR3\""),
        ("backups = [\"LPAR2\"]", "backups = [\"LPAR3\"]"),
        ("targets = [\"LPAR1\",", "targets = [\"LPAR3\","),
        ("on = [\"LPAR1\",", "on = [\"LPAR3\","),
    ] {
        expect(from, to, "\"LPAR3\"", unknown, near);
    }
    expect(
        "\"RSED\"",
        "\"DBGMGR\"",
        "\"DBGMGR\"",
        "on LPAR1, LPAR2: a started task named `DBGMGR` runs there already",
        None,
    );
    let message = "two LPARs or workstations are named `LPAR1`: expected names that differ";
    expect("\"WS1\"", "\"LPAR1\"", "\"LPAR1\"", message, None);
    let message = "`plex1` is not a sysplex name: expected 1 to 8 of A-Z, 0-9, @, #, $";
    expect("\"PLEX1\"", "\"plex1\"", "\"plex1\"", message, Some("did you mean `PLEX1`?"));
    let message = "`LPAR1` owns the DVIPA: expected another LPAR as its backup";
    expect("[\"LPAR2\"]\nno", "[\"LPAR1\"]\nno", "\"LPAR1\"", message, None);
    expect(
        "[\"LPAR1\", \"LPAR2\"]\nsys",
        "[]\nsys",
        "[]",
        "no target is listed: expected names of LPARs",
        Some("`targets = [\"ALL\"]` names every LPAR"),
    );
    expect(
        "[\"LPAR1\", \"LPAR2\"]\nsys",
        "[\"LPAR1\", \"ALL\"]\nsys",
        "\"ALL\"",
        "`ALL` stands alone: expected it without other names",
        None,
    );
    expect("[\"LPAR1\", \"LPAR2\"]\nsys", "[\"LPAR1\", \"LPAR1\"]\nsys", "\"LPAR1\"", "`LPAR1` is listed twice", None);
}

#[test]
fn words() {
    let message = "DISTMETHOD TARGCONTROLLED is for non-z/OS targets (tier 1), which this lab has not";
    expect("ROUNDROBIN", "TARGCONTROLLED", "\"TARGCONTROLLED\"", message, Some("expected a method for z/OS targets"));
    let message =
        "`ROUNDROBN` is not a DISTMETHOD: expected BASEWLM, SERVERWLM, ROUNDROBIN, WEIGHTEDACTIVE, HOTSTANDBY";
    expect("ROUNDROBIN", "ROUNDROBN", "\"ROUNDROBN\"", message, Some("did you mean `ROUNDROBIN`?"));
    let message = "`rest` is not a policy: expected reset or drop";
    expect("\"reset\"", "\"rest\"", "\"rest\"", message, Some("did you mean `reset`?"));
    let message = "`dbgmngr` is not a program: expected dbgmgr or rsed or server or command";
    expect("\"dbgmgr\"", "\"dbgmngr\"", "\"dbgmngr\"", message, Some("did you mean `dbgmgr`?"));
    let message = "`300x` is not a time to wait: expected such as `300s` or `5m`";
    expect("300s", "300x", "\"300x\"", message, None);
}

#[test]
fn addresses() {
    let message = "10.10.11.1 is outside the LAN segment: expected an address in 10.10.10.0/24";
    expect("\"10.10.10.1\"", "\"10.10.11.1\"", "\"10.10.11.1\"", message, None);
    let message = "10.10.10.255 is the broadcast address of the LAN segment 10.10.10.0/24: expected a host's";
    expect("\"10.10.10.1\"", "\"10.10.10.255\"", "\"10.10.10.255\"", message, None);
    let message = "10.10.10.0 is the network address of the LAN segment 10.10.10.0/24: expected a host's";
    expect("\"10.10.10.1\"", "\"10.10.10.0\"", "\"10.10.10.0\"", message, None);
    let message = "10.10.10.101 is taken: it is already the address of WS1";
    expect("\"10.10.10.1\"", "\"10.10.10.101\"", "\"10.10.10.101\"", message, None);
    let message = "`10.10.10` is not an IPv4 address: expected four numbers from 0 to 255 with dots";
    expect("\"10.10.10.1\"", "\"10.10.10\"", "\"10.10.10\"", message, None);
    let message = "on LPAR1, LPAR2: `hub` is not an IPv4 address: HUBIP expects the address of an LPAR";
    expect("\"9.9.9.1\"", "\"hub\"", "\"hub\"", message, None);
    let message = "`10.10.10.5/24` is an address in a segment, not the segment";
    expect(
        "name = \"PLEX1\"",
        "lan = \"10.10.10.5/24\"",
        "\"10.10.10.5/24\"",
        message,
        Some("did you mean `10.10.10.0/24`?"),
    );
    let message = "the XCF segment 10.10.0.0/16 and the LAN segment 10.10.10.0/24 overlap: expected two of their own";
    expect("name = \"PLEX1\"", "xcf = \"10.10.0.0/16\"", "\"10.10.0.0/16\"", message, None);
}

#[test]
fn chosen_addresses_skip_written_ones() {
    let text = changed("address = \"10.10.10.1\"", "address = \"10.10.10.12\"");
    let sysplex = Sysplex::from_toml(&text).expect("a good file");
    let homes: Vec<String> = sysplex.lpars.iter().map(|lpar| lpar.home.to_string()).collect();
    assert_eq!(homes, ["10.10.10.11", "10.10.10.13"]);
    assert_eq!(sysplex.lpars[1].xcf.to_string(), "9.9.9.2");
}

#[test]
fn how_many_lpars() {
    assert_eq!(problems("")[0].message, "the sysplex has no LPAR: expected at least one `[[lpar]]`");
    let lpars = |n: u32| (1..=n).map(|i| format!("[[lpar]]\nname = \"SYS{i}\"\n")).collect::<String>();
    assert_eq!(problems(&lpars(32)), []);
    let text = lpars(33);
    let found = problems(&text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "the sysplex has 33 LPARs: z/OS takes 32 at most");
    assert_eq!(&text[found[0].span.clone()], "\"SYS33\"");
}

#[test]
fn everything_is_reported_at_once() {
    let text = changed("owner = \"LPAR1\"", "owner = \"LPAR7\"").replace("\"34\"", "\"SA\"").replace("300s", "never");
    let messages: Vec<String> = problems(&text).into_iter().map(|problem| problem.message).collect();
    assert_eq!(messages.len(), 3, "{messages:#?}");
    assert!(messages[0].contains("LPAR7") && messages[1].contains("53SA") && messages[2].contains("never"));
}

#[test]
fn a_problem_as_a_person_sees_it() {
    let text = changed("ports =", "prots =");
    let rendered = problems(&text)[0].render("two-lpars.toml", &text);
    let expected = r#"error: unknown key `prots`
  --> two-lpars.toml:15:1
   |
15 | prots = [4035, "5330-5339"]
   | ^^^^^
   |
help: did you mean `ports`?"#;
    assert_eq!(rendered, expected);
}

#[test]
fn spans_of_an_embedded_topology_are_those_of_the_whole_file() {
    #[derive(serde::Deserialize)]
    struct Scenario {
        topology: sysplex::raw::Topology,
    }
    let text = "title = \"x\"\n[[topology.lpar]]\nname = \"lpar\"\n";
    let scenario: Scenario = toml::from_str(text).expect("good TOML");
    let found = scenario.topology.resolve().expect_err("a bad name");
    assert_eq!(&text[found[0].span.clone()], "\"lpar\"");
}

/// What VIPADISTRIBUTE takes and does not; the rest of the line after `ROUNDROBIN"` is `to`.
#[test]
fn options_of_methods() {
    let method = "method = \"ROUNDROBIN\"";
    let targets = "targets = [\"LPAR1\", \"LPAR2\"]";
    for (to, expected) in [
        (
            "method = \"ROUNDROBIN\"\nweights = [1, 2]",
            "`weights` belongs to DISTMETHOD WEIGHTEDACTIVE, this is ROUNDROBIN",
        ),
        ("method = \"WEIGHTEDACTIVE\"\nweights = [1]", "1 weights for 2 targets: expected one for each"),
        ("method = \"WEIGHTEDACTIVE\"\nweights = [1, 100]", "100 is no WEIGHT: expected 1 to 99"),
        ("preferred = \"LPAR2\"", "`preferred` belongs to DISTMETHOD HOTSTANDBY, this is BASEWLM"),
        (
            "method = \"BASEWLM\"\nautoswitchback = true",
            "`autoswitchback` belongs to DISTMETHOD HOTSTANDBY, this is BASEWLM",
        ),
        (
            "method = \"HOTSTANDBY\"",
            "HOTSTANDBY without a preferred target: expected `preferred = \"...\"`, one of the targets",
        ),
        ("timed_affinity = \"3h\"", "`3h` is no TIMEDAFFINITY: expected whole seconds, `0s` to `9999s`"),
        ("optlocal = 17", "17 is no OPTLOCAL: expected 0 to 16"),
        ("action = \"REMOVE\"", "`REMOVE` is not an action of VIPADISTRIBUTE: expected DEFINE or DELETE"),
    ] {
        let found = problems(&changed(method, to));
        assert_eq!(found.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), [expected], "{to}");
    }
    let all = changed(targets, "targets = [\"ALL\"]\npreferred = \"LPAR1\"").replace("ROUNDROBIN", "HOTSTANDBY");
    let message = "DESTIP ALL with HOTSTANDBY: expected the targets by name, one of them preferred";
    assert_eq!(problems(&all).iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), [message]);
}

#[test]
fn ranks_and_moveable() {
    let backups = "backups = [\"LPAR2\"]";
    for (to, expected) in [
        ("moveable = \"LATER\"", "`LATER` is not a form of MOVEABLE: expected IMMEDIATE or WHENIDLE"),
        (
            "[[dvipa.backup]]\nlpar = \"LPAR2\"\nrank = 255\n[[dvipa.distribute]]\nports = [1]\ntargets = [\"ALL\"]",
            "255 is no rank: expected 1 to 254",
        ),
    ] {
        let found = problems(&changed(backups, to).replace("no_target = \"reset\"\n", ""));
        assert_eq!(found.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), [expected], "{to}");
    }
}

/// Ports and targets that are left.
fn left(statements: &str) -> Vec<(Vec<u16>, Vec<u32>)> {
    let text = format!(
        "[[lpar]]\nname = \"A\"\n[[lpar]]\nname = \"B\"\n[[dvipa]]\naddress = \"10.10.10.1\"\nowner = \"A\"\n{statements}"
    );
    let sysplex = Sysplex::from_toml(&text).expect("a good file");
    let statements = sysplex.dvipas[0].distribute.iter().map(|statement| {
        let Ports::Listed(ports) = &statement.ports else { return (vec![], vec![]) };
        (ports.clone(), statement.targets.iter().map(|target| target.lpar.get()).collect())
    });
    statements.collect()
}

#[test]
fn delete_takes_ports_and_targets_away() {
    let define = "[[dvipa.distribute]]\nports = [\"1-3\"]\ntargets = [\"ALL\"]\n";
    let delete = |rest: &str| format!("{define}[[dvipa.distribute]]\naction = \"DELETE\"\n{rest}");
    assert_eq!(left(define), [(vec![1, 2, 3], vec![1, 2])]);
    assert_eq!(left(&delete("ports = [2]\ntargets = [\"ALL\"]")), [(vec![1, 3], vec![1, 2])]);
    assert_eq!(left(&delete("ports = [2]\ntargets = [\"B\"]")), [(vec![1, 3], vec![1, 2]), (vec![2], vec![1])]);
    assert_eq!(left(&delete("ports = [\"1-3\"]\ntargets = [\"ALL\"]")), []);
    assert_eq!(left(&delete("targets = [\"ALL\"]")), [(vec![1, 2, 3], vec![1, 2])], "dynamic ports are others");
}

/// On the second VIPADISTRIBUTE, where it has no effect.
const LATE_SYSPLEXPORTS: &str = "[[dvipa.distribute]]
ports = [7000]
method = \"ROUNDROBIN\"
targets = [\"ALL\"]
sysplexports = true";

/// What site-check tells as a known mistake of sites.
#[test]
fn what_started_tasks_say_wrongly_may_be_in_the_catalogue() {
    for (from, to, code) in [
        ("SYSCLONE = \"34\"", "SYSCLONE = \"SA\"", Some("F07")),
        ("SYSCLONE = \"34\"", "SYSCLONE = \"36\"", Some("F07")),
        ("client = \"53&SYSCLONE\"", "client = \"53&SYSCLON\"", Some("F08")),
        ("8108-8118", "8108-8108", Some("F14")),
        ("client = \"53&SYSCLONE\"", "client = \"53SA\"", None),
        ("host = 5336", "host = 0", None),
    ] {
        let found = problems(&changed(from, to));
        assert_eq!(found.iter().map(|problem| problem.code).collect::<Vec<_>>(), [code], "{from} -> {to}");
    }
}

#[test]
fn sysplexports_counts_on_the_first_statement_only() {
    let ranges = |text: &str| {
        let sysplex = Sysplex::from_toml(text).expect("a good file");
        (sysplex.dvipas[0].sysplexports, sysplex.lpars[0].ephemeral == sysplex.lpars[1].ephemeral)
    };
    assert_eq!(ranges(GOOD), (true, false));
    assert_eq!(ranges(&changed("sysplexports = true", LATE_SYSPLEXPORTS)), (false, true));
}

#[test]
fn a_segment_at_the_end_of_all_addresses() {
    let text = changed("name = \"PLEX1\"", "lan = \"255.255.255.240/28\"").replace("address = \"10.10.10.101\"", "");
    let found = problems(&text);
    assert!(found.iter().any(|problem| problem.message.starts_with("no free address is left")), "{found:#?}");
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(at in 0..GOOD.len(), length in 0usize..40, text in "[\\PC\n]{0,12}") {
        let end = (at + length).min(GOOD.len());
        let file = format!("{}{text}{}", &GOOD[..at], &GOOD[end..]);
        for problem in problems(&file) {
            problem.render("file.toml", &file);
        }
    }

    #[test]
    fn no_value_makes_it_panic(
        at in 0..GOOD.lines().count(),
        value in r#"-?[0-9]{1,6}|"[&A-Z0-9.():-]{0,20}"|"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?""#,
    ) {
        // Replaces the value of one of the lines.
        let file: Vec<String> = (GOOD.lines().enumerate())
            .map(|(i, line)| match line.split_once(" = ") {
                Some((key, _)) if i == at => format!("{key} = {value}"),
                _ => line.to_owned(),
            })
            .collect();
        let _ = problems(&file.join("\n"));
    }
}
