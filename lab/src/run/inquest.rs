//! Taking down what is to be seen of a run that failed, while the sysplex still stands.

use std::collections::BTreeSet;

use distributor::Quiesced;
use sysplex::LparIndex;

use super::diagnose::{self, Carried, Case, Distributed, Failure};
use super::result::StepSeen;
use super::snapshot::incomplete;
use crate::netstat;
use crate::plex::Plex;

/// All that is known. What cannot be asked, because an LPAR is gone for example, is named in the case.
pub(super) async fn take(plex: &mut Plex, notes: &[String], failure: Failure, done: Vec<StepSeen>) -> Case {
    let (exits, events) = plex.journal.look(|view| (view.exits.to_vec(), view.events.to_vec()));
    let known = Case::new(plex.sysplex.clone(), failure);
    let mut case = Case { notes: notes.to_vec(), done, exits, events, ..known };
    sockets(plex, &mut case);
    group(plex, &mut case).await;
    tables(plex, &mut case).await;
    match plex.recorder.flows() {
        Ok(flows) => {
            if !flows.is_complete() {
                case.missing.push(incomplete(&flows));
            }
            case.carried.extend(flows.iter().map(|(key, seen)| Carried { key: key.clone(), seen: *seen }));
        }
        Err(e) => case.missing.push(format!("the capture cannot be read: {e}")),
    }
    case
}

fn sockets(plex: &Plex, case: &mut Case) {
    for (name, view) in &plex.views {
        match view.listeners().and_then(|listeners| Ok((listeners, view.connections()?))) {
            Ok((listeners, connections)) => {
                case.listeners.insert(name.clone(), listeners);
                case.connections.insert(name.clone(), connections);
            }
            Err(e) => case.missing.push(format!("sockets of {name}: {e}")),
        }
    }
}

/// What the group says of each system that is up: D TCPIP,,SYSPLEX,VIPADYN shows as much of DVIPAs.
async fn group(plex: &Plex, case: &mut Case) {
    for lpar in &plex.sysplex.lpars {
        match plex.distribution.status(lpar.index).await {
            Ok(standing) if standing.up.contains(&lpar.index) => {
                for (dvipa, status) in standing.dvipas {
                    let of_dvipa = case.group.status.entry(dvipa.to_string()).or_default();
                    of_dvipa.insert(lpar.name.clone(), format!("{status:?}"));
                }
                let Quiesced { target, ports } = standing.quiesced;
                if target || !ports.is_empty() {
                    case.group.quiesced.insert(lpar.name.clone(), diagnose::Quiesced { target, ports });
                }
            }
            Ok(_) => {}
            Err(e) => case.missing.push(format!("how {} stands in the group: {e}", lpar.name)),
        }
    }
}

/// Who has each DVIPA, and their tables.
async fn tables(plex: &Plex, case: &mut Case) {
    let mut owners: BTreeSet<LparIndex> = BTreeSet::new();
    for dvipa in &plex.sysplex.dvipas {
        match plex.distribution.owner(dvipa.address).await {
            Ok(Some(owner)) => {
                owners.insert(owner);
                let name = plex.sysplex.lpar(owner).map_or_else(String::new, |lpar| lpar.name.clone());
                case.owners.insert(dvipa.address.to_string(), name);
            }
            Ok(None) => {}
            Err(e) => case.missing.push(format!("owner of {}: {e}", dvipa.address)),
        }
    }
    for owner in owners {
        let name = plex.sysplex.lpar(owner).map_or("?", |lpar| lpar.name.as_str());
        match netstat::gather(plex, owner).await {
            Ok(facts) => {
                let rows = netstat::vdpt::rows(&plex.sysplex, &facts);
                case.distributed.extend(rows.iter().map(|row| Distributed::new(name, row)));
            }
            Err(e) => case.missing.push(format!("tables of {name}: {e}")),
        }
    }
}
