//! Rules for packets at work: nft in the fabric, probes from the hosts, counters.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use netns::{NetNs, inside};
use serde_json::Value;

use super::FaultError;
use super::packets::{DISCARD, How, Probe, Rules};
use crate::plex::Hosts;
use crate::programs;

/// How long a rule may take to be seen to bite: a host may have to ask for its neighbour again, which takes a second, and an emulated
/// machine takes its time.
const BITES_WITHIN: Duration = Duration::from_secs(20);
/// A counter gives no event.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long one dialled connection may take.
const DIAL_WITHIN: Duration = Duration::from_millis(300);
/// How long two hosts may take to reach each other again.
const HEALED_WITHIN: Duration = Duration::from_secs(20);

/// Rules that are in force.
#[derive(Debug)]
pub(super) struct Filter {
    rules: Rules,
    number: u32,
}

impl Filter {
    /// Puts the rules into the fabric and waits until each of them has been seen to take a packet away.
    pub(super) async fn begin(
        rules: Rules,
        number: u32,
        hosts: &Hosts,
        up: &BTreeSet<String>,
    ) -> Result<(Self, String), FaultError> {
        nft(&["-f", "-"], rules.script(number)).await.map_err(refused)?;
        let filter = Self { rules, number };
        match filter.bites(hosts, up).await {
            Ok(shown) => Ok((filter, shown)),
            Err(why) => {
                filter.remove().await?;
                Err(why)
            }
        }
    }

    async fn bites(&self, hosts: &Hosts, up: &BTreeSet<String>) -> Result<String, FaultError> {
        let deadline = Instant::now() + BITES_WITHIN;
        let mut round = 0;
        loop {
            let counts = self.counts().await?;
            let waiting = self.rules.rules.iter().zip(&counts).filter(|(_, count)| **count == 0);
            let probes: Vec<Vec<&Probe>> = waiting
                .map(|(rule, _)| rule.probes.iter().filter(|probe| up.contains(&probe.from)).collect())
                .filter(|probes: &Vec<&Probe>| !probes.is_empty())
                .collect();
            if probes.is_empty() {
                return Ok(format!("{} packets were taken away while it was probed", counts.iter().sum::<u64>()));
            }
            if Instant::now() > deadline {
                let text = nft(&["list", "table"], String::new()).await;
                let within = humantime::format_duration(BITES_WITHIN);
                let shown = text.unwrap_or_else(|_| format!("counters {counts:?}"));
                return Err(FaultError::NotSeen(format!("a rule has taken no packet away within {within}: {shown}")));
            }
            for probes in probes {
                // Another one each time: a host may be out of reach for other reasons.
                send(hosts, probes[round % probes.len()]).await?;
            }
            round += 1;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes the rules away; how many packets they have taken away.
    pub(super) async fn end(&self) -> Result<u64, FaultError> {
        let taken = self.counts().await?.iter().sum();
        self.remove().await?;
        let left = nft(&["-j", "list", "tables"], String::new()).await?;
        if left.contains(&format!("\"fault_{}\"", self.number)) {
            return Err(FaultError::NotSeen("its table is still in the fabric".into()));
        }
        Ok(taken)
    }

    async fn remove(&self) -> Result<(), FaultError> {
        let table = self.rules.table(self.number);
        nft(&["-f", "-"], format!("delete table {table}\n")).await?;
        Ok(())
    }

    /// How many packets each rule has taken away.
    async fn counts(&self) -> Result<Vec<u64>, FaultError> {
        let table = self.rules.table(self.number);
        let mut args = vec!["-j", "list", "table"];
        args.extend(table.split(' '));
        Ok(counts(&nft(&args, String::new()).await?))
    }
}

/// What nft itself cannot read is a mistake of the lab's; what the kernel refuses it has no part for.
fn refused(error: FaultError) -> FaultError {
    let said = error.to_string();
    if said.contains("Could not process rule") { FaultError::NotHere(said) } else { error }
}

/// The counters of a table, in the order of its rules.
fn counts(json: &str) -> Vec<u64> {
    let listed: Value = serde_json::from_str(json).unwrap_or_default();
    let rules = listed["nftables"].as_array().into_iter().flatten().filter_map(|entry| entry.get("rule"));
    let count = |rule: &Value| {
        let parts = rule["expr"].as_array().into_iter().flatten();
        parts.into_iter().find_map(|part| part["counter"]["packets"].as_u64())
    };
    rules.filter_map(count).collect()
}

/// Dials until there is an answer, be it a refusal.
pub(super) async fn reaches(hosts: &Hosts, from: &str, to: SocketAddr) -> Result<(), FaultError> {
    let deadline = Instant::now() + HEALED_WITHIN;
    loop {
        let netns = hosts.get(from)?.0.netns().clone();
        match work(netns, move || Ok(dial(to))).await? {
            Dialled::Answered => return Ok(()),
            Dialled::Silence(why) if Instant::now() > deadline => {
                let within = humantime::format_duration(HEALED_WITHIN);
                return Err(FaultError::NotSeen(format!("{from} still does not reach {to} after {within}: {why}")));
            }
            Dialled::Silence(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

enum Dialled {
    Answered,
    Silence(io::Error),
}

fn dial(to: SocketAddr) -> Dialled {
    match TcpStream::connect_timeout(&to, DIAL_WITHIN) {
        Ok(_) => Dialled::Answered,
        Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset) => {
            Dialled::Answered
        }
        Err(e) => Dialled::Silence(e),
    }
}

async fn send(hosts: &Hosts, probe: &Probe) -> Result<(), FaultError> {
    let netns = hosts.get(&probe.from)?.0.netns().clone();
    let Probe { to, how, .. } = *probe;
    work(netns, move || {
        match how {
            How::Dial => drop(dial(to)),
            How::Datagrams(count, bytes) => {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                let text = vec![0; bytes];
                debug_assert_eq!(to.port(), DISCARD);
                for _ in 0..count {
                    // What is not sent shows nothing, and neither does it harm.
                    let _ = socket.send_to(&text, to);
                }
            }
        }
        Ok(())
    })
    .await
}

/// Does something in a host's network on a thread of its own, which may take a while.
pub(super) async fn work<T: Send + 'static>(
    netns: NetNs,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FaultError> {
    let done = tokio::task::spawn_blocking(move || inside(&netns, work)).await;
    Ok(done.map_err(io::Error::other)??)
}

/// Runs nft in the fabric, the director's own network.
async fn nft(args: &[&str], input: String) -> Result<String, FaultError> {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    Ok(tokio::task::spawn_blocking(move || tool("nft", &args, &input)).await.map_err(io::Error::other)??)
}

/// Runs a tool of the machine where the calling thread is.
pub(super) fn tool(name: &str, args: &[String], input: &str) -> io::Result<String> {
    let missing = || io::Error::other(format!("the program {name} is not installed"));
    let path = programs::find(name).ok_or_else(missing)?;
    let mut command = Command::new(path);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{name}: {}", said.lines().next().unwrap_or("it failed without a word"))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_in_order() {
        let json = r#"{"nftables": [{"metainfo": {}}, {"table": {}}, {"rule": {"expr": [{"match": {}},
            {"counter": {"packets": 4, "bytes": 90}}, {"drop": null}]}}, {"rule": {"expr": [{"counter": {"packets": 0}}]}}]}"#;
        assert_eq!(counts(json), [4, 0]);
        assert!(counts("").is_empty());
    }
}
