//! HUBIP:HUBPORT from this end: the attempt to bind or to dial that is under way, and the listener while this is the primary.
//!
//! The operator may move the hub at any moment, so what comes of an attempt that was given up must not be taken for the
//! outcome of a later one: attempts are numbered.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::accept;
use super::run::Event;
use super::tls::{self, Wire};
use crate::core::Port;

/// How long dialling the hub may take, with its handshake where there is TLS. An LPAR that is down does not answer at all.
const DIAL: Duration = Duration::from_secs(3);

/// What came of an attempt.
pub(super) enum Outcome {
    /// HUBIP:HUBPORT is bound; or why not.
    Bind(io::Result<TcpListener>),
    /// The primary was reached; or why not.
    Dial(io::Result<Wire>),
}

pub(super) struct HubPort {
    core: mpsc::Sender<Event>,
    /// With HUBTLS=ON.
    tls: Option<TlsConnector>,
    attempt: u64,
    under_way: Option<AbortHandle>,
    listener: Option<(SocketAddr, JoinHandle<()>)>,
    /// The task of a listener that was told to end.
    ending: Option<JoinHandle<()>>,
}

impl HubPort {
    pub(super) fn new(core: mpsc::Sender<Event>, tls: Option<TlsConnector>) -> Self {
        Self { core, tls, attempt: 0, under_way: None, listener: None, ending: None }
    }

    /// Tries to listen at the hub's address.
    pub(super) fn bind(&mut self, hub: SocketAddr) {
        let ending = self.ending.take();
        self.begin(async move {
            // The hub may have been at this very address; it is free once the old listener is gone.
            if let Some(listener) = ending {
                let _ = listener.await;
            }
            Outcome::Bind(TcpListener::bind(hub).await.inspect(accept::without_delay))
        });
    }

    /// Dials the hub's address.
    pub(super) fn dial(&mut self, hub: SocketAddr) {
        let tls = self.tls.clone();
        self.begin(async move {
            let late = || Err(io::Error::other(format!("no answer from {hub} in {DIAL:?}")));
            Outcome::Dial(timeout(DIAL, dial(hub, tls)).await.unwrap_or_else(|_| late()))
        });
    }

    /// Dials a place where another primary may be. Nothing comes of it when nobody answers.
    pub(super) fn call(&self, place: SocketAddr) {
        let (core, tls) = (self.core.clone(), self.tls.clone());
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(DIAL, dial(place, tls)).await {
                let _ = core.send(Event::Tcp { port: Port::Call, stream }).await;
            }
        });
    }

    fn begin(&mut self, attempt: impl Future<Output = Outcome> + Send + 'static) {
        self.give_up();
        let (core, number) = (self.core.clone(), self.attempt);
        let task = tokio::spawn(async move {
            let outcome = attempt.await;
            let _ = core.send(Event::Hub { attempt: number, outcome }).await;
        });
        self.under_way = Some(task.abort_handle());
    }

    fn give_up(&mut self) {
        self.attempt += 1;
        if let Some(task) = self.under_way.take() {
            task.abort();
        }
    }

    /// Ends the attempt that is under way, and the listener.
    pub(super) fn leave(&mut self) {
        self.give_up();
        if let Some((_, task)) = self.listener.take() {
            task.abort();
            self.ending = Some(task);
        }
    }

    /// Is this the attempt whose outcome is waited for?
    pub(super) fn is_current(&self, attempt: u64) -> bool {
        self.attempt == attempt
    }

    /// Accepts from now on.
    pub(super) fn listen(&mut self, listener: TcpListener, at: SocketAddr) {
        let task = tokio::spawn(accept::tcp(listener, Port::Hub, self.core.clone()));
        self.listener = Some((at, task));
    }

    /// Was a connection with this local end accepted by the listener that there is now?
    pub(super) fn accepts_at(&self, local: SocketAddr) -> bool {
        self.listener.as_ref().is_some_and(|(at, _)| (at.ip(), at.port()) == (local.ip(), local.port()))
    }
}

async fn dial(hub: SocketAddr, tls: Option<TlsConnector>) -> io::Result<Wire> {
    let stream = TcpStream::connect(hub).await?;
    // On one's own address with a port of the ephemeral range TCP can connect a socket to itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::other("connected to itself"));
    }
    let _ = stream.set_nodelay(true);
    Ok(match tls {
        Some(connector) => Wire::Tls(tls::connect(&connector, hub, stream).await?),
        None => Wire::Tcp(stream),
    })
}
