//! The topology as a report draws it: names, addresses and ports, nothing that the lab computes with. Pure.

use serde::{Deserialize, Serialize};
use sysplex::{Dvipa, Lpar, Ports, StartedTask, Sysplex};

/// A sysplex and the workstations outside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The sysplex's name.
    pub name: String,
    /// The LAN's network.
    pub lan: String,
    /// The XCF's network.
    pub xcf: String,
    /// The systems.
    pub lpars: Vec<System>,
    /// The virtual addresses.
    pub dvipas: Vec<Address>,
    /// The workstations: name and address.
    pub workstations: Vec<(String, String)>,
}

/// One LPAR.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// SYSNAME.
    pub name: String,
    /// Its own address on the LAN.
    pub home: String,
    /// Its dynamic XCF address.
    pub xcf: String,
    /// Its started tasks: name, and ports in words.
    pub tasks: Vec<(String, String)>,
    /// Is it down? A plan that was made before anything runs says that none is.
    #[serde(default)]
    pub is_down: bool,
}

/// One distributed DVIPA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: String,
    /// The LPAR with the VIPADEFINE.
    pub owner: String,
    /// The LPARs that may take it over.
    pub backups: Vec<String>,
    /// For each VIPADISTRIBUTE: its ports in words.
    pub ports: Vec<String>,
    /// The LPARs that get connections.
    pub targets: Vec<String>,
}

impl Plan {
    /// Of this sysplex.
    pub fn of(sysplex: &Sysplex) -> Self {
        let workstations = sysplex.workstations.iter().map(|one| (one.name.clone(), one.address.to_string()));
        Self {
            name: sysplex.name.clone(),
            lan: sysplex.lan.to_string(),
            xcf: sysplex.xcf.to_string(),
            lpars: sysplex.lpars.iter().map(system).collect(),
            dvipas: sysplex.dvipas.iter().map(|dvipa| address(sysplex, dvipa)).collect(),
            workstations: workstations.collect(),
        }
    }

    /// The colour of a host, by its place in the topology: 1 to 8, and 0 for one that is not in it.
    pub(crate) fn hue(&self, system: &str) -> usize {
        self.hosts().position(|host| host == system).map_or(0, |place| place % 8 + 1)
    }

    /// Names of all hosts: workstations first, then LPARs.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let workstations = self.workstations.iter().map(|(name, _)| name.as_str());
        workstations.chain(self.lpars.iter().map(|lpar| lpar.name.as_str()))
    }
}

fn system(lpar: &Lpar) -> System {
    System {
        name: lpar.name.clone(),
        home: lpar.home.to_string(),
        xcf: lpar.xcf.to_string(),
        tasks: lpar.tasks.iter().map(|task| (task.name().to_owned(), ports(task))).collect(),
        is_down: false,
    }
}

fn ports(task: &StartedTask) -> String {
    match task {
        StartedTask::DebugManager { client, hub: Some(hub), .. } => format!("{client}, hub {}", hub.port()),
        StartedTask::DebugManager { client, hub: None, .. } => format!("{client}, no hub"),
        StartedTask::Rsed { port, .. } => port.to_string(),
        other => {
            if let StartedTask::Server { ports, .. } = other {
                list(ports)
            } else {
                String::new()
            }
        }
    }
}

fn address(sysplex: &Sysplex, dvipa: &Dvipa) -> Address {
    let name = |index| sysplex.lpar(index).map_or_else(|| "?".to_owned(), |lpar| lpar.name.clone());
    let ports = dvipa.distribute.iter().map(|statement| match &statement.ports {
        Ports::Listed(ports) => list(ports),
        Ports::Dynamic => "dynamic ports".to_owned(),
    });
    let targets = sysplex.lpars.iter().filter(|lpar| dvipa.has_target(lpar.index));
    Address {
        address: dvipa.address.to_string(),
        owner: name(dvipa.owner),
        backups: dvipa.backups.iter().map(|backup| name(backup.lpar)).collect(),
        ports: ports.collect(),
        targets: targets.map(|lpar| lpar.name.clone()).collect(),
    }
}

/// Ports in words: runs as ranges.
fn list(ports: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let words: Vec<String> = runs
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_follow_each_other_are_a_range() {
        assert_eq!(list(&[4035, 5334, 5335, 5336, 65535]), "4035, 5334-5336, 65535");
        assert_eq!(list(&[]), "");
    }

    #[test]
    fn a_plan_names_all_hosts() {
        let plan = Plan::of(&Sysplex::uniform(2));
        assert_eq!(plan.lpars.len(), 2);
        assert_eq!(plan.hosts().count(), plan.workstations.len() + 2);
    }
}
