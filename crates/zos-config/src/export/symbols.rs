//! IEASYM00: a SYSDEF for each LPAR.

use std::fmt::Write as _;

use super::Source;

/// Columns that hold data.
const LAST_COLUMN: usize = 71;

/// The record that defines a symbol; nothing when a member cannot hold it.
pub(super) fn definition(name: &str, value: &str) -> Option<String> {
    let record = format!("         SYMDEF(&{name}='{}')", value.replace('\'', "''"));
    let fits = record.len() <= LAST_COLUMN && value.bytes().all(|b| (b' '..=b'~').contains(&b));
    fits.then_some(record)
}

pub(super) fn write(source: &Source<'_>) -> String {
    let mut text = "/* System symbols, for all systems of the sysplex */\n".to_owned();
    for (lpar, table) in source.sysplex.lpars.iter().zip(&source.topology.lpar) {
        let _ = write!(text, "SYSDEF   LPARNAME({0})\n         SYSNAME({0})\n", lpar.name);
        for name in table.symbols.keys().map(|name| name.get_ref().as_str()) {
            let value = lpar.symbols.get(name).unwrap_or_default();
            if name == "SYSCLONE" {
                let _ = writeln!(text, "         SYSCLONE({value})");
            } else if let Some(record) = definition(name, value) {
                text.push_str(&record);
                text.push('\n');
            }
        }
    }
    text
}
