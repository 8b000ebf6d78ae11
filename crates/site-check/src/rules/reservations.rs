//! PORT and PORTRANGE: F30 of BIND, F34 of SHAREPORT, D03 of another job's.

use sysplex::{Distribute, Lpar, Method};
use zos_config::import::Gathered;
use zos_config::profile::PortEntry;
use zos_config::source::Placed;

use crate::facts::{At, Facts, Found, covers, reaches};

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    for (lpar, system) in facts.systems() {
        bound_elsewhere(facts, lpar, system, found);
        shared(facts, lpar, system, found);
        of_another_job(facts, lpar, system, found);
    }
}

/// The ports of Debug Manager and RSED on an LPAR that clients come to, with the names of their started tasks.
fn ports_of<'a>(facts: &Facts<'a>, lpar: &'a Lpar) -> Vec<(u16, &'a str)> {
    let managers = facts.managers().filter(|one| one.lpar.index == lpar.index).map(|one| (one.client, one.name));
    let daemons = facts.daemons().filter(|one| one.lpar.index == lpar.index).map(|one| (one.port, one.name));
    managers.chain(daemons).collect()
}

/// F30.
fn bound_elsewhere(facts: &Facts<'_>, lpar: &Lpar, system: &Gathered<'_>, found: &mut Found) {
    for (port, task) in ports_of(facts, lpar) {
        let mut of_port =
            facts.statements().filter(|(_, statement)| reaches(statement, port, lpar.index)).map(|(dvipa, _)| dvipa);
        let reservation =
            system.profile.ports.iter().find(|entry| covers(&entry.value, port) && may_use(&entry.value, task));
        let Some(entry) = reservation else { continue };
        let Some(bind) = entry.value.bind.filter(|bind| !bind.is_unspecified()) else { continue };
        let Some(first) = of_port.next() else { continue };
        if facts.own(first.address) == bind || of_port.any(|dvipa| facts.own(dvipa.address) == bind) {
            continue;
        }
        let message = format!(
            "PORT {port} binds {task} on {} to {bind}, and not to {}, which distributes the port",
            lpar.name,
            facts.own(first.address)
        );
        found.add("F30", Some(At::Member(entry.place)), message);
    }
}

/// F34: with methods that go by weights and target responsiveness.
fn shared(facts: &Facts<'_>, lpar: &Lpar, system: &Gathered<'_>, found: &mut Found) {
    let by_weight = |statement: &Distribute| {
        matches!(statement.method, Method::BaseWlm | Method::ServerWlm | Method::WeightedActive)
    };
    let is_shared =
        |entry: &&Placed<PortEntry>| entry.value.options.iter().any(|option| option.starts_with("SHAREPORT"));
    for entry in system.profile.ports.iter().filter(is_shared) {
        let ports = entry.value.first..=entry.value.last;
        let mut statements = facts.statements().filter(|(_, statement)| by_weight(statement));
        let shared = statements.find_map(|(dvipa, statement)| {
            let mut ports = ports.clone();
            ports
                .find(|port| entry.value.is_tcp && reaches(statement, *port, lpar.index))
                .map(|port| (dvipa, statement, port))
        });
        let Some((dvipa, statement, port)) = shared else { continue };
        let message = format!(
            "PORT {port} on {} has SHAREPORT, and {} distributes it by {}",
            lpar.name,
            facts.own(dvipa.address),
            statement.method.as_str()
        );
        found.add("F34", Some(At::Member(entry.place)), message);
    }
}

/// D03: only Debug Manager's port, since the jobs of RSED have other names than its procedure.
fn of_another_job(facts: &Facts<'_>, lpar: &Lpar, system: &Gathered<'_>, found: &mut Found) {
    for manager in facts.managers().filter(|manager| manager.lpar.index == lpar.index) {
        let of_port = |entry: &&Placed<PortEntry>| covers(&entry.value, manager.client);
        let mut entries = system.profile.ports.iter().filter(of_port).peekable();
        let Some(first) = entries.peek().copied() else { continue };
        if entries.any(|entry| may_use(&entry.value, manager.name)) {
            continue;
        }
        let message = format!(
            "CLIENT port {} of {} on {} is reserved for {}",
            manager.client, manager.name, lpar.name, first.value.job
        );
        found.add("D03", Some(At::Member(first.place)), message);
    }
}

/// May the started task use the port? OMVS is any program of z/OS UNIX, `*` any job (from memory).
fn may_use(entry: &PortEntry, task: &str) -> bool {
    match entry.job.strip_suffix('*') {
        Some(begin) => task.starts_with(begin),
        None => entry.job == task || entry.job == "OMVS",
    }
}
