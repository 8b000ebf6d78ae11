//! What the kernel shows of the processes and hosts of a soak: memory, descriptors, threads, sockets, entries of the VCRT.

use std::collections::BTreeMap;

use soak::budget::{Quantity, Series};
use soak::summary::Grown;

use super::swarms::Swarms;
use crate::plex::Plex;

/// All series, by whose they are.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Of a process; another one of the same name begins anew.
    processes: BTreeMap<String, (i32, BTreeMap<Quantity, Series>)>,
    hosts: BTreeMap<String, BTreeMap<Quantity, Series>>,
    /// Those that have ended and had grown too much.
    ended: Vec<Grown>,
    /// See [`Quantity::budget`].
    moves: f64,
}

/// The name of this process.
const OWN: &str = "lab";
/// How long the connection routing table fills: what has ended stays in it for minutes. Soaks that are shorter say nothing about it.
const TABLE_FILLS_MS: u64 = 300_000;

/// Whose processes.
type Running = Vec<(String, i32)>;

impl Samples {
    /// No samples yet. All users may be on one LPAR in the end, and sessions of a second may be under way.
    pub(super) fn new(users: u32, rate: f64) -> Self {
        Self { moves: f64::from(users) + rate, ..Self::default() }
    }

    /// Looks at all processes and hosts.
    pub(super) fn take(&mut self, at_ms: u64, plex: &Plex, swarms: &Swarms) {
        let named = |task: &str, on: &str| format!("{task} on {on}");
        let started = plex.started.with(|all| -> Running {
            all.iter().map(|task| (named(&task.name, &task.system), task.running.realm_pid)).collect()
        });
        let swarms = swarms.processes().map(|(task, on, pid)| (named(task, on), pid));
        let running: Running = started.into_iter().chain(swarms).collect();
        for (name, pid) in running.into_iter().chain([(OWN.to_owned(), own_pid())]) {
            if let Some(found) = of_process(pid) {
                self.add_process(at_ms, name, pid, found);
            }
        }
        for host in plex.hosts.all() {
            if let Some(sockets) = sockets(host.init) {
                self.hosts
                    .entry(host.name.clone())
                    .or_default()
                    .entry(Quantity::Sockets)
                    .or_default()
                    .add(at_ms, sockets);
            }
        }
    }

    fn add_process(&mut self, at_ms: u64, name: String, pid: i32, found: [(Quantity, f64); 3]) {
        let before = self.processes.get(&name).filter(|(other, _)| *other != pid);
        if let Some((_, series)) = before {
            self.ended.extend(grown(&name, series, 0, self.moves).filter(|grown| !grown.keeps));
            self.processes.remove(&name);
        }
        let (_, series) = self.processes.entry(name).or_insert_with(|| (pid, BTreeMap::new()));
        for (quantity, value) in found {
            series.entry(quantity).or_default().add(at_ms, value);
        }
    }

    /// Entries of the connection routing table of a DVIPA's owner.
    pub(super) fn add_vcrt(&mut self, at_ms: u64, owner: &str, entries: usize) {
        let series = self.hosts.entry(owner.to_owned()).or_default().entry(Quantity::VcrtEntries).or_default();
        series.add(at_ms, entries as f64);
    }

    /// Entries of the connection routing table when it was last looked at.
    pub(super) fn vcrt(&self) -> Option<f64> {
        self.hosts.values().filter_map(|series| series.get(&Quantity::VcrtEntries)?.last()).next_back()
    }

    /// How all of it has grown after the warm-up.
    pub(super) fn grown(&self, ran_ms: u64) -> Vec<Grown> {
        // Pools and caches fill in a fifth of the time, and in two minutes at most.
        let warm = (ran_ms / 5).min(120_000);
        let processes = self.processes.iter().map(|(name, (_, series))| (name, series));
        let all = processes.chain(&self.hosts).flat_map(|(name, series)| grown(name, series, warm, self.moves));
        self.ended.iter().cloned().chain(all).collect()
    }
}

fn grown<'a>(
    of: &'a str,
    series: &'a BTreeMap<Quantity, Series>,
    warm: u64,
    moves: f64,
) -> impl Iterator<Item = Grown> + 'a {
    series.iter().filter_map(move |(&quantity, series)| {
        // What connections leave behind in the table stays for minutes by design, and the lab reads the table.
        let is_of_the_table = quantity == Quantity::VcrtEntries || of == OWN;
        let from = if is_of_the_table { warm.max(TABLE_FILLS_MS) } else { warm };
        let (slope, budget) = (series.slope(from)?, quantity.budget(moves));
        Some(Grown { of: of.to_owned(), quantity, slope, budget, keeps: slope.keeps(budget) })
    })
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(0)
}

/// Memory, threads and descriptors of a process; nothing when it is gone.
fn of_process(pid: i32) -> Option<[(Quantity, f64); 3]> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let [kib, threads] = of_status(&status)?;
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some([(Quantity::RssKib, kib), (Quantity::Threads, threads), (Quantity::Descriptors, descriptors as f64)])
}

/// Resident memory in KiB and threads from `/proc/PID/status` (proc(5)).
fn of_status(status: &str) -> Option<[f64; 2]> {
    let number = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Some([number("VmRSS:")?, number("Threads:")?])
}

/// TCP sockets of the host that a process holds, from `/proc/PID/net/sockstat`.
fn sockets(init: i32) -> Option<f64> {
    in_use(&std::fs::read_to_string(format!("/proc/{init}/net/sockstat")).ok()?)
}

fn in_use(sockstat: &str) -> Option<f64> {
    let words = sockstat.lines().find_map(|line| line.strip_prefix("TCP: inuse "))?;
    words.split_whitespace().next()?.parse().ok()
}

/// Processor time of this process, in nanoseconds.
pub(super) fn own_processor_ns() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Resident memory of this process, in KiB.
pub(super) fn own_rss_kib() -> f64 {
    of_process(own_pid()).map_or(0.0, |[(_, kib), ..]| kib)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_as_the_kernel_writes_it() {
        let status = "Name:\tdbgmgr\nVmHWM:\t    9424 kB\nVmRSS:\t    7424 kB\nThreads:\t5\n";
        assert_eq!(of_status(status), Some([7424.0, 5.0]));
        assert_eq!(of_status("Name:\tdbgmgr\nState:\tZ (zombie)\n"), None);
        assert_eq!(in_use("sockets: used 20\nTCP: inuse 7 orphan 0 tw 100 alloc 9 mem 1\n"), Some(7.0));
        let own = of_process(own_pid()).expect("this process");
        assert!(own.iter().all(|(_, value)| *value >= 1.0), "{own:?}");
    }

    #[test]
    fn a_process_that_is_started_again_begins_anew() {
        let mut samples = Samples::default();
        let found = |kib: f64| [(Quantity::RssKib, kib), (Quantity::Threads, 1.0), (Quantity::Descriptors, 9.0)];
        let name = || "DBGMGR on LPAR1".to_owned();
        (1..60).for_each(|at| samples.add_process(at * 1000, name(), 1, found(5000.0 + at as f64 * 500.0)));
        (60..90).for_each(|at| samples.add_process(at * 1000, name(), 2, found(5000.0)));
        let bad: Vec<Grown> = samples.grown(90_000).into_iter().filter(|grown| !grown.keeps).collect();
        assert_eq!(bad.len(), 1, "the first one had grown: {bad:?}");
        assert_eq!((bad[0].quantity, bad[0].of.as_str()), (Quantity::RssKib, "DBGMGR on LPAR1"));
    }
}
