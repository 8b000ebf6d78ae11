//! Who gets which connection: a function from the sysplex and its state to a plan per owner.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

use sysplex::{Distribute, Dvipa, Lpar, LparIndex, Method, NoTarget, StartedTask, Sysplex};

/// What is the case right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The LPARs that are up and in the sysplex group.
    pub up: BTreeSet<LparIndex>,
    /// Who holds each DVIPA on the LAN.
    pub owner: BTreeMap<Ipv4Addr, LparIndex>,
    /// The sockets that listen on each LPAR.
    pub listeners: BTreeMap<LparIndex, Vec<SocketAddrV4>>,
}

/// What one owning LPAR does, for all DVIPAs that it holds. The default, no DVIPA, distributes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerPlan {
    /// By address.
    pub dvipas: BTreeMap<Ipv4Addr, DvipaPlan>,
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
    /// The ready targets, in the order of DESTIP.
    pub targets: Vec<LparIndex>,
    /// What the client sees when there is none.
    pub no_target: NoTarget,
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

/// The plan of every LPAR that is up and owns a DVIPA.
pub fn plan(sysplex: &Sysplex, state: &State) -> BTreeMap<LparIndex, OwnerPlan> {
    let mut plans: BTreeMap<LparIndex, OwnerPlan> = BTreeMap::new();
    for dvipa in &sysplex.dvipas {
        let Some(owner) = state.owner.get(&dvipa.address).filter(|owner| state.up.contains(owner)) else { continue };
        plans.entry(*owner).or_default().dvipas.insert(dvipa.address, dvipa_plan(dvipa, sysplex, state));
    }
    plans
}

fn dvipa_plan(dvipa: &Dvipa, sysplex: &Sysplex, state: &State) -> DvipaPlan {
    let mut ports = BTreeMap::new();
    for statement in &dvipa.distribute {
        for &port in &statement.ports {
            let targets = ready_targets(statement, SocketAddrV4::new(dvipa.address, port), state);
            ports.insert(port, PortPlan { method: statement.method, targets, no_target: dvipa.no_target });
        }
    }
    let sysplexports = if dvipa.sysplexports() { sysplexports(dvipa, sysplex, state) } else { Vec::new() };
    DvipaPlan { ports, sysplexports }
}

/// Up, and something listens there on the DVIPA or on any address. (That a listener on another specific address does not
/// count is from memory of z/OS.)
fn ready_targets(statement: &Distribute, wanted: SocketAddrV4, state: &State) -> Vec<LparIndex> {
    let listens = |target: &LparIndex| {
        let sockets = state.listeners.get(target).map(Vec::as_slice).unwrap_or_default();
        sockets.iter().any(|s| s.port() == wanted.port() && (s.ip() == wanted.ip() || s.ip().is_unspecified()))
    };
    statement.targets.iter().copied().filter(|target| state.up.contains(target) && listens(target)).collect()
}

/// The ephemeral range of every target that is up, and what its `_RSE_PORTRANGE` adds to it. How z/OS learns of ports in
/// that range was not found documented, so this is our choice; where the ranges of two LPARs overlap, the first has them,
/// and the other's users get to the wrong system, as in the field.
fn sysplexports(dvipa: &Dvipa, sysplex: &Sysplex, state: &State) -> Vec<PortRange> {
    let is_target = |lpar: &Lpar| dvipa.distribute.iter().any(|statement| statement.targets.contains(&lpar.index));
    let targets: Vec<&Lpar> =
        sysplex.lpars.iter().filter(|lpar| state.up.contains(&lpar.index) && is_target(lpar)).collect();
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

fn rse_ports(task: &StartedTask) -> Option<std::ops::Range<u16>> {
    match task {
        StartedTask::Rsed { port_range, .. } => port_range.clone(),
        StartedTask::DebugManager { .. } => None,
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(number: u32) -> LparIndex {
        LparIndex::new(number).expect("an LPAR's number")
    }

    fn all_up(sysplex: &Sysplex) -> State {
        State {
            up: sysplex.lpars.iter().map(|lpar| lpar.index).collect(),
            owner: sysplex.dvipas.iter().map(|dvipa| (dvipa.address, dvipa.owner)).collect(),
            listeners: BTreeMap::new(),
        }
    }

    fn listen(state: &mut State, number: u32, address: &str) {
        state.listeners.entry(index(number)).or_default().push(address.parse().expect("an address"));
    }

    fn targets_of(sysplex: &Sysplex, state: &State, port: u16) -> Vec<u32> {
        let plans = plan(sysplex, state);
        let dvipa = &plans[&index(1)].dvipas[&Ipv4Addr::new(10, 10, 10, 1)];
        dvipa.ports[&port].targets.iter().map(|target| target.get()).collect()
    }

    #[test]
    fn a_listener_on_the_dvipa_or_on_any_address_makes_a_target_ready() {
        let sysplex = Sysplex::uniform(4);
        let mut state = all_up(&sysplex);
        assert_eq!(targets_of(&sysplex, &state, 4035), [0; 0]);
        listen(&mut state, 4, "0.0.0.0:4035");
        listen(&mut state, 2, "10.10.10.1:4035");
        listen(&mut state, 1, "10.10.10.11:4035");
        listen(&mut state, 3, "0.0.0.0:4036");
        assert_eq!(targets_of(&sysplex, &state, 4035), [2, 4]);
        state.up.remove(&index(2));
        assert_eq!(targets_of(&sysplex, &state, 4035), [4]);
    }

    #[test]
    fn an_owner_that_is_down_has_no_plan() {
        let sysplex = Sysplex::uniform(2);
        let mut state = all_up(&sysplex);
        state.up.remove(&index(1));
        assert_eq!(plan(&sysplex, &state), BTreeMap::new());
    }

    #[test]
    fn rse_port_ranges_go_to_their_lpar_and_the_first_one_wins() {
        let mut sysplex = Sysplex::uniform(2);
        for (lpar, range) in sysplex.lpars.iter_mut().zip([8108..8110, 8109..8112]) {
            let rsed = lpar.tasks.iter_mut().find_map(|task| match task {
                StartedTask::Rsed { port_range, .. } => Some(port_range),
                StartedTask::DebugManager { .. } => None,
            });
            *rsed.expect("an RSED") = Some(range);
        }
        let plans = plan(&sysplex, &all_up(&sysplex));
        let ranges = &plans[&index(1)].dvipas[&Ipv4Addr::new(10, 10, 10, 1)].sysplexports;
        let ranges: Vec<_> = ranges.iter().map(|range| (range.ports.clone(), range.target.get())).collect();
        assert_eq!(ranges, [(8108..=8109, 1), (8110..=8111, 2), (32768..=46883, 1), (46884..=60999, 2)]);
    }

    fn any_state(sysplex: Sysplex) -> impl Strategy<Value = (Sysplex, State)> {
        let n = sysplex.lpars.len() as u32;
        let lpar = move || (1..=n).prop_map(index);
        let address = prop_oneof![Just("0.0.0.0"), Just("10.10.10.1"), Just("10.10.10.11"), Just("127.0.0.1")];
        let port = prop_oneof![Just(4035u16), 5401..5401 + n as u16, 1..=65535u16];
        let socket = (address, port).prop_map(|(ip, port)| SocketAddrV4::new(ip.parse().expect("an address"), port));
        let listeners = prop::collection::btree_map(lpar(), prop::collection::vec(socket, 0..6), 0..=n as usize);
        (prop::collection::btree_set(lpar(), 0..=n as usize), prop::option::of(lpar()), listeners).prop_map(
            move |(up, owner, listeners)| {
                let owner = owner.map(|owner| (sysplex.dvipas[0].address, owner)).into_iter().collect();
                (sysplex.clone(), State { up, owner, listeners })
            },
        )
    }

    proptest! {
        #[test]
        fn plans_are_sound((sysplex, state) in (1u32..=32).prop_flat_map(|n| any_state(Sysplex::uniform(n)))) {
            let plans = plan(&sysplex, &state);
            prop_assert_eq!(&plans, &plan(&sysplex, &state), "the same every time");
            let dvipa = &sysplex.dvipas[0];
            let owner = state.owner.get(&dvipa.address).filter(|owner| state.up.contains(owner));
            prop_assert_eq!(plans.keys().collect::<Vec<_>>(), Vec::from_iter(owner));
            let Some(owner) = owner else { return Ok(()) };

            let found = &plans[owner].dvipas[&dvipa.address];
            let distributed: BTreeSet<u16> = dvipa.distribute.iter().flat_map(|s| &s.ports).copied().collect();
            prop_assert_eq!(found.ports.keys().copied().collect::<BTreeSet<_>>(), distributed);
            for (&port, port_plan) in &found.ports {
                for lpar in &sysplex.lpars {
                    let sockets = state.listeners.get(&lpar.index).cloned().unwrap_or_default();
                    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
                    let own = SocketAddrV4::new(dvipa.address, port);
                    let ready = state.up.contains(&lpar.index) && (sockets.contains(&any) || sockets.contains(&own));
                    let times = port_plan.targets.iter().filter(|&&target| target == lpar.index).count();
                    prop_assert_eq!(times, usize::from(ready), "port {} on {}", port, lpar.name);
                }
            }
            for range in &found.sysplexports {
                let lpar = sysplex.lpar(range.target).expect("an LPAR");
                prop_assert!(state.up.contains(&range.target));
                prop_assert_eq!((&range.ports, mark(range.target)), (&lpar.ephemeral, lpar.index.get()));
            }
            prop_assert_eq!(found.sysplexports.len(), state.up.len());
        }
    }
}
