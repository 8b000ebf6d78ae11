//! The unsafe system calls of the house: making processes.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, Pid, fork};

/// Which side of a fork this is.
pub(crate) enum Forked {
    /// The new process.
    Child,
    /// The old one.
    Parent(Pid),
}

/// Forks a process that has one thread.
///
/// Call it only where no other thread was started: the keeper, and the program that is about to become one, never have a
/// second thread.
pub(crate) fn fork_single_threaded() -> nix::Result<Forked> {
    // SAFETY: the caller has one thread (see above), so no lock can be held by a thread that does not exist in the child,
    // and the child may do whatever the parent may.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(Forked::Child),
        ForkResult::Parent { child } => Ok(Forked::Parent(child)),
    }
}

/// Forks a process that has one thread into new namespaces; the parent also gets a pidfd.
pub(crate) fn clone_into(namespaces: CloneFlags) -> io::Result<Option<(Pid, OwnedFd)>> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: all-zero is a valid `clone_args`: every field is an integer, and zero means "not used".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from((namespaces.bits() | libc::CLONE_PIDFD).cast_unsigned());
    args.exit_signal = libc::SIGCHLD as u64;
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    // SAFETY: without CLONE_VM this is fork(2) for a process with one thread: parent and child go on with their own copy of
    // memory and stack. `args` and `pidfd` outlive the call. (The C library's cached thread id is the parent's in the child;
    // nothing here uses it.)
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => {
            // SAFETY: the kernel has just opened this descriptor for us (CLONE_PIDFD), and nobody else knows of it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Some((Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?), pidfd)))
        }
    }
}

/// Closes every descriptor from `first` on, in a process that never returns to the owners of those descriptors.
pub(crate) fn close_from(first: i32) -> io::Result<()> {
    // SAFETY: only `init`, a fresh fork that ends in `exit`, calls this; the values that own these descriptors belong to the
    // parent's stack frames and are never dropped in this process.
    match unsafe { libc::syscall(libc::SYS_close_range, first.cast_unsigned(), u32::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The descriptor with this number, owned: for `init`, which puts its control socket at a number it knows.
pub(crate) fn own(fd: i32) -> OwnedFd {
    // SAFETY: `init` has just placed its own socket at this number and closed all others.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Closes the descriptors above standard error that this process was started with: those that an `exec` would not close. The
/// house's own are all closed by an `exec`, as the standard library opens them.
pub(crate) fn close_inherited() -> io::Result<()> {
    let entries: Vec<_> = std::fs::read_dir("/proc/self/fd")?.collect::<Result<_, _>>()?;
    for number in entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter(|&n| n > 2)
    {
        // SAFETY: only the number is looked at; one that is not open any more is refused by the kernel.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
            // SAFETY: no value of this process owns a descriptor that survives an `exec` (see above).
            unsafe { libc::close(number) };
        }
    }
    Ok(())
}

/// The default action for the signals by which people and terminals end programs: a shell starts what is to run beside it with
/// some of them ignored, and that is inherited.
pub(crate) fn default_endings() -> nix::Result<()> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for ending in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        // SAFETY: the default action is no handler, so no code of ours can run at a bad moment.
        unsafe { signal(ending, SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Lets ended children be waited for, whatever the parent of this program wants: a SIGCHLD that is ignored would reap them
/// unseen, and that is inherited.
pub(crate) fn default_sigchld() -> nix::Result<()> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: the default action is no handler, so no code of ours can run at a bad moment.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.map(|_| ())
}
