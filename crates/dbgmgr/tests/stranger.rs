//! A stranger on the LAN, at the CLIENT ports.
//!
//! `STRANGER_TRIES` sets how often the stranger on the LAN tries (2,000 by default).

mod common;

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::*;
use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::host::{Phase, ToDebugger};
use dbm_protocol::{Notice, RefusalCode, Role, Token};
use evidence::What;

/// Presents a notice, to attach or to cancel; nothing but a refusal comes, and then the end.
fn gets_nothing(notice: &Notice, cancels: bool) -> RefusalCode {
    let mut engine = Peer::connect(notice.port, Role::Engine);
    let (user, session, token) = (notice.user.clone(), notice.session.clone(), notice.token.clone());
    engine.tell(&match cancels {
        false => FromEngine::Attach { user, session, token },
        true => FromEngine::Cancel { user, session, token },
    });
    let refused = match engine.hear() {
        ToEngine::Refused(refused) => refused,
        other => panic!("{notice:?}: {other:?}"),
    };
    assert!(
        !refused.reason.contains(&String::from(notice.token.clone())),
        "a token is not repeated: {}",
        refused.reason
    );
    let mut rest = Vec::new();
    engine.0.read_to_end(&mut rest).expect("the end");
    assert!(rest.is_empty(), "not a byte more: {rest:?}");
    refused.code
}

#[test]
fn a_stranger_who_dials_client_ports_gets_nothing_and_the_rightful_client_everything() {
    let tries: usize = std::env::var("STRANGER_TRIES").map_or(2000, |n| n.parse().expect("a number"));
    let run = [(), ()].map(|()| tempfile::tempdir().expect("temp dir"));
    let [host, client, host2, client2] = free_ports();
    let mut dbgmgr = Dbgmgr::start(run[0].path(), host, client, &[]);
    let _other_system = Dbgmgr::start(run[1].path(), host2, client2, &[]);
    let mut user = miner(host, "IBMUSER");
    let mut thief = miner(host, "THIEF");

    // One that has timed out, one that runs, one of another user, and the one that is wanted.
    assert_eq!(ctl(run[0].path(), &["T,1"]).0, Some(0));
    let mut late = Debugger::wait(host, "IBMUSER");
    let expired = notice(&mut user);
    assert_eq!(late.host.hear::<ToDebugger>(), ToDebugger::UserNotified {});
    assert_eq!(late.host.hear::<ToDebugger>(), ToDebugger::TimedOut { phase: Phase::Engine });
    assert_eq!(ctl(run[0].path(), &["T,300"]).0, Some(0));
    let running = Debugger::wait(host, "IBMUSER");
    let taking = running.claim();
    let used = notice(&mut user);
    let (mut engine, answer) = attach(&used);
    assert!(matches!(answer, ToEngine::Accepted { .. }), "{answer:?}");
    let mut passed = taken(taking);
    let _thiefs = Debugger::wait(host, "THIEF");
    let thiefs = notice(&mut thief);
    let wanted = Debugger::wait(host, "IBMUSER");
    let taking = wanted.claim();
    let right = notice(&mut user);

    let change = |change: &dyn Fn(&mut Notice)| {
        let mut changed = right.clone();
        change(&mut changed);
        changed
    };
    let done = AtomicUsize::new(0);
    let codes = std::thread::scope(|scope| {
        let work = || {
            let mut codes = std::collections::BTreeMap::<&str, usize>::new();
            loop {
                let n = done.fetch_add(1, Ordering::Relaxed);
                if n >= tries {
                    return codes;
                }
                let notice = match n % 8 {
                    0 => change(&|it| it.token = Token::random().expect("random numbers")),
                    1 => change(&|it| it.token = almost(&right.token, n / 8)),
                    2 => expired.clone(),
                    3 => used.clone(),
                    4 => change(&|it| it.token = thiefs.token.clone()),
                    5 => change(&|it| (it.token, it.user) = (thiefs.token.clone(), thiefs.user.clone())),
                    6 => change(&|it| it.user = thiefs.user.clone()),
                    _ => change(&|it| it.port = client2),
                };
                *codes.entry(gets_nothing(&notice, n / 8 % 2 == 1).as_str()).or_default() += 1;
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        let mut all = std::collections::BTreeMap::<&str, usize>::new();
        for thread in threads {
            for (code, count) in thread.join().expect("no panic") {
                *all.entry(code).or_default() += count;
            }
        }
        all
    });
    println!("{tries} tries: {codes:?}");
    assert_eq!(codes.values().sum::<usize>(), tries);
    assert!(codes.keys().all(|code| ["bad_token", "not_waiting", "unknown_session"].contains(code)), "{codes:?}");

    echo(&mut engine.0, &mut passed);
    let (mut engine, answer) = attach(&right);
    assert!(matches!(answer, ToEngine::Accepted { .. }), "the rightful client: {answer:?}");
    let mut passed = taken(taking);
    echo(&mut engine.0, &mut passed);
    let last = right.session.to_string();
    dbgmgr.wait_for("the last link", |w| matches!(w, What::Linked { session, .. } if *session == last));
    let linked = dbgmgr.seen().iter().filter(|w| matches!(w, What::Linked { .. })).count();
    assert_eq!(linked, 2);
}
