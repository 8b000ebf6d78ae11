//! An attempt, as a file: all that a replay needs.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use soak::explain::Layout;
use soak::fault::{Kind, Planned};
use soak::plan::Settings;
use soak::random::{self, Ground};
use sysplex::{StartedTask, Sysplex};

/// Name of the file in an attempt's directory.
pub(crate) const FILE: &str = "plan.json";

/// All that an attempt is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The sysplex.
    pub sysplex: Sysplex,
    /// The backend that distributes.
    pub backend: String,
    /// Users and sessions.
    pub settings: Settings,
    /// The longest time that a person stays in a session, in milliseconds.
    pub stays_ms: u64,
    /// How long a job waits for its workstation, in milliseconds.
    pub patience_ms: u64,
    /// What goes wrong.
    pub faults: Vec<Planned>,
}

impl Plan {
    /// Reads that of an attempt.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn read(directory: &Path) -> Result<Self, String> {
        let path = directory.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        serde_json::from_str(&text)
            .map_err(|e| format!("{}: {e}, expected what `lab soak --out` wrote", path.display()))
    }

    /// What the model must know of the sysplex.
    ///
    /// # Errors
    /// When it lacks something without which there is no session.
    pub(super) fn layout(&self) -> Result<Layout, String> {
        let sysplex = &self.sysplex;
        let named = |wanted: fn(&StartedTask) -> bool| -> BTreeSet<String> {
            let all = sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).filter(|task| wanted(task));
            all.map(|task| task.name().to_owned()).collect()
        };
        let hub = sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).find_map(|task| match task {
            StartedTask::DebugManager { hub, .. } => *hub,
            _ => None,
        });
        let primary = hub.and_then(|hub| sysplex.lpars.iter().find(|lpar| [lpar.xcf, lpar.home].contains(hub.ip())));
        let dvipa = sysplex.dvipas.first().ok_or("the topology has no DVIPA")?;
        let owner = sysplex.lpar(dvipa.owner).ok_or("the DVIPA has no owner")?;
        let workstation = sysplex.workstations.first().ok_or("the topology has no workstation")?;
        Ok(Layout {
            workstation: workstation.name.clone(),
            owner: owner.name.clone(),
            primary: primary.map(|lpar| lpar.name.clone()),
            managers: named(|task| matches!(task, StartedTask::DebugManager { .. })),
            rseds: named(|task| matches!(task, StartedTask::Rsed { .. })),
        })
    }

    /// Where its clients dial the RSE daemon.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn rse(&self) -> Result<std::net::SocketAddr, String> {
        let port = self.sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).find_map(|task| match task {
            StartedTask::Rsed { port, .. } => Some(*port),
            _ => None,
        });
        let address = self.sysplex.dvipas.first().map(|dvipa| dvipa.address);
        let both = address.zip(port).ok_or("the topology has no RSE daemon behind a DVIPA")?;
        Ok(both.into())
    }

    /// LPARs that have a Debug Manager: jobs run there.
    pub(super) fn lpars_for_jobs(sysplex: &Sysplex) -> Vec<String> {
        let manages = |task: &StartedTask| matches!(task, StartedTask::DebugManager { .. });
        let all = sysplex.lpars.iter().filter(|lpar| lpar.tasks.iter().any(manages));
        all.map(|lpar| lpar.name.clone()).collect()
    }
}

/// Faults by chance, of the kinds that can be brought about in this sysplex.
pub(super) fn random_faults(
    sysplex: &Sysplex,
    seed: u64,
    duration: Duration,
    every: Duration,
    kinds: &[Kind],
) -> Vec<Planned> {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut kinds = kinds.to_vec();
    // Who crashes and is not backed up takes everything with him.
    if sysplex.dvipas.iter().any(|dvipa| dvipa.backups.is_empty()) {
        kinds.retain(|kind| *kind != Kind::Crash);
    }
    let tasks: BTreeSet<String> =
        sysplex.lpars.iter().flat_map(|lpar| &lpar.tasks).map(|task| task.name().to_owned()).collect();
    let ground = Ground {
        lpars: Plan::lpars_for_jobs(sysplex),
        workstation: sysplex.workstations.first().map(|it| it.name.clone()).unwrap_or_default(),
        tasks: tasks.into_iter().collect(),
        kinds,
    };
    random::faults(seed, ms(duration), ms(every), &ground)
}

/// Reads a list of faults from a file.
///
/// # Errors
/// Why it cannot be read, or which fault names what is not in the sysplex.
pub(super) fn faults_of(path: &Path, sysplex: &Sysplex) -> Result<Vec<Planned>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let read: Result<Vec<Planned>, _> = serde_json::from_str(&text);
    let mut faults = read.map_err(|e| format!("{}: {e}, expected a list of faults as in {FILE}", path.display()))?;
    faults.sort();
    let known = |name: &str| {
        sysplex.lpar_named(name).is_some() || sysplex.workstations.iter().any(|workstation| workstation.name == name)
    };
    for planned in &faults {
        if let Some(host) = planned.fault.host().filter(|host| !known(host)) {
            return Err(format!("{}: {planned}: there is no host {host}", path.display()));
        }
    }
    Ok(faults)
}
