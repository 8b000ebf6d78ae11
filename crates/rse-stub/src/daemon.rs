//! The RSE daemon: takes logons on port 4035, and makes a server for each.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use dbm_protocol::rse::{FromDaemon, ToDaemon};
use dbm_protocol::{RefusalCode, Refused, SystemName, Token, UserId};
use evidence::{Emitter, Refusal, What};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::ports::{self, PortRange};
use crate::server::Server;
use crate::tls;
use crate::unheard::Unheard;
use crate::wire::{self, NotHeard, PATIENCE};

/// Connections that have not said yet who logs on. Ours, as are the next two.
const MAX_UNHEARD: usize = 256;
/// Logons at the same time, each from when the user is known until its second connection is there.
const MAX_LOGONS: usize = 512;

/// Users who are logged on at the same time, as many as Debug Manager takes registrations.
const MAX_USERS: usize = 16_384;

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
    let users = Arc::new(Semaphore::new(MAX_USERS));
    let mut unheard = Unheard::new(MAX_UNHEARD);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (config, emitter) = (Rc::clone(&config), emitter.clone());
                let desk = Desk { config, emitter, logons: Arc::clone(&logons), users: Arc::clone(&users) };
                unheard.add(tokio::task::spawn_local(desk.hear(stream, peer)).abort_handle());
            }
            Err(e) => {
                // Mostly "too many open files": let a connection end before the next try.
                tracing::warn!("accept: {e}");
                unheard.drop_oldest();
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What one logon needs.
struct Desk {
    config: Rc<Config>,
    emitter: Emitter,
    logons: Arc<Semaphore>,
    users: Arc<Semaphore>,
}

impl Desk {
    /// Listens until it is said who logs on; from then on the logon has a task of its own, which nobody drops.
    async fn hear(self, mut stream: TcpStream, peer: SocketAddr) {
        let heard = timeout(PATIENCE, read_logon(&mut stream)).await.unwrap_or_else(|_| {
            let reason = format!("no whole logon within {PATIENCE:?}");
            Err(Refused { code: RefusalCode::Timeout, reason }.into())
        });
        match heard {
            Ok(user) => drop(tokio::task::spawn_local(self.log_on(user, stream, peer))),
            Err(NotHeard::Tls) => tls::turn_away(stream, peer).await,
            Err(NotHeard::Refused(no)) => refuse(stream, peer, no).await,
        }
    }

    /// Makes a server for the user, sends the answer, and serves the client when it comes to the second port.
    async fn log_on(self, user: UserId, mut stream: TcpStream, peer: SocketAddr) {
        let Self { config, emitter, logons, users } = self;
        let name = user.to_string();
        let busy = |reason| Refused { code: RefusalCode::Busy, reason };
        let turn_away = async |stream: TcpStream, no: Refused| {
            let refusal = Refusal { code: no.code.as_str().to_owned(), reason: no.reason.clone() };
            emitter.emit(What::LogonRefused { user: name.clone(), peer, refusal });
            refuse(stream, peer, no).await;
        };
        let Ok(permit) = logons.try_acquire_owned() else {
            return turn_away(stream, busy(format!("{MAX_LOGONS} logons are in flight already"))).await;
        };
        let Ok(_place) = users.try_acquire_owned() else {
            return turn_away(stream, busy(format!("{MAX_USERS} users are logged on already"))).await;
        };
        let (server, answer) = match make_server(user, &stream, peer, &config, &emitter).await {
            Ok(made) => made,
            Err(no) => return turn_away(stream, no).await,
        };
        if let Err(e) = wire::write(&mut stream, &answer).await {
            // The server waits all the same, and says in the end that nobody came.
            tracing::info!(%peer, "the answer to a logon was not delivered: {e}");
        }
        drop(stream);
        let Some(session) = server.wait_for_client(config.second_port_wait).await else { return };
        drop(permit);
        session.run(&config.run_dir).await;
    }
}

/// Says no, with the reason, and closes.
async fn refuse(mut stream: TcpStream, peer: SocketAddr, no: Refused) {
    tracing::warn!(%peer, code = no.code.as_str(), "logon refused: {}", no.reason);
    if let Err(e) = wire::write(&mut stream, &FromDaemon::Refused(no)).await {
        tracing::info!(%peer, "the refusal of a logon was not delivered: {e}");
    }
}

async fn read_logon(stream: &mut TcpStream) -> Result<UserId, NotHeard> {
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
