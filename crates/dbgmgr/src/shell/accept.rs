//! Accepting and dialling.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::run::Event;
use crate::core::{Input, Port};

/// Pause after an accept that failed: it may fail again at once, and must not keep the processor busy.
const AFTER_ERROR: Duration = Duration::from_millis(20);
/// How long dialling the hub may take. An LPAR that is down does not answer at all.
const DIAL: Duration = Duration::from_secs(3);

/// Accepts on a TCP port for ever.
pub(super) async fn tcp(listener: TcpListener, port: Port, core: mpsc::Sender<Event>) {
    loop {
        let event = match listener.accept().await {
            Ok((stream, _)) => Event::Tcp { port, stream },
            Err(e) => failed(&e, port).await,
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
            Err(e) => failed(&e, Port::Handoff).await,
        };
        if core.send(event).await.is_err() {
            return;
        }
    }
}

/// Without file descriptors a connection has to go before the next can come; other errors are of one connection only.
async fn failed(error: &io::Error, port: Port) -> Event {
    tracing::warn!("accept on {port:?}: {error}");
    sleep(AFTER_ERROR).await;
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    let short = error.raw_os_error().is_some_and(|e| short.contains(&Errno::from_raw_os_error(e)));
    Event::Input(if short { Input::Pressure } else { Input::Tick })
}

/// Tries to listen on HUBIP:HUBPORT.
pub(super) async fn bind_hub(hub: SocketAddr, core: mpsc::Sender<Event>) {
    let event = match TcpListener::bind(hub).await {
        Ok(listener) => Event::HubListener(listener),
        Err(e) => Event::Input(Input::HubBound(Err(e.to_string()))),
    };
    let _ = core.send(event).await;
}

/// Dials HUBIP:HUBPORT.
pub(super) async fn connect_hub(hub: SocketAddr, core: mpsc::Sender<Event>) {
    let event = match timeout(DIAL, dial(hub)).await {
        Ok(Ok(stream)) => Event::Tcp { port: Port::Upstream, stream },
        Ok(Err(e)) => Event::Input(Input::HubUnreachable(e.to_string())),
        Err(_) => Event::Input(Input::HubUnreachable(format!("no answer from {hub} in {DIAL:?}"))),
    };
    let _ = core.send(event).await;
}

async fn dial(hub: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(hub).await?;
    // On one's own address with a port of the ephemeral range TCP can connect a socket to itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::other("connected to itself"));
    }
    Ok(stream)
}
