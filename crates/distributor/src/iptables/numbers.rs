//! Numbers that belong to the elements of a set, in binary: one more set for each bit, with those whose number has it.
//!
//! A rule that finds an element can add it to a set, so a number can be stored; the bits of the packet mark say which. And a
//! rule can set one bit of the mark, so it can be loaded.

use sysplex::LARGEST_SYSPLEX;

use super::family::Family;
use super::ruleset::Rules;

/// Bits of the number of an LPAR.
const LPAR_BITS: u32 = u32::BITS - LARGEST_SYSPLEX.leading_zeros();
/// Bits of a port.
const PORT_BITS: u32 = u16::BITS;

/// The address, the port and the other address that are the key: those of a connection.
pub(super) const CONNECTION: &str = "src,src,dst";
/// Those of an affinity: the client, the DVIPA's port and the DVIPA.
pub(super) const AFFINITY: &str = "src,dst,dst";

/// The sets for the bits of one kind of number.
pub(super) struct Numbers {
    sets: Vec<String>,
    key: &'static str,
}

impl Numbers {
    /// The targets of connections to a distributed port.
    pub(super) fn targets(family: Family, port: u16) -> Self {
        let sets = (0..LPAR_BITS).map(|bit| family.set(&format!("bit-{bit}-{port}"))).collect();
        Self { sets, key: CONNECTION }
    }

    /// The targets of affinities.
    pub(super) fn affinities(family: Family) -> Self {
        let sets = (0..LPAR_BITS).map(|bit| family.set(&format!("affinitybit-{bit}"))).collect();
        Self { sets, key: AFFINITY }
    }

    /// The ports of SYSPLEXPORTS that connections are to.
    pub(super) fn ports(family: Family) -> Self {
        let sets = (0..PORT_BITS).map(|bit| family.set(&format!("rangebit-{bit}"))).collect();
        Self { sets, key: CONNECTION }
    }

    /// The names of the sets, lowest bit first.
    pub(super) fn sets(&self) -> impl Iterator<Item = &str> {
        self.sets.iter().map(String::as_str)
    }

    /// Each set with the value of its bit.
    fn bits(&self) -> impl Iterator<Item = (&str, u32)> {
        self.sets().zip(0..).map(|(set, bit)| (set, 1 << bit))
    }

    /// Rules that load the number into the mark, which is 0 before.
    pub(super) fn load(&self, rules: &mut Rules, chain: &str) {
        for (set, value) in self.bits() {
            rules.add(chain, format_args!("-m set --match-set {set} {} -j MARK --or-mark {value}", self.key));
        }
    }

    /// Rules that store the mark. Bits that it does not have stay.
    pub(super) fn store(&self, rules: &mut Rules, chain: &str, seconds: u32) {
        for (set, value) in self.bits() {
            let add = format!("-j SET --add-set {set} {} --exist --timeout {seconds}", self.key);
            rules.add(chain, format_args!("-m mark --mark {value}/{value} {add}"));
        }
    }

    /// Rules that store the port dialled. Bits that it does not have stay.
    pub(super) fn store_port(&self, rules: &mut Rules, chain: &str, family: Family, seconds: u32) {
        // Both ports as one number of 32 bits: behind the header of IPv4, whose length it says itself, or of IPv6.
        let ports = match family {
            Family::V4 => "0>>22&0x3C@0",
            Family::V6 => "40",
        };
        for (bit, set) in self.sets().enumerate() {
            let add = format!("-j SET --add-set {set} {} --exist --timeout {seconds}", self.key);
            rules.add(chain, format_args!("-p tcp -m u32 --u32 \"{ports}>>{bit}&1=1\" {add}"));
        }
    }

    /// Rules that make the number 0.
    pub(super) fn clear(&self, rules: &mut Rules, chain: &str) {
        for set in self.sets() {
            rules.add(chain, format_args!("-j SET --del-set {set} {}", self.key));
        }
    }

    /// Lines for ipset that store a number.
    pub(super) fn write<'a>(&'a self, element: &'a str, number: u32) -> impl Iterator<Item = String> + 'a {
        self.bits().map(move |(set, value)| {
            let command = if number & value == 0 { "del" } else { "add" };
            format!("{command} {set} {element}")
        })
    }
}
