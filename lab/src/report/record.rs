//! `record.json` of a run's directory: what a report needs and no other file there holds. Pure.
//!
//! The topology as it was built, how the clock of the events is to be read as a time of day, and pictures: what the kernels showed
//! at one moment, of the connections through a DVIPA. All lists are bounded; what was left out is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evidence::{FlowKey, FlowSeen, TcpState, monotonic_ns};
use serde::{Deserialize, Serialize};
use sysplex::Sysplex;

use super::plan::Plan;
use crate::run::figure4::Handoff;
use crate::run::proofs::{Link, Snapshot};
use crate::scenario::Scenario;

/// Its name in the directory.
pub(super) const FILE: &str = "record.json";
/// Most entries of one list of a picture.
const MOST: usize = 2_000;
/// Most connections of which a picture has what was captured.
const CONNECTIONS: usize = 1_000;
/// Most pictures.
const PICTURES: usize = 16;

/// What is recorded of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The scenario's one line for a person.
    pub title: String,
    /// The scenario's file.
    pub file: String,
    /// One moment on both clocks.
    pub clock: Clock,
    /// When the first step began, `CLOCK_MONOTONIC`; 0 when none did.
    pub start_ns: u64,
    /// The topology.
    pub plan: Plan,
    /// The jobs that were submitted.
    pub handoffs: Vec<Whose>,
    /// What the kernels showed, in the order of time.
    pub pictures: Vec<Picture>,
}

/// One moment on two clocks.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Clock {
    /// `CLOCK_MONOTONIC`, as in the events, in nanoseconds.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970, UTC.
    pub unix_ns: u64,
}

/// Whose handoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    /// The job.
    pub job: String,
    /// The LPAR that it was submitted on.
    pub on: String,
    /// The user whose workstation it asked for.
    pub user: String,
}

impl Whose {
    /// As the nine steps want it.
    pub fn handoff(&self) -> Handoff {
        Handoff { job: self.job.clone(), on: self.on.clone(), user: self.user.clone() }
    }
}

/// What the kernels showed at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Picture {
    /// Of what, in a few words.
    pub of: String,
    /// When, `CLOCK_MONOTONIC`.
    pub t_ns: u64,
    /// Connected sockets of the LPARs, those of a DVIPA alone.
    pub sockets: Vec<Socket>,
    /// The owners' connection routing tables.
    pub vcrt: Vec<Routed>,
    /// What was captured until then, between anybody and a DVIPA; in the last pictures alone.
    pub flows: Vec<Flow>,
    /// Entries that were too many, over all lists.
    pub left_out: usize,
    /// Packets that the capture lost.
    pub dropped: u64,
}

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// The LPAR.
    pub system: String,
    /// The DVIPA's end.
    pub local: SocketAddr,
    /// The client's end.
    pub peer: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// Its inode.
    pub inode: u32,
    /// Who holds it, where that was looked up.
    pub holders: Vec<String>,
}

/// One entry of a connection routing table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// The LPAR whose table it is.
    pub owner: String,
    /// The client's end.
    pub client: SocketAddr,
    /// The DVIPA's end.
    pub dvipa: SocketAddr,
    /// The LPAR that gets the connection.
    pub target: String,
    /// When the entry goes if nothing more is heard, in seconds.
    pub expires_s: u64,
}

/// One direction of a connection on one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Where and between whom.
    #[serde(flatten)]
    pub key: FlowKey,
    /// What was seen.
    #[serde(flatten)]
    pub seen: FlowSeen,
}

impl Clock {
    /// Now.
    pub fn now() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { monotonic_ns: monotonic_ns(), unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// The time of day, in seconds since 1970, at a moment of the events' clock.
    pub fn unix_s(&self, t_ns: u64) -> u64 {
        self.unix_ns.saturating_add(t_ns).saturating_sub(self.monotonic_ns) / 1_000_000_000
    }
}

impl Record {
    /// Nothing has happened yet.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            title: scenario.title.clone(),
            file: scenario.file.display().to_string(),
            clock: Clock::now(),
            plan: Plan::of(&scenario.sysplex),
            ..Self::default()
        }
    }

    /// What the steps have brought about: the jobs, and what the kernel showed of their connections.
    pub fn seen(&mut self, sysplex: &Sysplex, handoffs: &[Handoff], links: &BTreeMap<String, (Link, Snapshot)>) {
        let whose = |handoff: &Handoff| {
            let Handoff { job, on, user } = handoff.clone();
            Whose { job, on, user }
        };
        self.handoffs = handoffs.iter().map(whose).collect();
        let mut pictures: Vec<Picture> = links
            .iter()
            .map(|(job, (link, snapshot))| {
                let first = BTreeSet::from([link.client]);
                Picture::of(format!("{job} in the debugger"), sysplex, (&link.owner, &first), snapshot)
            })
            .collect();
        pictures.sort_by_key(|picture| picture.t_ns);
        // What was captured is in the picture of the end, too; of these the last is enough should that not be had.
        let before_last = pictures.len().saturating_sub(1);
        pictures.iter_mut().take(before_last).for_each(|picture| picture.flows.clear());
        pictures.truncate(PICTURES);
        self.pictures = pictures;
    }
}

impl Picture {
    /// What is kept of a snapshot. `owner` is whose table it has, and `first` are ends of clients that are kept before others.
    pub fn of(
        of: String,
        sysplex: &Sysplex,
        (owner, first): (&str, &BTreeSet<SocketAddr>),
        snapshot: &Snapshot,
    ) -> Self {
        let mut picture = Self { of, t_ns: snapshot.t_ns, dropped: snapshot.flows.dropped, ..Self::default() };
        let is_dvipa = |end: &SocketAddr| sysplex.dvipa(end.ip()).is_some();
        let holders = |inode: u32| {
            let pids = snapshot.holders.get(&inode).map(Vec::as_slice).unwrap_or_default();
            pids.iter().map(|pid| snapshot.name_of(*pid)).collect()
        };
        let sockets = snapshot.sockets.iter().flat_map(|(system, sockets)| sockets.iter().map(move |s| (system, s)));
        let sockets = sockets.filter(|(_, socket)| is_dvipa(&socket.local)).map(|(system, socket)| Socket {
            system: system.clone(),
            local: socket.local,
            peer: socket.peer,
            state: socket.state,
            inode: socket.inode,
            holders: holders(socket.inode),
        });
        let vcrt = snapshot.vcrt.iter().map(|entry| Routed {
            owner: owner.to_owned(),
            client: entry.client,
            dvipa: entry.dvipa,
            target: sysplex.lpar(entry.target).map_or_else(|| "?".to_owned(), |lpar| lpar.name.clone()),
            expires_s: entry.expires.as_secs(),
        });
        picture.sockets = picture.bounded(sockets, |socket| first.contains(&socket.peer));
        picture.vcrt = picture.bounded(vcrt, |entry| first.contains(&entry.client));
        picture.flows = picture.whole_connections(snapshot, first, is_dvipa);
        picture
    }

    /// All flows of the first connections: of one that is there, all directions and interfaces are.
    fn whole_connections(
        &mut self,
        snapshot: &Snapshot,
        first: &BTreeSet<SocketAddr>,
        is_dvipa: impl Fn(&SocketAddr) -> bool,
    ) -> Vec<Flow> {
        let ends = |key: &FlowKey| match (is_dvipa(&key.destination), is_dvipa(&key.source)) {
            (true, _) => Some((key.source, key.destination)),
            (_, true) => Some((key.destination, key.source)),
            _ => None,
        };
        let mut begun: BTreeMap<(SocketAddr, SocketAddr), u64> = BTreeMap::new();
        for (key, seen) in snapshot.flows.iter() {
            if let Some(ends) = ends(key) {
                let at = begun.entry(ends).or_insert(seen.first_ns);
                *at = seen.first_ns.min(*at);
            }
        }
        let mut order: Vec<_> = begun.into_iter().collect();
        order.sort_by_key(|((client, _), at)| (!first.contains(client), *at));
        self.left_out += order.len().saturating_sub(CONNECTIONS);
        let kept: BTreeSet<_> = order.into_iter().take(CONNECTIONS).map(|(ends, _)| ends).collect();
        let flows = snapshot.flows.iter().filter(|(key, _)| ends(key).is_some_and(|ends| kept.contains(&ends)));
        flows.map(|(key, seen)| Flow { key: key.clone(), seen: *seen }).collect()
    }

    fn bounded<T>(&mut self, all: impl Iterator<Item = T>, is_first: impl Fn(&T) -> bool) -> Vec<T> {
        let (mut kept, others): (Vec<T>, Vec<T>) = all.partition(is_first);
        kept.extend(others);
        self.left_out += kept.len().saturating_sub(MOST);
        kept.truncate(MOST);
        kept
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use evidence::Direction;

    use super::*;

    /// Client `n` of many to the DVIPA, or back.
    fn frame(n: u32, back: bool) -> Vec<u8> {
        let client = ([10, 10, 11, 1], 1024 + u16::try_from(n).expect("a port"));
        let dvipa = ([10, 10, 10, 1], 8000);
        let (from, to) = if back { (dvipa, client) } else { (client, dvipa) };
        let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4(from.0, to.0, 64).tcp(from.1, to.1, 1, 1000);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, b"").expect("a packet");
        bytes
    }

    #[test]
    fn of_a_connection_that_is_kept_every_flow_is_kept() {
        let sysplex = Sysplex::uniform(2);
        assert_eq!(sysplex.dvipas[0].address.to_string(), "10.10.10.1");
        let mut snapshot = Snapshot::default();
        for n in 0..1_500 {
            let late = u64::from(n);
            snapshot.flows.add("A", "lan0", Direction::In, late, &frame(n, false));
            snapshot.flows.add("A", "xcf0", Direction::Out, late, &frame(n, false));
            snapshot.flows.add("B", "xcf0", Direction::In, late, &frame(n, false));
            snapshot.flows.add("B", "lan0", Direction::Out, late, &frame(n, true));
        }
        let last = SocketAddr::from(([10, 10, 11, 1], 1024 + 1_499));
        let picture = Picture::of(String::new(), &sysplex, ("A", &BTreeSet::from([last])), &snapshot);
        assert_eq!((picture.flows.len(), picture.left_out), (4 * CONNECTIONS, 500));
        let of_a = picture.flows.iter().filter(|flow| flow.key.system == "A").count();
        assert_eq!(of_a, 2 * CONNECTIONS, "no system is cut before another");
        assert_eq!(picture.flows.iter().filter(|flow| flow.key.source == last).count(), 3, "it is kept before others");
    }
}
