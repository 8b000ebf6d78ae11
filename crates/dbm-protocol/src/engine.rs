//! The CLIENT (external) port: the client's debug engine presents its token; then the connection is the debugger's.
//!
//! The engine sends nothing after [`FromEngine::Attach`] until it has read [`ToEngine::Accepted`]. Debug Manager reads exactly
//! the frames and not one byte more, so a socket that is passed on is passed whole.

use serde::{Deserialize, Serialize};

use crate::{JobName, Refused, SessionId, SystemName, Token, UserId};

/// From the engine, after its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromEngine {
    /// Link me with this session.
    Attach {
        /// The user who was notified.
        user: UserId,
        /// The session of the notification.
        session: SessionId,
        /// Its one-time token.
        token: Token,
    },
    /// I do not want this session; the job is told. (That a client can say so is ours.)
    Cancel {
        /// The user who was notified.
        user: UserId,
        /// The session of the notification.
        session: SessionId,
        /// Its one-time token, which is used up.
        token: Token,
    },
}

/// To the engine. After `Accepted` the next byte comes from the debugger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToEngine {
    /// Linked.
    Accepted {
        /// The session.
        session: SessionId,
        /// Its job.
        job: JobName,
        /// The system of this Debug Manager.
        system: SystemName,
    },
    /// The session is cancelled, as was asked; the connection is closed.
    Cancelled {
        /// The session.
        session: SessionId,
    },
    /// No; the connection is closed.
    Refused(Refused),
}
