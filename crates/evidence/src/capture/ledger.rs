//! The thread that counts packets and writes them to files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::reader::{Batch, Entry};
use super::tap::Tap;
use crate::flows::Flows;
use crate::pcapng::PcapNg;

/// One interface: the position of its tap, and its index there.
type Key = (usize, usize);

pub(super) struct Ledger {
    interfaces: BTreeMap<Key, Interface>,
    flows: Flows,
}

struct Interface {
    system: String,
    name: String,
    file: Option<PcapNg<BufWriter<File>>>,
}

impl Ledger {
    /// An empty ledger; with a directory, each interface gets a file there.
    pub(super) fn new(taps: &[Tap], directory: Option<&Path>) -> io::Result<Self> {
        let mut interfaces = BTreeMap::new();
        for (number, tap) in taps.iter().enumerate() {
            for (&index, name) in &tap.interfaces {
                let system = tap.system.clone();
                let file = directory.map(|directory| file(directory, &system, name)).transpose()?;
                interfaces.insert((number, index), Interface { system, name: name.clone(), file });
            }
        }
        Ok(Self { interfaces, flows: Flows::default() })
    }

    /// Takes entries until no more can come; then the files are complete.
    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(entry) = entries.recv() {
            match entry {
                Entry::Packets(batch) => self.take(&batch),
                Entry::Settle(done) => {
                    self.flush();
                    let _ = done.send(self.flows.clone());
                }
            }
        }
        self.flush();
    }

    fn take(&mut self, batch: &Batch) {
        self.flows.dropped += batch.dropped;
        let mut rest = batch.bytes.as_slice();
        for packet in &batch.packets {
            let (frame, after) = rest.split_at(packet.kept.min(rest.len()));
            rest = after;
            let Some(interface) = self.interfaces.get_mut(&(packet.tap, packet.interface)) else { continue };
            if packet.is_own {
                self.flows.add(&interface.system, &interface.name, packet.direction, packet.t_ns, frame);
            }
            if let Some(file) = &mut interface.file {
                let _ = file.packet(Duration::from_nanos(packet.t_ns), packet.length, frame);
            }
        }
    }

    fn flush(&mut self) {
        for file in self.interfaces.values_mut().filter_map(|interface| interface.file.as_mut()) {
            let _ = file.flush();
        }
    }
}

fn file(directory: &Path, system: &str, interface: &str) -> io::Result<PcapNg<BufWriter<File>>> {
    let path: PathBuf = directory.join(format!("{system}-{interface}.pcapng"));
    PcapNg::new(BufWriter::new(File::create(path)?), &format!("{system} {interface}"))
}
