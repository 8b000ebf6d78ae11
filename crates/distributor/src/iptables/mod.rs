//! iptables with ipset: chains in the owner's table `mangle`, and sets for what they remember. Packets stay as they are; there is
//! no address translation and no connection tracking in it.
//!
//! What the kernel learns from packets stands in sets, which no change of a rule empties: `iptables-legacy` loads a whole table
//! anew for every change, and would start every counter of `-m statistic` again.
//!
//! What the plan says changes often, and each rule that has to change costs time. So the chains of a port are the same for every
//! plan. Which ports are distributed, have TIMEDAFFINITY, and whom each has ready, are [sets of ports](plan_sets), in which one
//! line adds or takes ports in a row. [Whose turn it is](rounds) stands in rules, one chain for all ports with the same round. When a
//! target of 64 ports with 32 targets goes, that is one run of `ipset` with two lines and one of `iptables-restore` with 34 rules.
//!
//! Two things that ipset has no element for are put together from what it has:
//!
//! - A connection has two ports, a key of a set only one. So each distributed port has sets of its own, with the client's
//!   address, the client's port and the DVIPA as the key.
//! - A rule cannot store a number with an element. So the number of the target stands in binary, [one set per bit](numbers).
//!
//! The same behaviour as that of [`crate::Nftables`], except:
//!
//! - A port of SYSPLEXPORTS belongs to one LPAR, so every packet to it goes there, known or not; while the DVIPA settles, only
//!   what is known. The table of these connections is there to be read: a client's port stands in it once, with the last port
//!   that it dialled.
//! - Set anew, it knows only the ports of the new plan: connections to others that were distributed before are not forwarded.
//! - Whose turn it is, is counted and then looked up. Two SYNs in the same instant on two processors may both get the later turn.
//! - A set does not grow when packets fill it: beyond some 50,000 connections to one port, new ones begin to be lost.
//! - ipset counts time in seconds. The timer of an affinity is rounded up.
//! - Each run of a tool is atomic for itself: one for the rules of each family and table, and before it one for the sets, where
//!   each line is. Between the two a port that is distributed only now, or no longer, is the owner's own.
//!
//! For every setting anew, and for every port that is distributed again after it was not, one more rule leads to the same chain.
//! It does nothing, as the first one has done it, and no rule of anyone else has to go. The sets of a port stay when it is
//! distributed no longer, for the connections that are left; their elements expire.

mod entries;
mod family;
mod numbers;
mod pick;
mod plan_sets;
mod port;
mod read;
mod render;
mod rounds;
mod ruleset;
mod shared;

use std::time::Duration;

use self::family::Family;
use crate::{Affinity, Backend, Connection, OwnerPlan, ReadError, Script, Tables};

/// The tool for sets.
const IPSET: &str = "ipset";

/// The backend for iptables with ipset (seen to work with iptables 1.8.9, both `nf_tables` and `legacy`, and ipset 7.17).
///
/// `iptables-legacy` needs to write its lock file, `/run/xtables.lock`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Iptables;

impl Backend for Iptables {
    fn name(&self) -> &'static str {
        "iptables"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[IPSET, "iptables-restore", "iptables-save", "ip6tables-restore", "ip6tables-save"]
    }

    fn clear(&self, prepared: bool) -> Vec<Script> {
        // Without `--noflush`: the tables are as they are written here, empty.
        let empty = |program| Script::new(program, &[], "*mangle\nCOMMIT\n*filter\nCOMMIT\n");
        let sets = Script::new(IPSET, &["destroy"], "");
        if prepared { vec![empty("iptables-restore"), empty("ip6tables-restore"), sets] } else { Vec::new() }
    }

    fn render(&self, previous: Option<&OwnerPlan>, next: &OwnerPlan, connections: &[Connection]) -> Vec<Script> {
        render::scripts(previous, next, connections)
    }

    fn forget(&self, connections: &[Connection]) -> Vec<Script> {
        if connections.is_empty() { Vec::new() } else { vec![ipset(entries::forget(connections))] }
    }

    fn read(&self) -> Vec<Script> {
        let rules = Family::ALL.map(|family| Script::new(family.save(), &["-t", "mangle"], ""));
        [Script::new(IPSET, &["save"], "")].into_iter().chain(rules).collect()
    }

    fn parse(&self, outputs: &[String]) -> Result<Tables, ReadError> {
        let (sets, rules) = outputs.split_first().map_or(("", outputs), |(sets, rules)| (sets.as_str(), rules));
        read::parse(sets, rules)
    }

    fn affinity_timers(&self, timers: &[(Affinity, Duration)]) -> Vec<Script> {
        if timers.is_empty() { Vec::new() } else { vec![ipset(entries::affinity_timers(timers))] }
    }
}

/// What exists may be added, and what is gone deleted.
fn ipset(text: String) -> Script {
    Script::new(IPSET, &["restore", "-exist"], text)
}

/// Other rules of the table stay.
fn restore(family: Family, text: String) -> Script {
    Script::new(family.restore(), &["--wait", "--noflush"], text)
}
