//! The RSE daemon: takes logons on port 4035, and makes a server for each.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dbm_protocol::rse::{FromDaemon, ToDaemon};
use dbm_protocol::{RefusalCode, Refused, SystemName, Token, UserId, frame};
use evidence::{Emitter, What};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::ports::{self, PortRange};
use crate::server::Server;
use crate::wire::{self, PATIENCE};

/// Logons at the same time, each from its first byte until its second connection is there.
const MAX_LOGONS: usize = 512;

/// What the daemon is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its port.
    pub port: u16,
    /// `_RSE_PORTRANGE`.
    pub port_range: Option<PortRange>,
    /// Where the system keeps its name/token pairs.
    pub run_dir: PathBuf,
    /// How long a server waits for its client's second connection.
    pub second_port_wait: Duration,
    /// The system that it runs on.
    pub system: SystemName,
}

/// Runs the daemon; it only returns when it cannot listen. Call within a `LocalSet`.
///
/// # Errors
/// When the port cannot be bound.
pub async fn run(config: Config, emitter: Emitter) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, config.port)).await?;
    let address = listener.local_addr()?;
    emitter.emit(What::Listening { role: "rsed".to_owned(), address });
    emitter.emit(What::Ready {});
    tracing::info!(%address, "RSE daemon is up");
    let config = Rc::new(config);
    let logons = Arc::new(Semaphore::new(MAX_LOGONS));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                // Mostly "too many open files": let some connections end before the next try.
                tracing::warn!("accept: {e}");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&logons).try_acquire_owned() else {
            tracing::warn!(%peer, "{MAX_LOGONS} logons are in flight already, one more refused");
            refuse_at_once(&stream);
            continue;
        };
        let (config, emitter) = (Rc::clone(&config), emitter.clone());
        tokio::task::spawn_local(async move {
            let Some(server) = log_on(stream, peer, &config, &emitter).await else { return };
            let Some(session) = server.wait_for_client(config.second_port_wait).await else { return };
            drop(permit);
            session.run(&config.run_dir).await;
        });
    }
}

/// Tells a client that there is no room, without waiting for anything.
fn refuse_at_once(stream: &TcpStream) {
    let reason = format!("{MAX_LOGONS} logons are in flight already");
    if let Ok(bytes) = frame::encode(&FromDaemon::Refused(Refused { code: RefusalCode::Busy, reason })) {
        let _ = stream.try_write(&bytes);
    }
}

/// Takes one logon; the answer is sent and the connection closed when the server is there.
async fn log_on(mut stream: TcpStream, peer: SocketAddr, config: &Config, emitter: &Emitter) -> Option<Server> {
    let outcome = match timeout(PATIENCE, read_logon(&mut stream)).await {
        Ok(Ok(user)) => make_server(user, &stream, peer, config, emitter).await,
        Ok(Err(no)) => Err(no),
        Err(_) => {
            let reason = format!("no whole logon within {PATIENCE:?}");
            Err(Refused { code: RefusalCode::Timeout, reason })
        }
    };
    let (answer, server) = match outcome {
        Ok((server, answer)) => (answer, Some(server)),
        Err(no) => {
            tracing::warn!(%peer, code = no.code.as_str(), "logon refused: {}", no.reason);
            (FromDaemon::Refused(no), None)
        }
    };
    if let Err(e) = wire::write(&mut stream, &answer).await {
        // A server that was made waits all the same, and says in the end that nobody came.
        tracing::info!(%peer, "the answer to a logon was not delivered: {e}");
    }
    server
}

async fn read_logon(stream: &mut TcpStream) -> Result<UserId, Refused> {
    wire::hello(stream).await?;
    let ToDaemon::Logon { user } = wire::first(stream, "a logon").await?;
    Ok(user)
}

async fn make_server(
    user: UserId,
    stream: &TcpStream,
    peer: SocketAddr,
    config: &Config,
    emitter: &Emitter,
) -> Result<(Server, FromDaemon), Refused> {
    let busy = |e: io::Error| Refused { code: RefusalCode::Busy, reason: format!("no RSE server: {e}") };
    let local = stream.local_addr().map_err(busy)?;
    let listener = ports::bind(config.port_range.as_ref()).await.map_err(busy)?;
    let address = listener.local_addr().map_err(busy)?;
    let ticket = Token::random().map_err(busy)?;
    let port = address.port();
    emitter.emit(What::Logon { user: user.to_string(), peer, local, second_port: port });
    emitter.emit(What::Listening { role: "rse_server".to_owned(), address });
    tracing::info!(%user, %peer, %local, port, "logon");
    let server =
        Server { user, system: config.system.clone(), ticket: ticket.clone(), listener, emitter: emitter.clone() };
    Ok((server, FromDaemon::Server { port, ticket }))
}
