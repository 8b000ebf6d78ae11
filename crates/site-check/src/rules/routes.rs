//! VIPAROUTE: F27, F28.

use std::collections::BTreeSet;

use zos_config::profile::{Net, Profile, Vipa};
use zos_config::source::Placed;

use crate::facts::{At, Facts, Found, list, live};
use crate::finding::Severity;

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    if facts.systems.is_empty() {
        of_topology(facts, found);
    } else {
        of_profiles(facts, found);
        large_packets(facts, found);
    }
}

/// F27.
fn of_topology(facts: &Facts<'_>, found: &mut Found) {
    for lpar in &facts.sysplex.lpars {
        let Some(target) = facts.sysplex.viparoutes.get(&lpar.xcf).filter(|&&target| target != lpar.home) else {
            continue;
        };
        let routes = facts.topology.iter().flat_map(|topology| &topology.viparoute);
        let mut routes = routes.filter(|route| *route.dynxcf.get_ref() == lpar.xcf.to_string());
        let at = routes.next().map(|route| At::Topology(route.target.span()));
        let message = format!("VIPAROUTE for {} leads to {target}, which is no address of {}", lpar.xcf, lpar.name);
        found.add("F27", at, message);
    }
}

/// F27, with all addresses that the profiles give.
fn of_profiles(facts: &Facts<'_>, found: &mut Found) {
    let mut seen = BTreeSet::new();
    for (_, system) in facts.systems() {
        for statement in live(&system.profile) {
            let Vipa::Route { dynxcf, target, .. } = &statement.value else { continue };
            let has_xcf = |xcf: &Option<Placed<Net>>| xcf.as_ref().is_some_and(|xcf| xcf.value.address == dynxcf.value);
            let of_target = facts
                .systems()
                .find(|(_, other)| has_xcf(&other.profile.dynamic_xcf) || has_xcf(&other.profile.dynamic_xcf6));
            let Some((lpar, other)) = of_target else { continue };
            if has(&other.profile, target.value) || !seen.insert((dynxcf.value, target.value)) {
                continue;
            }
            let message = format!(
                "VIPAROUTE for {} leads to {}, which is no address of {}",
                dynxcf.value, target.value, lpar.name
            );
            found.add("F27", Some(At::Member(target.place)), message);
        }
    }
}

fn has(profile: &Profile, address: std::net::IpAddr) -> bool {
    let homes = profile.homes.iter().map(|home| home.value.address.address);
    let interfaces = profile.interfaces.iter().flat_map(|one| &one.value.addresses).map(|one| one.value.address);
    homes.chain(interfaces).any(|own| own == address)
}

/// F28.
fn large_packets(facts: &Facts<'_>, found: &mut Found) {
    let mut silent = Vec::new();
    for (lpar, system) in facts.systems() {
        let mut routes = live(&system.profile).filter(|one| matches!(one.value, Vipa::Route { .. }));
        let Some(route) = routes.next() else { continue };
        match &system.profile.adjust_dvipa_mss {
            Some(word) if word.value == "NONE" => {
                let message = format!(
                    "{} has VIPAROUTEs and GLOBALCONFIG ADJUSTDVIPAMSS NONE: full segments have no room for the GRE header",
                    lpar.name
                );
                found.add_as(Severity::Warning, "F28", Some(At::Member(word.place)), message);
            }
            Some(_) => {}
            None => silent.push((lpar.name.as_str(), route.place)),
        }
    }
    let Some((_, place)) = silent.first() else { return };
    let names: Vec<&str> = silent.iter().map(|(name, _)| *name).collect();
    let message = format!(
        "VIPAROUTE without GLOBALCONFIG ADJUSTDVIPAMSS on {}: the release's default decides whether full segments have room for \
         the GRE header",
        list(&names)
    );
    found.add("F28", Some(At::Member(*place)), message);
}
