//! The seam between the plan and the kernel.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sysplex::LparIndex;

use crate::OwnerPlan;

/// A way to put plans into the kernel of an owning LPAR. It renders text and starts nothing.
pub trait Backend {
    /// Its name, as on the command line.
    fn name(&self) -> &'static str;

    /// The programs of the machine that it needs.
    fn tools(&self) -> &'static [&'static str];

    /// What every LPAR that may come to own a DVIPA runs once, when its interface of XCF, `xcf`, is up, and before it owns any.
    fn prepare(&self, xcf: &str) -> Vec<Script> {
        let _ = xcf;
        Vec::new()
    }

    /// What makes the kernel of an LPAR forget all that this backend has ever told it: an IPL. `prepared`: it has run
    /// [`Backend::prepare`].
    fn clear(&self, prepared: bool) -> Vec<Script>;

    /// What makes the kernel follow `next`. `previous` is what the kernel follows now: what is the same in both is left
    /// alone, its state too (where a round robin stands). Without it, everything of this backend is set anew, whatever was
    /// there. Connections in the VCRT stay in both cases, and `connections` come into it: those that a new owner takes over.
    /// Each script is atomic.
    fn render(&self, previous: Option<&OwnerPlan>, next: &OwnerPlan, connections: &[Connection]) -> Vec<Script>;

    /// Can [`Backend::forget`] take out one connection and leave others of its target?
    fn forgets_one(&self) -> bool {
        true
    }

    /// Does [`VdptEntry::total`] count what this owner has sent, and nothing else?
    fn total_is_exact(&self) -> bool {
        true
    }

    /// What takes connections out of the VCRT: those of a target that is gone.
    fn forget(&self, connections: &[Connection]) -> Vec<Script>;

    /// What prints the kernel's tables, for [`Backend::parse`].
    fn read(&self) -> Vec<Script>;

    /// Reads what the scripts of [`Backend::read`] printed, in their order.
    ///
    /// # Errors
    /// When it is not what the tool prints.
    fn parse(&self, outputs: &[String]) -> Result<Tables, ReadError>;

    /// What sets how long affinities last from now on. Empty where the kernel keeps that time itself.
    fn affinity_timers(&self, timers: &[(Affinity, Duration)]) -> Vec<Script>;
}

/// One run of a tool, inside the LPAR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The tool.
    pub program: &'static str,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it reads.
    pub stdin: String,
}

impl Script {
    /// A run of `program`.
    pub fn new(program: &'static str, args: &[&str], stdin: impl Into<String>) -> Self {
        Self { program, args: args.iter().map(|&arg| arg.to_owned()).collect(), stdin: stdin.into() }
    }
}

/// A connection and the LPAR that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The client's end.
    pub client: SocketAddr,
    /// The DVIPA's end.
    pub dvipa: SocketAddr,
    /// Which LPAR has the connection.
    pub target: LparIndex,
}

/// What a distributing kernel holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The connection routing table.
    pub vcrt: Vec<VcrtEntry>,
    /// The destination port table.
    pub vdpt: Vec<VdptEntry>,
    /// TIMEDAFFINITY.
    pub affinities: Vec<Affinity>,
}

/// One connection in the connection routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcrtEntry {
    /// The client's end.
    pub client: SocketAddr,
    /// The DVIPA's end.
    pub dvipa: SocketAddr,
    /// Which LPAR has the connection.
    pub target: LparIndex,
    /// When the entry goes, if nothing is heard from the client until then.
    pub expires: Duration,
}

impl VcrtEntry {
    /// The connection.
    pub fn connection(&self) -> Connection {
        Connection { client: self.client, dvipa: self.dvipa, target: self.target }
    }
}

/// One target of a distributed port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VdptEntry {
    /// The DVIPA and its port.
    pub dvipa: SocketAddr,
    /// The target.
    pub target: LparIndex,
    /// Its turns in a round, or its weight; 0 when it takes no new connection now.
    pub weight: u32,
    /// The connections that it was ever sent.
    pub total: u64,
}

/// The affinity of a client to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// The client.
    pub client: IpAddr,
    /// The DVIPA and its port.
    pub dvipa: SocketAddr,
    /// The target.
    pub target: LparIndex,
    /// When it goes, if no connection is made until then.
    pub expires: Duration,
}

/// The output is not what a tool prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not what {tool} prints: {what}")]
pub struct ReadError {
    /// Which tool's output was expected.
    pub tool: &'static str,
    /// What was found and what was expected.
    pub what: String,
}
