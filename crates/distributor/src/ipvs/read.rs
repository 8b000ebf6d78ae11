//! Reads what the kernel and ipvsadm print: the entries of connections are the VCRT, those of persistence the affinities, the
//! servers with their weights and counters the VDPT.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sysplex::LparIndex;

use super::servers::Servers;
use super::{CAT, IPVSADM};
use crate::{Affinity, ReadError, Tables, VcrtEntry, VdptEntry};

/// States of connections that the client has ended. NETSTAT VCRT shows what is connected, so they are left out.
const ENDED: [&str; 5] = ["FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK"];

/// The client's port of an entry of persistence.
const ANY_PORT: u16 = 0;
/// The DVIPA's port of one that the kernel has dropped, but that has to wait for the end of its connections. (One of a port 65535
/// looks the same, and is left out too.)
const DROPPED: u16 = 0xffff;

/// A server of a port of a DVIPA.
type Key = (SocketAddr, IpAddr);

/// A port of a DVIPA, a server, and the words that stand behind it.
type ServerLine<'t> = (SocketAddr, IpAddr, Vec<&'t str>);

/// What there is of a server.
struct Server {
    weight: u32,
    /// Entries of connections, ended ones too.
    entries: u64,
}

/// Reads `/proc/net/ip_vs_conn`, `/proc/net/ip_vs` and `ipvsadm -L -n --stats --exact`.
pub(super) fn parse(servers: &Servers, outputs: &[String]) -> Result<Tables, ReadError> {
    let [connections, services, statistics] = outputs else {
        return Err(bad(CAT, format!("found {} outputs, expected 3", outputs.len())));
    };
    let mut tables = read_connections(servers, connections)?;
    let totals = read_statistics(statistics)?;
    for ((dvipa, address), server) in read_services(services)? {
        let counted = totals.get(&(dvipa, address)).copied().unwrap_or(0);
        let (weight, total) = (server.weight, counted.max(server.entries));
        if weight > 0 || total > 0 {
            tables.vdpt.push(VdptEntry { dvipa, target: lpar(servers, address, CAT)?, weight, total });
        }
    }
    tables.vdpt.sort_by_key(|entry| (entry.dvipa, entry.target));
    Ok(tables)
}

/// `Pro FromIP FPrt ToIP TPrt DestIP DPrt State Expires PEName PEData`, numbers in hexadecimal but for the seconds.
fn read_connections(servers: &Servers, output: &str) -> Result<Tables, ReadError> {
    let mut lines = output.lines();
    if !lines.next().is_some_and(|head| head.starts_with("Pro FromIP")) {
        return Err(bad(CAT, "found no `Pro FromIP ...` in the first line of ip_vs_conn".to_owned()));
    }
    let mut tables = Tables::default();
    for line in lines {
        let wrong = || bad(CAT, format!("found `{}`, expected a connection", short(line)));
        let words: Vec<&str> = line.split_whitespace().collect();
        let &["TCP", client, client_port, dvipa, dvipa_port, target, _, state, expires, ..] = words.as_slice() else {
            // No other protocol is distributed.
            if matches!(words.first(), Some(&("UDP" | "SCTP" | "IP" | "ICMP"))) {
                continue;
            } else {
                return Err(wrong());
            }
        };
        let socket = |ip, port| Some(SocketAddr::new(hex_address(ip)?, hex_port(port)?));
        let client = socket(client, client_port).ok_or_else(wrong)?;
        let dvipa = socket(dvipa, dvipa_port).ok_or_else(wrong)?;
        let target = hex_address(target).ok_or_else(wrong)?;
        let expires = Duration::from_secs(expires.parse().map_err(|_| wrong())?);
        if target.is_loopback() || ENDED.contains(&state) {
            // Of the owner itself to itself, or over.
            continue;
        }
        let target = lpar(servers, target, CAT)?;
        if client.port() != ANY_PORT {
            tables.vcrt.push(VcrtEntry { client, dvipa, target, expires });
        } else if dvipa.port() != DROPPED {
            tables.affinities.push(Affinity { client: client.ip(), dvipa, target, expires });
        }
    }
    Ok(tables)
}

/// `TCP address:port scheduler ...`, below it its servers: `-> address:port forward weight active inactive`.
fn read_services(output: &str) -> Result<BTreeMap<Key, Server>, ReadError> {
    let mut found = BTreeMap::new();
    for (dvipa, server, rest) in servers_of_ports(CAT, "ip_vs", output, hex_socket)? {
        let &[_, weight, active, inactive, ..] = rest.as_slice() else {
            return Err(bad(CAT, format!("found {rest:?} behind {server} of {dvipa}, expected a server's numbers")));
        };
        let numbers = || Some((weight.parse().ok()?, active.parse::<u64>().ok()?, inactive.parse::<u64>().ok()?));
        let Some((weight, active, inactive)) = numbers() else {
            return Err(bad(CAT, format!("found {rest:?} behind {server} of {dvipa}, expected numbers")));
        };
        found.insert((dvipa, server), Server { weight, entries: active.saturating_add(inactive) });
    }
    Ok(found)
}

/// The same with counters, of which the first is that of connections.
fn read_statistics(output: &str) -> Result<BTreeMap<Key, u64>, ReadError> {
    let mut totals = BTreeMap::new();
    for (dvipa, server, rest) in servers_of_ports(IPVSADM, "its output", output, |text| text.parse().ok())? {
        let Some(total) = rest.first().and_then(|number| number.parse().ok()) else {
            return Err(bad(IPVSADM, format!("found {rest:?} behind {server} of {dvipa}, expected counters")));
        };
        totals.insert((dvipa, server), total);
    }
    Ok(totals)
}

/// The servers of TCP services, and what stands behind each.
fn servers_of_ports<'t>(
    tool: &'static str,
    what: &str,
    output: &'t str,
    socket: impl Fn(&str) -> Option<SocketAddr>,
) -> Result<Vec<ServerLine<'t>>, ReadError> {
    let mut lines = output.lines();
    if !lines.next().is_some_and(|head| head.starts_with("IP Virtual Server version")) {
        return Err(bad(tool, format!("found no `IP Virtual Server version` in the first line of {what}")));
    }
    let mut found = Vec::new();
    let mut of = None;
    // Two lines name the columns.
    for line in lines.skip(2) {
        let wrong = || bad(tool, format!("found `{}`, expected a service or a server", short(line)));
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] | ["FWM" | "UDP" | "SCTP", ..] => of = None,
            ["TCP", service, ..] => of = Some(socket(service).ok_or_else(wrong)?),
            ["->", server, rest @ ..] => {
                if let Some(dvipa) = of {
                    found.push((dvipa, socket(server).ok_or_else(wrong)?.ip(), rest.to_vec()));
                }
            }
            _ => return Err(wrong()),
        }
    }
    Ok(found)
}

/// `0A0A0A01:0FC3` or `[fd00:0010:0000:0000:0000:0000:0000:0001]:0FC3`.
fn hex_socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    Some(SocketAddr::new(hex_address(address)?, hex_port(port)?))
}

fn hex_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let number = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8)?;
    Some(Ipv4Addr::from(number).into())
}

fn hex_port(text: &str) -> Option<u16> {
    u16::from_str_radix(text, 16).ok()
}

fn lpar(servers: &Servers, address: IpAddr, tool: &'static str) -> Result<LparIndex, ReadError> {
    let unknown = || bad(tool, format!("found {address} as a target, expected the XCF address of an LPAR"));
    servers.lpar_at(address).ok_or_else(unknown)
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

fn bad(tool: &'static str, what: String) -> ReadError {
    ReadError { tool, what }
}

#[cfg(test)]
mod tests;
