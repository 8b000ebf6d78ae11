//! The operator's door: the Unix socket `dbgmgr.ctl` in the run directory, on which `dbgmgr ctl` gives its command.
//!
//! One line in, the message out, then the end. Only the user that Debug Manager runs under can connect; all the same nobody
//! can hold it up: few connections, a short line, and a deadline for each.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::accept;
use super::run::Event;

/// Name of the socket in the run directory.
pub const CONTROL_SOCKET: &str = "dbgmgr.ctl";
/// Longest command, in bytes, without the end of the line.
pub const LONGEST_COMMAND: usize = 256;

/// How many commands may be on their way at once; the next ones wait in the kernel's queue.
const CONNECTIONS: usize = 4;
/// How long the line may take to come.
const READ: Duration = Duration::from_secs(5);
/// How long the message may take to be read.
const WRITE: Duration = Duration::from_secs(5);
/// How long, and how much, is read away of what nobody asked for: closing with unread bytes would lose the message.
const LINGER: (Duration, u64) = (Duration::from_secs(1), 64 * 1024);

/// A command, and where the message goes.
pub(super) struct Command {
    pub(super) text: String,
    pub(super) answer: oneshot::Sender<Vec<String>>,
    /// Ends when the message is written, or cannot be.
    pub(super) written: oneshot::Receiver<()>,
}

/// Listens at `dbgmgr.ctl`, and returns its path. The socket comes into being in `private`, a directory that nobody else can
/// enter, and gets its name when nobody else can connect any more. What lay there is a predecessor's.
pub(super) fn socket(run_dir: &Path, private: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let (made, path) = (private.join("ctl.new"), run_dir.join(CONTROL_SOCKET));
    match std::fs::remove_file(&made) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let socket = UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    std::fs::rename(&made, &path)?;
    Ok((socket, path))
}

/// Takes commands for ever.
pub(super) async fn serve(listener: UnixListener, core: mpsc::Sender<Event>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let core = core.clone();
                tokio::spawn(async move {
                    converse(stream, &core).await;
                    drop(place);
                });
            }
            Err(e) => {
                if core.send(accept::failed(&e, "the operator's socket").await).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn converse(mut stream: UnixStream, core: &mpsc::Sender<Event>) {
    let (done, written) = oneshot::channel();
    let lines = match timeout(READ, line(&mut stream)).await {
        Ok(Ok(Some(text))) => ask(text, written, core).await,
        Ok(Ok(None)) => {
            let problem = format!("more than {LONGEST_COMMAND} bytes were found, one command in one line was expected");
            Some(vec![format!("EQACM920E {problem}")])
        }
        Ok(Err(_)) => None,
        Err(_) => Some(vec![format!("EQACM920E no whole line was found in {READ:?}, a command was expected")]),
    };
    let Some(lines) = lines else { return };
    let text = lines.join("\n") + "\n";
    let wrote = timeout(WRITE, stream.write_all(text.as_bytes())).await;
    let _ = stream.shutdown().await;
    drop(done);
    if matches!(wrote, Ok(Ok(()))) {
        let _ = timeout(LINGER.0, tokio::io::copy(&mut stream.take(LINGER.1), &mut tokio::io::sink())).await;
    }
}

async fn ask(text: String, written: oneshot::Receiver<()>, core: &mpsc::Sender<Event>) -> Option<Vec<String>> {
    let (answer, message) = oneshot::channel();
    core.send(Event::Command(Command { text, answer, written })).await.ok()?;
    message.await.ok()
}

/// The first line; `None` when it is too long. The end of what is sent ends a line, too.
async fn line(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<String>> {
    let mut bytes = [0; LONGEST_COMMAND + 1];
    let mut have = 0;
    loop {
        let n = stream.read(&mut bytes[have..]).await?;
        let end = bytes[have..have + n].iter().position(|b| *b == b'\n').map(|at| have + at);
        have += n;
        if let Some(end) = end.or((n == 0).then_some(have)) {
            return Ok(Some(String::from_utf8_lossy(&bytes[..end]).into_owned()));
        }
        if have == bytes.len() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Option<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(line(&mut &*bytes)).expect("no error")
    }

    #[test]
    fn a_line_ends_with_its_end_or_with_what_is_sent_and_is_never_long() {
        assert_eq!(first(b"D,U\nP DBGMGR\n").as_deref(), Some("D,U"));
        assert_eq!(first(b"D,U").as_deref(), Some("D,U"));
        assert_eq!(first(b"").as_deref(), Some(""));
        assert_eq!(first(b"\xff\n").as_deref(), Some("\u{fffd}"));
        assert_eq!(first(&[b'x'; LONGEST_COMMAND]).map(|l| l.len()), Some(LONGEST_COMMAND));
        assert_eq!(first(&[b'x'; LONGEST_COMMAND + 1]), None);
        assert_eq!(first(&[b'x'; 100_000]), None);
    }
}
