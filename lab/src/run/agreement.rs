//! Does the connection routing table agree with the sockets in the targets? Connection by connection, while they come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use distributor::Connection;
use evidence::{TcpSocket, TcpState};
use sysplex::LparIndex;

use crate::plex::Plex;

/// The connections that targets have to a DVIPA: those that are established, and all others that still have a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// Established.
    pub established: BTreeSet<Connection>,
    /// In any other state: being made, or ending.
    pub others: BTreeSet<Connection>,
}

/// Reads them from the kernels of all LPARs that are up.
///
/// # Errors
/// When a kernel cannot be asked.
pub(super) fn sockets(plex: &Plex, dvipa: IpAddr) -> io::Result<Sockets> {
    let mut found = Sockets::default();
    for lpar in &plex.sysplex.lpars {
        let Some(view) = plex.views.get(&lpar.name) else { continue };
        // What OPTLOCAL keeps on its LPAR is no business of the distributor.
        let of_dvipa = |socket: &TcpSocket| socket.local.ip() == dvipa && !socket.stays();
        for socket in view.connections()?.into_iter().filter(of_dvipa) {
            let connection = Connection { client: socket.peer, dvipa: socket.local, target: lpar.index };
            match socket.state {
                TcpState::Established => found.established.insert(connection),
                _ => found.others.insert(connection),
            };
        }
    }
    Ok(found)
}

/// What does not agree; nothing when all does. The table was read between the two readings of the sockets. So a connection that
/// was established both times must be in the table, with its target, and what is in the table must have been a connection, or on
/// its way to or from one, at one of the two times.
pub fn difference(before: &Sockets, table: &[Connection], after: &Sockets) -> Option<String> {
    let targets: BTreeMap<(SocketAddr, SocketAddr), LparIndex> =
        table.iter().map(|connection| ((connection.client, connection.dvipa), connection.target)).collect();
    for connection in before.established.intersection(&after.established) {
        let Connection { client, dvipa, target } = connection;
        match targets.get(&(*client, *dvipa)) {
            Some(found) if found == target => {}
            Some(found) => {
                return Some(format!("{client} > {dvipa} is with LPAR {target}, in the table with LPAR {found}"));
            }
            None => return Some(format!("{client} > {dvipa} is with LPAR {target}, and not in the table")),
        }
    }
    let known = |connection: &Connection| {
        [before, after].iter().any(|s| s.established.contains(connection) || s.others.contains(connection))
    };
    let unknown = table.iter().find(|connection| !known(connection))?;
    let Connection { client, dvipa, target } = unknown;
    Some(format!("{client} > {dvipa} is in the table with LPAR {target}, which has no such socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(client: &str, target: u32) -> Connection {
        Connection {
            client: client.parse().expect("an address"),
            dvipa: "10.10.10.1:4035".parse().expect("an address"),
            target: LparIndex::new(target).expect("an LPAR"),
        }
    }

    fn sockets(established: &[Connection], others: &[Connection]) -> Sockets {
        Sockets { established: established.iter().copied().collect(), others: others.iter().copied().collect() }
    }

    #[test]
    fn what_was_there_both_times_must_be_in_the_table() {
        let (a, b) = (connection("10.0.0.1:1", 1), connection("10.0.0.1:2", 2));
        let both = sockets(&[a, b], &[]);
        assert_eq!(difference(&both, &[a, b], &both), None);
        let missing = difference(&both, &[a], &both).expect("a difference");
        assert_eq!(missing, "10.0.0.1:2 > 10.10.10.1:4035 is with LPAR 2, and not in the table");
        let elsewhere = difference(&both, &[a, connection("10.0.0.1:2", 1)], &both).expect("a difference");
        assert!(elsewhere.ends_with("is with LPAR 2, in the table with LPAR 1"), "{elsewhere}");
    }

    #[test]
    fn what_came_or_went_meanwhile_may_be_in_it_and_nothing_else() {
        let (coming, going) = (connection("10.0.0.1:1", 1), connection("10.0.0.1:2", 2));
        let (before, after) = (sockets(&[going], &[]), sockets(&[], &[coming]));
        assert_eq!(difference(&before, &[coming, going], &after), None);
        assert_eq!(difference(&before, &[], &after), None);
        let stale = difference(&before, &[connection("10.0.0.1:3", 1)], &after).expect("a difference");
        assert!(stale.ends_with("which has no such socket"), "{stale}");
    }
}
