//! The keeper: first process of a realm. It forks hosts when the director asks, reaps, and ends when the director ends or
//! the program outside is gone. When it ends, the kernel kills every process of the realm.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::net::RecvFlags;
use serde::{Deserialize, Serialize};

use crate::{init, sock, sys};

/// Exit status of the keeper when the director was killed by a signal.
pub(crate) const KILLED: u8 = 251;
/// Exit status of the keeper when the program outside is gone (nobody is left to read it).
const ORPHANED: i32 = 252;

/// What a host is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostSpec {
    /// Its host name, which is the system's name of an LPAR.
    pub name: String,
    /// Directory of the lab's own programs, shown in the host at [`crate::BIN_DIR`].
    pub bin_dir: PathBuf,
}

/// From the director; the first descriptor is the host's end of its control socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Create {
    pub(crate) spec: HostSpec,
}

/// To the director.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromKeeper {
    /// In the order of the requests: the host's init, as the realm numbers it, or why there is none.
    Created(Result<i32, String>),
}

/// Keeps the realm until the director (process `director`) ends.
pub(crate) fn keep(director: Pid, socket: &OwnedFd, life: &OwnedFd) -> ! {
    match serve(director, socket, life) {
        Ok(status) => std::process::exit(status),
        Err(e) => {
            eprintln!("keeper: {e}");
            std::process::exit(KILLED.into());
        }
    }
}

fn serve(director: Pid, socket: &OwnedFd, life: &OwnedFd) -> io::Result<i32> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let own_pid_namespace = std::fs::File::open("/proc/self/ns/pid")?;
    let mut listening = true;
    loop {
        // A child may have ended before the signals were blocked, so look first.
        if let Some(status) = reap(director)? {
            return Ok(status);
        }
        let mut fds =
            vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(life.as_fd(), PollFlags::POLLIN)];
        if listening {
            fds.push(PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            // The program outside may have handlers for signals, and Ctrl-C reaches this process, too.
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        if ready(&fds[1]) {
            return Ok(ORPHANED);
        }
        let asked = fds.get(2).is_some_and(ready);
        while signals.read_signal()?.is_some() {}
        if asked {
            match sock::receive::<Create>(socket, RecvFlags::empty())? {
                Some((request, fds)) => {
                    let created = create(&request.spec, fds, &own_pid_namespace);
                    let answer = FromKeeper::Created(created.map(Pid::as_raw).map_err(|e| e.to_string()));
                    sock::send(socket, &answer, &[])?;
                }
                None => listening = false, // the director has closed its end; its exit will follow
            }
        }
    }
}

/// Reaps whatever ended; `Some` with an exit status when the director is among them.
fn reap(director: Pid) -> io::Result<Option<i32>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == director => return Ok(Some(status)),
            Ok(WaitStatus::Signaled(pid, ..)) if pid == director => return Ok(Some(KILLED.into())),
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(None),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Forks the init of a host into a new PID namespace; it makes its other namespaces itself, at the same time as its siblings.
fn create(spec: &HostSpec, fds: Vec<OwnedFd>, own_pid_namespace: &std::fs::File) -> io::Result<Pid> {
    let control = fds.into_iter().next().ok_or_else(|| io::Error::other("no control socket came with the request"))?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    match sys::fork_single_threaded()? {
        sys::Forked::Child => init::main(spec, control),
        sys::Forked::Parent(pid) => {
            // Children go into the keeper's own namespace again; a second `unshare` is refused otherwise.
            setns(own_pid_namespace, CloneFlags::CLONE_NEWPID)?;
            Ok(pid)
        }
    }
}
