//! After the steps everything is healed. Then what was promised must come true, and in the end nothing may be left.

use evidence::HubState;

use super::super::*;
use super::chance::mix;
use super::hub_links::place;
use super::jobs::{Job, Outcome};
use super::schedule::{system_name, user_name};
use super::systems::{PHASE, RETRY_PERIOD};
use super::wires::LONGEST_DELAY;
use super::world::World;

/// The operator's `T` is at most this.
const LONGEST_PHASE: u64 = 40 * SECOND;

impl World {
    /// Heals, and judges.
    pub(super) fn end(&mut self) {
        self.heal_all();
        // What was delayed before is still under way; then one retry period, and a second for dialling.
        self.run_until(self.now + LONGEST_DELAY + RETRY_PERIOD + SECOND);
        self.hub_is_whole();
        self.everyone_was_told();
        self.everyone_dials();
        self.run_until(self.now + LONGEST_DELAY);
        self.who_was_told_is_debugged();
        self.let_the_rest_time_out();
        self.log_all_off();
        self.run_until(self.now + 2 * SECOND);
        self.nothing_is_left();
    }

    fn heal_all(&mut self) {
        self.tell(|| "-- everything is healed".to_owned());
        self.run_until(self.now + 200_000_000);
        self.delays = false;
        for n in 0..self.systems.len() {
            self.systems[n].cut_off = false;
        }
        self.release();
        for n in 0..self.systems.len() {
            self.start(n);
        }
    }

    fn roles(&self) -> Vec<HubState> {
        let role = |manager: &Manager| manager.hub.state;
        self.systems.iter().filter_map(|system| system.manager.as_ref().map(role)).collect()
    }

    /// One primary, and all others its secondaries. Whom a move of the hub did not reach is told again, as is documented.
    fn hub_is_whole(&mut self) {
        let hub = |n: usize, world: &Self| world.systems[n].manager.as_ref().and_then(|m| m.settings.hub);
        let whole = |world: &Self| {
            let roles = world.roles();
            roles.iter().filter(|role| **role == HubState::Primary).count() == 1
                && roles.iter().filter(|role| **role == HubState::Secondary).count() + 1 == roles.len()
        };
        let moved = (0..self.systems.len()).any(|n| hub(n, self) != Some(place(0)));
        if moved && !whole(self) {
            let at = self.roles().iter().position(|role| *role == HubState::Primary).unwrap_or(0);
            let to = hub(at, self).filter(|_| self.roles()[at] == HubState::Primary).unwrap_or(place(at));
            for n in (0..self.systems.len()).filter(|n| *n != at).chain([at]) {
                self.command(n, format!("H,{},{}", to.ip(), to.port()));
            }
            self.run_until(self.now + RETRY_PERIOD + SECOND);
        }
        if !whole(self) {
            let roles = self.roles();
            self.accuse(|| format!("the hub is not whole one retry period after everything was healed: {roles:?}"));
        }
    }

    /// Jobs that wait, each with its session; but not one to whom something is just being said.
    fn waiting(&self) -> Vec<(usize, SessionId)> {
        let in_peace = |job: &Job| job.host.is_some_and(|host| self.wires[host].queue[0].is_empty());
        let waits = |job: &Job| job.outcome.is_none() && job.socket.is_none() && in_peace(job);
        let jobs = self.jobs.iter().enumerate().filter(|(_, job)| waits(job));
        jobs.filter_map(|(at, job)| Some((at, job.session.clone()?.0))).collect()
    }

    fn is_logged_on(&self, user: usize) -> bool {
        self.miners.iter().any(|miner| miner.user == user && miner.logged_on)
    }

    fn everyone_was_told(&mut self) {
        for at in 0..self.miners.len() {
            let miner = &self.miners[at];
            if miner.logged_on && !miner.registered {
                let (name, system) = (user_name(miner.user), system_name(miner.system));
                self.accuse(|| format!("{name} is logged on to {system} and not registered"));
            }
        }
        for (at, id) in self.waiting() {
            let manager = self.systems[self.jobs[at].system].manager.as_ref();
            let token = manager.and_then(|manager| manager.sessions.get(&id)).map(|session| session.token.clone());
            let user = self.jobs[at].user;
            let told = token.as_ref().is_some_and(|token| {
                self.miners.iter().any(|m| m.logged_on && m.told.iter().any(|notice| notice.token == *token))
            });
            let text = self.job_text(at);
            if token.is_none() {
                self.accuse(|| format!("{text} waits, and Debug Manager does not know it"));
            } else if self.is_logged_on(user) && !told {
                self.accuse(|| format!("{text} waits, and its user is logged on and was not told"));
            }
        }
        for at in 0..self.jobs.len() {
            let job = &self.jobs[at];
            let manager = self.systems[job.system].manager.as_ref();
            let known =
                job.session.as_ref().is_none_or(|(id, _)| manager.is_some_and(|m| m.sessions.get(id).is_some()));
            let in_peace = job.host.is_none_or(|host| self.wires[host].queue[0].is_empty());
            if job.outcome.is_none() && in_peace && !known {
                let text = self.job_text(at);
                self.accuse(|| format!("{text} goes on, and Debug Manager does not know it"));
            }
        }
    }

    /// Every workstation dials what waits for it. One that was told of a session twice tries both tokens.
    fn everyone_dials(&mut self) {
        for (at, id) in self.waiting() {
            let user = self.jobs[at].user;
            let logged_on = self.miners.iter().filter(|m| m.logged_on && m.user == user);
            let told: Vec<_> = logged_on.flat_map(|m| &m.told).filter(|n| n.session == id).cloned().collect();
            for (n, notice) in told.iter().enumerate() {
                self.engine_dials(user, mix(at as u64, 19 + n as u64), notice, false);
            }
        }
    }

    fn who_was_told_is_debugged(&mut self) {
        for (at, _) in self.waiting() {
            if self.is_logged_on(self.jobs[at].user) {
                let text = self.job_text(at);
                self.accuse(|| format!("{text} waits, though its user's workstation has dialled"));
            }
        }
    }

    /// Jobs whose users are not there.
    fn let_the_rest_time_out(&mut self) {
        let end = self.now + 2 * LONGEST_PHASE.max(PHASE) + 4 * LONGEST_DELAY;
        while self.now < end && self.wrong.is_none() && self.jobs.iter().any(|job| job.outcome.is_none()) {
            self.run_until(self.now + 2 * SECOND);
        }
        for at in 0..self.jobs.len() {
            if self.jobs[at].outcome.is_none() {
                let text = self.job_text(at);
                self.accuse(|| format!("{text} has not come to an end"));
            }
        }
    }

    fn log_all_off(&mut self) {
        for at in 0..self.miners.len() {
            self.miner_leaves(at);
        }
    }

    fn nothing_is_left(&mut self) {
        for n in 0..self.systems.len() {
            let Some(manager) = &self.systems[n].manager else { continue };
            let users = manager.users.registrations();
            let links = self.systems[n].conns.values().filter(|(wire, _)| self.is_hub_link(*wire)).count();
            let left = [
                ("sessions", manager.sessions.len()),
                ("sessions that look for a user", manager.seeks.len()),
                ("registrations", users),
                ("connections", manager.conns.len() - manager.conns.on(Port::Hub).len().min(links)),
            ];
            let upstream = usize::from(manager.hub.upstream.is_some()) + manager.conns.on(Port::Call).len();
            for (what, count) in left {
                if count > if what == "connections" { upstream } else { 0 } {
                    self.accuse(|| format!("in the end {count} {what} are left on {}", system_name(n)));
                    return;
                }
            }
        }
        if let Some(at) = self.engines.iter().position(|engine| !engine.settled) {
            let session = self.engines[at].session.clone();
            self.accuse(|| format!("an engine that dialled {session} was never given an answer"));
        }
        if self.jobs.iter().any(|job| job.outcome == Some(Outcome::Debugged) && job.socket.is_none()) {
            self.accuse(|| "a job was debugged by nobody".to_owned());
        }
    }
}
