//! The same for IPVS. Only the table beside it can be tried here; the kernel's tests run the whole.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use distributor::{Backend, Connection, Ipvs, OwnerPlan};
use sysplex::{LparIndex, Method, Sysplex};

use super::{EVERYTHING, cases, figure_4, is_as_it_was, nft_takes, owner_plan};

/// Each tool with what it reads.
fn render(sysplex: &Sysplex, previous: Option<&OwnerPlan>, next: &OwnerPlan) -> String {
    let scripts = Ipvs::new(sysplex).render(previous, next, &[]);
    scripts.iter().map(|script| format!("# {} {}\n{}", script.program, script.args.join(" "), script.stdin)).collect()
}

/// The lines for the port 4035 when both LPARs listen there.
fn lines_of_4035(sysplex: &Sysplex) -> Vec<String> {
    let text = render(sysplex, None, &owner_plan(sysplex, &[(1, 4035), (2, 4035)]));
    text.lines().filter(|line| line.contains(" -t 10.10.10.1:4035 ")).map(str::to_owned).collect()
}

fn index(number: u32) -> LparIndex {
    LparIndex::new(number).expect("an LPAR's number")
}

#[test]
fn ipvs_scripts_are_as_they_were() {
    for (name, previous, next) in cases() {
        is_as_it_was(&format!("{name}.ipvs"), &render(&figure_4(), previous.as_ref(), &next));
    }
}

#[test]
fn nft_takes_every_table_beside_ipvs() {
    let mut sysplex = figure_4();
    let mut of_ipv6 = sysplex.dvipas[0].clone();
    of_ipv6.address = "fd00:10::1".parse().expect("an address");
    sysplex.dvipas.push(of_ipv6);
    let with_ipv6 = owner_plan(&sysplex, &EVERYTHING);
    for (name, previous, next) in cases().into_iter().chain([("ipv6", None, with_ipv6)]) {
        for script in Ipvs::new(&sysplex).render(previous.as_ref(), &next, &[]) {
            if script.program == "nft" {
                let Some((good, output)) = nft_takes(&[&script.stdin], "nft -f -") else { return };
                assert!(good, "{name}: {output}\n{}", script.stdin);
            }
        }
    }
}

#[test]
fn ipvs_is_told_only_what_changed() {
    let sysplex = figure_4();
    let all = owner_plan(&sysplex, &EVERYTHING);
    assert_eq!(render(&sysplex, Some(&all), &all), "");

    let less = owner_plan(&sysplex, &[(1, 4035), (1, 5334), (2, 5335)]);
    let gone = render(&sysplex, Some(&all), &less);
    let lines = "# ipvsadm -R\n-e -t 10.10.10.1:4035 -r 9.9.9.2:4035 -g -w 0\n--set 86400 30 0\n";
    assert_eq!(gone, lines);
    // Its connections may have been forgotten, and the server with them.
    let back = render(&sysplex, Some(&less), &all);
    let lines = "# ipvsadm -R\n-a -t 10.10.10.1:4035 -r 9.9.9.2:4035 -g -w 1\n\
                 -e -t 10.10.10.1:4035 -r 9.9.9.2:4035 -g -w 1\n--set 86400 30 0\n";
    assert_eq!(back, lines);

    let mut settling = all.clone();
    settling.settling.insert(IpAddr::from([10, 10, 10, 1]));
    let text = render(&sysplex, Some(&all), &settling);
    assert!(text.starts_with("# nft -f -\n") && text.contains("elements = { 10.10.10.1 }"), "{text}");
}

#[test]
fn a_new_owner_may_have_stood_by() {
    let sysplex = figure_4();
    let text = render(&sysplex, Some(&OwnerPlan::default()), &owner_plan(&sysplex, &[(2, 5335)]));
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" -t 10.10.10.1:5335 ")).collect();
    let expected = [
        "-A -t 10.10.10.1:5335 -s rr",
        "-E -t 10.10.10.1:5335 -s rr",
        "-a -t 10.10.10.1:5335 -r 9.9.9.2:5335 -g -w 1",
        "-e -t 10.10.10.1:5335 -r 9.9.9.2:5335 -g -w 1",
        "-a -t 10.10.10.1:5335 -r 9.9.9.1:5335 -g -w 0",
    ];
    assert_eq!(lines, expected);
    assert!(text.contains("sysctl -q -e -w net.ipv4.vs.backup_only=0"), "{text}");
}

#[test]
fn methods_are_schedulers_and_affinity_is_persistence() {
    let mut sysplex = figure_4();
    sysplex.lpars[0].wlm = 10;
    sysplex.lpars[1].wlm = 30;
    sysplex.dvipas[0].distribute[0].targets[1].preferred = true;
    for (method, options, weights) in [
        (Method::RoundRobin, "-s rr", [1, 1]),
        (Method::BaseWlm, "-s wrr", [1, 3]),
        (Method::WeightedActive, "-s wlc", [1, 1]),
        (Method::HotStandby { autoswitchback: true }, "-s rr", [0, 1]),
    ] {
        sysplex.dvipas[0].distribute[0].method = method;
        let expected = [
            format!("-A -t 10.10.10.1:4035 {options}"),
            format!("-a -t 10.10.10.1:4035 -r 9.9.9.2:4035 -g -w {}", weights[1]),
            format!("-a -t 10.10.10.1:4035 -r 9.9.9.1:4035 -g -w {}", weights[0]),
        ];
        assert_eq!(lines_of_4035(&sysplex), expected, "{method:?}");
    }
    sysplex.dvipas[0].distribute[0].timed_affinity = Duration::from_secs(30);
    assert_eq!(lines_of_4035(&sysplex)[0], "-A -t 10.10.10.1:4035 -s rr -p 30");
}

#[test]
fn viparoute_has_another_address_for_a_target() {
    let mut sysplex = figure_4();
    sysplex.viparoutes.insert([9, 9, 9, 2].into(), [10, 10, 10, 12].into());
    assert_eq!(lines_of_4035(&sysplex)[1], "-a -t 10.10.10.1:4035 -r 10.10.10.12:4035 -g -w 1");
}

#[test]
fn forgotten_connections_go_with_their_servers() {
    let ipvs = Ipvs::new(&figure_4());
    let connection = |client: &str, dvipa: &str| {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        Connection { client: address(client), dvipa: address(dvipa), target: index(2) }
    };
    let scripts = ipvs.forget(&[
        connection("10.10.10.101:1", "10.10.10.1:4035"),
        connection("10.10.10.101:2", "10.10.10.1:4035"),
        connection("[fd00:10::65]:2", "[fd00:10::1]:4035"),
    ]);
    let lines =
        "-d -t 10.10.10.1:4035 -r 9.9.9.2:4035\n-d -t [fd00:10::1]:4035 -r [fd00:9::2]:4035\n--set 86400 30 0\n";
    assert_eq!(scripts.iter().map(|script| script.stdin.as_str()).collect::<Vec<_>>(), [lines]);
    assert_eq!(ipvs.forget(&[]), []);
}

#[test]
fn who_may_own_a_dvipa_hears_and_tells_of_connections() {
    let scripts = Ipvs::new(&figure_4()).prepare("xcf0");
    let daemons: Vec<String> = scripts
        .iter()
        .filter(|script| script.args[0] == "--start-daemon")
        .map(|script| format!("{} {}", script.program, script.args.join(" ")))
        .collect();
    let start = |state| format!("ipvsadm --start-daemon {state} --mcast-interface xcf0 --syncid 1");
    assert_eq!(daemons, [start("backup"), start("master")]);
}
