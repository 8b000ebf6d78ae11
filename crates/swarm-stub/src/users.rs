//! Many users at one workstation, in one process: they log on to the RSE daemon, and their engines follow every notice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::rse::{FromDaemon, FromServer, ToDaemon, ToServer};
use dbm_protocol::tcp::KeepAlive;
use dbm_protocol::{Hello, Notice, Role, UserId, frame};
use evidence::{Emitter, What};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::orders::UserOrder;
use crate::talk::as_client;
use crate::{brief, jobs};

/// A user who hears nothing any more learns of it by keepalive, after six seconds: sooner than at most sites, so that a soak goes on.
const KEEP_ALIVE: KeepAlive = KeepAlive { idle: Duration::from_secs(3), interval: Duration::from_secs(1), probes: 3 };

/// How a swarm of users behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The RSE daemon, as the workstation dials it.
    pub rse: SocketAddr,
    /// How long a logon, a connection or a conversation may take.
    pub patience: Duration,
    /// The longest time that a person stays in a session; each stays some of it.
    pub stays: Duration,
    /// How long sessions may take to end when the swarm is drained.
    pub drain: Duration,
}

/// Who is logged on, or about to be: dropping it is the order to log off.
type On = BTreeMap<UserId, oneshot::Sender<()>>;

/// Carries orders out until they end, or until it is drained.
pub async fn run(config: Config, emitter: Emitter, mut orders: mpsc::Receiver<UserOrder>) {
    let (finished, mut engines_done) = mpsc::unbounded_channel();
    let desk = Arc::new(Desk { config: config.clone(), emitter: emitter.clone(), engines: finished });
    let (mut on, mut users, mut engines) = (On::new(), JoinSet::new(), JoinSet::new());
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(UserOrder::Logon(user)) => {
                    let (keep, leave) = oneshot::channel();
                    // Whoever is logged on already begins anew.
                    on.insert(user.clone(), keep);
                    users.spawn(Arc::clone(&desk).user(user, leave));
                }
                Some(UserOrder::Logoff(user)) => drop(on.remove(&user)),
                Some(UserOrder::Drain) | None => break,
            },
            Some((user, notice)) = engines_done.recv() => drop(engines.spawn(Arc::clone(&desk).engine(user, notice))),
            Some(_) = users.join_next() => {}
            Some(_) = engines.join_next() => {}
        }
    }
    // First what runs: its users are still there.
    let left = jobs::drain(engines, config.drain).await;
    drop(on);
    let left = left + jobs::drain(users, config.drain).await;
    emitter.emit(What::Drained { left });
}

struct Desk {
    config: Config,
    emitter: Emitter,
    engines: mpsc::UnboundedSender<(UserId, Notice)>,
}

impl Desk {
    /// One user from logon to logoff.
    async fn user(self: Arc<Self>, user: UserId, mut leave: oneshot::Receiver<()>) {
        let name = user.to_string();
        let logged_on = tokio::select! {
            logged_on = timeout(self.config.patience, self.log_on(&user)) => {
                logged_on.unwrap_or_else(|_| Err(format!("no answer within {:?}", self.config.patience)))
            }
            _ = &mut leave => return self.emitter.emit(What::Logoff { user: name }),
        };
        let (mut server, on) = match logged_on {
            Ok(it) => it,
            Err(reason) => {
                return self.emitter.emit(What::UserLost { user: name, reason: brief(&format!("logon: {reason}")) });
            }
        };
        self.emitter.emit(What::LoggedOn { user: name.clone(), on });
        let lost = tokio::select! {
            lost = self.listen(&user, &mut server) => lost,
            _ = leave => {
                let _ = timeout(self.config.patience, frame::write(&mut server, &ToServer::Logoff {})).await;
                return self.emitter.emit(What::Logoff { user: name });
            }
        };
        self.emitter.emit(What::UserLost { user: name, reason: brief(&lost) });
    }

    async fn log_on(&self, user: &UserId) -> Result<(BufReader<TcpStream>, String), String> {
        let hello = part(&Hello::new(Role::Client))?;
        let mut daemon = dial(self.config.rse).await?;
        say(&mut daemon, &[&hello, &part(&ToDaemon::Logon { user: user.clone() })?]).await?;
        let answer = frame::read(&mut daemon).await.map_err(|e| format!("the RSE daemon: {e}"))?;
        let Some(FromDaemon::Server { port, ticket }) = answer else {
            return Err(format!("the RSE daemon said {answer:?}, expected a server"));
        };
        let mut server = dial(SocketAddr::new(self.config.rse.ip(), port)).await?;
        KEEP_ALIVE.set_on(&server).map_err(|e| e.to_string())?;
        say(&mut server, &[&hello, &part(&ToServer::Open { ticket })?]).await?;
        let mut server = BufReader::with_capacity(1024, server);
        match frame::read(&mut server).await.map_err(|e| format!("the RSE server: {e}"))? {
            Some(FromServer::Opened { registered: true, system, .. }) => Ok((server, system.to_string())),
            other => Err(format!("the RSE server said {other:?}, expected `opened` and registered")),
        }
    }

    /// Lets an engine follow every notice; returns how the connection ended.
    async fn listen(&self, user: &UserId, server: &mut BufReader<TcpStream>) -> String {
        loop {
            match frame::read(server).await {
                Ok(Some(FromServer::SessionWaiting { notice })) => drop(self.engines.send((user.clone(), notice))),
                Ok(Some(other)) => return format!("the RSE server said {other:?}, expected a notice"),
                Ok(None) => return "the RSE server closed the connection".to_owned(),
                Err(e) => return format!("the RSE server: {e}"),
            }
        }
    }

    /// Follows one notice to the end of its session.
    async fn engine(self: Arc<Self>, user: UserId, notice: Notice) {
        let mut answered = None;
        let followed = timeout(self.config.patience, self.follow(&user, &notice, &mut answered)).await;
        let followed = followed.unwrap_or_else(|_| Err(format!("not done within {:?}", self.config.patience)));
        let (job, job_system) = answered.map(|it: crate::talk::Identity| (brief(&it.job), brief(&it.system))).unzip();
        self.emitter.emit(What::EngineDone {
            user: user.to_string(),
            told: notice.job.to_string(),
            job,
            job_system,
            failed: followed.err().map(|why| brief(&why)),
        });
    }

    async fn follow(
        &self,
        user: &UserId,
        notice: &Notice,
        answered: &mut Option<crate::talk::Identity>,
    ) -> Result<(), String> {
        if notice.user != *user {
            return Err(format!("the notice is for {}", notice.user));
        }
        let mut engine = dial(SocketAddr::new(self.config.rse.ip(), notice.port)).await?;
        let (session, token) = (notice.session.clone(), notice.token.clone());
        let attach = FromEngine::Attach { user: user.clone(), session, token };
        say(&mut engine, &[&part(&Hello::new(Role::Engine))?, &part(&attach)?]).await?;
        match frame::read(&mut engine).await.map_err(|e| format!("Debug Manager: {e}"))? {
            Some(ToEngine::Accepted { .. }) => {}
            Some(ToEngine::Refused(no)) => return Err(format!("refused: {}: {}", no.code.as_str(), no.reason)),
            other => return Err(format!("Debug Manager said {other:?}, expected `accepted`")),
        }
        as_client(engine, user.as_str(), self.stays(notice), answered).await
    }

    /// Some of the longest time: by the token, which is random.
    fn stays(&self, notice: &Notice) -> Duration {
        let bytes: &[u8] = notice.token.as_ref();
        self.config.stays.mul_f64(f64::from(bytes.first().copied().unwrap_or(0)) / 255.0)
    }
}

async fn dial(to: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(to).await.map_err(|e| format!("{to}: {e}"))?;
    stream.set_nodelay(true).map_err(|e| format!("{to}: {e}"))?;
    Ok(stream)
}

/// Messages that follow each other go out in one piece: a swarm is not what is measured.
async fn say(to: &mut TcpStream, parts: &[&[u8]]) -> Result<(), String> {
    to.write_all(&parts.concat()).await.map_err(|e| e.to_string())
}

fn part(message: &impl serde::Serialize) -> Result<Vec<u8>, String> {
    frame::encode(message).map_err(|e| e.to_string())
}
