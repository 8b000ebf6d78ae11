//! The same for iptables with ipset.

use std::time::Duration;

use distributor::{Affinity, Backend, Connection, Iptables, OwnerPlan, Script, Tables};
use sysplex::{LparIndex, Method, Ports, Sysplex};

use super::{EVERYTHING, cases, figure_4, is_as_it_was, nft_takes, owner_plan};

/// What a shell is told: each tool with what it reads.
fn shell(scripts: &[Script]) -> String {
    let run = |script: &Script| {
        let Script { program, args, stdin } = script;
        format!("{program} {} <<'END'\n{stdin}END\n", args.join(" "))
    };
    scripts.iter().map(run).collect()
}

fn render(previous: Option<&OwnerPlan>, next: &OwnerPlan) -> String {
    shell(&Iptables.render(previous, next, &[]))
}

/// Runs scripts in namespaces of their own, with both variants of iptables. Those that this machine does not have or forbids
/// are left out.
fn runs(scripts: &str) -> Vec<(bool, String)> {
    let run = |variant: &str| {
        // The legacy variant has a file in /run for its lock.
        let mut script = "mount -t tmpfs tmpfs /run\n".to_owned();
        for tool in ["iptables", "ip6tables"] {
            for does in ["save", "restore"] {
                let (name, full) = (format!("{tool}-{does}"), format!("{tool}-{variant}-{does}"));
                script += &format!("ln -s $(command -v {full} || echo {full} not found >&2) /run/{name}\n");
            }
        }
        script += "PATH=/run:$PATH\niptables-restore --noflush < /dev/null || echo not found >&2\nset -e\n";
        nft_takes(&[&script, scripts], "exec unshare -m sh")
    };
    ["nft", "legacy"].map(run).into_iter().flatten().collect()
}

/// The tables after scripts.
fn tables_after(scripts: &str) -> Vec<Tables> {
    let read: String =
        Iptables.read().iter().map(|script| shell(std::slice::from_ref(script)) + "echo '=='\n").collect();
    let outputs = runs(&format!("{scripts}\n{read}"));
    let parse = |(good, output): (bool, String)| {
        assert!(good, "{output}");
        let parts: Vec<String> = output.split("==\n").map(str::to_owned).collect();
        Iptables.parse(&parts).unwrap_or_else(|error| panic!("{error}\n{output}"))
    };
    outputs.into_iter().map(parse).collect()
}

/// Figure 4 with a DVIPA of IPv6 as well, distributed as the other one is.
fn both_families() -> OwnerPlan {
    let mut plan = owner_plan(&figure_4(), &EVERYTHING);
    let same = plan.dvipas.values().next().cloned().expect("a DVIPA");
    plan.dvipas.insert(DVIPA6.parse().expect("an address"), same);
    plan
}

const DVIPA6: &str = "fd00:10:11:12:13:14:15:1";

fn index(number: u32) -> LparIndex {
    LparIndex::new(number).expect("an LPAR's number")
}

fn connection(client: &str, dvipa: &str, target: u32) -> Connection {
    let socket = |text: &str| text.parse().expect("an address and a port");
    Connection { client: socket(client), dvipa: socket(dvipa), target: index(target) }
}

#[test]
fn iptables_scripts_are_as_they_were() {
    for (name, previous, next) in cases() {
        is_as_it_was(&format!("{name}.iptables"), &render(previous.as_ref(), &next));
    }
}

#[test]
fn iptables_takes_every_ruleset_alone_and_twice() {
    let both = both_families();
    let more = [
        ("to both", Some(owner_plan(&figure_4(), &EVERYTHING)), both.clone()),
        ("from both", Some(both), OwnerPlan::default()),
    ];
    for (name, previous, next) in cases().into_iter().chain(more) {
        let first = previous.as_ref().map(|plan| render(None, plan)).unwrap_or_default();
        let script = render(previous.as_ref(), &next);
        for (good, output) in runs(&format!("{first}{script}{script}")) {
            assert!(good, "{name}: {output}");
        }
    }
}

#[test]
fn iptables_refuses_what_is_wrong() {
    let script = render(None, &owner_plan(&figure_4(), &EVERYTHING));
    for (good, output) in runs(&script.replace("--match-set dv4-vcrt-4035", "--match-set dv4-vcrt-4036")) {
        assert!(!good && output.contains("dv4-vcrt-4036"), "{output}");
    }
}

#[test]
fn iptables_touches_only_what_changed() {
    let sysplex = figure_4();
    let all = owner_plan(&sysplex, &EVERYTHING);
    assert_eq!(Iptables.render(Some(&all), &all, &[]), []);

    let less = render(Some(&all), &owner_plan(&sysplex, &[(1, 4035), (2, 4035), (1, 5334)]));
    let chains: Vec<&str> = less.lines().filter(|line| line.starts_with(':')).collect();
    // Of 5335: nobody has its turn any more.
    let [round, list, gone] = chains[..] else { panic!("{less}") };
    assert_eq!(list, ":dvipa-turn - [0:0]");
    assert!(round.starts_with(":turn-") && gone.starts_with(":turn-"), "{less}");
    let sets: Vec<&str> = less.lines().filter(|line| line.starts_with("add ") || line.starts_with("del ")).collect();
    assert_eq!(sets, ["del dv4-ready-2 10.10.10.1,tcp:5335"], "connections and turns stay");
}

/// Every LPAR of 32 listens on 64 ports, except the last, which does or does not.
fn uniform(last: bool) -> OwnerPlan {
    let mut sysplex = Sysplex::uniform(32);
    sysplex.dvipas[0].distribute[0].ports = Ports::Listed((20_000..20_064).collect());
    let lpars = if last { 1..=32 } else { 1..=31 };
    let listeners: Vec<(u32, u16)> = lpars.flat_map(|lpar| (20_000..20_064).map(move |port| (lpar, port))).collect();
    owner_plan(&sysplex, &listeners)
}

#[test]
fn iptables_has_one_round_for_all_ports_that_go_the_same() {
    let (all, less) = (uniform(true), uniform(false));
    let scripts = Iptables.render(Some(&all), &less, &[]);
    let [sets, rules] = &scripts[..] else { panic!("{scripts:?}") };
    let ip = all.dvipas.keys().next().expect("a DVIPA");
    let expected =
        format!("del dv4-ready-32 {ip},tcp:20000-20063\nadd dv4-turn {ip},tcp:20000-20063 packets 0 bytes 0\n");
    assert_eq!(sets.stdin, expected);
    let rules = rules.stdin.lines().filter(|line| line.starts_with("-A")).count();
    assert_eq!(rules, 1 + 2 + 31, "the list of ports, what counts turns, and turns");
    for tables in tables_after(&(render(None, &all) + &shell(&scripts))) {
        let weights: Vec<u32> = tables.vdpt.iter().map(|entry| entry.weight).collect();
        assert_eq!(weights, [1; 64 * 31]);
    }
}

#[test]
fn iptables_set_anew_leaves_nothing_of_another_plan() {
    let before = both_families();
    let now = owner_plan(&figure_4(), &[(2, 5335)]);
    for tables in tables_after(&(render(None, &before) + &render(None, &now))) {
        let of_v4 = tables.vdpt.iter().filter(|entry| entry.dvipa.is_ipv4());
        let found: Vec<_> = of_v4.map(|entry| (entry.dvipa.port(), entry.target.get(), entry.weight)).collect();
        assert_eq!(found, [(5335, 2, 1)]);
    }
}

#[test]
fn iptables_shows_connections_that_were_written() {
    let both = both_families();
    let range = both.dvipas.values().next().and_then(|plan| plan.sysplexports.get(1)).expect("the range of LPAR2");
    let by_range = *range.ports.end();
    let mut connections = vec![
        connection("10.10.10.101:40000", "10.10.10.1:4035", 2),
        connection("10.10.10.101:40000", "10.10.10.1:5334", 1),
        connection("10.10.10.101:40001", &format!("10.10.10.1:{by_range}"), 2),
        connection("10.10.10.101:40002", "10.10.10.1:7777", 32),
        connection("[fd00::101]:65535", &format!("[{DVIPA6}]:4035"), 1),
        connection("[fd00::101]:65534", &format!("[{DVIPA6}]:{by_range}"), 2),
    ];
    let written = shell(&Iptables.render(None, &both, &connections));
    connections.sort();
    let shown = |tables: Tables| {
        let mut shown: Vec<Connection> = tables.vcrt.iter().map(distributor::VcrtEntry::connection).collect();
        shown.sort();
        shown
    };
    for tables in tables_after(&written) {
        assert_eq!(shown(tables), connections);
    }
    let (gone, left) = connections.split_at(3);
    for tables in tables_after(&format!("{written}{}", shell(&Iptables.forget(gone)))) {
        assert_eq!(shown(tables), left);
    }
    // What is not there can be forgotten, too.
    for tables in tables_after(&shell(&Iptables.forget(gone))) {
        assert_eq!(shown(tables), []);
    }
}

#[test]
fn iptables_takes_as_many_ports_and_turns_as_there_can_be() {
    let mut plan = both_families();
    for dvipa in plan.dvipas.values_mut() {
        let mut port = dvipa.ports[&4035].clone();
        port.method = Method::BaseWlm;
        dvipa.ports.extend((6000..6063).map(|number| (number, port.clone())));
        for (share, weight) in port.shares.iter_mut().zip([501, 523]) {
            share.weight = weight;
        }
        dvipa.ports.insert(6063, port);
    }
    for tables in tables_after(&render(None, &plan)) {
        let of_port = tables.vdpt.iter().filter(|entry| entry.dvipa.port() == 6063);
        let weights: Vec<u32> = of_port.map(|entry| entry.weight).collect();
        assert_eq!(weights, [501, 523, 501, 523], "of both DVIPAs");
    }
    // The kernel is told in several runs, and nothing follows them before the last one.
    let runs = Iptables.render(None, &plan, &[]);
    let rules: Vec<&Script> = runs.iter().filter(|run| run.program == "iptables-restore").collect();
    let followed: Vec<usize> = (0..rules.len()).filter(|&at| rules[at].stdin.contains("-A PREROUTING")).collect();
    assert!(rules.len() > 3 && followed == [rules.len() - 1], "{followed:?} of {}", rules.len());
}

#[test]
fn the_timer_of_an_affinity_is_rounded_up() {
    let affinity = |seconds| Affinity {
        client: "10.10.10.101".parse().expect("an address"),
        dvipa: "10.10.10.1:4035".parse().expect("an address and a port"),
        target: index(1),
        expires: Duration::from_secs(seconds),
    };
    let timer = |millis| shell(&Iptables.affinity_timers(&[(affinity(9), Duration::from_millis(millis))]));
    assert_eq!([timer(0), timer(1)].map(|text| text.contains("timeout 1\n")), [true, true], "0 would mean forever");
    assert!(timer(1001).contains("add dv4-affinity 10.10.10.101,tcp:4035,10.10.10.1 timeout 2\n"), "{}", timer(1001));
    assert_eq!(Iptables.affinity_timers(&[]), []);
    assert_eq!(Iptables.forget(&[]), []);
}
