//! Bytes as many as go: the server's end and the client's, for whatever way is between them. Both ends have TCP_NODELAY, as debug
//! connections have: without it the end of each piece waits for an acknowledgement, and a way whose sockets have it by themselves
//! (those that Debug Manager hands over) would look faster than it is.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use netns::{NetNs, inside};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};

/// The client's first byte: send me bytes until I go.
const SEND: u8 = b'<';
/// The client's first byte: take bytes until I end, and say how many they were (eight bytes, the highest first).
const TAKE: u8 = b'>';
/// Bytes that are written or read at a time.
const PIECE: usize = 256 * 1024;
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

/// The server's end, on a socket that blocks: does as the client's first byte says, until the client goes.
pub(super) fn serve(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; PIECE];
    let mut wish = [0];
    stream.read_exact(&mut wish)?;
    if wish == [SEND] {
        loop {
            stream.write_all(&buffer)?; // fails when the client goes
        }
    }
    let mut taken = 0u64;
    loop {
        match stream.read(&mut buffer)? {
            0 => return stream.write_all(&taken.to_be_bytes()),
            bytes => taken += bytes as u64,
        }
    }
}

/// Sends or receives bytes for this long over one new connection; returns how many in a second.
pub(super) fn call(station: &NetNs, to: SocketAddr, way: Way, time: Duration) -> Result<f64, String> {
    let moved = inside(station, || over(&mut dial(to)?, way, time));
    moved.map_err(|e| format!("bytes {way:?}, {to}: {e}"))
}

/// The client's end, on a socket that blocks: sends or receives bytes for this long; returns how many in a second.
pub(super) fn over(stream: &mut TcpStream, way: Way, time: Duration) -> io::Result<f64> {
    stream.set_nodelay(true)?;
    match way {
        Way::ToClient => receive(stream, time),
        Way::ToServer => send(stream, time),
    }
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
pub(super) fn dial(to: SocketAddr) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    let stream = TcpStream::from(socket);
    limit(&stream)?;
    connect(&stream, &to)?;
    Ok(stream)
}

/// Gives every wait on a socket an end.
pub(super) fn limit(stream: &TcpStream) -> io::Result<()> {
    for direction in [Timeout::Send, Timeout::Recv] {
        set_socket_timeout(stream, direction, Some(ANSWER_WITHIN))?;
    }
    Ok(())
}
