//! A mistake that was found, and how it is shown.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::page;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be meant so, or what decides is not in the configuration.
    Note,
    /// Some users, or some sessions, will have trouble.
    Warning,
    /// It cannot work.
    Error,
}

impl Severity {
    /// In a word, as SARIF has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn level(self) -> Level<'static> {
        match self {
            Self::Note => Level::NOTE,
            Self::Warning => Level::WARNING,
            Self::Error => Level::ERROR,
        }
    }
}

/// A place in a member or a topology file, for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// First column, from 1, in characters.
    pub column: usize,
    /// The column behind the last on the same line.
    pub end_column: usize,
    /// The line as it is written.
    #[serde(skip)]
    pub text: String,
}

impl Location {
    /// The place of bytes of a text. What goes on in further lines is shown up to the end of the first.
    pub(crate) fn of(file: &str, text: &str, span: &std::ops::Range<usize>) -> Self {
        let start = boundary(text, span.start);
        let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let until = boundary(text, span.end).clamp(start, end);
        let column = text[begin..start].chars().count() + 1;
        Self {
            file: file.to_owned(),
            line: text[..begin].matches('\n').count() + 1,
            column,
            end_column: column + text[start..until].chars().count(),
            text: text[begin..end].trim_end().to_owned(),
        }
    }
}

/// The last place at or before `at` where a character starts.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// One known mistake at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its code, stable: `F01`. [`page::of`] has its page.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where; nothing when no file is at hand.
    pub location: Option<Location>,
    /// What is wrong here.
    pub message: String,
    /// What a user would see.
    pub symptom: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Finding {
    pub(crate) fn new(code: &'static str, severity: Severity, location: Option<Location>, message: String) -> Self {
        let (symptom, remedy) = page::of(code).map_or(("", ""), |page| (page.symptom, page.remedy));
        Self { code, severity, location, message, symptom, remedy }
    }

    /// For a person: message, `file:line:column`, the line with a caret under it, what a user sees, and the remedy. No colour.
    pub fn render(&self) -> String {
        let level = self.severity.level();
        let mut report = Group::with_title(level.primary_title(self.message.as_str()).id(self.code));
        if let Some(at) = &self.location {
            let byte = |column: usize| at.text.char_indices().nth(column - 1).map_or(at.text.len(), |(byte, _)| byte);
            let start = byte(at.column);
            let span = start..byte(at.end_column).max(start);
            let snippet = Snippet::source(at.text.as_str()).path(&at.file).line_start(at.line);
            report = report.element(snippet.annotation(AnnotationKind::Primary.span(span)));
        }
        report = report.element(Level::NOTE.with_name("seen").message(self.symptom));
        report = report.element(Level::HELP.with_name("remedy").message(self.remedy));
        Renderer::plain().render(&[report])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_line_and_column_and_stays_on_its_line() {
        let text = "a\nh\u{e9} = [\n1]\n";
        let at = Location::of("f", text, &(4..12));
        assert_eq!((at.line, at.column, at.end_column, at.text.as_str()), (2, 2, 7, "h\u{e9} = ["));
        let end = Location::of("f", text, &(900..901));
        assert_eq!((end.line, end.column), (4, 1));
    }

    #[test]
    fn a_finding_is_shown_with_its_place_and_what_to_do() {
        let at = Location::of("SYS1/PROFILE", "VIPADYNAMIC\n  PORT 4035\n", &(19..23));
        let shown = Finding::new("F01", Severity::Error, Some(at), "5335 is missing".into()).render();
        for expected in
            ["error[F01]: 5335 is missing", "--> SYS1/PROFILE:2:8", "2 |   PORT 4035", "^^^^", "seen: ", "remedy: "]
        {
            assert!(shown.contains(expected), "{expected} in:\n{shown}");
        }
    }
}
