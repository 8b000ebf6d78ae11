//! DVIPA Lab: a z/OS sysplex as TCP/IP sees it, on one Linux machine and without touching its network.
//!
//! - [`scenario`]: what happens and what must be seen, from a TOML file.
//! - [`plex`]: a sysplex that runs.
//! - [`netstat`]: what the kernels show, as NETSTAT lays it out.
//! - [`needs`]: what this machine must have for a scenario.
//! - [`operator`]: what an operator's command means in a sysplex.
//! - [`up`]: a sysplex that stays up, and the commands that speak to it.
//! - [`run`]: a scenario in a sysplex: the nine steps, the evidence, the verdict.
//! - [`report`]: a run as one page.
//! - [`site`]: z/OS members to a topology, and back.
//! - [`mod@soak`]: a sysplex under load and faults for a long time.
//! - [`doctor`], [`mod@bench`]: what this machine can do, and how fast.

/// A line for a person, on standard error. Whoever reads may have gone; that is no reason to end a run.
#[macro_export]
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

/// A line of a result, on standard output; see [`note!`].
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

pub mod backends;
pub mod bench;
pub mod check;
pub mod cli;
mod diagnose;
pub mod doctor;
pub mod exit;
mod graph;
mod manual;
pub mod needs;
pub mod netstat;
pub mod operator;
pub mod output;
pub mod plex;
pub mod programs;
pub mod report;
pub mod run;
pub mod scenario;
pub mod site;
pub mod soak;
pub mod up;
