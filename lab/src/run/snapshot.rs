//! Asking the kernel while the program is stopped in the debugger.

use std::collections::BTreeMap;
use std::time::Duration;

use distributor::VcrtEntry;
use evidence::{Direction, Flows, monotonic_ns, socket_holders};

use super::proofs::{Link, Snapshot};
use crate::plex::{Plex, PlexError};

/// A packet may be on its way between two interfaces while they are read, and the kernel may pass over an entry of a table that
/// changes while it is read; then they are read again, so many times.
const READINGS: u32 = 20;
const BETWEEN_READINGS: Duration = Duration::from_millis(10);

/// Takes the snapshot for one connection.
///
/// # Errors
/// When the kernel cannot be asked.
pub(super) async fn take(
    plex: &mut Plex,
    link: &Link,
    tasks: &BTreeMap<i32, (String, String)>,
) -> Result<Snapshot, PlexError> {
    let mut snapshot = Snapshot { t_ns: monotonic_ns(), tasks: tasks.clone(), ..Snapshot::default() };
    for (name, view) in &plex.views {
        snapshot.sockets.insert(name.clone(), view.connections()?);
    }
    snapshot.holders = socket_holders()?;
    snapshot.vcrt = vcrt(plex, link).await?;
    for _ in 0..READINGS {
        snapshot.flows = plex.recorder.flows()?;
        if is_quiet(&snapshot.flows, link) {
            break;
        }
        tokio::time::sleep(BETWEEN_READINGS).await;
    }
    Ok(snapshot)
}

/// The owner's VCRT. What is not in it may have been passed over, because connections came and went while it was read.
async fn vcrt(plex: &Plex, link: &Link) -> Result<Vec<VcrtEntry>, PlexError> {
    let mut entries = Vec::new();
    let dvipa = plex.sysplex.dvipa(link.dvipa.ip());
    let Some(owner) = dvipa.and_then(|_| plex.sysplex.lpar_named(&link.owner)).map(|owner| owner.index) else {
        return Ok(entries); // the client did not dial a DVIPA
    };
    for _ in 0..READINGS {
        entries = plex.distribution.vcrt(owner).await?;
        let ours = |entry: &VcrtEntry| entry.client == link.client && entry.dvipa == link.dvipa;
        if entries.iter().any(ours) {
            break;
        }
        tokio::time::sleep(BETWEEN_READINGS).await;
    }
    Ok(entries)
}

/// Has every packet from the client been seen on all interfaces of its way?
fn is_quiet(flows: &Flows, link: &Link) -> bool {
    let counts: Vec<u64> = flows
        .iter()
        .filter(|(key, _)| key.source == link.client && key.destination == link.dvipa)
        .filter(|(key, _)| key.direction == Direction::In || key.system == link.owner)
        .map(|(_, seen)| seen.packets)
        .collect();
    counts.windows(2).all(|pair| pair[0] == pair[1])
}

/// Why nothing can be said of what a capture does not show.
pub(super) fn incomplete(flows: &Flows) -> String {
    if flows.overflowed {
        "the capture is not complete: more flows were seen than are kept".to_owned()
    } else {
        format!("the capture is not complete: {} packets were not handed over in time", flows.dropped)
    }
}
