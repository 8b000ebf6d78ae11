//! IEASYMxx.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zos_config::ieasym::{Identity, read, resolve};
use zos_config::report::Report;
use zos_config::source::Members;

fuzz_target!(|bytes: &[u8]| {
    let (mut members, mut report) = (Members::default(), Report::default());
    let Ok(id) = members.add("IEASYM00", bytes) else { return };
    let definitions = read(&members, id, &mut report);
    let identity = Identity { name: "LPAR1".to_owned(), ..Identity::default() };
    resolve(&definitions, &identity, "PLEX", &mut report);
    report.problems.iter().for_each(|problem| drop(problem.render(&members)));
    report.notes.iter().for_each(|note| drop(note.render(&members)));
});
