//! Who may speak: on the HOST port by PassTicket and by the user id at the other end, on the HUB port by address. (By certificate, on
//! the HUB port, is the other way: HUBTLS=ON. That is settled before anything comes here.)
//!
//! IBM documents that users are logged on to Debug Manager with PassTickets, and that TRUSTEDTCP=ON has the hub's partners
//! authenticated, a partner that is not is refused. That a primary with TRUSTEDTCP=ON refuses a secondary without it is ours,
//! and so is how the others are known:
//! - whoever is on this system and not under root's or Debug Manager's own user id has nothing to say, ticket or not: the key
//!   cannot be read by anybody else, so a ticket in other hands was stolen;
//! - whoever is, logs on with a ticket for one user and one role, and speaks for that user only;
//! - a ticket is taken once, within its time, and only if it was made since this Debug Manager began: so one that an earlier
//!   Debug Manager has taken is worth nothing. Tickets that were taken are remembered, so many of them at most; when one is
//!   forgotten, all that are as old are worth nothing any more. (Who means it makes his ticket just before he shows it.)

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use dbm_protocol::host::{FromDebugger, FromMiner, Logon};
use dbm_protocol::passticket::{Key, VALID};
use dbm_protocol::{JobName, RefusalCode, Role, SessionId, Token, UserId};
use evidence::{Refusal, What};

use super::conns::Stage;
use super::{ConnId, Manager, Port};

/// Is this address one of the sysplex, while HUBIP is the first one? Else why not.
pub type HubTrust = Box<dyn Fn(IpAddr, IpAddr) -> Result<(), String>>;

/// How many tickets that were taken are remembered.
const REMEMBERED: usize = 65_536;

/// What a Debug Manager proves others by.
#[derive(Debug)]
pub struct Guard {
    key: Key,
    /// The user id that Debug Manager runs under.
    own: u32,
    /// Tickets that were made then or before are worth nothing.
    since: u64,
    /// Time and nonce of those that were taken.
    taken: BTreeSet<(u64, [u8; 16])>,
    most: usize,
    /// PTKTDATA=NONE: no ticket can be evaluated.
    blind: bool,
}

impl Guard {
    /// With the key of this system, for a Debug Manager under this user id that begins at this time (monotonic nanoseconds).
    pub fn new(key: Key, own: u32, since: u64) -> Self {
        Self { key, own, since, taken: BTreeSet::new(), most: REMEMBERED, blind: false }
    }

    /// One that cannot evaluate any ticket, as on a system whose class PTKTDATA has no key for Debug Manager.
    #[must_use]
    pub fn without_ptktdata(mut self) -> Self {
        self.blind = true;
        self
    }

    /// Takes a ticket, or says what is wrong with it.
    fn take(&mut self, now: u64, role: Role, logon: &Logon) -> Result<(), &'static str> {
        if self.blind {
            return Err("class PTKTDATA has no key to evaluate it with");
        }
        let ticket = &logon.ticket;
        if !self.key.has_made(role, logon) {
            return Err("it was not made with the key of this system for this user and role");
        }
        let valid_ns = u64::try_from(VALID.as_nanos()).unwrap_or(u64::MAX);
        if ticket.made_ns > now || now - ticket.made_ns > valid_ns || ticket.made_ns <= self.since {
            return Err("it is out of its time");
        }
        let nonce = ticket.nonce.as_ref().try_into().map_err(|_| "it has no nonce")?;
        if !self.taken.insert((ticket.made_ns, nonce)) {
            return Err("it was used before");
        }
        while let Some((made, _)) = self.taken.first()
            && (now - made > valid_ns || self.taken.len() > self.most)
        {
            self.since = self.since.max(*made);
            self.taken.pop_first();
        }
        Ok(())
    }

    fn knows_user(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own
    }
}

impl Manager {
    /// Proves from now on who speaks; without this everybody is taken for whom he says he is.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// TRUSTEDTCP=ON: takes hub partners of the sysplex only; without this all.
    #[must_use]
    pub fn with_hub_trust(mut self, trust: HubTrust) -> Self {
        self.hub_trust = Some(trust);
        self
    }

    /// Under which user id of this system the other end runs, or why that is not known.
    pub(super) fn peer_user(&mut self, conn: ConnId, uid: Result<u32, String>) {
        let Some(guard) = &self.guard else { return };
        let reason = match uid {
            Ok(uid) if guard.knows_user(uid) => return,
            Ok(uid) => format!("user id {uid} was found at the other end, {} or root was expected", guard.own),
            Err(reason) => format!("whose the connection is cannot be seen: {reason}"),
        };
        self.turn_away(conn, None, &reason);
    }

    pub(super) fn on_logon(&mut self, conn: ConnId, role: Role, logon: Logon) {
        let taken = self.guard.as_mut().map_or(Ok(()), |guard| guard.take(self.now, role, &logon));
        match taken {
            Ok(()) => self.conns.set_stage(conn, Stage::LoggedOn(role, logon.user)),
            Err(wrong) => {
                let reason = format!("the PassTicket for user {} is not accepted: {wrong}", logon.user);
                self.turn_away(conn, Some(&logon.user), &reason);
            }
        }
    }

    pub(super) fn miner_says(&mut self, conn: ConnId, speaker: Option<&UserId>, message: FromMiner) {
        let FromMiner::Register { user } = &message;
        if self.speaks_for(conn, speaker, user) {
            self.on_new_miner(conn, message);
        }
    }

    pub(super) fn debugger_says(&mut self, conn: ConnId, speaker: Option<&UserId>, message: FromDebugger) {
        let about = match &message {
            FromDebugger::Wait { user, .. } => Some(user),
            FromDebugger::WaitAgain { standing, .. } | FromDebugger::RunsAgain { standing } => Some(&standing.user),
            FromDebugger::Ended {} => None,
        };
        if about.is_none_or(|user| self.speaks_for(conn, speaker, user)) {
            self.on_new_debugger(conn, message);
        }
    }

    /// Who has logged on for one user may not speak for another.
    fn speaks_for(&mut self, conn: ConnId, speaker: Option<&UserId>, user: &UserId) -> bool {
        let reason = match speaker {
            Some(speaker) if speaker == user => return true,
            None if self.guard.is_none() => return true,
            Some(speaker) => format!("user {user} was found, {speaker} was expected, as in the logon"),
            None => "a logon with a PassTicket was expected first".to_owned(),
        };
        self.turn_away(conn, Some(user), &reason);
        false
    }

    fn turn_away(&mut self, conn: ConnId, user: Option<&UserId>, reason: &str) {
        let Some(port) = self.conns.get(conn).map(|conn| conn.port) else { return };
        let code = RefusalCode::NotAuthorized;
        if matches!(port, Port::Host | Port::Handoff) {
            let refusal = Refusal { code: code.as_str().to_owned(), reason: reason.to_owned() };
            self.emit(What::HostRefused { user: user.map(ToString::to_string), refusal });
        }
        self.refuse(conn, code, reason);
    }

    /// The secret by which a session is its debugger's.
    pub(super) fn new_claim(
        &mut self,
        id: &SessionId,
        user: &UserId,
        job: &JobName,
    ) -> Result<Token, (RefusalCode, String)> {
        match &self.guard {
            Some(guard) => Ok(guard.key.claim(id, user, job)),
            None => self.secret(),
        }
    }

    /// May a Debug Manager of this system have given this claim for this session?
    pub(super) fn is_claim(&self, claim: &Token, id: &SessionId, user: &UserId, job: &JobName) -> bool {
        self.guard.as_ref().is_none_or(|guard| guard.key.claim(id, user, job) == *claim)
    }

    /// Is this place one of the sysplex, as HUBIP?
    pub(super) fn is_trusted_hub(&self, hub: IpAddr) -> Result<(), String> {
        self.hub_trust.as_ref().map_or(Ok(()), |trust| trust(hub, hub))
    }

    /// Somebody has dialled the HUB port.
    pub(super) fn hub_partner(&mut self, conn: ConnId) {
        let (Some(trust), Some(hub)) = (&self.hub_trust, self.settings.hub) else { return };
        let Some(peer) = self.conns.get(conn).and_then(|conn| conn.ends).map(|ends| ends.peer) else { return };
        let Err(reason) = trust(hub.ip(), peer.ip()) else { return };
        self.refuse_partner(conn, peer, &reason);
    }

    /// A partner of the sysplex has not TRUSTEDTCP=ON, while this system has.
    pub(super) fn takes_no_part(&mut self, conn: ConnId) {
        let Some(peer) = self.conns.get(conn).and_then(|conn| conn.ends).map(|ends| ends.peer) else { return };
        self.refuse_partner(conn, peer, "TRUSTEDTCP is OFF there");
    }

    fn refuse_partner(&mut self, conn: ConnId, peer: SocketAddr, reason: &str) {
        let reason = format!("{} is not authenticated (TRUSTEDTCP=ON): {reason}", peer.ip());
        if self.hub.turned_away.replace(peer.ip()) != Some(peer.ip()) {
            self.console(format!("EQACM908W A partner in the hub is refused: {reason}"));
        }
        let code = RefusalCode::NotAuthorized;
        self.emit(What::HubRefused {
            peer,
            refusal: Refusal { code: code.as_str().to_owned(), reason: reason.clone() },
        });
        self.refuse(conn, code, &reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn ticket(made_ns: u64, nonce: u8) -> Logon {
        let user = "IBMUSER".parse().expect("user");
        Key::from_bytes([7; 32]).logon_at(Role::Miner, &user, made_ns, Token::from_bytes([nonce; 16]))
    }

    #[test]
    fn a_ticket_is_taken_once_in_its_time_and_none_from_before_the_start() {
        let mut guard = Guard::new(Key::from_bytes([7; 32]), 1, 10 * SECOND);
        let now = 1000 * SECOND;
        assert_eq!(guard.take(now, Role::Miner, &ticket(now, 1)), Ok(()));
        assert_eq!(guard.take(now, Role::Miner, &ticket(now, 2)), Ok(()), "another one of the same moment");
        assert_eq!(guard.take(now + SECOND, Role::Miner, &ticket(now, 1)), Err("it was used before"));
        let out = Err("it is out of its time");
        assert_eq!(guard.take(now, Role::Miner, &ticket(now + 1, 3)), out, "of the future");
        assert_eq!(guard.take(now, Role::Miner, &ticket(now - 600 * SECOND, 3)), Ok(()), "ten minutes");
        assert_eq!(guard.take(now, Role::Miner, &ticket(now - 600 * SECOND - 1, 3)), out, "and not more");
        let mut guard = Guard::new(Key::from_bytes([7; 32]), 1, now - 1);
        assert_eq!(
            guard.take(now, Role::Miner, &ticket(now - 1, 1)),
            out,
            "an earlier Debug Manager may have taken it"
        );
        let foreign = Err("it was not made with the key of this system for this user and role");
        assert_eq!(guard.take(now, Role::Debugger, &ticket(now, 1)), foreign);
        let mut guard = Guard::new(Key::from_bytes([8; 32]), 1, 0);
        assert_eq!(guard.take(now, Role::Miner, &ticket(now, 1)), foreign);
    }

    #[test]
    fn without_ptktdata_no_ticket_is_taken() {
        let mut guard = Guard::new(Key::from_bytes([7; 32]), 1, 0).without_ptktdata();
        let no = Err("class PTKTDATA has no key to evaluate it with");
        assert_eq!(guard.take(SECOND, Role::Miner, &ticket(SECOND, 1)), no);
    }

    #[test]
    fn what_is_forgotten_cannot_be_used_again() {
        let mut guard = Guard::new(Key::from_bytes([7; 32]), 1, 0);
        guard.most = 3;
        let all: Vec<_> = (1..=10_u8).map(|n| ticket(u64::from(n) * SECOND, n)).collect();
        for logon in &all {
            assert_eq!(guard.take(10 * SECOND, Role::Miner, logon), Ok(()));
        }
        assert_eq!(guard.taken.len(), 3);
        for logon in &all {
            assert!(guard.take(11 * SECOND, Role::Miner, logon).is_err());
        }
        let late = ticket(2000 * SECOND, 1);
        assert_eq!(guard.take(2000 * SECOND, Role::Miner, &late), Ok(()));
        assert_eq!(guard.taken.len(), 1, "and who is out of his time need not be remembered");
    }
}
