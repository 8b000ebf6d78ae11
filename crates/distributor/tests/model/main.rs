//! The documented rules of dynamic VIPAs and of the distributor, as a small model, against the code: random statements, listeners,
//! crashes, operators' commands and connections. Thousands of cases on the plan without a kernel, a dozen on real kernels.
//!
//! `PROPTEST_CASES` and `MODEL_KERNEL_CASES` say how many. A failure prints the shortest topology and script that still fail.

mod check;
mod kernel;
mod lab;
mod model;
mod moves;
#[allow(dead_code, reason = "the tests on the kernel use the rest of it")]
#[path = "../kernel/net.rs"]
mod net;
mod rules;
mod topology;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// How many cases without being told.
const CASES: u32 = 2000;

/// A runner that shrinks, and writes no file.
fn runner(variable: &str, cases: u32, most_shrinks: u32) -> TestRunner {
    let cases = std::env::var(variable).ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    let config = Config { cases, max_shrink_iters: most_shrinks, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
}

#[test]
fn the_code_does_what_the_documented_rules_say() {
    let mut runner = runner("PROPTEST_CASES", CASES, 20_000);
    let cases = runner.config().cases;
    let used = RefCell::new(BTreeMap::<&'static str, usize>::new());
    let result = runner.run(&moves::any_case(), |case| {
        let model = check::play(&case).map_err(TestCaseError::fail)?;
        for (rule, count) in model.used {
            *used.borrow_mut().entry(rule).or_default() += count;
        }
        Ok(())
    });
    match result {
        Ok(()) => every_rule_had_a_say(cases, &used.into_inner()),
        Err(TestError::Fail(reason, case)) => panic!("{reason}\n{case:?}"),
        Err(TestError::Abort(reason)) => panic!("given up: {reason}"),
    }
}

/// A model test that never gets to a rule says nothing about it.
fn every_rule_had_a_say(cases: u32, used: &BTreeMap<&'static str, usize>) {
    println!("{used:?}");
    let rules = [
        "takeover",
        "active nowhere",
        "connections lost",
        "quiescing",
        "WHENIDLE waits",
        "AUTOSWITCHBACK",
        "NOAUTOSWITCHBACK",
        "SYSPLEXPORTS",
        "port in no list",
        "no target",
        "TIMEDAFFINITY",
        "ROUNDROBIN",
        "BASEWLM",
        "SERVERWLM",
        "WEIGHTEDACTIVE",
        "HOTSTANDBY",
    ];
    // With few cases a rule may be missed by chance.
    for rule in rules.into_iter().filter(|_| cases >= 500) {
        assert!(used.contains_key(rule), "{rule}: no case of {cases} came to it: {used:?}");
    }
}
