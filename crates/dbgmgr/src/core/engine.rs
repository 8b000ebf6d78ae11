//! The CLIENT port and the handoff socket: an engine presents a token, a debugger claims its session, and the two are linked.

use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::handoff::{FromClaimant, Linked, ToClaimant};
use dbm_protocol::host::{Canceller, ToDebugger};
use dbm_protocol::{RefusalCode, Refused, SessionId, Token, UserId};
use evidence::What;

use super::conns::Stage;
use super::sessions::State;
use super::timers::Subject;
use super::{ConnId, Manager, Output, Reply};

impl Manager {
    /// Figure 4, step 8. The token opens one session, for its user, at the port that it was announced for, while the session
    /// waits. From the moment that it is presented so it is used up; a wrong one changes nothing for the rightful client.
    pub(super) fn on_engine(&mut self, conn: ConnId, message: FromEngine) {
        let (FromEngine::Attach { user, session, token } | FromEngine::Cancel { user, session, token }) = &message;
        self.proven(conn, Stage::Engine(session.clone()));
        if let Err((code, reason)) = self.may_attach(conn, session, user, token) {
            return self.refuse(conn, code, &reason);
        }
        match message {
            FromEngine::Attach { session, .. } => self.attach(conn, session),
            FromEngine::Cancel { session, .. } => {
                self.cancel_waiting(&session, Canceller::User);
                self.send(conn, Reply::Engine(ToEngine::Cancelled { session }));
                self.close(conn, "the user has cancelled the session");
            }
        }
    }

    fn attach(&mut self, conn: ConnId, id: SessionId) {
        self.withdraw(&id);
        self.timers.clear(&Subject::Session(id.clone()));
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let before = std::mem::replace(&mut session.state, State::Attached { engine: conn });
        if session.handoff.is_some() {
            self.link(&id);
        } else {
            // An engine may be here before it is known that its user was told, and the debugger may claim only when it hears that.
            if matches!(before, State::Dormant { .. }) {
                let debugger = session.debugger;
                self.send(debugger, Reply::Debugger(ToDebugger::UserNotified {}));
            }
            self.set_timer(Subject::Claim(id), self.settings.limits.claim_ns);
        }
    }

    fn may_attach(
        &self,
        conn: ConnId,
        id: &SessionId,
        user: &UserId,
        token: &Token,
    ) -> Result<(), (RefusalCode, String)> {
        let Some(session) = self.sessions.get(id) else {
            return Err(if self.sessions.has_ended(id) {
                (RefusalCode::NotWaiting, format!("session {id} is over"))
            } else {
                let system = &self.settings.system;
                (RefusalCode::UnknownSession, format!("there is no session {id} on system {system}"))
            });
        };
        let port = self.conns.get(conn).and_then(|conn| conn.ends).map(|ends| ends.local.port());
        if session.token != *token || session.user != *user || port != Some(self.settings.client_port) {
            let reason = format!("this token does not give user {user} session {id}");
            return Err((RefusalCode::BadToken, reason));
        }
        if !session.waits() && !planted!(TokenKept) {
            return Err((RefusalCode::BadToken, format!("the token of session {id} was used before")));
        }
        Ok(())
    }

    pub(super) fn on_claimant(&mut self, conn: ConnId, message: FromClaimant) {
        let FromClaimant::Claim { session: id, claim } = message;
        let Some(session) = self.sessions.get_mut(&id) else {
            return self.refuse(conn, RefusalCode::UnknownSession, &format!("there is no session {id} here"));
        };
        if session.claim != claim {
            return self.refuse(conn, RefusalCode::BadToken, &format!("this claim is not that of session {id}"));
        }
        let attached = matches!(session.state, State::Attached { .. });
        if session.handoff.is_some() || !(session.waits() || attached) {
            return self.refuse(conn, RefusalCode::NotWaiting, &format!("session {id} is claimed already"));
        }
        session.handoff = Some(conn);
        self.proven(conn, Stage::Claimant(id.clone()));
        self.send(conn, Reply::Claimant(ToClaimant::Claimed {}));
        if attached {
            self.link(&id);
        }
    }

    /// Figure 4, step 9: both ends are there.
    fn link(&mut self, id: &SessionId) {
        self.timers.clear(&Subject::Claim(id.clone()));
        let Some(session) = self.sessions.get_mut(id) else { return };
        let (State::Attached { engine }, Some(handoff)) = (session.state.clone(), session.handoff) else { return };
        let Some(ends) = self.conns.get(engine).and_then(|c| c.ends) else { return };
        session.state = State::Passing { engine, ended: None };
        let (user, job) = (session.user.clone(), session.job.clone());
        let system = self.settings.system.clone();
        self.out.push(Output::Link {
            engine,
            handoff,
            accepted: ToEngine::Accepted { session: id.clone(), job, system },
            linked: Linked { session: id.clone(), user, peer: ends.peer, local: ends.local },
        });
    }

    pub(super) fn link_done(&mut self, engine: ConnId, result: Result<(), String>) {
        let Some(conn) = self.conns.get(engine) else { return };
        let (Stage::Engine(id), Some(ends)) = (conn.stage.clone(), conn.ends) else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Passing { ended, .. } = session.state else { return };
        if let Err(reason) = result {
            return self.not_linked(&id, &reason);
        }
        session.state = State::Linked { engine };
        let handoff = session.handoff.take();
        let (user, job) = (session.user.to_string(), session.job.to_string());
        // The engine's socket is gone from here already, and the handoff socket has done its work.
        self.conns.remove(engine);
        handoff.into_iter().for_each(|conn| self.forget(conn));
        self.emit(What::Linked { session: id.to_string(), user, job, peer: ends.peer, local: ends.local });
        if let Some(how) = ended {
            self.end(&id, how);
        }
    }

    pub(super) fn claim_too_late(&mut self, id: &SessionId) {
        if self.sessions.get(id).is_some_and(|s| matches!(s.state, State::Attached { .. })) {
            self.not_linked(id, "the debugger did not claim the session on the handoff socket in time");
        }
    }

    /// The token is spent and the engine is lost: the debugger hears of it, and so does the engine if it can still be reached.
    fn not_linked(&mut self, id: &SessionId, reason: &str) {
        if let Some(session) = self.sessions.get(id) {
            let debugger = session.debugger;
            let ended = if let State::Passing { ended, .. } = session.state { ended } else { None };
            let reason =
                format!("the engine's connection could not be passed on: {reason}").chars().take(300).collect();
            let refused = Refused { code: RefusalCode::NotWaiting, reason };
            self.send(debugger, Reply::Debugger(ToDebugger::Refused(refused)));
            self.end(id, ended.unwrap_or("cancelled"));
        }
    }

    pub(super) fn engine_gone(&mut self, conn: ConnId, id: &SessionId, reason: &str) {
        let state = self.sessions.get(id).map(|s| &s.state);
        if let Some(State::Attached { engine } | State::Passing { engine, .. }) = state
            && *engine == conn
        {
            self.not_linked(id, reason);
        }
    }

    pub(super) fn claimant_gone(&mut self, conn: ConnId, id: &SessionId) {
        if let Some(session) = self.sessions.get_mut(id)
            && session.handoff == Some(conn)
        {
            session.handoff = None;
        }
    }
}
