//! The words of a profile: blanks and ends of records separate them, `;` begins a comment, INCLUDE brings in another member, and
//! system symbols are resolved with those of the system that reads the profile.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use sysplex::symbols::Symbols;

use crate::report::{Problem, Report, cut};
use crate::source::{Line, MemberId, Members, Place};

/// How deep INCLUDEs may be nested. (Ours, to find a member that includes itself.)
const DEEPEST: usize = 8;
/// The most words of one profile with all it includes. (Ours.)
const MOST_WORDS: usize = 500_000;

/// One word, resolved.
#[derive(Clone, Debug)]
pub(super) struct Word<'m> {
    pub(super) text: Cow<'m, str>,
    pub(super) place: Place,
    /// It is the first of its record.
    pub(super) first: bool,
    /// A symbol in it could not be resolved; then `text` is as written.
    trouble: Option<String>,
}

/// Reads a member and what it includes into words.
pub(super) struct Scanner<'a, 'm> {
    pub(super) members: &'m Members,
    pub(super) symbols: &'a Symbols,
    /// Finds the member that INCLUDE names.
    pub(super) resolver: &'a dyn Fn(&str) -> Option<MemberId>,
    pub(super) report: &'a mut Report,
    pub(super) words: Vec<Word<'m>>,
}

impl<'m> Scanner<'_, 'm> {
    pub(super) fn scan(&mut self, id: MemberId, depth: usize) {
        let member = self.members.get(id);
        let mut include: Option<Place> = None;
        for line in member.lines() {
            for (at, text) in words_of(line) {
                if self.words.len() >= MOST_WORDS {
                    let message = format!("the profile and what it includes have more than {MOST_WORDS} words");
                    return self.report.problem(Members::place(id, at..at + text.len()), message);
                }
                let word = self.word(id, at, text, at == line.start + indent(line.text));
                if include.take().is_some() {
                    self.include(&word, depth);
                } else if word.text.eq_ignore_ascii_case("INCLUDE") {
                    include = Some(word.place);
                } else {
                    self.push(word);
                }
            }
        }
        if let Some(place) = include {
            self.report.problem(place, "INCLUDE without a name: expected the data set to include");
        }
    }

    fn word(&self, member: MemberId, at: usize, text: &'m str, first: bool) -> Word<'m> {
        let place = Members::place(member, at..at + text.len());
        let (text, trouble) = match text.contains('&').then(|| self.symbols.expand(text)) {
            None => (Cow::Borrowed(text), None),
            Some(Ok(expansion)) => (Cow::Owned(expansion.text), None),
            Some(Err(error)) => (Cow::Borrowed(text), Some(error.to_string())),
        };
        Word { text, place, first, trouble }
    }

    /// A symbol's value may hold several words, or none.
    fn push(&mut self, word: Word<'m>) {
        if word.trouble.is_none() && (word.text.is_empty() || word.text.contains(' ')) {
            let mut first = word.first;
            for part in word.text.split_whitespace() {
                let text = Cow::Owned(part.to_owned());
                self.words.push(Word { text, first, trouble: None, place: word.place });
                first = false;
            }
        } else {
            self.words.push(word);
        }
    }

    fn include(&mut self, name: &Word<'m>, depth: usize) {
        let found = (self.resolver)(name.text.trim_matches('\''));
        match found {
            None => {
                let message = format!("INCLUDE of `{}`, which is not among the members", cut(&name.text));
                let help = "bring the member along, or make the line a comment".to_owned();
                self.report.problems.push(Problem::new(name.place, message).with_help(help));
            }
            Some(_) if depth >= DEEPEST => {
                let message = format!("INCLUDEs are nested more than {DEEPEST} deep: does a member include itself?");
                self.report.problem(name.place, message);
            }
            Some(id) => self.scan(id, depth + 1),
        }
    }
}

fn indent(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// The words of a record up to a comment. A comment begins at a `;` with a blank before it; a `;` inside a word belongs to it, as
/// documented.
fn words_of(line: Line<'_>) -> impl Iterator<Item = (usize, &str)> {
    let words = line.text.split([' ', '\t']).filter(|word| !word.is_empty()).take_while(|word| !word.starts_with(';'));
    // All words are parts of the line.
    words.map(move |word| (line.start + (word.as_ptr().addr() - line.text.as_ptr().addr()), word))
}

impl Word<'_> {
    /// The problem with this word where something else was expected.
    pub(super) fn unexpected(&self, expected: &str) -> Problem {
        match &self.trouble {
            Some(trouble) => {
                let help = "bring the IEASYMxx or the job that defines it, or give it in site.toml".to_owned();
                Problem::new(self.place, trouble.as_str()).with_help(help)
            }
            None => {
                let help = self.text.contains(';').then(|| "a comment has a blank before its `;`".to_owned());
                Problem::new(self.place, format!("`{}` was found: expected {expected}", cut(&self.text)))
                    .with_help(help)
            }
        }
    }

    pub(super) fn is_number(&self) -> bool {
        !self.text.is_empty() && self.text.bytes().all(|b| b.is_ascii_digit())
    }

    /// A number in a range, both ends included.
    pub(super) fn number<T: std::str::FromStr + PartialOrd + Copy>(
        &self,
        from: T,
        to: T,
        expected: &str,
    ) -> Result<T, Problem> {
        let number = self.is_number().then(|| self.text.parse::<T>().ok()).flatten();
        number.filter(|number| *number >= from && *number <= to).ok_or_else(|| self.unexpected(expected))
    }

    /// An address of either family.
    pub(super) fn address(&self, expected: &str) -> Result<IpAddr, Problem> {
        self.text.parse().map_err(|_| self.unexpected(expected))
    }

    /// An IPv4 address.
    pub(super) fn ipv4(&self, expected: &str) -> Result<Ipv4Addr, Problem> {
        self.text.parse().map_err(|_| self.unexpected(expected))
    }

    /// A subnet mask, as its number of bits.
    pub(super) fn mask(&self, expected: &str) -> Result<u8, Problem> {
        let mask: Ipv4Addr = self.ipv4(expected)?;
        let bits = mask.to_bits().leading_ones();
        let is_mask = mask.to_bits() == u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        u8::try_from(bits).ok().filter(|_| is_mask).ok_or_else(|| self.unexpected(expected))
    }

    /// `address/bits`, or an address alone.
    pub(super) fn address_and_bits(&self, expected: &str) -> Result<(IpAddr, Option<u8>), Problem> {
        let (address, bits) = match self.text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (self.text.as_ref(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| self.unexpected(expected))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits
            .map(|bits| bits.parse::<u8>().ok().filter(|&bits| bits <= most).ok_or_else(|| self.unexpected(expected)));
        Ok((address, bits.transpose()?))
    }
}
