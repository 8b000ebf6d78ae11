//! Figure 4, step 9: the engine's socket goes to the debugger.
//!
//! An engine's connection is read exactly as far as its two messages go: what follows belongs to the debugger. When the core
//! says so, the engine's task writes the last word of Debug Manager and gives its socket to the task of the debugger's
//! connection to the handoff socket, which passes it on. Then both are gone from here. Where TLS ends in Debug Manager, what is
//! passed on is a socket to a `relay`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use dbm_protocol::handoff::{Linked, send_socket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::duplex::{WRITE, linger};
use super::read::{self, Read};
use super::relay::{About, Relays};
use super::run::Event;
use super::tls::{self, Secure};
use super::trouble::Trouble;
use crate::core::{ConnId, Input, Port};

/// How long the debugger may take to take the message that comes with a socket.
const PASS: Duration = Duration::from_secs(5);
/// Hello, and attach or claim.
const MESSAGES: usize = 2;

/// What a task is told to do. When the sending end is dropped, it closes its connection.
pub(super) enum Order {
    /// Send this.
    Send(Vec<u8>),
    /// To an engine's task.
    Link(Box<Link>),
    /// To a debugger's task.
    Pass(Box<Pass>),
}

/// Send `accepted`, then give the socket to the task at the other end of `handoff`.
pub(super) struct Link {
    pub(super) accepted: Vec<u8>,
    pub(super) linked: Linked,
    pub(super) handoff: mpsc::UnboundedSender<Order>,
}

/// Pass this socket on.
pub(super) struct Pass {
    linked: Linked,
    engine: Passed,
    done: oneshot::Sender<Result<(), String>>,
}

/// What a debugger is given.
pub(super) enum Passed {
    /// The client's own connection.
    Socket(TcpStream),
    /// The end of a relay to it.
    Relay(StdUnixStream),
}

impl AsFd for Passed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Socket(stream) => stream.as_fd(),
            Self::Relay(stream) => stream.as_fd(),
        }
    }
}

/// An engine's connection, with TLS or without.
trait Engine: AsyncRead + AsyncWrite + Unpin {
    /// The TCP connection itself.
    fn tcp(&self) -> &TcpStream;
    /// Makes it what a debugger can be given.
    fn pass(self, linked: &Linked, relays: &Relays) -> io::Result<Passed>;
}

impl Engine for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    fn pass(self, _linked: &Linked, _relays: &Relays) -> io::Result<Passed> {
        Ok(Passed::Socket(self))
    }
}

impl Engine for Box<Secure> {
    fn tcp(&self) -> &TcpStream {
        tls::below(self)
    }

    fn pass(self, linked: &Linked, relays: &Relays) -> io::Result<Passed> {
        let about = About { session: linked.session.to_string(), peer: linked.peer };
        relays.start(self, about).map(Passed::Relay)
    }
}

/// The life of an engine's connection.
pub(super) async fn engine(
    conn: ConnId,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    relays: Relays,
) {
    let Some(acceptor) = tls else { return converse(conn, stream, orders, &relays).await };
    let accepted = tokio::select! {
        // In a box, as the life of a connection without TLS is not to have room for it.
        accepted = Box::pin(tls::accept(&acceptor, stream)) => accepted,
        // Before the handshake is done, an order is the end.
        _ = orders.recv() => return,
    };
    match accepted {
        Ok(stream) => Box::pin(converse(conn, stream, orders, &relays)).await,
        Err(not) => Box::pin(tls::turn_away(not, (conn, Port::Client), &relays.core, let_go(&mut orders))).await,
    }
}

/// Waits until nothing more is expected of a connection.
async fn let_go(orders: &mut mpsc::UnboundedReceiver<Order>) {
    while orders.recv().await.is_some() {}
}

async fn converse<E: Engine>(conn: ConnId, mut stream: E, mut orders: mpsc::UnboundedReceiver<Order>, relays: &Relays) {
    let core = &relays.core;
    let mut order = tokio::select! {
        biased;
        read = read::messages(&mut stream, Port::Client, conn, MESSAGES, core) => {
            if read == Read::Tls {
                let _ = core.send(Event::Trouble { conn, port: Port::Client, trouble: Trouble::TlsHere }).await;
                // What there is to say of it is said before the peer notices.
                let_go(&mut orders).await;
                tls::hang_up(stream.tcp()).await;
                return;
            }
            orders.recv().await
        }
        // Before both messages are read, an order is the beginning of the end.
        order = orders.recv() => order,
    };
    let mut wrote = false;
    while let Some(next) = order {
        match next {
            Order::Send(bytes) => {
                let _ = timeout(WRITE, write(&mut stream, &bytes)).await;
                wrote = true;
            }
            Order::Link(order) => {
                let result = link(stream, *order, relays).await;
                let _ = core.send(Event::Input(Input::LinkDone { engine: conn, result })).await;
                return;
            }
            Order::Pass(_) => {}
        }
        order = orders.recv().await;
    }
    if wrote {
        let _ = timeout(WRITE, stream.shutdown()).await;
        linger(stream.tcp()).await;
    }
}

/// Writes, and what TLS may have kept of it, too.
async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn link<E: Engine>(mut stream: E, order: Link, relays: &Relays) -> Result<(), String> {
    let Link { accepted, linked, handoff } = order;
    timeout(WRITE, write(&mut stream, &accepted))
        .await
        .map_err(|_| "the engine does not read".to_owned())?
        .map_err(|e| format!("the engine's connection failed: {e}"))?;
    let (done, answer) = oneshot::channel();
    let gone = "the debugger's connection to the handoff socket ended";
    let engine = stream.pass(&linked, relays).map_err(|e| format!("there is no relay: {e}"))?;
    handoff.send(Order::Pass(Box::new(Pass { linked, engine, done }))).map_err(|_| gone)?;
    answer.await.map_err(|_| gone)?
}

/// The life of a debugger's connection to the handoff socket.
pub(super) async fn claimant(
    conn: ConnId,
    mut stream: UnixStream,
    mut orders: mpsc::UnboundedReceiver<Order>,
    core: mpsc::Sender<Event>,
) {
    let mut order = tokio::select! {
        biased;
        _ = read::messages(&mut stream, Port::Handoff, conn, MESSAGES, &core) => None,
        order = orders.recv() => match order {
            Some(order) => Some(order),
            None => return,
        },
    };
    loop {
        match order.take() {
            Some(Order::Send(bytes)) => {
                let _ = timeout(WRITE, stream.write_all(&bytes)).await;
            }
            Some(Order::Pass(pass)) => {
                let Pass { linked, engine, done } = *pass;
                let sent = timeout(PASS, send_socket(&stream, &linked, engine.as_fd())).await;
                // Our copy: from here on nobody but the debugger holds the connection.
                if planted!(SocketKept) {
                    std::mem::forget(engine);
                } else {
                    drop(engine);
                }
                let _ = done.send(match sent {
                    Ok(sent) => sent.map_err(|e| e.to_string()),
                    Err(_) => Err("the debugger does not read".to_owned()),
                });
                return;
            }
            Some(Order::Link(_)) | None => {}
        }
        let mut byte = [0];
        tokio::select! {
            biased;
            next = orders.recv() => match next {
                Some(next) => order = Some(next),
                None => return,
            },
            read = stream.read(&mut byte) => {
                let input = match read {
                    Ok(0) => Input::Closed { conn, reason: "the connection ended".to_owned() },
                    Err(e) => Input::Closed { conn, reason: e.to_string() },
                    Ok(_) => Input::Garbage { conn, reason: "nothing is expected after a claim".to_owned() },
                };
                let ended = matches!(input, Input::Closed { .. });
                let _ = core.send(Event::Input(input)).await;
                if ended {
                    return;
                }
            }
        }
    }
}
