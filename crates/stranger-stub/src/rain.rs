//! The garbage: once at the beginning, then again and again, each time on a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::crowd::until_dropped;
use crate::garbage::{Kind, Random};
use crate::pace::Dialler;

/// Rounds after the first; then it has rained enough, for the lab's tables of what was seen are finite.
const ROUNDS: u32 = 200;
/// Pause between two rounds.
const PAUSE: Duration = Duration::from_millis(20);
/// How much follows a header of 4 GiB in the first round: whoever believes the header takes all of it.
const FLOOD: usize = 16 * 1024 * 1024;
/// How long that may take.
const FLOOD_PATIENCE: Duration = Duration::from_secs(1);
/// How long the other side may take to take garbage, and to drop its connection, before the next is thrown.
const PATIENCE: Duration = Duration::from_millis(20);

/// What falls on one address.
#[derive(Debug)]
pub struct Rain {
    address: SocketAddr,
    random: Random,
    dialler: Dialler,
    /// Connections of the first round that wait for an end that never comes.
    staying: Vec<TcpStream>,
}

impl Rain {
    /// No drop has fallen yet.
    pub fn new(address: SocketAddr, seed: u64, dialler: Dialler) -> Self {
        Self { address, random: Random::new(seed), dialler, staying: Vec::new() }
    }

    /// Throws each kind of garbage, and keeps the connections that wait for more.
    pub async fn begin(&mut self) {
        for kind in Kind::ALL {
            let Some(mut stream) = self.throw(kind).await else { continue };
            if kind == Kind::FourGib {
                let _ = timeout(FLOOD_PATIENCE, stream.write_all(&vec![b' '; FLOOD])).await;
            }
            // Whoever believes what was announced holds what came, as long as the connection stands.
            if kind.stays() {
                self.staying.push(stream);
            }
        }
    }

    /// Throws on, round after round, until it has rained enough; then what stays stays, for ever.
    async fn go_on(mut self) {
        for _ in 0..ROUNDS {
            sleep(PAUSE).await;
            for kind in Kind::ALL {
                if let Some(stream) = self.throw(kind).await {
                    let _ = timeout(PATIENCE, until_dropped(&stream)).await;
                }
            }
        }
        std::future::pending::<()>().await;
    }

    async fn throw(&mut self, kind: Kind) -> Option<TcpStream> {
        let bytes = kind.bytes(&mut self.random);
        let mut stream = self.dialler.dial(self.address).await.ok()?;
        // Dropped before it was all taken: that is an answer, too.
        let _ = timeout(PATIENCE, stream.write_all(&bytes)).await;
        Some(stream)
    }
}

/// All of it at once; never returns.
pub async fn go_on(rains: Vec<Rain>) {
    let mut all: JoinSet<()> = rains.into_iter().map(Rain::go_on).collect();
    while all.join_next().await.is_some() {}
}
