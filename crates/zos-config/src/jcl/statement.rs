//! JCL statements: records put together, comments taken away, operands split.
//!
//! Columns 1 to 71 hold a statement. It goes on behind a comma, in columns 4 to 16 of the next record; inside apostrophes it goes
//! on from column 71 in column 16 of the next record. (z/OS MVS JCL Reference.)

use crate::report::{NoteKind, Report, cut};
use crate::source::{Line, Member, MemberId, Members, Place, Placed};

/// Columns 1 to 71.
const LAST_COLUMN: usize = 71;
/// Where an operand inside apostrophes goes on.
const CONTINUED_AT: usize = 16;

/// One statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The name field.
    pub name: String,
    /// The operation field: PROC, EXEC, DD, ...
    pub operation: String,
    /// The operands.
    pub operands: Vec<Operand>,
    /// All of it but in-stream data.
    pub place: Place,
    /// In-stream data behind a `DD *`.
    pub data: Option<Vec<Placed<String>>>,
}

/// One operand.
#[derive(Clone, Debug)]
pub struct Operand {
    /// The keyword; nothing for a positional operand.
    pub key: Option<String>,
    /// The value as it is written, apostrophes and symbols and all.
    pub value: String,
    /// All of it.
    pub place: Place,
}

impl Statement {
    /// The operand with this keyword.
    pub fn operand(&self, key: &str) -> Option<&Operand> {
        self.operands.iter().find(|operand| operand.key.as_deref() == Some(key))
    }
}

/// The value without its apostrophes.
pub(crate) fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace("''", "'"))
}

/// The statements of a member.
pub fn read(members: &Members, id: MemberId, report: &mut Report) -> Vec<Statement> {
    let member = members.get(id);
    let mut reader = Reader { member, id, lines: member.lines().collect(), at: 0 };
    let mut statements = Vec::new();
    while let Some(line) = reader.next() {
        let is_comment = line.text.starts_with("//*") || line.text.trim() == "//" || line.text.is_empty();
        if line.text.starts_with("//") && !is_comment {
            statements.push(reader.statement(line.columns(LAST_COLUMN), report));
        } else if !is_comment && !line.text.starts_with("/*") {
            let place = reader.place(line.start..line.start + line.text.len());
            report.note(NoteKind::PassedOver, place, "no JCL statement, and data of no DD");
        }
    }
    statements
}

struct Reader<'m> {
    member: &'m Member,
    id: MemberId,
    lines: Vec<Line<'m>>,
    at: usize,
}

/// An operand field as it is put together: characters and where each stands.
#[derive(Default)]
struct Field {
    text: String,
    /// For each byte of `text`.
    offsets: Vec<usize>,
    in_quotes: bool,
    depth: usize,
}

impl Field {
    fn push(&mut self, character: char, offset: usize) {
        self.text.push(character);
        self.offsets.resize(self.text.len(), offset);
        match character {
            '\'' => self.in_quotes = !self.in_quotes,
            '(' if !self.in_quotes => self.depth += 1,
            ')' if !self.in_quotes => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// Takes what a record has from a byte on, up to the blank that ends the field.
    fn take(&mut self, line: Line<'_>, from: usize) {
        for (at, character) in line.text.char_indices().skip_while(|(at, _)| *at < from) {
            if character == ' ' && !self.in_quotes {
                return;
            }
            self.push(character, line.start + at);
        }
        if self.in_quotes {
            // Blanks at the end of a record inside apostrophes count.
            let end = line.start + line.text.len();
            (line.text.chars().count()..LAST_COLUMN).for_each(|_| self.push(' ', end));
        }
    }

    fn goes_on(&self) -> bool {
        self.in_quotes || self.text.ends_with(',')
    }
}

impl<'m> Reader<'m> {
    fn next(&mut self) -> Option<Line<'m>> {
        let line = self.lines.get(self.at).copied();
        self.at += 1;
        line
    }

    fn statement(&mut self, line: Line<'m>, report: &mut Report) -> Statement {
        let body = &line.text[2..];
        let name_length = body.find(' ').unwrap_or(body.len());
        let (name, rest) = body.split_at(name_length);
        let indent = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let operation = rest.split(' ').next().unwrap_or_default();
        let from = 2 + name_length + indent + operation.len();
        let from = from + (line.text[from..].len() - line.text[from..].trim_start().len());
        let mut field = Field::default();
        field.take(line, from);
        let mut last = line;
        while field.goes_on() {
            let Some(next) = self.continuation() else {
                let what =
                    if field.in_quotes { "an apostrophe is not closed" } else { "the statement ends with a comma" };
                let message =
                    format!("{what} and no continuation follows: expected `//` and a blank in columns 1 to 3");
                report.problem(self.place(last.start..last.start + last.text.len()), message);
                break;
            };
            self.go_on(&mut field, next, report);
            last = next;
        }
        let place = self.place(line.start..last.start + last.text.len());
        let mut statement = Statement {
            name: name.to_owned(),
            operation: operation.to_owned(),
            operands: self.operands(&field),
            place,
            data: None,
        };
        self.data(&mut statement);
        statement
    }

    /// The next record, when it continues a statement; comments between are skipped.
    fn continuation(&mut self) -> Option<Line<'m>> {
        loop {
            let line = self.lines.get(self.at)?.columns(LAST_COLUMN);
            if line.text.starts_with("// ") {
                self.at += 1;
                return Some(line);
            }
            if !line.text.starts_with("//*") {
                return None;
            }
            self.at += 1;
        }
    }

    fn go_on(&self, field: &mut Field, line: Line<'m>, report: &mut Report) {
        let first = line.text[2..].find(|c| c != ' ').map_or(line.text.len(), |at| at + 2);
        let column = line.text[..first].chars().count() + 1;
        let is_right = if field.in_quotes { column >= CONTINUED_AT } else { (4..=CONTINUED_AT).contains(&column) };
        if !is_right && first < line.text.len() {
            let expected = if field.in_quotes { "column 16, inside apostrophes" } else { "columns 4 to 16" };
            let message = format!("the continuation begins in column {column}: expected {expected}");
            report.problem(self.place(line.start + first..line.start + line.text.len()), message);
        }
        let from = if field.in_quotes {
            line.text.char_indices().nth(CONTINUED_AT - 1).map_or(line.text.len(), |(at, _)| at)
        } else {
            first
        };
        field.take(line, from);
    }

    fn operands(&self, field: &Field) -> Vec<Operand> {
        let mut found = Vec::new();
        let (mut in_quotes, mut depth, mut start) = (false, 0usize, 0);
        let bytes = field.text.as_bytes();
        for end in 0..=bytes.len() {
            match bytes.get(end) {
                Some(b'\'') => in_quotes = !in_quotes,
                Some(b'(') if !in_quotes => depth += 1,
                Some(b')') if !in_quotes => depth = depth.saturating_sub(1),
                Some(b',') if !in_quotes && depth == 0 => {
                    found.extend(self.operand(field, start, end));
                    start = end + 1;
                }
                None => found.extend(self.operand(field, start, end)),
                _ => {}
            }
        }
        found
    }

    fn operand(&self, field: &Field, start: usize, end: usize) -> Option<Operand> {
        let text = &field.text[start..end];
        let first = *field.offsets.get(start)?;
        let last = field.offsets[end.max(start + 1) - 1];
        let place = self.place(first..last + 1);
        let is_key =
            |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"@#$_.".contains(&b));
        let (key, value) = match text.split_once('=') {
            Some((key, value)) if is_key(key) => (Some(key.to_owned()), value),
            _ => (None, text),
        };
        (!text.is_empty()).then(|| Operand { key, value: value.to_owned(), place })
    }

    /// In-stream data of a `DD *` or `DD DATA`.
    fn data(&mut self, statement: &mut Statement) {
        let positional =
            statement.operands.iter().find(|operand| operand.key.is_none()).map(|operand| operand.value.as_str());
        let is_data = match positional {
            Some("*") if statement.operation == "DD" => false,
            Some("DATA") if statement.operation == "DD" => true,
            _ => return,
        };
        let delimiter = statement.operand("DLM").map_or_else(|| "/*".to_owned(), |dlm| unquoted(&dlm.value));
        let mut data = Vec::new();
        while let Some(line) = self.lines.get(self.at).copied() {
            if line.text.starts_with(&delimiter) {
                self.at += 1;
                break;
            }
            if !is_data && line.text.starts_with("//") {
                break;
            }
            self.at += 1;
            data.push(Placed::new(line.text.to_owned(), self.place(line.start..line.start + line.text.len())));
        }
        statement.data = Some(data);
    }

    fn place(&self, span: std::ops::Range<usize>) -> Place {
        debug_assert!(span.end <= self.member.text().len() + 1, "{}", cut(&self.member.name));
        Members::place(self.id, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> (Vec<Statement>, Vec<String>) {
        let mut members = Members::default();
        let id = members.add("P", text.as_bytes()).expect("small");
        let mut report = Report::default();
        let found = read(&members, id, &mut report);
        (found, report.problems.iter().map(|problem| problem.render(&members)).collect())
    }

    #[test]
    fn a_statement_goes_on_behind_a_comma_and_comments_are_no_part_of_it() {
        let text = "//DBGMGR PROC PRM=,   comment\n//* another\n//     LEPRM='RPTOPTS(ON)', one more\n//  CLIENT=5335\n//S EXEC PGM=X\n";
        let (found, problems) = statements(text);
        assert_eq!(problems, [""; 0]);
        let [proc, step] = found.as_slice() else { panic!("{found:?}") };
        let operands: Vec<_> = proc.operands.iter().map(|o| (o.key.as_deref(), o.value.as_str())).collect();
        assert_eq!(operands, [(Some("PRM"), ""), (Some("LEPRM"), "'RPTOPTS(ON)'"), (Some("CLIENT"), "5335")]);
        assert_eq!((proc.name.as_str(), step.operation.as_str()), ("DBGMGR", "EXEC"));
    }

    #[test]
    fn inside_apostrophes_it_goes_on_from_column_71_in_column_16() {
        let first = format!("{:<71}", "//S EXEC PGM=X,PARM='ABC");
        let text = format!("{first}\n//             DEF G'\n");
        let (found, problems) = statements(&text);
        assert_eq!(problems, [""; 0]);
        let parm = unquoted(&found[0].operand("PARM").expect("PARM").value);
        assert_eq!(parm, format!("ABC{}DEF G", " ".repeat(71 - 24)));
    }

    #[test]
    fn a_continuation_that_is_none_is_an_error() {
        let (_, problems) = statements("//P PROC A=1,\n//S EXEC PGM=X\n");
        assert!(problems[0].contains("no continuation follows") && problems[0].contains("P:1:1"), "{problems:?}");
        let (_, problems) = statements("//P PROC A=1,\n//                   B=2\n");
        assert!(problems[0].contains("column 22") && problems[0].contains("P:2:22"), "{problems:?}");
        assert!(statements("//P PROC A='1\n").1[0].contains("apostrophe is not closed"));
    }

    #[test]
    fn in_stream_data_ends_at_its_delimiter() {
        let (found, _) = statements(
            "//STDENV DD *\nHUBIP=9.9.9.1\n/*\n//X DD DATA,DLM=$$\n// no JCL\n$$\n//Y DD *\nA=1\n//Z DD DUMMY\n",
        );
        let data: Vec<Vec<&str>> = found
            .iter()
            .filter_map(|s| s.data.as_ref())
            .map(|d| d.iter().map(|l| l.value.as_str()).collect())
            .collect();
        assert_eq!(data, [vec!["HUBIP=9.9.9.1"], vec!["// no JCL"], vec!["A=1"]]);
        assert_eq!(found.len(), 4);
    }
}
