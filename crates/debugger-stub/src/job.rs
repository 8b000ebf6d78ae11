//! The job: finds Debug Manager, waits for a workstation, takes its socket, and serves the debug conversation on it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use dbm_protocol::handoff::{self, FromClaimant, ToClaimant};
use dbm_protocol::host::{FromDebugger, Phase, ToDebugger};
use dbm_protocol::tcp::KeepAlive;
use dbm_protocol::{Hello, JobName, Role, SessionId, Token, UserId, frame};
use evidence::{Emitter, What};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::adapter::Adapter;
use crate::host::{self, Host};
use crate::outcome::{How, Outcome};
use crate::session;

/// How long Debug Manager may take to answer. (How long it waits for a workstation is its own matter, and not limited here.)
const PATIENCE: Duration = Duration::from_secs(10);

/// A job to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: JobName,
    /// The user whose workstation is wanted.
    pub user: UserId,
    /// The program under debug, as Debug Manager shows it.
    pub module: String,
    /// Where the system keeps its name/token pairs.
    pub run_dir: PathBuf,
}

/// Runs the job to its end.
pub async fn run(job: &Job, emitter: &Emitter) -> Outcome {
    debug(job, emitter).await.map_or_else(|bad| bad, |()| Outcome::new(How::Debugged, "the program ran to its end"))
}

async fn debug(job: &Job, emitter: &Emitter) -> Result<(), Outcome> {
    let no_manager = |e| Outcome::new(How::NoDebugManager, e);
    let port = host::find(&job.run_dir).map_err(|e| no_manager(e.to_string()))?;
    let mut host = Host::connect(port).await.map_err(no_manager)?;
    let wait = FromDebugger::Wait { user: job.user.clone(), job: job.name.clone(), module: job.module.clone() };
    host.send(&wait).await.map_err(lost)?;
    let (session, path, claim) = waiting(&mut host).await?;
    emitter.emit(What::JobWaiting { session: session.to_string(), user: job.user.to_string(), host_port: port });
    tracing::info!(%session, user = %job.user, "waiting for a workstation");

    let socket = wait_for_socket(&mut host, &session, &path, claim).await?;
    let stream = adopt(socket).map_err(|e| lost(format!("the client's socket is of no use: {e}")))?;
    // Said by the socket itself, not by the message that came with it.
    let ends = stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)));
    let (peer, local) = ends.map_err(|e| lost(format!("the client's engine hung up at once: {e}")))?;
    emitter.emit(What::SocketTaken { session: session.to_string(), peer, local });
    tracing::info!(%session, %peer, %local, "the workstation is there");

    let served = session::serve(stream, Adapter::new(job.name.as_str(), emitter.system()), emitter).await;
    // Debug Manager may have gone in the meantime; the session does not need it.
    let _ = host.send(&FromDebugger::Ended {}).await;
    served.map_err(lost)
}

fn lost(reason: impl Into<String>) -> Outcome {
    Outcome::new(How::Lost, reason)
}

/// Debug Manager's answer to `Wait`.
async fn waiting(host: &mut Host) -> Result<(SessionId, String, Token), Outcome> {
    let answer = timeout(PATIENCE, host.receive()).await;
    let answer = answer.map_err(|_| lost(format!("Debug Manager did not answer `wait` within {PATIENCE:?}")))?;
    match answer.map_err(lost)? {
        ToDebugger::Waiting { session, handoff, claim } => Ok((session, handoff, claim)),
        other => {
            Err(turned_down(other).unwrap_or_else(|| lost("Debug Manager said `user_notified`, expected `waiting`")))
        }
    }
}

/// Messages that end the wait.
fn turned_down(message: ToDebugger) -> Option<Outcome> {
    match message {
        ToDebugger::TimedOut { phase: Phase::Register } => {
            Some(Outcome::new(How::TimedOutRegister, "the user did not log on anywhere in time"))
        }
        ToDebugger::TimedOut { phase: Phase::Engine } => {
            Some(Outcome::new(How::TimedOutEngine, "the user was told, but the workstation did not connect in time"))
        }
        ToDebugger::Refused(no) => Some(Outcome::new(How::Refused, format!("{}: {}", no.code.as_str(), no.reason))),
        ToDebugger::Waiting { .. } => Some(lost("Debug Manager said `waiting` twice")),
        ToDebugger::UserNotified {} => None,
    }
}

/// Claims the session on the handoff socket and waits for the client's socket, while Debug Manager may end the wait.
async fn wait_for_socket(host: &mut Host, session: &SessionId, path: &str, claim: Token) -> Result<OwnedFd, Outcome> {
    let mut taking = std::pin::pin!(take_socket(session, path, claim));
    loop {
        tokio::select! {
            // A socket that is here counts, whatever the HOST connection says at the same moment.
            biased;
            taken = &mut taking => match taken {
                Ok(socket) => return Ok(socket),
                // The handoff connection just ends with the session; the HOST connection says why.
                Err(reason) => return Err(why_not(host, reason).await),
            },
            said = host.receive() => match said {
                Ok(message) => match turned_down(message) {
                    Some(end) => return Err(end),
                    None => tracing::info!(%session, "the user was told"),
                },
                // The socket may have been sent just before; then it is on its way through the kernel.
                Err(reason) => return match timeout(PATIENCE, &mut taking).await {
                    Ok(Ok(socket)) => Ok(socket),
                    _ => Err(lost(reason)),
                },
            },
        }
    }
}

async fn why_not(host: &mut Host, reason: String) -> Outcome {
    let said = async {
        loop {
            match host.receive().await {
                Ok(message) => {
                    if let Some(end) = turned_down(message) {
                        return end;
                    }
                }
                Err(_) => return lost(reason.clone()),
            }
        }
    };
    timeout(PATIENCE, said).await.unwrap_or_else(|_| lost(reason.clone()))
}

async fn take_socket(session: &SessionId, path: &str, claim: Token) -> Result<OwnedFd, String> {
    let claiming = async {
        let mut stream = UnixStream::connect(path).await.map_err(|e| format!("handoff socket {path}: {e}"))?;
        let claim = FromClaimant::Claim { session: session.clone(), claim };
        let failed = |e: frame::FrameError| format!("handoff socket: {e}");
        frame::write(&mut stream, &Hello::new(Role::Debugger)).await.map_err(failed)?;
        frame::write(&mut stream, &claim).await.map_err(failed)?;
        match frame::read(&mut stream).await.map_err(failed)? {
            Some(ToClaimant::Claimed {}) => Ok(stream),
            Some(ToClaimant::Refused(no)) => Err(format!("the claim was refused: {}: {}", no.code.as_str(), no.reason)),
            None => Err("Debug Manager closed the handoff socket, expected `claimed`".to_owned()),
        }
    };
    let claimed = timeout(PATIENCE, claiming).await;
    let stream = claimed.map_err(|_| format!("the handoff socket did not answer `claim` within {PATIENCE:?}"))??;
    let (linked, socket) = handoff::receive_socket(&stream).await.map_err(|e| e.to_string())?;
    if linked.session != *session {
        return Err(format!("a socket for session {} came, expected {session}", linked.session));
    }
    Ok(socket)
}

/// Makes the passed socket ours. A workstation that vanishes without a word is noticed after half a minute of silence
/// (TCP keepalive; the figures are ours).
fn adopt(socket: OwnedFd) -> std::io::Result<TcpStream> {
    KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), probes: 3 }.set_on(&socket)?;
    let stream = std::net::TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}
