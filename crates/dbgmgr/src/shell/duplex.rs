//! Connections that talk both ways for as long as they are held: Debug Miners, debuggers, other Debug Managers.
//!
//! On the HOST port there may be thousands that say little: what is sent to one goes out at once, and only if the peer does not
//! take it there is a queue, with a task of its own. A hub link has its queue from the beginning: what comes to be sent while it
//! is busy goes out in one piece.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::read::{self, Read};
use super::run::Event;
use super::tls::{self, Secure};
use super::trouble::Trouble;
use crate::core::{ConnId, Input, Port};

/// How long a peer may take to take one message.
pub(super) const WRITE: Duration = Duration::from_secs(10);
/// How long a peer that is told why it is closed has for reading it.
const LINGER: Duration = Duration::from_secs(1);
/// How many messages go out in one piece.
const TOGETHER: usize = 64;

/// The sending end of a connection. Dropping it closes the connection, after what is in the queue.
pub(super) struct Duplex {
    conn: ConnId,
    core: mpsc::Sender<Event>,
    /// `None` only while it goes from one way to the other.
    writing: Option<Writing>,
    most: usize,
    reader: Option<AbortHandle>,
}

/// What the task of a connection with TLS works with.
struct Work {
    conn: ConnId,
    port: Port,
    waiting: Waiting,
    core: mpsc::Sender<Event>,
}

/// What waits to be written, and how many bytes that is.
struct Waiting {
    queue: mpsc::UnboundedReceiver<Vec<u8>>,
    queued: Arc<AtomicUsize>,
}

impl Waiting {
    /// Nothing yet; and the other end.
    fn new() -> (Writing, Self) {
        let (queue, queue_end) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        (Writing::Queue { queue, queued: queued.clone() }, Self { queue: queue_end, queued })
    }
}

enum Writing {
    /// Nothing waits; was anything written?
    AtOnce { half: OwnedWriteHalf, wrote: bool },
    /// The queue, and how many bytes are in it.
    Queue { queue: mpsc::UnboundedSender<Vec<u8>>, queued: Arc<AtomicUsize> },
}

impl Duplex {
    /// Starts to read from a connection, into the core.
    pub(super) fn start(conn: ConnId, port: Port, stream: TcpStream, core: &mpsc::Sender<Event>) -> Self {
        let (mut read_half, half) = stream.into_split();
        let reader = tokio::spawn({
            let core = core.clone();
            async move {
                if read::messages(&mut read_half, port, conn, usize::MAX, &core).await == Read::Tls {
                    tls::hang_up(read_half.as_ref()).await;
                    let _ = core.send(Event::Trouble { conn, port, trouble: Trouble::TlsHere }).await;
                }
            }
        });
        let (core, reader) = (core.clone(), Some(reader.abort_handle()));
        let writing =
            if port == Port::Host { Writing::AtOnce { half, wrote: false } } else { queue(conn, half, &core) };
        Self { conn, core, writing: Some(writing), most: most(port), reader }
    }

    /// The same with TLS, whose handshake is still to come.
    pub(super) fn accept(
        conn: ConnId,
        port: Port,
        stream: TcpStream,
        acceptor: TlsAcceptor,
        core: &mpsc::Sender<Event>,
    ) -> Self {
        let (duplex, mut work) = Self::new(conn, port, core);
        tokio::spawn(async move {
            let accepted = tokio::select! {
                accepted = tls::accept(&acceptor, stream) => accepted,
                // Before the handshake is done, whatever the core has to say is the end.
                _ = work.waiting.queue.recv() => return,
            };
            match accepted {
                Ok(stream) => converse(stream, work).await,
                Err(not) => {
                    let Work { ref core, ref mut waiting, .. } = work;
                    let let_go = async { while waiting.queue.recv().await.is_some() {} };
                    tls::turn_away(not, (conn, port), core, let_go).await;
                }
            }
        });
        duplex
    }

    /// The same with TLS, whose handshake is done.
    pub(super) fn secure(conn: ConnId, port: Port, stream: Box<Secure>, core: &mpsc::Sender<Event>) -> Self {
        let (duplex, work) = Self::new(conn, port, core);
        tokio::spawn(converse(stream, work));
        duplex
    }

    fn new(conn: ConnId, port: Port, core: &mpsc::Sender<Event>) -> (Self, Work) {
        let (writing, waiting) = Waiting::new();
        let work = Work { conn, port, waiting, core: core.clone() };
        (Self { conn, core: core.clone(), writing: Some(writing), most: most(port), reader: None }, work)
    }

    /// Sends a message, now or as soon as the peer takes it.
    ///
    /// # Errors
    /// When the peer does not take what it is sent; the connection is of no use any more.
    pub(super) fn send(&mut self, mut bytes: Vec<u8>) -> Result<(), String> {
        if let Some(Writing::AtOnce { half, wrote }) = &mut self.writing {
            *wrote = true;
            match half.try_write(&bytes) {
                Ok(all) if all == bytes.len() => return Ok(()),
                Ok(some) => drop(bytes.drain(..some)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.to_string()),
            }
            if let Some(Writing::AtOnce { half, .. }) = self.writing.take() {
                self.writing = Some(queue(self.conn, half, &self.core));
            }
        }
        let Some(Writing::Queue { queue, queued }) = &self.writing else { return Ok(()) };
        let waiting = queued.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        if waiting > self.most {
            return Err(format!("the peer does not read: {waiting} bytes are waiting for it"));
        }
        // The writer ends when the connection fails, and has reported that.
        let _ = queue.send(bytes);
        Ok(())
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
        if let Some(Writing::AtOnce { half, wrote: true }) = self.writing.take() {
            let _ = shutdown(half.as_ref(), Shutdown::Write);
            // A peer that is gone already has read all that it will.
            if !matches!(half.as_ref().try_read(&mut [0]), Ok(0)) {
                tokio::spawn(async move { linger(half.as_ref()).await });
            }
        }
    }
}

/// So many bytes may wait for a peer.
fn most(port: Port) -> usize {
    // After a hub link came up, all users and sessions are announced in one go.
    if port == Port::Host { 256 * 1024 } else { 16 * 1024 * 1024 }
}

/// The queue of a connection, and the task that writes it.
fn queue(conn: ConnId, half: OwnedWriteHalf, core: &mpsc::Sender<Event>) -> Writing {
    let (writing, mut waiting) = Waiting::new();
    let core = core.clone();
    tokio::spawn(async move {
        if let Err(reason) = write(half, &mut waiting).await {
            let _ = core.send(Event::Input(Input::Closed { conn, reason })).await;
        }
    });
    writing
}

/// Writes the queue out until its other end is dropped, then closes.
async fn write(mut stream: OwnedWriteHalf, waiting: &mut Waiting) -> Result<(), String> {
    if write_out(&mut stream, waiting).await? {
        let _ = stream.shutdown().await;
        linger(stream.as_ref()).await;
    }
    Ok(())
}

/// Reads and writes at once, in one task, as both work on the state of TLS.
async fn converse(mut stream: Box<Secure>, work: Work) {
    let Work { conn, port, core, mut waiting } = work;
    let written = {
        let (mut read_half, mut write_half) = split(&mut stream);
        let reading = async {
            read::messages(&mut read_half, port, conn, usize::MAX, &core).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = reading => return,
            written = write_out(&mut write_half, &mut waiting) => written,
        }
    };
    match written {
        Ok(true) => {
            let _ = timeout(LINGER, stream.shutdown()).await;
            linger(tls::below(&stream)).await;
        }
        Ok(false) => {}
        Err(reason) => drop(core.send(Event::Input(Input::Closed { conn, reason })).await),
    }
}

/// Writes the queue out until its other end is dropped. Was there anything?
async fn write_out(stream: &mut (impl AsyncWrite + Unpin), waiting: &mut Waiting) -> Result<bool, String> {
    let (mut wrote, mut messages) = (false, Vec::new());
    while waiting.queue.recv_many(&mut messages, TOGETHER).await > 0 {
        let bytes = if messages.len() == 1 { messages.remove(0) } else { messages.concat() };
        messages.clear();
        let writing = async {
            stream.write_all(&bytes).await?;
            // TLS may have kept some of it.
            stream.flush().await
        };
        timeout(WRITE, writing)
            .await
            .map_err(|_| format!("the peer took nothing for {WRITE:?}"))?
            .map_err(|e| e.to_string())?;
        waiting.queued.fetch_sub(bytes.len(), Ordering::Relaxed);
        wrote = true;
    }
    Ok(wrote)
}

/// Reads away what the peer still sends: closing a socket with unread bytes resets it, and the peer would lose our last words.
pub(super) async fn linger(stream: &TcpStream) {
    let _ = timeout(LINGER, async {
        let mut left: usize = 64 * 1024;
        while left > 0 && stream.readable().await.is_ok() {
            let mut junk = [0; 4096];
            match stream.try_read(&mut junk) {
                Ok(0) => return,
                Ok(n) => left = left.saturating_sub(n),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    })
    .await;
}
