//! Symbols in JCL: those of the procedure first, then system symbols.
//!
//! `&NAME` ends at the first character that cannot belong to a name; a period right behind it is taken away; `&&` leaves one `&`.
//! (z/OS MVS JCL Reference; which characters belong to a name is our reading, as in [`sysplex::symbols`].) A symbol that is not
//! defined stays as it is written (from memory); whoever needs the value reports it.

use std::collections::BTreeMap;

use sysplex::symbols::Symbols;

use crate::source::Placed;

/// A text with its symbols resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Everything resolved.
    pub text: String,
    /// The procedure's symbols resolved, system symbols as they are written: what systems that share the member have in common.
    pub symbolic: String,
    /// Symbols that are not defined, without the ampersand.
    pub unknown: Vec<String>,
}

impl Resolved {
    /// A text without symbols.
    pub fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { symbolic: text.clone(), text, unknown: Vec::new() }
    }

    /// The words of both texts. When a symbol changes how many there are, the symbolic text is given up.
    pub(crate) fn words(&self) -> Vec<Self> {
        let (words, symbolic): (Vec<&str>, Vec<&str>) =
            (self.text.split_whitespace().collect(), self.symbolic.split_whitespace().collect());
        let symbolic = if words.len() == symbolic.len() { symbolic } else { words.clone() };
        let pairs = words.into_iter().zip(symbolic);
        pairs.map(|(text, symbolic)| self.part(text, symbolic)).collect()
    }

    /// Part of both texts.
    pub(crate) fn part(&self, text: &str, symbolic: &str) -> Self {
        let unknown = self.unknown.iter().filter(|name| text.contains(&format!("&{name}"))).cloned().collect();
        Self { text: text.to_owned(), symbolic: symbolic.to_owned(), unknown }
    }
}

/// The symbols of a procedure, with their values and where those come from.
pub(crate) type Local = BTreeMap<String, Placed<Resolved>>;

/// Resolves all symbols of a text.
pub(crate) fn substitute(text: &str, local: &Local, system: &Symbols) -> Resolved {
    let mut done = Resolved::default();
    let mut has_literal = false;
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        done.push(&rest[..at], &rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("&&") {
            done.push("&", "&");
            has_literal = true;
            rest = behind;
            continue;
        }
        let length = rest.bytes().skip(1).take_while(|&b| is_name_byte(b)).count();
        if length == 0 {
            done.push("&", "&");
            rest = &rest[1..];
            continue;
        }
        let (name, behind) = (&rest[1..=length], &rest[length + 1..]);
        if let Some(value) = local.get(name) {
            done.push(&value.value.text, &value.value.symbolic);
            done.unknown.extend(value.value.unknown.iter().cloned());
            rest = behind.strip_prefix('.').unwrap_or(behind);
            continue;
        }
        let end = length + 1 + extent(behind);
        let written = &rest[..end];
        match system.expand(written) {
            Ok(expansion) => done.push(&expansion.text, written),
            Err(_) => {
                done.push(written, written);
                done.unknown.push(name.to_owned());
            }
        }
        rest = &rest[end..];
    }
    done.push(rest, rest);
    if has_literal {
        done.symbolic.clone_from(&done.text);
    }
    done
}

impl Resolved {
    fn push(&mut self, text: &str, symbolic: &str) {
        self.text.push_str(text);
        self.symbolic.push_str(symbolic);
    }
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'@' | b'#' | b'$' | b'_')
}

/// How much of the text behind a system symbol's name belongs to it: `(start:length)` and a period.
fn extent(behind: &str) -> usize {
    let substring = behind.strip_prefix('(').and_then(|inner| inner.split_once(')')).map(|(inner, _)| inner);
    let is_substring =
        |inner: &&str| inner.contains(':') && inner.bytes().all(|b| b.is_ascii_digit() || b":-".contains(&b));
    let length = substring.filter(is_substring).map_or(0, |inner| inner.len() + 2);
    length + usize::from(behind[length..].starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Members;
    use proptest::prelude::*;

    fn resolve(text: &str) -> (String, String) {
        let mut members = Members::default();
        let place = Members::head(members.add("A", b"").expect("small"));
        let mut system = Symbols::default();
        system.set("SYSCLONE", "34");
        system.set("SYSNAME", "LPAR1");
        let local = [("HLQ", "EQAW"), ("CLIENT", "5335"), ("PRM", "")];
        let local = local.map(|(name, value)| (name.to_owned(), Placed::new(Resolved::plain(value), place))).into();
        let resolved = substitute(text, &local, &system);
        (resolved.text, resolved.symbolic)
    }

    #[test]
    fn the_procedures_symbols_come_first_and_system_symbols_stay_visible() {
        assert_eq!(resolve("&HLQ..SEQAAUTH"), ("EQAW.SEQAAUTH".into(), "EQAW.SEQAAUTH".into()));
        assert_eq!(resolve("&CLIENT &PRM"), ("5335 ".into(), "5335 ".into()));
        assert_eq!(resolve("53&SYSCLONE"), ("5334".into(), "53&SYSCLONE".into()));
        assert_eq!(resolve("&SYSNAME(-1:1).X"), ("1X".into(), "&SYSNAME(-1:1).X".into()));
        assert_eq!(resolve("&&TEMP & &NOPE."), ("&TEMP & &NOPE.".into(), "&TEMP & &NOPE.".into()));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in r"(&|SYSCLONE|CLIENT|\.|\(|\)|:|-?[0-9]{1,20}|\PC){0,12}") {
            let _ = resolve(&text);
        }
    }
}
