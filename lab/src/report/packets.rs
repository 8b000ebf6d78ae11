//! Packets from a run's captures: enough of each connection to see how it began and ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;

use evidence::TcpPacket;
use pcap_file::pcapng::{Block, PcapNgReader};

/// Bytes that are read of one capture.
const LARGEST: u64 = 64 << 20;
/// Packets that are kept of one direction of one connection on one interface, besides SYN, FIN and RST.
const PER_FLOW: u32 = 6;
/// Packets that are kept of one capture.
const MOST: usize = 4_000;

/// One TCP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// When, `CLOCK_MONOTONIC`.
    pub(super) t_ns: u64,
    /// The capture: `LPAR1 lan0`.
    pub(super) on: String,
    /// Source, as it stood in the packet.
    pub(super) from: SocketAddr,
    /// Destination.
    pub(super) to: SocketAddr,
    /// Flags as tcpdump writes them: `S`, `S.`, `P.`, `F.`, `R`.
    pub(super) flags: String,
    /// Bytes of payload.
    pub(super) payload: usize,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Packets {
    /// Those that are kept, in the order of time.
    pub(super) kept: Vec<Packet>,
    /// How many TCP packets there are besides.
    pub(super) left_out: u64,
    /// Captures that could not be read to their end, and why.
    pub(super) troubles: Vec<String>,
}

/// Reads all captures of a directory.
///
/// # Errors
/// When the directory cannot be read.
pub(super) fn read(directory: &Path) -> io::Result<Packets> {
    let mut packets = Packets::default();
    let mut captures = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "pcapng") {
            captures.push(path);
        }
    }
    captures.sort();
    for path in captures {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('-', " ");
        let read = File::open(&path).map_err(|e| e.to_string());
        if let Err(why) = read.and_then(|file| packets.capture(&name, BufReader::new(file).take(LARGEST))) {
            packets.troubles.push(format!("{name}: {why}"));
        }
    }
    packets.kept.sort_by_key(|packet| packet.t_ns);
    Ok(packets)
}

impl Packets {
    fn capture(&mut self, on: &str, file: impl Read) -> Result<(), String> {
        let mut reader = PcapNgReader::new(file).map_err(|e| e.to_string())?;
        let mut seen: BTreeMap<(SocketAddr, SocketAddr), u32> = BTreeMap::new();
        let mut kept = 0;
        while let Some(block) = reader.next_block() {
            let Block::EnhancedPacket(packet) = block.map_err(|e| e.to_string())? else { continue };
            let t_ns = u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX);
            let Some(packet) = parse(on, t_ns, &packet.data) else { continue };
            let of_flow = seen.entry((packet.from, packet.to)).or_default();
            let turns = packet.flags.contains(['S', 'F', 'R']);
            *of_flow += u32::from(!turns);
            if kept < MOST && (turns || *of_flow <= PER_FLOW) {
                kept += 1;
                self.kept.push(packet);
            } else {
                self.left_out += 1;
            }
        }
        Ok(())
    }
}

fn parse(on: &str, t_ns: u64, frame: &[u8]) -> Option<Packet> {
    let tcp = TcpPacket::of(frame)?;
    let flags = [(tcp.syn, 'S'), (tcp.fin, 'F'), (tcp.rst, 'R'), (tcp.psh, 'P'), (tcp.ack, '.')];
    Some(Packet {
        t_ns,
        on: on.to_owned(),
        from: tcp.source,
        to: tcp.destination,
        flags: flags.into_iter().filter_map(|(set, flag)| set.then_some(flag)).collect(),
        payload: tcp.payload,
    })
}
