//! Who gets which connection: a function from the sysplex and its state to a plan per owner.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use sysplex::{Distribute, Dvipa, Lpar, LparIndex, Method, NoTarget, Ports, StartedTask, Sysplex, Target};

use crate::{Share, Tsr};

/// What is the case right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The LPARs that are up and in the sysplex group.
    pub members: BTreeSet<LparIndex>,
    /// Who holds each DVIPA on the LAN.
    pub owner: BTreeMap<IpAddr, LparIndex>,
    /// The sockets that listen on each LPAR.
    pub listeners: BTreeMap<LparIndex, Vec<SocketAddr>>,
    /// What an operator has quiesced on each LPAR.
    pub quiesced: BTreeMap<LparIndex, Quiesced>,
    /// How responsive each target is for a DVIPA's port; who is not in it is as good as can be.
    pub tsr: BTreeMap<(LparIndex, SocketAddr), Tsr>,
    /// Connections that each target has to a DVIPA's port; who is not in it has none.
    pub active: BTreeMap<(LparIndex, SocketAddr), u32>,
    /// HOTSTANDBY: who took the connections to a DVIPA's port last.
    pub standby: BTreeMap<SocketAddr, LparIndex>,
    /// Dynamic ports that a target has bound and the owner has not heard of, by a defect.
    pub unheard: BTreeSet<(LparIndex, SocketAddr)>,
}

/// What `VARY TCPIP,,SYSPLEX,QUIESCE` took from distribution on one LPAR.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quiesced {
    /// The whole target.
    pub target: bool,
    /// Ports.
    pub ports: BTreeSet<u16>,
}

/// What one owning LPAR does, for all DVIPAs that it holds. The default, no DVIPA, distributes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerPlan {
    /// By address.
    pub dvipas: BTreeMap<IpAddr, DvipaPlan>,
    /// DVIPAs that are just being taken over: what belongs to no known connection is not answered, until all are known.
    pub settling: BTreeSet<IpAddr>,
}

impl OwnerPlan {
    /// Has this port of a DVIPA a TIMEDAFFINITY?
    pub(crate) fn has_affinity(&self, at: SocketAddr) -> bool {
        let port = self.dvipas.get(&at.ip()).and_then(|dvipa| dvipa.ports.get(&at.port()));
        port.is_some_and(|plan| !plan.timed_affinity.is_zero())
    }
}

/// How one DVIPA is distributed. A port that is in none of the two goes to the owner's own stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DvipaPlan {
    /// Every distributed port, those without a ready target too.
    pub ports: BTreeMap<u16, PortPlan>,
    /// Ports that belong to one LPAR each. Disjoint; where a port is in [`DvipaPlan::ports`] too, that counts.
    pub sysplexports: Vec<PortRange>,
}

/// How new connections to one port are distributed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPlan {
    /// DISTMETHOD.
    pub method: Method,
    /// The targets that take new connections, in the order of DESTIP, and how much each gets.
    pub shares: Vec<Share>,
    /// The targets that are ready: those above, and those that are passed over but may take what is theirs already, such as the
    /// second SYN of a connection.
    pub ready: Vec<LparIndex>,
    /// TIMEDAFFINITY; zero means none.
    pub timed_affinity: Duration,
    /// What the client sees when there is none.
    pub no_target: NoTarget,
    /// OPTLOCAL; nothing means NOOPTLOCAL.
    pub optlocal: Option<u8>,
}

/// Ports of one LPAR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The ports.
    pub ports: RangeInclusive<u16>,
    /// Whose they are.
    pub target: LparIndex,
}

/// The packet mark that sends a packet to this LPAR. The owner's own number is a mark too: no rule routes it elsewhere, so
/// it stays on the owner.
pub fn mark(target: LparIndex) -> u32 {
    target.get()
}

/// The plan of every LPAR that is in the group and owns a DVIPA.
pub fn plan(sysplex: &Sysplex, state: &State) -> BTreeMap<LparIndex, OwnerPlan> {
    let mut plans: BTreeMap<LparIndex, OwnerPlan> = BTreeMap::new();
    for dvipa in &sysplex.dvipas {
        let Some(owner) = state.owner.get(&dvipa.address).filter(|owner| state.members.contains(owner)) else {
            continue;
        };
        let planned = Planner { dvipa, sysplex, state }.plan();
        plans.entry(*owner).or_default().dvipas.insert(dvipa.address, planned);
    }
    plans
}

struct Planner<'a> {
    dvipa: &'a Dvipa,
    sysplex: &'a Sysplex,
    state: &'a State,
}

impl Planner<'_> {
    fn plan(&self) -> DvipaPlan {
        let mut ports = BTreeMap::new();
        for statement in &self.dvipa.distribute {
            match &statement.ports {
                Ports::Listed(listed) => ports.extend(listed.iter().map(|&port| (port, self.port(statement, port)))),
                Ports::Dynamic => {
                    ports.extend(self.dynamic_ports(statement).map(|port| (port, self.port(statement, port))));
                }
            }
        }
        let sysplexports = if self.dvipa.sysplexports { self.sysplexports() } else { Vec::new() };
        DvipaPlan { ports, sysplexports }
    }

    /// Without PORT: what a target's server has bound at the DVIPA itself, and no other statement lists. (A server on any
    /// address does not make its port one of the DVIPA's; and a system that left the group has no DVIPA to be bound.)
    fn dynamic_ports(&self, statement: &Distribute) -> impl Iterator<Item = u16> {
        let targets = statement.targets.iter().filter(|target| self.state.members.contains(&target.lpar));
        let sockets = targets.filter_map(|target| self.state.listeners.get(&target.lpar));
        let bound = sockets.flatten().filter(|socket| socket.ip() == self.dvipa.address).map(SocketAddr::port);
        bound.filter(|port| !self.dvipa.distribute.iter().any(|other| other.lists(*port)))
    }

    fn port(&self, statement: &Distribute, port: u16) -> PortPlan {
        let ready: Vec<&Target> = statement.targets.iter().filter(|target| self.is_ready(target.lpar, port)).collect();
        PortPlan {
            method: statement.method,
            shares: self.shares(statement.method, &ready, port),
            ready: ready.iter().map(|target| target.lpar).collect(),
            timed_affinity: statement.timed_affinity,
            no_target: self.dvipa.no_target,
            optlocal: statement.optlocal,
        }
    }

    /// In the group, not quiesced, and something listens there on the DVIPA or on any address. (That a listener on another
    /// specific address does not count is from memory of z/OS.)
    fn is_ready(&self, target: LparIndex, port: u16) -> bool {
        let state = self.state;
        let quiesced = state.quiesced.get(&target).is_some_and(|q| q.target || q.ports.contains(&port));
        let sockets = state.listeners.get(&target).map(Vec::as_slice).unwrap_or_default();
        let unheard = state.unheard.contains(&(target, SocketAddr::new(self.dvipa.address, port)));
        !unheard
            && state.members.contains(&target)
            && !quiesced
            && sockets.iter().any(|s| takes(*s, self.dvipa.address, port))
    }

    fn shares(&self, method: Method, ready: &[&Target], port: u16) -> Vec<Share> {
        let at = SocketAddr::new(self.dvipa.address, port);
        let all = ready.iter();
        match method {
            Method::RoundRobin => all.map(|target| Share::even(target.lpar)).collect(),
            Method::BaseWlm | Method::ServerWlm => {
                let weight = |target: &Target| {
                    let wlm = self.sysplex.lpar(target.lpar).map_or(1, |lpar| wlm(lpar, method, port));
                    let tsr = self.state.tsr.get(&(target.lpar, at)).copied().unwrap_or_default();
                    u32::from(wlm) * u32::from(tsr.percent())
                };
                all.map(|target| Share { target: target.lpar, weight: weight(target), active: 0 }).collect()
            }
            Method::WeightedActive => {
                let active = |lpar| self.state.active.get(&(lpar, at)).copied().unwrap_or(0);
                let share = |t: &&Target| Share { target: t.lpar, weight: t.weight.into(), active: active(t.lpar) };
                all.map(share).collect()
            }
            Method::HotStandby { autoswitchback } => {
                let last = self.state.standby.get(&at);
                let stays = ready.iter().find(|target| Some(&target.lpar) == last);
                let preferred = ready.iter().find(|target| target.preferred);
                // AUTOSWITCHBACK is to the preferred target: a backup takes nothing from another.
                let (one, other) = if autoswitchback { (preferred, stays) } else { (stays, preferred) };
                let takes_all = one.or(other).or(ready.first());
                takes_all.map(|target| Share::even(target.lpar)).into_iter().collect()
            }
        }
    }

    /// The ephemeral range of every target that is in the group, and what its `_RSE_PORTRANGE` adds to it. How z/OS learns of
    /// ports in that range was not found documented, so this is our choice; where the ranges of two LPARs overlap, the first has
    /// them, and the other's users get to the wrong system, as in the field.
    fn sysplexports(&self) -> Vec<PortRange> {
        let lpars = self.sysplex.lpars.iter();
        let targets: Vec<&Lpar> = lpars
            .filter(|lpar| self.state.members.contains(&lpar.index) && self.dvipa.has_target(lpar.index))
            .collect();
        let mut ranges: Vec<PortRange> =
            targets.iter().map(|lpar| PortRange { ports: lpar.ephemeral.clone(), target: lpar.index }).collect();
        for lpar in targets {
            for port in lpar.tasks.iter().filter_map(rse_ports).flatten() {
                add_port(&mut ranges, port, lpar.index);
            }
        }
        ranges.sort_by_key(|range| *range.ports.start());
        ranges
    }
}

/// Does a socket that is bound to `socket` take connections to this address and port? (A socket for any IPv6 address takes
/// IPv4 too, unless it says otherwise; then the kernel shows it as any IPv6 address only.)
fn takes(socket: SocketAddr, address: IpAddr, port: u16) -> bool {
    let any = socket.ip().is_unspecified() && (socket.is_ipv4() == address.is_ipv4());
    socket.port() == port && (any || socket.ip() == address)
}

fn wlm(lpar: &Lpar, method: Method, port: u16) -> u8 {
    match method {
        Method::ServerWlm => lpar.server_wlm.get(&port).copied().unwrap_or(lpar.wlm),
        _ => lpar.wlm,
    }
}

fn rse_ports(task: &StartedTask) -> Option<std::ops::Range<u16>> {
    match task {
        StartedTask::Rsed { port_range, .. } => port_range.clone(),
        StartedTask::DebugManager { .. }
        | StartedTask::Server { .. }
        | StartedTask::WrongParm { .. }
        | StartedTask::Command { .. } => None,
    }
}

/// Gives the port to the target unless someone has it; ports that follow each other make one range.
fn add_port(ranges: &mut Vec<PortRange>, port: u16, target: LparIndex) {
    if ranges.iter().any(|range| range.ports.contains(&port)) {
        return;
    }
    match ranges.last_mut() {
        Some(last) if last.target == target && last.ports.end().checked_add(1) == Some(port) => {
            last.ports = *last.ports.start()..=port;
        }
        _ => ranges.push(PortRange { ports: port..=port, target }),
    }
}

#[cfg(test)]
mod tests;
