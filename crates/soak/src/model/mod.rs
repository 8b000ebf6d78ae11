//! What must be true all along: each session reaches its own user's client and its own LPAR's job exactly once, or fails and a fault
//! excuses that ([`crate::explain`]); nothing is lost, nothing is crossed, everything is drained at the end.
//!
//! It is told what was ordered and what was seen, about in order of time: what comes from two processes may overtake. It keeps what
//! is open and nothing else, so a long soak needs no more memory than a short one. Numbers of jobs have no gap, so a number below the
//! next one that is not open is that of a session that has ended.

mod end;
mod faults;
#[cfg(test)]
mod tests;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::explain::Layout;
use crate::fault::Fault;
use crate::summary::Histogram;
use crate::{MS, SECOND};
use end::Ended;
use faults::Faults;
use users::User;

/// How long one side of a session may be heard after the other.
const SETTLE: u64 = 5 * SECOND;
/// How long an engine may be heard after its job when something excuses that: TCP sends the debugger's good bye again and again while
/// a fault stands. By then the engine has given up, with the swarm's patience of 20 s.
const LATE: u64 = 30 * SECOND;
/// How long a job may be without an end. A swarm's jobs give up long before.
pub const HANG: u64 = 120 * SECOND;
/// How long a logon may be without an answer.
const LOGON: u64 = 45 * SECOND;
/// Violations that are kept; the others are counted.
pub(crate) const MOST_VIOLATIONS: usize = 100;

/// Something that was ordered or seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// A job was ordered.
    JobOrdered {
        /// Its number: one more than that of the last.
        number: u64,
        /// Its user.
        user: u32,
        /// Its LPAR.
        lpar: String,
    },
    /// A job has ended.
    JobDone(JobDone),
    /// A user's engine has followed a notice to the end.
    EngineDone(EngineDone),
    /// A user is to log on.
    LogonOrdered(u32),
    /// A user is to log off.
    LogoffOrdered(u32),
    /// A user is logged on, on this LPAR.
    LoggedOn(u32, String),
    /// A user has logged off.
    LoggedOff(u32),
    /// A user is not logged on against its wish, for this reason.
    UserLost(u32, String),
    /// A fault is about to be brought about: from here on it may bite.
    FaultBegan(u32, Fault),
    /// A fault is gone.
    FaultHealed(u32),
    /// This LPAR owns the DVIPA from now on.
    OwnerIs(String),
    /// An LPAR is gone, and all jobs that ran on it.
    JobsGone(String),
    /// The machine has stood still for so many nanoseconds until now, or was too busy for the lab.
    StoodStill(u64),
    /// A swarm was told to end what it has, and this much was left.
    Left(String, u64),
}

/// How a job ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobDone {
    /// Its number.
    pub number: u64,
    /// The LPAR that it ran on.
    pub on: String,
    /// The user that the client at the other end of its socket says it has; nothing when there was none.
    pub client: Option<u32>,
    /// Nothing when it was debugged to its end; else why not.
    pub failed: Option<String>,
    /// From `waiting` to the first message of the debug conversation, in microseconds.
    pub handoff_us: u64,
}

/// How an engine's session ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineDone {
    /// The user at whose workstation the engine is.
    pub user: u32,
    /// The job that the notice named.
    pub told: u64,
    /// The job that answered, as it says itself, and its LPAR.
    pub answered: Option<(u64, String)>,
    /// Nothing when it was debugged to its end; else why not.
    pub failed: Option<String>,
}

/// What must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Two parties met who do not belong together, or somebody was told of what is not his.
    Crossed,
    /// A session reached somebody twice, or after its end.
    Twice,
    /// Somebody spoke of a session that nobody ordered.
    Unknown,
    /// A session failed, and no fault excuses it.
    Failed,
    /// A session never ended.
    Lost,
    /// A user was lost, or could not log on, and no fault excuses it.
    User,
    /// Something was left at the end.
    Left,
}

/// An invariant that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When, in nanoseconds of `CLOCK_MONOTONIC`.
    pub t_ns: u64,
    /// Which.
    pub kind: Kind,
    /// One sentence.
    pub what: String,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Sessions that were ordered.
    pub sessions: u64,
    /// Those that reached their client and their job.
    pub reached: u64,
    /// Those among them whose user was logged on elsewhere than the job ran.
    pub cross_lpar: u64,
    /// Those that failed with an excuse.
    pub excused: u64,
    /// The excuses: `the user was away`, or what the fault was.
    pub excuses: BTreeMap<String, u64>,
    /// Logons that were done.
    pub logons: u64,
    /// Users that were lost with an excuse.
    pub users_lost: u64,
    /// How often the machine stood still, and how long in all, in milliseconds.
    pub stood_still: u64,
    /// See [`Counts::stood_still`].
    pub stood_still_ms: u64,
    /// Invariants that were broken.
    pub violations: u64,
}

/// The model.
#[derive(Clone, Debug)]
pub struct Model {
    layout: Layout,
    next: u64,
    open: BTreeMap<u64, Session>,
    /// Sessions whose job has ended: when they are concluded, and which.
    settling: BTreeSet<(u64, u64)>,
    users: BTreeMap<u32, User>,
    faults: Faults,
    counts: Counts,
    handoffs: Histogram,
    undisturbed: Histogram,
    violations: Vec<Violation>,
}

/// One that has not ended.
#[derive(Clone, Debug)]
struct Session {
    user: u32,
    lpar: String,
    begun_ns: u64,
    job: Option<Ended>,
    /// The user's engine has seen it through.
    engine: bool,
    /// Why an engine has not.
    engine_failed: Option<String>,
}

impl Counts {
    /// Adds what was counted elsewhere.
    pub fn add_all(&mut self, other: &Self) {
        // All of them, so that a new one is not forgotten.
        let Self {
            sessions,
            reached,
            cross_lpar,
            excused,
            excuses,
            logons,
            users_lost,
            stood_still,
            stood_still_ms,
            violations,
        } = other;
        self.sessions += sessions;
        self.reached += reached;
        self.cross_lpar += cross_lpar;
        self.excused += excused;
        for (excuse, count) in excuses {
            *self.excuses.entry(excuse.clone()).or_insert(0) += count;
        }
        self.logons += logons;
        self.users_lost += users_lost;
        self.stood_still += stood_still;
        self.stood_still_ms += stood_still_ms;
        self.violations += violations;
    }
}

impl Model {
    /// Nothing has happened yet.
    pub fn new(layout: Layout) -> Self {
        let faults = Faults::new(layout.owner.clone());
        Self {
            layout,
            next: 0,
            open: BTreeMap::new(),
            settling: BTreeSet::new(),
            users: BTreeMap::new(),
            faults,
            counts: Counts::default(),
            handoffs: Histogram::default(),
            undisturbed: Histogram::default(),
            violations: Vec::new(),
        }
    }

    /// Something was ordered or seen.
    pub fn feed(&mut self, t_ns: u64, fact: Fact) {
        match fact {
            Fact::JobOrdered { number, user, lpar } => {
                self.next = self.next.max(number + 1);
                self.counts.sessions += 1;
                let (job, engine, engine_failed) = (None, false, None);
                self.open.insert(number, Session { user, lpar, begun_ns: t_ns, job, engine, engine_failed });
            }
            Fact::JobDone(done) => self.job_done(t_ns, done),
            Fact::EngineDone(done) => self.engine_done(t_ns, done),
            Fact::LogonOrdered(user) => self.users.entry(user).or_default().comes(t_ns),
            Fact::LogoffOrdered(user) => self.users.entry(user).or_default().goes(),
            Fact::LoggedOn(user, on) => {
                self.counts.logons += 1;
                self.users.entry(user).or_default().is_on(t_ns, on);
            }
            Fact::LoggedOff(user) => self.users.entry(user).or_default().is_off(t_ns),
            Fact::UserLost(user, reason) => self.user_lost(t_ns, user, &reason),
            Fact::FaultBegan(id, fault) => self.faults.began(t_ns, id, fault),
            Fact::FaultHealed(id) => self.faults.healed(t_ns, id),
            Fact::OwnerIs(lpar) => self.faults.owner_is(t_ns, lpar),
            Fact::JobsGone(lpar) => self.jobs_gone(t_ns, &lpar),
            Fact::StoodStill(ns) => {
                self.counts.stood_still += 1;
                self.counts.stood_still_ms += ns / MS;
                self.faults.stood_still(t_ns, ns);
            }
            Fact::Left(of, left) => {
                if left > 0 {
                    self.accuse(t_ns, Kind::Left, format!("{of} still had {left} at the end"));
                }
            }
        }
    }

    /// Time has passed: who must have been heard of by now?
    pub fn tick(&mut self, now_ns: u64) {
        while self.settling.first().is_some_and(|(due, _)| *due <= now_ns) {
            let Some((_, number)) = self.settling.pop_first() else { break };
            if self.may_be_late(now_ns, number) {
                self.settling.insert((now_ns + SETTLE, number));
            } else {
                self.conclude(now_ns, number);
            }
        }
        let hang = self.open.iter().take_while(|(_, session)| session.begun_ns + HANG <= now_ns);
        let hang: Vec<u64> = hang.filter(|(_, session)| session.job.is_none()).map(|(number, _)| *number).collect();
        for number in hang {
            self.conclude(now_ns, number);
        }
        self.users_hang(now_ns);
        self.faults.forget(now_ns.saturating_sub(HANG + SETTLE));
    }

    /// Nothing more will come: whatever is open is left.
    pub fn finish(&mut self, now_ns: u64) {
        self.settling.clear();
        let open: Vec<u64> = self.open.keys().copied().collect();
        for number in open {
            self.conclude(now_ns, number);
        }
        self.users_hang(now_ns);
    }

    /// Sessions that have not ended.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Users who are logged on.
    pub fn users_on(&self) -> usize {
        self.users.values().filter(|user| user.on().is_some()).count()
    }

    /// Where a user is logged on, as far as is known.
    pub fn user_on(&self, user: u32) -> Option<&str> {
        self.users.get(&user)?.on()
    }

    /// What was counted until now.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// From `waiting` to the first message, in microseconds, of all that reached.
    pub fn handoffs(&self) -> &Histogram {
        &self.handoffs
    }

    /// The same of those that no fault touched: none would have excused them. A session may wait long while its user logs on, so
    /// one whose user was away at its beginning is not among them either.
    pub fn undisturbed(&self) -> &Histogram {
        &self.undisturbed
    }

    /// The first invariants that were broken.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    fn accuse(&mut self, t_ns: u64, kind: Kind, what: String) {
        self.counts.violations += 1;
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(Violation { t_ns, kind, what });
        }
    }
}
