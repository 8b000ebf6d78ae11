//! Debug Manager as a state machine: no socket, no clock and no random number of its own.
//!
//! [`Manager::handle`] takes one [`Input`] and returns what is to be done. The shell keeps connections, which to the core are
//! numbers; once the core has said [`Output::Close`], or was told [`Input::Closed`], it does not know the number any more, and
//! whatever still comes from that connection is ignored.
//!
//! One room each: `conns` who is connected, `users` who is logged on where, `sessions` what waits, `timers` until when;
//! `guard` who may speak, `host` and `engine` what the HOST and CLIENT ports say; `waiting` how a session finds its user,
//! `resume` how it comes back after Debug Manager was gone; `hub` this system's role, `primary` and `secondary` the two ends
//! of a hub link, `rival` what is done about a second primary, `moving` the way from one hub to another; `operator` the commands.
//! `planted` are bugs on purpose, by which the simulation (`tests/simulation`) and soaks are tested.

#[macro_use]
pub(crate) mod planted;

mod conns;
mod engine;
mod guard;
mod host;
mod hub;
mod interface;
mod moving;
mod operator;
mod primary;
mod resume;
mod rival;
mod secondary;
mod sessions;
#[cfg(test)]
mod tests;
mod timers;
mod users;
mod waiting;

use dbm_protocol::engine::ToEngine;
use dbm_protocol::handoff::ToClaimant;
use dbm_protocol::host::{ToDebugger, ToMiner};
use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Hello, RefusalCode, Refused, Role, Token, VERSION};
use evidence::{Refusal, What};

use conns::{Conn, Conns, Stage};
use hub::Hub;
use primary::Seeks;
use sessions::Sessions;
use timers::{Subject, Timers};
use users::Users;

pub use guard::{Guard, HubTrust};
pub use interface::{
    ConnId, Ends, Holding, Input, LONGEST_WAIT, Level, Limits, Message, Output, Port, Reply, Settings, is_of_one_system,
};

/// Where one-time tokens come from: [`Token::random`] in the daemon, something predictable in tests.
pub type TokenSource = Box<dyn FnMut() -> std::io::Result<Token>>;

/// Some number from 0 to the one that is given: what pauses are shortened by.
pub type Chance = Box<dyn FnMut(u64) -> u64>;

/// One Debug Manager.
pub struct Manager {
    settings: Settings,
    new_token: TokenSource,
    chance: Chance,
    next_session: u64,
    now: u64,
    conns: Conns,
    users: Users,
    sessions: Sessions,
    hub: Hub,
    seeks: Seeks,
    timers: Timers,
    guard: Option<Guard>,
    hub_trust: Option<HubTrust>,
    out: Vec<Output>,
}

impl Manager {
    /// A Debug Manager that has not begun; give it [`Input::Start`].
    pub fn new(settings: Settings, new_token: TokenSource) -> Self {
        Self {
            next_session: settings.first_session,
            settings,
            new_token,
            chance: Box::new(|_| 0),
            now: 0,
            conns: Conns::default(),
            users: Users::default(),
            sessions: Sessions::default(),
            hub: Hub::default(),
            seeks: Seeks::default(),
            timers: Timers::default(),
            guard: None,
            hub_trust: None,
            out: Vec::new(),
        }
    }

    /// Shortens the pauses between tries by chance; without this they are as long as they may be.
    #[must_use]
    pub fn with_chance(mut self, chance: Chance) -> Self {
        self.chance = chance;
        self
    }

    /// Takes one input at the time `now` (nanoseconds, never going back) and returns what is to be done, in order.
    pub fn handle(&mut self, now: u64, input: Input) -> Vec<Output> {
        self.now = now;
        while let Some(subject) = self.timers.pop_due(now) {
            self.due(subject);
        }
        match input {
            Input::Start => self.hub_begin(),
            Input::Opened { conn, port: Port::Upstream, ends } => self.upstream_opened(conn, ends),
            Input::Opened { conn, port: Port::Call, ends } => self.call_opened(conn, ends),
            Input::Opened { conn, port, ends } => self.opened(conn, port, ends),
            Input::PeerUser { conn, uid } => self.peer_user(conn, uid),
            Input::Message { conn, message } => self.message(conn, message),
            Input::Garbage { conn, reason } => self.refuse(conn, RefusalCode::BadMessage, &reason),
            Input::Closed { conn, reason } => self.closed(conn, &reason),
            Input::LinkDone { engine, result } => self.link_done(engine, result),
            Input::Operator(text) => self.operator(&text),
            Input::HubBound(result) => self.hub_bound(result),
            Input::HubAddress(holding) => self.hub_address(holding),
            Input::HubUnreachable(reason) => self.hub_standalone(&reason),
            Input::Pressure => {
                let oldest = self.conns.oldest_unproven_anywhere();
                self.drop_for_another(oldest);
            }
            Input::Tick => {}
            Input::Stop => self.stop(),
        }
        std::mem::take(&mut self.out)
    }

    /// When [`Input::Tick`] is due if nothing else comes.
    pub fn deadline(&self) -> Option<u64> {
        self.timers.next()
    }

    /// The ends of a connection, as long as it is known here.
    pub fn ends(&self, conn: ConnId) -> Option<Ends> {
        self.conns.get(conn)?.ends
    }

    fn opened(&mut self, conn: ConnId, port: Port, ends: Option<Ends>) {
        if self.conns.unproven(port) >= self.settings.limits.unproven_on(port) {
            // Whoever means it speaks at once, so of those who are silent the oldest is the least likely to be wanted.
            let oldest = self.conns.oldest_unproven(port);
            self.drop_for_another(oldest);
        }
        self.conns.insert(conn, port, ends);
        self.set_timer(Subject::Unproven(conn), self.settings.limits.hello_ns);
        if port == Port::Hub {
            self.hub_partner(conn);
        }
    }

    fn drop_for_another(&mut self, conn: Option<ConnId>) {
        if let Some(conn) = conn {
            self.close(conn, "dropped for a newer connection");
        }
    }

    fn message(&mut self, conn: ConnId, message: Message) {
        let Some(Conn { port, stage, .. }) = self.conns.get(conn).cloned() else { return };
        match (stage, message) {
            (Stage::Silent, Message::Hello(hello)) => self.hello(conn, port, hello),
            (Stage::Greeted(role), Message::Logon(logon)) if port == Port::Host => self.on_logon(conn, role, logon),
            (Stage::Greeted(Role::Miner), Message::Miner(m)) => self.miner_says(conn, None, m),
            (Stage::LoggedOn(Role::Miner, user), Message::Miner(m)) => self.miner_says(conn, Some(&user), m),
            (Stage::Greeted(Role::Debugger), Message::Debugger(m)) => self.debugger_says(conn, None, m),
            (Stage::LoggedOn(Role::Debugger, user), Message::Debugger(m)) => self.debugger_says(conn, Some(&user), m),
            (Stage::Debugger(session), Message::Debugger(m)) => self.on_debugger(conn, &session, &m),
            (Stage::Greeted(Role::Debugger), Message::Claimant(m)) => self.on_claimant(conn, m),
            (Stage::Greeted(Role::Engine), Message::Engine(m)) => self.on_engine(conn, m),
            (Stage::Greeted(Role::Manager), Message::Hub(m)) => self.on_new_member(conn, m),
            (Stage::Member, Message::Hub(m)) => self.on_member(conn, m),
            (Stage::Upstream, Message::Hub(m)) => self.on_primary(conn, m),
            (Stage::Call, Message::Hub(m)) => self.on_called(conn, m),
            _ => self.refuse(conn, RefusalCode::BadMessage, "this message is not expected now"),
        }
    }

    fn hello(&mut self, conn: ConnId, port: Port, hello: Hello) {
        let expected: &[Role] = match port {
            Port::Host => &[Role::Miner, Role::Debugger],
            Port::Client => &[Role::Engine],
            Port::Hub => &[Role::Manager],
            Port::Handoff => &[Role::Debugger],
            Port::Upstream | Port::Call => &[],
        };
        if hello.version != VERSION {
            let reason = format!("version {} of the messages was found, {VERSION} was expected", hello.version);
            return self.refuse(conn, RefusalCode::Version, &reason);
        }
        if !expected.contains(&hello.role) {
            let reason = format!("role {:?} was found, one of {expected:?} was expected on this port", hello.role);
            return self.refuse(conn, RefusalCode::Role, &reason);
        }
        self.conns.set_stage(conn, Stage::Greeted(hello.role));
        if let (Port::Client, Some(ends)) = (port, self.conns.get(conn).and_then(|c| c.ends)) {
            self.emit(What::EngineConnected { peer: ends.peer, local: ends.local });
        }
    }

    /// The connection has said what it wants and may stay.
    fn proven(&mut self, conn: ConnId, stage: Stage) {
        self.timers.clear(&Subject::Unproven(conn));
        self.conns.set_stage(conn, stage);
    }

    fn due(&mut self, subject: Subject) {
        match subject {
            Subject::Unproven(conn) => self.unproven_too_long(conn),
            Subject::Session(session) => self.waited_too_long(&session),
            Subject::Claim(session) => self.claim_too_late(&session),
            Subject::Silence(conn) => self.close(conn, "nothing was heard on the hub link for three ping periods"),
            Subject::Ping => self.ping(),
            Subject::HubRetry => self.hub_try(),
            Subject::HubAddress => self.look_at_hub(),
            Subject::HubRival => self.look_for_rivals(),
        }
    }

    fn unproven_too_long(&mut self, conn: ConnId) {
        match self.conns.get(conn).map(|c| &c.stage) {
            // Not worth an answer, and thousands of them not worth an event each.
            Some(Stage::Silent) => self.close(conn, "silent for too long"),
            _ => self.refuse(conn, RefusalCode::Timeout, "a hello was found, and no message after it in time"),
        }
    }

    /// Says no, with a reason, and closes.
    fn refuse(&mut self, conn: ConnId, code: RefusalCode, reason: &str) {
        let Some(Conn { port, stage, ends }) = self.conns.get(conn).cloned() else { return };
        // A reason may quote what was found, and that may be as long as a frame.
        let reason: String = reason.chars().take(300).collect();
        let refused = Refused { code, reason: reason.clone() };
        let reply = match (port, &stage) {
            (Port::Host, Stage::Miner(_) | Stage::Greeted(Role::Miner) | Stage::LoggedOn(Role::Miner, _)) => {
                Reply::Miner(ToMiner::Refused(refused))
            }
            (Port::Host, _) => Reply::Debugger(ToDebugger::Refused(refused)),
            (Port::Client, _) => Reply::Engine(ToEngine::Refused(refused)),
            (Port::Handoff, _) => Reply::Claimant(ToClaimant::Refused(refused)),
            (Port::Hub | Port::Upstream | Port::Call, _) => Reply::Hub(HubMessage::Refused(refused)),
        };
        self.send(conn, reply);
        if let (Port::Client, Some(ends)) = (port, ends) {
            let session = if let Stage::Engine(session) = stage { Some(session.into()) } else { None };
            let refusal = Refusal { code: code.as_str().to_owned(), reason: reason.clone() };
            self.emit(What::EngineRefused { peer: ends.peer, session, refusal });
        }
        self.close(conn, &reason);
    }

    /// Closes from this end, with all that follows from it.
    fn close(&mut self, conn: ConnId, reason: &str) {
        if self.conns.get(conn).is_some() {
            self.out.push(Output::Close(conn));
            self.closed(conn, reason);
        }
    }

    /// A connection is no more.
    fn closed(&mut self, conn: ConnId, reason: &str) {
        self.timers.clear(&Subject::Unproven(conn));
        self.timers.clear(&Subject::Silence(conn));
        let Some(gone) = self.conns.remove(conn) else { return };
        match gone.stage {
            Stage::Silent | Stage::Greeted(_) | Stage::LoggedOn(..) | Stage::Call => {}
            Stage::Miner(user) => self.miner_gone(conn, &user),
            Stage::Debugger(session) => self.debugger_done(&session, "debugger_gone"),
            Stage::Engine(session) => self.engine_gone(conn, &session, reason),
            Stage::Claimant(session) => self.claimant_gone(conn, &session),
            Stage::Member => self.member_gone(conn),
            Stage::Upstream => self.upstream_gone(conn, reason),
        }
    }

    /// Is a client's socket on its way to a debugger? After [`Input::Stop`] it is worth waiting a moment for that.
    pub fn is_passing(&self) -> bool {
        self.sessions.iter().any(|(_, session)| matches!(session.state, sessions::State::Passing { .. }))
    }

    /// The operator's stop ends no session: what runs has its socket, and what waits is announced again by its debugger to
    /// the Debug Manager that comes next. An engine whose debugger has not claimed yet is told to come back.
    fn stop(&mut self) {
        for (id, engine) in self.sessions.attached() {
            self.set_state(&id, sessions::State::Dormant { asked: None });
            self.refuse(engine, RefusalCode::NotWaiting, "Debug Manager is stopped; the session goes on waiting");
        }
    }

    fn set_timer(&mut self, subject: Subject, in_ns: u64) {
        self.timers.set(subject, self.now.saturating_add(in_ns));
    }

    /// Sends, unless the other end is gone already.
    fn send(&mut self, conn: ConnId, reply: Reply) {
        if self.conns.get(conn).is_some() {
            self.out.push(Output::Send { conn, reply });
        }
    }

    fn emit(&mut self, what: What) {
        self.out.push(Output::Emit(what));
    }

    fn console(&mut self, text: String) {
        self.out.push(Output::Console(text));
    }
}
