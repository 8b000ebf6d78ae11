//! Programs of the machine that are run in a host to their end.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::ExitStatus;

use evidence::EVENTS_ENV;
use netns::{Host, HostError, Task};
use tokio::io::AsyncReadExt;

use super::tasks::{Exits, PATH, in_words, lines};

/// What came of a program that was run to its end.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub output: String,
    /// What it complained of.
    pub errors: String,
}

/// Runs a tool of the machine in a host to its end and returns what it printed.
///
/// # Errors
/// When it cannot be started, or ends with another status than 0: then with its own words.
pub async fn run_tool(host: &Host, exits: &Exits, argv: Vec<String>, input: &str) -> Result<String, HostError> {
    let name = argv.first().cloned().unwrap_or_default();
    let Ran { status, output, errors } = run(host, exits, argv, input).await?;
    if status.success() {
        return Ok(output);
    }
    let reason = format!("{name}: {}: {}", in_words(status), errors.trim());
    Err(HostError::Refused { host: host.name.clone(), reason })
}

/// Runs a program in a host to its end, however that is.
///
/// # Errors
/// When it cannot be started, or the host goes down.
pub async fn run(host: &Host, exits: &Exits, argv: Vec<String>, input: &str) -> Result<Ran, HostError> {
    let (stdin, mut stdin_write) = io::pipe()?;
    let (output_read, output) = io::pipe()?;
    let (errors_read, errors) = io::pipe()?;
    let null: OwnedFd = File::options().write(true).open("/dev/null")?.into();
    let env = vec![("PATH".into(), PATH.into())];
    let task = Task {
        argv,
        env,
        stdin: stdin.into(),
        stdout: output.into(),
        stderr: errors.into(),
        events: null,
        events_env: EVENTS_ENV.into(),
    };
    let running = host.spawn(task).await?;
    let exit = exits.of(running.pid);
    let input = input.to_owned();
    // On a thread of its own: a ruleset may be longer than the pipe.
    let write = tokio::task::spawn_blocking(move || stdin_write.write_all(input.as_bytes()));
    let (mut output, mut errors) = (lines(output_read)?, lines(errors_read)?);
    let (mut said, mut complaint) = (String::new(), String::new());
    let (a, b, _) = tokio::join!(output.read_to_string(&mut said), errors.read_to_string(&mut complaint), write);
    a.and(b)?;
    let status = exit.await.map_err(|_| HostError::Down { host: host.name.clone() })?;
    Ok(Ran { status, output: said, errors: complaint })
}
