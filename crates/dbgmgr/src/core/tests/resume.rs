//! Sessions that are announced again after Debug Manager was gone.

use dbm_protocol::host::{Phase, Standing};

use super::cluster::Cluster;
use super::*;

const MS: u64 = 1_000_000;

fn standing(job: &Job, name: &str) -> Standing {
    let module = "EQATST".to_owned();
    let (session, claim) = (job.session.clone(), job.claim.clone());
    Standing { session, user: user(name), job: "EQATST".parse().expect("job"), module, claim }
}

/// A debugger announces a session; its connection and what came of it.
fn announce(w: &mut World, message: FromDebugger) -> (ConnId, Vec<Output>) {
    let conn = w.hello(Port::Host, Role::Debugger);
    let out = w.tell(conn, Message::Debugger(message));
    (conn, out)
}

pub(super) fn wait_again(w: &mut World, job: &Job, name: &str, phase: Phase, waited_ns: u64) -> (Job, Vec<Output>) {
    let standing = standing(job, name);
    let (conn, out) = announce(w, FromDebugger::WaitAgain { standing, phase, waited_ms: waited_ns / MS });
    let claim = replies(&out, conn).into_iter().find_map(|reply| match reply {
        Reply::Debugger(ToDebugger::Waiting { session, claim, .. }) if session == job.session => Some(claim),
        _ => None,
    });
    let claim = claim.unwrap_or_else(|| panic!("`waiting` expected, found {out:?}"));
    (Job { conn, session: job.session.clone(), claim }, out)
}

/// A job of an earlier Debug Manager on the system.
fn earlier(name: &str) -> Job {
    World::alone().job(name)
}

#[test]
fn a_session_that_runs_is_shown_again_and_ends_as_any_other() {
    let mut w = World::alone();
    let job = earlier("IBMUSER");
    let (conn, out) = announce(&mut w, FromDebugger::RunsAgain { standing: standing(&job, "IBMUSER") });
    assert_eq!(replies(&out, conn), [Reply::Debugger(ToDebugger::Known {})]);
    let resumed = What::SessionResumed {
        session: job.session.to_string(),
        user: "IBMUSER".to_owned(),
        job: "EQATST".to_owned(),
        linked: true,
    };
    assert!(w.events().contains(&resumed));
    let line = format!("User:IBMUSER 1 Engine(0) connected to Probe({}) Module(EQATST)", conn.0);
    assert_eq!(w.operator("D,U"), ["EQACM104I User list".to_owned(), line]);
    let miner = w.miner("IBMUSER");
    assert_eq!(w.notices(miner), [], "nobody is told of it");
    assert_eq!(w.pass(10 * WAIT), []);
    assert_eq!(endings(&w.tell(conn, Message::Debugger(FromDebugger::Ended {}))), ["finished"]);
    assert_eq!(w.operator("D,U").len(), 2, "only the registration is left");
}

#[test]
fn what_was_waited_before_counts_in_each_phase() {
    for (phase, logged_on) in [(Phase::Register, false), (Phase::Engine, true)] {
        let mut w = World::alone();
        if logged_on {
            w.miner("IBMUSER");
        }
        let (job, _) = wait_again(&mut w, &earlier("IBMUSER"), "IBMUSER", phase, WAIT - 10 * SECOND);
        assert_eq!(endings(&w.pass(10 * SECOND - 1)), Vec::<String>::new());
        let out = w.pass(1);
        assert_eq!(replies(&out, job.conn), [Reply::Debugger(ToDebugger::TimedOut { phase })]);
    }
    // In the first phase, and now the user comes: the second one is whole.
    let mut w = World::alone();
    wait_again(&mut w, &earlier("IBMUSER"), "IBMUSER", Phase::Register, WAIT - SECOND);
    w.miner("IBMUSER");
    assert_eq!(endings(&w.pass(WAIT - 1)), Vec::<String>::new());
    assert_eq!(endings(&w.pass(1)), ["timed_out_engine"]);
}

#[test]
fn a_phase_that_ran_out_while_there_was_no_debug_manager_is_named() {
    for (phase, how) in [(Phase::Register, "timed_out_register"), (Phase::Engine, "timed_out_engine")] {
        let mut w = World::alone();
        let miner = w.miner("IBMUSER");
        let standing = standing(&earlier("IBMUSER"), "IBMUSER");
        let again = FromDebugger::WaitAgain { standing, phase, waited_ms: WAIT / MS };
        let (conn, out) = announce(&mut w, again);
        assert_eq!(replies(&out, conn), [Reply::Debugger(ToDebugger::TimedOut { phase })]);
        assert_eq!((endings(&out), w.notices(miner).len()), (vec![how.to_owned()], 0));
    }
}

#[test]
fn the_user_is_told_again_and_only_the_new_token_opens() {
    for at in 0..2 {
        let mut c = Cluster::new(2);
        let miner = c.nodes[at].miner("IBMUSER");
        c.settle();
        let job = c.nodes[1].job("IBMUSER");
        c.settle();
        let old = c.nodes[at].notices(miner)[0].clone();
        c.restart(1);
        c.pass(SECOND);
        let miner = if at == 1 { c.nodes[1].miner("IBMUSER") } else { miner };
        let (job, _) = wait_again(&mut c.nodes[1], &job, "IBMUSER", Phase::Engine, SECOND);
        c.settle();
        let told = c.nodes[at].notices(miner);
        let new = told.last().expect("told").clone();
        assert_eq!((told.len(), &new.session), (if at == 0 { 2 } else { 1 }, &old.session), "user on {at}");
        c.nodes[1].claim(&job);
        let (_, out) = c.nodes[1].attach("IBMUSER", &job.session, &Token::from_bytes([77; 16]));
        assert_eq!(refusal(&out), Some(RefusalCode::BadToken));
        let (_, out) = c.nodes[1].attach("IBMUSER", &job.session, &new.token);
        assert!(out.iter().any(|o| matches!(o, Output::Link { .. })), "{out:?}");
    }
}

#[test]
fn a_session_that_is_known_is_taken_over_by_its_own_debugger_only() {
    let mut w = World::alone();
    let job = w.job("IBMUSER");
    let mut thief = standing(&job, "IBMUSER");
    thief.claim = Token::from_bytes([9; 16]);
    for again in [
        FromDebugger::RunsAgain { standing: thief.clone() },
        FromDebugger::WaitAgain { standing: thief, phase: Phase::Register, waited_ms: 0 },
        FromDebugger::RunsAgain { standing: standing(&job, "OTHER") },
    ] {
        assert_eq!(refusal(&announce(&mut w, again).1), Some(RefusalCode::BadToken));
    }
    let handoff = w.claim(&job);
    let (again, out) = wait_again(&mut w, &job, "IBMUSER", Phase::Register, SECOND);
    assert!(out.contains(&Output::Close(job.conn)) && out.contains(&Output::Close(handoff)), "{out:?}");
    assert_eq!(endings(&w.hang_up(job.conn)), Vec::<String>::new(), "the old connection is nobody's");
    assert_eq!(w.manager.sessions.len(), 1);
    w.claim(&again);
}

#[test]
fn a_link_that_was_under_way_is_as_the_debugger_says() {
    for has_it in [true, false] {
        let mut w = World::alone();
        let miner = w.miner("IBMUSER");
        let job = w.job("IBMUSER");
        w.claim(&job);
        let token = w.notices(miner)[0].token.clone();
        let (engine, _) = w.attach("IBMUSER", &job.session, &token);
        if has_it {
            announce(&mut w, FromDebugger::RunsAgain { standing: standing(&job, "IBMUSER") });
        } else {
            wait_again(&mut w, &job, "IBMUSER", Phase::Engine, 0);
        }
        assert_eq!(w.feed(Input::LinkDone { engine, result: Ok(()) }), [], "what is reported late changes nothing");
        assert_eq!(refusal(&w.attach("IBMUSER", &job.session, &token).1), Some(RefusalCode::BadToken));
        assert_eq!(w.notices(miner).len(), if has_it { 1 } else { 2 });
        let shown = w.operator("D,U").pop().expect("a line");
        let expected = if has_it { "Engine(0) connected to Probe" } else { "waits for engine connection" };
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn what_no_debug_manager_of_this_system_has_given_is_refused() {
    let mut w = World::alone();
    for id in ["LPAR2.1", "LPAR1", "LPAR1.", "LPAR1.x", "LPAR11.1"] {
        let mut wrong = standing(&earlier("A"), "A");
        wrong.session = id.parse().expect("session");
        let (_, out) = announce(&mut w, FromDebugger::RunsAgain { standing: wrong });
        assert_eq!(refusal(&out), Some(RefusalCode::UnknownSession), "{id}");
    }
    let mut wrong = standing(&earlier("A"), "A");
    wrong.module = "X".repeat(65);
    let (_, out) = announce(&mut w, FromDebugger::RunsAgain { standing: wrong });
    assert_eq!(refusal(&out), Some(RefusalCode::BadMessage));
}

#[test]
fn a_number_is_not_given_to_two_sessions_and_the_limits_hold() {
    let mut w = World::alone();
    w.manager.settings.limits.sessions = 2;
    // The first number of both Debug Managers is the same here.
    let (kept, _) = wait_again(&mut w, &earlier("A"), "A", Phase::Register, 0);
    let new = w.job("B");
    assert_ne!(kept.session, new.session);
    let mut third = standing(&earlier("C"), "C");
    third.session = "LPAR1.9".parse().expect("session");
    let (_, out) = announce(&mut w, FromDebugger::RunsAgain { standing: third });
    assert_eq!(refusal(&out), Some(RefusalCode::Busy));
    // One that is announced again has not ended.
    w.hang_up(kept.conn);
    assert!(w.manager.sessions.has_ended(&kept.session));
    wait_again(&mut w, &kept, "A", Phase::Register, 0);
    assert!(!w.manager.sessions.has_ended(&kept.session));
}
