//! Jobs under the debugger, many in one thread: each speaks to the real Debug Manager of its LPAR as a debugger does.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use dbm_protocol::dap::{self, Builder, Message};
use dbm_protocol::handoff::{FromClaimant, ToClaimant, receive_socket};
use dbm_protocol::host::{FromDebugger, ToDebugger};
use dbm_protocol::nametoken::{self, DbmToken};
use dbm_protocol::passticket::Key;
use dbm_protocol::{Hello, Role, UserId, frame};
use evidence::monotonic_ns;
use rustix::net::sockopt::{set_tcp_nodelay, set_tcp_quickack};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::bed::{Bed, run_dir};

/// How long each answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most answers fit in it; there may be thousands of jobs.
const READ_AHEAD: usize = 512;

/// What jobs of one LPAR know of their system.
#[derive(Clone)]
pub(super) struct Desk {
    root: PathBuf,
    key: Key,
    host_port: u16,
}

/// A job whose session waits.
pub(super) struct Waiting {
    /// Its connection to the HOST port.
    host: BufReader<TcpStream>,
    /// Where it is to be claimed, and with which words.
    handoff: PathBuf,
    claim: FromClaimant,
    /// When the job turned to Debug Manager.
    pub(super) began_ns: u64,
    /// When Debug Manager had said that the session waits.
    pub(super) waiting_ns: u64,
}

/// A job with the client's socket.
pub(super) struct Linked {
    host: BufReader<TcpStream>,
    /// The client's.
    pub(super) engine: TcpStream,
}

impl Desk {
    /// Finds Debug Manager by the name/token pair, and the key of its PassTickets.
    pub(super) fn find(bed: &Bed) -> Result<Self, String> {
        let run_dir = bed.jobs_root.join(run_dir());
        let token = nametoken::retrieve(&run_dir, nametoken::DBM_NAME).and_then(DbmToken::from_bytes);
        let host_port = token.map_err(|e| e.to_string())?.host_port;
        let key = Key::read(&run_dir).map_err(|e| e.to_string())?;
        Ok(Self { root: bed.jobs_root.clone(), key, host_port })
    }

    /// Lets a session wait for a user. `from` is the job's end of the HOST connection: so many connections have
    /// more ports than one address gives.
    pub(super) async fn wait(&self, user: &UserId, from: Ipv4Addr) -> Result<Waiting, String> {
        timeout(PATIENCE, self.wait_for(user, from)).await.map_err(|_| late("`waiting`"))?
    }

    async fn wait_for(&self, user: &UserId, from: Ipv4Addr) -> Result<Waiting, String> {
        let began_ns = monotonic_ns();
        let mut host = dial_from(from, self.host_port).await.map_err(|e| format!("HOST port: {e}"))?;
        let logon = self.key.logon(Role::Debugger, user).map_err(|e| e.to_string())?;
        let job = "EQATST".parse().map_err(|e| format!("{e}"))?;
        let wait = FromDebugger::Wait { user: user.clone(), job, module: "EQATST".to_owned() };
        let words = together(&[&part(&Hello::new(Role::Debugger))?, &part(&logon)?, &part(&wait)?]);
        host.write_all(&words).await.map_err(|e| format!("HOST port: {e}"))?;
        let mut host = BufReader::with_capacity(READ_AHEAD, host);
        let answer = said(&mut host).await?;
        let waiting_ns = monotonic_ns();
        let ToDebugger::Waiting { session, handoff, claim } = answer else {
            return Err(format!("Debug Manager said {answer:?}, expected `waiting`"));
        };
        let handoff = self.root.join(handoff.trim_start_matches('/'));
        Ok(Waiting { host, handoff, claim: FromClaimant::Claim { session, claim }, began_ns, waiting_ns })
    }
}

/// What Debug Manager says next on the HOST port.
async fn said(host: &mut BufReader<TcpStream>) -> Result<ToDebugger, String> {
    let said = frame::read(host).await.map_err(|e| format!("HOST port: {e}"))?;
    said.ok_or_else(|| "Debug Manager closed the HOST connection".to_owned())
}

impl Waiting {
    /// Claims the session when its user was told, and takes the client's socket.
    pub(super) async fn take(self) -> Result<Linked, String> {
        timeout(PATIENCE, self.take_now()).await.map_err(|_| late("the client's socket"))?
    }

    async fn take_now(self) -> Result<Linked, String> {
        let Self { mut host, handoff: path, claim, .. } = self;
        match said(&mut host).await? {
            ToDebugger::UserNotified {} => {}
            other => return Err(format!("Debug Manager said {other:?}, expected `user_notified`")),
        }
        let failed = |e: &dyn std::fmt::Display| format!("handoff socket {}: {e}", path.display());
        let mut handoff = UnixStream::connect(&path).await.map_err(|e| failed(&e))?;
        let words = together(&[&part(&Hello::new(Role::Debugger))?, &part(&claim)?]);
        handoff.write_all(&words).await.map_err(|e| failed(&e))?;
        match frame::read(&mut handoff).await.map_err(|e| failed(&e))? {
            Some(ToClaimant::Claimed {}) => {}
            other => return Err(failed(&format!("found {other:?}, expected `claimed`"))),
        }
        match receive_socket(&handoff).await {
            Ok((_, socket)) => {
                let stream = std::net::TcpStream::from(socket);
                let adopted = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                Ok(Linked { host, engine: adopted.map_err(|e| e.to_string())? })
            }
            Err(e) => Err(format!("{e}; Debug Manager says: {}", last_words(&mut host).await)),
        }
    }
}

impl Linked {
    /// Waits for the first message of the debug conversation, answers it, and ends; returns when the message was there.
    pub(super) async fn greet(mut self) -> Result<u64, String> {
        let conversation = timeout(PATIENCE, async {
            let mut reader = dap::Reader::new(&mut self.engine);
            let message = reader.read().await.map_err(|e| e.to_string())?;
            let first_ns = monotonic_ns();
            let Some(Message::Request(request)) = message else { return Err("the client said nothing".to_owned()) };
            let answer = dap::encode(&Builder::default().response(&request, serde_json::Value::Null));
            let answer = answer.map_err(|e| e.to_string())?;
            self.engine.write_all(&answer).await.map_err(|e| e.to_string())?;
            Ok(first_ns)
        });
        let first_ns = conversation.await.map_err(|_| late("the client's first message"))??;
        drop(self.engine);
        let ended = part(&FromDebugger::Ended {})?;
        self.host.write_all(&ended).await.map_err(|e| e.to_string())?;
        last_words(&mut self.host).await;
        Ok(first_ns)
    }
}

/// What Debug Manager says until it closes.
async fn last_words(host: &mut BufReader<TcpStream>) -> String {
    let mut words = Vec::new();
    let _ = timeout(PATIENCE, host.read_to_end(&mut words)).await;
    String::from_utf8_lossy(&words).into_owned()
}

fn late(awaited: &str) -> String {
    format!("awaited {awaited} for {PATIENCE:?}")
}

/// For all who talk in the benchmark, HAProxy's clients too: a word goes out when it is said, and an answer is the acknowledgement. (A
/// packet that only acknowledges is work for the processors of workstations and jobs, which here are Debug Manager's as well.)
pub(super) fn for_short_words(socket: &impl AsFd) -> std::io::Result<()> {
    set_tcp_nodelay(socket, true)?;
    Ok(set_tcp_quickack(socket, false)?)
}

/// A connection within this system.
async fn dial_from(from: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    for_short_words(&socket)?;
    if from != Ipv4Addr::LOCALHOST {
        socket.bind((from, 0).into())?;
    }
    socket.connect((Ipv4Addr::LOCALHOST, port).into()).await
}

/// Messages that follow each other go out in one piece: the driver is not what is measured.
pub(super) fn together(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// One message, as it goes out.
pub(super) fn part(message: &impl Serialize) -> Result<Vec<u8>, String> {
    frame::encode(message).map_err(|e| e.to_string())
}
