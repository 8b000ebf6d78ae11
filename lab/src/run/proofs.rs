//! What the kernel must show of a handoff. Pure: from a snapshot to proofs.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use distributor::VcrtEntry;
use evidence::{Direction, FlowKey, FlowSeen, Flows, TcpSocket, TcpState};
use sysplex::{Lpar, StartedTask, Sysplex};

use super::result::Proof;
use crate::plex::{LAN, XCF};

/// What the kernel shows while the program is stopped in the debugger.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was taken, `CLOCK_MONOTONIC`.
    pub t_ns: u64,
    /// The connected sockets of each LPAR.
    pub sockets: BTreeMap<String, Vec<TcpSocket>>,
    /// Which processes hold which socket, by its inode; processes as the realm numbers them.
    pub holders: BTreeMap<u32, Vec<i32>>,
    /// Which task a process is: its system and its name.
    pub tasks: BTreeMap<i32, (String, String)>,
    /// The connection routing table of the DVIPA's owner.
    pub vcrt: Vec<VcrtEntry>,
    /// What was captured on the LPARs' interfaces since the start.
    pub flows: Flows,
}

/// The connection in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The job.
    pub job: String,
    /// The LPAR that it runs on.
    pub on: String,
    /// The client's end.
    pub client: SocketAddr,
    /// The other end: the DVIPA and the external port.
    pub dvipa: SocketAddr,
    /// The LPAR that owns the DVIPA.
    pub owner: String,
    /// The user's connections to the RSE daemon and the RSE server, and the LPAR that they must have reached.
    pub logon: Vec<Logon>,
    /// What the client read from the debugger.
    pub read: ClientRead,
    /// LPARs on which the same workstation debugs another job; they may have connections from it.
    pub also_on: Vec<String>,
}

/// What the client says that it read over its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientRead {
    /// The job and the system, as the debugger itself named them.
    pub job: String,
    /// See `job`.
    pub system: String,
    /// The line at which the program stands.
    pub line: u32,
    /// Variables, as `NAME=value`.
    pub variables: Vec<String>,
}

/// One of the two connections of a logon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logon {
    /// `the logon`, or `the second connection of the logon`.
    pub what: &'static str,
    /// The client's end.
    pub client: SocketAddr,
    /// The other end.
    pub dvipa: SocketAddr,
    /// The LPAR.
    pub on: String,
}

/// All proofs for one handoff.
pub fn of_handoff(sysplex: &Sysplex, link: &Link, snapshot: &Snapshot) -> Vec<Proof> {
    let mut proofs = vec![held_by_the_debugger(sysplex, link, snapshot)];
    for lpar in sysplex.lpars.iter().filter(|lpar| lpar.name != link.on && !link.also_on.contains(&lpar.name)) {
        for task in &lpar.tasks {
            if let StartedTask::DebugManager { name, client, .. } = task {
                proofs.push(never_connected(link, snapshot, lpar, name, *client));
            }
        }
    }
    proofs.push(path_in(sysplex, link, snapshot));
    proofs.push(path_out(link, snapshot));
    if sysplex.dvipa(link.dvipa.ip()).is_some() {
        let claim = format!("the distributor sent the engine's connection to {}", link.on);
        proofs.push(routed(sysplex, snapshot, claim, link));
    }
    proofs.extend(link.logon.iter().map(|logon| answered_by(logon, snapshot)));
    proofs.push(read_by_the_client(link));
    proofs
}

/// Not the kernel's word, but the other end's: whom the client talks to, as the debugger itself says.
fn read_by_the_client(link: &Link) -> Proof {
    let Link { job, on, read, .. } = link;
    let claim = format!("the client debugs {job} on {on}");
    let variables = if read.variables.is_empty() { "none".to_owned() } else { read.variables.join(", ") };
    let shown = format!("{} on {} stands at line {}; variables: {variables}", read.job, read.system, read.line);
    Proof { claim, ok: read.job == *job && read.system == *on, source: "what the client read".into(), shown }
}

/// Who sent the SYN-ACK: the connection itself may be over, and gone from sockets and VCRT.
fn answered_by(logon: &Logon, snapshot: &Snapshot) -> Proof {
    let Logon { what, client, dvipa, on } = logon;
    let claim = format!("{what} reached {on}");
    let answers = snapshot.flows.iter().filter(|(key, seen)| {
        key.direction == Direction::Out && key.source == *dvipa && key.destination == *client && seen.syn_ack > 0
    });
    let by: Vec<&str> = answers.map(|(key, _)| key.system.as_str()).collect();
    let shown = if by.is_empty() { "nobody".to_owned() } else { by.join(" and ") };
    let shown = format!("SYN-ACK from {dvipa} to {client} sent by {shown}");
    Proof { claim, ok: by == [on.as_str()], source: "capture".into(), shown }
}

/// Where TLS ends in Debug Manager, the socket stays there.
fn relayed_by<'a>(sysplex: &'a Sysplex, on: &str) -> Option<&'a str> {
    sysplex.lpar_named(on)?.tasks.iter().find_map(|task| match task {
        StartedTask::DebugManager { name, tls: true, .. } => Some(name.as_str()),
        _ => None,
    })
}

fn held_by_the_debugger(sysplex: &Sysplex, link: &Link, snapshot: &Snapshot) -> Proof {
    let Link { job, on, client, dvipa, .. } = link;
    let relay = relayed_by(sysplex, on);
    let holder = relay.unwrap_or(job);
    let whose = relay.map_or_else(|| format!("the debugger of {job}"), |task| format!("{task}, where its TLS ends,"));
    let claim = format!("on {on}, the established socket {dvipa} belongs to {whose} and to no other process");
    let sockets = snapshot.sockets.get(on).map(Vec::as_slice).unwrap_or_default();
    let ours = sockets.iter().find(|s| s.local == *dvipa && s.peer == *client && s.state == TcpState::Established);
    let (ok, shown) = match ours {
        None => (false, format!("no established socket {dvipa} - {client} on {on}")),
        Some(socket) => {
            let pids = snapshot.holders.get(&socket.inode).map(Vec::as_slice).unwrap_or_default();
            let names: Vec<String> = pids.iter().map(|pid| snapshot.name_of(*pid)).collect();
            let ok = names == [format!("{holder} on {on}")];
            let by = if names.is_empty() { "nobody".to_owned() } else { names.join(" and ") };
            (ok, format!("{dvipa} - {client} ESTABLISHED, inode {}, held by {by}", socket.inode))
        }
    };
    Proof { claim, ok, source: "sock_diag and /proc".into(), shown }
}

impl Snapshot {
    /// The task that a process is, in words.
    pub fn name_of(&self, pid: i32) -> String {
        match self.tasks.get(&pid) {
            Some((system, task)) => format!("{task} on {system}"),
            None => format!("process {pid}"),
        }
    }
}

/// A connection needs a SYN-ACK from the side that accepts it, so without one there never was a connection.
fn never_connected(link: &Link, snapshot: &Snapshot, lpar: &Lpar, task: &str, port: u16) -> Proof {
    let name = &lpar.name;
    let workstation = link.client.ip();
    let claim = format!("{task} on {name} never had a connection from the workstation {workstation}");
    let ports = [port, link.dvipa.port()];
    let accepted = snapshot.flows.iter().filter(|(key, seen)| {
        key.system == *name
            && key.direction == Direction::Out
            && seen.syn_ack > 0
            && ports.contains(&key.source.port())
            && key.destination.ip() == workstation
    });
    let accepted: Vec<String> =
        accepted.map(|(key, _)| format!("{} accepted {}", key.source, key.destination)).collect();
    let sockets = snapshot.sockets.get(name).map(Vec::as_slice).unwrap_or_default();
    let held = sockets.iter().filter(|socket| {
        let pids = snapshot.holders.get(&socket.inode).map(Vec::as_slice).unwrap_or_default();
        socket.peer.ip() == workstation && pids.iter().any(|pid| snapshot.name_of(*pid) == format!("{task} on {name}"))
    });
    let held: Vec<String> = held.map(|socket| format!("holds {} - {}", socket.local, socket.peer)).collect();
    let found: Vec<String> = accepted.into_iter().chain(held).collect();
    let ok = found.is_empty() && snapshot.flows.is_complete();
    let shown = if found.is_empty() {
        format!(
            "no SYN-ACK from its ports {port} and {} to {workstation}, no such socket in its hands",
            link.dvipa.port()
        )
    } else {
        found.join(", ")
    };
    Proof { claim, ok, source: "capture, sock_diag and /proc".into(), shown }
}

fn path_in(sysplex: &Sysplex, link: &Link, snapshot: &Snapshot) -> Proof {
    let Link { on, owner, client, dvipa, .. } = link;
    let flow = |system: &str, interface: &str, direction| {
        let (system, interface) = (system.to_owned(), interface.to_owned());
        let key = FlowKey { system, interface, direction, source: *client, destination: *dvipa };
        snapshot.flows.get(&key).copied()
    };
    let arrived = flow(owner, LAN, Direction::In);
    let (claim, expected, mut others) = if on == owner {
        let claim = format!(
            "the workstation's packets for port {} reached {on} by its LAN interface and crossed no XCF",
            dvipa.port()
        );
        (claim, vec![("LAN in", arrived)], vec![(owner.as_str(), XCF)])
    } else {
        let by_viparoute = sysplex.lpar_named(on).is_some_and(|lpar| sysplex.viparoutes.contains_key(&lpar.xcf));
        let (segment, by, other) = if by_viparoute { ("the LAN", LAN, XCF) } else { ("XCF", XCF, LAN) };
        let claim = format!(
            "the workstation's packets for port {} crossed {segment} from {owner} to {on}, source and destination unchanged",
            dvipa.port()
        );
        let forwarded = flow(owner, by, Direction::Out);
        let received = flow(on, by, Direction::In);
        let (out, back) = if by_viparoute { ("LAN out", "LAN in there") } else { ("XCF out", "XCF in") };
        let path = vec![("LAN in", arrived), (out, forwarded), (back, received)];
        (claim, path, vec![(on.as_str(), other)])
    };
    others.retain(|(system, interface)| {
        let there = |(key, _): (&FlowKey, &FlowSeen)| {
            key.system == *system && key.interface == *interface && key.source == *client && key.destination == *dvipa
        };
        snapshot.flows.iter().any(there)
    });
    let same = |flow: &FlowSeen| (flow.packets, flow.payload);
    let first = expected.first().and_then(|(_, flow)| flow.as_ref()).map(same);
    let ok = first.is_some_and(|(packets, _)| packets > 0)
        && expected.iter().all(|(_, flow)| flow.as_ref().map(same) == first)
        && others.is_empty();
    let shown = expected.iter().map(|(where_, flow)| format!("{where_}: {}", in_words(*flow)));
    let shown: Vec<String> =
        shown.chain(others.iter().map(|(system, interface)| format!("also on {system} {interface}"))).collect();
    Proof { claim, ok, source: "capture".into(), shown: format!("{client} > {dvipa}; {}", shown.join("; ")) }
}

fn path_out(link: &Link, snapshot: &Snapshot) -> Proof {
    let Link { on, client, dvipa, .. } = link;
    let claim = format!("{on}'s answers left by its own LAN interface");
    let back = |key: &FlowKey| key.source == *dvipa && key.destination == *client;
    let all: Vec<_> = snapshot.flows.iter().filter(|(key, _)| back(key)).collect();
    let direct = |key: &FlowKey| key.system == *on && key.interface == LAN && key.direction == Direction::Out;
    let ok = !all.is_empty() && all.iter().all(|(key, _)| direct(key));
    let shown = all.iter().map(|(key, seen)| {
        let direction = if key.direction == Direction::Out { "out" } else { "in" };
        format!("{} {} {direction}: {}", key.system, key.interface, in_words(Some(**seen)))
    });
    let shown: Vec<String> = shown.collect();
    let shown = if shown.is_empty() { "none seen".to_owned() } else { shown.join("; ") };
    Proof { claim, ok, source: "capture".into(), shown: format!("{dvipa} > {client}; {shown}") }
}

fn in_words(flow: Option<FlowSeen>) -> String {
    flow.map_or_else(|| "none".into(), |flow| format!("{} packets, {} bytes", flow.packets, flow.payload))
}

fn routed(sysplex: &Sysplex, snapshot: &Snapshot, claim: String, link: &Link) -> Proof {
    let Link { client, dvipa, on, .. } = link;
    let entry = snapshot.vcrt.iter().find(|entry| entry.client == *client && entry.dvipa == *dvipa);
    let target = entry.and_then(|entry| sysplex.lpar(entry.target));
    let shown = match target {
        Some(target) => format!("{client} > {dvipa} goes to {} ({})", target.name, target.xcf),
        None => format!("no entry for {client} > {dvipa}"),
    };
    let ok = target.is_some_and(|target| target.name == *on);
    Proof { claim, ok, source: "VCRT".into(), shown }
}

#[cfg(test)]
mod tests;
