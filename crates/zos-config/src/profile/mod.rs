//! PROFILE.TCPIP.
//!
//! The statements are those of z/OS Communications Server: IP Configuration Reference. Abbreviations of the statements and
//! parameters of the VIPADYNAMIC block, IPCONFIG, DEVICE and AUTOLOG are as its syntax diagrams have them; those of other
//! statements are from memory. Understood are the statements that a topology, or a check of it, has a use for; others are passed
//! over with a note each.
//!
//! Free form: a statement ends where the next begins. Where a passed-over statement ends is our choice: at the END of its block,
//! or at the next name of a statement that begins a record or can be no operand.

mod distribute;
mod interfaces;
mod ipconfig;
mod model;
mod ports;
mod reader;
mod statements;
mod vipa;
mod words;

pub use model::{
    Define, Destination, Distribute, DvipaName, Home, Interface, Link, Moveable, Net, PortEntry, Profile, Route, Vipa,
};

use sysplex::symbols::Symbols;

use crate::report::{NoteKind, Report};
use crate::source::{MemberId, Members};

/// Reads a profile with the symbols of the system that it is read on; `resolver` finds the member that an INCLUDE names. What is
/// wrong or passed over goes to `report`; the profile is what was understood.
pub fn read(
    members: &Members,
    id: MemberId,
    symbols: &Symbols,
    resolver: &dyn Fn(&str) -> Option<MemberId>,
    report: &mut Report,
) -> Profile {
    if members.get(id).sequenced {
        let text =
            "sequence numbers in columns 73 to 80 are left out; z/OS allows none in a profile and reads them as words";
        report.note(NoteKind::Changed, Members::head(id), text);
    }
    let mut scanner = words::Scanner { members, symbols, resolver, report, words: Vec::new() };
    scanner.scan(id, 0);
    let words = scanner.words;
    statements::read(&words, members, report)
}

/// Does a statement of a profile begin with this word?
pub(crate) fn is_statement(word: &str) -> bool {
    word.eq_ignore_ascii_case("INCLUDE") || statements::is_statement(word)
}
