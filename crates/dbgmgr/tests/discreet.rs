//! What no log, event, message or process list may show.

mod common;

use std::io::Read;

use common::*;
use dbm_protocol::engine::ToEngine;
use dbm_protocol::host::{FromDebugger, Standing, ToDebugger};
use dbm_protocol::{Role, Token};
use evidence::{HubState, What};
use rustix::process::Signal;

/// All ways in which somebody may write bytes down.
fn spellings(bytes: &[u8]) -> [String; 3] {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{bytes:?}");
    [hex.to_uppercase(), hex, list.trim_matches(['[', ']']).to_owned()]
}

#[test]
fn with_all_logging_on_no_secret_is_written_anywhere() {
    let run = [(), ()].map(|()| tempfile::tempdir().expect("temp dir"));
    let [host1, client1, host2, client2, hub] = free_ports();
    let hub_port = format!("HUBPORT={hub}");
    let prm = ["DEBUG", "HUBIP=127.0.0.1", &hub_port, "TRUSTEDTCP=ON"];
    let mut primary = Dbgmgr::start(run[0].path(), host1, client1, &prm);
    primary.wait_for("primary", |w| matches!(w, What::Hub { state: HubState::Primary, .. }));
    let mut secondary = Dbgmgr::start(run[1].path(), host2, client2, &prm);
    secondary.wait_for("secondary", |w| matches!(w, What::Hub { state: HubState::Secondary, .. }));
    let mut written = Vec::new();
    let read = |dbgmgr: &mut Dbgmgr| {
        // Read while it runs, so that it can write as much as it likes.
        let (mut out, mut err) =
            (dbgmgr.child.stdout.take().expect("piped"), dbgmgr.child.stderr.take().expect("piped"));
        [
            std::thread::spawn(move || {
                let mut text = String::new();
                out.read_to_string(&mut text).expect("stdout");
                text
            }),
            std::thread::spawn(move || {
                let mut text = String::new();
                err.read_to_string(&mut text).expect("stderr");
                text
            }),
        ]
    };
    let readers = [read(&mut primary), read(&mut secondary)];
    for run in &run {
        written.push(ctl(run.path(), &["LL,V"]).1);
    }

    // Everything that has a secret in it: tickets, a claim, a token over the hub, what is almost right, a restart's claim.
    let mut user = miner(host1, "IBMUSER");
    let job = Debugger::wait(host2, "IBMUSER");
    let taking = job.claim();
    let right = notice(&mut user);
    let mut wrong = right.clone();
    wrong.token = almost(&right.token, 9);
    let (_, answer) = attach(&wrong);
    written.push(format!("{answer:?} {right:?}"));
    let mut broken = Peer::connect(client2, Role::Engine);
    let token = format!("{}0", String::from(right.token.clone()));
    broken.tell(&serde_json::json!({"type": "attach", "user": "IBMUSER", "session": right.session, "token": token}));
    written.push(format!("{:?}", broken.hear::<ToEngine>()));
    let (mut engine, answer) = attach(&right);
    assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
    echo(&mut engine.0, &mut taken(taking));
    let logon = key(host2).logon(Role::Debugger, &"IBMUSER".parse().expect("user")).expect("ticket");
    let mut again = Peer::connect(host2, Role::Debugger);
    again.tell(&logon);
    let (name, job_name) = ("IBMUSER".parse().expect("user"), "EQATST".parse().expect("job"));
    let claim = almost(&job.claim, 1);
    let standing = Standing {
        session: job.session.clone(),
        user: name,
        job: job_name,
        module: String::new(),
        claim: claim.clone(),
    };
    again.tell(&FromDebugger::RunsAgain { standing });
    written.push(format!("{:?}", again.hear::<ToDebugger>()));
    for run in &run {
        written.extend([ctl(run.path(), &["D,U"]).1, ctl(run.path(), &["H"]).1]);
    }
    for dbgmgr in [&primary, &secondary] {
        for file in ["cmdline", "environ"] {
            let text = std::fs::read(format!("/proc/{}/{file}", dbgmgr.child.id())).expect("proc");
            written.push(String::from_utf8_lossy(&text).into_owned());
        }
    }

    let mut secrets: Vec<Vec<u8>> =
        [&right.token, &wrong.token, &job.claim, &claim, &logon.ticket.mac, &logon.ticket.nonce]
            .into_iter()
            .map(|token: &Token| token.as_ref().to_vec())
            .collect();
    secrets.extend(run.iter().map(|run| std::fs::read(run.path().join("dbgmgr/passticket.key")).expect("key")));
    for mut dbgmgr in [primary, secondary] {
        dbgmgr.signal(Signal::TERM);
        assert!(dbgmgr.child.wait().expect("wait").success());
        written.push(serde_json::to_string(&dbgmgr.seen()).expect("events"));
    }
    let logs = readers.map(|pair| pair.map(|reader| reader.join().expect("no panic")).concat());
    assert!(logs.iter().all(|log| log.contains("DEBUG") && log.contains("Token(..)")), "they log what goes in and out");
    written.extend(logs);
    for text in written {
        for secret in secrets.iter().flat_map(|secret| spellings(secret)) {
            assert!(!text.contains(&secret), "{secret} is written in {text}");
        }
        no_secret_in(&text);
    }
}
