//! Rendered rulesets: as they were when last looked at, and accepted by the real tool.

#[path = "rulesets/iptables.rs"]
mod iptables;
#[path = "rulesets/iptables_packets.rs"]
mod iptables_packets;
#[path = "rulesets/ipvs.rs"]
mod ipvs;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use distributor::{Backend, Connection, Nftables, OwnerPlan, State, plan};
use sysplex::{LparIndex, NoTarget, Ports, Sysplex};

/// The plan of the first LPAR, which owns everything, with these `(LPAR, port)` listening.
fn owner_plan(sysplex: &Sysplex, listeners: &[(u32, u16)]) -> OwnerPlan {
    let index = |number| LparIndex::new(number).expect("an LPAR's number");
    let mut state = State {
        members: sysplex.lpars.iter().map(|lpar| lpar.index).collect(),
        owner: sysplex.dvipas.iter().map(|dvipa| (dvipa.address, dvipa.owner)).collect(),
        ..State::default()
    };
    for &(number, port) in listeners {
        let socket = format!("0.0.0.0:{port}").parse().expect("an address");
        state.listeners.entry(index(number)).or_default().push(socket);
    }
    plan(sysplex, &state).remove(&index(1)).expect("the owner's plan")
}

fn figure_4() -> Sysplex {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/topologies/two-lpars.toml");
    let text = std::fs::read_to_string(path).expect("the topology");
    Sysplex::from_toml(&text).expect("a good topology")
}

/// What nft is told.
fn stdin(previous: Option<&OwnerPlan>, next: &OwnerPlan) -> String {
    Nftables.render(previous, next, &[]).into_iter().map(|script| script.stdin).collect()
}

const EVERYTHING: [(u32, u16); 4] = [(1, 4035), (2, 4035), (1, 5334), (2, 5335)];

/// Each case: name, plan before, plan now.
fn cases() -> Vec<(&'static str, Option<OwnerPlan>, OwnerPlan)> {
    let sysplex = figure_4();
    let all = owner_plan(&sysplex, &EVERYTHING);
    let mut dropping = sysplex.clone();
    dropping.dvipas[0].no_target = NoTarget::Drop;
    dropping.dvipas[0].sysplexports = false;
    let mut smaller = sysplex.clone();
    smaller.dvipas[0].distribute[0].ports = Ports::Listed(vec![4035, 5335]);
    vec![
        ("two-lpars", None, all.clone()),
        ("nothing-listens-drop", None, owner_plan(&dropping, &[])),
        ("nothing-changed", Some(all.clone()), all.clone()),
        ("one-listener-gone", Some(all.clone()), owner_plan(&sysplex, &[(1, 4035), (2, 4035), (1, 5334)])),
        ("port-removed", Some(all.clone()), owner_plan(&smaller, &EVERYTHING)),
        ("owner-no-more", Some(all), OwnerPlan::default()),
        ("owner-of-nothing", None, OwnerPlan::default()),
    ]
}

#[test]
fn rulesets_are_as_they_were() {
    for (name, previous, next) in cases() {
        is_as_it_was(&format!("{name}.nft"), &stdin(previous.as_ref(), &next));
    }
}

/// Compares what is rendered with a file in `tests/snapshots`.
fn is_as_it_was(file: &str, found: &str) {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(file);
    if update {
        std::fs::write(&path, found).expect("a snapshot that can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found,
        expected,
        "{} is no longer what is rendered; if the new one is right: UPDATE_SNAPSHOTS=1 cargo test -p distributor",
        path.display()
    );
}

/// So many connections as one takeover of a busy DVIPA brings; a plain user's message to the kernel has no room for them.
#[test]
fn many_connections_come_in_several_scripts_and_before_the_plan() {
    let sysplex = figure_4();
    let plan = owner_plan(&sysplex, &EVERYTHING);
    let dvipa = SocketAddr::new(sysplex.dvipas[0].address, 4035);
    let target = LparIndex::new(2).expect("an LPAR's number");
    let client = |number: u32| SocketAddr::from((Ipv4Addr::from(0xc612_0000 + number), 40_000));
    let connections: Vec<Connection> =
        (0..12_000).map(|number| Connection { client: client(number), dvipa, target }).collect();
    let few = Nftables.render(None, &plan, &connections[..2000]);
    assert_eq!(few.len(), 1, "a plan and its connections are there at once");

    let settling = OwnerPlan { settling: [dvipa.ip()].into(), ..plan.clone() };
    let first = Nftables.render(None, &settling, &connections);
    assert!(first[0].stdin.contains("chain prerouting"), "the table comes first");
    let settled = Nftables.render(Some(&settling), &plan, &connections);
    let last = settled.last().expect("the plan");
    assert!(last.stdin.starts_with("delete element ip dvipa settling"), "all are known by then: {}", last.stdin);
    let all = first.iter().chain(&settled).map(|script| script.stdin.as_str());
    let all: Vec<&str> = all.flat_map(|script| [script, "--\n"]).collect();
    let commands = "f=$(mktemp); r=0; while IFS= read -r l; do if [ \"$l\" = -- ]; then nft -f $f || r=1; : > $f; else \
                    printf '%s\\n' \"$l\" >> $f; fi; done; rm $f; nft -n list map ip dvipa vcrt | grep -o 198.18 | wc -l; exit $r";
    // As a plain user, whom the kernel gives no larger messages than others get.
    let Some((good, output)) = nft_takes(&all, commands) else { return };
    assert!(good && output.contains("12000"), "{output}");
}

/// Runs a script in a network namespace of its own, after those before it. `None` when this machine forbids that.
fn nft_takes(scripts: &[&str], commands: &str) -> Option<(bool, String)> {
    let mut child = Command::new("unshare")
        .args(["-rn", "sh", "-c", commands])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(scripts.concat().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if stderr.contains("unshare") || stderr.contains("not found") {
        println!("skipped: {stderr}");
        return None;
    }
    Some((output.status.success(), stderr + &String::from_utf8_lossy(&output.stdout)))
}

#[test]
fn nft_takes_every_ruleset_and_anew_over_itself() {
    for (name, previous, next) in cases() {
        let first = previous.as_ref().map(|plan| stdin(None, plan)).unwrap_or_default();
        let (script, anew) = (stdin(previous.as_ref(), &next), stdin(None, &next));
        // One transaction each: a line with a dash parts them.
        let commands = "n=0; f=$(mktemp -d); while IFS= read -r l; do if [ \"$l\" = -- ]; then n=$((n+1)); else \
                        printf '%s\\n' \"$l\" >> $f/$n; fi; done; r=0; for i in 0 1 2; do [ -s $f/$i ] || continue; \
                        nft -f - < $f/$i || r=1; done; rm -r $f; exit $r";
        let Some((good, output)) = nft_takes(&[&first, "--\n", &script, "--\n", &anew], commands) else { return };
        assert!(good, "{name}: {output}");
    }
}

#[test]
fn nft_refuses_what_is_wrong() {
    let script = stdin(None, &owner_plan(&figure_4(), &EVERYTHING));
    let Some((good, output)) = nft_takes(&[&script.replace("@ready", "@redy")], "nft -c -f -") else { return };
    assert!(!good && output.contains("redy"), "{output}");
}

#[test]
fn only_what_changed_is_touched() {
    let sysplex = figure_4();
    let all = owner_plan(&sysplex, &EVERYTHING);
    let same = stdin(Some(&all), &all);
    assert!(!same.contains("flush") && !same.contains("add "), "{same}");

    let less = stdin(Some(&all), &owner_plan(&sysplex, &[(1, 4035), (2, 4035), (1, 5334)]));
    let flushed: Vec<&str> = less.lines().filter(|line| line.starts_with("flush chain")).collect();
    assert_eq!(flushed, ["flush chain ip dvipa port-10.10.10.1-5335"]);
    assert!(!less.contains("flush map ip dvipa vcrt"), "connections stay");
}
