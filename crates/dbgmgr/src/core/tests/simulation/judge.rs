//! What must hold at every moment, judged by what really is, and not by what a Debug Manager believes.

use std::collections::BTreeMap;

use dbm_protocol::handoff::Linked;
use dbm_protocol::host::ToDebugger;

use super::super::super::sessions::State;
use super::super::*;
use super::jobs::Outcome;
use super::schedule::{system_name, user_name};
use super::systems::PHASE;
use super::wires::End;
use super::world::World;

/// What really is.
#[derive(Default)]
pub(super) struct Truth {
    /// Whose each session is.
    jobs: BTreeMap<SessionId, usize>,
    /// Each token that a user was told, with the user, and when.
    told: Vec<(Token, usize, u64)>,
    /// Tokens for which an engine was linked.
    used: Vec<Token>,
    /// Jobs that somebody with the right to do so has wanted to cancel.
    pub(super) unwanted: Vec<usize>,
    /// The shortest phase of a wait that an operator has set.
    shortest: Option<u64>,
}

impl Truth {
    pub(super) fn told_at(&self, token: &Token) -> u64 {
        self.told.iter().find(|(known, ..)| known == token).map_or(0, |(.., at)| *at)
    }

    pub(super) fn wait_is_set(&mut self, ns: u64) {
        self.shortest = Some(self.shortest.unwrap_or(PHASE).min(ns));
    }

    pub(super) fn job_of(&self, session: &SessionId) -> Option<usize> {
        self.jobs.get(session).copied()
    }
}

impl World {
    /// What a Debug Manager says to somebody.
    pub(super) fn judge_reply(&mut self, wire: usize, end: usize, reply: &Reply) {
        if let (Reply::Debugger(ToDebugger::Waiting { session, .. }), End::Host(job)) =
            (reply, self.wires[wire].ends[1 - end])
        {
            let before = self.truth.jobs.insert(session.clone(), job);
            if before.is_some_and(|before| before != job) {
                self.accuse(|| format!("{session} was given to two jobs"));
            }
        }
    }

    /// A Debug Miner is told of a session.
    pub(super) fn judge_notice(&mut self, miner: usize, notice: &Notice) {
        let user = self.miners[miner].user;
        let job = self.truth.job_of(&notice.session);
        let right = job.is_some_and(|job| {
            let job = &self.jobs[job];
            job.user == user && system_name(job.system) == notice.system.as_str()
        });
        if !right || notice.user.as_str() != user_name(user) {
            let whose = job.map(|job| self.job_text(job)).unwrap_or_default();
            self.accuse(|| format!("{} was told of {}, which is {whose}", user_name(user), notice.session));
        }
        let now = self.now;
        self.truth.told.push((notice.token.clone(), user, now));
    }

    /// A Debug Manager links an engine and a debugger.
    pub(super) fn judge_link(&mut self, system: usize, engine: ConnId, handoff: ConnId, linked: &Linked) {
        let party = |conn| {
            let (wire, end) = self.systems[system].conns.get(&conn).copied()?;
            Some(self.wires[wire].ends[1 - end])
        };
        let (from, to) = (party(engine), party(handoff));
        // One of them may have hung up just now, and then nobody is linked.
        let (Some(End::Engine(engine)), Some(End::Handoff(job))) = (from, to) else { return };
        self.judge_pair(system, engine, job, linked);
    }

    fn judge_pair(&mut self, system: usize, engine: usize, job: usize, linked: &Linked) {
        let (e, j) = (&self.engines[engine], &self.jobs[job]);
        let session = &linked.session;
        let told = self.truth.told.iter().any(|(token, user, _)| *token == e.token && Some(*user) == e.user);
        let reasons = [
            (e.user != Some(j.user), "to an engine that is not its user's"),
            (!told, "by a token that its user was never told"),
            (self.truth.used.contains(&e.token), "by a token that was used before"),
            (e.session != *session, "to an engine that has asked for another session"),
            (self.truth.job_of(session) != Some(job), "to another job's handoff connection"),
            (j.system != system, "by the Debug Manager of another system"),
            (j.socket.is_some(), "though it has its workstation already"),
            (matches!(j.outcome, Some(Outcome::Cancelled | Outcome::TimedOut(_))), "though it is over"),
        ];
        let wrong = reasons.iter().find(|(wrong, _)| *wrong).map(|(_, why)| *why);
        let (token, text) = (e.token.clone(), self.job_text(job));
        if let Some(why) = wrong {
            self.accuse(|| format!("{text} was linked {why}"));
        }
        self.truth.used.push(token);
    }

    /// A socket arrives at a job.
    pub(super) fn judge_socket(&mut self, job: usize, socket: usize, linked: &Linked) {
        let j = &self.jobs[job];
        let End::Engine(engine) = self.wires[socket].ends[0] else { return };
        let e = &self.engines[engine];
        let mine = self.truth.job_of(&linked.session) == Some(job) && e.session == linked.session;
        let wrong = match (mine && e.user == Some(j.user), j.socket, j.outcome) {
            (false, ..) => "it is not its user's, or not for it",
            (_, Some(_), _) => "it has one already",
            (_, _, Some(Outcome::Cancelled | Outcome::TimedOut(_))) => "it was told that its wait is over",
            _ => return,
        };
        let text = self.job_text(job);
        self.accuse(|| format!("a socket was passed to {text}: {wrong}"));
    }

    /// A job ends.
    pub(super) fn judge_outcome(&mut self, job: usize, how: Outcome) {
        let waited = self.now - self.jobs[job].since;
        let wrong = match how {
            Outcome::Cancelled => !self.truth.unwanted.contains(&job),
            Outcome::TimedOut(_) => waited < self.truth.shortest.unwrap_or(PHASE),
            Outcome::EngineLost => {
                let session = self.jobs[job].session.as_ref().map(|(session, _)| session);
                !self.engines.iter().any(|e| Some(&e.session) == session && e.user == Some(self.jobs[job].user))
            }
            Outcome::Debugged => self.jobs[job].socket.is_none(),
            Outcome::NoDebugManager | Outcome::Killed => false,
        };
        if wrong {
            let text = self.job_text(job);
            self.accuse(|| format!("{text} is lost: {how:?} without a reason"));
        }
    }

    /// What a Debug Manager knows, after whatever it was told.
    pub(super) fn judge_manager(&mut self, system: usize) {
        let Some(manager) = &self.systems[system].manager else { return };
        let mut wrong = None;
        for (id, session) in manager.sessions.iter() {
            let Some(job) = self.truth.job_of(id) else { continue };
            let j = &self.jobs[job];
            // A wait that was never answered is nobody's: the job has begun anew, and its old connection will be found dead.
            let own = j.session.as_ref().is_some_and(|(own, _)| own == id);
            let engine = match session.state {
                State::Attached { engine } | State::Passing { engine, .. } => manager.conns.get(engine).is_some(),
                _ => true,
            };
            let reasons = [
                (session.user.as_str() != user_name(j.user), "is kept for another user"),
                (j.system != system, "is kept on another system"),
                (own && session.waits() && j.socket.is_some(), "waits, and has its workstation"),
                (!engine, "is attached to an engine that is not there"),
            ];
            wrong = wrong.or_else(|| reasons.iter().find(|(wrong, _)| *wrong).map(|(_, why)| (job, *why)));
        }
        if let Some((job, why)) = wrong {
            let text = self.job_text(job);
            self.accuse(|| format!("{text} {why}"));
        }
    }
}
