//! Sysplex Distributor.
//!
//! On z/OS one stack owns a distributed DVIPA. It picks a target for each new connection among the stacks where something
//! listens on the port, remembers the choice in its connection routing table (VCRT), and forwards the untouched packets
//! over XCF; the target holds the same address, hidden, and answers the client directly. Here the same, in three steps:
//!
//! - [`plan`] says what an owner does: for each port the ready targets, for each LPAR its SYSPLEXPORTS range. A pure function.
//! - [`routes_for`] says what every LPAR needs to send a marked packet to its target.
//! - A [`Backend`] renders a plan as a [`Script`] for its field's standard tool, and reads the VCRT back. It starts nothing:
//!   whoever holds the LPAR's namespace runs the script there. [`Nftables`] is the first.
//!
//! A target is known to the kernel by its [`mark`], the number of the LPAR.

mod backend;
mod nftables;
mod plan;
mod routes;

pub use backend::{Backend, Script, VcrtEntry, VcrtError};
pub use nftables::Nftables;
pub use plan::{DvipaPlan, OwnerPlan, PortPlan, PortRange, State, mark, plan};
pub use routes::{MarkRoute, routes_for};
