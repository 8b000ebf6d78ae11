//! Members as they are written: their text, and places in it.
//!
//! A place is a range of bytes of the decoded text; for a person it is `file:line:column` of the member as written, since a
//! character of the text is a column of the record.

mod decode;
mod ebcdic;

use std::fmt::Write as _;
use std::ops::Range;

pub use decode::{Encoding, Format, to_fixed_ebcdic};

use crate::report::Problem;

/// The longest member, in bytes. (Ours: a PROFILE.TCPIP has some kilobytes.)
pub const LONGEST_MEMBER: usize = 4 << 20;

/// The longest record of a member that has but one, in bytes: what is longer has lost its line ends. (Ours; LRECL is 80 as a rule,
/// 255 where it varies.)
const LONGEST_RECORD: usize = 1024;

/// Which of the [`Members`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u32);

/// A place in a member: bytes of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The member.
    pub member: MemberId,
    /// First byte.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}

impl Place {
    /// From here to the end of `other`, which is in the same member and behind it; else only this one.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if other.member == self.member && other.end >= self.end { Self { end: other.end, ..self } } else { self }
    }
}

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Placed<T> {
    /// A value at a place.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

/// One member: a profile, a PROC, ...
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name as the person knows it, such as `SYSA/PROFILE`.
    pub name: String,
    /// Its code page.
    pub encoding: Encoding,
    /// Its format.
    pub format: Format,
    /// It has sequence numbers in columns 73 to 80.
    pub sequenced: bool,
    text: String,
    starts: Vec<u32>,
}

/// One record of a member.
#[derive(Clone, Copy, Debug)]
pub struct Line<'m> {
    /// Its text; sequence numbers and blanks at the end are taken off.
    pub text: &'m str,
    /// Where it starts in the member's text.
    pub start: usize,
}

impl<'m> Line<'m> {
    /// The same up to a column, both counted from 1.
    pub fn columns(self, last: usize) -> Self {
        let end = self.text.char_indices().nth(last).map_or(self.text.len(), |(at, _)| at);
        Self { text: self.text[..end].trim_end_matches(' '), ..self }
    }
}

impl Member {
    fn new(name: String, bytes: &[u8]) -> Self {
        let (encoding, format, text) = decode::decode(bytes);
        // The text is at most some times LONGEST_MEMBER.
        let start = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| start(at + 1))).collect();
        let sequenced = is_sequenced(&text);
        Self { name, encoding, format, sequenced, text, starts }
    }

    /// The text, sequence numbers included; every line ends with `\n`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its records.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text.lines().zip(&self.starts).map(|(text, &start)| {
            let line = Line { text, start: start as usize };
            if self.sequenced { line.columns(72) } else { line }
        })
    }

    /// Line and column of a byte of the text, from 1.
    pub fn position(&self, at: u32) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= at).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or_default();
        let before = self.text.get(start as usize..at as usize).unwrap_or_default();
        (line + 1, before.chars().count() + 1)
    }
}

/// Does every record that is longer than 72 columns have digits in 73 to 80, and at least one?
fn is_sequenced(text: &str) -> bool {
    let mut found = false;
    for line in text.lines().filter(|line| line.len() > 72) {
        let Some((at, _)) = line.char_indices().nth(72) else { continue };
        let number = &line[at..];
        if number.len() != 8 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        found = true;
    }
    found
}

/// All members of a site.
#[derive(Clone, Debug, Default)]
pub struct Members(Vec<Member>);

impl Members {
    /// Takes a member in.
    ///
    /// # Errors
    /// It is larger than [`LONGEST_MEMBER`]; or it has neither line ends nor records of 80 columns, and is taken in all the same,
    /// so that the problem has a place.
    pub fn add(&mut self, name: impl Into<String>, bytes: &[u8]) -> Result<MemberId, Problem> {
        let name: String = name.into().chars().filter(|c| !c.is_control()).collect();
        let id = MemberId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        if bytes.len() > LONGEST_MEMBER {
            let message = format!("{name} has {} bytes: a member has at most {LONGEST_MEMBER}", bytes.len());
            return Err(Problem::new(None, message));
        }
        let member = Member::new(name, bytes);
        let has_records = member.format == Format::Fixed80 || member.starts.len() > 2 || bytes.len() <= LONGEST_RECORD;
        let message = format!(
            "{} has {} bytes without a line end: expected lines, or records of 80 columns",
            member.name,
            bytes.len()
        );
        self.0.push(member);
        if has_records { Ok(id) } else { Err(Problem::new(Self::head(id), message)) }
    }

    /// The member.
    pub fn get(&self, id: MemberId) -> &Member {
        &self.0[id.0 as usize]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.0.iter().zip(0..).map(|(member, id)| (MemberId(id), member))
    }

    /// The beginning of a member, for what is about all of it.
    pub fn head(id: MemberId) -> Place {
        Place { member: id, start: 0, end: 0 }
    }

    /// `file:line:column`.
    pub fn show(&self, place: Place) -> String {
        let member = self.get(place.member);
        let (line, column) = member.position(place.start);
        let mut shown = String::with_capacity(member.name.len() + 10);
        let _ = write!(shown, "{}:{line}:{column}", member.name);
        shown
    }

    /// What is written at a place.
    pub fn written(&self, place: Place) -> &str {
        self.get(place.member).text.get(place.start as usize..place.end as usize).unwrap_or_default()
    }

    /// A place from bytes of the member's text.
    pub fn place(member: MemberId, span: Range<usize>) -> Place {
        let short = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Place { member, start: short(span.start), end: short(span.end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_line_and_column_of_the_member_as_written() {
        let mut members = Members::default();
        let fixed = to_fixed_ebcdic("; h\u{e9}llo\nIPCONFIG SYSPLEXROUTING").expect("short");
        let id = members.add("SYSA/PROFILE", &fixed).expect("small");
        let at = members.get(id).text().find("SYSPLEX").expect("there");
        let place = Members::place(id, at..at + 14);
        assert_eq!(members.show(place), "SYSA/PROFILE:2:10");
        assert_eq!(members.written(place), "SYSPLEXROUTING");
        let (line, column) = members.get(id).position(5);
        assert_eq!((line, column), (1, 5), "two bytes of UTF-8 are one column");
    }

    #[test]
    fn records_that_were_cut_are_not_one_long_line() {
        let mut members = Members::default();
        let fixed = to_fixed_ebcdic(&"IPCONFIG SYSPLEXROUTING\n".repeat(20)).expect("short");
        assert!(members.add("WHOLE", &fixed).is_ok());
        let problem = members.add("CUT", &fixed[..1599]).expect_err("1599 is no multiple of 80");
        assert!(problem.render(&members).contains("CUT:1:1"), "{problem:?}");
    }

    #[test]
    fn sequence_numbers_are_digits_in_73_to_80_of_every_long_record() {
        let text = |number: &str| format!("{:72}{number}\nSHORT\n", "IPCONFIG");
        let member = |number: &str| Member::new("A".into(), text(number).as_bytes());
        let sequenced = member("00010000");
        assert!(sequenced.sequenced);
        assert_eq!(sequenced.lines().map(|line| line.text).collect::<Vec<_>>(), ["IPCONFIG", "SHORT"]);
        assert!(!member("ABC").sequenced);
        assert!(member("ABC").lines().next().expect("a line").text.ends_with("ABC"));
    }
}
