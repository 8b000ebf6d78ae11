//! Figure 4, step 9: the engine's socket goes to the debugger.
//!
//! An engine's connection is read exactly as far as its two messages go: what follows belongs to the debugger. When the core
//! says so, the engine's task writes the last word of Debug Manager and gives its socket to the task of the debugger's
//! connection to the handoff socket, which passes it on. Then both are gone from here.

use std::os::fd::AsFd;
use std::time::Duration;

use dbm_protocol::handoff::{Linked, send_socket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::duplex::{WRITE, linger};
use super::read;
use super::run::Event;
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
    engine: TcpStream,
    done: oneshot::Sender<Result<(), String>>,
}

/// The life of an engine's connection.
pub(super) async fn engine(
    conn: ConnId,
    mut stream: TcpStream,
    mut orders: mpsc::UnboundedReceiver<Order>,
    core: mpsc::Sender<Event>,
) {
    // The debugger will want it, and the option travels with the socket.
    let _ = stream.set_nodelay(true);
    let mut order = tokio::select! {
        biased;
        () = read::messages(&mut stream, Port::Client, conn, MESSAGES, &core) => orders.recv().await,
        // Before both messages are read, an order is the beginning of the end.
        order = orders.recv() => order,
    };
    let mut wrote = false;
    while let Some(next) = order {
        match next {
            Order::Send(bytes) => {
                let _ = timeout(WRITE, stream.write_all(&bytes)).await;
                wrote = true;
            }
            Order::Link(order) => {
                let result = link(stream, *order).await;
                let _ = core.send(Event::Input(Input::LinkDone { engine: conn, result })).await;
                return;
            }
            Order::Pass(_) => {}
        }
        order = orders.recv().await;
    }
    if wrote {
        let _ = stream.shutdown().await;
        linger(&stream).await;
    }
}

async fn link(mut stream: TcpStream, Link { accepted, linked, handoff }: Link) -> Result<(), String> {
    timeout(WRITE, stream.write_all(&accepted))
        .await
        .map_err(|_| "the engine does not read".to_owned())?
        .map_err(|e| format!("the engine's connection failed: {e}"))?;
    let (done, answer) = oneshot::channel();
    let gone = "the debugger's connection to the handoff socket ended";
    handoff.send(Order::Pass(Box::new(Pass { linked, engine: stream, done }))).map_err(|_| gone)?;
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
        () = read::messages(&mut stream, Port::Handoff, conn, MESSAGES, &core) => None,
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
                drop(engine);
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
