//! Options of a stack: PORT ... BIND, PORT ... SHAREPORT, GLOBALCONFIG ADJUSTDVIPAMSS.

use std::net::IpAddr;

use super::segments::Addresses;
use super::systems::Gathered;
use super::tasks::Task;
use super::toml::{Entry, Toml, address, list, string};
use crate::profile::{PortEntry, Vipa};
use crate::source::Placed;

/// And SHAREPORTWLM.
const SHAREPORT: &str = "SHAREPORT";

/// Writes the keys of the LPAR's table.
pub(super) fn write(toml: &mut Toml<'_>, system: &Gathered<'_>, addresses: &Addresses) {
    let profile = &system.profile;
    for entry in &profile.ports {
        if let Some(to) = bound(&entry.value, system, addresses) {
            let key = format!("stack.bind.{}", string(&entry.value.first.to_string()));
            toml.entry(&Entry::new(key, address(to), entry.place));
        }
    }
    let shared: Vec<_> = profile.ports.iter().filter(|entry| is_shared(&entry.value)).collect();
    if !shared.is_empty() {
        let places: Vec<_> = shared.iter().map(|entry| entry.place).collect();
        let ports = list(shared.iter().map(|entry| entry.value.first.to_string()));
        toml.key_of("stack.shareport", &ports, &places);
    }
    if let Some(word) = &profile.adjust_dvipa_mss {
        toml.key("stack.adjust_dvipa_mss", &string(&word.value), word.place);
    }
}

/// What of a reservation is in the topology.
pub(super) struct Carried {
    pub(super) bind: bool,
    pub(super) shareport: bool,
}

impl Carried {
    pub(super) fn of(entry: &PortEntry, system: &Gathered<'_>, addresses: &Addresses) -> Self {
        Self { bind: bound(entry, system, addresses).is_some(), shareport: is_shared(entry) }
    }

    /// Is nothing left to be told? That any job may use a port says nothing.
    pub(super) fn is_all_of(&self, entry: &PortEntry) -> bool {
        let bind = self.bind || entry.bind.is_none();
        let options = self.options_left(entry).next().is_none();
        (self.bind || self.shareport) && bind && options && entry.job == "*"
    }

    /// The options that are not in the topology.
    pub(super) fn options_left<'e>(&self, entry: &'e PortEntry) -> impl Iterator<Item = &'e String> + use<'e> {
        let shareport = self.shareport;
        entry.options.iter().filter(move |option| !(shareport && option.starts_with(SHAREPORT)))
    }
}

/// The address of a BIND that the LPAR has in the lab: one of its own, or a DVIPA. RSED of the lab listens on any address.
fn bound(entry: &PortEntry, system: &Gathered<'_>, addresses: &Addresses) -> Option<IpAddr> {
    let bind = entry.bind.filter(|bind| is_one_port(entry) && !bind.is_unspecified())?;
    // A port may be reserved for several jobs, each with an address; the topology has one.
    let at_port = |other: &&Placed<PortEntry>| {
        other.value.is_tcp && other.value.first == entry.first && other.value.bind.is_some()
    };
    if system.profile.ports.iter().filter(at_port).count() > 1 {
        return None;
    }
    let of_rsed = |task: &Task| task.has("program", "rsed") && task.has("port", &entry.first.to_string());
    if system.tasks.iter().any(of_rsed) {
        return None;
    }
    let to = addresses.of(bind);
    let homes = addresses.homes.iter().chain(&addresses.xcfs).flatten().map(|own| IpAddr::from(own.value));
    let dvipas = system.profile.vipa.iter().filter_map(|statement| match &statement.value {
        Vipa::Define(define) | Vipa::Backup { define, .. } => Some(addresses.of(define.dvipa.value.address)),
        _ => None,
    });
    homes.chain(dvipas).any(|own| own == to).then_some(to)
}

fn is_shared(entry: &PortEntry) -> bool {
    is_one_port(entry) && entry.options.iter().any(|option| option.starts_with(SHAREPORT))
}

fn is_one_port(entry: &PortEntry) -> bool {
    entry.is_tcp && entry.first == entry.last && entry.first != 0
}
