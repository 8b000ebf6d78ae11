//! Relay mode, where TLS ends in Debug Manager: the debugger gets one end of a pair of Unix sockets, and Debug Manager carries the
//! bytes between the other end and the client.
//!
//! The socket itself cannot be given away, because the state of TLS is in this process. (A kernel with kTLS could take it over
//! after the handshake; that is not done: whether it can depends on the machine's kernel, and then on the cipher.) So these sessions
//! end with Debug Manager, as those without TLS do not.
//!
//! What goes in one direction goes through one buffer, and more is read when that is written out: who does not read holds up who
//! writes, as if there were nobody in between. When one end says that it has no more to say, the other end is told just that.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dbm_protocol::tcp::KeepAlive;
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, split};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::run::Event;
use super::tls::{Secure, below, hang_up};

/// Size of the buffer of each direction, in bytes: what a record of TLS can carry (RFC 8446, section 5.1).
const BUFFER: usize = 16 * 1024;

/// A workstation that vanishes without a word is noticed after half a minute of silence. The debugger asks the same of a socket
/// that it is given; here the socket stays with Debug Manager. (The figures are ours.)
const KEEP_ALIVE: KeepAlive = KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), probes: 3 };

/// Where relays report.
#[derive(Clone)]
pub(super) struct Relays {
    pub(super) core: mpsc::Sender<Event>,
    /// Bytes over all sessions.
    pub(super) to_debuggers: Counter,
    pub(super) to_clients: Counter,
}

/// One relay, as it is told of.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) session: String,
    pub(super) peer: SocketAddr,
}

/// How a relay has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    /// Bytes that the debugger was given.
    pub(super) to_debugger: u64,
    /// Bytes that the client was sent.
    pub(super) to_client: u64,
    /// One sentence, or nothing when both ends said that they had no more to say.
    pub(super) reason: String,
}

impl Relays {
    /// Relays from now on; what is returned is for the debugger.
    ///
    /// # Errors
    /// When there is no pair of sockets to be had.
    pub(super) fn start(&self, client: Box<Secure>, about: About) -> io::Result<StdUnixStream> {
        let (given, kept) = StdUnixStream::pair()?;
        kept.set_nonblocking(true)?;
        let debugger = UnixStream::from_std(kept)?;
        if let Err(e) = KEEP_ALIVE.set_on(below(&client)) {
            tracing::debug!("socket options: {e}");
        }
        let relays = self.clone();
        tokio::spawn(async move {
            let _ = relays.core.send(Event::RelayStarted(about.clone())).await;
            relays.run(client, debugger, about).await;
        });
        Ok(given)
    }

    async fn run(&self, mut client: Box<Secure>, mut debugger: UnixStream, about: About) {
        let up = Count { here: AtomicU64::new(0), over_all: &self.to_debuggers };
        let down = Count { here: AtomicU64::new(0), over_all: &self.to_clients };
        let result = both_ways(&mut client, &mut debugger, &up, &down).await;
        drop(debugger);
        let (to_debugger, to_client) = (up.here.into_inner(), down.here.into_inner());
        let ended = Ended { to_debugger, to_client, reason: result.err().unwrap_or_default() };
        let _ = self.core.send(Event::RelayEnded(about, ended)).await;
        hang_up(below(&client)).await;
    }
}

/// Carries bytes until there is nothing more to carry.
///
/// # Errors
/// One sentence, when an end has failed instead of saying that it has no more to say.
async fn both_ways(
    client: &mut Secure,
    debugger: &mut UnixStream,
    up: &Count<'_>,
    down: &Count<'_>,
) -> Result<(), String> {
    let again = debugger.as_fd().try_clone_to_owned().map_err(|e| format!("the debugger's socket: {e}"))?;
    let (from_client, to_client) = split(client);
    let (from_debugger, to_debugger) = debugger.split();
    let (mut up, mut down) = (pin!(pump(from_client, to_debugger, up)), pin!(pump(from_debugger, to_client, down)));
    let mut up_is_over = false;
    let down = loop {
        tokio::select! {
            ended = &mut up, if !up_is_over => match ended {
                // What the debugger has said before it closed is still on its way to the client.
                Ok(()) | Err(Broken::Writing(_)) => up_is_over = true,
                Err(Broken::Reading(e)) => return Err(client_failed(&e)),
            },
            ended = &mut down => break ended,
        }
    };
    match down {
        Ok(()) if up_is_over => Ok(()),
        Ok(()) => tokio::select! {
            ended = &mut up => match ended {
                Ok(()) | Err(Broken::Writing(_)) => Ok(()),
                Err(Broken::Reading(e)) => Err(client_failed(&e)),
            },
            _ = closed(again) => Ok(()),
        },
        Err(Broken::Reading(e)) => Err(format!("the debugger: {e}")),
        Err(Broken::Writing(e)) => Err(client_failed(&e)),
    }
}

fn client_failed(e: &io::Error) -> String {
    match e.kind() {
        // The library's words have an address of its manual in them.
        ErrorKind::UnexpectedEof => "the client: the connection ended without the end of TLS".to_owned(),
        _ => format!("the client: {e}"),
    }
}

/// Waits until nobody holds the other end of a Unix socket, which cannot be told from the end of what is read on it: there may be
/// somebody who still reads. The socket is registered a second time for this, so that nobody else waits for what is taken here.
async fn closed(socket: OwnedFd) -> io::Result<()> {
    let socket = UnixStream::from_std(socket.into())?;
    while !socket.ready(Interest::WRITABLE).await?.is_write_closed() {
        // That it can be written to is no news; waits for the next change.
        let no_news = || Err::<(), _>(ErrorKind::WouldBlock.into());
        let _ = socket.try_io(Interest::WRITABLE, no_news);
    }
    Ok(())
}

/// Which end of one direction has failed.
enum Broken {
    Reading(io::Error),
    Writing(io::Error),
}

/// Carries one direction to its end, and says that end on.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &Count<'_>,
) -> Result<(), Broken> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let n = from.read(&mut buffer).await.map_err(Broken::Reading)?;
        if n == 0 {
            return to.shutdown().await.map_err(Broken::Writing);
        }
        to.write_all(&buffer[..n]).await.map_err(Broken::Writing)?;
        // TLS may have kept some of it.
        to.flush().await.map_err(Broken::Writing)?;
        count.add(n as u64);
    }
}

/// Bytes of one direction.
struct Count<'a> {
    here: AtomicU64,
    over_all: &'a Counter,
}

impl Count<'_> {
    fn add(&self, bytes: u64) {
        self.here.fetch_add(bytes, Ordering::Relaxed);
        self.over_all.inc_by(bytes);
    }
}
