//! Wiring: links and configurations of many hosts, one after the other, on a thread of its own.
//!
//! One thread, because the kernel has one lock for all links of all namespaces: hosts that configured themselves at the same
//! time would only wait for each other, and for whoever holds the lock while it is not running.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, setns};

use crate::{Batch, NetConfig, NetNs};

#[derive(Debug)]
struct Job {
    links: Batch,
    host: NetNs,
    config: NetConfig,
}

/// Wires hosts in the order in which they are given.
#[derive(Debug)]
pub struct Wirer {
    jobs: Sender<Job>,
    thread: JoinHandle<io::Result<()>>,
}

impl Wirer {
    /// Begins with what is in the fabric itself, the calling thread's namespace.
    ///
    /// # Errors
    /// When there is no thread, or no netlink socket, to be had.
    pub fn start(fabric: Batch) -> io::Result<Self> {
        let (jobs, coming) = channel::<Job>();
        let mut outside = Batch::socket()?;
        let thread = std::thread::Builder::new().name("wirer".into()).spawn(move || {
            fabric.commit(&mut outside).map_err(io::Error::other)?;
            for Job { links, host, config } in coming {
                links.commit(&mut outside).map_err(io::Error::other)?;
                setns(&host, CloneFlags::CLONE_NEWNET)?; // the thread's own; `outside` stays where it was opened
                config.apply(&mut Batch::socket()?)?;
            }
            Ok(())
        })?;
        Ok(Self { jobs, thread })
    }

    /// Makes these links in the fabric, then configures the host, whose ends of the links are there by then.
    pub fn wire(&self, links: Batch, host: &NetNs, config: NetConfig) {
        // When the thread has ended early, `finish` says why.
        let _ = self.jobs.send(Job { links, host: host.clone(), config });
    }

    /// Waits until all is done.
    ///
    /// # Errors
    /// The first request that the kernel refused.
    pub fn finish(self) -> io::Result<()> {
        drop(self.jobs);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the wirer panicked")))
    }
}
