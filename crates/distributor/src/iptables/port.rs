//! The sets and chains of a port: its part of the connection routing table. One for all DVIPAs that distribute the port.
//!
//! The first FIN or RST of the client moves the connection from `vcrt` to `closing`, as in the backend for nftables. The number of
//! its target stays where it is.

use super::family::Family;
use super::numbers::{CONNECTION, Numbers};
use super::pick::{PICK, READY};
use super::plan_sets::PlanSet;
use super::ruleset::Rules;
use super::shared::{DAY, END, HALF, PORTS, SYN, create};
use crate::text::line;
use crate::{Connection, mark};

/// A port that has a table of connections.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    pub(super) family: Family,
    pub(super) port: u16,
}

impl Port {
    /// The port that a connection is to.
    pub(super) fn of(connection: &Connection) -> Self {
        Self { family: Family::of(connection.dvipa.ip()), port: connection.dvipa.port() }
    }

    /// The set of connections.
    pub(super) fn vcrt(self) -> String {
        self.family.set(&format!("vcrt-{}", self.port))
    }

    fn closing(self) -> String {
        self.family.set(&format!("closing-{}", self.port))
    }

    fn targets(self) -> Numbers {
        Numbers::targets(self.family, self.port)
    }

    fn chain(self, what: &str) -> String {
        format!("{what}-{}", self.port)
    }

    /// The chain that loads the target of a connection.
    fn load(self) -> String {
        self.chain("load")
    }

    /// The chain that stores a new connection with the mark as its target, and sends it there.
    fn store(self) -> String {
        self.chain("store")
    }

    /// The chain that takes everything of a connection away.
    fn clear(self) -> String {
        self.chain("clear")
    }

    /// The chain for a SYN.
    fn new_connection(self) -> String {
        self.chain("new")
    }

    /// The sets.
    pub(super) fn sets(self, text: &mut String) {
        create(text, self.family, &self.vcrt(), DAY);
        create(text, self.family, &self.closing(), HALF);
        for set in self.targets().sets() {
            // They outlive what they belong to.
            create(text, self.family, set, 2 * DAY);
        }
    }

    /// The rule that leads to the chains.
    pub(super) fn follow(self, rules: &mut Rules) {
        rules.add(PORTS, format_args!("-p tcp --dport {} -g {}", self.port, self.chain("port")));
    }

    /// The chains.
    pub(super) fn chains(self, rules: &mut Rules) {
        let (port, live, closing) = (self.chain("port"), self.chain("live"), self.chain("closing"));
        let (in_vcrt, in_closing) = (self.vcrt(), self.closing());
        let distributed = PlanSet::Distributed.name(self.family);
        rules.whole(
            &port,
            &[
                format!("{SYN} -m set --match-set {distributed} dst,dst -g {}", self.new_connection()),
                // A SYN that is still here is to a DVIPA that does not distribute the port, or no longer.
                format!("{SYN} -g {}", self.clear()),
                format!(
                    "{END} -m set --match-set {in_vcrt} {CONNECTION} -j SET --add-set {in_closing} {CONNECTION} \
                     --del-set {in_vcrt} {CONNECTION}"
                ),
                format!("-m set --match-set {in_vcrt} {CONNECTION} -g {live}"),
                format!("-m set --match-set {in_closing} {CONNECTION} -g {closing}"),
            ],
        );
        self.new_connections(rules);
        self.forward(rules, &live, &in_vcrt, DAY);
        self.forward(rules, &closing, &in_closing, HALF);
        rules.chain(&self.load());
        self.targets().load(rules, &self.load());
        rules.chain(&self.store());
        self.targets().store(rules, &self.store(), 2 * HALF);
        // Last: whoever sees it sees all bits of its number.
        rules.add(&self.store(), format_args!("-j SET --add-set {in_vcrt} {CONNECTION} --exist --timeout {HALF}"));
        rules.add(&self.store(), format_args!("-j ACCEPT"));
        let gone = [&in_vcrt, &in_closing].map(|set| format!("-j SET --del-set {set} {CONNECTION}"));
        rules.whole(&self.clear(), &gone);
        self.targets().clear(rules, &self.clear());
        rules.add(&self.clear(), format_args!("-j MARK --set-mark 0"));
    }

    /// What happens with a SYN, whatever the plan is.
    fn new_connections(self, rules: &mut Rules) {
        let (vcrt, store) = (self.vcrt(), format!("-m mark ! --mark 0 -g {}", self.store()));
        rules.whole(
            &self.new_connection(),
            &[
                // A retransmission keeps its target while that one is ready.
                format!("-m set --match-set {vcrt} {CONNECTION} -j {}", self.load()),
                format!("-m mark ! --mark 0 -j {READY}"),
                store.clone(),
                // A new connection leaves nothing of an old one.
                format!("-j {}", self.clear()),
                format!("-j {PICK}"),
                store,
            ],
        );
    }

    /// Sends a packet of a known connection to its target, and renews the connection.
    fn forward(self, rules: &mut Rules, chain: &str, set: &str, seconds: u32) {
        rules.whole(
            chain,
            &[
                format!("-j SET --add-set {set} {CONNECTION} --exist --timeout {seconds}"),
                format!("-j {}", self.load()),
            ],
        );
        self.targets().store(rules, chain, 2 * seconds);
        rules.add(chain, format_args!("-j ACCEPT"));
    }

    /// Puts a connection into the table.
    pub(super) fn write(self, text: &mut String, connection: &Connection) {
        let element = element(connection);
        for number in self.targets().write(&element, mark(connection.target)) {
            line(text, format_args!("{number}"));
        }
        line(text, format_args!("add {} {element}", self.vcrt()));
    }
}

/// The key of a connection.
pub(super) fn element(Connection { client, dvipa, .. }: &Connection) -> String {
    format!("{},tcp:{},{}", client.ip(), client.port(), dvipa.ip())
}
