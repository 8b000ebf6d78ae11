//! Whoever means no good: what a port scanner, a broken client or an attacker does to the ports of a lab.
//!
//! - [`descriptors`]: room for many connections.
//! - [`garbage`]: what is thrown. Pure, and the same for the same seed.
//! - [`place`]: where it may be thrown: inside a lab only.
//! - [`crowd`]: the connections that say nothing, and that stay.
//! - [`rain`]: the garbage, again and again.
//! - [`pace`]: how fast all of it comes.

pub mod crowd;
pub mod descriptors;
pub mod garbage;
pub mod pace;
pub mod place;
pub mod rain;
