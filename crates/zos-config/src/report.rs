//! What a person is told: problems, which stop an import, and notes, which do not.

use sysplex::Diagnostic;

use crate::source::{Members, Place};

/// Something that is wrong in a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; nothing when it is about no member.
    pub place: Option<Place>,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it, where that is known.
    pub help: Option<String>,
    /// Entry of the field catalogue, such as `F08`, when it is a known mistake of sites.
    pub code: Option<&'static str>,
}

impl Problem {
    /// A problem without help.
    pub fn new(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), help: None, code: None }
    }

    /// The same with help.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    /// The same as a known mistake of the field catalogue.
    #[must_use]
    pub fn with_code(mut self, code: Option<&'static str>) -> Self {
        self.code = code;
        self
    }

    /// For a person: message, `file:line:column`, the line with a caret under it, and the help.
    pub fn render(&self, members: &Members) -> String {
        match self.place {
            Some(place) => {
                let member = members.get(place.member);
                let span = place.start as usize..place.end as usize;
                let diagnostic = Diagnostic::new(span, self.message.as_str()).with_help(self.help.clone());
                diagnostic.render(&member.name, member.text())
            }
            None => match &self.help {
                Some(help) => format!("error: {}\nhelp: {help}", self.message),
                None => format!("error: {}", self.message),
            },
        }
    }
}

/// What kind of thing a note tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// It was understood, and a topology has no place for it.
    NotCarried,
    /// It was not looked into.
    PassedOver,
    /// It is in the topology, in another form.
    Changed,
    /// The members do not say it; the lab chose.
    Assumed,
}

impl NoteKind {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotCarried => "not carried over",
            Self::PassedOver => "passed over",
            Self::Changed => "changed",
            Self::Assumed => "assumed",
        }
    }
}

/// Something that a person should know about an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its kind.
    pub kind: NoteKind,
    /// Where; nothing when it is about no member.
    pub place: Option<Place>,
    /// One sentence.
    pub text: String,
}

impl Note {
    /// A note.
    pub fn new(kind: NoteKind, place: impl Into<Option<Place>>, text: impl Into<String>) -> Self {
        Self { kind, place: place.into(), text: text.into() }
    }

    /// One line: `file:line:column: kind: text`.
    pub fn render(&self, members: &Members) -> String {
        match self.place {
            Some(place) => format!("{}: {}: {}", members.show(place), self.kind.as_str(), self.text),
            None => format!("{}: {}", self.kind.as_str(), self.text),
        }
    }
}

/// Problems and notes as they come up.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What should be known.
    pub notes: Vec<Note>,
}

impl Report {
    pub(crate) fn problem(&mut self, place: impl Into<Option<Place>>, message: impl Into<String>) {
        self.problems.push(Problem::new(place, message));
    }

    pub(crate) fn note(&mut self, kind: NoteKind, place: impl Into<Option<Place>>, text: impl Into<String>) {
        self.notes.push(Note::new(kind, place, text));
    }

    /// All of another report.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.problems.extend(other.problems.iter().cloned());
        self.notes.extend(other.notes.iter().cloned());
    }

    /// The value, or a problem kept.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }
}

/// A text from a member, cut so that a message stays a message.
pub(crate) fn cut(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}
