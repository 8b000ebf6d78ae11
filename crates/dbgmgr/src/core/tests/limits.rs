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

#[test]
fn on_every_port_the_first_word_must_come_in_time() {
    let roles = [
        (Port::Host, Role::Miner),
        (Port::Host, Role::Debugger),
        (Port::Client, Role::Engine),
        (Port::Hub, Role::Manager),
        (Port::Handoff, Role::Debugger),
    ];
    for (port, role) in roles {
        let mut w = World::alone();
        w.open(port);
        w.pass(SECOND);
        let greeted = w.hello(port, role);
        assert_eq!(w.pass(9 * SECOND - 1), [], "{port:?}");
        assert_eq!(w.pass(1).len(), 1, "{port:?}: the silent one is closed without a word");
        let out = w.pass(SECOND);
        assert_eq!(refusal(&out), Some(RefusalCode::Timeout), "{port:?}");
        assert!(out.contains(&Output::Close(greeted)));
        assert_eq!((w.manager.conns.len(), w.manager.timers.len()), (0, 0));
    }
}

#[test]
fn on_every_port_so_many_may_be_silent_at_once() {
    for port in [Port::Host, Port::Client, Port::Hub, Port::Handoff] {
        let mut w = World::alone();
        w.manager.settings.limits.unproven = 3;
        w.manager.settings.limits.unproven_local = 3;
        let first = w.open(port);
        w.open(port);
        w.open(port);
        assert_eq!(w.manager.conns.len(), 3);
        w.open(port);
        assert_eq!(w.manager.conns.len(), 3, "{port:?}");
        assert!(w.log.contains(&Output::Close(first)), "{port:?}");
    }
}

#[test]
fn secondaries_their_users_and_their_sessions_are_counted() {
    let mut settings = settings("LPAR1");
    settings.hub = Some(([9, 9, 9, 1], 5337).into());
    settings.limits.members = 2;
    settings.limits.registrations = 2;
    settings.limits.sessions = 2;
    let mut w = World::new(settings);
    w.feed(Input::Start);
    w.feed(Input::HubBound(Ok(())));
    let join = |w: &mut World| {
        let link = w.hello(Port::Hub, Role::Manager);
        let join = HubMessage::Join { system: "LPAR2".parse().expect("system"), trusted: false };
        let out = w.tell(link, Message::Hub(join));
        (link, refusal(&out))
    };
    let notice = |n: usize| Notice {
        session: format!("LPAR2.{n}").parse().expect("session"),
        user: user("NOBODY"),
        job: "J".parse().expect("job"),
        system: "LPAR2".parse().expect("system"),
        port: 5335,
        token: Token::from_bytes([0; 16]),
    };
    let ((one, yes), (two, also)) = (join(&mut w), join(&mut w));
    assert_eq!((yes, also, join(&mut w).1), (None, None, Some(RefusalCode::Busy)));
    let mut say = |link: ConnId, message: HubMessage| refusal(&w.tell(link, Message::Hub(message)));
    let users = ["A", "B", "A", "C"].map(|name| say(one, HubMessage::UserOn { user: user(name) }));
    assert_eq!(users, [None, None, None, Some(RefusalCode::Busy)]);
    let seeks = [1, 2, 1, 3].map(|n| say(two, HubMessage::Seek { notice: notice(n) }));
    assert_eq!(seeks, [None, None, None, Some(RefusalCode::Busy)]);
    assert_eq!(
        (w.manager.hub.members.len(), w.manager.seeks.len()),
        (0, 0),
        "who asks for too much is let go with all he had"
    );
}
