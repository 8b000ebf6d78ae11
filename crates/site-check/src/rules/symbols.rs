//! System symbols: F07 of SYSCLONE, D01. What a symbol makes of a port is found where the started task is read (F07, F08).

use std::collections::BTreeMap;

use sysplex::Lpar;
use sysplex::raw::Spanned;

use crate::facts::{At, Facts, Found, list};
use crate::finding::Severity;

pub(super) fn check(facts: &Facts<'_>, found: &mut Found) {
    sysclone(facts, found);
    for lpar in &facts.sysplex.lpars {
        for (name, value) in lpar.symbols.too_long() {
            let message =
                format!("on {}, the text of &{name}, `{value}`, is longer than the name with its ampersand", lpar.name);
            found.add("D01", at_symbol(facts, lpar, name), message);
        }
    }
}

/// Where a symbol is defined; the system, where it is built in.
fn at_symbol(facts: &Facts<'_>, lpar: &Lpar, name: &str) -> Option<At> {
    let table = facts.lpar_table(lpar)?;
    let defined = table.symbols.iter().find(|(key, _)| key.get_ref() == name);
    Some(At::Topology(defined.map_or_else(|| table.name.span(), |(_, value)| Spanned::span(value))))
}

/// F07 of systems with one SYSCLONE.
fn sysclone(facts: &Facts<'_>, found: &mut Found) {
    let mut by_clone: BTreeMap<&str, Vec<&Lpar>> = BTreeMap::new();
    for lpar in &facts.sysplex.lpars {
        if let Some(clone) = lpar.symbols.get("SYSCLONE") {
            by_clone.entry(clone).or_default().push(lpar);
        }
    }
    let matters = |lpars: &[&Lpar]| lpars.len() > 1 && (is_used(facts) || lpars.iter().any(|lpar| is_given(lpar)));
    for (clone, lpars) in by_clone.into_iter().filter(|(_, lpars)| matters(lpars)) {
        let names: Vec<&str> = lpars.iter().map(|lpar| lpar.name.as_str()).collect();
        let message =
            format!("SYSCLONE is `{clone}` on {}: a port made from it is the same on all of them", list(&names));
        let at = lpars.last().and_then(|lpar| at_symbol(facts, lpar, "SYSCLONE"));
        found.add_as(Severity::Warning, "F07", at, message);
    }
}

/// The default, the last two characters of SYSNAME, is ours to assume where nothing is written; then it may be another.
fn is_given(lpar: &Lpar) -> bool {
    lpar.symbols.get("SYSCLONE").is_some_and(|clone| !lpar.name.ends_with(clone))
}

/// Is a CLIENT port made of it?
fn is_used(facts: &Facts<'_>) -> bool {
    let mut tables = facts.topology.iter().flat_map(|topology| &topology.started_task);
    tables.any(|table| table.client.as_ref().is_some_and(|client| client.get_ref().0.contains("&SYSCLONE")))
}
