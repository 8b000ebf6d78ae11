//! Sessions that outlive a Debug Manager: each is its debugger's, who announces it again to the Debug Manager that comes next.
//!
//! Nothing is kept on disk. A running session has its socket and needs Debug Manager for the display only; one that waits
//! gets a new token, and what it has waited already is counted. Whether a socket was passed on before a crash is for the
//! debugger to say, who has it or has it not: so a session is neither lost nor linked twice. Nor can a debugger
//! announce the session of another one: its claim shows what it was given (see `guard`). All this is ours; IBM documents nothing
//! of it.

use dbm_protocol::host::{Phase, Standing, ToDebugger};
use dbm_protocol::{RefusalCode, SessionId, Token};
use evidence::What;

use super::conns::Stage;
use super::sessions::{PASSED_ON_BEFORE, Session, State};
use super::timers::Subject;
use super::{ConnId, Manager, Reply};

/// A refusal, in its two parts.
type No = (RefusalCode, String);

impl Manager {
    /// A session goes on waiting, for what is left of its phase.
    pub(super) fn wait_again(&mut self, conn: ConnId, standing: Standing, phase: Phase, waited_ms: u64) {
        let waits = State::Dormant { asked: None };
        let (id, claim) = match self.resume(conn, standing, waits, phase == Phase::Engine) {
            Ok(resumed) => resumed,
            Err((code, reason)) => return self.refuse(conn, code, &reason),
        };
        let waited = waited_ms.saturating_mul(1_000_000);
        if waited >= self.settings.wait_ns {
            return self.timed_out(&id, phase);
        }
        let handoff = self.settings.handoff.clone();
        self.send(conn, Reply::Debugger(ToDebugger::Waiting { session: id.clone(), handoff, claim }));
        self.set_timer(Subject::Session(id.clone()), self.settings.wait_ns - waited);
        self.find_user(&id);
    }

    /// A session runs: it is shown again, and that is all.
    pub(super) fn runs_again(&mut self, conn: ConnId, standing: Standing) {
        if planted!(RunningWaitsAgain) {
            return self.wait_again(conn, standing, Phase::Engine, 0);
        }
        match self.resume(conn, standing, State::Linked { engine: PASSED_ON_BEFORE }, true) {
            Ok(_) => self.send(conn, Reply::Debugger(ToDebugger::Known {})),
            Err((code, reason)) => self.refuse(conn, code, &reason),
        }
    }

    /// Takes a session in; its id and its claim. The claim of one that runs stays, because its debugger knows no other.
    fn resume(
        &mut self,
        conn: ConnId,
        standing: Standing,
        state: State,
        second_phase: bool,
    ) -> Result<(SessionId, Token), No> {
        self.may_resume(&standing)?;
        let linked = matches!(state, State::Linked { .. });
        let token = self.secret()?;
        let (id, user, job, module) = (standing.session, standing.user, standing.job, standing.module);
        let claim = if linked { standing.claim } else { self.new_claim(&id, &user, &job)? };
        self.supersede(&id);
        self.proven(conn, Stage::Debugger(id.clone()));
        let resumed =
            What::SessionResumed { session: id.to_string(), user: user.to_string(), job: job.to_string(), linked };
        let claimed = claim.clone();
        let session = Session { user, job, module, debugger: conn, token, claim, handoff: None, state, second_phase };
        self.sessions.insert(id.clone(), session);
        self.emit(resumed);
        Ok((id, claimed))
    }

    fn may_resume(&self, standing: &Standing) -> Result<(), No> {
        let Standing { session: id, user, job, module, claim } = standing;
        let system = &self.settings.system;
        let number = id.as_str().strip_prefix(system.as_str()).and_then(|rest| rest.strip_prefix('.'));
        if number.is_none_or(|number| number.parse::<u64>().is_err()) {
            return Err((RefusalCode::UnknownSession, format!("session {id} is not one of system {system}")));
        }
        self.is_module(module)?;
        if !self.is_claim(claim, id, user, job) {
            return Err((RefusalCode::BadToken, format!("session {id} is another debugger's")));
        }
        match self.sessions.get(id) {
            Some(known) if known.claim != *claim || known.user != *user => {
                Err((RefusalCode::BadToken, format!("session {id} is another debugger's")))
            }
            Some(_) => Ok(()),
            None => self.has_room_for(user),
        }
    }

    /// The same session is still known here, over a connection that its debugger has given up: nothing of that is kept.
    fn supersede(&mut self, id: &SessionId) {
        self.withdraw(id);
        let Some(before) = self.sessions.remove(id) else { return };
        self.timers.clear(&Subject::Session(id.clone()));
        self.timers.clear(&Subject::Claim(id.clone()));
        let engine = match before.state {
            State::Attached { engine } | State::Passing { engine, .. } => Some(engine),
            _ => None,
        };
        for conn in before.handoff.into_iter().chain(engine).chain([before.debugger]) {
            self.forget(conn);
        }
    }
}
