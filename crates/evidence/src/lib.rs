//! Evidence: what the processes of the lab say of themselves, and what the kernel shows of them.
//!
//! Every process of the lab, the real Debug Manager included, writes [`Event`]s as JSON lines through an [`Emitter`].
//! All of them read the same clock, the kernel's `CLOCK_MONOTONIC`, so the order of events across LPARs is exact.
//!
//! The observers ask the kernel: [`SocketView`] and [`socket_holders`] for who holds which socket, [`Recorder`] for the packets
//! on every interface; [`ConnectionOwners`] for whose a connection is. They only read; nothing they do changes what the lab shows.

mod capture;
mod clock;
mod emitter;
mod event;
mod flows;
mod owner;
mod pcapng;
mod sockets;

pub use capture::{Recorder, Tap, record};
pub use clock::monotonic_ns;
pub use emitter::{EVENTS_ENV, Emitter, TASK_ENV};
pub use event::{Event, HubState, Refusal, What};
pub use flows::{Direction, FlowKey, FlowSeen, Flows, TcpPacket};
pub use owner::ConnectionOwners;
pub use sockets::{SocketView, TcpSocket, TcpState, socket_holders};
