//! More than one primary node: how it is noticed, and what is done.
//!
//! Each primary believes that it is the only one. A second one there is
//! - where the hub was before: it moved by command (`moving`) while a system was cut off, or before one was started. So the
//!   primary calls at the last places where the hub was, once in each retry period. Who of the two has moved the hub more
//!   often stays, at the same number the one with the lower address; the other one follows, with all its secondaries;
//! - at the same place, when HUBIP is an address that several systems hold. A secondary notices, which in each retry period
//!   calls at its own hub's place and may get another primary. That is made known and cannot be settled from here: the
//!   operator gives another HUBIP.
//!
//! All this, and the message EQACM907W, is ours.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use dbm_protocol::hub::HubMessage;
use dbm_protocol::{Hello, RefusalCode, Role, SystemName};
use evidence::{HubState, What};

use super::conns::Stage;
use super::timers::Subject;
use super::{ConnId, Ends, Manager, Output, Port, Reply, is_of_one_system};

/// How many places where the hub was are remembered.
const REMEMBERED: usize = 4;

/// Where another primary may be.
#[derive(Debug, Default)]
pub(crate) struct Rivals {
    /// Where the hub was, the last place at the end.
    former: Vec<SocketAddr>,
    /// Places that were called and have not answered yet.
    called: BTreeSet<SocketAddr>,
    /// The one that was made known last, with its place.
    known: Option<(SocketAddr, SystemName)>,
    /// Did one answer in this period?
    answered: bool,
}

impl Rivals {
    /// The hub is somewhere else now.
    pub(crate) fn moved(&mut self, from: Option<SocketAddr>, to: SocketAddr) {
        self.called.clear();
        self.known = None;
        self.former.extend(from);
        let mut newer = BTreeSet::from([to]);
        self.former.reverse();
        self.former.retain(|place| newer.insert(*place));
        self.former.truncate(REMEMBERED);
        self.former.reverse();
    }
}

impl Manager {
    /// Once in each retry period.
    pub(super) fn look_for_rivals(&mut self) {
        let places = match self.hub.state {
            HubState::Primary => self.hub.rivals.former.clone(),
            HubState::Secondary => self.settings.hub.into_iter().collect(),
            HubState::Off | HubState::Standalone => return,
        };
        self.set_timer(Subject::HubRival, self.settings.limits.retry_most_ns);
        for call in self.conns.on(Port::Call) {
            self.close(call, "nothing was answered for a retry period");
        }
        // A primary's rival that has followed, and one that comes later, are two. What a secondary is told depends on whom it
        // gets; to say it once is enough.
        if !std::mem::take(&mut self.hub.rivals.answered) && self.hub.state == HubState::Primary {
            self.hub.rivals.known = None;
        }
        self.hub.rivals.called = places.iter().copied().collect();
        self.out.extend(places.into_iter().map(Output::CallHub));
    }

    pub(super) fn call_opened(&mut self, conn: ConnId, ends: Option<Ends>) {
        self.conns.insert(conn, Port::Call, ends);
        self.conns.set_stage(conn, Stage::Call);
        if !ends.is_some_and(|ends| self.hub.rivals.called.remove(&ends.peer)) {
            return self.close(conn, "it was called before the hub moved");
        }
        self.send(conn, Reply::Hello(Hello::new(Role::Manager)));
        let system = self.settings.system.clone();
        self.send_hub(conn, HubMessage::Who { system });
    }

    /// Somebody wants to know who is primary here.
    pub(super) fn say_who(&mut self, conn: ConnId) {
        if self.hub.state != HubState::Primary {
            return self.refuse(conn, RefusalCode::Role, "this Debug Manager is not the primary node");
        }
        let (system, moves) = (self.settings.system.clone(), self.hub.moves);
        self.send_hub(conn, HubMessage::Here { system, moves });
    }

    /// The answer of one who was called.
    pub(super) fn on_called(&mut self, conn: ConnId, message: HubMessage) {
        if let HubMessage::Here { system, moves } = message
            && let Some(at) = self.conns.get(conn).and_then(|conn| conn.ends).map(|ends| ends.peer)
            && let Some(hub) = self.settings.hub
        {
            match self.hub.state {
                HubState::Primary if system != self.settings.system => {
                    return self.settle(conn, hub, at, &system, moves);
                }
                HubState::Secondary if self.hub.primary.as_ref().is_some_and(|primary| *primary != system) => {
                    let primary = self.hub.primary.as_ref().map(ToString::to_string).unwrap_or_default();
                    let reason =
                        format!("system {primary} is the primary node there, too: HUBIP is not one system's address");
                    self.rival_found(at, &system, &reason);
                }
                _ => {}
            }
        }
        self.close(conn, "the call is over");
    }

    /// One of two primaries follows the other.
    fn settle(&mut self, conn: ConnId, hub: SocketAddr, at: SocketAddr, system: &SystemName, moves: u64) {
        if stays((self.hub.moves, hub), (moves, at)) {
            self.rival_found(at, system, "it is told to follow to the hub of this system");
            self.send_hub(conn, HubMessage::Move { hub, moves: self.hub.moves });
            self.close(conn, "the call is over");
        } else {
            self.rival_found(at, system, "this system follows to its hub");
            self.move_hub(at, moves, None, &format!("where system {system} is the primary node"));
        }
    }

    /// A primary somewhere else says that this one is to follow.
    pub(super) fn told_by_rival(&mut self, conn: ConnId, to: SocketAddr, moves: u64) {
        let own = (self.hub.moves, self.settings.hub);
        let trusted = self.is_trusted_hub(to.ip()).is_ok();
        let follows = trusted && matches!(own, (mine, Some(hub)) if hub != to && !stays((mine, hub), (moves, to)));
        if self.hub.state != HubState::Primary || !follows || to.port() == 0 || !is_of_one_system(to.ip()) {
            return self.refuse(conn, RefusalCode::Role, "this Debug Manager does not follow there");
        }
        self.move_hub(to, moves, None, "where another primary node is");
    }

    /// Makes it known, once.
    fn rival_found(&mut self, at: SocketAddr, system: &SystemName, reason: &str) {
        self.hub.rivals.answered = true;
        let found = Some((at, system.clone()));
        if self.hub.rivals.known == found {
            return;
        }
        self.hub.rivals.known = found;
        self.console(format!("EQACM907W System {system} is another primary node of the hub, at {at}: {reason}"));
        self.emit(What::HubRival { hub: at, system: system.to_string(), reason: reason.to_owned() });
    }
}

/// Does the first of two primaries stay? Each is the number of its moves, and its place.
fn stays(one: (u64, SocketAddr), other: (u64, SocketAddr)) -> bool {
    one.0 > other.0 || (one.0 == other.0 && one.1 < other.1)
}
