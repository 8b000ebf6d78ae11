//! `lab shell`: a shell in a host, on a terminal of its own, so that job control and screen programs work as they do here.
//!
//! The terminal is made here and its far end goes to the host; here, bytes are carried between it and the caller's terminal.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::client::{self, Caller, on_runtime, which};
use super::protocol::{Answer, Request};
use crate::operator::Refusal;

/// How long the terminal may take to say its last, when something in the background still holds it.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(200);
/// Bytes that are carried at a time.
const CARRIED: usize = 8192;

/// The command line of the shell: the one of the caller when it is a bash or a plain sh, with a prompt that says where it is.
pub(super) fn command_line(plex: &str, system: &str, on_terminal: bool) -> Vec<String> {
    let bash = std::path::Path::new("/bin/bash").exists();
    let prompt = if bash { format!("[{plex} {system}] \\w \\$ ") } else { format!("[{plex} {system}] $ ") };
    let shell: &[&str] = match (bash, on_terminal) {
        (true, true) => &["/bin/bash", "--noprofile", "--norc", "-i"],
        (true, false) => &["/bin/bash", "--noprofile", "--norc"],
        (false, true) => &["/bin/sh", "-i"],
        (false, false) => &["/bin/sh"],
    };
    let prompt = format!("PS1={prompt}");
    let terminal: &[&str] = if on_terminal { &["setsid", "--ctty", "--wait"] } else { &[] };
    let words = terminal.iter().copied().chain(["env", &prompt, "HISTFILE="]).chain(shell.iter().copied());
    words.map(str::to_owned).collect()
}

/// On a terminal: runs the shell to its end; returns its exit status.
pub(super) fn main(name: Option<String>, system: String) -> u8 {
    on_runtime(async {
        let name = which(name, &client::all()?)?;
        let caller = Caller::of(&name)?;
        let failed = |e: io::Error| Refusal::failed(format!("no terminal for the shell: {e}"));
        let terminal = Pty::new().map_err(failed)?;
        terminal.take_size();
        let command = command_line(&name, &system, true);
        let request = Request::Exec { system, command, term: std::env::var("TERM").ok() };
        let far = terminal.far.as_fd();
        caller.ask(&request, &[far, far, far]).await?;
        until_it_ends(caller, terminal).await.map_err(failed)?
    })
}

async fn until_it_ends(mut caller: Caller, terminal: Pty) -> io::Result<Result<u8, Refusal>> {
    let Pty { near, far } = terminal;
    // Its other end is the shell's alone, so that its end is seen here.
    drop(far);
    let _raw = Raw::begin()?;
    let mut resized = signal(SignalKind::window_change())?;
    let (mut to, mut from) = (near.try_clone()?, near.try_clone()?);
    // Threads, because to make the caller's own terminal non-blocking would make it so for others too. The first one ends with
    // this process.
    std::thread::spawn(move || carry(&mut io::stdin(), &mut to));
    let (done, all_said) = oneshot::channel();
    std::thread::spawn(move || {
        carry(&mut from, &mut io::stdout());
        let _ = done.send(());
    });
    let status = loop {
        tokio::select! {
            answer = caller.answer() => break match answer {
                Ok(Answer::Exited { status }) => Ok(status),
                Ok(answer) => Err(caller.strange(&answer)),
                Err(refusal) => Err(refusal),
            },
            _ = resized.recv() => take_size(&near),
        }
    };
    let _ = tokio::time::timeout(LAST_WORDS_WITHIN, all_said).await;
    Ok(status)
}

fn carry(from: &mut impl Read, to: &mut impl Write) {
    let mut buffer = [0; CARRIED];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

/// A new terminal: what is written to the far end is read from the near one.
struct Pty {
    near: File,
    far: OwnedFd,
}

impl Pty {
    fn new() -> io::Result<Self> {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&near)?;
        unlockpt(&near)?;
        let path = ptsname(&near, Vec::new())?;
        let far = open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { near: near.into(), far })
    }

    fn take_size(&self) {
        take_size(&self.near);
    }
}

/// The terminal gets the size of the caller's. When that has none, it keeps its own.
fn take_size(terminal: &File) {
    if let Ok(size) = tcgetwinsize(io::stdin()) {
        let _ = tcsetwinsize(terminal, size);
    }
}

/// The caller's terminal passes on everything as it is typed, as long as this lives.
struct Raw(Termios);

impl Raw {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Is there a terminal to speak to?
pub(super) fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_says_where_one_is() {
        let words = command_line("PLEX1", "LPAR2", true);
        assert!(words.iter().any(|word| word.starts_with("PS1=[PLEX1 LPAR2] ")), "{words:?}");
        assert_eq!(words[0], "setsid");
        assert_eq!(command_line("PLEX1", "LPAR2", false)[0], "env");
    }

    #[test]
    fn a_terminal_carries_both_ways() {
        let Pty { mut near, far } = Pty::new().expect("a terminal");
        let mut far = File::from(far);
        far.write_all(b"hello\n").expect("written");
        let mut said = [0; 7];
        near.read_exact(&mut said).expect("read");
        assert_eq!(&said, b"hello\r\n", "a terminal ends lines with both");
    }
}
