//! Small things that every connection needs.

use std::time::Duration;

use dbm_protocol::{Hello, RefusalCode, Refused, Role, VERSION, frame};
use rustix::net::sockopt;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a peer may take to say what it has to say first, or to read what it is sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the hello of a client.
pub(crate) async fn hello(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Refused> {
    let hello: Hello = first(stream, "a hello").await?;
    if hello.version != VERSION {
        let reason = format!("version {} of the messages, expected {VERSION}", hello.version);
        return Err(Refused { code: RefusalCode::Version, reason });
    }
    if hello.role != Role::Client {
        let reason = format!("role {:?}, expected a client", hello.role);
        return Err(Refused { code: RefusalCode::Role, reason });
    }
    Ok(())
}

/// Reads one message that must come.
pub(crate) async fn first<T: serde::de::DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    awaited: &str,
) -> Result<T, Refused> {
    match frame::read(stream).await {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(bad(format!("the connection ended, expected {awaited}"))),
        Err(e) => Err(bad(format!("{e}, expected {awaited}"))),
    }
}

fn bad(reason: String) -> Refused {
    Refused { code: RefusalCode::BadMessage, reason }
}

/// Writes one message, or gives up on a peer that does not read.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), String> {
    match timeout(PATIENCE, frame::write(stream, message)).await {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err(format!("the peer did not read for {PATIENCE:?}")),
    }
}

/// Lets a peer that vanishes without a word be noticed after a minute of silence. (RSE has its own keepalive,
/// DSTORE_KEEPALIVE_*; that it is TCP's here, and the figures, are ours.)
pub(crate) fn keep_alive(stream: &TcpStream) {
    let set = || -> rustix::io::Result<()> {
        sockopt::set_tcp_nodelay(stream, true)?;
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, Duration::from_secs(30))?;
        sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
        sockopt::set_tcp_keepcnt(stream, 3)
    };
    if let Err(e) = set() {
        tracing::debug!("socket options: {e}");
    }
}
