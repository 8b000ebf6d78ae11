//! A session that waits: how it finds its user, how it sleeps until there is one, and how the waiting ends.
//!
//! IBM documents 300 s of waiting in standard mode and "two times $VALUE" otherwise. How the two times are meant is not
//! documented; here they are two phases of the same length, waiting for the user and waiting for the engine. The second
//! begins when the user is told for the first time and is not prolonged when he has to be told again.

use dbm_protocol::host::{Canceller, Phase, ToDebugger, ToMiner};
use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Notice, RefusalCode, SessionId, UserId};
use evidence::{HubState, What};

use super::sessions::{Session, State, Told};
use super::timers::Subject;
use super::users::Place;
use super::{ConnId, Manager, Output, Reply};

impl Manager {
    pub(super) fn begin_wait(&mut self, id: &SessionId) {
        self.set_timer(Subject::Session(id.clone()), self.settings.wait_ns);
        self.find_user(id);
    }

    /// Figure 4, steps 5 and 6: tells the user of a dormant session if he is logged on here, else asks the hub.
    pub(super) fn find_user(&mut self, id: &SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let State::Dormant { asked } = session.state else { return };
        let notice = self.notice(id, session);
        if let Some(miner) = self.users.local(&notice.user) {
            self.tell_miner(miner, &notice);
            self.withdraw(id);
            return self.told(id, Told::Local(miner));
        }
        if asked.is_some() {
            return;
        }
        if let Some(link) = self.ask_hub(notice) {
            self.set_state(id, State::Dormant { asked: Some(link) });
        }
    }

    /// Asks whoever can know where the user is; returns the link over which an answer will come.
    fn ask_hub(&mut self, notice: Notice) -> Option<ConnId> {
        let asked =
            What::HubAsked { session: notice.session.to_string(), user: notice.user.to_string(), port: notice.port };
        match self.hub.state {
            HubState::Secondary => {
                let link = self.hub.upstream?;
                self.emit(asked);
                self.send(link, Reply::Hub(HubMessage::Seek { notice }));
                Some(link)
            }
            HubState::Primary => {
                let Some(Place::Member(link)) = self.users.latest(&notice.user) else { return None };
                self.emit(asked);
                self.notify_member(link, notice);
                Some(link)
            }
            HubState::Off | HubState::Standalone => None,
        }
    }

    /// Figure 4, step 6.
    pub(super) fn tell_miner(&mut self, miner: ConnId, notice: &Notice) {
        if self.users.tell(miner, notice) {
            self.send(miner, Reply::Miner(ToMiner::SessionWaiting { notice: notice.clone() }));
            self.emit(What::MinerNotified {
                session: notice.session.to_string(),
                user: notice.user.to_string(),
                port: notice.port,
            });
        }
    }

    /// The user knows: the second phase.
    pub(super) fn told(&mut self, id: &SessionId, told: Told) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if !matches!(session.state, State::Dormant { .. }) {
            return;
        }
        session.state = State::Told(told);
        let debugger = session.debugger;
        if !std::mem::replace(&mut session.second_phase, true) {
            self.set_timer(Subject::Session(id.clone()), self.settings.wait_ns);
        }
        self.send(debugger, Reply::Debugger(ToDebugger::UserNotified {}));
    }

    /// Whoever told the user, or was asked to, is not there any more: look again.
    pub(super) fn find_again(&mut self, sessions: &[SessionId]) {
        for id in sessions {
            self.set_state(id, State::Dormant { asked: None });
            self.find_user(id);
        }
    }

    /// Somebody has logged on, here or (to a primary) elsewhere: what waits for him may go on.
    pub(super) fn wake(&mut self, user: &UserId) {
        for id in self.sessions.dormant_of(user) {
            self.find_user(&id);
        }
        self.route_seeks_for(user);
    }

    pub(super) fn waited_too_long(&mut self, id: &SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        match session.state {
            State::Dormant { .. } => self.timed_out(id, Phase::Register),
            State::Told(_) => self.timed_out(id, Phase::Engine),
            _ => {}
        }
    }

    /// The job is told which phase ran out.
    pub(super) fn timed_out(&mut self, id: &SessionId, phase: Phase) {
        let Some(session) = self.sessions.get(id) else { return };
        let how = match phase {
            Phase::Register => "timed_out_register",
            Phase::Engine => "timed_out_engine",
        };
        let debugger = session.debugger;
        self.send(debugger, Reply::Debugger(ToDebugger::TimedOut { phase }));
        self.end(id, how);
    }

    /// Somebody does not want a session that waits; the debugger is told who.
    pub(super) fn cancel_waiting(&mut self, id: &SessionId, by: Canceller) {
        let Some(debugger) = self.sessions.get(id).map(|session| session.debugger) else { return };
        self.send(debugger, Reply::Debugger(ToDebugger::Cancelled { by }));
        if !planted!(CancelledWaitsOn) {
            self.end(id, "cancelled");
        }
    }

    /// Tells the primary that the session does not wait any more, if it was asked to look for the user.
    pub(super) fn withdraw(&mut self, id: &SessionId) {
        let link = match self.sessions.get(id).map(|s| &s.state) {
            Some(State::Dormant { asked: Some(link) } | State::Told(Told::Remote(link))) => *link,
            _ => return,
        };
        if self.hub.state == HubState::Secondary && self.hub.upstream == Some(link) && !planted!(WithdrawLost) {
            self.send(link, Reply::Hub(HubMessage::Withdraw { session: id.clone() }));
        }
    }

    /// The end of a session, whatever its state: nothing of it is left but the memory that it was.
    pub(super) fn end(&mut self, id: &SessionId, how: &str) {
        self.withdraw(id);
        let Some(session) = self.sessions.remove(id) else { return };
        self.timers.clear(&Subject::Session(id.clone()));
        self.timers.clear(&Subject::Claim(id.clone()));
        if let State::Attached { engine } | State::Passing { engine, .. } = session.state {
            let reason = format!("session {id} ended while it was being linked ({how})");
            self.refuse(engine, RefusalCode::NotWaiting, &reason);
        }
        for conn in session.handoff.into_iter().chain([session.debugger]) {
            self.forget(conn);
        }
        self.emit(What::SessionEnded { session: id.to_string(), how: how.to_owned() });
    }

    /// Closes a connection of a session that has ended already.
    pub(super) fn forget(&mut self, conn: ConnId) {
        if self.conns.remove(conn).is_some() {
            self.out.push(Output::Close(conn));
        }
    }

    pub(super) fn set_state(&mut self, id: &SessionId, state: State) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.state = state;
        }
    }

    /// What the client needs to dial a session.
    pub(super) fn notice(&self, id: &SessionId, session: &Session) -> Notice {
        Notice {
            session: id.clone(),
            user: session.user.clone(),
            job: session.job.clone(),
            system: self.settings.system.clone(),
            port: self.settings.client_port,
            token: session.token.clone(),
        }
    }
}
