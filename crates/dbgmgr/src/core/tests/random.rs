//! Whatever comes, in whatever order: what must hold all the same.

use std::collections::{BTreeMap, BTreeSet};

use dbm_protocol::host::{Phase, Standing};
use evidence::HubState;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::sessions::State;
use super::*;

/// One step of a sequence; the numbers pick among what there is.
#[derive(Clone, Debug)]
enum Step {
    Open(u8),
    Hello(u8, u8),
    Register(u8, u8),
    Wait(u8, u8),
    Ended(u8),
    Again { conn: u8, session: u8, right: bool, runs: bool, waited: u64 },
    Claim(u8, u8, bool),
    Attach { conn: u8, user: u8, session: u8, right: bool },
    Cancel(u8, u8, bool),
    Hub { conn: u8, kind: u8, user: u8, session: u8 },
    HangUp(u8),
    Garbage(u8),
    LinkDone(u8, bool),
    Operator(u8, u8),
    HubBound(bool),
    HubAddress(u8),
    Unreachable,
    Pressure,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let n = any::<u8>;
    prop_oneof![
        3 => (0..6_u8).prop_map(Step::Open),
        4 => (n(), 0..5_u8).prop_map(|(a, b)| Step::Hello(a, b)),
        2 => (n(), n()).prop_map(|(a, b)| Step::Register(a, b)),
        3 => (n(), n()).prop_map(|(a, b)| Step::Wait(a, b)),
        1 => n().prop_map(Step::Ended),
        2 => (n(), n(), prop::bool::weighted(0.8), prop::bool::weighted(0.3), 0..2 * WAIT)
            .prop_map(|(conn, session, right, runs, waited)| Step::Again { conn, session, right, runs, waited }),
        3 => (n(), n(), prop::bool::weighted(0.9)).prop_map(|(a, b, c)| Step::Claim(a, b, c)),
        1 => (n(), n(), prop::bool::weighted(0.8)).prop_map(|(a, b, c)| Step::Cancel(a, b, c)),
        4 => (n(), n(), n(), prop::bool::weighted(0.9))
            .prop_map(|(conn, user, session, right)| Step::Attach { conn, user, session, right }),
        4 => (n(), 0..15_u8, n(), n()).prop_map(|(conn, kind, user, session)| Step::Hub { conn, kind, user, session }),
        2 => n().prop_map(Step::HangUp),
        1 => n().prop_map(Step::Garbage),
        4 => (n(), prop::bool::weighted(0.8)).prop_map(|(a, b)| Step::LinkDone(a, b)),
        1 => (n(), n()).prop_map(|(a, b)| Step::Operator(a, b)),
        1 => any::<bool>().prop_map(Step::HubBound),
        1 => n().prop_map(Step::HubAddress),
        1 => Just(Step::Unreachable),
        1 => Just(Step::Pressure),
        2 => (0..4 * SECOND).prop_map(Step::Pass),
        1 => (0..WAIT).prop_map(Step::Pass),
    ]
}

const PORTS: [Port; 6] = [Port::Host, Port::Client, Port::Hub, Port::Handoff, Port::Upstream, Port::Call];
const ROLES: [Role; 5] = [Role::Miner, Role::Debugger, Role::Manager, Role::Engine, Role::Client];
const USERS: [&str; 3] = ["A", "B", "C"];

struct Run {
    w: World,
    /// Every session there ever was: its user, its token, its claim.
    sessions: Vec<(SessionId, UserId, Token, Token)>,
    /// What the engines on each connection asked for.
    asked: BTreeMap<ConnId, (UserId, SessionId)>,
    linked_engines: BTreeSet<ConnId>,
    linked_sessions: BTreeSet<SessionId>,
    closed: BTreeSet<ConnId>,
}

impl Run {
    fn conn(&self, n: u8) -> ConnId {
        // The newest connections are the interesting ones.
        ConnId(self.w.last_conn.saturating_sub(u64::from(n % 12)).max(1))
    }

    /// A connection that has got as far as its hello, or any one.
    fn actor(&mut self, n: u8, port: Port, role: Role) -> ConnId {
        if !n.is_multiple_of(3) { self.w.hello(port, role) } else { self.conn(n / 3) }
    }

    fn user(n: u8) -> UserId {
        user(USERS[usize::from(n) % USERS.len()])
    }

    fn session(&self, n: u8) -> (SessionId, UserId, Token, Token) {
        let fallback =
            || ("LPAR9.1".parse().expect("session"), user("A"), Token::from_bytes([1; 16]), Token::from_bytes([2; 16]));
        let newest = self.sessions.len().saturating_sub(1 + usize::from(n % 4));
        self.sessions.get(newest).cloned().unwrap_or_else(fallback)
    }

    fn input(&mut self, step: &Step) -> Option<Input> {
        let message = |conn, message| Some(Input::Message { conn, message });
        match *step {
            Step::Open(port) => {
                self.w.open(PORTS[usize::from(port)]);
                None
            }
            Step::Hello(c, role) => message(self.conn(c), Message::Hello(Hello::new(ROLES[usize::from(role)]))),
            Step::Register(c, u) => message(
                self.actor(c, Port::Host, Role::Miner),
                Message::Miner(FromMiner::Register { user: Self::user(u) }),
            ),
            Step::Wait(c, u) => {
                let wait =
                    FromDebugger::Wait { user: Self::user(u), job: "J".parse().expect("job"), module: "M".to_owned() };
                message(self.actor(c, Port::Host, Role::Debugger), Message::Debugger(wait))
            }
            Step::Ended(c) => message(self.conn(c), Message::Debugger(FromDebugger::Ended {})),
            Step::Again { conn, session, right, runs, waited } => {
                let (session, user, token, claim) = self.session(session);
                let claim = if right { claim } else { token };
                let standing =
                    Standing { session, user, job: "J".parse().expect("job"), module: "M".to_owned(), claim };
                let phase = if waited % 2 == 0 { Phase::Register } else { Phase::Engine };
                let again = if runs {
                    FromDebugger::RunsAgain { standing }
                } else {
                    FromDebugger::WaitAgain { standing, phase, waited_ms: waited / 1_000_000 }
                };
                message(self.actor(conn, Port::Host, Role::Debugger), Message::Debugger(again))
            }
            Step::Claim(c, s, right) => {
                let (session, _, token, claim) = self.session(s);
                let claim = if right { claim } else { token };
                message(
                    self.actor(c, Port::Handoff, Role::Debugger),
                    Message::Claimant(FromClaimant::Claim { session, claim }),
                )
            }
            Step::Attach { conn, user, session, right } => {
                let conn = self.actor(conn, Port::Client, Role::Engine);
                let (session, owner, token, claim) = self.session(session);
                let user = if user % 4 == 0 { Self::user(user / 4) } else { owner };
                self.asked.entry(conn).or_insert((user.clone(), session.clone()));
                let token = if right { token } else { claim };
                message(conn, Message::Engine(FromEngine::Attach { user, session, token }))
            }
            Step::Cancel(conn, session, right) => {
                let (session, user, token, claim) = self.session(session);
                let token = if right { token } else { claim };
                let conn = self.actor(conn, Port::Client, Role::Engine);
                message(conn, Message::Engine(FromEngine::Cancel { user, session, token }))
            }
            Step::Hub { conn, kind, user, session: session_number } => {
                let (session, owner, token, _) = self.session(session_number);
                let system = || "LPAR2".parse().expect("system");
                let moves = [0, 1, u64::MAX][usize::from(session_number % 3)];
                let user = if user % 2 == 0 { Self::user(user / 2) } else { owner };
                let notice = || Notice {
                    session: session.clone(),
                    user: user.clone(),
                    job: "J".parse().expect("job"),
                    system: system(),
                    port: 5336,
                    token: token.clone(),
                };
                let hub = match kind {
                    0 | 1 => {
                        let conn = self.actor(conn, Port::Hub, Role::Manager);
                        return message(conn, Message::Hub(HubMessage::Join { system: system(), trusted: false }));
                    }
                    2 => HubMessage::Welcome { system: system(), moves },
                    3 => HubMessage::UserOn { user },
                    4 => HubMessage::UserOff { user },
                    5 => HubMessage::Seek { notice: notice() },
                    6 => HubMessage::Withdraw { session },
                    7 => HubMessage::Notify { notice: notice() },
                    8 => HubMessage::Delivered { session, system: system() },
                    9 => HubMessage::Undelivered { session },
                    10 => HubMessage::Ping {},
                    11 => HubMessage::Move { hub: ([9, 9, 9, conn % 3], 5337).into(), moves },
                    12 => HubMessage::Who { system: system() },
                    13 => HubMessage::Here { system: system(), moves },
                    _ => HubMessage::Pong {},
                };
                let m = &self.w.manager.hub;
                let links: Vec<_> = m.members.keys().copied().chain(m.upstream).collect();
                let link = links.get(usize::from(conn) % (links.len() + 1)).copied();
                message(link.unwrap_or(self.conn(conn)), Message::Hub(hub))
            }
            Step::HangUp(c) => Some(Input::Closed { conn: self.conn(c), reason: "gone".to_owned() }),
            Step::Garbage(c) => Some(Input::Garbage { conn: self.conn(c), reason: "what is this".to_owned() }),
            Step::LinkDone(c, ok) => {
                let passing = self.w.manager.sessions.select(|s| matches!(s, State::Passing { .. }));
                let of = |id: &SessionId| match self.w.manager.sessions.get(id).map(|s| &s.state) {
                    Some(State::Passing { engine, .. }) => Some(*engine),
                    _ => None,
                };
                let engine = passing.first().and_then(of).unwrap_or(self.conn(c));
                Some(Input::LinkDone { engine, result: if ok { Ok(()) } else { Err("broken".to_owned()) } })
            }
            Step::Operator(command, which) => {
                let command = match command % 8 {
                    0 => "D,U".to_owned(),
                    1 => "H".to_owned(),
                    2 => format!("H,9.9.9.{},5337", which % 3),
                    3 => format!("T,{which}"),
                    4 => format!("C,{}", self.session(which).0),
                    5 => format!("C,U,{}", Self::user(which)),
                    6 => "LL,D".to_owned(),
                    _ => "P DBGMGR".to_owned(),
                };
                self.w.operator(&command);
                None
            }
            Step::HubBound(ok) => Some(Input::HubBound(if ok { Ok(()) } else { Err("no".to_owned()) })),
            Step::HubAddress(n) => {
                Some(Input::HubAddress([Holding::Own, Holding::Virtual, Holding::Gone][usize::from(n % 3)]))
            }
            Step::Unreachable => Some(Input::HubUnreachable("no".to_owned())),
            Step::Pressure => Some(Input::Pressure),
            Step::Pass(ns) => {
                self.w.pass(ns);
                None
            }
        }
    }

    /// Judges what was said since `from`.
    fn judge(&mut self, from: usize) {
        let mut resumed = BTreeSet::new();
        for output in self.w.log[from..].iter().cloned() {
            match output {
                Output::Emit(What::SessionResumed { session, linked: false, .. }) => {
                    resumed.insert(session);
                }
                Output::Emit(What::SessionResumed { session, .. }) => {
                    self.linked_sessions.insert(session.parse().expect("session"));
                }
                Output::Send { conn, reply } => {
                    assert!(!self.closed.contains(&conn), "{reply:?} is sent to a closed connection");
                    if let Reply::Debugger(ToDebugger::Waiting { session, claim, .. }) = &reply {
                        let s = self.w.manager.sessions.iter().find(|(id, _)| *id == session);
                        let token = s.map_or(Token::from_bytes([0; 16]), |(_, s)| s.token.clone());
                        let user = s.map_or(user("A"), |(_, s)| s.user.clone());
                        if resumed.contains(&session.to_string()) {
                            // Its debugger says that it waits, and has it in hand.
                            self.sessions.retain(|known| known.0 != *session);
                            self.linked_sessions.remove(session);
                        }
                        assert!(self.sessions.iter().all(|k| k.0 != *session), "a number is given twice");
                        self.sessions.push((session.clone(), user, token, claim.clone()));
                    }
                    if let Reply::Debugger(ToDebugger::TimedOut { .. }) = &reply {
                        let linked = self.sessions.iter().filter(|s| self.linked_sessions.contains(&s.0));
                        let mut still = linked.filter_map(|s| self.w.manager.sessions.get(&s.0));
                        assert!(still.all(|s| s.debugger != conn), "a linked session has timed out");
                    }
                }
                Output::Close(conn) => assert!(self.closed.insert(conn), "{conn:?} is closed twice"),
                Output::Link { engine, handoff, linked, .. } => {
                    assert!(self.linked_engines.insert(engine), "an engine is linked twice");
                    assert!(self.linked_sessions.insert(linked.session.clone()), "a token is used twice");
                    assert_ne!(engine, handoff);
                    let known = self.sessions.iter().find(|s| s.0 == linked.session).expect("a session that was made");
                    assert_eq!(known.1, linked.user, "the session is another user's");
                    assert_eq!(
                        self.asked.get(&engine),
                        Some(&(known.1.clone(), known.0.clone())),
                        "not what it asked for"
                    );
                }
                _ => {}
            }
        }
    }

    /// What must hold between any two inputs.
    fn invariants(&self) {
        let m = &self.w.manager;
        for (id, session) in m.sessions.iter() {
            let waits = session.waits();
            assert!(!(waits && self.linked_sessions.contains(id)), "{id} both waits and is linked");
            let timed = waits
                || matches!(session.state, State::Passing { .. } | State::Linked { .. })
                || session.handoff.is_none();
            assert!(timed, "{id} waits for a claim that is there");
            let ended = matches!(session.state, State::Passing { ended: Some(_), .. });
            assert!(ended || m.conns.get(session.debugger).is_some(), "{id} has no debugger");
            if let State::Attached { engine } | State::Passing { engine, .. } = session.state {
                assert!(m.conns.get(engine).is_some(), "{id} is attached to nothing");
            }
        }
        let limits = &m.settings.limits;
        assert!(m.conns.len() <= PORTS.len() * limits.unproven + 200);
        assert!(m.hub.members.len() <= limits.members);
        assert!(m.sessions.len() <= limits.sessions);
        assert!(m.timers.len() <= m.conns.len() * 2 + m.sessions.len() + 4, "a deadline of nothing");
        if m.hub.members.is_empty() {
            assert_eq!(m.seeks.len(), 0, "a seek of nobody");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_breaks_what_must_hold(primary: bool, steps in vec(step(), 1..250)) {
        let mut settings = settings("LPAR1");
        settings.hub = Some(([9, 9, 9, 1], 5337).into());
        settings.limits.unproven = 8;
        settings.limits.unproven_local = 8;
        settings.limits.sessions = 12;
        settings.limits.sessions_per_user = 6;
        settings.limits.members = 2;
        let mut run = Run {
            w: World::new(settings),
            sessions: Vec::new(),
            asked: BTreeMap::new(),
            linked_engines: BTreeSet::new(),
            linked_sessions: BTreeSet::new(),
            closed: BTreeSet::new(),
        };
        run.w.feed(Input::Start);
        if primary {
            run.w.feed(Input::HubBound(Ok(())));
            prop_assert_eq!(run.w.manager.hub.state, HubState::Primary);
        }
        for step in &steps {
            let from = run.w.log.len();
            if let Some(input) = run.input(step) {
                run.w.feed(input);
            }
            run.judge(from);
            run.invariants();
        }
    }
}
