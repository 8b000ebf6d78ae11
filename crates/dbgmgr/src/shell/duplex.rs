//! Connections that talk both ways for as long as they are held: Debug Miners, debuggers, other Debug Managers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::read;
use super::run::Event;
use crate::core::{ConnId, Input, Port};

/// How long a peer may take to take one message.
pub(super) const WRITE: Duration = Duration::from_secs(10);
/// How long a peer that is told why it is closed has for reading it.
const LINGER: Duration = Duration::from_secs(1);

/// The sending end of a connection's queue. Dropping it closes the connection, after what is in the queue.
pub(super) struct Duplex {
    queue: mpsc::UnboundedSender<Vec<u8>>,
    /// Bytes in the queue, and how many there may be.
    queued: Arc<AtomicUsize>,
    most: usize,
    reader: AbortHandle,
}

impl Duplex {
    /// Starts to read from a connection, into the core.
    pub(super) fn start(conn: ConnId, port: Port, stream: TcpStream, core: &mpsc::Sender<Event>) -> Self {
        let _ = stream.set_nodelay(true);
        let (mut read_half, write_half) = stream.into_split();
        let (queue, queue_end) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let (to_core, counter) = (core.clone(), queued.clone());
        let reader = tokio::spawn({
            let core = core.clone();
            async move { read::messages(&mut read_half, port, conn, usize::MAX, &core).await }
        });
        tokio::spawn(async move {
            if let Err(reason) = write(write_half, queue_end, &counter).await {
                let _ = to_core.send(Event::Input(Input::Closed { conn, reason })).await;
            }
        });
        // After a hub link came up, all users and sessions are announced in one go.
        let most = if matches!(port, Port::Host) { 256 * 1024 } else { 16 * 1024 * 1024 };
        Self { queue, queued, most, reader: reader.abort_handle() }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// When the peer does not take what it is sent; the connection is of no use any more.
    pub(super) fn send(&self, bytes: Vec<u8>) -> Result<(), String> {
        let queued = self.queued.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        if queued > self.most {
            return Err(format!("the peer does not read: {queued} bytes are waiting for it"));
        }
        // The writer ends when the connection fails, and has reported that.
        let _ = self.queue.send(bytes);
        Ok(())
    }
}

impl Drop for Duplex {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Writes the queue out until its other end is dropped, then closes.
async fn write(
    mut stream: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
    queued: &AtomicUsize,
) -> Result<(), String> {
    let mut wrote = false;
    while let Some(bytes) = queue.recv().await {
        timeout(WRITE, stream.write_all(&bytes))
            .await
            .map_err(|_| format!("the peer took nothing for {WRITE:?}"))?
            .map_err(|e| e.to_string())?;
        queued.fetch_sub(bytes.len(), Ordering::Relaxed);
        wrote = true;
    }
    if wrote {
        let _ = stream.shutdown().await;
        linger(stream.as_ref()).await;
    }
    Ok(())
}

/// Reads away what the peer still sends: closing a socket with unread bytes resets it, and the peer would lose our last words.
pub(super) async fn linger(stream: &TcpStream) {
    let _ = timeout(LINGER, async {
        let mut junk = [0; 4096];
        let mut left: usize = 64 * 1024;
        while left > 0 && stream.readable().await.is_ok() {
            match stream.try_read(&mut junk) {
                Ok(0) => return,
                Ok(n) => left = left.saturating_sub(n),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    })
    .await;
}
