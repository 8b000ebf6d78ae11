//! The lower end of a hub link: this system tells the primary who is logged on and what waits, and does as it is asked.

use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Hello, Notice, RefusalCode, Role, SystemName, UserId};
use evidence::HubState;

use super::conns::Stage;
use super::sessions::{State, Told};
use super::timers::Subject;
use super::{ConnId, Ends, Manager, Port, Reply};

impl Manager {
    pub(super) fn upstream_opened(&mut self, link: ConnId, ends: Option<Ends>) {
        self.conns.insert(link, Port::Upstream, ends);
        self.conns.set_stage(link, Stage::Upstream);
        self.hub.upstream = Some(link);
        self.send(link, Reply::Hello(Hello::new(Role::Manager)));
        let (system, trusted) = (self.settings.system.clone(), self.hub_trust.is_some());
        self.send_hub(link, HubMessage::Join { system, trusted });
        self.set_timer(Subject::Silence(link), self.settings.limits.hello_ns);
    }

    pub(super) fn on_primary(&mut self, link: ConnId, message: HubMessage) {
        let welcomed = self.hub.state == HubState::Secondary;
        match message {
            HubMessage::Refused(refused) => {
                return self.close(link, &format!("the primary said no: {}", refused.reason));
            }
            HubMessage::Welcome { system, moves } if !welcomed => {
                // One that was started later has seen none of them.
                self.hub.moves = self.hub.moves.max(moves);
                self.welcomed(link, system);
            }
            _ if !welcomed => return self.unexpected(link),
            HubMessage::Notify { notice } => self.asked_to_notify(link, &notice),
            HubMessage::Delivered { session, .. } => self.told(&session, Told::Remote(link)),
            HubMessage::Undelivered { session } => {
                if self.sessions.get(&session).is_some_and(|s| s.state == State::Told(Told::Remote(link))) {
                    self.set_state(&session, State::Dormant { asked: Some(link) });
                }
            }
            HubMessage::Move { hub, moves } => return self.move_by_message(link, hub, moves),
            HubMessage::Ping {} => self.send_hub(link, HubMessage::Pong {}),
            HubMessage::Pong {} => {}
            _ => return self.unexpected(link),
        }
        self.heard(link);
    }

    pub(super) fn unexpected(&mut self, link: ConnId) {
        self.refuse(link, RefusalCode::BadMessage, "this hub message is not expected from this end, or not now");
    }

    /// The primary knows nothing of this system yet: tell it all.
    fn welcomed(&mut self, link: ConnId, primary: SystemName) {
        self.hub.primary = Some(primary);
        self.set_role(HubState::Secondary, "");
        self.set_timer(Subject::Ping, self.settings.limits.ping_ns);
        self.set_timer(Subject::HubRival, self.settings.limits.retry_most_ns);
        for user in self.users.locals().into_iter().filter(|_| !planted!(UsersNotSentAgain)) {
            self.send_hub(link, HubMessage::UserOn { user });
        }
        for id in self.sessions.select(|state| matches!(state, State::Dormant { .. })) {
            self.find_user(&id);
        }
    }

    fn asked_to_notify(&mut self, link: ConnId, notice: &Notice) {
        let session = notice.session.clone();
        let anyone = self.users.local_registrations().next().filter(|_| planted!(WrongMiner)).map(|(_, miner)| miner);
        if let Some(miner) = anyone.or_else(|| self.users.local(&notice.user)) {
            self.tell_miner(miner, notice);
            let system = self.settings.system.clone();
            self.send_hub(link, HubMessage::Delivered { session, system });
        } else {
            self.send_hub(link, HubMessage::Undelivered { session });
        }
    }

    pub(super) fn announce_user_on(&mut self, user: &UserId) {
        if let (HubState::Secondary, Some(link)) = (self.hub.state, self.hub.upstream) {
            self.send_hub(link, HubMessage::UserOn { user: user.clone() });
        }
    }

    pub(super) fn announce_user_off(&mut self, user: &UserId) {
        if let (HubState::Secondary, Some(link)) = (self.hub.state, self.hub.upstream) {
            self.send_hub(link, HubMessage::UserOff { user: user.clone() });
        }
    }

    pub(super) fn ping(&mut self) {
        if let Some(link) = self.hub.upstream {
            self.send_hub(link, HubMessage::Ping {});
            self.set_timer(Subject::Ping, self.settings.limits.ping_ns);
        }
    }

    /// The primary is lost, and with it perhaps the user: what it told counts as not told, and is asked for again later.
    pub(super) fn upstream_gone(&mut self, link: ConnId, reason: &str) {
        // Not so when this system leaves the hub by itself.
        if self.hub.upstream == Some(link) {
            self.hub.upstream = None;
            self.hub.primary = None;
            self.timers.clear(&Subject::Ping);
            self.timers.clear(&Subject::HubRival);
            self.set_role(HubState::Standalone, reason);
            self.retry_later();
        }
        self.forget_asked(link);
    }

    /// Sessions that hang on a hub link that is no more look for their users again.
    pub(super) fn forget_asked(&mut self, link: ConnId) {
        let hanging = self.sessions.select(|state| {
            *state == State::Dormant { asked: Some(link) } || *state == State::Told(Told::Remote(link))
        });
        self.find_again(&hanging);
    }
}
