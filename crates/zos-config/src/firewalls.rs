//! `[[firewall]]`, which no member of a site says: from `site.toml` to a topology and back, as it is written.

use sysplex::raw::{FirewallTable, Names, Spanned, Value};

use crate::import::toml::{list, string, value};

/// The keys of a table with their values as TOML, and where each stands in its file.
pub(crate) fn keys(table: &FirewallTable) -> Vec<(&'static str, String, std::ops::Range<usize>)> {
    let names = |names: &Spanned<Names>| (list(names.get_ref().0.iter().map(|name| string(name))), names.span());
    let ports = |ports: &Spanned<Vec<Spanned<Value>>>| {
        (list(ports.get_ref().iter().map(|port| value(&port.get_ref().0))), ports.span())
    };
    let all = [
        ("from", table.from.as_ref().map(names)),
        ("to", table.to.as_ref().map(names)),
        ("allow", table.allow.as_ref().map(ports)),
        ("drop", table.drop.as_ref().map(ports)),
        ("reject", table.reject.as_ref().map(ports)),
        ("with", table.with.as_ref().map(|with| (string(with.get_ref()), with.span()))),
    ];
    all.into_iter().filter_map(|(key, found)| found.map(|(text, span)| (key, text, span))).collect()
}
