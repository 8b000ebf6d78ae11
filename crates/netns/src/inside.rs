//! Doing one thing in another network namespace.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::sched::{CloneFlags, setns};

/// A network namespace, held open; it lives as long as anybody holds it.
#[derive(Clone, Debug)]
pub struct NetNs(Arc<OwnedFd>);

impl NetNs {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(Arc::new(fd))
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// When `/proc` does not show it.
    pub fn current() -> io::Result<Self> {
        Ok(Self::new(std::fs::File::open("/proc/thread-self/ns/net")?.into()))
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Runs `work` on a thread of its own inside the namespace and returns what it made, usually a socket, which stays in that
/// namespace for good.
///
/// # Errors
/// When the namespace cannot be entered, or what `work` itself reports.
pub fn inside<T: Send>(netns: &NetNs, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(netns, CloneFlags::CLONE_NEWNET)?;
            work()
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the work in the namespace panicked")))
    })
}
