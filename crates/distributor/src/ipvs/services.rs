//! Plans as virtual services, and the changes from one plan to the next as lines for `ipvsadm -R`.
//!
//! That reads to the end whatever happens, complains about each line that the kernel refused, and ends with the status of the
//! last one. So some lines may fail on purpose, and the last one works whenever IPVS does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sysplex::{LparIndex, Method};

use super::servers::Servers;
use super::{CLOSING, IDLE};
use crate::text::line;
use crate::{Connection, OwnerPlan, PortPlan};

/// The longest time that ipvsadm takes, in seconds.
const LONGEST: u64 = 31 * 86_400;

/// The mark of what goes to the owner's own stack, past all targets. Away from the numbers of LPARs, which are marks of policy
/// routing.
pub(super) const OWN: u32 = 0x1000;

/// The mark of SYNs to a port that belongs to this LPAR alone (SYSPLEXPORTS).
pub(super) fn mark_of_ranges(target: LparIndex) -> u32 {
    OWN + target.get()
}

/// What makes a packet one of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// A DVIPA and its port.
    Port(SocketAddr),
    /// A mark, for packets of IPv4 or IPv6.
    Mark { mark: u32, ipv6: bool },
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port(dvipa) => write!(f, "-t {dvipa}"),
            Self::Mark { mark, ipv6: false } => write!(f, "-f {mark}"),
            Self::Mark { mark, ipv6: true } => write!(f, "-f {mark} -6"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Service {
    /// Scheduler and persistence, as options.
    options: String,
    /// Addresses and weights, in the order of their turns.
    servers: Vec<(SocketAddr, u32)>,
}

/// The lines that lead from one plan to the next; none when nothing changes. Without a previous one, all there is goes first.
pub(super) fn changes(servers: &Servers, previous: Option<&OwnerPlan>, next: &OwnerPlan) -> String {
    let before = previous.map(|plan| services(servers, plan)).unwrap_or_default();
    let now = services(servers, next);
    let mut text = if previous.is_none() { "-C\n".to_owned() } else { String::new() };
    for name in before.keys().filter(|name| !now.contains_key(name)) {
        line(&mut text, format_args!("-D {name}"));
    }
    for (name, service) in &now {
        match before.get(name) {
            None => add(&mut text, name, service, previous.is_some()),
            Some(old) => edit(&mut text, name, old, service),
        }
    }
    if !text.is_empty() {
        text.push_str(&timeouts());
    }
    text
}

/// It may be there already where this LPAR stood by: then nobody takes connections there, and the lines that fail are
/// followed by some that do not.
fn add(text: &mut String, name: &Name, service: &Service, may_be_there: bool) {
    line(text, format_args!("-A {name} {}", service.options));
    if may_be_there {
        line(text, format_args!("-E {name} {}", service.options));
    }
    // The kernel puts each before the others.
    for &(server, weight) in service.servers.iter().rev() {
        line(text, format_args!("-a {name} -r {server} -g -w {weight}"));
        if may_be_there && weight > 0 {
            line(text, format_args!("-e {name} -r {server} -g -w {weight}"));
        }
    }
}

fn edit(text: &mut String, name: &Name, old: &Service, new: &Service) {
    if old.options != new.options {
        line(text, format_args!("-E {name} {}", new.options));
    }
    for (&(server, weight), &(_, before)) in new.servers.iter().zip(&old.servers).filter(|(new, old)| new != old) {
        if before == 0 {
            // It is not there when its connections were forgotten; else this is the line that fails.
            line(text, format_args!("-a {name} -r {server} -g -w {weight}"));
        }
        line(text, format_args!("-e {name} -r {server} -g -w {weight}"));
    }
}

/// Deletes the servers that have these connections. One that is not there has none.
pub(super) fn forget(servers: &Servers, connections: &[Connection]) -> String {
    let server = |c: &Connection| Some((c.dvipa, servers.address(c.target, c.dvipa.ip())?));
    let gone: BTreeSet<(SocketAddr, IpAddr)> = connections.iter().filter_map(server).collect();
    let mut text = String::new();
    for (dvipa, address) in gone {
        let (name, server) = (Name::Port(dvipa), SocketAddr::new(address, dvipa.port()));
        line(&mut text, format_args!("-d {name} -r {server}"));
    }
    text + &timeouts()
}

/// How long entries stay; the time of UDP is left as it is.
fn timeouts() -> String {
    format!("--set {} {} 0\n", IDLE.as_secs(), CLOSING.as_secs())
}

fn services(servers: &Servers, plan: &OwnerPlan) -> BTreeMap<Name, Service> {
    let mut services = BTreeMap::new();
    for (&dvipa, planned) in &plan.dvipas {
        for (&port, plan) in &planned.ports {
            let at = SocketAddr::new(dvipa, port);
            services.insert(Name::Port(at), service(servers, at, plan));
        }
        let ipv6 = dvipa.is_ipv6();
        let mut by_mark = |mark, server| {
            let service = Service { options: "-s rr".to_owned(), servers: vec![(SocketAddr::new(server, 0), 1)] };
            services.insert(Name::Mark { mark, ipv6 }, service);
        };
        for range in &planned.sysplexports {
            if let Some(address) = servers.address(range.target, dvipa) {
                by_mark(mark_of_ranges(range.target), address);
            }
        }
        by_mark(OWN, if ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() });
    }
    services
}

fn service(servers: &Servers, at: SocketAddr, plan: &PortPlan) -> Service {
    let shares = plan.reduced();
    let weight = |lpar| shares.iter().find(|share| share.target == lpar).map_or(0, |share| share.weight);
    let servers = servers.like(at.ip()).map(|(lpar, address)| (SocketAddr::new(address, at.port()), weight(lpar)));
    let scheduler = match plan.method {
        Method::RoundRobin | Method::HotStandby { .. } => "rr",
        Method::BaseWlm | Method::ServerWlm => "wrr",
        Method::WeightedActive => "wlc",
    };
    let mut options = format!("-s {scheduler}");
    if !plan.timed_affinity.is_zero() {
        // Writing to a `String` does not fail.
        let _ = write!(options, " -p {}", plan.timed_affinity.as_secs().clamp(1, LONGEST));
    }
    Service { options, servers: servers.collect() }
}
