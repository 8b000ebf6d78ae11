//! The program `dbgmgr`: reads what it was given, and runs; or, with `ctl` as its first word, asks one that runs.

use std::process::ExitCode;

use clap::Parser;
use dbgmgr::config::{self, Args};
use dbgmgr::core::Level;
use dbgmgr::ctl::{self, CtlArgs};
use dbgmgr::shell::{self, SetLevel};
use evidence::{Emitter, What};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "ctl") {
        return ctl::run(&CtlArgs::parse_from(&words[1..]));
    }
    let args = Args::parse_from(words);
    let emitter = Emitter::from_env("DBGMGR");
    let config = match config::load(&args, |key| std::env::var(key).ok()) {
        Ok(config) => config,
        Err(problems) => {
            for problem in &problems.0 {
                eprintln!("{} {problem}", config::WRONG);
            }
            emitter.emit(What::Fatal { reason: problems.to_string() });
            return ExitCode::from(2);
        }
    };
    if args.check {
        println!("{config}");
        return ExitCode::SUCCESS;
    }
    let set_level = log(if config.debug { Level::Debug } else { Level::Error });
    match shell::run(&config, emitter.clone(), set_level) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            eprintln!("{} {fatal}", config::CANNOT_GO_ON);
            emitter.emit(What::Fatal { reason: fatal.to_string() });
            ExitCode::FAILURE
        }
    }
}

/// The message log, which is stderr; how much goes there can be changed at any time.
fn log(level: Level) -> SetLevel {
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false);
    let builder = builder.with_env_filter(filter(level)).with_filter_reloading();
    let handle = builder.reload_handle();
    builder.init();
    Box::new(move |level| {
        if let Err(e) = handle.reload(filter(level)) {
            tracing::warn!("the log level stays as it is: {e}");
        }
    })
}

fn filter(level: Level) -> EnvFilter {
    EnvFilter::new(match level {
        Level::Error => "warn",
        Level::Informational => "info",
        Level::Debug => "debug",
        Level::Verbose => "trace",
    })
}
