//! Programs as started tasks, which no member of a site says: from `site.toml` to a topology and back, as they are written.

use std::collections::BTreeMap;
use std::ops::Range;

use sysplex::raw::{ReadyTable, Spanned, StartedTaskTable};

use crate::import::toml::{list, string, value};

/// The keys of program `command` with their values as TOML, and where each stands in its file.
pub(crate) fn keys(table: &StartedTaskTable) -> Vec<(&'static str, String, Range<usize>)> {
    let words = |words: &Spanned<Vec<Spanned<String>>>| {
        (list(words.get_ref().iter().map(|word| string(word.get_ref()))), words.span())
    };
    let texts = |texts: &BTreeMap<Spanned<String>, Spanned<String>>| {
        let first = texts.keys().next()?;
        let pairs = texts.iter().map(|(key, text)| format!("{} = {}", string(key.get_ref()), string(text.get_ref())));
        Some((format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", ")), first.span()))
    };
    let ready = |ready: &Spanned<ReadyTable>| {
        let text = match ready.get_ref() {
            ReadyTable::Word(word) => string(word),
            ReadyTable::Port(port) => format!("{{ port = {} }}", value(&port.0)),
            ReadyTable::Log(text) => format!("{{ log = {} }}", string(text)),
        };
        (text, ready.span())
    };
    let all = [
        ("command", table.command.as_ref().map(words)),
        ("environment", texts(&table.environment)),
        ("files", texts(&table.files)),
        ("ready", table.ready.as_ref().map(ready)),
        ("restart", table.restart.as_ref().map(|restart| (string(restart.get_ref()), restart.span()))),
        ("restart_most", table.restart_most.as_ref().map(|most| (most.get_ref().to_string(), most.span()))),
    ];
    all.into_iter().filter_map(|(key, found)| found.map(|(text, span)| (key, text, span))).collect()
}
