//! Command line of swarms.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use evidence::{Emitter, What};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use swarm_stub::{jobs, orders, users};

/// Many users of a workstation, or many jobs of an LPAR, in one process.
///
/// Orders come on standard input, one per line; what happens goes out as events. It ends with its input, or when it is drained: it
/// then waits for what runs. Exit status: 0 it has ended, 1 it could not begin, 2 the command is wrong.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    swarm: Swarm,
}

#[derive(Debug, Subcommand)]
enum Swarm {
    /// Users who log on at an RSE daemon, and whose engines follow every notice. Orders: `logon USER`, `logoff USER`, `drain`
    Users {
        /// The RSE daemon's address and port
        #[arg(long, value_name = "ADDRESS:PORT")]
        connect: SocketAddr,
        /// The longest time that a person stays in a session
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
        stays: Duration,
        /// How long a logon, a connection or a conversation may take
        #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = humantime::parse_duration)]
        patience: Duration,
        /// How long sessions may take to end when it is drained
        #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = humantime::parse_duration)]
        drain: Duration,
    },
    /// Jobs under the debugger. Orders: `job JOB USER`, `drain`
    Jobs {
        /// Where the system keeps its name/token pairs
        #[arg(long, value_name = "DIR", default_value = "/run/zos")]
        run_dir: PathBuf,
        /// How long a job waits for its workstation, and how long it debugs
        #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
        patience: Duration,
        /// How long jobs may take to end when it is drained
        #[arg(long, value_name = "DURATION", default_value = "65s", value_parser = humantime::parse_duration)]
        drain: Duration,
    },
}

const EXAMPLES: &str = "\
Examples:
  printf 'logon U1\\nlogon U2\\n' | swarm-stub users --connect 10.10.10.1:4035
      two users, who leave when the input ends
  printf 'job J1 U1\\ndrain\\n' | swarm-stub jobs --run-dir /run/zos
      a job that wants the workstation of U1";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            tracing::error!("no runtime: {e}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match cli.swarm {
            Swarm::Users { connect: rse, stays, patience, drain } => {
                let emitter = Emitter::from_env("USERS");
                emitter.emit(What::Ready {});
                users::run(users::Config { rse, patience, stays, drain }, emitter, orders::from_stdin()).await;
            }
            Swarm::Jobs { run_dir, patience, drain } => {
                let emitter = Emitter::from_env("JOBS");
                emitter.emit(What::Ready {});
                jobs::run(jobs::Config { run_dir, patience, drain }, emitter, orders::from_stdin()).await;
            }
        }
    });
    runtime.shutdown_background();
    ExitCode::SUCCESS
}

/// Every session is a few file descriptors: takes as many as the system gives.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(e) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!("the limit of file descriptors stays as it is: {e}");
    }
}
