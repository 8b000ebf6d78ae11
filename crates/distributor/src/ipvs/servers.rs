//! The LPARs as IPVS knows them: real servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sysplex::{LparIndex, Sysplex};

/// All LPARs, in their order.
#[derive(Clone, Debug)]
pub(super) struct Servers(Vec<Server>);

#[derive(Clone, Debug)]
struct Server {
    lpar: LparIndex,
    /// The dynamic XCF address, or what VIPAROUTE has in its place.
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

impl Servers {
    pub(super) fn new(sysplex: &Sysplex) -> Self {
        let instead = |xcf| sysplex.viparoutes.get(&xcf).copied().unwrap_or(xcf);
        let server = |lpar: &sysplex::Lpar| Server { lpar: lpar.index, v4: instead(lpar.xcf), v6: lpar.xcf6 };
        Self(sysplex.lpars.iter().map(server).collect())
    }

    /// Every LPAR and its address in the family of this one.
    pub(super) fn like(&self, dvipa: IpAddr) -> impl DoubleEndedIterator<Item = (LparIndex, IpAddr)> {
        self.0
            .iter()
            .map(move |server| (server.lpar, if dvipa.is_ipv4() { server.v4.into() } else { server.v6.into() }))
    }

    /// The LPAR with this address.
    pub(super) fn lpar_at(&self, address: IpAddr) -> Option<LparIndex> {
        let server = self.0.iter().find(|server| address == server.v4 || address == server.v6);
        server.map(|server| server.lpar)
    }

    /// The address of this LPAR in the family of a DVIPA.
    pub(super) fn address(&self, lpar: LparIndex, dvipa: IpAddr) -> Option<IpAddr> {
        self.like(dvipa).find(|(index, _)| *index == lpar).map(|(_, address)| address)
    }
}
