//! The faults that stand, or have stood not long ago, and who owned the DVIPA when.

use std::collections::BTreeSet;

use crate::explain::grace;
use crate::fault::Fault;

/// One of them.
#[derive(Clone, Debug)]
struct Stood {
    id: u32,
    fault: Fault,
    from_ns: u64,
    /// With its grace; the end of time while it stands.
    until_ns: u64,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    stood: Vec<Stood>,
    /// When the machine stood still: from, and until when that excuses.
    still: Vec<(u64, u64)>,
    /// Since when, and who.
    owners: Vec<(u64, String)>,
}

impl Faults {
    pub(super) fn new(owner: String) -> Self {
        Self { stood: Vec::new(), still: Vec::new(), owners: vec![(0, owner)] }
    }

    pub(super) fn began(&mut self, t_ns: u64, id: u32, fault: Fault) {
        self.stood.push(Stood { id, fault, from_ns: t_ns, until_ns: u64::MAX });
    }

    pub(super) fn healed(&mut self, t_ns: u64, id: u32) {
        for stood in self.stood.iter_mut().filter(|stood| stood.id == id && stood.until_ns == u64::MAX) {
            stood.until_ns = t_ns + grace(&stood.fault, t_ns.saturating_sub(stood.from_ns));
        }
    }

    /// It did so for this long until now. What was late for that is late by as much.
    pub(super) fn stood_still(&mut self, t_ns: u64, ns: u64) {
        self.still.push((t_ns.saturating_sub(ns), t_ns + ns));
    }

    /// Did it, within this time?
    pub(super) fn was_still(&self, from_ns: u64, to_ns: u64) -> bool {
        self.still.iter().any(|(from, until)| *from <= to_ns && *until >= from_ns)
    }

    pub(super) fn owner_is(&mut self, t_ns: u64, lpar: String) {
        if self.owners.last().is_none_or(|(_, last)| *last != lpar) {
            self.owners.push((t_ns, lpar));
        }
    }

    /// Nothing that began before this time is asked for any more.
    pub(super) fn forget(&mut self, before_ns: u64) {
        self.stood.retain(|stood| stood.until_ns >= before_ns);
        self.still.retain(|(_, until)| *until >= before_ns);
        while self.owners.len() > 1 && self.owners[1].0 < before_ns {
            self.owners.remove(0);
        }
    }

    /// The first fault that stood within this time and excuses it.
    pub(super) fn find(&self, from_ns: u64, to_ns: u64, excuses: impl Fn(&Fault) -> bool) -> Option<&Fault> {
        let within = |stood: &&Stood| stood.from_ns <= to_ns && stood.until_ns >= from_ns;
        self.stood.iter().filter(within).map(|stood| &stood.fault).find(|fault| excuses(fault))
    }

    /// Who owned the DVIPA within this time.
    pub(super) fn owners(&self, from_ns: u64, to_ns: u64) -> BTreeSet<String> {
        let ends = self.owners.iter().skip(1).map(|(at, _)| *at).chain([u64::MAX]);
        let all = self.owners.iter().zip(ends).filter(|((at, _), end)| *at <= to_ns && *end >= from_ns);
        all.map(|((_, owner), _)| owner.clone()).collect()
    }
}
