//! Faults as scenario files and `lab fault` have them: what goes wrong, when, for how long, under which name.

use std::time::Duration;

mod raw;

use serde::Deserialize;
use sysplex::raw::{FirewallTable, Names, Spanned};
use sysplex::{Diagnostic, Sysplex};

pub(super) use raw::RawFault;
use raw::{
    RawClock, RawDescriptors, RawDisk, RawFreeze, RawLink, RawLoss, RawLpar, RawNetem, RawPartition, RawRate, RawReset,
    RawSlow, RawTask,
};

use super::resolve::Resolver;
use crate::plex::faults::kind::{Frozen, Netem, OfTask, Segment};
use crate::plex::faults::{After, Fault, Planned, When, known_event};

const SEGMENTS: [&str; 3] = ["lan", "xcf", "both"];
/// Slower, packets between namespaces would not fit into a second.
const SLOWEST: u64 = 64 * 1024;
/// Faster, it could not be shown that too fast is too fast.
const FASTEST: u64 = 64 * 1024 * 1024;

/// Reads a fault that stands alone, as `lab fault` has it, against a sysplex. `taken` are names that it must not have.
///
/// # Errors
/// Everything that is wrong, ready to be shown.
pub fn read(text: &str, sysplex: &Sysplex, taken: Vec<String>) -> Result<Planned, String> {
    let shown = |all: Vec<Diagnostic>| all.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; ");
    let raw: Spanned<RawFault> = match toml::from_str::<Alone>(text) {
        Ok(alone) => alone.fault,
        Err(e) => return Err(shown(vec![Diagnostic::from_toml(&e)])),
    };
    let mut resolver = Resolver::new(sysplex);
    resolver.faults = taken;
    let planned = resolver.fault(&raw);
    match planned {
        Some(planned) if resolver.problems.is_empty() => Ok(planned),
        _ => Err(shown(resolver.problems)),
    }
}

/// One line for a person.
pub fn describe(Planned { name, fault, when, lasts }: &Planned) -> String {
    let time = |time: &Duration| humantime::format_duration(*time).to_string();
    let when = match when {
        When::Now => String::new(),
        When::At(later) => format!(" in {}", time(later)),
        When::After(after) => format!(" after {}", after.event),
    };
    let lasts = lasts.as_ref().map(|lasts| format!(", for {}", time(lasts))).unwrap_or_default();
    format!("fault {name}{when}{lasts}: {fault}")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alone {
    fault: Spanned<RawFault>,
}

impl Resolver<'_> {
    pub(super) fn fault(&mut self, written: &Spanned<RawFault>) -> Option<Planned> {
        let raw = written.get_ref();
        let kinds = [
            ("firewall", raw.firewall.is_some()),
            ("partition", raw.partition.is_some()),
            ("loss", raw.loss.is_some()),
            ("rate", raw.rate.is_some()),
            ("link", raw.link.is_some()),
            ("reset", raw.reset.is_some()),
            ("freeze", raw.freeze.is_some()),
            ("slow", raw.slow.is_some()),
            ("kill", raw.kill.is_some()),
            ("restart", raw.restart.is_some()),
            ("crash", raw.crash.is_some()),
            ("netem", raw.netem.is_some()),
            ("disk", raw.disk.is_some()),
            ("descriptors", raw.descriptors.is_some()),
            ("clock", raw.clock.is_some()),
        ];
        let given: Vec<&str> = kinds.iter().filter(|(_, there)| *there).map(|(kind, _)| *kind).collect();
        let [kind] = given.as_slice() else {
            let expected = kinds.map(|(kind, _)| kind).join(", ");
            let message = format!("a fault with {} kinds: expected exactly one of: {expected}", given.len());
            self.problem(written.span(), message, None);
            return None;
        };
        let name = self.new_fault(raw.name.as_ref(), kind)?;
        let when = self.when(raw)?;
        let lasts = self.optional(raw.lasts.as_ref())?;
        let fault = self.kind(raw)?;
        if let Some(lasts) = raw.lasts.as_ref().filter(|_| fault.is_instant()) {
            self.problem(lasts.span(), format!("`for` of a `{kind}`, which is over at once: expected none"), None);
        }
        Some(Planned { name, fault, when, lasts })
    }

    pub(super) fn heal(&mut self, name: &Spanned<String>) -> Option<String> {
        let names = self.faults.clone();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.one_of(name, "fault named before this step", &names)
    }

    /// The name, or the kind of the fault with a number.
    fn new_fault(&mut self, name: Option<&Spanned<String>>, kind: &str) -> Option<String> {
        let chosen = match name {
            Some(name) if self.faults.contains(name.get_ref()) => {
                let message = format!("a fault named `{}` was before: expected another name", name.get_ref());
                self.problem(name.span(), message, None);
                return None;
            }
            Some(name) if name.get_ref().is_empty() || name.get_ref().len() > 40 => {
                self.problem(name.span(), "a name of 1 to 40 characters is expected".into(), None);
                return None;
            }
            Some(name) => name.get_ref().clone(),
            None => self.free_name(kind),
        };
        self.faults.push(chosen.clone());
        Some(chosen)
    }

    fn free_name(&self, kind: &str) -> String {
        let mut names = (1..).map(|number| format!("{kind}-{number}"));
        names.find(|name| !self.faults.contains(name)).unwrap_or_else(|| kind.to_owned())
    }

    fn when(&mut self, raw: &RawFault) -> Option<When> {
        match (&raw.at, &raw.after) {
            (None, None) => Some(When::Now),
            (Some(at), None) => self.duration(at).map(When::At),
            (None, Some(after)) => {
                if let Err(names) = known_event(after.event.get_ref()) {
                    let message = format!("no event `{}`: there is {names}", after.event.get_ref());
                    let help = sysplex::did_you_mean(after.event.get_ref(), names.split(", "));
                    self.problem(after.event.span(), message, help);
                    return None;
                }
                let on = match &after.on {
                    Some(on) => Some(self.host(on)?),
                    None => None,
                };
                let task = after.task.as_ref().map(|task| task.get_ref().clone());
                Some(When::After(After { event: after.event.get_ref().clone(), on, task }))
            }
            (Some(at), Some(_)) => {
                self.problem(at.span(), "`at` and `after` in one fault: expected one of them".into(), None);
                None
            }
        }
    }

    fn kind(&mut self, raw: &RawFault) -> Option<Fault> {
        if let Some(firewall) = &raw.firewall {
            return self.firewall(firewall);
        }
        if let Some(RawPartition { between, and, segment }) = &raw.partition {
            return self.partition(between, and, segment.as_ref());
        }
        if let Some(RawLoss { on, segment, percent }) = &raw.loss {
            let (on, segment) = (self.hosts(on)?, self.segment(segment.as_ref(), Segment::Lan)?);
            return Some(Fault::Loss { on, segment, percent: self.number(percent, 1..=100)? });
        }
        if let Some(RawRate { on, segment, per_second }) = &raw.rate {
            let (on, segment) = (self.hosts(on)?, self.segment(segment.as_ref(), Segment::Lan)?);
            let bytes = self.bytes(per_second)?;
            if !(SLOWEST..=FASTEST).contains(&bytes) {
                let message = format!("{} a second: expected 64KiB to 64MiB", per_second.get_ref());
                self.problem(per_second.span(), message, None);
            }
            return Some(Fault::Rate { on, segment, bytes });
        }
        if let Some(RawLink { of, segment }) = &raw.link {
            let (of, segment) = (self.host_with(of, segment.as_ref())?, self.segment(segment.as_ref(), Segment::Lan)?);
            return Some(Fault::Link { of, segment });
        }
        if let Some(RawReset { on, ports }) = &raw.reset {
            let ports = ports.iter().map(|port| *port.get_ref()).collect();
            return Some(Fault::Reset { on: self.host(on)?, ports });
        }
        if let Some(RawFreeze { task, on }) = &raw.freeze {
            return Some(Fault::Freeze(match task {
                Some(task) => Frozen::Task(self.task(task, on)?),
                None => Frozen::Host(self.host(on)?),
            }));
        }
        if let Some(RawSlow { task, on, percent }) = &raw.slow {
            return Some(Fault::Slow { task: self.task(task, on)?, percent: self.number(percent, 1..=99)? });
        }
        if let Some(RawTask { task, on }) = &raw.kill {
            return Some(Fault::Kill(self.task(task, on)?));
        }
        if let Some(RawTask { task, on }) = &raw.restart {
            return Some(Fault::Restart(self.task(task, on)?));
        }
        if let Some(RawLpar { lpar }) = &raw.crash {
            return Some(Fault::Crash { lpar: self.lpar(lpar)? });
        }
        if let Some(netem) = &raw.netem {
            return self.netem(netem);
        }
        if let Some(clock) = &raw.clock {
            return self.clock(clock);
        }
        if let Some(RawDisk { on, at }) = &raw.disk {
            let at = match at {
                Some(at) => self.one_of(at, "file system of a host's own", &["/run", "/tmp"])?,
                None => "/run".to_owned(),
            };
            return Some(Fault::Disk { on: self.host(on)?, at });
        }
        let RawDescriptors { task, on, most } = raw.descriptors.as_ref()?;
        let most = match most {
            Some(most) => Some(u64::from(self.number(most, 0..=1_000_000)?)),
            None => None,
        };
        Some(Fault::Descriptors { task: self.task(task, on)?, most })
    }

    fn firewall(&mut self, table: &Spanned<FirewallTable>) -> Option<Fault> {
        let hosts: Vec<&str> = self.sysplex.hosts().collect();
        let outside: Vec<&str> = self.sysplex.workstations.iter().map(|outside| outside.name.as_str()).collect();
        match table.get_ref().read(&hosts, &outside) {
            Ok(firewall) => Some(Fault::Firewall(firewall)),
            Err(problems) => {
                // What is about the table as a whole has no place of its own.
                let place =
                    |problem: &Diagnostic| if problem.span.is_empty() { table.span() } else { problem.span.clone() };
                self.problems
                    .extend(problems.into_iter().map(|problem| Diagnostic { span: place(&problem), ..problem }));
                None
            }
        }
    }

    fn partition(
        &mut self,
        between: &Spanned<Names>,
        and: &Spanned<Names>,
        written: Option<&Spanned<String>>,
    ) -> Option<Fault> {
        let segment = self.segment(written, Segment::Both)?;
        let (one, other) = (self.hosts(between)?, self.hosts(and)?);
        if let Some(both) = one.iter().find(|host| other.contains(host)) {
            self.problem(and.span(), format!("{both} is on both sides: expected it on one"), None);
            return None;
        }
        for (side, written) in [(&one, between), (&other, and)] {
            if segment == Segment::Xcf && !side.iter().any(|host| self.sysplex.lpar_named(host).is_some()) {
                self.problem(written.span(), "nobody of these has a link to XCF: expected LPARs".into(), None);
                return None;
            }
        }
        Some(Fault::Partition { between: one, and: other, segment })
    }

    fn clock(&mut self, written: &Spanned<RawClock>) -> Option<Fault> {
        let RawClock { on, ahead, behind } = written.get_ref();
        let (time, is_ahead) = match (ahead, behind) {
            (Some(ahead), None) => (self.duration(ahead)?, true),
            (None, Some(behind)) => (self.duration(behind)?, false),
            _ => {
                self.problem(written.span(), "expected one of `ahead` and `behind`, such as \"15m\"".into(), None);
                return None;
            }
        };
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Some(Fault::Clock { on: self.host(on)?, seconds: if is_ahead { seconds } else { -seconds } })
    }

    fn netem(&mut self, written: &Spanned<RawNetem>) -> Option<Fault> {
        let raw = written.get_ref();
        let on = self.host_with(&raw.on, raw.segment.as_ref())?;
        let segment = self.segment(raw.segment.as_ref(), Segment::Lan)?;
        let percent = |resolver: &mut Self, found: Option<&Spanned<u32>>| match found {
            Some(found) => resolver.number(found, 0..=100),
            None => Some(0),
        };
        let netem = Netem {
            delay: self.optional(raw.delay.as_ref())?.unwrap_or_default(),
            jitter: self.optional(raw.jitter.as_ref())?.unwrap_or_default(),
            reorder: percent(self, raw.reorder.as_ref())?,
            duplicate: percent(self, raw.duplicate.as_ref())?,
        };
        if netem == Netem::default() {
            self.problem(written.span(), "netem without effect: expected `delay` or `duplicate`".into(), None);
            return None;
        }
        if netem.delay.is_zero() && (!netem.jitter.is_zero() || netem.reorder > 0) {
            self.problem(written.span(), "`jitter` and `reorder` need a `delay`, from which they are off".into(), None);
            return None;
        }
        Some(Fault::Netem { on, segment, netem })
    }

    /// A task that the topology or a step before this one has.
    fn task(&mut self, task: &Spanned<String>, on: &Spanned<String>) -> Option<OfTask> {
        let on = self.host(on)?;
        let mut known = self.tasks_on(&on, |_| true);
        // Whether they are there just then is seen when it is time.
        known.extend(self.jobs.iter().chain(&self.users).chain(&self.calls).cloned());
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        Some(OfTask { task: self.one_of(task, &format!("task on {on}"), &known)?, on })
    }

    fn hosts(&mut self, names: &Spanned<Names>) -> Option<Vec<String>> {
        let mut found = Vec::new();
        for name in &names.get_ref().0 {
            found.push(self.host(&Spanned::new(names.span(), name.clone()))?);
        }
        if found.is_empty() {
            self.problem(names.span(), "no hosts: expected names of LPARs and workstations".into(), None);
            return None;
        }
        Some(found)
    }

    /// A host that has a link to the segment.
    fn host_with(&mut self, host: &Spanned<String>, segment: Option<&Spanned<String>>) -> Option<String> {
        match segment {
            Some(segment) if segment.get_ref() != "lan" => self.lpar(host),
            _ => self.host(host),
        }
    }

    fn segment(&mut self, written: Option<&Spanned<String>>, default: Segment) -> Option<Segment> {
        let Some(written) = written else { return Some(default) };
        Some(match self.one_of(written, "segment", &SEGMENTS)?.as_str() {
            "xcf" => Segment::Xcf,
            "both" => Segment::Both,
            _ => Segment::Lan,
        })
    }

    /// Nothing when nothing is written; `None` after a problem.
    fn optional(&mut self, text: Option<&Spanned<String>>) -> Option<Option<Duration>> {
        match text {
            Some(text) => self.duration(text).map(Some),
            None => Some(None),
        }
    }
}
