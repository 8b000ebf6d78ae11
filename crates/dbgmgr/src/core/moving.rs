//! From one hub to another at run time: the operator's command `H`.
//!
//! IBM documents that H changes the primary node "while DBM is running", and nothing of how. Ours: the system that is given
//! the command leaves its hub and joins the new one; a primary first tells its secondaries to follow, a secondary first asks
//! its primary to tell everyone. Who was not connected at that moment, or is started later and reads HUBIP and HUBPORT where he
//! always did, may be primary where the hub was before: there he is called by the new primary (see `rival`), and follows. One
//! that is no primary then needs the command, too.

use std::net::SocketAddr;

use dbm_protocol::RefusalCode;
use dbm_protocol::hub::HubMessage;
use evidence::{HubState, What};

use super::primary::Seeks;
use super::timers::Subject;
use super::{ConnId, Manager, Output, Port, is_of_one_system};

/// After a move everyone is on the way at once, and who comes before the new primary listens need not pause for long: the
/// first pause is this part of the usual one.
const FIRST_PAUSE_PART: u64 = 10;

impl Manager {
    /// The operator of this system wants the hub at `to`; who else was told, as the end of a sentence.
    pub(super) fn move_by_operator(&mut self, to: SocketAddr) -> String {
        let told = match (self.hub.state, self.hub.upstream, self.hub.members.len()) {
            (HubState::Primary, _, 0) => "there is no secondary node to be told".to_owned(),
            (HubState::Primary, _, 1) => "one secondary node is told".to_owned(),
            (HubState::Primary, _, n) => format!("{n} secondary nodes are told"),
            (HubState::Secondary, Some(link), _) => {
                self.send_hub(link, HubMessage::Move { hub: to, moves: self.hub.moves.saturating_add(1) });
                "the primary node is asked to tell everyone".to_owned()
            }
            _ => "no other system is connected and could be told".to_owned(),
        };
        self.move_hub(to, self.hub.moves.saturating_add(1), None, "by operator command");
        told
    }

    /// Another system says that the hub moves: a secondary to its primary, or the primary to a secondary.
    pub(super) fn move_by_message(&mut self, link: ConnId, to: SocketAddr, moves: u64) {
        if to.port() == 0 || !is_of_one_system(to.ip()) {
            let reason = format!("the hub cannot be at {to}: the address and port of one system were expected");
            return self.refuse(link, RefusalCode::BadMessage, &reason);
        }
        if self.settings.hub == Some(to) {
            return;
        }
        if let Err(reason) = self.is_trusted_hub(to.ip()) {
            return self.refuse(link, RefusalCode::NotAuthorized, &format!("the hub cannot be at {to}: {reason}"));
        }
        let member = self.hub.members.get(&link).map(|m| format!("as secondary node {} says", m.system));
        let by = member.unwrap_or_else(|| "as the primary node says".to_owned());
        self.move_hub(to, moves, Some(link), &by);
    }

    /// Leaves the hub, whatever this system is in it, and joins the one at `to`. Secondaries are told, but for `knows`.
    pub(super) fn move_hub(&mut self, to: SocketAddr, moves: u64, knows: Option<ConnId>, by: &str) {
        let members: Vec<_> = self.hub.members.keys().copied().filter(|link| Some(*link) != knows).collect();
        for link in members {
            self.send_hub(link, HubMessage::Move { hub: to, moves });
        }
        self.hub.moves = moves;
        self.hub.rivals.moved(self.settings.hub, to);
        let from = self.settings.hub.replace(to).map(|hub| format!(" from {hub}")).unwrap_or_default();
        let reason = format!("the hub moves{from} to {to}, {by}");
        self.console(format!("EQACM904I Hub: {reason}"));
        self.leave_hub(&reason);
        self.emit(What::Hub { state: HubState::Standalone, hub: Some(to), reason });
        self.hub.pause_ns = (self.settings.limits.retry_first_ns / FIRST_PAUSE_PART).max(1);
        self.hub_try();
    }

    /// Every link is closed, and nothing that came over one is kept; for the time being this system works alone.
    pub(super) fn leave_hub(&mut self, reason: &str) {
        // First of all, so that nobody is asked over a link that is about to be closed.
        self.hub.step_out(reason);
        self.seeks = Seeks::default();
        for link in [self.conns.on(Port::Hub), self.conns.on(Port::Upstream), self.conns.on(Port::Call)].concat() {
            self.close(link, reason);
        }
        self.timers.clear(&Subject::HubRetry);
        self.timers.clear(&Subject::Ping);
        self.timers.clear(&Subject::HubAddress);
        self.timers.clear(&Subject::HubRival);
        self.out.push(Output::LeaveHub);
    }
}
