//! Sysplex Distributor.
//!
//! On z/OS one stack owns a distributed DVIPA. It picks a target for each new connection among the stacks where something
//! listens on the port, remembers the choice in its connection routing table (VCRT), and forwards the untouched packets
//! over XCF; the target holds the same address, hidden, and answers the client directly. Here the same, in four steps:
//!
//! - [`Group`] knows who is in the sysplex group and who owns which DVIPA: takeover, giveback, the operator's commands. A state
//!   machine.
//! - [`plan()`] says what an owner does: for each port the ready targets and their shares, for each LPAR its SYSPLEXPORTS range. A
//!   pure function.
//! - [`routes_for`] says what every LPAR needs to send a marked packet to its target.
//! - A [`Backend`] renders a plan as [`Script`]s for its field's standard tool, and reads the kernel's tables back. It starts
//!   nothing: whoever holds the LPAR's namespace runs the script there.
//!
//! A target is known to the kernel by its [`mark`], the number of the LPAR.

mod active;
mod backend;
pub mod group;
mod iptables;
mod ipvs;
mod nftables;
pub mod optlocal;
mod plan;
mod routes;
mod share;
mod text;
mod tsr;
pub mod vary;

pub use backend::{Affinity, Backend, Connection, ReadError, Script, Tables, VcrtEntry, VdptEntry};
pub use group::{Group, Place, Places, Seen};
pub use iptables::Iptables;
pub use ipvs::Ipvs;
pub use nftables::Nftables;
pub use plan::{DvipaPlan, OwnerPlan, PortPlan, PortRange, Quiesced, State, mark, plan};
pub use routes::{MarkRoute, Segment, routes_for, routes6_for};
pub use share::Share;
pub use tsr::{Queues, Tsr};
pub use vary::Vary;
