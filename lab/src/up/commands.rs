//! The commands that speak to what is up.

use std::os::fd::{AsFd, BorrowedFd};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::client::{self, Caller, on_runtime, which};
use super::protocol::{Answer, Follow, Request};
use super::shell;
use super::show::{self, Listed};
use crate::exit;
use crate::operator::Refusal;

/// `lab ls`.
pub(super) fn ls(json: bool) -> u8 {
    on_runtime(async {
        let asked: Vec<_> = client::all()?
            .into_iter()
            .map(|name| tokio::spawn(async move { (client::status(&name).await, name) }))
            .collect();
        let mut listed = Vec::new();
        for one in asked {
            match one.await {
                Ok((Ok((status, pid)), name)) => listed.push(Listed { name, pid, status }),
                // Gone since it was listed.
                Ok((Err(e), _)) if e.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Ok((Err(e), name)) => crate::note!("{name}: {e}"),
                Err(e) => return Err(Refusal::failed(e.to_string())),
            }
        }
        if json {
            listed.iter().for_each(|one| crate::say!("{}", show::json(one)));
        } else if listed.is_empty() {
            crate::note!("no sysplex is up");
        } else {
            crate::say!("{}", show::table(&listed));
        }
        Ok(exit::PASSED)
    })
}

/// `lab exec`.
pub(super) fn exec(name: Option<String>, system: String, command: Vec<String>) -> u8 {
    let term = std::env::var("TERM").ok();
    on_runtime(with_descriptors(name, Request::Exec { system, command, term }, std::io::stdout().as_fd()))
}

/// `lab shell`.
pub(super) fn shell(name: Option<String>, system: String) -> u8 {
    if shell::has_terminal() {
        return shell::main(name, system);
    }
    on_runtime(async {
        let name = which(name, &client::all()?)?;
        let command = shell::command_line(&name, &system, false);
        with_descriptors(Some(name), Request::Exec { system, command, term: None }, std::io::stdout().as_fd()).await
    })
}

/// `lab modify`.
pub(super) fn modify(name: Option<String>, system: String, command: String) -> u8 {
    on_runtime(with_descriptors(name, Request::Modify { system, command }, std::io::stdout().as_fd()))
}

/// Has a command run with this process's standard input and error and that output, and passes on the signals that this process
/// gets.
pub(super) async fn with_descriptors(
    name: Option<String>,
    request: Request,
    stdout: BorrowedFd<'_>,
) -> Result<u8, Refusal> {
    let mut caller = Caller::of(&which(name, &client::all()?)?)?;
    let mut signals = Signals::take().map_err(|e| Refusal::failed(format!("signals cannot be passed on: {e}")))?;
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    caller.ask(&request, &[stdin.as_fd(), stdout, stderr.as_fd()]).await?;
    loop {
        tokio::select! {
            answer = caller.answer() => return match answer? {
                Answer::Exited { status } => Ok(status),
                answer => Err(caller.strange(&answer)),
            },
            // When it cannot be told any more, the answer is that it is gone.
            follow = signals.next() => drop(caller.wire.send(&follow, &[]).await),
        }
    }
}

/// The signals by which people and terminals end programs.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

impl Signals {
    fn take() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Follow {
        tokio::select! {
            _ = self.hangup.recv() => Follow::Hangup,
            _ = self.interrupt.recv() => Follow::Interrupt,
            _ = self.quit.recv() => Follow::Quit,
            _ = self.terminate.recv() => Follow::Terminate,
        }
    }
}

/// `lab vary`.
pub(super) fn vary(name: Option<String>, system: String, command: String) -> u8 {
    printed(name, &Request::Vary { system, command })
}

/// `lab fault`.
pub(super) fn fault(name: Option<String>, words: Vec<String>) -> u8 {
    printed(name, &Request::Fault { words })
}

/// `lab netstat`.
pub(super) fn netstat(name: Option<String>, system: String, report: crate::netstat::Request) -> u8 {
    printed(name, &Request::Netstat { system, report })
}

/// Asks, and prints the answer.
fn printed(name: Option<String>, request: &Request) -> u8 {
    on_runtime(async {
        let mut caller = Caller::of(&which(name, &client::all()?)?)?;
        caller.ask(request, &[]).await?;
        match caller.answer().await? {
            Answer::Console(messages) => messages.iter().for_each(|message| crate::say!("{message}")),
            Answer::Printed(text) => crate::say!("{}", text.trim_end()),
            answer => return Err(caller.strange(&answer)),
        }
        Ok(exit::PASSED)
    })
}

/// `lab down`.
pub(super) fn down(name: Option<String>, all: bool) -> u8 {
    on_runtime(async {
        let up = client::all()?;
        let names = if all { up } else { vec![which(name, &up)?] };
        // Side by side: each waits for its own processes.
        let going: Vec<_> = names
            .into_iter()
            .map(|name| tokio::spawn(async move { client::take_down(&name).await.map(|()| name) }))
            .collect();
        let mut status = exit::PASSED;
        for one in going {
            match one.await {
                Ok(Ok(name)) => crate::note!("{name} is down"),
                Ok(Err(Refusal { reason, .. })) => {
                    crate::note!("error: {reason}");
                    status = exit::FAILED;
                }
                Err(e) => return Err(Refusal::failed(e.to_string())),
            }
        }
        Ok(status)
    })
}
