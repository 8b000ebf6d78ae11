//! Running a caller's command in a host, with the caller's own standard input, output and error.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use evidence::EVENTS_ENV;
use netns::{BIN_DIR, Host, HostError, Running, Task};
use rustix::process::{Pid, Signal, kill_process_group};

use super::protocol::{Answer, Follow, LONGEST_REQUEST};
use super::wire::Wire;
use crate::operator::Refusal;
use crate::plex::Plex;

/// Exit status when a command cannot be started, as shells have it.
const CANNOT_START: u8 = 127;
/// Exit status when the host went down under a command.
pub(super) const WENT_DOWN: u8 = 255;

/// What is to be run.
pub(super) struct Command {
    /// The host.
    pub system: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The caller's `TERM`.
    pub term: Option<String>,
}

/// Runs it to its end, and passes on what the caller is told to by signals.
///
/// # Errors
/// When it cannot be started.
pub(super) async fn run(wire: &mut Wire, plex: &Plex, command: Command, fds: Vec<OwnedFd>) -> Result<Answer, Refusal> {
    let Command { system, argv, term } = command;
    let (host, exits) = plex.hosts.get(&system).map_err(|e| Refusal::failed(e.to_string()))?;
    let running = start(&host, argv, term, fds).await?;
    let mut exit = exits.of(running.pid);
    let mut caller_is_there = true;
    loop {
        tokio::select! {
            ended = &mut exit => return match ended {
                Ok(status) => Ok(Answer::Exited { status: code(status) }),
                Err(_) => Err(Refusal { status: WENT_DOWN, reason: format!("{system} went down") }),
            },
            follow = wire.receive::<Follow>(LONGEST_REQUEST), if caller_is_there => {
                let follow = follow.ok().flatten().map(|(follow, _)| follow);
                caller_is_there = follow.is_some();
                signal(&running, follow.unwrap_or(Follow::Hangup));
            }
        }
    }
}

async fn start(host: &Host, argv: Vec<String>, term: Option<String>, fds: Vec<OwnedFd>) -> Result<Running, Refusal> {
    let count = fds.len();
    let [stdin, stdout, stderr] = <[OwnedFd; 3]>::try_from(fds)
        .map_err(|_| Refusal::bad(format!("standard input, output and error were expected, {count} came")))?;
    let events = no_events().map_err(|e| Refusal::failed(e.to_string()))?;
    let env = environment(&host.name, term);
    let task = Task { argv, env, stdin, stdout, stderr, events, events_env: EVENTS_ENV.into() };
    host.spawn(task).await.map_err(|e| match e {
        HostError::Refused { .. } => Refusal { status: CANNOT_START, reason: e.to_string() },
        HostError::Down { .. } | HostError::Io(_) => Refusal::failed(e.to_string()),
    })
}

/// What somebody runs by hand is no part of the evidence.
fn no_events() -> io::Result<OwnedFd> {
    Ok(File::options().write(true).open("/dev/null")?.into())
}

fn environment(system: &str, term: Option<String>) -> Vec<(String, String)> {
    let path = format!("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{BIN_DIR}");
    let mut env = vec![
        ("PATH".to_owned(), path),
        ("HOME".to_owned(), "/".to_owned()),
        // The name of the system symbol.
        ("SYSNAME".to_owned(), system.to_owned()),
    ];
    env.extend(term.map(|term| ("TERM".to_owned(), term)));
    env
}

/// To the command and what it has started: a command leads a process group, as one at a terminal does.
fn signal(running: &Running, follow: Follow) {
    let signal = match follow {
        Follow::Hangup => Signal::HUP,
        Follow::Interrupt => Signal::INT,
        Follow::Quit => Signal::QUIT,
        Follow::Terminate => Signal::TERM,
    };
    // Its end has not been heard of, so the number is still its own, or was until a moment ago. No number: it has ended.
    if let Some(group) = Pid::from_raw(running.realm_pid) {
        let _ = kill_process_group(group, signal);
    }
}

/// As shells have it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(WENT_DOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_128_more() {
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
        assert_eq!(code(ExitStatus::from_raw(255 << 8)), 255);
    }
}
