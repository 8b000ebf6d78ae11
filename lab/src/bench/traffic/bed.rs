//! The sysplex in which traffic is measured: two owners with a DVIPA each, two targets that own nothing, a workstation.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use distributor::Connection;
use netns::{NetNs, Network};
use sysplex::{Lpar, LparIndex, Ports, Sysplex};

use super::serve::{self, BULK, GREETS};
use crate::backends::Known;
use crate::bench::distribution::Distribution;

/// LPARs that own a DVIPA; the others are the targets.
const OWNERS: usize = 2;

pub(super) struct Bed {
    /// Where clients are.
    pub(super) station: NetNs,
    distribution: Distribution,
}

impl Bed {
    /// Servers listen in the targets, for as many clients at a time, and both owners distribute to them.
    pub(super) async fn make(
        realm: &Network,
        backend: &Known,
        bin_dir: PathBuf,
        clients: usize,
    ) -> Result<Self, String> {
        let mut distribution = Distribution::make(realm, sysplex(), backend, bin_dir).await?;
        let targets = &distribution.sysplex.lpars[OWNERS..];
        for target in targets {
            serve::start(&distribution.netns(&target.name)?, number(target), clients).map_err(|e| e.to_string())?;
        }
        let listen: Vec<(LparIndex, &[u16])> =
            targets.iter().map(|target| (target.index, &[GREETS, BULK][..])).collect();
        distribution.follow(&listen).await?;
        Ok(Self { station: distribution.station()?, distribution })
    }

    /// The ports of the targets at their own addresses on the LAN, and what they greet with.
    pub(super) fn direct(&self, port: u16) -> Vec<SocketAddr> {
        self.targets().iter().map(|target| SocketAddr::from((target.home, port))).collect()
    }

    /// What the targets greet with.
    pub(super) fn greetings(&self) -> impl Iterator<Item = u8> {
        self.targets().iter().map(number)
    }

    /// A port of the DVIPA of one owner, counted from 0.
    pub(super) fn distributed(&self, owner: usize, port: u16) -> SocketAddr {
        SocketAddr::new(self.distribution.sysplex.dvipas[owner].address, port)
    }

    /// Puts so many connections into the VCRT of one owner, as a takeover does; returns how many there are then.
    pub(super) async fn fill(&self, owner: usize, entries: u32) -> Result<usize, String> {
        let dvipa = self.distributed(owner, GREETS);
        let owner = self.distribution.sysplex.dvipas[owner].owner;
        let Distribution { backend, plans, .. } = &self.distribution;
        let plan = plans.get(&owner).ok_or("no plan for an owner")?;
        let targets = self.targets();
        let connections: Vec<Connection> = (0..entries)
            .map(|number| {
                let target = targets[number as usize % targets.len()].index;
                Connection { client: client(number), dvipa, target }
            })
            .collect();
        self.distribution.run(owner, &backend.render(Some(plan), plan, &connections)).await?;
        let outputs = self.distribution.run(owner, &backend.read()).await?;
        let tables = backend.parse(&outputs).map_err(|e| e.to_string())?;
        Ok(tables.vcrt.iter().filter(|entry| entry.dvipa == dvipa).count())
    }

    fn targets(&self) -> &[Lpar] {
        &self.distribution.sysplex.lpars[OWNERS..]
    }
}

fn sysplex() -> Sysplex {
    let mut sysplex = Sysplex::uniform(4);
    let mut first = sysplex.dvipas.remove(0);
    let owners: Vec<LparIndex> = sysplex.lpars[..OWNERS].iter().map(|lpar| lpar.index).collect();
    first.distribute[0].ports = Ports::Listed(vec![GREETS, BULK]);
    first.distribute[0].targets.retain(|target| !owners.contains(&target.lpar));
    let dvipa = |(position, &owner): (usize, &LparIndex)| {
        let last = u8::try_from(position).unwrap_or(u8::MAX).saturating_add(1);
        let address = IpAddr::from(Ipv4Addr::new(10, 10, 10, last));
        sysplex::Dvipa { address, owner, ..first.clone() }
    };
    sysplex.dvipas = owners.iter().enumerate().map(dvipa).collect();
    sysplex
}

/// The number of an LPAR; there are 32 at most.
fn number(lpar: &Lpar) -> u8 {
    u8::try_from(lpar.index.get()).unwrap_or(u8::MAX)
}

/// A client who is nobody, each number another: out of the addresses that are set apart for measurements (RFC 2544, 198.18.0.0/15).
fn client(number: u32) -> SocketAddr {
    const HOSTS: u32 = 1000;
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 1)) + number % HOSTS);
    let port = u16::try_from(1024 + number / HOSTS).unwrap_or(u16::MAX);
    SocketAddr::from((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_no_targets() {
        let sysplex = sysplex();
        let owners: Vec<LparIndex> = sysplex.dvipas.iter().map(|dvipa| dvipa.owner).collect();
        assert_eq!(owners.iter().map(|owner| owner.get()).collect::<Vec<_>>(), [1, 2]);
        for dvipa in &sysplex.dvipas {
            assert_eq!(dvipa.distribute[0].targets.len(), 2);
            assert!(owners.iter().all(|&owner| !dvipa.has_target(owner)));
        }
    }

    #[test]
    fn no_two_clients_are_the_same() {
        let clients: std::collections::BTreeSet<SocketAddr> = (0..100_000).map(client).collect();
        assert_eq!(clients.len(), 100_000);
        assert!(clients.iter().all(|client| client.to_string().starts_with("198.18.")));
    }
}
