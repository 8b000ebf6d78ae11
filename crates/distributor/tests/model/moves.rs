//! What happens to a sysplex, drawn at random. A case prints as a topology and a script.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;

use crate::topology::{LISTED, MOST_DVIPAS, MOST_LPARS, Plex, any_plex, name};

/// What a server binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bind {
    /// `0.0.0.0`.
    Any4,
    /// `::`, as a kernel shows a socket for IPv6 alone.
    Any6,
    /// A DVIPA.
    Dvipa(usize),
    /// The LPAR's own address.
    Home,
}

/// `VARY TCPIP,,SYSPLEX,...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vary {
    LeaveGroup,
    JoinGroup,
    Deactivate(usize),
    Reactivate(usize),
    /// QUIESCE, or RESUME.
    Target(bool),
    Port(u16, bool),
    /// JOBNAME=RSED, which has 4035.
    Rsed(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Listen {
        on: usize,
        bind: Bind,
        port: u16,
    },
    /// On every LPAR that is up, on any address.
    ListenEverywhere {
        port: u16,
    },
    Close {
        on: usize,
        port: u16,
    },
    Crash(usize),
    Vary(usize, Vary),
    Connect {
        client: u8,
        dvipa: usize,
        port: u16,
        times: usize,
    },
    /// One of those that are open, the oldest is 0.
    Disconnect(usize),
    /// How responsive a target is from now on, in percent.
    Respond {
        on: usize,
        dvipa: usize,
        port: u16,
        percent: u8,
    },
    /// Seconds pass, and everything is looked at.
    Wait(u64),
}

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) plex: Plex,
    pub(crate) moves: Vec<Move>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}---", self.plex.toml())?;
        for (number, one) in (1..).zip(&self.moves) {
            writeln!(f, "{number:>3}. {}", one.script(&self.plex))?;
        }
        Ok(())
    }
}

impl Move {
    /// As a line for people.
    pub(crate) fn script(&self, plex: &Plex) -> String {
        match *self {
            Self::Listen { on, bind, port } => match bind {
                Bind::Any4 => format!("{} listens to 0.0.0.0 port {port}", name(on)),
                Bind::Any6 => format!("{} listens to :: port {port}", name(on)),
                Bind::Dvipa(dvipa) => format!("{} listens to {} port {port}", name(on), plex.address(dvipa)),
                Bind::Home => format!("{} listens to its own address port {port}", name(on)),
            },
            Self::ListenEverywhere { port } => format!("everybody listens to any address port {port}"),
            Self::Close { on, port } => format!("{} listens to port {port} no more", name(on)),
            Self::Crash(on) => format!("{} crashes", name(on)),
            Self::Vary(on, vary) => format!("on {}: V TCPIP,,SYSPLEX,{}", name(on), vary.operands(plex)),
            Self::Connect { client, dvipa, port, times } => {
                format!("client {client} connects {times} times to {} port {port}", plex.address(dvipa))
            }
            Self::Disconnect(position) => format!("open connection {position} ends"),
            Self::Respond { on, dvipa, port, percent } => {
                format!("{} is {percent} % responsive for {} port {port}", name(on), plex.address(dvipa))
            }
            Self::Wait(seconds) => format!("{seconds} s pass"),
        }
    }

    /// LPARs and DVIPAs that are there.
    fn within(self, plex: &Plex) -> Self {
        let (lpar, vipa) = (|n: usize| n % plex.lpars.len(), |n: usize| n % plex.dvipas.len());
        match self {
            Self::Listen { on, bind: Bind::Dvipa(dvipa), port } => {
                Self::Listen { on: lpar(on), bind: Bind::Dvipa(vipa(dvipa)), port }
            }
            Self::Listen { on, bind, port } => Self::Listen { on: lpar(on), bind, port },
            Self::Close { on, port } => Self::Close { on: lpar(on), port },
            Self::Crash(on) => Self::Crash(lpar(on)),
            Self::Vary(on, Vary::Deactivate(dvipa)) => Self::Vary(lpar(on), Vary::Deactivate(vipa(dvipa))),
            Self::Vary(on, Vary::Reactivate(dvipa)) => Self::Vary(lpar(on), Vary::Reactivate(vipa(dvipa))),
            Self::Vary(on, vary) => Self::Vary(lpar(on), vary),
            Self::Connect { client, dvipa, port, times } => Self::Connect { client, dvipa: vipa(dvipa), port, times },
            Self::Respond { on, dvipa, port, percent } => {
                Self::Respond { on: lpar(on), dvipa: vipa(dvipa), port, percent }
            }
            Self::ListenEverywhere { .. } | Self::Disconnect(_) | Self::Wait(_) => self,
        }
    }
}

impl Vary {
    pub(crate) fn operands(self, plex: &Plex) -> String {
        let verb = |stop: bool| if stop { "QUIESCE" } else { "RESUME" };
        match self {
            Self::LeaveGroup => "LEAVEGROUP".to_owned(),
            Self::JoinGroup => "JOINGROUP".to_owned(),
            Self::Deactivate(dvipa) => format!("DEACTIVATE,DVIPA={}", plex.address(dvipa)),
            Self::Reactivate(dvipa) => format!("REACTIVATE,DVIPA={}", plex.address(dvipa)),
            Self::Target(stop) => format!("{},TARGET", verb(stop)),
            Self::Port(port, stop) => format!("{},PORT={port}", verb(stop)),
            Self::Rsed(stop) => format!("{},JOBNAME=RSED", verb(stop)),
        }
    }
}

/// Mostly ports that are listed; one in no list, two of `_RSE_PORTRANGE`s, three ephemeral ones.
fn any_port() -> impl Strategy<Value = u16> {
    prop_oneof![10 => Just(LISTED[0]), 3 => select(LISTED.to_vec()), 2 => select(vec![7001, 8109, 8111, 33000, 45000, 60000])]
}

/// What needs no takeover.
pub(crate) fn any_small_move() -> impl Strategy<Value = Move> {
    let (lpar, vipa) = (|| 0..MOST_LPARS, || 0..MOST_DVIPAS);
    let bind = prop_oneof![
        3 => Just(Bind::Any4),
        1 => Just(Bind::Any6),
        3 => vipa().prop_map(Bind::Dvipa),
        1 => Just(Bind::Home),
    ];
    let stop = || prop::bool::weighted(0.4);
    let quiesce = prop_oneof![
        stop().prop_map(Vary::Target),
        (any_port(), stop()).prop_map(|(port, stop)| Vary::Port(port, stop)),
        stop().prop_map(Vary::Rsed),
    ];
    prop_oneof![
        3 => (lpar(), bind, any_port()).prop_map(|(on, bind, port)| Move::Listen { on, bind, port }),
        4 => prop_oneof![2 => Just(LISTED[0]), 1 => any_port()].prop_map(|port| Move::ListenEverywhere { port }),
        2 => (lpar(), any_port()).prop_map(|(on, port)| Move::Close { on, port }),
        6 => (0u8..2, vipa(), any_port(), 1..=5usize)
            .prop_map(|(client, dvipa, port, times)| Move::Connect { client, dvipa, port, times }),
        3 => (0..6usize).prop_map(Move::Disconnect),
        2 => (lpar(), vipa(), any_port(), select(vec![0u8, 50, 100]))
            .prop_map(|(on, dvipa, port, percent)| Move::Respond { on, dvipa, port, percent }),
        2 => (lpar(), quiesce).prop_map(|(on, vary)| Move::Vary(on, vary)),
    ]
}

fn any_move() -> impl Strategy<Value = Move> {
    let (lpar, vipa) = (|| 0..MOST_LPARS, || 0..MOST_DVIPAS);
    let vary = prop_oneof![
        3 => Just(Vary::LeaveGroup),
        4 => Just(Vary::JoinGroup),
        2 => vipa().prop_map(Vary::Deactivate),
        3 => vipa().prop_map(Vary::Reactivate),
    ];
    prop_oneof![
        14 => any_small_move(),
        1 => lpar().prop_map(Move::Crash),
        4 => (lpar(), vary).prop_map(|(on, vary)| Move::Vary(on, vary)),
        1 => select(vec![1u64, 29, 30]).prop_map(Move::Wait),
    ]
}

pub(crate) fn any_case() -> impl Strategy<Value = Case> {
    case_of(any_plex(), any_move(), 40)
}

/// A topology, and moves within it.
pub(crate) fn case_of(
    plex: impl Strategy<Value = Plex>,
    one: impl Strategy<Value = Move>,
    most: usize,
) -> impl Strategy<Value = Case> {
    (plex, prop::collection::vec(one, 1..most)).prop_map(|(plex, moves)| {
        let moves = moves.into_iter().map(|one| one.within(&plex)).collect();
        Case { plex, moves }
    })
}
