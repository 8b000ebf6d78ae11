//! The started task RSED: RSE daemon, RSE servers and their Debug Miners, as far as a logon and a debug notification need them.
//!
//! - [`daemon`]: port 4035; each logon gets a server.
//! - [`server`]: one user's RSE server: the second port and the session on it.
//! - [`miner`]: the Debug Miner of one user.
//! - [`ports`]: which second port.
//!
//! On z/OS an RSE server is a thread in a thread pool process (RSEDx); here it is a task in one process. TLS and passwords are
//! left out: a client that tries TLS first is closed, and dials once more without it.

pub mod daemon;
pub mod miner;
pub mod ports;
pub mod server;
mod tls;
mod unheard;
mod wire;
