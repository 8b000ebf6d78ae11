//! One user's RSE server: waits for the client's second connection, and serves it until the client goes.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dbm_protocol::rse::{FromServer, ToServer};
use dbm_protocol::tcp::KeepAlive;
use dbm_protocol::{RefusalCode, Refused, SystemName, Token, UserId, frame};
use evidence::{Emitter, What};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::miner::{self, News};
use crate::tls;
use crate::unheard::Unheard;
use crate::wire::{self, NotHeard, PATIENCE};

/// Connections to one second port that are heard at the same time.
const MAX_CANDIDATES: usize = 16;
/// A client that vanishes without a word is noticed after a minute of silence. (RSE has its own keepalive, DSTORE_KEEPALIVE_*;
/// that it is TCP's here, and the figures, are ours.)
const KEEP_ALIVE: KeepAlive = KeepAlive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), probes: 3 };

/// A server whose client has not connected yet.
#[derive(Debug)]
pub struct Server {
    /// Whose.
    pub user: UserId,
    /// The system that it runs on.
    pub system: SystemName,
    /// What the rightful client shows.
    pub ticket: Token,
    /// The second port; held only until the client is there.
    pub listener: TcpListener,
    /// Where the events go.
    pub emitter: Emitter,
}

/// A server with its client.
#[derive(Debug)]
pub struct Session {
    user: UserId,
    system: SystemName,
    stream: TcpStream,
    emitter: Emitter,
}

impl Server {
    /// Waits for the connection that shows the ticket, and closes the port; `None` when it does not come.
    pub async fn wait_for_client(self, wait: Duration) -> Option<Session> {
        let Self { user, system, ticket, listener, emitter } = self;
        let mut strangers = 0;
        let accepted = timeout(wait, accept_rightful(&listener, &ticket, &mut strangers)).await;
        drop(listener);
        let Ok((stream, peer, local)) = accepted else {
            let reason = format!(
                "the client's second connection did not come within {}, {strangers} without the right ticket did",
                humantime::format_duration(wait)
            );
            tracing::warn!(%user, "{reason}");
            emitter.emit(What::LogonAbandoned { user: user.to_string(), reason });
            return None;
        };
        if let Err(e) = KEEP_ALIVE.set_on(&stream) {
            tracing::debug!(%peer, "socket options: {e}");
        }
        emitter.emit(What::LogonComplete { user: user.to_string(), peer, local });
        tracing::info!(%user, %peer, %local, "the client's second connection is there");
        Some(Session { user, system, stream, emitter })
    }
}

type Candidate = Option<(TcpStream, SocketAddr, SocketAddr)>;

/// Hears several connections at once, and drops the oldest when there are too many, so strangers who connect and say nothing do
/// not keep the client out.
async fn accept_rightful(
    listener: &TcpListener,
    ticket: &Token,
    strangers: &mut usize,
) -> (TcpStream, SocketAddr, SocketAddr) {
    let mut candidates: JoinSet<Candidate> = JoinSet::new();
    let mut unheard = Unheard::new(MAX_CANDIDATES);
    loop {
        tokio::select! {
            // First those that have ended, so that they do not pile up.
            biased;
            Some(heard) = candidates.join_next() => match heard {
                Ok(Some(rightful)) => return rightful,
                _ => *strangers += 1,
            },
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let ticket = ticket.clone();
                    unheard.add(candidates.spawn(async move { hear(stream, peer, &ticket).await }));
                }
                Err(e) => {
                    tracing::warn!("accept on the second port: {e}");
                    unheard.drop_oldest();
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

async fn hear(mut stream: TcpStream, peer: SocketAddr, ticket: &Token) -> Candidate {
    let local = stream.local_addr().ok()?;
    let heard = timeout(PATIENCE, async {
        wire::hello(&mut stream).await?;
        match wire::first(&mut stream, "`open` with a ticket").await? {
            ToServer::Open { ticket: shown } if shown == *ticket => Ok(()),
            ToServer::Open { .. } => {
                let reason = "the ticket is not the one of this logon".to_owned();
                Err(Refused { code: RefusalCode::BadToken, reason }.into())
            }
            ToServer::Logoff {} => {
                let reason = "found `logoff`, expected `open` with a ticket".to_owned();
                Err(Refused { code: RefusalCode::BadMessage, reason }.into())
            }
        }
    });
    let heard = heard.await.unwrap_or_else(|_| {
        let reason = format!("no ticket within {PATIENCE:?}");
        Err(Refused { code: RefusalCode::Timeout, reason }.into())
    });
    match heard {
        Ok(()) => Some((stream, peer, local)),
        Err(NotHeard::Tls) => {
            tls::turn_away(stream, peer).await;
            None
        }
        Err(NotHeard::Refused(no)) => {
            tracing::warn!(%peer, code = no.code.as_str(), "second connection refused: {}", no.reason);
            let _ = wire::write(&mut stream, &FromServer::Refused(no)).await;
            None
        }
    }
}

impl Session {
    /// Serves the client until it goes, and keeps it registered with Debug Manager meanwhile.
    pub async fn run(self, run_dir: &Path) {
        let Self { user, system, stream, emitter } = self;
        let (reading, mut writing) = stream.into_split();
        let (sender, mut news) = mpsc::channel(32);
        // Neither future outlives this function: when the client goes, so does its registration.
        let goodbye = async {
            let mut gone = std::pin::pin!(client_gone(reading));
            let mut mining = std::pin::pin!(miner::run(&user, run_dir, &emitter, sender));
            let mut opened = false;
            loop {
                let news = tokio::select! {
                    why = &mut gone => return why,
                    () = &mut mining => return "the Debug Miner ended".to_owned(),
                    Some(news) = news.recv() => news,
                };
                let message = match news {
                    News::Registered | News::Failed if opened => continue,
                    News::Registered | News::Failed => {
                        opened = true;
                        let registered = matches!(news, News::Registered);
                        FromServer::Opened { user: user.clone(), system: system.clone(), registered }
                    }
                    News::SessionWaiting(notice) => {
                        let (session, port) = (notice.session.to_string(), notice.port);
                        emitter.emit(What::ClientNotified { session, user: user.to_string(), port });
                        FromServer::SessionWaiting { notice }
                    }
                };
                if let Err(e) = wire::write(&mut writing, &message).await {
                    return e;
                }
            }
        };
        let why = goodbye.await;
        tracing::info!(%user, "logoff: {why}");
        emitter.emit(What::Logoff { user: user.to_string() });
    }
}

/// Reads until the client says good bye or its connection ends; returns why it is gone.
async fn client_gone(mut reading: OwnedReadHalf) -> String {
    match frame::read(&mut reading).await {
        Ok(Some(ToServer::Logoff {})) => "the client logged off".to_owned(),
        Ok(Some(ToServer::Open { .. })) => "the client said `open` again, expected `logoff`".to_owned(),
        Ok(None) => "the client closed the connection".to_owned(),
        Err(e) => format!("the client's connection: {e}"),
    }
}
