//! The distributor at work: watches which sockets listen where, plans, and puts the plan into the owners' kernels; and the
//! sysplex group, whose members take DVIPAs over from each other.

mod first;
mod handle;
mod observe;
mod reach;
mod takeover;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use distributor::group::Message;
use distributor::optlocal::{Kept, kept};
use distributor::{Affinity, Backend, Connection, Group, OwnerPlan, Places, Script, Tables, VcrtEntry};
use evidence::{Event, SocketView, What, monotonic_ns};
use netns::{Host, HostError};
use observe::Counted;
use reach::Way;
use sysplex::{LparIndex, Sysplex};

pub use handle::{Handle, Refused, Standing};
pub use observe::{Sockets, responsiveness};
pub use reach::gateways;

pub(super) use first::FirstPlans;

use super::journal::Journal;
use super::own_calls::{self, Ways};
use super::tasks::Exits;
use super::tool;
use super::{Hosts, PlexError, XCF};

/// How often the listeners are looked at when no event says that something changed: a program that is not the lab's own may
/// listen without a word.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// How often affinities are looked at when no connection comes or goes.
const AFFINITIES_AGAIN: Duration = Duration::from_millis(500);

/// A backend that can be shared.
pub type SharedBackend = Arc<dyn Backend + Send + Sync>;

/// What each owner's kernel follows.
pub type Applied = BTreeMap<LparIndex, OwnerPlan>;

/// Plans and applies; one per lab.
pub struct Distributor {
    sysplex: Sysplex,
    hosts: Arc<Hosts>,
    backend: SharedBackend,
    views: BTreeMap<LparIndex, SocketView>,
    group: Group,
    applied: Applied,
    /// Where the kernels have each DVIPA.
    places: Places,
    /// Where what the LPARs themselves say to each DVIPA goes.
    ways: Ways,
    /// When TSR was last computed, and the table compared with the sockets.
    responsive: Option<Instant>,
    /// The connections, as they were last counted.
    counted: Counted,
    /// Targets that an owner's kernel does not reach.
    lost: BTreeSet<(LparIndex, Way)>,
    /// Who had open connections when affinities were last looked at, and when.
    affinities_at: Option<(Instant, observe::Open)>,
    /// Connections in a table that had no socket at the last look.
    suspects: BTreeSet<Connection>,
    /// There were connections at the last look, or entries of the table.
    had_sockets: bool,
    journal: Journal,
}

impl Distributor {
    /// The distributor of this sysplex, with its group, and what the owners' kernels follow already.
    ///
    /// # Errors
    /// When an LPAR is down.
    pub fn new(
        sysplex: &Sysplex,
        hosts: &Arc<Hosts>,
        backend: SharedBackend,
        (group, applied): (Group, Applied),
        journal: &Journal,
    ) -> Result<Self, PlexError> {
        let mut views = BTreeMap::new();
        for lpar in &sysplex.lpars {
            views.insert(lpar.index, hosts.inside(&lpar.name, SocketView::open)?);
        }
        let (sysplex, hosts, journal) = (sysplex.clone(), Arc::clone(hosts), journal.clone());
        let places = group.places();
        let ways = own_calls::ways(&sysplex, &places, &Kept::new());
        Ok(Self {
            sysplex,
            hosts,
            backend,
            views,
            group,
            applied,
            places,
            ways,
            responsive: None,
            counted: Counted::default(),
            lost: BTreeSet::new(),
            affinities_at: None,
            suspects: BTreeSet::new(),
            had_sockets: false,
            journal,
        })
    }

    /// Looks, plans, and applies what has changed.
    ///
    /// # Errors
    /// When the kernel or the backend's tool refuses.
    pub async fn refresh(&mut self) -> Result<(), PlexError> {
        let (seen, open, sockets) = self.observe()?;
        let messages = self.group.observe(seen);
        self.say(messages);
        self.bring_about().await?;
        self.time_affinities(open).await?;
        match sockets {
            Some(sockets) => self.forget_stale(&sockets).await,
            None => Ok(()),
        }
    }

    /// A target that resets a connection by itself tells the client only. So what is established in the table and has no socket
    /// at two looks, one after the other, is taken out. (On z/OS a target tells the distributor; from memory.)
    async fn forget_stale(&mut self, sockets: &BTreeSet<Connection>) -> Result<(), PlexError> {
        /// Half-open connections have less time than this; their target may yet answer, as long as it is ready.
        const ESTABLISHED: Duration = Duration::from_secs(121);
        if !self.backend.forgets_one() || (sockets.is_empty() && self.suspects.is_empty() && !self.had_sockets) {
            return Ok(());
        }
        self.had_sockets = !sockets.is_empty();
        let mut suspects = BTreeSet::new();
        let owners: Vec<LparIndex> = self.applied.keys().copied().filter(|&lpar| self.group.is_up(lpar)).collect();
        for owner in owners {
            let vcrt = self.tables(owner).await?.vcrt;
            let answered =
                |entry: &&VcrtEntry| entry.expires >= ESTABLISHED || !self.is_ready(owner, &entry.connection());
            let settled = vcrt.iter().filter(answered).map(VcrtEntry::connection);
            let missing: BTreeSet<Connection> = settled.filter(|c| !sockets.contains(c)).collect();
            let stale: Vec<Connection> = missing.intersection(&self.suspects).copied().collect();
            // One that has just expired or ended cannot be taken out; the next look will show.
            let _ = self.run(owner, &self.backend.forget(&stale)).await;
            suspects.extend(missing.into_iter().filter(|c| !stale.contains(c)));
            self.had_sockets |= !vcrt.is_empty();
        }
        self.suspects = suspects;
        Ok(())
    }

    /// Does the owner's kernel send new connections to this port to this target?
    fn is_ready(&self, owner: LparIndex, Connection { dvipa, target, .. }: &Connection) -> bool {
        let dvipas = self.applied.get(&owner).and_then(|plan| plan.dvipas.get(&dvipa.ip()));
        // What is no port of its own is one of SYSPLEXPORTS, which are always sent.
        dvipas.and_then(|plan| plan.ports.get(&dvipa.port())).is_none_or(|plan| plan.ready.contains(target))
    }

    /// An LPAR that may come to own a DVIPA is made ready for that.
    async fn prepare(&self, lpar: LparIndex) -> Result<(), PlexError> {
        if !self.sysplex.dvipas.iter().any(|dvipa| dvipa.may_be_owned_by(lpar)) {
            return Ok(());
        }
        self.run(lpar, &self.backend.prepare(XCF)).await
    }

    /// Makes the kernels follow the group: first who owns what, then how it is distributed.
    async fn bring_about(&mut self) -> Result<(), PlexError> {
        let plans = self.group.plans();
        if self.places != self.group.places() {
            self.take_over(&plans).await?;
        }
        for (&owner, next) in &plans {
            self.follow(owner, next, &[]).await?;
        }
        self.lead(own_calls::ways(&self.sysplex, &self.places, &kept(plans.values())))
    }

    /// Brings one owner's kernel from what it follows to `next`; nothing when that is the same.
    async fn follow(
        &mut self,
        owner: LparIndex,
        next: &OwnerPlan,
        connections: &[Connection],
    ) -> Result<(), PlexError> {
        let previous = self.applied.get(&owner);
        let is_followed = |plan: &OwnerPlan| previous == Some(plan) && connections.is_empty();
        // Before anything is copied: nearly every look changes nothing.
        if is_followed(next) {
            return Ok(());
        }
        let next = previous.map_or_else(|| next.clone(), |previous| next.clone().going_on(previous));
        if is_followed(&next) {
            return Ok(());
        }
        let scripts = self.backend.render(previous, &next, connections);
        self.run(owner, &scripts).await?;
        self.applied.insert(owner, next);
        Ok(())
    }

    /// Affinities: those with an open connection are held, the timer of others starts.
    async fn time_affinities(&mut self, open: observe::Open) -> Result<(), PlexError> {
        let timed: BTreeMap<(IpAddr, u16), Duration> = observe::timed_ports(self.applied.values());
        // A connection that came and went between two looks has an affinity, too: so now and then without a sign.
        let same = |(last, before): &(Instant, observe::Open)| *before == open && last.elapsed() < AFFINITIES_AGAIN;
        if timed.is_empty() || self.affinities_at.as_ref().is_some_and(same) {
            return Ok(());
        }
        let owners: Vec<LparIndex> = self.applied.keys().copied().filter(|&lpar| self.group.is_up(lpar)).collect();
        for owner in owners {
            let affinities = self.tables(owner).await?.affinities;
            let timers = affinities.iter().filter_map(|affinity| {
                let time = *timed.get(&(affinity.dvipa.ip(), affinity.dvipa.port()))?;
                observe::timer(affinity, time, &open).map(|time| (*affinity, time))
            });
            let timers: Vec<(Affinity, Duration)> = timers.collect();
            let scripts = self.backend.affinity_timers(&timers);
            // An affinity that expired since it was read cannot be set; the next look will show.
            let _ = self.run(owner, &scripts).await;
        }
        self.affinities_at = Some((Instant::now(), open));
        Ok(())
    }

    /// What an owner's kernel holds.
    async fn tables(&self, owner: LparIndex) -> Result<Tables, PlexError> {
        read_tables(&self.sysplex, &self.hosts, &self.backend, owner).await
    }

    async fn run(&self, on: LparIndex, scripts: &[Script]) -> Result<(), PlexError> {
        let Some(lpar) = self.sysplex.lpar(on) else { return Ok(()) };
        let (host, exits) = self.hosts.get(&lpar.name)?;
        for script in scripts {
            run(&host, &exits, script).await?;
        }
        Ok(())
    }

    /// Console messages become events of their systems.
    fn say(&self, messages: Vec<Message>) {
        for Message { on, text } in messages {
            let system = self.sysplex.lpar(on).map(|lpar| lpar.name.clone()).unwrap_or_default();
            let what = What::Console { text };
            self.journal.add(Event { t_ns: monotonic_ns(), system, task: "TCPIP".into(), pid: 0, what });
        }
    }
}

async fn read_tables(
    sysplex: &Sysplex,
    hosts: &Hosts,
    backend: &SharedBackend,
    owner: LparIndex,
) -> Result<Tables, PlexError> {
    let Some(lpar) = sysplex.lpar(owner) else { return Ok(Tables::default()) };
    let (host, exits) = hosts.get(&lpar.name)?;
    let mut outputs = Vec::new();
    for script in backend.read() {
        outputs.push(run(&host, &exits, &script).await?);
    }
    backend.parse(&outputs).map_err(|e| PlexError::Io(io::Error::other(e)))
}

async fn run(host: &Host, exits: &Exits, script: &Script) -> Result<String, HostError> {
    let argv = [script.program.to_owned()].into_iter().chain(script.args.iter().cloned()).collect();
    tool::run_tool(host, exits, argv, &script.stdin).await
}
