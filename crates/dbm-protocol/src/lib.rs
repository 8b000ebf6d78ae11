//! What Debug Manager, Debug Miner, debugger and client say to each other.
//!
//! IBM does not publish these protocols, so the messages are this project's own; who talks to whom, on which port, and in
//! which order is as documented (IBM z/OS Debugger, "Distributed Dynamic VIPA" and "Enabling sysplex support").
//!
//! - Framing: [`frame`], a 4-byte length and a JSON object.
//! - [`host`]: the HOST port, loopback only: Debug Miner and debugger to their own Debug Manager.
//! - [`engine`]: the CLIENT port: the client's engine, with its one-time token.
//! - [`hub`]: the HUB port: Debug Manager to Debug Manager.
//! - [`rse`]: the RSE daemon's port 4035 and the RSE server's second port.
//! - [`handoff`]: the client's socket on its way into the job.
//! - [`nametoken`]: the name/token pair by which Debug Manager's HOST port is found.
//! - [`passticket`]: the proof with which Debug Miner and debugger log on to the HOST port.
//! - [`dap`]: the conversation after the handoff, opaque to Debug Manager.
//! - [`testopt`]: the TEST runtime option, by which a job asks for all this.
//! - [`tcp`]: options of the sockets under these conversations.
//! - [`tls`]: how TLS is recognised by who does not speak it.
//! - [`mod@file`]: files of configuration, bounded.
//! - [`retry`]: how long to pause before Debug Manager is looked for again.

pub mod dap;
pub mod engine;
pub mod file;
pub mod frame;
pub mod handoff;
pub mod host;
pub mod hub;
mod names;
pub mod nametoken;
pub mod passticket;
pub mod retry;
pub mod rse;
pub mod tcp;
pub mod testopt;
pub mod tls;

use serde::{Deserialize, Serialize};

pub use names::{BadName, JobName, SessionId, SystemName, Token, UserId};

/// Version of all messages in this crate; a peer with another one is refused.
pub const VERSION: u16 = 1;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Debug Miner, on the HOST port.
    Miner,
    /// Debugger in a job, on the HOST port and on the handoff socket.
    Debugger,
    /// Another Debug Manager, on the HUB port.
    Manager,
    /// The client's debug engine, on the CLIENT port.
    Engine,
    /// The client, on the RSE daemon's port.
    Client,
}

/// The first frame on every connection, from the side that dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`VERSION`] of the sender.
    pub version: u16,
    /// What the sender is.
    pub role: Role,
}

impl Hello {
    /// The hello of this version.
    pub fn new(role: Role) -> Self {
        Self { version: VERSION, role }
    }
}

/// A debug session that waits for a workstation: what travels from the job's Debug Manager to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The session, unique in the sysplex.
    pub session: SessionId,
    /// For whom it waits.
    pub user: UserId,
    /// The job that waits.
    pub job: JobName,
    /// The system that it runs on.
    pub system: SystemName,
    /// The external (CLIENT) port of that system's Debug Manager.
    pub port: u16,
    /// The one-time token that the engine must present there.
    pub token: Token,
}

/// A refusal, as a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Short and stable, for programs.
    pub code: RefusalCode,
    /// One sentence for a person.
    pub reason: String,
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// Another version of the messages.
    Version,
    /// A role that does not belong on this port.
    Role,
    /// Not understood, or not expected now.
    BadMessage,
    /// No such session here: the usual sign of a connection that reached the wrong system.
    UnknownSession,
    /// The token does not belong to the session, or was used before.
    BadToken,
    /// Who speaks has not proven to be who may say that.
    NotAuthorized,
    /// The session does not wait for an engine (any more).
    NotWaiting,
    /// A limit of this Debug Manager is reached.
    Busy,
    /// Nothing was said in time.
    Timeout,
    /// TLS was expected. Said without TLS, to who speaks without it.
    Tls,
}

impl RefusalCode {
    /// The code as it stands in messages and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Role => "role",
            Self::BadMessage => "bad_message",
            Self::UnknownSession => "unknown_session",
            Self::BadToken => "bad_token",
            Self::NotAuthorized => "not_authorized",
            Self::NotWaiting => "not_waiting",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
        }
    }
}
