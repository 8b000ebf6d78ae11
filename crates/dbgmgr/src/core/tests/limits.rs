//! What is not put up with.

use super::*;

#[test]
fn each_port_takes_its_own_roles_only() {
    let roles = [Role::Miner, Role::Debugger, Role::Manager, Role::Engine, Role::Client];
    let ports = [
        (Port::Host, &[Role::Miner, Role::Debugger][..]),
        (Port::Client, &[Role::Engine]),
        (Port::Hub, &[Role::Manager]),
        (Port::Handoff, &[Role::Debugger]),
    ];
    for (port, right) in ports {
        for role in roles {
            let mut w = World::alone();
            let conn = w.open(port);
            let out = w.tell(conn, Message::Hello(Hello::new(role)));
            let expected = (!right.contains(&role)).then_some(RefusalCode::Role);
            assert_eq!(refusal(&out), expected, "{port:?} {role:?}");
        }
        let mut w = World::alone();
        let conn = w.open(port);
        let out = w.tell(conn, Message::Hello(Hello { version: 2, role: right[0] }));
        assert_eq!(refusal(&out), Some(RefusalCode::Version));
    }
}

#[test]
fn messages_out_of_turn_are_refused() {
    let mut w = World::alone();
    let conn = w.open(Port::Host);
    let register = || Message::Miner(FromMiner::Register { user: user("IBMUSER") });
    assert_eq!(refusal(&w.tell(conn, register())), Some(RefusalCode::BadMessage), "no hello");
    let miner = w.miner("IBMUSER");
    assert_eq!(refusal(&w.tell(miner, register())), Some(RefusalCode::BadMessage), "twice");
    assert_eq!(w.manager.users.registrations(), 0, "and the registration is gone with the connection");
    let debugger = w.hello(Port::Host, Role::Debugger);
    let out = w.tell(debugger, Message::Debugger(FromDebugger::Ended {}));
    assert_eq!(refusal(&out), Some(RefusalCode::BadMessage), "no wait");
    let conn = w.open(Port::Client);
    let out = w.feed(Input::Garbage { conn, reason: "x".repeat(70_000) });
    assert_eq!(refusal(&out), Some(RefusalCode::BadMessage));
    let told = format!("{out:?}");
    assert!(told.len() < 2000, "what strangers say is not repeated at length");
}

#[test]
fn the_silent_are_dropped_the_oldest_first_and_who_speaks_gets_in() {
    let mut w = World::alone();
    let known = w.hello(Port::Client, Role::Engine);
    let first = w.open(Port::Client);
    for _ in 0..510 {
        w.open(Port::Client);
    }
    assert!(!w.log.iter().any(|o| matches!(o, Output::Close(_))));
    w.open(Port::Client);
    assert!(w.log.contains(&Output::Close(known)), "a hello alone proves nothing");
    w.open(Port::Client);
    assert!(w.log.contains(&Output::Close(first)));
    // Other ports have their own.
    w.open(Port::Host);
    let closed = w.log.iter().filter(|o| matches!(o, Output::Close(_))).count();
    assert_eq!(closed, 2);
    let out = w.pass(10 * SECOND);
    assert_eq!(out.iter().filter(|o| matches!(o, Output::Close(_))).count(), 513);
    assert_eq!((w.manager.conns.len(), w.manager.timers.len()), (0, 0));
}

#[test]
fn want_of_descriptors_costs_the_oldest_silent_one() {
    let mut w = World::alone();
    w.miner("IBMUSER");
    let (first, second) = (w.open(Port::Hub), w.open(Port::Client));
    assert_eq!(w.feed(Input::Pressure), [Output::Close(first)]);
    assert_eq!(w.feed(Input::Pressure), [Output::Close(second)]);
    assert_eq!(w.feed(Input::Pressure), [], "who is known stays");
}

#[test]
fn a_hello_and_no_more_is_told_why_it_is_closed() {
    let mut w = World::alone();
    w.hello(Port::Client, Role::Engine);
    assert_eq!(refusal(&w.pass(10 * SECOND)), Some(RefusalCode::Timeout));
}

#[test]
fn sessions_and_registrations_are_counted() {
    let mut settings = settings("LPAR1");
    settings.limits.sessions_per_user = 2;
    settings.limits.sessions = 3;
    settings.limits.registrations_per_user = 1;
    settings.limits.registrations = 2;
    let mut w = World::new(settings);
    let (a, _) = (w.job("A"), w.job("A"));
    let wait = |w: &mut World, name: &str| {
        let conn = w.hello(Port::Host, Role::Debugger);
        let wait = FromDebugger::Wait { user: user(name), job: "J".parse().expect("job"), module: String::new() };
        refusal(&w.tell(conn, Message::Debugger(wait)))
    };
    assert_eq!(wait(&mut w, "A"), Some(RefusalCode::Busy));
    w.job("B");
    assert_eq!(wait(&mut w, "C"), Some(RefusalCode::Busy));
    w.hang_up(a.conn);
    w.job("C");
    let register = |w: &mut World, name: &str| {
        let conn = w.hello(Port::Host, Role::Miner);
        refusal(&w.tell(conn, Message::Miner(FromMiner::Register { user: user(name) })))
    };
    let taken = ["A", "A", "B", "C"].map(|name| register(&mut w, name));
    assert_eq!(taken, [None, Some(RefusalCode::Busy), None, Some(RefusalCode::Busy)]);
}
