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
            StartedTask::Rsed { .. } | StartedTask::Server { .. } => None,
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
        StartedTask::Rsed { .. } | StartedTask::Server { .. } => None,
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
