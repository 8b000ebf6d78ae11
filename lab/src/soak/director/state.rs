//! Where an attempt stands: what was ordered, what was heard, what the model makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::iter::Peekable;
use std::time::Duration;

use evidence::{Event, monotonic_ns};
use serde_json::json;
use soak::MS;
use soak::fault::{Fault, Kind};
use soak::model::{Fact, Model};
use soak::plan::{self, What, job_name, user_id};
use soak::summary::{Histogram, Summary};
use sysplex::LparIndex;

use super::coming::{Act, Coming, Done};
use super::figures::say;
use super::metrics::Askers;
use super::pulse::Pulse;
use super::{Orders, fact, ms_since};
use crate::plex::Plex;
use crate::soak::faults;
use crate::soak::record::Record;
use crate::soak::sample::{self, Samples};
use crate::soak::swarms::{JOBS, Swarms};

/// How often processes are looked at, and how often how things are is written, and said where nobody sees it live.
const SAMPLE_MS: u64 = 2_000;
const VCRT_MS: u64 = 20_000;
const SNAPSHOT_MS: u64 = 10_000;
const SAY_MS: u64 = 1_000;
const SAY_SELDOM_MS: u64 = 30_000;
/// How long after it was lost a user logs on again.
const LOGON_AGAIN_MS: u64 = 1_000;

/// See the module.
pub(super) struct State {
    plex: Plex,
    swarms: Swarms,
    pub(super) plan: crate::soak::plan::Plan,
    workstation: String,
    orders: Peekable<plan::Orders>,
    pub(super) coming: Coming,
    pub(super) askers: Askers,
    pub(super) model: Model,
    pub(super) samples: Samples,
    pulse: Pulse,
    record: Record,
    /// What was done before, when it was resumed.
    pub(super) before: Summary,
    /// Where in the plan this part begins, in milliseconds; its time goes on from there.
    begin_ms: u64,
    pub(super) begin_ns: u64,
    pub(super) begin_cpu_ns: u64,
    ends: bool,
    /// When it was told to end early.
    pub(super) interrupted_ms: Option<u64>,
    stop_when_broken: bool,
    /// Who is to be logged on.
    wanted: BTreeSet<u32>,
    /// Who logs on again, and when.
    again: BTreeMap<u32, u64>,
    pub(super) faults: BTreeMap<Kind, u64>,
    pub(super) failures: Vec<String>,
    next_ms: [u64; 4],
    progress: bool,
    pub(super) most_rss_kib: f64,
    /// The handoffs of the last snapshot.
    told: Histogram,
}

impl State {
    pub(super) fn new(plex: Plex, swarms: Swarms, orders: &Orders<'_>) -> Result<Self, String> {
        let plan = orders.plan.clone();
        let layout = plan.layout()?;
        let before = orders.before.cloned().unwrap_or_default();
        let (begin_ms, to_come) = plan.settings.orders_from(before.at_ms);
        let record = match orders.before {
            Some(_) => Record::go_on(&orders.out),
            None => Record::create(&orders.out),
        };
        Ok(Self {
            coming: Coming::new(&plan.faults, before.at_ms, plex.faults.clone()),
            plex,
            swarms,
            workstation: layout.workstation.clone(),
            orders: to_come.peekable(),
            askers: Askers::on(orders.metrics).map_err(|e| format!("the metrics: {e}"))?,
            model: Model::new(layout),
            samples: Samples::new(plan.settings.users, plan.settings.rate),
            pulse: Pulse::default(),
            record: record.map_err(|e| format!("{}: {e}", orders.out.display()))?,
            before,
            begin_ms,
            begin_ns: monotonic_ns(),
            begin_cpu_ns: sample::own_processor_ns(),
            ends: false,
            interrupted_ms: None,
            stop_when_broken: orders.stop_when_broken,
            wanted: BTreeSet::new(),
            again: BTreeMap::new(),
            faults: BTreeMap::new(),
            failures: Vec::new(),
            next_ms: [SAMPLE_MS, VCRT_MS, SNAPSHOT_MS, SAY_MS],
            progress: orders.progress,
            most_rss_kib: 0.0,
            told: Histogram::default(),
            plan,
        })
    }

    /// Has its time passed, or is it not worth going on?
    pub(super) fn is_over(&mut self) -> bool {
        self.is_broken() || (self.now_ms() >= self.plan.settings.duration_ms && self.orders.peek().is_none())
    }

    pub(super) fn is_broken(&self) -> bool {
        self.stop_when_broken && !self.model.violations().is_empty()
    }

    /// It is to end early, in order.
    pub(super) fn interrupt(&mut self) {
        self.interrupted_ms = Some(self.now_ms());
        if self.progress {
            crate::note!(
                "interrupted: it ends in order, which takes as long as sessions do; again, and it ends at once"
            );
        }
    }

    /// The time of the plan.
    pub(super) fn now_ms(&self) -> u64 {
        self.begin_ms + self.ran_ms()
    }

    /// How long this part has gone on.
    pub(super) fn ran_ms(&self) -> u64 {
        ms_since(self.begin_ns)
    }

    /// How soon something is due.
    pub(super) fn due_in(&mut self) -> Duration {
        let order = self.orders.peek().map_or(u64::MAX, |order| order.at_ms);
        Duration::from_millis(order.min(self.coming.due_ms()).saturating_sub(self.now_ms()))
    }

    /// Carries out what is due, and looks at what is to be looked at.
    pub(super) async fn go_on(&mut self) -> Result<(), String> {
        let now = self.now_ms();
        while let Some(order) = self.orders.next_if(|order| order.at_ms <= now) {
            self.order(order.what);
        }
        for (id, fault) in self.coming.begin(now) {
            *self.faults.entry(fault.kind()).or_insert(0) += 1;
            let line = json!({"t_ms": now, "t_ns": monotonic_ns(), "fault": id, "begins": fault});
            self.record.fault(&line).map_err(|e| format!("the evidence: {e}"))?;
            self.model.feed(monotonic_ns(), Fact::FaultBegan(id, fault.clone()));
            if let Fault::Crash { lpar } = &fault {
                self.model.feed(monotonic_ns(), Fact::JobsGone(lpar.clone()));
                self.swarms.gone(lpar);
            }
            self.coming.apply(id, fault);
        }
        self.coming.heal(now);
        self.look().await
    }

    fn order(&mut self, what: What) {
        let t_ns = monotonic_ns();
        match what {
            What::Logon { user } => {
                self.wanted.insert(user);
                self.log_on(user);
            }
            What::Logoff { user } => {
                self.wanted.remove(&user);
                self.again.remove(&user);
                self.model.feed(t_ns, Fact::LogoffOrdered(user));
                self.swarms.order(&self.workstation, &format!("logoff {}", user_id(user)));
            }
            What::Job { number, user, lpar } => {
                let lpar = self.plan.settings.lpars[lpar].clone();
                let order = format!("job {} {}", job_name(number), user_id(user));
                // An LPAR that is down takes no jobs.
                if self.swarms.order(&lpar, &order) {
                    self.model.feed(t_ns, Fact::JobOrdered { number, user, lpar });
                }
            }
        }
    }

    fn log_on(&mut self, user: u32) {
        self.model.feed(monotonic_ns(), Fact::LogonOrdered(user));
        self.swarms.order(&self.workstation, &format!("logon {}", user_id(user)));
    }

    /// Swarms have said something.
    pub(super) fn hear(&mut self, events: impl Iterator<Item = Event>) -> Result<(), String> {
        for event in events {
            self.note(&event)?;
            let Some(fact) = fact(&event) else { continue };
            if let Fact::UserLost(user, _) = &fact
                && self.wanted.contains(user)
            {
                self.again.insert(*user, self.now_ms() + LOGON_AGAIN_MS);
            }
            self.model.feed(event.t_ns, fact);
        }
        Ok(())
    }

    /// A fault was brought about or healed, or was not.
    pub(super) async fn fault_done(&mut self, done: Done) {
        let Done { id, fault, act, result } = done;
        if let Fault::Crash { lpar } = &fault {
            self.came_or_went(lpar, matches!(act, Act::Heal) && result.is_ok()).await;
        }
        if let Err(why) = &result {
            self.failures.push(format!("{fault}: {why}"));
        }
        let is_over = matches!(act, Act::Heal) || result.is_err() || faults::of(&fault).is_instant();
        if is_over {
            let line = json!({"t_ms": self.now_ms(), "t_ns": monotonic_ns(), "fault": id, "healed": fault, "failed": result.err()});
            let _ = self.record.fault(&line);
            self.model.feed(monotonic_ns(), Fact::FaultHealed(id));
            self.coming.over(id);
        }
    }

    /// An LPAR has crashed, or is up again: who owns the DVIPA now? Its jobs were gone with it.
    async fn came_or_went(&mut self, lpar: &str, is_up: bool) {
        self.ask_owner().await;
        if is_up && let Err(e) = self.swarms.start_jobs(&self.plex, lpar, self.plan.patience_ms).await {
            self.failures.push(format!("{JOBS} on {lpar} after its IPL: {e}"));
        }
    }

    /// Tells the model who owns the DVIPA.
    async fn ask_owner(&mut self) -> Option<LparIndex> {
        let plex = &self.plex;
        let owner = plex.distribution.owner(plex.sysplex.dvipas.first()?.address).await.ok()??;
        let lpar = plex.sysplex.lpar(owner)?;
        self.model.feed(monotonic_ns(), Fact::OwnerIs(lpar.name.clone()));
        Some(owner)
    }

    /// Time has passed: the model, samples, snapshots, the line.
    pub(super) async fn look(&mut self) -> Result<(), String> {
        let (now, ran, t_ns) = (self.now_ms(), self.ran_ms(), monotonic_ns());
        if let Some(stood_still_ms) = self.pulse.beat(ran) {
            self.note(json!({"t_ns": t_ns, "stood_still_ms": stood_still_ms}))?;
            self.model.feed(t_ns, Fact::StoodStill(stood_still_ms * MS));
        }
        if self.pulse.judges() {
            self.model.tick(t_ns);
        }
        let again: Vec<u32> = self.again.iter().filter(|(_, due)| **due <= now).map(|(user, _)| *user).collect();
        for user in again {
            self.again.remove(&user);
            if !self.ends {
                self.log_on(user);
            }
        }
        let seldom = if self.progress && std::io::stderr().is_terminal() { SAY_MS } else { SAY_SELDOM_MS };
        let every = [SAMPLE_MS, VCRT_MS, SNAPSHOT_MS, seldom];
        let mut due: [bool; 4] = std::array::from_fn(|at| ran >= self.next_ms[at]);
        // The table is looked at together with the processes.
        due[1] &= due[0];
        for at in 0..4 {
            if due[at] {
                self.next_ms[at] = ran + every[at];
            }
        }
        if due[0] {
            self.sample(ran, due[1]).await;
        }
        if due[2] {
            self.snapshot(now, false).await?;
        }
        if due[3] && self.progress {
            say(&self.now());
        }
        Ok(())
    }

    async fn sample(&mut self, ran: u64, vcrt: bool) {
        self.most_rss_kib = self.most_rss_kib.max(sample::own_rss_kib());
        // While a fault comes or goes there is nothing to be seen that would count.
        if self.coming.is_under_way() {
            return;
        }
        self.samples.take(ran, &self.plex, &self.swarms);
        if !vcrt {
            return;
        }
        let Some(owner) = self.ask_owner().await else { return };
        let name = self.plex.sysplex.lpar(owner).map(|lpar| lpar.name.clone()).unwrap_or_default();
        if let Ok(entries) = self.plex.distribution.vcrt(owner).await {
            self.samples.add_vcrt(ran, &name, entries.len());
        }
    }

    pub(super) fn begin_to_end(&mut self) {
        self.ends = true;
        self.coming.end();
    }

    /// Has everything ended that has begun?
    pub(super) fn is_quiet(&self) -> bool {
        self.model.open() == 0 && self.coming.standing.is_empty()
    }

    /// Drains all swarms; how many there are.
    pub(super) fn drain(&mut self) -> usize {
        for user in std::mem::take(&mut self.wanted) {
            self.model.feed(monotonic_ns(), Fact::LogoffOrdered(user));
        }
        let hosts: Vec<String> = self.swarms.hosts().map(str::to_owned).collect();
        hosts.iter().filter(|host| self.swarms.order(host, "drain")).count()
    }

    pub(super) fn failed(&mut self, why: String) {
        self.failures.push(why);
    }

    pub(super) async fn finish(mut self) -> Result<Summary, String> {
        if !self.is_broken() {
            self.model.finish(monotonic_ns());
        }
        let finished = !self.is_broken() && self.interrupted_ms.is_none();
        if self.progress {
            say(&self.now());
            if std::io::stderr().is_terminal() {
                crate::note!();
            }
        }
        let (line, mut summary) = self.snapshot_now(self.now_ms(), finished);
        summary.ends();
        let summary = summary.after(&self.before);
        self.record.last_snapshot(&line, &summary).await.map_err(|e| format!("the evidence: {e}"))?;
        Ok(summary)
    }

    /// Writes down how things are.
    async fn snapshot(&mut self, t_ms: u64, finished: bool) -> Result<(), String> {
        let (line, summary) = self.snapshot_now(t_ms, finished);
        self.record.snapshot(&line, &summary.after(&self.before)).await.map_err(|e| format!("the evidence: {e}"))
    }

    /// How things are, as a line, and as a summary of this part.
    fn snapshot_now(&mut self, t_ms: u64, finished: bool) -> (serde_json::Value, Summary) {
        let (line, summary) = (self.now(), self.summary(finished));
        let lately = summary.handoffs.since(&self.told);
        let line = json!({"t_ms": t_ms, "t_ns": monotonic_ns(), "finished": finished, "reached": line.reached, "excused": line.excused,
            "open": line.open, "users": line.users, "faults": line.faults, "standing": line.standing, "cpu_percent": line.cpu_percent,
            "rss_mib": line.rss_mib, "vcrt": self.samples.vcrt(), "p99_us": line.p99_us, "violations": line.violations,
            "lately": {"p50_us": lately.quantile(500), "p99_us": lately.quantile(990)}});
        self.told = summary.handoffs.clone();
        (line, summary)
    }

    fn note(&mut self, what: impl serde::Serialize) -> Result<(), String> {
        self.record.event(&what).map_err(|e| format!("the evidence: {e}"))
    }
}
