//! The HOST port: Debug Miners register users, debuggers let sessions wait.

use dbm_protocol::host::{FromDebugger, FromMiner, ToDebugger, ToMiner};
use dbm_protocol::{JobName, RefusalCode, SessionId, Token, UserId};
use evidence::What;

use super::conns::Stage;
use super::sessions::{Session, State, Told};
use super::users::Place;
use super::{ConnId, Manager, Reply};

/// Longest program name that is taken; z/OS load modules have 8 characters, program objects up to 63 more for an alias.
const LONGEST_MODULE: usize = 64;

impl Manager {
    pub(super) fn on_new_miner(&mut self, conn: ConnId, FromMiner::Register { user }: FromMiner) {
        let limits = &self.settings.limits;
        if self.users.registrations() >= limits.registrations
            || self.users.registrations_of(&user) >= limits.registrations_per_user
        {
            return self.refuse(conn, RefusalCode::Busy, "no more registrations are taken");
        }
        self.proven(conn, Stage::Miner(user.clone()));
        let first = self.users.local(&user).is_none();
        self.users.add(user.clone(), Place::Local(conn));
        let system = self.settings.system.clone();
        self.send(conn, Reply::Miner(ToMiner::Registered { system }));
        self.emit(What::UserRegistered { user: user.to_string() });
        // What waits here is withdrawn before the primary hears of the user and would ask for it to be told here.
        self.wake(&user);
        if first {
            self.announce_user_on(&user);
        }
    }

    pub(super) fn miner_gone(&mut self, conn: ConnId, user: &UserId) {
        self.users.remove(user, Place::Local(conn));
        self.emit(What::UserGone { user: user.to_string() });
        // With another registration here the user has not left; but what the primary had told to the one that is gone has to be
        // told again, and only the primary knows what of it still waits.
        self.announce_user_off(user);
        if self.users.local(user).is_some() {
            self.announce_user_on(user);
        }
        let told_here = self.sessions.select(|state| *state == State::Told(Told::Local(conn)));
        self.find_again(&told_here);
        self.reopen_seeks(Place::Local(conn));
    }

    pub(super) fn on_new_debugger(&mut self, conn: ConnId, message: FromDebugger) {
        match message {
            FromDebugger::Wait { user, job, module } => {
                match self.new_session(conn, user, job, module) {
                    Ok(id) => self.begin_wait(&id),
                    Err((code, reason)) => self.refuse(conn, code, &reason),
                };
            }
            FromDebugger::WaitAgain { standing, phase, waited_ms } => self.wait_again(conn, standing, phase, waited_ms),
            FromDebugger::RunsAgain { standing } => self.runs_again(conn, standing),
            FromDebugger::Ended {} => {
                self.refuse(conn, RefusalCode::BadMessage, "`ended` was found, `wait` was expected first");
            }
        }
    }

    pub(super) fn is_module(&self, module: &str) -> Result<(), (RefusalCode, String)> {
        let found = module.chars().count();
        if found <= LONGEST_MODULE {
            return Ok(());
        }
        let reason = format!("a program name of {found} characters was found, at most {LONGEST_MODULE} were expected");
        Err((RefusalCode::BadMessage, reason))
    }

    pub(super) fn has_room_for(&self, user: &UserId) -> Result<(), (RefusalCode, String)> {
        let limits = &self.settings.limits;
        if self.sessions.len() >= limits.sessions || self.sessions.count_of(user) >= limits.sessions_per_user {
            return Err((RefusalCode::Busy, "no more sessions are taken".to_owned()));
        }
        Ok(())
    }

    /// A fresh secret.
    pub(super) fn secret(&mut self) -> Result<Token, (RefusalCode, String)> {
        (self.new_token)().map_err(|e| (RefusalCode::Busy, format!("no random numbers: {e}")))
    }

    /// A number that no session of this system has.
    fn new_id(&mut self) -> Result<SessionId, (RefusalCode, String)> {
        loop {
            let id = format!("{}.{}", self.settings.system, self.next_session);
            let id = SessionId::try_from(id).map_err(|e| (RefusalCode::Busy, e.to_string()))?;
            self.next_session = self.next_session.wrapping_add(1);
            // One that was announced again may have any number.
            if self.sessions.get(&id).is_none() {
                return Ok(id);
            }
        }
    }

    /// Puts a session in its place and tells the debugger.
    fn new_session(
        &mut self,
        conn: ConnId,
        user: UserId,
        job: JobName,
        module: String,
    ) -> Result<SessionId, (RefusalCode, String)> {
        self.is_module(&module)?;
        self.has_room_for(&user)?;
        let (token, id) = (self.secret()?, self.new_id()?);
        let claim = self.new_claim(&id, &user, &job)?;
        self.proven(conn, Stage::Debugger(id.clone()));
        let local = self.users.local(&user).is_some();
        let (user_name, job_name) = (user.to_string(), job.to_string());
        let session = Session {
            user,
            job,
            module,
            debugger: conn,
            token,
            claim: claim.clone(),
            handoff: None,
            state: State::Dormant { asked: None },
            second_phase: false,
        };
        self.sessions.insert(id.clone(), session);
        let handoff = self.settings.handoff.clone();
        self.send(conn, Reply::Debugger(ToDebugger::Waiting { session: id.clone(), handoff, claim }));
        self.emit(What::SessionWaiting { session: id.to_string(), user: user_name, job: job_name, local });
        Ok(id)
    }

    pub(super) fn on_debugger(&mut self, conn: ConnId, session: &SessionId, message: &FromDebugger) {
        match message {
            FromDebugger::Ended {} => {
                let waits = self.sessions.get(session).is_some_and(Session::waits);
                self.debugger_done(session, if waits { "cancelled" } else { "finished" });
            }
            FromDebugger::Wait { .. } | FromDebugger::WaitAgain { .. } | FromDebugger::RunsAgain { .. } => {
                let reason = "a second session was found; one connection is for one session";
                self.refuse(conn, RefusalCode::BadMessage, reason);
            }
        }
    }

    /// The debugger is done with the session, or is gone.
    pub(super) fn debugger_done(&mut self, id: &SessionId, how: &'static str) {
        match self.sessions.get_mut(id).map(|s| &mut s.state) {
            Some(State::Passing { ended, .. }) => *ended = Some(how),
            Some(_) => self.end(id, how),
            None => {}
        }
    }
}
