//! Command line of the stranger stub.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use evidence::{Emitter, What};
use stranger_stub::pace::Dialler;
use stranger_stub::rain::{self, Rain};
use stranger_stub::{crowd, descriptors, garbage, place};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Strangers: connections that say nothing, and garbage.
///
/// At each address: random bytes, the header of a frame of 4 GiB, half a frame that never ends, and a hello of each role, of
/// which most are wrong there; besides, silent connections, spread over the addresses. Says with an event when all that was
/// done once, then holds the connections and throws on until its standard input ends or SIGTERM comes. Outside a lab it only
/// throws at the loopback. Exit status: 0 it was asked to end, 1 it could not go on, 2 the command is wrong.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// What is thrown at
    #[arg(long, value_name = "ADDRESS:PORT", required = true, num_args = 1..)]
    at: Vec<SocketAddr>,
    /// How many silent connections, over all addresses
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=60_000))]
    silent: u32,
    /// The same random bytes for the same seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

const EXAMPLES: &str = "\
Examples:
  stranger-stub --at 10.10.10.1:5334 10.10.10.1:5335 --silent 1000
      500 silent connections to each of two ports, and garbage";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let emitter = Emitter::from_env("strangers");
    match start(&cli, &emitter) {
        Ok(()) => {
            emitter.emit(What::Stopped {});
            ExitCode::SUCCESS
        }
        Err(reason) => {
            tracing::error!("{reason}");
            emitter.emit(What::Fatal { reason });
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli, emitter: &Emitter) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| format!("cannot find the path of this program: {e}"))?;
    place::is_allowed(&cli.at, &program)?;
    descriptors::take(u64::from(cli.silent) + (garbage::Kind::ALL.len() * cli.at.len()) as u64)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("cannot listen for SIGTERM: {e}"))?;
        tokio::select! {
            () = throw(cli, emitter) => {}
            _ = terminate.recv() => {}
            _ = end_of_input() => {}
        }
        Ok(())
    })
}

async fn throw(cli: &Cli, emitter: &Emitter) {
    let dialler = Dialler::new();
    crowd::gather(&cli.at, cli.silent, &dialler).await;
    let mut rains: Vec<Rain> =
        (cli.seed..).zip(&cli.at).map(|(seed, &address)| Rain::new(address, seed, dialler.clone())).collect();
    for rain in &mut rains {
        rain.begin().await;
    }
    let (connections, refused) = dialler.counts();
    tracing::info!(connections, refused, "in place");
    emitter.emit(What::StrangersInPlace { connections, refused });
    rain::go_on(rains).await;
}

/// Completes when standard input has ended.
async fn end_of_input() {
    let (ended, end) = oneshot::channel::<()>();
    // A thread, because a read from standard input cannot be given up: it must not keep the process from ending.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(ended);
    });
    let _ = end.await;
}
