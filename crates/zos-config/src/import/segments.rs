//! Segments and addresses: the lab has one LAN and one XCF segment, and every system one address on each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use super::systems::Gathered;
use crate::profile::{Net, Profile, Vipa};
use crate::report::{NoteKind, Problem, Report};
use crate::site::Site;
use crate::source::{Place, Placed};

/// The prefixes that a segment of the lab may have.
const WIDEST: u8 = 8;
const NARROWEST: u8 = 28;
/// The prefix when no member tells one.
const USUAL: u8 = 24;
/// Where a system's own addresses begin in a segment, as `sysplex` chooses them.
const FIRST_HOME: u32 = 11;
const FIRST_XCF: u32 = 1;
/// Where IPv6 DVIPAs begin in theirs.
const FIRST_DVIPA6: u128 = 0x1000;
/// XCF segments to choose from when the site's own lies in the LAN.
const OTHER_XCF: [Ipv4Addr; 3] =
    [Ipv4Addr::new(9, 9, 9, 0), Ipv4Addr::new(172, 31, 255, 0), Ipv4Addr::new(192, 168, 255, 0)];

/// What is written to the topology.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) lan: Option<Ipv4Net>,
    pub(super) xcf: Option<Ipv4Net>,
    pub(super) lan6: Option<Ipv6Net>,
    pub(super) xcf6: Option<Ipv6Net>,
    /// Home and XCF address of each system.
    pub(super) homes: Vec<Option<Placed<Ipv4Addr>>>,
    pub(super) xcfs: Vec<Option<Placed<Ipv4Addr>>>,
    /// Addresses that are others in the lab.
    moved: BTreeMap<IpAddr, IpAddr>,
}

impl Addresses {
    /// What became of an address, when it is another in the lab.
    pub(super) fn moved(&self, address: &str) -> Option<IpAddr> {
        self.moved.get(&address.parse().ok()?).copied()
    }

    /// The site's own address for one of the lab's.
    pub(super) fn before(&self, address: IpAddr) -> IpAddr {
        self.moved.iter().find(|(_, to)| **to == address).map_or(address, |(from, _)| *from)
    }

    /// The address in the lab.
    pub(super) fn of(&self, address: IpAddr) -> IpAddr {
        self.moved.get(&address).copied().unwrap_or(address)
    }
}

/// An IPv4 address with the bits of its mask, where it stands.
type Found = Placed<(Ipv4Addr, Option<u8>)>;

pub(super) fn choose(site: &Site, systems: &[Gathered<'_>], report: &mut Report) -> Addresses {
    let mut chosen = Addresses::default();
    let homes: Vec<Option<Found>> = systems.iter().map(|system| home(site, system, report)).collect();
    let xcfs: Vec<Option<Found>> = systems.iter().map(|system| xcf(system, report)).collect();
    let dvipas: Vec<Found> =
        systems.iter().flat_map(|system| defined(&system.profile)).filter_map(|net| ipv4(&net)).collect();

    lan(site, &mut chosen, homes, &dvipas, report);
    own_xcf(site, &mut chosen, &xcfs, report);
    ipv6(site, &mut chosen, systems, report);
    chosen
}

fn ipv4(net: &Placed<Net>) -> Option<Found> {
    match net.value.address {
        IpAddr::V4(address) => Some(Placed::new((address, net.value.bits), net.place)),
        IpAddr::V6(_) => None,
    }
}

/// The addresses of VIPADEFINE and VIPABACKUP.
fn defined(profile: &Profile) -> impl Iterator<Item = Placed<Net>> + '_ {
    profile.vipa.iter().filter_map(|statement| match &statement.value {
        Vipa::Define(define) | Vipa::Backup { define, .. } => Some(define.dvipa.clone()),
        _ => None,
    })
}

/// All addresses that a profile gives to its system, those of interfaces before those of static VIPAs.
fn own_addresses(profile: &Profile) -> Vec<(Placed<Net>, bool)> {
    let virtual_links: BTreeSet<&str> =
        profile.links.iter().filter(|link| link.value.is_virtual).map(|link| link.value.name.as_str()).collect();
    let interfaces = profile.interfaces.iter();
    let interfaces =
        interfaces.flat_map(|one| one.value.addresses.iter().map(|address| (address.clone(), one.value.is_virtual)));
    let homes = profile
        .homes
        .iter()
        .map(|home| (Placed::new(home.value.address, home.place), virtual_links.contains(home.value.link.as_str())));
    let mut all: Vec<_> = interfaces.chain(homes).collect();
    all.sort_by_key(|(_, is_virtual)| *is_virtual);
    all
}

/// The one address that the lab gives to a system: the manifest's, else the target of a VIPAROUTE, else the first.
fn home(site: &Site, system: &Gathered<'_>, report: &mut Report) -> Option<Found> {
    let all = own_addresses(&system.profile);
    let name = &system.system.identity.name;
    let xcf = system.profile.dynamic_xcf.as_ref().map(|xcf| xcf.value.address);
    let wanted = system.system.table.as_ref().and_then(|table| table.home.as_ref());
    let wanted = wanted.map(|home| (home.get_ref().parse::<Ipv4Addr>(), site.in_manifest(home.span())));
    if let Some((Err(_), place)) = &wanted {
        report.problem(*place, "`home` is no IPv4 address");
    }
    let target = system.profile.vipa.iter().find_map(|statement| match &statement.value {
        Vipa::Route { define: true, dynxcf, target } if Some(dynxcf.value) == xcf => Some(target.value),
        _ => None,
    });
    let found: Vec<Found> = all
        .into_iter()
        .filter_map(|(address, _)| ipv4(&address))
        .filter(|found| !found.value.0.is_loopback())
        .collect();
    let is = |wanted: IpAddr| found.iter().find(|found| IpAddr::from(found.value.0) == wanted);
    let chosen = match wanted {
        Some((Ok(home), Some(place))) => {
            Some(is(home.into()).cloned().unwrap_or_else(|| Placed::new((home, None), place)))
        }
        _ => target.and_then(is).or_else(|| found.first()).cloned(),
    };
    for other in found.iter().filter(|other| Some(other.value.0) != chosen.as_ref().map(|chosen| chosen.value.0)) {
        let text = format!("address {} of {name}: the lab gives a system one address on the LAN", other.value.0);
        report.note(NoteKind::NotCarried, other.place, text);
    }
    if chosen.is_none() {
        report.note(
            NoteKind::Assumed,
            None,
            format!("the members give {name} no address on the LAN: the lab chooses one"),
        );
    }
    chosen
}

fn xcf(system: &Gathered<'_>, report: &mut Report) -> Option<Found> {
    let found = system.profile.dynamic_xcf.as_ref().and_then(ipv4);
    if found.is_none() {
        let name = &system.system.identity.name;
        let text =
            format!("{name} has no IPCONFIG DYNAMICXCF and could distribute nothing: the lab gives it an address");
        report.note(NoteKind::Assumed, None, text);
    }
    found
}

/// The smallest segment from `bits` on that has all addresses as hosts; nothing when it would be too wide.
fn cover(addresses: &[Ipv4Addr], bits: u8) -> Option<Ipv4Net> {
    let first = *addresses.first()?;
    (WIDEST..=bits.min(NARROWEST)).rev().find_map(|bits| {
        let net = Ipv4Net::new(first, bits).ok()?.trunc();
        let is_host =
            |address: &Ipv4Addr| net.contains(address) && *address != net.network() && *address != net.broadcast();
        addresses.iter().all(is_host).then_some(net)
    })
}

fn lan(site: &Site, chosen: &mut Addresses, homes: Vec<Option<Found>>, dvipas: &[Found], report: &mut Report) {
    let with_bits = homes.iter().flatten().chain(dvipas);
    let told = with_bits.filter_map(|found| found.value.1).find(|bits| *bits <= NARROWEST);
    let bits = told.unwrap_or(USUAL);
    let dvipa_addresses: Vec<Ipv4Addr> = dvipas.iter().map(|found| found.value.0).collect();
    let home_addresses = homes.iter().flatten().map(|found| found.value.0);
    let everyone: Vec<Ipv4Addr> = dvipa_addresses.iter().copied().chain(home_addresses).collect();
    let from_manifest = segment(site, &site.manifest.lan, report);
    let net = from_manifest.or_else(|| cover(&everyone, bits)).or_else(|| cover(&dvipa_addresses, bits));
    if let (Some(net), None) = (net, from_manifest)
        && net.prefix_len() < bits
    {
        let text =
            format!("the lab's LAN is {net}: one segment for all DVIPAs and systems, where the site has several");
        report.note(NoteKind::Changed, None, text);
    }
    chosen.lan = net;
    let mut taken: BTreeSet<Ipv4Addr> = everyone.into_iter().collect();
    chosen.homes = homes
        .into_iter()
        .map(|found| {
            let (found, net) = (found?, net?);
            let (address, place) = (found.value.0, found.place);
            let new = if net.contains(&address) { address } else { free(net, FIRST_HOME, &mut taken)? };
            chosen.moved.extend(changed(address.into(), new.into(), place, report));
            Some(Placed::new(new, place))
        })
        .collect();
}

fn own_xcf(site: &Site, chosen: &mut Addresses, found: &[Option<Found>], report: &mut Report) {
    let addresses: Vec<Ipv4Addr> = found.iter().flatten().map(|found| found.value.0).collect();
    let bits = found.iter().flatten().find_map(|found| found.value.1).unwrap_or(USUAL);
    let overlaps = |net: &Ipv4Net| chosen.lan.is_some_and(|lan| lan.contains(net) || net.contains(&lan));
    let from_manifest = segment(site, &site.manifest.xcf, report);
    let other = || OTHER_XCF.into_iter().map(|net| Ipv4Net::new_assert(net, USUAL)).find(|net| !overlaps(net));
    let net = from_manifest.or_else(|| cover(&addresses, bits).filter(|net| !overlaps(net)));
    let net = net.or_else(|| if addresses.is_empty() { None } else { other() });
    chosen.xcf = net;
    let mut taken: BTreeSet<Ipv4Addr> = addresses.into_iter().collect();
    chosen.xcfs = found
        .iter()
        .map(|found| {
            let (found, net) = (found.as_ref()?, net?);
            let (address, place) = (found.value.0, found.place);
            let new = if net.contains(&address) { address } else { free(net, FIRST_XCF, &mut taken)? };
            chosen.moved.extend(changed(address.into(), new.into(), place, report));
            Some(Placed::new(new, place))
        })
        .collect();
}

/// A free host address of the segment.
fn free(net: Ipv4Net, first: u32, taken: &mut BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let all = (net.network().to_bits().saturating_add(first)..net.broadcast().to_bits()).map(Ipv4Addr::from_bits);
    let found = all.into_iter().find(|address| !taken.contains(address))?;
    taken.insert(found);
    Some(found)
}

/// An address for the lab's workstation, when the manifest has none: the highest that is free.
pub(super) fn workstation(chosen: &Addresses, dvipas: &BTreeSet<IpAddr>) -> Option<Ipv4Addr> {
    let net = chosen.lan?;
    let is_taken = |address: Ipv4Addr| {
        dvipas.contains(&address.into()) || chosen.homes.iter().flatten().any(|home| home.value == address)
    };
    let all = net.network().to_bits() + 1..net.broadcast().to_bits();
    let preferred = Ipv4Addr::from_bits(net.network().to_bits() + 101);
    let preferred = Some(preferred).filter(|address| net.contains(address) && !is_taken(*address));
    preferred.or_else(|| all.rev().map(Ipv4Addr::from_bits).find(|address| !is_taken(*address)))
}

fn changed(from: IpAddr, to: IpAddr, place: Place, report: &mut Report) -> Option<(IpAddr, IpAddr)> {
    if from == to {
        return None;
    }
    report.note(NoteKind::Changed, place, format!("{from} is {to} in the lab, whose one segment has no room for it"));
    Some((from, to))
}

fn segment<T: std::str::FromStr>(
    site: &Site,
    written: &Option<sysplex::raw::Spanned<String>>,
    report: &mut Report,
) -> Option<T> {
    let written = written.as_ref()?;
    let place = site.in_manifest(written.span());
    report.keep(
        written
            .get_ref()
            .parse()
            .map_err(|_| Problem::new(place, "this is no segment: expected such as `10.10.10.0/24`")),
    )
}

fn prefix64(address: Ipv6Addr) -> Ipv6Net {
    Ipv6Net::new_assert(address, 64).trunc()
}

/// IPv6 segments are those of the DVIPAs and of DYNAMICXCF; the addresses in them are the lab's.
fn ipv6(site: &Site, chosen: &mut Addresses, systems: &[Gathered<'_>], report: &mut Report) {
    let v6 = |net: &Placed<Net>| match net.value.address {
        IpAddr::V6(address) => Some(Placed::new(address, net.place)),
        IpAddr::V4(_) => None,
    };
    let dvipas: Vec<Placed<Ipv6Addr>> =
        systems.iter().flat_map(|system| defined(&system.profile)).filter_map(|net| v6(&net)).collect();
    let homes: Vec<Option<Placed<Ipv6Addr>>> =
        systems.iter().map(|system| own_addresses(&system.profile).iter().find_map(|(net, _)| v6(net))).collect();
    let xcfs: Vec<Option<Placed<Ipv6Addr>>> =
        systems.iter().map(|system| system.profile.dynamic_xcf6.as_ref().and_then(v6)).collect();
    let first = |all: &[Option<Placed<Ipv6Addr>>]| all.iter().flatten().next().map(|found| prefix64(found.value));
    let from_dvipas = dvipas.first().map(|found| prefix64(found.value));
    chosen.lan6 = segment(site, &site.manifest.lan6, report).or(from_dvipas).or_else(|| first(&homes));
    chosen.xcf6 = segment(site, &site.manifest.xcf6, report).or_else(|| first(&xcfs));
    for (net, found, first) in [(chosen.lan6, &homes, FIRST_HOME), (chosen.xcf6, &xcfs, FIRST_XCF)] {
        for (position, found) in (0u128..).zip(found).filter_map(|(position, found)| Some((position, found.as_ref()?)))
        {
            let Some(net) = net else { continue };
            let own = Ipv6Addr::from_bits(net.network().to_bits() + u128::from(first) + position);
            chosen.moved.extend(changed(found.value.into(), own.into(), found.place, report));
        }
    }
    let Some(net) = chosen.lan6 else { return };
    let is_right =
        |address: Ipv6Addr| net.contains(&address) && address.to_bits() - net.network().to_bits() >= FIRST_DVIPA6;
    let mut taken: BTreeSet<Ipv6Addr> = dvipas.iter().map(|found| found.value).filter(|one| is_right(*one)).collect();
    for found in dvipas.iter().filter(|found| !is_right(found.value)) {
        if chosen.moved.contains_key(&found.value.into()) {
            continue;
        }
        let mut all = (net.network().to_bits() + FIRST_DVIPA6..).map(Ipv6Addr::from_bits);
        if let Some(new) = all.find(|new| taken.insert(*new)) {
            chosen.moved.extend(changed(found.value.into(), new.into(), found.place, report));
        }
    }
}
