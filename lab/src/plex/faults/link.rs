//! Links that are pulled out, at the fabric's end, so that the host's kernel sees what it would see of a cable.

use std::io;
use std::time::{Duration, Instant};

use netns::Batch;

use super::FaultError;
use super::kind::Segment;
use crate::plex::network::fabric_port;
use crate::plex::{LAN_LINK, Systems, XCF_LINK};

/// How long the kernel may take to show what was done.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
/// A carrier gives no event here.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Pulls links out at the fabric's end, or puts them in again.
pub(super) fn links(systems: &Systems, host: &str, segment: Segment, up: bool) -> Result<(), FaultError> {
    let mut batch = Batch::default();
    for one in segment.each() {
        let Some((index, _)) = fabric_port(&systems.sysplex, host, one == Segment::Xcf) else { continue };
        if up { batch.link_up(index) } else { batch.link_down(index) }
    }
    if batch.is_empty() {
        return Err(FaultError::Refused(format!("{host} has no link to {segment}")));
    }
    Ok(batch.commit(&mut Batch::socket()?).map_err(io::Error::other)?)
}

/// Waits until the host's own kernel shows that the links are there, or that they are not.
pub(super) async fn carrier(
    systems: &Systems,
    host: &str,
    segment: Segment,
    expected: bool,
) -> Result<String, FaultError> {
    let wanted: Vec<u32> = segment
        .each()
        .filter(|one| fabric_port(&systems.sysplex, host, *one == Segment::Xcf).is_some())
        .map(|one| if one == Segment::Xcf { XCF_LINK } else { LAN_LINK })
        .collect();
    let deadline = Instant::now() + SHOWN_WITHIN;
    loop {
        let has = systems.hosts.inside(host, netns::carriers)?;
        if wanted.iter().all(|link| has.contains(link) == expected) {
            return Ok(format!("{host}'s kernel shows {}", if expected { "a carrier" } else { "no carrier" }));
        }
        if Instant::now() > deadline {
            return Err(FaultError::NotSeen(format!("{host}'s kernel shows a carrier on links {has:?}")));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
