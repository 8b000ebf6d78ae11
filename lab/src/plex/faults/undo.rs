//! How each kind of fault is brought about, and undone.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use evidence::monotonic_ns;
use rustix::process::{Rlimit, Signal};
use sysplex::{Lpar, StartedTask};

use super::filter::{Filter, reaches};
use super::kind::{Fault, Frozen, Netem, OfTask, Segment};
use super::link::{carrier, links};
use super::netem::{self, Place};
use super::packets::{Rules, address};
use super::process::{self, Groups, Slowed};
use super::reset::reset;
use super::{FaultError, clock, disk};
use crate::plex::network::fabric_port;
use crate::plex::{LAN, PlexError, Systems, XCF};

/// How long a task may take to end, or to come up.
const TASK_WITHIN: Duration = Duration::from_secs(10);
/// How long the kernel may take to show what was done.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// What undoes a fault.
pub(super) enum Undo {
    /// Nothing does, or nothing has to.
    Nothing,
    /// Rules go away; when hosts were cut off from each other, these pairs must reach each other again.
    Filter(Filter, Vec<(String, String, Segment)>),
    /// Links come back.
    Plug(String, Segment),
    /// Processes go on, and the stack answers.
    Thaw(Groups, Option<Filter>),
    /// A task runs all the time.
    Hasten(Slowed),
    /// A process has its limit of descriptors back.
    Limit(i32, Rlimit),
    /// A file system has room.
    Empty(String, String),
    /// The clock is right.
    Clock(String),
    /// Packets come in time.
    Punctual(Vec<Place>, Netem),
    /// A started task is started again. It was killed then, and may have been started since by its own policy.
    Start(OfTask, u64),
    /// An LPAR is started again.
    Ipl(String),
}

/// Brings a fault about and waits until it is seen to bite; what undoes it, and what was seen.
pub(super) async fn bring_about(systems: &Systems, fault: &Fault, table: u32) -> Result<(Undo, String), FaultError> {
    match fault {
        Fault::Firewall(_) | Fault::Loss { .. } | Fault::Rate { .. } => {
            let (filter, shown) = filter(systems, fault, table).await?;
            Ok((Undo::Filter(filter, Vec::new()), shown))
        }
        Fault::Partition { between, and, segment } => {
            let (filter, shown) = filter(systems, fault, table).await?;
            let pair = |one: Segment| Some((between.first()?.clone(), and.first()?.clone(), one));
            Ok((Undo::Filter(filter, segment.each().filter_map(pair).collect()), shown))
        }
        Fault::Link { of, segment } => {
            links(systems, of, *segment, false)?;
            let shown = carrier(systems, of, *segment, false).await?;
            Ok((Undo::Plug(of.clone(), *segment), shown))
        }
        Fault::Freeze(Frozen::Host(host)) => {
            let groups = Groups(systems.processes(host).into_iter().map(|(_, process)| process).collect());
            let (filter, silent) = filter(systems, fault, table).await?;
            let stopped = groups.stop().await?;
            Ok((Undo::Thaw(groups, Some(filter)), format!("{stopped}; {silent}")))
        }
        Fault::Freeze(Frozen::Task(task)) => {
            let groups = Groups(vec![process_of(systems, task)?]);
            let shown = groups.stop().await?;
            Ok((Undo::Thaw(groups, None), shown))
        }
        Fault::Slow { task, percent } => {
            let (slowed, shown) = Slowed::begin(process_of(systems, task)?, *percent).await?;
            Ok((Undo::Hasten(slowed), shown))
        }
        Fault::Descriptors { task, most } => {
            let process = process_of(systems, task)?;
            let (before, shown) = process::limit_descriptors(process, *most)?;
            Ok((Undo::Limit(process, before), shown))
        }
        Fault::Kill(task) => {
            let since = monotonic_ns();
            let how = end(systems, task, Signal::KILL).await?;
            Ok((Undo::Start(task.clone(), since), format!("it ended: {how}")))
        }
        Fault::Restart(task) => {
            let how = end(systems, task, Signal::TERM).await?;
            start(systems, task, None).await?;
            Ok((Undo::Nothing, format!("it ended: {how}; then it was ready again")))
        }
        Fault::Reset { on, ports } => Ok((Undo::Nothing, reset(systems, on, ports).await?)),
        Fault::Crash { lpar } => {
            let known = lpar_named(systems, lpar)?;
            if !systems.distribution.up().await?.contains(&known.index) {
                return Err(FaultError::Refused(format!("{lpar} is down already")));
            }
            systems.crash(known).await?;
            Ok((Undo::Ipl(lpar.clone()), gone(systems, lpar).await?))
        }
        Fault::Netem { on, segment, netem } => {
            let places = places(systems, on, *segment).await?;
            let mut shown = Vec::new();
            for place in &places {
                shown.push(netem::begin(&systems.hosts, place, *netem).await?);
            }
            Ok((Undo::Punctual(places, *netem), shown.join("; ")))
        }
        Fault::Clock { on, seconds } => {
            let shown = clock::put(&systems.hosts, on, *seconds).await?;
            Ok((Undo::Clock(on.clone()), shown))
        }
        Fault::Disk { on, at } => {
            let shown = disk::fill(&systems.hosts, on, at).await?;
            Ok((Undo::Empty(on.clone(), at.clone()), shown))
        }
    }
}

impl Undo {
    /// Does it keep hosts from reaching each other, so that nothing is shown of the end of others by dialling?
    pub(super) fn keeps_apart(&self) -> bool {
        matches!(self, Self::Filter(..) | Self::Plug(..) | Self::Thaw(_, Some(_)) | Self::Ipl(_))
    }

    /// Undoes the fault and waits until that is seen. `alone`: nothing else keeps hosts from reaching each other.
    pub(super) async fn heal(self, systems: &Systems, alone: bool) -> Result<String, FaultError> {
        match self {
            Self::Nothing => Ok("there is nothing to undo".into()),
            Self::Filter(filter, pairs) => {
                let taken = filter.end().await?;
                let mut shown = format!("its rules are gone; they have taken {taken} packets away");
                if alone && reach(systems, &pairs).await? {
                    shown += "; both sides reach each other";
                }
                Ok(shown)
            }
            Self::Plug(host, segment) => {
                if !is_up(systems, &host).await? {
                    return Ok(format!("{host} is down, and has no links"));
                }
                links(systems, &host, segment, true)?;
                carrier(systems, &host, segment, true).await
            }
            Self::Thaw(groups, filter) => {
                let mut shown = groups.go_on().await?;
                if let Some(filter) = filter {
                    shown += &format!("; its stack did not answer to {} packets", filter.end().await?);
                }
                Ok(shown)
            }
            Self::Hasten(slowed) => slowed.end().await,
            Self::Limit(process, before) => process::restore_descriptors(process, before),
            Self::Empty(host, at) => disk::empty(&systems.hosts, &host, &at).await,
            Self::Clock(host) => clock::right(&systems.hosts, &host).await,
            Self::Punctual(places, netem) => {
                let mut shown = Vec::new();
                for place in &places {
                    shown.push(netem::end(&systems.hosts, place, netem).await?);
                }
                Ok(shown.join("; "))
            }
            Self::Start(task, since) => {
                start(systems, &task, Some(since)).await?;
                Ok("it is ready".into())
            }
            Self::Ipl(lpar) => {
                systems.ipl(lpar_named(systems, &lpar)?, TASK_WITHIN).await?;
                Ok(format!("{lpar} is in the group, and its started tasks are ready"))
            }
        }
    }
}

async fn filter(systems: &Systems, fault: &Fault, table: u32) -> Result<(Filter, String), FaultError> {
    let rules = Rules::of(&systems.sysplex, fault).filter(|rules| !rules.rules.is_empty());
    let rules = rules.ok_or_else(|| FaultError::Refused("there is no link for it to be on".into()))?;
    Filter::begin(rules, table, &systems.hosts, &up(systems).await?).await
}

/// The hosts that are up.
async fn up(systems: &Systems) -> Result<BTreeSet<String>, FaultError> {
    let up = systems.distribution.up().await?;
    let lpars = systems.sysplex.lpars.iter().filter(|lpar| up.contains(&lpar.index)).map(|lpar| lpar.name.clone());
    Ok(lpars.chain(systems.sysplex.workstations.iter().map(|workstation| workstation.name.clone())).collect())
}

async fn is_up(systems: &Systems, host: &str) -> Result<bool, FaultError> {
    Ok(up(systems).await?.contains(host))
}

/// Do these reach each other? False when one of them is down.
async fn reach(systems: &Systems, pairs: &[(String, String, Segment)]) -> Result<bool, FaultError> {
    /// Nothing listens there, and so it is refused at once.
    const TCPMUX: u16 = 1;
    let up = up(systems).await?;
    if pairs.iter().any(|(from, to, _)| !up.contains(from) || !up.contains(to)) {
        return Ok(false);
    }
    for (from, to, segment) in pairs {
        let Some(address) = address(&systems.sysplex, to, *segment) else { continue };
        reaches(&systems.hosts, from, (address, TCPMUX).into()).await?;
    }
    Ok(!pairs.is_empty())
}

/// Waits until all tasks of an LPAR have ended with it.
async fn gone(systems: &Systems, lpar: &str) -> Result<String, FaultError> {
    let none = systems.journal.wait_for(SHOWN_WITHIN, |_| systems.processes(lpar).is_empty().then_some(()));
    none.await.map_or_else(
        || Err(FaultError::NotSeen(format!("tasks of {lpar} still run"))),
        |()| Ok(format!("no task of {lpar} runs any more, and nobody heard of it")),
    )
}

fn process_of(systems: &Systems, OfTask { task, on }: &OfTask) -> Result<i32, FaultError> {
    let running = systems.process(on, task).filter(|&process| process > 0);
    running.ok_or_else(|| {
        let names: Vec<String> = systems.processes(on).into_iter().map(|(name, _)| name).collect();
        FaultError::Refused(format!("no task {task} runs on {on}: there is {}", names.join(", ")))
    })
}

async fn end(systems: &Systems, task: &OfTask, signal: Signal) -> Result<String, FaultError> {
    process_of(systems, task)?;
    match systems.end(&task.on, &task.task, signal, TASK_WITHIN).await {
        Err(PlexError::Io(e)) if e.kind() == io::ErrorKind::TimedOut => Err(FaultError::NotSeen(e.to_string())),
        result => Ok(result?),
    }
}

/// Starts a started task; when its own policy does that, after it has ended since a time, waits until it has.
async fn start(systems: &Systems, OfTask { task, on }: &OfTask, since: Option<u64>) -> Result<(), FaultError> {
    let lpar = systems.sysplex.lpar_named(on);
    let started = lpar.and_then(|lpar| Some((lpar, lpar.tasks.iter().find(|known| known.name() == task)?)));
    let found: Option<(&Lpar, &StartedTask)> = started;
    let Some((lpar, started)) = found else {
        return Err(FaultError::Refused(format!("{task} on {on} is no started task, and is not started again")));
    };
    let by_policy = systems.supervised.with(|all| all.contains(&(on.clone(), task.clone())));
    match since.filter(|_| by_policy || systems.process(on, task).is_some()) {
        Some(since) => {
            // What counts comes after that end.
            let ended = systems.journal.look(|view| view.exit_since(on, task, since).map(|exit| exit.t_ns + 1));
            Ok(systems.wait_until_ready(lpar, started, TASK_WITHIN, ended.unwrap_or(since)).await?)
        }
        None => Ok(systems.start_again(lpar, started, TASK_WITHIN).await?),
    }
}

/// The links of a host on a segment, each with another host that is up.
async fn places(systems: &Systems, host: &str, segment: Segment) -> Result<Vec<Place>, FaultError> {
    let up = up(systems).await?;
    let mut places = Vec::new();
    for one in segment.each().filter(|one| fabric_port(&systems.sysplex, host, *one == Segment::Xcf).is_some()) {
        let others = systems.sysplex.hosts().filter(|other| *other != host && up.contains(*other));
        let other = others.filter_map(|other| Some((other.to_owned(), address(&systems.sysplex, other, one)?))).next();
        let other = other.ok_or_else(|| FaultError::Refused(format!("{host} is alone on {one}")))?;
        let link = if one == Segment::Xcf { XCF } else { LAN };
        places.push(Place { host: host.to_owned(), link, other });
    }
    Ok(places)
}

fn lpar_named<'a>(systems: &'a Systems, name: &str) -> Result<&'a Lpar, FaultError> {
    systems.sysplex.lpar_named(name).ok_or_else(|| FaultError::Refused(format!("{name} is no LPAR")))
}
