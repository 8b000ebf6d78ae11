//! The documented rules of distribution: VIPADISTRIBUTE, readiness, methods, affinity, SYSPLEXPORTS.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Answer, Held, Model, Open};
use crate::moves::Bind;
use crate::topology::{How, Plex, Statement, Vipa};

/// How one port is distributed, or all dynamic ports.
#[derive(Clone)]
pub(crate) struct Rule {
    pub(crate) how: How,
    /// DESTIP with WEIGHT.
    pub(crate) targets: Vec<(usize, u8)>,
    pub(crate) affinity: u64,
}

/// What the statements of a DVIPA come to. The key without a port stands for dynamic ports.
#[derive(Clone, Default)]
pub(crate) struct Live {
    pub(crate) rules: BTreeMap<Option<u16>, Rule>,
    pub(crate) sysplexports: bool,
}

impl Live {
    pub(crate) fn has_target(&self, lpar: usize) -> bool {
        self.rules.values().any(|rule| rule.targets.iter().any(|(target, _)| *target == lpar))
    }
}

/// DEFINE adds ports, DELETE takes targets away from them. SYSPLEXPORTS counts on the first statement only; when all distribution
/// is deleted, the next one is the first again.
pub(crate) fn live_statements(plex: &Plex, dvipa: &Vipa) -> Live {
    let mut live = Live::default();
    for statement in &dvipa.statements {
        let ports: Vec<Option<u16>> =
            statement.ports.as_ref().map_or(vec![None], |ports| ports.iter().copied().map(Some).collect());
        if statement.delete {
            for port in ports {
                let Some(rule) = live.rules.get_mut(&port) else { continue };
                rule.targets.retain(|(target, _)| !plex.targets(statement).contains(target));
                if rule.targets.is_empty() {
                    live.rules.remove(&port);
                }
            }
            if live.rules.is_empty() {
                live.sysplexports = false;
            }
        } else {
            if live.rules.is_empty() {
                live.sysplexports = statement.sysplexports;
            }
            live.rules.extend(ports.into_iter().map(|port| (port, rule(plex, statement))));
        }
    }
    live
}

fn rule(plex: &Plex, statement: &Statement) -> Rule {
    let weight = |position: usize| statement.weights.as_ref().map_or(10, |weights| weights[position]);
    let targets = plex.targets(statement).into_iter().enumerate();
    Rule {
        how: statement.how,
        targets: targets.map(|(position, lpar)| (lpar, weight(position))).collect(),
        affinity: statement.affinity,
    }
}

/// Connections to a port that were distributed while nothing about it changed.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Round {
    owner: usize,
    shares: Vec<(usize, u32)>,
    picks: Vec<usize>,
}

impl Model {
    /// Something listens there, on the DVIPA or on any address. Another specific address does not count.
    fn listens(&self, lpar: usize, dvipa: usize, port: u16) -> bool {
        let any = if self.plex.dvipas[dvipa].v6 { Bind::Any6 } else { Bind::Any4 };
        [any, Bind::Dvipa(dvipa)].iter().any(|&bind| self.listening.contains(&(lpar, bind, port)))
    }

    /// The rule for a port: what lists it, or, for a port that a target has bound at the DVIPA itself, the one for dynamic ports. A
    /// system outside the group has no DVIPA that could be bound.
    pub(crate) fn rule(&self, dvipa: usize, port: u16) -> Option<&Rule> {
        let rules = &self.live[dvipa].rules;
        let learned = |rule: &&Rule| {
            rule.targets
                .iter()
                .any(|&(lpar, _)| self.member(lpar) && self.listening.contains(&(lpar, Bind::Dvipa(dvipa), port)))
        };
        rules.get(&Some(port)).or_else(|| rules.get(&None).filter(learned))
    }

    /// Every port that is distributed now.
    pub(crate) fn ports(&self, dvipa: usize) -> BTreeSet<u16> {
        let listed = self.live[dvipa].rules.keys().copied().flatten();
        let bound = self.listening.iter().map(|&(.., port)| port);
        listed.chain(bound).filter(|&port| self.rule(dvipa, port).is_some()).collect()
    }

    /// The targets that take connections, in the order of DESTIP.
    pub(crate) fn ready(&self, dvipa: usize, port: u16) -> Vec<usize> {
        let targets = self.rule(dvipa, port).map(|rule| rule.targets.clone()).unwrap_or_default();
        let quiesced = |lpar| self.quiesced.contains(&lpar) || self.quiesced_ports.contains(&(lpar, port));
        let all = targets.into_iter().map(|(lpar, _)| lpar);
        all.filter(|&lpar| self.member(lpar) && !quiesced(lpar) && self.listens(lpar, dvipa, port)).collect()
    }

    /// Who gets how much of the new connections. With HOTSTANDBY one gets all.
    pub(crate) fn shares(&self, dvipa: usize, port: u16) -> Vec<(usize, u32)> {
        let ready = self.ready(dvipa, port);
        let Some(rule) = self.rule(dvipa, port) else { return Vec::new() };
        let percent = |lpar| u32::from(*self.responsive.get(&(lpar, dvipa, port)).unwrap_or(&100));
        let system = |lpar: usize| u32::from(self.plex.lpars[lpar].wlm);
        let server = |lpar: usize| match self.plex.lpars[lpar].server_wlm.filter(|_| port == 4035) {
            Some(weight) => u32::from(weight),
            None => system(lpar),
        };
        let configured = |lpar| rule.targets.iter().find(|(of, _)| *of == lpar).map_or(0, |(_, weight)| *weight);
        let weight = |lpar: usize| match rule.how {
            How::RoundRobin => 1,
            How::BaseWlm => system(lpar) * percent(lpar),
            How::ServerWlm => server(lpar) * percent(lpar),
            How::WeightedActive => configured(lpar).into(),
            How::HotStandby { .. } => u32::from(self.standby.get(&(dvipa, port)) == Some(&lpar)),
        };
        let shares: Vec<(usize, u32)> = ready.iter().map(|&lpar| (lpar, weight(lpar))).collect();
        // When nobody is responsive, all are alike (our choice).
        if shares.iter().all(|(_, weight)| *weight == 0) {
            return ready.iter().map(|&lpar| (lpar, 1)).collect();
        }
        shares.into_iter().filter(|(_, weight)| *weight > 0).collect()
    }

    /// Whose a port in no list is with SYSPLEXPORTS: an equal part of 32768 to 60999 for each LPAR, and its `_RSE_PORTRANGE`, which
    /// goes to the first that has it (our choice). Only targets in the group have ports.
    pub(crate) fn sysplex_port(&self, dvipa: usize, port: u16) -> Option<usize> {
        let live = &self.live[dvipa];
        let has = |&lpar: &usize| live.sysplexports && live.has_target(lpar) && self.member(lpar);
        let part = (60999 - 32768 + 1) / self.plex.lpars.len();
        let ephemeral = usize::from(port).checked_sub(32768).map(|above| above / part);
        let in_range = |lpar: &usize| self.plex.lpars[*lpar].rse.is_some_and(|(a, b)| (a..b).contains(&port));
        ephemeral.filter(has).or_else(|| (0..self.plex.lpars.len()).filter(has).find(in_range))
    }

    /// HOTSTANDBY: who takes all connections now; and what changed for a port begins a new round.
    pub(crate) fn settle_distribution(&mut self) {
        for dvipa in self.dvipas() {
            let ports = if self.owner[dvipa].is_some() { self.ports(dvipa) } else { BTreeSet::new() };
            self.rounds.retain(|(of, port), _| *of != dvipa || ports.contains(port));
            for port in ports {
                self.settle_standby(dvipa, port);
                let mut shares = self.shares(dvipa, port);
                let divisor = shares.iter().fold(0, |divisor, (_, weight)| gcd(divisor, *weight)).max(1);
                shares.iter_mut().for_each(|(_, weight)| *weight /= divisor);
                let owner = self.owner[dvipa].unwrap_or_default();
                let round = self.rounds.entry((dvipa, port)).or_default();
                if (round.owner, &round.shares) != (owner, &shares) {
                    *round = Round { owner, shares, picks: Vec::new() };
                }
            }
        }
    }

    /// The preferred target when it is ready, unless NOAUTOSWITCHBACK lets another go on; a backup takes nothing from another.
    fn settle_standby(&mut self, dvipa: usize, port: u16) {
        let Some(How::HotStandby { preferred, switches_back }) = self.rule(dvipa, port).map(|rule| rule.how) else {
            return;
        };
        let (ready, last) = (self.ready(dvipa, port), self.standby.get(&(dvipa, port)).copied());
        let preferred = Some(preferred).filter(|lpar| ready.contains(lpar));
        let last = last.filter(|lpar| ready.contains(lpar));
        let chosen = if switches_back { preferred.or(last) } else { last.or(preferred) };
        if last.is_some() && last != preferred && preferred.is_some() {
            self.use_rule(if switches_back { "AUTOSWITCHBACK" } else { "NOAUTOSWITCHBACK" });
        }
        if let Some(lpar) = chosen.or(ready.first().copied()) {
            self.standby.insert((dvipa, port), lpar);
        }
    }

    /// A connection, and what its client saw.
    pub(crate) fn connect(&mut self, client: u8, dvipa: usize, port: u16, answer: Answer) -> Result<(), String> {
        let Some(owner) = self.owner[dvipa] else { return expect(&[Answer::Nobody], answer) };
        let Some(rule) = self.rule(dvipa, port).cloned() else {
            self.affinities.remove(&(client, dvipa, port));
            let theirs = self.sysplex_port(dvipa, port);
            self.use_rule(if theirs.is_some() { "SYSPLEXPORTS" } else { "port in no list" });
            let on = theirs.unwrap_or(owner);
            let expected = if self.listens(on, dvipa, port) { Answer::Reached(on) } else { Answer::Reset };
            expect(&[expected], answer)?;
            self.opened(client, dvipa, port, answer);
            return Ok(());
        };
        let ready = self.ready(dvipa, port);
        let held = self.affinities.remove(&(client, dvipa, port)).filter(|held| ready.contains(&held.on));
        let may = match held {
            _ if ready.is_empty() => {
                self.use_rule("no target");
                let silent = self.plex.dvipas[dvipa].drops;
                return expect(&[if silent { Answer::Silence } else { Answer::Reset }], answer);
            }
            Some(held) => {
                self.use_rule("TIMEDAFFINITY");
                vec![held.on]
            }
            None => self.next(dvipa, port, rule.how),
        };
        let may: Vec<Answer> = may.into_iter().map(Answer::Reached).collect();
        expect(&may, answer)?;
        if let (Answer::Reached(on), None) = (answer, held) {
            self.rounds.entry((dvipa, port)).or_default().picks.push(on);
        }
        if let (Answer::Reached(on), 1..) = (answer, rule.affinity) {
            let held = Held { on, seconds: rule.affinity, until: None };
            self.affinities.insert((client, dvipa, port), held);
        }
        self.opened(client, dvipa, port, answer);
        Ok(())
    }

    fn opened(&mut self, client: u8, dvipa: usize, port: u16, answer: Answer) {
        if let Answer::Reached(on) = answer {
            self.open.push(Open { client, dvipa, port, on });
        }
    }

    /// Who may get the next connection.
    fn next(&mut self, dvipa: usize, port: u16, how: How) -> Vec<usize> {
        let shares = self.shares(dvipa, port);
        if self.ready(dvipa, port).len() > 1 {
            self.use_rule(match how {
                How::RoundRobin => "ROUNDROBIN",
                How::BaseWlm => "BASEWLM",
                How::ServerWlm => "SERVERWLM",
                How::WeightedActive => "WEIGHTEDACTIVE",
                How::HotStandby { .. } => "HOTSTANDBY",
            });
        }
        let picks = self.rounds.get(&(dvipa, port)).map(|round| round.picks.clone()).unwrap_or_default();
        let whole: usize = shares.iter().map(|(_, weight)| *weight as usize).sum();
        let got = |lpar| picks.iter().filter(|&&pick| pick == lpar).count();
        let active = |lpar| self.open.iter().filter(|o| (o.dvipa, o.port, o.on) == (dvipa, port, lpar)).count();
        let may = |&(lpar, weight): &(usize, u32)| match how {
            // Strictly in turn: the one whose last turn is longest ago, once all had theirs.
            How::RoundRobin => match picks.len().checked_sub(shares.len()) {
                Some(position) => picks[position] == lpar,
                None => !picks.contains(&lpar),
            },
            // In proportion: nobody is ever a whole connection ahead of its share, so that whole rounds are exact.
            How::BaseWlm | How::ServerWlm => (got(lpar) + 1) * whole < (picks.len() + 1) * weight as usize + whole,
            // To where the most is missing: with the new one, it has the least for its weight.
            How::WeightedActive => shares.iter().all(|&(other, of_other)| {
                (active(lpar) + 1) * of_other as usize <= (active(other) + 1) * weight as usize
            }),
            How::HotStandby { .. } => self.standby.get(&(dvipa, port)) == Some(&lpar),
        };
        shares.iter().filter(|share| may(share)).map(|(lpar, _)| *lpar).collect()
    }
}

fn expect(may: &[Answer], answer: Answer) -> Result<(), String> {
    if may.contains(&answer) { Ok(()) } else { Err(format!("the client saw {answer:?}, the rules say one of {may:?}")) }
}

pub(crate) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
