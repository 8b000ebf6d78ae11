//! The program `dbgmgr`: reads what it was given, and runs.

use std::process::ExitCode;

use clap::Parser;
use dbgmgr::config::{self, Args};
use dbgmgr::shell;
use evidence::{Emitter, What};

fn main() -> ExitCode {
    let args = Args::parse();
    let emitter = Emitter::from_env("DBGMGR");
    let config = match config::load(&args, |key| std::env::var(key).ok()) {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems.0 {
                eprintln!("dbgmgr: {problem}");
            }
            emitter.emit(What::Fatal { reason: problems.to_string() });
            return ExitCode::from(2);
        }
    };
    let level = if config.debug { "debug" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::new(level);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match shell::run(&config, emitter.clone()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            eprintln!("dbgmgr: {fatal}");
            emitter.emit(What::Fatal { reason: fatal.to_string() });
            ExitCode::FAILURE
        }
    }
}
