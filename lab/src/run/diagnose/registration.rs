//! Causes that are in who is registered with Debug Manager, and for whom the job waits.

use evidence::{Event, What};
use sysplex::{Lpar, StartedTask};

use super::debug_manager::{handoff, line};
use super::{Case, Cause, Rule};
use crate::run::figure4::Handoff;
use crate::scenario::Symptom;

pub(super) const RULES: &[Rule] = &[own_user_id, no_debug_manager, registration_refused, user_not_logged_on];

/// Where the user is registered now.
pub(super) fn registered<'c>(case: &'c Case, user: &str) -> Option<&'c Event> {
    let mut left: Vec<&str> = Vec::new();
    for event in case.events.iter().rev() {
        match &event.what {
            What::UserGone { user: gone } if gone == user => left.push(&event.system),
            What::UserRegistered { user: found } if found == user => {
                // A system's last word counts; the rest of what it said is older.
                match left.iter().position(|system| *system == event.system) {
                    Some(at) => drop(left.swap_remove(at)),
                    None => return Some(event),
                }
            }
            _ => {}
        }
    }
    None
}

/// The user of a session that is announced to nobody, who is registered nowhere.
fn unregistered(case: &Case) -> Option<&Handoff> {
    let handoff = handoff(case, Symptom::UserNotNotified)?.0;
    registered(case, &handoff.user).is_none().then_some(handoff)
}

/// DBMDT without a user, in a job of somebody who has no workstation, while another user is there.
fn own_user_id(case: &Case) -> Option<Cause> {
    let handoff = unregistered(case)?;
    let job = case.events.iter().find(|event| match &event.what {
        What::JobStarted { job, job_user, test } => {
            *job == handoff.job && *job_user == handoff.user && !test.contains("DBMDT%")
        }
        _ => false,
    })?;
    let mut users = case.events.iter().rev().filter_map(|event| match &event.what {
        What::UserRegistered { user } if *user != handoff.user => Some((user, event)),
        _ => None,
    });
    let (other, there) = users.find(|(user, _)| registered(case, user).is_some())?;
    let sentence = format!(
        "{} runs under user id {} and has DBMDT without a user, so it waits for the workstation of {}, who is registered nowhere, and \
         not for that of {other}: code TEST(,,,DBMDT%userid:*).",
        handoff.job, handoff.user, handoff.user
    );
    Some(Cause::new("F18", sentence).because(line(job)).because(line(there)))
}

/// What the Debug Miner of a system says last of a user whom it cannot register.
fn miner_failed<'c>(case: &'c Case, user: &str) -> Option<(&'c Event, &'c Lpar)> {
    let is_of = |event: &&Event| matches!(&event.what, What::MinerFailed { user: failed, .. } if failed == user);
    let failed = case.events.iter().rev().find(is_of)?;
    Some((failed, case.sysplex.lpar_named(&failed.system)?))
}

/// RSED runs where no Debug Manager was ever started.
fn no_debug_manager(case: &Case) -> Option<Cause> {
    let handoff = unregistered(case)?;
    let (failed, lpar) = miner_failed(case, &handoff.user)?;
    let is_one = |task: &StartedTask| matches!(task, StartedTask::DebugManager { .. } | StartedTask::WrongParm { .. });
    let sentence = format!(
        "{} is logged on to {}, where no Debug Manager runs, so the user is registered nowhere and {} on {} waits: start DBGMGR on \
         every system where RSED is active.",
        handoff.user, lpar.name, handoff.job, handoff.on
    );
    (!lpar.tasks.iter().any(is_one)).then(|| Cause::new("F19", sentence).because(line(failed)))
}

/// Debug Manager did not take the PassTicket with which the Debug Miner logged the user on.
fn registration_refused(case: &Case) -> Option<Cause> {
    let handoff = unregistered(case)?;
    let (failed, lpar) = miner_failed(case, &handoff.user)?;
    let refusal = case.events.iter().rev().find(|event| match &event.what {
        What::HostRefused { user: Some(user), refusal } => {
            *user == handoff.user && event.system == lpar.name && refusal.reason.starts_with("the PassTicket for user")
        }
        _ => false,
    })?;
    let sentence = format!(
        "{} on {} does not accept the PassTicket for {}, who is logged on there and registered nowhere: SEQAAUTH must be APF \
         authorised, and class PTKTDATA must have the same key for RSED and Debug Manager.",
        refusal.task, lpar.name, handoff.user
    );
    Some(Cause::new("F21", sentence).because(line(refusal)).because(line(failed)))
}

/// Nobody of this name is logged on. (Why one who is logged on is not registered, the other rules know, or nobody.)
fn user_not_logged_on(case: &Case) -> Option<Cause> {
    let handoff = unregistered(case)?;
    let user = &handoff.user;
    let last = case.events.iter().rev().find_map(|event| match &event.what {
        What::LoggedOn { user: found, .. } if found == user => Some((true, event)),
        What::Logoff { user: found } if found == user => Some((false, event)),
        _ => None,
    });
    let sentence = format!(
        "{user} is not logged on, so {}'s session on {} waited for a register connection: the user must be logged on through RSE, on a \
         system where Debug Manager runs, before the time of the wait is up.",
        handoff.job, handoff.on
    );
    let cause = Cause::new("F17", sentence);
    match last {
        Some((true, _)) => None,
        Some((false, event)) => Some(cause.because(line(event))),
        None => {
            let waiting = case
                .events
                .iter()
                .find(|event| matches!(&event.what, What::SessionWaiting { user: waits_for, .. } if waits_for == user));
            Some(waiting.into_iter().fold(cause, |cause, event| cause.because(line(event))))
        }
    }
}

#[cfg(test)]
mod tests {
    use evidence::Refusal;

    use super::*;
    use crate::run::diagnose::diagnose;
    use crate::run::diagnose::sample::{case, event};

    fn with(events: &[Event], spoil: impl FnOnce(&mut Case)) -> Option<String> {
        let mut case = case(Symptom::UserNotNotified, events);
        spoil(&mut case);
        diagnose(&case).map(|cause| cause.code)
    }

    fn code(events: &[Event]) -> Option<String> {
        with(events, |_| ())
    }

    fn registered_on(system: &str, user: &str) -> Event {
        event(system, What::UserRegistered { user: user.into() })
    }

    fn failed() -> Event {
        event("LPAR1", What::MinerFailed { user: "IBMUSER".into(), reason: "x".into() })
    }

    fn logged_on() -> Event {
        event("WS1", What::LoggedOn { user: "IBMUSER".into(), on: "LPAR1".into() })
    }

    #[test]
    fn a_user_who_is_not_logged_on() {
        assert_eq!(code(&[]).as_deref(), Some("F17"));
        assert_eq!(code(&[logged_on()]), None, "logged on, and not registered for a reason that nobody knows");
        let off = event("LPAR1", What::Logoff { user: "IBMUSER".into() });
        let gone = event("LPAR1", What::UserGone { user: "IBMUSER".into() });
        let left = [logged_on(), registered_on("LPAR1", "IBMUSER"), gone.clone(), off];
        assert_eq!(code(&left).as_deref(), Some("F17"));
        let moved = [registered_on("LPAR1", "IBMUSER"), registered_on("LPAR2", "IBMUSER"), gone];
        assert_eq!(code(&moved), None, "registered on the other one still");
    }

    #[test]
    fn a_job_that_asks_for_its_own_user() {
        let started = |test: &str| {
            let what = What::JobStarted { job: "EQATST".into(), job_user: "IBMUSER".into(), test: test.into() };
            Event { task: "EQATST".into(), ..event("LPAR2", what) }
        };
        let other = registered_on("LPAR1", "OTHER");
        assert_eq!(code(&[started("TEST(,,,DBMDT:*)"), other.clone()]).as_deref(), Some("F18"));
        assert_eq!(code(&[started("TEST(,,,DBMDT%IBMUSER:*)"), other]).as_deref(), Some("F17"), "as it was meant");
        assert_eq!(code(&[started("TEST(,,,DBMDT:*)")]).as_deref(), Some("F17"), "nobody else is there");
    }

    #[test]
    fn a_user_whom_the_miner_cannot_register() {
        let without = |case: &mut Case| {
            case.sysplex.lpars[0].tasks.retain(|task| !matches!(task, StartedTask::DebugManager { .. }));
        };
        assert_eq!(with(&[logged_on(), failed()], without).as_deref(), Some("F19"));
        assert_eq!(code(&[logged_on(), failed()]), None, "Debug Manager is there, and something else is wrong");
        let refused = |user: &str, reason: &str| {
            let refusal = Refusal { code: "not_authorized".into(), reason: reason.into() };
            event("LPAR1", What::HostRefused { user: Some(user.into()), refusal })
        };
        let ticket = "the PassTicket for user IBMUSER is not accepted: x";
        assert_eq!(code(&[logged_on(), refused("IBMUSER", ticket), failed()]).as_deref(), Some("F21"));
        let stranger = "user id 99 was found at the other end, 0 or root was expected";
        assert_eq!(code(&[logged_on(), refused("IBMUSER", stranger), failed()]), None, "that was a stranger");
        let later = [logged_on(), refused("IBMUSER", ticket), failed(), registered_on("LPAR1", "IBMUSER")];
        assert_ne!(code(&later).as_deref(), Some("F21"), "it was taken later");
    }
}
