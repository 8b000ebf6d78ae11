//! The users: who is logged on where, and since when.

use std::collections::BTreeSet;

use super::{Kind, LOGON, Model};
use crate::explain::excuses_user;
use crate::plan::user_id;

/// One user.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    state: State,
    /// Until when it was not logged on; the end of time while it is not.
    away_until_ns: Option<u64>,
    /// Where it was before, and until when.
    before: Option<(String, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Off,
    Coming {
        since_ns: u64,
    },
    On {
        lpar: String,
    },
    Going,
}

impl User {
    pub(super) fn on(&self) -> Option<&str> {
        match &self.state {
            State::On { lpar } => Some(lpar),
            _ => None,
        }
    }

    pub(super) fn comes(&mut self, t_ns: u64) {
        self.leave(t_ns);
        self.state = State::Coming { since_ns: t_ns };
    }

    pub(super) fn goes(&mut self) {
        self.away_until_ns = Some(u64::MAX);
        if let State::On { lpar } = std::mem::replace(&mut self.state, State::Going) {
            self.before = Some((lpar, u64::MAX));
        }
    }

    pub(super) fn is_on(&mut self, t_ns: u64, lpar: String) {
        // Told to go in the meantime: it will.
        if self.state != State::Going {
            self.state = State::On { lpar };
            self.away_until_ns = Some(t_ns);
        }
    }

    pub(super) fn is_off(&mut self, t_ns: u64) {
        // The end of an earlier logon may be heard after the next was ordered.
        if !matches!(self.state, State::Coming { .. }) {
            self.leave(t_ns);
            self.state = State::Off;
        }
    }

    fn leave(&mut self, t_ns: u64) {
        self.away_until_ns = Some(u64::MAX);
        if let State::On { lpar } = &self.state {
            self.before = Some((lpar.clone(), t_ns));
        } else if let Some((_, until)) = &mut self.before {
            *until = (*until).min(t_ns);
        }
    }

    /// Was it not logged on at some time since then?
    pub(super) fn was_away(&self, since_ns: u64) -> bool {
        self.away_until_ns.is_none_or(|until| until >= since_ns)
    }

    /// Where it was logged on since then.
    pub(super) fn places(&self, since_ns: u64) -> BTreeSet<String> {
        let before = self.before.iter().filter(|(_, until)| *until >= since_ns).map(|(lpar, _)| lpar.clone());
        before.chain(self.on().map(str::to_owned)).collect()
    }
}

impl Model {
    pub(super) fn user_lost(&mut self, t_ns: u64, number: u32, reason: &str) {
        let Some(user) = self.users.get_mut(&number) else {
            return self.accuse(t_ns, Kind::Unknown, format!("{} was lost, and is no user", user_id(number)));
        };
        let (since_ns, on) = match &user.state {
            // A logoff that was not answered is one all the same.
            State::Going | State::Off => {
                user.is_off(t_ns);
                return;
            }
            State::Coming { since_ns } => (*since_ns, None),
            State::On { lpar } => (t_ns, Some(lpar.clone())),
        };
        user.leave(t_ns);
        user.state = State::Off;
        let owners = self.faults.owners(since_ns, t_ns);
        let excuse =
            self.faults.find(since_ns, t_ns, |fault| excuses_user(fault, &self.layout, on.as_deref(), &owners));
        if excuse.is_some() || self.faults.was_still(since_ns, t_ns) {
            self.counts.users_lost += 1;
        } else {
            let place = on.map_or_else(|| "at its logon".to_owned(), |on| format!("on {on}"));
            self.accuse(
                t_ns,
                Kind::User,
                format!("{} was lost {place}, and no fault excuses it: {reason}", user_id(number)),
            );
        }
    }

    /// Logons without an answer.
    pub(super) fn users_hang(&mut self, now_ns: u64) {
        let hangs = self.users.iter().filter_map(|(number, user)| match user.state {
            State::Coming { since_ns } if since_ns + LOGON <= now_ns => Some(*number),
            _ => None,
        });
        for number in hangs.collect::<Vec<u32>>() {
            self.user_lost(now_ns, number, "the logon was never answered");
        }
    }
}
