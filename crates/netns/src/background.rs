//! Going to the background: the program goes on as a process of a session of its own, which no terminal ends.

use std::io;

use crate::sys;

/// Which side of the fork this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The process that the user started, with the number of the one that goes on.
    Foreground(i32),
    /// The one that goes on: leader of a session without a terminal, in `/`, with the default actions for signals that end a
    /// program, and without the descriptors that the program was started with, but for the standard ones.
    Background,
}

/// Forks. The calling process must have one thread.
///
/// # Errors
/// When it has more, or the kernel refuses; then there is no second process.
pub fn go_to_background() -> io::Result<Side> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("going to the background: one thread was expected, {threads} run")));
    }
    match sys::fork_single_threaded()? {
        sys::Forked::Parent(pid) => Ok(Side::Foreground(pid.as_raw())),
        sys::Forked::Child => match detach() {
            Ok(()) => Ok(Side::Background),
            Err(e) => {
                eprintln!("going to the background: {e}");
                std::process::exit(1);
            }
        },
    }
}

fn detach() -> io::Result<()> {
    sys::close_inherited()?;
    nix::unistd::setsid()?;
    sys::default_endings()?;
    std::env::set_current_dir("/")
}
