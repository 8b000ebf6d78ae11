//! Lines with descriptors, on a stream socket: each way bounded, and nothing of it lost when a wait is given up.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Most descriptors with one line: standard input, output, error.
pub(super) const MOST_FDS: usize = 3;

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    /// What was received and not taken yet.
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Wire {
    /// A connection that speaks in lines.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, bytes: Vec::new(), fds: Vec::new() }
    }

    /// User and process at the other end; no process when it is in another PID namespace.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub(super) fn peer(&self) -> io::Result<(u32, Option<i32>)> {
        let credentials = self.stream.peer_cred()?;
        Ok((credentials.uid(), credentials.pid().filter(|&pid| pid > 0)))
    }

    /// Sends one line.
    ///
    /// # Errors
    /// When the other end is gone.
    pub(super) async fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let sent = self.stream.async_io(Interest::WRITABLE, || send_some(&self.stream, &line, fds)).await?;
        let mut rest = &line[sent..];
        while !rest.is_empty() {
            let sent = self.stream.async_io(Interest::WRITABLE, || send_some(&self.stream, rest, &[])).await?;
            rest = &rest[sent..];
        }
        Ok(())
    }

    /// The next line of at most `longest` bytes, and the descriptors that came with it or before; `None` when the other end is
    /// closed. When the wait is given up, nothing that has arrived is lost.
    ///
    /// # Errors
    /// When it is longer, or no such message.
    pub(super) async fn receive<T: DeserializeOwned>(
        &mut self,
        longest: usize,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut looked_at = 0;
        loop {
            let end = self.bytes[looked_at..].iter().position(|&b| b == b'\n').map(|at| looked_at + at);
            if end.unwrap_or(self.bytes.len()) > longest {
                return Err(invalid(format!("a line of at most {longest} bytes was expected, it is longer")));
            }
            if let Some(end) = end {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                let message = serde_json::from_slice(&line[..end]).map_err(|e| invalid(e.to_string()))?;
                return Ok(Some((message, std::mem::take(&mut self.fds))));
            }
            looked_at = self.bytes.len();
            let (bytes, fds) = (&mut self.bytes, &mut self.fds);
            if self.stream.async_io(Interest::READABLE, || receive_some(&self.stream, bytes, fds)).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn send_some(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(invalid(format!("at most {MOST_FDS} descriptors with one line, {} were given", fds.len())));
    }
    Ok(sendmsg(stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
}

/// Receives what there is; descriptors beyond [`MOST_FDS`] are closed.
fn receive_some(stream: &UnixStream, bytes: &mut Vec<u8>, fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut part = [0; 8192];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let got = recvmsg(stream, &mut [IoSliceMut::new(&mut part)], &mut control, flags)?;
    bytes.extend_from_slice(&part[..got.bytes]);
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            for fd in received {
                if fds.len() < MOST_FDS {
                    fds.push(fd);
                }
            }
        }
    }
    Ok(got.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;
    use crate::up::protocol::{Follow, LONGEST_REQUEST, Request};

    fn pair() -> (Wire, UnixStream) {
        let (one, other) = UnixStream::pair().expect("a pair");
        (Wire::new(one), other)
    }

    #[tokio::test]
    async fn a_line_brings_its_descriptors_and_leaves_the_next_line() {
        let (mut wire, other) = pair();
        let other = Wire::new(other);
        let (mut read, write) = io::pipe().expect("a pipe");
        let request = Request::Exec { system: "LPAR1".into(), command: vec!["true".into()], term: None };
        other.send(&request, &[write.as_fd()]).await.expect("sent");
        other.send(&Follow::Interrupt, &[]).await.expect("sent");
        drop(write);
        let (got, fds) = wire.receive::<Request>(LONGEST_REQUEST).await.expect("received").expect("a line");
        assert_eq!((got, fds.len()), (request, 1));
        std::fs::File::from(fds.into_iter().next().expect("one")).write_all(b"here").expect("written");
        let mut said = String::new();
        read.read_to_string(&mut said).expect("both writing ends are closed");
        assert_eq!(said, "here");
        let (follow, fds) = wire.receive::<Follow>(100).await.expect("received").expect("a line");
        assert_eq!((follow, fds.len()), (Follow::Interrupt, 0));
        drop(other);
        assert!(wire.receive::<Follow>(100).await.expect("closed").is_none());
    }

    #[tokio::test]
    async fn what_is_too_long_or_no_message_is_an_error() {
        let (mut wire, other) = pair();
        other.try_write(&[b'x'; 101]).expect("written");
        drop(other);
        let error = wire.receive::<Request>(100).await.expect_err("too long");
        assert!(error.to_string().contains("at most 100 bytes"), "{error}");
        let (mut wire, other) = pair();
        other.try_write(b"\"statu\"\n").expect("written");
        let error = wire.receive::<Request>(100).await.expect_err("no request");
        assert!(error.to_string().contains("statu"), "{error}");
    }
}
