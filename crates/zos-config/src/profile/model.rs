//! What a profile says, as far as it is understood: every value with its place.

use std::net::IpAddr;

use crate::source::{Place, Placed};

/// PROFILE.TCPIP of one system, its symbols resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// IPCONFIG SYSPLEXROUTING; `false` is NOSYSPLEXROUTING.
    pub sysplex_routing: Option<Placed<bool>>,
    /// IPCONFIG DYNAMICXCF.
    pub dynamic_xcf: Option<Placed<Net>>,
    /// IPCONFIG6 DYNAMICXCF.
    pub dynamic_xcf6: Option<Placed<Net>>,
    /// GLOBALCONFIG ADJUSTDVIPAMSS: AUTO, ALL or NONE, in upper case (from memory).
    pub adjust_dvipa_mss: Option<Placed<String>>,
    /// LINK statements.
    pub links: Vec<Placed<Link>>,
    /// HOME entries.
    pub homes: Vec<Placed<Home>>,
    /// INTERFACE statements with their addresses.
    pub interfaces: Vec<Placed<Interface>>,
    /// PORT and PORTRANGE entries.
    pub ports: Vec<Placed<PortEntry>>,
    /// ROUTE entries of BEGINROUTES.
    pub routes: Vec<Placed<Route>>,
    /// The statements of the VIPADYNAMIC blocks, in their order.
    pub vipa: Vec<Placed<Vipa>>,
}

/// An address and the bits of its mask or prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    /// The address.
    pub address: IpAddr,
    /// The bits; nothing when none are written.
    pub bits: Option<u8>,
}

/// LINK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name, in upper case.
    pub name: String,
    /// It is a static VIPA's (VIRTUAL).
    pub is_virtual: bool,
}

/// One entry of HOME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The address.
    pub address: Net,
    /// The link, in upper case.
    pub link: String,
}

/// INTERFACE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, in upper case.
    pub name: String,
    /// It is a static VIPA's (VIRTUAL, VIRTUAL6).
    pub is_virtual: bool,
    /// IPADDR.
    pub addresses: Vec<Placed<Net>>,
}

/// One entry of PORT or PORTRANGE: a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEntry {
    /// First port; 0 for UNRSV.
    pub first: u16,
    /// Last port.
    pub last: u16,
    /// TCP; `false` is UDP.
    pub is_tcp: bool,
    /// The job's name, `RESERVED`, or `*`.
    pub job: String,
    /// Options behind it, such as SHAREPORT.
    pub options: Vec<String>,
    /// BIND.
    pub bind: Option<IpAddr>,
}

/// ROUTE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its words behind ROUTE, in upper case.
    pub words: Vec<String>,
}

/// How a DVIPA is named: by its address, or, for IPv6, by its interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DvipaName {
    /// The address.
    Address(IpAddr),
    /// The IPv6 interface's name, in upper case.
    Interface(String),
}

/// MOVEABLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moveable {
    /// IMMEDIATE.
    Immediate,
    /// WHENIDLE.
    WhenIdle,
}

impl Moveable {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Immediate => "IMMEDIATE",
            Self::WhenIdle => "WHENIDLE",
        }
    }
}

/// A statement of a VIPADYNAMIC block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vipa {
    /// VIPADEFINE, one for each address of the statement.
    Define(Define),
    /// VIPABACKUP, one for each address of the statement.
    Backup {
        /// Its address, and MOVEABLE with the mask.
        define: Define,
        /// 1 to 254, the higher takes over first.
        rank: Option<Placed<u8>>,
    },
    /// VIPADELETE.
    Delete(DvipaName),
    /// VIPADISTRIBUTE.
    Distribute(Box<Distribute>),
    /// VIPAROUTE.
    Route {
        /// `false` is DELETE.
        define: bool,
        /// The target's dynamic XCF address.
        dynxcf: Placed<IpAddr>,
        /// The address by which it is reached instead.
        target: Placed<IpAddr>,
    },
    /// VIPASMPARMS: kept as its place alone.
    Other(&'static str),
    /// VIPARANGE; nothing when its operands are not understood, as the lab has no such DVIPAs anyway.
    Range(Option<Net>),
}

/// The address of a VIPADEFINE or VIPABACKUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Define {
    /// The address, with the bits of mask or prefix.
    pub dvipa: Placed<Net>,
    /// The IPv6 interface's name, in upper case.
    pub interface: Option<String>,
    /// MOVEABLE.
    pub moveable: Option<Placed<Moveable>>,
    /// SERVICEMGR, TIER1, TIER2, CPCSCOPE.
    pub options: Vec<Placed<&'static str>>,
}

/// VIPADISTRIBUTE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribute {
    /// `false` is DELETE.
    pub define: bool,
    /// DISTMETHOD in full.
    pub method: Option<Placed<&'static str>>,
    /// AUTOSWITCHBACK, NOAUTOSWITCHBACK.
    pub autoswitchback: Option<Placed<bool>>,
    /// OPTLOCAL; NOOPTLOCAL is as nothing.
    pub optlocal: Option<Placed<u8>>,
    /// SYSPLEXPORTS.
    pub sysplexports: Option<Place>,
    /// TIMEDAFFINITY, in seconds.
    pub timed_affinity: Option<Placed<u16>>,
    /// Options that were understood as such and say nothing to this lab (PROCTYPE, HEALTHSWITCH, ...), as written.
    pub options: Vec<Placed<String>>,
    /// Which DVIPA.
    pub dvipa: Placed<DvipaName>,
    /// PORT: numbers and ranges as written, symbols and all; empty when there is no PORT.
    pub ports: Vec<Placed<String>>,
    /// DESTIP.
    pub targets: Vec<Destination>,
    /// DESTIP ALL.
    pub all_targets: Option<Place>,
}

/// One target of DESTIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The target's dynamic XCF address.
    pub address: Placed<IpAddr>,
    /// WEIGHT.
    pub weight: Option<Placed<u8>>,
    /// PREFERRED.
    pub preferred: Option<Place>,
    /// BACKUP, with its rank, by default 1.
    pub backup: Option<Placed<u8>>,
}
