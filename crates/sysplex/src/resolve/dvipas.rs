//! Dynamic VIPAs and their VIPADISTRIBUTE statements.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use toml::Spanned;

use super::addresses::Addresses;
use super::{Problems, expand_and};
use crate::model::{Distribute, Dvipa, Lpar, LparIndex, Method, NoTarget};
use crate::names::{cut, did_you_mean};
use crate::ports::port_or_range;
use crate::raw::{DistributeTable, DvipaTable, Topology, Value};
use crate::symbols::Symbols;

/// The lab's own limit on the ports of one DVIPA: every one of them becomes a rule of its own. (PORT takes 64 entries on
/// z/OS, from memory, and an entry can be a range.)
const MOST_PORTS: usize = 1024;

/// Documented methods that this lab does not have yet.
const OTHER_METHODS: [&str; 5] = ["BASEWLM", "SERVERWLM", "WEIGHTEDACTIVE", "HOTSTANDBY", "TARGCONTROLLED"];

pub(super) fn resolve(
    topology: &Topology,
    addresses: &Addresses,
    lpars: &[Lpar],
    problems: &mut Problems,
) -> Vec<Dvipa> {
    let tables = topology.dvipa.iter().zip(&addresses.dvipas);
    tables.filter_map(|(table, &address)| dvipa(table, address, lpars, problems)).collect()
}

fn dvipa(table: &DvipaTable, address: Ipv4Addr, lpars: &[Lpar], problems: &mut Problems) -> Option<Dvipa> {
    let owner = problems.lpar(&table.owner, lpars);
    let backups = problems.lpars(&table.backups, lpars);
    if let Some(name) = table.backups.iter().find(|name| name.get_ref() == table.owner.get_ref()) {
        problems
            .add(name.span(), format!("`{}` owns the DVIPA: expected another LPAR as its backup", cut(name.get_ref())));
    }
    let no_target = match &table.no_target {
        Some(word) => problems.word(word, "policy", &[("reset", NoTarget::Reset), ("drop", NoTarget::Drop)]),
        None => Some(NoTarget::default()),
    };
    // PROFILE.TCPIP is read on the system that owns the DVIPA, so its symbols count.
    let symbols = owner.and_then(|index| lpars.iter().find(|lpar| lpar.index == index)).map(|lpar| &lpar.symbols);
    let mut seen = BTreeSet::new();
    let statements: Vec<_> =
        table.distribute.iter().map(|statement| distribute(statement, symbols, lpars, &mut seen, problems)).collect();
    if seen.len() > MOST_PORTS {
        let message = format!("{} ports are distributed for this DVIPA: the lab takes {MOST_PORTS}", seen.len());
        problems.add(table.address.span(), message);
    }
    let distribute = statements.into_iter().collect::<Option<_>>()?;
    Some(Dvipa { address, owner: owner?, backups: backups?, no_target: no_target?, distribute })
}

fn distribute(
    table: &DistributeTable,
    symbols: Option<&Symbols>,
    lpars: &[Lpar],
    seen: &mut BTreeSet<u16>,
    problems: &mut Problems,
) -> Option<Distribute> {
    if table.ports.get_ref().is_empty() {
        problems.add(table.ports.span(), "no port is distributed: expected at least one");
    }
    let mut ports = Vec::new();
    for value in table.ports.get_ref() {
        ports.extend(entry(value, symbols, seen, problems));
    }
    let targets = targets(&table.targets, lpars, problems);
    let method = method(&table.method, problems);
    Some(Distribute { ports, method: method?, targets: targets?, sysplexports: table.sysplexports })
}

/// The ports of one entry that were not distributed before.
fn entry(
    value: &Spanned<Value>,
    symbols: Option<&Symbols>,
    seen: &mut BTreeSet<u16>,
    problems: &mut Problems,
) -> Vec<u16> {
    // Without an owner there are no symbols, and the owner was reported already.
    let Some(symbols) = symbols else { return Vec::new() };
    let range = match expand_and(&value.get_ref().0, symbols, port_or_range) {
        Ok(range) => range,
        Err((message, help)) => {
            problems.add_with_help(value.span(), message, help);
            return Vec::new();
        }
    };
    let (twice, new): (Vec<u16>, Vec<u16>) = range.partition(|port| seen.contains(port));
    if let Some(port) = twice.first() {
        problems.add(value.span(), format!("port {port} is distributed twice for this DVIPA: expected it once"));
    }
    seen.extend(&new);
    new
}

fn targets(names: &Spanned<Vec<Spanned<String>>>, lpars: &[Lpar], problems: &mut Problems) -> Option<Vec<LparIndex>> {
    match names.get_ref().as_slice() {
        [] => {
            problems.add_with_help(
                names.span(),
                "no target is listed: expected names of LPARs",
                Some("`targets = [\"ALL\"]` names every LPAR".to_owned()),
            );
            None
        }
        [all] if all.get_ref() == "ALL" => Some(lpars.iter().map(|lpar| lpar.index).collect()),
        several => {
            if let Some(all) = several.iter().find(|name| name.get_ref() == "ALL") {
                problems.add(all.span(), "`ALL` stands alone: expected it without other names");
                return None;
            }
            problems.lpars(several, lpars)
        }
    }
}

fn method(word: &Spanned<String>, problems: &mut Problems) -> Option<Method> {
    let found = word.get_ref().as_str();
    if found == Method::RoundRobin.as_str() {
        return Some(Method::RoundRobin);
    }
    if OTHER_METHODS.contains(&found) {
        let message = format!("DISTMETHOD {found} is known, but not yet supported: expected ROUNDROBIN");
        problems.add(word.span(), message);
    } else {
        let all = OTHER_METHODS.into_iter().chain([Method::RoundRobin.as_str()]);
        let message = format!("`{}` is not a DISTMETHOD: expected ROUNDROBIN", cut(found));
        problems.add_with_help(word.span(), message, did_you_mean(found, all));
    }
    None
}
