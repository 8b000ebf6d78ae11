//! Workstations' debug engines, and strangers who pretend to be one.

use dbm_protocol::engine::FromEngine;

use super::super::*;
use super::chance::mix;
use super::schedule::{Stranger, user_name};
use super::wires::{End, Packet};
use super::world::World;

/// One connection to a CLIENT port.
pub(super) struct Engine {
    /// Who it really is; nobody for a stranger.
    pub(super) user: Option<usize>,
    pub(super) session: SessionId,
    pub(super) token: Token,
    pub(super) accepted: bool,
    /// Has its connection ended, or was it given an answer?
    pub(super) settled: bool,
}

impl World {
    /// A user's workstation attaches, or cancels.
    pub(super) fn engine_dials(&mut self, user: usize, key: u64, notice: &Notice, cancels: bool) {
        let (name, session, token) = (notice.user.clone(), notice.session.clone(), notice.token.clone());
        let message = if cancels {
            FromEngine::Cancel { user: name, session, token }
        } else {
            FromEngine::Attach { user: name, session, token }
        };
        self.present(Some(user), key, notice, message);
    }

    /// The port in the notice leads to its system.
    fn present(&mut self, user: Option<usize>, key: u64, notice: &Notice, message: FromEngine) {
        let system = usize::from(notice.port).wrapping_sub(5400);
        if system >= self.systems.len() {
            return self.accuse(|| format!("{} was announced with port {}", notice.session, notice.port));
        }
        let (FromEngine::Attach { session, token, .. } | FromEngine::Cancel { session, token, .. }) = message.clone();
        let at = self.engines.len();
        let Some(wire) = self.dial(End::Engine(at), mix(3, key), system, Port::Client) else { return };
        self.engines.push(Engine { user, session, token, accepted: false, settled: false });
        self.greet(wire, Role::Engine, Message::Engine(message));
    }

    pub(super) fn stranger_dials(&mut self, id: u32, victim: usize, kind: Stranger) {
        let Some(notice) = self.last_told(victim) else { return };
        let (mut name, mut token) = (notice.user.clone(), notice.token.clone());
        match kind {
            Stranger::Guess => token = Token::from_bytes([7; 16]),
            Stranger::OtherName => name = user(user_name(victim + 1)),
            Stranger::OtherToken => {
                let other = self.miners.iter().flat_map(|m| &m.told).find(|n| n.session != notice.session);
                let Some(other) = other else { return };
                token = other.token.clone();
            }
        }
        let attach = FromEngine::Attach { user: name, session: notice.session.clone(), token };
        self.present(None, mix(u64::from(id), 5), &notice, attach);
    }

    pub(super) fn engine_hears(&mut self, at: usize, packet: Packet) {
        self.engines[at].settled = true;
        match packet {
            Packet::Reply(Reply::Engine(ToEngine::Accepted { session, .. })) => {
                self.tell(|| format!("an engine is accepted for {session}"));
                let engine = &mut self.engines[at];
                let (twice, other) = (std::mem::replace(&mut engine.accepted, true), engine.session != session);
                let stranger = engine.user.is_none();
                if twice || other || stranger {
                    self.accuse(|| {
                        format!("an engine was accepted for {session} (twice: {twice}, for another session: {other}, a stranger: {stranger})")
                    });
                }
            }
            Packet::Reply(Reply::Engine(said)) => self.tell(|| format!("an engine reads {said:?}")),
            Packet::End => {}
            other => self.accuse(|| format!("an engine was sent {other:?}")),
        }
    }
}
