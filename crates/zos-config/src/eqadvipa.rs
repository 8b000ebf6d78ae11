//! The EQADVIPA job (SEQASAMP): it creates system symbol EQADBM with the unique port of the system.
//!
//! How it does that is not shown in the documentation. Read here, our choice: a step with PGM=IEASYMU2 or IEASYMUP and
//! `PARM='NAME=value'`, with or without ampersands before the name and a period behind it; the value may use system symbols.

use sysplex::symbols::is_symbol_name;

use crate::jcl::{Program, Run};
use crate::report::Problem;
use crate::source::Placed;

/// The symbols that the job sets.
///
/// # Errors
/// A PARM that is not of that form.
pub fn symbols(run: &Run) -> Result<Vec<(String, Placed<String>)>, Problem> {
    let mut found = Vec::new();
    for step in run.steps.iter().filter(|step| step.kind() == Some(Program::SymbolUpdate)) {
        let Some(parm) = &step.parm else {
            return Err(Problem::new(step.place, "expected PARM='NAME=value', the symbol to define"));
        };
        let pair = parm.value.text.split_once('=');
        let name = pair.map(|(name, _)| name.trim().trim_start_matches('&').trim_end_matches('.').to_owned());
        match (name.filter(|name| is_symbol_name(name)), pair) {
            (Some(name), Some((_, value))) if parm.value.unknown.iter().all(|unknown| *unknown == name) => {
                let value = value.trim().trim_matches('\'').to_owned();
                found.push((name, Placed::new(value, parm.place)));
            }
            _ => {
                let message = format!("PARM is `{}`: expected `NAME=value`, its symbols defined", parm.value.text);
                return Err(Problem::new(parm.place, message));
            }
        }
    }
    Ok(found)
}
