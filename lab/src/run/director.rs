//! The director: what happens inside the realm, from the first namespace to the verdict.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use distributor::Backend;
use evidence::monotonic_ns;
use netns::Network;
use serde::{Deserialize, Serialize};

use super::acts::describe;
use super::diagnose::{Failure, diagnose};
use super::figure4::{self, ms_since};
use super::inquest;
use super::progress::Progress;
use super::result::{Place, ScenarioResult, Verdict};
use super::snapshot::incomplete;
use super::steps::{Stage, StepError};
use crate::plex::journal::{Journal, TaskExit, View};
use crate::plex::{Plex, PlexError, Systems};
use crate::report::{self, Record};
use crate::scenario::{Action, ExpectFailure, Scenario, Symptom};

/// How long started tasks may take to come up.
const TASKS_WITHIN: Duration = Duration::from_secs(10);

/// What the director is given.
#[derive(Clone)]
pub(super) struct Orders {
    /// The scenario.
    pub scenario: Scenario,
    /// The distributor's backend.
    pub backend: Arc<dyn Backend + Send + Sync>,
    /// Where the lab's programs are.
    pub bin_dir: PathBuf,
    /// Where the evidence goes.
    pub out: Option<PathBuf>,
    /// A broken twin is to be judged like any other scenario.
    pub ignore_expected_failure: bool,
    /// Keep the sysplex after the verdict, until standard input ends.
    pub keep: bool,
    /// Say what happens.
    pub progress: Progress,
}

/// What the director reports to the program outside.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {
    /// The result, but for the time of the end.
    pub result: ScenarioResult,
    /// When the director was done, `CLOCK_MONOTONIC`.
    pub done_ns: u64,
    /// The inits of the hosts, as the realm numbers them.
    pub inits: Vec<(String, i32)>,
}

/// Runs the scenario and writes the report, before anything is taken down.
pub(super) fn direct(realm: &Network, orders: &Orders, mut report_file: File) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            crate::note!("error: no runtime: {e}");
            return 1;
        }
    };
    runtime.block_on(async {
        let mut record = Record::of(&orders.scenario);
        let (mut result, mut plex) = run(realm, orders, &mut record).await;
        if let Some(out) = &orders.out {
            result.out = Some(out.clone());
            report::keep(out, &result, record, plex.as_mut()).await;
        }
        let inits = plex.iter().flat_map(|plex| plex.hosts.all()).map(|host| (host.name.clone(), host.init)).collect();
        let report = Report { result, done_ns: monotonic_ns(), inits };
        if let Err(e) =
            serde_json::to_vec(&report).map_err(std::io::Error::other).and_then(|b| report_file.write_all(&b))
        {
            crate::note!("error: cannot report: {e}");
        }
        drop(report_file);
        if orders.keep {
            wait_for_end_of_input().await;
        }
        drop(plex);
    });
    0
}

/// Ends when standard input does; without one, never: then a signal ends the lab.
async fn wait_for_end_of_input() {
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = ended.await;
}

async fn run(realm: &Network, orders: &Orders, record: &mut Record) -> (ScenarioResult, Option<Plex>) {
    let scenario = &orders.scenario;
    let mut result = ScenarioResult::new(&scenario.name, orders.backend.name());
    let begin = monotonic_ns();
    let (bin_dir, out) = (orders.bin_dir.clone(), orders.out.clone());
    let built = Plex::build(realm, &scenario.sysplex, Arc::clone(&orders.backend), bin_dir, out).await;
    let mut plex = match built {
        Ok(plex) => plex,
        Err(e) => {
            result.reason = Some(format!("the sysplex cannot be built: {e}"));
            return (result, None);
        }
    };
    let network_ms = ms_since(begin, monotonic_ns());
    let tasks = plex.start_tasks(TASKS_WITHIN * scenario.patience).await;
    result.up_ms = ms_since(begin, monotonic_ns());
    if let Err(e) = tasks {
        result.symptom = matches!(e, PlexError::Task(_)).then_some(Symptom::TaskFailed);
        result.verdict = if result.symptom.is_some() { Verdict::Failed } else { Verdict::Inconclusive };
        result.reason = Some(e.to_string());
        if let Some(symptom) = result.symptom {
            inquire(&mut plex, orders, &mut result, Failure::new(symptom, e.to_string())).await;
        }
        judge_expected_failure(&mut result, orders);
        return (result, Some(plex));
    }
    orders.progress.up(&plex, network_ms, result.up_ms);
    play(&mut plex, orders, &mut result, record).await;
    judge_expected_failure(&mut result, orders);
    (result, Some(plex))
}

/// The steps, and what is to be said of them.
async fn play(plex: &mut Plex, orders: &Orders, result: &mut ScenarioResult, record: &mut Record) {
    let start = monotonic_ns();
    record.start_ns = start;
    let journal = plex.journal.clone();
    let watcher = orders.progress.follow(&journal, &orders.scenario, start);
    let mut stage = Stage::new(plex, &orders.scenario);
    let systems = stage.plex.systems.clone();
    let mut acts = Vec::new();
    let mut error = None;
    for (step, n) in orders.scenario.steps.iter().zip(1..) {
        let done = tokio::select! {
            biased;
            done = stage.step(step) => done,
            exit = any_exit(&journal, &systems) => Err(Failure::new(Symptom::TaskFailed, ended_amid(&exit)).into()),
        };
        if let Action::Act(act) = &step.action {
            let name = describe(act, &orders.scenario.sysplex);
            acts.push(orders.progress.act(n, name, done.is_ok(), ms_since(start, monotonic_ns())));
        }
        if let Err(e) = done {
            result.at = Some(Place { file: orders.scenario.file.clone(), line: step.line });
            error = Some(e);
            break;
        }
    }
    let mut error = error.or_else(|| stage.never().err().map(StepError::from));
    if error.is_none() {
        error = stage.end_of_faults().await.err();
    }
    result.run_ms = ms_since(start, monotonic_ns());
    let (handoffs, proofs) = (std::mem::take(&mut stage.handoffs), std::mem::take(&mut stage.proofs));
    let links = std::mem::take(&mut stage.links);
    watcher.finish().await;
    let events = journal.events();
    result.steps = handoffs.iter().flat_map(|handoff| figure4::report(&events, handoff, start)).collect();
    result.steps.extend(acts);
    result.evidence = proofs;
    record.seen(&plex.sysplex, &handoffs, &links);
    match error {
        None => conclude(plex, result),
        Some(StepError::Lab(e)) => {
            result.reason = Some(with_exits(format!("the lab failed, not the scenario: {e}"), &journal, &systems));
        }
        Some(StepError::NotHere(why)) => {
            result.verdict = Verdict::Skipped;
            result.reason = Some(why);
        }
        Some(StepError::Failed(failure)) => {
            result.verdict = Verdict::Failed;
            result.symptom = Some(failure.symptom);
            result.reason = Some(with_exits(failure.what.clone(), &journal, &systems));
            inquire(plex, orders, result, failure).await;
        }
    }
}

/// Takes down what is known of the failure, and looks for its cause; what was seen stays the reason when there is none.
async fn inquire(plex: &mut Plex, orders: &Orders, result: &mut ScenarioResult, failure: Failure) {
    let case = inquest::take(plex, &orders.scenario.notes, failure, result.steps.clone()).await;
    if let Some(Err(e)) = orders.out.as_deref().map(|out| case.write(out)) {
        crate::note!("error: the case cannot be written: {e}");
    }
    if let Some(cause) = diagnose(&case) {
        result.cause = Some(cause.code);
        result.reason = Some(cause.sentence);
    }
}

/// The end of a started task, since it was last started, that nobody wanted.
fn started_exit(journal: &Journal, systems: &Systems) -> Option<TaskExit> {
    let wanted = [&systems.ended_on_purpose, &systems.supervised];
    let mut starts = systems.started.starts();
    starts.retain(|(system, task, _)| {
        let key = (system.clone(), task.clone());
        !wanted.iter().any(|named| named.with(|all| all.contains(&key)))
    });
    let ended = |view: View<'_>| {
        starts.iter().find_map(|(system, task, started_ns)| view.exit_since(system, task, *started_ns).cloned())
    };
    journal.look(ended)
}

/// Waits until a started task ends that no step has ended. It is the end of the scenario: what was awaited will not happen, and
/// when its time is up nobody would know why.
async fn any_exit(journal: &Journal, systems: &Systems) -> TaskExit {
    let mut changes = journal.changes();
    loop {
        if let Some(exit) = started_exit(journal, systems) {
            return exit;
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A step may fail of a task's end before that is known to be the reason.
fn with_exits(what: String, journal: &Journal, systems: &Systems) -> String {
    let ended = started_exit(journal, systems).as_ref().map(ended_amid);
    match ended {
        Some(ended) if !what.contains(&ended) => format!("{what}; {ended}"),
        _ => what,
    }
}

fn ended_amid(exit: &TaskExit) -> String {
    format!("{} on {} ended amid the scenario: {}", exit.task, exit.system, exit.how)
}

/// All steps of the scenario went well: do the nine steps and the capture agree?
fn conclude(plex: &mut Plex, result: &mut ScenarioResult) {
    if let Some(step) = result.steps.iter().find(|step| !step.ok) {
        result.verdict = Verdict::Failed;
        result.symptom = Some(Symptom::EvidenceMissing);
        result.reason = Some(format!("step {} of Figure 4 for {}: {}", step.n, step.job, step.name));
        return;
    }
    match plex.recorder.flows() {
        Ok(flows) if flows.is_complete() => result.verdict = Verdict::Passed,
        Ok(flows) => result.reason = Some(incomplete(&flows)),
        Err(e) => result.reason = Some(format!("the capture cannot be read: {e}")),
    }
}

/// A broken twin passes when it failed as it must.
fn judge_expected_failure(result: &mut ScenarioResult, orders: &Orders) {
    let Some(expected) = orders.scenario.expect_failure.as_ref().filter(|_| !orders.ignore_expected_failure) else {
        return;
    };
    let ExpectFailure { symptom, cause } = expected;
    let described = cause.as_ref().map_or_else(|| symptom.to_string(), |cause| format!("{symptom} ({cause})"));
    match result.verdict {
        Verdict::Failed if result.symptom == Some(*symptom) && (cause.is_none() || *cause == result.cause) => {
            result.verdict = Verdict::Passed;
        }
        Verdict::Failed => {
            let seen = result.reason.take().unwrap_or_default();
            result.reason = Some(format!("expected to fail with {described}, failed otherwise: {seen}"));
        }
        Verdict::Passed => {
            result.verdict = Verdict::Failed;
            result.reason = Some(format!("expected to fail with {described}, and it passed"));
        }
        Verdict::Inconclusive | Verdict::Skipped => {}
    }
}
