//! Causes that are in where users log on, and where the distributor takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use evidence::{Event, What};
use sysplex::{Distribute, Dvipa, Lpar, Method, StartedTask};

use super::debug_manager::line;
use super::{Case, Cause, Distributed, Rule};
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] =
    &[twice_around, weights_of_the_daemon, one_address_one_system, at_own_address, nobody_has_the_address];

/// Logons at a DVIPA, when they came to other systems than they must.
struct Logons<'c> {
    dvipa: &'c Dvipa,
    statement: &'c Distribute,
    /// RSED's port at the DVIPA.
    at: SocketAddr,
    /// Who came where, from which address.
    all: Vec<(&'c str, &'c Lpar, IpAddr, &'c Event)>,
    /// The targets that were ready, with the table's rows.
    ready: Vec<(&'c Lpar, &'c Distributed)>,
}

impl<'c> Logons<'c> {
    fn of(case: &'c Case) -> Option<Self> {
        if case.failure.symptom != Symptom::LogonElsewhere {
            return None;
        }
        let of_event = |event: &'c Event| match &event.what {
            What::Logon { user, peer, local, .. } => {
                Some((*local, (user.as_str(), case.sysplex.lpar_named(&event.system)?, peer.ip(), event)))
            }
            _ => None,
        };
        let logons: Vec<_> = case.events.iter().filter_map(of_event).collect();
        let at = logons.last()?.0;
        let dvipa = case.sysplex.dvipa(at.ip())?;
        let statement = dvipa.distribute.iter().find(|statement| statement.lists(at.port()))?;
        let all = logons.into_iter().filter(|(to, _)| *to == at).map(|(_, logon)| logon).collect();
        let rows = case.distributed.iter().filter(|row| row.dest == at && row.rdy > 0);
        let ready = rows.filter_map(|row| Some((case.sysplex.lpar_named(&row.target)?, row))).collect();
        Some(Self { dvipa, statement, at, all, ready })
    }

    /// How many users came to this system.
    fn on(&self, lpar: &Lpar) -> usize {
        self.all.iter().filter(|(_, on, ..)| on.index == lpar.index).count()
    }

    /// The targets' rows, as evidence.
    fn table(&self) -> Vec<String> {
        let row = |(lpar, row): &(&Lpar, &Distributed)| {
            format!(
                "VDPT on {}: {} at {}: Rdy {}, WLM {}, TotalConn {}; users: {}",
                row.owner,
                self.at,
                lpar.name,
                row.rdy,
                row.wlm,
                row.total_conn,
                self.on(lpar)
            )
        };
        self.ready.iter().map(row).collect()
    }
}

fn because_all(cause: Cause, lines: Vec<String>) -> Cause {
    lines.into_iter().fold(cause, Cause::because)
}

/// ROUNDROBIN, and each logon takes two connections.
fn twice_around(case: &Case) -> Option<Cause> {
    let logons = Logons::of(case)?;
    let tried_tls = |user: &str| {
        let is_try = |event: &&Event| matches!(&event.what, What::Connected { what, .. } if event.task == user && what == "rsed_tls");
        case.events.iter().find(is_try)
    };
    let tries: Vec<&Event> = logons.all.iter().map(|(user, ..)| tried_tls(user)).collect::<Option<_>>()?;
    let empty: Vec<&Lpar> = logons.ready.iter().map(|(lpar, _)| *lpar).filter(|lpar| logons.on(lpar) == 0).collect();
    let were_sent = logons.ready.iter().all(|(_, row)| row.total_conn > 0);
    let is_round = logons.statement.method == Method::RoundRobin && logons.statement.timed_affinity.is_zero();
    let is_half = !logons.ready.is_empty() && empty.len() * 2 == logons.ready.len();
    if !is_round || !is_half || !were_sent || tries.len() < 2 {
        return None;
    }
    let names: Vec<&str> = empty.iter().map(|lpar| lpar.name.as_str()).collect();
    let sentence = format!(
        "the clients tried TLS first and connected again without it, two connections for a logon, and DISTMETHOD ROUNDROBIN goes \
         round {} systems, an even number: all tries with TLS came to {}, and all users to the others: use BASEWLM for port {} of \
         {}, or TLS.",
        logons.ready.len(),
        names.join(" and "),
        logons.at.port(),
        logons.dvipa.address
    );
    let cause = Cause::new("F09", sentence).because(line(tries[0]));
    Some(because_all(cause, logons.table()))
}

/// SERVERWLM, and the weights of RSED say otherwise than those of the systems.
fn weights_of_the_daemon(case: &Case) -> Option<Cause> {
    let logons = Logons::of(case).filter(|logons| logons.statement.method == Method::ServerWlm)?;
    let of_server = |lpar: &Lpar| lpar.server_wlm.get(&logons.at.port()).copied().unwrap_or(lpar.wlm);
    let lpars = || logons.ready.iter().map(|(lpar, _)| *lpar);
    let (more, less) = lpars()
        .flat_map(|a| lpars().map(move |b| (a, b)))
        .find(|(a, b)| logons.on(a) > logons.on(b) && of_server(a) > of_server(b) && a.wlm < b.wlm)?;
    let sentence = format!(
        "DISTMETHOD SERVERWLM for port {} of {} goes by the weights of RSED, {} on {} and {} on {}, which only takes logons; the \
         work is done in the RSE servers, and the systems' own weights are {} and {}: use BASEWLM for RSED's port.",
        logons.at.port(),
        logons.dvipa.address,
        of_server(more),
        more.name,
        of_server(less),
        less.name,
        more.wlm,
        less.wlm
    );
    Some(because_all(Cause::new("F10", sentence), logons.table()))
}

/// TIMEDAFFINITY, and users share an address.
fn one_address_one_system(case: &Case) -> Option<Cause> {
    let logons = Logons::of(case).filter(|logons| !logons.statement.timed_affinity.is_zero())?;
    let mut by_address: BTreeMap<IpAddr, Vec<(&str, &Lpar, &Event)>> = BTreeMap::new();
    for (user, lpar, from, event) in &logons.all {
        by_address.entry(*from).or_default().push((user, lpar, event));
    }
    let stays =
        |of: &[(&str, &Lpar, &Event)]| of.iter().map(|(_, lpar, _)| lpar.index).collect::<BTreeSet<_>>().len() == 1;
    let (address, users) = by_address.iter().find(|(_, users)| users.len() > 1)?;
    let (_, lpar, _) = users.first()?;
    let is_alone = logons.ready.iter().all(|(ready, _)| ready.index == lpar.index);
    if is_alone || !by_address.values().all(|users| stays(users)) {
        return None;
    }
    let sentence = format!(
        "TIMEDAFFINITY {} on port {} of {} is by the client's address, and {} users have the address {address}: all of them came to \
         {}, although other systems are ready: take TIMEDAFFINITY off RSED's port.",
        logons.statement.timed_affinity.as_secs(),
        logons.at.port(),
        logons.dvipa.address,
        users.len(),
        lpar.name
    );
    let cause = users.iter().take(2).fold(Cause::new("F31", sentence), |cause, (.., event)| cause.because(line(event)));
    Some(because_all(cause, logons.table()))
}

/// The user logged on at a system's own address, and the client dialled the session's port there.
fn at_own_address(case: &Case) -> Option<Cause> {
    let handoff =
        case.failure.handoff.as_deref().filter(|_| case.failure.symptom == Symptom::EngineConnectionRefused)?;
    let (failed, address) = case.events.iter().find_map(|event| match &event.what {
        What::ConnectFailed { what, address, how, .. }
            if what == "engine" && how == "refused" && event.task == handoff.user =>
        {
            Some((event, *address))
        }
        _ => None,
    })?;
    let own = |lpar: &&Lpar| address.ip() == IpAddr::from(lpar.home) || address.ip() == IpAddr::from(lpar.home6);
    let at = case.sysplex.lpars.iter().find(own).filter(|lpar| lpar.name != handoff.on)?;
    let logon = case.events.iter().find(|event| match &event.what {
        What::Logon { user, local, .. } => *user == handoff.user && local.ip() == address.ip(),
        _ => false,
    })?;
    let listens = |lpar: &str| {
        case.listeners.get(lpar).is_some_and(|all| all.iter().any(|socket| socket.local.port() == address.port()))
    };
    if listens(&at.name) || !listens(&handoff.on) {
        return None;
    }
    let sentence = format!(
        "{} logged on at {}, the own address of {}, so the client dialled port {} of {}'s session on {} there too, where nobody \
         listens on it: log on at the DVIPA, which must distribute RSED's port and the CLIENT ports.",
        handoff.user,
        address.ip(),
        at.name,
        address.port(),
        handoff.job,
        handoff.on
    );
    Some(Cause::new("F16", sentence).because(line(logon)).because(line(failed)))
}

/// Nobody answered for the address, which is one of a VIPARANGE.
fn nobody_has_the_address(case: &Case) -> Option<Cause> {
    if case.failure.symptom != Symptom::LogonFailed {
        return None;
    }
    let (failed, address) = case.events.iter().find_map(|event| match &event.what {
        What::ConnectFailed { what, address, how, .. } if what.starts_with("rsed") && how != "refused" => {
            Some((event, *address))
        }
        _ => None,
    })?;
    let IpAddr::V4(dvipa) = address.ip() else { return None };
    let is_a_systems = case.sysplex.lpars.iter().any(|lpar| [lpar.home, lpar.xcf].contains(&dvipa));
    let note = case.notes.iter().find(|note| range_in(note).is_some_and(|range| holds(range, dvipa)))?;
    if is_a_systems || case.sysplex.dvipa(address.ip()).is_some() {
        return None;
    }
    let any = case.sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).find_map(|task| match task {
        StartedTask::Rsed { name, port, .. } if *port == address.port() => Some(name),
        _ => None,
    })?;
    let sentence = format!(
        "no system has {dvipa} on the LAN: it is an address of a VIPARANGE, which comes into being when a server binds it, and {any} \
         listens on any address: define it by VIPADEFINE and VIPABACKUP, or have one server bind it by PORT ... BIND."
    );
    Some(Cause::new("F33", sentence).because(line(failed)).because(format!("members: {note}")))
}

/// `... VIPARANGE 10.10.10.0/29: ...`, as the import notes it.
fn range_in(note: &str) -> Option<(Ipv4Addr, u32)> {
    let (_, rest) = note.split_once("VIPARANGE ")?;
    let (address, bits) = rest.split(':').next()?.split_once('/')?;
    Some((address.parse().ok()?, bits.parse().ok().filter(|bits| *bits <= 32)?))
}

fn holds((net, bits): (Ipv4Addr, u32), address: Ipv4Addr) -> bool {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    net.to_bits() & mask == address.to_bits() & mask
}

#[cfg(test)]
mod tests;
