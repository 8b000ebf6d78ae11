//! The HOST (internal) port: loopback of one system only. Each connection is either a Debug Miner's or a debugger's: after its
//! hello it logs on ([`Logon`]), and then says what it wants.

use serde::{Deserialize, Serialize};

use crate::passticket::PassTicket;
use crate::{JobName, Notice, Refused, SessionId, SystemName, Token, UserId};

/// The logon to Debug Manager, after the hello. Everything that follows on the connection is for this user: it is refused when
/// it names another one. (IBM documents that the logon to Debug Manager is one with a PassTicket; the message is ours.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logon {
    /// The user who is registered, or whose workstation the session waits for.
    pub user: UserId,
    /// The proof that the speaker may say so.
    pub ticket: PassTicket,
}

/// A session as its debugger holds it: all that a Debug Manager needs that has never heard of it.
///
/// A session is its debugger's. When Debug Manager is stopped, crashes, or loses the connection, the debugger looks for
/// Debug Manager again (by the name/token pair) and announces the session once more. What IBM's debugger does then is not
/// documented; this is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The session's id, as it was given by a Debug Manager of this system.
    pub session: SessionId,
    /// Whose workstation.
    pub user: UserId,
    /// The job.
    pub job: JobName,
    /// The program in it.
    pub module: String,
    /// The secret of the last [`ToDebugger::Waiting`]: every Debug Manager of this system can tell whether one of them has
    /// given it for this session ([`crate::passticket::Key::claim`]).
    pub claim: Token,
}

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
    /// After Debug Manager was lost: this session waits still, and is to wait on. Answered like `Wait`; the user is told
    /// again, with a new token, because the one that he was told of died with that Debug Manager.
    WaitAgain {
        /// The session.
        standing: Standing,
        /// The phase that it is in; the second one begins once.
        phase: Phase,
        /// How long it has been in that phase, in milliseconds.
        waited_ms: u64,
    },
    /// After Debug Manager was lost: this session runs, on a socket that was passed on before. Answered with
    /// [`ToDebugger::Known`].
    RunsAgain {
        /// The session.
        standing: Standing,
    },
    /// The session is over. While it waits: the job gives it up.
    Ended {},
}

/// From Debug Manager to the debugger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToDebugger {
    /// The session stands and waits. The debugger connects to the Unix socket `handoff` and claims the session there
    /// ([`crate::handoff`]); the client's socket will arrive on it. It may do so at once; if it does when the user was told
    /// ([`Self::UserNotified`]), a session that sleeps holds one connection and not two.
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
    /// A session that runs ([`FromDebugger::RunsAgain`]) is known from now on.
    Known {},
    /// The wait is over: somebody does not want the session.
    Cancelled {
        /// Who.
        by: Canceller,
    },
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

/// Who cancels a session that waits. (A job that does, ends its connection or says [`FromDebugger::Ended`].)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Canceller {
    /// The user, at the workstation ([`crate::engine::FromEngine::Cancel`]).
    User,
    /// The operator of the session's system.
    Operator,
}
