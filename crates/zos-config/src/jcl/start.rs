//! A procedure as a START command runs it: its symbols, and its steps with PARM and DDs resolved.
//!
//! A symbol's value is that of the START command, else that of the PROC statement, else that of the last SET before its use.
//! (That PROC and START come before SET is from memory.)

use std::collections::BTreeSet;

use sysplex::symbols::Symbols;

use super::statement::{Operand, Statement, unquoted};
use crate::report::{NoteKind, Problem, Report, cut};
use crate::source::{Place, Placed};
use crate::substitute::{Local, Resolved, substitute};

/// The longest PARM, in characters, after symbols are resolved (z/OS MVS JCL Reference, EXEC PARM).
const LONGEST_PARM: usize = 100;
/// The longest that PARMDD makes, in characters.
const LONGEST_PARMDD: usize = 32760;

/// A START command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The procedure.
    pub procedure: String,
    /// Symbols with their values.
    pub overrides: Vec<(String, String)>,
}

impl Start {
    /// Reads `S procname[.identifier][,SYMBOL=value]...`.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn parse(command: &str) -> Result<Self, String> {
        let expected = || format!("`{}` is no START command: expected such as `S DBGMGR,CLIENT=5335`", cut(command));
        let (verb, rest) = command.trim().split_once(' ').ok_or_else(expected)?;
        let mut parts = split_outside_quotes(rest.trim_start()).into_iter();
        let name = parts.next().unwrap_or_default().split('.').next().unwrap_or_default().to_owned();
        if !["S", "START"].contains(&verb.to_ascii_uppercase().as_str()) || name.is_empty() {
            return Err(expected());
        }
        let pair =
            |part: &str| part.split_once('=').map(|(key, value)| (key.trim().to_owned(), unquoted(value.trim())));
        let overrides = parts.map(|part| pair(&part).ok_or_else(expected)).collect::<Result<_, _>>()?;
        Ok(Self { procedure: name, overrides })
    }
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let (mut parts, mut in_quotes) = (vec![String::new()], false);
    for character in text.chars() {
        in_quotes ^= character == '\'';
        match parts.last_mut() {
            Some(last) if character != ',' || in_quotes => last.push(character),
            _ => parts.push(String::new()),
        }
    }
    parts
}

/// What ran.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// All symbols at the end.
    pub(crate) local: Local,
    /// Those that SET does not change.
    fixed: BTreeSet<String>,
    /// The steps.
    pub steps: Vec<Step>,
    /// PARMDD of each step.
    parmdds: Vec<Option<Placed<String>>>,
}

impl Run {
    /// The value of a symbol of the procedure.
    pub fn symbol(&self, name: &str) -> Option<&Placed<Resolved>> {
        self.local.get(name)
    }
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// PGM.
    pub program: String,
    /// PARM, or what PARMDD's records give.
    pub parm: Option<Placed<Resolved>>,
    /// Its DD statements.
    pub dds: Vec<Dd>,
    /// The EXEC statement.
    pub place: Place,
}

/// One DD statement.
#[derive(Clone, Debug)]
pub struct Dd {
    /// DDNAME.
    pub name: String,
    /// DSN, DSNAME or PATH.
    pub data_set: Option<String>,
    /// In-stream records; symbols are resolved when SYMBOLS is there.
    pub data: Option<Vec<Placed<Resolved>>>,
    /// The statement.
    pub place: Place,
}

/// Runs a procedure's statements.
pub fn run(
    statements: &[Statement],
    start: &Start,
    place: Option<Place>,
    symbols: &Symbols,
    report: &mut Report,
) -> Run {
    let mut run = Run::default();
    let here = place.or_else(|| statements.first().map(|statement| statement.place));
    for statement in statements {
        match statement.operation.as_str() {
            "PROC" => run.define(statement, start, here, symbols),
            "SET" => run.set(statement, symbols),
            "EXEC" => run.exec(statement, symbols, report),
            "DD" => run.dd(statement, symbols),
            "PEND" | "JOB" | "EXPORT" | "OUTPUT" | "" => {}
            other => {
                let text = format!("{} is not looked into", cut(other));
                report.note(NoteKind::PassedOver, statement.place, text);
            }
        }
    }
    for (step, parmdd) in run.steps.iter_mut().zip(&run.parmdds) {
        step.finish(parmdd.as_ref(), report);
    }
    run
}

impl Run {
    fn define(&mut self, statement: &Statement, start: &Start, here: Option<Place>, symbols: &Symbols) {
        for operand in &statement.operands {
            if let Some(key) = &operand.key {
                self.assign(key, operand, symbols);
            }
        }
        for (name, value) in &start.overrides {
            let value = substitute(value, &self.local, symbols);
            let place = here.unwrap_or(statement.place);
            self.local.insert(name.clone(), Placed::new(value, place));
        }
        self.fixed = self.local.keys().cloned().collect();
    }

    fn set(&mut self, statement: &Statement, symbols: &Symbols) {
        for operand in &statement.operands {
            if let Some(key) = operand.key.as_ref().filter(|key| !self.fixed.contains(*key)) {
                self.assign(key, operand, symbols);
            }
        }
    }

    fn assign(&mut self, key: &str, operand: &Operand, symbols: &Symbols) {
        let value = substitute(&unquoted(&operand.value), &self.local, symbols);
        self.local.insert(key.to_owned(), Placed::new(value, operand.place));
    }

    fn exec(&mut self, statement: &Statement, symbols: &Symbols, report: &mut Report) {
        let Some(program) = statement.operand("PGM") else {
            report.note(NoteKind::PassedOver, statement.place, "EXEC of a procedure is not looked into");
            return;
        };
        let program = substitute(&unquoted(&program.value), &self.local, symbols).text;
        let parm = statement
            .operand("PARM")
            .map(|parm| Placed::new(substitute(&parm_text(&parm.value), &self.local, symbols), parm.place));
        if let Some(parm) = parm.as_ref().filter(|parm| parm.value.text.chars().count() > LONGEST_PARM) {
            let message = format!(
                "PARM has {} characters with its symbols resolved: expected at most {LONGEST_PARM}",
                parm.value.text.chars().count()
            );
            let help = "PARMDD takes a longer text from a DD".to_owned();
            report.problems.push(Problem::new(parm.place, message).with_help(help));
        }
        let parmdd = statement.operand("PARMDD").map(|dd| Placed::new(dd.value.clone(), dd.place));
        self.steps.push(Step { program, parm, dds: Vec::new(), place: statement.place });
        self.parmdds.push(parmdd);
    }

    fn dd(&mut self, statement: &Statement, symbols: &Symbols) {
        let has_symbols = statement.operand("SYMBOLS").is_some();
        let resolve = |line: &Placed<String>| {
            let value = if has_symbols {
                substitute(&line.value, &self.local, symbols)
            } else {
                Resolved { unknown: Vec::new(), ..Resolved::plain(line.value.clone()) }
            };
            Placed::new(value, line.place)
        };
        let data = statement.data.as_ref().map(|lines| lines.iter().map(resolve).collect());
        let keys = ["DSN", "DSNAME", "PATH"];
        let data_set = keys.iter().find_map(|key| statement.operand(key));
        let data_set = data_set.map(|operand| substitute(&unquoted(&operand.value), &self.local, symbols).text);
        let dd = Dd { name: statement.name.clone(), data_set, data, place: statement.place };
        if let Some(step) = self.steps.last_mut() {
            step.dds.push(dd);
        }
    }
}

impl Step {
    /// A DD by its name.
    pub fn dd(&self, name: &str) -> Option<&Dd> {
        self.dds.iter().find(|dd| dd.name == name)
    }

    /// PARMDD: the records of its DD one behind the other, without blanks at their ends.
    fn finish(&mut self, parmdd: Option<&Placed<String>>, report: &mut Report) {
        let Some(parmdd) = parmdd else { return };
        let Some(data) = self.dd(&parmdd.value).and_then(|dd| dd.data.as_ref()) else {
            let text = format!("PARMDD={} is no in-stream data: not looked into", cut(&parmdd.value));
            return report.note(NoteKind::PassedOver, parmdd.place, text);
        };
        let mut whole = Resolved::default();
        for line in data {
            whole.text.push_str(line.value.text.trim_end());
            whole.symbolic.push_str(line.value.symbolic.trim_end());
            whole.unknown.extend(line.value.unknown.iter().cloned());
        }
        if whole.text.chars().count() > LONGEST_PARMDD {
            report.problem(parmdd.place, format!("PARMDD gives more than {LONGEST_PARMDD} characters"));
        }
        self.parm = Some(Placed::new(whole, parmdd.place));
    }
}

/// PARM as the program gets it: without apostrophes and outer parentheses; values in parentheses keep their commas.
fn parm_text(written: &str) -> String {
    let Some(inner) = written.strip_prefix('(').and_then(|written| written.strip_suffix(')')) else {
        return unquoted(written);
    };
    let parts: Vec<String> = split_outside_quotes(inner).iter().map(|part| unquoted(part)).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::super::statement;
    use super::*;
    use crate::source::Members;

    const PROC: &str = "\
//DBGMGR PROC PRM=,
//       LEPRM='RPTOPTS(ON)',
//       CLIENT=53&SYSCLONE,HOST=5336
//       SET TZ='EST5EDT',CLIENT=1
//S      EXEC PGM=EQAZPCM,
//       PARM=('&LEPRM ENVAR(\"TZ=&TZ\")/&HOST &CLIENT &PRM')
";

    fn parm(text: &str, start: &str) -> (Resolved, Vec<String>) {
        let mut members = Members::default();
        let id = members.add("P", text.as_bytes()).expect("small");
        let mut symbols = Symbols::default();
        symbols.set("SYSCLONE", "34");
        let mut report = Report::default();
        let statements = statement::read(&members, id, &mut report);
        let start = Start::parse(start).expect("a START");
        let run = run(&statements, &start, None, &symbols, &mut report);
        let parm = run.steps[0].parm.clone().expect("PARM").value;
        (parm, report.problems.iter().map(|problem| problem.message.clone()).collect())
    }

    #[test]
    fn defaults_set_and_overrides() {
        let (found, problems) = parm(PROC, "S DBGMGR");
        assert_eq!(problems, [""; 0]);
        assert_eq!(found.text, "RPTOPTS(ON) ENVAR(\"TZ=EST5EDT\")/5336 5334 ");
        assert!(found.symbolic.ends_with("/5336 53&SYSCLONE "), "{found:?}");
        let (found, _) = parm(PROC, "START DBGMGR.A,CLIENT=5340,PRM='DEBUG HUBIP=9.9.9.1'");
        assert!(found.text.ends_with("/5336 5340 DEBUG HUBIP=9.9.9.1"), "{found:?}");
    }

    #[test]
    fn a_parm_has_100_characters_at_most() {
        let of = |length: usize| format!("//P PROC X={}\n//S EXEC PGM=A,PARM='&X'\n", "A".repeat(length));
        assert_eq!(parm(&of(60), "S P").1, [""; 0]);
        let long =
            "//P PROC\n//A SET X=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n//S EXEC PGM=A,PARM='&X&X.B'\n";
        assert!(parm(long, "S P").1[0].contains("101 characters"));
    }

    #[test]
    fn parmdd_puts_records_together() {
        let text = "//P PROC\n//S EXEC PGM=A,PARMDD=IN\n//IN DD *,SYMBOLS=CNVTSYS\nONE  \n &SYSCLONE\n/*\n";
        assert_eq!(parm(text, "S P").0.text, "ONE 34");
    }

    #[test]
    fn start_commands() {
        assert_eq!(Start::parse("s RSED").expect("right").procedure, "RSED");
        for wrong in ["RSED", "S", "P RSED", "S RSED,PORT", ""] {
            assert!(Start::parse(wrong).is_err(), "{wrong}");
        }
    }
}
