//! Started tasks and LPARs come and go. Cheap to clone, so that what comes by itself, such as a fault with a time, can bring it about.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use evidence::{Event, HubState, What, monotonic_ns};
use netns::{HostSpec, Network};
use rustix::process::{Pid, Signal, kill_process};
use sysplex::{Lpar, Ready, StartedTask, Sysplex};

use super::certificates::SharedCertificates;
use super::journal::{Journal, TaskExit};
use super::tasks::{self, Exits, Starter, TaskHandle};
use super::{Handle, Hosts, PlexError, SharedBackend, ipl, launch, network};

/// The started tasks that were started, the latest of each name; shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Started(Arc<Mutex<Vec<TaskHandle>>>);

impl Started {
    /// Looks at them, or changes them.
    pub fn with<T>(&self, work: impl FnOnce(&mut Vec<TaskHandle>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does something with one; nothing when it was never started.
    pub fn one<T>(&self, system: &str, task: &str, work: impl FnOnce(&mut TaskHandle) -> T) -> Option<T> {
        self.with(|all| all.iter_mut().find(|handle| handle.system == system && handle.name == task).map(work))
    }

    /// System and name of each.
    pub fn names(&self) -> Vec<(String, String)> {
        self.with(|all| all.iter().map(|handle| (handle.system.clone(), handle.name.clone())).collect())
    }

    /// System, name and start of each.
    pub fn starts(&self) -> Vec<(String, String, u64)> {
        let start = |handle: &TaskHandle| (handle.system.clone(), handle.name.clone(), handle.started_ns);
        self.with(|all| all.iter().map(start).collect())
    }

    fn put(&self, handle: TaskHandle) {
        self.with(|all| {
            all.retain(|other| other.system != handle.system || other.name != handle.name);
            all.push(handle);
        });
    }
}

/// Some started tasks, by system and name; shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Named(Arc<Mutex<BTreeSet<(String, String)>>>);

impl Named {
    /// Looks at them, or changes them.
    pub fn with<T>(&self, work: impl FnOnce(&mut BTreeSet<(String, String)>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What brings tasks and LPARs up and down.
#[derive(Clone)]
pub struct Systems {
    /// What the sysplex is.
    pub sysplex: Arc<Sysplex>,
    /// Its hosts.
    pub hosts: Arc<Hosts>,
    /// What its processes say.
    pub journal: Journal,
    /// Its distributor.
    pub distribution: Handle,
    /// Its started tasks.
    pub started: Started,
    /// Those that ended, or are about to, because somebody wanted it.
    pub ended_on_purpose: Named,
    /// Those that are started again when they fail.
    pub supervised: Named,
    pub(super) certificates: SharedCertificates,
    pub(super) starter: Starter,
    pub(super) realm: Network,
    pub(super) backend: SharedBackend,
    pub(super) bin_dir: PathBuf,
}

impl Systems {
    /// Starts a task.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(&self, system: &str, name: &str, argv: Vec<String>) -> Result<TaskHandle, PlexError> {
        let (host, exits) = self.hosts.get(system)?;
        Ok(self.starter.start(&host, &exits, name, argv.into()).await?)
    }

    /// Starts a started task, and does not wait until it is ready.
    pub(super) async fn launch(&self, lpar: &Lpar, task: &StartedTask) -> Result<(), PlexError> {
        let (host, exits) = self.hosts.get(&lpar.name)?;
        let launch = match task {
            StartedTask::Command { name, command } => launch::prepare(&host, name, command, &self.journal).await?,
            StartedTask::DebugManager { tls: true, .. } => {
                self.certificates.of(&self.sysplex)?.debug_manager(tasks::started_task(lpar, task)).into()
            }
            _ => tasks::started_task(lpar, task).into(),
        };
        let mut handle = self.starter.start(&host, &exits, task.name(), launch).await?;
        if matches!(task, StartedTask::DebugManager { tls: true, .. }) {
            self.certificates.of(&self.sysplex)?.give(handle.stdin.take())?;
        }
        self.started.put(handle);
        // Its next end is another one.
        self.ended_on_purpose.with(|all| all.remove(&(lpar.name.clone(), task.name().to_owned())));
        Ok(())
    }

    /// The process of a task that runs, as the realm numbers it: a started task, a job, a client, a caller.
    pub fn process(&self, system: &str, task: &str) -> Option<i32> {
        self.starter.running.of(system, task)
    }

    /// Tasks of a host that run: names and processes.
    pub fn processes(&self, system: &str) -> Vec<(String, i32)> {
        self.starter.running.on(system)
    }

    /// Started tasks on these LPARs are started, all at once, and each is ready.
    ///
    /// # Errors
    /// The first that did not come up within `within`.
    pub async fn bring_up(&self, all: &[(&Lpar, &StartedTask)], within: Duration) -> Result<(), PlexError> {
        let since = monotonic_ns();
        for (lpar, task) in all {
            self.launch(lpar, task).await?;
            self.supervise(lpar, task, since);
        }
        for (lpar, task) in all {
            self.wait_until_ready(lpar, task, within, since).await?;
        }
        Ok(())
    }

    /// Started tasks are started, and each is ready: first the Debug Manager that will be the hub's primary, so that the others
    /// find it at their first try, then all others at once; last those whose procedures look for a free port, as they find those
    /// that others have.
    ///
    /// # Errors
    /// The first that did not come up within `within`.
    pub(super) async fn bring_up_in_order(
        &self,
        all: Vec<(&Lpar, &StartedTask)>,
        within: Duration,
    ) -> Result<(), PlexError> {
        let (primaries, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(lpar, task)| will_be_primary(lpar, task));
        let (checkers, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(_, task)| matches!(task, StartedTask::Server { port_check: Some(_), .. }));
        for group in [primaries, others, checkers] {
            self.bring_up(&group, within).await?;
        }
        Ok(())
    }

    /// A started task is started (again).
    ///
    /// # Errors
    /// When it does not come up within `within`.
    pub async fn start_again(&self, lpar: &Lpar, task: &StartedTask, within: Duration) -> Result<(), PlexError> {
        self.bring_up(&[(lpar, task)], within).await?;
        self.distribution.settle().await
    }

    /// A task is ended by a signal, and has ended.
    ///
    /// # Errors
    /// When it does not run, or has not ended within `within`: `TimedOut`.
    pub async fn end(&self, system: &str, task: &str, signal: Signal, within: Duration) -> Result<String, PlexError> {
        let supervised = self.supervised.with(|all| {
            let key = (system.to_owned(), task.to_owned());
            // Who kills it is nobody whom it obeys: its policy holds.
            let is = all.contains(&key);
            if signal != Signal::KILL {
                all.remove(&key);
            }
            is && signal == Signal::KILL
        });
        if !supervised {
            self.on_purpose(system, |name| name == task);
        }
        let process = self.process(system, task).and_then(Pid::from_raw);
        let process = process.ok_or_else(|| io::Error::other(format!("{task} on {system} does not run")))?;
        let since = monotonic_ns();
        kill_process(process, signal).map_err(io::Error::from)?;
        let find = |view: super::journal::View<'_>| view.exit_since(system, task, since).map(|exit| exit.how.clone());
        let how = self.journal.wait_for(within, find).await.ok_or_else(|| {
            let what = format!("{task} on {system} has not ended within {}", humantime::format_duration(within));
            io::Error::new(io::ErrorKind::TimedOut, what)
        })?;
        self.distribution.settle().await?;
        Ok(how)
    }

    /// An LPAR is gone without a word: first its links, so that nobody hears the end of its processes, then those.
    ///
    /// # Errors
    /// When the kernel refuses, or nobody can take over what it had.
    pub async fn crash(&self, lpar: &Lpar) -> Result<Vec<String>, PlexError> {
        self.on_purpose(&lpar.name, |_| true);
        self.supervised.with(|all| all.retain(|(system, _)| *system != lpar.name));
        network::unplug(lpar)?;
        if let Some(init) = Pid::from_raw(self.hosts.get(&lpar.name)?.0.init) {
            kill_process(init, Signal::KILL).map_err(io::Error::from)?;
        }
        self.distribution.crashed(lpar.index).await
    }

    /// An LPAR that is down comes up again, with nothing of what it knew: its stack joins the group, which gives it its DVIPAs as
    /// MOVEABLE says, and its started tasks are started.
    ///
    /// # Errors
    /// When it is up, the kernel refuses, or a started task does not come up within `within`.
    pub async fn ipl(&self, lpar: &Lpar, within: Duration) -> Result<(), PlexError> {
        if self.distribution.up().await?.contains(&lpar.index) {
            return Err(io::Error::other(format!("{} is up: expected an LPAR that has crashed", lpar.name)).into());
        }
        let (host, _) = self.hosts.get(&lpar.name)?;
        // The init's end is heard of a moment after it was killed; before, its namespaces may still have tasks.
        let ended = self.journal.wait_for(within, |_| self.processes(&lpar.name).is_empty().then_some(()));
        ended.await.ok_or_else(|| io::Error::other(format!("tasks of {} have not ended", lpar.name)))?;
        ipl::clear(&self.sysplex, lpar, host.netns())?;
        let spec = HostSpec { name: lpar.name.clone(), bin_dir: self.bin_dir.clone() };
        let mut host = self.realm.begin(vec![spec])?.next(host.netns().clone())?;
        let exits = Exits::follow(&mut host);
        let host = Arc::new(host);
        let prepared = self.sysplex.dvipas.iter().any(|dvipa| dvipa.may_be_owned_by(lpar.index));
        ipl::forget_distribution(&host, &exits, self.backend.clear(prepared)).await?;
        self.hosts.put(Arc::clone(&host), exits);
        self.distribution.ipl(lpar.index).await?;
        self.bring_up_in_order(lpar.tasks.iter().map(|task| (lpar, task)).collect(), within).await?;
        self.distribution.settle().await
    }

    /// The end of these started tasks is no failure.
    pub fn on_purpose(&self, system: &str, which: impl Fn(&str) -> bool) {
        let ending = self.started.names().into_iter().filter(|(of, name)| of == system && which(name));
        self.ended_on_purpose.with(|all| all.extend(ending));
    }

    /// The first ready, or end, of the task that counts is one since `since_ns`.
    pub(super) async fn wait_until_ready(
        &self,
        lpar: &Lpar,
        task: &StartedTask,
        within: Duration,
        since_ns: u64,
    ) -> Result<(), PlexError> {
        let has_hub = matches!(task, StartedTask::DebugManager { hub: Some(_), .. });
        let (system, name) = (lpar.name.as_str(), task.name());
        let key = (system.to_owned(), name.to_owned());
        let ends = matches!(task, StartedTask::Command { command, .. } if command.ready == Ready::Exit);
        if ends {
            self.on_purpose(system, |other| other == name);
        }
        let ready = self.journal.wait_for(within, |view| {
            let is_ready = |event: &Event| {
                let own = event.system == system && event.task == name && event.t_ns >= since_ns;
                own && matches!(event.what, What::Ready {})
            };
            if ends && view.events.iter().any(is_ready) {
                return Some(Ok(()));
            }
            let again = self.supervised.with(|all| all.contains(&key));
            if let Some(exit) = view.exit_since(system, name, since_ns).filter(|_| !again) {
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
