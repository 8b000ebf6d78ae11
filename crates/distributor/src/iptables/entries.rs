//! Single elements of the tables.

use std::collections::BTreeSet;
use std::time::Duration;

use super::family::Family;
use super::pick::affinity;
use super::port::{Port, element};
use super::shared::{DAY, create, range};
use crate::text::line;
use crate::{Affinity, Connection};

/// Takes connections out of the VCRT, those that are in it.
pub(super) fn forget(connections: &[Connection]) -> String {
    let mut text = String::new();
    // Which table a connection is in, only a plan says; a set has to be there to be looked into.
    for port in connections.iter().map(Port::of).collect::<BTreeSet<_>>() {
        create(&mut text, port.family, &port.vcrt(), DAY);
        create(&mut text, port.family, &range(port.family), DAY);
    }
    for connection in connections {
        let port = Port::of(connection);
        let element = element(connection);
        line(&mut text, format_args!("del {} {element}", port.vcrt()));
        line(&mut text, format_args!("del {} {element}", range(port.family)));
    }
    text
}

/// Gives affinities this much time, rounded up to a second. Their targets stay.
pub(super) fn affinity_timers(timers: &[(Affinity, Duration)]) -> String {
    let mut text = String::new();
    for (Affinity { client, dvipa, .. }, time) in timers {
        // No time at all would mean forever.
        let seconds = time.as_millis().div_ceil(1000).max(1);
        let set = affinity(Family::of(dvipa.ip()));
        line(&mut text, format_args!("add {set} {client},tcp:{},{} timeout {seconds}", dvipa.port(), dvipa.ip()));
    }
    text
}
