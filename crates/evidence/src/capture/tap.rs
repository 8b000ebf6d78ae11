//! One host's packets.

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::cmsg_space;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt,
    socket,
};
use nix::sys::time::TimeSpec;

use crate::flows::Direction;

/// Bytes of packets, as the kernel counts them, that may wait while the reader is kept from reading.
const BUFFER: usize = 16 * 1024 * 1024;

/// A socket that sees all interfaces of a host.
#[derive(Debug)]
pub struct Tap {
    pub(super) socket: OwnedFd,
    pub(super) system: String,
    /// Interfaces by index; packets on others (the loopback) are passed over.
    pub(super) interfaces: BTreeMap<usize, String>,
    /// Packets that the kernel has dropped until now.
    dropped: u32,
}

/// What a tap gives.
pub(super) struct Taken {
    /// Index of the interface.
    pub(super) interface: usize,
    pub(super) direction: Direction,
    /// It is the host's own business. A bridge floods what it knows no port for, as for a host that is gone, and hosts that are
    /// not meant drop it.
    pub(super) is_own: bool,
    /// When, by the wall clock.
    pub(super) wall: Option<TimeSpec>,
    /// The packet's length on the wire; what is in the buffer may be less.
    pub(super) length: usize,
    /// Packets that were dropped before this one.
    pub(super) dropped: u32,
}

impl Tap {
    /// Opens a tap in the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel gives no packet socket.
    pub fn open(system: &str, interfaces: &[(u32, &str)]) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, RxqOvfl, &1)?;
        // As much as there is to be had: without privilege on the machine it is at most `net.core.rmem_max`.
        if setsockopt(&socket, RcvBufForce, &BUFFER).is_err() {
            setsockopt(&socket, RcvBuf, &BUFFER)?;
        }
        let interfaces = interfaces.iter().map(|&(index, name)| (index as usize, name.to_owned()));
        Ok(Self { socket, system: system.to_owned(), interfaces: interfaces.collect(), dropped: 0 })
    }

    /// Takes the next packet into `buffer`; nothing when there is none, or the host is gone.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> Option<Taken> {
        // PACKET_OTHERHOST and PACKET_OUTGOING of packet(7).
        const OTHER_HOST: u8 = 3;
        const OUTGOING: u8 = 4;
        let mut space = cmsg_space!(TimeSpec, u32);
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let packet = recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut parts, Some(&mut space), flags).ok()?;
        let (mut wall, mut total) = (None, self.dropped);
        for message in packet.cmsgs().into_iter().flatten() {
            match message {
                ControlMessageOwned::ScmTimestampns(time) => wall = Some(time),
                ControlMessageOwned::RxqOvfl(dropped) => total = dropped,
                _ => {}
            }
        }
        let dropped = total.wrapping_sub(std::mem::replace(&mut self.dropped, total));
        let (interface, kind) = packet.address.map_or((0, 0), |address| (address.ifindex(), address.pkttype()));
        let direction = if kind == OUTGOING { Direction::Out } else { Direction::In };
        Some(Taken { interface, direction, is_own: kind != OTHER_HOST, wall, length: packet.bytes, dropped })
    }
}
