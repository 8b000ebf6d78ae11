//! Causes that are in firewalls, and in how a procedure looks for a free port.

use std::net::{IpAddr, SocketAddr};

use evidence::{Event, TcpSocket, What};
use sysplex::StartedTask;

use super::debug_manager::line;
use super::rse::packets;
use super::{Carried, Case, Cause, Rule};
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] = &[firewall, at_another_address];

/// No system saw the client's SYN to this port, and the DVIPA's owner saw what else it sent until then.
fn firewall(case: &Case) -> Option<Cause> {
    let wanted = [Symptom::LogonFailed, Symptom::EngineConnectionTimedOut, Symptom::EngineConnectionRefused];
    if !wanted.contains(&case.failure.symptom) || !case.missing.is_empty() {
        return None;
    }
    let (failed, address, what) = case.events.iter().find_map(|event| match &event.what {
        What::ConnectFailed { what, address, how, .. } if ["timed_out", "refused", "other"].contains(&how.as_str()) => {
            Some((event, *address, what.as_str()))
        }
        _ => None,
    })?;
    let workstation = case.sysplex.workstations.iter().find(|workstation| workstation.name == failed.system)?;
    let owner = case.owners.get(&address.ip().to_string())?;
    // What the client dials the port for: it has answered that by a packet at least, the last sign that there is a way.
    let reason = case.events.iter().rev().find(|event| match (&event.what, what) {
        (What::ClientNotified { user, .. }, "engine") | (What::Logon { user, .. }, "rse_server") => {
            *user == failed.task
        }
        _ => false,
    })?;
    let of_client = |flow: &&Carried| flow.key.source.ip() == IpAddr::from(workstation.address) && flow.seen.syn > 0;
    let others = |flow: &&Carried| {
        let to = flow.key.destination;
        let is_late = flow.seen.last_ns >= reason.t_ns;
        flow.key.system == *owner && to.ip() == address.ip() && to.port() != address.port() && is_late
    };
    let passed = case.carried.iter().filter(of_client).find(others)?;
    if case.carried.iter().any(|flow| of_client(&flow) && flow.key.destination == address) {
        return None;
    }
    let port = if what == "engine" { "the CLIENT port of Debug Manager" } else { "the RSE server's second port" };
    let sentence = format!(
        "no SYN of {} to port {} of {}, {port}, reached any system, and what it sent to {} until then did: a firewall passes RSED's \
         port and not this one: open _RSE_PORTRANGE or the ephemeral ports, and the CLIENT port of every system, for the DVIPA.",
        workstation.name,
        address.port(),
        address.ip(),
        passed.key.destination
    );
    let none = format!("capture: no SYN from {} to {address} on any interface of any system", workstation.address);
    Some(Cause::new("F15", sentence).because(line(reason)).because(line(failed)).because(none).because(packets(passed)))
}

/// A server did not start because its port is in use, and it is so at other addresses alone.
fn at_another_address(case: &Case) -> Option<Cause> {
    let is_in_use = |event: &&Event| matches!(&event.what, What::Fatal { reason } if reason.contains("is in use"));
    let fatal = case.events.iter().find(is_in_use).filter(|_| case.failure.symptom == Symptom::TaskFailed)?;
    let task = case.sysplex.lpar_named(&fatal.system)?.tasks.iter().find(|task| task.name() == fatal.task)?;
    let StartedTask::Server { name, ports, bind: Some(own), .. } = task else { return None };
    let listening = case.listeners.get(&fatal.system)?;
    let of_port = |socket: &&TcpSocket| ports.contains(&socket.local.port());
    let all: Vec<SocketAddr> = listening.iter().filter(of_port).map(|socket| socket.local).collect();
    let (first, is_free) = (all.first()?, |found: &SocketAddr| !found.ip().is_unspecified() && found.ip() != *own);
    if own.is_unspecified() || !all.iter().all(is_free) {
        return None;
    }
    let sentence = format!(
        "{name} on {} was not started because port {} is in use, but it is in use at {} and {name} binds {own}, where it is free: its \
         procedure looks for the port in NETSTAT without the address: have it compare address and port.",
        fatal.system,
        first.port(),
        first.ip()
    );
    let socket = format!("sock_diag: on {} {first} listens, nothing at {own} port {}", fatal.system, first.port());
    Some(Cause::new("F32", sentence).because(line(fatal)).because(socket))
}

#[cfg(test)]
mod tests;
