//! IEASYMxx as it is written.

use sysplex::did_you_mean;

use crate::keyword;
use crate::report::{Problem, Report, cut};
use crate::source::{Line, MemberId, Members, Place, Placed};

/// Columns 1 to 71 hold data.
const LAST_COLUMN: usize = 71;
/// SYMDEF can be written SYMD.
const PARAMETERS: [&str; 7] = ["HWNAME", "LPARNAME", "VMUSERID", "SYSNAME", "SYSCLONE", "SYSPARM", "SYMDef"];

/// One SYSDEF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysDef {
    /// Where it begins.
    pub place: Place,
    /// HWNAME.
    pub hwname: Option<Placed<String>>,
    /// LPARNAME.
    pub lparname: Option<Placed<String>>,
    /// VMUSERID.
    pub vmuserid: Option<Placed<String>>,
    /// SYSNAME.
    pub sysname: Option<Placed<String>>,
    /// SYSCLONE, symbols as they are written.
    pub sysclone: Option<Placed<String>>,
    /// SYMDEF: names without the ampersand, texts with their symbols as they are written.
    pub symbols: Vec<(Placed<String>, Placed<String>)>,
    /// Characters of its records without comments.
    pub(super) length: usize,
}

/// Reads a member. What is wrong goes to `report`.
pub fn read(members: &Members, id: MemberId, report: &mut Report) -> Vec<SysDef> {
    let mut reader = Reader { id, definitions: Vec::new(), comment: None };
    for line in members.get(id).lines() {
        let line = line.columns(LAST_COLUMN);
        let text = reader.without_comments(line);
        if let Err(problem) = reader.record(line, &text) {
            report.problems.push(problem);
        }
    }
    if let Some(place) = reader.comment {
        report.problem(place, "the comment is not closed: expected `*/`");
    }
    reader.definitions
}

struct Reader {
    id: MemberId,
    definitions: Vec<SysDef>,
    /// Where the comment began that is open.
    comment: Option<Place>,
}

impl Reader {
    /// The record with blanks where comments are, so that places stay.
    fn without_comments(&mut self, line: Line<'_>) -> String {
        let mut text = String::with_capacity(line.text.len());
        let mut in_quotes = false;
        let mut rest = line.text.char_indices();
        while let Some((at, character)) = rest.next() {
            let behind = &line.text[at..];
            if self.comment.is_some() {
                if behind.starts_with("*/") {
                    self.comment = None;
                    rest.next();
                    text.push(' ');
                }
                text.extend(std::iter::repeat_n(' ', character.len_utf8()));
            } else if behind.starts_with("/*") && !in_quotes {
                self.comment = Some(self.place(line, at, at + 2));
                rest.next();
                text.push_str("  ");
            } else {
                in_quotes ^= character == '\'';
                text.push(character);
            }
        }
        text
    }

    fn record(&mut self, line: Line<'_>, text: &str) -> Result<(), Problem> {
        let is_delimiter = |c: char| c == ' ' || c == ',' || c == '\t';
        let mut at = 0;
        loop {
            let rest = &text[at..];
            at += rest.len() - rest.trim_start_matches(is_delimiter).len();
            let rest = &text[at..];
            if rest.is_empty() {
                return Ok(());
            }
            let length = rest.find(|c: char| is_delimiter(c) || c == '(').unwrap_or(rest.len());
            let (word, behind) = rest.split_at(length);
            let place = self.place(line, at, at + length);
            if word == "SYSDEF" {
                self.definitions.push(SysDef::new(place));
                at += length;
                continue;
            }
            let unknown = || {
                let help = did_you_mean(word, PARAMETERS.into_iter().chain(["SYSDEF"]));
                Problem::new(place, format!("`{}` is no SYSDEF and no parameter of it", cut(word))).with_help(help)
            };
            let parameter = keyword::find(word, &PARAMETERS).ok_or_else(unknown)?;
            let behind_blanks = behind.trim_start_matches(' ');
            let open = at + length + (behind.len() - behind_blanks.len());
            let close = closing(&text[open..]).ok_or_else(|| {
                let message = format!("{} is not closed on its record: expected `{}(...)`", cut(word), cut(word));
                Problem::new(place, message)
            })?;
            let inner = self.placed(line, text, open + 1, open + close);
            let definition = self.definitions.last_mut();
            let definition = definition.ok_or_else(|| Problem::new(place, "a parameter before the first SYSDEF"))?;
            definition.length += close + length;
            definition.take(parameter, inner)?;
            at = open + close + 1;
        }
    }

    fn placed(&self, line: Line<'_>, text: &str, start: usize, end: usize) -> Placed<String> {
        let inner = &text[start..end];
        let start = start + (inner.len() - inner.trim_start().len());
        Placed::new(inner.trim().to_owned(), self.place(line, start, end.max(start)))
    }

    fn place(&self, line: Line<'_>, start: usize, end: usize) -> Place {
        Members::place(self.id, line.start + start..line.start + end)
    }
}

/// The byte of the parenthesis that closes the first; parentheses inside apostrophes do not count.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut in_quotes) = (0usize, false);
    if !text.starts_with('(') {
        return None;
    }
    text.bytes().position(|b| {
        match b {
            b'\'' => in_quotes = !in_quotes,
            b'(' if !in_quotes => depth += 1,
            b')' if !in_quotes => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

impl SysDef {
    fn new(place: Place) -> Self {
        Self {
            place,
            hwname: None,
            lparname: None,
            vmuserid: None,
            sysname: None,
            sysclone: None,
            symbols: Vec::new(),
            length: "SYSDEF".len(),
        }
    }

    fn take(&mut self, parameter: &str, value: Placed<String>) -> Result<(), Problem> {
        match parameter {
            "HWNAME" => self.hwname = Some(value),
            "LPARNAME" => self.lparname = Some(value),
            "VMUSERID" => self.vmuserid = Some(value),
            "SYSNAME" => self.sysname = Some(value),
            "SYSCLONE" => self.sysclone = Some(value),
            "SYMDef" => self.symbols.push(definition(&value)?),
            _ => {}
        }
        Ok(())
    }
}

/// `&NAME='text'`, the period behind the name and the apostrophes optional.
fn definition(value: &Placed<String>) -> Result<(Placed<String>, Placed<String>), Problem> {
    let pair = value.value.strip_prefix('&').and_then(|rest| rest.split_once('='));
    let Some((name, text)) = pair else {
        let message = format!("SYMDEF({}): expected `&NAME='text'`", cut(&value.value));
        return Err(Problem::new(value.place, message));
    };
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text);
    let offset = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    let start = value.place.start.saturating_add(offset(1 + name.len() + 1));
    let text = Placed::new(inner.replace("''", "'"), Place { start, ..value.place });
    Ok((Placed::new(name.trim_end_matches('.').to_owned(), value.place), text))
}
