//! The steps of a schedule, carried out.

use super::super::*;
use super::chance::mix;
use super::hub_links::place;
use super::jobs::Outcome;
use super::schedule::{Action, Step, user_name};
use super::wires::{End, MS};
use super::world::World;

impl World {
    pub(super) fn step(&mut self, step: &Step) {
        self.run_until(self.now + step.after_ms * MS);
        self.tell(|| format!("-- {}", step.action));
        let id = step.id;
        match step.action {
            Action::LogOn { user, system } => self.log_on(id, user, system),
            Action::LogOff { user, system } => self.log_off(user, system),
            Action::Submit { user, system } => self.submit(id, user, system),
            Action::Kill { user } => {
                if let Some(job) = self.latest_job(user) {
                    self.job_is_over(job, Outcome::Killed);
                }
            }
            Action::BreakHost { user } => self.break_host(user),
            Action::Cancel { user } => self.user_cancels(id, user),
            Action::Replay { user } => {
                if let Some(notice) = self.last_told(user) {
                    self.engine_dials(user, mix(u64::from(id), 13), &notice, false);
                }
            }
            Action::Stranger { user, kind } => self.stranger_dials(id, user, kind),
            Action::Crash { system, reset } => self.crash(system, reset),
            Action::Stop { system } => self.stop(system),
            Action::Start { system } => self.start(system),
            Action::CutOff { system } => self.systems[system].cut_off = true,
            Action::Heal { system } => {
                self.systems[system].cut_off = false;
                self.release();
            }
            Action::Break { system } => self.break_links(system),
            Action::MoveHub { to } => self.move_hub(to),
            Action::Wait { system, seconds } => {
                self.truth.wait_is_set(seconds * SECOND);
                self.command(system, format!("T,{seconds}"));
            }
            Action::CancelUser { user, system } => {
                self.unwant(|job| job.user == user && job.system == system);
                self.command(system, format!("C,U,{}", user_name(user)));
            }
            Action::CancelJob { user } => self.operator_cancels(user),
        }
    }

    pub(super) fn command(&mut self, system: usize, text: String) {
        self.feed(system, Input::Operator(text));
    }

    /// Whoever wants these jobs cancelled has the right to.
    fn unwant(&mut self, which: impl Fn(&super::jobs::Job) -> bool) {
        let jobs = self.jobs.iter().enumerate();
        let unwanted: Vec<_> = jobs.filter(|(_, job)| which(job)).map(|(at, _)| at).collect();
        self.truth.unwanted.extend(unwanted);
    }

    fn latest_job(&self, user: usize) -> Option<usize> {
        self.jobs.iter().rposition(|job| job.user == user && job.outcome.is_none())
    }

    fn break_host(&mut self, user: usize) {
        let Some(wire) = self.latest_job(user).and_then(|job| self.jobs[job].host) else { return };
        self.break_wire(wire);
    }

    fn user_cancels(&mut self, id: u32, user: usize) {
        let Some(notice) = self.last_told(user) else { return };
        self.truth.unwanted.extend(self.truth.job_of(&notice.session));
        self.engine_dials(user, mix(u64::from(id), 17), &notice, true);
    }

    fn operator_cancels(&mut self, user: usize) {
        let Some(job) = self.latest_job(user) else { return };
        let Some((session, _)) = self.jobs[job].session.clone() else { return };
        self.truth.unwanted.push(job);
        self.command(self.jobs[job].system, format!("C,{session}"));
    }

    fn move_hub(&mut self, to: usize) {
        for n in 0..self.systems.len() {
            if !self.systems[n].cut_off {
                self.command(n, format!("H,{}", place(to).to_string().replace(':', ",")));
            }
        }
    }

    /// Does the other end of a system's hub link live?
    pub(super) fn is_hub_link(&self, wire: usize) -> bool {
        self.wires[wire].ends.iter().all(|end| matches!(end, End::Manager(..)))
    }
}
