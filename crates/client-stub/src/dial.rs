//! Connections that the client dials, and how they fail.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use dbm_protocol::frame::{self, FrameError};
use dbm_protocol::tcp::KeepAlive;
use evidence::{Emitter, What};
use humantime::format_duration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A host that vanishes without a word is noticed after half a minute of silence. (TCP keepalive; the figures are ours.)
const KEEP_ALIVE: KeepAlive = KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), probes: 3 };

/// A connection with the words to speak about it.
#[derive(Debug)]
pub struct Line<S = TcpStream> {
    /// The connection, with TLS or without.
    pub stream: S,
    /// `rsed` (`rsed_tls` with TLS), `rse_server` or `engine`.
    pub(crate) what: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) limit: Duration,
    pub(crate) emitter: Emitter,
}

impl Line {
    /// Dials `address` and waits at most `limit`, for the connection and later for each answer.
    ///
    /// # Errors
    /// One sentence that says what did not work; the events say it too.
    pub async fn dial(
        what: &'static str,
        address: SocketAddr,
        limit: Duration,
        emitter: &Emitter,
    ) -> Result<Self, String> {
        emitter.emit(What::Dialling { what: what.to_owned(), address });
        let connected = match timeout(limit, TcpStream::connect(address)).await {
            Ok(connected) => connected.and_then(|stream| Ok((stream.local_addr()?, stream.peer_addr()?, stream))),
            Err(_) => {
                let reason = format!("no answer from {address} within {}", format_duration(limit));
                Err(io::Error::new(ErrorKind::TimedOut, reason))
            }
        };
        match connected {
            Ok((local, peer, stream)) => {
                emitter.emit(What::Connected { what: what.to_owned(), local, peer });
                if let Err(e) = KEEP_ALIVE.set_on(&stream) {
                    tracing::debug!("socket options: {e}");
                }
                Ok(Self { stream, what, address, limit, emitter: emitter.clone() })
            }
            Err(e) => Err(failed(emitter, what, address, how(&e), &e.to_string())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Sends one message.
    ///
    /// # Errors
    /// One sentence that says what did not work.
    pub async fn say(&mut self, message: &impl Serialize) -> Result<(), String> {
        match timeout(self.limit, frame::write(&mut self.stream, message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(self.broke(&e)),
            Err(_) => {
                Err(format!("{} at {} did not read for {}", self.what, self.address, format_duration(self.limit)))
            }
        }
    }

    /// Reads the one message that must come now. `awaited` names it for a person.
    ///
    /// # Errors
    /// One sentence that says what was awaited, and what came instead.
    pub async fn answer<T: DeserializeOwned>(&mut self, awaited: &str) -> Result<T, String> {
        match timeout(self.limit, frame::read(&mut self.stream)).await {
            Ok(Ok(Some(message))) => Ok(message),
            Ok(Ok(None)) => {
                let reason = format!("the connection was closed, awaited {awaited}");
                Err(failed(&self.emitter, self.what, self.address, "closed", &reason))
            }
            Ok(Err(e)) => Err(format!("awaited {awaited}: {}", self.broke(&e))),
            Err(_) => Err(format!(
                "awaited {awaited} from {} at {} for {}; the connection stands, and nothing came on it",
                self.what,
                self.address,
                format_duration(self.limit)
            )),
        }
    }

    /// Emits that the connection failed, and says it.
    pub(crate) fn failed(&self, e: &io::Error) -> String {
        failed(&self.emitter, self.what, self.address, how(e), &e.to_string())
    }

    fn broke(&self, e: &FrameError) -> String {
        match e {
            FrameError::Io(io) => self.failed(io),
            FrameError::Cut => failed(&self.emitter, self.what, self.address, "closed", &e.to_string()),
            other => format!("{} at {}: {other}", self.what, self.address),
        }
    }
}

/// Emits that a connection failed, and says it.
pub(crate) fn failed(emitter: &Emitter, what: &str, address: SocketAddr, how: &str, reason: &str) -> String {
    let (what, reason) = (what.to_owned(), reason.to_owned());
    let sentence = format!("{what} at {address}: {how}: {reason}");
    emitter.emit(What::ConnectFailed { what, address, how: how.to_owned(), reason });
    sentence
}

pub(crate) fn how(e: &io::Error) -> &'static str {
    match e.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::TimedOut => "timed_out",
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => "reset",
        ErrorKind::UnexpectedEof => "closed",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_their_names() {
        for (kind, name) in [
            (ErrorKind::ConnectionRefused, "refused"),
            (ErrorKind::TimedOut, "timed_out"),
            (ErrorKind::ConnectionReset, "reset"),
            (ErrorKind::BrokenPipe, "reset"),
            (ErrorKind::HostUnreachable, "other"),
        ] {
            assert_eq!(how(&kind.into()), name);
        }
    }
}
