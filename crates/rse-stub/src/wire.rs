//! Small things that every connection needs.

use std::time::Duration;

use dbm_protocol::frame::{self, FrameError};
use dbm_protocol::{Hello, RefusalCode, Refused, Role, VERSION, tls};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::timeout;

/// How long a peer may take to say what it has to say first, or to read what it is sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes each of a connection's first messages may have, its header included. All that is in order is shorter by far, and
/// a stranger's half frames are not to cost more than this each.
const LONGEST_FIRST: u64 = 4096;

/// Why there is no message to work with.
#[derive(Debug)]
pub(crate) enum NotHeard {
    /// The peer speaks TLS.
    Tls,
    /// It is refused.
    Refused(Refused),
}

impl From<Refused> for NotHeard {
    fn from(no: Refused) -> Self {
        Self::Refused(no)
    }
}

/// Reads the hello of a client.
pub(crate) async fn hello(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), NotHeard> {
    let hello: Hello = first(stream, "a hello").await?;
    if hello.version != VERSION {
        let reason = format!("version {} of the messages, expected {VERSION}", hello.version);
        return Err(Refused { code: RefusalCode::Version, reason }.into());
    }
    if hello.role != Role::Client {
        let reason = format!("role {:?}, expected a client", hello.role);
        return Err(Refused { code: RefusalCode::Role, reason }.into());
    }
    Ok(())
}

/// Reads one message that must come.
pub(crate) async fn first<T: serde::de::DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    awaited: &str,
) -> Result<T, NotHeard> {
    let mut limited = (&mut *stream).take(LONGEST_FIRST);
    match frame::read(&mut limited).await {
        Ok(Some(message)) => Ok(message),
        Err(FrameError::Cut) if limited.limit() == 0 => {
            Err(bad(format!("a message of more than {LONGEST_FIRST} bytes, expected {awaited}")))
        }
        Err(FrameError::TooLong { found }) if tls::is_handshake(found) => Err(NotHeard::Tls),
        Ok(None) => Err(bad(format!("the connection ended, expected {awaited}"))),
        Err(e) => Err(bad(format!("{e}, expected {awaited}"))),
    }
}

fn bad(reason: String) -> NotHeard {
    NotHeard::Refused(Refused { code: RefusalCode::BadMessage, reason })
}

/// Writes one message, or gives up on a peer that does not read.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), String> {
    match timeout(PATIENCE, frame::write(stream, message)).await {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err(format!("the peer did not read for {PATIENCE:?}")),
    }
}
