//! PROFILE.TCPIP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sysplex::symbols::Symbols;
use zos_config::profile;
use zos_config::report::Report;
use zos_config::source::Members;

fuzz_target!(|bytes: &[u8]| {
    let (mut members, mut report) = (Members::default(), Report::default());
    let Ok(id) = members.add("PROFILE", bytes) else { return };
    let mut symbols = Symbols::default();
    symbols.set("SYSNAME", "LPAR1");
    // A profile that includes itself, too.
    profile::read(&members, id, &symbols, &|name| (name.len() > 8).then_some(id), &mut report);
    report.problems.iter().for_each(|problem| drop(problem.render(&members)));
    report.notes.iter().for_each(|note| drop(note.render(&members)));
});
