//! Scenario files.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = std::env::temp_dir().join(format!("fuzz-scenario-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("a temporary file");
    if let Err(problems) = lab::scenario::Scenario::load(&path) {
        assert!(!problems.is_empty());
    }
});
