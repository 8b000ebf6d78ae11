//! What a profile says of its own stack beside addresses and DVIPAs, and what is wrong with the code of all stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::Diagnostic;
use crate::names::{cut, did_you_mean};
use crate::ports;
use crate::raw::{StackTable, SysplexTable};

/// Options of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// PORT ... BIND: a server that binds any address at this port is bound to this one.
    pub binds: BTreeMap<u16, IpAddr>,
    /// PORT ... SHAREPORT.
    pub shareports: BTreeSet<u16>,
    /// GLOBALCONFIG ADJUSTDVIPAMSS: AUTO, which is taken for the default, or ALL; `false` is NONE. (The words are from memory.)
    /// The stack then tells clients of a DVIPA a maximum segment size that leaves room for the header of VIPAROUTE.
    pub adjusts_dvipa_mss: bool,
}

impl Default for Stack {
    fn default() -> Self {
        Self { binds: BTreeMap::new(), shareports: BTreeSet::new(), adjusts_dvipa_mss: true }
    }
}

/// A defect of z/OS that a site's maintenance level has; a lab without it has the fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Defect {
    /// APAR PI08005: after a takeover the new owner does not know the dynamic ports that are bound already.
    UnheardPorts,
    /// A target with SHAREPORT for a port has too low a responsiveness for it (an APAR that lowers TSR for no reason).
    SharePortTsr,
}

impl Defect {
    /// Each with its word in a topology. The second word is ours: the number of its APAR was not found.
    pub const ALL: [(&str, Self); 2] = [("PI08005", Self::UnheardPorts), ("SHAREPORT-TSR", Self::SharePortTsr)];
}

impl StackTable {
    /// Reads the table.
    pub(crate) fn read(&self, problems: &mut Vec<Diagnostic>) -> Stack {
        let mut stack = Stack::default();
        for (port, address) in &self.bind {
            let bound = ports::port(port.get_ref()).map_err(|message| Diagnostic::new(port.span(), message));
            let to = address.get_ref().parse().map_err(|_| {
                let found = cut(address.get_ref());
                Diagnostic::new(address.span(), format!("`{found}` is no address: expected such as 10.10.10.11"))
            });
            match (bound, to) {
                (Ok(port), Ok(address)) => drop(stack.binds.insert(port, address)),
                (port, address) => problems.extend(port.err().into_iter().chain(address.err())),
            }
        }
        for port in self.shareport.iter().flatten() {
            match *port.get_ref() {
                0 => problems.push(Diagnostic::new(port.span(), "0 is no port: expected 1 to 65535")),
                number => drop(stack.shareports.insert(number)),
            }
        }
        if let Some(word) = &self.adjust_dvipa_mss {
            let words = [("AUTO", true), ("ALL", true), ("NONE", false)];
            stack.adjusts_dvipa_mss = one_of(word, "word of ADJUSTDVIPAMSS", &words, problems).unwrap_or(true);
        }
        stack
    }
}

impl SysplexTable {
    /// The defects that the stacks have.
    pub(crate) fn read_defects(&self, problems: &mut Vec<Diagnostic>) -> BTreeSet<Defect> {
        let written = self.defects.iter().flatten();
        written.filter_map(|word| one_of(word, "defect", &Defect::ALL, problems)).collect()
    }
}

fn one_of<T: Copy>(
    found: &Spanned<String>,
    kind: &str,
    words: &[(&str, T)],
    problems: &mut Vec<Diagnostic>,
) -> Option<T> {
    let hit = words.iter().find(|(word, _)| word == found.get_ref()).map(|(_, value)| *value);
    if hit.is_none() {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("`{}` is no {kind}: expected {}", cut(found.get_ref()), all.join(" or "));
        problems.push(Diagnostic::new(found.span(), message).with_help(did_you_mean(found.get_ref(), all)));
    }
    hit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sysplex;

    fn read(stack: &str, defects: &str) -> Result<Sysplex, Vec<String>> {
        let text = format!("[sysplex]\n{defects}\n[[lpar]]\nname = \"SYS1\"\n{stack}\n");
        Sysplex::from_toml(&text).map_err(|found| found.into_iter().map(|one| one.message).collect())
    }

    #[test]
    fn what_is_written_is_read() {
        let written = "stack = { bind = { 5335 = \"10.10.10.11\" }, shareport = [4035], adjust_dvipa_mss = \"NONE\" }";
        let sysplex = read(written, "defects = [\"PI08005\"]").expect("right");
        let Stack { binds, shareports, adjusts_dvipa_mss } = &sysplex.lpars[0].stack;
        assert_eq!(binds.get(&5335), Some(&IpAddr::from([10, 10, 10, 11])));
        assert_eq!((shareports.contains(&4035), *adjusts_dvipa_mss), (true, false));
        assert_eq!(sysplex.defects, BTreeSet::from([Defect::UnheardPorts]));
        assert_eq!(read("", "").expect("right").lpars[0].stack, Stack::default());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (stack, defects, expected) in [
            ("stack = { bind = { 0 = \"10.10.10.11\" } }", "", "`0`"),
            ("stack = { bind = { 5335 = \"LPAR1\" } }", "", "`LPAR1` is no address"),
            ("stack = { shareport = [0] }", "", "0 is no port"),
            ("stack = { adjust_dvipa_mss = \"OFF\" }", "", "expected AUTO or ALL or NONE"),
            ("stack = { shareprot = [1] }", "", "shareprot"),
            ("", "defects = [\"PI08006\"]", "`PI08006` is no defect: expected PI08005 or SHAREPORT-TSR"),
        ] {
            let found = read(stack, defects).expect_err("wrong");
            assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:?}");
        }
    }
}
