//! DVIPA Lab: a z/OS sysplex as TCP/IP sees it, on one Linux machine and without touching its network.
//!
//! - [`scenario`]: what happens and what must be seen, from a TOML file.
//! - [`plex`]: a sysplex that runs.
//! - [`run`]: a scenario in a sysplex: the nine steps, the evidence, the verdict.
//! - [`doctor`], [`mod@bench`]: what this machine can do, and how fast.

pub mod bench;
pub mod cli;
pub mod doctor;
pub mod exit;
pub mod output;
pub mod plex;
pub mod programs;
pub mod run;
pub mod scenario;
