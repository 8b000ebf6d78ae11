//! The part of the ruleset that is the same for every plan.
//!
//! A packet to an owned DVIPA goes one of two ways. A SYN is a new connection, unless the VCRT knows it and its target is
//! still ready, which makes it a retransmission; the port's own chain picks the target. Anything else belongs to a
//! connection, whose target the VCRT knows.
//!
//! The first FIN or RST of the client moves the connection from `vcrt` to `closing`. So the VCRT shows what is connected,
//! as NETSTAT VCRT does, and a port that a client uses again soon is a new connection; what still has to be said on the old
//! one gets there by way of `closing`.
//!
//! `update` renews the time of an entry but never changes its mark, so a chain that picks anew deletes first.

/// The table.
pub(super) const TABLE: &str = "dvipa";
/// The map that is the VCRT.
pub(super) const VCRT: &str = "vcrt";

/// The connection of a packet from the client.
const CONNECTION: &str = "ip saddr . tcp sport . ip daddr . tcp dport";

/// The chains of [`chains`]; their rules are set together.
pub(super) const CHAINS: [&str; 5] = ["prerouting", "new", "remember", "known", "ending"];

/// Maps, sets and chains. Declaring what exists changes nothing.
///
/// An entry of a connection without a sign of life goes after a day: long enough for a debug session that stands at a
/// breakpoint over night, and needed only for clients and targets that vanished without a word. Half a connection, a SYN
/// and no more, goes after two minutes, which is longer than the pause between two SYNs of the same client.
pub(super) const DECLARATIONS: &str = "\
table ip dvipa {
    # Connection routing table: client address, its port, DVIPA, its port -> number of the target.
    map vcrt {
        type ipv4_addr . inet_service . ipv4_addr . inet_service : mark
        flags dynamic, timeout
        timeout 1d
        size 1048576
    }
    # The same for connections that the client has ended.
    map closing {
        type ipv4_addr . inet_service . ipv4_addr . inet_service : mark
        flags dynamic, timeout
        timeout 2m
        size 1048576
    }
    # DVIPAs that this LPAR owns.
    set owned { type ipv4_addr; }
    # Targets that take new connections.
    set ready { type ipv4_addr . inet_service . mark; }
    # Distributed ports, each with a chain of its own.
    map ports { type ipv4_addr . inet_service : verdict; }
    # Ports that belong to one LPAR.
    map sysplexports { type ipv4_addr . inet_service : mark; flags interval; }
    chain prerouting { type filter hook prerouting priority mangle; policy accept; }
    chain new { }
    chain remember { }
    chain known { }
    chain ending { }
}
";

/// The rules of [`CHAINS`].
pub(super) fn chains() -> String {
    format!(
        "\
table ip dvipa {{
    chain prerouting {{
        # What the owner says to itself is routed already.
        iifname \"lo\" accept
        ip daddr @owned tcp flags & (fin | syn | rst | ack) == syn goto new
        ip daddr @owned meta l4proto tcp goto known
    }}
    chain new {{
        # A retransmission keeps its target while that one is ready.
        meta mark set {CONNECTION} map @vcrt ip daddr . tcp dport . meta mark @ready goto remember
        # A new connection leaves nothing of an old one.
        meta mark set {CONNECTION} map @vcrt delete @vcrt {{ {CONNECTION} : meta mark }}
        meta mark set {CONNECTION} map @closing delete @closing {{ {CONNECTION} : meta mark }}
        meta mark set 0
        ip daddr . tcp dport vmap @ports
        meta mark set ip daddr . tcp dport map @sysplexports goto remember
        # Any other port: the owner's own stack.
    }}
    chain remember {{
        update @vcrt {{ {CONNECTION} timeout 2m : meta mark }}
        accept
    }}
    chain known {{
        tcp flags & (fin | rst) != 0 goto ending
        meta mark set {CONNECTION} map @vcrt update @vcrt {{ {CONNECTION} : meta mark }} accept
        meta mark set {CONNECTION} map @closing update @closing {{ {CONNECTION} : meta mark }} accept
        # No such connection: the owner's own stack says so.
    }}
    chain ending {{
        meta mark set {CONNECTION} map @closing update @closing {{ {CONNECTION} : meta mark }} accept
        meta mark set {CONNECTION} map @vcrt add @closing {{ {CONNECTION} : meta mark }} delete @vcrt {{ {CONNECTION} : meta mark }} accept
    }}
}}
"
    )
}
