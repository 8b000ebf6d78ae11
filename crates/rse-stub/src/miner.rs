//! The Debug Miner of one user: finds Debug Manager's HOST port by the name/token pair, registers the user there, and passes
//! on what Debug Manager says. The RSE daemon has authenticated the user; the PassTicket for the logon to Debug Manager it makes
//! itself, as on z/OS.
//!
//! Registration is a held connection. Whether the real Debug Miner registers again by itself after Debug Manager's restart is
//! not documented; that this one does, and its back-off, are ours.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use dbm_protocol::host::{FromMiner, ToMiner};
use dbm_protocol::nametoken::{self, DbmToken};
use dbm_protocol::passticket::Key;
use dbm_protocol::retry::Backoff;
use dbm_protocol::{Hello, Notice, Role, UserId, frame};
use evidence::{Emitter, What};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

use crate::wire;

/// How long Debug Manager may take to register the user. Shorter than a client waits for its logon.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest reason, in characters: parts of it may be Debug Manager's, and an event has to fit in one write to a pipe.
const MAX_REASON: usize = 500;

/// What the RSE server hears from its Debug Miner.
#[derive(Clone, Debug)]
pub enum News {
    /// The user is registered (again).
    Registered,
    /// The user is not registered; it will be tried again.
    Failed,
    /// A debug session waits for the user.
    SessionWaiting(Notice),
}

/// Keeps the user registered until nobody wants the news any more.
pub async fn run(user: &UserId, run_dir: &Path, emitter: &Emitter, news: Sender<News>) {
    let mut retry = Backoff::for_debug_manager();
    let mut told = String::new();
    while !news.is_closed() {
        let registered = timeout(PATIENCE, register(user, run_dir)).await;
        let registered =
            registered.unwrap_or_else(|_| Err(format!("Debug Manager did not register the user within {PATIENCE:?}")));
        let reason = match registered {
            Ok((stream, host_port)) => {
                retry.reset();
                told.clear();
                emitter.emit(What::MinerRegistered { user: user.to_string(), host_port });
                tracing::info!(%user, host_port, "registered with Debug Manager");
                let _ = news.send(News::Registered).await;
                pass_on(stream, user, &news).await
            }
            Err(reason) => reason,
        };
        let reason: String = reason.chars().take(MAX_REASON).collect();
        // Said once, not on every try.
        if told != reason {
            tracing::warn!(%user, "not registered: {reason}");
            emitter.emit(What::MinerFailed { user: user.to_string(), reason: reason.clone() });
            told = reason;
        }
        let _ = news.send(News::Failed).await;
        sleep(retry.pause()).await;
    }
}

async fn register(user: &UserId, run_dir: &Path) -> Result<(TcpStream, u16), String> {
    let token = nametoken::retrieve(run_dir, nametoken::DBM_NAME).and_then(DbmToken::from_bytes);
    let port = token.map_err(|e| e.to_string())?.host_port;
    let dialled = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let mut stream = dialled.map_err(|e| format!("HOST port {port} of the name/token pair: {e}"))?;
    wire::write(&mut stream, &Hello::new(Role::Miner)).await?;
    let key = Key::read(run_dir).map_err(|e| e.to_string())?;
    let logon = key.logon(Role::Miner, user).map_err(|e| format!("no PassTicket: {e}"))?;
    wire::write(&mut stream, &logon).await?;
    wire::write(&mut stream, &FromMiner::Register { user: user.clone() }).await?;
    match frame::read(&mut stream).await {
        Ok(Some(ToMiner::Registered { .. })) => Ok((stream, port)),
        Ok(Some(ToMiner::Refused(no))) => {
            Err(format!("Debug Manager refused the registration: {}: {}", no.code.as_str(), no.reason))
        }
        Ok(Some(ToMiner::SessionWaiting { .. })) => {
            Err("Debug Manager said `session_waiting`, expected `registered`".to_owned())
        }
        Ok(None) => Err("Debug Manager closed the connection, expected `registered`".to_owned()),
        Err(e) => Err(format!("Debug Manager's answer to `register`: {e}")),
    }
}

/// Passes notices on while the registration stands; returns why it does not any more.
async fn pass_on(mut stream: TcpStream, user: &UserId, news: &Sender<News>) -> String {
    loop {
        match frame::read(&mut stream).await {
            Ok(Some(ToMiner::SessionWaiting { notice })) if notice.user == *user => {
                if news.send(News::SessionWaiting(notice)).await.is_err() {
                    return "the RSE server is gone".to_owned();
                }
            }
            Ok(Some(ToMiner::SessionWaiting { notice })) => {
                tracing::warn!(%user, "Debug Manager sent a notice for {}, dropped", notice.user);
            }
            Ok(Some(ToMiner::Registered { .. })) => {}
            Ok(Some(ToMiner::Refused(no))) => {
                return format!("Debug Manager ended the registration: {}: {}", no.code.as_str(), no.reason);
            }
            Ok(None) => return "the connection to Debug Manager has ended".to_owned(),
            Err(e) => return format!("the connection to Debug Manager failed: {e}"),
        }
    }
}
