//! Swarms: many users of a workstation in one process, or many jobs of an LPAR. Each speaks the whole protocol through sockets of its
//! own, to the real daemons; only the process is shared. For soaks and benchmarks, where a process for each would be what is measured.
//!
//! - [`users`]: users log on at the RSE daemon, and their engines follow every notice.
//! - [`jobs`]: jobs under the debugger ask their LPAR's Debug Manager for a user's workstation.
//! - [`talk`]: the short debug conversation of the two.
//! - [`orders`]: what is to be done, a line each on standard input.
//!
//! What happens goes out as events, and few of them: one when a user is logged on or off or lost, one when a job has ended, and one
//! when an engine has. Who is at the other end is said in the conversation itself, so that crossed sessions are seen by both sides.

pub mod jobs;
pub mod orders;
pub mod talk;
pub mod users;

/// Longest reason in an event, in bytes: an event has to fit in one write to a pipe.
const LONGEST_REASON: usize = 300;

/// A reason as it may stand in an event.
fn brief(reason: &str) -> String {
    reason.chars().take(LONGEST_REASON).collect()
}
