//! Segments and addresses: what is written is checked, what is not is chosen.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use ipnet::{Ipv4Net, Ipv6Net};
use toml::Spanned;

use super::Problems;
use crate::model::Workstation;
use crate::names::{cut, is_host_name};
use crate::raw::Topology;

/// Every address of the sysplex, by position in its list.
pub(super) struct Addresses {
    pub(super) lan: Ipv4Net,
    pub(super) xcf: Ipv4Net,
    pub(super) lan6: Ipv6Net,
    pub(super) xcf6: Ipv6Net,
    pub(super) homes: Vec<Ipv4Addr>,
    pub(super) xcfs: Vec<Ipv4Addr>,
    pub(super) dvipas: Vec<IpAddr>,
    pub(super) workstations: Vec<Ipv4Addr>,
}

impl Addresses {
    /// The IPv6 address of the LPAR at this position on the LAN: chosen as that of IPv4 is.
    pub(super) fn home6(&self, position: usize) -> Ipv6Addr {
        in_segment(self.lan6, FIRST_HOME, position)
    }

    /// Its dynamic XCF address of IPv6.
    pub(super) fn xcf6(&self, position: usize) -> Ipv6Addr {
        in_segment(self.xcf6, FIRST_XCF, position)
    }

    fn workstation6(&self, position: usize) -> Ipv6Addr {
        in_segment(self.lan6, FIRST_WORKSTATION, position)
    }
}

fn in_segment(net: Ipv6Net, first: u32, position: usize) -> Ipv6Addr {
    // Segments have 64 bits for hosts, and there are few of them.
    Ipv6Addr::from_bits(net.network().to_bits() + u128::from(first) + position as u128)
}

/// Where automatic addresses start in their segment; then they go by position.
const FIRST_HOME: u32 = 11;
const FIRST_XCF: u32 = 1;
const FIRST_WORKSTATION: u32 = 101;

pub(super) fn choose(topology: &Topology, problems: &mut Problems) -> Addresses {
    let table = &topology.sysplex;
    let lan = segment(table.lan.as_ref(), Ipv4Addr::new(10, 10, 10, 0), problems);
    let xcf = segment(table.xcf.as_ref(), Ipv4Addr::new(9, 9, 9, 0), problems);
    if lan.contains(&xcf) || xcf.contains(&lan) {
        let span = table.xcf.as_ref().or(table.lan.as_ref()).map_or(0..0, Spanned::span);
        problems
            .add(span, format!("the XCF segment {xcf} and the LAN segment {lan} overlap: expected two of their own"));
    }

    let lan6 = segment6(table.lan6.as_ref(), DEFAULT_LAN6, problems);
    let xcf6 = segment6(table.xcf6.as_ref(), DEFAULT_XCF6, problems);
    if lan6 == xcf6 {
        let span = table.xcf6.as_ref().or(table.lan6.as_ref()).map_or(0..0, Spanned::span);
        problems.add(span, format!("the XCF segment and the LAN segment are both {lan6}: expected two of their own"));
    }

    // What is written comes first, so that a chosen address never takes a written one.
    let mut on_lan = Segment::new(lan, "LAN");
    let mut on_xcf = Segment::new(xcf, "XCF");
    let mut written = |address: &Option<Spanned<String>>, what: String, segment: &mut Segment| {
        address.as_ref().map(|address| segment.written(address, what, problems))
    };
    let lpars = &topology.lpar;
    let named = |kind: &str, name: &Spanned<String>| format!("{kind} of {}", cut(name.get_ref()));
    let homes: Vec<_> = lpars.iter().map(|l| written(&l.home, named("home address", &l.name), &mut on_lan)).collect();
    let xcfs: Vec<_> = lpars.iter().map(|l| written(&l.xcf, named("XCF address", &l.name), &mut on_xcf)).collect();
    let stations: Vec<_> =
        (topology.workstation.iter()).map(|w| written(&w.address, named("address", &w.name), &mut on_lan)).collect();
    let dvipas = topology.dvipa.iter().map(|d| dvipa(&d.address, &mut on_lan, lan6, problems)).collect::<Vec<_>>();

    let lpar_name = |position: usize| lpars[position].name.span();
    let station_name = |position: usize| topology.workstation[position].name.span();
    Addresses {
        homes: on_lan.fill(homes, FIRST_HOME, lpar_name, problems),
        xcfs: on_xcf.fill(xcfs, FIRST_XCF, lpar_name, problems),
        workstations: on_lan.fill(stations, FIRST_WORKSTATION, station_name, problems),
        dvipas,
        lan,
        xcf,
        lan6,
        xcf6,
    }
}

/// Where hosts have their IPv6 addresses when the topology does not say: unique local addresses (RFC 4193).
const DEFAULT_LAN6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0);
const DEFAULT_XCF6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x9, 0, 0, 0, 0, 0, 0);

fn segment6(written: Option<&Spanned<String>>, default: Ipv6Addr, problems: &mut Problems) -> Ipv6Net {
    let default = Ipv6Net::new_assert(default, 64);
    let Some(written) = written else { return default };
    match written.get_ref().parse::<Ipv6Net>() {
        Ok(net) if net.trunc() == net && net.prefix_len() == 64 => net,
        _ => {
            let found = cut(written.get_ref());
            problems.add(
                written.span(),
                format!("`{found}` is not a segment of IPv6: expected such as `{default}`, a /64"),
            );
            default
        }
    }
}

/// An address of either family on the LAN.
fn dvipa(address: &Spanned<String>, on_lan: &mut Segment, lan6: Ipv6Net, problems: &mut Problems) -> IpAddr {
    /// Below are the hosts' own addresses.
    const FIRST_DVIPA6: u128 = 0x1000;
    let Ok(found) = address.get_ref().parse::<Ipv6Addr>() else {
        return on_lan.written(address, "DVIPA".to_owned(), problems).into();
    };
    let host = found.to_bits().wrapping_sub(lan6.network().to_bits());
    if !lan6.contains(&found) || host < FIRST_DVIPA6 {
        let message = format!("{found} is no address for a DVIPA: expected one in {lan6}, from {} on", {
            Ipv6Addr::from_bits(lan6.network().to_bits() + FIRST_DVIPA6)
        });
        problems.add(address.span(), message);
    } else if !on_lan.taken6.insert(found) {
        problems.add(address.span(), format!("{found} is taken: it is already the DVIPA"));
    }
    found.into()
}

pub(super) fn workstations(topology: &Topology, addresses: &Addresses, problems: &mut Problems) -> Vec<Workstation> {
    let everyone = topology.lpar.iter().map(|l| &l.name).chain(topology.workstation.iter().map(|w| &w.name));
    problems.unique(everyone, "LPARs or workstations");
    let tables = topology.workstation.iter().zip(&addresses.workstations);
    tables
        .enumerate()
        .map(|(position, (table, &address))| {
            let name = table.name.get_ref();
            if !is_host_name(name) {
                let message =
                    format!("`{}` is not a host name: expected 1 to 64 letters, digits, `-`, `_`, `.`", cut(name));
                problems.add(table.name.span(), message);
            }
            Workstation { name: name.clone(), address, address6: addresses.workstation6(position) }
        })
        .collect()
}

/// The segment as written, or the default.
fn segment(written: Option<&Spanned<String>>, default: Ipv4Addr, problems: &mut Problems) -> Ipv4Net {
    let default = Ipv4Net::new_assert(default, 24);
    let Some(written) = written else { return default };
    match written.get_ref().parse::<Ipv4Net>() {
        Ok(net) if net.trunc() != net => {
            let help = Some(format!("did you mean `{}`?", net.trunc()));
            problems.add_with_help(
                written.span(),
                format!("`{net}` is an address in a segment, not the segment"),
                help,
            );
            default
        }
        Ok(net) if (8..=28).contains(&net.prefix_len()) => net,
        _ => {
            let found = cut(written.get_ref());
            let message = format!("`{found}` is not a segment: expected such as `{default}`, with a prefix of 8 to 28");
            problems.add(written.span(), message);
            default
        }
    }
}

/// One segment and who has which address there.
struct Segment {
    net: Ipv4Net,
    name: &'static str,
    taken: BTreeMap<Ipv4Addr, String>,
    taken6: std::collections::BTreeSet<Ipv6Addr>,
}

impl Segment {
    fn new(net: Ipv4Net, name: &'static str) -> Self {
        Self { net, name, taken: BTreeMap::new(), taken6: std::collections::BTreeSet::new() }
    }

    /// An address from the file. A placeholder after a problem.
    fn written(&mut self, address: &Spanned<String>, what: String, problems: &mut Problems) -> Ipv4Addr {
        let (text, span) = (cut(address.get_ref()), address.span());
        let Ok(found) = address.get_ref().parse::<Ipv4Addr>() else {
            problems
                .add(span, format!("`{text}` is not an IPv4 address: expected four numbers from 0 to 255 with dots"));
            return Ipv4Addr::UNSPECIFIED;
        };
        let (name, net) = (self.name, self.net);
        if !net.contains(&found) {
            problems.add(span, format!("{found} is outside the {name} segment: expected an address in {net}"));
        } else if found == net.network() || found == net.broadcast() {
            let which = if found == net.network() { "network" } else { "broadcast" };
            problems
                .add(span, format!("{found} is the {which} address of the {name} segment {net}: expected a host's"));
        } else if let Some(other) = self.taken.get(&found) {
            problems.add(span, format!("{found} is taken: it is already the {other}"));
        } else {
            self.taken.insert(found, what);
        }
        found
    }

    /// Chooses an address where none is written: by position from `first`, skipping what is taken.
    fn fill(
        &mut self,
        written: Vec<Option<Ipv4Addr>>,
        first: u32,
        span: impl Fn(usize) -> Range<usize>,
        problems: &mut Problems,
    ) -> Vec<Ipv4Addr> {
        let start = u32::from(self.net.network()).saturating_add(first);
        let mut chosen = Vec::with_capacity(written.len());
        for (address, position) in written.into_iter().zip(0u32..) {
            let free = || {
                (start.saturating_add(position)..u32::from(self.net.broadcast()))
                    .map(Ipv4Addr::from)
                    .find(|candidate| !self.taken.contains_key(candidate))
            };
            let Some(address) = address.or_else(free) else {
                let message = format!("no free address is left in the {} segment {} for it", self.name, self.net);
                let help = Some("write one, or give `[sysplex]` a larger segment".to_owned());
                problems.add_with_help(span(position as usize), message, help);
                chosen.push(Ipv4Addr::UNSPECIFIED);
                continue;
            };
            self.taken.entry(address).or_insert_with(|| "address chosen for another".to_owned());
            chosen.push(address);
        }
        chosen
    }
}
