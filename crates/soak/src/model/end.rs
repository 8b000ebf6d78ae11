//! The end of a session: what its job says of it, and what its user's engine says.

use super::{EngineDone, JobDone, Kind, LATE, Model, SETTLE, Session};
use crate::explain::{Parties, excuses_session};
use crate::plan::{job_name, user_id};

/// What a job has said at its end.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    failed: Option<String>,
    t_ns: u64,
    handoff_us: u64,
    /// It said nothing; its LPAR is gone.
    is_gone: bool,
}

impl Ended {
    /// Until when its session could be harmed: when the job was debugged to its end, its good bye was still under way.
    fn until(&self, now_ns: u64) -> u64 {
        if self.failed.is_some() { self.t_ns } else { now_ns }
    }
}

impl Model {
    pub(super) fn job_done(&mut self, t_ns: u64, done: JobDone) {
        let JobDone { number, on, client, failed, handoff_us } = done;
        let Some(session) = self.open.get_mut(&number) else { return self.not_open(t_ns, number, failed.as_deref()) };
        let wrong = if session.lpar != on {
            Some(format!("ran on {on}, and was ordered on {}", session.lpar))
        } else {
            let other = client.filter(|client| *client != session.user);
            other.map(|other| format!("reached {}, and wanted {}", user_id(other), user_id(session.user)))
        };
        // What it said before it was gone with its LPAR may be heard later than that.
        let twice = session.job.as_ref().is_some_and(|job| !job.is_gone);
        let nobody = failed.is_none() && client.is_none();
        if !twice {
            session.job = Some(Ended { failed, t_ns, handoff_us, is_gone: false });
        }
        if let Some(wrong) = wrong {
            self.accuse(t_ns, Kind::Crossed, format!("{} {wrong}", job_name(number)));
        }
        if nobody {
            self.accuse(t_ns, Kind::Crossed, format!("{} was debugged by nobody", job_name(number)));
        }
        if twice {
            return self.accuse(t_ns, Kind::Twice, format!("{} ended twice", job_name(number)));
        }
        if !self.is_reached(t_ns, number) {
            self.settling.insert((t_ns + SETTLE, number));
        }
    }

    pub(super) fn engine_done(&mut self, t_ns: u64, done: EngineDone) {
        let EngineDone { user, told, answered, failed } = done;
        let Some(session) = self.open.get_mut(&told) else { return self.not_open(t_ns, told, failed.as_deref()) };
        let name = job_name(told);
        let mut wrong = Vec::new();
        if session.user != user {
            wrong.push(format!("{} was told of {name}, which is for {}", user_id(user), user_id(session.user)));
        }
        if let Some((number, on)) = answered.filter(|(number, on)| *number != told || *on != session.lpar) {
            let found = job_name(number);
            wrong.push(format!("{}: {found} on {on} answered, expected {name} on {}", user_id(user), session.lpar));
        }
        let twice = failed.is_none() && session.engine;
        session.engine |= failed.is_none();
        session.engine_failed = failed.or(session.engine_failed.take());
        for wrong in wrong {
            self.accuse(t_ns, Kind::Crossed, wrong);
        }
        if twice {
            self.accuse(t_ns, Kind::Twice, format!("{name} reached {} twice", user_id(user)));
        }
        self.is_reached(t_ns, told);
    }

    /// All jobs of an LPAR ended with it.
    pub(super) fn jobs_gone(&mut self, t_ns: u64, lpar: &str) {
        for (number, session) in &mut self.open {
            if session.lpar == lpar && session.job.is_none() {
                let failed = Some(format!("{lpar} was gone"));
                session.job = Some(Ended { failed, t_ns, handoff_us: 0, is_gone: true });
                self.settling.insert((t_ns + SETTLE, *number));
            }
        }
    }

    /// Somebody speaks of a session that is not open. That a try failed after the session's end is no wonder; a success is.
    fn not_open(&mut self, t_ns: u64, number: u64, failed: Option<&str>) {
        let name = job_name(number);
        match failed {
            _ if number >= self.next => self.accuse(t_ns, Kind::Unknown, format!("{name} was never ordered")),
            Some(_) => {}
            None => self.accuse(t_ns, Kind::Twice, format!("{name} reached somebody after its end")),
        }
    }

    /// Have both sides seen it through? Then it is forgotten.
    fn is_reached(&mut self, t_ns: u64, number: u64) -> bool {
        let Some(session) = self.open.get(&number) else { return false };
        let Some(job) = session.job.as_ref().filter(|job| job.failed.is_none() && session.engine) else { return false };
        self.counts.reached += 1;
        self.handoffs.add(job.handoff_us);
        if self.excuse(session, t_ns).is_none() {
            self.undisturbed.add(job.handoff_us);
        }
        let elsewhere = self.users.get(&session.user).and_then(super::User::on).is_some_and(|on| on != session.lpar);
        self.counts.cross_lpar += u64::from(elsewhere);
        self.open.remove(&number);
        true
    }

    /// Its job was debugged to its end and its engine has not said a word: may that still come, with an excuse for being late?
    pub(super) fn may_be_late(&self, now_ns: u64, number: u64) -> bool {
        let Some(session) = self.open.get(&number) else { return false };
        let debugged = session.job.as_ref().filter(|job| job.failed.is_none());
        let Some(job) = debugged.filter(|job| now_ns < job.t_ns + LATE) else { return false };
        let is_silent = !session.engine && session.engine_failed.is_none();
        is_silent && self.excuse(session, job.until(now_ns)).is_some()
    }

    /// Nothing more is expected of a session: it failed. Is there an excuse?
    pub(super) fn conclude(&mut self, now_ns: u64, number: u64) {
        let Some(session) = self.open.remove(&number) else { return };
        let to_ns = session.job.as_ref().map_or(now_ns, |job| job.until(now_ns));
        if let Some(excuse) = self.excuse(&session, to_ns) {
            self.counts.excused += 1;
            *self.counts.excuses.entry(excuse).or_insert(0) += 1;
            return;
        }
        let (kind, how) = match &session.job {
            None => (Kind::Lost, "never ended".to_owned()),
            Some(Ended { failed: Some(why), .. }) if session.engine => {
                (Kind::Failed, format!("failed, although its client saw it through: {why}"))
            }
            Some(Ended { failed: Some(why), .. }) => (Kind::Failed, format!("failed: {why}")),
            Some(_) => match &session.engine_failed {
                Some(why) => (Kind::Failed, format!("was debugged, and its client failed: {why}")),
                None => (Kind::Lost, "was debugged, and its client never said so".to_owned()),
            },
        };
        let engine = session.engine_failed.filter(|_| session.job.as_ref().is_some_and(|job| job.failed.is_some()));
        let engine = engine.map_or_else(String::new, |why| format!("; at the workstation: {why}"));
        let user = user_id(session.user);
        let place = self.users.get(&session.user).and_then(super::User::on).unwrap_or("no LPAR").to_owned();
        let ms = to_ns.saturating_sub(session.begun_ns) / crate::MS;
        let what = format!(
            "{} on {} for {user}, who is on {place}, {how}{engine} (after {ms} ms, and no fault excuses it)",
            job_name(number),
            session.lpar
        );
        self.accuse(now_ns, kind, what);
    }

    fn excuse(&self, session: &Session, to_ns: u64) -> Option<String> {
        let from_ns = session.begun_ns;
        let user = self.users.get(&session.user);
        if user.is_none_or(|user| user.was_away(from_ns)) {
            return Some("the user was away".to_owned());
        }
        let parties = Parties {
            job: session.lpar.clone(),
            user: user.map(|user| user.places(from_ns)).unwrap_or_default(),
            owner: self.faults.owners(from_ns, to_ns),
        };
        let fault = self.faults.find(from_ns, to_ns, |fault| excuses_session(fault, &self.layout, &parties));
        let still = || self.faults.was_still(from_ns, to_ns).then(|| "the machine stood still".to_owned());
        fault.map(ToString::to_string).or_else(still)
    }
}
