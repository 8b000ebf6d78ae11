//! What the events of swarms tell the model.

use evidence::{Event, What};

use crate::model::{EngineDone, Fact, JobDone};
use crate::plan::{job_number, user_number};

/// A user or a job that is none of the plan's; the model knows nobody of that number.
const NOBODY: (u32, u64) = (u32::MAX, u64::MAX);

/// Does a swarm say it?
pub fn is_of_a_swarm(what: &What) -> bool {
    matches!(
        what,
        What::LoggedOn { .. }
            | What::Logoff { .. }
            | What::UserLost { .. }
            | What::JobDone { .. }
            | What::EngineDone { .. }
            | What::Drained { .. }
    )
}

/// What an event tells; nothing when it is none of a swarm's.
pub fn fact(event: &Event) -> Option<Fact> {
    let user = |id: &str| user_number(id).unwrap_or(NOBODY.0);
    let job = |name: &str| job_number(name).unwrap_or(NOBODY.1);
    Some(match &event.what {
        What::LoggedOn { user: id, on } => Fact::LoggedOn(user(id), on.clone()),
        What::Logoff { user: id } => Fact::LoggedOff(user(id)),
        What::UserLost { user: id, reason } => Fact::UserLost(user(id), reason.clone()),
        What::JobDone { job: name, client, failed, handoff_us } => Fact::JobDone(JobDone {
            number: job(name),
            on: event.system.clone(),
            client: client.as_deref().map(user),
            failed: failed.clone(),
            handoff_us: *handoff_us,
        }),
        What::EngineDone { user: id, told, job: name, job_system, failed } => Fact::EngineDone(EngineDone {
            user: user(id),
            told: job(told),
            answered: name.as_deref().map(job).zip(job_system.clone()),
            failed: failed.clone(),
        }),
        What::Drained { left } => Fact::Left(format!("{} on {}", event.task, event.system), *left),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: What) -> Event {
        Event { t_ns: 1, system: "LPAR2".into(), task: "JOBS".into(), pid: 1, what }
    }

    #[test]
    fn whoever_is_not_of_the_plan_is_nobody() {
        let done =
            |job: &str| What::JobDone { job: job.into(), client: Some("U3".into()), failed: None, handoff_us: 7 };
        let Some(Fact::JobDone(found)) = fact(&event(done("J0000010"))) else { panic!("a job's end") };
        assert_eq!((found.number, found.client, found.on.as_str()), (36, Some(3), "LPAR2"));
        let Some(Fact::JobDone(found)) = fact(&event(done("EQATST"))) else { panic!("a job's end") };
        assert_eq!(found.number, u64::MAX);
        assert_eq!(fact(&event(What::Drained { left: 2 })), Some(Fact::Left("JOBS on LPAR2".into(), 2)));
        assert_eq!(fact(&event(What::Ready {})), None);
    }
}
