//! A batch job under the TEST runtime option, with z/OS Debugger in it (the "probe"). The option itself is read by
//! [`dbm_protocol::testopt`].
//!
//! - [`program`]: the program under debug, pure.
//! - [`adapter`]: the debugger's side of the debug conversation, pure.
//! - [`client`]: the client's socket, or the relay to it.
//! - [`host`]: the way to Debug Manager.
//! - [`again`]: how a session outlives Debug Manager.
//! - [`job`]: the job from its start to its end.
//! - [`session`]: the debug conversation on the client's socket.
//! - [`outcome`]: how a job ends.

pub mod adapter;
pub mod again;
pub mod client;
pub mod host;
pub mod job;
pub mod outcome;
pub mod program;
pub mod session;
