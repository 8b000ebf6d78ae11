//! Topologies: a problem is shown with its place in the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sysplex::Sysplex;

fuzz_target!(|text: &str| {
    match Sysplex::from_toml(text) {
        Ok(sysplex) => drop(sysplex.warnings()),
        Err(problems) => {
            assert!(!problems.is_empty());
            problems.iter().for_each(|problem| drop(problem.render("fuzz.toml", text)));
        }
    }
});
