//! The HOST (internal) port: loopback of one system only. Each connection is either a Debug Miner's or a debugger's.

use serde::{Deserialize, Serialize};

use crate::{JobName, Notice, Refused, SessionId, SystemName, Token, UserId};

/// From Debug Miner to Debug Manager, after its hello. One connection registers one user; while it is held the user is
/// logged on, and when it ends the user is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromMiner {
    /// This user is logged on to this system.
    Register {
        /// The user id.
        user: UserId,
    },
}

/// From Debug Manager to Debug Miner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToMiner {
    /// The registration stands.
    Registered {
        /// The system that it stands on.
        system: SystemName,
    },
    /// A session waits for the user: tell the client.
    SessionWaiting {
        /// What the client needs.
        notice: Notice,
    },
    /// No.
    Refused(Refused),
}

/// From the debugger in a job to Debug Manager, after its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromDebugger {
    /// A debug session waits for this user's workstation.
    Wait {
        /// Whose workstation.
        user: UserId,
        /// The job.
        job: JobName,
        /// The program in it, shown by `D,U` as `Module(..)`.
        module: String,
    },
    /// The session is over.
    Ended {},
}

/// From Debug Manager to the debugger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToDebugger {
    /// The session stands and waits. The debugger now connects to the Unix socket `handoff` and claims the session there
    /// ([`crate::handoff`]); the client's socket will arrive on it.
    Waiting {
        /// The session's id.
        session: SessionId,
        /// Path of Debug Manager's Unix socket, in this system's own file tree.
        handoff: String,
        /// The secret that proves, on the Unix socket, that this debugger owns the session.
        claim: Token,
    },
    /// The user was found and told; the session now waits for the engine.
    UserNotified {},
    /// The wait is over, without a workstation.
    TimedOut {
        /// What it was waiting for.
        phase: Phase,
    },
    /// No.
    Refused(Refused),
}

/// The two phases of a wait, as the operator's `D,U` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// "waits for register connection": the user is not logged on anywhere.
    Register,
    /// "waits for engine connection": the user was told, the client has not dialled yet.
    Engine,
}
