//! From a plan to a ruleset: what changed is set anew, in one transaction.

use std::fmt::Write;
use std::net::Ipv4Addr;

use sysplex::{Method, NoTarget};

use super::ruleset::{CHAINS, DECLARATIONS, TABLE, chains};
use crate::{OwnerPlan, PortPlan, mark};

/// One port of one DVIPA.
type Key = (Ipv4Addr, u16);

pub(super) fn script(previous: Option<&OwnerPlan>, next: &OwnerPlan) -> String {
    let none = OwnerPlan::default();
    let before = previous.unwrap_or(&none);
    let removed: Vec<Key> = ports(before).map(|(key, _)| key).filter(|&key| port_of(next, key).is_none()).collect();
    let changed: Vec<(Key, &PortPlan)> =
        ports(next).filter(|&(key, plan)| port_of(before, key) != Some(plan)).collect();

    let mut text = String::from(DECLARATIONS);
    for &(key, _) in &changed {
        line(&mut text, format_args!("add chain ip {TABLE} {}", chain_of(key)));
    }
    if previous.is_none() {
        for chain in CHAINS {
            line(&mut text, format_args!("flush chain ip {TABLE} {chain}"));
        }
        text.push_str(&chains());
    }
    for &((dvipa, port), plan) in &changed {
        let chain = chain_of((dvipa, port));
        line(&mut text, format_args!("flush chain ip {TABLE} {chain}"));
        line(&mut text, format_args!("add rule ip {TABLE} {chain} {}", rule(plan)));
    }
    for (kind, name, elements) in [
        ("set", "owned", owned as fn(&OwnerPlan) -> Vec<String>),
        ("set", "ready", ready),
        ("map", "ports", vmap),
        ("map", "sysplexports", sysplexports),
    ] {
        let now = elements(next);
        if previous.is_none_or(|previous| elements(previous) != now) {
            refill(&mut text, kind, name, &now);
        }
    }
    // Last, because a chain can go only when nothing leads to it. Added first, so that one that is gone already is no error.
    for key in removed {
        let chain = chain_of(key);
        for command in ["add", "flush", "delete"] {
            line(&mut text, format_args!("{command} chain ip {TABLE} {chain}"));
        }
    }
    text
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = text.write_fmt(content);
    text.push('\n');
}

fn ports(plan: &OwnerPlan) -> impl Iterator<Item = (Key, &PortPlan)> {
    plan.dvipas.iter().flat_map(|(&dvipa, plan)| plan.ports.iter().map(move |(&port, plan)| ((dvipa, port), plan)))
}

fn port_of(plan: &OwnerPlan, (dvipa, port): Key) -> Option<&PortPlan> {
    plan.dvipas.get(&dvipa)?.ports.get(&port)
}

fn chain_of((dvipa, port): Key) -> String {
    format!("port-{dvipa}-{port}")
}

/// The one rule of a port's chain.
fn rule(plan: &PortPlan) -> String {
    match (plan.targets.as_slice(), plan.method) {
        ([], _) => match plan.no_target {
            NoTarget::Reset => "reject with tcp reset".to_owned(),
            NoTarget::Drop => "drop".to_owned(),
        },
        ([only], _) => format!("meta mark set {} goto remember", mark(*only)),
        (several, method) => {
            let marks = several.iter().enumerate().map(|(turn, &target)| format!("{turn} : {}", mark(target)));
            let marks = marks.collect::<Vec<_>>().join(", ");
            let turn = match method {
                Method::RoundRobin => format!("numgen inc mod {}", several.len()),
            };
            format!("meta mark set {turn} map {{ {marks} }} goto remember")
        }
    }
}

fn refill(text: &mut String, kind: &str, name: &str, elements: &[String]) {
    line(text, format_args!("flush {kind} ip {TABLE} {name}"));
    if !elements.is_empty() {
        line(text, format_args!("add element ip {TABLE} {name} {{\n    {},\n}}", elements.join(",\n    ")));
    }
}

fn owned(plan: &OwnerPlan) -> Vec<String> {
    plan.dvipas.keys().map(Ipv4Addr::to_string).collect()
}

fn ready(plan: &OwnerPlan) -> Vec<String> {
    let targets = ports(plan).flat_map(|(key, plan)| plan.targets.iter().map(move |target| (key, mark(*target))));
    targets.map(|((dvipa, port), mark)| format!("{dvipa} . {port} . {mark}")).collect()
}

fn vmap(plan: &OwnerPlan) -> Vec<String> {
    ports(plan).map(|((dvipa, port), _)| format!("{dvipa} . {port} : goto {}", chain_of((dvipa, port)))).collect()
}

fn sysplexports(plan: &OwnerPlan) -> Vec<String> {
    let ranges = plan.dvipas.iter().flat_map(|(dvipa, plan)| plan.sysplexports.iter().map(move |range| (dvipa, range)));
    ranges
        .map(|(dvipa, range)| {
            let (first, last) = (range.ports.start(), range.ports.end());
            let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
            format!("{dvipa} . {ports} : {}", mark(range.target))
        })
        .collect()
}
