//! `lab soak`: a sysplex under load and faults for a long time, judged all along by a model of what must be true (crate `soak`).
//!
//! - `cli`: what is asked for, and the attempts that it takes.
//! - `attempt`: each in a realm of its own. `plan`: an attempt as a file, for replay.
//! - `director`: one attempt in its realm: orders go out, events come in. `interrupt`: it is told to end early.
//! - `resume`: a soak that was interrupted goes on.
//! - `shorten`: a failure with few faults instead of many.
//! - `swarms`: the processes that play users and jobs.
//! - `faults`: faults are brought about and healed.
//! - `sample`: what the kernel shows of memory, descriptors, threads, sockets and tables.
//! - `record`: bounded evidence on disk. `text`: the figures for a person.

mod attempt;
mod cli;
mod director;
mod faults;
mod interrupt;
mod plan;
mod record;
mod resume;
mod sample;
mod shorten;
mod swarms;
mod text;

pub(crate) use cli::{EXAMPLES, Soak, main};
pub(crate) use plan::{FILE as PLAN, Plan};
pub(crate) use record::{EVENTS, FAULTS, SNAPSHOTS, SUMMARY};
