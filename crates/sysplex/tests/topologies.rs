//! The topologies that the scenarios use are what they say they are.

use std::path::Path;

use sysplex::{Method, Ports, StartedTask, Sysplex};

fn topology(name: &str) -> Sysplex {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/topologies").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Sysplex::from_toml(&text).unwrap_or_else(|problems| {
        let rendered: Vec<String> = problems.iter().map(|problem| problem.render(name, &text)).collect();
        panic!("{}", rendered.join("\n"))
    })
}

fn client_ports(sysplex: &Sysplex) -> Vec<u16> {
    let tasks = sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks);
    tasks
        .filter_map(|task| match task {
            StartedTask::DebugManager { client, .. } => Some(*client),
            _ => None,
        })
        .collect()
}

#[test]
fn figure_4() {
    let sysplex = topology("two-lpars.toml");
    assert_eq!(client_ports(&sysplex), [5334, 5335]);
    let [dvipa] = sysplex.dvipas.as_slice() else { panic!("{:?}", sysplex.dvipas) };
    let [statement] = dvipa.distribute.as_slice() else { panic!("{dvipa:?}") };
    assert_eq!((&statement.ports, statement.method), (&Ports::Listed(vec![4035, 5334, 5335]), Method::RoundRobin));
    assert_eq!(sysplex.lpar(dvipa.owner).expect("owner").name, "LPAR1");
    let hub = sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).find_map(|task| match task {
        StartedTask::DebugManager { hub, .. } => *hub,
        _ => None,
    });
    assert_eq!(hub, Some("9.9.9.1:5337".parse().expect("an address")));
    let [one, two] = sysplex.lpars.as_slice() else { panic!("{:?}", sysplex.lpars) };
    assert_eq!((one.ephemeral.clone(), two.ephemeral.clone()), (32768..=46883, 46884..=60999));
}

#[test]
fn sysplexports_is_said_by_the_first_statement_after_everything_was_deleted() {
    let define = |sysplexports| {
        format!("[[dvipa.distribute]]\nports = [80]\ntargets = [\"ALL\"]\nsysplexports = {sysplexports}\n")
    };
    let delete = "[[dvipa.distribute]]\naction = \"DELETE\"\nports = [80]\ntargets = [\"ALL\"]\n";
    let head = "[[lpar]]\nname = \"SYS1\"\n[[dvipa]]\naddress = \"10.10.10.1\"\nowner = \"SYS1\"\n";
    for (first, second) in [(false, true), (true, false)] {
        let text = format!("{head}{}{delete}{}", define(first), define(second));
        let sysplex = Sysplex::from_toml(&text).expect("a topology");
        assert_eq!(sysplex.dvipas[0].sysplexports, second);
    }
}

/// On z/OS nothing checks a procedure's PARM before the program does.
#[test]
fn a_site_is_run_with_the_parm_that_its_symbols_make() {
    let task = |keys: &str| {
        let head = "[[lpar]]\nname = \"SYS1\"\nsymbols = { SYSCLONE = \"S1\", CLONE = \"36\" }\n";
        format!("{head}[[started_task]]\nname = \"DBGMGR\"\nprogram = \"dbgmgr\"\n{keys}")
    };
    let run = |keys: &str| Sysplex::from_toml_as_run(&task(keys)).map(|sysplex| sysplex.lpars[0].tasks.clone());
    let wrong = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Ok(vec![StartedTask::WrongParm { name: "DBGMGR".to_owned(), words }])
    };
    let keys = "client = \"53&SYSCLONE\"\nhubip = \"9.9.9.1\"\nprm = \"TRUSTEDTCP=ON\"\n";
    assert_eq!(run(keys), wrong(&["5336", "53S1", "HUBIP=9.9.9.1", "HUBPORT=5337", "TRUSTEDTCP=ON"]));
    assert_eq!(run("client = \"&EQADBM\"\n"), wrong(&["5336", "&EQADBM"]));
    assert!(Sysplex::from_toml(&task(keys)).is_err(), "who writes a topology is told at once");
    // Two ports that are one are for the program to say, too; what no symbol has a part in is a mistake of the file.
    let collides = run("client = \"53&CLONE\"\n").expect("to be run");
    assert!(matches!(collides[0], StartedTask::DebugManager { client: 5336, host: 5336, .. }), "{collides:?}");
    assert_eq!(run("client = \"533B\"\n").expect_err("no port").len(), 1);
}

#[test]
fn the_words_of_prm_go_to_debug_manager() {
    let text = "[[lpar]]\nname = \"SYS1\"\n[[started_task]]\nname = \"DBGMGR\"\nprogram = \"dbgmgr\"\n\
                prm = \"TRUSTEDTCP=ON  NAMETOKEN=PERSIST\"\n";
    let sysplex = Sysplex::from_toml(text).expect("a topology");
    let StartedTask::DebugManager { prm, .. } = &sysplex.lpars[0].tasks[0] else { panic!("{sysplex:?}") };
    assert_eq!(prm, &["TRUSTEDTCP=ON", "NAMETOKEN=PERSIST"]);
    let rsed = Sysplex::from_toml(&text.replace("\"dbgmgr\"", "\"rsed\"")).expect_err("a key of another program");
    assert_eq!(rsed[0].message, "`prm` belongs to program `dbgmgr`, not to `rsed`");
}

#[test]
fn an_at_tls_rule_covers_the_client_ports_in_its_range_and_no_other() {
    let with_tls = |name: &str| {
        let tasks = topology(name).lpars.into_iter().flat_map(|lpar| lpar.tasks);
        let tls =
            tasks.filter_map(|task| if let StartedTask::DebugManager { tls, .. } = task { Some(tls) } else { None });
        tls.collect::<Vec<_>>()
    };
    assert_eq!(with_tls("two-lpars.toml"), [false, false]);
    assert_eq!(with_tls("two-lpars-attls.toml"), [true, true]);
    assert_eq!(with_tls("attls-for-one-port.toml"), [false, true]);
    let wrong = |task: &str| {
        let text = format!("[[lpar]]\nname = \"SYS1\"\n[[started_task]]\nname = \"T\"\n{task}\n");
        let problems = Sysplex::from_toml(&text).expect_err("is wrong");
        problems[0].render("x.toml", &text)
    };
    let found = wrong("program = \"dbgmgr\"\nattls = \"5335-\"");
    assert!(found.contains("x.toml:6:9") && found.contains("is not a port number"), "{found}");
    let found = wrong("program = \"rsed\"\nattls = 4035");
    assert!(found.contains("`attls` belongs to program `dbgmgr`"), "{found}");
}
