//! Debug Manager's state machine: whatever comes, in whatever order, no engine and no token is linked twice, none to another
//! user, and nothing is said to a connection that was closed.
#![no_main]

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use dbgmgr::core::{ConnId, Holding, Input, Level, Limits, Manager, Message, Output, Port, Reply, Settings};
use dbm_protocol::engine::FromEngine;
use dbm_protocol::handoff::FromClaimant;
use dbm_protocol::host::{FromDebugger, FromMiner, Phase, Standing, ToDebugger, ToMiner};
use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Hello, Notice, Role, SessionId, Token, UserId};
use libfuzzer_sys::fuzz_target;

/// The numbers pick among what there is.
#[derive(Arbitrary, Debug)]
enum Step {
    Open(u8),
    Greet(u8, u8),
    Register(u8, u8),
    Wait(u8, u8),
    Ended(u8),
    Again { conn: u8, session: u8, running: bool, waited_ms: u16 },
    Claim(u8, u8),
    Attach { conn: u8, session: u8, user: Option<u8>, cancel: bool },
    Hub { conn: u8, kind: u8, user: u8, session: u8, number: u64 },
    Closed(u8),
    Garbage(u8),
    LinkDone(u8, bool),
    Operator(String),
    HubBound(bool),
    HubAddress(u8),
    Unreachable,
    Pressure,
    Stop,
    Pass(u32),
    Tick,
}

const PORTS: [Port; 6] = [Port::Host, Port::Client, Port::Hub, Port::Handoff, Port::Upstream, Port::Call];
const ROLES: [Role; 4] = [Role::Miner, Role::Debugger, Role::Manager, Role::Engine];

struct Run {
    manager: Manager,
    now: u64,
    conns: u64,
    /// Sessions with their users, claims, and the tokens that were told.
    sessions: Vec<(SessionId, UserId, Token)>,
    told: Vec<Notice>,
    asked: Vec<(ConnId, UserId, Token)>,
    linked: BTreeSet<ConnId>,
    used: Vec<Token>,
    closed: BTreeSet<ConnId>,
}

fn user(n: u8) -> UserId {
    ["A", "B", "C"][usize::from(n) % 3].parse().expect("user")
}

fn settings() -> Settings {
    let limits = Limits { unproven: 8, unproven_local: 8, sessions: 12, sessions_per_user: 6, members: 2, ..Limits::default() };
    Settings {
        system: "LPAR1".parse().expect("system"),
        task: "DBGMGR".to_owned(),
        host_port: 5336,
        client_port: 5335,
        hub: Some(([9, 9, 9, 1], 5337).into()),
        wait_ns: 30_000_000_000,
        level: Level::Error,
        handoff: "handoff.sock".to_owned(),
        first_session: 1,
        limits,
    }
}

impl Run {
    fn new() -> Self {
        let mut last = 0_u128;
        let tokens = move || {
            last += 1;
            Ok(Token::from_bytes(last.to_be_bytes()))
        };
        let manager = Manager::new(settings(), Box::new(tokens));
        let (sessions, told, asked, used) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (linked, closed) = (BTreeSet::new(), BTreeSet::new());
        Self { manager, now: 1, conns: 0, sessions, told, asked, linked, used, closed }
    }

    /// The newest connections are the interesting ones.
    fn conn(&self, n: u8) -> ConnId {
        ConnId(self.conns.saturating_sub(u64::from(n % 12)).max(1))
    }

    fn session(&self, n: u8) -> (SessionId, UserId, Token) {
        let none = || ("LPAR1.1".parse().expect("session"), user(0), Token::from_bytes([9; 16]));
        let at = self.sessions.len().saturating_sub(1 + usize::from(n % 4));
        self.sessions.get(at).cloned().unwrap_or_else(none)
    }

    fn notice(&self, n: u8) -> Notice {
        let (session, user, token) = self.session(n);
        let (job, system) = ("J".parse().expect("job"), "LPAR2".parse().expect("system"));
        let made = || Notice { session, user, job, system, port: 5336, token };
        self.told.get(self.told.len().saturating_sub(1 + usize::from(n % 4))).cloned().unwrap_or_else(made)
    }

    fn step(&mut self, step: Step) {
        let message = |conn, message| Input::Message { conn, message };
        let input = match step {
            Step::Open(port) => {
                self.conns += 1;
                let ends =
                    dbgmgr::core::Ends { peer: ([10, 0, 0, 1], 4000).into(), local: ([10, 0, 0, 2], 5335).into() };
                Input::Opened { conn: ConnId(self.conns), port: PORTS[usize::from(port) % 6], ends: Some(ends) }
            }
            Step::Greet(c, role) => message(self.conn(c), Message::Hello(Hello::new(ROLES[usize::from(role) % 4]))),
            Step::Register(c, u) => message(self.conn(c), Message::Miner(FromMiner::Register { user: user(u) })),
            Step::Wait(c, u) => {
                let (job, module) = ("J".parse().expect("job"), "M".to_owned());
                message(self.conn(c), Message::Debugger(FromDebugger::Wait { user: user(u), job, module }))
            }
            Step::Ended(c) => message(self.conn(c), Message::Debugger(FromDebugger::Ended {})),
            Step::Again { conn, session, running, waited_ms } => {
                let (session, user, claim) = self.session(session);
                let (job, module) = ("J".parse().expect("job"), "M".to_owned());
                let standing = Standing { session, user, job, module, claim };
                let phase = if waited_ms % 2 == 0 { Phase::Register } else { Phase::Engine };
                let waited_ms = waited_ms.into();
                message(
                    self.conn(conn),
                    Message::Debugger(if running {
                        FromDebugger::RunsAgain { standing }
                    } else {
                        FromDebugger::WaitAgain { standing, phase, waited_ms }
                    }),
                )
            }
            Step::Claim(c, s) => {
                let (session, _, claim) = self.session(s);
                message(self.conn(c), Message::Claimant(FromClaimant::Claim { session, claim }))
            }
            Step::Attach { conn, session, user: other, cancel } => {
                let Notice { session, user: owner, token, .. } = self.notice(session);
                let (conn, user) = (self.conn(conn), other.map_or(owner, user));
                self.asked.push((conn, user.clone(), token.clone()));
                message(
                    conn,
                    Message::Engine(if cancel {
                        FromEngine::Cancel { user, session, token }
                    } else {
                        FromEngine::Attach { user, session, token }
                    }),
                )
            }
            Step::Hub { conn, kind, user: u, session, number } => {
                message(self.conn(conn), Message::Hub(self.hub(kind, u, session, number)))
            }
            Step::Closed(c) => Input::Closed { conn: self.conn(c), reason: "gone".to_owned() },
            Step::Garbage(c) => Input::Garbage { conn: self.conn(c), reason: "what is this".to_owned() },
            Step::LinkDone(c, ok) => {
                let result = if ok { Ok(()) } else { Err("broken".to_owned()) };
                Input::LinkDone { engine: self.conn(c), result }
            }
            Step::Operator(text) => Input::Operator(text),
            Step::HubBound(ok) => Input::HubBound(if ok { Ok(()) } else { Err("no".to_owned()) }),
            Step::HubAddress(n) => {
                Input::HubAddress([Holding::Own, Holding::Virtual, Holding::Gone][usize::from(n) % 3])
            }
            Step::Unreachable => Input::HubUnreachable("no".to_owned()),
            Step::Pressure => Input::Pressure,
            Step::Stop => Input::Stop,
            Step::Tick => {
                self.now = self.manager.deadline().unwrap_or(0).max(self.now);
                Input::Tick
            }
            Step::Pass(us) => {
                self.now += u64::from(us) * 1000;
                Input::Tick
            }
        };
        let out = self.manager.handle(self.now, input);
        out.into_iter().for_each(|output| self.judge(output));
    }

    fn hub(&self, kind: u8, u: u8, n: u8, number: u64) -> HubMessage {
        let system = "LPAR2".parse().expect("system");
        let session = self.session(n).0;
        match kind % 14 {
            0 => HubMessage::Join { system, trusted: false },
            1 => HubMessage::Welcome { system, moves: number },
            2 => HubMessage::UserOn { user: user(u) },
            3 => HubMessage::UserOff { user: user(u) },
            4 => HubMessage::Seek { notice: self.notice(n) },
            5 => HubMessage::Withdraw { session },
            6 => HubMessage::Notify { notice: self.notice(n) },
            7 => HubMessage::Delivered { session, system },
            8 => HubMessage::Undelivered { session },
            9 => HubMessage::Move { hub: ([9, 9, 9, u % 3], 5337).into(), moves: number },
            10 => HubMessage::Who { system },
            11 => HubMessage::Here { system, moves: number },
            12 => HubMessage::Ping {},
            _ => HubMessage::Pong {},
        }
    }

    fn judge(&mut self, output: Output) {
        match output {
            Output::Send { conn, reply } => {
                assert!(!self.closed.contains(&conn), "{reply:?} is sent to a closed connection");
                match reply {
                    Reply::Miner(ToMiner::SessionWaiting { notice }) => self.told.push(notice),
                    Reply::Debugger(ToDebugger::Waiting { session, claim, .. }) => {
                        let of_known = self.sessions.iter().find(|(id, ..)| *id == session);
                        let user = of_known.map_or(user(0), |(_, user, _)| user.clone());
                        self.sessions.push((session, user, claim));
                    }
                    _ => {}
                }
            }
            Output::Close(conn) => assert!(self.closed.insert(conn), "{conn:?} is closed twice"),
            Output::Link { engine, handoff, linked, .. } => {
                assert!(self.linked.insert(engine) && engine != handoff, "an engine is linked twice");
                let asked = self.asked.iter().rev().find(|(conn, ..)| *conn == engine).expect("an engine that asked");
                assert_eq!(asked.1, linked.user, "the session is another user's");
                assert!(!self.used.contains(&asked.2), "a token is used twice");
                self.used.push(asked.2.clone());
            }
            Output::Reply(lines) => assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}"),
            _ => {}
        }
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut run = Run::new();
    run.manager.handle(1, Input::Start);
    steps.into_iter().for_each(|step| run.step(step));
});
