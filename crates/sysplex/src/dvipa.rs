//! Dynamic VIPAs: VIPADEFINE, VIPABACKUP, VIPADISTRIBUTE.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::LparIndex;

/// A dynamic VIPA, and how its ports are distributed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dvipa {
    /// The address.
    pub address: IpAddr,
    /// The LPAR with the VIPADEFINE.
    pub owner: LparIndex,
    /// When the owner takes it back.
    pub moveable: Moveable,
    /// The LPARs with a VIPABACKUP, those that take over first before the others: by rank, then as written.
    pub backups: Vec<Backup>,
    /// What a client sees when no target is ready.
    pub no_target: NoTarget,
    /// The VIPADISTRIBUTE statements, in the order of the file; what a DELETE took away is gone.
    pub distribute: Vec<Distribute>,
    /// SYSPLEXPORTS is in effect. As on z/OS, only the first VIPADISTRIBUTE of a DVIPA can switch it on, or the first after all
    /// distribution for the DVIPA was deleted.
    pub sysplexports: bool,
}

impl Dvipa {
    /// Is this LPAR a target of any of its ports?
    pub fn has_target(&self, lpar: LparIndex) -> bool {
        self.distribute.iter().any(|statement| statement.target(lpar).is_some())
    }

    /// May this LPAR come to own it?
    pub fn may_be_owned_by(&self, lpar: LparIndex) -> bool {
        self.owner == lpar || self.backups.iter().any(|backup| backup.lpar == lpar)
    }
}

/// MOVEABLE: when a DVIPA goes back to an owner that comes (back) into the sysplex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moveable {
    /// At once; connections that exist stay where they are.
    #[default]
    Immediate,
    /// When the present owner has no connection to it any more.
    WhenIdle,
}

/// VIPABACKUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The LPAR.
    pub lpar: LparIndex,
    /// The higher takes over first.
    pub rank: u8,
    /// The form with MOVEABLE, which also activates a DVIPA that is active nowhere.
    pub activates: Option<Moveable>,
}

/// What a client sees when a distributed port has no ready target. The IBM pages read do not say; a reset is what is
/// expected, and the choice is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoTarget {
    /// Connection refused.
    #[default]
    Reset,
    /// Nothing: the connect times out.
    Drop,
}

/// One VIPADISTRIBUTE statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribute {
    /// PORT.
    pub ports: Ports,
    /// DISTMETHOD.
    pub method: Method,
    /// DESTIP, `ALL` written out.
    pub targets: Vec<Target>,
    /// SYSPLEXPORTS, as written.
    pub sysplexports: bool,
    /// TIMEDAFFINITY; zero means none.
    pub timed_affinity: Duration,
    /// OPTLOCAL; nothing means NOOPTLOCAL.
    pub optlocal: Option<u8>,
}

impl Distribute {
    /// Is this port in the PORT list?
    pub fn lists(&self, port: u16) -> bool {
        matches!(&self.ports, Ports::Listed(ports) if ports.contains(&port))
    }

    /// This LPAR as a target.
    pub fn target(&self, lpar: LparIndex) -> Option<&Target> {
        self.targets.iter().find(|target| target.lpar == lpar)
    }
}

/// PORT of a VIPADISTRIBUTE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ports {
    /// Ports, ranges written out.
    Listed(Vec<u16>),
    /// No PORT: the ports that servers bind at the DVIPA itself.
    Dynamic,
}

/// One target of a VIPADISTRIBUTE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The LPAR.
    pub lpar: LparIndex,
    /// WEIGHT, for WEIGHTEDACTIVE.
    pub weight: u8,
    /// PREFERRED, for HOTSTANDBY.
    pub preferred: bool,
}

/// DISTMETHOD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// Rotate over the targets with a listener.
    RoundRobin,
    /// By the weights that WLM gives to systems.
    BaseWlm,
    /// By the weights that WLM gives to servers.
    ServerWlm,
    /// Active connections in proportion to configured weights.
    WeightedActive,
    /// One preferred target, the others for when it is not available.
    HotStandby {
        /// AUTOSWITCHBACK: back to the preferred target as soon as it is available again.
        autoswitchback: bool,
    },
}

impl Method {
    /// The name as VIPADISTRIBUTE has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "ROUNDROBIN",
            Self::BaseWlm => "BASEWLM",
            Self::ServerWlm => "SERVERWLM",
            Self::WeightedActive => "WEIGHTEDACTIVE",
            Self::HotStandby { .. } => "HOTSTANDBY",
        }
    }
}
