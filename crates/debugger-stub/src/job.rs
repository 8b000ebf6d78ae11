//! The job: finds Debug Manager, waits for a workstation, takes its socket, and serves the debug conversation on it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dbm_protocol::handoff::{self, FromClaimant, Linked, ToClaimant};
use dbm_protocol::host::{FromDebugger, Phase, Standing, ToDebugger};
use dbm_protocol::retry::Backoff;
use dbm_protocol::{Hello, JobName, Role, SessionId, Token, UserId, frame};
use evidence::{Emitter, What};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::adapter::Adapter;
use crate::again::{Kept, OUTAGE};
use crate::client::Client;
use crate::host::Host;
use crate::outcome::{How, Outcome};

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
    let Connected { client, host, kept, .. } = connect(job, emitter).await?;
    let mut host = Some(host);
    let served = tokio::select! {
        served = client.serve(Adapter::new(job.name.as_str(), emitter.system()), emitter) => served,
        never = kept.keep_known(&mut host, emitter) => match never {},
    };
    // Debug Manager may be gone just now; the session does not need it.
    if let Some(host) = &mut host {
        let _ = host.send(&FromDebugger::Ended {}).await;
    }
    served.map_err(lost)
}

/// A job whose workstation is there.
#[derive(Debug)]
pub struct Connected {
    /// The way to the client.
    pub client: Client,
    /// The connection to Debug Manager, which is to hear of the session's end.
    pub host: Host,
    /// The session, which outlives Debug Manager.
    pub kept: Kept,
    /// When Debug Manager had said that it waits.
    pub waited_since: Instant,
}

/// Lets a session wait for its workstation, however often Debug Manager is lost meanwhile.
///
/// # Errors
/// How the job ends without one.
pub async fn connect(job: &Job, emitter: &Emitter) -> Result<Connected, Outcome> {
    let (mut host, mut kept) = begin(job).await?;
    let waited_since = kept.since;
    let session = kept.standing.session.clone();
    emitter.emit(What::JobWaiting { session: session.to_string(), user: job.user.to_string(), host_port: host.port });
    tracing::info!(%session, user = %job.user, "waiting for a workstation");

    let socket = loop {
        match wait_for_socket(&mut host, &mut kept).await {
            Ok(socket) => break socket,
            Err(NoSocket::Over(outcome)) => return Err(outcome),
            Err(NoSocket::ManagerLost(reason)) => host = kept.wait_again(&reason, emitter).await?,
        }
    };
    let (linked, socket) = socket;
    let client = Client::adopt(&linked, socket).map_err(|e| lost(format!("the client's socket is of no use: {e}")))?;
    let (peer, local) = (client.peer, client.local);
    emitter.emit(What::SocketTaken { session: session.to_string(), peer, local });
    tracing::info!(%session, %peer, %local, "the workstation is there");
    Ok(Connected { client, host, kept, waited_since })
}

fn lost(reason: impl Into<String>) -> Outcome {
    Outcome::new(How::Lost, reason)
}

/// Finds Debug Manager and lets a session wait. Without a Debug Manager there is no session; one that is lost before it has
/// answered is looked for again.
async fn begin(job: &Job) -> Result<(Host, Kept), Outcome> {
    let (mut retry, mut first) = (Backoff::for_debug_manager(), None);
    loop {
        let missing = match Host::find(&job.run_dir, &job.user).await {
            Ok(mut host) => match wait(job, &mut host).await {
                Ok(kept) => return Ok((host, kept?)),
                Err(reason) => reason,
            },
            Err(reason) if first.is_none() => return Err(Outcome::new(How::NoDebugManager, reason)),
            Err(reason) => reason,
        };
        if first.get_or_insert_with(Instant::now).elapsed() >= OUTAGE {
            return Err(lost(missing));
        }
        sleep(retry.pause()).await;
    }
}

/// Lets a session wait: what Debug Manager makes of that, or how it was lost.
async fn wait(job: &Job, host: &mut Host) -> Result<Result<Kept, Outcome>, String> {
    let Job { name, user, module, run_dir } = job.clone();
    host.send(&FromDebugger::Wait { user: user.clone(), job: name.clone(), module: module.clone() }).await?;
    Ok(match host.answer().await? {
        ToDebugger::Waiting { session, handoff, claim } => {
            let standing = Standing { session, user, job: name, module, claim };
            Ok(Kept { standing, handoff, phase: Phase::Register, since: Instant::now(), run_dir })
        }
        other => {
            Err(Outcome::of(&other).unwrap_or_else(|| lost("Debug Manager said `user_notified`, expected `waiting`")))
        }
    })
}

/// Why there is no socket.
enum NoSocket {
    /// The wait is over.
    Over(Outcome),
    /// Debug Manager is gone without a word; the session waits on.
    ManagerLost(String),
}

/// Claims the session on the handoff socket, once the user was told, and waits for the client's socket, while Debug Manager may end
/// the wait.
async fn wait_for_socket(host: &mut Host, kept: &mut Kept) -> Result<(Linked, OwnedFd), NoSocket> {
    let Standing { session, claim, .. } = kept.standing.clone();
    let path = kept.handoff.clone();
    // Until then nobody can dial, and the session may sleep for hours: it is not to cost a connection more.
    let told = Notify::new();
    let mut was_told = false;
    let mut taking = std::pin::pin!(async {
        told.notified().await;
        take_socket(&session, &path, claim).await
    });
    loop {
        tokio::select! {
            // A socket that is here counts, whatever the HOST connection says at the same moment.
            biased;
            taken = &mut taking => match taken {
                Ok(socket) => return Ok(socket),
                // The handoff connection just ends with the session; the HOST connection says why.
                Err(reason) => return Err(why_not(host, kept, reason).await),
            },
            said = host.receive() => match said {
                Ok(message) => {
                    heard(&message, kept).map_err(NoSocket::Over)?;
                    was_told = true;
                    told.notify_one();
                }
                Err(reason) if !was_told => return Err(NoSocket::ManagerLost(reason)),
                // The socket may have been sent just before; then it is on its way through the kernel. Whatever comes of it,
                // from here on it is settled: either we have the socket, or nobody has.
                Err(reason) => return match timeout(PATIENCE, &mut taking).await {
                    Ok(Ok(socket)) => Ok(socket),
                    _ => Err(NoSocket::ManagerLost(reason)),
                },
            },
        }
    }
}

/// What Debug Manager says while the session waits.
fn heard(message: &ToDebugger, kept: &mut Kept) -> Result<(), Outcome> {
    if let Some(end) = Outcome::of(message) {
        return Err(end);
    }
    kept.user_was_told();
    tracing::info!(session = %kept.standing.session, "the user was told");
    Ok(())
}

/// There will be no socket on this handoff connection. If the HOST connection does not say why, it ends, too.
async fn why_not(host: &mut Host, kept: &mut Kept, reason: String) -> NoSocket {
    let said = async {
        loop {
            match host.receive().await {
                Ok(message) => {
                    if let Err(end) = heard(&message, kept) {
                        return NoSocket::Over(end);
                    }
                }
                Err(_) => return NoSocket::ManagerLost(reason.clone()),
            }
        }
    };
    timeout(PATIENCE, said).await.unwrap_or_else(|_| NoSocket::Over(lost(reason.clone())))
}

async fn take_socket(session: &SessionId, path: &str, claim: Token) -> Result<(Linked, OwnedFd), String> {
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
    Ok((linked, socket))
}
