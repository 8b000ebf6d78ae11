//! A pcapng file for one interface.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{DataLink, PcapError};

/// Writes packets of one interface, with nanosecond times of `CLOCK_MONOTONIC`.
pub(crate) struct PcapNg<W: Write> {
    writer: PcapNgWriter<W>,
}

impl<W: Write> PcapNg<W> {
    pub(crate) fn new(file: W, interface: &str) -> io::Result<Self> {
        let mut writer = PcapNgWriter::new(file).map_err(io_error)?;
        let options = vec![
            InterfaceDescriptionOption::IfName(Cow::Owned(interface.to_owned())),
            InterfaceDescriptionOption::IfTsResol(9), // the library counts in nanoseconds, the format's default is micro
        ];
        let block = InterfaceDescriptionBlock { linktype: DataLink::ETHERNET, snaplen: 0, options };
        writer.write_pcapng_block(block).map_err(io_error)?;
        Ok(Self { writer })
    }

    pub(crate) fn packet(&mut self, time: Duration, length: usize, frame: &[u8]) -> io::Result<()> {
        let original_len = u32::try_from(length).unwrap_or(u32::MAX);
        let data = Cow::Borrowed(frame);
        let block = EnhancedPacketBlock { interface_id: 0, timestamp: time, original_len, data, options: Vec::new() };
        self.writer.write_pcapng_block(block).map_err(io_error)?;
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.get_mut().flush()
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(e) => e,
        other => io::Error::other(other),
    }
}
