//! A sysplex of which only the network and the kernel's part of the distribution are there.
//!
//! What the lab does to see what happens, the captures of all interfaces and the looks at tables, would be measured as well, and
//! on the way over the owner three times as much as on the direct way.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use distributor::{Group, OwnerPlan, Script, Seen};
use netns::{Host, NetNs, Network};
use sysplex::{LparIndex, Sysplex};

use crate::backends::Known;
use crate::plex::tasks::Exits;
use crate::plex::{self, Hosts, SharedBackend, tool};

pub(super) struct Distribution {
    pub(super) sysplex: Sysplex,
    pub(super) backend: SharedBackend,
    /// What the owners' kernels do now.
    pub(super) plans: BTreeMap<LparIndex, OwnerPlan>,
    hosts: Arc<Hosts>,
    group: Group,
}

impl Distribution {
    /// Nobody listens yet, so there is no ready target.
    pub(super) async fn make(
        realm: &Network,
        sysplex: Sysplex,
        backend: &Known,
        bin_dir: PathBuf,
    ) -> Result<Self, String> {
        let backend = backend.make(&sysplex);
        let network = plex::network(realm, &sysplex, &backend, bin_dir).await;
        let (hosts, group, plans) = network.map_err(|e| e.to_string())?;
        Ok(Self { sysplex, backend, plans, hosts, group })
    }

    /// From now on these ports are listened on, at all addresses of each LPAR.
    pub(super) async fn follow(&mut self, ports: &[(LparIndex, &[u16])]) -> Result<(), String> {
        let any = |port: &u16| SocketAddr::from((Ipv4Addr::UNSPECIFIED, *port));
        let mut seen = Seen::default();
        for (lpar, ports) in ports {
            seen.listeners.insert(*lpar, ports.iter().map(any).collect());
        }
        self.group.observe(seen);
        let plans = self.group.plans();
        for (&owner, plan) in &plans {
            self.run(owner, &self.backend.render(self.plans.get(&owner), plan, &[])).await?;
        }
        self.plans = plans;
        Ok(())
    }

    /// A host, and where the ends of its tasks arrive.
    pub(super) fn host(&self, name: &str) -> Result<(Arc<Host>, Exits), String> {
        self.hosts.get(name).map_err(|e| e.to_string())
    }

    /// The network of a host.
    pub(super) fn netns(&self, name: &str) -> Result<NetNs, String> {
        self.host(name).map(|(host, _)| host.netns().clone())
    }

    /// Where clients are.
    pub(super) fn station(&self) -> Result<NetNs, String> {
        self.netns(&self.sysplex.workstations[0].name)
    }

    /// Runs the tools of the backend in the owner's network, and returns what they print.
    pub(super) async fn run(&self, on: LparIndex, scripts: &[Script]) -> Result<Vec<String>, String> {
        let name = self.sysplex.lpar(on).map(|lpar| lpar.name.as_str()).unwrap_or_default();
        let (host, exits) = self.host(name)?;
        let mut outputs = Vec::new();
        for script in scripts {
            let argv = [script.program.to_owned()].into_iter().chain(script.args.iter().cloned()).collect();
            let output = tool::run_tool(&host, &exits, argv, &script.stdin).await;
            outputs.push(output.map_err(|e| e.to_string())?);
        }
        Ok(outputs)
    }
}
