//! `lab bench distributor`: how soon the kernel follows a change, what an established connection feels of it, and how soon a
//! DVIPA is taken over.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use distributor::Vary;
use evidence::monotonic_ns;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr as NetlinkAddr};
use netns::{NetNs, Network, inside};
use serde::{Deserialize, Serialize};
use sysplex::{Ports, Sysplex};

use super::realm::{in_realm, median, on_runtime};
use crate::backends::Known;
use crate::plex::Plex;
use crate::run::figure4::ms_since;
use crate::{exit, programs};

const PORTS: u16 = 64;
const FIRST_PORT: u16 = 20_000;
/// Changes in one run.
const CHANGES: usize = 10;

/// What one run reports.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Changed {
    /// From the operator's command to the kernel's new ruleset.
    in_kernel_ms: Vec<f64>,
    /// Until the distributor says that all is done.
    done_ms: Vec<f64>,
    /// Longest answer on an established connection: while nothing changes, and while it does.
    quiet_us: u64,
    changing_us: u64,
    /// From the crash to the first new connection.
    takeover_ms: f64,
}

/// Runs the benchmark on one backend; returns the exit status.
pub fn distributor(backend: &Known, runs: u32) -> u8 {
    let bin_dir = match programs::own_directory() {
        Ok(directory) => directory,
        Err(why) => {
            crate::note!("error: {why}");
            return exit::CANNOT_RUN;
        }
    };
    let mut all = Vec::new();
    for _ in 0..runs {
        let (known, dir) = (*backend, bin_dir.clone());
        let changed = in_realm(move |realm| changes(realm, &known, dir)).and_then(|(mut changed, _)| {
            let (known, dir) = (*backend, bin_dir.clone());
            let (taken, _) = in_realm(move |realm| takeover(realm, &known, dir))?;
            changed.takeover_ms = taken.takeover_ms;
            Ok(changed)
        });
        match changed {
            Ok(changed) => all.push(changed),
            Err(why) => {
                crate::note!("error: {}: {why}", backend.name);
                return exit::CANNOT_RUN;
            }
        }
    }
    say(backend, &all);
    exit::PASSED
}

fn say(backend: &Known, all: &[Changed]) {
    let over = |pick: fn(&Changed) -> &Vec<f64>| median(all.iter().flat_map(pick).copied().collect());
    let largest = |pick: fn(&Changed) -> &Vec<f64>| all.iter().flat_map(pick).copied().fold(0.0, f64::max);
    let micros = |pick: fn(&Changed) -> u64| median(all.iter().map(|changed| pick(changed) as f64).collect());
    crate::say!("{}, {} runs: 32 targets, {PORTS} ports, {CHANGES} changes of all of them", backend.name, all.len());
    if over(|c| &c.in_kernel_ms) > 0.0 {
        crate::say!(
            "  in the kernel after       {:>7.1} ms, at most {:.1} ms",
            over(|c| &c.in_kernel_ms),
            largest(|c| &c.in_kernel_ms)
        );
    }
    crate::say!(
        "  done after                {:>7.1} ms, at most {:.1} ms",
        over(|c| &c.done_ms),
        largest(|c| &c.done_ms)
    );
    crate::say!(
        "  longest answer on an established connection: {:.2} ms while nothing changes, {:.2} ms while it does",
        micros(|c| c.quiet_us) / 1000.0,
        micros(|c| c.changing_us) / 1000.0
    );
    let takeovers: Vec<f64> = all.iter().map(|changed| changed.takeover_ms).collect();
    crate::say!(
        "  first new connection after the owner's crash: {:.1} ms, at most {:.1} ms",
        median(takeovers.clone()),
        takeovers.iter().copied().fold(0.0, f64::max)
    );
}

/// 32 LPARs that all listen on all ports; the last is quiesced and resumed.
fn changes(realm: &Network, backend: &Known, bin_dir: std::path::PathBuf) -> Result<Changed, String> {
    let mut sysplex = Sysplex::uniform(32);
    sysplex.dvipas[0].distribute[0].ports = Ports::Listed((FIRST_PORT..FIRST_PORT + PORTS).collect());
    on_runtime(async {
        let plex = Plex::build(realm, &sysplex, backend.make(&sysplex), bin_dir, None).await;
        let plex = plex.map_err(|e| e.to_string())?;
        let say = |e: io::Error| e.to_string();
        let mut listeners = Vec::new();
        for lpar in &sysplex.lpars {
            let listen = || (FIRST_PORT..FIRST_PORT + PORTS).map(|port| TcpListener::bind(("0.0.0.0", port))).collect();
            let sockets: Vec<TcpListener> = plex.hosts.inside(&lpar.name, listen).map_err(|e| e.to_string())?;
            listeners.push(sockets);
        }
        plex.distribution.settle().await.map_err(|e| e.to_string())?;

        let last = sysplex.lpars[31].index;
        let station = plex.hosts.get(&sysplex.workstations[0].name).map_err(|e| e.to_string())?.0.netns().clone();
        let to = SocketAddr::new(sysplex.dvipas[0].address, FIRST_PORT);
        let echo = Echo::start(&listeners[1][0], &listeners[0][0], &station, to).map_err(say)?;
        let generations = generations(plex.hosts.get(&sysplex.lpars[0].name).map_err(|e| e.to_string())?.0.netns());

        let mut changed = Changed::default();
        tokio::time::sleep(Duration::from_millis(300)).await; // what is measured is that nothing happens
        changed.quiet_us = echo.longest();
        for change in 0..CHANGES {
            let command = if change % 2 == 0 { "QUIESCE,TARGET" } else { "RESUME,TARGET" };
            let command = Vary::parse(&format!("TCPIP,,SYSPLEX,{command}"))?;
            let begin = monotonic_ns();
            let done = plex.distribution.vary(last, command).await.map_err(|e| e.to_string())?;
            done.map_err(|e| e.to_string())?;
            changed.done_ms.push(ms_since(begin, monotonic_ns()));
            if let Some(generations) = &generations {
                let first = generations.try_iter().find(|t_ns| *t_ns > begin);
                changed.in_kernel_ms.extend(first.map(|t_ns| ms_since(begin, t_ns)));
            }
        }
        changed.changing_us = echo.longest();
        echo.end()?;
        Ok(changed)
    })
}

/// When the kernel of this namespace takes over a new ruleset of nftables; nothing where that cannot be heard.
fn generations(netns: &NetNs) -> Option<mpsc::Receiver<u64>> {
    const NFNLGRP_NFTABLES: u32 = 7;
    let socket = inside(netns, || {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind(&NetlinkAddr::new(0, 0))?;
        socket.add_membership(NFNLGRP_NFTABLES)?;
        Ok(socket)
    })
    .ok()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        socket.set_non_blocking(false).ok();
        let mut buffer = bytes();
        // A ruleset's own events come after it is in force; when there are too many for the buffer, the next read says so.
        loop {
            buffer.clear();
            let heard = socket.recv(&mut buffer, 0);
            if sender.send(monotonic_ns()).is_err() || heard.as_ref().is_err_and(|e| e.raw_os_error() != Some(105)) {
                return;
            }
        }
    });
    Some(receiver)
}

fn bytes() -> Vec<u8> {
    Vec::with_capacity(64 * 1024)
}

/// An established connection through the distributor on which something is said all the time.
struct Echo {
    longest_us: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
}

impl Echo {
    /// Servers on two LPARs, of which the distributor picks one.
    fn start(one: &TcpListener, other: &TcpListener, station: &NetNs, to: SocketAddr) -> io::Result<Self> {
        for listener in [one.try_clone()?, other.try_clone()?] {
            std::thread::spawn(move || {
                while let Ok((mut stream, _)) = listener.accept() {
                    std::thread::spawn(move || echo(&mut stream));
                }
            });
        }
        let mut stream = inside(station, || TcpStream::connect_timeout(&to, Duration::from_secs(5)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let (longest_us, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (longest, stopped) = (Arc::clone(&longest_us), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut word = [7];
            while !stopped.load(Ordering::Relaxed) {
                let begin = monotonic_ns();
                stream.write_all(&word)?;
                stream.read_exact(&mut word)?;
                longest.fetch_max((monotonic_ns() - begin) / 1000, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(500)); // the pace of what is measured
            }
            Ok(())
        });
        Ok(Self { longest_us, stop, thread })
    }

    /// The longest answer since it was last asked for, in microseconds.
    fn longest(&self) -> u64 {
        self.longest_us.swap(0, Ordering::Relaxed)
    }

    fn end(self) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join().map_err(|_| "the echo panicked".to_owned())?;
        ended.map_err(|e| format!("the established connection broke: {e}"))
    }
}

fn echo(stream: &mut TcpStream) {
    let mut word = [0];
    let _ = stream.set_nodelay(true);
    while stream.read_exact(&mut word).and_then(|()| stream.write_all(&word)).is_ok() {}
}

/// Four LPARs: the owner crashes, the second takes over, the others serve.
fn takeover(realm: &Network, backend: &Known, bin_dir: std::path::PathBuf) -> Result<Changed, String> {
    let mut sysplex = Sysplex::uniform(4);
    let backup = sysplex::Backup { lpar: sysplex.lpars[1].index, rank: 1, activates: None };
    sysplex.dvipas[0].backups = vec![backup];
    sysplex.dvipas[0].distribute[0].ports = Ports::Listed(vec![FIRST_PORT]);
    on_runtime(async {
        let plex = Plex::build(realm, &sysplex, backend.make(&sysplex), bin_dir, None).await;
        let plex = plex.map_err(|e| e.to_string())?;
        let mut listeners = Vec::new();
        for lpar in &sysplex.lpars[2..] {
            let listener = plex.hosts.inside(&lpar.name, || TcpListener::bind(("0.0.0.0", FIRST_PORT)));
            listeners.push(listener.map_err(|e| e.to_string())?);
        }
        plex.distribution.settle().await.map_err(|e| e.to_string())?;
        let station = plex.hosts.get(&sysplex.workstations[0].name).map_err(|e| e.to_string())?.0.netns().clone();
        let dvipa = sysplex.dvipas[0].address;
        dial(&station, dvipa, 1000).ok_or("no connection before the crash")?;
        let begin = monotonic_ns();
        let dialling = std::thread::spawn(move || first_after(&station, dvipa));
        plex.systems.crash(&sysplex.lpars[0]).await.map_err(|e| e.to_string())?;
        let first = dialling.join().map_err(|_| "the dialler panicked".to_owned())?;
        let first = first.ok_or("no connection within 10 s of the crash")?;
        Ok(Changed { takeover_ms: ms_since(begin, first), ..Changed::default() })
    })
}

/// When the first connection is made that could not be made before: dials until one fails, then until one does not.
fn first_after(station: &NetNs, dvipa: IpAddr) -> Option<u64> {
    let deadline = monotonic_ns() + 10_000_000_000;
    while dial(station, dvipa, 5).is_some() {
        if monotonic_ns() > deadline {
            return None;
        }
    }
    loop {
        if dial(station, dvipa, 5).is_some() {
            return Some(monotonic_ns());
        }
        if monotonic_ns() > deadline {
            return None;
        }
    }
}

fn dial(station: &NetNs, dvipa: IpAddr, ms: u64) -> Option<()> {
    let to = SocketAddr::new(dvipa, FIRST_PORT);
    inside(station, || TcpStream::connect_timeout(&to, Duration::from_millis(ms))).ok().map(drop)
}
