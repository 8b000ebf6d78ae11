//! Asking the kernels.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use distributor::{Tables, mark, routes_for};
use evidence::{SocketView, TcpSocket, TcpState};
use netns::{Address, Gateway, HostError, Neighbour, Reach};
use sysplex::{LparIndex, Sysplex};

use crate::plex::{self, LAN_LINK, Plex, PlexError, Sockets, Standing};

/// What the kernels show, and what the group says of the system.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The system that is looked at.
    pub on: LparIndex,
    /// Its distribution tables.
    pub tables: Tables,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Its routes by gateways: how it sends packets on to targets.
    pub gateways: Vec<Gateway>,
    /// Whom it knows on its links.
    pub neighbours: Vec<Neighbour>,
    /// The sockets that listen on each system that is up.
    pub listeners: Sockets,
    /// All other sockets of each system that is up.
    pub connections: Sockets,
    /// How it stands in the sysplex group.
    pub standing: Standing,
}

/// Asks the kernels, that of `on` for its tables and addresses, those of all systems that are up for their sockets.
///
/// # Errors
/// When the system is down, or a kernel cannot be asked.
pub async fn gather(plex: &Plex, on: LparIndex) -> Result<Facts, PlexError> {
    let down = |host: String| PlexError::Host(HostError::Down { host });
    let standing = plex.distribution.status(on).await?;
    let Some(lpar) = plex.sysplex.lpar(on) else { return Err(down(format!("LPAR {on}"))) };
    if !standing.up.contains(&on) {
        return Err(down(lpar.name.clone()));
    }
    let tables = plex.distribution.tables(on).await?;
    let look = || Ok((netns::addresses()?, netns::gateways()?, netns::neighbours()?));
    let (addresses, gateways, neighbours) = plex.hosts.inside(&lpar.name, look)?;
    let (mut listeners, mut connections) = (BTreeMap::new(), BTreeMap::new());
    for other in plex.sysplex.lpars.iter().filter(|other| standing.up.contains(&other.index)) {
        let view: &SocketView = plex.views.get(&other.name).ok_or_else(|| down(other.name.clone()))?;
        listeners.insert(other.index, view.listeners()?);
        connections.insert(other.index, view.connections()?);
    }
    Ok(Facts { on, tables, addresses, gateways, neighbours, listeners, connections, standing })
}

impl Facts {
    /// Is the system in the sysplex group?
    pub(super) fn is_member(&self) -> bool {
        self.standing.members.contains(&self.on)
    }

    /// Has the kernel this address on the LAN?
    pub(super) fn owns(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|has| has.address == address && has.link == LAN_LINK)
    }

    /// The address, wherever the kernel has it.
    pub(super) fn has(&self, address: IpAddr) -> Option<&Address> {
        self.addresses.iter().find(|has| has.address == address)
    }

    /// The kernel's way to a target, as the target's mark leads it; nothing when that is this system.
    pub(super) fn way_to(&self, sysplex: &Sysplex, target: LparIndex, ipv4: bool) -> Option<&Gateway> {
        let routes = routes_for(sysplex, self.on);
        let table = routes.iter().find(|route| route.mark == mark(target))?.table();
        self.gateways.iter().find(|way| way.table == table && way.via.is_ipv4() == ipv4)
    }

    /// Does the kernel reach this target? It does as long as it has not asked in vain. (While it asks, it does not know.)
    pub(super) fn reaches(&self, sysplex: &Sysplex, target: LparIndex, ipv6: bool) -> bool {
        let to = plex::gateways(sysplex, self.on).into_iter().find(|to| to.way.target == target && to.way.ipv6 == ipv6);
        to.and_then(|to| to.reach(&self.neighbours)).is_none_or(|reach| reach == Reach::Known)
    }

    /// How many sockets on that system take connections to this address and port: those on the address itself, or on any address
    /// of its family.
    pub(super) fn ready(&self, system: LparIndex, at: SocketAddr) -> usize {
        let takes = |socket: &&TcpSocket| {
            let ip = socket.local.ip();
            socket.local.port() == at.port()
                && (ip == at.ip() || (ip.is_unspecified() && ip.is_ipv4() == at.ip().is_ipv4()))
        };
        self.listeners.get(&system).map_or(0, |sockets| sockets.iter().filter(takes).count())
    }

    /// How many established connections that system has to this address and port.
    pub(super) fn active(&self, system: LparIndex, at: SocketAddr) -> usize {
        let is_one = |socket: &&TcpSocket| socket.local == at && socket.state == TcpState::Established;
        self.connections.get(&system).map_or(0, |sockets| sockets.iter().filter(is_one).count())
    }
}
