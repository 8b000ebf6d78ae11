//! What is done to the sysplex and when: a list of steps, which can be made from a seed, made shorter, and printed.
//!
//! A step names a system or a user, never "the third of what there is": so it means the same when other steps are taken out.
//! What it needs may be missing then; such a step does nothing.

use std::fmt;

use super::chance::Chance;

/// Users of a schedule, at most.
pub(super) const USERS: usize = 3;

/// One step.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Its number in the schedule that the seed gave; what it starts is named by it.
    pub(super) id: u32,
    /// Pause before it.
    pub(super) after_ms: u64,
    pub(super) action: Action,
}

/// What is done. Systems and users by position.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A user logs on: a Debug Miner registers him.
    LogOn { user: usize, system: usize },
    /// His latest logon there ends.
    LogOff { user: usize, system: usize },
    /// A job waits for a user.
    Submit { user: usize, system: usize },
    /// A user's latest job is gone without a word.
    Kill { user: usize },
    /// The HOST connection of a user's latest job breaks; Debug Manager and the job notice it at different times.
    BreakHost { user: usize },
    /// A user gives up the session that he was told of last.
    Cancel { user: usize },
    /// A user's workstation dials again with what it was told last.
    Replay { user: usize },
    /// Somebody dials the session that a user was told of last, with a token that is not that session's.
    Stranger { user: usize, kind: Stranger },
    /// Debug Manager is gone without a word; with `reset`, what it has sent last is lost.
    Crash { system: usize, reset: bool },
    /// The operator stops Debug Manager.
    Stop { system: usize },
    /// Debug Manager is started, if it does not run.
    Start { system: usize },
    /// A system reaches nobody and nobody reaches it; what is under way stays there.
    CutOff { system: usize },
    /// That is over.
    Heal { system: usize },
    /// All hub links of a system break, and what is under way on them is lost.
    Break { system: usize },
    /// The hub is to be at a system's own address: command H, to every system that can be reached.
    MoveHub { to: usize },
    /// `T,n`
    Wait { system: usize, seconds: u64 },
    /// `C,U,user` on one system.
    CancelUser { user: usize, system: usize },
    /// `C,session` for a user's latest job.
    CancelJob { user: usize },
}

/// What a stranger presents.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stranger {
    /// The right user and a guessed token.
    Guess,
    /// The name of another user, and the right token.
    OtherName,
    /// The right user, and the token of another session.
    OtherToken,
}

/// A whole schedule.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// What delays are made from.
    pub(super) seed: u64,
    pub(super) systems: usize,
    /// Are messages delayed, each differently?
    pub(super) delays: bool,
    pub(super) steps: Vec<Step>,
}

impl Schedule {
    pub(super) fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let systems = 2 + chance.index(4).min(chance.index(4));
        let users = 1 + chance.index(USERS);
        // Not every schedule has everything: what is rare in a mixture gets its turn.
        let kinds: Vec<u64> = (0..KINDS).filter(|kind| *kind < 4 || chance.one_in(3)).collect();
        let count = 4 + chance.index(16) as u32;
        let steps = (0..count).map(|id| {
            let kind = kinds[chance.index(kinds.len())];
            let action = Action::of(kind, &mut chance, users, systems);
            Step { id, after_ms: pause(&mut chance), action }
        });
        Self { seed, systems, delays: true, steps: steps.collect() }
    }
}

impl Schedule {
    /// The same with one system less; what was done to that one is done to the first.
    pub(super) fn without_last_system(&mut self) {
        self.systems -= 1;
        for step in &mut self.steps {
            if let Some(system) = step.action.system_mut() {
                *system %= self.systems;
            }
        }
    }
}

fn pause(chance: &mut Chance) -> u64 {
    match chance.below(8) {
        0..4 => chance.below(20),
        4..7 => chance.below(500),
        _ => chance.below(8_000),
    }
}

/// Kinds of steps, the most usual ones first.
const KINDS: u64 = 20;

impl Action {
    fn system_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::LogOn { system, .. }
            | Self::LogOff { system, .. }
            | Self::Submit { system, .. }
            | Self::Crash { system, .. }
            | Self::Stop { system }
            | Self::Start { system }
            | Self::CutOff { system }
            | Self::Heal { system }
            | Self::Break { system }
            | Self::MoveHub { to: system }
            | Self::Wait { system, .. }
            | Self::CancelUser { system, .. } => Some(system),
            Self::Kill { .. }
            | Self::BreakHost { .. }
            | Self::Cancel { .. }
            | Self::Replay { .. }
            | Self::Stranger { .. }
            | Self::CancelJob { .. } => None,
        }
    }

    fn of(kind: u64, chance: &mut Chance, users: usize, systems: usize) -> Self {
        let (user, system) = (chance.index(users), chance.index(systems));
        let strangers = [Stranger::Guess, Stranger::OtherName, Stranger::OtherToken];
        match kind {
            0 | 1 => Self::LogOn { user, system },
            2 | 3 => Self::Submit { user, system },
            4 => Self::LogOff { user, system },
            5 => Self::Kill { user },
            6 => Self::Cancel { user },
            7 => Self::Replay { user },
            8 => Self::Stranger { user, kind: strangers[chance.index(3)] },
            9 => Self::Crash { system, reset: chance.one_in(2) },
            10 => Self::Stop { system },
            11 | 12 => Self::Start { system },
            13 => Self::CutOff { system },
            14 => Self::Heal { system },
            15 => Self::Break { system },
            16 => Self::MoveHub { to: system },
            17 => Self::Wait { system, seconds: 5 + chance.below(30) },
            18 => Self::BreakHost { user },
            _ if chance.one_in(2) => Self::CancelUser { user, system },
            _ => Self::CancelJob { user },
        }
    }
}

pub(super) fn user_name(n: usize) -> &'static str {
    ["ANNA", "BORIS", "CLARA"][n % USERS]
}

pub(super) fn system_name(n: usize) -> String {
    format!("LPAR{}", n + 1)
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (u, s) = (|n: &usize| user_name(*n), |n: &usize| system_name(*n));
        match self {
            Self::LogOn { user, system } => write!(f, "{} logs on to {}", u(user), s(system)),
            Self::LogOff { user, system } => write!(f, "{} logs off from {}", u(user), s(system)),
            Self::Submit { user, system } => write!(f, "a job on {} waits for {}", s(system), u(user)),
            Self::Kill { user } => write!(f, "the latest job for {} is killed", u(user)),
            Self::BreakHost { user } => write!(f, "the HOST connection of the latest job for {} breaks", u(user)),
            Self::Cancel { user } => write!(f, "{} cancels the session that he was told of last", u(user)),
            Self::Replay { user } => write!(f, "{} dials again with the token of last time", u(user)),
            Self::Stranger { user, kind } => {
                let with = match kind {
                    Stranger::Guess => "with a guessed token",
                    Stranger::OtherName => "with the right token under another name",
                    Stranger::OtherToken => "with the token of another session",
                };
                write!(f, "a stranger dials the latest session of {} {with}", u(user))
            }
            Self::Crash { system, reset: false } => write!(f, "Debug Manager on {} crashes", s(system)),
            Self::Crash { system, .. } => {
                write!(f, "Debug Manager on {} crashes, and its last words are lost", s(system))
            }
            Self::Stop { system } => write!(f, "Debug Manager on {} is stopped", s(system)),
            Self::Start { system } => write!(f, "Debug Manager on {} is started", s(system)),
            Self::CutOff { system } => write!(f, "{} is cut off", s(system)),
            Self::Heal { system } => write!(f, "{} is cut off no more", s(system)),
            Self::Break { system } => write!(f, "the hub links of {} break", s(system)),
            Self::MoveHub { to } => write!(f, "the operator moves the hub to {}", s(to)),
            Self::Wait { system, seconds } => write!(f, "the operator sets T,{seconds} on {}", s(system)),
            Self::CancelUser { user, system } => write!(f, "the operator gives C,U,{} on {}", u(user), s(system)),
            Self::CancelJob { user } => write!(f, "the operator cancels the latest job for {}", u(user)),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delays = if self.delays { "messages are delayed" } else { "no message is delayed" };
        writeln!(f, "{} systems, {delays}; then everything is healed", self.systems)?;
        for (n, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:>3}. after {:>5} ms  {}", n + 1, step.after_ms, step.action)?;
        }
        Ok(())
    }
}
