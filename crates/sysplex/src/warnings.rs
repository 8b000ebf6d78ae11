//! What is legal, and known to go wrong. The codes are those of the lab's field catalogue.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use crate::model::{Lpar, StartedTask, Sysplex};

/// A known mistake in a sysplex that can be built all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Entry of the field catalogue, such as `F02`; `SYMDEF` for a symbol's definition.
    pub code: &'static str,
    /// One sentence for a person who knows z/OS.
    pub message: String,
}

/// A Debug Manager on its LPAR.
struct Manager<'a> {
    lpar: &'a Lpar,
    client: u16,
    hub: Option<SocketAddrV4>,
}

/// An RSE daemon on its LPAR.
struct Daemon<'a> {
    lpar: &'a Lpar,
    port: u16,
    port_range: Option<&'a Range<u16>>,
}

impl Sysplex {
    /// Known mistakes, in the order of their codes.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found = Vec::new();
        let mut warn = |code, message| found.push(Warning { code, message });
        self.client_port_not_distributed(&mut warn);
        self.client_port_not_unique(&mut warn);
        self.hub(&mut warn);
        self.sysclone_not_unique(&mut warn);
        self.second_rse_port(&mut warn);
        self.daemon_without_debug_manager(&mut warn);
        self.viparoute_elsewhere(&mut warn);
        for lpar in &self.lpars {
            for (name, value) in lpar.symbols.too_long() {
                let message = format!(
                    "On {}, the text of &{name}, `{value}`, is longer than the name with its ampersand; z/OS \
                     prompts the operator at IPL.",
                    lpar.name
                );
                warn("SYMDEF", message);
            }
        }
        found.sort_by_key(|warning| warning.code);
        found
    }

    fn managers(&self) -> impl Iterator<Item = Manager<'_>> {
        self.tasks().filter_map(|(lpar, task)| match task {
            StartedTask::DebugManager { client, hub, .. } => Some(Manager { lpar, client: *client, hub: *hub }),
            StartedTask::Rsed { .. } | StartedTask::Server { .. } => None,
        })
    }

    fn daemons(&self) -> impl Iterator<Item = Daemon<'_>> {
        self.tasks().filter_map(|(lpar, task)| match task {
            StartedTask::Rsed { port, port_range, .. } => {
                Some(Daemon { lpar, port: *port, port_range: port_range.as_ref() })
            }
            StartedTask::DebugManager { .. } | StartedTask::Server { .. } => None,
        })
    }

    fn tasks(&self) -> impl Iterator<Item = (&Lpar, &StartedTask)> {
        self.lpars.iter().flat_map(|lpar| lpar.tasks.iter().map(move |task| (lpar, task)))
    }

    /// F27.
    fn viparoute_elsewhere(&self, warn: &mut impl FnMut(&'static str, String)) {
        for lpar in &self.lpars {
            let Some(target) = self.viparoutes.get(&lpar.xcf).filter(|&&target| target != lpar.home) else { continue };
            warn(
                "F27",
                format!(
                    "VIPAROUTE for {} leads to {target}, which is no address of {}: it may be ready and will get no \
                     connection.",
                    lpar.xcf, lpar.name
                ),
            );
        }
    }

    /// F01.
    fn client_port_not_distributed(&self, warn: &mut impl FnMut(&'static str, String)) {
        if self.dvipas.is_empty() {
            return;
        }
        for Manager { lpar, client, .. } in self.managers() {
            let mut statements = self.dvipas.iter().flat_map(|dvipa| &dvipa.distribute);
            if !statements.any(|statement| statement.lists(client) && statement.target(lpar.index).is_some()) {
                warn(
                    "F01",
                    format!(
                        "CLIENT port {client} of Debug Manager on {} is in no VIPADISTRIBUTE PORT list with {} as \
                         a target, so no client reaches it through the DVIPA.",
                        lpar.name, lpar.name
                    ),
                );
            }
        }
    }

    /// F02.
    fn client_port_not_unique(&self, warn: &mut impl FnMut(&'static str, String)) {
        let by_port = group(self.managers().map(|manager| (manager.client, manager.lpar.name.as_str())));
        for (port, lpars) in by_port.iter().filter(|(_, lpars)| lpars.len() > 1) {
            warn(
                "F02",
                format!(
                    "CLIENT port {port} is that of Debug Manager on {}: the Sysplex Distributor spreads engine \
                     connections over all of them, and some reach a system where the session does not wait.",
                    list(lpars)
                ),
            );
        }
    }

    /// F03, F04, F05.
    fn hub(&self, warn: &mut impl FnMut(&'static str, String)) {
        let lpars: Vec<&str> = self.managers().filter(|m| m.hub.is_none()).map(|m| m.lpar.name.as_str()).collect();
        if self.managers().count() > 1 && !lpars.is_empty() {
            warn(
                "F03",
                format!(
                    "No HUBIP for Debug Manager on {}: a session there is not announced to a user who is logged on \
                     to another system, and times out.",
                    list(&lpars)
                ),
            );
        }
        let hubs = group(self.managers().filter_map(|m| Some((m.hub?, m.lpar.name.as_str()))));
        if hubs.len() > 1 {
            let all: Vec<String> = hubs.keys().map(ToString::to_string).collect();
            warn(
                "F04",
                format!(
                    "Debug Managers name different hubs ({}): those of one hub do not see the users of another.",
                    list(&all)
                ),
            );
        }
        for hub in hubs.keys().map(|hub| *hub.ip()).collect::<std::collections::BTreeSet<Ipv4Addr>>() {
            if self.dvipa(hub.into()).is_some() {
                warn(
                    "F05",
                    format!(
                        "HUBIP {hub} is a distributed DVIPA, which several systems can bind: there may be two \
                         primaries, and requests get lost between them."
                    ),
                );
            } else if !self.lpars.iter().any(|lpar| lpar.home == hub || lpar.xcf == hub) {
                warn(
                    "F04",
                    format!(
                        "HUBIP {hub} is no address of an LPAR: no Debug Manager becomes primary, and all work alone."
                    ),
                );
            }
        }
    }

    /// F07.
    fn sysclone_not_unique(&self, warn: &mut impl FnMut(&'static str, String)) {
        let clones = self.lpars.iter().filter_map(|lpar| Some((lpar.symbols.get("SYSCLONE")?, lpar.name.as_str())));
        for (clone, lpars) in group(clones).iter().filter(|(_, lpars)| lpars.len() > 1) {
            warn(
                "F07",
                format!(
                    "SYSCLONE is `{clone}` on {}; z/OS wants it unique in the sysplex, and a port made from it is \
                     the same on all of them.",
                    list(lpars)
                ),
            );
        }
    }

    /// F11, F13.
    fn second_rse_port(&self, warn: &mut impl FnMut(&'static str, String)) {
        for dvipa in self.dvipas.iter().filter(|dvipa| !dvipa.sysplexports) {
            let address = dvipa.address;
            if dvipa.distribute.iter().any(|statement| statement.sysplexports) {
                warn(
                    "F11",
                    format!("SYSPLEXPORTS is not on the first VIPADISTRIBUTE of {address}, so it has no effect."),
                );
                continue;
            }
            let ephemeral = self.daemons().filter(|daemon| daemon.port_range.is_none() && dvipa.targets_port(daemon));
            if ephemeral.count() > 1 {
                warn(
                    "F11",
                    format!(
                        "{address} is distributed without SYSPLEXPORTS: the second connection of a logon goes to \
                         an ephemeral port that is not unique in the sysplex, and may reach a system that does not \
                         wait for it."
                    ),
                );
            }
        }
        let daemons: Vec<Daemon<'_>> = self.daemons().collect();
        for (position, one) in daemons.iter().enumerate() {
            for other in &daemons[position + 1..] {
                let (Some(a), Some(b)) = (one.port_range, other.port_range) else { continue };
                if one.lpar.index != other.lpar.index && a.start < b.end && b.start < a.end {
                    warn(
                        "F13",
                        format!(
                            "_RSE_PORTRANGE {}-{} on {} and {}-{} on {} overlap: the second connection of a logon \
                             may reach the wrong system.",
                            a.start, a.end, one.lpar.name, b.start, b.end, other.lpar.name
                        ),
                    );
                }
            }
        }
    }

    /// F19.
    fn daemon_without_debug_manager(&self, warn: &mut impl FnMut(&'static str, String)) {
        for Daemon { lpar, .. } in self.daemons() {
            if !self.managers().any(|manager| manager.lpar.index == lpar.index) {
                warn(
                    "F19",
                    format!(
                        "RSED on {} has no Debug Manager on its own system: users who are logged on there are \
                         never registered.",
                        lpar.name
                    ),
                );
            }
        }
    }
}

impl crate::Dvipa {
    fn targets_port(&self, daemon: &Daemon<'_>) -> bool {
        let mut statements = self.distribute.iter();
        statements.any(|statement| statement.lists(daemon.port) && statement.target(daemon.lpar.index).is_some())
    }
}

fn group<'a, K: Ord>(pairs: impl Iterator<Item = (K, &'a str)>) -> BTreeMap<K, Vec<&'a str>> {
    let mut groups: BTreeMap<K, Vec<&'a str>> = BTreeMap::new();
    for (key, name) in pairs {
        groups.entry(key).or_default().push(name);
    }
    groups
}

/// `A`, `A and B`, `A, B and C`.
fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
