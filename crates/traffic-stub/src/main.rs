//! Command line of the traffic stub.

mod cli;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use cli::{Cli, Job};
use evidence::{Emitter, What};
use stranger_stub::{descriptors, place};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use traffic_stub::caller::Then;
use traffic_stub::{caller, orders, server};

/// What is to be done, when the command line was understood.
enum Work {
    Serve(server::Config),
    Call(caller::Config),
}

fn main() -> ExitCode {
    let work = match Cli::parse().job {
        Job::Serve(serve) => serve.config().map(Work::Serve),
        Job::Call(call) => call.config().map(Work::Call),
    };
    let work = work.unwrap_or_else(|reason| Cli::command().error(ErrorKind::ValueValidation, reason).exit());
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let emitter = Emitter::from_env(match &work {
        Work::Serve(_) => "server",
        Work::Call(config) => &config.name,
    });
    match start(work, &emitter) {
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

fn start(work: Work, emitter: &Emitter) -> Result<(), String> {
    let connections = match &work {
        Work::Serve(_) => 0, // as many as there is room for
        Work::Call(config) => {
            within_bounds(&config.to)?;
            most_open(config)
        }
    };
    descriptors::take(connections)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("cannot listen for SIGTERM: {e}"))?;
        tokio::select! {
            ended = run(work, emitter) => ended,
            _ = terminate.recv() => Ok(()),
        }
    })
}

async fn run(work: Work, emitter: &Emitter) -> Result<(), String> {
    match work {
        Work::Serve(config) => match server::run(&config, emitter, orders::from_stdin(orders::WAITING)).await? {},
        Work::Call(config) => {
            // Only calls that are held wait for an order.
            let orders =
                if config.then == Then::Hold { orders::from_stdin(orders::WAITING) } else { mpsc::channel(1).1 };
            caller::run(config, emitter, orders).await;
            Ok(())
        }
    }
}

/// Calls go where strangers may go: to the loopback, and inside a lab anywhere.
fn within_bounds(to: &[SocketAddr]) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| format!("cannot find the path of this program: {e}"))?;
    match to.iter().find(|&&address| place::is_allowed(&[address], &program).is_err()) {
        Some(address) => Err(format!(
            "{address} is no loopback address, and this program runs from {}, expected the place of a lab's own programs: \
             outside a lab only the loopback is called",
            program.display()
        )),
        None => Ok(()),
    }
}

/// How many connections must be there at the same time. Calls that are kept for a time may need more.
fn most_open(config: &caller::Config) -> u64 {
    match config.then {
        Then::Hold | Then::Get { .. } | Then::Put { .. } => config.count.into(),
        Then::Leave | Then::Keep(_) => config.parallel.min(config.count).into(),
    }
}
