//! Connections that are reset.

use std::io;

use evidence::{SocketView, TcpSocket, TcpState};

use super::FaultError;
use crate::plex::Systems;

/// Resets what is established, until none of it is left.
pub(super) async fn reset(systems: &Systems, host: &str, ports: &[u16]) -> Result<String, FaultError> {
    let meant = |socket: &TcpSocket| {
        let port = ports.is_empty() || ports.contains(&socket.local.port()) || ports.contains(&socket.peer.port());
        socket.state == TcpState::Established && !socket.peer.ip().is_loopback() && port
    };
    let found: Vec<TcpSocket> =
        systems.hosts.inside(host, || Ok(SocketView::open()?.connections()?.into_iter().filter(meant).collect()))?;
    if found.is_empty() {
        return Err(FaultError::NotSeen(format!("{host} has no such connection")));
    }
    let ends: Vec<_> = found.iter().map(|socket| (socket.local, socket.peer)).collect();
    let done = systems.hosts.inside(host, || netns::reset_connections(&ends));
    done.map_err(|e| match e {
        netns::HostError::Io(e) if e.kind() == io::ErrorKind::Unsupported => {
            FaultError::NotHere("the kernel was built without CONFIG_INET_DIAG_DESTROY".into())
        }
        other => other.into(),
    })?;
    let left: Vec<u32> = systems.hosts.inside(host, || {
        Ok(SocketView::open()?.connections()?.into_iter().filter(meant).map(|socket| socket.inode).collect())
    })?;
    match found.iter().find(|socket| left.contains(&socket.inode)) {
        None => Ok(format!("{} connections were reset; sock_diag shows none of them", found.len())),
        Some(socket) => Err(FaultError::NotSeen(format!("{} - {} is still established", socket.local, socket.peer))),
    }
}
