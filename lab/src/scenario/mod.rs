//! Scenarios: what happens in a sysplex, and what must be seen.

pub mod acts;
mod assertion;
pub mod fault;
mod hostile;
mod logons;
pub mod network;
pub mod program;
mod raw;
mod resolve;
pub mod size;
mod topology;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use acts::Act;
use serde::{Deserialize, Serialize};
use sysplex::Sysplex;

pub(crate) use resolve::read_bounded;

/// The scenario files that are meant: a directory stands for all TOML files in it, by name.
///
/// # Errors
/// When a directory cannot be read, or has none.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let cannot = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
        let entries = std::fs::read_dir(path).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
        let mut found: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        found.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
        if found.is_empty() {
            return Err(format!("no scenario in {}: expected files that end in .toml", path.display()));
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

/// A scenario, checked against its topology.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: the file's, without the ending.
    pub name: String,
    /// One line for a person.
    pub title: String,
    /// The file.
    pub file: PathBuf,
    /// What it runs in.
    pub sysplex: Sysplex,
    /// What of the members it was made of is not in it, a line each; empty when it was not made of members.
    pub notes: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// A broken twin: what must go wrong.
    pub expect_failure: Option<ExpectFailure>,
    /// The same where it goes well: it is run after the broken twin.
    pub cured: Option<Box<Self>>,
    /// Backends on which it is not run, each with the reason.
    pub except: BTreeMap<String, String>,
    /// How many times as long as usual everything may take.
    pub patience: u32,
}

impl Scenario {
    /// Reads and checks a scenario file and its topology.
    ///
    /// # Errors
    /// Everything that is wrong, ready to be shown: file, line, column, what was found and what was expected.
    pub fn load(file: &Path) -> Result<Self, Vec<String>> {
        resolve::load(file)
    }

    /// Gives everything so many times as long: for machines that are slow, such as emulated ones.
    pub fn be_patient(&mut self, times: u32) {
        self.patience = times;
        if let Some(cured) = &mut self.cured {
            cured.be_patient(times);
        }
        for step in &mut self.steps {
            step.within *= times;
            if let Action::Act(Act::Calls(calls)) = &mut step.action {
                calls.timeout *= if calls.fail.is_some() { 1 } else { times };
            }
        }
    }

    /// The sessions that this user's workstation is to expect.
    pub fn sessions_of(&self, user: &str) -> usize {
        let jobs = self
            .steps
            .iter()
            .filter(|step| matches!(&step.action, Action::Attach { job } if self.user_of(job) == Some(user)));
        jobs.count()
    }

    /// The user whose workstation a job asks for.
    pub fn user_of(&self, job: &str) -> Option<&str> {
        self.steps.iter().find_map(|step| match &step.action {
            Action::Submit(submit) if submit.job == job => Some(submit.wanted.as_str()),
            _ => None,
        })
    }
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// What happens.
    pub action: Action,
    /// How long it may take.
    pub within: Duration,
    /// Where it stands in the file: the line, from 1.
    pub line: u32,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum Action {
    /// A user logs on from a workstation.
    Logon(Logon),
    /// A job is submitted.
    Submit(Submit),
    /// The user's engine is linked with the job, and the program stops at the breakpoint.
    Attach {
        /// The job.
        job: String,
    },
    /// The user lets the program run to its end.
    Resume {
        /// The job.
        job: String,
    },
    /// What the kernel's evidence of a job's handoff must show.
    Expect(Expect),
    /// What the kernel must show of a started task.
    ExpectTask(ExpectTask),
    /// Strangers come, say nothing or throw garbage, and stay until the end of the scenario.
    Garbage(Garbage),
    /// Something happens to the sysplex, or is seen of its distributor.
    Act(Act),
}

/// A logon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logon {
    /// The user id.
    pub user: String,
    /// The workstation.
    pub from: String,
    /// What the client dials: the DVIPA, usually.
    pub via: SocketAddr,
    /// The LPAR on which it must land.
    pub on: Option<String>,
    /// The client tries to encrypt first, and retries without.
    pub encrypted_first: bool,
    /// The client presents the token of its first session for all later ones too.
    pub keep_token: bool,
    /// The client debugs with TLS.
    pub tls: bool,
}

/// A job.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Its name.
    pub job: String,
    /// The LPAR it runs on.
    pub on: String,
    /// The id it runs under.
    pub user: String,
    /// The TEST runtime option.
    pub test: String,
    /// The user whose workstation TEST asks for.
    pub wanted: String,
    /// What its session must wait for before the next step: `engine` once the user was told, `register` when the user is not
    /// logged on yet.
    pub waits_for: Option<WaitsFor>,
}

/// The two phases of a waiting session, as the operator's `D,U` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// "waits for register connection".
    Register,
    /// "waits for engine connection".
    Engine,
}

/// What the evidence of a handoff must show.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The job.
    pub job: String,
    /// The LPAR whose kernel holds the connection.
    pub on: Option<String>,
    /// The port of the connection.
    pub port: Option<u16>,
    /// Does the client's traffic cross XCF?
    pub crosses_xcf: Option<bool>,
}

/// What the kernel must show of a started task, on every LPAR that it was started on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectTask {
    /// Its name.
    pub task: String,
    /// It never took this much memory, in bytes.
    pub memory: u64,
}

/// What strangers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garbage {
    /// The LPAR or workstation that they are on.
    pub from: String,
    /// The ports that they throw at.
    pub at: Vec<SocketAddr>,
    /// How many connections that say nothing, over all ports.
    pub silent: u32,
}

/// What must go wrong in a broken twin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectFailure {
    /// What the user sees.
    pub symptom: Symptom,
    /// Why: an entry of the field catalogue.
    pub cause: Option<String>,
}

/// What a user, or the operator, sees when it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symptom {
    /// A started task did not come up, or ended.
    TaskFailed,
    /// The user cannot log on.
    LogonFailed,
    /// The logon landed on another LPAR than it must.
    LogonElsewhere,
    /// The job could not wait for a debugger.
    JobFailed,
    /// The session waits, and the user's client never hears of it.
    UserNotNotified,
    /// The client hears of the session, and its connection is refused.
    EngineConnectionRefused,
    /// The client hears of the session, and its connection is not answered.
    EngineConnectionTimedOut,
    /// The client's connection reaches a Debug Manager that turns it away.
    EngineTurnedAway,
    /// The debug conversation broke off.
    SessionBroken,
    /// Calls were not answered, or broke off.
    CallsFailed,
    /// Calls landed on other LPARs than they must.
    CallsElsewhere,
    /// An operator's command was refused, or was not and should have been, or said something else.
    CommandAnswered,
    /// A step was not done in time, for none of the reasons above.
    StepTimedOut,
    /// All went well for the user, and the kernel's evidence says otherwise.
    EvidenceMissing,
}

impl Symptom {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::TaskFailed,
        Self::LogonFailed,
        Self::LogonElsewhere,
        Self::JobFailed,
        Self::UserNotNotified,
        Self::EngineConnectionRefused,
        Self::EngineConnectionTimedOut,
        Self::EngineTurnedAway,
        Self::SessionBroken,
        Self::CallsFailed,
        Self::CallsElsewhere,
        Self::CommandAnswered,
        Self::StepTimedOut,
        Self::EvidenceMissing,
    ];

    /// The name as scenario files have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailed => "task-failed",
            Self::LogonFailed => "logon-failed",
            Self::LogonElsewhere => "logon-elsewhere",
            Self::JobFailed => "job-failed",
            Self::UserNotNotified => "user-not-notified",
            Self::EngineConnectionRefused => "engine-connection-refused",
            Self::EngineConnectionTimedOut => "engine-connection-timed-out",
            Self::EngineTurnedAway => "engine-turned-away",
            Self::SessionBroken => "session-broken",
            Self::CallsFailed => "calls-failed",
            Self::CallsElsewhere => "calls-elsewhere",
            Self::CommandAnswered => "command-answered",
            Self::StepTimedOut => "step-timed-out",
            Self::EvidenceMissing => "evidence-missing",
        }
    }
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
