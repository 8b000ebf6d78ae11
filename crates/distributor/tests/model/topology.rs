//! Random topologies, as plain values for the model and as TOML for the code.

use std::fmt::{self, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Most LPARs.
pub(crate) const MOST_LPARS: usize = 6;
/// Most DVIPAs.
pub(crate) const MOST_DVIPAS: usize = 3;
/// The ports that statements list.
pub(crate) const LISTED: [u16; 3] = [4035, 5401, 5402];

/// A sysplex. LPARs and DVIPAs are named by their position, from 0.
#[derive(Clone, Debug)]
pub(crate) struct Plex {
    pub(crate) lpars: Vec<System>,
    pub(crate) dvipas: Vec<Vipa>,
}

#[derive(Clone, Debug)]
pub(crate) struct System {
    /// WLM's weight of the system.
    pub(crate) wlm: u8,
    /// WLM's weight of the servers on 4035.
    pub(crate) server_wlm: Option<u8>,
    /// `_RSE_PORTRANGE`, its end exclusive.
    pub(crate) rse: Option<(u16, u16)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Vipa {
    pub(crate) v6: bool,
    /// VIPADEFINE.
    pub(crate) definer: usize,
    pub(crate) when_idle: bool,
    pub(crate) backups: Vec<Backup>,
    pub(crate) drops: bool,
    pub(crate) statements: Vec<Statement>,
}

/// VIPABACKUP.
#[derive(Clone, Debug)]
pub(crate) struct Backup {
    pub(crate) lpar: usize,
    pub(crate) rank: Option<u8>,
    /// The form with MOVEABLE.
    pub(crate) moveable: Option<&'static str>,
}

/// VIPADISTRIBUTE.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) delete: bool,
    /// Nothing means dynamic ports.
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) how: How,
    /// DESTIP, in its order; nothing means ALL.
    pub(crate) targets: Option<Vec<usize>>,
    /// WEIGHT of each, if written.
    pub(crate) weights: Option<Vec<u8>>,
    /// Seconds.
    pub(crate) affinity: u64,
    pub(crate) sysplexports: bool,
}

/// DISTMETHOD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    RoundRobin,
    BaseWlm,
    ServerWlm,
    WeightedActive,
    HotStandby { preferred: usize, switches_back: bool },
}

impl Plex {
    /// As the code writes addresses.
    pub(crate) fn address(&self, dvipa: usize) -> String {
        if self.dvipas[dvipa].v6 { format!("fd00:10::{}", 1001 + dvipa) } else { format!("10.10.10.{}", 1 + dvipa) }
    }

    /// DESTIP with ALL written out.
    pub(crate) fn targets(&self, statement: &Statement) -> Vec<usize> {
        statement.targets.clone().unwrap_or_else(|| (0..self.lpars.len()).collect())
    }

    pub(crate) fn toml(&self) -> String {
        let mut text = String::new();
        for (number, system) in (1..).zip(&self.lpars) {
            put(&mut text, format_args!("[[lpar]]\nname = \"SYS{number}\"\nwlm = {}", system.wlm));
            if let Some(weight) = system.server_wlm {
                put(&mut text, format_args!("server_wlm = {{ \"4035\" = {weight} }}"));
            }
        }
        for (position, dvipa) in self.dvipas.iter().enumerate() {
            let form = if dvipa.when_idle { "WHENIDLE" } else { "IMMEDIATE" };
            let (address, no_target) = (self.address(position), if dvipa.drops { "drop" } else { "reset" });
            put(&mut text, format_args!("[[dvipa]]\naddress = \"{address}\"\nowner = \"{}\"", name(dvipa.definer)));
            put(&mut text, format_args!("moveable = \"{form}\"\nno_target = \"{no_target}\""));
            for Backup { lpar, rank, moveable } in &dvipa.backups {
                put(&mut text, format_args!("[[dvipa.backup]]\nlpar = \"{}\"", name(*lpar)));
                if let Some(rank) = rank {
                    put(&mut text, format_args!("rank = {rank}"));
                }
                if let Some(form) = moveable {
                    put(&mut text, format_args!("moveable = \"{form}\""));
                }
            }
            for statement in &dvipa.statements {
                text += &statement.toml();
            }
        }
        for (number, system) in (1..).zip(&self.lpars) {
            let task = "[[started_task]]\nname = \"RSED\"\nprogram = \"rsed\"";
            put(&mut text, format_args!("{task}\non = [\"SYS{number}\"]"));
            if let Some((first, end)) = system.rse {
                put(&mut text, format_args!("port_range = \"{first}-{end}\""));
            }
        }
        text
    }
}

impl Statement {
    fn toml(&self) -> String {
        let list = |targets: &[usize]| targets.iter().map(|&lpar| format!("\"{}\"", name(lpar))).collect::<Vec<_>>();
        let targets = self.targets.as_deref().map_or(vec!["\"ALL\"".to_owned()], list).join(", ");
        let mut text = format!("[[dvipa.distribute]]\ntargets = [{targets}]\n");
        if let Some(ports) = &self.ports {
            put(&mut text, format_args!("ports = {ports:?}"));
        }
        if self.delete {
            return text + "action = \"DELETE\"\n";
        }
        let method = match self.how {
            How::RoundRobin => "ROUNDROBIN",
            How::BaseWlm => "BASEWLM",
            How::ServerWlm => "SERVERWLM",
            How::WeightedActive => "WEIGHTEDACTIVE",
            How::HotStandby { .. } => "HOTSTANDBY",
        };
        put(&mut text, format_args!("method = \"{method}\""));
        if let How::HotStandby { preferred, switches_back } = self.how {
            put(&mut text, format_args!("preferred = \"{}\"\nautoswitchback = {switches_back}", name(preferred)));
        }
        if let Some(weights) = &self.weights {
            put(&mut text, format_args!("weights = {weights:?}"));
        }
        if self.affinity > 0 {
            put(&mut text, format_args!("timed_affinity = \"{}s\"", self.affinity));
        }
        if self.sysplexports {
            text += "sysplexports = true\n";
        }
        text
    }
}

/// SYSNAME.
pub(crate) fn name(lpar: usize) -> String {
    format!("SYS{}", lpar + 1)
}

fn put(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all");
}

/// What a strategy draws; [`Plex::sound`] makes it one that the schema takes.
pub(crate) fn any_plex() -> impl Strategy<Value = Plex> {
    // Mostly few, so that they have to do with each other.
    let lpars = prop_oneof![1..=MOST_LPARS, 2..=3usize, 2..=4usize].prop_flat_map(|n| vec(any_system(), n));
    let dvipas = prop_oneof![2 => Just(1), 1 => 1..=MOST_DVIPAS].prop_flat_map(|n| vec(any_vipa(), n));
    (lpars, dvipas).prop_map(|(lpars, dvipas)| Plex { lpars, dvipas }.sound())
}

fn any_system() -> impl Strategy<Value = System> {
    let rse = prop::option::weighted(0.4, select(vec![(8108, 8110), (8109, 8112)]));
    let server_wlm = prop::option::weighted(0.3, 1u8..=3);
    (1u8..=3, server_wlm, rse).prop_map(|(wlm, server_wlm, rse)| System { wlm, server_wlm, rse })
}

fn any_vipa() -> impl Strategy<Value = Vipa> {
    let form = prop::option::of(select(vec!["IMMEDIATE", "WHENIDLE"]));
    let rank = prop::option::of(select(vec![1u8, 2, 254]));
    let backup = (prop_oneof![0..3usize, 0..MOST_LPARS], rank, form).prop_map(|(lpar, rank, moveable)| Backup {
        lpar,
        rank,
        moveable,
    });
    let definer = prop_oneof![2 => Just(0), 1 => 0..MOST_LPARS];
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.4), prop::bool::weighted(0.2));
    let statements = vec(any_statement(), 1..=4);
    (flags, definer, vec(backup, 0..=3), statements).prop_map(
        |((v6, when_idle, drops), definer, backups, statements)| Vipa {
            v6,
            definer,
            when_idle,
            backups,
            drops,
            statements,
        },
    )
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let some = subsequence(LISTED.to_vec(), 1..=LISTED.len());
    let ports = prop_oneof![3 => Just(Some(vec![LISTED[0]])), 3 => some.prop_map(Some), 1 => Just(None)];
    let some = subsequence((0..MOST_LPARS).collect::<Vec<_>>(), 1..=MOST_LPARS).prop_shuffle();
    let targets = prop::option::weighted(0.6, some);
    let how = prop_oneof![
        Just(How::RoundRobin),
        Just(How::BaseWlm),
        Just(How::ServerWlm),
        Just(How::WeightedActive),
        (0..MOST_LPARS, any::<bool>())
            .prop_map(|(preferred, switches_back)| How::HotStandby { preferred, switches_back }),
    ];
    let weights = prop::option::weighted(0.7, vec(1u8..=3, MOST_LPARS));
    let affinity = prop_oneof![3 => Just(0u64), 1 => Just(30)];
    let flags = (prop::bool::weighted(0.15), prop::bool::weighted(0.5));
    (flags, ports, how, targets, weights, affinity).prop_map(
        |((delete, sysplexports), ports, how, targets, weights, affinity)| Statement {
            delete,
            ports,
            how,
            targets,
            weights,
            affinity,
            sysplexports,
        },
    )
}

impl Plex {
    /// Leaves out what is not there, and what is an error in a topology: a port that is distributed already, an owner that is
    /// its own backup, WHENIDLE with IPv6.
    pub(crate) fn sound(mut self) -> Self {
        let count = self.lpars.len();
        for dvipa in &mut self.dvipas {
            dvipa.definer %= count;
            dvipa.when_idle &= !dvipa.v6;
            let mut known = vec![dvipa.definer];
            dvipa.backups.retain(|backup| {
                let new = backup.lpar < count && !known.contains(&backup.lpar);
                known.push(backup.lpar);
                new
            });
            // Which targets are left for each port; nothing stands for dynamic ports.
            let mut live: Vec<(Option<u16>, usize)> = Vec::new();
            let statements = std::mem::take(&mut dvipa.statements);
            dvipa.statements = statements.into_iter().filter_map(|it| it.sound(count, &mut live)).collect();
        }
        self
    }
}

impl Statement {
    fn sound(mut self, count: usize, live: &mut Vec<(Option<u16>, usize)>) -> Option<Self> {
        if let Some(targets) = &mut self.targets {
            targets.retain(|&lpar| lpar < count);
            if targets.is_empty() {
                targets.push(0);
            }
        }
        if let (How::HotStandby { preferred, .. }, false) = (&mut self.how, self.delete) {
            let targets = self.targets.get_or_insert_with(|| (0..count).collect());
            *preferred = targets[*preferred % targets.len()];
        }
        let targets = self.targets.clone().unwrap_or_else(|| (0..count).collect());
        self.weights = self.weights.filter(|_| self.how == How::WeightedActive);
        if let Some(weights) = &mut self.weights {
            weights.resize(targets.len(), 1);
        }
        let is_live = |port: Option<u16>, live: &[(Option<u16>, usize)]| live.iter().any(|(of, _)| *of == port);
        if let (Some(ports), false) = (&mut self.ports, self.delete) {
            ports.retain(|&port| !is_live(Some(port), live));
        }
        let ports: Vec<Option<u16>> =
            self.ports.as_ref().map_or(vec![None], |ports| ports.iter().copied().map(Some).collect());
        if ports.is_empty() || (!self.delete && self.ports.is_none() && is_live(None, live)) {
            return None;
        }
        if self.delete {
            live.retain(|(port, target)| !(ports.contains(port) && targets.contains(target)));
        } else {
            live.extend(ports.iter().flat_map(|&port| targets.iter().map(move |&target| (port, target))));
        }
        Some(self)
    }
}
