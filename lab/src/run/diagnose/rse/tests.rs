//! Why second connections fail, and what looks alike.

use std::net::SocketAddr;

use evidence::Refusal;

use super::*;
use crate::run::diagnose::diagnose;
use crate::run::diagnose::sample::{case, said, syn};

const PORT: u16 = 50_001;

fn code(case: &Case) -> Option<String> {
    diagnose(case).map(|cause| cause.code)
}

fn client() -> SocketAddr {
    SocketAddr::from(([10, 10, 10, 101], 40_000))
}

fn logon(user: &str, at: SocketAddr, port: u16) -> What {
    What::Logon { user: user.into(), peer: client(), local: at, second_port: port }
}

/// The second connection of a logon on LPAR2 is refused; LPAR1 owns the DVIPA and got the SYN.
fn second_refused(port: u16) -> Case {
    let mut case = case(Symptom::LogonFailed, &[]);
    let dvipa = case.sysplex.dvipas[0].address;
    let (owner, other) = (case.sysplex.lpars[0].name.clone(), case.sysplex.lpars[1].name.clone());
    let address = SocketAddr::new(dvipa, port);
    let failed = What::ConnectFailed {
        what: "rse_server".into(),
        address,
        how: "refused".into(),
        reason: "Connection refused".into(),
    };
    case.events = vec![
        said(&other, "RSED", logon("IBMUSER", SocketAddr::new(dvipa, 4035), port)),
        said("WS1", "IBMUSER", failed),
    ];
    case.carried = vec![syn(&owner, client(), address)];
    case.owners.insert(dvipa.to_string(), owner);
    case
}

fn set_range(case: &mut Case, lpar: usize, to: Range<u16>) {
    for task in &mut case.sysplex.lpars[lpar].tasks {
        if let StartedTask::Rsed { port_range, .. } = task {
            *port_range = Some(to.clone());
        }
    }
}

#[test]
fn the_owner_kept_a_port_that_nothing_says_whose_it_is() {
    let mut case = second_refused(PORT);
    assert_eq!(code(&case), None, "SYSPLEXPORTS is in effect");
    case.sysplex.dvipas[0].sysplexports = false;
    assert_eq!(code(&case).as_deref(), Some("F11"));
    let cause = diagnose(&case).expect("a cause");
    assert_eq!(cause.rests_on.len(), 3, "{cause:?}");
    let mut reached = case.clone();
    reached.carried.push(syn(&case.sysplex.lpars[1].name, client(), case.carried[0].key.destination));
    assert_eq!(code(&reached), None, "it reached the right system, and was refused there");
    let mut elsewhere = case.clone();
    elsewhere.carried.clear();
    assert_ne!(code(&elsewhere).as_deref(), Some("F11"), "the owner never saw it");
    set_range(&mut case, 1, 50_000..50_010);
    assert_eq!(code(&case), None, "a range of its own is another matter");
}

#[test]
fn two_systems_have_the_port_in_their_range() {
    let mut case = second_refused(8108);
    set_range(&mut case, 0, 8108..8118);
    set_range(&mut case, 1, 8108..8118);
    assert_eq!(code(&case).as_deref(), Some("F13"));
    let mut apart = case.clone();
    set_range(&mut apart, 0, 8118..8128);
    assert_eq!(code(&apart), None, "the ranges do not overlap");
    case.carried.push(syn(&case.sysplex.lpars[1].name, client(), case.carried[0].key.destination));
    assert_eq!(code(&case), None, "it came to the right system");
}

fn refused_on(case: &mut Case, reason: &str) {
    let dvipa = case.sysplex.dvipas[0].address;
    let at = SocketAddr::new(dvipa, 4035);
    let lpar = case.sysplex.lpars[1].name.clone();
    let refusal = Refusal { code: "busy".into(), reason: reason.into() };
    case.events.push(said("WS1", "USER9", What::Connected { what: "rsed".into(), local: client(), peer: at }));
    case.events.push(said(&lpar, "RSED", What::LogonRefused { user: "USER9".into(), peer: client(), refusal }));
}

#[test]
fn all_ports_of_the_range_are_held() {
    let mut sample = case(Symptom::LogonFailed, &[]);
    set_range(&mut sample, 1, 8108..8110);
    let lpar = sample.sysplex.lpars[1].name.clone();
    let at = SocketAddr::new(sample.sysplex.dvipas[0].address, 4035);
    let complete = What::LogonComplete { user: "USER1".into(), peer: client(), local: at };
    let first = [said(&lpar, "RSED", logon("USER1", at, 8108)), said(&lpar, "RSED", logon("USER2", at, 8109))];
    let mut held = Case { events: first.to_vec(), ..sample.clone() };
    refused_on(&mut held, "no RSE server: all ports of _RSE_PORTRANGE 8108-8110 are in use");
    assert_eq!(code(&held).as_deref(), Some("F14"));
    let mut free = Case { events: first.to_vec(), ..sample };
    free.events.push(said(&lpar, "RSED", complete));
    refused_on(&mut free, "no RSE server: all ports of _RSE_PORTRANGE 8108-8110 are in use");
    assert_eq!(code(&free), None, "8108 was free again: somebody else has it");
}

#[test]
fn ephemeral_ports_come_from_the_coupling_facility() {
    let none = "no RSE server: the system has no ephemeral port to give";
    let mut lost = case(Symptom::LogonFailed, &[]);
    refused_on(&mut lost, none);
    assert_eq!(code(&lost).as_deref(), Some("F12"));
    let mut other = case(Symptom::LogonFailed, &[]);
    refused_on(&mut other, "512 logons are in flight already");
    assert_eq!(code(&other), None);
    let mut without = lost.clone();
    without.sysplex.dvipas[0].sysplexports = false;
    assert_eq!(code(&without), None, "EZBEPORT is for SYSPLEXPORTS");
    let lpar = lost.sysplex.lpars[1].clone();
    let sockets = lpar.ephemeral.map(crate::run::diagnose::sample::listener);
    lost.listeners.insert(lpar.name, sockets.collect());
    assert_eq!(code(&lost), None, "they are really all in use");
}
