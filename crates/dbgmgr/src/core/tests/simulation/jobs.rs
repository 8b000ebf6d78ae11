//! Jobs under test: what a debugger does from its wait to the end, also when it loses Debug Manager (`debugger-stub` does the
//! same).

use dbm_protocol::handoff::{FromClaimant, Linked, ToClaimant};
use dbm_protocol::host::{FromDebugger, Phase, Standing, ToDebugger};

use super::super::*;
use super::chance::mix;
use super::miners::LOOK_AGAIN;
use super::schedule::{system_name, user_name};
use super::wires::{End, MS, Packet};
use super::world::{Event, World};

/// How a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It had its workstation.
    Debugged,
    TimedOut(Phase),
    Cancelled,
    /// The engine was there and was lost again before the socket was passed on.
    EngineLost,
    /// There was no Debug Manager to begin with.
    NoDebugManager,
    Killed,
}

pub(super) struct Job {
    key: u64,
    pub(super) user: usize,
    pub(super) system: usize,
    pub(super) since: u64,
    /// The session, and the claim that goes with it.
    pub(super) session: Option<(SessionId, Token)>,
    /// When its phase began, and which it is.
    phase: (u64, Phase),
    pub(super) host: Option<usize>,
    /// Has Debug Manager answered on this connection?
    pub(super) known: bool,
    handoff: Option<usize>,
    /// The engine's connection.
    pub(super) socket: Option<usize>,
    pub(super) outcome: Option<Outcome>,
    tries: u64,
}

/// How long a job waits for word from Debug Manager when its handoff connection has ended.
const PATIENCE: u64 = 10 * SECOND;

impl World {
    pub(super) fn submit(&mut self, id: u32, user: usize, system: usize) {
        let (since, phase) = (self.now, (self.now, Phase::Register));
        let key = mix(2, u64::from(id));
        let (session, host, handoff, socket, outcome) = (None, None, None, None, None);
        let known = false;
        let job = Job { key, user, system, since, session, phase, host, known, handoff, socket, outcome, tries: 0 };
        self.jobs.push(job);
        self.job_dials(self.jobs.len() - 1);
    }

    /// Whom the job debugs for, in full.
    fn standing(&self, at: usize, session: SessionId, claim: Token) -> Standing {
        let user = user(user_name(self.jobs[at].user));
        Standing { session, user, job: job_name(), module: "EQATST".to_owned(), claim }
    }

    pub(super) fn job_dials(&mut self, at: usize) {
        let job = &mut self.jobs[at];
        if job.outcome.is_some() || job.host.is_some() {
            return;
        }
        job.tries += 1;
        let (key, system) = (mix(job.key, job.tries * 2), job.system);
        let Some(wire) = self.dial(End::Host(at), key, system, Port::Host) else {
            // A session that exists already waits for the next Debug Manager, whose start will be noticed.
            if self.jobs[at].session.is_none() && self.jobs[at].tries == 1 {
                self.job_is_over(at, Outcome::NoDebugManager);
            }
            return;
        };
        let job = &mut self.jobs[at];
        job.host = Some(wire);
        job.known = false;
        let (since, phase) = job.phase;
        let (user, running) = (user(user_name(job.user)), job.socket.is_some());
        let first = match job.session.clone() {
            None => FromDebugger::Wait { user, job: job_name(), module: "EQATST".to_owned() },
            Some((session, claim)) => {
                let standing = self.standing(at, session, claim);
                let waited_ms = (self.now - since) / MS;
                if running {
                    FromDebugger::RunsAgain { standing }
                } else {
                    FromDebugger::WaitAgain { standing, phase, waited_ms }
                }
            }
        };
        self.greet(wire, Role::Debugger, Message::Debugger(first));
    }

    pub(super) fn job_hears(&mut self, at: usize, packet: Packet) {
        let said = match packet {
            Packet::Reply(Reply::Debugger(said)) => said,
            Packet::End => return self.job_loses_host(at),
            other => return self.accuse(|| format!("a job was sent {other:?}")),
        };
        self.tell(|| format!("job {at} reads {said:?}"));
        match said {
            ToDebugger::Waiting { session, claim, .. } => self.job_waits(at, session, claim),
            ToDebugger::UserNotified {} => {
                let job = &mut self.jobs[at];
                if job.phase.1 == Phase::Register {
                    job.phase = (self.now, Phase::Engine);
                }
            }
            ToDebugger::Known {} => self.jobs[at].known = true,
            ToDebugger::Refused(refused) => self.job_is_refused(at, refused.code),
            ToDebugger::TimedOut { phase } => self.job_is_over(at, Outcome::TimedOut(phase)),
            ToDebugger::Cancelled { .. } => self.job_is_over(at, Outcome::Cancelled),
        }
    }

    fn job_waits(&mut self, at: usize, session: SessionId, claim: Token) {
        let now = self.now;
        let job = &mut self.jobs[at];
        if job.session.as_ref().is_some_and(|(known, _)| *known != session) {
            return self.accuse(|| format!("job {at} waits again and is given another session, {session}"));
        }
        if job.session.is_none() {
            job.phase = (now, Phase::Register);
        }
        job.session = Some((session, claim));
        job.known = true;
        let takes = mix(job.key, job.tries);
        let takes = self.takes(takes, 5);
        self.later(takes, Event::JobClaims(at));
    }

    fn job_is_refused(&mut self, at: usize, code: RefusalCode) {
        let job = &self.jobs[at];
        let engine_lost = code == RefusalCode::NotWaiting && job.known;
        match (engine_lost, job.socket.is_some()) {
            (true, false) => self.job_is_over(at, Outcome::EngineLost),
            (true, true) => {}
            (false, _) => self.accuse(|| format!("job {at} was refused: {code:?}; its session is lost")),
        }
    }

    /// Debug Manager is gone. What is on its way through the handoff socket still comes, and is waited for.
    fn job_loses_host(&mut self, at: usize) {
        self.jobs[at].host = None;
        self.jobs[at].known = false;
        if self.jobs[at].handoff.is_none() || self.jobs[at].socket.is_some() {
            self.later(LOOK_AGAIN, Event::JobDials(at));
        }
    }

    pub(super) fn job_claims(&mut self, at: usize) {
        let job = &self.jobs[at];
        if job.outcome.is_some() || !job.known || job.handoff.is_some() || job.socket.is_some() {
            return;
        }
        let Some((session, claim)) = job.session.clone() else { return };
        let (key, system) = (mix(job.key, job.tries * 2 + 1), job.system);
        let Some(wire) = self.dial(End::Handoff(at), key, system, Port::Handoff) else { return };
        self.jobs[at].handoff = Some(wire);
        self.greet(wire, Role::Debugger, Message::Claimant(FromClaimant::Claim { session, claim }));
    }

    pub(super) fn handoff_hears(&mut self, at: usize, packet: Packet) {
        match packet {
            Packet::Reply(Reply::Claimant(ToClaimant::Claimed {} | ToClaimant::Refused(_))) => {}
            Packet::Socket(socket, linked) => self.job_takes(at, socket, &linked),
            Packet::End => {
                self.jobs[at].handoff = None;
                let job = &self.jobs[at];
                match (job.outcome, job.socket, job.host) {
                    (None, None, None) => self.later(LOOK_AGAIN, Event::JobDials(at)),
                    (None, None, Some(_)) => self.later(PATIENCE, Event::JobGivesUp(at, job.tries)),
                    _ => {}
                }
            }
            other => self.accuse(|| format!("the handoff socket said {other:?}")),
        }
    }

    pub(super) fn job_gives_up(&mut self, at: usize, tries: u64) {
        let job = &self.jobs[at];
        let waits = job.outcome.is_none() && job.socket.is_none() && job.host.is_some();
        if waits && job.tries == tries && job.handoff.is_none() {
            self.accuse(|| {
                format!("the handoff connection of job {at} ended, and nobody said why: the session is lost")
            });
        }
    }

    fn job_takes(&mut self, at: usize, socket: usize, linked: &Linked) {
        self.judge_socket(at, socket, linked);
        self.tell(|| format!("job {at} has its workstation"));
        if self.jobs[at].outcome.is_some() {
            return self.hang_up(socket, 1);
        }
        self.jobs[at].socket = Some(socket);
        let runs = self.takes(self.jobs[at].key, 9) * 4;
        self.later(runs, Event::JobEnds(at));
        if self.jobs[at].host.is_none() {
            self.later(LOOK_AGAIN, Event::JobDials(at));
        }
    }

    pub(super) fn job_ends(&mut self, at: usize) {
        if let (None, Some(wire)) = (self.jobs[at].outcome, self.jobs[at].host) {
            self.send(wire, 1, Packet::Message(Message::Debugger(FromDebugger::Ended {})));
        }
        self.job_is_over(at, Outcome::Debugged);
    }

    pub(super) fn job_is_over(&mut self, at: usize, how: Outcome) {
        if self.jobs[at].outcome.is_some() {
            return;
        }
        self.judge_outcome(at, how);
        self.tell(|| format!("job {at} is over: {how:?}"));
        let job = &mut self.jobs[at];
        job.outcome = Some(how);
        let (host, handoff, socket) = (job.host.take(), job.handoff.take(), job.socket);
        // What the handoff socket brings after this is nobody's; the judge wants to see it all the same.
        if how == Outcome::Killed || how == Outcome::Debugged {
            handoff.into_iter().for_each(|wire| self.hang_up(wire, 0));
        }
        host.into_iter().for_each(|wire| self.hang_up(wire, 0));
        socket.into_iter().for_each(|wire| self.hang_up(wire, 1));
    }

    /// Whoever has lost a system's Debug Manager finds the new one.
    pub(super) fn parties_look_again(&mut self, system: usize) {
        for at in 0..self.miners.len() {
            if self.miners[at].system == system && self.miners[at].logged_on {
                let takes = self.takes(at as u64, self.now).min(LOOK_AGAIN);
                self.later(takes, Event::MinerDials(at));
            }
        }
        for at in 0..self.jobs.len() {
            let job = &self.jobs[at];
            let settled = job.handoff.is_none() || job.socket.is_some();
            if job.system == system && job.outcome.is_none() && job.host.is_none() && settled {
                let takes = self.takes(at as u64 + 100, self.now).min(LOOK_AGAIN);
                self.later(takes, Event::JobDials(at));
            }
        }
    }

    /// A job's name for people.
    pub(super) fn job_text(&self, at: usize) -> String {
        let job = &self.jobs[at];
        let session = job.session.as_ref().map(|(id, _)| id.to_string()).unwrap_or_default();
        format!("job {at} on {} for {} (session {session})", system_name(job.system), user_name(job.user))
    }
}

fn job_name() -> dbm_protocol::JobName {
    "EQATST".parse().expect("job")
}
