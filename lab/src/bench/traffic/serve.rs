//! The servers of the benchmark: threads in the targets' networks, since what is measured is the way and not the program.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use netns::{NetNs, inside};

use crate::bench::bulk;

/// Greets with one byte and closes.
pub(in crate::bench) const GREETS: u16 = 20_000;
/// Takes or sends bytes, as the client wants ([`bulk`]).
pub(in crate::bench) const BULK: u16 = 20_001;

/// Connections that may wait to be accepted.
const WAITING: i32 = 4096;

/// Serves both ports on all addresses of this network, for as long as the process lives. The greeting is `number`; as many
/// threads as there are clients at a time accept, so that no client waits for another.
pub(in crate::bench) fn start(netns: &NetNs, number: u8, clients: usize) -> io::Result<()> {
    let listen = |port| inside(netns, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
    let (greets, many) = (Arc::new(listen(GREETS)?), listen(BULK)?);
    // A connection that finds no room here is forgotten where there are SYN cookies, and who waits for a greeting waits for ever.
    rustix::net::listen(&greets, WAITING)?;
    for _ in 0..clients {
        let greets = Arc::clone(&greets);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = greets.accept() {
                let _ = stream.write_all(&[number]); // a client that has gone already has its own say
            }
        });
    }
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = many.accept() {
            std::thread::spawn(move || bulk::serve(&mut stream));
        }
    });
    Ok(())
}
