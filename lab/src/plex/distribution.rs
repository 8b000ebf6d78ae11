//! The distributor at work: watches which sockets listen where, plans, and puts the plan into the owners' kernels.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use distributor::{Backend, OwnerPlan, Script, State, VcrtEntry, plan};
use evidence::{Event, SocketView, What, monotonic_ns};
use netns::{Host, HostError};
use sysplex::{Lpar, LparIndex, Sysplex};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::journal::Journal;
use super::tasks::Exits;
use super::{Hosts, PlexError, tasks};

/// How often the listeners are looked at when no event says that something changed: a program that is not the lab's own may
/// listen without a word.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Plans and applies; one per lab.
pub struct Distributor {
    sysplex: Sysplex,
    hosts: Arc<Hosts>,
    backend: Arc<dyn Backend + Send + Sync>,
    views: BTreeMap<LparIndex, SocketView>,
    owner: BTreeMap<Ipv4Addr, LparIndex>,
    applied: Applied,
}

impl Distributor {
    /// The distributor of this sysplex, every DVIPA with its owner, and what their kernels follow already.
    ///
    /// # Errors
    /// When an LPAR is down.
    pub fn new(
        sysplex: &Sysplex,
        hosts: &Arc<Hosts>,
        backend: Arc<dyn Backend + Send + Sync>,
        applied: Applied,
    ) -> Result<Self, PlexError> {
        let mut views = BTreeMap::new();
        for lpar in &sysplex.lpars {
            views.insert(lpar.index, hosts.inside(&lpar.name, SocketView::open)?);
        }
        Ok(Self { sysplex: sysplex.clone(), hosts: Arc::clone(hosts), backend, views, owner: owners(sysplex), applied })
    }

    /// Looks, plans, and applies what has changed.
    ///
    /// # Errors
    /// When the kernel or the backend's tool refuses.
    pub async fn refresh(&mut self) -> Result<(), PlexError> {
        let plans = plan(&self.sysplex, &self.state()?);
        for (&owner, next) in &plans {
            let previous = self.applied.get(&owner);
            if previous == Some(next) {
                continue;
            }
            let script = self.backend.render(previous, next);
            let Some(lpar) = self.sysplex.lpar(owner) else { continue };
            let (host, exits) = self.hosts.get(&lpar.name)?;
            run(host, exits, &script).await?;
            self.applied.insert(owner, next.clone());
        }
        Ok(())
    }

    fn state(&self) -> io::Result<State> {
        let up: BTreeSet<LparIndex> = self.sysplex.lpars.iter().map(|lpar| lpar.index).collect();
        let mut listeners = BTreeMap::new();
        for (&index, view) in &self.views {
            listeners.insert(index, view.listeners()?.into_iter().map(|socket| socket.local).collect());
        }
        Ok(State { up, owner: self.owner.clone(), listeners })
    }

    /// Goes on in the background: refreshes when the journal changes, now and then, and when asked.
    pub fn run_in_background(self, journal: &Journal) -> Handle {
        let (asks, asked) = mpsc::channel(8);
        let (hosts, backend, sysplex) = (Arc::clone(&self.hosts), Arc::clone(&self.backend), self.sysplex.clone());
        tokio::spawn(follow(self, journal.changes(), asked, journal.clone()));
        Handle { asks, hosts, backend, sysplex }
    }
}

type Ask = oneshot::Sender<Result<(), String>>;

async fn follow(
    mut distributor: Distributor,
    mut changes: watch::Receiver<usize>,
    mut asked: mpsc::Receiver<Ask>,
    journal: Journal,
) {
    let mut complained = false;
    loop {
        let ask = tokio::select! {
            ask = asked.recv() => match ask {
                Some(ask) => Some(ask),
                None => return,
            },
            _ = changes.changed() => None,
            () = tokio::time::sleep(LOOK_AGAIN) => None,
        };
        let result = distributor.refresh().await;
        if let (Err(e), false) = (&result, complained) {
            complained = true;
            let what = What::Fatal { reason: format!("the distribution cannot be changed: {e}") };
            let (system, task) = ("lab".to_owned(), "distributor".to_owned());
            journal.add(Event { t_ns: monotonic_ns(), system, task, pid: 0, what });
        }
        if let Some(ask) = ask {
            let _ = ask.send(result.map_err(|e| e.to_string()));
        }
    }
}

/// The distributor in the background.
#[derive(Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    hosts: Arc<Hosts>,
    backend: Arc<dyn Backend + Send + Sync>,
    sysplex: Sysplex,
}

impl Handle {
    /// Waits until the kernel follows what is the case now.
    ///
    /// # Errors
    /// When it cannot be made to.
    pub async fn settle(&self) -> Result<(), PlexError> {
        let gone = || PlexError::Host(HostError::Down { host: "distributor".into() });
        let (sender, receiver) = oneshot::channel();
        self.asks.send(sender).await.map_err(|_| gone())?;
        receiver
            .await
            .map_err(|_| gone())?
            .map_err(|reason| PlexError::Host(HostError::Refused { host: "distributor".into(), reason }))
    }

    /// The connection routing table of an LPAR, from its kernel.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn vcrt(&self, lpar: LparIndex) -> Result<Vec<VcrtEntry>, PlexError> {
        let Some(lpar) = self.sysplex.lpar(lpar) else { return Ok(Vec::new()) };
        let (host, exits) = self.hosts.get(&lpar.name)?;
        let output = run(host, exits, &self.backend.read_vcrt()).await?;
        self.backend.parse_vcrt(&output).map_err(|e| PlexError::Io(io::Error::other(e)))
    }
}

async fn run(host: &Host, exits: &Exits, script: &Script) -> Result<String, HostError> {
    let argv = [script.program.to_owned()].into_iter().chain(script.args.iter().cloned()).collect();
    tasks::run_tool(host, exits, argv, &script.stdin).await
}

fn owners(sysplex: &Sysplex) -> BTreeMap<Ipv4Addr, LparIndex> {
    sysplex.dvipas.iter().map(|dvipa| (dvipa.address, dvipa.owner)).collect()
}

/// What each owner's kernel follows.
pub type Applied = BTreeMap<LparIndex, OwnerPlan>;

/// The plans before anything listens, each put into its owner's kernel as soon as the owner is up: links and addresses may
/// come later.
pub(super) struct FirstPlans {
    plans: Applied,
    backend: Arc<dyn Backend + Send + Sync>,
    running: Vec<JoinHandle<Result<String, HostError>>>,
}

impl FirstPlans {
    pub(super) fn new(sysplex: &Sysplex, backend: &Arc<dyn Backend + Send + Sync>) -> Self {
        let up = sysplex.lpars.iter().map(|lpar| lpar.index).collect();
        let state = State { up, owner: owners(sysplex), listeners: BTreeMap::new() };
        Self { plans: plan(sysplex, &state), backend: Arc::clone(backend), running: Vec::new() }
    }

    pub(super) fn host_is_up(&mut self, lpar: &Lpar, host: &Arc<Host>, exits: &Exits) {
        if let Some(plan) = self.plans.get(&lpar.index) {
            let script = self.backend.render(None, plan);
            let (host, exits) = (Arc::clone(host), exits.clone());
            self.running.push(tokio::spawn(async move { run(&host, &exits, &script).await }));
        }
    }

    pub(super) async fn applied(self) -> Result<Applied, PlexError> {
        for script in self.running {
            script.await.map_err(io::Error::other)??;
        }
        Ok(self.plans)
    }
}
