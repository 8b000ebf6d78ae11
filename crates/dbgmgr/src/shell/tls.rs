//! TLS at the door: handshakes, and those who do not speak what is spoken here.
//!
//! Until its handshake is done a connection is one that has not said what it wants, and the core counts and times it as such.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use dbm_protocol::engine::ToEngine;
use dbm_protocol::hub::HubMessage;
use dbm_protocol::tls::HANDSHAKE;
use dbm_protocol::{RefusalCode, Refused, frame};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, Take};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::duplex::linger;
use super::run::Event;
use super::trouble::Trouble;
use crate::core::{ConnId, Input, Port, Reply};

/// How many bytes a partner may send for its handshake: those of a long chain of certificates, four times. Without this limit it is
/// 64 KiB that one who has proven nothing can make TLS keep.
const LONGEST_HANDSHAKE: u64 = 16 * 1024;

/// The connection under TLS. It ends where a handshake may have no more bytes, until that is done.
pub(super) struct Gate(Take<TcpStream>);

/// A connection with TLS, accepted or dialled.
pub(super) type Secure = TlsStream<Gate>;

/// A connection as it comes from outside.
pub(super) enum Wire {
    /// As it is, and TLS is still to come, if there is to be any.
    Tcp(TcpStream),
    /// Dialled, and the handshake is done.
    Tls(Box<Secure>),
}

impl Wire {
    /// The connection below.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => below(stream),
        }
    }
}

/// The connection under a TLS connection.
pub(super) fn below(stream: &Secure) -> &TcpStream {
    stream.get_ref().0.0.get_ref()
}

/// Why a connection has no TLS.
pub(super) enum Not {
    /// It ended, and nothing is to be said about that.
    Ended(String),
    /// The operator should know. The connection is still there, and of no use.
    Trouble(Trouble, TcpStream),
}

/// Answers a handshake.
pub(super) async fn accept(acceptor: &TlsAcceptor, stream: TcpStream) -> Result<Box<Secure>, Not> {
    let ended = |e: &io::Error| Not::Ended(e.to_string());
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) => return Err(Not::Ended("the connection ended".to_owned())),
        Ok(_) if first[0] == HANDSHAKE => {}
        Ok(_) => return Err(Not::Trouble(Trouble::NoTls, stream)),
        Err(e) => return Err(ended(&e)),
    }
    match acceptor.accept(Gate::new(stream)).into_fallible().await {
        Ok(stream) => Ok(open(stream.into())),
        Err((e, gate)) => {
            let reason = match e.kind() {
                _ if gate.0.limit() == 0 => format!("the handshake has more than {LONGEST_HANDSHAKE} bytes"),
                ErrorKind::InvalidData => e.to_string(),
                _ => return Err(ended(&e)),
            };
            Err(Not::Trouble(Trouble::Handshake(reason), gate.0.into_inner()))
        }
    }
}

/// Tells the core's place of a connection that has no TLS, and ends it: after `let_go`, when the core's place has let go of it, so
/// that what it has to say is said before the peer notices. One who does not speak TLS is told to.
pub(super) async fn turn_away(
    not: Not,
    (conn, port): (ConnId, Port),
    core: &mpsc::Sender<Event>,
    let_go: impl Future<Output = ()>,
) {
    match not {
        Not::Ended(reason) => drop(core.send(Event::Input(Input::Closed { conn, reason })).await),
        Not::Trouble(trouble, mut stream) => {
            let speaks_without = trouble == Trouble::NoTls;
            let _ = core.send(Event::Trouble { conn, port, trouble }).await;
            let_go.await;
            if speaks_without {
                tell_to_use_tls(port, &mut stream).await;
            }
            hang_up(&stream).await;
        }
    }
}

/// Begins TLS on a connection that was dialled. The partner's certificate must name the address.
pub(super) async fn connect(connector: &TlsConnector, to: SocketAddr, stream: TcpStream) -> io::Result<Box<Secure>> {
    let name = ServerName::from(to.ip());
    match connector.connect(name, Gate::new(stream)).await {
        Ok(stream) => Ok(open(stream.into())),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Err(io::Error::new(
            e.kind(),
            format!("{to} ended the connection in the handshake; has it no TLS (HUBTLS)?"),
        )),
        Err(e) => Err(io::Error::new(e.kind(), format!("no TLS with {to}: {e}"))),
    }
}

/// The handshake is done.
fn open(stream: Secure) -> Box<Secure> {
    let mut stream = Box::new(stream);
    let gate = match &mut *stream {
        TlsStream::Server(stream) => stream.get_mut().0,
        TlsStream::Client(stream) => stream.get_mut().0,
    };
    gate.0.set_limit(u64::MAX);
    stream
}

/// The refusal of one who speaks our messages without TLS, in the same way.
async fn tell_to_use_tls(port: Port, stream: &mut TcpStream) {
    let refused = Refused { code: RefusalCode::Tls, reason: "TLS is spoken on this port".to_owned() };
    let reply = match port {
        Port::Client => Reply::Engine(ToEngine::Refused(refused)),
        _ => Reply::Hub(HubMessage::Refused(refused)),
    };
    // A short message into a new connection's empty buffer: it does not wait for the peer.
    if let Ok(bytes) = frame::encode(&reply) {
        let _ = stream.write_all(&bytes).await;
    }
}

/// Ends a connection so that the peer reads what was said last, and then the end, and no reset.
pub(super) async fn hang_up(stream: &TcpStream) {
    let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::Write);
    linger(stream).await;
}

impl Gate {
    fn new(stream: TcpStream) -> Self {
        Self(stream.take(LONGEST_HANDSHAKE))
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.0.get_mut())
    }
}

impl AsyncRead for Gate {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Gate {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
