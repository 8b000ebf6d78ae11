//! The core without a kernel.

mod cluster;
mod faults;
mod guard;
mod hub;
mod limits;
mod local;
mod moving;
mod operator;
mod random;
mod resume;
mod rival;
mod simulation;
mod twice;

use std::sync::atomic::{AtomicU64, Ordering};

use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::handoff::{FromClaimant, ToClaimant};
use dbm_protocol::host::{FromDebugger, FromMiner, ToDebugger, ToMiner};
use dbm_protocol::{Hello, Notice, RefusalCode, Role, SessionId, Token, UserId};
use evidence::What;

use super::*;

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const WAIT: u64 = 300 * SECOND;

/// One Debug Manager with a hand-driven clock, and all that it ever said.
pub(super) struct World {
    pub(super) manager: Manager,
    pub(super) now: u64,
    pub(super) log: Vec<Output>,
    last_conn: u64,
}

pub(super) fn settings(system: &str) -> Settings {
    Settings {
        system: system.parse().expect("system"),
        task: "DBGMGR".to_owned(),
        host_port: 5336,
        client_port: 5335,
        hub: None,
        wait_ns: WAIT,
        level: Level::Error,
        handoff: "/run/zos/dbgmgr/handoff.sock".to_owned(),
        first_session: 1,
        limits: Limits::default(),
    }
}

pub(super) fn user(name: &str) -> UserId {
    name.parse().expect("user id")
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        // No two are the same, not even of two Debug Managers.
        static LAST: AtomicU64 = AtomicU64::new(0);
        let tokens = || {
            let last = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            Ok(Token::from_bytes(u128::from(last).to_be_bytes()))
        };
        let manager = Manager::new(settings, Box::new(tokens));
        Self { manager, now: 1, log: Vec::new(), last_conn: 0 }
    }

    /// One that has begun, alone.
    pub(super) fn alone() -> Self {
        let mut world = Self::new(settings("LPAR1"));
        world.feed(Input::Start);
        world
    }

    pub(super) fn feed(&mut self, input: Input) -> Vec<Output> {
        let out = self.manager.handle(self.now, input);
        self.log.extend(out.iter().cloned());
        out
    }

    /// Lets time pass, ticking at each deadline as the shell does.
    pub(super) fn pass(&mut self, ns: u64) -> Vec<Output> {
        let end = self.now + ns;
        let mut out = Vec::new();
        while let Some(at) = self.manager.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            out.extend(self.feed(Input::Tick));
        }
        self.now = end;
        out
    }

    pub(super) fn next_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    pub(super) fn open(&mut self, port: Port) -> ConnId {
        let conn = self.next_conn();
        let peer = ([10, 10, 10, 101], 40_000).into();
        let local = ([10, 10, 10, 1], self.manager.settings.client_port).into();
        let ends = (port != Port::Handoff).then_some(Ends { peer, local });
        self.feed(Input::Opened { conn, port, ends });
        conn
    }

    pub(super) fn tell(&mut self, conn: ConnId, message: Message) -> Vec<Output> {
        self.feed(Input::Message { conn, message })
    }

    pub(super) fn hello(&mut self, port: Port, role: Role) -> ConnId {
        let conn = self.open(port);
        self.tell(conn, Message::Hello(Hello::new(role)));
        conn
    }

    pub(super) fn hang_up(&mut self, conn: ConnId) -> Vec<Output> {
        self.feed(Input::Closed { conn, reason: "the connection ended".to_owned() })
    }

    /// A Debug Miner registers a user.
    pub(super) fn miner(&mut self, name: &str) -> ConnId {
        let conn = self.hello(Port::Host, Role::Miner);
        self.tell(conn, Message::Miner(FromMiner::Register { user: user(name) }));
        conn
    }

    /// A debugger lets a session wait.
    pub(super) fn job(&mut self, name: &str) -> Job {
        let conn = self.hello(Port::Host, Role::Debugger);
        let job = "EQATST".parse().expect("job");
        let wait = FromDebugger::Wait { user: user(name), job, module: "EQATST".to_owned() };
        let out = self.tell(conn, Message::Debugger(wait));
        let waiting = replies(&out, conn).into_iter().find_map(|reply| match reply {
            Reply::Debugger(ToDebugger::Waiting { session, claim, .. }) => Some((session, claim)),
            _ => None,
        });
        let (session, claim) = waiting.unwrap_or_else(|| panic!("`waiting` expected, found {out:?}"));
        Job { conn, session, claim }
    }

    /// The debugger claims on the handoff socket.
    pub(super) fn claim(&mut self, job: &Job) -> ConnId {
        let conn = self.hello(Port::Handoff, Role::Debugger);
        let claim = FromClaimant::Claim { session: job.session.clone(), claim: job.claim.clone() };
        let out = self.tell(conn, Message::Claimant(claim));
        assert_eq!(replies(&out, conn), [Reply::Claimant(ToClaimant::Claimed {})]);
        conn
    }

    /// An engine presents a token.
    pub(super) fn attach(&mut self, name: &str, session: &SessionId, token: &Token) -> (ConnId, Vec<Output>) {
        let conn = self.hello(Port::Client, Role::Engine);
        let attach = FromEngine::Attach { user: user(name), session: session.clone(), token: token.clone() };
        let out = self.tell(conn, Message::Engine(attach));
        (conn, out)
    }

    /// What a Debug Miner was told.
    pub(super) fn notices(&self, miner: ConnId) -> Vec<Notice> {
        replies(&self.log, miner)
            .into_iter()
            .filter_map(|reply| match reply {
                Reply::Miner(ToMiner::SessionWaiting { notice }) => Some(notice),
                _ => None,
            })
            .collect()
    }

    /// The operator's command, and the lines of the one answer that it must have.
    pub(super) fn operator(&mut self, command: &str) -> Vec<String> {
        let out = self.feed(Input::Operator(command.to_owned()));
        let mut answers = out.into_iter().filter_map(|o| if let Output::Reply(lines) = o { Some(lines) } else { None });
        let answer = answers.next().unwrap_or_else(|| panic!("{command} has no answer"));
        assert_eq!(answers.next(), None, "{command} has two answers");
        assert!(answer[0].starts_with("EQACM"), "{answer:?}");
        assert!(answer.iter().all(|line| !line.contains(char::is_control)), "{answer:?}");
        answer
    }

    /// All events so far.
    pub(super) fn events(&self) -> Vec<What> {
        self.log.iter().filter_map(|o| if let Output::Emit(what) = o { Some(what.clone()) } else { None }).collect()
    }
}

pub(super) struct Job {
    pub(super) conn: ConnId,
    pub(super) session: SessionId,
    pub(super) claim: Token,
}

/// What was sent to a connection.
pub(super) fn replies(out: &[Output], to: ConnId) -> Vec<Reply> {
    out.iter()
        .filter_map(|o| match o {
            Output::Send { conn, reply } if *conn == to => Some(reply.clone()),
            _ => None,
        })
        .collect()
}

/// The code of the refusal among some outputs.
pub(super) fn refusal(out: &[Output]) -> Option<RefusalCode> {
    let mut replies = out.iter().filter_map(|o| if let Output::Send { reply, .. } = o { Some(reply) } else { None });
    replies.find_map(|reply| match reply {
        Reply::Miner(ToMiner::Refused(r))
        | Reply::Debugger(ToDebugger::Refused(r))
        | Reply::Engine(ToEngine::Refused(r))
        | Reply::Claimant(ToClaimant::Refused(r))
        | Reply::Hub(HubMessage::Refused(r)) => Some(r.code),
        _ => None,
    })
}

/// How sessions ended.
pub(super) fn endings(out: &[Output]) -> Vec<String> {
    out.iter()
        .filter_map(|o| if let Output::Emit(What::SessionEnded { how, .. }) = o { Some(how.clone()) } else { None })
        .collect()
}
