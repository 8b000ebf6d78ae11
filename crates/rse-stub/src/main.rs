//! Command line of the RSE stub.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use evidence::{Emitter, What};
use rse_stub::daemon::{self, Config};
use rse_stub::ports::PortRange;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// RSE daemon with its RSE servers and Debug Miners (started task RSED).
///
/// A client logs on at the port, gets the number of a second port, and dials that at the same address. The user's Debug Miner
/// then registers the user with the Debug Manager of this system and passes its notices on to the client. Exit status: 0 it
/// was asked to end (SIGTERM), 1 it could not go on, 2 the command is wrong.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// The RSE daemon's port
    #[arg(long, default_value_t = 4035)]
    port: u16,
    /// Second ports, as in _RSE_PORTRANGE: MAX is excluded [default: any port the system gives]
    #[arg(long, value_name = "MIN-MAX")]
    port_range: Option<PortRange>,
    /// Where the system keeps its name/token pairs
    #[arg(long, value_name = "DIR", default_value = "/run/zos")]
    run_dir: PathBuf,
    /// How long an RSE server waits for its client's second connection
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    second_port_wait: Duration,
}

const EXAMPLES: &str = "\
Examples:
  rse-stub
      port 4035, second ports as the system gives them
  rse-stub --port-range 8108-8118
      second ports 8108 to 8117";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let emitter = Emitter::from_env("RSED");
    match start(cli, &emitter) {
        Ok(()) => {
            emitter.emit(What::Stopped {});
            tracing::info!("RSE daemon ends as asked");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            tracing::error!("{reason}");
            emitter.emit(What::Fatal { reason });
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli, emitter: &Emitter) -> Result<(), String> {
    raise_descriptor_limit();
    let system = emitter.system().parse().map_err(|e| format!("the host name: {e}"))?;
    let Cli { port, port_range, run_dir, second_port_wait } = cli;
    let config = Config { port, port_range, run_dir, second_port_wait, system };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
    LocalSet::new().block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("cannot listen for SIGTERM: {e}"))?;
        tokio::select! {
            ended = daemon::run(config, emitter.clone()) => ended.map_err(|e| format!("port {port}: {e}")),
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// Every connection is a file descriptor: takes as many as the system gives.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(e) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!("the limit of file descriptors stays as it is: {e}");
    }
}
