//! The encrypted try: the Eclipse client dials the RSE daemon with TLS first, and once more without it when that fails (z/OS
//! Explorer, "Distributed Dynamic VIPA"). A logon without TLS costs two connections to the daemon's port.
//!
//! What counts as "fails" is not documented, so this is ours: the daemon took the connection and did not answer with TLS. A
//! daemon that cannot be reached, or that stays silent, ends the logon like any other connection that fails.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use evidence::Emitter;
use humantime::format_duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client_hello::{self, Nonces};
use crate::dial::Line;

/// What the daemon does with a ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It closed the connection, with or without a reset.
    Closed,
    /// It said something that is no handshake: a TLS alert, or no TLS at all.
    NoHandshake,
    /// It goes on with TLS.
    Handshake,
}

/// Dials the RSE daemon with TLS and is turned away, which is what a daemon without TLS does.
///
/// # Errors
/// One sentence that says what happened instead; where the connection is to blame, the events say it too.
pub async fn is_turned_away(rsed: SocketAddr, limit: Duration, emitter: &Emitter) -> Result<(), String> {
    let hello = client_hello::record(&Nonces::fresh()?);
    let mut line = Line::dial("rsed_tls", rsed, limit, emitter).await?;
    let silence = || {
        let reason = format!("awaited the answer to a ClientHello for {}, nothing came", format_duration(limit));
        Err(io::Error::new(ErrorKind::TimedOut, reason))
    };
    match timeout(limit, offer(&mut line.stream, &hello)).await.unwrap_or_else(|_| silence()) {
        Ok(Answer::Handshake) => Err(format!(
            "the RSE daemon at {rsed} answered with TLS; this client cannot go on with it, and expected to be turned away"
        )),
        Ok(answer) => {
            tracing::info!(%rsed, ?answer, "turned away with TLS, dials once more without");
            Ok(())
        }
        Err(e) => Err(line.failed(&e)),
    }
}

/// Sends the ClientHello, and reads as much of the answer as says what it is.
async fn offer(stream: &mut TcpStream, hello: &[u8]) -> io::Result<Answer> {
    let mut start = Vec::new();
    let exchange = async {
        stream.write_all(hello).await?;
        stream.take(2).read_to_end(&mut start).await
    };
    match exchange.await {
        Ok(_) => Ok(meaning(&start)),
        Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Ok(Answer::Closed),
        Err(e) => Err(e),
    }
}

/// Content type 22 and a version 3.x start a record with a handshake message (RFC 8446, section 5.1).
fn meaning(start: &[u8]) -> Answer {
    match start {
        [] => Answer::Closed,
        [22, 3] => Answer::Handshake,
        _ => Answer::NoHandshake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_handshake_is_tls() {
        assert_eq!(meaning(&[]), Answer::Closed);
        assert_eq!(meaning(&[22, 3]), Answer::Handshake);
        for other in [&[21, 3][..], &[22], &[22, 2], b"\0\0", b"HT"] {
            assert_eq!(meaning(other), Answer::NoHandshake, "{other:?}");
        }
    }
}
