//! From what went wrong to why: one sentence that a z/OS person understands, and the lines of evidence that it rests on. Pure.
//!
//! Each family of causes has a file with its rules; a rule looks at a [`Case`] and knows one cause of the field catalogue, or it
//! says nothing. The first that says something is right, so the rules that need the most evidence come first.

mod case;
mod debug_manager;
mod failure;
mod hub;
mod logon;
mod ports;
mod registration;
mod rse;
#[cfg(test)]
mod sample;

pub use case::{Carried, Case, Distributed};
pub use failure::Failure;
use serde::{Deserialize, Serialize};

/// Why it went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Entry of the field catalogue.
    pub code: String,
    /// One sentence, with the remedy.
    pub sentence: String,
    /// The lines of evidence that it rests on, each with its source.
    pub rests_on: Vec<String>,
}

impl Cause {
    /// A cause that rests on nothing yet.
    pub(super) fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self { code: code.into(), sentence: sentence.into(), rests_on: Vec::new() }
    }

    /// The same, which also rests on this.
    #[must_use]
    pub(super) fn because(mut self, line: impl Into<String>) -> Self {
        self.rests_on.push(line.into());
        self
    }
}

/// Knows one cause.
type Rule = fn(&Case) -> Option<Cause>;

/// Looks for a known cause.
pub fn diagnose(case: &Case) -> Option<Cause> {
    let families: [&[Rule]; 6] =
        [debug_manager::RULES, hub::RULES, registration::RULES, rse::RULES, logon::RULES, ports::RULES];
    families.into_iter().flatten().find_map(|rule| rule(case))
}
