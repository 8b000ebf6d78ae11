//! Ordinary traffic through a DVIPA: servers that say on which system they run, and callers that check what they are told and
//! every byte they are sent.
//!
//! The protocol between the two is the lab's own; nothing of it is z/OS'.
//!
//! - [`server`]: listens, greets, and does what the [`command`]s on a connection ask for.
//! - [`caller`]: places a series of calls and says with events how each went.
//! - [`greeting`]: the first line on every connection, with the system's name.
//! - [`command`]: the lines that a caller sends. Pure.
//! - [`bytes`]: the bytes that a server sends when asked to. Pure, and the same for the same seed.
//! - [`orders`]: the lines that the lab writes to the standard input of both.

pub mod bytes;
pub mod caller;
pub mod command;
pub mod greeting;
pub mod orders;
pub mod server;
