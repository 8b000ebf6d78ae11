//! VIPADISTRIBUTE statements.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::Spanned;

use super::{Problems, Trouble, expand_and};
use crate::dvipa::{Distribute, Method, Ports, Target};
use crate::model::{Lpar, LparIndex};
use crate::names::{cut, did_you_mean};
use crate::ports::port_or_range;
use crate::raw::{DistributeTable, DvipaTable, Value};
use crate::symbols::Symbols;

/// The lab's own limit on the ports of one DVIPA: every one of them becomes a rule of its own. (PORT takes 64 entries on
/// z/OS, from memory, and an entry can be a range.)
const MOST_PORTS: usize = 1024;
/// WEIGHT when none is given (from memory of z/OS).
const DEFAULT_WEIGHT: u8 = 10;
/// Longest TIMEDAFFINITY, in seconds (from memory of z/OS).
const LONGEST_AFFINITY: Duration = Duration::from_secs(9999);

const HOTSTANDBY: Method = Method::HotStandby { autoswitchback: true };
const METHODS: [Method; 5] =
    [Method::BaseWlm, Method::ServerWlm, Method::RoundRobin, Method::WeightedActive, HOTSTANDBY];

/// The statements that are left after every DELETE, and whether SYSPLEXPORTS is in effect.
pub(super) fn resolve(
    table: &DvipaTable,
    symbols: Option<&Symbols>,
    lpars: &[Lpar],
    problems: &mut Problems,
) -> Option<(Vec<Distribute>, bool)> {
    let mut statements: Vec<Distribute> = Vec::new();
    let (mut good, mut sysplexports) = (true, false);
    for statement in &table.distribute {
        // The first one says it. After all distribution for the DVIPA is deleted, the next one is the first again.
        let is_first = statements.is_empty();
        let action = match &statement.action {
            Some(word) => problems.word(word, "action of VIPADISTRIBUTE", &[("DEFINE", true), ("DELETE", false)]),
            None => Some(true),
        };
        let mut reader = Reader { table: statement, symbols, lpars, problems };
        match action {
            Some(true) => match reader.define(&statements) {
                Some(statement) => {
                    sysplexports = if is_first { statement.sysplexports } else { sysplexports };
                    statements.push(statement);
                }
                None => good = false,
            },
            Some(false) => good &= reader.delete(&mut statements).is_some(),
            None => good = false,
        }
    }
    let count: usize = statements.iter().map(|statement| listed(statement).len()).sum();
    if count > MOST_PORTS {
        problems.add(
            table.address.span(),
            format!("{count} ports are distributed for this DVIPA: the lab takes {MOST_PORTS}"),
        );
    }
    statements.retain(|statement| !statement.targets.is_empty() && statement.ports != Ports::Listed(Vec::new()));
    let sysplexports = sysplexports && !statements.is_empty();
    good.then_some((statements, sysplexports))
}

fn listed(statement: &Distribute) -> &[u16] {
    match &statement.ports {
        Ports::Listed(ports) => ports,
        Ports::Dynamic => &[],
    }
}

struct Reader<'a> {
    table: &'a DistributeTable,
    symbols: Option<&'a Symbols>,
    lpars: &'a [Lpar],
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn define(&mut self, before: &[Distribute]) -> Option<Distribute> {
        let ports = self.ports();
        if let Some(ports) = &ports {
            self.not_twice(ports, before);
        }
        let (targets, method, timed_affinity) = (self.targets(), self.method(), self.timed_affinity());
        let optlocal = self.optlocal();
        let method = method?;
        let targets = self.with_options(&targets?, method)?;
        Some(Distribute {
            ports: ports?,
            method,
            targets,
            sysplexports: self.table.sysplexports,
            timed_affinity: timed_affinity?,
            optlocal: optlocal?,
        })
    }

    /// Takes the targets away for these ports; a statement whose ports are not all named is split. (What DELETE does with part of
    /// a statement is from memory of z/OS.)
    fn delete(&mut self, statements: &mut Vec<Distribute>) -> Option<()> {
        let (ports, targets) = (self.ports(), self.targets());
        let (ports, targets) = (ports?, targets?);
        for statement in std::mem::take(statements) {
            let (gone, stay): (Vec<u16>, Vec<u16>) = match (&ports, &statement.ports) {
                (Ports::Listed(named), Ports::Listed(has)) => has.iter().partition(|port| named.contains(port)),
                (Ports::Dynamic, Ports::Dynamic) => {
                    let left = without(&statement, &targets);
                    statements.push(left);
                    continue;
                }
                _ => {
                    statements.push(statement);
                    continue;
                }
            };
            statements.push(Distribute { ports: Ports::Listed(stay), ..statement.clone() });
            statements.push(Distribute { ports: Ports::Listed(gone), ..without(&statement, &targets) });
        }
        statements.retain(|statement| !statement.targets.is_empty() && statement.ports != Ports::Listed(Vec::new()));
        Some(())
    }

    fn not_twice(&mut self, ports: &Ports, before: &[Distribute]) {
        let span = self.table.ports.as_ref().map_or_else(|| self.table.targets.span(), Spanned::span);
        let twice = match ports {
            Ports::Listed(ports) => ports.iter().find(|port| before.iter().any(|other| other.lists(**port))),
            Ports::Dynamic if before.iter().any(|other| other.ports == Ports::Dynamic) => {
                self.problems.add(span, "dynamic ports are distributed twice for this DVIPA: expected it once");
                return;
            }
            Ports::Dynamic => None,
        };
        if let Some(port) = twice {
            let message = format!("port {port} is distributed twice for this DVIPA: expected it once");
            self.problems.add(span, message);
        }
    }

    fn ports(&mut self) -> Option<Ports> {
        let Some(written) = &self.table.ports else { return Some(Ports::Dynamic) };
        if written.get_ref().is_empty() {
            let help = Some("leave `ports` out for dynamic ports".to_owned());
            self.problems.add_with_help(written.span(), "no port is distributed: expected at least one", help);
        }
        let mut seen = BTreeSet::new();
        let mut ports = Vec::new();
        let mut good = true;
        for value in written.get_ref() {
            match self.entry(value, &mut seen) {
                Some(new) => ports.extend(new),
                None => good = false,
            }
        }
        good.then_some(Ports::Listed(ports))
    }

    /// The ports of one entry.
    fn entry(&mut self, value: &Spanned<Value>, seen: &mut BTreeSet<u16>) -> Option<Vec<u16>> {
        // Without an owner there are no symbols, and the owner was reported already.
        let range = match expand_and(&value.get_ref().0, self.symbols?, port_or_range) {
            Ok(range) => range,
            Err(Trouble { message, help, .. }) => {
                self.problems.add_with_help(value.span(), message, help);
                return None;
            }
        };
        if let Some(port) = range.clone().find(|port| seen.contains(port)) {
            let message = format!("port {port} is distributed twice for this DVIPA: expected it once");
            self.problems.add(value.span(), message);
        }
        seen.extend(range.clone());
        Some(range.collect())
    }

    fn targets(&mut self) -> Option<Vec<LparIndex>> {
        let names = &self.table.targets;
        match names.get_ref().as_slice() {
            [] => {
                let help = Some("`targets = [\"ALL\"]` names every LPAR".to_owned());
                let message = "no target is listed: expected names of LPARs";
                self.problems.add_with_help(names.span(), message, help);
                None
            }
            [all] if all.get_ref() == "ALL" => Some(self.lpars.iter().map(|lpar| lpar.index).collect()),
            several => {
                if let Some(all) = several.iter().find(|name| name.get_ref() == "ALL") {
                    self.problems.add(all.span(), "`ALL` stands alone: expected it without other names");
                    return None;
                }
                self.problems.lpars(several, self.lpars)
            }
        }
    }

    fn method(&mut self) -> Option<Method> {
        let Some(word) = &self.table.method else { return Some(Method::BaseWlm) };
        let found = word.get_ref().as_str();
        if found == "TARGCONTROLLED" {
            let message = "DISTMETHOD TARGCONTROLLED is for non-z/OS targets (tier 1), which this lab has not";
            let help = Some("expected a method for z/OS targets".to_owned());
            self.problems.add_with_help(word.span(), message, help);
            return None;
        }
        match METHODS.into_iter().find(|method| method.as_str() == found) {
            Some(Method::HotStandby { .. }) => {
                let autoswitchback = self.table.autoswitchback.as_ref().is_none_or(|switch| *switch.get_ref());
                Some(Method::HotStandby { autoswitchback })
            }
            Some(method) => Some(method),
            None => {
                let names = METHODS.map(Method::as_str);
                let message = format!("`{}` is not a DISTMETHOD: expected {}", cut(found), names.join(", "));
                self.problems.add_with_help(word.span(), message, did_you_mean(found, names));
                None
            }
        }
    }

    /// Weights and roles of the targets; options of other methods are errors.
    fn with_options(&mut self, lpars: &[LparIndex], method: Method) -> Option<Vec<Target>> {
        let is_hot = matches!(method, Method::HotStandby { .. });
        let foreign = [
            (
                self.table.weights.as_ref().map(Spanned::span),
                "weights",
                "WEIGHTEDACTIVE",
                method == Method::WeightedActive,
            ),
            (self.table.preferred.as_ref().map(Spanned::span), "preferred", "HOTSTANDBY", is_hot),
            (self.table.autoswitchback.as_ref().map(Spanned::span), "autoswitchback", "HOTSTANDBY", is_hot),
        ];
        for (span, key, of, fits) in foreign {
            if let (Some(span), false) = (span, fits) {
                self.problems.add(span, format!("`{key}` belongs to DISTMETHOD {of}, this is {}", method.as_str()));
            }
        }
        let weights = self.weights(lpars.len())?;
        let preferred = if is_hot { Some(self.preferred(lpars)?) } else { None };
        let targets = lpars.iter().zip(weights);
        Some(targets.map(|(&lpar, weight)| Target { lpar, weight, preferred: preferred == Some(lpar) }).collect())
    }

    fn weights(&mut self, targets: usize) -> Option<Vec<u8>> {
        let Some(weights) = &self.table.weights else { return Some(vec![DEFAULT_WEIGHT; targets]) };
        let found = weights.get_ref();
        if let Some(bad) = found.iter().find(|weight| !(1..=99).contains(weight.get_ref())) {
            self.problems.add(bad.span(), format!("{} is no WEIGHT: expected 1 to 99", bad.get_ref()));
            return None;
        }
        if found.len() != targets {
            let message = format!("{} weights for {targets} targets: expected one for each", found.len());
            self.problems.add(weights.span(), message);
            return None;
        }
        Some(found.iter().map(|weight| *weight.get_ref()).collect())
    }

    fn preferred(&mut self, lpars: &[LparIndex]) -> Option<LparIndex> {
        let all = self.table.targets.get_ref().iter().any(|name| name.get_ref() == "ALL");
        if all {
            // EZZ0165I.
            let message = "DESTIP ALL with HOTSTANDBY: expected the targets by name, one of them preferred";
            self.problems.add(self.table.targets.span(), message);
            return None;
        }
        let Some(name) = &self.table.preferred else {
            let message = "HOTSTANDBY without a preferred target: expected `preferred = \"...\"`, one of the targets";
            self.problems.add(self.table.targets.span(), message);
            return None;
        };
        let found = self.problems.lpar(name, self.lpars)?;
        if !lpars.contains(&found) {
            self.problems.add(name.span(), format!("`{}` is not among the targets", cut(name.get_ref())));
            return None;
        }
        Some(found)
    }

    fn timed_affinity(&mut self) -> Option<Duration> {
        let Some(text) = &self.table.timed_affinity else { return Some(Duration::ZERO) };
        let read = humantime::parse_duration(text.get_ref()).ok();
        let read = read.filter(|time| *time <= LONGEST_AFFINITY && time.subsec_nanos() == 0);
        if read.is_none() {
            let message =
                format!("`{}` is no TIMEDAFFINITY: expected whole seconds, `0s` to `9999s`", cut(text.get_ref()));
            self.problems.add(text.span(), message);
        }
        read
    }

    fn optlocal(&mut self) -> Option<Option<u8>> {
        match &self.table.optlocal {
            Some(value) if *value.get_ref() > 16 => {
                self.problems.add(value.span(), format!("{} is no OPTLOCAL: expected 0 to 16", value.get_ref()));
                None
            }
            Some(value) => Some(Some(*value.get_ref())),
            None => Some(None),
        }
    }
}

fn without(statement: &Distribute, targets: &[LparIndex]) -> Distribute {
    let mut left = statement.clone();
    left.targets.retain(|target| !targets.contains(&target.lpar));
    left
}
