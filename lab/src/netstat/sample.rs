//! Hand-made facts for the reports' tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use distributor::group::Status;
use distributor::{Tables, VcrtEntry, VdptEntry};
use evidence::{TcpSocket, TcpState};
use netns::{Address, Gateway};
use sysplex::{Backup, LparIndex, Ports, Sysplex};

use super::{Facts, Report, Request, render};
use crate::plex::{LAN_LINK, LOOPBACK, Standing, XCF_LINK};

/// Three systems; the DVIPA 10.10.10.1 is the first's, the second is its backup, and 4035 and 5401 are distributed to all.
pub(super) fn sysplex() -> Sysplex {
    let mut sysplex = Sysplex::uniform(3);
    sysplex.dvipas[0].backups = vec![Backup { lpar: lpar(2), rank: 10, activates: None }];
    sysplex.dvipas[0].distribute[0].ports = Ports::Listed(vec![4035, 5401]);
    sysplex
}

/// The same with fd00:10::1 in place of 10.10.10.1.
pub(super) fn sysplex6() -> Sysplex {
    let mut sysplex = sysplex();
    sysplex.dvipas[0].address = "fd00:10::1".parse().expect("an address");
    sysplex
}

pub(super) fn lpar(number: u32) -> LparIndex {
    LparIndex::new(number).expect("an LPAR's number")
}

pub(super) fn socket(text: &str) -> SocketAddr {
    text.parse().expect("address and port")
}

pub(super) fn tcp(state: TcpState, local: &str, peer: &str) -> TcpSocket {
    TcpSocket { state, local: socket(local), peer: socket(peer), inode: 1, waiting: 0, backlog: 128 }
}

pub(super) fn vdpt(dvipa: &str, target: u32, weight: u32, total: u64) -> VdptEntry {
    VdptEntry { dvipa: socket(dvipa), target: lpar(target), weight, total }
}

pub(super) fn vcrt(client: &str, dvipa: &str, target: u32) -> VcrtEntry {
    let expires = Duration::from_secs(86_000);
    VcrtEntry { client: socket(client), dvipa: socket(dvipa), target: lpar(target), expires }
}

/// Nothing but what a system has when nothing runs: addresses, routes, and all in the group.
pub(super) fn idle(sysplex: &Sysplex, on: u32) -> Facts {
    let (own, dvipa) = (&sysplex.lpars[on as usize - 1], &sysplex.dvipas[0]);
    let owner = dvipa.owner.get() == on;
    let address = |link, address, prefix| Address { link, address, prefix };
    let addresses = vec![
        address(LOOPBACK, Ipv4Addr::LOCALHOST.into(), 8),
        address(if owner { LAN_LINK } else { LOOPBACK }, dvipa.address, if dvipa.address.is_ipv4() { 32 } else { 128 }),
        address(LAN_LINK, own.home.into(), 24),
        address(XCF_LINK, own.xcf.into(), 24),
    ];
    let routes = distributor::routes_for(sysplex, own.index).into_iter();
    let gateways = routes.map(|route| Gateway { table: route.table(), via: route.gateway, link: XCF_LINK });
    let all: std::collections::BTreeSet<LparIndex> = sysplex.lpars.iter().map(|lpar| lpar.index).collect();
    let status = [Some(Status::Active), Some(Status::Backup), None][on as usize - 1];
    Facts {
        on: own.index,
        tables: Tables::default(),
        addresses,
        gateways: if dvipa.may_be_owned_by(own.index) { gateways.collect() } else { Vec::new() },
        neighbours: Vec::new(),
        listeners: all.iter().map(|&lpar| (lpar, Vec::new())).collect(),
        connections: all.iter().map(|&lpar| (lpar, Vec::new())).collect(),
        standing: Standing {
            up: all.clone(),
            members: all,
            dvipas: status.map(|status| (dvipa.address, status)).into_iter().collect(),
            ..Standing::default()
        },
    }
}

/// The report without its first line, which is the same in all.
pub(super) fn print(report: Report, detail: bool, sysplex: &Sysplex, facts: &Facts) -> String {
    let page = render(&Request { report, detail, json: false }, sysplex, facts);
    let (_, rest) = page.split_once('\n').expect("a first line");
    rest.to_owned()
}

/// The report as JSON.
pub(super) fn json(report: Report, sysplex: &Sysplex, facts: &Facts) -> serde_json::Value {
    let page = render(&Request { report, detail: false, json: true }, sysplex, facts);
    serde_json::from_str(&page).expect("one JSON object")
}
