//! The client's socket, as it was handed over: the client's own connection, or, where TLS ends in Debug Manager, one end of a pair
//! of Unix sockets behind which Debug Manager relays. Which of the two it is, the socket itself says.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use dbm_protocol::handoff::Linked;
use dbm_protocol::tcp::KeepAlive;
use evidence::Emitter;
use rustix::net::{AddressFamily, sockopt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::adapter::Adapter;
use crate::session;

/// A workstation that vanishes without a word is noticed after half a minute of silence. (TCP keepalive; the figures are ours.)
const KEEP_ALIVE: KeepAlive = KeepAlive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), probes: 3 };

/// The way to the client.
#[derive(Debug)]
pub struct Client {
    /// The client's end.
    pub peer: SocketAddr,
    /// The end on this system: the address that the client dialled (the DVIPA) and the external port.
    pub local: SocketAddr,
    stream: Stream,
}

/// What can be read and written.
pub trait BothWays: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> BothWays for S {}

#[derive(Debug)]
enum Stream {
    Connection(TcpStream),
    Relay(UnixStream),
}

impl Client {
    /// Makes the socket that came with this message ours.
    ///
    /// # Errors
    /// When it is of no use, which is so when the client has hung up already.
    pub fn adopt(linked: &Linked, socket: OwnedFd) -> io::Result<Self> {
        if sockopt::socket_domain(&socket)? == AddressFamily::UNIX {
            let stream = std::os::unix::net::UnixStream::from(socket);
            stream.set_nonblocking(true)?;
            let stream = Stream::Relay(UnixStream::from_std(stream)?);
            return Ok(Self { peer: linked.peer, local: linked.local, stream });
        }
        KEEP_ALIVE.set_on(&socket)?;
        let stream = std::net::TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream)?;
        // Said by the socket itself, not by the message that came with it.
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        Ok(Self { peer, local, stream: Stream::Connection(stream) })
    }

    /// The bare connection, for who speaks another way over it.
    pub fn into_stream(self) -> Box<dyn BothWays> {
        match self.stream {
            Stream::Connection(stream) => Box::new(stream),
            Stream::Relay(stream) => Box::new(stream),
        }
    }

    /// Serves the client until the program has run to its end.
    ///
    /// # Errors
    /// One sentence that says how the client was lost before the end.
    pub async fn serve(self, adapter: Adapter, emitter: &Emitter) -> Result<(), String> {
        match self.stream {
            Stream::Connection(stream) => {
                let (reading, writing) = stream.into_split();
                session::serve(reading, writing, adapter, emitter).await
            }
            Stream::Relay(stream) => {
                let (reading, writing) = stream.into_split();
                session::serve(reading, writing, adapter, emitter).await
            }
        }
    }
}
