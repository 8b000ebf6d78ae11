//! The DBGMGR procedure: program EQAZPCM, `PARM='<LE options>/<HOST> <CLIENT> <PRM>'`.
//!
//! HUBIP and HUBPORT are documented for a configuration file and for environment variables, without their syntax. Read here, our
//! choice, as the lab's Debug Manager takes them: `KEY=VALUE` words of PRM, then ENVAR of the LE options, then the records of DD
//! STDENV.

use std::collections::BTreeMap;

use super::{Run, Step};
use crate::report::{NoteKind, Problem, Report, cut};
use crate::source::{Place, Placed};
use crate::substitute::Resolved;

/// What a DBGMGR procedure says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebugManager {
    /// HOST, the internal port.
    pub host: Placed<Resolved>,
    /// CLIENT, the external port.
    pub client: Placed<Resolved>,
    /// The words of PRM that are no `KEY=VALUE`, such as DEBUG.
    pub words: Vec<Placed<String>>,
    /// LE options, before the slash.
    pub le: String,
    /// HUBIP, HUBPORT, WAIT, TRUSTEDTCP, and what else the environment holds.
    pub environment: BTreeMap<String, Placed<Resolved>>,
}

/// Reads the step of EQAZPCM; `stdenv` are the records of its STDENV when they are in another member.
///
/// # Errors
/// PARM is not there or has not both ports.
pub fn debug_manager(
    run: &Run,
    step: &Step,
    stdenv: Vec<Placed<Resolved>>,
    report: &mut Report,
) -> Result<DebugManager, Problem> {
    const EXPECTED: &str = "`<LE options>/<HOST> <CLIENT> <PRM>`";
    let parm = step.parm.as_ref();
    let parm = parm.ok_or_else(|| Problem::new(step.place, format!("EQAZPCM without PARM: expected {EXPECTED}")))?;
    let split = |text: &str| slash(text).map(|at| (text[..at].to_owned(), text[at + 1..].to_owned()));
    let missing = |found: &str| Problem::new(parm.place, format!("PARM is `{}`: expected {EXPECTED}", cut(found)));
    let (le, arguments) = split(&parm.value.text).ok_or_else(|| missing(&parm.value.text))?;
    let symbolic = split(&parm.value.symbolic).map_or_else(|| arguments.clone(), |(_, symbolic)| symbolic);
    let mut words = parm.value.part(&arguments, &symbolic).words().into_iter();
    let (Some(host), Some(client)) = (words.next(), words.next()) else { return Err(missing(&parm.value.text)) };

    let mut found = DebugManager {
        host: at_symbol(run, "HOST", host, parm.place),
        client: at_symbol(run, "CLIENT", client, parm.place),
        words: Vec::new(),
        environment: BTreeMap::new(),
        le,
    };
    for word in words {
        found.word(at_symbol(run, "PRM", word, parm.place));
    }
    let envar = envar(&found.le).into_iter().map(|text| Placed::new(Resolved::plain(text), parm.place));
    for line in envar.chain(stdenv) {
        found.line(&line, report);
    }
    Ok(found)
}

impl DebugManager {
    fn word(&mut self, word: Placed<Resolved>) {
        match pair(&word.value) {
            Some((key, value)) => drop(self.environment.entry(key).or_insert(Placed::new(value, word.place))),
            None => self.words.push(Placed::new(word.value.text, word.place)),
        }
    }

    /// One record of the environment; what came before counts.
    fn line(&mut self, line: &Placed<Resolved>, report: &mut Report) {
        let text = line.value.text.trim();
        if text.is_empty() || text.starts_with(['#', '*']) {
            return;
        }
        match pair(&line.value) {
            Some((key, value)) => drop(self.environment.entry(key).or_insert(Placed::new(value, line.place))),
            None => report.note(NoteKind::PassedOver, line.place, format!("`{}` is no KEY=VALUE", cut(text))),
        }
    }
}

/// The place of the symbol that the word comes from, when its value is the word.
fn at_symbol(run: &Run, name: &str, word: Resolved, place: Place) -> Placed<Resolved> {
    let symbol = run.symbol(name).filter(|symbol| symbol.value.text.split_whitespace().any(|part| part == word.text));
    Placed::new(word, symbol.map_or(place, |symbol| symbol.place))
}

fn pair(line: &Resolved) -> Option<(String, Resolved)> {
    let (key, text) = line.text.split_once('=')?;
    let symbolic = line.symbolic.split_once('=').map_or(text, |(_, symbolic)| symbolic);
    Some((key.trim().to_owned(), line.part(text.trim(), symbolic.trim())))
}

/// The slash that ends the LE options: the first outside quotation marks and parentheses (from memory).
fn slash(text: &str) -> Option<usize> {
    let (mut in_quotes, mut depth) = (false, 0usize);
    text.bytes().position(|b| {
        match b {
            b'"' => in_quotes = !in_quotes,
            b'(' if !in_quotes => depth += 1,
            b')' if !in_quotes => depth = depth.saturating_sub(1),
            _ => {}
        }
        b == b'/' && !in_quotes && depth == 0
    })
}

/// The variables of `ENVAR("A=1","B=2")`.
fn envar(le: &str) -> Vec<String> {
    let Some((_, list)) = le.split_once("ENVAR(") else { return Vec::new() };
    let list = list.split_once(')').map_or(list, |(list, _)| list);
    list.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}
