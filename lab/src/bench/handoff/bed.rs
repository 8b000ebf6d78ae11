//! The sysplex in which handoffs are measured: users log on to LPAR1, which owns the DVIPA, jobs run on LPAR2. Debug Manager runs
//! on both and the RSE daemon on LPAR1, as their own programs.

use std::net::SocketAddr;
use std::path::PathBuf;

use netns::{NetNs, Network};
use sysplex::{Lpar, Ports, StartedTask, Sysplex};

use super::program::{self, Program};
use crate::backends::Known;
use crate::bench::distribution::Distribution;
use crate::plex::tasks::{self, RUN_DIR};

/// The RSE daemon's port.
const RSED: u16 = 4035;

pub(super) struct Bed {
    pub(super) distribution: Distribution,
    /// Where clients are.
    pub(super) station: NetNs,
    /// Where jobs are.
    pub(super) jobs: NetNs,
    /// LPAR2's file tree, as seen from here.
    pub(super) jobs_root: PathBuf,
    /// Debug Manager on the users' LPAR, on the jobs' LPAR, and the RSE daemon.
    pub(super) managers: [Program; 2],
    pub(super) rsed: Program,
}

/// The names of the two LPARs, as the uniform sysplex has them: users here, jobs there.
pub(super) const USERS_ON: &str = "LPAR1";
pub(super) const JOBS_ON: &str = "LPAR2";

impl Bed {
    /// All daemons are up, and the DVIPA is distributed: to LPAR2 its Debug Manager's port and these.
    pub(super) async fn make(
        realm: &Network,
        backend: &Known,
        bin_dir: PathBuf,
        ports: &[u16],
    ) -> Result<Self, String> {
        let sysplex = sysplex(ports);
        let mut distribution = Distribution::make(realm, sysplex, backend, bin_dir).await?;
        let first = manager(&distribution, USERS_ON, "EQACM901I").await?;
        let second = manager(&distribution, JOBS_ON, "EQACM902I").await?;
        let (lpar, rsed) = task(&distribution, USERS_ON, |task| matches!(task, StartedTask::Rsed { .. }))?;
        let rsed = tasks::started_task(lpar, rsed);
        let rsed = program::start(&distribution, USERS_ON, rsed, Some("RSE daemon is up")).await?;
        let clients = [client_port(&distribution, USERS_ON)?, client_port(&distribution, JOBS_ON)?];
        let there: Vec<u16> = ports.iter().copied().chain([clients[1]]).collect();
        let [here, jobs] = [0, 1].map(|lpar| distribution.sysplex.lpars[lpar].index);
        distribution.follow(&[(here, &[RSED, clients[0]]), (jobs, &there)]).await?;
        let root = format!("/proc/{}/root", distribution.host(JOBS_ON)?.0.init);
        Ok(Self {
            station: distribution.station()?,
            jobs: distribution.netns(JOBS_ON)?,
            jobs_root: root.into(),
            managers: [first, second],
            rsed,
            distribution,
        })
    }

    /// The RSE daemon, as clients reach it.
    pub(super) fn rse(&self) -> SocketAddr {
        self.dvipa(RSED)
    }

    /// A port of the DVIPA.
    pub(super) fn dvipa(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.distribution.sysplex.dvipas[0].address, port)
    }
}

async fn manager(on: &Distribution, system: &str, until: &str) -> Result<Program, String> {
    let (lpar, manager) = task(on, system, is_manager)?;
    let mut argv = tasks::started_task(lpar, manager);
    // Jobs that are to stay dormant must not run out of their wait.
    argv.push("WAIT=3600".to_owned());
    program::start(on, system, argv, Some(until)).await
}

fn is_manager(task: &StartedTask) -> bool {
    matches!(task, StartedTask::DebugManager { .. })
}

fn task<'a>(
    on: &'a Distribution,
    system: &str,
    wanted: impl Fn(&StartedTask) -> bool,
) -> Result<(&'a Lpar, &'a StartedTask), String> {
    let lpar = on.sysplex.lpar_named(system).ok_or_else(|| format!("there is no {system}"))?;
    let task = lpar.tasks.iter().find(|task| wanted(task)).ok_or_else(|| format!("{system} lacks a started task"))?;
    Ok((lpar, task))
}

fn client_port(on: &Distribution, system: &str) -> Result<u16, String> {
    match task(on, system, is_manager)?.1 {
        StartedTask::DebugManager { client, .. } => Ok(*client),
        _ => Err(format!("{system} has no Debug Manager")),
    }
}

/// Where LPAR2 keeps its name/token pairs, in its own file tree.
pub(super) fn run_dir() -> &'static str {
    RUN_DIR.trim_start_matches('/')
}

fn sysplex(ports: &[u16]) -> Sysplex {
    let mut sysplex = Sysplex::uniform(2);
    for distribute in &mut sysplex.dvipas[0].distribute {
        if let Ports::Listed(listed) = &mut distribute.ports {
            listed.extend(ports);
        }
    }
    sysplex
}
