//! A sysplex that runs: hosts, links, distribution, started tasks, and the observers.

mod certificates;
mod distribution;
pub mod faults;
mod gre;
mod hosts;
mod ipl;
pub mod journal;
mod launch;
pub(crate) mod log;
pub mod logs;
mod network;
mod own_calls;
mod restart;
mod systems;
pub mod tasks;
pub mod tool;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use distributor::{Group, optlocal::Kept};
use evidence::{Recorder, SocketView, Tap};
use netns::{HostError, HostSpec, Network, Wirer};
use sysplex::Sysplex;

pub use distribution::{
    Applied, Distributor, Handle, Refused, SharedBackend, Sockets, Standing, gateways, responsiveness,
};
use faults::Faults;
pub use hosts::Hosts;
use journal::{Journal, TaskExit};
use logs::Logs;
pub(crate) use network::host_prefix;
pub(crate) use network::lan_mac;
pub use network::{LAN, LAN_LINK, LOOPBACK, XCF, XCF_LINK};
pub use systems::{Named, Started, Systems};
use tasks::{Exits, Processes, Starter, TaskHandle};

/// Why a sysplex does not run.
#[derive(Debug, thiserror::Error)]
pub enum PlexError {
    /// A host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Something that should not fail.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A started task did not come up.
    #[error("{}", task_failure(.0))]
    Task(TaskExit),
}

fn task_failure(exit: &TaskExit) -> String {
    let last = exit.last_words.iter().rev().find(|line| !line.trim().is_empty());
    let said = last.map_or_else(String::new, |line| format!("; its last words: {line}"));
    format!("{} on {} did not come up: {}{said}", exit.task, exit.system, exit.how)
}

/// Makes the hosts, their links, addresses, routes and DVIPAs, and the distribution, which has no ready target yet. The hosts'
/// networks are made on one thread, while the keeper makes their processes and other namespaces.
///
/// # Errors
/// What the kernel refused.
pub async fn network(
    realm: &Network,
    sysplex: &Sysplex,
    backend: &SharedBackend,
    bin_dir: PathBuf,
) -> Result<(Arc<Hosts>, Group, Applied), PlexError> {
    let spec = |name: &str| HostSpec { name: name.to_owned(), bin_dir: bin_dir.clone() };
    let lpars = sysplex.lpars.iter().map(|lpar| spec(&lpar.name));
    let specs = lpars.chain(sysplex.workstations.iter().map(|workstation| spec(&workstation.name)));
    let specs: Vec<_> = specs.collect();
    let count = specs.len();
    let mut making = realm.begin(specs)?;
    network::quiet_fabric()?;
    let ipv6 = network::kernel_has_ipv6();
    let mut group = Group::new(sysplex);
    let places = group.places();
    let ways = own_calls::ways(sysplex, &places, &Kept::new());
    let mut wirer = Wirer::start(network::segments())?;
    for position in 0..count {
        let is_lpar = position < sysplex.lpars.len();
        wirer.wire(
            move |netns| network::links(position, netns, is_lpar),
            network::config(sysplex, (&places, &ways), position, ipv6),
        );
    }

    let mut first = distribution::FirstPlans::new(sysplex, group.plans(), backend);
    let hosts = Hosts::default();
    for position in 0..count {
        let mut host = making.next(wirer.next().await?)?;
        let exits = Exits::follow(&mut host);
        let host = Arc::new(host);
        if let Some(lpar) = sysplex.lpars.get(position) {
            first.host_is_up(lpar, &host, &exits);
        }
        hosts.put(host, exits);
    }
    Ok((Arc::new(hosts), group, first.applied().await?))
}

/// What is kept of what happens.
#[derive(Debug)]
pub struct Evidence {
    /// What processes say.
    pub journal: Journal,
    /// Where captures and logs are written.
    pub out: Option<PathBuf>,
    /// Are packets captured?
    pub captures: bool,
}

/// A sysplex that runs.
pub struct Plex {
    /// What it is.
    pub sysplex: Sysplex,
    /// Its hosts.
    pub hosts: Arc<Hosts>,
    /// What its processes say.
    pub journal: Journal,
    /// What its tasks print.
    pub logs: Logs,
    /// Its distributor.
    pub distribution: Handle,
    /// What its interfaces carry.
    pub recorder: Recorder,
    /// The sockets of each LPAR.
    pub views: BTreeMap<String, SocketView>,
    /// Its started tasks.
    pub started: Started,
    /// What brings them, and LPARs, up and down.
    pub systems: Systems,
    /// What goes wrong in it.
    pub faults: Faults,
}

impl Plex {
    /// Network and distribution; no task runs yet.
    ///
    /// # Errors
    /// What could not be made.
    pub async fn build(
        realm: &Network,
        sysplex: &Sysplex,
        backend: SharedBackend,
        bin_dir: PathBuf,
        out: Option<PathBuf>,
    ) -> Result<Self, PlexError> {
        let file = match &out {
            Some(out) => Some(std::fs::File::create(out.join("events.jsonl"))?),
            None => None,
        };
        Self::build_with(
            realm,
            sysplex,
            backend,
            bin_dir,
            Evidence { journal: Journal::new(file), out, captures: true },
        )
        .await
    }

    /// The same, with less evidence or other evidence.
    ///
    /// # Errors
    /// What could not be made.
    pub async fn build_with(
        realm: &Network,
        sysplex: &Sysplex,
        backend: SharedBackend,
        bin_dir: PathBuf,
        evidence: Evidence,
    ) -> Result<Self, PlexError> {
        let Evidence { journal, out, captures } = evidence;
        let (shared, programs) = (Arc::clone(&backend), bin_dir.clone());
        let (hosts, group, applied) = network(realm, sysplex, &backend, bin_dir).await?;
        let mut taps = Vec::new();
        let mut views = BTreeMap::new();
        for lpar in &sysplex.lpars {
            let interfaces = [(LAN_LINK, LAN), (XCF_LINK, XCF)];
            if captures {
                taps.push(hosts.inside(&lpar.name, || Tap::open(&lpar.name, &interfaces))?);
            }
            views.insert(lpar.name.clone(), hosts.inside(&lpar.name, SocketView::open)?);
        }
        let recorder = Recorder::start(taps, out.as_deref())?;
        out.as_deref().map(log::Log::begin).transpose()?;
        let distributor = Distributor::new(sysplex, &hosts, backend, (group, applied), &journal)?;
        let distribution = distributor.run_in_background();
        let logs = Logs::default();
        let starter = Starter { journal: journal.clone(), logs: logs.clone(), out, running: Processes::default() };
        let (started, ended_on_purpose, supervised, certificates) = Default::default();
        let systems = Systems {
            sysplex: Arc::new(sysplex.clone()),
            hosts: Arc::clone(&hosts),
            journal: journal.clone(),
            distribution: distribution.clone(),
            started,
            ended_on_purpose,
            supervised,
            certificates,
            starter,
            realm: realm.clone(),
            backend: shared,
            bin_dir: programs,
        };
        let (sysplex, started, faults) = (sysplex.clone(), systems.started.clone(), Faults::new(systems.clone()));
        faults.stand_firewalls().await?;
        Ok(Self { sysplex, hosts, journal, logs, distribution, recorder, views, started, systems, faults })
    }

    /// A client's command line with TLS for its debug sessions.
    ///
    /// # Errors
    /// When there are no certificates to be had.
    pub fn with_tls(&self, client: Vec<String>) -> Result<Vec<String>, PlexError> {
        Ok(self.systems.certificates.of(&self.sysplex)?.client(client))
    }

    /// Starts a task.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(&self, system: &str, name: &str, argv: Vec<String>) -> Result<TaskHandle, PlexError> {
        self.systems.start(system, name, argv).await
    }

    /// Starts all started tasks and waits until each is ready.
    ///
    /// # Errors
    /// The first task that did not come up within `within`.
    pub async fn start_tasks(&self, within: Duration) -> Result<(), PlexError> {
        let lpars = &self.sysplex.lpars;
        let tasks = lpars.iter().flat_map(|lpar| lpar.tasks.iter().map(move |task| (lpar, task))).collect();
        self.systems.bring_up_in_order(tasks, within).await?;
        self.distribution.begin().await
    }
}
