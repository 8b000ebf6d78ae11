//! `run`: a program on a host, and what it must say.

use serde::Deserialize;
use sysplex::raw::{Names, Spanned};

use super::resolve::Resolver;

/// A program that is run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The host.
    pub on: String,
    /// The program, and its arguments.
    pub argv: Vec<String>,
    /// Each is in what it prints; blanks and ends of lines count as one blank.
    pub says: Vec<String>,
    /// None is in it.
    pub says_not: Vec<String>,
    /// Its exit status.
    pub exit: i32,
}

/// `run`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRun {
    on: Spanned<String>,
    command: Spanned<Vec<String>>,
    says: Option<Names>,
    says_not: Option<Names>,
    #[serde(default)]
    exit: i32,
}

impl Resolver<'_> {
    pub(super) fn run(&mut self, raw: &RawRun) -> Option<Run> {
        let on = self.host(&raw.on)?;
        let argv = raw.command.get_ref().clone();
        if argv.first().is_none_or(String::is_empty) || argv.iter().any(|word| word.contains('\0')) {
            let message =
                "no command: expected a program and its arguments, such as [\"curl\", \"-s\", \"http://10.10.10.1/\"]";
            self.problem(raw.command.span(), message.into(), None);
            return None;
        }
        let words = |words: &Option<Names>| words.as_ref().map(|words| words.0.clone()).unwrap_or_default();
        Some(Run { on, argv, says: words(&raw.says), says_not: words(&raw.says_not), exit: raw.exit })
    }
}
