//! How fast connections are opened.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

/// So many connections may be opened each `EVERY`: 2,000 in a second. Faster, the lab's capture may lose packets on a small
/// machine, and then nothing can be said of what was seen.
const BATCH: u32 = 8;
const EVERY: Duration = Duration::from_millis(4);
/// Size of a connection's send buffer, in bytes: what is thrown faster than it is taken is not to flood the network, for the
/// same reason.
const SEND_BUFFER: u32 = 16 * 1024;
/// How long a connection may take to be established.
const CONNECT: Duration = Duration::from_secs(5);

/// Opens connections, at a pace that all its clones share, and counts them.
#[derive(Clone, Debug)]
pub struct Dialler {
    turns: Arc<Mutex<Turns>>,
    counts: Arc<Counts>,
}

#[derive(Debug)]
struct Turns {
    interval: Interval,
    left: u32,
}

#[derive(Debug, Default)]
struct Counts {
    established: AtomicU32,
    refused: AtomicU32,
    /// A connection was not established, and that was said.
    warned: AtomicBool,
}

impl Dialler {
    /// Nothing is opened yet. Call within a runtime.
    pub fn new() -> Self {
        let mut interval = interval(EVERY);
        // Whoever was late does not make up for it: that would be a burst.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { turns: Arc::new(Mutex::new(Turns { interval, left: 0 })), counts: Arc::default() }
    }

    /// Opens a connection when it is its turn, and counts it.
    ///
    /// # Errors
    /// Why it was not established.
    pub async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let dialled = self.dial_again(address).await;
        let count = if dialled.is_ok() { &self.counts.established } else { &self.counts.refused };
        count.fetch_add(1, Ordering::Relaxed);
        dialled
    }

    /// Opens a connection in place of one that was dropped, when it is its turn; such are not counted.
    ///
    /// # Errors
    /// Why it was not established.
    pub async fn dial_again(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.turn().await;
        let dialled = timeout(CONNECT, connect(address)).await;
        let dialled = dialled.unwrap_or_else(|_| Err(io::Error::other(format!("no answer in {CONNECT:?}"))));
        if let Err(e) = &dialled
            && !self.counts.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%address, "the first connection that is not established: {e}");
        }
        dialled
    }

    /// How many connections were established until now, and how many were not.
    pub fn counts(&self) -> (u32, u32) {
        (self.counts.established.load(Ordering::Relaxed), self.counts.refused.load(Ordering::Relaxed))
    }

    async fn turn(&self) {
        let mut turns = self.turns.lock().await;
        if turns.left == 0 {
            turns.interval.tick().await;
            turns.left = BATCH;
        }
        turns.left -= 1;
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.connect(address).await
}

impl Default for Dialler {
    fn default() -> Self {
        Self::new()
    }
}
