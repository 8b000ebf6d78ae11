//! Debug Manager's arguments, configuration file and environment: each problem is one line that can be shown.
#![no_main]

use arbitrary::Arbitrary;
use dbgmgr::config::{Args, load};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Given {
    words: Vec<String>,
    file: Option<String>,
    environment: Vec<(u8, String)>,
}

const KEYS: [&str; 9] = ["HOST", "CLIENT", "HUBIP", "HUBPORT", "WAIT", "TRUSTEDTCP", "SAFCLASS", "METRICS", "DEBUG"];

fuzz_target!(|given: Given| {
    let file = given.file.map(|text| {
        let path = std::env::temp_dir().join(format!("fuzz-config-{}", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        path
    });
    let args = Args { config: file, run_dir: "/run".into(), check: false, words: given.words };
    let environment = given.environment;
    let read = |key: &str| {
        let set = environment.iter().find(|(n, _)| KEYS[usize::from(*n) % KEYS.len()] == key);
        set.map(|(_, value)| value.clone())
    };
    if let Err(problems) = load(&args, read) {
        assert!(!problems.0.is_empty());
        assert!(problems.0.iter().all(|problem| !problem.contains(char::is_control)), "{problems:?}");
    }
});
