//! Reading the journal: how far a handoff has come, and what went wrong on its way. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use evidence::What;

use super::diagnose::Failure;
use super::figure4::Handoff;
use super::proofs::ClientRead;
use crate::plex::journal::{TaskExit, View};
use crate::scenario::Symptom;

/// The end of a client, in words.
pub(super) fn ended_early(exit: &TaskExit) -> String {
    let last = exit.last_words.iter().rev().find(|line| !line.trim().is_empty());
    format!("the client ended ({}){}", exit.how, last.map_or_else(String::new, |line| format!(": {line}")))
}

/// The session of a job, once Debug Manager took it.
pub(super) fn session_of<'v>(view: View<'v>, handoff: &Handoff) -> Option<&'v str> {
    view.find(|event| match &event.what {
        What::JobWaiting { session, .. } if event.task == handoff.job => Some(session.as_str()),
        _ => None,
    })
}

/// Was a Debug Miner told of this session?
pub(super) fn was_notified(view: View<'_>, wanted: &str) -> bool {
    view.events.iter().any(|event| matches!(&event.what, What::MinerNotified { session, .. } if session == wanted))
}

/// How the job says that it ended, and why.
pub(super) fn job_end<'v>(view: View<'v>, handoff: &Handoff) -> Option<(&'v str, &'v str)> {
    view.find(|event| match &event.what {
        What::JobEnded { how, reason } if event.task == handoff.job => Some((how.as_str(), reason.as_str())),
        _ => None,
    })
}

/// The job is over, in words.
pub(super) fn job_over(view: View<'_>, handoff: &Handoff) -> Option<String> {
    let ended = job_end(view, handoff).map(|(how, reason)| format!("{} ended: {how}, {reason}", handoff.job));
    let exit = || view.exit_of(&handoff.on, &handoff.job).map(|exit| format!("{} ended: {}", handoff.job, exit.how));
    ended.or_else(exit)
}

/// The two ends of the connection once the program is stopped before the client's eyes, or what went wrong.
pub(super) fn attached(view: View<'_>, handoff: &Handoff) -> Option<Result<(SocketAddr, SocketAddr), Failure>> {
    let fail = |symptom, what: String| Some(Err(Failure::new(symptom, what).of(handoff)));
    let session = session_of(view, handoff)?;
    for event in view.events {
        match &event.what {
            What::ConnectFailed { what, address, how, reason } if event.task == handoff.user && what == "engine" => {
                let symptom = if how == "timed_out" {
                    Symptom::EngineConnectionTimedOut
                } else {
                    Symptom::EngineConnectionRefused
                };
                let what = format!("the client's connection to {address} failed: {how}, {reason}");
                return Some(Err(Failure::new(symptom, what).of(handoff).to(*address)));
            }
            What::EngineTurnedAway { session: of, refusal } if of == session => {
                return fail(
                    Symptom::EngineTurnedAway,
                    format!("the client's connection was turned away: {}, {}", refusal.code, refusal.reason),
                );
            }
            What::DebugBroken { session: of, reason } if of == session => {
                return fail(Symptom::SessionBroken, format!("the debug conversation broke off: {reason}"));
            }
            What::DebuggerAnswered { session: of, job, job_system }
                if of == session && (*job != handoff.job || *job_system != handoff.on) =>
            {
                let what =
                    format!("the client talks to {job} on {job_system}, expected {} on {}", handoff.job, handoff.on);
                return fail(Symptom::SessionBroken, what);
            }
            What::JobEnded { how, reason } if event.task == handoff.job => {
                let symptom = if how == "timed_out_register" { Symptom::UserNotNotified } else { Symptom::JobFailed };
                return fail(symptom, format!("{} ended: {how}, {reason}", handoff.job));
            }
            _ => {}
        }
    }
    if let Some(exit) = view.exits.iter().find(|exit| exit.task == handoff.user) {
        return fail(Symptom::SessionBroken, ended_early(exit));
    }
    let stopped =
        view.events.iter().any(|event| matches!(&event.what, What::ClientStopped { session: of, .. } if of == session));
    let ends = view.find(|event| match &event.what {
        What::SocketTaken { session: of, peer, local } if of == session => Some((*peer, *local)),
        _ => None,
    });
    ends.filter(|_| stopped).map(Ok)
}

/// Time is up: how far did it get?
pub(super) fn not_attached(view: View<'_>, handoff: &Handoff, within: Duration) -> Failure {
    let within = humantime::format_duration(within);
    let session = session_of(view, handoff);
    let fail = |symptom, seen: &str| {
        let what = format!("{} is not in the debugger of {} within {within}: {seen}", handoff.job, handoff.user);
        Failure::new(symptom, what).of(handoff)
    };
    let Some(session) = session else { return fail(Symptom::StepTimedOut, "the job does not wait yet") };
    let client_knows =
        view.events.iter().any(|event| matches!(&event.what, What::Notified { session: of, .. } if of == session));
    if client_knows {
        fail(Symptom::StepTimedOut, "the client was notified, but the session did not begin")
    } else if was_notified(view, session) {
        fail(Symptom::UserNotNotified, "the Debug Miner was told, the client was not")
    } else {
        fail(Symptom::UserNotNotified, "its session waits for a register connection")
    }
}

/// What the client read from the debugger of this job.
pub(super) fn client_read(view: View<'_>, handoff: &Handoff) -> ClientRead {
    let mut read = ClientRead::default();
    let Some(session) = session_of(view, handoff) else { return read };
    for event in view.events {
        match &event.what {
            What::DebuggerAnswered { session: of, job, job_system } if of == session => {
                (read.job, read.system) = (job.clone(), job_system.clone());
            }
            What::ClientStopped { session: of, line, variables } if of == session => {
                (read.line, read.variables) = (*line, variables.clone());
            }
            _ => {}
        }
    }
    read
}
