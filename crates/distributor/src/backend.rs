//! The seam between the plan and the kernel.

use std::net::SocketAddrV4;
use std::time::Duration;

use sysplex::LparIndex;

use crate::OwnerPlan;

/// A way to put plans into the kernel of an owning LPAR. It renders text and starts nothing.
pub trait Backend {
    /// Its name, as on the command line.
    fn name(&self) -> &'static str;

    /// What makes the kernel follow `next`. `previous` is what the kernel follows now: what is the same in both is left
    /// alone, its state too (where a round robin stands). Without it, everything of this backend is set anew, whatever was
    /// there. Connections in the VCRT stay in both cases, and the change is atomic.
    fn render(&self, previous: Option<&OwnerPlan>, next: &OwnerPlan) -> Script;

    /// What prints the VCRT, for [`Backend::parse_vcrt`].
    fn read_vcrt(&self) -> Script;

    /// Reads what [`Backend::read_vcrt`] printed.
    ///
    /// # Errors
    /// When it is not what the tool prints.
    fn parse_vcrt(&self, output: &str) -> Result<Vec<VcrtEntry>, VcrtError>;
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

/// One connection in the connection routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VcrtEntry {
    /// The client's end.
    pub client: SocketAddrV4,
    /// The DVIPA's end.
    pub dvipa: SocketAddrV4,
    /// Which LPAR has the connection.
    pub target: LparIndex,
    /// When the entry goes, if nothing is heard from the client until then.
    pub expires: Duration,
}

/// The output is not a VCRT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a connection routing table as {tool} prints it: {what}")]
pub struct VcrtError {
    /// Which tool's output was expected.
    pub tool: &'static str,
    /// What was found and what was expected.
    pub what: String,
}
