//! The shell around the core: sockets, time and signals. It decides nothing.
//!
//! One thread. Every connection has its tasks (`duplex` for those that talk both ways for long, `handover` for engines and
//! debuggers on the handoff socket); all they read goes through one bounded channel to the core, in one place (`run`).

mod accept;
mod duplex;
mod handover;
mod read;
mod run;
mod start;

use evidence::Emitter;

use crate::config::Config;

/// Why Debug Manager cannot go on; one sentence for a person.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// Runs Debug Manager until it is stopped by SIGTERM or SIGINT.
///
/// # Errors
/// When a port, the name/token pair or the handoff socket cannot be had.
pub fn run(config: &Config, emitter: Emitter) -> Result<(), Fatal> {
    start::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Fatal(format!("no runtime: {e}")))?;
    runtime.block_on(run::run(config, emitter))
}
