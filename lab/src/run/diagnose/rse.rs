//! Causes that are in the second port of a logon: the RSE server's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

use evidence::{Direction, Event, What};
use sysplex::{Lpar, StartedTask};

use super::debug_manager::line;
use super::{Carried, Case, Cause, Rule};
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] = &[no_sysplexports, same_port_range, range_exhausted, no_ephemeral_port];

/// Lines of one kind that are shown.
const SHOWN: usize = 4;

/// A logon whose second connection failed.
struct Second<'c> {
    user: &'c str,
    /// The system whose RSE server waited, and the port that it had bound.
    lpar: &'c Lpar,
    address: SocketAddr,
    /// What the RSE daemon and the client say of it.
    given: &'c Event,
    failed: &'c Event,
}

fn second(case: &Case) -> Option<Second<'_>> {
    if case.failure.symptom != Symptom::LogonFailed {
        return None;
    }
    case.events.iter().find_map(|failed| {
        let What::ConnectFailed { what, address, how, .. } = &failed.what else { return None };
        let user = failed.task.as_str();
        let given = case.events.iter().rev().find(|event| match &event.what {
            What::Logon { user: of, second_port, .. } => of == user && *second_port == address.port(),
            _ => false,
        })?;
        let lpar = case.sysplex.lpar_named(&given.system)?;
        let was_refused = what == "rse_server" && how == "refused";
        was_refused.then_some(Second { user, lpar, address: *address, given, failed })
    })
}

/// `_RSE_PORTRANGE` of the RSE daemon there.
fn port_range(lpar: &Lpar) -> Option<&Range<u16>> {
    lpar.tasks
        .iter()
        .find_map(|task| if let StartedTask::Rsed { port_range, .. } = task { port_range.as_ref() } else { None })
}

/// A SYN to this address that arrived at a system.
pub(super) fn syn_at<'c>(case: &'c Case, system: &str, to: SocketAddr) -> Option<&'c Carried> {
    let arrived = |flow: &&Carried| {
        flow.key.system == system
            && flow.key.direction == Direction::In
            && flow.key.destination == to
            && flow.seen.syn > 0
    };
    case.carried.iter().find(arrived)
}

/// The flow, as evidence.
pub(super) fn packets(flow: &Carried) -> String {
    let Carried { key, seen } = flow;
    format!(
        "capture: {} {} in: {} > {}, {} packets, {} of them SYN",
        key.system, key.interface, key.source, key.destination, seen.packets, seen.syn
    )
}

/// Nothing says whose the port is, so the owner kept the connection.
fn no_sysplexports(case: &Case) -> Option<Cause> {
    let Second { user, lpar, address, given, failed } = second(case)?;
    let dvipa = case.sysplex.dvipa(address.ip())?;
    let owner = case.owners.get(&address.ip().to_string())?;
    let listed = dvipa.distribute.iter().any(|statement| statement.lists(address.port()));
    let arrived = syn_at(case, owner, address)?;
    if dvipa.sysplexports
        || listed
        || port_range(lpar).is_some()
        || *owner == lpar.name
        || syn_at(case, &lpar.name, address).is_some()
    {
        return None;
    }
    let late = dvipa.distribute.iter().any(|statement| statement.sysplexports);
    let coded = if late {
        "has SYSPLEXPORTS, but not on its first VIPADISTRIBUTE,"
    } else {
        "is distributed without SYSPLEXPORTS,"
    };
    let sentence = format!(
        "{} {coded} so nobody knew that port {}, on which the RSE server of {user} waited, is one of {}: {owner}, which owns the \
         DVIPA, kept the second connection of the logon and refused it: code SYSPLEXPORTS on the first VIPADISTRIBUTE of the DVIPA.",
        address.ip(),
        address.port(),
        lpar.name
    );
    Some(Cause::new("F11", sentence).because(line(given)).because(packets(arrived)).because(line(failed)))
}

/// Another system has the port in its `_RSE_PORTRANGE` too, and got the connection.
fn same_port_range(case: &Case) -> Option<Cause> {
    let Second { user, lpar, address, given, failed } = second(case)?;
    let own = port_range(lpar).filter(|range| range.contains(&address.port()))?;
    let (other, range, arrived) =
        case.sysplex.lpars.iter().filter(|other| other.index != lpar.index).find_map(|other| {
            let range = port_range(other).filter(|range| range.contains(&address.port()))?;
            Some((other, range, syn_at(case, &other.name, address)?))
        })?;
    if syn_at(case, &lpar.name, address).is_some() {
        return None;
    }
    let sentence = format!(
        "_RSE_PORTRANGE is {}-{} on {} and {}-{} on {}, so the second connection of {user}'s logon on {}, to port {}, was taken to \
         {}, where nobody waits on it: give each system a range of its own, in an rse.env of its own.",
        own.start,
        own.end,
        lpar.name,
        range.start,
        range.end,
        other.name,
        lpar.name,
        address.port(),
        other.name
    );
    Some(Cause::new("F13", sentence).because(line(given)).because(packets(arrived)).because(line(failed)))
}

/// A logon that the RSE daemon refused because it had no RSE server for it.
fn refused(case: &Case) -> Option<(&str, &Lpar, &str, usize)> {
    let (at, event) =
        case.events.iter().enumerate().find(|(_, event)| matches!(event.what, What::LogonRefused { .. }))?;
    let What::LogonRefused { user, refusal, .. } = &event.what else { return None };
    let is_one = case.failure.symptom == Symptom::LogonFailed && refusal.code == "busy";
    is_one.then_some((user.as_str(), case.sysplex.lpar_named(&event.system)?, refusal.reason.as_str(), at))
}

/// All ports of `_RSE_PORTRANGE` were held by logons whose clients had not come yet.
fn range_exhausted(case: &Case) -> Option<Cause> {
    let (user, lpar, _, at) = refused(case)?;
    let range = port_range(lpar)?;
    let mut held: BTreeMap<u16, &Event> = BTreeMap::new();
    for event in case.events.iter().take(at).filter(|event| event.system == lpar.name) {
        match &event.what {
            What::Logon { second_port, .. } => {
                held.insert(*second_port, event);
            }
            What::LogonComplete { user: gone, .. } | What::LogonAbandoned { user: gone, .. } => {
                held.retain(|_, of| !matches!(&of.what, What::Logon { user, .. } if user == gone));
            }
            _ => {}
        }
    }
    if !range.clone().all(|port| held.contains_key(&port)) {
        return None;
    }
    let count = range.len();
    let ports = if count == 1 { "the one port".to_owned() } else { format!("all {count} ports") };
    let sentence = format!(
        "{ports} of _RSE_PORTRANGE {}-{} on {} (its end is exclusive) had an RSE server that waited for its client when {user} logged \
         on, so there was none for {user}: give the range as many ports as users may log on at the same moment, and one more as \
         its end.",
        range.start, range.end, lpar.name
    );
    let holders = held.values().take(SHOWN).map(|event| line(event));
    let cause = holders.fold(Cause::new("F14", sentence), Cause::because);
    Some(cause.because(line(&case.events[at])))
}

/// The system gave no ephemeral port although hardly any is in use: they come from EZBEPORT.
fn no_ephemeral_port(case: &Case) -> Option<Cause> {
    let (user, lpar, reason, at) = refused(case)?;
    let dialled = case.events.iter().find_map(|event| match &event.what {
        What::Connected { what, peer, .. } if event.task == user && what == "rsed" => Some(*peer),
        _ => None,
    })?;
    let dvipa = case.sysplex.dvipa(dialled.ip()).filter(|dvipa| dvipa.sysplexports)?;
    let sockets = [&case.listeners, &case.connections].into_iter().filter_map(|all| all.get(&lpar.name)).flatten();
    let in_use = sockets.filter(|socket| lpar.ephemeral.contains(&socket.local.port())).count();
    if port_range(lpar).is_some() || !reason.contains("no ephemeral port") || in_use * 2 > lpar.ephemeral.len() {
        return None;
    }
    let sentence = format!(
        "{} has SYSPLEXPORTS, so the ports that {} gives to servers come from the structure EZBEPORT in the coupling facility, and \
         there was none for the RSE server of {user} although {in_use} of {} are in use: define EZBEPORT in the CFRM policy, with \
         room for the sysplex, and have it rebuilt.",
        dvipa.address,
        lpar.name,
        lpar.ephemeral.len()
    );
    let sockets = format!(
        "sock_diag: {} has {in_use} sockets on ports {} to {}",
        lpar.name,
        lpar.ephemeral.start(),
        lpar.ephemeral.end()
    );
    Some(Cause::new("F12", sentence).because(line(&case.events[at])).because(sockets))
}

#[cfg(test)]
mod tests;
