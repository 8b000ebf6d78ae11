//! `lab bench up`: how fast a sysplex is up, and what it weighs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use distributor::Nftables;
use evidence::monotonic_ns;
use netns::Network;
use serde::{Deserialize, Serialize};
use sysplex::Sysplex;

use super::floor::{self, Amount};
use super::memory::pss_by_pid_namespace;
use super::realm::{in_realm, median, on_runtime};
use crate::plex::{self, Plex, SharedBackend};
use crate::run::figure4::ms_since;
use crate::{exit, programs};

/// How long the started tasks of all LPARs may take.
const TASKS_WITHIN: Duration = Duration::from_secs(60);

/// What one run in a realm reports.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Measured {
    ms: f64,
    /// Largest LPAR, in bytes.
    pss: u64,
}

/// Medians for one number of LPARs.
#[derive(Debug, Serialize)]
struct Figures {
    lpars: u32,
    runs: u32,
    floor_ms: f64,
    network_ms: f64,
    /// network / floor, the median of the ratios of runs that followed each other.
    network_per_floor: f64,
    network_down_ms: f64,
    ready_ms: f64,
    ready_down_ms: f64,
    lpar_pss_mib: f64,
}

/// Runs the benchmark; returns the exit status.
pub fn up(lpars: &[u32], runs: u32, json: bool) -> u8 {
    let bin_dir = match programs::own_directory() {
        Ok(directory) => directory,
        Err(why) => {
            crate::note!("error: {why}");
            return exit::CANNOT_RUN;
        }
    };
    if !json {
        crate::say!(
            "medians of {runs} runs; floor: as many bare namespaces, veth pairs and addresses, one after the other by netlink"
        );
        crate::say!(
            "LPARs   floor ms   network ms   network/floor   down ms   all tasks ready ms   down ms   MiB per LPAR (PSS)"
        );
    }
    for &n in lpars {
        match measure(n, runs, &bin_dir) {
            Ok(figures) => say(&figures, json),
            Err(why) => {
                crate::note!("error: {n} LPARs: {why}");
                return exit::CANNOT_RUN;
            }
        }
    }
    exit::PASSED
}

fn say(f: &Figures, json: bool) {
    if json {
        crate::say!("{}", serde_json::to_string(f).unwrap_or_default());
        return;
    }
    crate::say!(
        "{:>5} {:>10.1} {:>12.1} {:>15.2} {:>9.1} {:>20.1} {:>9.1} {:>20.1}",
        f.lpars,
        f.floor_ms,
        f.network_ms,
        f.network_per_floor,
        f.network_down_ms,
        f.ready_ms,
        f.ready_down_ms,
        f.lpar_pss_mib
    );
}

fn measure(lpars: u32, runs: u32, bin_dir: &std::path::Path) -> Result<Figures, String> {
    let (mut floors, mut networks, mut ratios, mut network_downs) = (vec![], vec![], vec![], vec![]);
    let (mut readies, mut ready_downs, mut weights) = (vec![], vec![], vec![]);
    for _ in 0..runs {
        let (floor, _) = in_realm(move |_| floor_once(lpars))?;
        let dir = bin_dir.to_owned();
        let (network, down) = in_realm(move |realm| network_once(realm, lpars, dir))?;
        floors.push(floor.ms);
        networks.push(network.ms);
        ratios.push(network.ms / floor.ms);
        network_downs.push(down);
        let dir = bin_dir.to_owned();
        let (ready, down) = in_realm(move |realm| ready_once(realm, lpars, dir))?;
        readies.push(ready.ms);
        ready_downs.push(down);
        weights.push(ready.pss as f64 / 1024.0 / 1024.0);
    }
    Ok(Figures {
        lpars,
        runs,
        floor_ms: median(floors),
        network_ms: median(networks),
        network_per_floor: median(ratios),
        network_down_ms: median(network_downs),
        ready_ms: median(readies),
        ready_down_ms: median(ready_downs),
        lpar_pss_mib: median(weights),
    })
}

fn floor_once(lpars: u32) -> Result<Measured, String> {
    let sysplex = Sysplex::uniform(lpars);
    let stations = u32::try_from(sysplex.workstations.len()).unwrap_or(0);
    // A LAN link for every host and an XCF link for every LPAR; as many home, XCF and DVIPA addresses as the LPARs have.
    let amount = Amount { namespaces: lpars + stations, pairs: 2 * lpars + stations, addresses: 3 * lpars + stations };
    let took = floor::measure(amount).map_err(|e| e.to_string())?;
    Ok(Measured { ms: took.as_secs_f64() * 1000.0, ..Measured::default() })
}

fn network_once(realm: &Network, lpars: u32, bin_dir: PathBuf) -> Result<Measured, String> {
    let sysplex = Sysplex::uniform(lpars);
    on_runtime(async {
        let begin = monotonic_ns();
        let backend: SharedBackend = Arc::new(Nftables);
        let up = plex::network(realm, &sysplex, &backend, bin_dir).await;
        up.map_err(|e| e.to_string())?;
        Ok(Measured { ms: ms_since(begin, monotonic_ns()), ..Measured::default() })
    })
}

fn ready_once(realm: &Network, lpars: u32, bin_dir: PathBuf) -> Result<Measured, String> {
    let sysplex = Sysplex::uniform(lpars);
    on_runtime(async {
        let begin = monotonic_ns();
        let plex = Plex::build(realm, &sysplex, Arc::new(Nftables), bin_dir, None).await;
        let plex = plex.map_err(|e| e.to_string())?;
        plex.start_tasks(TASKS_WITHIN).await.map_err(|e| e.to_string())?;
        let ms = ms_since(begin, monotonic_ns());
        Ok(Measured { ms, pss: largest_lpar(&plex).map_err(|e| e.to_string())? })
    })
}

fn largest_lpar(plex: &Plex) -> std::io::Result<u64> {
    let sums = pss_by_pid_namespace()?;
    let lpars = plex.hosts.all().into_iter().filter(|host| plex.sysplex.lpar_named(&host.name).is_some());
    let weights = lpars.filter_map(|host| {
        let namespace = std::fs::read_link(format!("/proc/{}/ns/pid", host.init)).ok()?;
        sums.get(namespace.to_string_lossy().as_ref()).copied()
    });
    Ok(weights.max().unwrap_or(0))
}
