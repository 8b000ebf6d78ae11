//! Deadlines: one per subject, the earliest first.

use std::collections::{BTreeMap, BTreeSet};

use dbm_protocol::SessionId;

use super::ConnId;

/// What a deadline is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A connection must have said what it wants.
    Unproven(ConnId),
    /// A session must have got further in its wait.
    Session(SessionId),
    /// The debugger must have claimed a session whose engine is there.
    Claim(SessionId),
    /// The other end of a hub link must have been heard.
    Silence(ConnId),
    /// Time for a ping to the primary.
    Ping,
    /// Time to try the hub again.
    HubRetry,
    /// Time for a primary to see whether HUBIP is still its own.
    HubAddress,
    /// Time to look for another primary.
    HubRival,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    at: BTreeMap<Subject, u64>,
    queue: BTreeSet<(u64, Subject)>,
}

impl Timers {
    /// Sets the deadline of a subject, in place of the one it had.
    pub(crate) fn set(&mut self, subject: Subject, at: u64) {
        self.clear(&subject);
        self.queue.insert((at, subject.clone()));
        self.at.insert(subject, at);
    }

    pub(crate) fn clear(&mut self, subject: &Subject) {
        if let Some(at) = self.at.remove(subject) {
            self.queue.remove(&(at, subject.clone()));
        }
    }

    /// The next deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that is not later than `now`.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Subject> {
        if self.next()? > now {
            return None;
        }
        let (_, subject) = self.queue.pop_first()?;
        self.at.remove(&subject);
        Some(subject)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_a_new_deadline_replaces_the_old() {
        let mut timers = Timers::default();
        timers.set(Subject::Ping, 5);
        timers.set(Subject::HubRetry, 3);
        timers.set(Subject::Ping, 2);
        timers.set(Subject::Unproven(ConnId(1)), 1);
        timers.clear(&Subject::Unproven(ConnId(1)));
        assert_eq!((timers.next(), timers.len()), (Some(2), 2));
        assert_eq!(timers.pop_due(1), None);
        assert_eq!(timers.pop_due(9), Some(Subject::Ping));
        assert_eq!(timers.pop_due(9), Some(Subject::HubRetry));
        assert_eq!((timers.pop_due(9), timers.next()), (None, None));
    }
}
