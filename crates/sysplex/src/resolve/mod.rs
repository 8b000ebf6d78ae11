//! From the topology as written to the sysplex as built. Every problem is collected; placeholders stand in for what could
//! not be read and never leave this module, since one problem is enough for an error.

mod addresses;
mod distribute;
mod dvipas;
mod lpars;
mod tasks;
mod viparoutes;

use std::ops::{Range, RangeInclusive};

use toml::Spanned;

use addresses::Addresses;

use crate::Diagnostic;
use crate::dvipa::Dvipa;
use crate::firewall::Firewall;
use crate::model::{Lpar, LparIndex, Sysplex, Workstation};
use crate::names::{cut, did_you_mean, is_mvs_name};
use crate::raw::{FirewallTable, Topology};
use crate::symbols::{SymbolError, Symbols};

/// First and last port that the lab's stacks give to a `bind` to port 0: the kernel's own default range.
const EPHEMERAL: RangeInclusive<u16> = 32768..=60999;

impl Topology {
    /// Resolves symbols, chooses addresses, checks everything.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn resolve(&self) -> Result<Sysplex, Vec<Diagnostic>> {
        self.resolve_with(Problems::default())
    }

    /// The same for a site that is run as it is: what symbols make of a Debug Manager's PARM (F07, F08 of the field catalogue) is
    /// no problem here, but the program's own, to which it is passed on.
    ///
    /// # Errors
    /// What is wrong besides.
    pub fn resolve_as_run(&self) -> Result<Sysplex, Vec<Diagnostic>> {
        self.resolve_with(Problems { as_run: true, ..Problems::default() })
    }

    fn resolve_with(&self, mut problems: Problems) -> Result<Sysplex, Vec<Diagnostic>> {
        let name = match &self.sysplex.name {
            Some(name) => problems.mvs_name(name, "sysplex name"),
            None => "LABPLEX".to_owned(),
        };
        let addresses = addresses::choose(self, &mut problems);
        let mut lpars = lpars::resolve(self, &name, &addresses, &mut problems);
        let dvipas = dvipas::resolve(self, &addresses, &lpars, &mut problems);
        tasks::resolve(self, &mut lpars, &mut problems);
        let workstations = addresses::workstations(self, &addresses, &mut problems);
        share_ephemeral_ports(&mut lpars, &dvipas);
        let viparoutes = viparoutes::resolve(self, addresses.lan, &lpars, &mut problems);
        let firewalls = firewalls(self, &lpars, &workstations, &mut problems);
        let defects = self.sysplex.read_defects(&mut problems.found);
        problems.none()?;
        let Addresses { lan, xcf, lan6, xcf6, .. } = addresses;
        Ok(Sysplex { name, lan, xcf, lan6, xcf6, lpars, dvipas, viparoutes, workstations, firewalls, defects })
    }
}

fn firewalls(
    topology: &Topology,
    lpars: &[Lpar],
    workstations: &[Workstation],
    problems: &mut Problems,
) -> Vec<Firewall> {
    let outside: Vec<&str> = workstations.iter().map(|workstation| workstation.name.as_str()).collect();
    let hosts: Vec<&str> = lpars.iter().map(|lpar| lpar.name.as_str()).chain(outside.iter().copied()).collect();
    let read = |table: &FirewallTable| table.read(&hosts, &outside).map_err(|found| problems.found.extend(found)).ok();
    topology.firewall.iter().filter_map(read).collect()
}

/// SYSPLEXPORTS in the lab: each LPAR has its own part of the range. (z/OS hands out single ports from the EZBEPORT
/// structure; what is the same is that a port belongs to one stack.)
pub(crate) fn share_ephemeral_ports(lpars: &mut [Lpar], dvipas: &[Dvipa]) {
    let all = u32::from(*EPHEMERAL.end()) - u32::from(*EPHEMERAL.start()) + 1;
    let Some(share) = all.checked_div(u32::try_from(lpars.len()).unwrap_or(u32::MAX)) else { return };
    let disjoint = dvipas.iter().any(|dvipa| dvipa.sysplexports);
    for (lpar, position) in lpars.iter_mut().zip(0..) {
        lpar.ephemeral = if disjoint {
            let first = u32::from(*EPHEMERAL.start()) + position * share;
            let last = (first + share).saturating_sub(1);
            u16::try_from(first).unwrap_or(u16::MAX)..=u16::try_from(last).unwrap_or(u16::MAX)
        } else {
            EPHEMERAL
        };
    }
}

/// Entries of the field catalogue, for what started tasks say.
const SYMBOL_MAKES_NO_PORT: &str = "F07";
const UNDEFINED_SYMBOL: &str = "F08";
const NO_PORT_IN_RANGE: &str = "F14";

/// What was found wrong so far.
#[derive(Default)]
struct Problems {
    found: Vec<Diagnostic>,
    /// What a Debug Manager itself will say of its PARM is none.
    as_run: bool,
}

impl Problems {
    fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.found.push(Diagnostic::new(span, message));
    }

    fn add_with_help(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.found.push(Diagnostic::new(span, message).with_help(help));
    }

    /// Nothing wrong, or everything that is, in the order of the file.
    fn none(mut self) -> Result<(), Vec<Diagnostic>> {
        self.found.sort_by_key(|problem| (problem.span.start, problem.span.end));
        if self.found.is_empty() { Ok(()) } else { Err(self.found) }
    }

    /// The name, checked.
    fn mvs_name(&mut self, name: &Spanned<String>, kind: &str) -> String {
        let text = name.get_ref();
        if !is_mvs_name(text) {
            let upper = text.to_uppercase();
            let help = is_mvs_name(&upper).then(|| format!("did you mean `{upper}`?"));
            let message = format!("`{}` is not a {kind}: expected 1 to 8 of A-Z, 0-9, @, #, $", cut(text));
            self.add_with_help(name.span(), message, help);
        }
        text.clone()
    }

    /// Reports a name that was used before; `kind` as in "two LPARs".
    fn unique<'a>(&mut self, names: impl IntoIterator<Item = &'a Spanned<String>>, kind: &str) {
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            if !seen.insert(name.get_ref()) {
                self.add(
                    name.span(),
                    format!("two {kind} are named `{}`: expected names that differ", cut(name.get_ref())),
                );
            }
        }
    }

    /// One word out of a few.
    fn word<T: Copy>(&mut self, found: &Spanned<String>, kind: &str, words: &[(&str, T)]) -> Option<T> {
        let hit = words.iter().find(|(word, _)| word == found.get_ref());
        if hit.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
            let found_text = cut(found.get_ref());
            let message = format!("`{found_text}` is not {article} {kind}: expected {}", all.join(" or "));
            self.add_with_help(found.span(), message, did_you_mean(found.get_ref(), all));
        }
        hit.map(|&(_, value)| value)
    }

    /// The LPAR of this name.
    fn lpar(&mut self, name: &Spanned<String>, lpars: &[Lpar]) -> Option<LparIndex> {
        let hit = lpars.iter().find(|lpar| &lpar.name == name.get_ref()).map(|lpar| lpar.index);
        if hit.is_none() {
            let all = lpars.iter().map(|lpar| lpar.name.as_str());
            let expected = cut(&all.clone().collect::<Vec<_>>().join(", "));
            let message = format!("no LPAR is named `{}`: expected one of {expected}", cut(name.get_ref()));
            self.add_with_help(name.span(), message, did_you_mean(name.get_ref(), all));
        }
        hit
    }

    /// The LPARs of these names, each once. `None` after a problem was reported.
    fn lpars(&mut self, names: &[Spanned<String>], lpars: &[Lpar]) -> Option<Vec<LparIndex>> {
        let mut found = Vec::new();
        let mut good = true;
        for name in names {
            match self.lpar(name, lpars) {
                Some(index) if found.contains(&index) => {
                    self.add(name.span(), format!("`{}` is listed twice", cut(name.get_ref())));
                    good = false;
                }
                Some(index) => found.push(index),
                None => good = false,
            }
        }
        good.then_some(found)
    }
}

/// What is wrong with a value that is resolved on several LPARs; the same trouble is reported once, with all their names.
#[derive(Default)]
struct PerLpar(Vec<(Range<usize>, Trouble, Vec<String>)>);

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    message: String,
    help: Option<String>,
    /// Entry of the field catalogue.
    code: Option<&'static str>,
}

impl Trouble {
    fn new(message: String) -> Self {
        Self { message, help: None, code: None }
    }
}

impl PerLpar {
    fn add(&mut self, span: Range<usize>, trouble: Trouble, lpar: &str) {
        match self.0.iter_mut().find(|(at, same, _)| *at == span && *same == trouble) {
            Some((_, _, lpars)) => lpars.push(lpar.to_owned()),
            None => self.0.push((span, trouble, vec![lpar.to_owned()])),
        }
    }

    fn report(self, problems: &mut Problems) {
        for (span, Trouble { message, help, code }, lpars) in self.0 {
            let message = format!("on {}: {message}", cut(&lpars.join(", ")));
            problems.found.push(Diagnostic::new(span, message).with_help(help).with_code(code));
        }
    }
}

/// Resolves `text` with the system's symbols and reads the result; the message names the symbols that had a part in it.
fn expand_and<T>(text: &str, symbols: &Symbols, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Trouble> {
    let expansion = symbols.expand(text).map_err(|error| {
        let help = match &error {
            SymbolError::Unknown { nearest: Some(right), .. } => Some(format!("did you mean `&{right}`?")),
            SymbolError::Unknown { .. } => {
                let defined: Vec<String> = symbols.iter().map(|(name, _)| format!("&{name}")).collect();
                Some(format!("defined are {}", cut(&defined.join(", "))))
            }
            SymbolError::Substring { .. } => None,
        };
        Trouble { message: error.to_string(), help, code: Some(UNDEFINED_SYMBOL) }
    })?;
    read(&expansion.text).map_err(|message| {
        if expansion.used.is_empty() {
            return Trouble::new(message);
        }
        let used: Vec<String> =
            expansion.used.iter().map(|(name, value)| format!("&{name} is `{}`", cut(value))).collect();
        let message = format!("{message}; `{}` was resolved with {}", cut(text), used.join(", "));
        Trouble { message, help: None, code: Some(SYMBOL_MAKES_NO_PORT) }
    })
}
