//! `lab capture`: what an interface of a host carries, live, as pcapng. The lab's own program records in the host, and its
//! standard output is the caller's.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::client::on_runtime;
use super::commands::with_descriptors;
use super::protocol::Request;
use crate::exit;
use crate::plex::tasks::program;

/// Exit statuses of a command that was ended by SIGINT, SIGTERM or SIGHUP: that is how a capture ends.
const ENDED: [u8; 3] = [128 + 2, 128 + 15, 128 + 1];

/// What is to be captured.
#[derive(Debug, clap::Args)]
pub(crate) struct What {
    /// The interface: `lan0`, or `xcf0` of an LPAR
    #[arg(long, short, default_value = "lan0")]
    interface: String,
    /// End after so many packets
    #[arg(long, short, value_name = "PACKETS")]
    count: Option<u64>,
}

/// In a host, by [`main`].
#[derive(Debug, clap::Args)]
pub(crate) struct Here {
    #[command(flatten)]
    what: What,
}

/// Records here, on standard output; the exit status.
pub(crate) fn here(arguments: &Here) -> u8 {
    let What { interface, count } = &arguments.what;
    match evidence::record(interface, io::BufWriter::new(io::stdout()), *count) {
        Ok(0) => exit::PASSED,
        Ok(dropped) => {
            crate::note!("{dropped} packets were not handed over by the kernel in time");
            exit::PASSED
        }
        Err(e) => {
            crate::note!("error: {interface} cannot be captured: {e}");
            exit::FAILED
        }
    }
}

/// `lab capture`.
pub(super) fn main(name: Option<String>, system: String, what: What, output: Option<PathBuf>) -> u8 {
    let file = match output.as_ref().map(File::create).transpose() {
        Ok(file) => file,
        Err(e) => {
            crate::note!("error: cannot write {}: {e}", output.unwrap_or_default().display());
            return exit::BAD_INPUT;
        }
    };
    if file.is_none() && io::stdout().is_terminal() {
        crate::note!("error: packets are nothing for a terminal: expected -o FILE, or a pipe such as `| tshark -r -`");
        return exit::BAD_INPUT;
    }
    let What { interface, count } = what;
    let mut command = vec![program("lab"), "capture-here".into(), "--interface".into(), interface];
    command.extend(count.map(|count| format!("--count={count}")));
    let request = Request::Exec { system, command, term: None };
    let stdout = io::stdout();
    let to = file.as_ref().map_or(stdout.as_fd(), AsFd::as_fd);
    on_runtime(async move {
        let status = with_descriptors(name, request, to).await;
        status.map(|status| if ENDED.contains(&status) { exit::PASSED } else { status })
    })
}
