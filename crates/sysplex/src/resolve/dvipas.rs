//! Dynamic VIPAs: VIPADEFINE and VIPABACKUP. Their VIPADISTRIBUTE statements are in [`super::distribute`].

use std::net::IpAddr;

use super::addresses::Addresses;
use super::{Problems, distribute};
use crate::dvipa::{Backup, Dvipa, Moveable, NoTarget};
use crate::model::{Lpar, LparIndex};
use crate::names::cut;
use crate::raw::{DvipaTable, Topology};

/// VIPABACKUP's rank when none is given.
const DEFAULT_RANK: u8 = 1;

const MOVEABLE: [(&str, Moveable); 2] = [("IMMEDIATE", Moveable::Immediate), ("WHENIDLE", Moveable::WhenIdle)];

pub(super) fn resolve(
    topology: &Topology,
    addresses: &Addresses,
    lpars: &[Lpar],
    problems: &mut Problems,
) -> Vec<Dvipa> {
    let tables = topology.dvipa.iter().zip(&addresses.dvipas);
    tables.filter_map(|(table, &address)| dvipa(table, address, lpars, problems)).collect()
}

fn dvipa(table: &DvipaTable, address: IpAddr, lpars: &[Lpar], problems: &mut Problems) -> Option<Dvipa> {
    let owner = problems.lpar(&table.owner, lpars);
    let backups = backups(table, owner, lpars, problems);
    let moveable = match &table.moveable {
        Some(word) => problems.word(word, "form of MOVEABLE", &MOVEABLE),
        None => Some(Moveable::default()),
    };
    if let (Some(Moveable::WhenIdle), true, Some(word)) = (moveable, address.is_ipv6(), &table.moveable) {
        problems.add(word.span(), "WHENIDLE with IPv6: expected IMMEDIATE, the only form there");
    }
    let no_target = match &table.no_target {
        Some(word) => problems.word(word, "policy", &[("reset", NoTarget::Reset), ("drop", NoTarget::Drop)]),
        None => Some(NoTarget::default()),
    };
    // PROFILE.TCPIP is read on the system that owns the DVIPA, so its symbols count.
    let symbols = owner.and_then(|index| lpars.iter().find(|lpar| lpar.index == index)).map(|lpar| &lpar.symbols);
    let (distribute, sysplexports) = distribute::resolve(table, symbols, lpars, problems)?;
    Some(Dvipa {
        address,
        owner: owner?,
        moveable: moveable?,
        backups: backups?,
        no_target: no_target?,
        distribute,
        sysplexports,
    })
}

/// The short form and the full one, the highest rank first.
fn backups(
    table: &DvipaTable,
    owner: Option<LparIndex>,
    lpars: &[Lpar],
    problems: &mut Problems,
) -> Option<Vec<Backup>> {
    let names = table.backups.iter().chain(table.backup.iter().map(|backup| &backup.lpar));
    let names: Vec<_> = names.cloned().collect();
    let found = problems.lpars(&names, lpars)?;
    let mut good = true;
    for (name, _) in names.iter().zip(&found).filter(|(_, index)| Some(**index) == owner) {
        let message = format!("`{}` owns the DVIPA: expected another LPAR as its backup", cut(name.get_ref()));
        problems.add(name.span(), message);
        good = false;
    }
    let mut backups = Vec::new();
    for (position, lpar) in found.into_iter().enumerate() {
        let full = position.checked_sub(table.backups.len()).and_then(|position| table.backup.get(position));
        let rank = match full.and_then(|full| full.rank.as_ref()) {
            Some(rank) if !(1..=254).contains(rank.get_ref()) => {
                problems.add(rank.span(), format!("{} is no rank: expected 1 to 254", rank.get_ref()));
                good = false;
                DEFAULT_RANK
            }
            Some(rank) => *rank.get_ref(),
            None => DEFAULT_RANK,
        };
        let activates = match full.and_then(|full| full.moveable.as_ref()) {
            Some(word) => Some(problems.word(word, "form of MOVEABLE", &MOVEABLE)?),
            None => None,
        };
        backups.push(Backup { lpar, rank, activates });
    }
    // Stable: as written among equals.
    backups.sort_by_key(|backup| std::cmp::Reverse(backup.rank));
    good.then_some(backups)
}
