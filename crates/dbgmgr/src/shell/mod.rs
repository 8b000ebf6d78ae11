//! The shell around the core: sockets, time and signals. It decides nothing.
//!
//! One thread. Every connection has its tasks (`duplex` for those that talk both ways for long, `handover` for engines and
//! debuggers on the handoff socket, `relay` for sessions whose TLS ends here, `control` for the operator); all they read goes through one bounded channel to the core, in one place (`run`).

mod accept;
mod address;
mod chance;
mod control;
mod duplex;
mod handover;
mod hub;
mod metrics;
mod read;
mod relay;
mod run;
mod service;
mod start;
mod tls;
mod trouble;
mod trust;

use evidence::Emitter;

use crate::config::Config;
use crate::core::Level;

pub use control::{CONTROL_SOCKET, LONGEST_COMMAND};

/// Why Debug Manager cannot go on; one sentence for a person.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// Sets how much goes to the message log.
pub type SetLevel = Box<dyn Fn(Level)>;

/// Runs Debug Manager until it is stopped by SIGTERM, SIGINT or the operator.
///
/// # Errors
/// When a port, the name/token pair or one of the Unix sockets cannot be had.
pub fn run(config: &Config, emitter: Emitter, set_level: SetLevel) -> Result<(), Fatal> {
    start::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Fatal(format!("no runtime: {e}")))?;
    runtime.block_on(run::run(config, emitter, set_level))
}
