//! Cases for the tests of the rules.

use std::net::SocketAddr;

use evidence::{Direction, Event, FlowKey, FlowSeen, TcpSocket, TcpState, What};
use sysplex::Sysplex;

use super::{Carried, Case, Failure};
use crate::run::figure4::Handoff;
use crate::scenario::Symptom;

/// Two LPARs; the user IBMUSER of EQATST, a job on the second one, sees this.
pub(super) fn case(symptom: Symptom, events: &[Event]) -> Case {
    let sysplex = Sysplex::uniform(2);
    let handoff = Handoff { job: "EQATST".into(), on: sysplex.lpars[1].name.clone(), user: "IBMUSER".into() };
    Case { events: events.to_vec(), ..Case::new(sysplex, Failure::new(symptom, "x").of(&handoff)) }
}

/// What the Debug Manager of a system says.
pub(super) fn event(system: &str, what: What) -> Event {
    Event { t_ns: 1, system: system.into(), task: "DBGMGR".into(), pid: 1, what }
}

/// What a task on a system says.
pub(super) fn said(system: &str, task: &str, what: What) -> Event {
    Event { task: task.into(), ..event(system, what) }
}

/// A SYN that arrived on a system's LAN interface.
pub(super) fn syn(system: &str, source: SocketAddr, destination: SocketAddr) -> Carried {
    let key =
        FlowKey { system: system.into(), interface: "lan0".into(), direction: Direction::In, source, destination };
    let seen = FlowSeen { packets: 1, payload: 0, syn: 1, syn_ack: 0, rst: 0, first_ns: 1, last_ns: 1 };
    Carried { key, seen }
}

/// A socket that listens on any address.
pub(super) fn listener(port: u16) -> TcpSocket {
    let local = SocketAddr::from(([0, 0, 0, 0], port));
    let peer = SocketAddr::from(([0, 0, 0, 0], 0));
    TcpSocket { state: TcpState::Listen, local, peer, inode: 1, waiting: 0, backlog: 1 }
}
