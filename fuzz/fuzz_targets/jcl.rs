//! Procedures, and the START command that runs them: the command, an end of line, the procedure.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sysplex::symbols::Symbols;
use zos_config::jcl::{Start, debug_manager, rsed, run, statement};
use zos_config::report::Report;
use zos_config::source::Members;

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (command, procedure) = bytes.split_at(at);
    let (mut members, mut report) = (Members::default(), Report::default());
    let Ok(id) = members.add("DBGMGR", procedure) else { return };
    let statements = statement::read(&members, id, &mut report);
    let Ok(start) = Start::parse(&String::from_utf8_lossy(command)) else { return };
    let run = run(&statements, &start, None, &Symbols::default(), &mut report);
    for step in &run.steps {
        rsed(&run, step);
        let _ = debug_manager(&run, step, Vec::new(), &mut report);
    }
    let _ = zos_config::eqadvipa::symbols(&run);
    report.problems.iter().for_each(|problem| drop(problem.render(&members)));
});
