//! The operator at real Debug Managers.

mod common;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use common::*;
use dbm_protocol::engine::ToEngine;
use dbm_protocol::host::{Canceller, Phase, ToDebugger};
use evidence::{HubState, What};
use rustix::process::Signal;

/// Gives a command that is accepted; its answer.
fn accepted(dbgmgr: &Dbgmgr, command: &str) -> Vec<String> {
    let (code, out, err) = ctl(&dbgmgr.run_dir, &[command]);
    assert_eq!(code, Some(0), "{command}: {out}{err}");
    out.lines().map(str::to_owned).collect()
}

/// A line of `D,U` with its numbers taken out.
fn shape(line: &str) -> String {
    line.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}

#[test]
fn users_are_shown_from_the_registration_to_the_link() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    assert_eq!(accepted(&dbgmgr, "D,U"), ["EQACM103I No active user"]);
    let job = Debugger::wait(host, "IBMUSER");
    let shapes =
        |dbgmgr: &Dbgmgr| accepted(dbgmgr, "F DBGMGR,APPL=DBM,D,U").iter().map(|l| shape(l)).collect::<Vec<_>>();
    let head = "EQACM#I User list";
    assert_eq!(shapes(&dbgmgr), [head, "User:IBMUSER # ProbeSocket(#) waits for register connection"]);
    let mut user = miner(host, "IBMUSER");
    let told = notice(&mut user);
    let registered = "User:IBMUSER  RegisterSocket(#)";
    let waits = "User:IBMUSER # ProbeSocket(#) waits for engine connection";
    assert_eq!(shapes(&dbgmgr), [head, registered, waits]);
    let taking = job.claim();
    let (_engine, answer) = attach(&told);
    assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
    let _taken = taking.join().expect("claimant");
    dbgmgr.wait_for("link", |w| matches!(w, What::Linked { .. }));
    let active = "User:IBMUSER # Engine(#) connected to Probe(#) Module(EQATST)";
    assert_eq!(shapes(&dbgmgr), [head, registered, active]);
    let line = accepted(&dbgmgr, "D,U").remove(2);
    let number = line.split(' ').nth(1).expect("a number");
    assert!(job.session.as_str().ends_with(&format!(".{number}")), "{line}: {}", job.session);
    // z/OS takes the command as three words of a shell, too.
    assert_eq!(ctl(run.path(), &["f", "dbgmgr,appl=dbm,d,u"]).0, Some(0));
}

#[test]
fn wait_time_log_level_and_cancel() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    accepted(&dbgmgr, "LL,D");
    let mut forgotten = Debugger::wait(host, "NOBODY");
    accepted(&dbgmgr, "T,1");
    let mut nobody = Debugger::wait(host, "NOBODY");
    assert_eq!(nobody.host.hear::<ToDebugger>(), ToDebugger::TimedOut { phase: Phase::Register });
    let answer = accepted(&dbgmgr, "C,U,NOBODY");
    assert!(answer[1].contains(forgotten.session.as_str()), "{answer:?}");
    assert_eq!(forgotten.host.hear::<ToDebugger>(), ToDebugger::Cancelled { by: Canceller::Operator });
    dbgmgr.wait_for("end", |w| matches!(w, What::SessionEnded { how, .. } if how == "cancelled"));
    accepted(&dbgmgr, "LL,E");
    drop(Debugger::wait(host, "QUIET"));
    let quiet = |w: &What| matches!(w, What::SessionEnded { how, .. } if how == "debugger_gone");
    dbgmgr.wait_for("end", quiet);
    dbgmgr.signal(Signal::TERM);
    let (code, out, err) = dbgmgr.end();
    assert_eq!(code, Some(0));
    assert!(out.contains("EQACM911I ") && out.contains("EQACM912I ") && out.contains("EQACM915I "), "{out}");
    assert!(err.contains("DEBUG") && err.contains("NOBODY") && !err.contains("QUIET"), "the log follows: {err}");
}

#[test]
fn the_operators_stop_is_a_clean_one() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    let path = run.path().join("dbgmgr.ctl");
    assert_eq!(std::fs::metadata(&path).expect("socket").permissions().mode() & 0o777, 0o600);
    let (code, out, _) = ctl(run.path(), &["P", "RSED"]);
    assert_eq!(code, Some(1));
    assert!(out.starts_with("EQACM920E `RSED` was found after P, DBGMGR was expected"), "{out}");
    assert_eq!(ctl(run.path(), &["P", "DBGMGR"]).0, Some(0));
    dbgmgr.wait_for("name/token pair deleted", |w| matches!(w, What::NameTokenDeleted {}));
    dbgmgr.wait_for("stop", |w| matches!(w, What::Stopped {}));
    let (code, out, err) = dbgmgr.end();
    assert_eq!((code, out.lines().last()), (Some(0), Some("EQACM909I Debug Manager stopped")), "{err}");
    assert!(!path.exists());
    let (code, _, err) = ctl(run.path(), &["D,U"]);
    assert_eq!(code, Some(3));
    assert!(err.contains("no Debug Manager answers at ") && err.contains("dbgmgr.ctl"), "{err}");

    // A Debug Manager that was killed leaves its socket; nobody answers there, and the next one takes the place.
    let killed = Dbgmgr::start(run.path(), host, client, &[]);
    killed.signal(Signal::KILL);
    killed.end();
    assert!(path.exists());
    assert_eq!(ctl(run.path(), &["D,U"]).0, Some(3));
    let dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    accepted(&dbgmgr, "D,U");
}

#[test]
fn strangers_at_the_operators_socket_hold_nobody_up_for_long() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    let path = run.path().join("dbgmgr.ctl");
    let silent: Vec<_> = (0..6).map(|_| UnixStream::connect(&path).expect("connect")).collect();
    assert_eq!(accepted(&dbgmgr, "D,U"), ["EQACM103I No active user"], "after those have had their time");
    drop(silent);
    for (bytes, expected) in [
        (vec![b'x'; 60_000], "EQACM920E more than 256 bytes were found"),
        (b"\xff\x00\n".to_vec(), "EQACM920E `\\u{fffd}\\u{0}` was found"),
        (b"D,U\nP DBGMGR\n".to_vec(), "EQACM103I "),
    ] {
        let mut stream = UnixStream::connect(&path).expect("connect");
        stream.write_all(&bytes).expect("write");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with(expected), "{answer}");
    }
    let (code, _, err) = ctl(run.path(), &[&"x".repeat(257)]);
    assert_eq!((code, err.contains("at most 256 bytes")), (Some(1), true), "{err}");
    accepted(&dbgmgr, "D,U");
}

#[test]
fn three_debug_managers_follow_the_hub() {
    let runs = [(); 3].map(|()| tempfile::tempdir().expect("temp dir"));
    let [h1, c1, h2, c2, h3, c3, hub, next, last] = free_ports();
    let port = format!("HUBPORT={hub}");
    let prm = ["HUBIP=127.0.0.1", &port];
    let [mut one, mut two, mut three] = [(0, h1, c1), (1, h2, c2), (2, h3, c3)]
        .map(|(n, host, client)| Dbgmgr::spawn(runs[n].path(), host, client, &prm));
    // All are on one machine, so whoever is first at an address is primary there.
    let joined = |all: [&mut Dbgmgr; 3], port: u16| -> Vec<HubState> {
        let at: SocketAddr = ([127, 0, 0, 1], port).into();
        let states = all.map(|dbgmgr| {
            let role = |w: &What| matches!(w, What::Hub { state: HubState::Primary | HubState::Secondary, hub, .. } if *hub == Some(at));
            match dbgmgr.wait_for(&format!("a role in the hub at {at}"), role) {
                What::Hub { state, .. } => state,
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(states.iter().filter(|s| **s == HubState::Primary).count(), 1, "{states:?}");
        states.to_vec()
    };
    let mut states = joined([&mut one, &mut two, &mut three], hub);
    let all = |at: usize| [&runs[0], &runs[1], &runs[2]][at].path();
    // Once a primary is told, and once a secondary; then back to where the first listener was.
    for (wanted, port) in [(HubState::Primary, next), (HubState::Secondary, last), (HubState::Primary, hub)] {
        let told = states.iter().position(|s| *s == wanted).expect("one of each");
        let (code, out, err) = ctl(all(told), &[&format!("H,127.0.0.1,{port}")]);
        assert_eq!(code, Some(0), "{out}{err}");
        states = joined([&mut one, &mut two, &mut three], port);
        let primary = states.iter().position(|s| *s == HubState::Primary).expect("a primary");
        let (_, out, _) = ctl(all(primary), &["H"]);
        assert!(out.starts_with(&format!("EQACM913I Hub: primary node at 127.0.0.1:{port}\n")), "{out}");
        assert_eq!(out.lines().filter(|l| l.contains(" secondary, ")).count(), 2, "{out}");
        // And sessions cross it, from each system to the next.
        for (from, to) in [(h1, h2), (h2, h3), (h3, h1)] {
            let mut user = miner(to, "IBMUSER");
            let job = Debugger::wait(from, "IBMUSER");
            let taking = job.claim();
            let (_engine, answer) = attach(&notice(&mut user));
            assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
            assert_eq!(taking.join().expect("claimant").0.session, job.session);
        }
    }
}

#[test]
fn the_command_line_of_old_is_as_it_was() {
    let run = |words: &[&str]| {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_dbgmgr")).args(words).output().expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let (code, out, _) = run(&["ctl", "--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("Usage: dbgmgr ctl [OPTIONS] <COMMAND>...") && out.contains("dbgmgr ctl D,U"), "{out}");
    assert_eq!(run(&["ctl"]).0, Some(2));
    // `ctl` is a word of the command line only where HOST stands.
    let (code, _, err) = run(&["5336", "ctl"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("CLIENT (argument CLIENT): `ctl` was found"), "{err}");
    let (_, out, _) = run(&["--help"]);
    assert!(out.contains("Usage: dbgmgr [OPTIONS] [HOST CLIENT] [PRM]..."), "{out}");
}
