//! The sessions of this system, from the debugger's wait to the end, and the memory of those that have ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dbm_protocol::{JobName, SessionId, Token, UserId};

use super::ConnId;

/// By whom the user was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A Debug Miner on this system.
    Local(ConnId),
    /// Another Debug Manager; the hub link that leads to it.
    Remote(ConnId),
}

/// How far a session is. The operator's `D,U` names the first two: "waits for register connection", "waits for engine
/// connection".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The user was not told. The hub was asked, over this link.
    Dormant {
        /// The link.
        asked: Option<ConnId>,
    },
    /// The user was told and has not dialled yet.
    Told(Told),
    /// An engine has presented the token; the debugger has yet to claim.
    Attached {
        /// The engine's connection.
        engine: ConnId,
    },
    /// The engine's socket is being passed on.
    Passing {
        /// The engine's connection.
        engine: ConnId,
        /// How the debugger has ended the session in the meantime: a quick one has the socket, and is done with it, before
        /// the passing is reported.
        ended: Option<&'static str>,
    },
    /// The debugger has the socket; kept for the display.
    Linked {
        /// The engine's connection, which is not ours any more; or [`PASSED_ON_BEFORE`].
        engine: ConnId,
    },
}

/// In place of the engine's connection, when an earlier Debug Manager has passed it on. No connection has this number.
pub(crate) const PASSED_ON_BEFORE: ConnId = ConnId(0);

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) user: UserId,
    pub(crate) job: JobName,
    /// The program, as the debugger names it; shown to the operator.
    pub(crate) module: String,
    pub(crate) debugger: ConnId,
    pub(crate) token: Token,
    pub(crate) claim: Token,
    /// The debugger's connection to the handoff socket, once it has claimed.
    pub(crate) handoff: Option<ConnId>,
    pub(crate) state: State,
    /// Was the user ever told? The second phase begins once.
    pub(crate) second_phase: bool,
}

impl Session {
    pub(crate) fn waits(&self) -> bool {
        matches!(self.state, State::Dormant { .. } | State::Told(_))
    }
}

/// How many ended sessions are remembered, so that a late engine hears "over" and not "unknown".
const REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: BTreeMap<SessionId, Session>,
    by_user: BTreeMap<UserId, BTreeSet<SessionId>>,
    /// Those that have ended, in that order, and the same to be found quickly.
    ended: VecDeque<SessionId>,
    ended_set: BTreeSet<SessionId>,
}

impl Sessions {
    /// Puts a session in; one that was announced again has not ended after all.
    pub(crate) fn insert(&mut self, id: SessionId, session: Session) {
        if self.ended_set.remove(&id) {
            self.ended.retain(|ended| *ended != id);
        }
        self.by_user.entry(session.user.clone()).or_default().insert(id.clone());
        self.all.insert(id, session);
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<&Session> {
        self.all.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &SessionId) -> Option<&mut Session> {
        self.all.get_mut(id)
    }

    pub(crate) fn remove(&mut self, id: &SessionId) -> Option<Session> {
        let session = self.all.remove(id)?;
        if let Some(set) = self.by_user.get_mut(&session.user) {
            set.remove(id);
            if set.is_empty() {
                self.by_user.remove(&session.user);
            }
        }
        if self.ended.len() == REMEMBERED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.ended_set.remove(&oldest);
        }
        if self.ended_set.insert(id.clone()) {
            self.ended.push_back(id.clone());
        }
        Some(session)
    }

    /// Was there such a session, not long ago?
    pub(crate) fn has_ended(&self, id: &SessionId) -> bool {
        self.ended_set.contains(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn count_of(&self, user: &UserId) -> usize {
        self.by_user.get(user).map_or(0, BTreeSet::len)
    }

    /// Sessions of a user that nobody has told him of.
    pub(crate) fn dormant_of(&self, user: &UserId) -> Vec<SessionId> {
        let ids = self.by_user.get(user).into_iter().flatten();
        ids.filter(|id| matches!(self.all[*id].state, State::Dormant { .. })).cloned().collect()
    }

    /// Sessions of a user that wait, for him or for his engine.
    pub(crate) fn waiting_of(&self, user: &UserId) -> Vec<SessionId> {
        let ids = self.by_user.get(user).into_iter().flatten();
        ids.filter(|id| self.all[*id].waits()).cloned().collect()
    }

    /// Sessions in a state that `wanted` picks, with their users.
    pub(crate) fn select(&self, wanted: impl Fn(&State) -> bool) -> Vec<SessionId> {
        self.all.iter().filter(|(_, s)| wanted(&s.state)).map(|(id, _)| id.clone()).collect()
    }

    /// Sessions with an engine and without a claim, and the engine.
    pub(crate) fn attached(&self) -> Vec<(SessionId, ConnId)> {
        let engine = |s: &Session| if let State::Attached { engine } = s.state { Some(engine) } else { None };
        self.all.iter().filter_map(|(id, s)| Some((id.clone(), engine(s)?))).collect()
    }

    /// All sessions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SessionId, &Session)> {
        self.all.iter()
    }
}
