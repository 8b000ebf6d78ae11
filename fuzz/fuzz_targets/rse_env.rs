//! rse.env.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zos_config::report::Report;
use zos_config::rseenv::RseEnv;
use zos_config::source::Members;

fuzz_target!(|bytes: &[u8]| {
    let (mut members, mut report) = (Members::default(), Report::default());
    let Ok(id) = members.add("rse.env", bytes) else { return };
    let env = RseEnv::read(&members, id, &mut report);
    env.keys().for_each(|(_, place)| drop(members.show(place)));
    report.problems.iter().for_each(|problem| drop(problem.render(&members)));
});
