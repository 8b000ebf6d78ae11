//! From what went wrong to why: one sentence that a z/OS person understands, and the lines of evidence that it rests on. Pure.
//!
//! Each family of causes has a file with its rules; a rule looks at a [`Case`] and knows one cause of the field catalogue, or it
//! says nothing. The first that says something is right, so the rules that need the most evidence come first.

mod case;
mod debug_manager;
mod distribution;
mod failure;
mod hub;
mod logon;
mod owner;
mod ports;
mod registration;
mod rse;
#[cfg(test)]
mod sample;

pub use case::{CASE, Carried, Case, Distributed, EVENTS, Group, Quiesced};
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

impl Cause {
    /// The same, which also rests on this event, if there is one.
    #[must_use]
    fn because_of(self, event: Option<&evidence::Event>) -> Self {
        event.into_iter().fold(self, |cause, event| cause.because(debug_manager::line(event)))
    }
}

/// Knows one cause.
type Rule = fn(&Case) -> Option<Cause>;

/// Looks for a known cause.
pub fn diagnose(case: &Case) -> Option<Cause> {
    let families: [&[Rule]; 8] = [
        debug_manager::RULES,
        hub::RULES,
        registration::RULES,
        rse::RULES,
        logon::RULES,
        ports::RULES,
        owner::RULES,
        distribution::RULES,
    ];
    families.into_iter().flatten().find_map(|rule| rule(case))
}
