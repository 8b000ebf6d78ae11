//! Local processes without the secret, at the HOST port and at the handoff socket.

mod common;

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use common::*;
use dbm_protocol::engine::ToEngine;
use dbm_protocol::handoff::{FromClaimant, ToClaimant};
use dbm_protocol::host::{FromDebugger, FromMiner, Phase, Standing, ToDebugger, ToMiner};
use dbm_protocol::passticket::{Key, now_ns};
use dbm_protocol::{Hello, RefusalCode, Refused, Role, Token, frame};
use evidence::What;
use rustix::process::Signal;

fn refused_miner(mut peer: Peer) -> Refused {
    match peer.hear() {
        ToMiner::Refused(refused) => refused,
        other => panic!("{other:?}"),
    }
}

fn refused_debugger(mut peer: Peer) -> Refused {
    match peer.hear() {
        ToDebugger::Refused(refused) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_local_process_without_the_secret_registers_nobody_claims_nothing_and_reads_nothing() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    let mut user = miner(host, "IBMUSER");
    let job = Debugger::wait(host, "IBMUSER");
    let register = || FromMiner::Register { user: "IBMUSER".parse().expect("user") };
    // Without a ticket, with one of its own making, with one for another user or role, and with one that was used.
    let foreign = Key::from_bytes([1; 32]);
    let name = "IBMUSER".parse().expect("user");
    let right = key(host).logon(Role::Miner, &name).expect("ticket");
    let mut first = Peer::connect(host, Role::Miner);
    first.tell(&right);
    first.tell(&register());
    assert!(matches!(first.hear(), ToMiner::Registered { .. }));
    let other = "OTHER".parse().expect("user");
    for (logon, why) in [
        (foreign.logon(Role::Miner, &name).expect("ticket"), "not made with the key"),
        (key(host).logon(Role::Debugger, &name).expect("ticket"), "not made with the key"),
        (right, "used before"),
        (key(host).logon_at(Role::Miner, &name, 1, Token::from_bytes([0; 16])), "out of its time"),
        (key(host).logon_at(Role::Miner, &name, now_ns() + 60_000_000_000, Token::from_bytes([0; 16])), "of its time"),
        (key(host).logon(Role::Miner, &other).expect("ticket"), "user IBMUSER was found, OTHER was expected"),
    ] {
        let mut peer = Peer::connect(host, Role::Miner);
        peer.tell(&logon);
        peer.tell(&register());
        let no = refused_miner(peer);
        assert!(no.code == RefusalCode::NotAuthorized && no.reason.contains(why), "{no:?}, expected: {why}");
    }
    let mut peer = Peer::connect(host, Role::Miner);
    peer.tell(&register());
    let no = refused_miner(peer);
    assert!(no.reason.starts_with("a logon with a PassTicket was expected"), "{no:?}");
    for n in 0..6 {
        dbgmgr.wait_for(&format!("refusal {n} of 6"), |w| matches!(w, What::HostRefused { .. }));
    }
    assert_eq!(dbgmgr.seen().iter().filter(|w| matches!(w, What::UserRegistered { .. })).count(), 2);

    // Neither the session's socket nor the session itself, not even with a ticket for its user.
    let claims = UnixStream::connect(&job.path).expect("connect");
    let answer: ToClaimant =
        claim(claims, &FromClaimant::Claim { session: job.session.clone(), claim: almost(&job.claim, 3) });
    assert!(matches!(answer, ToClaimant::Refused(no) if no.code == RefusalCode::BadToken));
    let standing = Standing {
        session: job.session.clone(),
        user: name.clone(),
        job: "EQATST".parse().expect("job"),
        module: String::new(),
        claim: almost(&job.claim, 3),
    };
    let mut unheard_of = standing.clone();
    unheard_of.session = format!("{}9", job.session).parse().expect("session");
    for standing in [standing, unheard_of] {
        for again in [
            FromDebugger::RunsAgain { standing: standing.clone() },
            FromDebugger::WaitAgain { standing, phase: Phase::Register, waited_ms: 0 },
        ] {
            let mut peer = Peer::log_on(host, Role::Debugger, "IBMUSER");
            peer.tell(&again);
            assert_eq!(refused_debugger(peer).code, RefusalCode::BadToken);
        }
    }
    // All that is rightful goes on; the notice went to the one who had registered, and the second session goes to the later one.
    let taking = job.claim();
    let (mut engine, answer) = attach(&notice(&mut user));
    assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
    let mut passed = taken(taking);
    echo(&mut engine.0, &mut passed);
}

/// Hello and claim on the handoff socket, and the answer.
fn claim(mut stream: UnixStream, claim: &FromClaimant) -> ToClaimant {
    stream.set_read_timeout(Some(DEADLINE)).expect("timeout");
    let hello = frame::encode(&Hello::new(Role::Debugger)).expect("fits");
    stream.write_all(&[hello, frame::encode(claim).expect("fits")].concat()).expect("write");
    let mut header = [0; 4];
    stream.read_exact(&mut header).expect("an answer");
    let mut body = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut body).expect("whole");
    serde_json::from_slice(&body).expect("an answer")
}

#[test]
fn neither_the_logon_nor_what_follows_may_be_long() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let _dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    let long = [60_000_u32.to_be_bytes().as_slice(), &[b' '; 5000]].concat();
    for mut peer in [Peer::connect(host, Role::Miner), Peer::log_on(host, Role::Miner, "IBMUSER")] {
        peer.0.write_all(&long).expect("write");
        let no = refused_miner(peer);
        assert!(no.code == RefusalCode::BadMessage && no.reason.contains("more than 4096 bytes"), "{no:?}");
    }
}

#[test]
fn the_claim_of_an_earlier_debug_manager_is_known_to_the_next_one_and_a_forged_one_is_not() {
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let first = Dbgmgr::start(run.path(), host, client, &[]);
    let old_ticket = key(host).logon(Role::Debugger, &"IBMUSER".parse().expect("user")).expect("ticket");
    let job = Debugger::wait(host, "IBMUSER");
    first.signal(Signal::KILL);
    first.end();
    let mut second = Dbgmgr::start(run.path(), host, client, &[]);
    let standing = |claim: Token| Standing {
        session: job.session.clone(),
        user: "IBMUSER".parse().expect("user"),
        job: "EQATST".parse().expect("job"),
        module: "EQATST".to_owned(),
        claim,
    };
    let mut peer = Peer::connect(host, Role::Debugger);
    peer.tell(&old_ticket);
    assert_eq!(refused_debugger(peer).code, RefusalCode::NotAuthorized, "the one before may have taken it");
    let mut thief = Peer::log_on(host, Role::Debugger, "IBMUSER");
    thief.tell(&FromDebugger::RunsAgain { standing: standing(almost(&job.claim, 77)) });
    assert_eq!(refused_debugger(thief).code, RefusalCode::BadToken);
    let mut own = Peer::log_on(host, Role::Debugger, "IBMUSER");
    own.tell(&FromDebugger::RunsAgain { standing: standing(job.claim.clone()) });
    assert_eq!(own.hear::<ToDebugger>(), ToDebugger::Known {});
    second.wait_for("the session", |w| matches!(w, What::SessionResumed { linked: true, .. }));
}

/// Says on the HOST port what it is given in the environment, a message in each line, as whatever user runs it, and hangs up at
/// once or listens.
#[test]
#[ignore = "run by another_user_id_is_refused_whatever_it_shows"]
fn inside_says_what_it_was_given() {
    let given = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is set"));
    let port: u16 = given("STRANGER_PORT").parse().expect("port");
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    for message in given("STRANGER_SAYS").lines() {
        let message: serde_json::Value = serde_json::from_str(message).expect("JSON");
        let _ = stream.write_all(&frame::encode(&message).expect("fits"));
    }
    if given("STRANGER_HANGS_UP") == "no" {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        println!("heard: {}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn another_user_id_is_refused_whatever_it_shows() {
    if !rustix::process::geteuid().is_root() {
        println!("left out: only root can be somebody else");
        return;
    }
    let run = tempfile::tempdir().expect("temp dir");
    let [host, client] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &[]);
    // The key was stolen, and the ticket is right.
    for hangs_up in ["no", "yes"] {
        let name = "IBMUSER".parse().expect("user");
        let logon = key(host).logon(Role::Miner, &name).expect("ticket");
        let messages = [
            serde_json::to_string(&Hello::new(Role::Miner)),
            serde_json::to_string(&logon),
            serde_json::to_string(&FromMiner::Register { user: name }),
        ];
        let messages = messages.map(|message| message.expect("JSON")).join("\n");
        // A program that everybody may run.
        let copy = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempfile();
        let copy = copy.expect("temp file").into_temp_path();
        // By another process: one that forks meanwhile, for another test of this program, would hold the file open for writing, and
        // what is being written cannot be run.
        let this = std::env::current_exe().expect("this test");
        let copied = Command::new("cp").arg("--no-preserve=mode").args([this.as_path(), &copy]).status().expect("cp");
        assert!(copied.success(), "cp: {copied}");
        let out = Command::new(&*copy)
            .args(["--ignored", "--exact", "--nocapture", "inside_says_what_it_was_given"])
            .env("STRANGER_PORT", host.to_string())
            .env("STRANGER_SAYS", &messages)
            .env("STRANGER_HANGS_UP", hangs_up)
            .current_dir("/")
            .uid(65_534)
            .gid(65_534)
            .output()
            .expect("run");
        assert!(out.status.success(), "{out:?}");
        let heard = String::from_utf8_lossy(&out.stdout).into_owned();
        if hangs_up == "no" {
            assert!(heard.contains("not_authorized") && heard.contains("user id 65534 was found"), "{heard}");
        }
        dbgmgr.wait_for("the refusal", |w| matches!(w, What::HostRefused { .. }));
        let registered = dbgmgr.seen().iter().any(|w| matches!(w, What::UserRegistered { .. }));
        assert!(!registered, "hangs up: {hangs_up}");
    }
    let _ = miner(host, "IBMUSER");
}
