//! One real Debug Manager on loopback: start, link, kill, restart, stop.

mod common;

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use common::*;
use dbm_protocol::engine::ToEngine;
use dbm_protocol::host::{Phase, ToDebugger};
use dbm_protocol::nametoken::{self, DBM_NAME, DbmToken};
use dbm_protocol::{RefusalCode, Role};
use evidence::What;
use rustix::process::Signal;

#[test]
fn a_linked_session_outlives_debug_manager_and_a_new_one_takes_over() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut first = Dbgmgr::start(run.path(), host, client, &[]);
    let token = nametoken::retrieve(run.path(), DBM_NAME).and_then(DbmToken::from_bytes).expect("name/token");
    assert_eq!((token.host_port, token.client_port, token.pid), (host, client, first.child.id()));
    let mut user = miner(host, "IBMUSER");
    let (mut engine, mut taken, debugger) = link(host, &mut user, "IBMUSER");
    let mode = std::fs::metadata(&debugger.path).expect("handoff socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    first.wait_for("linked", |what| matches!(what, What::Linked { .. }));
    let seen = first.seen();
    let at = |wanted: fn(&What) -> bool| seen.iter().position(wanted).unwrap_or_else(|| panic!("{seen:#?}"));
    let order = [
        at(|w| matches!(w, What::Listening { role, .. } if role == "host")),
        at(|w| matches!(w, What::NameTokenCreated { .. })),
        at(|w| matches!(w, What::Listening { role, .. } if role == "client")),
        at(|w| matches!(w, What::Ready {})),
        at(|w| matches!(w, What::Hub { state: evidence::HubState::Off, .. })),
        at(|w| matches!(w, What::UserRegistered { .. })),
        at(|w| matches!(w, What::SessionWaiting { local: true, .. })),
        at(|w| matches!(w, What::MinerNotified { .. })),
        at(|w| matches!(w, What::EngineConnected { .. })),
        at(|w| matches!(w, What::Linked { .. })),
    ];
    assert!(order.is_sorted(), "{seen:#?}");

    first.signal(Signal::KILL);
    assert_eq!(first.end().0, None);
    echo(&mut engine, &mut taken);
    assert!(nametoken::retrieve(run.path(), DBM_NAME).is_err(), "the pair dies with its creator");

    // On the same ports, with the old session still there and the old socket file in the way.
    let second = Dbgmgr::start(run.path(), host, client, &[]);
    let mut user = miner(host, "IBMUSER");
    let (mut engine2, mut taken2, _debugger2) = link(host, &mut user, "IBMUSER");
    second.signal(Signal::TERM);
    let (code, out, err) = second.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with(&format!("EQACM001I Debug Manager startup complete ({client}/{host})\n")), "{out}");
    echo(&mut engine, &mut taken);
    echo(&mut engine2, &mut taken2);
    assert!(nametoken::retrieve(run.path(), DBM_NAME).is_err());
    assert!(!std::path::Path::new(&debugger.path).exists());
}

#[test]
fn a_second_debug_manager_on_one_system_is_refused() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client, host2, client2] = free_ports();
    let first = Dbgmgr::start(run.path(), host, client, &[]);
    for (h, c) in [(host2, client2), (host, client2)] {
        let (code, _, err) = Dbgmgr::spawn(run.path(), h, c, &[]).end();
        assert_eq!(code, Some(1), "{err}");
        let named = format!("active on this system already, ({client}/{host}), process {}", first.child.id());
        assert!(err.contains(&named), "{err}");
    }
    let _ = miner(host, "IBMUSER");
}

#[test]
fn wrong_input_ends_with_2_and_says_why() {
    let run = tempfile::tempdir().expect("temp dir");
    let (code, _, err) = Dbgmgr::spawn(run.path(), 5336, 5336, &["HUBPROT=1"]).end();
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("both 5336") && err.contains("did you mean `HUBPORT`?"), "{err}");
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_dbgmgr")).arg("--help").output().expect("run");
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("dbgmgr 5336 5335 "));
}

#[test]
fn waiting_ends_in_time_and_tokens_open_one_door_once() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let _dbgmgr = Dbgmgr::start(run.path(), host, client, &["WAIT=1"]);
    let mut nobody = Debugger::wait(host, "NOBODY");
    let answer: ToDebugger = nobody.host.hear();
    assert_eq!(answer, ToDebugger::TimedOut { phase: Phase::Register });

    let mut user = miner(host, "IBMUSER");
    let debugger = Debugger::wait(host, "IBMUSER");
    let taking = debugger.claim();
    let right = notice(&mut user);
    let refusal = |answer| match answer {
        ToEngine::Refused(refused) => refused.code,
        other => panic!("{other:?}"),
    };
    let mut wrong = right.clone();
    wrong.user = "OTHER".parse().expect("user");
    assert_eq!(refusal(attach(&wrong).1), RefusalCode::BadToken);
    wrong = right.clone();
    wrong.session = nobody.session.clone();
    assert_eq!(refusal(attach(&wrong).1), RefusalCode::NotWaiting);
    wrong.session = "LPAR9.1".parse().expect("session");
    assert_eq!(refusal(attach(&wrong).1), RefusalCode::UnknownSession);
    let (mut engine, answer) = attach(&right);
    assert!(matches!(answer, ToEngine::Accepted { .. }));
    assert_eq!(refusal(attach(&right).1), RefusalCode::BadToken);
    drop(taking.join().expect("claimant"));
    let ended = engine.0.read(&mut [0]).expect("the end of the connection");
    assert_eq!(ended, 0, "once the debugger closes the socket nobody holds it");
    // A role that does not belong here.
    let mut stranger = Peer::connect(host, Role::Engine);
    assert!(matches!(stranger.hear(), ToDebugger::Refused(r) if r.code == RefusalCode::Role));
}
