//! The steps of a scenario, one after the other: act, then wait for what must be seen.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use evidence::{Event, What};

use super::assertions::{Assertion, Values};
use super::commands;
use super::diagnose::Failure;
use super::figure4::Handoff;
use super::proofs::{self, Link, Snapshot};
use super::result::Proof;
use super::snapshot::{self, incomplete};
use super::watch::{attached, client_read, ended_early, job_end, job_over, not_attached, session_of, was_notified};
use crate::plex::journal::View;
use crate::plex::tasks::TaskHandle;
use crate::plex::{Plex, PlexError};
use crate::scenario::acts::Calls;
use crate::scenario::{Action, Expect, Logon, Scenario, Step, Submit, Symptom, WaitsFor};

/// How long a client that is late may take to say what it has waited for.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What the steps have brought about so far.
pub(super) struct Stage<'a> {
    pub(super) plex: &'a mut Plex,
    pub(super) scenario: &'a Scenario,
    pub(super) clients: BTreeMap<String, TaskHandle>,
    jobs: BTreeMap<String, TaskHandle>,
    /// The strangers who came; they go when this does, which ends their standard input.
    pub(super) strangers: Vec<TaskHandle>,
    /// The jobs that were submitted, in order.
    pub handoffs: Vec<Handoff>,
    /// By job, what the kernel showed of its connection.
    pub links: BTreeMap<String, (Link, Snapshot)>,
    /// The callers, by the name of their calls.
    pub(super) callers: BTreeMap<String, (Calls, TaskHandle)>,
    /// What steps have captured.
    pub(super) values: Values,
    /// What must never come, and where the events began then.
    pub(super) never: Vec<(Assertion, usize)>,
    /// What the kernel has shown so far.
    pub proofs: Vec<Proof>,
}

/// Why a step did not go as it should.
pub(super) enum StepError {
    /// The scenario failed.
    Failed(Failure),
    /// The lab failed, which says nothing of the scenario.
    Lab(PlexError),
    /// This machine cannot do it.
    NotHere(String),
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<E: Into<PlexError>> From<E> for StepError {
    fn from(error: E) -> Self {
        Self::Lab(error.into())
    }
}

impl<'a> Stage<'a> {
    /// Nothing has happened yet.
    pub(super) fn new(plex: &'a mut Plex, scenario: &'a Scenario) -> Self {
        let (clients, jobs, strangers, links, callers) = Default::default();
        let (handoffs, proofs, values, never) = Default::default();
        Self { plex, scenario, clients, jobs, strangers, handoffs, links, callers, values, never, proofs }
    }

    /// Does one step.
    ///
    /// # Errors
    /// What was awaited and what was seen instead.
    pub(super) async fn step(&mut self, step: &Step) -> Result<(), StepError> {
        match &step.action {
            Action::Logon(logon) => self.logon(logon, step.within).await,
            Action::Submit(submit) => self.submit(submit, step.within).await,
            Action::Attach { job } => self.attach(job, step.within).await,
            Action::Resume { job } => self.resume(job, step.within).await,
            Action::Expect(expect) => self.expect(expect),
            Action::ExpectTask(expect) => self.expect_task(expect),
            Action::Garbage(garbage) => self.garbage(garbage, step.within).await,
            Action::Act(act) => self.act(act, step.within).await,
        }
    }

    async fn logon(&mut self, logon: &Logon, within: Duration) -> Result<(), StepError> {
        self.plex.distribution.settle().await?;
        let sessions = self.scenario.sessions_of(&logon.user);
        let argv = commands::client(logon, sessions, within);
        let argv = if logon.tls { self.plex.with_tls(argv)? } else { argv };
        let client = self.plex.start(&logon.from, &logon.user, argv).await?;
        self.clients.insert(logon.user.clone(), client);
        Ok(self.logged_on(logon, within).await?)
    }

    /// Waits until the user is logged on, where it must be.
    pub(super) async fn logged_on(&self, logon: &Logon, within: Duration) -> Result<(), Failure> {
        let failed = |view: View<'_>| {
            let failed = view.find(|event| match &event.what {
                What::ConnectFailed { what, address, how, reason } if event.task == logon.user && what != "engine" => {
                    Some(format!("the client's connection to {address} ({what}) failed: {how}, {reason}"))
                }
                _ => None,
            });
            failed.or_else(|| view.exit_of(&logon.from, &logon.user).map(ended_early))
        };
        let seen = self.plex.journal.wait_for(within, |view| {
            let on = view.find(|event| match &event.what {
                What::LoggedOn { user, on } if *user == logon.user => Some(on.clone()),
                _ => None,
            });
            on.map(Ok).or_else(|| failed(view).map(Err))
        });
        let on = match seen.await {
            Some(seen) => seen,
            // It is late now; but the client's own time is up too, and it says for what it has waited.
            None => Err(self.plex.journal.wait_for(LAST_WORD, failed).await.unwrap_or_else(|| {
                format!("{} is not logged on within {}", logon.user, humantime::format_duration(within))
            })),
        };
        let on = on.map_err(|what| Failure::new(Symptom::LogonFailed, what).to(logon.via))?;
        match &logon.on {
            Some(expected) if *expected != on => {
                let what = format!("the logon of {} landed on {on}, expected {expected}", logon.user);
                Err(Failure::new(Symptom::LogonElsewhere, what).to(logon.via))
            }
            _ => Ok(()),
        }
    }

    async fn submit(&mut self, submit: &Submit, within: Duration) -> Result<(), StepError> {
        let handoff = Handoff { job: submit.job.clone(), on: submit.on.clone(), user: submit.wanted.clone() };
        self.handoffs.push(handoff.clone());
        let job =
            self.plex.start(&submit.on, &submit.job, commands::job(&submit.job, &submit.user, &submit.test)).await?;
        self.jobs.insert(submit.job.clone(), job);

        let seen = self.plex.journal.wait_for(within, |view| {
            let Some(session) = session_of(view, &handoff) else { return job_over(view, &handoff).map(Err) };
            match submit.waits_for {
                None => Some(Ok(())),
                Some(WaitsFor::Register) if was_notified(view, session) => Some(Err(format!(
                    "{} was notified at once, expected that its session waits for a register connection",
                    handoff.user
                ))),
                Some(WaitsFor::Register) => Some(Ok(())),
                Some(WaitsFor::Engine) => {
                    was_notified(view, session).then_some(Ok(())).or_else(|| job_over(view, &handoff).map(Err))
                }
            }
        });
        let late = || {
            Err(format!("{} does not wait for its debugger within {}", submit.job, humantime::format_duration(within)))
        };
        let seen = seen.await.unwrap_or_else(late);
        Ok(seen.map_err(|what| Failure::new(Symptom::JobFailed, what).of(&handoff))?)
    }

    /// Waits until the program stands in the debugger, then asks the kernel.
    async fn attach(&mut self, job: &str, within: Duration) -> Result<(), StepError> {
        let Some(handoff) = self.handoffs.iter().find(|handoff| handoff.job == job).cloned() else { return Ok(()) };
        let seen = self.plex.journal.wait_for(within, |view| attached(view, &handoff));
        let stopped = match seen.await {
            Some(result) => result?,
            None => return Err(self.plex.journal.look(|view| not_attached(view, &handoff, within)).into()),
        };
        let link = self.link(&handoff, stopped);
        let snapshot = snapshot::take(self.plex, &link, &self.all_tasks()).await?;
        if !snapshot.flows.is_complete() {
            // What is not seen then says nothing of the scenario.
            return Err(io::Error::other(incomplete(&snapshot.flows)).into());
        }
        let found = proofs::of_handoff(&self.plex.sysplex, &link, &snapshot);
        self.links.insert(job.to_owned(), (link, snapshot));
        Ok(self.must_all_be_shown(found).map_err(|failure| failure.of(&handoff))?)
    }

    /// Keeps what the kernel shows; a failure when it does not show something.
    pub(super) fn must_all_be_shown(&mut self, found: Vec<Proof>) -> Result<(), Failure> {
        let missing = found.iter().find(|proof| !proof.ok).cloned();
        self.proofs.extend(found);
        let Some(proof) = missing else { return Ok(()) };
        let what = format!("expected: {}; seen in {}: {}", proof.claim, proof.source, proof.shown);
        Err(Failure::new(Symptom::EvidenceMissing, what))
    }

    fn link(&self, handoff: &Handoff, (client, dvipa): (SocketAddr, SocketAddr)) -> Link {
        let sysplex = &self.plex.sysplex;
        let owner = sysplex.dvipa(dvipa.ip()).and_then(|dvipa| sysplex.lpar(dvipa.owner));
        let logon = self.plex.journal.look(|view| {
            let of_user = view.events.iter().filter_map(|event| {
                let (what, ends) = match &event.what {
                    What::Logon { user, peer, local, .. } if *user == handoff.user => ("the logon", (peer, local)),
                    What::LogonComplete { user, peer, local } if *user == handoff.user => {
                        ("the second connection of the logon", (peer, local))
                    }
                    _ => return None,
                };
                let (client, dvipa) = ends;
                Some(proofs::Logon { what, client: *client, dvipa: *dvipa, on: event.system.clone() })
            });
            of_user.collect()
        });
        let others = self.handoffs.iter().filter(|other| other.user == handoff.user && other.job != handoff.job);
        Link {
            job: handoff.job.clone(),
            on: handoff.on.clone(),
            client,
            dvipa,
            owner: owner.map_or_else(|| handoff.on.clone(), |owner| owner.name.clone()),
            logon,
            read: self.plex.journal.look(|view| client_read(view, handoff)),
            also_on: others.map(|other| other.on.clone()).collect(),
        }
    }

    fn all_tasks(&self) -> BTreeMap<i32, (String, String)> {
        let others = self.clients.values().chain(self.jobs.values()).chain(&self.strangers);
        let named = |task: &TaskHandle| (task.running.realm_pid, (task.system.clone(), task.name.clone()));
        self.plex.started.with(|started| started.iter().chain(others).map(named).collect())
    }

    async fn resume(&mut self, job: &str, within: Duration) -> Result<(), StepError> {
        let Some(handoff) = self.handoffs.iter().find(|handoff| handoff.job == job).cloned() else { return Ok(()) };
        if let Some(stdin) = self.clients.get_mut(&handoff.user).and_then(|client| client.stdin.as_mut()) {
            let told = stdin.write_all(b"continue\n");
            told.map_err(|e| {
                let what = format!("the client of {} cannot be told to go on: {e}", handoff.user);
                Failure::new(Symptom::SessionBroken, what).of(&handoff)
            })?;
        }
        let seen = self.plex.journal.wait_for(within, |view| {
            let session = session_of(view, &handoff)?;
            let broken = view.find(|event| match &event.what {
                What::DebugBroken { session: of, reason } if of == session => Some(reason.clone()),
                _ => None,
            });
            let finished = |event: &Event| matches!(&event.what, What::DebugFinished { session: of } if of == session);
            let finished = view.events.iter().any(finished);
            match job_end(view, &handoff) {
                Some(("debugged", _)) if finished => Some(Ok(())),
                Some((how, reason)) if how != "debugged" => Some(Err(format!("{job} ended: {how}, {reason}"))),
                _ => broken.map(Err),
            }
        });
        let late = || Err(format!("{job} has not run to its end within {}", humantime::format_duration(within)));
        let seen = seen.await.unwrap_or_else(late);
        Ok(seen.map_err(|what| Failure::new(Symptom::SessionBroken, what).of(&handoff))?)
    }

    fn expect(&mut self, expect: &Expect) -> Result<(), StepError> {
        let Some((link, _)) = self.links.get(&expect.job) else {
            let what = format!("expected evidence of {}, which was not attached before this step", expect.job);
            return Err(Failure::new(Symptom::EvidenceMissing, what).into());
        };
        let crosses = link.on != link.owner;
        let wrong = [
            expect.on.as_ref().filter(|on| **on != link.on).map(|on| format!("on {on}, it is on {}", link.on)),
            expect
                .port
                .filter(|port| *port != link.dvipa.port())
                .map(|port| format!("port {port}, it is {}", link.dvipa.port())),
            expect.crosses_xcf.filter(|expected| *expected != crosses).map(|expected| {
                let crossing = |it: bool| if it { "crosses XCF" } else { "crosses no XCF" };
                format!("that the traffic {}, it {}", crossing(expected), crossing(crosses))
            }),
        ];
        match wrong.into_iter().flatten().next() {
            None => Ok(()),
            Some(wrong) => {
                let what = format!("expected of {}'s connection: {wrong}", expect.job);
                Err(Failure::new(Symptom::EvidenceMissing, what).into())
            }
        }
    }
}
