//! Users at their workstation, many in one thread: they log on to the real RSE daemon, and dial what they are notified of.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use dbm_protocol::dap::{self, Builder, Message};
use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::rse::{FromDaemon, FromServer, ToDaemon, ToServer};
use dbm_protocol::{Hello, Notice, Role, UserId, frame};
use netns::{NetNs, inside};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::bed::Bed;
use super::jobs::{for_short_words, part, together};

/// How long each answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Engines that have dialled and not yet said what they want, at most. Each is a workstation of its own and speaks at once; played by
/// one thread, a thousand would dial before the first speaks, and Debug Manager takes so many silent ones for strangers.
const DIALLING: usize = 256;

/// Users who are logged on, and do what is to be done with their sessions.
pub(super) struct Users {
    /// Who they are.
    pub(super) names: Vec<UserId>,
    fault: Fault,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a user does with a connection that Debug Manager has accepted.
#[derive(Clone)]
pub(super) enum With {
    /// Begins the debug conversation, and reads it to its end.
    Greet,
    /// Gives it to somebody else.
    Give(mpsc::UnboundedSender<std::net::TcpStream>),
}

/// The first thing that went wrong.
type Fault = Arc<Mutex<Option<String>>>;

impl Users {
    /// Logs so many users on, each with a name that begins with `prefix`.
    pub(super) async fn log_on(bed: &Bed, prefix: &str, count: usize, with: With) -> Result<Self, String> {
        let names: Result<Vec<UserId>, _> = (0..count).map(|number| format!("{prefix}{number}").parse()).collect();
        let names = names.map_err(|e| e.to_string())?;
        let (stop, stopped) = oneshot::channel();
        let (logged_on, all) = oneshot::channel();
        let fault = Fault::default();
        let places = Arc::new(Semaphore::new(DIALLING));
        let desk = Desk { rse: bed.rse(), with, fault: Arc::clone(&fault), places };
        let (station, users) = (bed.station.clone(), names.clone());
        let thread = std::thread::spawn(move || run(&station, &desk, &users, logged_on, stopped));
        all.await.map_err(|_| "the users' thread ended".to_owned())??;
        Ok(Self { names, fault, stop: Some(stop), thread: Some(thread) })
    }

    /// What went wrong at the workstation, if anything did.
    pub(super) fn fault(&self) -> Result<(), String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    station: &NetNs,
    desk: &Desk,
    users: &[UserId],
    logged_on: oneshot::Sender<Result<(), String>>,
    stopped: oneshot::Receiver<()>,
) {
    let _ = inside(station, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut result = Ok(());
            for user in users {
                match timeout(PATIENCE, desk.log_on(user)).await.unwrap_or_else(|_| Err("no answer".to_owned())) {
                    Ok(server) => drop(tokio::spawn(desk.clone().listen(user.clone(), server))),
                    Err(why) => {
                        result = Err(format!("logon of {user}: {why}"));
                        break;
                    }
                }
            }
            let _ = logged_on.send(result);
            let _ = stopped.await;
        });
        Ok::<_, io::Error>(())
    });
}

#[derive(Clone)]
struct Desk {
    rse: SocketAddr,
    with: With,
    fault: Fault,
    places: Arc<Semaphore>,
}

impl Desk {
    async fn log_on(&self, user: &UserId) -> Result<TcpStream, String> {
        let hello = part(&Hello::new(Role::Client))?;
        let mut daemon = dial(self.rse).await?;
        say(&mut daemon, &together(&[&hello, &part(&ToDaemon::Logon { user: user.clone() })?])).await?;
        let answer = frame::read(&mut daemon).await.map_err(|e| e.to_string())?;
        let Some(FromDaemon::Server { port, ticket }) = answer else {
            return Err(format!("the RSE daemon said {answer:?}"));
        };
        let mut server = dial(SocketAddr::new(self.rse.ip(), port)).await?;
        say(&mut server, &together(&[&hello, &part(&ToServer::Open { ticket })?])).await?;
        match frame::read(&mut server).await.map_err(|e| e.to_string())? {
            Some(FromServer::Opened { registered: true, .. }) => Ok(server),
            other => Err(format!("the RSE server said {other:?}, expected `opened` and registered")),
        }
    }

    /// Follows every notice.
    async fn listen(self, user: UserId, server: TcpStream) {
        let mut server = tokio::io::BufReader::new(server);
        loop {
            match frame::read(&mut server).await {
                Ok(Some(FromServer::SessionWaiting { notice })) => {
                    let (desk, user) = (self.clone(), user.clone());
                    tokio::spawn(async move {
                        let followed = timeout(PATIENCE, desk.follow(user, notice)).await;
                        desk.note(followed.unwrap_or_else(|_| Err(format!("the engine waited for {PATIENCE:?}"))));
                    });
                }
                other => return self.note(Err(format!("the RSE server said {other:?}, expected a notice"))),
            }
        }
    }

    fn note(&self, result: Result<(), String>) {
        if let Err(why) = result {
            self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        }
    }

    async fn follow(&self, user: UserId, notice: Notice) -> Result<(), String> {
        let place = self.places.acquire().await.map_err(|e| e.to_string())?;
        let mut engine = dial(SocketAddr::new(self.rse.ip(), notice.port)).await?;
        let attach = FromEngine::Attach { user, session: notice.session, token: notice.token };
        say(&mut engine, &together(&[&part(&Hello::new(Role::Engine))?, &part(&attach)?])).await?;
        drop(place);
        match frame::read(&mut engine).await.map_err(|e| format!("Debug Manager: {e}"))? {
            Some(ToEngine::Accepted { .. }) => {}
            other => return Err(format!("Debug Manager said {other:?}, expected `accepted`")),
        }
        match &self.with {
            With::Greet => greet(engine).await,
            With::Give(to) => {
                let engine = engine.into_std().map_err(|e| e.to_string())?;
                engine.set_nonblocking(false).map_err(|e| e.to_string())?;
                to.send(engine).map_err(|_| "nobody wants the connection".to_owned())
            }
        }
    }
}

/// Says the first word of the debug conversation and reads the answer, until the debugger closes: its end waits, so a client's port
/// is free at once.
async fn greet(mut engine: TcpStream) -> Result<(), String> {
    let request =
        Builder::default().request("initialize", serde_json::json!({"clientID": "lab", "adapterID": "zos-debugger"}));
    let request = dap::encode(&Message::Request(request)).map_err(|e| e.to_string())?;
    say(&mut engine, &request).await?;
    let mut answer = Vec::with_capacity(512);
    engine.read_to_end(&mut answer).await.map_err(|e| format!("the debugger: {e}"))?;
    if answer.is_empty() { Err("the debugger closed without an answer".to_owned()) } else { Ok(()) }
}

async fn dial(to: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(to).await.map_err(|e| format!("{to}: {e}"))?;
    for_short_words(&stream).map_err(|e| format!("{to}: {e}"))?;
    Ok(stream)
}

async fn say(to: &mut TcpStream, bytes: &[u8]) -> Result<(), String> {
    to.write_all(bytes).await.map_err(|e| e.to_string())
}
