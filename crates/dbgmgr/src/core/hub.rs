//! This system's role in the hub.
//!
//! Documented by IBM ("Enabling sysplex support"): all instances get the same HUBIP and HUBPORT; the one that owns the address
//! is the primary, the others connect to it; who can do neither works alone and tries again from time to time. Periods,
//! back-off and messages (EQACM901I to EQACM908W) are not documented and are ours.
//!
//! The role is decided by who can bind HUBIP, so HUBIP must be the address of one system. A primary looks from time to time
//! whether it still is one of its own: if HUBIP was moved to another system while this one was cut off, there are two primary
//! nodes, and the one that does not hold the address any more steps down (EQACM905W). If HUBIP is a VIPA here, every system
//! that holds it can be primary; that is made known (EQACM906W) and cannot be settled from here: the operator gives another
//! HUBIP (`H,ip,port`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use dbm_protocol::SystemName;
use dbm_protocol::hub::HubMessage;
use evidence::{HubState, What};

use super::rival::Rivals;
use super::timers::Subject;
use super::{ConnId, Holding, Manager, Output, Reply};

/// A secondary, as the primary knows it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) system: SystemName,
    /// How many users it has announced.
    pub(crate) users: usize,
}

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) state: HubState,
    /// The link to the primary, welcomed or not.
    pub(crate) upstream: Option<ConnId>,
    /// The secondaries.
    pub(crate) members: BTreeMap<ConnId, Member>,
    /// The primary's system, once it has welcomed this one.
    pub(crate) primary: Option<SystemName>,
    /// Why the state is what it is; empty when all is well.
    pub(crate) reason: String,
    /// Was the state made known, since the hub is where it is?
    pub(crate) known: bool,
    /// Pause before the next try.
    pub(crate) pause_ns: u64,
    /// Why HUBIP:HUBPORT could not be bound.
    not_bound: String,
    /// What HUBIP is to this system, when it was last looked at.
    holding: Holding,
    /// How often the hub has moved; see `moving`.
    pub(crate) moves: u64,
    /// See `rival`.
    pub(crate) rivals: Rivals,
    /// The last address whose partner was not authenticated.
    pub(crate) turned_away: Option<IpAddr>,
}

/// What to do about it.
const NOT_A_VIPA: &str = "every system that holds it can be the primary node, and those do not know of each other: HUBIP must be \
                          the address of one LPAR";

impl Default for Hub {
    fn default() -> Self {
        Self {
            state: HubState::Off,
            upstream: None,
            members: BTreeMap::new(),
            primary: None,
            reason: String::new(),
            known: false,
            pause_ns: 0,
            not_bound: String::new(),
            holding: Holding::Own,
            moves: 0,
            rivals: Rivals::default(),
            turned_away: None,
        }
    }
}

impl Hub {
    /// Alone until a hub is found anew; whatever comes next is to be made known.
    pub(crate) fn step_out(&mut self, reason: &str) {
        self.state = HubState::Standalone;
        self.upstream = None;
        self.primary = None;
        reason.clone_into(&mut self.reason);
        self.known = false;
    }
}

impl Manager {
    pub(super) fn hub_begin(&mut self) {
        self.hub.pause_ns = self.settings.limits.retry_first_ns;
        if self.settings.hub.is_some() {
            self.hub_try();
        } else {
            self.set_role(HubState::Off, "");
        }
    }

    /// First try to be primary, then to be secondary.
    pub(super) fn hub_try(&mut self) {
        if let Some(hub) = self.settings.hub {
            self.out.push(Output::BindHub(hub));
        }
    }

    pub(super) fn hub_bound(&mut self, result: Result<(), String>) {
        let Some(hub) = self.settings.hub else { return };
        match result {
            Ok(()) => {
                let reason = match self.hub.holding {
                    Holding::Virtual => format!("{} is a virtual address (VIPA) on this system", hub.ip()),
                    Holding::Own | Holding::Gone => String::new(),
                };
                self.set_role(HubState::Primary, &reason);
                if !reason.is_empty() {
                    self.console(format!("EQACM906W HUBIP {reason}; {NOT_A_VIPA}"));
                }
                self.set_timer(Subject::HubAddress, self.settings.limits.ping_ns);
                self.set_timer(Subject::HubRival, self.settings.limits.retry_most_ns);
            }
            Err(reason) => {
                self.hub.not_bound = reason;
                self.out.push(Output::ConnectHub(hub));
            }
        }
    }

    pub(super) fn look_at_hub(&mut self) {
        if let (HubState::Primary, Some(hub)) = (self.hub.state, self.settings.hub) {
            self.out.push(Output::LookAtHub(hub.ip()));
            self.set_timer(Subject::HubAddress, self.settings.limits.ping_ns);
        }
    }

    /// What HUBIP is to this system.
    pub(super) fn hub_address(&mut self, holding: Holding) {
        self.hub.holding = holding;
        let Some(hub) = self.settings.hub else { return };
        if self.hub.state == HubState::Primary && holding == Holding::Gone {
            let reason = format!("HUBIP {} is not an address of this system any more", hub.ip());
            self.console(format!("EQACM905W {reason}; it is not the primary node any more"));
            self.leave_hub(&reason);
            self.emit(What::Hub { state: HubState::Standalone, hub: Some(hub), reason });
            self.hub.pause_ns = self.settings.limits.retry_first_ns;
            self.hub_try();
        }
    }

    /// Neither one nor the other: work alone, and try again later.
    pub(super) fn hub_standalone(&mut self, reason: &str) {
        let reason = format!("cannot listen: {}; cannot connect: {reason}", self.hub.not_bound);
        self.set_role(HubState::Standalone, &reason);
        self.retry_later();
    }

    pub(super) fn retry_later(&mut self) {
        let whole = self.hub.pause_ns;
        let pause = whole - (self.chance)(whole / 2).min(whole / 2);
        self.hub.pause_ns = whole.saturating_mul(2).min(self.settings.limits.retry_most_ns);
        self.set_timer(Subject::HubRetry, pause);
    }

    /// Makes a role known, if it is new.
    pub(super) fn set_role(&mut self, state: HubState, reason: &str) {
        if !matches!(state, HubState::Standalone) {
            self.hub.pause_ns = self.settings.limits.retry_first_ns;
        }
        reason.clone_into(&mut self.hub.reason);
        if std::mem::replace(&mut self.hub.known, true) && self.hub.state == state {
            return;
        }
        self.hub.state = state;
        let hub = self.settings.hub;
        let at = hub.map(|a| a.to_string()).unwrap_or_default();
        match state {
            HubState::Off => {}
            HubState::Primary => self.console(format!("EQACM901I Primary node of the hub at {at}")),
            HubState::Secondary => self.console(format!("EQACM902I Secondary node, connected to the hub at {at}")),
            HubState::Standalone => {
                self.console(format!("EQACM903W Stand-alone, the hub at {at} is tried again: {reason}"));
            }
        }
        self.emit(What::Hub { state, hub, reason: reason.to_owned() });
    }

    /// Something came over a hub link, so it lives.
    pub(super) fn heard(&mut self, link: ConnId) {
        self.set_timer(Subject::Silence(link), self.settings.limits.ping_ns.saturating_mul(3));
    }

    pub(super) fn send_hub(&mut self, link: ConnId, message: HubMessage) {
        self.send(link, Reply::Hub(message));
    }
}
