//! The client's socket on its way into the job (z/OS: givesocket/takesocket; here SCM_RIGHTS over a Unix socket).
//!
//! The debugger connects to Debug Manager's Unix socket (its path comes with [`crate::host::ToDebugger::Waiting`]) and sends
//! [`Hello`](crate::Hello) with the role `debugger` and [`FromClaimant::Claim`]. It reads one frame, [`ToClaimant`]. After
//! `Claimed` it calls [`receive_socket`]: the one message that follows carries the client's connection. When the session ends
//! without a client, the Unix connection just ends ([`HandoffError::Closed`]); the HOST connection says why.
//!
//! Where TLS ends in Debug Manager, the socket that comes is not the client's but one end of a pair of Unix sockets, and Debug
//! Manager relays between the other end and the client.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::frame::{self, FrameError};
use crate::{Refused, SessionId, Token, UserId};

/// From the debugger on the Unix socket, after its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromClaimant {
    /// The client's socket for this session belongs to me.
    Claim {
        /// The session.
        session: SessionId,
        /// The secret from [`crate::host::ToDebugger::Waiting`].
        claim: Token,
    },
}

/// To the debugger on the Unix socket. After `Claimed` comes nothing but the message of [`receive_socket`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToClaimant {
    /// The claim stands; wait for the client's socket.
    Claimed {},
    /// No; the connection is closed.
    Refused(Refused),
}

/// What comes with the client's socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linked {
    /// The session.
    pub session: SessionId,
    /// The user whose client this is.
    pub user: UserId,
    /// The client's end. A socket to a relay does not know it, nor the next.
    pub peer: SocketAddr,
    /// This end: the address that the client dialled (the DVIPA) and the external port.
    pub local: SocketAddr,
}

/// Why no socket came.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The connection ended before a message began: the session ended without a client.
    #[error("the handoff connection ended before a socket came")]
    Closed,
    /// A message without a socket.
    #[error("the handoff message carries no socket")]
    NoSocket,
    /// A message with more than one; all of them were closed.
    #[error("the handoff message carries more than one socket")]
    SeveralSockets,
    /// The message itself is not right, or the connection failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl From<std::io::Error> for HandoffError {
    fn from(e: std::io::Error) -> Self {
        Self::Frame(e.into())
    }
}

/// Sends `message` and with its first byte the socket `fd`. The caller's copy of the socket stays open.
///
/// Not cancel safe: half a message may have been sent. Never waits longer than the peer's socket buffer makes it: give it a
/// deadline.
///
/// # Errors
/// When the connection failed; then the peer did not get a complete message.
pub async fn send_socket(stream: &UnixStream, message: &Linked, fd: BorrowedFd<'_>) -> Result<(), FrameError> {
    let bytes = frame::encode(message)?;
    let mut sent = 0;
    while sent < bytes.len() {
        let fds = [fd];
        let fds = if sent == 0 { &fds[..] } else { &[] };
        sent += stream
            .async_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !fds.is_empty() {
                    control.push(SendAncillaryMessage::ScmRights(fds));
                }
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                Ok(sendmsg(stream, &[IoSlice::new(&bytes[sent..])], &mut control, flags)?)
            })
            .await?;
    }
    Ok(())
}

/// Receives the message and the socket that [`send_socket`] sent. The socket is close-on-exec; whether it blocks is as
/// the sender left it (that flag travels with a socket), so set what you need.
///
/// Waits as long as the connection is held. Not cancel safe once a message has begun.
///
/// # Errors
/// See [`HandoffError`]; after one, the connection is of no use any more, and no socket is left open.
pub async fn receive_socket(stream: &UnixStream) -> Result<(Linked, OwnedFd), HandoffError> {
    let mut fds = Vec::new();
    let mut header = [0; 4];
    match fill(stream, &mut header, &mut fds).await? {
        0 => return Err(HandoffError::Closed),
        4 => {}
        _ => return Err(FrameError::Cut.into()),
    }
    let length = u32::from_be_bytes(header) as usize;
    if length > frame::MAX_LEN {
        return Err(FrameError::TooLong { found: length as u64 }.into());
    }
    let mut payload = vec![0; length];
    if fill(stream, &mut payload, &mut fds).await? < length {
        return Err(FrameError::Cut.into());
    }
    let message = serde_json::from_slice(&payload).map_err(FrameError::from)?;
    let fd = fds.pop().ok_or(HandoffError::NoSocket)?;
    Ok((message, fd))
}

/// Fills `buffer`, or as much of it as comes before the end, and collects the sockets that come along: one at most.
async fn fill(stream: &UnixStream, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> Result<usize, HandoffError> {
    let mut have = 0;
    while have < buffer.len() {
        let (bytes, truncated) = stream
            .async_io(Interest::READABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
                let got = recvmsg(stream, &mut [IoSliceMut::new(&mut buffer[have..])], &mut control, flags)?;
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(rights) = message {
                        fds.extend(rights);
                    }
                }
                Ok((got.bytes, got.flags.contains(ReturnFlags::CTRUNC)))
            })
            .await?;
        if truncated || fds.len() > 1 {
            return Err(HandoffError::SeveralSockets);
        }
        if bytes == 0 {
            break;
        }
        have += bytes;
    }
    Ok(have)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream as StdUnixStream;

    use super::*;

    fn message() -> Linked {
        Linked {
            session: "LPAR2.1".parse().expect("session"),
            user: "IBMUSER".parse().expect("user"),
            peer: "10.10.10.101:40001".parse().expect("address"),
            local: "10.10.10.1:5335".parse().expect("address"),
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("runtime").block_on(future)
    }

    /// Sends `bytes` with `fds` in one piece, as a careless or hostile peer might.
    fn send_raw(to: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        let sent = sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::empty()).expect("sendmsg");
        assert_eq!(sent, bytes.len());
    }

    #[test]
    fn the_socket_that_arrives_is_the_one_that_was_sent() {
        block_on(async {
            let (manager, debugger) = UnixStream::pair().expect("pair");
            let (mut client, engine) = StdUnixStream::pair().expect("pair");
            send_socket(&manager, &message(), engine.as_fd()).await.expect("send");
            drop((engine, manager));
            let (linked, fd) = receive_socket(&debugger).await.expect("receive");
            assert_eq!(linked, message());
            let flags = rustix::io::fcntl_getfd(&fd).expect("flags");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            let mut taken = StdUnixStream::from(fd);
            client.write_all(b"to the job").expect("write");
            let mut bytes = [0; 10];
            taken.read_exact(&mut bytes).expect("read");
            assert_eq!(&bytes, b"to the job");
            taken.write_all(b"back").expect("write");
            drop(taken);
            let mut back = String::new();
            client.read_to_string(&mut back).expect("read to the end: no copy is left open");
            assert_eq!(back, "back");
        });
    }

    #[test]
    fn messages_that_are_not_right_leave_no_socket_open() {
        let text = frame::encode(&message()).expect("fits");
        let oversize = [0, 2, 0, 0, b'{'];
        let cut = &text[..text.len() - 1];
        // (what is sent, how many sockets with it, what is said about it)
        let cases: [(&[u8], usize, &str); 8] = [
            (b"", 0, "before a socket came"),
            (&text, 0, "carries no socket"),
            (&text, 2, "more than one"),
            (&text, 5, "more than one"),
            (&oversize, 1, "131072 bytes"),
            (cut, 1, "inside a frame"),
            (&text[..3], 1, "inside a frame"),
            (b"\0\0\0\x02{}", 1, "missing field"),
        ];
        for (bytes, count, expected) in cases {
            block_on(async {
                let (manager, debugger) = UnixStream::pair().expect("pair");
                let (mut client, engine) = StdUnixStream::pair().expect("pair");
                if !bytes.is_empty() {
                    send_raw(&manager, bytes, &vec![engine.as_fd(); count]);
                }
                drop((manager, engine));
                let error = receive_socket(&debugger).await.expect_err("not right");
                assert!(error.to_string().contains(expected), "{error}: expected {expected}");
                assert_eq!(client.read(&mut [0]).expect("closed"), 0, "a socket stayed open");
            });
        }
    }

    #[test]
    fn a_message_in_two_pieces_with_a_second_socket_is_refused() {
        block_on(async {
            let text = frame::encode(&message()).expect("fits");
            let (manager, debugger) = UnixStream::pair().expect("pair");
            let (_client, engine) = StdUnixStream::pair().expect("pair");
            send_raw(&manager, &text[..9], &[engine.as_fd()]);
            send_raw(&manager, &text[9..], &[engine.as_fd()]);
            assert!(matches!(receive_socket(&debugger).await, Err(HandoffError::SeveralSockets)));
        });
    }
}
