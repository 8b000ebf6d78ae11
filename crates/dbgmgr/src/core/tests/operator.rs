//! The operator's commands: each shape of line, each command, and what they change.

use dbm_protocol::handoff::Linked;
use dbm_protocol::host::Canceller;
use proptest::prelude::*;

use super::*;

/// The number that `D,U` shows for a job's session.
fn number(job: &Job) -> &str {
    job.session.as_str().strip_prefix("LPAR1.").expect("a session of LPAR1")
}

#[test]
fn nobody_is_shown_as_nobody() {
    let mut w = World::alone();
    assert_eq!(w.operator("D,U"), ["EQACM103I No active user"]);
    let miner = w.miner("IBMUSER");
    w.hang_up(miner);
    assert_eq!(w.operator("F DBGMGR,APPL=DBM,D,U"), ["EQACM103I No active user"]);
}

#[test]
fn each_shape_of_line_as_in_the_books() {
    let mut w = World::alone();
    w.miner("IBMUSER");
    let waits = w.job("IBMUSR2");
    let miner = w.miner("IBMUSR3");
    let told = w.job("IBMUSR3");
    let other = w.miner("IBMUSR4");
    let linked = w.job("IBMUSR4");
    let show = |w: &mut World| w.operator("D,U");
    let lines = |last: String| {
        vec![
            "EQACM104I User list".to_owned(),
            "User:IBMUSER  RegisterSocket(1)".to_owned(),
            format!("User:IBMUSR2 {} ProbeSocket({}) waits for register connection", number(&waits), waits.conn.0),
            format!("User:IBMUSR3  RegisterSocket({})", miner.0),
            format!("User:IBMUSR3 {} ProbeSocket({}) waits for engine connection", number(&told), told.conn.0),
            format!("User:IBMUSR4  RegisterSocket({})", other.0),
            last,
        ]
    };
    let waiting =
        format!("User:IBMUSR4 {} ProbeSocket({}) waits for engine connection", number(&linked), linked.conn.0);
    assert_eq!(show(&mut w), lines(waiting.clone()));

    // The engine is there, and then its socket is on its way: not active yet.
    let token = w.notices(other)[0].token.clone();
    let (engine, _) = w.attach("IBMUSR4", &linked.session, &token);
    assert_eq!(show(&mut w), lines(waiting.clone()));
    w.claim(&linked);
    assert!(w.log.iter().any(|o| matches!(o, Output::Link { linked: Linked { .. }, .. })));
    assert_eq!(show(&mut w), lines(waiting));
    w.feed(Input::LinkDone { engine, result: Ok(()) });
    let (engine, probe) = (engine.0, linked.conn.0);
    let active =
        format!("User:IBMUSR4 {} Engine({engine}) connected to Probe({probe}) Module(EQATST)", number(&linked));
    assert_eq!(show(&mut w), lines(active));
    w.hang_up(linked.conn);
    assert_eq!(show(&mut w).len(), 6, "and it is gone when it has ended");
}

#[test]
fn a_program_name_cannot_forge_a_line() {
    let mut w = World::alone();
    let miner = w.miner("A");
    let conn = w.hello(Port::Host, Role::Debugger);
    let module = "M\nUser:ROOT".to_owned();
    let wait = FromDebugger::Wait { user: user("A"), job: "J".parse().expect("job"), module };
    let out = w.tell(conn, Message::Debugger(wait));
    let Some(Reply::Debugger(ToDebugger::Waiting { session, claim, .. })) = replies(&out, conn).first().cloned() else {
        panic!("{out:?}")
    };
    w.claim(&Job { conn, session: session.clone(), claim });
    let token = w.notices(miner)[0].token.clone();
    let (engine, _) = w.attach("A", &session, &token);
    w.feed(Input::LinkDone { engine, result: Ok(()) });
    let lines = w.operator("D,U");
    assert_eq!(lines.len(), 3);
    assert!(lines[2].ends_with(r"Module(M\nUser:ROOT)"), "{lines:?}");
}

#[test]
fn the_wait_time_holds_for_phases_that_begin_later() {
    let mut w = World::alone();
    w.job("A");
    let said = w.operator("T,10")[0].clone();
    assert!(said.starts_with("EQACM911I ") && said.contains("10 seconds (was 300 seconds)"), "{said}");
    w.job("B");
    assert_eq!(endings(&w.pass(10 * SECOND)), ["timed_out_register"], "that of B");
    assert_eq!(endings(&w.pass(290 * SECOND)), ["timed_out_register"], "that of A");
}

#[test]
fn the_log_level_goes_to_the_shell() {
    let mut w = World::alone();
    assert_eq!(w.operator("LL,D"), ["EQACM912I Log level is D (was E)"]);
    assert_eq!(w.operator("ll,v"), ["EQACM912I Log level is V (was D)"]);
    let levels: Vec<_> = w.log.iter().filter(|o| matches!(o, Output::Log(_))).cloned().collect();
    assert_eq!(levels, [Output::Log(Level::Debug), Output::Log(Level::Verbose)]);
    assert!(w.log.contains(&Output::Console("EQACM912I Log level is D (was E)".to_owned())));
}

#[test]
fn a_session_that_waits_can_be_cancelled_by_number_by_id_and_by_user() {
    let mut w = World::alone();
    let refused = |w: &World, job: &Job| {
        let all = replies(&w.log, job.conn);
        all.last() == Some(&Reply::Debugger(ToDebugger::Cancelled { by: Canceller::Operator }))
    };
    let jobs = ["A", "A", "A", "B"].map(|name| w.job(name));
    assert_eq!(
        w.operator(&format!("C,{}", number(&jobs[0]))),
        [format!("EQACM915I Session {} of user A, job EQATST, is cancelled", jobs[0].session)]
    );
    w.operator(&format!("C,{}", jobs[1].session).to_lowercase());
    assert_eq!([0, 1, 2, 3].map(|n| refused(&w, &jobs[n])), [true, true, false, false]);
    assert_eq!(endings(&w.log), ["cancelled", "cancelled"]);
    let lines = w.operator("C,U,A");
    assert_eq!(lines[0], "EQACM915I Sessions cancelled for user A: 1");
    assert_eq!(lines.len(), 2);
    assert!(refused(&w, &jobs[2]) && !refused(&w, &jobs[3]));
    assert!(w.operator("C,U,A")[0].starts_with("EQACM921E No session waits for user A on system LPAR1"));
    let nothing = w.operator(&format!("C,{}", number(&jobs[0])));
    assert!(nothing[0].starts_with("EQACM921E `1` was found, a session of system LPAR1 was expected"), "{nothing:?}");
}

#[test]
fn a_session_that_is_linked_cannot_be_cancelled() {
    let mut w = World::alone();
    let miner = w.miner("A");
    let job = w.job("A");
    w.claim(&job);
    let token = w.notices(miner)[0].token.clone();
    let (engine, _) = w.attach("A", &job.session, &token);
    for _ in 0..2 {
        let said = w.operator(&format!("C,{}", job.session));
        assert!(said[0].starts_with("EQACM921E Session LPAR1.1 does not wait any more"), "{said:?}");
        assert!(w.operator("C,U,A")[0].starts_with("EQACM921E "));
        w.feed(Input::LinkDone { engine, result: Ok(()) });
    }
    assert_eq!(endings(&w.log), Vec::<String>::new());
}

#[test]
fn the_stop_and_what_is_wrong() {
    let mut w = World::alone();
    let said = w.operator("P RSED");
    assert!(said[0].starts_with("EQACM920E `RSED` was found after P, DBGMGR was expected"), "{said:?}");
    assert!(!w.log.contains(&Output::Shutdown));
    assert_eq!(w.operator("P DBGMGR"), ["EQACM916I Debug Manager ends by operator command"]);
    assert!(w.log.contains(&Output::Shutdown));
}

proptest! {
    #[test]
    fn every_text_has_one_answer(text in any::<String>(), command in "(D|LL|T|H|C|P|C,U),?.{0,12}") {
        let mut w = World::alone();
        w.miner("A");
        w.job("A");
        w.operator(&text);
        w.operator(&command);
    }
}
