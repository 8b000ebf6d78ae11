//! The end of a run, inside the realm: verdict, record and report go to the directory while the sysplex still stands.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use evidence::{Event, What, monotonic_ns, socket_holders};

use super::record::{self, Clock, Picture, Record};
use super::{REPORT, page, run_dir};
use crate::plex::{Plex, PlexError};
use crate::run::attempt::write_whole;
use crate::run::proofs::Snapshot;
use crate::run::result::{self, ScenarioResult};

/// Writes the result first, then what the kernels show at the end, then the report. What cannot be written is told: the verdict
/// is the same without it.
pub(crate) async fn keep(out: &Path, result: &ScenarioResult, mut record: Record, plex: Option<&mut Plex>) {
    write(out, result::FILE, &serde_json::to_string_pretty(result).unwrap_or_default());
    if let Some(plex) = plex {
        match at_the_end(plex).await {
            Ok(pictures) => record.pictures.extend(pictures),
            Err(e) => crate::note!("  the kernels cannot be asked at the end of the run: {e}"),
        }
    }
    record.clock = Clock::now();
    write(out, record::FILE, &serde_json::to_string(&record).unwrap_or_default());
    match run_dir::load(out) {
        Ok(run) => write(out, REPORT, &page::render(&run)),
        Err(e) => crate::note!("  no report: {e}"),
    }
}

fn write(out: &Path, name: &str, text: &str) {
    let path = out.join(name);
    if let Err(e) = write_whole(&path, &format!("{text}\n")) {
        crate::note!("  cannot write {}: {e}", path.display());
    }
}

/// What the kernels show now, a picture for each LPAR that owns a DVIPA.
async fn at_the_end(plex: &mut Plex) -> Result<Vec<Picture>, PlexError> {
    let mut snapshot = Snapshot { t_ns: monotonic_ns(), holders: socket_holders()?, ..Snapshot::default() };
    let up = plex.distribution.up().await?;
    for lpar in plex.sysplex.lpars.iter().filter(|lpar| up.contains(&lpar.index)) {
        if let Some(view) = plex.views.get(&lpar.name) {
            snapshot.sockets.insert(lpar.name.clone(), view.connections()?);
        }
    }
    snapshot.flows = plex.recorder.flows()?; // it also brings the captures' files up to date
    let of_task =
        |task: &crate::plex::tasks::TaskHandle| (task.running.realm_pid, (task.system.clone(), task.name.clone()));
    snapshot.tasks = plex.started.with(|started| started.iter().map(of_task).collect::<BTreeMap<_, _>>());
    let mut owners = BTreeSet::new();
    for dvipa in &plex.sysplex.dvipas {
        owners.extend(plex.distribution.owner(dvipa.address).await?);
    }
    let first = plex.journal.look(|view| view.events.iter().filter_map(client_end).collect());
    let mut picture = Picture::of("the end of the run".to_owned(), &plex.sysplex, ("", &first), &snapshot);
    for owner in owners.into_iter().filter(|owner| up.contains(owner)) {
        let Some(lpar) = plex.sysplex.lpar(owner) else { continue };
        let vcrt = plex.distribution.vcrt(owner).await?;
        let of_owner = Snapshot { vcrt, ..Snapshot::default() };
        picture.vcrt.extend(Picture::of(String::new(), &plex.sysplex, (&lpar.name, &first), &of_owner).vcrt);
    }
    Ok(vec![picture])
}

/// The client's end of a connection that a client tells of: those of strangers, of which there are many, nobody does.
fn client_end(event: &Event) -> Option<SocketAddr> {
    match &event.what {
        What::Connected { local, .. } | What::Answered { local, .. } => Some(*local),
        _ => None,
    }
}
