//! The register of users: who is logged on where, and what each registration was told.
//!
//! What happens when a user is logged on twice, or on two systems, is not documented by IBM. Our policy: a registration on
//! the session's own system goes before all others, and among several the most recent one is told: on one system the one that
//! registered there last, across systems the one that the primary has heard of last. When the one that was told is gone
//! before its client has dialled, the next one by the same rule is told. A session is told to one at a time.

use std::collections::{BTreeMap, VecDeque};

use dbm_protocol::{Notice, SessionId, Token, UserId};

use super::ConnId;

/// Where a user is logged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this system; the Debug Miner's connection.
    Local(ConnId),
    /// On another system; that secondary's connection. Only a primary knows such places.
    Member(ConnId),
}

#[derive(Debug)]
struct Registration {
    place: Place,
    /// Sessions, each with its token: one that is announced again after its Debug Manager was gone has a new one.
    told: VecDeque<(SessionId, Token)>,
}

/// How many sessions a registration remembers that it was told of.
const REMEMBERED: usize = 128;

#[derive(Debug, Default)]
pub(crate) struct Users {
    by_user: BTreeMap<UserId, Vec<Registration>>,
    local: usize,
}

impl Users {
    pub(crate) fn add(&mut self, user: UserId, place: Place) {
        self.local += usize::from(matches!(place, Place::Local(_)));
        self.by_user.entry(user).or_default().push(Registration { place, told: VecDeque::new() });
    }

    /// Takes a registration out; was it there?
    pub(crate) fn remove(&mut self, user: &UserId, place: Place) -> bool {
        let Some(list) = self.by_user.get_mut(user) else { return false };
        let Some(at) = list.iter().position(|r| r.place == place) else { return false };
        list.remove(at);
        if list.is_empty() {
            self.by_user.remove(user);
        }
        self.local -= usize::from(matches!(place, Place::Local(_)));
        true
    }

    pub(crate) fn contains(&self, user: &UserId, place: Place) -> bool {
        self.of(user).any(|p| p == place)
    }

    /// The Debug Miner on this system that is to be told.
    pub(crate) fn local(&self, user: &UserId) -> Option<ConnId> {
        self.of(user).find_map(|p| if let Place::Local(conn) = p { Some(conn) } else { None })
    }

    /// Where the user has registered last. (A session's own system goes before; it looks at [`Self::local`] first.)
    pub(crate) fn latest(&self, user: &UserId) -> Option<Place> {
        self.of(user).next()
    }

    /// Notes that a Debug Miner is told of a session; was that news? (After a hub link has broken and come back, the same
    /// session may be asked for again, and a client should not be told twice.)
    pub(crate) fn tell(&mut self, miner: ConnId, notice: &Notice) -> bool {
        let told = (notice.session.clone(), notice.token.clone());
        let list = self.by_user.get_mut(&notice.user).into_iter().flatten();
        for registration in list.filter(|r| r.place == Place::Local(miner)) {
            if registration.told.contains(&told) {
                return false;
            }
            if registration.told.len() == REMEMBERED {
                registration.told.pop_front();
            }
            registration.told.push_back(told.clone());
        }
        true
    }

    /// Users who are logged on to this system.
    pub(crate) fn locals(&self) -> Vec<UserId> {
        self.by_user.keys().filter(|u| self.local(u).is_some()).cloned().collect()
    }

    /// Registrations on this system, by user, the oldest first.
    pub(crate) fn local_registrations(&self) -> impl Iterator<Item = (&UserId, ConnId)> {
        self.by_user.iter().flat_map(|(user, list)| {
            list.iter().filter_map(move |r| if let Place::Local(conn) = r.place { Some((user, conn)) } else { None })
        })
    }

    /// Users whom a secondary has announced.
    pub(crate) fn of_member(&self, member: ConnId) -> Vec<UserId> {
        self.by_user.keys().filter(|u| self.contains(u, Place::Member(member))).cloned().collect()
    }

    /// Number of registrations on this system.
    pub(crate) fn registrations(&self) -> usize {
        self.local
    }

    /// Number of registrations of one user on this system.
    pub(crate) fn registrations_of(&self, user: &UserId) -> usize {
        self.of(user).filter(|p| matches!(p, Place::Local(_))).count()
    }

    /// Places of a user, the most recent first.
    fn of(&self, user: &UserId) -> impl Iterator<Item = Place> {
        self.by_user.get(user).into_iter().flatten().rev().map(|r| r.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        name.parse().expect("user id")
    }

    #[test]
    fn this_system_goes_first_and_then_the_most_recent() {
        let (mut users, ibm) = (Users::default(), user("IBMUSER"));
        assert_eq!(users.latest(&ibm), None);
        users.add(ibm.clone(), Place::Member(ConnId(1)));
        users.add(ibm.clone(), Place::Member(ConnId(2)));
        assert_eq!(users.latest(&ibm), Some(Place::Member(ConnId(2))));
        users.add(ibm.clone(), Place::Local(ConnId(3)));
        users.add(ibm.clone(), Place::Local(ConnId(4)));
        assert_eq!(users.latest(&ibm), Some(Place::Local(ConnId(4))));
        users.add(ibm.clone(), Place::Member(ConnId(5)));
        assert_eq!((users.latest(&ibm), users.local(&ibm)), (Some(Place::Member(ConnId(5))), Some(ConnId(4))));
        assert!(users.remove(&ibm, Place::Local(ConnId(4))));
        assert!(!users.remove(&ibm, Place::Local(ConnId(4))));
        assert_eq!(users.local(&ibm), Some(ConnId(3)));
        assert_eq!((users.registrations(), users.registrations_of(&ibm)), (1, 1));
        assert!(users.remove(&ibm, Place::Local(ConnId(3))));
        assert_eq!(users.latest(&ibm), Some(Place::Member(ConnId(5))));
        assert_eq!((users.of_member(ConnId(1)), users.locals()), (vec![ibm], vec![]));
    }

    #[test]
    fn a_registration_is_told_once_and_does_not_remember_for_ever() {
        let (mut users, ibm) = (Users::default(), user("IBMUSER"));
        users.add(ibm.clone(), Place::Local(ConnId(1)));
        let notice = |n: usize, token: u8| Notice {
            session: format!("SYS.{n}").parse().expect("session"),
            user: user("IBMUSER"),
            job: "J".parse().expect("job"),
            system: "SYS".parse().expect("system"),
            port: 5335,
            token: Token::from_bytes([token; 16]),
        };
        assert!(users.tell(ConnId(1), &notice(0, 0)));
        assert!(!users.tell(ConnId(1), &notice(0, 0)));
        assert!(users.tell(ConnId(1), &notice(0, 1)), "the first token is worth nothing any more");
        for n in 1..=REMEMBERED {
            assert!(users.tell(ConnId(1), &notice(n, 0)));
        }
        assert_eq!(users.by_user[&ibm][0].told.len(), REMEMBERED);
    }
}
