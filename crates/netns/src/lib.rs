//! Namespaces, links, addresses, routes, and the processes inside them.
//!
//! A lab lives in a [`realm`]: a PID namespace whose first process, the [`keeper`](realm), dies with the program that made it
//! and takes everything else with it. So there is no cleanup code: a `kill -9` of any process of the lab leaves nothing behind,
//! because nothing is ever named in the machine's own network, `/run/netns`, `/etc` or cgroups.
//!
//! ```text
//! lab (your shell's child)
//! └─ keeper       PID 1 of the realm: forks hosts, reaps; holds the fabric's network namespace
//!    ├─ director  the closure given to `realm::run`: it orders hosts, links and tasks
//!    └─ init      PID 1 of one host (an LPAR or a workstation), with its own network, mount, UTS, IPC and PID namespaces
//!       └─ tasks
//! ```
//!
//! The same code runs as root and rootless; rootless, the realm gets a user namespace in which the user is root.
//!
//! This is the only crate of the house with `unsafe` code, and all of it stands in `sys`.

mod background;
mod batch;
mod config;
mod destroy;
mod forget;
mod host;
mod init;
mod inside;
mod keeper;
mod read;
pub mod realm;
mod sock;
#[allow(unsafe_code)]
// fork, clone3, descriptors by their number and signal actions have no safe form; each use says why it is sound
mod sys;
mod wire;

pub use background::{Side, go_to_background};
pub use batch::{Batch, NetlinkError, Veth};
pub use config::{LinkConf, NetConfig, Route, Rule};
pub use destroy::reset_connections;
pub use forget::forget_routing;
pub use host::{Exit, Host, HostError, Making, Network, Running, Task};
pub use inside::{NetNs, inside};
pub use keeper::HostSpec;
pub use read::{Address, Gateway, Neighbour, Reach, addresses, carriers, gateways, neighbours};
pub use wire::Wirer;

/// Where every host sees the directory of the lab's own programs.
pub const BIN_DIR: &str = "/run/lab/bin";
