//! A cursor over the words of a profile.

use crate::keyword;
use crate::report::Problem;
use crate::source::{Members, Place};

use super::words::Word;

/// Reads words one after the other.
pub(super) struct Reader<'w, 'm> {
    words: &'w [Word<'m>],
    at: usize,
    pub(super) members: &'m Members,
}

impl<'w, 'm> Reader<'w, 'm> {
    pub(super) fn new(words: &'w [Word<'m>], members: &'m Members) -> Self {
        Self { words, at: 0, members }
    }

    pub(super) fn peek(&self) -> Option<&'w Word<'m>> {
        self.words.get(self.at)
    }

    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    /// The next word, if it is this keyword.
    pub(super) fn take(&mut self, keyword: &str) -> Option<&'w Word<'m>> {
        let word = self.peek().filter(|word| keyword::is(&word.text, keyword))?;
        self.skip();
        Some(word)
    }

    /// The next word, if it passes.
    pub(super) fn take_if(&mut self, test: impl FnOnce(&Word<'m>) -> bool) -> Option<&'w Word<'m>> {
        let word = self.peek().filter(|word| test(word))?;
        self.skip();
        Some(word)
    }

    /// The next word.
    pub(super) fn next(&mut self, expected: &str) -> Result<&'w Word<'m>, Problem> {
        let word = self.peek().ok_or_else(|| self.ends(expected))?;
        self.skip();
        Ok(word)
    }

    /// The problem that no word is left.
    pub(super) fn ends(&self, expected: &str) -> Problem {
        let last = self.words.last().map(|word| word.place);
        Problem::new(last, format!("the statement ends here: expected {expected}"))
    }

    /// The words up to the first that passes, which is not taken.
    pub(super) fn until(&mut self, test: impl Fn(&Word<'m>) -> bool) -> &'w [Word<'m>] {
        let rest = self.words.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(test).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// From a place to the last word taken.
    pub(super) fn from(&self, start: Place) -> Place {
        let last = self.at.checked_sub(1).and_then(|at| self.words.get(at));
        last.map_or(start, |last| start.to(last.place))
    }
}
