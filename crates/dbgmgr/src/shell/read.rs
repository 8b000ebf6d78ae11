//! What may be read next on a connection.

use dbm_protocol::frame::{self, FrameError};
use dbm_protocol::host::Logon;
use dbm_protocol::{Hello, Role};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::run::Event;
use crate::core::{ConnId, Input, Message, Port};

/// Reads one message: the hello, then the logon, where it is due, then what belongs on this `port` after a hello of this `role`.
/// `None` at the end of the connection. Waits for ever when nothing can belong there; the core has refused that role.
async fn message(
    stream: &mut (impl AsyncRead + Unpin),
    port: Port,
    role: Option<Role>,
    logon: bool,
) -> Result<Option<Message>, FrameError> {
    Ok(match (port, role) {
        (Port::Upstream | Port::Call, _) | (Port::Hub, Some(Role::Manager)) => {
            frame::read(stream).await?.map(Message::Hub)
        }
        (_, None) => frame::read::<Hello>(stream).await?.map(Message::Hello),
        (Port::Host, Some(Role::Miner | Role::Debugger)) if logon => {
            frame::read::<Logon>(stream).await?.map(Message::Logon)
        }
        (Port::Host, Some(Role::Miner)) => frame::read(stream).await?.map(Message::Miner),
        (Port::Host, Some(Role::Debugger)) => frame::read(stream).await?.map(Message::Debugger),
        (Port::Client, Some(Role::Engine)) => frame::read(stream).await?.map(Message::Engine),
        (Port::Handoff, Some(Role::Debugger)) => frame::read(stream).await?.map(Message::Claimant),
        _ => std::future::pending().await,
    })
}

/// How many bytes each of a connection's first messages may have, until it has said what it wants, its header included. All that
/// is in order is shorter by far, and a stranger's half frames are not to cost more than this each.
const LONGEST_FIRST: u64 = 4096;

/// Reads up to `most` messages and hands them to the core; or the end of the connection, or what is wrong with it.
pub(super) async fn messages(
    stream: &mut (impl AsyncRead + Unpin),
    port: Port,
    conn: ConnId,
    most: usize,
    core: &mpsc::Sender<Event>,
) {
    let mut role = None;
    for number in 0..most {
        // On the HOST port the second message is the logon.
        let logon = port == Port::Host && number == 1;
        let proven = number >= 2 + usize::from(port == Port::Host) || matches!(port, Port::Upstream | Port::Call);
        let mut limited = (&mut *stream).take(if proven { u64::MAX } else { LONGEST_FIRST });
        let (input, last) = match message(&mut limited, port, role, logon).await {
            Ok(Some(message)) => {
                if let Message::Hello(hello) = &message {
                    role = Some(hello.role);
                }
                (Input::Message { conn, message }, false)
            }
            Ok(None) => (Input::Closed { conn, reason: "the connection ended".to_owned() }, true),
            Err(FrameError::Cut) if limited.limit() == 0 => {
                let reason = format!("one of the first messages has more than {LONGEST_FIRST} bytes");
                (Input::Garbage { conn, reason }, true)
            }
            Err(e @ (FrameError::Io(_) | FrameError::Cut)) => (Input::Closed { conn, reason: e.to_string() }, true),
            Err(e) if logon => {
                (Input::Garbage { conn, reason: format!("a logon with a PassTicket was expected: {e}") }, true)
            }
            Err(e) => (Input::Garbage { conn, reason: e.to_string() }, true),
        };
        if core.send(Event::Input(input)).await.is_err() || last {
            return;
        }
    }
}
