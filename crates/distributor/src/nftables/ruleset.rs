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
//!
//! Every look at a table costs, for IPv6 one for each LPAR that there may be. So no packet looks at the same table twice: what
//! is to be done with what was found has a chain of its own.

use std::net::IpAddr;

/// The table.
pub(super) const TABLE: &str = "dvipa";
/// The map that is the VCRT.
pub(super) const VCRT: &str = "vcrt";
/// The map of affinities.
pub(super) const AFFINITY: &str = "affinity";
/// The set that counts the connections that each target was sent.
pub(super) const TOTAL: &str = "total";

/// The chains of both families.
const CHAINS: [&str; 12] = [
    "prerouting",
    "output",
    "new",
    "again",
    "fresh",
    "returning",
    "choose",
    "affine",
    "picked",
    "remember",
    "known",
    "ending",
];

/// An affinity without a running timer: a connection is open. Refreshed at every new one.
pub(super) const AFFINITY_HELD: &str = "1d";

/// IPv4 or IPv6; each has a table of its own.
///
/// For IPv4 the tables of connections are maps from a connection to its mark. nft 1.0.6 cannot fill a map whose key is longer than
/// 16 bytes from packets (it ends in an assertion), so for IPv6 they are sets of a connection with its mark, which are asked for
/// one mark after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// As nft names it, and the header in matches.
    pub(super) name: &'static str,
    address: &'static str,
    maps: bool,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [
        Self { name: "ip", address: "ipv4_addr", maps: true },
        Self { name: "ip6", address: "ipv6_addr", maps: false },
    ];

    pub(super) fn of(address: IpAddr) -> Self {
        Self::ALL[usize::from(address.is_ipv6())]
    }

    /// An element of a table of connections: with a mark, and perhaps a time.
    pub(super) fn element(self, key: &str, time: &str, mark: &str) -> String {
        if self.maps { format!("{key}{time} : {mark}") } else { format!("{key} . {mark}{time}") }
    }

    /// What names an element that is to be deleted.
    pub(super) fn element_key(self, key: &str, mark: u32) -> String {
        if self.maps { key.to_owned() } else { format!("{key} . {mark}") }
    }

    fn table_of(self, name: &str, key: &str, time: &str) -> String {
        let (kind, to) = if self.maps { ("map", " : mark") } else { ("set", " . mark") };
        format!(
            "    {kind} {name} {{\n        type {key}{to}\n        flags dynamic, timeout\n        timeout {time}\n        \
             size 1048576\n    }}\n"
        )
    }

    /// Rules that set the mark to what the table has for the key, and go on with `then` when it has something.
    fn find(self, name: &str, key: &str, then: &str) -> String {
        if self.maps {
            format!("meta mark set {key} map @{name} {then}")
        } else {
            format!("jump find-{name}\n        meta mark != 0 {then}")
        }
    }

    /// The chain that asks a set of connections for one mark after the other.
    fn finder(self, name: &str, key: &str) -> String {
        let ask = |mark| format!("        meta mark set {mark} {key} . meta mark @{name} return\n");
        let asks: String = (1..=sysplex::LARGEST_SYSPLEX).map(ask).collect();
        format!("    chain find-{name} {{\n{asks}        meta mark set 0\n    }}\n")
    }

    /// The chains of [`chains`]; their rules are set together.
    pub(super) fn chains(self) -> Vec<&'static str> {
        let finders = ["find-vcrt", "find-closing", "find-affinity"];
        CHAINS.into_iter().chain(finders.into_iter().filter(|_| !self.maps)).collect()
    }
}

/// Maps, sets and chains. Declaring what exists changes nothing.
///
/// An entry of a connection without a sign of life goes after a day: long enough for a debug session that stands at a
/// breakpoint over night, and needed only for clients and targets that vanished without a word. Half a connection, a SYN
/// and no more, goes after two minutes, which is longer than the pause between two SYNs of the same client.
pub(super) fn declarations(family: Family) -> String {
    let Family { name, address, .. } = family;
    let connection = format!("{address} . inet_service . {address} . inet_service");
    let client = format!("{address} . {address} . inet_service");
    let mut text = format!("table {name} dvipa {{\n");
    text += "    # Connection routing table: client address, its port, DVIPA, its port -> number of the target.\n";
    text += &family.table_of(VCRT, &connection, "1d");
    text += "    # The same for connections that the client has ended.\n";
    text += &family.table_of("closing", &connection, "2m");
    text += "    # TIMEDAFFINITY: client address, DVIPA, its port -> number of the target.\n";
    text += &family.table_of(AFFINITY, &client, AFFINITY_HELD);
    text += &format!(
        "    # Connections that each target was ever sent.
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
    chain output {{ type route hook output priority mangle; policy accept; }}
"
    );
    for chain in family.chains().iter().filter(|chain| !["prerouting", "output"].contains(chain)) {
        text += &format!("    chain {chain} {{ }}\n");
    }
    text + "}\n"
}

/// The rules of the chains.
pub(super) fn chains(family: Family) -> String {
    let name = family.name;
    // The connection of a packet from the client, its client, and the port dialled.
    let connection = format!("{name} saddr . tcp sport . {name} daddr . tcp dport");
    let client = format!("{name} saddr . {name} daddr . tcp dport");
    let port = format!("{name} daddr . tcp dport");
    let of_connection = |time| family.element(&connection, time, "meta mark");
    let (this, half) = (of_connection(""), of_connection(" timeout 2m"));
    let (of_client, held) = (
        family.element(&client, "", "meta mark"),
        family.element(&client, &format!(" timeout {AFFINITY_HELD}"), "meta mark"),
    );
    let find = |table, then: &str| family.find(table, &connection, then);
    let ready = format!("{port} . meta mark @ready");
    let (again, gone_closing) = (find(VCRT, "goto again"), find("closing", &format!("delete @closing {{ {this} }}")));
    let returning = family.find(AFFINITY, &client, "goto returning");
    let (known, known_closing) = (
        find(VCRT, &format!("update @vcrt {{ {this} }} accept")),
        find("closing", &format!("update @closing {{ {this} }} accept")),
    );
    let ending = find(VCRT, &format!("add @closing {{ {this} }} delete @vcrt {{ {this} }} accept"));
    let mut text = format!(
        "\
table {name} dvipa {{
    chain prerouting {{
        # What the owner says to itself has been through `output`.
        iifname \"lo\" accept
        {name} daddr @owned tcp flags & (fin | syn | rst | ack) == syn goto new
        {name} daddr @owned meta l4proto tcp goto known
    }}
    chain output {{
        # The owner's own calls, but for those that OPTLOCAL keeps: they have a DVIPA at both ends.
        {name} saddr @owned accept
        {name} daddr @owned tcp flags & (fin | syn | rst | ack) == syn goto new
        {name} daddr @owned meta l4proto tcp goto known
    }}
    chain new {{
        {again}
        goto fresh
    }}
    chain again {{
        # A retransmission keeps its target while that one is ready.
        {ready} goto remember
        delete @vcrt {{ {this} }}
        goto fresh
    }}
    chain fresh {{
        # A new connection leaves nothing of an old one.
        {gone_closing}
        {returning}
        goto choose
    }}
    chain returning {{
        # A client with an affinity goes where it was, while that target is ready; else the affinity is dropped.
        {ready} goto affine
        delete @affinity {{ {of_client} }}
        goto choose
    }}
    chain choose {{
        meta mark set 0
        {port} vmap @ports
        meta mark set {port} map @sysplexports goto remember
        # Any other port: the owner's own stack.
    }}
    chain affine {{
        update @affinity {{ {held} }}
        goto picked
    }}
    chain picked {{
        update @total {{ {port} . meta mark counter }}
        goto remember
    }}
    chain remember {{
        update @vcrt {{ {half} }}
        accept
    }}
    chain known {{
        tcp flags & (fin | rst) != 0 goto ending
        {known}
        {known_closing}
        {name} daddr @settling drop
        # No such connection: the owner's own stack says so.
    }}
    chain ending {{
        {ending}
        {known_closing}
        {name} daddr @settling drop
    }}
"
    );
    if !family.maps {
        text += &family.finder(VCRT, &connection);
        text += &family.finder("closing", &connection);
        text += &family.finder(AFFINITY, &client);
    }
    text + "}\n"
}
