//! The way of a logon: F11, F13, F14, F19.

use std::ops::Range;

use sysplex::Dvipa;
use sysplex::raw::{Spanned, StartedTaskTable};
use zos_config::profile::{DvipaName, Vipa};

use crate::facts::{At, Daemon, Facts, Found, live, reaches};
use crate::finding::Severity;

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    for dvipa in facts.sysplex.dvipas.iter().filter(|dvipa| !dvipa.sysplexports) {
        sysplexports(facts, dvipa, found);
    }
    let daemons: Vec<Daemon<'_>> = facts.daemons().collect();
    for (position, one) in daemons.iter().enumerate() {
        port_range(facts, one, found);
        for other in &daemons[position + 1..] {
            overlap(facts, one, other, found);
        }
        if !facts.managers().any(|manager| manager.lpar.index == one.lpar.index) && facts.managers().next().is_some() {
            let message = format!("{} on {} has no Debug Manager on its own system", one.name, one.lpar.name);
            found.add("F19", facts.at_task(one.lpar, one.name, |_| None), message);
        }
    }
}

/// F11.
fn sysplexports(facts: &Facts<'_>, dvipa: &Dvipa, found: &mut Found) {
    let address = facts.own(dvipa.address);
    if let Some(late) = dvipa.distribute.iter().find(|statement| statement.sysplexports) {
        let message = format!("SYSPLEXPORTS is not on the first VIPADISTRIBUTE of {address}, so it has no effect");
        let sysplex::Ports::Listed(ports) = &late.ports else {
            return found.add("F11", facts.at_dvipa(dvipa), message);
        };
        let at = ports.first().and_then(|port| facts.at_statement(dvipa, *port, |_| None));
        return found.add("F11", late_keyword(facts, dvipa).or(at), message);
    }
    let mut ephemeral = facts.daemons().filter(|daemon| {
        daemon.port_range.is_none()
            && dvipa.distribute.iter().any(|statement| reaches(statement, daemon.port, daemon.lpar.index))
    });
    let (Some(first), Some(_)) = (ephemeral.next(), ephemeral.next()) else { return };
    let message = format!(
        "{address} distributes RSED's port {} without SYSPLEXPORTS: the second port of a logon is not unique in the sysplex",
        first.port
    );
    let at = facts.at_statement(dvipa, first.port, |table| table.ports.as_ref().map(Spanned::span));
    found.add("F11", at, message);
}

/// The word itself, in the owner's profile.
fn late_keyword(facts: &Facts<'_>, dvipa: &Dvipa) -> Option<At> {
    let (_, system) = facts.systems().find(|(lpar, _)| lpar.index == dvipa.owner)?;
    let name = DvipaName::Address(facts.own(dvipa.address));
    let place = live(&system.profile).find_map(|statement| match &statement.value {
        Vipa::Distribute(one) if one.dvipa.value == name => one.sysplexports,
        _ => None,
    });
    place.map(At::Member)
}

fn range_span(table: &StartedTaskTable) -> Option<Range<usize>> {
    table.port_range.as_ref().map(Spanned::span)
}

/// F13.
fn overlap(facts: &Facts<'_>, one: &Daemon<'_>, other: &Daemon<'_>, found: &mut Found) {
    let (Some(a), Some(b)) = (one.port_range, other.port_range) else { return };
    let share_a_dvipa = facts.sysplex.dvipas.iter().any(|dvipa| {
        let to = |daemon: &Daemon<'_>| {
            dvipa.distribute.iter().any(|statement| reaches(statement, daemon.port, daemon.lpar.index))
        };
        to(one) && to(other)
    });
    if one.lpar.index == other.lpar.index || a.start >= b.end || b.start >= a.end || !share_a_dvipa {
        return;
    }
    let message = format!(
        "_RSE_PORTRANGE {}-{} on {} and {}-{} on {} overlap",
        a.start, a.end, one.lpar.name, b.start, b.end, other.lpar.name
    );
    found.add("F13", facts.at_task(other.lpar, other.name, range_span), message);
}

/// F14 of a range that holds one port; one that holds none is no range.
fn port_range(facts: &Facts<'_>, daemon: &Daemon<'_>, found: &mut Found) {
    let Some(range) = daemon.port_range.filter(|range| range.len() == 1) else { return };
    let message = format!(
        "_RSE_PORTRANGE {}-{} on {} holds the port {} alone, because its end is exclusive",
        range.start, range.end, daemon.lpar.name, range.start
    );
    let at = facts.at_task(daemon.lpar, daemon.name, range_span);
    found.add_as(Severity::Warning, "F14", at, message);
}
