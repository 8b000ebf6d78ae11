//! Wiring: network namespaces, links and configurations of many hosts, one after the other, on a thread of its own.
//!
//! One thread, because the kernel has one lock for all links of all namespaces, which making a namespace takes too: hosts that
//! did it at the same time would only wait for each other, and for whoever holds the lock while it is not running.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{Batch, NetConfig, NetNs};

type Links = Box<dyn FnOnce(&NetNs) -> Batch + Send>;

struct Job {
    links: Links,
    config: NetConfig,
}

/// Makes and wires the networks of hosts in the order in which they are asked for.
pub struct Wirer {
    jobs: Option<Sender<Job>>,
    wired: UnboundedReceiver<NetNs>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl fmt::Debug for Wirer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wirer")
    }
}

impl Wirer {
    /// Begins with what is in the fabric itself, the calling thread's namespace.
    ///
    /// # Errors
    /// When there is no thread, or no netlink socket, to be had.
    pub fn start(fabric: Batch) -> io::Result<Self> {
        let (jobs, coming) = channel();
        let (done, wired) = unbounded_channel();
        let outside = Batch::socket()?;
        let thread =
            std::thread::Builder::new().name("wirer".into()).spawn(move || work(outside, fabric, &coming, &done))?;
        Ok(Self { jobs: Some(jobs), wired, thread: Some(thread) })
    }

    /// Asks for one host's network: `links` are made in the fabric, and the host's ends of them are then configured.
    pub fn wire(&self, links: impl FnOnce(&NetNs) -> Batch + Send + 'static, config: NetConfig) {
        // When the thread has ended early, `next` says why.
        if let Some(jobs) = &self.jobs {
            let _ = jobs.send(Job { links: Box::new(links), config });
        }
    }

    /// The next network, wired.
    ///
    /// # Errors
    /// The first request that the kernel refused.
    pub async fn next(&mut self) -> io::Result<NetNs> {
        if let Some(netns) = self.wired.recv().await {
            return Ok(netns);
        }
        self.jobs = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(e))) => Err(e),
            Some(Err(_panic)) => Err(io::Error::other("the wirer panicked")),
            Some(Ok(Ok(()))) | None => Err(io::Error::other("no network was asked for")),
        }
    }
}

fn work(
    mut outside: netlink_sys::Socket,
    fabric: Batch,
    jobs: &Receiver<Job>,
    wired: &UnboundedSender<NetNs>,
) -> io::Result<()> {
    fabric.commit(&mut outside).map_err(io::Error::other)?;
    for Job { links, config } in jobs {
        unshare(CloneFlags::CLONE_NEWNET)?; // the thread's own; `outside` stays where it was opened
        let netns = NetNs::current()?;
        links(&netns).commit(&mut outside).map_err(io::Error::other)?;
        config.apply(&mut Batch::socket()?)?;
        let _ = wired.send(netns);
    }
    Ok(())
}
