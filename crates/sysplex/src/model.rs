//! The sysplex as the lab builds it: plain values, nothing left to resolve.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::Diagnostic;
use crate::dvipa::Dvipa;
use crate::firewall::Firewall;
use crate::program::Command;
use crate::raw::Topology;
use crate::stack::{Defect, Stack};
use crate::symbols::Symbols;

/// The most LPARs that one sysplex can have: 32, as on z/OS.
pub const LARGEST_SYSPLEX: u32 = 32;

/// Which LPAR: 1 for the first in the topology, up to [`LARGEST_SYSPLEX`]. Small and fixed, so that it can be a packet mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LparIndex(u32);

impl LparIndex {
    /// The index of the LPAR at this position, counted from 0.
    pub(crate) fn at(position: usize) -> Self {
        Self(u32::try_from(position).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// The index with this number; nothing when it is not one of 1 to [`LARGEST_SYSPLEX`].
    pub fn new(number: u32) -> Option<Self> {
        (1..=LARGEST_SYSPLEX).contains(&number).then_some(Self(number))
    }

    /// The number, from 1.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LparIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A whole sysplex and the workstations outside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysplex {
    /// Its name (system symbol `SYSPLEX`).
    pub name: String,
    /// The segment of the workstations, the LPARs' home addresses and the DVIPAs.
    pub lan: Ipv4Net,
    /// The segment of the dynamic XCF addresses.
    pub xcf: Ipv4Net,
    /// The LAN segment of IPv6.
    pub lan6: Ipv6Net,
    /// The XCF segment of IPv6.
    pub xcf6: Ipv6Net,
    /// The LPARs; the one with index n is at position n - 1.
    pub lpars: Vec<Lpar>,
    /// The dynamic VIPAs.
    pub dvipas: Vec<Dvipa>,
    /// The VIPAROUTE statements: the dynamic XCF address of a target, and its address by which it is reached instead.
    pub viparoutes: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// The workstations.
    pub workstations: Vec<Workstation>,
    /// The firewalls between hosts, usually before the workstations.
    pub firewalls: Vec<Firewall>,
    /// Defects of z/OS that the stacks have.
    #[serde(default)]
    pub defects: BTreeSet<Defect>,
}

impl Sysplex {
    /// Reads a topology file.
    ///
    /// # Errors
    /// Everything that is wrong with it. What TOML itself or the shape of the tables forbids is reported alone, because
    /// nothing behind it can be read.
    pub fn from_toml(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let topology: Topology = toml::from_str(text).map_err(|error| vec![Diagnostic::from_toml(&error)])?;
        topology.resolve()
    }

    /// The same for a site as it is: see [`Topology::resolve_as_run`].
    ///
    /// # Errors
    /// What is wrong besides.
    pub fn from_toml_as_run(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let topology: Topology = toml::from_str(text).map_err(|error| vec![Diagnostic::from_toml(&error)])?;
        topology.resolve_as_run()
    }

    /// The LPAR with this index.
    pub fn lpar(&self, index: LparIndex) -> Option<&Lpar> {
        self.lpars.iter().find(|lpar| lpar.index == index)
    }

    /// The LPAR with this name (SYSNAME).
    pub fn lpar_named(&self, name: &str) -> Option<&Lpar> {
        self.lpars.iter().find(|lpar| lpar.name == name)
    }

    /// Is this LPAR's responsiveness for this port too low, by a defect?
    pub fn lowers_tsr(&self, lpar: LparIndex, port: u16) -> bool {
        let is_shared = |lpar: &Lpar| lpar.stack.shareports.contains(&port);
        self.defects.contains(&Defect::SharePortTsr) && self.lpar(lpar).is_some_and(is_shared)
    }

    /// The names of all hosts, the LPARs first, then the workstations: in the order of their places on the LAN.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let lpars = self.lpars.iter().map(|lpar| lpar.name.as_str());
        lpars.chain(self.workstations.iter().map(|workstation| workstation.name.as_str()))
    }

    /// Is there a DVIPA of IPv6? Only then do hosts have IPv6 addresses.
    pub fn has_ipv6(&self) -> bool {
        self.dvipas.iter().any(|dvipa| dvipa.address.is_ipv6())
    }

    /// The DVIPA with this address.
    pub fn dvipa(&self, address: IpAddr) -> Option<&Dvipa> {
        self.dvipas.iter().find(|dvipa| dvipa.address == address)
    }
}

/// One LPAR: one z/OS system with one TCP/IP stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lpar {
    /// Its name (SYSNAME).
    pub name: String,
    /// Its number in the sysplex.
    pub index: LparIndex,
    /// Its own address on the LAN.
    pub home: Ipv4Addr,
    /// Its dynamic XCF address (IPCONFIG DYNAMICXCF), which DESTIP and HUBIP name.
    pub xcf: Ipv4Addr,
    /// Its own IPv6 address on the LAN.
    pub home6: Ipv6Addr,
    /// Its dynamic XCF address of IPv6 (IPCONFIG6 DYNAMICXCF).
    pub xcf6: Ipv6Addr,
    /// The weight that WLM gives to the system.
    pub wlm: u8,
    /// The weights that WLM gives to servers here, by port.
    pub server_wlm: BTreeMap<u16, u8>,
    /// Its system symbols, the built-in ones included.
    pub symbols: Symbols,
    /// The ports that the stack gives to a `bind` to port 0. Disjoint between LPARs with SYSPLEXPORTS, the same without
    /// (that they then collide is what the field sees).
    pub ephemeral: RangeInclusive<u16>,
    /// What runs here, in the order of the topology.
    pub tasks: Vec<StartedTask>,
    /// Options of its stack.
    #[serde(default)]
    pub stack: Stack,
}

/// A started task with its parameters, symbols resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartedTask {
    /// Debug Manager (DBGMGR, program EQAZPCM).
    DebugManager {
        /// Name of the started task.
        name: String,
        /// CLIENT: the external port.
        client: u16,
        /// HOST: the internal port, loopback only.
        host: u16,
        /// HUBIP and HUBPORT; nothing means that sysplex support is off.
        hub: Option<SocketAddrV4>,
        /// How long a session waits; nothing means the program's own default.
        wait: Option<Duration>,
        /// PRM: further `KEY=VALUE` words, as the program takes them.
        prm: Vec<String>,
        /// Does an AT-TLS rule cover CLIENT, so that there is TLS on that port?
        tls: bool,
    },
    /// The RSE daemon with its Debug Miner.
    Rsed {
        /// Name of the started task.
        name: String,
        /// The daemon's port.
        port: u16,
        /// `_RSE_PORTRANGE` for the RSE server's second port, its end exclusive; nothing means an ephemeral port.
        port_range: Option<Range<u16>>,
    },
    /// A plain server, which says on which system it runs.
    Server {
        /// Name of the started task.
        name: String,
        /// Its ports.
        ports: Vec<u16>,
        /// The address that it binds; nothing means any.
        bind: Option<IpAddr>,
        /// How many connections may wait to be accepted.
        backlog: Option<u32>,
        /// What its procedure looks for before it starts.
        port_check: Option<PortCheck>,
    },
    /// A Debug Manager whose PARM it cannot understand: it is started with it, and ends with its own message, as on z/OS. Only
    /// [`Topology::resolve_as_run`] makes one.
    WrongParm {
        /// Name of the started task.
        name: String,
        /// HOST, CLIENT and the words of PRM, as far as they could be resolved.
        words: Vec<String>,
    },
    /// Any program.
    Command {
        /// Name of the started task.
        name: String,
        /// What is run.
        command: Command,
    },
}

/// How the procedure of a server looks whether its port is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortCheck {
    /// By the port alone, whatever address it is in use at.
    Port,
    /// By address and port.
    Socket,
}

impl PortCheck {
    /// The word in topology files and on the server's command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::Socket => "socket",
        }
    }
}

impl StartedTask {
    /// Name of the started task.
    pub fn name(&self) -> &str {
        match self {
            Self::DebugManager { name, .. }
            | Self::Rsed { name, .. }
            | Self::Server { name, .. }
            | Self::WrongParm { name, .. }
            | Self::Command { name, .. } => name,
        }
    }
}

/// A workstation on the LAN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workstation {
    /// Its host name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its address of IPv6.
    pub address6: Ipv6Addr,
}
