//! `report.html`: a run or a soak as one page that opens anywhere, offline and without scripts if need be.
//!
//! [`Record`] is what the run itself leaves for it; `run_dir` reads a run's directory, bounded; everything else is pure: from what
//! was read to markup. `soak` does the same for a soak's directory. All texts in it come from processes and files, so markup is made by a library that escapes them, and the page's
//! own policy allows no script but its own.

mod axis;
mod cli;
mod connections;
mod draw;
mod ends;
mod evidence;
mod fault;
mod keep;
mod latency;
mod log;
mod packet_list;
mod packets;
mod page;
mod plan;
mod record;
mod run_dir;
mod sequence;
mod soak;
mod steps;
mod timeline;
mod topology;
mod verdict;
mod words;

pub use cli::{EXAMPLES, Report, main};
pub(crate) use keep::keep;
pub(crate) use plan::Plan;
pub use record::Record;
pub(crate) use soak::keep as keep_soak;
pub(crate) use topology::figure;

/// The report's name in the directory of its run.
pub const REPORT: &str = "report.html";
