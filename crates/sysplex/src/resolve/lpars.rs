//! LPARs and their system symbols.

use std::collections::BTreeMap;

use toml::Spanned;

use super::addresses::Addresses;
use super::{EPHEMERAL, PerLpar, Problems, expand_and};
use crate::model::{LARGEST_SYSPLEX, Lpar, LparIndex};
use crate::names::cut;
use crate::raw::{LparTable, Topology};
use crate::symbols::{LONGEST_NAME, Symbols, is_symbol_name};

pub(super) fn resolve(topology: &Topology, sysplex: &str, addresses: &Addresses, problems: &mut Problems) -> Vec<Lpar> {
    if topology.lpar.is_empty() {
        problems.add(0..0, "the sysplex has no LPAR: expected at least one `[[lpar]]`");
    }
    if let Some(first_too_many) = topology.lpar.get(LARGEST_SYSPLEX as usize) {
        let message = format!("the sysplex has {} LPARs: z/OS takes {LARGEST_SYSPLEX} at most", topology.lpar.len());
        problems.add(first_too_many.name.span(), message);
    }
    let places = addresses.homes.iter().zip(&addresses.xcfs);
    let tables = topology.lpar.iter().enumerate().zip(places);
    tables
        .map(|((position, table), (&home, &xcf))| Lpar {
            name: problems.mvs_name(&table.name, "system name"),
            index: LparIndex::at(position),
            home,
            xcf,
            home6: addresses.home6(position),
            xcf6: addresses.xcf6(position),
            wlm: table.wlm.as_ref().map_or(1, |weight| wlm_weight(weight, problems)),
            server_wlm: server_wlm(table, problems),
            symbols: symbols(table, sysplex, problems),
            ephemeral: EPHEMERAL,
            tasks: Vec::new(),
            stack: table.stack.read(&mut problems.found),
        })
        .collect()
}

/// 1 to 64, as WLM's weights are (our memory of z/OS).
fn wlm_weight(weight: &Spanned<u8>, problems: &mut Problems) -> u8 {
    let found = *weight.get_ref();
    if !(1..=64).contains(&found) {
        problems.add(weight.span(), format!("{found} is no WLM weight: expected 1 to 64"));
    }
    found
}

fn server_wlm(table: &LparTable, problems: &mut Problems) -> BTreeMap<u16, u8> {
    let mut weights = BTreeMap::new();
    for (port, weight) in &table.server_wlm {
        match crate::ports::port(port.get_ref()) {
            Ok(port) => drop(weights.insert(port, wlm_weight(weight, problems))),
            Err(message) => problems.add(port.span(), message),
        }
    }
    weights
}

/// SYSNAME and SYSPLEX are given; SYSCLONE is, unless defined, the last two characters of SYSNAME (our memory of z/OS).
fn symbols(table: &LparTable, sysplex: &str, problems: &mut Problems) -> Symbols {
    let name = table.name.get_ref();
    let mut symbols = Symbols::default();
    symbols.set("SYSNAME", name.clone());
    symbols.set("SYSPLEX", sysplex);
    let clone: String = name.chars().skip(name.chars().count().saturating_sub(2)).collect();
    symbols.set("SYSCLONE", clone);

    let mut troubles = PerLpar::default();
    // SYSCLONE first: the others may use it.
    let (clone, others): (Vec<_>, Vec<_>) = table.symbols.iter().partition(|(key, _)| key.get_ref() == "SYSCLONE");
    let given = symbols.clone();
    for (_, value) in &clone {
        match expand_and(&value.get_ref().0, &given, sysclone) {
            Ok(text) => symbols.set("SYSCLONE", text),
            Err(trouble) => {
                // The bad value stands in, so that what is made from it is not blamed on the default.
                symbols.set("SYSCLONE", value.get_ref().0.clone());
                troubles.add(value.span(), trouble, name);
            }
        }
    }
    let given = symbols.clone();
    for (key, value) in &others {
        if let Some(message) = bad_name(key.get_ref()) {
            problems.add(key.span(), message);
            continue;
        }
        match expand_and(&value.get_ref().0, &given, |text| Ok(text.to_owned())) {
            Ok(text) => symbols.set(key.get_ref().clone(), text),
            Err(trouble) => troubles.add(value.span(), trouble, name),
        }
    }
    troubles.report(problems);
    symbols
}

fn sysclone(text: &str) -> Result<String, String> {
    let good = (1..=2).contains(&text.len()) && crate::names::is_mvs_name(text);
    good.then(|| text.to_owned())
        .ok_or_else(|| format!("`{}` is no value for SYSCLONE: expected 1 or 2 of A-Z, 0-9, @, #, $", cut(text)))
}

fn bad_name(name: &str) -> Option<String> {
    let shown = cut(name);
    match name {
        "SYSNAME" => Some("SYSNAME is built in: it is the LPAR's `name`".to_owned()),
        "SYSPLEX" => Some("SYSPLEX is built in: it is the `name` in `[sysplex]`".to_owned()),
        _ if name.starts_with('&') => Some(format!("`{shown}` is written without the ampersand here")),
        _ if name.starts_with("SYS") => Some(format!("`{shown}` begins with SYS: such names belong to the system")),
        _ if !is_symbol_name(name) => {
            Some(format!("`{shown}` is not a symbol's name: expected 1 to {LONGEST_NAME} of A-Z, 0-9, @, #, $, _"))
        }
        _ => None,
    }
}
