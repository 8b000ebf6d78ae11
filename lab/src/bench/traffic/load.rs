//! The clients of the benchmark: threads in the workstation's network.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use netns::{NetNs, inside};

use crate::bench::bulk::dial;

/// How many connections were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rate {
    /// In a second.
    pub(super) per_s: f64,
    /// The greetings that were heard.
    pub(super) greeted_by: BTreeSet<u8>,
}

/// Makes short connections for this long, `workers` at a time, each to the next of the addresses.
///
/// The server greets and closes first, then the client: all ends are orderly (FIN), and what waits afterwards (`TIME_WAIT`) is
/// the server's socket, which lets a newer SYN in. So a client's port is free at once, whatever the number of connections. A
/// reset by the client would leave nothing either, but spare the distributor the last acknowledgements: four packets of an
/// orderly connection go over the owner, and its entry moves from the VCRT to what has ended with the client's FIN.
pub(super) fn connections(station: &NetNs, to: &[SocketAddr], workers: usize, time: Duration) -> Result<Rate, String> {
    let worker = |first: usize| inside(station, || keep_calling(to.iter().cycle().skip(first), time));
    let rates: Vec<io::Result<Rate>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|first| scope.spawn(move || worker(first % to.len()))).collect();
        let panicked = |_| Err(io::Error::other("a client panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let mut all = Rate::default();
    for rate in rates {
        let rate = rate.map_err(|e| e.to_string())?;
        all.per_s += rate.per_s;
        all.greeted_by.extend(rate.greeted_by);
    }
    Ok(all)
}

fn keep_calling<'a>(to: impl Iterator<Item = &'a SocketAddr>, time: Duration) -> io::Result<Rate> {
    let (begin, mut made, mut rate) = (Instant::now(), 0, Rate::default());
    for &to in to {
        let greeting = short_call(to).map_err(|e| io::Error::other(format!("connection {made} to {to}: {e}")))?;
        rate.greeted_by.insert(greeting);
        made += 1;
        if begin.elapsed() >= time {
            break;
        }
    }
    rate.per_s = f64::from(made) / begin.elapsed().as_secs_f64();
    Ok(rate)
}

fn short_call(to: SocketAddr) -> io::Result<u8> {
    let mut stream = dial(to)?;
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting[..1])?;
    match stream.read(&mut greeting[1..])? {
        0 => Ok(greeting[0]),
        _ => Err(io::Error::other("found more than one byte, expected the end")),
    }
}
