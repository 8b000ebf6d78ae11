//! The HUB port: secondaries to the primary. Both sides send [`HubMessage`]s at any time after the secondary's hello.
//!
//! IBM documents the roles (primary by address, secondaries, stand-alone with retries; the primary locates the system with the
//! RSE connection) and nothing of the messages, which are ours.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{Notice, Refused, SessionId, SystemName, UserId};

/// One message between two Debug Managers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum HubMessage {
    /// Secondary to primary, first: this is my system.
    Join {
        /// The sender's system.
        system: SystemName,
        /// Does it authenticate its partners (TRUSTEDTCP=ON)?
        #[serde(default)]
        trusted: bool,
    },
    /// Primary to secondary, in answer to `Join`.
    Welcome {
        /// The primary's system.
        system: SystemName,
        /// How often the hub has moved, as far as it knows.
        moves: u64,
    },
    /// Secondary to primary: this user is logged on to my system. All of them are sent after every `Welcome`.
    UserOn {
        /// The user id.
        user: UserId,
    },
    /// Secondary to primary: this user is not logged on to my system any more.
    UserOff {
        /// The user id.
        user: UserId,
    },
    /// Secondary to primary: a session waits here for a user I do not know. Sent again after every `Welcome` while it waits.
    Seek {
        /// What the client needs.
        notice: Notice,
    },
    /// Secondary to primary: that session does not wait any more.
    Withdraw {
        /// The session.
        session: SessionId,
    },
    /// Primary to the secondary that has the user: tell your Debug Miner.
    Notify {
        /// What the client needs.
        notice: Notice,
    },
    /// Back to the system of the job: the user was told.
    Delivered {
        /// The session.
        session: SessionId,
        /// The system that told the user.
        system: SystemName,
    },
    /// From the system that got `Notify`: the user is not here any more; keep looking.
    Undelivered {
        /// The session.
        session: SessionId,
    },
    /// The hub moves, by operator command. Secondary to primary: let everyone follow. Primary to secondary, as its last word:
    /// leave this hub and join the one there. Whoever does not know this message refuses it and stays where it is.
    Move {
        /// The new HUBIP and HUBPORT.
        hub: SocketAddr,
        /// How often the hub has moved then, as far as the sender knows. A primary that is told by a stranger (see `Who`)
        /// follows only when it knows of fewer moves.
        moves: u64,
    },
    /// Instead of `Join`, from one who wants to know whether there is more than one primary: who are you? A primary answers
    /// with `Here`.
    Who {
        /// The sender's system.
        system: SystemName,
    },
    /// In answer to `Who`: I am the primary node here.
    Here {
        /// The sender's system.
        system: SystemName,
        /// How often the hub has moved, as far as it knows.
        moves: u64,
    },
    /// Are you there?
    Ping {},
    /// I am.
    Pong {},
    /// No; the connection is closed.
    Refused(Refused),
}
