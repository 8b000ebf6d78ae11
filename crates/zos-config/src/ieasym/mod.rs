//! IEASYMxx: the system symbols of one system.
//!
//! Columns 1 to 71; comments from `/*` to `*/`; a SYSDEF begins a record; delimiters are blanks, commas or ends of records. (z/OS
//! MVS Initialization and Tuning Reference.)
//!
//! A SYSDEF with HWNAME, LPARNAME or VMUSERID is for the system that they identify. Which these are for a system may be told in
//! site.toml; else they are taken from the SYSDEF that gives the system its SYSNAME, and an LPAR that no SYSDEF names is taken to
//! be called like its system (our choice).

mod parse;

use std::collections::BTreeMap;

use sysplex::symbols::{LONGEST_NAME, Symbols, is_symbol_name};

pub use parse::{SysDef, read};

use crate::report::{NoteKind, Problem, Report, cut};
use crate::source::{Place, Placed};

/// The longest logical record, in characters, symbols resolved.
const LONGEST_RECORD: usize = 4096;

/// What identifies a system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// SYSNAME.
    pub name: String,
    /// HWNAME, where it is known.
    pub hwname: Option<String>,
    /// LPARNAME, where it is known.
    pub lparname: Option<String>,
    /// VMUSERID, where it is known.
    pub vmuserid: Option<String>,
}

/// The symbols of one system, and where they come from.
#[derive(Clone, Debug, Default)]
pub struct SystemSymbols {
    /// All of them, SYSNAME, SYSPLEX and SYSCLONE included.
    pub symbols: Symbols,
    /// Where each was defined, in a member.
    pub places: BTreeMap<String, Option<Place>>,
}

impl SystemSymbols {
    /// The built-in symbols alone. SYSCLONE is the last two characters of SYSNAME (from memory, as in `sysplex`).
    pub fn new(name: &str, sysplex: &str) -> Self {
        let mut found = Self::default();
        found.symbols.set("SYSNAME", name);
        found.symbols.set("SYSPLEX", sysplex);
        let clone: String = name.chars().skip(name.chars().count().saturating_sub(2)).collect();
        found.symbols.set("SYSCLONE", clone);
        found
    }

    /// Defines a symbol.
    pub fn define(&mut self, name: &str, value: String, place: Option<Place>, report: &mut Report) {
        if value.chars().count() > name.len() + 1 {
            let text = format!(
                "the text of &{name}, `{}`, is longer than the name with its ampersand: z/OS prompts the operator for another; \
                 taken as it is",
                cut(&value)
            );
            report.note(NoteKind::Assumed, place, text);
        }
        self.symbols.set(name, value);
        self.places.insert(name.to_owned(), place);
    }
}

/// What the SYSDEFs define for a system, in their order: of two definitions the last counts.
pub fn resolve(definitions: &[SysDef], identity: &Identity, sysplex: &str, report: &mut Report) -> SystemSymbols {
    let identity = completed(definitions, identity);
    let mut found = SystemSymbols::new(&identity.name, sysplex);
    let mine: Vec<&SysDef> = definitions.iter().filter(|definition| definition.is_for(&identity)).collect();
    // SYSCLONE first: other symbols may use it wherever it stands.
    for clone in mine.iter().filter_map(|definition| definition.sysclone.as_ref()) {
        if let Some(value) = report.keep(expand(clone, &found.symbols)) {
            found.symbols.set("SYSCLONE", value);
            found.places.insert("SYSCLONE".to_owned(), Some(clone.place));
        }
    }
    for definition in mine {
        let mut length = definition.length;
        for (name, value) in &definition.symbols {
            let defined = good_name(name).and_then(|()| expand(value, &found.symbols));
            if let Some(text) = report.keep(defined) {
                length += text.len();
                found.define(&name.value, text, Some(value.place), report);
            }
        }
        if length > LONGEST_RECORD {
            report.problem(
                definition.place,
                format!("SYSDEF has {length} characters: expected at most {LONGEST_RECORD}"),
            );
        }
    }
    found
}

fn expand(value: &Placed<String>, symbols: &Symbols) -> Result<String, Problem> {
    symbols.expand(&value.value).map(|expansion| expansion.text).map_err(|error| {
        Problem::new(value.place, error.to_string())
            .with_help("only symbols defined before can be used here".to_owned())
    })
}

fn good_name(name: &Placed<String>) -> Result<(), Problem> {
    let shown = cut(&name.value);
    if !is_symbol_name(&name.value) {
        let message = format!("`{shown}` is not a symbol's name: expected 1 to {LONGEST_NAME} of A-Z, 0-9, @, #, $, _");
        return Err(Problem::new(name.place, message));
    }
    if name.value.starts_with("SYS") {
        let message = format!("`{shown}` begins with SYS: such names belong to the system");
        return Err(Problem::new(name.place, message));
    }
    Ok(())
}

/// What is not known of a system, from the SYSDEF that names it.
fn completed(definitions: &[SysDef], identity: &Identity) -> Identity {
    let is_named = |definition: &&SysDef| definition.sysname.as_ref().is_some_and(|name| name.value == identity.name);
    let naming = definitions.iter().find(is_named);
    let of = |known: &Option<String>, filter: fn(&SysDef) -> &Option<Placed<String>>| {
        known.clone().or_else(|| filter(naming?).as_ref().map(|filter| filter.value.clone()))
    };
    Identity {
        name: identity.name.clone(),
        hwname: of(&identity.hwname, |definition| &definition.hwname),
        lparname: of(&identity.lparname, |definition| &definition.lparname).or_else(|| Some(identity.name.clone())),
        vmuserid: of(&identity.vmuserid, |definition| &definition.vmuserid),
    }
}

impl SysDef {
    fn is_for(&self, identity: &Identity) -> bool {
        let pairs = [
            (&self.hwname, &identity.hwname),
            (&self.lparname, &identity.lparname),
            (&self.vmuserid, &identity.vmuserid),
        ];
        // A filter that nothing is known for passes when another one is there to tell.
        let is_alone = pairs.iter().filter(|(filter, _)| filter.is_some()).count() == 1;
        let passes = pairs.iter().all(|(filter, known)| match (filter, known) {
            (None, _) => true,
            (Some(filter), Some(known)) => filter.value == *known,
            (Some(_), None) => !is_alone,
        });
        passes && self.sysname.as_ref().is_none_or(|name| name.value == identity.name || name.value.contains('&'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Members;

    const MEMBER: &str = "\
SYSDEF   SYSCLONE(&SYSNAME(-2:2))           /* for all              */
         SYMDEF(&EQAHLQ='EQAW')
SYSDEF   HWNAME(C1) LPARNAME(PROD1)
         SYSNAME(SYSA) SYSCLONE(34)
         SYMDEF(&EQADBM='53&SYSCLONE')      /* a comment
         over two records  */
SYSDEF   LPARNAME(PROD2),SYSNAME(SYSB)SYMDEF(&EQADBM.='5335')
SYSDEF   LPARNAME(PROD1) SYMDEF(&MORE='It''s') SYMD(&LONG='123456')
";

    fn symbols(text: &str, name: &str) -> (Symbols, Report) {
        let mut members = Members::default();
        let id = members.add("IEASYM00", text.as_bytes()).expect("small");
        let mut report = Report::default();
        let definitions = read(&members, id, &mut report);
        let identity = Identity { name: name.into(), ..Identity::default() };
        (resolve(&definitions, &identity, "PLEX1", &mut report).symbols, report)
    }

    #[test]
    fn filters_say_which_system_is_meant() {
        let (a, report) = symbols(MEMBER, "SYSA");
        assert_eq!(report.problems, []);
        let of = |symbols: &Symbols, name: &str| symbols.get(name).map(ToOwned::to_owned);
        assert_eq!(of(&a, "EQADBM").as_deref(), Some("5334"));
        assert_eq!(of(&a, "MORE").as_deref(), Some("It's"));
        assert_eq!(of(&a, "EQAHLQ").as_deref(), Some("EQAW"));
        assert!(report.notes[0].text.contains("&LONG"), "{report:?}");
        let (b, _) = symbols(MEMBER, "SYSB");
        assert_eq!((of(&b, "EQADBM").as_deref(), of(&b, "SYSCLONE").as_deref()), (Some("5335"), Some("SB")));
        assert_eq!(of(&b, "MORE"), None);
        let (other, _) = symbols(MEMBER, "SYSC");
        assert_eq!((of(&other, "EQADBM"), of(&other, "SYSCLONE").as_deref()), (None, Some("SC")));
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (text, expected) in [
            ("SYSDEF SYMDEF(&A='&B')\n", "IEASYM00:1:18"),
            ("SYSDEF SYMDEF(&SYSX='1')\n", "begins with SYS"),
            ("SYSDEF SYMDEF(&A='1'\n", "is not closed"),
            ("SYSDEF SYMDEF(A='1')\n", "expected `&NAME='text'`"),
            ("SYSDEF FOO(1)\n", "`FOO`"),
            ("SYMDEF(&A='1')\n", "before the first SYSDEF"),
            ("SYSDEF /* open\n", "comment is not closed"),
        ] {
            let mut members = Members::default();
            members.add("IEASYM00", text.as_bytes()).expect("small");
            let (_, report) = symbols(text, "SYSA");
            let rendered: Vec<String> = report.problems.iter().map(|problem| problem.render(&members)).collect();
            assert!(rendered.join("\n").contains(expected), "{text}: {rendered:?}");
        }
    }

    #[test]
    fn columns_beyond_71_are_no_part_of_it() {
        let text = format!("{:<71}SYMDEF(&A='1')\n", "SYSDEF");
        assert_eq!(symbols(&text, "SYSA").0.get("A"), None);
    }
}
