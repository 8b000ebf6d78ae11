//! The kernel's floor: the same number of bare network namespaces, veth pairs and addresses, made one after the other by raw
//! netlink. No process, no bridge, no route, no mount, no distribution.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netns::{Batch, Veth};
use nix::sched::{CloneFlags, setns, unshare};

/// Indexes of the ends that stay outside.
const OUTSIDE: u32 = 1000;

/// How much is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    /// Network namespaces.
    pub(super) namespaces: u32,
    /// veth pairs, spread over them.
    pub(super) pairs: u32,
    /// Addresses, spread over them.
    pub(super) addresses: u32,
}

/// Makes them in the calling process's namespaces and says how long it took.
pub(super) fn measure(amount: Amount) -> io::Result<Duration> {
    // A thread of its own, since it changes its namespace; everything goes away with its descriptors.
    std::thread::scope(|scope| scope.spawn(|| make(amount)).join())
        .unwrap_or_else(|_| Err(io::Error::other("the floor's thread panicked")))
}

fn make(amount: Amount) -> io::Result<Duration> {
    let home = File::open("/proc/thread-self/ns/net")?;
    let mut outside = Batch::socket()?;
    let begin = Instant::now();
    let mut namespaces = Vec::new();
    for _ in 0..amount.namespaces {
        unshare(CloneFlags::CLONE_NEWNET)?;
        namespaces.push((File::open("/proc/thread-self/ns/net")?, Batch::socket()?));
    }
    setns(&home, CloneFlags::CLONE_NEWNET)?;
    for pair in 0..amount.pairs {
        let (namespace, _) = &namespaces[(pair % amount.namespaces) as usize];
        let name = format!("f{pair}");
        let inner = 2 + pair / amount.namespaces;
        let mut batch = Batch::default();
        batch.plain_veth(&Veth {
            outer: (OUTSIDE + pair, &name),
            bridge: 0,
            inner: (inner, &format!("e{inner}")),
            mac: None,
            netns: namespace.as_fd(),
        });
        batch.commit(&mut outside).map_err(io::Error::other)?;
    }
    for number in 0..amount.addresses {
        let (_, socket) = &mut namespaces[(number % amount.namespaces) as usize];
        let mut batch = Batch::default();
        let [_, _, high, low] = number.to_be_bytes();
        batch.address(1, Ipv4Addr::new(10, 1, high, low).into(), 32);
        batch.commit(socket).map_err(io::Error::other)?;
    }
    Ok(begin.elapsed())
}

/// Waits until the kernel has taken down what earlier realms left: it does so in the background, one batch after the other,
/// and holds the lock for all links meanwhile. A namespace of our own is queued behind them; its end of a pair takes ours with
/// it. That is the beginning of its batch's end (links go first), so it takes a second one to know that the first batch,
/// and all that was in it, is done with.
pub(super) fn settle() -> io::Result<()> {
    let twice = || queue_behind().and_then(|()| queue_behind());
    std::thread::scope(|scope| scope.spawn(twice).join())
        .unwrap_or_else(|_| Err(io::Error::other("the settling thread panicked")))
}

fn queue_behind() -> io::Result<()> {
    const LONGEST: Duration = Duration::from_secs(10);
    let home = File::open("/proc/thread-self/ns/net")?;
    let mut outside = Batch::socket()?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let last = File::open("/proc/thread-self/ns/net")?;
    setns(&home, CloneFlags::CLONE_NEWNET)?;
    let mut pair = Batch::default();
    pair.plain_veth(&Veth {
        outer: (OUTSIDE, "last0"),
        bridge: 0,
        inner: (2, "last1"),
        mac: None,
        netns: last.as_fd(),
    });
    pair.commit(&mut outside).map_err(io::Error::other)?;
    drop(last);
    let begin = Instant::now();
    while begin.elapsed() < LONGEST {
        let mut still_there = Batch::default();
        still_there.link_up(OUTSIDE);
        if still_there.commit(&mut outside).is_err() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Err(io::Error::other(format!("awaited the end of earlier namespaces, they are still there after {LONGEST:?}")))
}
