//! The TEST runtime option: what is to blame is part of it.
#![no_main]

use dbm_protocol::testopt::TestOption;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(bad) = text.parse::<TestOption>() {
        assert!(text.get(bad.at.clone()).is_some(), "{:?} is not a part of {text:?}", bad.at);
        assert!(bad.to_string().len() < 4096);
    }
});
