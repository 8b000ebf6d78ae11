//! The sets and chains that are the same for every plan, but for those of a port and those that pick a target.

use super::family::Family;
use super::numbers::{CONNECTION, Numbers};
use super::ruleset::Rules;
use crate::text::line;

/// The chain that PREROUTING leads to: which packets are to an owned DVIPA.
pub(super) const OWNED: &str = "dvipa";
/// The chain that OUTPUT leads to: which of the owner's own calls are to an owned DVIPA.
pub(super) const OWN: &str = "dvipa-own";
/// Every packet to an owned DVIPA.
pub(super) const PACKET: &str = "dvipa-packet";
/// A chain for each port that has a table of connections. Ports come, and stay for the connections that they have.
pub(super) const PORTS: &str = "dvipa-ports";
/// SYSPLEXPORTS: sets the mark.
pub(super) const RANGES: &str = "dvipa-ranges";
/// DVIPAs whose connections are not all known yet: drops.
pub(super) const SETTLING: &str = "dvipa-settling";
/// Answers with a reset.
pub(super) const REFUSE: &str = "dvipa-refuse";
/// What has the mark of an LPAR because of its port.
const RANGE: &str = "dvipa-range";
const RANGE_NEW: &str = "dvipa-range-new";
const RANGE_END: &str = "dvipa-range-end";
const RANGE_CLEAR: &str = "dvipa-range-clear";

/// The mark of a packet that the owner refuses; more than the number of any LPAR. No route is for it, so it comes to the
/// owner's own stack, and `REJECT` is not allowed any earlier.
pub(super) const REFUSED: u32 = 0xffff;

/// A SYN, and nothing else of FIN, RST and ACK.
pub(super) const SYN: &str = "-p tcp --syn";
/// A FIN or an RST.
pub(super) const END: &str = "-p tcp ! --tcp-flags FIN,RST NONE";

/// A connection without a sign of life is forgotten after this, in seconds. As in the backend for nftables.
pub(super) const DAY: u32 = 86_400;
/// Half a connection, and one that the client has ended.
pub(super) const HALF: u32 = 120;
/// The longest that ipset knows, 24 days.
pub(super) const LONGEST: u32 = 2_147_483;

/// The set of connections by SYSPLEXPORTS.
pub(super) fn range(family: Family) -> String {
    family.set("range")
}

/// Makes a set of connections, or of affinities. With room for many from the beginning: a set does not grow when packets fill it,
/// and what does not fit into its part of the table (12 to 64 elements) is not remembered.
pub(super) fn create(text: &mut String, family: Family, set: &str, seconds: u32) {
    let inet = family.inet();
    line(
        text,
        format_args!("create {set} hash:ip,port,ip family {inet} hashsize 16384 maxelem 1048576 timeout {seconds}"),
    );
}

/// The sets.
pub(super) fn sets(text: &mut String, family: Family) {
    create(text, family, &range(family), DAY);
    for set in Numbers::ports(family).sets() {
        create(text, family, set, LONGEST);
    }
}

/// The chains for every packet to an owned DVIPA.
pub(super) fn packets(rules: &mut Rules, family: Family) {
    let set = range(family);
    rules.chain(PORTS);
    rules.add("PREROUTING", format_args!("-j {OWNED}"));
    rules.add("OUTPUT", format_args!("-j {OWN}"));
    rules.whole(
        PACKET,
        &[
            "-j MARK --set-mark 0".to_owned(),
            // What belongs to no connection, and is no new one to a distributed port, comes back.
            format!("-p tcp -j {PORTS}"),
            format!("-p tcp -j {RANGES}"),
            format!("-m mark ! --mark 0 -g {RANGE}"),
            format!("-p tcp ! --syn -j {SETTLING}"),
            // The owner's own stack.
            "-j ACCEPT".to_owned(),
        ],
    );
    rules.whole(
        RANGE,
        &[
            format!("{SYN} -g {RANGE_NEW}"),
            format!("-m set ! --match-set {set} {CONNECTION} -j {SETTLING}"),
            format!("{END} -g {RANGE_END}"),
            format!(
                "-m set --match-set {set} {CONNECTION} -j SET --add-set {set} {CONNECTION} --exist --timeout {DAY}"
            ),
            "-j ACCEPT".to_owned(),
        ],
    );
}

/// The chains that others lead to.
pub(super) fn helpers(rules: &mut Rules, family: Family) {
    rules.whole(REFUSE, &[format!("-j MARK --set-mark {REFUSED}"), "-j ACCEPT".to_owned()]);
    ranges(rules, family);
}

fn ranges(rules: &mut Rules, family: Family) {
    let (set, numbers) = (range(family), Numbers::ports(family));
    rules.whole(RANGE_CLEAR, &[format!("-j SET --del-set {set} {CONNECTION}")]);
    numbers.clear(rules, RANGE_CLEAR);
    rules.whole(RANGE_NEW, &[format!("-j {RANGE_CLEAR}")]);
    numbers.store_port(rules, RANGE_NEW, family, LONGEST);
    rules.add(RANGE_NEW, format_args!("-j SET --add-set {set} {CONNECTION} --exist --timeout {HALF}"));
    rules.add(RANGE_NEW, format_args!("-j ACCEPT"));
    rules.whole(RANGE_END, &[format!("-j {RANGE_CLEAR}"), "-j ACCEPT".to_owned()]);
}
