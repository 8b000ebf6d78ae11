//! TLS, as far as one who does not speak it meets it: the Eclipse client tries it first, and dials once more without it when
//! the connection is closed (z/OS Explorer, "Distributed Dynamic VIPA").

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire::PATIENCE;

/// Most that is read from a peer that was turned away, in bytes: one record of TLS, header and all (RFC 8446, section 5.1).
const MAX_RECORD: u64 = 5 + (1 << 14);

/// Closes at once, so that the peer reads the end of the connection and not a reset: a socket that is closed before all is read
/// sends a reset, so the rest of the peer's record is read, until the peer closes too or takes too long.
pub(crate) async fn turn_away(mut stream: TcpStream, peer: SocketAddr) {
    tracing::info!(%peer, "a TLS handshake, and there is no TLS here: closed");
    let closing = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(MAX_RECORD), &mut tokio::io::sink()).await
    };
    if let Ok(Err(e)) = timeout(PATIENCE, closing).await {
        tracing::debug!(%peer, "turned away: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_peer_that_is_turned_away_is_never_reset() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let mut client = TcpStream::connect(listener.local_addr().expect("address")).await.expect("connect");
        let (daemon, peer) = listener.accept().await.expect("accept");
        client.write_all(&[22; 100]).await.expect("write");
        let talk = async {
            assert_eq!(client.read(&mut [0]).await.expect("a close"), 0);
            client.write_all(&[22; 100]).await.expect("it is still read");
            client.shutdown().await.expect("shutdown");
        };
        tokio::join!(turn_away(daemon, peer), talk);
        assert!(client.take_error().expect("socket error").is_none(), "no reset came");
    }
}
