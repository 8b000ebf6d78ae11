//! Two real Debug Managers with one hub.

mod common;

use common::*;
use dbm_protocol::engine::ToEngine;
use dbm_protocol::hub::HubMessage;
use dbm_protocol::{RefusalCode, Role};
use evidence::{HubState, What};
use rustix::process::Signal;

fn role(dbgmgr: &mut Dbgmgr, wanted: HubState) {
    dbgmgr.wait_for(&format!("{wanted:?}"), |w| matches!(w, What::Hub { state, .. } if *state == wanted));
}

#[test]
fn sessions_cross_systems_both_ways_and_the_primary_may_be_restarted() {
    let (run1, run2) = (tempfile::tempdir().expect("temp dir"), tempfile::tempdir().expect("temp dir"));
    let [host1, client1, host2, client2, hub] = free_ports();
    let port = format!("HUBPORT={hub}");
    let prm = ["HUBIP=127.0.0.1", &port];
    let mut one = Dbgmgr::start(run1.path(), host1, client1, &prm);
    role(&mut one, HubState::Primary);
    let mut two = Dbgmgr::start(run2.path(), host2, client2, &prm);
    role(&mut two, HubState::Secondary);

    // Figure 4: the user on the primary, the job on the secondary.
    let mut user1 = miner(host1, "IBMUSER");
    let cross = |user: &mut Peer, job: Debugger, client: u16| {
        let taking = job.claim();
        let notice = notice(user);
        assert_eq!((&notice.session, notice.port), (&job.session, client));
        let (engine, answer) = attach(&notice);
        assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
        let (linked, fd) = taking.join().expect("claimant");
        assert_eq!(linked.session, job.session);
        (engine, fd, job)
    };
    let kept = cross(&mut user1, Debugger::wait(host2, "IBMUSER"), client2);
    two.wait_for("question", |w| matches!(w, What::HubAsked { port, .. } if *port == client2));
    one.wait_for("route", |w| matches!(w, What::HubRouted { .. }));
    one.wait_for("notification", |w| matches!(w, What::MinerNotified { port, .. } if *port == client2));
    two.wait_for("link", |w| matches!(w, What::Linked { .. }));

    // The other way round.
    let mut user2 = miner(host2, "OTHER");
    cross(&mut user2, Debugger::wait(host1, "OTHER"), client1);

    // The primary dies while a job waits; the user comes back with it, and is told.
    let waiting = Debugger::wait(host2, "LATE");
    two.wait_for("question", |w| matches!(w, What::HubAsked { .. }));
    one.signal(Signal::KILL);
    one.end();
    // Whoever of the two is first has the hub now: both are on one machine.
    let mut one = Dbgmgr::start(run1.path(), host1, client1, &prm);
    let found = |w: &What| matches!(w, What::Hub { state: HubState::Primary | HubState::Secondary, .. });
    one.wait_for("a role", found);
    let mut late = miner(host1, "LATE");
    cross(&mut late, waiting, client2);
    drop(kept);
}

#[test]
fn with_trustedtcp_the_hub_takes_the_systems_of_the_sysplex_only() {
    for (peers, taken) in [("127.0.0.9", false), ("127.0.0.9,127.0.0.1", true), ("127.0.0.0/30", true), ("", true)] {
        let run = tempfile::tempdir().expect("temp dir");
        let [host, client, hub] = free_ports();
        let mut words = vec!["HUBIP=127.0.0.1".to_owned(), format!("HUBPORT={hub}"), "TRUSTEDTCP=ON".to_owned()];
        words.extend((!peers.is_empty()).then(|| format!("HUBPEERS={peers}")));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let mut dbgmgr = Dbgmgr::start(run.path(), host, client, &words);
        dbgmgr.wait_for("primary", |w| matches!(w, What::Hub { state: HubState::Primary, .. }));
        let system = || "LPAR2".parse().expect("system");
        let mut messages =
            vec![HubMessage::Join { system: system(), trusted: true }, HubMessage::Who { system: system() }];
        messages.extend((!taken).then_some(HubMessage::Move { hub: ([127, 0, 0, 1], 9).into(), moves: 99 }));
        for message in messages {
            // Who is refused may be told so before he has spoken.
            let mut peer = Peer::connect(hub, Role::Manager);
            peer.tell(&message);
            let answer: HubMessage = peer.hear();
            let refused = matches!(&answer, HubMessage::Refused(no) if no.code == RefusalCode::NotAuthorized);
            assert_eq!(refused, !taken, "HUBPEERS={peers}: {message:?} was answered with {answer:?}");
        }
        if !taken {
            dbgmgr.wait_for("the refusal", |w| matches!(w, What::HubRefused { .. }));
            dbgmgr.signal(Signal::TERM);
            let (_, out, _) = dbgmgr.end();
            let said = "EQACM908W A partner in the hub is refused: 127.0.0.1 is not authenticated (TRUSTEDTCP=ON): it is not one \
                        of HUBPEERS";
            assert_eq!(out.matches(said).count(), 1, "{out}");
        }
    }
}
