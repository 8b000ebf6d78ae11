//! What a sysplex is, as TCP/IP sees it: LPARs, distributed dynamic VIPAs, started tasks, workstations.
//!
//! A topology file ([`raw::Topology`], TOML) is what a person writes; [`Sysplex`] is what the lab builds, with every system
//! symbol resolved, every address chosen and every port checked. Between the two stands [`raw::Topology::resolve`], which
//! reports everything that is wrong at once, each with its place in the file ([`Diagnostic`]). What is legal but a known
//! mistake in the field is not an error, because the lab must be able to show it: crate `site-check` knows those.
//!
//! This crate is pure: no socket, no file, no clock.

mod diagnostic;
mod dvipa;
mod firewall;
mod model;
mod names;
mod ports;
mod program;
pub mod raw;
mod resolve;
mod stack;
pub mod symbols;
mod uniform;

pub use diagnostic::Diagnostic;
pub use dvipa::{Backup, Distribute, Dvipa, Method, Moveable, NoTarget, Ports, Target};
pub use firewall::{Denial, Firewall};
pub use model::{LARGEST_SYSPLEX, Lpar, LparIndex, PortCheck, StartedTask, Sysplex, Workstation};
pub use names::did_you_mean;
pub use program::{Command, Ready};
pub use stack::{Defect, Stack};
