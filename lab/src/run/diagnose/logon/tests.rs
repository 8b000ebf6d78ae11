//! Why users come to other systems than they should, and what looks alike.

use std::time::Duration;

use super::*;
use crate::run::diagnose::diagnose;
use crate::run::diagnose::sample::{case, event, listener, said};

fn code(case: &Case) -> Option<String> {
    diagnose(case).map(|cause| cause.code)
}

fn client(number: u16) -> SocketAddr {
    SocketAddr::from(([10, 10, 10, 101], 40_000 + number))
}

/// Users, each with the system that it came to; the tables of a DVIPA that two systems are ready for.
fn landed(on: &[usize]) -> Case {
    let mut case = case(Symptom::LogonElsewhere, &[]);
    let at = SocketAddr::new(case.sysplex.dvipas[0].address, 4035);
    case.sysplex.dvipas[0].distribute[0].ports = sysplex::Ports::Listed([4035].into());
    case.sysplex.dvipas[0].distribute[0].method = Method::BaseWlm;
    for (number, lpar) in (1..).zip(on) {
        let (user, peer) = (format!("USER{number}"), client(number));
        let what = What::Logon { user, peer, local: at, second_port: 50_000 + number };
        case.events.push(event(&case.sysplex.lpars[*lpar].name, what));
    }
    let (owner, users) = (case.sysplex.lpars[0].name.clone(), u64::try_from(on.len()).expect("few"));
    let row = |lpar: &Lpar| Distributed {
        owner: owner.clone(),
        dest: at,
        target: lpar.name.clone(),
        rdy: 1,
        wlm: 1,
        tsr: 100,
        tcsr: 100,
        total_conn: users,
    };
    case.distributed = case.sysplex.lpars.iter().map(row).collect();
    case
}

fn with_tls_tries(mut case: Case) -> Case {
    let users: Vec<String> = case
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Logon { user, .. } => Some(user.clone()),
            _ => None,
        })
        .collect();
    for user in users {
        let peer = SocketAddr::new(case.sysplex.dvipas[0].address, 4035);
        let what = What::Connected { what: "rsed_tls".into(), local: client(9), peer };
        case.events.push(said("WS1", &user, what));
    }
    case
}

#[test]
fn two_connections_a_logon_and_an_even_number_of_systems() {
    let round = |mut case: Case| {
        case.sysplex.dvipas[0].distribute[0].method = Method::RoundRobin;
        case
    };
    assert_eq!(code(&round(with_tls_tries(landed(&[1, 1, 1])))).as_deref(), Some("F09"));
    assert_eq!(code(&with_tls_tries(landed(&[1, 1, 1]))), None, "BASEWLM");
    assert_eq!(code(&round(landed(&[1, 1, 1]))), None, "one connection a logon");
    assert_eq!(code(&round(with_tls_tries(landed(&[1, 0, 1])))), None, "both systems have users");
    let mut idle = round(with_tls_tries(landed(&[1, 1, 1])));
    idle.distributed[0].total_conn = 0;
    assert_eq!(code(&idle), None, "the other system was sent nothing at all");
}

#[test]
fn the_weights_of_the_daemon_are_not_those_of_the_systems() {
    let weighted = |method, on: &[usize], system: [u8; 2], server: [u8; 2]| {
        let mut case = landed(on);
        case.sysplex.dvipas[0].distribute[0].method = method;
        for (lpar, (system, server)) in case.sysplex.lpars.iter_mut().zip(system.into_iter().zip(server)) {
            lpar.wlm = system;
            lpar.server_wlm = [(4035, server)].into();
        }
        code(&case)
    };
    assert_eq!(weighted(Method::ServerWlm, &[1, 1, 0], [2, 1], [1, 5]).as_deref(), Some("F10"));
    assert_eq!(weighted(Method::BaseWlm, &[1, 1, 0], [2, 1], [1, 5]), None);
    assert_eq!(weighted(Method::ServerWlm, &[1, 1, 0], [1, 2], [1, 5]), None, "both say the same");
    assert_eq!(weighted(Method::ServerWlm, &[0, 0, 1], [2, 1], [1, 5]), None, "they went otherwise");
}

#[test]
fn users_of_one_address_come_to_one_system() {
    let bound = |on: &[usize]| {
        let mut case = landed(on);
        case.sysplex.dvipas[0].distribute[0].timed_affinity = Duration::from_secs(300);
        case
    };
    assert_eq!(code(&bound(&[0, 0, 0])).as_deref(), Some("F31"));
    assert_eq!(code(&landed(&[0, 0, 0])), None, "no affinity");
    assert_eq!(code(&bound(&[0, 1, 0])), None, "the affinity did not bind them");
    let mut apart = bound(&[0, 0]);
    if let What::Logon { peer, .. } = &mut apart.events[1].what {
        *peer = SocketAddr::from(([10, 10, 10, 102], 40_000));
    }
    assert_eq!(code(&apart), None, "each has its own address");
    let mut alone = bound(&[0, 0, 0]);
    alone.distributed[1].rdy = 0;
    assert_eq!(code(&alone), None, "no other system is ready");
}

#[test]
fn the_session_is_dialled_where_the_user_logged_on() {
    let mut case = case(Symptom::EngineConnectionRefused, &[]);
    let home = IpAddr::from(case.sysplex.lpars[0].home);
    let address = SocketAddr::new(home, 5335);
    let logon = |at| What::Logon {
        user: "IBMUSER".into(),
        peer: client(1),
        local: SocketAddr::new(at, 4035),
        second_port: 50_000,
    };
    let failed = What::ConnectFailed { what: "engine".into(), address, how: "refused".into(), reason: String::new() };
    case.events = vec![event(&case.sysplex.lpars[0].name, logon(home)), said("WS1", "IBMUSER", failed)];
    assert_eq!(code(&case), None, "Debug Manager of the job's system does not listen either");
    case.listeners.insert(case.sysplex.lpars[1].name.clone(), vec![listener(5335)]);
    assert_eq!(code(&case).as_deref(), Some("F16"));
    let mut own = case.clone();
    own.failure.handoff.as_mut().expect("there").on = case.sysplex.lpars[0].name.clone();
    assert_eq!(code(&own), None, "the job runs right there");
    case.events[0].what = logon(case.sysplex.dvipas[0].address);
    assert_eq!(code(&case), None, "the user logged on at the DVIPA");
}

#[test]
fn an_address_of_a_range_that_nobody_has() {
    let mut case = case(Symptom::LogonFailed, &[]);
    let address = SocketAddr::from(([10, 10, 10, 200], 4035));
    let failed = |how: &str| What::ConnectFailed {
        what: "rsed".into(),
        address,
        how: how.into(),
        reason: "No route to host".into(),
    };
    case.events = vec![said("WS1", "IBMUSER", failed("other"))];
    assert_eq!(code(&case), None, "no VIPARANGE at all");
    case.notes = vec!["A/PROFILE:7:3: not carried over: VIPARANGE 10.10.10.0/29: the lab has none".into()];
    assert_eq!(code(&case), None, "another range");
    case.notes = vec!["A/PROFILE:7:3: not carried over: VIPARANGE 10.10.10.192/28: the lab has none".into()];
    assert_eq!(code(&case).as_deref(), Some("F33"));
    case.events = vec![said("WS1", "IBMUSER", failed("refused"))];
    assert_eq!(code(&case), None, "somebody has it, and nothing listens");
}
