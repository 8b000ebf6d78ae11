//! Command line of the client stub.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use client_stub::client::{self, Config};
use client_stub::hold::Hold;
use client_stub::tls::Tls;
use dbm_protocol::UserId;
use evidence::{Emitter, What};
use tokio::signal::unix::{SignalKind, signal};

/// A workstation: an Eclipse client with its remote debug engine.
///
/// Logs on to the RSE daemon, waits for debug sessions of its user, dials each of them at the same address, and debugs the
/// job: stops at the breakpoint, reads the variables, runs it to its end. Exit status: 0 all sessions were debugged to their
/// end, 1 one was not or the logon failed, 2 the command is wrong. SIGTERM ends it at once.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// The user who logs on
    #[arg(long)]
    user: UserId,
    /// Address and port of the RSE daemon
    #[arg(long, value_name = "ADDRESS:PORT")]
    connect: SocketAddr,
    /// Dial the RSE daemon with TLS first, and without it when the daemon turns that away: two connections for one logon
    #[arg(long)]
    encrypted_first: bool,
    /// Debug with TLS, which ends in Debug Manager: PEM file with the authorities that its certificate may be from. Without this,
    /// debug sessions have no TLS (the logon never has)
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Name that Debug Manager's certificate must have [default: the address that is dialled]
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    tls_name: Option<String>,
    /// Log off after this many debug sessions
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sessions: u32,
    /// Stop at this line; the built-in payroll program has lines 10 to 20, and its total is there on 18
    #[arg(long, value_name = "LINE", default_value_t = 18)]
    breakpoint: u32,
    /// At the first stop of each session, wait for a line `continue` on standard input (its end lets all sessions go)
    #[arg(long)]
    hold: bool,
    /// Present the token of the first session for all later ones too, as a client or a proxy does that repeats itself
    #[arg(long)]
    keep_token: bool,
    /// Between the two connections of the logon, wait for a line `continue` on standard input, as a slow client would
    #[arg(long)]
    pause_logon: bool,
    /// How long each awaited answer may take (a debug session may take as long as it likes to be announced)
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

const EXAMPLES: &str = "\
Examples:
  client-stub --user IBMUSER --connect 10.10.10.1:4035
      log on, debug the next job that waits for IBMUSER, log off
  client-stub --user IBMUSER --connect 10.10.10.1:4035 --sessions 2 --breakpoint 14 --hold
      debug two jobs, stop in the loop, go on when told
  client-stub --user IBMUSER --connect 10.10.10.1:4035 --tls-ca /etc/dbgmgr/ca.pem
      debug with TLS; Debug Manager's certificate must be for 10.10.10.1";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let emitter = Emitter::from_env(cli.user.as_str());
    let tls = match cli.tls_ca.as_deref().map(|ca| Tls::new(ca, cli.tls_name.as_deref())).transpose() {
        Ok(tls) => tls,
        Err(reason) => {
            eprintln!("client-stub: {reason}");
            emitter.emit(What::Fatal { reason });
            return ExitCode::from(2);
        }
    };
    match start(cli, tls, &emitter) {
        Ok(failed) => {
            emitter.emit(What::Stopped {});
            if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(reason) => {
            tracing::error!("{reason}");
            emitter.emit(What::Fatal { reason });
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli, tls: Option<Tls>, emitter: &Emitter) -> Result<u32, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
    let lines = if cli.hold || cli.pause_logon { Hold::from_stdin() } else { Hold::none() };
    let only_if = |wanted: bool| if wanted { lines.clone() } else { Hold::none() };
    let config = Config {
        user: cli.user,
        rsed: cli.connect,
        encrypted_first: cli.encrypted_first,
        tls,
        sessions: cli.sessions,
        breakpoint: cli.breakpoint,
        hold: only_if(cli.hold),
        pause_logon: only_if(cli.pause_logon),
        keep_token: cli.keep_token,
        limit: cli.timeout,
    };
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("cannot listen for SIGTERM: {e}"))?;
        tokio::select! {
            ended = client::run(config, emitter.clone()) => ended,
            _ = terminate.recv() => Ok(0),
        }
    })
}
