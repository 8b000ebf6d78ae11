//! CLIENT ports of Debug Manager and the PORT lists: F01, F02, F16, F30 of plain servers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sysplex::raw::Spanned;
use sysplex::{Dvipa, Lpar, StartedTask};
use zos_config::profile::{Distribute, DvipaName, Vipa};
use zos_config::source::Placed;

use crate::facts::{At, Facts, Found, Manager, has_port, is_define, list, live, reaches};
use crate::finding::Severity;

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    if facts.statements().next().is_none() {
        return;
    }
    for manager in facts.managers() {
        not_distributed(facts, &manager, found);
    }
    after_takeover(facts, found);
    not_unique(facts, found);
    daemon_not_distributed(facts, found);
    bound_elsewhere(facts, found);
}

/// F01.
fn not_distributed(facts: &Facts<'_>, manager: &Manager<'_>, found: &mut Found) {
    let (port, lpar) = (manager.client, manager.lpar);
    let reached: Vec<&Dvipa> = facts
        .statements()
        .filter(|(_, statement)| reaches(statement, port, lpar.index))
        .map(|(dvipa, _)| dvipa)
        .collect();
    // Users come by the DVIPA that RSED's port is distributed at, and use its address for the session.
    let of_users: BTreeSet<IpAddr> = facts
        .statements()
        .filter(|(_, statement)| facts.daemons_of(statement).next().is_some())
        .map(|(dvipa, _)| dvipa.address)
        .collect();
    if reached.is_empty() {
        let message = format!(
            "CLIENT port {port} of {} on {} is in no VIPADISTRIBUTE PORT list with {} as a target",
            manager.name, lpar.name, lpar.name
        );
        found.add("F01", at_missing_port(facts, lpar, port), message);
    } else if !of_users.is_empty() && !reached.iter().any(|dvipa| of_users.contains(&dvipa.address)) {
        let users: Vec<String> = of_users.iter().map(|address| facts.own(*address).to_string()).collect();
        let message = format!(
            "CLIENT port {port} of {} on {} is distributed at {}, and users log on at {}: the client dials the port at the \
             address that it logged on to",
            manager.name,
            lpar.name,
            facts.own(reached[0].address),
            list(&users)
        );
        found.add_as(Severity::Warning, "F01", facts.at_statement(reached[0], port, ports_span), message);
    }
}

fn ports_span(table: &sysplex::raw::DistributeTable) -> Option<std::ops::Range<usize>> {
    table.ports.as_ref().map(Spanned::span)
}

/// The targets where the port is listed, else the PORT list that has the logon of this system or is the first.
fn at_missing_port(facts: &Facts<'_>, lpar: &Lpar, port: u16) -> Option<At> {
    let dvipas = &facts.sysplex.dvipas;
    if let Some(at) = dvipas.iter().find_map(|dvipa| facts.at_statement(dvipa, port, |_| None)) {
        return Some(at);
    }
    let with_logon = facts.daemons().filter(|daemon| daemon.lpar.index == lpar.index);
    let mut with_logon = with_logon
        .filter_map(|daemon| dvipas.iter().find_map(|dvipa| facts.at_statement(dvipa, daemon.port, ports_span)));
    with_logon.next().or_else(|| {
        let table = dvipas.iter().filter_map(|dvipa| facts.table(dvipa)).flat_map(|table| &table.distribute);
        let first = table.into_iter().find(|table| is_define(table))?;
        Some(At::Topology(ports_span(first).unwrap_or_else(|| first.targets.span())))
    })
}

/// F01 of a backup's own VIPADISTRIBUTE, which counts once it owns the DVIPA (from memory).
fn after_takeover(facts: &Facts<'_>, found: &mut Found) {
    for (lpar, system) in facts.systems() {
        let statements: Vec<&Placed<Vipa>> = live(&system.profile).collect();
        let backups = statements.iter().filter_map(|statement| match &statement.value {
            Vipa::Backup { define, .. } => Some(define),
            _ => None,
        });
        for define in backups {
            let address = define.dvipa.value.address;
            let is_of = |one: &Distribute| match &one.dvipa.value {
                DvipaName::Address(other) => *other == address,
                DvipaName::Interface(name) => Some(name) == define.interface.as_ref(),
            };
            let own: Vec<&Distribute> = statements
                .iter()
                .filter_map(|statement| match &statement.value {
                    Vipa::Distribute(one) if is_of(one) => Some(one.as_ref()),
                    _ => None,
                })
                .collect();
            let Some(dvipa) = facts.sysplex.dvipas.iter().find(|dvipa| facts.own(dvipa.address) == address) else {
                continue;
            };
            let lists = |one: &&Distribute, port: u16| {
                let mut ports = one.ports.iter();
                ports
                    .any(|text| system.symbols.symbols.expand(&text.value).is_ok_and(|done| has_port(&done.text, port)))
            };
            let missing: BTreeSet<u16> = facts
                .managers()
                .filter(|one| dvipa.distribute.iter().any(|statement| reaches(statement, one.client, one.lpar.index)))
                .map(|manager| manager.client)
                .filter(|port| dvipa.owner != lpar.index && !own.iter().any(|one| lists(one, *port)))
                .collect();
            let Some(first) = own.first().filter(|_| !missing.is_empty()) else { continue };
            let ports: Vec<String> = missing.iter().map(u16::to_string).collect();
            let message = format!(
                "{}, which backs up {address}, has a VIPADISTRIBUTE of its own without CLIENT port {}: sessions there end with a \
                 takeover",
                lpar.name,
                list(&ports)
            );
            let place = first.ports.first().map_or(first.dvipa.place, |port| port.place);
            found.add_as(Severity::Warning, "F01", Some(At::Member(place)), message);
        }
    }
}

/// F02.
fn not_unique(facts: &Facts<'_>, found: &mut Found) {
    let mut by_port: BTreeMap<u16, Vec<Manager<'_>>> = BTreeMap::new();
    for manager in facts.managers() {
        if facts.statements().any(|(_, statement)| statement.target(manager.lpar.index).is_some()) {
            by_port.entry(manager.client).or_default().push(manager);
        }
    }
    for (port, managers) in by_port.iter().filter(|(_, managers)| managers.len() > 1) {
        let names: Vec<&str> = managers.iter().map(|manager| manager.lpar.name.as_str()).collect();
        let message = format!("CLIENT port {port} is that of Debug Manager on {}", list(&names));
        let last = &managers[managers.len() - 1];
        let at = facts.at_task(last.lpar, last.name, |table| table.client.as_ref().map(Spanned::span));
        found.add("F02", at, message);
    }
}

/// F16.
fn daemon_not_distributed(facts: &Facts<'_>, found: &mut Found) {
    if facts.daemons().next().is_none() || facts.statements().any(|(_, one)| facts.daemons_of(one).next().is_some()) {
        return;
    }
    let debugging = facts.statements().find_map(|(dvipa, statement)| {
        let manager = facts.managers().find(|one| reaches(statement, one.client, one.lpar.index))?;
        Some((dvipa, manager.client))
    });
    let Some((dvipa, port)) = debugging else { return };
    let ports: BTreeSet<String> = facts.daemons().map(|daemon| daemon.port.to_string()).collect();
    let ports: Vec<String> = ports.into_iter().collect();
    let message = format!(
        "{} distributes CLIENT port {port} and not RSED's port {}: users have to log on at a system's own address, and their \
         clients then dial {port} there",
        facts.own(dvipa.address),
        list(&ports)
    );
    found.add("F16", facts.at_statement(dvipa, port, ports_span), message);
}

/// F30 of plain servers; Debug Manager and RSED listen on any address, unless a PORT reservation binds them.
fn bound_elsewhere(facts: &Facts<'_>, found: &mut Found) {
    for (lpar, task) in facts.tasks() {
        let StartedTask::Server { name, ports, bind: Some(bind), .. } = task else { continue };
        let lost = ports.iter().find(|port| {
            let mut of_port =
                facts.statements().filter(|(_, statement)| reaches(statement, **port, lpar.index)).peekable();
            !bind.is_unspecified() && of_port.peek().is_some() && of_port.all(|(dvipa, _)| dvipa.address != *bind)
        });
        if let Some(port) = lost {
            let message = format!(
                "{name} on {} listens on port {port} of {} alone: it is no ready target of the DVIPA that distributes the port",
                lpar.name,
                facts.own(*bind)
            );
            found.add("F30", facts.at_task(lpar, name, |table| table.bind.as_ref().map(Spanned::span)), message);
        }
    }
}
