//! Accepting.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_nodelay;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::run::Event;
use super::tls::Wire;
use crate::core::{Input, Port};

/// Pause after an accept that failed: it may fail again at once, and must not keep the processor busy.
const AFTER_ERROR: Duration = Duration::from_millis(20);

/// So many are accepted before those that are there may speak: who means it has spoken by then, and is not taken for a silent one
/// that has to go for the next.
const AT_ONCE: u64 = 16;

/// Sets TCP_NODELAY on a listener. On Linux every connection that is accepted there inherits it, so it costs no call each: a word goes
/// out when it is said. The debugger will want it too, and it travels with the socket.
///
/// Not so TCP_QUICKACK: switched off here, a peer that says its hello and the next word in two pieces and has no TCP_NODELAY would
/// wait 40 ms for the acknowledgement of the first.
pub(super) fn without_delay(listener: &TcpListener) {
    if let Err(e) = set_tcp_nodelay(listener, true) {
        tracing::warn!("a listener is left without TCP_NODELAY: {e}");
    }
}

/// Accepts on a TCP port for ever.
pub(super) async fn tcp(listener: TcpListener, port: Port, core: mpsc::Sender<Event>) {
    for number in 1_u64.. {
        if number.is_multiple_of(AT_ONCE) {
            tokio::task::yield_now().await;
        }
        let event = match listener.accept().await {
            Ok((stream, _)) => Event::Tcp { port, stream: Wire::Tcp(stream) },
            Err(e) => failed(&e, &format!("{port:?}")).await,
        };
        if core.send(event).await.is_err() {
            return;
        }
    }
}

/// Accepts on the handoff socket for ever.
pub(super) async fn unix(listener: UnixListener, core: mpsc::Sender<Event>) {
    loop {
        let event = match listener.accept().await {
            Ok((stream, _)) => Event::Unix(stream),
            Err(e) => failed(&e, "the handoff socket").await,
        };
        if core.send(event).await.is_err() {
            return;
        }
    }
}

/// Without file descriptors a connection has to go before the next can come; other errors are of one connection only.
pub(super) async fn failed(error: &io::Error, at: &str) -> Event {
    tracing::warn!("accept on {at}: {error}");
    sleep(AFTER_ERROR).await;
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    let short = error.raw_os_error().is_some_and(|e| short.contains(&Errno::from_raw_os_error(e)));
    Event::Input(if short { Input::Pressure } else { Input::Tick })
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::tcp_nodelay;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn an_accepted_connection_has_the_option_of_its_listener() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
        without_delay(&listener);
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (server, _) = listener.accept().await.expect("accepts");
        assert!(tcp_nodelay(&server).expect("an option"));
        assert!(!tcp_nodelay(&client).expect("an option"), "as by default");
    }
}
