//! Connections of which nothing arrives, and what looks alike.

use super::*;
use crate::run::diagnose::diagnose;
use crate::run::diagnose::sample::{case, listener, said, syn};

fn code(case: &Case) -> Option<String> {
    diagnose(case).map(|cause| cause.code)
}

#[test]
fn a_firewall_passes_the_port_of_rsed_alone() {
    let mut case = case(Symptom::EngineConnectionTimedOut, &[]);
    let (dvipa, owner) = (case.sysplex.dvipas[0].address, case.sysplex.lpars[0].name.clone());
    let workstation = case.sysplex.workstations[0].clone();
    let client = SocketAddr::new(workstation.address.into(), 40_000);
    let address = SocketAddr::new(dvipa, 5335);
    let failed = What::ConnectFailed { what: "engine".into(), address, how: "timed_out".into(), reason: String::new() };
    let notified = What::ClientNotified { session: "S".into(), user: "IBMUSER".into(), port: 5335 };
    case.events = vec![said(&owner, "RSED", notified), said(&workstation.name, "IBMUSER", failed)];
    case.owners.insert(dvipa.to_string(), owner.clone());
    assert_eq!(code(&case), None, "nothing of the client arrived: there may be no path at all");
    case.carried = vec![syn(&owner, client, SocketAddr::new(dvipa, 4035))];
    assert_eq!(code(&case).as_deref(), Some("F15"));
    let mut silent = case.clone();
    silent.events[0].t_ns = 2;
    assert_eq!(code(&silent), None, "nothing of the client arrives any more, since before it was notified");
    let mut moved = case.clone();
    moved.owners.insert(dvipa.to_string(), case.sysplex.lpars[1].name.clone());
    assert_eq!(code(&moved), None, "the DVIPA has moved since");
    let mut unsure = case.clone();
    unsure.missing.push("packets".into());
    assert_eq!(code(&unsure), None, "the capture is not whole");
    case.carried.push(syn(&owner, client, address));
    assert_eq!(code(&case), None, "the SYN arrived, and was not answered");
}

#[test]
fn a_port_is_in_use_at_another_address() {
    let mut case = case(Symptom::TaskFailed, &[]);
    let (own, other) = (IpAddr::from([10, 10, 10, 2]), IpAddr::from([10, 10, 10, 3]));
    let lpar = case.sysplex.lpars[0].name.clone();
    let server = StartedTask::Server {
        name: "ZWEB".into(),
        ports: vec![7554],
        bind: Some(own),
        backlog: None,
        port_check: None,
    };
    case.sysplex.lpars[0].tasks.push(server);
    let fatal = What::Fatal { reason: "port 7554 is in use: 10.10.10.3:7554 listens".into() };
    case.events = vec![said(&lpar, "ZWEB", fatal)];
    let mut listens = |at: &[IpAddr]| {
        let sockets = at.iter().map(|at| TcpSocket { local: SocketAddr::new(*at, 7554), ..listener(7554) });
        case.listeners.insert(lpar.clone(), sockets.collect());
        code(&case)
    };
    assert_eq!(listens(&[other]).as_deref(), Some("F32"));
    assert_eq!(listens(&[other, own]), None, "somebody has its address too");
    assert_eq!(listens(&[[0, 0, 0, 0].into()]), None, "somebody has all addresses");
    assert_eq!(listens(&[]), None, "nobody listens: another time, another cause");
}
