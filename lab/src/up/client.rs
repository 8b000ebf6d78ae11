//! The caller's side: finding a sysplex that is up, and speaking to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sysplex::did_you_mean;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::name;
use super::protocol::{Answer, LONGEST_ANSWER, Request, Status};
use super::wire::Wire;
use crate::operator::Refusal;

/// How long a sysplex may take to say something of itself.
const STATUS_WITHIN: Duration = Duration::from_secs(1);
/// How long it may take to be gone, in milliseconds.
const GONE_WITHIN: u16 = 5000;

/// Runs one of the commands that speak to a sysplex; its exit status.
pub(super) fn on_runtime(work: impl Future<Output = Result<u8, Refusal>>) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(e) => Err(Refusal::failed(format!("no runtime: {e}"))),
    };
    done.unwrap_or_else(|Refusal { status, reason }| {
        crate::note!("error: {reason}");
        status
    })
}

/// All that are up.
///
/// # Errors
/// When the kernel does not list them.
pub(super) fn all() -> Result<Vec<String>, Refusal> {
    name::all().map_err(|e| Refusal::failed(format!("what is up cannot be listed: {e}")))
}

/// The one that is meant: the one of this name, or the only one.
///
/// # Errors
/// What is up instead.
pub(super) fn which(wanted: Option<String>, up: &[String]) -> Result<String, Refusal> {
    let list = if up.is_empty() { "none is up".to_owned() } else { format!("up: {}", up.join(", ")) };
    match (wanted, up) {
        (Some(name), _) if up.contains(&name) => Ok(name),
        (Some(name), _) => {
            name::check(&name).map_err(Refusal::bad)?;
            let help = did_you_mean(&name, up.iter().map(String::as_str)).map(|help| format!("; {help}"));
            Err(Refusal::bad(format!("no sysplex named {name} is up ({list}){}", help.unwrap_or_default())))
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Refusal::bad("no sysplex is up; `lab up TOPOLOGY` brings one up".into())),
        (None, _) => Err(Refusal::bad(format!("which sysplex? Several are up, expected the name of one ({list})"))),
    }
}

/// A connection to a sysplex of this user.
#[derive(Debug)]
pub(super) struct Caller {
    name: String,
    /// What is asked and answered.
    pub wire: Wire,
    /// Its background process, unless that is in another PID namespace.
    pub pid: Option<i32>,
}

impl Caller {
    /// Connects.
    ///
    /// # Errors
    /// When there is none, it takes no more callers, or it is another user's.
    pub(super) fn dial(name: &str) -> io::Result<Self> {
        let wire = Wire::new(UnixStream::from_std(name::dial(name)?.into())?);
        let (uid, pid) = wire.peer()?;
        if uid != name::own_uid() {
            return Err(io::Error::other(format!("user {uid} has taken the name {name}; nothing is said to others")));
        }
        Ok(Self { name: name.to_owned(), wire, pid })
    }

    /// The same in a sentence for the user.
    pub(super) fn of(name: &str) -> Result<Self, Refusal> {
        Self::dial(name).map_err(|e| {
            Refusal::failed(match e.kind() {
                io::ErrorKind::WouldBlock => format!("{name} does not answer, and takes no more callers; see `lab ls`"),
                io::ErrorKind::ConnectionRefused => format!("{name} is not up, or not yet"),
                _ => format!("{name}: {e}"),
            })
        })
    }

    /// Asks, with descriptors.
    pub(super) async fn ask(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<(), Refusal> {
        self.wire.send(request, fds).await.map_err(|e| self.gone(&e.to_string()))
    }

    /// The answer.
    pub(super) async fn answer(&mut self) -> Result<Answer, Refusal> {
        match self.wire.receive::<Answer>(LONGEST_ANSWER).await {
            Ok(Some((Answer::Refused { status, reason }, _))) => Err(Refusal { status, reason }),
            Ok(Some((answer, _))) => Ok(answer),
            Ok(None) => Err(self.gone("its end of the connection is closed")),
            Err(e) => Err(self.gone(&e.to_string())),
        }
    }

    /// An answer to another question.
    pub(super) fn strange(&self, answer: &Answer) -> Refusal {
        Refusal::failed(format!("{} gave an answer to another question: {answer:?}", self.name))
    }

    fn gone(&self, why: &str) -> Refusal {
        Refusal { status: super::execute::WENT_DOWN, reason: format!("{} went down: {why}", self.name) }
    }

    async fn within_a_second(&mut self, request: &Request) -> Option<Answer> {
        let asked = async {
            self.ask(request, &[]).await?;
            self.answer().await
        };
        timeout(STATUS_WITHIN, asked).await.ok()?.ok()
    }
}

/// What a sysplex says of itself, when it does, and its background process.
pub(super) async fn status(name: &str) -> io::Result<(Option<Status>, Option<i32>)> {
    let mut caller = match Caller::dial(name) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok((None, None)),
        caller => caller?,
    };
    let status = match caller.within_a_second(&Request::Status).await {
        Some(Answer::Status(status)) => Some(status),
        _ => None,
    };
    Ok((status, caller.pid))
}

/// Asks a sysplex to go down, and does not wait until it has.
pub(super) fn ask_down(name: &str) {
    let asked = on_runtime(async {
        let mut caller = Caller::of(name)?;
        Ok(u8::from(caller.within_a_second(&Request::Down).await.is_none()))
    });
    if asked != 0 {
        crate::note!("{name} does not hear that it is to go down");
    }
}

/// Takes a sysplex down and waits until it is gone. When it does not hear, its background process is killed, with which
/// everything ends.
///
/// # Errors
/// When it is there after that.
pub(super) async fn take_down(name: &str) -> Result<(), Refusal> {
    let mut caller = Caller::of(name)?;
    let process = caller.pid.and_then(Pid::from_raw);
    // First the process, then the question: so its number is not yet another's.
    let process = process.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let heard = caller.within_a_second(&Request::Down).await.is_some();
    let Some(process) = process else {
        return if heard {
            until_closed(caller).await
        } else {
            Err(Refusal::failed(format!("{name} does not answer")))
        };
    };
    let process = Arc::new(process);
    if heard && has_ended(&process).await {
        return Ok(());
    }
    crate::note!("{name} does not go down by itself: its background process is killed");
    pidfd_send_signal(&*process, Signal::KILL).map_err(|e| Refusal::failed(format!("{name}: {e}")))?;
    if has_ended(&process).await {
        return Ok(());
    }
    Err(Refusal::failed(format!("{name} is not gone {GONE_WITHIN} ms after its process was killed")))
}

/// Waits for the end of a process; false when it has not ended in time. On a thread, so that several may be waited for.
async fn has_ended(process: &Arc<OwnedFd>) -> bool {
    let process = Arc::clone(process);
    let wait = move || {
        let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, GONE_WITHIN).is_ok_and(|ready| ready > 0)
    };
    tokio::task::spawn_blocking(wait).await.unwrap_or(false)
}

/// Waits for a sysplex whose process is in another PID namespace.
async fn until_closed(mut caller: Caller) -> Result<(), Refusal> {
    let name = caller.name.clone();
    match timeout(Duration::from_millis(GONE_WITHIN.into()), caller.answer()).await {
        Ok(Err(_)) => Ok(()),
        Ok(Ok(answer)) => Err(caller.strange(&answer)),
        Err(_) => Err(Refusal::failed(format!("{name} is not gone {GONE_WITHIN} ms after it was told to go down"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_one_needs_no_name() {
        let names = |all: &[&str]| all.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let of = |wanted: Option<&str>, up: &[&str]| which(wanted.map(str::to_owned), &names(up)).map_err(|e| e.reason);
        assert_eq!(of(None, &["PLEX1"]), Ok("PLEX1".to_owned()));
        assert_eq!(of(Some("PLEX2"), &["PLEX1", "PLEX2"]), Ok("PLEX2".to_owned()));
        let several = of(None, &["PLEX1", "PLEX2"]).expect_err("several");
        assert!(several.contains("(up: PLEX1, PLEX2)"), "{several}");
        assert!(of(None, &[]).is_err_and(|reason| reason.contains("lab up TOPOLOGY")));
        let unknown = of(Some("PLEX"), &["PLEX1"]).expect_err("unknown");
        assert!(unknown.contains("no sysplex named PLEX is up (up: PLEX1); did you mean `PLEX1`?"), "{unknown}");
        assert!(of(Some("x y"), &[]).is_err_and(|reason| reason.contains("the name `x y`: expected")));
    }
}
