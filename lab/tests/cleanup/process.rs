//! The processes of one lab, as `/proc` shows them from outside: who they are, which namespaces they are in, and their end.
//!
//! A lab is started as the leader of a session. None of its processes leaves the session, so whoever is in it belongs to this
//! lab and to no other that runs on the machine, whatever has become of its parent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// As this process's `/proc` numbers it.
    pub(crate) pid: i32,
    parent: i32,
    session: i32,
    name: String,
    /// A zombie: it holds nothing any more and waits for its parent to take note, which may be the machine's own init.
    ended: bool,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {}, child of {})", self.name, self.pid, self.parent)
    }
}

impl Process {
    /// Nothing when there is none with this number.
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // pid (name) state parent group session ...; the name may itself hold parentheses.
        let (before, after) = stat.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse().ok();
        Some(Self {
            pid,
            parent: number(1)?,
            session: number(3)?,
            name,
            ended: matches!(fields.first(), Some(&("Z" | "X"))),
        })
    }

    /// Does it belong to the lab whose outer process is `lab`?
    pub(crate) fn is_of(&self, lab: i32) -> bool {
        self.session == lab
    }

    fn namespace(&self, kind: &str) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/ns/{kind}", self.pid)).ok()
    }

    /// Not in this one; false, too, when it cannot be told.
    fn is_in_another_pid_namespace(&self, than: Option<&PathBuf>) -> bool {
        self.namespace("pid").is_some_and(|own| Some(&own) != than)
    }

    /// Kills this very process, not one that has its number by now; false when it is gone already.
    pub(crate) fn kill(&self) -> bool {
        let Some(handle) = handle(self.pid) else { return false };
        // The handle may stand for a newer process of that number: look who has it, now that it cannot change any more.
        let same = Self::read(self.pid).is_some_and(|now| now.session == self.session && !now.ended);
        same && pidfd_send_signal(handle, Signal::KILL).is_ok()
    }

    /// Waits until it has ended; false when it has not by then.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> bool {
        handle(self.pid).is_none_or(|handle| ends_by(&handle, deadline))
    }
}

/// A handle that becomes readable when the process ends.
pub(crate) fn handle(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Waits for the end of a process; false when it has not ended by then.
pub(crate) fn ends_by(handle: &OwnedFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that it never turns without waiting; what is too long for the kernel is waited for in pieces.
        let timeout = PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
        let ended = poll(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0);
        if ended || left.is_zero() {
            return ended;
        }
    }
}

/// All processes of the machine that still run.
pub(crate) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(Process::read).filter(|process| !process.ended).collect()
}

/// The processes of the lab whose outer process is `lab`.
pub(crate) fn of_lab(lab: i32) -> Vec<Process> {
    all().into_iter().filter(|process| process.is_of(lab)).collect()
}

/// Whom to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    /// The outer process, the user's own child.
    Lab,
    /// The first process of the realm.
    Keeper,
    /// The process that runs the scenario.
    Director,
    /// The first process of an LPAR or a workstation.
    HostInit,
    /// A Debug Manager.
    DebugManager,
}

impl Victim {
    /// All kinds.
    pub(crate) const ALL: [Self; 5] = [Self::Lab, Self::Keeper, Self::Director, Self::HostInit, Self::DebugManager];

    /// Those of this kind among the processes of a lab, in the order of their numbers.
    pub(crate) fn among(self, processes: &[Process], lab: i32) -> Vec<&Process> {
        let own = fs::read_link("/proc/self/ns/pid").ok();
        // Not any child: the lab also runs a tool or two of the machine.
        let is_keeper = |process: &&Process| process.parent == lab && process.is_in_another_pid_namespace(own.as_ref());
        let keeper = processes.iter().find(is_keeper);
        let realm = keeper.and_then(|keeper| keeper.namespace("pid"));
        let of_keeper = |process: &Process| keeper.is_some_and(|keeper| keeper.pid == process.parent);
        let is_victim = |process: &&Process| match self {
            Self::Lab => process.pid == lab,
            Self::Keeper => keeper.is_some_and(|keeper| keeper.pid == process.pid),
            Self::Director => of_keeper(process) && process.namespace("pid") == realm,
            Self::HostInit => of_keeper(process) && process.is_in_another_pid_namespace(realm.as_ref()),
            Self::DebugManager => process.name == "dbgmgr",
        };
        let mut victims: Vec<_> = processes.iter().filter(is_victim).collect();
        victims.sort_by_key(|process| process.pid);
        victims
    }
}

/// Namespaces of a lab. They are held open until the end of the check: the kernel gives the number of a namespace that is gone
/// to the next one, which may be another lab's.
#[derive(Debug)]
pub(crate) struct Namespaces {
    /// Those that this process is in, which are not the lab's.
    own: BTreeSet<PathBuf>,
    held: BTreeMap<PathBuf, File>,
}

impl Namespaces {
    /// None yet.
    pub(crate) fn new() -> Self {
        let own = links("self", "ns").into_iter().map(|(name, _)| name).collect();
        Self { own, held: BTreeMap::new() }
    }

    /// Takes note of those that these processes are in.
    pub(crate) fn note(&mut self, processes: &[Process]) {
        for (name, link) in processes.iter().flat_map(|process| links(process.pid, "ns")) {
            if self.own.contains(&name) || self.held.contains_key(&name) {
                continue;
            }
            // Named by what was opened: meanwhile the process may have gone to another namespace.
            let Ok(file) = File::open(link) else { continue };
            let Ok(name) = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) else { continue };
            if !self.own.contains(&name) {
                self.held.insert(name, file);
            }
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> usize {
        self.held.len()
    }

    /// Is this process in one of them?
    pub(crate) fn have(&self, process: &Process) -> bool {
        links(process.pid, "ns").iter().any(|(name, _)| self.held.contains_key(name))
    }

    /// Who keeps one of them alive by an open file, apart from this process.
    pub(crate) fn kept_open(&self) -> Vec<String> {
        let others = all().into_iter().filter(|process| u32::try_from(process.pid) != Ok(std::process::id()));
        let kept = others.flat_map(|process| {
            let open = links(process.pid, "fd").into_iter().filter(|(name, _)| self.held.contains_key(name));
            open.map(move |(name, _)| format!("{process} keeps {} open", name.display()))
        });
        kept.collect()
    }
}

/// Where the links in a directory of a process point to, and the links; none when it is gone or belongs to somebody else.
fn links(pid: impl fmt::Display, directory: &str) -> Vec<(PathBuf, PathBuf)> {
    let entries = fs::read_dir(format!("/proc/{pid}/{directory}")).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((fs::read_link(entry.path()).ok()?, entry.path()))).collect()
}
