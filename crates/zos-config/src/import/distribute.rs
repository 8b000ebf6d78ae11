//! VIPADISTRIBUTE and VIPAROUTE statements as tables.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::segments::Addresses;
use super::systems::Gathered;
use super::toml::{Toml, address, list, string, value};
use crate::profile::{Destination, Distribute, Vipa};
use crate::report::{NoteKind, Report};
use crate::source::{Place, Placed};

/// PORT takes so many entries (from memory).
const MOST_PORTS: usize = 64;
/// WEIGHT when none is given (from memory).
const DEFAULT_WEIGHT: u8 = 10;

/// What a statement says, without its places: two profiles that say the same are the same here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Essence(bool, Vec<String>, BTreeSet<String>, bool);

pub(super) fn essence(statement: &Distribute) -> Essence {
    let options = [
        statement.method.as_ref().map(|method| method.value.to_owned()),
        statement.autoswitchback.as_ref().map(|switch| switch.value.to_string()),
        statement.optlocal.as_ref().map(|optlocal| format!("OPTLOCAL {}", optlocal.value)),
        statement.timed_affinity.as_ref().map(|seconds| format!("TIMEDAFFINITY {}", seconds.value)),
        statement.sysplexports.map(|_| "SYSPLEXPORTS".to_owned()),
    ];
    let targets = statement.targets.iter().map(|target| {
        let weight = target.weight.as_ref().map(|weight| weight.value);
        let backup = target.backup.as_ref().map(|rank| rank.value);
        format!("{} {weight:?} {:?} {backup:?}", target.address.value, target.preferred.is_some())
    });
    let ports = statement.ports.iter().map(|port| port.value.clone());
    Essence(
        statement.define,
        options.into_iter().flatten().collect(),
        targets.chain(ports).collect(),
        statement.all_targets.is_some(),
    )
}

/// The system with this dynamic XCF address.
fn system_at<'s>(systems: &'s [Gathered<'_>], address: IpAddr) -> Option<&'s str> {
    let found = systems.iter().find(|system| {
        let own = [&system.profile.dynamic_xcf, &system.profile.dynamic_xcf6];
        own.into_iter().flatten().any(|xcf| xcf.value.address == address)
    });
    found.map(|found| found.system.identity.name.as_str())
}

pub(super) fn write(
    toml: &mut Toml<'_>,
    statement: &Placed<Distribute>,
    systems: &[Gathered<'_>],
    report: &mut Report,
) {
    let (place, statement) = (statement.place, &statement.value);
    for option in &statement.options {
        report.note(NoteKind::NotCarried, option.place, option.value.clone());
    }
    let targets = targets(statement, systems, report);
    if targets.is_empty() && statement.all_targets.is_none() {
        return report.note(
            NoteKind::NotCarried,
            place,
            "VIPADISTRIBUTE: none of its targets is among the members' systems",
        );
    }
    toml.table("[[dvipa.distribute]]");
    if !statement.define {
        toml.key("action", &string("DELETE"), place);
    }
    if let Some(first) = statement.ports.first() {
        if statement.ports.len() > MOST_PORTS {
            let text = format!("PORT has {} entries: z/OS takes {MOST_PORTS} at most", statement.ports.len());
            report.note(NoteKind::Changed, first.place, text);
        }
        toml.key("ports", &list(statement.ports.iter().map(|port| value(&port.value))), first.place);
    }
    if let Some(method) = &statement.method {
        toml.key("method", &string(method.value), method.place);
    }
    write_targets(toml, statement, &targets, place);
    if let Some(switch) = &statement.autoswitchback {
        toml.key("autoswitchback", &switch.value.to_string(), switch.place);
    }
    if let Some(seconds) = &statement.timed_affinity {
        toml.key("timed_affinity", &string(&format!("{}s", seconds.value)), seconds.place);
    }
    if let Some(optlocal) = &statement.optlocal {
        toml.key("optlocal", &optlocal.value.to_string(), optlocal.place);
    }
    if let Some(place) = statement.sysplexports {
        toml.key("sysplexports", "true", place);
    }
}

/// The targets that are known, with their systems. Backups of HOTSTANDBY come by their rank, the highest first.
fn targets<'s>(
    statement: &'s Distribute,
    systems: &'s [Gathered<'_>],
    report: &mut Report,
) -> Vec<(&'s str, &'s Destination)> {
    let mut found = Vec::new();
    for target in &statement.targets {
        match system_at(systems, target.address.value) {
            Some(name) => found.push((name, target)),
            None => {
                let text = format!(
                    "target {}: no system among the members has this dynamic XCF address",
                    target.address.value
                );
                report.note(NoteKind::NotCarried, target.address.place, text);
            }
        }
    }
    by_rank(&mut found);
    found
}

/// The backups change places among themselves, the preferred target stays where it is.
fn by_rank(targets: &mut [(&str, &Destination)]) {
    let rank = |(_, target): &(&str, &Destination)| target.backup.as_ref().map(|rank| rank.value);
    let places: Vec<usize> = (0..targets.len()).filter(|&place| rank(&targets[place]).is_some()).collect();
    let mut backups: Vec<_> = places.iter().map(|&place| targets[place]).collect();
    backups.sort_by_key(|backup| std::cmp::Reverse(rank(backup)));
    for (place, backup) in places.into_iter().zip(backups) {
        targets[place] = backup;
    }
}

fn write_targets(toml: &mut Toml<'_>, statement: &Distribute, targets: &[(&str, &Destination)], place: Place) {
    if let Some(place) = statement.all_targets {
        return toml.key("targets", &list([string("ALL")]), place);
    }
    let first = targets.first().map_or(place, |(_, target)| target.address.place);
    toml.key("targets", &list(targets.iter().map(|(name, _)| string(name))), first);
    if let Some(weight) = targets.iter().find_map(|(_, target)| target.weight.as_ref()) {
        let weight_of = |target: &Destination| target.weight.as_ref().map_or(DEFAULT_WEIGHT, |weight| weight.value);
        toml.key("weights", &list(targets.iter().map(|(_, target)| weight_of(target).to_string())), weight.place);
    }
    for (name, target) in targets {
        if let Some(place) = target.preferred {
            toml.key("preferred", &string(name), place);
        }
    }
}

/// VIPAROUTE: the routes of all systems, each once.
pub(super) fn write_routes(toml: &mut Toml<'_>, systems: &[Gathered<'_>], addresses: &Addresses, report: &mut Report) {
    let mut written = BTreeSet::new();
    for (position, system) in systems.iter().enumerate() {
        for (index, statement) in system.profile.vipa.iter().enumerate() {
            let Vipa::Route { define: true, dynxcf, target } = &statement.value else { continue };
            let later = &system.profile.vipa[index + 1..];
            let is_deleted = later.iter().any(|later| match &later.value {
                Vipa::Route { define: false, dynxcf: other, .. } => other.value == dynxcf.value,
                _ => false,
            });
            if is_deleted || written.contains(&(dynxcf.value, target.value)) {
                continue;
            }
            written.insert((dynxcf.value, target.value));
            let to = systems.iter().zip(&addresses.homes).find(|(system, _)| {
                system.profile.dynamic_xcf.as_ref().is_some_and(|xcf| xcf.value.address == dynxcf.value)
            });
            // Without a LAN of the members' own, the lab has one where no address of theirs is.
            let on_lan = match (addresses.lan, addresses.of(target.value)) {
                (Some(lan), IpAddr::V4(target)) => lan.contains(&target),
                _ => false,
            };
            if to.is_none() || !on_lan {
                let name = &systems[position].system.identity.name;
                let text = format!(
                    "VIPAROUTE on {name} for {} leads to {}, and not over the lab's LAN to one of its systems",
                    dynxcf.value, target.value
                );
                report.note(NoteKind::NotCarried, statement.place, text);
                continue;
            }
            toml.table("[[viparoute]]");
            toml.key("dynxcf", &address(addresses.of(dynxcf.value)), dynxcf.place);
            toml.key("target", &address(addresses.of(target.value)), target.place);
        }
    }
}
