//! Wiring: network namespaces, links and configurations of many hosts, one after the other, on two threads of its own: one
//! makes namespaces, the other links and configures what the first has made.
//!
//! No more than two, because the kernel has one lock for all links of all namespaces, which making a namespace takes too: hosts
//! that did it at the same time would only wait for each other, and for whoever holds the lock while it is not running.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use netlink_sys::Socket;
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
        let (jobs, asked) = channel();
        let (made, coming) = channel();
        let (done, wired) = unbounded_channel();
        let outside = Batch::socket()?;
        let maker = Builder::new().name("namespaces".into()).spawn(move || make(&asked, &made))?;
        let thread = Builder::new().name("wirer".into()).spawn(move || {
            work(outside, fabric, &coming, &done)?;
            maker.join().unwrap_or_else(|_| Err(io::Error::other("the maker of namespaces panicked")))
        })?;
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

/// A namespace that was made, and a netlink socket in it.
type Made = (Job, NetNs, Socket);

/// Makes namespaces ahead of the wiring, and does in them what needs no link.
fn make(jobs: &Receiver<Job>, made: &Sender<Made>) -> io::Result<()> {
    for job in jobs {
        unshare(CloneFlags::CLONE_NEWNET)?; // the thread's own
        job.config.apply_sysctls()?;
        if made.send((job, NetNs::current()?, Batch::socket()?)).is_err() {
            break; // the wirer has ended, and says why
        }
    }
    Ok(())
}

fn work(mut outside: Socket, fabric: Batch, coming: &Receiver<Made>, wired: &UnboundedSender<NetNs>) -> io::Result<()> {
    fabric.commit(&mut outside).map_err(io::Error::other)?;
    for (Job { links, config }, netns, mut inside) in coming {
        links(&netns).commit(&mut outside).map_err(io::Error::other)?;
        config.requests().commit(&mut inside).map_err(io::Error::other)?;
        let _ = wired.send(netns);
    }
    Ok(())
}
