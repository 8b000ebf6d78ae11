//! Bugs that are planted on purpose: the simulation finds each, and shows it with few steps.

use super::super::super::planted::{Bug, plant};
use super::search::search;

/// Schedules in which a planted bug must be found.
const TRIES: u64 = 20_000;

/// The simulation finds the bug, calls it by words like these, and shows it in so many steps at most.
fn is_found(bug: Bug, words: &[&str], most: usize) {
    let finding = search(TRIES, || plant(bug)).unwrap_or_else(|| panic!("{bug:?} was not found in {TRIES} schedules"));
    println!("{bug:?}: {finding}\n");
    assert!(words.iter().any(|words| finding.wrong.contains(words)), "{bug:?} was called {}", finding.wrong);
    assert!(finding.short.steps.len() <= most, "{bug:?} in more than {most} steps:\n{}", finding.short);
}

#[test]
fn a_token_that_is_not_used_up() {
    is_found(Bug::TokenKept, &["used before", "connections are left"], 3);
}

#[test]
fn a_notice_to_the_wrong_user() {
    is_found(Bug::WrongMiner, &["was told of"], 3);
}

#[test]
fn a_running_session_that_waits_again() {
    is_found(Bug::RunningWaitsAgain, &["waits, and has its workstation"], 4);
}

#[test]
fn a_withdrawal_that_is_lost() {
    is_found(Bug::WithdrawLost, &["look for a user"], 2);
}

#[test]
fn a_cancelled_session_that_waits_on() {
    is_found(Bug::CancelledWaitsOn, &["was linked though it is over", "was told that its wait is over"], 5);
}

#[test]
fn registrations_that_are_not_sent_again() {
    is_found(Bug::UsersNotSentAgain, &["is logged on and was not told"], 3);
}
