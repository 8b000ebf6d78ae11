//! Calls: connections whose place is checked against the targets' sockets and the distributor's tables.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use distributor::{Connection, VdptEntry};
use evidence::What;
use sysplex::{LparIndex, Sysplex};

use super::acts::is_of;
use super::commands;
use super::diagnose::Failure;
use super::result::Proof;
use super::steps::{Stage, StepError};
use crate::plex::journal::View;
use crate::scenario::Symptom;
use crate::scenario::acts::{Calls, Finish, Then};

/// How long the kernel's counters may take to show what they have counted (IPVS brings them up to date every two seconds).
const COUNTED_WITHIN: Duration = Duration::from_secs(5);
const COUNTED_EVERY: Duration = Duration::from_millis(100);

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    client: SocketAddr,
    on: String,
}

impl Answer {
    /// OPTLOCAL has kept the call on the LPAR that made it: it has the DVIPA at both ends.
    fn stayed(&self, calls: &Calls) -> bool {
        self.client.ip() == calls.to.ip()
    }
}

/// What became of a series of calls until now.
#[derive(Debug, Default)]
struct Outcome {
    answers: Vec<Answer>,
    /// How each failed, and the words for it.
    failures: Vec<(String, String)>,
}

impl Stage<'_> {
    pub(super) async fn calls(&mut self, calls: &Calls, within: Duration) -> Result<(), StepError> {
        self.plex.distribution.settle().await?;
        let before = self.totals(calls.to).await?;
        let handle = self.plex.start(&calls.from, &calls.name, commands::callers(calls)).await?;
        self.callers.insert(calls.name.clone(), (calls.clone(), handle));
        let placed = self.plex.journal.wait_for(within, |view| {
            let over =
                view.exit_of(&calls.from, &calls.name).map(|exit| format!("{}: {:?}", exit.how, exit.last_words));
            let done = view.events.iter().filter(|event| is_of(event, &calls.name)).any(|event| match calls.then {
                Then::Bye => matches!(event.what, What::CallsEnded { .. }),
                _ => matches!(event.what, What::CallsPlaced { .. }),
            });
            if done { Some(Ok(())) } else { over.map(Err) }
        });
        match placed.await {
            Some(Ok(())) => {}
            Some(Err(how)) => {
                return Err(io::Error::other(format!("the caller {} ended early: {how}", calls.name)).into());
            }
            None => {
                let seen = self.plex.journal.look(|view| outcome(view, &calls.name));
                let what = format!(
                    "{} calls to {} were not made within {}; {} were answered, {} failed",
                    calls.count,
                    calls.to,
                    humantime::format_duration(within),
                    seen.answers.len(),
                    seen.failures.len()
                );
                return Err(Failure::new(Symptom::StepTimedOut, what).to(calls.to).into());
            }
        }
        let seen = self.plex.journal.look(|view| outcome(view, &calls.name));
        check_failures(calls, &seen).map_err(|failure| failure.to(calls.to))?;
        check_places(calls, &seen, &self.plex.sysplex).map_err(|failure| failure.to(calls.to))?;
        let proofs = self.proofs_of(calls, &seen, &before).await?;
        Ok(self.must_all_be_shown(proofs)?)
    }

    /// What the kernels show of the calls: of those that stay, each; of others, how many each target was sent.
    async fn proofs_of(
        &mut self,
        calls: &Calls,
        seen: &Outcome,
        before: &BTreeMap<LparIndex, u64>,
    ) -> Result<Vec<Proof>, StepError> {
        if calls.fail.is_some() || self.plex.sysplex.dvipa(calls.to.ip()).is_none() {
            return Ok(Vec::new());
        }
        let mut proofs = Vec::new();
        if calls.then == Then::Hold {
            proofs.push(self.stand(calls, seen).await?);
        }
        if !calls.on.is_empty() {
            proofs.push(self.counted(calls, seen, before).await?);
        }
        Ok(proofs)
    }

    /// Each call is a socket of its target, and in the VCRT.
    async fn stand(&mut self, calls: &Calls, seen: &Outcome) -> Result<Proof, StepError> {
        let owner = self.plex.distribution.owner(calls.to.ip()).await?;
        let vcrt = match owner {
            Some(owner) => self.plex.distribution.vcrt(owner).await?,
            None => Vec::new(),
        };
        let routed: Vec<Connection> = vcrt.iter().map(distributor::VcrtEntry::connection).collect();
        let sockets = super::agreement::sockets(self.plex, calls.to.ip())?;
        let missing = seen.answers.iter().find_map(|answer| {
            let target = self.plex.sysplex.lpar_named(&answer.on)?.index;
            let connection = Connection { client: answer.client, dvipa: calls.to, target };
            match (sockets.established.contains(&connection), routed.contains(&connection)) {
                (true, true) => None,
                (_, false) if answer.stayed(calls) => None,
                (_, true) if answer.stayed(calls) => Some(format!("{} > {} is in the VCRT", answer.client, calls.to)),
                (false, _) => Some(format!("{} has no socket for {} > {}", answer.on, answer.client, calls.to)),
                (_, false) => Some(format!("no VCRT entry for {} > {} at {}", answer.client, calls.to, answer.on)),
            }
        });
        Ok(Proof {
            claim: format!("each of the calls {} is a socket of the target that answered, and in the VCRT", calls.name),
            ok: missing.is_none(),
            source: "sock_diag and VCRT".into(),
            shown: missing.unwrap_or_else(|| format!("{} connections", seen.answers.len())),
        })
    }

    /// The distributor has sent each target as many as answered there.
    async fn counted(
        &mut self,
        calls: &Calls,
        seen: &Outcome,
        before: &BTreeMap<LparIndex, u64>,
    ) -> Result<Proof, StepError> {
        let sent = seen.answers.iter().filter(|answer| !answer.stayed(calls));
        let expected = by_lpar(sent, &self.plex.sysplex);
        let deadline = Instant::now() + COUNTED_WITHIN;
        let sent = loop {
            let after = self.totals(calls.to).await?;
            let sent: BTreeMap<LparIndex, u64> = after
                .iter()
                .map(|(&lpar, total)| (lpar, total.saturating_sub(before.get(&lpar).copied().unwrap_or(0))))
                .filter(|(_, sent)| *sent > 0)
                .collect();
            if self.as_counted(&sent, &expected) || Instant::now() > deadline {
                break sent;
            }
            tokio::time::sleep(COUNTED_EVERY).await; // a counter gives no event
        };
        let words = |counts: &BTreeMap<LparIndex, u64>| in_words(counts, &self.plex.sysplex);
        Ok(Proof {
            claim: format!(
                "TotalConn of {} grew as the calls {} were answered: {}",
                calls.to,
                calls.name,
                words(&expected)
            ),
            ok: self.as_counted(&sent, &expected),
            source: "VDPT".into(),
            shown: words(&sent),
        })
    }

    fn as_counted(&self, sent: &BTreeMap<LparIndex, u64>, expected: &BTreeMap<LparIndex, u64>) -> bool {
        let at_least = expected.iter().all(|(lpar, count)| sent.get(lpar).is_some_and(|sent| sent >= count));
        sent == expected || (!self.plex.distribution.total_is_exact() && at_least)
    }

    /// TotalConn of each target of a port, where it is a DVIPA's.
    async fn totals(&self, to: SocketAddr) -> Result<BTreeMap<LparIndex, u64>, StepError> {
        let owner = self.plex.distribution.owner(to.ip()).await?;
        let Some(owner) = owner else { return Ok(BTreeMap::new()) };
        let vdpt = self.plex.distribution.tables(owner).await?.vdpt;
        let of_port = vdpt.into_iter().filter(|entry| entry.dvipa == to);
        Ok(of_port.map(|VdptEntry { target, total, .. }| (target, total)).collect())
    }

    pub(super) async fn finish(&mut self, finish: &Finish, within: Duration) -> Result<(), StepError> {
        let Some((calls, handle)) = self.callers.get_mut(&finish.calls) else { return Ok(()) };
        let calls = calls.clone();
        if let (Then::Hold, Some(stdin)) = (calls.then, handle.stdin.as_mut()) {
            stdin.write_all(b"finish\n")?;
        }
        let ended = self.plex.journal.wait_for(within, |view| {
            view.find(|event| match &event.what {
                What::CallsEnded { call, complete, failed, .. } if *call == calls.name => Some((*complete, *failed)),
                _ => None,
            })
        });
        let Some((complete, failed)) = ended.await else {
            let what = format!("{} have not ended within {}", calls.name, humantime::format_duration(within));
            return Err(Failure::new(Symptom::StepTimedOut, what).to(calls.to).into());
        };
        if failed == finish.lost {
            return Ok(());
        }
        let seen = self.plex.journal.look(|view| outcome(view, &calls.name));
        let why =
            seen.failures.first().map_or_else(String::new, |(how, reason)| format!("; the first: {how}, {reason}"));
        let what = format!(
            "of {} calls {complete} were whole and {failed} lost, expected {} lost{why}",
            calls.count, finish.lost
        );
        Err(Failure::new(Symptom::CallsFailed, what).to(calls.to).into())
    }
}

fn outcome(view: View<'_>, name: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for event in view.events.iter().filter(|event| is_of(event, name)) {
        match &event.what {
            What::Answered { local, on, .. } => outcome.answers.push(Answer { client: *local, on: on.clone() }),
            What::CallFailed { how, reason, .. } => outcome.failures.push((how.clone(), reason.clone())),
            _ => {}
        }
    }
    outcome
}

fn check_failures(calls: &Calls, seen: &Outcome) -> Result<(), Failure> {
    let what = match (&calls.fail, seen.failures.first()) {
        (None, None) => return Ok(()),
        (None, Some((how, reason))) => {
            format!(
                "{} of {} calls to {} failed; the first: {how}, {reason}",
                seen.failures.len(),
                calls.count,
                calls.to
            )
        }
        (Some(expected), _) => {
            let as_expected = seen.failures.iter().filter(|(how, _)| how == expected).count();
            if as_expected == calls.count as usize {
                return Ok(());
            }
            let others = seen.failures.iter().find(|(how, _)| how != expected);
            let other = others.map_or_else(String::new, |(how, reason)| format!("; another: {how}, {reason}"));
            let answered = seen.answers.len();
            format!(
                "{} calls to {} must all be {expected}: {as_expected} were, {answered} were answered{other}",
                calls.count, calls.to
            )
        }
    };
    Err(Failure::new(Symptom::CallsFailed, what))
}

/// As many on each LPAR as the scenario says.
fn check_places(calls: &Calls, seen: &Outcome, sysplex: &Sysplex) -> Result<(), Failure> {
    let found = by_lpar(&seen.answers, sysplex);
    let slack = u64::from(calls.count) * u64::from(calls.tolerance) / 100;
    let off = |lpar: &LparIndex| {
        let expected = calls.on.get(lpar).copied().unwrap_or(0);
        found.get(lpar).copied().unwrap_or(0).abs_diff(expected.into()) > slack
    };
    if calls.on.is_empty() || !calls.on.keys().chain(found.keys()).any(off) {
        return Ok(());
    }
    let expected = calls.on.iter().map(|(&lpar, &count)| (lpar, count.into())).collect();
    let what = format!(
        "{} calls to {} landed on {}, expected {}",
        calls.count,
        calls.to,
        in_words(&found, sysplex),
        in_words(&expected, sysplex)
    );
    Err(Failure::new(Symptom::CallsElsewhere, what))
}

fn by_lpar<'a>(answers: impl IntoIterator<Item = &'a Answer>, sysplex: &Sysplex) -> BTreeMap<LparIndex, u64> {
    let mut counts = BTreeMap::new();
    for lpar in answers.into_iter().filter_map(|answer| sysplex.lpar_named(&answer.on)) {
        *counts.entry(lpar.index).or_insert(0) += 1;
    }
    counts
}

fn in_words(counts: &BTreeMap<LparIndex, u64>, sysplex: &Sysplex) -> String {
    let name = |lpar: LparIndex| sysplex.lpar(lpar).map_or("?", |lpar| lpar.name.as_str());
    let words: Vec<String> = counts.iter().map(|(&lpar, count)| format!("{} {count}", name(lpar))).collect();
    if words.is_empty() { "nobody".to_owned() } else { words.join(", ") }
}
