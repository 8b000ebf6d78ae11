//! What has to stand before Debug Manager is up: its ports, its PassTicket key, its name/token pair, its two Unix sockets.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dbm_protocol::nametoken::{self, DBM_NAME, DbmToken, NameTokenError, Pair};
use dbm_protocol::passticket::{Key, PRIVATE_DIRECTORY};
use evidence::{Emitter, What};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, UnixListener};

use super::{Fatal, accept, control};
use crate::config::Config;

/// All that is held while Debug Manager is up.
pub(super) struct Held {
    pub(super) host: TcpListener,
    pub(super) client: TcpListener,
    pub(super) handoff: UnixListener,
    pub(super) handoff_path: PathBuf,
    pub(super) control: UnixListener,
    pub(super) control_path: PathBuf,
    /// For metrics, where they are wanted.
    pub(super) metrics: Option<TcpListener>,
    pub(super) pair: Pair,
    pub(super) key: Key,
}

/// Every connection is a file descriptor: take as many as the system gives.
pub(super) fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(e) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!("the limit of file descriptors stays as it is: {e}");
    }
}

/// Takes the HOST port, the PassTicket key, the name/token pair, the other ports, and the sockets of debuggers and operator, in
/// this order: whoever finds the pair finds the port and the key.
pub(super) async fn take(config: &Config, emitter: &Emitter) -> Result<Held, Fatal> {
    let run_dir = &config.run_dir;
    let host = listen("host", (Ipv4Addr::LOCALHOST, config.host).into(), run_dir, emitter).await?;
    let key = Key::read_or_make(run_dir).map_err(|e| Fatal(e.to_string()))?;
    let token = DbmToken { host_port: config.host, client_port: config.client, pid: std::process::id() };
    let pair = nametoken::create(run_dir, DBM_NAME, token.to_bytes()).map_err(|e| match e {
        NameTokenError::Duplicate { .. } => Fatal(format!("{}: {e}", active(run_dir).unwrap_or_default())),
        e => Fatal(e.to_string()),
    })?;
    if config.persist {
        nametoken::persist(run_dir, DBM_NAME, token.to_bytes()).map_err(|e| Fatal(e.to_string()))?;
    }
    emitter.emit(What::NameTokenCreated { host_port: config.host });
    let client = listen("client", (config.client_ip, config.client).into(), run_dir, emitter).await?;
    let private = std::path::absolute(run_dir)
        .map_err(|e| Fatal(format!("run directory {}: {e}", run_dir.display())))?
        .join(PRIVATE_DIRECTORY);
    let handoff_path = private.join("handoff.sock");
    let handoff = handoff_socket(&handoff_path)
        .map_err(|e| Fatal(format!("cannot listen on the handoff socket {}: {e}", handoff_path.display())))?;
    let (control, control_path) = control::socket(run_dir, &private)
        .map_err(|e| Fatal(format!("cannot listen on the operator's socket in {}: {e}", run_dir.display())))?;
    let metrics = match config.metrics {
        Some(address) => Some(listen("metrics", address, run_dir, emitter).await?),
        None => None,
    };
    Ok(Held { metrics, host, client, handoff, handoff_path, control, control_path, pair, key })
}

/// Connections that may wait to be accepted: a thousand jobs may begin in one moment. Who finds no room comes again after a second
/// (TCP). The system may allow less (`net.core.somaxconn`).
const WAITING: i32 = 4096;

fn wait_in_line(listener: &impl AsFd) -> std::io::Result<()> {
    Ok(rustix::net::listen(listener, WAITING)?)
}

async fn listen(role: &str, address: SocketAddr, run_dir: &Path, emitter: &Emitter) -> Result<TcpListener, Fatal> {
    let port = role.to_uppercase();
    let listener = TcpListener::bind(address).await.map_err(|e| {
        let hint = active(run_dir).map(|text| format!(" ({text})")).unwrap_or_default();
        Fatal(format!("cannot listen on the {port} port, {address}: {e}{hint}"))
    })?;
    wait_in_line(&listener)
        .map_err(|e| Fatal(format!("cannot listen for {WAITING} connections on the {port} port, {address}: {e}")))?;
    accept::without_delay(&listener);
    emitter.emit(What::Listening { role: role.to_owned(), address });
    Ok(listener)
}

/// Says that another Debug Manager is active on this system, if one is.
fn active(run_dir: &Path) -> Option<String> {
    let token = nametoken::retrieve(run_dir, DBM_NAME).and_then(DbmToken::from_bytes).ok()?;
    let DbmToken { host_port, client_port, pid } = token;
    (pid != std::process::id()).then(|| {
        format!("a Debug Manager is active on this system already, ({client_port}/{host_port}), process {pid}")
    })
}

/// Whoever holds the name/token pair is the only Debug Manager here, so what lies at the path is a predecessor's. The directory
/// is the one that the key is in.
fn handoff_socket(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let socket = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    wait_in_line(&socket)?;
    Ok(socket)
}
