//! `lab up`: the process that the user started, and the one that goes on in the background.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use netns::{Side, go_to_background, realm};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sysplex::Sysplex;

use super::cli::Up;
use super::director::{self, Orders};
use super::protocol::Outcome;
use super::{client, name, show, topology};
use crate::{backends, cli, exit, needs, programs};

/// Callers that may wait until the director takes note of them.
const BACKLOG: i32 = 64;
/// How long the director may take to end when it was told to, in milliseconds; then the kernel ends it.
const DOWN_WITHIN: u16 = 3000;
/// Most bytes of what was said in the background that are repeated when it fails.
const LAST_WORDS: usize = 16 * 1024;

/// Why it is not even tried.
struct NotTried {
    status: u8,
    reason: String,
}

/// Brings a sysplex up; the exit status of the process that the user started.
pub(super) fn up(arguments: Up) -> u8 {
    let sysplex = match topology::load(&arguments.file) {
        Ok(sysplex) => sysplex,
        Err(problems) => {
            for problem in problems {
                crate::note!("{problem}");
            }
            return exit::BAD_INPUT;
        }
    };
    match prepare(arguments, sysplex).and_then(start) {
        Ok(status) => status,
        Err(NotTried { status: exit::CANNOT_RUN, reason }) => cli::cannot_run(&reason),
        Err(NotTried { status, reason }) => {
            crate::note!("error: {reason}");
            status
        }
    }
}

/// All that can be wrong before there is a second process.
fn prepare(arguments: Up, sysplex: Sysplex) -> Result<(Orders, OwnedFd), NotTried> {
    let bad = |reason: String| NotTried { status: exit::BAD_INPUT, reason };
    let cannot = |reason: String| NotTried { status: exit::CANNOT_RUN, reason };
    let name = arguments.name.unwrap_or_else(|| sysplex.name.clone());
    name::check(&name).map_err(bad)?;
    if let Some(why) = needs::of_topology(&sysplex) {
        return Err(cannot(why));
    }
    let bin_dir = programs::own_directory().map_err(cannot)?;
    let chosen = backends::choose(arguments.backend).map_err(cannot)?;
    let backend = chosen.run.first().ok_or_else(|| cannot("there is no backend".to_owned()))?.make(&sysplex);
    let socket = name::take(&name).map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => bad(format!(
            "a sysplex named {name} is up already: `lab down {name}` takes it down, --name gives this one another name"
        )),
        _ => cannot(format!("the name {name} cannot be taken: {e}")),
    })?;
    let out = arguments.out.map(|out| directory(&out, &format!("{name}-{}", backend.name()))).transpose();
    Ok((Orders { name, sysplex, backend, bin_dir, out: out.map_err(bad)? }, socket))
}

/// Makes the directory; the background is elsewhere, so the path is from the root.
fn directory(out: &Path, name: &str) -> Result<PathBuf, String> {
    let path = out.join(name);
    std::fs::create_dir_all(&path)
        .and_then(|()| path.canonicalize())
        .map_err(|e| format!("cannot write to {}: {e}", path.display()))
}

fn start((orders, socket): (Orders, OwnedFd)) -> Result<u8, NotTried> {
    let cannot = |e: io::Error| NotTried { status: exit::CANNOT_RUN, reason: e.to_string() };
    let words = words(orders.out.as_deref()).map_err(cannot)?;
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| cannot(e.into()))?;
    match go_to_background().map_err(cannot)? {
        Side::Foreground(_) => {
            drop((socket, tell));
            Ok(wait(&orders, told.into(), &words))
        }
        Side::Background => {
            drop(told);
            std::process::exit(background(&orders, socket, tell.into(), &words).into());
        }
    }
}

/// Where the background writes what would go to a terminal: the evidence, or a file without a name.
fn words(out: Option<&Path>) -> io::Result<File> {
    match out {
        Some(out) => File::options().read(true).append(true).create(true).open(out.join("lab.log")),
        None => Ok(memfd_create("lab.log", MemfdFlags::CLOEXEC)?.into()),
    }
}

/// The foreground: waits for the outcome and says it.
fn wait(orders: &Orders, told: File, words: &File) -> u8 {
    let mut line = String::new();
    let read = BufReader::new(told.take(1 << 20)).read_line(&mut line);
    let outcome = read.ok().and_then(|_| serde_json::from_str(&line).ok()).unwrap_or_else(|| Outcome::Failed {
        status: exit::FAILED,
        reason: "its background process ended before it was up".into(),
    });
    match outcome {
        Outcome::Up { ms } => {
            crate::say!("{}", show::up(&orders.name, &orders.sysplex, orders.backend.name(), ms));
            if let Some(out) = &orders.out {
                crate::say!("events, captures and logs: {}", out.display());
            }
            for warning in crate::check::warnings(&orders.sysplex) {
                crate::note!("{} {}: {}", warning.severity.as_str(), warning.code, warning.message);
            }
            exit::PASSED
        }
        Outcome::Failed { status, reason } => {
            repeat(words);
            if status == exit::CANNOT_RUN {
                return cli::cannot_run(&reason);
            }
            crate::note!("error: {} did not come up: {reason}", orders.name);
            status
        }
    }
}

/// Repeats what was said in the background.
fn repeat(words: &File) {
    let mut said = vec![0; LAST_WORDS];
    if let Ok(length @ 1..) = words.read_at(&mut said, 0) {
        crate::note!("{}", String::from_utf8_lossy(&said[..length]).trim_end());
    }
}

/// The background: makes the realm, and waits for its end.
fn background(orders: &Orders, socket: OwnedFd, mut tell: File, words: &File) -> u8 {
    let failed = |e: io::Error| Outcome::Failed { status: exit::CANNOT_RUN, reason: e.to_string() };
    if let Err(e) = leave_terminal(words).and_then(|()| Ok(rustix::net::listen(&socket, BACKLOG)?)) {
        say(&mut tell, &failed(e));
        return exit::CANNOT_RUN;
    }
    let ended = realm::run(
        |network, report| director::direct(&network, orders, socket, report),
        |keeper, report| {
            if let Ok(up @ Outcome::Up { .. }) = serde_json::from_slice(report) {
                // Whoever has waited may have been ended by Ctrl-C: then nobody wants the sysplex.
                let wanted = say(&mut tell, &up);
                stay(&orders.name, keeper, wanted);
            }
        },
    );
    let outcome = match ended {
        Ok(ended) => serde_json::from_slice(&ended.report).unwrap_or_else(|_| {
            let status = ended.status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
            let how = ended.killed.unwrap_or_else(|| format!("exit status of the director: {status}"));
            Outcome::Failed { status: exit::FAILED, reason: format!("the lab itself ended before it was up: {how}") }
        }),
        Err(e) => Outcome::Failed { status: exit::CANNOT_RUN, reason: e.to_string() },
    };
    match outcome {
        Outcome::Up { .. } => exit::PASSED,
        Outcome::Failed { status, .. } => {
            // Only now, when nothing is left of it.
            say(&mut tell, &outcome);
            status
        }
    }
}

/// Tells the foreground; false when it is gone.
fn say(tell: &mut File, outcome: &Outcome) -> bool {
    let line = serde_json::to_string(outcome).unwrap_or_default() + "\n";
    tell.write_all(line.as_bytes()).is_ok()
}

fn leave_terminal(words: &File) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(words)?)
}

/// Stays until the keeper has ended; a signal that asks this process to end takes the sysplex down first. When the director
/// does not go, this process does, and the kernel ends the rest.
fn stay(name: &str, keeper: i32, wanted: bool) {
    let ended = watch(keeper).map(|(keeper, signals)| {
        if wanted {
            let mut fds =
                [PollFd::new(keeper.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            while poll(&mut fds, PollTimeout::NONE) == Err(nix::errno::Errno::EINTR) {}
            if fds[0].revents().is_some_and(|events| !events.is_empty()) {
                return true;
            }
        }
        client::ask_down(name);
        let ended = poll(&mut [PollFd::new(keeper.as_fd(), PollFlags::POLLIN)], DOWN_WITHIN);
        ended.is_ok_and(|ready| ready > 0)
    });
    if !matches!(ended, Ok(true)) {
        std::process::exit(exit::FAILED.into());
    }
}

/// The keeper's end, and the signals that ask this process to end, as descriptors.
fn watch(keeper: i32) -> io::Result<(OwnedFd, SignalFd)> {
    let keeper = Pid::from_raw(keeper).ok_or_else(|| io::Error::other("the keeper has no number"))?;
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        mask.add(signal);
    }
    mask.thread_block()?;
    Ok((pidfd_open(keeper, PidfdFlags::empty())?, SignalFd::new(&mask)?))
}
