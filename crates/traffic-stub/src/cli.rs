//! The command line: what may be said, and what it means.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use traffic_stub::caller::{self, MAX_CALLS, PortRange, Then};
use traffic_stub::server::{self, PortCheck};

/// Ordinary traffic: servers that say on which system they run, and callers that check it.
///
/// Exit status: 0 it has ended as asked (whether calls failed is for the events to say), 1 it could not go on, 2 the command is
/// wrong. SIGTERM ends it at once.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) job: Job,
}

const EXAMPLES: &str = "\
Examples:
  traffic-stub serve --port 4035 5335
      listen on two ports of every address, and greet with the system's name
  traffic-stub call --name A --to 10.10.10.1:4035 --count 100
      100 calls one after the other: which systems answer?
  traffic-stub call --name A --to 10.10.10.1:4035 --count 1000 --parallel 32 --hold
      1000 connections that stay until `finish` comes on standard input, and are checked then
  traffic-stub call --name A --to 10.10.10.1:4035 --count 8 --parallel 8 --get 1000000 --rate 100000
      8 transfers of 10 seconds, each byte checked as it arrives";

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Listens, greets every caller with `220 <SYSNAME> <port>`, and sends bytes to whoever asks for them
    ///
    /// Standard input takes the orders `stop accepting` (the accept queues fill up), `go on`, `close` (nothing listens;
    /// connections stay) and `listen`, one per line; its end means nothing.
    #[command(after_help = EXAMPLES)]
    Serve(Serve),
    /// Places calls, and says with events which were answered, where, and which broke
    ///
    /// Outside a lab it only calls the loopback.
    #[command(after_help = EXAMPLES)]
    Call(Call),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Ports; 0 is any one that is free, the event `listening` says which
    #[arg(long = "port", value_name = "PORT", required = true, num_args = 1..)]
    ports: Vec<u16>,
    /// Listen on this address only [default: every address, of IPv6 too where there is IPv6]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// Longest accept queue of each port; Linux takes net.core.somaxconn if that is less
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    backlog: u32,
    /// Look whether the ports are in use before listening, and end if so: by the port alone, whatever address it is in use at, or
    /// by address and port
    #[arg(long, value_name = "port|socket", value_enum)]
    port_check: Option<PortCheck>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("stay").args(["keep", "hold"]))]
pub(crate) struct Call {
    /// Name of the series, 1 to 64 characters
    #[arg(long, value_parser = name)]
    name: String,
    /// Where to; several are called in turn
    #[arg(long, value_name = "ADDRESS:PORT", required = true, num_args = 1.., value_parser = destination)]
    to: Vec<SocketAddr>,
    /// How many calls
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CALLS)))]
    count: u32,
    /// How many may be dialled and not yet greeted at a time; 1 is one after the other
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CALLS)))]
    parallel: u32,
    /// How long each awaited answer may take (in a transfer, the next byte may take 30s)
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = limit)]
    timeout: Duration,
    /// Call from this address
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// Call from these ports, in turn, the first call from the first
    #[arg(long, value_name = "FIRST-LAST")]
    source_ports: Option<PortRange>,
    /// Each call receives so many bytes after its greeting; the process ends when all have
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    get: Option<u64>,
    /// How many bytes a second each call receives; 0 is as fast as it goes
    #[arg(long, value_name = "BYTES_PER_S", default_value_t = 0, requires = "get")]
    rate: u64,
    /// Each call sends so many bytes after its greeting; the process ends when all have been taken
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["get", "keep", "hold"])]
    put: Option<u64>,
    /// Keep each call open for so long after its greeting
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "get")]
    keep: Option<Duration>,
    /// Keep all calls open until `finish` comes on standard input, then check each one (its end just ends them); with --get,
    /// until each has received its bytes
    #[arg(long)]
    hold: bool,
}

impl Serve {
    /// What the server is told.
    pub(crate) fn config(self) -> Result<server::Config, String> {
        let Self { ports, bind, backlog, port_check } = self;
        let twice = |(number, port): &(usize, &u16)| **port != 0 && ports[..*number].contains(*port);
        if let Some((_, port)) = ports.iter().enumerate().find(twice) {
            return Err(format!("--port {port} is there twice, expected each port once"));
        }
        Ok(server::Config { ports, bind, backlog, port_check })
    }
}

impl Call {
    /// What the caller is told.
    pub(crate) fn config(self) -> Result<caller::Config, String> {
        let then = self.then();
        let Self { name, to, count, parallel, timeout: limit, from, source_ports, .. } = self;
        if let Some(from) = from
            && let Some(other) = to.iter().find(|to| to.is_ipv4() != from.is_ipv4())
        {
            return Err(format!("--from {from} and --to {other}: expected both to be IPv4, or both IPv6"));
        }
        Ok(caller::Config { name, to, count, parallel, limit, from, source_ports, then })
    }

    fn then(&self) -> Then {
        if let Some(bytes) = self.put {
            return Then::Put { bytes };
        }
        match (self.get, self.keep) {
            (Some(bytes), _) => Then::Get { bytes, rate: self.rate, hold: self.hold },
            (None, Some(time)) => Then::Keep(time),
            (None, None) if self.hold => Then::Hold,
            (None, None) => Then::Leave,
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if !(1..=64).contains(&length) || text.chars().any(char::is_control) {
        return Err(format!("found {length} characters, expected 1 to 64, and no control characters"));
    }
    Ok(text.to_owned())
}

fn destination(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address),
        _ => {
            Err("expected ADDRESS:PORT, as in 10.10.10.1:4035 or [fd00::1]:4035, with a port from 1 to 65535"
                .to_owned())
        }
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(limit) if !limit.is_zero() => Ok(limit),
        Ok(_) => Err("expected more than 0".to_owned()),
        Err(e) => Err(format!("{e}; expected a duration as in 2s or 150ms")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    const CALL: &str = "traffic-stub call --name A --to 127.0.0.1:1 --count 1";

    fn parsed(line: &str) -> Result<Job, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(|cli| cli.job)
    }

    fn call(more: &str) -> Result<caller::Config, String> {
        match parsed(format!("{CALL} {more}").trim_end()) {
            Ok(Job::Call(call)) => call.config(),
            Ok(Job::Serve(_)) => Err("serve".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_greeting() {
        let second = Duration::from_secs(1);
        for (more, then) in [
            ("", Then::Leave),
            ("--keep 1s", Then::Keep(second)),
            ("--put 7", Then::Put { bytes: 7 }),
            ("--hold", Then::Hold),
            ("--get 7", Then::Get { bytes: 7, rate: 0, hold: false }),
            ("--get 7 --rate 9 --hold", Then::Get { bytes: 7, rate: 9, hold: true }),
        ] {
            assert_eq!(call(more).expect("right").then, then, "{more}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("--name {}", "x".repeat(65));
        for (more, says) in [
            ("--keep 1s --hold", "cannot be used with"),
            ("--keep 1s --get 1", "cannot be used with"),
            ("--rate 1", "--get"),
            ("--parallel 0", "0 is not in 1..=60000"),
            ("--timeout 0s", "expected more than 0"),
            ("--timeout soon", "expected a duration"),
            ("--to 127.0.0.1:0", "expected ADDRESS:PORT"),
            ("--to host:1", "expected ADDRESS:PORT"),
            ("--source-ports 9-7", "expected FIRST-LAST"),
            ("--from ::1", "expected both to be IPv4"),
            (&long, "cannot be used multiple times"),
        ] {
            let reason = call(more).expect_err(more);
            assert!(reason.contains(says), "{more}: {reason}");
        }
        assert!(name(&"x".repeat(65)).is_err() && name("").is_err() && name("a\n").is_err());
        assert!(name(&"ä".repeat(64)).is_ok());
    }

    #[test]
    fn a_port_is_served_once() {
        let serve = |line| match parsed(line) {
            Ok(Job::Serve(serve)) => serve.config(),
            other => Err(format!("{other:?}")),
        };
        let config = serve("traffic-stub serve --port 1 --port 2 0 0").expect("right");
        assert_eq!((config.ports, config.backlog), (vec![1, 2, 0, 0], 1024));
        assert!(serve("traffic-stub serve --port 1 2 1").expect_err("twice").contains("--port 1"));
    }
}
