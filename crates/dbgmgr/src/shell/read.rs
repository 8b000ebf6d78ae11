//! What may be read next on a connection.
//!
//! On the CLIENT port a frame is read and not one byte more, because what follows belongs to the debugger. All other connections
//! are read as far as there is something, most often several messages at once.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};

use dbm_protocol::frame::{self, FrameError, HEADER};
use dbm_protocol::{Role, tls};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::sync::mpsc;

use super::run::Event;
use crate::core::{ConnId, Input, Message, Port};

/// How many bytes each of a connection's first messages may have, until it has said what it wants, its header included. All that
/// is in order is shorter by far, and a stranger's half frames are not to cost more than this each.
const LONGEST_FIRST: usize = 4096;
/// How much is read at once.
const PIECE: usize = 8 * 1024;

/// The frames of a connection. Between frames it holds no memory: there may be thousands of connections that are silent for hours.
struct Frames<'a, R> {
    stream: &'a mut R,
    /// To read exactly one frame.
    exact: bool,
    /// What was read and is no whole frame yet, or one that comes next.
    ahead: Vec<u8>,
    /// So much of it was a frame before.
    used: usize,
}

impl<'a, R: AsyncRead + Unpin> Frames<'a, R> {
    fn of(port: Port, stream: &'a mut R) -> Self {
        Self { stream, exact: port == Port::Client, ahead: Vec::new(), used: 0 }
    }

    /// The next frame, made into a message by `parse`; `None` at the end of the connection. At most `most` bytes long, its
    /// header included.
    async fn next<T>(
        &mut self,
        most: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, FrameError>,
    ) -> Result<Option<T>, Failure> {
        if self.exact {
            let mut limited = (&mut *self.stream).take(most as u64);
            return match frame::read_payload(&mut limited).await {
                Ok(payload) => Ok(payload.map(|bytes| parse(&bytes)).transpose()?),
                Err(FrameError::Cut) if limited.limit() == 0 => Err(Failure::TooLong),
                Err(e) => Err(e.into()),
            };
        }
        loop {
            let rest = &self.ahead[self.used..];
            if let Some((header, rest)) = rest.split_first_chunk::<HEADER>() {
                let length = frame::announced(*header)?;
                if length.saturating_add(HEADER) > most {
                    return Err(Failure::TooLong);
                }
                if let Some(payload) = rest.get(..length) {
                    let message = parse(payload)?;
                    self.used += HEADER + length;
                    self.tidy();
                    return Ok(Some(message));
                }
            }
            match self.more().await.map_err(FrameError::from)? {
                0 if self.is_empty() => return Ok(None),
                0 => return Err(FrameError::Cut.into()),
                _ => {}
            }
        }
    }

    /// Is nothing there that was read ahead?
    fn is_empty(&self) -> bool {
        self.ahead.is_empty()
    }

    fn tidy(&mut self) {
        if self.used == self.ahead.len() {
            self.ahead = Vec::new();
            self.used = 0;
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.ahead.drain(..std::mem::take(&mut self.used));
        poll_fn(|cx| {
            // Here and not in the task, which lives as long as the connection.
            let mut space = [MaybeUninit::uninit(); PIECE];
            let mut piece = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut *self.stream).poll_read(cx, &mut piece))?;
            self.ahead.extend_from_slice(piece.filled());
            Poll::Ready(Ok(piece.filled().len()))
        })
        .await
    }
}

/// Why there is no message.
enum Failure {
    /// It is longer than it may be now.
    TooLong,
    Frame(FrameError),
}

impl From<FrameError> for Failure {
    fn from(e: FrameError) -> Self {
        Self::Frame(e)
    }
}

/// Makes a message of a frame's payload.
type Parser = fn(&[u8]) -> Result<Message, FrameError>;

/// What belongs on this `port` after a hello of this `role`: the hello, then the logon, where it is due, then the rest. `None` when
/// nothing can belong there; the core has refused that role.
fn parser(port: Port, role: Option<Role>, logon: bool) -> Option<Parser> {
    Some(match (port, role) {
        (Port::Upstream | Port::Call, _) | (Port::Hub, Some(Role::Manager)) => {
            |bytes| frame::parse(bytes).map(Message::Hub)
        }
        (_, None) => |bytes| frame::parse(bytes).map(Message::Hello),
        (Port::Host, Some(Role::Miner | Role::Debugger)) if logon => |bytes| frame::parse(bytes).map(Message::Logon),
        (Port::Host, Some(Role::Miner)) => |bytes| frame::parse(bytes).map(Message::Miner),
        (Port::Host, Some(Role::Debugger)) => |bytes| frame::parse(bytes).map(Message::Debugger),
        (Port::Client, Some(Role::Engine)) => |bytes| frame::parse(bytes).map(Message::Engine),
        (Port::Handoff, Some(Role::Debugger)) => |bytes| frame::parse(bytes).map(Message::Claimant),
        _ => return None,
    })
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The core was told all of it.
    Told,
    /// The beginning of TLS, which is not spoken here. The core was not told.
    Tls,
}

/// Reads up to `most` messages and hands them to the core; or the end of the connection, or what is wrong with it.
pub(super) async fn messages(
    stream: &mut (impl AsyncRead + Unpin),
    port: Port,
    conn: ConnId,
    most: usize,
    core: &mpsc::Sender<Event>,
) -> Read {
    let mut frames = Frames::of(port, stream);
    let mut role = None;
    for number in 0..most {
        // On the HOST port the second message is the logon.
        let logon = port == Port::Host && number == 1;
        let proven = number >= 2 + usize::from(port == Port::Host) || matches!(port, Port::Upstream | Port::Call);
        let Some(parse) = parser(port, role, logon) else { return std::future::pending().await };
        let longest = if proven { usize::MAX } else { LONGEST_FIRST };
        let (input, last) = match frames.next(longest, parse).await {
            Ok(Some(message)) => {
                if let Message::Hello(hello) = &message {
                    role = Some(hello.role);
                }
                (Input::Message { conn, message }, false)
            }
            Ok(None) => (Input::Closed { conn, reason: "the connection ended".to_owned() }, true),
            Err(Failure::TooLong) => {
                let reason = format!("one of the first messages has more than {LONGEST_FIRST} bytes");
                (Input::Garbage { conn, reason }, true)
            }
            Err(Failure::Frame(e @ (FrameError::Io(_) | FrameError::Cut))) => {
                (Input::Closed { conn, reason: e.to_string() }, true)
            }
            Err(Failure::Frame(FrameError::TooLong { found }))
                if number == 0 && tls::is_handshake(found) && matches!(port, Port::Client | Port::Hub) =>
            {
                return Read::Tls;
            }
            Err(Failure::Frame(e)) if logon => {
                (Input::Garbage { conn, reason: format!("a logon with a PassTicket was expected: {e}") }, true)
            }
            Err(Failure::Frame(e)) => (Input::Garbage { conn, reason: e.to_string() }, true),
        };
        if core.send(Event::Input(input)).await.is_err() || last {
            return Read::Told;
        }
    }
    if !frames.is_empty() {
        let reason = "nothing more is expected after these messages".to_owned();
        let _ = core.send(Event::Input(Input::Garbage { conn, reason })).await;
    }
    Read::Told
}

#[cfg(test)]
mod tests {
    use dbm_protocol::Hello;
    use dbm_protocol::frame::encode;

    use super::*;

    /// What the core hears of a claimant who sends these bytes, in pieces of this length.
    fn heard(bytes: &[u8], piece: usize) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let (mut near, mut far) = tokio::io::duplex(piece);
            let (core, mut events) = mpsc::channel(16);
            let reading = messages(&mut near, Port::Handoff, ConnId(1), 2, &core);
            let writing = async {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut far, bytes).await;
                drop(far);
            };
            tokio::join!(reading, writing);
            drop(core);
            let mut all = Vec::new();
            while let Some(Event::Input(input)) = events.recv().await {
                all.push(match input {
                    Input::Message { .. } => "message".to_owned(),
                    Input::Closed { reason, .. } | Input::Garbage { reason, .. } => reason,
                    _ => "something else".to_owned(),
                });
            }
            all
        })
    }

    fn claim() -> Vec<u8> {
        let token = dbm_protocol::Token::from_bytes([1; 16]);
        let claim =
            dbm_protocol::handoff::FromClaimant::Claim { session: "SYS.1".parse().expect("session"), claim: token };
        [encode(&Hello::new(Role::Debugger)).expect("fits"), encode(&claim).expect("fits")].concat()
    }

    #[test]
    fn however_the_bytes_are_cut_the_messages_are_the_same() {
        for piece in [1, 3, 64, 100_000] {
            assert_eq!(heard(&claim(), piece), ["message", "message"], "{piece}");
            let cut = &claim()[..claim().len() - 1];
            assert_eq!(heard(cut, piece), ["message", "the connection ended inside a frame"], "{piece}");
            assert_eq!(heard(&[], piece), ["the connection ended"], "{piece}");
        }
    }

    #[test]
    fn what_was_read_ahead_and_does_not_belong_there_is_not_passed_over() {
        let more = [claim(), vec![7]].concat();
        assert_eq!(heard(&more, 100_000)[2], "nothing more is expected after these messages");
    }

    #[test]
    fn a_first_message_is_short() {
        let long = (LONGEST_FIRST as u32).to_be_bytes();
        assert_eq!(heard(&long, 64), ["one of the first messages has more than 4096 bytes"]);
        assert!(heard(&[0xff; 4], 64)[0].contains("4294967295 bytes was announced"));
    }
}
