//! Topologies: a problem is shown with its place in the file, and what is read can be checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sysplex::Sysplex;

fuzz_target!(|text: &str| {
    match Sysplex::from_toml(text) {
        Ok(sysplex) => drop(site_check::of_sysplex(&sysplex)),
        Err(problems) => {
            assert!(!problems.is_empty());
            problems.iter().for_each(|problem| drop(problem.render("fuzz.toml", text)));
        }
    }
});
