//! The servers of the benchmark: threads in the targets' networks, since what is measured is the way and not the program.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use netns::{NetNs, inside};

/// Greets with one byte and closes.
pub(super) const GREETS: u16 = 20_000;
/// Takes or sends bytes, as the client's first byte says.
pub(super) const BULK: u16 = 20_001;
/// The client's first byte: send me bytes until I go.
pub(super) const SEND: u8 = b'<';
/// The client's first byte: take bytes until I end, and say how many they were (eight bytes, the highest first).
pub(super) const TAKE: u8 = b'>';
/// Bytes that are written or read at a time.
pub(super) const PIECE: usize = 256 * 1024;

/// Serves both ports on all addresses of this network, for as long as the process lives. The greeting is `number`; as many
/// threads as there are clients at a time accept, so that no client waits for another.
pub(super) fn start(netns: &NetNs, number: u8, clients: usize) -> io::Result<()> {
    let listen = |port| inside(netns, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
    let (greets, bulk) = (Arc::new(listen(GREETS)?), listen(BULK)?);
    for _ in 0..clients {
        let greets = Arc::clone(&greets);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = greets.accept() {
                let _ = stream.write_all(&[number]); // a client that has gone already has its own say
            }
        });
    }
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = bulk.accept() {
            std::thread::spawn(move || serve_bulk(&mut stream));
        }
    });
    Ok(())
}

fn serve_bulk(stream: &mut TcpStream) -> io::Result<()> {
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
