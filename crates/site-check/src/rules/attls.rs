//! AT-TLS policies among the members: F23.
//!
//! A policy is read for the ports of its `LocalPortRange` statements alone; their syntax, `first`, `first-last` or `first last`, is
//! from memory.

use std::collections::BTreeMap;

use zos_config::site::Kind;
use zos_config::source::{MemberId, Members, Place};

use crate::facts::{At, Facts, Found, Manager, has_port, list};

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    let Some(site) = facts.site else { return };
    let mut by_policy: BTreeMap<MemberId, Vec<Manager<'_>>> = BTreeMap::new();
    let mut without = Vec::new();
    let mut policies: BTreeMap<MemberId, Vec<(String, Place)>> = BTreeMap::new();
    for manager in facts.managers() {
        let Some((_, system)) = facts.systems().find(|(lpar, _)| lpar.index == manager.lpar.index) else { return };
        let mut members = site.visible(system.system, Kind::Other).into_values();
        let policy = members.find(|id| !policies.entry(*id).or_insert_with(|| ranges(&site.members, *id)).is_empty());
        match policy {
            Some(id) => by_policy.entry(id).or_default().push(manager),
            None => without.push(manager.lpar.name.as_str()),
        }
    }
    let is_covered = |id: &MemberId, port: u16| policies[id].iter().any(|(range, _)| has_port(range, port));
    let all = || by_policy.iter().flat_map(|(id, managers)| managers.iter().map(move |manager| (id, manager)));
    let Some((_, protected)) = all().find(|(id, manager)| is_covered(id, manager.client)) else { return };
    for (id, manager) in all().filter(|(id, manager)| !is_covered(id, manager.client)) {
        let message = format!(
            "no AT-TLS rule is for CLIENT port {} of {} on {}, and one is for {} on {}",
            manager.client, manager.name, manager.lpar.name, protected.client, protected.lpar.name
        );
        let place = policies[id].first().map(|(_, place)| At::Member(*place));
        found.add("F23", place, message);
    }
    let first = all().find_map(|(id, manager)| {
        policies[id].iter().find(|(range, _)| has_port(range, manager.client)).map(|(_, place)| *place)
    });
    if !without.is_empty() {
        let message = format!(
            "an AT-TLS rule is for CLIENT port {} on {}, and {} has no policy among the members",
            protected.client,
            protected.lpar.name,
            list(&without)
        );
        found.add("F23", first.map(At::Member), message);
    }
}

/// The ports of a policy's rules; none when it is no policy.
fn ranges(members: &Members, id: MemberId) -> Vec<(String, Place)> {
    let member = members.get(id);
    if !member.text().contains("TTLSRule") {
        return Vec::new();
    }
    let lines = member.lines().filter_map(|line| {
        let text = line.text.split('#').next().unwrap_or_default();
        let mut words = text.split_whitespace();
        words.next().filter(|word| word.eq_ignore_ascii_case("LocalPortRange"))?;
        let range = words.collect::<Vec<_>>().join("-");
        let start = line.start + (text.len() - text.trim_start().len());
        Some((range, Members::place(id, start..line.start + text.trim_end().len())))
    });
    lines.collect()
}
