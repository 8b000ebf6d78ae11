//! The hub of the Debug Managers: F03, F04, F05, F06.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

use sysplex::LparIndex;
use sysplex::raw::Spanned;

use crate::facts::{At, Facts, Found, Manager, list};

/// The variable that has peers authenticated on the hub port.
const TRUSTEDTCP: &str = "TRUSTEDTCP";

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    let managers: Vec<Manager<'_>> = facts.managers().collect();
    if managers.len() > 1 {
        no_hub(facts, &managers, found);
    }
    let mut hubs: BTreeMap<SocketAddrV4, Vec<&Manager<'_>>> = BTreeMap::new();
    for manager in &managers {
        if let Some(hub) = manager.hub {
            hubs.entry(hub).or_default().push(manager);
        }
    }
    several(facts, &hubs, found);
    let mut seen = BTreeSet::new();
    for (hub, managers) in &hubs {
        if seen.insert(*hub.ip()) {
            address(facts, *hub.ip(), managers[0], found);
        }
    }
    trusted(facts, &managers, found);
}

fn at_hubip(facts: &Facts<'_>, manager: &Manager<'_>) -> Option<At> {
    facts.at_task(manager.lpar, manager.name, |table| table.hubip.as_ref().map(Spanned::span))
}

/// F03.
fn no_hub(facts: &Facts<'_>, managers: &[Manager<'_>], found: &mut Found) {
    let without: Vec<&Manager<'_>> = managers.iter().filter(|manager| manager.hub.is_none()).collect();
    let Some(first) = without.first() else { return };
    let names: Vec<&str> = without.iter().map(|manager| manager.lpar.name.as_str()).collect();
    let message = format!(
        "no HUBIP for Debug Manager on {}: a session there is not announced to a user who is logged on to another system",
        list(&names)
    );
    found.add("F03", at_hubip(facts, first), message);
}

/// F04 of instances that name different hubs.
fn several(facts: &Facts<'_>, hubs: &BTreeMap<SocketAddrV4, Vec<&Manager<'_>>>, found: &mut Found) {
    if hubs.len() < 2 {
        return;
    }
    let all: Vec<String> = hubs.keys().map(|hub| format!("{}:{}", facts.own(*hub.ip()), hub.port())).collect();
    // The fewest are probably the ones that are wrong.
    let odd = hubs.values().min_by_key(|managers| managers.len()).and_then(|managers| managers.first());
    let message =
        format!("Debug Managers name different hubs, {}: those of one hub do not see the users of another", list(&all));
    found.add("F04", odd.and_then(|manager| at_hubip(facts, manager)), message);
}

/// F04 and F05 of one HUBIP.
fn address(facts: &Facts<'_>, hub: Ipv4Addr, manager: &Manager<'_>, found: &mut Found) {
    let at = || at_hubip(facts, manager);
    let shown = facts.own(hub);
    if hub.is_loopback() || hub.is_unspecified() {
        let message =
            format!("HUBIP {shown} is an address of every system: each Debug Manager becomes a primary of its own");
        return found.add("F05", at(), message);
    }
    if let Some(dvipa) = facts.sysplex.dvipa(hub.into()) {
        let targets = dvipa.distribute.iter().flat_map(|statement| &statement.targets).map(|target| target.lpar);
        let bindable: BTreeSet<LparIndex> = targets.chain([dvipa.owner]).collect();
        // A DVIPA that is not distributed is on one system at a time.
        if bindable.len() > 1 {
            let names: Vec<&str> = bindable.into_iter().map(|lpar| facts.name(lpar)).collect();
            let message = format!("HUBIP {shown} is a distributed DVIPA, which {} can bind", list(&names));
            found.add("F05", at(), message);
        }
        return;
    }
    let Some(lpar) = facts.sysplex.lpars.iter().find(|lpar| facts.has_address(lpar, hub)) else {
        let message =
            format!("HUBIP {shown} is no address of an LPAR: no Debug Manager becomes primary, and all work alone");
        return found.add("F04", at(), message);
    };
    if !facts.managers().any(|manager| manager.lpar.index == lpar.index) {
        let message = format!("HUBIP {shown} is {}, where no Debug Manager runs: none becomes primary", lpar.name);
        found.add("F04", at(), message);
    }
}

/// F06.
fn trusted(facts: &Facts<'_>, managers: &[Manager<'_>], found: &mut Found) {
    let with_hub = managers.iter().filter(|manager| manager.hub.is_some());
    let is_on = |manager: &&Manager<'_>| manager.prm.iter().any(|word| word.eq_ignore_ascii_case("TRUSTEDTCP=ON"));
    let (on, off): (Vec<_>, Vec<_>) = with_hub.partition(is_on);
    let Some(first) = on.first().filter(|_| !off.is_empty()) else { return };
    let names = |of: &[&Manager<'_>]| list(&of.iter().map(|manager| manager.lpar.name.as_str()).collect::<Vec<_>>());
    let message = format!("TRUSTEDTCP is ON for Debug Manager on {} and not on {}", names(&on), names(&off));
    found.add("F06", at_trustedtcp(facts, first), message);
}

/// The variable in the member, or PRM in the topology.
fn at_trustedtcp(facts: &Facts<'_>, manager: &Manager<'_>) -> Option<At> {
    let system = facts.systems().find(|(lpar, _)| lpar.index == manager.lpar.index).map(|(_, system)| system);
    let mut asides = system.into_iter().flat_map(zos_config::import::Gathered::asides);
    let aside = asides.find(|aside| aside.task == manager.name && aside.key == TRUSTEDTCP);
    let in_member = aside.map(|aside| At::Member(aside.value.place));
    in_member.or_else(|| facts.at_task(manager.lpar, manager.name, |table| table.prm.as_ref().map(Spanned::span)))
}
