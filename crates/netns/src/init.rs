//! The first process of a host: joins its network, makes the host's other namespaces, starts tasks and reaps.
//! Killing it is the host's crash.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::RecvFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::realm::mount_fresh_proc;
use crate::{BIN_DIR, HostSpec, sock, sys};

/// Where the control socket stands in an init.
const CONTROL: i32 = 3;

/// From the director to an init.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToInit {
    /// Join the host's network and make the host's own view of the machine. Comes before the first task, and not while all
    /// hosts are being wired. Descriptor: the network's namespace.
    MoveIn,
    /// Start a task. Descriptors: standard input, output, error, and where it writes events.
    Spawn {
        argv: Vec<String>,
        env: Vec<(String, String)>,
        /// Name of the variable that is to hold the path of the events' descriptor.
        events_env: String,
    },
}

/// From an init to the director. `MovedIn`, `Spawned` and `Refused` answer requests, in their order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInit {
    /// The host is ready for tasks.
    MovedIn,
    /// A task runs. Descriptor: its pidfd.
    Spawned {
        /// As the host numbers it.
        pid: i32,
    },
    /// A request failed.
    Refused(String),
    /// A task ended.
    Exited {
        /// As the host numbers it.
        pid: i32,
        /// As `wait(2)` has it.
        status: i32,
    },
}

/// Runs the init of a host; never returns.
pub(crate) fn main(spec: &HostSpec, control: OwnedFd) -> ! {
    let result = settle(control).and_then(|control| serve(spec, &control));
    match result {
        Ok(()) => {}
        // The director is gone; that ends the host, and there is nobody to tell.
        Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {}
        Err(e) => eprintln!("init of {}: {e}", spec.name),
    }
    std::process::exit(0)
}

/// Puts the control socket where nothing else is and closes what was inherited.
fn settle(control: OwnedFd) -> io::Result<OwnedFd> {
    let parked = rustix::io::fcntl_dupfd_cloexec(&control, 4)?;
    std::mem::forget(control); // closed below, with everything else
    let mut place = sys::own(CONTROL);
    rustix::io::dup3(&parked, &mut place, rustix::io::DupFlags::CLOEXEC)?;
    std::mem::forget(parked);
    sys::close_from(CONTROL + 1)?;
    Ok(place)
}

/// The host's network, made by somebody else, and its own view of names, files and processes.
fn move_in(spec: &HostSpec, fds: &[OwnedFd]) -> io::Result<()> {
    let said = |what: &str| {
        let what = what.to_owned();
        move |e: nix::Error| io::Error::other(format!("{what}: {e}"))
    };
    let netns = fds.first().ok_or_else(|| io::Error::other("no network came with the request"))?;
    setns(netns, CloneFlags::CLONE_NEWNET).map_err(said("joining the host's network"))?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)
        .map_err(said("making the host's namespaces"))?;
    nix::unistd::sethostname(&spec.name).map_err(said("setting the host name"))?;
    mount_fresh_proc()?;
    mount_private(&spec.bin_dir)?;
    std::env::set_current_dir("/")
}

/// A `/run` and a `/tmp` of the host's own, and in `/run` the lab's programs (whose directory `/tmp` or `/run` may hide).
fn mount_private(bin_dir: &Path) -> io::Result<()> {
    const NONE: Option<&str> = None;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let programs = std::fs::File::open(bin_dir)
        .map_err(|e| io::Error::new(e.kind(), format!("the directory of programs, {}: {e}", bin_dir.display())))?;
    for directory in ["/run", "/tmp"] {
        mount(Some("tmpfs"), directory, Some("tmpfs"), flags, Some("mode=755,size=64m"))?;
    }
    std::fs::create_dir_all(BIN_DIR)?;
    let source = format!("/proc/self/fd/{}", programs.as_raw_fd());
    Ok(mount(Some(source.as_str()), BIN_DIR, NONE, MsFlags::MS_BIND, NONE)?)
}

fn serve(spec: &HostSpec, control: &OwnedFd) -> io::Result<()> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let mut exits = VecDeque::new();
    loop {
        reap(&mut exits)?;
        while let Some(exit) = exits.pop_front() {
            sock::send(control, &exit, &[])?;
        }
        let mut fds =
            [PollFd::new(control.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let asked = fds[0].revents().is_some_and(|events| !events.is_empty());
        while signals.read_signal()?.is_some() {}
        if asked {
            let Some((request, fds)) = sock::receive::<ToInit>(control, RecvFlags::empty())? else {
                return Ok(()); // the director is gone
            };
            let answer = match request {
                ToInit::MoveIn => move_in(spec, &fds).map(|()| (FromInit::MovedIn, None)),
                ToInit::Spawn { argv, env, events_env } => {
                    spawn(&argv, env, &events_env, fds).map(|(pid, pidfd)| (FromInit::Spawned { pid }, Some(pidfd)))
                }
            };
            match answer {
                Ok((answer, Some(fd))) => sock::send(control, &answer, &[fd.as_fd()])?,
                Ok((answer, None)) => sock::send(control, &answer, &[])?,
                Err(e) => sock::send(control, &FromInit::Refused(e.to_string()), &[])?,
            }
        }
    }
}

fn spawn(
    argv: &[String],
    env: Vec<(String, String)>,
    events_env: &str,
    fds: Vec<OwnedFd>,
) -> io::Result<(i32, OwnedFd)> {
    let [stdin, stdout, stderr, events] = <[OwnedFd; 4]>::try_from(fds)
        .map_err(|fds| io::Error::other(format!("4 descriptors expected, {} came", fds.len())))?;
    let (program, arguments) = argv.split_first().ok_or_else(|| io::Error::other("an empty command line"))?;
    fcntl_setfd(&events, FdFlags::empty())?; // the task is to inherit it
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(env);
    command.env(events_env, format!("/proc/self/fd/{}", events.as_raw_fd()));
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    command.process_group(0);
    let child = command.spawn().map_err(|e| io::Error::new(e.kind(), format!("starting {program}: {e}")))?;
    let id = i32::try_from(child.id()).map_err(io::Error::other)?;
    let pid = Pid::from_raw(id).ok_or_else(|| io::Error::other("a process with the number 0"))?;
    Ok((id, pidfd_open(pid, PidfdFlags::empty())?))
}

/// Collects whatever ended, orphans included.
fn reap(exits: &mut VecDeque<FromInit>) -> io::Result<()> {
    loop {
        let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, code << 8),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, signal as i32),
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(nix::errno::Errno::EINTR) => continue,
            Err(e) => return Err(e.into()),
        };
        exits.push_back(FromInit::Exited { pid: pid.as_raw(), status: ExitStatus::from_raw(status).into_raw() });
    }
}
