//! A sysplex that runs: hosts, links, distribution, started tasks, and the observers.

mod certificates;
mod distribution;
mod firewalls;
mod gre;
pub mod journal;
pub(crate) mod log;
pub mod logs;
mod network;
mod own_calls;
pub mod tasks;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use distributor::{Group, optlocal::Kept};
use evidence::{Event, HubState, Recorder, SocketView, Tap, What, monotonic_ns};
use netns::{Host, HostError, HostSpec, Network, Wirer, inside};
use sysplex::{Lpar, StartedTask, Sysplex};

use certificates::Certificates;
pub use distribution::{
    Applied, Distributor, Handle, Refused, SharedBackend, Sockets, Standing, gateways, responsiveness,
};
use journal::{Journal, TaskExit};
use logs::Logs;
pub(crate) use network::host_prefix;
pub(crate) use network::lan_mac;
pub use network::{LAN, LAN_LINK, LOOPBACK, XCF, XCF_LINK};
use tasks::{Exits, Starter, TaskHandle};

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

/// All hosts, by name.
#[derive(Debug, Default)]
pub struct Hosts(BTreeMap<String, (Arc<Host>, Exits)>);

impl Hosts {
    /// One host, and where the ends of its tasks arrive.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn get(&self, name: &str) -> Result<&(Arc<Host>, Exits), HostError> {
        self.0.get(name).ok_or_else(|| HostError::Down { host: name.into() })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.0.values().map(|(host, _)| host.as_ref())
    }

    /// Does something in a host's network.
    ///
    /// # Errors
    /// When the host is down, or what the work reports.
    pub fn inside<T: Send>(&self, name: &str, work: impl FnOnce() -> io::Result<T> + Send) -> Result<T, HostError> {
        Ok(inside(self.get(name)?.0.netns(), work)?)
    }
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
    let mut hosts = Hosts::default();
    for position in 0..count {
        let mut host = making.next(wirer.next().await?)?;
        let exits = Exits::follow(&mut host);
        let host = Arc::new(host);
        if let Some(lpar) = sysplex.lpars.get(position) {
            first.host_is_up(lpar, &host, &exits);
        }
        hosts.0.insert(host.name.clone(), (host, exits));
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
    pub started: Vec<TaskHandle>,
    starter: Starter,
    certificates: OnceLock<Certificates>,
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
        let (hosts, group, applied) = network(realm, sysplex, &backend, bin_dir).await?;
        firewalls::stand(&hosts, sysplex).await?;
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
        let starter = Starter { journal: journal.clone(), logs: logs.clone(), out };
        Ok(Self {
            sysplex: sysplex.clone(),
            hosts,
            journal,
            logs,
            distribution,
            recorder,
            views,
            started: Vec::new(),
            starter,
            certificates: OnceLock::new(),
        })
    }

    /// Made when they are needed first.
    fn certificates(&self) -> io::Result<&Certificates> {
        if let Some(made) = self.certificates.get() {
            return Ok(made);
        }
        let made = Certificates::new(&self.sysplex)?;
        Ok(self.certificates.get_or_init(|| made))
    }

    /// A client's command line with TLS for its debug sessions.
    ///
    /// # Errors
    /// When there are no certificates to be had.
    pub fn with_tls(&self, client: Vec<String>) -> Result<Vec<String>, PlexError> {
        Ok(self.certificates()?.client(client))
    }

    /// Starts a started task, with what it needs on its standard input.
    async fn start_started(&self, lpar: &Lpar, task: &StartedTask) -> Result<TaskHandle, PlexError> {
        let argv = tasks::started_task(lpar, task);
        if !matches!(task, StartedTask::DebugManager { tls: true, .. }) {
            return self.start(&lpar.name, task.name(), argv).await;
        }
        let certificates = self.certificates()?;
        let mut handle = self.start(&lpar.name, task.name(), certificates.debug_manager(argv)).await?;
        certificates.give(handle.stdin.take())?;
        Ok(handle)
    }

    /// Starts a task.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(&self, system: &str, name: &str, argv: Vec<String>) -> Result<TaskHandle, PlexError> {
        let (host, exits) = self.hosts.get(system)?;
        Ok(self.starter.start(host, exits, name, argv).await?)
    }

    /// Starts all started tasks and waits until each is ready: first the Debug Manager that will be the hub's primary, so that
    /// the others find it at their first try, then all others at once; last those whose procedures look for a free port.
    ///
    /// # Errors
    /// The first task that did not come up within `within`.
    pub async fn start_tasks(&mut self, within: Duration) -> Result<(), PlexError> {
        let sysplex = self.sysplex.clone();
        let (primaries, others): (Vec<_>, Vec<_>) = sysplex
            .lpars
            .iter()
            .flat_map(|lpar| lpar.tasks.iter().map(move |task| (lpar, task)))
            .partition(|(lpar, task)| will_be_primary(lpar, task));
        // Whoever looks for a free port finds those that others have.
        let (checkers, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(_, task)| matches!(task, StartedTask::Server { port_check: Some(_), .. }));
        for group in [primaries, others, checkers] {
            for (lpar, task) in &group {
                let handle = self.start_started(lpar, task).await?;
                self.started.push(handle);
            }
            for (lpar, task) in &group {
                self.wait_until_ready(lpar, task, within, 0).await?;
            }
        }
        self.distribution.begin().await
    }

    /// A started task is started (again).
    ///
    /// # Errors
    /// When it does not come up within `within`.
    pub async fn start_again(&mut self, lpar: &Lpar, task: &StartedTask, within: Duration) -> Result<(), PlexError> {
        let since = monotonic_ns();
        self.started.retain(|handle| handle.system != lpar.name || handle.name != task.name());
        let handle = self.start_started(lpar, task).await?;
        self.started.push(handle);
        self.wait_until_ready(lpar, task, within, since).await?;
        self.distribution.settle().await
    }

    /// An LPAR is gone without a word: first its links, so that nobody hears the end of its processes, then those.
    ///
    /// # Errors
    /// When the kernel refuses, or nobody can take over what it had.
    pub async fn crash(&self, lpar: &Lpar) -> Result<Vec<String>, PlexError> {
        network::unplug(lpar)?;
        let init = rustix::process::Pid::from_raw(self.hosts.get(&lpar.name)?.0.init);
        if let Some(init) = init {
            rustix::process::kill_process(init, rustix::process::Signal::KILL).map_err(io::Error::from)?;
        }
        self.distribution.crashed(lpar.index).await
    }

    /// The first ready, or end, of the task that counts is one since `since_ns`.
    async fn wait_until_ready(
        &self,
        lpar: &Lpar,
        task: &StartedTask,
        within: Duration,
        since_ns: u64,
    ) -> Result<(), PlexError> {
        let has_hub = matches!(task, StartedTask::DebugManager { hub: Some(_), .. });
        let (system, name) = (lpar.name.as_str(), task.name());
        let ready = self.journal.wait_for(within, |view| {
            if let Some(exit) = view.exit_since(system, name, since_ns) {
                return Some(Err(exit.clone()));
            }
            let is_own = |event: &&Event| event.system == system && event.task == name && event.t_ns >= since_ns;
            let mut own = view.events.iter().filter(is_own);
            let is_ready = own.clone().any(|event| matches!(event.what, What::Ready {}));
            let hub = own.any(|event| matches!(event.what, What::Hub { state, .. } if state != HubState::Off));
            (is_ready && (hub || !has_hub)).then_some(Ok(()))
        });
        let how = || format!("not ready within {}", humantime::format_duration(within));
        let silent = || TaskExit {
            system: system.into(),
            task: name.into(),
            how: how(),
            last_words: Vec::new(),
            t_ns: monotonic_ns(),
        };
        ready.await.unwrap_or_else(|| Err(silent())).map_err(PlexError::Task)
    }
}

fn will_be_primary(lpar: &Lpar, task: &StartedTask) -> bool {
    match task {
        StartedTask::DebugManager { hub: Some(hub), .. } => [lpar.xcf, lpar.home].contains(hub.ip()),
        _ => false,
    }
}
