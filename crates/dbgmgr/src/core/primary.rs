//! The upper end of the hub links: the primary knows who is logged on where, and brings sessions and users together.

use std::collections::{BTreeMap, BTreeSet};

use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Notice, RefusalCode, SessionId, SystemName, UserId};
use evidence::{HubState, What};

use super::conns::Stage;
use super::hub::Member;
use super::sessions::{State, Told};
use super::users::Place;
use super::{ConnId, Manager};

/// A secondary's session that looks for its user.
#[derive(Clone, Debug)]
struct Seek {
    notice: Notice,
    /// The secondary.
    from: ConnId,
    /// Who was asked to tell the user.
    at: Option<Place>,
    /// Did that succeed?
    delivered: bool,
}

/// The secondaries' open sessions. A seek stays until it is withdrawn, also when the user was told: he may leave again.
#[derive(Debug, Default)]
pub(crate) struct Seeks {
    all: BTreeMap<SessionId, Seek>,
    by_user: BTreeMap<UserId, BTreeSet<SessionId>>,
    /// How many each secondary has.
    from: BTreeMap<ConnId, usize>,
}

impl Seeks {
    fn insert(&mut self, seek: Seek) {
        let (id, user) = (seek.notice.session.clone(), seek.notice.user.clone());
        self.remove(&id);
        self.by_user.entry(user).or_default().insert(id.clone());
        *self.from.entry(seek.from).or_default() += 1;
        self.all.insert(id, seek);
    }

    fn remove(&mut self, id: &SessionId) {
        let Some(seek) = self.all.remove(id) else { return };
        if let Some(set) = self.by_user.get_mut(&seek.notice.user) {
            set.remove(id);
            if set.is_empty() {
                self.by_user.remove(&seek.notice.user);
            }
        }
        if let Some(count) = self.from.get_mut(&seek.from) {
            *count -= 1;
            if *count == 0 {
                self.from.remove(&seek.from);
            }
        }
    }

    fn count_from(&self, link: ConnId) -> usize {
        self.from.get(&link).copied().unwrap_or(0)
    }

    fn select(&self, wanted: impl Fn(&Seek) -> bool) -> Vec<SessionId> {
        self.all.iter().filter(|(_, seek)| wanted(seek)).map(|(id, _)| id.clone()).collect()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}

impl Manager {
    pub(super) fn on_new_member(&mut self, link: ConnId, message: HubMessage) {
        let system = match message {
            HubMessage::Join { trusted: false, .. } if self.hub_trust.is_some() => return self.takes_no_part(link),
            HubMessage::Join { system, .. } => system,
            HubMessage::Who { .. } => return self.say_who(link),
            HubMessage::Move { hub, moves } => return self.told_by_rival(link, hub, moves),
            _ => return self.unexpected(link),
        };
        // It was on the way when the hub moved.
        if self.hub.state != HubState::Primary {
            return self.refuse(link, RefusalCode::Role, "this Debug Manager is not the primary node any more");
        }
        if self.hub.members.len() >= self.settings.limits.members {
            return self.refuse(link, RefusalCode::Busy, "no more secondaries are taken");
        }
        self.proven(link, Stage::Member);
        self.hub.members.insert(link, Member { system, users: 0 });
        let (system, moves) = (self.settings.system.clone(), self.hub.moves);
        self.send_hub(link, HubMessage::Welcome { system, moves });
        self.heard(link);
    }

    pub(super) fn on_member(&mut self, link: ConnId, message: HubMessage) {
        self.heard(link);
        match message {
            HubMessage::UserOn { user } => self.user_on(link, &user),
            HubMessage::UserOff { user } => self.user_off(link, &user),
            HubMessage::Seek { notice } => self.seek(link, notice),
            HubMessage::Withdraw { session } => {
                if self.seeks.all.get(&session).is_some_and(|s| s.from == link) {
                    self.seeks.remove(&session);
                }
            }
            HubMessage::Delivered { session, system } => self.delivered(link, &session, system),
            HubMessage::Undelivered { session } => self.undelivered(link, &session),
            HubMessage::Move { hub, moves } => self.move_by_message(link, hub, moves),
            HubMessage::Ping {} => self.send_hub(link, HubMessage::Pong {}),
            HubMessage::Pong {} => {}
            HubMessage::Refused(refused) => self.close(link, &refused.reason),
            HubMessage::Join { .. }
            | HubMessage::Welcome { .. }
            | HubMessage::Notify { .. }
            | HubMessage::Who { .. }
            | HubMessage::Here { .. } => self.unexpected(link),
        }
    }

    fn user_on(&mut self, link: ConnId, user: &UserId) {
        if self.users.contains(user, Place::Member(link)) {
            return;
        }
        let most = self.settings.limits.registrations;
        let Some(member) = self.hub.members.get_mut(&link) else { return };
        if member.users >= most {
            return self.refuse(link, RefusalCode::Busy, "no more users are taken from one secondary");
        }
        member.users += 1;
        self.users.add(user.clone(), Place::Member(link));
        self.wake(user);
    }

    fn user_off(&mut self, link: ConnId, user: &UserId) {
        if !self.users.remove(user, Place::Member(link)) {
            return;
        }
        if let Some(member) = self.hub.members.get_mut(&link) {
            member.users = member.users.saturating_sub(1);
        }
        let mut hanging = self.sessions.select(|state| {
            *state == State::Dormant { asked: Some(link) } || *state == State::Told(Told::Remote(link))
        });
        hanging.retain(|id| self.sessions.get(id).is_some_and(|s| s.user == *user));
        self.find_again(&hanging);
        let hanging = self.seeks.select(|s| s.at == Some(Place::Member(link)) && s.notice.user == *user);
        self.reopen(&hanging);
    }

    fn seek(&mut self, link: ConnId, notice: Notice) {
        let known = self.seeks.all.get(&notice.session).map(|seek| seek.from);
        // The last words of a link that its secondary has given up: what came over the newer one stands.
        if known.is_some_and(|from| from > link) {
            return;
        }
        if known.is_none() && self.seeks.count_from(link) >= self.settings.limits.sessions {
            return self.refuse(link, RefusalCode::Busy, "no more sessions are taken from one secondary");
        }
        let id = notice.session.clone();
        // A known one comes again when its secondary has connected anew, perhaps before the old link was found dead.
        self.seeks.insert(Seek { notice, from: link, at: None, delivered: false });
        self.route_seek(&id);
    }

    pub(super) fn route_seeks_for(&mut self, user: &UserId) {
        let ids: Vec<_> = self.seeks.by_user.get(user).into_iter().flatten().cloned().collect();
        for id in ids {
            self.route_seek(&id);
        }
    }

    /// Brings a session that nobody was told of to where its user is, if that is known.
    fn route_seek(&mut self, id: &SessionId) {
        let Some(seek) = self.seeks.all.get_mut(id).filter(|s| s.at.is_none()) else { return };
        let Some(place) = self.users.latest(&seek.notice.user) else { return };
        seek.at = Some(place);
        let (notice, from) = (seek.notice.clone(), seek.from);
        match place {
            Place::Member(link) => self.notify_member(link, notice),
            Place::Local(miner) => {
                seek.delivered = true;
                let system = self.settings.system.clone();
                self.routed(&notice, &system);
                self.tell_miner(miner, &notice);
                self.send_hub(from, HubMessage::Delivered { session: id.clone(), system });
            }
        }
    }

    /// Asks a secondary to tell its user.
    pub(super) fn notify_member(&mut self, link: ConnId, notice: Notice) {
        if let Some(system) = self.hub.members.get(&link).map(|m| m.system.clone()) {
            self.routed(&notice, &system);
            self.send_hub(link, HubMessage::Notify { notice });
        }
    }

    fn routed(&mut self, notice: &Notice, to: &SystemName) {
        let (session, user) = (notice.session.to_string(), notice.user.to_string());
        self.emit(What::HubRouted { session, user, to: to.to_string() });
    }

    fn delivered(&mut self, link: ConnId, id: &SessionId, system: SystemName) {
        if let Some(seek) = self.seeks.all.get_mut(id) {
            if seek.at == Some(Place::Member(link)) && !std::mem::replace(&mut seek.delivered, true) {
                let to = seek.from;
                self.send_hub(to, HubMessage::Delivered { session: id.clone(), system });
            }
        } else if self.is_asked(link, id) {
            self.told(id, Told::Remote(link));
        }
    }

    /// The secondary says that the user is not there (any more), which its `UserOff` will say, or has said, too.
    fn undelivered(&mut self, link: ConnId, id: &SessionId) {
        let of_member = self.seeks.all.get(id).filter(|s| s.at == Some(Place::Member(link)));
        let user = of_member.map(|s| s.notice.user.clone());
        let own = || self.sessions.get(id).filter(|_| self.is_asked(link, id)).map(|s| s.user.clone());
        if let Some(user) = user.or_else(own) {
            self.user_off(link, &user);
        }
    }

    /// Does a session of this system wait for an answer from this secondary?
    fn is_asked(&self, link: ConnId, id: &SessionId) -> bool {
        self.sessions.get(id).is_some_and(|s| s.state == State::Dormant { asked: Some(link) })
    }

    /// A Debug Miner of this system is gone: what was told through it is looked for again.
    pub(super) fn reopen_seeks(&mut self, place: Place) {
        let hanging = self.seeks.select(|s| s.at == Some(place));
        self.reopen(&hanging);
    }

    fn reopen(&mut self, ids: &[SessionId]) {
        for id in ids {
            let Some(seek) = self.seeks.all.get_mut(id) else { continue };
            seek.at = None;
            let from = seek.from;
            if std::mem::replace(&mut seek.delivered, false) {
                self.send_hub(from, HubMessage::Undelivered { session: id.clone() });
            }
            self.route_seek(id);
        }
    }

    pub(super) fn member_gone(&mut self, link: ConnId) {
        self.hub.members.remove(&link);
        for user in self.users.of_member(link) {
            self.users.remove(&user, Place::Member(link));
        }
        for other in self.hub.members.keys().copied().filter(|_| planted!(MembersForgotten)) {
            for user in self.users.of_member(other) {
                self.users.remove(&user, Place::Member(other));
            }
        }
        for id in self.seeks.select(|s| s.from == link) {
            self.seeks.remove(&id);
        }
        self.forget_asked(link);
        self.reopen_seeks(Place::Member(link));
    }
}
