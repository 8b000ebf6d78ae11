//! The part of the ruleset that is the same for every plan, for IPv4 or IPv6.
//!
//! A packet to an owned DVIPA goes one of two ways. A SYN is a new connection, unless the VCRT knows it and its target is
//! still ready, which makes it a retransmission; the client's affinity or the port's own chain picks the target. Anything else
//! belongs to a connection, whose target the VCRT knows.
//!
//! The first FIN or RST of the client moves the connection from `vcrt` to `closing`. So the VCRT shows what is connected,
//! as NETSTAT VCRT does, and a port that a client uses again soon is a new connection; what still has to be said on the old
//! one gets there by way of `closing`.
//!
//! `update` renews the time of an entry but never changes its mark, so a chain that picks anew deletes first.

use std::net::IpAddr;

/// The table.
pub(super) const TABLE: &str = "dvipa";
/// The map that is the VCRT.
pub(super) const VCRT: &str = "vcrt";
/// The map of affinities.
pub(super) const AFFINITY: &str = "affinity";
/// The set that counts the connections that each target was sent.
pub(super) const TOTAL: &str = "total";

/// The chains of [`chains`]; their rules are set together.
pub(super) const CHAINS: [&str; 7] = ["prerouting", "new", "affine", "picked", "remember", "known", "ending"];

/// An affinity without a running timer: a connection is open. Refreshed at every new one.
pub(super) const AFFINITY_HELD: &str = "1d";

/// IPv4 or IPv6; each has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// As nft names it, and the header in matches.
    pub(super) name: &'static str,
    address: &'static str,
}

impl Family {
    pub(super) const ALL: [Self; 2] =
        [Self { name: "ip", address: "ipv4_addr" }, Self { name: "ip6", address: "ipv6_addr" }];

    pub(super) fn of(address: IpAddr) -> Self {
        Self::ALL[usize::from(address.is_ipv6())]
    }
}

/// Maps, sets and chains. Declaring what exists changes nothing.
///
/// An entry of a connection without a sign of life goes after a day: long enough for a debug session that stands at a
/// breakpoint over night, and needed only for clients and targets that vanished without a word. Half a connection, a SYN
/// and no more, goes after two minutes, which is longer than the pause between two SYNs of the same client.
pub(super) fn declarations(Family { name, address }: Family) -> String {
    format!(
        "\
table {name} dvipa {{
    # Connection routing table: client address, its port, DVIPA, its port -> number of the target.
    map vcrt {{
        type {address} . inet_service . {address} . inet_service : mark
        flags dynamic, timeout
        timeout 1d
        size 1048576
    }}
    # The same for connections that the client has ended.
    map closing {{
        type {address} . inet_service . {address} . inet_service : mark
        flags dynamic, timeout
        timeout 2m
        size 1048576
    }}
    # TIMEDAFFINITY: client address, DVIPA, its port -> number of the target.
    map affinity {{
        type {address} . {address} . inet_service : mark
        flags dynamic, timeout
        timeout {AFFINITY_HELD}
        size 1048576
    }}
    # Connections that each target was ever sent.
    set total {{
        type {address} . inet_service . mark
        flags dynamic
        size 65536
    }}
    # DVIPAs that this LPAR owns.
    set owned {{ type {address}; }}
    # DVIPAs whose connections are not all known yet.
    set settling {{ type {address}; }}
    # Targets that take new connections.
    set ready {{ type {address} . inet_service . mark; }}
    # Distributed ports, each with a chain of its own.
    map ports {{ type {address} . inet_service : verdict; }}
    # Ports that belong to one LPAR.
    map sysplexports {{ type {address} . inet_service : mark; flags interval; }}
    chain prerouting {{ type filter hook prerouting priority mangle; policy accept; }}
    chain new {{ }}
    chain affine {{ }}
    chain picked {{ }}
    chain remember {{ }}
    chain known {{ }}
    chain ending {{ }}
}}
"
    )
}

/// The rules of [`CHAINS`].
pub(super) fn chains(Family { name, .. }: Family) -> String {
    // The connection of a packet from the client, its client, and the port dialled.
    let connection = format!("{name} saddr . tcp sport . {name} daddr . tcp dport");
    let client = format!("{name} saddr . {name} daddr . tcp dport");
    let port = format!("{name} daddr . tcp dport");
    format!(
        "\
table {name} dvipa {{
    chain prerouting {{
        # What the owner says to itself is routed already.
        iifname \"lo\" accept
        {name} daddr @owned tcp flags & (fin | syn | rst | ack) == syn goto new
        {name} daddr @owned meta l4proto tcp goto known
    }}
    chain new {{
        # A retransmission keeps its target while that one is ready.
        meta mark set {connection} map @vcrt {port} . meta mark @ready goto remember
        # A new connection leaves nothing of an old one.
        meta mark set {connection} map @vcrt delete @vcrt {{ {connection} : meta mark }}
        meta mark set {connection} map @closing delete @closing {{ {connection} : meta mark }}
        # A client with an affinity goes where it was, while that target is ready; else the affinity is dropped.
        meta mark set {client} map @affinity {port} . meta mark @ready goto affine
        meta mark set {client} map @affinity delete @affinity {{ {client} : meta mark }}
        meta mark set 0
        {port} vmap @ports
        meta mark set {port} map @sysplexports goto remember
        # Any other port: the owner's own stack.
    }}
    chain affine {{
        update @affinity {{ {client} timeout {AFFINITY_HELD} : meta mark }}
        goto picked
    }}
    chain picked {{
        update @total {{ {port} . meta mark counter }}
        goto remember
    }}
    chain remember {{
        update @vcrt {{ {connection} timeout 2m : meta mark }}
        accept
    }}
    chain known {{
        tcp flags & (fin | rst) != 0 goto ending
        meta mark set {connection} map @vcrt update @vcrt {{ {connection} : meta mark }} accept
        meta mark set {connection} map @closing update @closing {{ {connection} : meta mark }} accept
        {name} daddr @settling drop
        # No such connection: the owner's own stack says so.
    }}
    chain ending {{
        meta mark set {connection} map @closing update @closing {{ {connection} : meta mark }} accept
        meta mark set {connection} map @vcrt add @closing {{ {connection} : meta mark }} delete @vcrt {{ {connection} : meta mark }} accept
        {name} daddr @settling drop
    }}
}}
"
    )
}
