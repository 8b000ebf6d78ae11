//! The same rules on a real kernel: one owner, three LPARs, one workstation, and whoever answers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use distributor::{Group, Seen, Tsr, Vary};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError};
use sysplex::LparIndex;

use crate::lab::{index, read};
use crate::model::{Answer, Model};
use crate::moves::{Bind, Case, Move, any_small_move, case_of};
use crate::net::{Connection, Lab, in_namespaces};
use crate::topology::{Plex, any_plex};

/// A second or so each.
const CASES: u32 = 12;
/// A failure is shrunk for about a minute.
const MOST_SHRINKS: u32 = 100;
/// How long affinities may take to expire.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the lab of namespaces has: three LPARs, a DVIPA 10.10.10.1 of the first, and no takeover. A port without a ready target is
/// reset: to wait for nothing takes long.
fn any_case() -> impl Strategy<Value = Case> {
    let plex = any_plex().prop_map(|mut plex: Plex| {
        while plex.lpars.len() != 3 {
            plex.lpars.truncate(3);
            plex.lpars.extend(plex.lpars.last().cloned().filter(|_| plex.lpars.len() < 3));
        }
        plex.dvipas.truncate(1);
        let dvipa = &mut plex.dvipas[0];
        (dvipa.v6, dvipa.definer, dvipa.drops) = (false, 0, false);
        plex.sound()
    });
    case_of(plex, any_small_move().prop_map(here), 30)
}

/// One client; and few ports in no list, or hardly any is dialled where something listens.
fn here(one: Move) -> Move {
    let few = |port| if matches!(port, 8109 | 8111 | 33000 | 45000) { 60000 } else { port };
    match one {
        Move::Connect { port, times, .. } => Move::Connect { client: 0, dvipa: 0, port: few(port), times },
        Move::Listen { on, bind, port } => Move::Listen { on, bind, port: few(port) },
        Move::ListenEverywhere { port } => Move::ListenEverywhere { port: few(port) },
        other => other,
    }
}

#[test]
fn the_kernel_does_what_the_documented_rules_say() {
    in_namespaces("kernel::the_kernel_does_what_the_documented_rules_say", |lab| {
        let lab = RefCell::new(lab);
        let mut runner = crate::runner("MODEL_KERNEL_CASES", CASES, MOST_SHRINKS);
        let result = runner.run(&any_case(), |case| {
            let mut lab = lab.borrow_mut();
            let mut play = Play::new(&mut lab, &case.plex).map_err(TestCaseError::fail)?;
            play.all(&case.moves).map_err(TestCaseError::fail)
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(reason, case)) => panic!("{reason}\n{case:?}"),
            Err(TestError::Abort(reason)) => panic!("given up: {reason}"),
        }
    });
}

/// One case.
struct Play<'a> {
    lab: &'a mut Lab,
    group: Group,
    model: Model,
    /// Who listens on which port, and the address.
    bound: BTreeMap<(usize, u16), SocketAddr>,
    tsr: BTreeMap<(LparIndex, SocketAddr), Tsr>,
    connections: Vec<Connection>,
}

impl<'a> Play<'a> {
    /// Nothing is left of the case before.
    fn new(lab: &'a mut Lab, plex: &Plex) -> Result<Self, String> {
        (1..=3).for_each(|number| lab.close_listeners(number));
        end_affinities(lab);
        lab.sysplex = read(plex)?;
        let (group, model) = (Group::new(&lab.sysplex), Model::new(plex));
        let (bound, tsr, connections) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut play = Self { lab, group, model, bound, tsr, connections };
        play.follow();
        play.lab.apply_anew();
        Ok(play)
    }

    fn all(&mut self, moves: &[Move]) -> Result<(), String> {
        for (number, &one) in (1..).zip(moves) {
            let script = one.script(&self.model.plex);
            self.step(one).map_err(|error| format!("after move {number}, \"{script}\": {error}"))?;
        }
        self.connections.drain(..).for_each(Connection::reset);
        Ok(())
    }

    fn step(&mut self, one: Move) -> Result<(), String> {
        match one {
            // Any address of IPv6 is not asked for here.
            Move::Listen { on, bind, port } if bind != Bind::Any6 => self.listen(on, bind, port),
            // One after the other for the code too: the first may take over.
            Move::ListenEverywhere { port } => (0..3).for_each(|on| {
                self.listen(on, Bind::Any4, port);
                self.follow();
            }),
            // All of this LPAR, as the lab of namespaces ends them.
            Move::Close { on, .. } => {
                self.lab.close_listeners(u32::try_from(on).expect("a small number") + 1);
                for port in self.bound.keys().filter(|(of, _)| *of == on).map(|(_, port)| *port).collect::<Vec<_>>() {
                    self.bound.remove(&(on, port));
                    self.model.apply(Move::Close { on, port });
                }
            }
            Move::Vary(on, vary) => {
                let command = format!("TCPIP,,SYSPLEX,{}", vary.operands(&self.model.plex));
                let found = self.group.vary(index(on), &Vary::parse(&command)?).is_ok();
                if found != self.model.apply(one) {
                    return Err(format!("the command was accepted: {found}"));
                }
            }
            Move::Respond { on, port, percent, .. } => {
                let tsr = Tsr { tcsr: 100, cer: percent, sef: 100 };
                self.tsr.insert((index(on), self.at(port)), tsr);
                self.model.apply(one);
            }
            Move::Disconnect(position) if position < self.connections.len() => {
                self.connections.remove(position).reset();
                self.model.apply(one);
            }
            Move::Connect { port, times, .. } => (0..times).try_for_each(|_| self.connect(port))?,
            Move::Listen { .. } | Move::Disconnect(_) | Move::Crash(_) | Move::Wait(_) => {}
        }
        self.follow();
        self.still_there()
    }

    fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.model.plex.address(0).parse().expect("an address"), port)
    }

    /// One socket for a port on each LPAR, so that none is refused.
    fn listen(&mut self, on: usize, bind: Bind, port: u16) {
        let lpar = &self.lab.sysplex.lpars[on];
        let address = match bind {
            Bind::Dvipa(_) => self.at(port),
            Bind::Home => SocketAddr::new(lpar.home.into(), port),
            Bind::Any4 | Bind::Any6 => format!("0.0.0.0:{port}").parse().expect("an address"),
        };
        if let std::collections::btree_map::Entry::Vacant(free) = self.bound.entry((on, port)) {
            free.insert(address);
            self.lab.listen(lpar.index.get(), &address.to_string());
            self.model.apply(Move::Listen { on, bind, port });
        }
    }

    fn connect(&mut self, port: u16) -> Result<(), String> {
        let dialled = self.lab.dial(port);
        let answer = match &dialled {
            Ok(connection) => Answer::Reached(usize::from(connection.reached) - 1),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answer::Reset,
            Err(error) if error.kind() == ErrorKind::TimedOut => Answer::Silence,
            Err(error) => return Err(error.to_string()),
        };
        self.model.connect(0, 0, port, answer)?;
        self.model.settle();
        self.connections.extend(dialled);
        self.follow();
        Ok(())
    }

    /// The owner's kernel follows the plan for what is the case.
    fn follow(&mut self) {
        let mut seen = Seen { tsr: self.tsr.clone(), ..Seen::default() };
        for (&(on, _), &address) in &self.bound {
            seen.listeners.entry(index(on)).or_default().push(address);
        }
        for open in &self.model.open {
            *seen.active.entry((index(open.on), self.at(open.port))).or_insert(0) += 1;
        }
        self.group.observe(seen);
        self.group.plans();
        self.lab.state = self.group.state().clone();
        self.lab.apply();
    }

    /// Connections keep their target.
    fn still_there(&mut self) -> Result<(), String> {
        for (connection, open) in self.connections.iter_mut().zip(&self.model.open) {
            let client = connection.client();
            connection.echo("still there?").map_err(|error| format!("{client} is lost, {open:?}: {error}"))?;
        }
        Ok(())
    }
}

fn end_affinities(lab: &Lab) {
    let affinities = lab.tables().affinities;
    let timers: Vec<_> = affinities.iter().map(|affinity| (*affinity, Duration::from_millis(1))).collect();
    for script in lab.backend.affinity_timers(&timers) {
        lab.run_script(&script);
    }
    let deadline = Instant::now() + PATIENCE;
    while !lab.tables().affinities.is_empty() {
        assert!(Instant::now() < deadline, "waited for the affinities to expire: {:?}", lab.tables().affinities);
    }
}
