//! The clients of the benchmark: threads in the workstation's network.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use netns::{NetNs, inside};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};

use super::serve::{PIECE, SEND, TAKE};

/// How long each answer may take: the connection, the greeting, the next bytes.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the server. Only acknowledgements pass the distributor.
    ToClient,
    /// To the server, and so over the distributor.
    ToServer,
}

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

/// Sends or receives bytes for this long over one connection; returns how many in a second.
pub(super) fn bulk(station: &NetNs, to: SocketAddr, way: Way, time: Duration) -> Result<f64, String> {
    let moved = inside(station, || {
        let mut stream = dial(to)?;
        match way {
            Way::ToClient => receive(&mut stream, time),
            Way::ToServer => send(&mut stream, time),
        }
    });
    moved.map_err(|e| format!("bytes {way:?}, {to}: {e}"))
}

fn receive(stream: &mut TcpStream, time: Duration) -> io::Result<f64> {
    let (mut buffer, mut bytes) = (vec![0; PIECE], 0);
    stream.write_all(&[SEND])?;
    let begin = Instant::now();
    while begin.elapsed() < time {
        bytes += match stream.read(&mut buffer)? {
            0 => return Err(io::Error::other("the server has closed, expected bytes")),
            read => read,
        };
    }
    Ok(bytes as f64 / begin.elapsed().as_secs_f64())
}

/// Counts the time until the server has said that it has them all.
fn send(stream: &mut TcpStream, time: Duration) -> io::Result<f64> {
    let (buffer, mut sent) = (vec![0; PIECE], 0u64);
    stream.write_all(&[TAKE])?;
    let begin = Instant::now();
    while begin.elapsed() < time {
        stream.write_all(&buffer)?;
        sent += PIECE as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut taken = [0; 8];
    stream.read_exact(&mut taken)?;
    match u64::from_be_bytes(taken) {
        taken if taken == sent => Ok(sent as f64 / begin.elapsed().as_secs_f64()),
        taken => Err(io::Error::other(format!("the server took {taken} bytes, expected {sent}"))),
    }
}

/// A connection whose waits all have an end; the kernel's own, for a connection, is two minutes away.
fn dial(to: SocketAddr) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    for direction in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(&socket, direction, Some(ANSWER_WITHIN))?;
    }
    connect(&socket, &to)?;
    Ok(socket.into())
}
