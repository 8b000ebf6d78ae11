//! DVIPAs: who defines, who backs up, and what the owner distributes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::distribute;
use super::segments::Addresses;
use super::systems::Gathered;
use super::toml::{Toml, address, list, string};
use crate::profile::{Define, Distribute, DvipaName, Profile, Vipa};
use crate::report::{NoteKind, Problem, Report};
use crate::site::Site;
use crate::source::{Place, Placed};

/// Entry of the field catalogue: a DVIPA that only a VIPARANGE could make.
const DVIPA_OF_A_RANGE: &str = "F33";

/// One DVIPA, put together from all profiles. Systems are positions in the list of systems.
#[derive(Default)]
struct Dvipa {
    definitions: Vec<(usize, Define)>,
    backups: Vec<Backup>,
    distributions: BTreeMap<usize, Vec<Placed<Distribute>>>,
}

#[derive(Clone)]
struct Backup {
    system: usize,
    define: Define,
    rank: Option<Placed<u8>>,
    place: Place,
}

/// Writes the tables; what they are called by.
pub(super) fn write(
    toml: &mut Toml<'_>,
    site: &Site,
    systems: &[Gathered<'_>],
    addresses: &Addresses,
    report: &mut Report,
) {
    let (mut all, order) = gather(systems, report);
    let from_manifest = site.manifest.dvipa.iter().filter_map(|table| table.address.get_ref().parse::<IpAddr>().ok());
    let mut order: Vec<IpAddr> = from_manifest.filter(|address| all.contains_key(address)).chain(order).collect();
    let mut seen = std::collections::BTreeSet::new();
    order.retain(|address| seen.insert(*address));
    for name in order {
        if let Some(dvipa) = all.remove(&name) {
            let mut writer = Writer { toml, site, systems, addresses, report, name };
            writer.dvipa(dvipa);
        }
    }
}

/// All DVIPAs, and the order in which they were found.
fn gather(systems: &[Gathered<'_>], report: &mut Report) -> (BTreeMap<IpAddr, Dvipa>, Vec<IpAddr>) {
    let (mut all, mut order): (BTreeMap<IpAddr, Dvipa>, Vec<IpAddr>) = Default::default();
    for (system, gathered) in systems.iter().enumerate() {
        let own = Own::of(&gathered.profile, report);
        for (statement, place) in &own.statements {
            let address = match statement {
                Vipa::Define(define) | Vipa::Backup { define, .. } => define.dvipa.value.address,
                Vipa::Distribute(distribute) => match own.address(&distribute.dvipa.value) {
                    Some(address) => address,
                    None => {
                        let message = "VIPADISTRIBUTE for a DVIPA that this profile neither defines nor backs up";
                        let help = "expected a VIPADEFINE or VIPABACKUP before it".to_owned();
                        let has_range = gathered.profile.vipa.iter().any(|one| matches!(one.value, Vipa::Range(_)));
                        let problem = Problem::new(distribute.dvipa.place, message).with_help(help);
                        report.problems.push(problem.with_code(has_range.then_some(DVIPA_OF_A_RANGE)));
                        continue;
                    }
                },
                _ => continue,
            };
            if !all.contains_key(&address) {
                order.push(address);
            }
            let dvipa = all.entry(address).or_default();
            match statement {
                Vipa::Define(define) => dvipa.definitions.push((system, define.clone())),
                Vipa::Backup { define, rank } => {
                    dvipa.backups.push(Backup { system, define: define.clone(), rank: rank.clone(), place: *place });
                }
                Vipa::Distribute(distribute) => {
                    let statement = Placed::new(distribute.as_ref().clone(), *place);
                    dvipa.distributions.entry(system).or_default().push(statement);
                }
                _ => {}
            }
        }
    }
    (all, order)
}

/// The statements of one profile that VIPADELETE has left.
struct Own<'p> {
    statements: Vec<(&'p Vipa, Place)>,
    names: BTreeMap<DvipaName, IpAddr>,
}

impl<'p> Own<'p> {
    fn of(profile: &'p Profile, report: &mut Report) -> Self {
        let mut own = Self { statements: Vec::new(), names: BTreeMap::new() };
        for statement in &profile.vipa {
            match &statement.value {
                Vipa::Define(define) | Vipa::Backup { define, .. } => own.define(define, statement, report),
                Vipa::Delete(name) => own.delete(name, statement.place, report),
                Vipa::Other(what) => {
                    report.note(NoteKind::NotCarried, statement.place, format!("{what}: the lab has none"));
                }
                Vipa::Range(range) => {
                    let addresses = range.as_ref().and_then(|net| Some(format!(" {}/{}", net.address, net.bits?)));
                    let text = format!("VIPARANGE{}: the lab has none", addresses.unwrap_or_default());
                    report.note(NoteKind::NotCarried, statement.place, text);
                }
                Vipa::Distribute(_) | Vipa::Route { .. } => own.statements.push((&statement.value, statement.place)),
            }
        }
        own
    }

    fn define(&mut self, define: &Define, statement: &'p Placed<Vipa>, report: &mut Report) {
        let address = define.dvipa.value.address;
        if self.names.insert(DvipaName::Address(address), address).is_some() {
            let message =
                format!("{address} is in a VIPADEFINE or VIPABACKUP already: expected a VIPADELETE before this one");
            return report.problem(define.dvipa.place, message);
        }
        if let Some(name) = &define.interface {
            self.names.insert(DvipaName::Interface(name.clone()), address);
        }
        for option in &define.options {
            report.note(NoteKind::NotCarried, option.place, option.value);
        }
        self.statements.push((&statement.value, statement.place));
    }

    fn delete(&mut self, name: &DvipaName, place: Place, report: &mut Report) {
        let Some(address) = self.address(name) else {
            return report.problem(place, "VIPADELETE of a DVIPA that this profile does not have");
        };
        self.names.retain(|_, other| *other != address);
        let names = self.names.clone();
        self.statements.retain(|(statement, _)| match statement {
            Vipa::Define(define) | Vipa::Backup { define, .. } => define.dvipa.value.address != address,
            Vipa::Distribute(distribute) => names.contains_key(&distribute.dvipa.value),
            _ => true,
        });
    }

    fn address(&self, name: &DvipaName) -> Option<IpAddr> {
        self.names.get(name).copied()
    }
}

struct Writer<'w, 'm> {
    toml: &'w mut Toml<'m>,
    site: &'w Site,
    systems: &'w [Gathered<'w>],
    addresses: &'w Addresses,
    report: &'w mut Report,
    name: IpAddr,
}

impl Writer<'_, '_> {
    fn dvipa(&mut self, mut dvipa: Dvipa) {
        let Some((owner, define)) = self.owner(&mut dvipa) else { return };
        self.toml.table("[[dvipa]]");
        let place = define.dvipa.place;
        self.toml.key("address", &address(self.addresses.of(self.name)), place);
        self.toml.key("owner", &string(self.system(owner)), place);
        if let Some(moveable) = &define.moveable {
            self.toml.key("moveable", &string(moveable.value.as_str()), moveable.place);
        }
        let table = self.site.manifest.dvipa.iter().find(|table| table.address.get_ref().parse() == Ok(self.name));
        if let Some(policy) = table.and_then(|table| table.no_target.as_ref()) {
            self.toml.key("no_target", &string(policy.get_ref()), self.site.in_manifest(policy.span()));
        }
        if let Some(table) = table {
            let rank = |backup: &Backup| table.backups.iter().position(|name| name == self.system(backup.system));
            dvipa.backups.sort_by_key(|backup| rank(backup).unwrap_or(usize::MAX));
        }
        self.backups(&dvipa.backups);
        self.distributions(owner, dvipa.distributions);
    }

    fn system(&self, position: usize) -> &str {
        &self.systems[position].system.identity.name
    }

    /// The system with the VIPADEFINE. Without one, the backup that would activate the DVIPA first.
    fn owner(&mut self, dvipa: &mut Dvipa) -> Option<(usize, Define)> {
        let mut definitions = std::mem::take(&mut dvipa.definitions).into_iter();
        if let Some((owner, define)) = definitions.next() {
            for (other, define) in definitions {
                let text = format!(
                    "VIPADEFINE of {} on {}: {} has one too, and a DVIPA has one owner here",
                    self.name,
                    self.system(other),
                    self.system(owner)
                );
                self.report.note(NoteKind::NotCarried, define.dvipa.place, text);
            }
            return Some((owner, define));
        }
        let rank =
            |backup: &Backup| (backup.define.moveable.is_some(), backup.rank.as_ref().map_or(1, |rank| rank.value));
        let best = dvipa.backups.iter().map(rank).max()?;
        let position = dvipa.backups.iter().position(|backup| rank(backup) == best)?;
        let first = dvipa.backups.remove(position);
        let text = format!(
            "{} has no VIPADEFINE among the members: {}, the backup of the highest rank, owns it here",
            self.name,
            self.system(first.system)
        );
        self.report.note(NoteKind::Assumed, first.place, text);
        Some((first.system, first.define))
    }

    fn backups(&mut self, backups: &[Backup]) {
        let is_plain = |backup: &Backup| backup.rank.is_none() && backup.define.moveable.is_none();
        if backups.iter().all(is_plain) {
            if !backups.is_empty() {
                let names = list(backups.iter().map(|backup| string(self.system(backup.system))));
                let places: Vec<Place> = backups.iter().map(|backup| backup.place).collect();
                self.toml.key_of("backups", &names, &places);
            }
            return;
        }
        for backup in backups {
            self.toml.table("[[dvipa.backup]]");
            let name = string(&self.systems[backup.system].system.identity.name);
            self.toml.key("lpar", &name, backup.place);
            if let Some(rank) = &backup.rank {
                self.toml.key("rank", &rank.value.to_string(), rank.place);
            }
            if let Some(moveable) = &backup.define.moveable {
                self.toml.key("moveable", &string(moveable.value.as_str()), moveable.place);
            }
        }
    }

    /// The owner's statements. A backup's own are used on z/OS once it owns the DVIPA (from memory); here the owner's are.
    fn distributions(&mut self, owner: usize, mut distributions: BTreeMap<usize, Vec<Placed<Distribute>>>) {
        let own = distributions.remove(&owner).unwrap_or_default();
        for statement in &own {
            distribute::write(self.toml, statement, self.systems, self.report);
        }
        let of_owner: Vec<_> = own.iter().map(|statement| distribute::essence(&statement.value)).collect();
        for (system, statements) in distributions {
            let is_same =
                statements.iter().map(|statement| distribute::essence(&statement.value)).eq(of_owner.iter().cloned());
            if is_same {
                continue;
            }
            for statement in statements {
                let text = format!(
                    "VIPADISTRIBUTE of {} on {}, which backs it up: it differs from that of {}, which counts here",
                    self.name,
                    self.system(system),
                    self.system(owner)
                );
                self.report.note(NoteKind::NotCarried, statement.place, text);
            }
        }
    }
}
