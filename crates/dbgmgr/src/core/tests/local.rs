//! One system: registration, waiting, linking.

use dbm_protocol::host::{Canceller, Phase};

use super::*;

fn timed_out(out: &[Output]) -> Option<Phase> {
    out.iter().find_map(|o| match o {
        Output::Send { reply: Reply::Debugger(ToDebugger::TimedOut { phase }), .. } => Some(*phase),
        _ => None,
    })
}

#[test]
fn a_session_is_linked_with_its_user_and_nobody_else() {
    let mut w = World::alone();
    let (miner, other) = (w.miner("IBMUSER"), w.miner("OTHER"));
    let job = w.job("IBMUSER");
    assert!(w.notices(other).is_empty());
    let [notice] = &w.notices(miner)[..] else { panic!("one notice expected: {:?}", w.log) };
    assert_eq!((notice.port, notice.system.as_str(), &notice.session), (5335, "LPAR1", &job.session));
    let handoff = w.claim(&job);

    let wrong = Token::from_bytes([9; 16]);
    assert_eq!(refusal(&w.attach("IBMUSER", &job.session, &wrong).1), Some(RefusalCode::BadToken));
    assert_eq!(refusal(&w.attach("OTHER", &job.session, &notice.token).1), Some(RefusalCode::BadToken));
    let elsewhere = "LPAR2.7".parse().expect("session");
    assert_eq!(refusal(&w.attach("IBMUSER", &elsewhere, &notice.token).1), Some(RefusalCode::UnknownSession));

    let (engine, out) = w.attach("IBMUSER", &job.session, &notice.token);
    let [Output::Link { engine: e, handoff: h, linked, .. }] = &out[..] else { panic!("link expected: {out:?}") };
    assert_eq!((*e, *h, linked.user.as_str()), (engine, handoff, "IBMUSER"));
    // A thief of the token comes too late, before and after the link is reported, and disturbs nothing.
    assert_eq!(refusal(&w.attach("IBMUSER", &job.session, &notice.token).1), Some(RefusalCode::BadToken));
    let out = w.feed(Input::LinkDone { engine, result: Ok(()) });
    assert!(out.iter().any(|o| matches!(o, Output::Emit(What::Linked { .. }))), "{out:?}");
    assert_eq!(refusal(&w.attach("IBMUSER", &job.session, &notice.token).1), Some(RefusalCode::BadToken));
    assert_eq!(w.pass(10 * WAIT), [], "a linked session does not time out");
    assert_eq!(endings(&w.tell(job.conn, Message::Debugger(FromDebugger::Ended {}))), ["finished"]);
    assert_eq!(refusal(&w.attach("IBMUSER", &job.session, &notice.token).1), Some(RefusalCode::NotWaiting));
}

#[test]
fn two_phases_of_waiting_each_end_in_time() {
    let mut w = World::alone();
    let job = w.job("IBMUSER");
    assert_eq!(w.pass(WAIT - 1), []);
    let out = w.pass(1);
    assert_eq!((timed_out(&out), endings(&out)), (Some(Phase::Register), vec!["timed_out_register".to_owned()]));
    assert!(out.contains(&Output::Close(job.conn)));

    let late = w.job("IBMUSER");
    w.pass(WAIT - 1);
    let miner = w.miner("IBMUSER");
    assert_eq!(w.notices(miner).len(), 1, "who logs on later wakes what waits");
    assert!(replies(&w.log, late.conn).contains(&Reply::Debugger(ToDebugger::UserNotified {})));
    assert_eq!(w.pass(WAIT - 1), []);
    let out = w.pass(1);
    assert_eq!((timed_out(&out), endings(&out)), (Some(Phase::Engine), vec!["timed_out_engine".to_owned()]));
}

#[test]
fn a_user_who_comes_back_is_told_again_but_the_second_phase_is_not_prolonged() {
    let mut w = World::alone();
    let first = w.miner("IBMUSER");
    let _job = w.job("IBMUSER");
    w.pass(WAIT / 2);
    w.hang_up(first);
    let second = w.miner("IBMUSER");
    assert_eq!((w.notices(first).len(), w.notices(second).len()), (1, 1));
    w.hang_up(second);
    let out = w.pass(WAIT / 2);
    assert_eq!(timed_out(&out), Some(Phase::Register), "at the end nobody was there");
}

#[test]
fn another_registration_of_the_user_takes_over() {
    let mut w = World::alone();
    let (old, new) = (w.miner("IBMUSER"), w.miner("IBMUSER"));
    w.job("IBMUSER");
    assert_eq!((w.notices(old).len(), w.notices(new).len()), (0, 1), "the most recent is told");
    w.hang_up(new);
    assert_eq!(w.notices(old).len(), 1);
}

#[test]
fn an_engine_that_is_faster_than_the_claim_waits_for_it() {
    let mut w = World::alone();
    let miner = w.miner("IBMUSER");
    let job = w.job("IBMUSER");
    let token = w.notices(miner)[0].token.clone();
    let (engine, out) = w.attach("IBMUSER", &job.session, &token);
    assert_eq!(out, []);
    w.pass(SECOND);
    let handoff = w.claim(&job);
    let linked = |o: &Output| matches!(o, Output::Link { engine: e, handoff: h, .. } if (*e, *h) == (engine, handoff));
    assert!(w.log.iter().any(linked), "{:?}", w.log);
    // A debugger that is quicker than the report of the link.
    assert_eq!(w.tell(job.conn, Message::Debugger(FromDebugger::Ended {})), []);
    let out = w.feed(Input::LinkDone { engine, result: Ok(()) });
    assert!(matches!(&out[..], [.., Output::Emit(What::Linked { .. }), Output::Close(_), Output::Emit(_)]), "{out:?}");
    assert_eq!(endings(&out), ["finished"]);
}

#[test]
fn a_session_that_cannot_be_linked_is_not_lost_silently() {
    // No claim; a handoff that fails; a debugger that goes while the engine waits.
    for case in 0..3 {
        let mut w = World::alone();
        let miner = w.miner("IBMUSER");
        let job = w.job("IBMUSER");
        let token = w.notices(miner)[0].token.clone();
        if case == 1 {
            w.claim(&job);
        }
        let (engine, _) = w.attach("IBMUSER", &job.session, &token);
        let out = match case {
            0 => w.pass(2 * SECOND),
            1 => w.feed(Input::LinkDone { engine, result: Err("broken pipe".to_owned()) }),
            _ => w.hang_up(job.conn),
        };
        assert!(out.contains(&Output::Close(engine)), "{case}: {out:?}");
        assert!(endings(&out).len() == 1, "{case}: {out:?}");
        if case < 2 {
            let told = replies(&out, job.conn);
            assert!(matches!(told[..], [Reply::Debugger(ToDebugger::Refused(_))]), "{case}: {out:?}");
            assert!(out.contains(&Output::Close(job.conn)), "{case}: {out:?}");
        }
        assert_eq!(w.manager.sessions.len(), 0);
    }
}

#[test]
fn a_debugger_that_goes_takes_its_session_along() {
    let mut w = World::alone();
    let job = w.job("IBMUSER");
    let handoff = w.claim(&job);
    let out = w.hang_up(job.conn);
    assert_eq!(endings(&out), ["debugger_gone"]);
    assert!(out.contains(&Output::Close(handoff)));
    let miner = w.miner("IBMUSER");
    assert!(w.notices(miner).is_empty());
}

#[test]
fn a_claim_needs_its_secret_and_is_made_once_at_a_time() {
    let mut w = World::alone();
    let job = w.job("IBMUSER");
    let try_claim = |w: &mut World, session: &SessionId, claim: &Token| {
        let conn = w.hello(Port::Handoff, Role::Debugger);
        let claim = FromClaimant::Claim { session: session.clone(), claim: claim.clone() };
        refusal(&w.tell(conn, Message::Claimant(claim)))
    };
    let unknown = "LPAR1.77".parse().expect("session");
    assert_eq!(try_claim(&mut w, &unknown, &job.claim), Some(RefusalCode::UnknownSession));
    assert_eq!(try_claim(&mut w, &job.session, &Token::from_bytes([7; 16])), Some(RefusalCode::BadToken));
    let handoff = w.claim(&job);
    assert_eq!(try_claim(&mut w, &job.session, &job.claim), Some(RefusalCode::NotWaiting));
    w.hang_up(handoff);
    w.claim(&job);
}

#[test]
fn the_stop_ends_no_session() {
    let mut w = World::alone();
    let miner = w.miner("IBMUSER");
    let linked = w.job("IBMUSER");
    w.claim(&linked);
    let token = w.notices(miner)[0].token.clone();
    let (engine, _) = w.attach("IBMUSER", &linked.session, &token);
    assert!(w.manager.is_passing());
    w.feed(Input::LinkDone { engine, result: Ok(()) });
    assert!(!w.manager.is_passing());
    let waits = w.job("OTHER");
    let unclaimed = w.job("IBMUSER");
    let token = w.notices(miner)[1].token.clone();
    let (engine, _) = w.attach("IBMUSER", &unclaimed.session, &token);
    let out = w.feed(Input::Stop);
    assert_eq!(endings(&out), Vec::<String>::new());
    assert_eq!(refusal(&out), Some(RefusalCode::NotWaiting), "the engine is told to come back");
    assert!(out.contains(&Output::Close(engine)));
    for job in [linked, waits, unclaimed] {
        assert!(!out.contains(&Output::Close(job.conn)));
        assert_eq!(replies(&out, job.conn), [], "the debugger is not told anything; it announces the session again");
    }
}

#[test]
fn who_does_not_want_a_session_that_waits_can_say_so() {
    let mut w = World::alone();
    let miner = w.miner("IBMUSER");
    let (job, other) = (w.job("IBMUSER"), w.job("IBMUSER"));
    let out = w.tell(other.conn, Message::Debugger(FromDebugger::Ended {}));
    assert_eq!(endings(&out), ["cancelled"], "the job");

    let notice = w.notices(miner)[0].clone();
    let cancel = |w: &mut World, token: &Token| {
        let conn = w.hello(Port::Client, Role::Engine);
        let (user, session, token) = (user("IBMUSER"), job.session.clone(), token.clone());
        let out = w.tell(conn, Message::Engine(FromEngine::Cancel { user, session, token }));
        (conn, out)
    };
    let (_, out) = cancel(&mut w, &Token::from_bytes([9; 16]));
    assert_eq!((refusal(&out), endings(&out).len()), (Some(RefusalCode::BadToken), 0), "a stranger");
    let (conn, out) = cancel(&mut w, &notice.token);
    assert_eq!(replies(&out, conn), [Reply::Engine(ToEngine::Cancelled { session: job.session.clone() })]);
    assert_eq!(replies(&out, job.conn), [Reply::Debugger(ToDebugger::Cancelled { by: Canceller::User })]);
    assert_eq!(endings(&out), ["cancelled"]);
    assert!(out.contains(&Output::Close(conn)) && out.contains(&Output::Close(job.conn)), "{out:?}");
    assert_eq!(refusal(&cancel(&mut w, &notice.token).1), Some(RefusalCode::NotWaiting));

    // One that runs is not cancelled with the token it was linked with.
    let job = w.job("IBMUSER");
    let notice = w.notices(miner).pop().expect("a notice");
    w.claim(&job);
    w.attach("IBMUSER", &job.session, &notice.token);
    let conn = w.hello(Port::Client, Role::Engine);
    let late = FromEngine::Cancel { user: user("IBMUSER"), session: job.session.clone(), token: notice.token };
    assert_eq!(refusal(&w.tell(conn, Message::Engine(late))), Some(RefusalCode::BadToken));
}

#[test]
fn many_sessions_of_one_user_are_each_linked_with_their_own_engine() {
    let mut w = World::alone();
    let miner = w.miner("IBMUSER");
    let jobs: Vec<_> = (0..w.manager.settings.limits.sessions_per_user).map(|_| w.job("IBMUSER")).collect();
    let handoffs: Vec<_> = jobs.iter().map(|job| w.claim(job)).collect();
    let notices = w.notices(miner);
    assert_eq!(notices.len(), jobs.len());
    // The user takes them in an order of his own.
    for at in (0..jobs.len()).rev() {
        let (engine, out) = w.attach("IBMUSER", &notices[at].session, &notices[at].token);
        let [Output::Link { engine: e, handoff, linked, .. }] = &out[..] else { panic!("link expected: {out:?}") };
        assert_eq!((*e, *handoff, &linked.session), (engine, handoffs[at], &jobs[at].session));
        w.feed(Input::LinkDone { engine, result: Ok(()) });
    }
    let active = w.operator("D,U").iter().filter(|line| line.contains("connected to Probe")).count();
    assert_eq!(active, jobs.len());
}

#[test]
fn a_debugger_that_claims_when_its_user_was_told_is_not_waited_for_in_vain() {
    // The engine may be faster than the news that its user was told.
    let mut w = World::alone();
    let job = w.job("IBMUSER");
    let token = w.manager.sessions.get(&job.session).expect("waits").token.clone();
    let (engine, out) = w.attach("IBMUSER", &job.session, &token);
    assert_eq!(replies(&out, job.conn), [Reply::Debugger(ToDebugger::UserNotified {})]);
    w.claim(&job);
    assert!(w.log.iter().any(|o| matches!(o, Output::Link { engine: linked, .. } if *linked == engine)), "{:?}", w.log);
    // Who has been told is not told again.
    let mut w = World::alone();
    let miner = w.miner("IBMUSER");
    let job = w.job("IBMUSER");
    let token = w.notices(miner)[0].token.clone();
    let (_, out) = w.attach("IBMUSER", &job.session, &token);
    assert_eq!(replies(&out, job.conn), []);
}
