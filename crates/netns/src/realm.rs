//! The realm: the namespaces in which one lab lives, and its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use nix::mount::{MsFlags, mount};
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::host::Network;
use crate::{keeper, sock, sys};

/// Why there is no realm on this machine.
#[derive(Debug, thiserror::Error)]
pub enum RealmError {
    /// A namespace was refused.
    #[error("{step}: {reason}")]
    Refused {
        /// What was tried, in a few words.
        step: String,
        /// What the kernel said.
        reason: String,
    },
    /// A system call failed that should not.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How a lab ended.
#[derive(Debug)]
pub struct Ended {
    /// What the director wrote into its report.
    pub report: Vec<u8>,
    /// The director's exit status; `None` when it, or the keeper, was killed.
    pub status: Option<u8>,
    /// How it was killed.
    pub killed: Option<String>,
}

/// Makes a realm, runs `director` in it, waits for its end, and lets the kernel take everything down.
///
/// `reported` is called with the keeper's process number and the report, once the director has closed the report.
/// `director` gets the fabric's [`Network`] and a report to write into; what it returns is its exit status. It runs in a process
/// of its own and may start threads. The caller must not have started any.
///
/// # Errors
/// When this machine gives no such namespaces; the message names the step that was refused.
pub fn run(director: impl FnOnce(Network, File) -> u8, reported: impl FnOnce(i32, &[u8])) -> Result<Ended, RealmError> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let rootless = !has_sys_admin();
    let mut namespaces = CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    if rootless {
        namespaces |= CloneFlags::CLONE_NEWUSER;
    }
    sys::default_sigchld().map_err(io::Error::from)?;
    let (life_read, life) = pipe()?;
    let (mut setup_read, setup) = pipe().map(files)?;
    let (mut report_read, report) = pipe().map(files)?;
    let started = sys::clone_into(namespaces).map_err(|e| {
        let kind =
            if rootless { "a user namespace with its own PID, mount and network namespaces" } else { "namespaces" };
        RealmError::Refused { step: format!("making {kind}"), reason: e.to_string() }
    })?;
    let Some((keeper, _pidfd)) = started else {
        drop((life, setup_read, report_read));
        let map = rootless.then(|| (uid.as_raw(), gid.as_raw()));
        become_keeper(map, &life_read, setup, report, director);
    };
    drop((life_read, setup, report));

    let mut refusal = String::new();
    setup_read.read_to_string(&mut refusal)?;
    let mut ended = Ended { report: Vec::new(), status: None, killed: None };
    report_read.read_to_end(&mut ended.report)?;
    reported(keeper.as_raw(), &ended.report);
    match waitpid(keeper, None).map_err(io::Error::from)? {
        WaitStatus::Exited(_, status) => ended.status = u8::try_from(status).ok(),
        WaitStatus::Signaled(_, signal, _) => ended.killed = Some(format!("the keeper was killed by {signal}")),
        other => ended.killed = Some(format!("the keeper: {other:?}")),
    }
    drop(life); // held until here: its end of file is what tells the keeper that we are gone
    if let Some((step, reason)) = refusal.split_once('\n') {
        return Err(RealmError::Refused { step: step.into(), reason: reason.into() });
    }
    if ended.status == Some(keeper::KILLED) {
        ended.status = None;
        ended.killed = Some("the director was killed".into());
    }
    Ok(ended)
}

/// The child's side: prepare the realm, fork the director, keep.
fn become_keeper(
    map: Option<(u32, u32)>,
    life: &OwnedFd,
    mut setup: File,
    report: File,
    director: impl FnOnce(Network, File) -> u8,
) -> ! {
    let prepared = prepare(map).and_then(|()| {
        let pair = sock::pair().map_err(|e| ("a socket pair".to_owned(), e))?;
        Ok((pair, sys::fork_single_threaded().map_err(|e| ("forking the director".to_owned(), e.into()))?))
    });
    match prepared {
        Err((step, error)) => {
            let _ = write!(setup, "{step}\n{error}");
            std::process::exit(1);
        }
        Ok(((keeper_end, director_end), sys::Forked::Child)) => {
            drop((setup, keeper_end));
            // Should the keeper die, the kernel kills this process anyway, as it kills the rest of the realm.
            std::process::exit(director(Network::new(director_end), report).into());
        }
        Ok(((keeper_end, director_end), sys::Forked::Parent(pid))) => {
            drop((setup, report, director_end));
            keeper::keep(pid, &keeper_end, life);
        }
    }
}

fn prepare(map: Option<(u32, u32)>) -> Result<(), (String, io::Error)> {
    let step = |name: &str| {
        let name = name.to_owned();
        move |e: io::Error| (name, e)
    };
    if let Some((uid, gid)) = map {
        std::fs::write("/proc/self/setgroups", "deny").map_err(step("writing /proc/self/setgroups"))?;
        std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")).map_err(step("writing /proc/self/uid_map"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {gid} 1")).map_err(step("writing /proc/self/gid_map"))?;
    }
    // After the change of credentials, which would clear it.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| ("asking for a death signal".to_owned(), e.into()))?;
    mount_fresh_proc().map_err(step("mounting /proc in a new mount namespace"))
}

/// Cuts this mount namespace off from the one it was copied from and shows the new PID namespace in `/proc`.
pub(crate) fn mount_fresh_proc() -> io::Result<()> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)?;
    Ok(mount(Some("proc"), "/proc", Some("proc"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, NONE)?)
}

fn has_sys_admin() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|caps| caps & CAP_SYS_ADMIN != 0)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

fn files((read, write): (OwnedFd, OwnedFd)) -> (File, File) {
    (read.into(), write.into())
}
