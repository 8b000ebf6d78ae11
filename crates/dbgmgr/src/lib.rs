//! Debug Manager: brings a debug session in a job and the user's workstation together, across the sysplex.
//!
//! [`core`] decides, with no socket and no clock in it; [`shell`] moves bytes; [`config`] reads what the started task was given;
//! [`ctl`] is the operator's end of it.

pub mod config;
#[macro_use]
pub mod core;
pub mod ctl;
pub mod shell;
