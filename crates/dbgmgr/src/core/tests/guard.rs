//! Who may speak, and for whom.

use dbm_protocol::host::{Phase, Standing};
use dbm_protocol::passticket::Key;

use super::cluster::Cluster;
use super::*;

const OWN: u32 = 990;

fn key() -> Key {
    Key::from_bytes([5; 32])
}

/// One that lets nobody speak without proof.
fn guarded() -> World {
    let mut w = World::new(settings("LPAR1"));
    let tokens: TokenSource = Box::new(|| Ok(Token::from_bytes([1; 16])));
    w.manager = Manager::new(settings("LPAR1"), tokens).with_guard(Guard::new(key(), OWN, 0));
    w.feed(Input::Start);
    w
}

/// A connection to the HOST port that has shown a ticket; the nonce is the connection's number.
fn log_on(w: &mut World, role: Role, name: &str) -> (ConnId, Vec<Output>) {
    let conn = w.hello(Port::Host, role);
    let nonce = Token::from_bytes(u128::from(conn.0).to_be_bytes());
    let logon = key().logon_at(role, &user(name), w.now, nonce);
    let out = w.tell(conn, Message::Logon(logon));
    (conn, out)
}

fn register(name: &str) -> Message {
    Message::Miner(FromMiner::Register { user: user(name) })
}

fn wait(name: &str) -> FromDebugger {
    FromDebugger::Wait { user: user(name), job: "EQATST".parse().expect("job"), module: String::new() }
}

fn denied(out: &[Output]) -> bool {
    let told = out.iter().any(|o| matches!(o, Output::Emit(What::HostRefused { .. })));
    let closed = out.iter().any(|o| matches!(o, Output::Close(_)));
    refusal(out) == Some(RefusalCode::NotAuthorized) && told && closed
}

#[test]
fn without_a_ticket_of_his_own_nobody_registers_waits_or_announces() {
    let mut w = guarded();
    let standing = |claim: u8| Standing {
        session: "LPAR1.7".parse().expect("session"),
        user: user("IBMUSER"),
        job: "EQATST".parse().expect("job"),
        module: String::new(),
        claim: Token::from_bytes([claim; 16]),
    };
    let first_words = || {
        [
            (Role::Miner, register("IBMUSER")),
            (Role::Debugger, Message::Debugger(wait("IBMUSER"))),
            (Role::Debugger, Message::Debugger(FromDebugger::RunsAgain { standing: standing(1) })),
            (
                Role::Debugger,
                Message::Debugger(FromDebugger::WaitAgain {
                    standing: standing(1),
                    phase: Phase::Engine,
                    waited_ms: 0,
                }),
            ),
        ]
    };
    for (role, message) in first_words() {
        let conn = w.hello(Port::Host, role);
        assert!(denied(&w.tell(conn, message.clone())), "without a ticket: {message:?}");
        let (conn, out) = log_on(&mut w, role, "OTHER");
        assert_eq!(refusal(&out), None);
        assert!(denied(&w.tell(conn, message.clone())), "with another user's: {message:?}");
        let other = if role == Role::Miner { Role::Debugger } else { Role::Miner };
        let conn = w.hello(Port::Host, role);
        let logon = key().logon_at(other, &user("IBMUSER"), w.now, Token::from_bytes([99; 16]));
        assert!(denied(&w.tell(conn, Message::Logon(logon))), "with another role's: {message:?}");
    }
    assert_eq!((w.manager.users.registrations(), w.manager.sessions.len(), w.manager.conns.len()), (0, 0, 0));
    let (conn, _) = log_on(&mut w, Role::Miner, "IBMUSER");
    assert_eq!(refusal(&w.tell(conn, register("IBMUSER"))), None);
    assert_eq!(w.manager.users.registrations(), 1);
}

#[test]
fn a_ticket_opens_once_and_only_as_the_first_word() {
    let mut w = guarded();
    let logon = key().logon_at(Role::Miner, &user("IBMUSER"), w.now, Token::from_bytes([3; 16]));
    let first = w.hello(Port::Host, Role::Miner);
    assert_eq!(refusal(&w.tell(first, Message::Logon(logon.clone()))), None);
    let second = w.hello(Port::Host, Role::Miner);
    assert!(denied(&w.tell(second, Message::Logon(logon.clone()))), "it was used");
    // A second one does not make somebody else of a connection.
    let another = key().logon_at(Role::Miner, &user("OTHER"), w.now, Token::from_bytes([4; 16]));
    assert_eq!(refusal(&w.tell(first, Message::Logon(another.clone()))), Some(RefusalCode::BadMessage));
    for (port, role) in [(Port::Client, Role::Engine), (Port::Handoff, Role::Debugger), (Port::Hub, Role::Manager)] {
        let conn = w.hello(port, role);
        let out = w.tell(conn, Message::Logon(another.clone()));
        assert_eq!(refusal(&out), Some(RefusalCode::BadMessage), "{port:?}");
    }
    // Who has logged on and says no more is put up with no longer than anybody else.
    let (_, _) = log_on(&mut w, Role::Miner, "IBMUSER");
    assert_eq!(refusal(&w.pass(10 * SECOND)), Some(RefusalCode::Timeout));
    assert_eq!(w.manager.conns.len(), 0);
}

#[test]
fn another_user_id_of_this_system_has_nothing_to_say() {
    for port in [Port::Host, Port::Handoff, Port::Hub] {
        let mut w = guarded();
        for (uid, expected) in [(Ok(0), None), (Ok(OWN), None), (Ok(OWN + 1), Some(RefusalCode::NotAuthorized))] {
            let conn = w.open(port);
            assert_eq!(refusal(&w.feed(Input::PeerUser { conn, uid: uid.clone() })), expected, "{port:?} {uid:?}");
        }
        let conn = w.open(port);
        let out = w.feed(Input::PeerUser { conn, uid: Err("closed".to_owned()) });
        assert_eq!(refusal(&out), Some(RefusalCode::NotAuthorized), "{port:?}");
        assert_eq!(
            denied(&out),
            port != Port::Hub,
            "{port:?}: the event is of the ports for debuggers and Debug Miners"
        );
    }
}

#[test]
fn a_session_is_announced_again_with_the_claim_it_was_given_and_with_no_other() {
    let mut w = guarded();
    let (conn, _) = log_on(&mut w, Role::Debugger, "IBMUSER");
    let out = w.tell(conn, Message::Debugger(wait("IBMUSER")));
    let given = replies(&out, conn).into_iter().find_map(|reply| match reply {
        Reply::Debugger(ToDebugger::Waiting { session, claim, .. }) => Some((session, claim)),
        _ => None,
    });
    let (session, claim) = given.expect("`waiting`");
    let standing = |session: &str, name: &str, job: &str, claim: &Token| Standing {
        session: session.parse().expect("session"),
        user: user(name),
        job: job.parse().expect("job"),
        module: String::new(),
        claim: claim.clone(),
    };
    let id = session.to_string();
    let announce = |standing: &Standing, runs: bool| {
        // A new Debug Manager, which knows nothing but the key.
        let mut w = guarded();
        let (conn, _) = log_on(&mut w, Role::Debugger, standing.user.as_str());
        let standing = standing.clone();
        let again = if runs {
            FromDebugger::RunsAgain { standing }
        } else {
            FromDebugger::WaitAgain { standing, phase: Phase::Register, waited_ms: 0 }
        };
        let out = w.tell(conn, Message::Debugger(again));
        (refusal(&out), w.manager.sessions.len())
    };
    let wrong = Token::from_bytes([1; 16]);
    for runs in [true, false] {
        assert_eq!(announce(&standing(&id, "IBMUSER", "EQATST", &claim), runs), (None, 1));
        for not_his in [
            standing(&id, "IBMUSER", "EQATST", &wrong),
            standing(&id, "OTHER", "EQATST", &claim),
            standing(&id, "IBMUSER", "OTHER", &claim),
            standing("LPAR1.999", "IBMUSER", "EQATST", &claim),
        ] {
            assert_eq!(announce(&not_his, runs), (Some(RefusalCode::BadToken), 0), "{not_his:?}");
        }
    }
}

#[test]
fn a_token_is_of_no_use_at_another_port() {
    let mut w = World::alone();
    let miner = w.miner("IBMUSER");
    let job = w.job("IBMUSER");
    let token = w.notices(miner)[0].token.clone();
    let conn = w.next_conn();
    let ends = Ends { peer: ([10, 10, 10, 101], 40_000).into(), local: ([10, 10, 10, 1], 5334).into() };
    w.feed(Input::Opened { conn, port: Port::Client, ends: Some(ends) });
    w.tell(conn, Message::Hello(Hello::new(Role::Engine)));
    let session = job.session.clone();
    let attach = FromEngine::Attach { user: user("IBMUSER"), session, token: token.clone() };
    assert_eq!(refusal(&w.tell(conn, Message::Engine(attach))), Some(RefusalCode::BadToken));
    assert_eq!(refusal(&w.attach("IBMUSER", &job.session, &token).1), None, "and is not used up there");
}

/// Trusts 9.9.9.0/24.
fn trusting(mut w: World) -> World {
    let trust: HubTrust = Box::new(|_, ip| match ip {
        std::net::IpAddr::V4(v4) if v4.octets()[..3] == [9, 9, 9] => Ok(()),
        _ => Err("it is not in 9.9.9.0/24".to_owned()),
    });
    w.manager.hub_trust = Some(trust);
    w
}

#[test]
fn with_trustedtcp_a_partner_from_elsewhere_is_refused_before_it_says_a_word() {
    let mut hub = settings("LPAR1");
    hub.hub = Some(([9, 9, 9, 1], 5337).into());
    let mut w = trusting(World::new(hub));
    w.feed(Input::Start);
    w.feed(Input::HubBound(Ok(())));
    let mut dial = |last: u8, net: u8| {
        let conn = w.next_conn();
        let ends = Ends { peer: ([net, 9, 9, last], 40_000).into(), local: ([9, 9, 9, 1], 5337).into() };
        let out = w.feed(Input::Opened { conn, port: Port::Hub, ends: Some(ends) });
        let said = out.iter().filter(|o| matches!(o, Output::Console(_))).count();
        let event = out.iter().filter(|o| matches!(o, Output::Emit(What::HubRefused { .. }))).count();
        (refusal(&out), said, event)
    };
    assert_eq!(dial(2, 9), (None, 0, 0));
    let no = Some(RefusalCode::NotAuthorized);
    assert_eq!(dial(2, 10), (no, 1, 1));
    assert_eq!(dial(2, 10), (no, 0, 1), "it is said once to the operator");
    assert_eq!(dial(3, 10), (no, 1, 1));
}

#[test]
fn with_trustedtcp_the_hub_does_not_move_out_of_the_sysplex() {
    for (to, moves) in [([10, 0, 0, 1], false), ([9, 9, 9, 2], true)] {
        let mut c = Cluster::new(2);
        let before = c.nodes[0].manager.settings.hub;
        for n in 0..2 {
            let node = std::mem::replace(&mut c.nodes[n], World::alone());
            c.nodes[n] = trusting(node);
        }
        let link = c.nodes[0].manager.conns.on(Port::Hub)[0];
        let message = Message::Hub(HubMessage::Move { hub: (to, 5337).into(), moves: 9 });
        let out = c.nodes[0].tell(link, message);
        assert_eq!(c.nodes[0].manager.settings.hub != before, moves, "{to:?}");
        assert_eq!(refusal(&out).is_none(), moves);
    }
}

#[test]
fn with_trustedtcp_a_secondary_without_it_is_refused() {
    let mut hub = settings("LPAR1");
    hub.hub = Some(([9, 9, 9, 1], 5337).into());
    let joins = |mut w: World, trusted: bool| {
        w.feed(Input::Start);
        w.feed(Input::HubBound(Ok(())));
        let conn = w.next_conn();
        let ends = Ends { peer: ([9, 9, 9, 2], 40_000).into(), local: ([9, 9, 9, 1], 5337).into() };
        w.feed(Input::Opened { conn, port: Port::Hub, ends: Some(ends) });
        w.tell(conn, Message::Hello(Hello::new(Role::Manager)));
        let system = "LPAR2".parse().expect("system");
        let out = w.tell(conn, Message::Hub(HubMessage::Join { system, trusted }));
        let event = out.iter().filter(|o| matches!(o, Output::Emit(What::HubRefused { .. }))).count();
        (refusal(&out), event)
    };
    assert_eq!(joins(trusting(World::new(hub.clone())), true), (None, 0));
    assert_eq!(joins(trusting(World::new(hub.clone())), false), (Some(RefusalCode::NotAuthorized), 1));
    assert_eq!(joins(World::new(hub), false), (None, 0), "nobody is authenticated");
}
