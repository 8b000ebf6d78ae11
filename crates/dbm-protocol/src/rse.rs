//! The RSE daemon's port (4035) and the RSE server's second port, as far as a logon and a debug notification need them.
//!
//! The flow is documented (z/OS Explorer, "Limit external communication to specified ports"): the daemon creates a server for
//! the user, the server binds a port, the daemon returns the number, and the client connects to it at the address it already
//! knows. The messages are ours.

use serde::{Deserialize, Serialize};

use crate::{Notice, Refused, SystemName, Token, UserId};

/// From the client on port 4035, after its hello with the role `client`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToDaemon {
    /// Log this user on.
    Logon {
        /// The user id.
        user: UserId,
    },
}

/// From the RSE daemon; afterwards it closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromDaemon {
    /// A server waits for you.
    Server {
        /// Its port, to be dialled at the address that the client dialled first.
        port: u16,
        /// Proof for the second connection that it belongs to this logon.
        ticket: Token,
    },
    /// No.
    Refused(Refused),
}

/// From the client on the second port, after its hello with the role `client`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToServer {
    /// I am the one who logged on.
    Open {
        /// From the daemon's answer.
        ticket: Token,
    },
    /// Good bye.
    Logoff {},
}

/// From the RSE server on the second port, at any time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromServer {
    /// You are logged on. Sent when the Debug Miner has registered the user, or has found that it cannot.
    Opened {
        /// The user id.
        user: UserId,
        /// The system.
        system: SystemName,
        /// Did the Debug Miner register the user with Debug Manager?
        registered: bool,
    },
    /// A debug session waits for you.
    SessionWaiting {
        /// What you need to dial it.
        notice: Notice,
    },
    /// No; the connection is closed.
    Refused(Refused),
}
