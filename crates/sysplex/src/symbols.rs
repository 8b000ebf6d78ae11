//! System symbols: `&SYSCLONE` and its kind, as IEASYMxx defines them and JCL uses them.
//!
//! The rules are those of z/OS MVS Initialization and Tuning Reference (IEASYMxx, IEASYSxx): a name ends at the first
//! character that cannot belong to it; a period right behind it only ends it and is consumed; `&SYSNAME(1:2)` is a
//! substring. What the pages read leave open is our choice, and marked so below.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::nearest;

/// Longest name of a symbol, without the ampersand.
pub const LONGEST_NAME: usize = 16;

/// The symbols of one system, by name without the ampersand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Symbols(BTreeMap<String, String>);

/// A text with its symbols resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The resolved text.
    pub text: String,
    /// The symbols that were used, with their values, in the order of their use.
    pub used: Vec<(String, String)>,
}

/// Why a text could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SymbolError {
    /// No such symbol. (What z/OS does then was not found documented; the lab says so before anything starts.)
    Unknown {
        /// The name in the text.
        name: String,
        /// The symbol that was probably meant.
        nearest: Option<String>,
    },
    /// A substring that lies outside the symbol's value. (Our choice: an error.)
    Substring {
        /// The name in the text.
        name: String,
        /// Its value.
        value: String,
        /// The substring, as `1:2`.
        wanted: String,
    },
}

impl fmt::Display for SymbolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, .. } => write!(f, "system symbol `&{name}` is not defined"),
            Self::Substring { name, value, wanted } => write!(
                f,
                "`&{name}({wanted})` is outside the value `{value}`: expected a start from 1 (or from -1, counted from \
                 the end) and a length that fits"
            ),
        }
    }
}

impl std::error::Error for SymbolError {}

/// Can this be a symbol's name? 1 to 16 of A-Z, 0-9, @, #, $ and _ (the page read gives the length; the characters are our
/// reading of MVS naming).
pub fn is_symbol_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(|b| is_name_byte(b) && !b.is_ascii_lowercase())
}

/// Lower case belongs to a name too, so that `&sysclone` is reported as a wrong name and not taken as text.
fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'@' | b'#' | b'$' | b'_')
}

impl Symbols {
    /// Defines a symbol, or changes it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// A symbol's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Symbols whose text is longer than the name with its ampersand; z/OS prompts the operator for such a definition.
    pub fn too_long(&self) -> impl Iterator<Item = (&str, &str)> {
        // The rule is one of SYMDEF, so the built-in ones are not meant: SYSNAME has 8 characters anyhow.
        self.iter().filter(|(name, value)| value.chars().count() > name.len() + 1)
    }

    /// Resolves every symbol in `text`, once: a value is not looked into again.
    ///
    /// # Errors
    /// The first symbol that is not defined, or whose substring does not exist.
    pub fn expand(&self, text: &str) -> Result<Expansion, SymbolError> {
        let mut done = Expansion::default();
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            done.text.push_str(&rest[..at]);
            rest = &rest[at..];
            let name_length = rest.bytes().skip(1).take_while(|&b| is_name_byte(b)).count();
            if name_length == 0 {
                // `&&` is a temporary data set's name and a lone `&` is text: neither is a symbol (our reading).
                let ampersands = rest.bytes().take_while(|&b| b == b'&').count();
                let after = if ampersands > 1 {
                    rest[ampersands..].bytes().take_while(|&b| is_name_byte(b)).count()
                } else {
                    0
                };
                let (plain, behind) = rest.split_at(ampersands + after);
                done.text.push_str(plain);
                rest = behind;
                continue;
            }
            let (name, behind) = rest[1..].split_at(name_length);
            let value = self.get(name).ok_or_else(|| self.unknown(name))?;
            done.used.push((name.to_owned(), value.to_owned()));
            let (part, behind) = match substring(behind) {
                Some((wanted, behind)) => (wanted.of(name, value)?, behind),
                None => (value.to_owned(), behind),
            };
            done.text.push_str(&part);
            rest = behind.strip_prefix('.').unwrap_or(behind);
        }
        done.text.push_str(rest);
        Ok(done)
    }

    fn unknown(&self, name: &str) -> SymbolError {
        let nearest = nearest(name, self.0.keys().map(String::as_str)).map(ToOwned::to_owned);
        SymbolError::Unknown { name: name.to_owned(), nearest }
    }
}

/// `(start:length)`; a negative start counts from the end.
struct Substring<'a> {
    written: &'a str,
    start: i64,
    length: u64,
}

/// The substring that `text` begins with, and what stands behind it. Other parentheses, such as a member's name, are text.
fn substring(text: &str) -> Option<(Substring<'_>, &str)> {
    let (written, behind) = text.strip_prefix('(')?.split_once(')')?;
    let (start, length) = written.split_once(':')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(start.strip_prefix('-').unwrap_or(start)) || !digits(length) {
        return None;
    }
    // A number too large for its type lies outside every value; 0 does as well.
    let (start, length) = (start.parse().unwrap_or(0), length.parse().unwrap_or(0));
    Some((Substring { written, start, length }, behind))
}

impl Substring<'_> {
    fn of(&self, name: &str, value: &str) -> Result<String, SymbolError> {
        let characters: Vec<char> = value.chars().collect();
        let outside = || SymbolError::Substring {
            name: name.to_owned(),
            value: value.to_owned(),
            wanted: self.written.to_owned(),
        };
        let magnitude = usize::try_from(self.start.unsigned_abs()).ok().filter(|&n| n > 0).ok_or_else(outside)?;
        let first = if self.start < 0 { characters.len().checked_sub(magnitude) } else { Some(magnitude - 1) };
        let first = first.ok_or_else(outside)?;
        let length = usize::try_from(self.length).ok().filter(|&n| n > 0).ok_or_else(outside)?;
        let end = first.checked_add(length).ok_or_else(outside)?;
        characters.get(first..end).map(|part| part.iter().collect()).ok_or_else(outside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbols() -> Symbols {
        let mut symbols = Symbols::default();
        for (name, value) in [("SYSNAME", "SYSA"), ("SYSCLONE", "34"), ("SYSPLEX", "PX01"), ("EQADBM", "5334")] {
            symbols.set(name, value);
        }
        symbols
    }

    fn expand(text: &str) -> String {
        symbols().expand(text).expect("resolves").text
    }

    #[test]
    fn a_name_ends_where_it_must() {
        assert_eq!(expand("53&SYSCLONE"), "5334");
        assert_eq!(expand("CLIENT=53&SYSCLONE,HOST=5336"), "CLIENT=5334,HOST=5336");
        assert_eq!(expand("&EQADBM"), "5334");
        assert_eq!(expand("no symbol"), "no symbol");
    }

    #[test]
    fn a_period_ends_a_name_and_two_leave_one() {
        assert_eq!(expand("&SYSCLONE.1"), "341");
        assert_eq!(expand("CLOCK=&SYSCLONE.,"), "CLOCK=34,");
        assert_eq!(expand("&SYSNAME..LOGREC"), "SYSA.LOGREC");
    }

    #[test]
    fn a_longer_name_is_another_symbol() {
        let error = symbols().expand("53&SYSCLONE1").expect_err("another symbol");
        assert_eq!(error, SymbolError::Unknown { name: "SYSCLONE1".into(), nearest: Some("SYSCLONE".into()) });
        assert_eq!(error.to_string(), "system symbol `&SYSCLONE1` is not defined");
        assert!(symbols().expand("&sysclone").is_err(), "names are upper case");
    }

    #[test]
    fn substrings() {
        assert_eq!(expand("&SYSNAME(1:2)"), "SY");
        assert_eq!(expand("&SYSPLEX(-2:2)"), "01");
        assert_eq!(expand("&SYSPLEX(-2:2)..X"), "01.X");
        assert_eq!(expand("HLQ.&SYSNAME(MEMBER)"), "HLQ.SYSA(MEMBER)");
        for bad in ["&SYSNAME(0:1)", "&SYSNAME(5:1)", "&SYSNAME(4:2)", "&SYSNAME(-5:1)", "&SYSNAME(1:0)"] {
            assert!(matches!(symbols().expand(bad), Err(SymbolError::Substring { .. })), "{bad}");
        }
    }

    #[test]
    fn ampersands_that_are_no_symbol() {
        assert_eq!(expand("A & B"), "A & B");
        assert_eq!(expand("&&TEMP"), "&&TEMP");
        assert_eq!(expand("&"), "&");
    }

    #[test]
    fn what_was_used_is_known() {
        let done = symbols().expand("53&SYSCLONE").expect("resolves");
        assert_eq!(done.used, [("SYSCLONE".to_owned(), "34".to_owned())]);
    }

    #[test]
    fn a_text_longer_than_name_and_ampersand() {
        let mut symbols = symbols();
        symbols.set("EQADBM", "1234567");
        assert_eq!(symbols.too_long().count(), 0, "7 characters fit &EQADBM");
        symbols.set("EQADBM", "12345678");
        assert_eq!(symbols.too_long().collect::<Vec<_>>(), [("EQADBM", "12345678")]);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in r"(&|SYSCLONE|SYSNAME|\.|\(|\)|:|-?[0-9]{1,20}|\PC){0,12}") {
            let _ = symbols().expand(&text);
        }

        #[test]
        fn text_without_ampersand_stays(text in "[^&]*") {
            prop_assert_eq!(expand(&text), text);
        }
    }
}
