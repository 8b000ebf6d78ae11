//! What is to happen in a soak, from a seed: who logs on and off when, which job wants whose workstation on which LPAR.
//!
//! Orders are made one after the other and not kept, so a soak of two hours costs no more memory than one of a minute. Faults are
//! few, and a list ([`crate::random`]).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// Users log on within this time at the beginning, in milliseconds.
const ALL_ON_WITHIN: u64 = 2_000;
/// How long before a time everybody logs on who is to be logged on then: the first session comes when all have.
const LEAD: u64 = ALL_ON_WITHIN + 500;
/// How long a user is away between two logons, in milliseconds.
const AWAY: (u64, u64) = (1_000, 5_000);
/// How long a user stays, on average, in milliseconds.
const STAYS: f64 = 120_000.0;
/// Nobody logs on or off in so many milliseconds before the end.
const QUIET_END: u64 = 10_000;

/// All that a plan is made of. The same settings give the same orders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Where all chance comes from.
    pub seed: u64,
    /// How long new sessions begin, in milliseconds.
    pub duration_ms: u64,
    /// How many users there are: `U0`, `U1`, ...
    pub users: u32,
    /// Sessions in a second, on average.
    pub rate: f64,
    /// The LPARs that jobs run on.
    pub lpars: Vec<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Order {
    /// When, in milliseconds from the beginning.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A user logs on.
    Logon {
        /// Which: `U` and this number.
        user: u32,
    },
    /// A user logs off.
    Logoff {
        /// Which.
        user: u32,
    },
    /// A job begins that wants a user's workstation.
    Job {
        /// Its number, from 0 without a gap.
        number: u64,
        /// The user.
        user: u32,
        /// The position of its LPAR in [`Settings::lpars`].
        lpar: usize,
    },
}

/// The orders of a plan, in order of time.
#[derive(Clone, Debug)]
pub struct Orders {
    settings: Settings,
    /// Before all others: who was logged on where a soak goes on, logs on again.
    again: VecDeque<Order>,
    /// When users come and go next.
    users: BinaryHeap<Reverse<(u64, u32, bool)>>,
    stays: Chance,
    sessions: Chance,
    next_ms: f64,
    number: u64,
}

impl Settings {
    /// The orders, from the first.
    pub fn orders(&self) -> Orders {
        let stays = Chance::new(self.seed, 1);
        let first = u64::from(self.users.max(1));
        let users =
            (0..self.users).map(|user| Reverse((u64::from(user) * ALL_ON_WITHIN / first, user, true))).collect();
        let mut sessions = Chance::new(self.seed, 2);
        // Users first.
        let next_ms = LEAD as f64 + sessions.pause(self.pause());
        Orders { settings: self.clone(), again: VecDeque::new(), users, stays, sessions, next_ms, number: 0 }
    }

    /// The orders of a soak that goes on at this time, and when they begin: a little before it, with the logons of those who are logged
    /// on by then. All orders from that time on are those of [`Settings::orders`].
    pub fn orders_from(&self, at_ms: u64) -> (u64, Orders) {
        let mut orders = self.orders();
        let mut on = BTreeSet::new();
        while orders.due_ms().is_some_and(|due| due < at_ms) {
            match orders.next().map(|order| order.what) {
                Some(What::Logon { user }) => drop(on.insert(user)),
                Some(What::Logoff { user }) => drop(on.remove(&user)),
                _ => {}
            }
        }
        let (begin, all) = (at_ms.saturating_sub(LEAD), on.len().max(1) as u64);
        let times = (0..).map(|nth: u64| begin + nth * ALL_ON_WITHIN.min(at_ms) / all);
        orders.again = times.zip(on).map(|(at_ms, user)| Order { at_ms, what: What::Logon { user } }).collect();
        (begin, orders)
    }

    /// The mean time from one session to the next, in milliseconds.
    fn pause(&self) -> f64 {
        1e3 / self.rate.max(1e-3)
    }
}

impl Iterator for Orders {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        if let Some(again) = self.again.pop_front() {
            return Some(again);
        }
        match (self.user_ms(), self.session_ms()) {
            (Some(user), session) if session.is_none_or(|session| user <= session) => self.user(),
            (_, session) => self.session(session?),
        }
    }
}

impl Orders {
    /// When the next order is due, but for those who log on again.
    fn due_ms(&self) -> Option<u64> {
        self.user_ms().into_iter().chain(self.session_ms()).min()
    }

    fn user_ms(&self) -> Option<u64> {
        self.users.peek().map(|Reverse((at, ..))| *at)
    }

    fn session_ms(&self) -> Option<u64> {
        let session_ms = self.next_ms as u64;
        (session_ms < self.settings.duration_ms && self.settings.users > 0).then_some(session_ms)
    }

    fn user(&mut self) -> Option<Order> {
        let Reverse((at_ms, user, comes)) = self.users.pop()?;
        let pause = if comes {
            // Never so short that it is gone before anything happened.
            3_000 + self.stays.pause(STAYS) as u64
        } else {
            self.stays.from_to(AWAY.0, AWAY.1)
        };
        let next = at_ms + pause;
        // Whoever is away comes back; nobody goes any more at the end.
        if !comes || next + AWAY.1 + QUIET_END < self.settings.duration_ms {
            self.users.push(Reverse((next, user, !comes)));
        }
        let what = if comes { What::Logon { user } } else { What::Logoff { user } };
        Some(Order { at_ms, what })
    }

    fn session(&mut self, at_ms: u64) -> Option<Order> {
        let Settings { users, lpars, .. } = &self.settings;
        let user = u32::try_from(self.sessions.below((*users).into())).ok()?;
        let lpar = usize::try_from(self.sessions.below(lpars.len() as u64)).ok()?;
        self.next_ms += self.sessions.pause(self.settings.pause());
        let number = self.number;
        self.number += 1;
        Some(Order { at_ms, what: What::Job { number, user, lpar } })
    }
}

/// The user id of a user.
pub fn user_id(user: u32) -> String {
    format!("U{user}")
}

/// The number of a user id; nothing when it is none of a plan's.
pub fn user_number(id: &str) -> Option<u32> {
    id.strip_prefix('U')?.parse().ok()
}

/// The name of a job: `J` and its number in base 36, seven digits, so that it is a job name on z/OS (78 billion of them).
pub fn job_name(number: u64) -> String {
    let mut digits = [b'0'; 7];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        let value = u8::try_from(rest % 36).unwrap_or(0);
        *digit = if value < 10 { b'0' + value } else { b'A' + value - 10 };
        rest /= 36;
    }
    format!("J{}", String::from_utf8_lossy(&digits))
}

/// The number of a job's name; nothing when it is none of a plan's.
pub fn job_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix('J').filter(|digits| digits.len() == 7)?;
    u64::from_str_radix(digits, 36).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(seed: u64, users: u32, rate: f64) -> Settings {
        let lpars = ["LPAR1", "LPAR2", "LPAR3"].map(str::to_owned).into();
        Settings { seed, duration_ms: 60_000, users, rate, lpars }
    }

    #[test]
    fn names_and_numbers_are_each_others() {
        for number in [0, 35, 36, 1_295, 123_456_789, 36_u64.pow(7) - 1] {
            assert_eq!(job_number(&job_name(number)), Some(number));
        }
        assert_eq!((job_name(0).as_str(), job_name(37).as_str()), ("J0000000", "J0000011"));
        assert_eq!(user_number(&user_id(77)), Some(77));
        assert_eq!((job_number("JOB1"), user_number("IBMUSER")), (None, None));
    }

    #[test]
    fn the_rate_is_what_was_asked() {
        let jobs = settings(7, 20, 50.0).orders().filter(|order| matches!(order.what, What::Job { .. })).count();
        assert!((2_600..=3_150).contains(&jobs), "{jobs} in 57 s at 50/s");
    }

    proptest! {
        #[test]
        fn orders_are_in_order_the_same_for_the_same_seed_and_end_with_everybody_there(seed: u64, users in 1_u32..30, rate in 0.5..40.0) {
            let settings = settings(seed, users, rate);
            let all: Vec<Order> = settings.orders().collect();
            prop_assert_eq!(&all, &settings.orders().collect::<Vec<_>>());
            prop_assert!(all.windows(2).all(|two| two[0].at_ms <= two[1].at_ms));
            prop_assert!(all.iter().all(|order| order.at_ms < settings.duration_ms));
            let mut on = BTreeSet::new();
            let mut next = 0;
            for order in &all {
                match order.what {
                    What::Logon { user } => prop_assert!(on.insert(user), "twice on"),
                    What::Logoff { user } => prop_assert!(on.remove(&user), "off and was not on"),
                    What::Job { number, user, lpar } => {
                        prop_assert!(number == next && user < users && lpar < 3);
                        next += 1;
                    }
                }
            }
            prop_assert_eq!(on.len(), users as usize);
        }

        #[test]
        fn whoever_goes_on_orders_the_rest_of_it_and_has_the_same_users_on(seed: u64, users in 1_u32..30, at_ms in 0_u64..70_000) {
            let settings = settings(seed, users, 20.0);
            let (before, rest): (Vec<Order>, Vec<Order>) = settings.orders().partition(|order| order.at_ms < at_ms);
            let mut on = BTreeSet::new();
            for order in before {
                match order.what {
                    What::Logon { user } => drop(on.insert(user)),
                    What::Logoff { user } => drop(on.remove(&user)),
                    What::Job { .. } => {}
                }
            }
            let (begin, orders) = settings.orders_from(at_ms);
            let orders: Vec<Order> = orders.collect();
            prop_assert!(orders.windows(2).all(|two| two[0].at_ms <= two[1].at_ms));
            prop_assert!(begin <= at_ms && orders.first().is_none_or(|order| order.at_ms >= begin));
            let again = orders[..on.len()].iter().map(|order| order.what);
            prop_assert_eq!(again.collect::<Vec<_>>(), on.into_iter().map(|user| What::Logon { user }).collect::<Vec<_>>());
            prop_assert_eq!(&orders[orders.len() - rest.len()..], &rest);
        }
    }
}
