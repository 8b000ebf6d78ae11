//! DVIPAs and who may own them: F24, F26, F33; targets: D04, D06, D07.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sysplex::{Dvipa, Ports};
use zos_config::profile::{Define, Vipa};
use zos_config::source::Place;

use crate::facts::{At, Facts, Found, list, live};
use crate::finding::Severity;

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    let nobody = never_activated(facts, found);
    for dvipa in &facts.sysplex.dvipas {
        if !nobody.contains(&facts.own(dvipa.address)) {
            plain_backups(facts, dvipa, found);
        }
        dynamic_ports(facts, dvipa, found);
    }
    ranges_alone(facts, found);
    two_owners(facts, found);
    no_dynamic_xcf(facts, found);
    unknown_targets(facts, found);
}

/// F24 of a DVIPA that has nobody who activates it.
fn never_activated(facts: &Facts<'_>, found: &mut Found) -> Vec<IpAddr> {
    let mut defined = Vec::new();
    let mut backups: BTreeMap<IpAddr, (Place, bool)> = BTreeMap::new();
    for (_, system) in facts.systems() {
        for statement in live(&system.profile) {
            match &statement.value {
                Vipa::Define(define) => defined.push(define.dvipa.value.address),
                Vipa::Backup { define, .. } => {
                    let entry = backups.entry(define.dvipa.value.address).or_insert((define.dvipa.place, false));
                    entry.1 |= define.moveable.is_some();
                }
                _ => {}
            }
        }
    }
    let nobody = backups.into_iter().filter(|(address, (_, activates))| !activates && !defined.contains(address));
    let nobody: Vec<(IpAddr, Place)> = nobody.map(|(address, (place, _))| (address, place)).collect();
    for (address, place) in &nobody {
        let message = format!("{address} has plain VIPABACKUPs and no VIPADEFINE: no system here activates it");
        found.add_as(Severity::Error, "F24", Some(At::Member(*place)), message);
    }
    nobody.into_iter().map(|(address, _)| address).collect()
}

/// F24 of backups that only take over.
fn plain_backups(facts: &Facts<'_>, dvipa: &Dvipa, found: &mut Found) {
    if dvipa.backups.is_empty() || dvipa.backups.iter().any(|backup| backup.activates.is_some()) {
        return;
    }
    let names: Vec<&str> = dvipa.backups.iter().map(|backup| facts.name(backup.lpar)).collect();
    let message = format!(
        "VIPABACKUP of {} on {} has no MOVEABLE and mask: it takes over from {}, and does not activate a DVIPA that is active \
         nowhere",
        facts.own(dvipa.address),
        list(&names),
        facts.name(dvipa.owner)
    );
    let table = facts.table(dvipa);
    let first = table.and_then(|table| {
        table.backups.first().map(sysplex::raw::Spanned::span).or_else(|| Some(table.backup.first()?.lpar.span()))
    });
    found.add("F24", first.map(At::Topology), message);
}

/// F26.
fn dynamic_ports(facts: &Facts<'_>, dvipa: &Dvipa, found: &mut Found) {
    let is_dynamic = dvipa.distribute.iter().any(|statement| statement.ports == Ports::Dynamic);
    if !is_dynamic || dvipa.backups.is_empty() {
        return;
    }
    let message = format!(
        "VIPADISTRIBUTE without PORT for {}, which has a backup: after a takeover the new owner may not know the listeners",
        facts.own(dvipa.address)
    );
    let table = facts.table(dvipa).and_then(|table| table.distribute.iter().find(|one| one.ports.is_none()));
    found.add("F26", table.map(|table| At::Topology(table.targets.span())), message);
}

/// F33.
fn ranges_alone(facts: &Facts<'_>, found: &mut Found) {
    let statements = || facts.systems().flat_map(|(_, system)| live(&system.profile));
    let is_dvipa = |statement: &Vipa| matches!(statement, Vipa::Define(_) | Vipa::Backup { .. });
    let is_bound = facts.systems().any(|(_, system)| system.profile.ports.iter().any(|port| port.value.bind.is_some()));
    if statements().any(|one| is_dvipa(&one.value)) || is_bound || facts.managers().next().is_none() {
        return;
    }
    if let Some(range) = statements().find(|one| matches!(one.value, Vipa::Range(_))) {
        let message =
            "the only DVIPAs are those of a VIPARANGE, and no PORT reservation with BIND has a server bind one";
        found.add("F33", Some(At::Member(range.place)), message.to_owned());
    }
}

/// D07.
fn two_owners(facts: &Facts<'_>, found: &mut Found) {
    let mut owners: BTreeMap<IpAddr, Vec<(&str, &Define)>> = BTreeMap::new();
    for (lpar, system) in facts.systems() {
        for statement in live(&system.profile) {
            if let Vipa::Define(define) = &statement.value {
                owners.entry(define.dvipa.value.address).or_default().push((&lpar.name, define));
            }
        }
    }
    for (address, defined) in owners {
        let [_, .., (_, last)] = defined.as_slice() else { continue };
        let names: Vec<&str> = defined.iter().map(|(name, _)| *name).collect();
        let message =
            format!("{address} has a VIPADEFINE on {}: whoever comes last takes it from the other", list(&names));
        found.add("D07", Some(At::Member(last.dvipa.place)), message);
    }
}

/// D04.
fn no_dynamic_xcf(facts: &Facts<'_>, found: &mut Found) {
    if facts.sysplex.lpars.len() < 2 {
        return;
    }
    for (lpar, profile, head) in facts.profiles() {
        let takes_part = facts
            .statements()
            .any(|(dvipa, statement)| dvipa.owner == lpar.index || statement.target(lpar.index).is_some());
        if profile.dynamic_xcf.is_none() && profile.dynamic_xcf6.is_none() && takes_part {
            let message = format!("{} has no IPCONFIG DYNAMICXCF: it distributes nothing and is no target", lpar.name);
            found.add("D04", Some(head), message);
        }
    }
}

/// D06.
fn unknown_targets(facts: &Facts<'_>, found: &mut Found) {
    let known: Vec<IpAddr> = facts
        .systems()
        .flat_map(|(_, system)| [&system.profile.dynamic_xcf, &system.profile.dynamic_xcf6])
        .flatten()
        .map(|xcf| xcf.value.address)
        .collect();
    for (lpar, system) in facts.systems() {
        for statement in live(&system.profile) {
            let Vipa::Distribute(one) = &statement.value else { continue };
            for target in one.targets.iter().filter(|target| !known.contains(&target.address.value)) {
                let message = format!(
                    "DESTIP {} on {} is the dynamic XCF address of no system among the members",
                    target.address.value, lpar.name
                );
                found.add("D06", Some(At::Member(target.address.place)), message);
            }
        }
    }
}
