//! A piece of the option that knows where it stands.

/// Longest text that a message repeats, in characters.
const MAX_FOUND: usize = 80;

/// A part of a text, as coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Its first byte in the whole text.
    pub(super) at: usize,
}

impl<'a> Piece<'a> {
    pub(super) fn whole(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where the next piece would begin.
    pub(super) fn end(self) -> usize {
        self.at + self.text.len()
    }

    /// Nothing, right behind this piece.
    pub(super) fn after(self) -> Self {
        Self { text: "", at: self.end() }
    }

    pub(super) fn trim(self) -> Self {
        let blanks = self.text.len() - self.text.trim_start().len();
        Self { text: self.text.trim(), at: self.at + blanks }
    }

    /// As z/OS sees it.
    pub(super) fn upper(self) -> String {
        self.text.to_ascii_uppercase()
    }

    /// As a message repeats it.
    pub(super) fn found(self) -> String {
        self.text.chars().take(MAX_FOUND).collect()
    }

    /// The rest, when the piece starts with this word in either case.
    pub(super) fn strip_word(self, word: &str) -> Option<Self> {
        let (start, text) = self.text.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some(Self { text, at: self.at + word.len() })
    }

    /// What stands in parentheses, when the whole piece does.
    pub(super) fn strip_parentheses(self) -> Option<Self> {
        let text = self.text.strip_prefix('(')?.strip_suffix(')')?;
        Some(Self { text, at: self.at + 1 })
    }

    /// What stands before the first of these characters, and the rest with the character.
    pub(super) fn split_before(self, characters: [char; 2]) -> (Self, Self) {
        self.split_at(self.text.find(characters).unwrap_or(self.text.len()))
    }

    /// What stands before the first colon and behind it.
    pub(super) fn split_at_colon(self) -> (Self, Self) {
        let (before, rest) = self.split_at(self.text.find(':').unwrap_or(self.text.len()));
        (before, rest.strip_word(":").unwrap_or(rest))
    }

    /// Splits at commas outside of quotes (the prompt level may be a command in quotes).
    pub(super) fn split_at_commas(self) -> Vec<Self> {
        let (mut parts, mut rest, mut quote) = (Vec::new(), self, None);
        for (at, c) in self.text.char_indices() {
            match (quote, c) {
                (None, ',') => {
                    let (part, comma) = rest.split_at(self.at + at - rest.at);
                    parts.push(part);
                    rest = comma.split_at(1).1;
                }
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                _ => {}
            }
        }
        parts.push(rest);
        parts
    }

    /// `middle` counts from the start of the piece, and is on a character boundary.
    fn split_at(self, middle: usize) -> (Self, Self) {
        let (before, behind) = self.text.split_at(middle);
        (Self { text: before, at: self.at }, Self { text: behind, at: self.at + middle })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_know_where_they_stand() {
        let whole = "  (ä, 'b,c' ,:d)";
        let inner = Piece::whole(whole).trim().strip_parentheses().expect("parentheses");
        let parts = inner.split_at_commas();
        assert_eq!(parts.iter().map(|part| part.text).collect::<Vec<_>>(), ["ä", " 'b,c' ", ":d"]);
        for piece in parts.iter().map(|part| part.trim()).chain([inner, inner.after(), parts[2].split_at_colon().1]) {
            assert_eq!(&whole[piece.at..piece.end()], piece.text);
        }
        assert_eq!(inner.strip_word("ää"), None);
        assert_eq!(parts[0].strip_word("x"), None, "a character is not cut");
    }
}
