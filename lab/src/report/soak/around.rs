//! The events around a violation, at most fifty: of its job, of its user, faults, and those nearest to the job's end. Pure.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use serde_json::Value;
use soak::model::Violation;
use soak::plan::{job_number, user_number};
use soak::{MS, SECOND};

use crate::report::run_dir::{Said, said};

/// Events of its job, of its user, faults, and events that are only near, at most; of the first three the last ones are kept.
const OF_JOB: usize = 15;
/// See [`OF_JOB`].
const OF_USER: usize = 10;
/// See [`OF_JOB`].
const FAULTS: usize = 8;
/// See [`OF_JOB`].
const NEAR: usize = 17;
/// Of these, those that came just before the job's own.
const BEFORE: usize = 10;
/// How long before an event may have been: no session lasts longer.
const FAR_NS: u64 = 150 * SECOND;
/// How long after the violation, which is told when time enough has passed for all sides to be heard.
const AFTER_NS: u64 = 500 * MS;
/// Longest event that is looked at, in bytes: a swarm's are far shorter.
const LONGEST: usize = 8 << 10;

/// What is around one violation.
#[derive(Clone, Debug)]
pub(super) struct Around {
    t_ns: u64,
    /// Where it happened: the last event of its job, or the violation itself.
    centre_ns: u64,
    jobs: BTreeSet<String>,
    users: BTreeSet<String>,
    of_job: VecDeque<Rc<Said>>,
    of_user: VecDeque<Rc<Said>>,
    faults: VecDeque<Rc<Said>>,
    near: VecDeque<Rc<Said>>,
}

/// Goes through the events once for all violations.
#[derive(Debug, Default)]
pub(super) struct Search {
    all: Vec<Around>,
    /// The last events.
    recent: VecDeque<Rc<Said>>,
}

impl Search {
    /// For these.
    pub(super) fn new(violations: &[Violation]) -> Self {
        Self { all: violations.iter().map(Around::new).collect(), recent: VecDeque::new() }
    }

    /// Is there nothing to look for?
    pub(super) fn is_idle(&self) -> bool {
        self.all.is_empty()
    }

    /// A line of the events, in order.
    pub(super) fn offer(&mut self, line: &str) {
        if line.len() > LONGEST {
            return;
        }
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        let Some(t_ns) = value.get("t_ns").and_then(Value::as_u64) else { return };
        let (about, event) = (About::of(&value), Rc::new(said(line)));
        for around in &mut self.all {
            if (around.t_ns.saturating_sub(FAR_NS)..=around.t_ns.saturating_add(AFTER_NS)).contains(&t_ns) {
                around.take(&about, &event, &self.recent);
            }
        }
        keep(&mut self.recent, BEFORE, event);
    }

    /// What was found, in the order of the violations.
    pub(super) fn found(self) -> Vec<Around> {
        self.all
    }
}

/// What an event is about.
struct About<'a> {
    is_fault: bool,
    texts: Vec<&'a str>,
}

impl<'a> About<'a> {
    fn of(event: &'a Value) -> Self {
        let texts = event.as_object().into_iter().flat_map(|fields| fields.values().filter_map(Value::as_str));
        Self { is_fault: event.get("fault").is_some(), texts: texts.collect() }
    }

    fn names(&self, any: &BTreeSet<String>) -> bool {
        self.texts.iter().any(|text| any.contains(*text))
    }
}

impl Around {
    /// Nothing is known yet.
    fn new(violation: &Violation) -> Self {
        let words = || violation.what.split(|c: char| !c.is_ascii_alphanumeric());
        let jobs = words().filter(|word| job_number(word).is_some()).map(str::to_owned).collect();
        let users = words().filter(|word| user_number(word).is_some()).map(str::to_owned).collect();
        let (of_job, of_user, faults, near) = Default::default();
        let t_ns = violation.t_ns;
        Self { t_ns, centre_ns: t_ns, jobs, users, of_job, of_user, faults, near }
    }

    fn take(&mut self, about: &About<'_>, event: &Rc<Said>, recent: &VecDeque<Rc<Said>>) {
        let t_ns = event.t_ns;
        if about.names(&self.jobs) {
            keep(&mut self.of_job, OF_JOB, Rc::clone(event));
            self.centre_ns = t_ns;
            // Those of its job or its user are kept already, and so are faults.
            self.near.retain(|said| said.t_ns.abs_diff(t_ns) <= SECOND);
            let kept = [&self.of_job, &self.of_user, &self.faults, &self.near];
            let is_new = |one: &&Rc<Said>| !kept.iter().any(|all| all.iter().any(|other| Rc::ptr_eq(other, one)));
            let new: Vec<Rc<Said>> = recent.iter().filter(is_new).cloned().collect();
            new.into_iter().for_each(|one| keep(&mut self.near, NEAR, one));
        } else if about.names(&self.users) {
            keep(&mut self.of_user, OF_USER, Rc::clone(event));
        } else if about.is_fault {
            keep(&mut self.faults, FAULTS, Rc::clone(event));
        } else if self.is_near(t_ns) {
            keep(&mut self.near, NEAR, Rc::clone(event));
        }
    }

    /// Is it nearer than the first of those that are kept, which goes for it?
    fn is_near(&self, t_ns: u64) -> bool {
        let first = self.near.front().filter(|_| self.near.len() == NEAR);
        first.is_none_or(|first| t_ns.abs_diff(self.centre_ns) <= first.t_ns.abs_diff(self.centre_ns))
    }

    /// All of them in order of time, and whether each is more than near.
    pub(super) fn events(&self) -> Vec<(bool, &Said)> {
        let named = [&self.of_job, &self.of_user, &self.faults].into_iter().flatten().map(|said| (true, &**said));
        let mut all: Vec<_> = named.chain(self.near.iter().map(|said| (false, &**said))).collect();
        all.sort_by_key(|(_, said)| said.t_ns);
        all
    }
}

fn keep(all: &mut VecDeque<Rc<Said>>, most: usize, one: Rc<Said>) {
    if all.len() == most {
        all.pop_front();
    }
    all.push_back(one);
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use soak::model::Kind;

    use super::*;

    const JOB: u64 = 44_000;

    /// A violation at 50 s, five after its job has ended, and an event each tenth of a second.
    fn searched() -> Around {
        let what = "J0000007 on LPAR2 for U3, who is on LPAR1, failed".to_owned();
        let at = |ms: u64| (100_000 + ms) * MS;
        let mut search = Search::new(&[Violation { t_ns: at(50_000), kind: Kind::Failed, what }]);
        for ms in (0..60_000_u64).step_by(100) {
            let event = match ms {
                JOB => json!({"t_ns": at(ms), "event": "job_done", "job": "J0000007", "system": "LPAR2"}),
                30_000 | 55_000 => json!({"t_ns": at(ms), "event": "logged_on", "user": "U3", "system": "WS1"}),
                20_000 => json!({"t_ns": at(ms), "fault": 0, "begins": {"kind": "reset", "on": "LPAR1"}}),
                _ => json!({"t_ns": at(ms), "event": "job_done", "job": "J0000008", "system": "LPAR2"}),
            };
            search.offer(&event.to_string());
        }
        search.offer("no event");
        search.found().remove(0)
    }

    #[test]
    fn what_is_of_it_is_kept_from_far_and_the_rest_from_where_it_happened() {
        let around = searched();
        let ms = |said: &Said| said.t_ns / MS - 100_000;
        let events = around.events();
        let named: Vec<u64> = events.iter().filter(|(named, _)| *named).map(|(_, said)| ms(said)).collect();
        assert_eq!(named, [20_000, 30_000, JOB], "the fault, its user before, its job");
        let near: Vec<u64> = events.iter().filter(|(named, _)| !named).map(|(_, said)| ms(said)).collect();
        assert_eq!(near.len(), NEAR);
        assert!(near.iter().all(|at| at.abs_diff(JOB) <= 2_000) && near[0] < JOB && near[NEAR - 1] > JOB, "{near:?}");
    }
}
