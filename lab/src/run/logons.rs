//! Many logons at the same moment, and where users are.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use evidence::{TcpState, What};
use sysplex::{LparIndex, Sysplex};

use super::commands;
use super::diagnose::Failure;
use super::result::Proof;
use super::steps::{Stage, StepError};
use crate::plex::journal::View;
use crate::scenario::{Logon, Symptom};

impl Stage<'_> {
    /// All make the first connection; once each has its answer, all make the second one.
    pub(super) async fn logons(&mut self, logons: &[Logon], within: Duration) -> Result<(), StepError> {
        self.plex.distribution.settle().await?;
        for logon in logons {
            let sessions = self.scenario.sessions_of(&logon.user);
            let argv = commands::client_that_pauses(logon, sessions, within);
            let client = self.plex.start(&logon.from, &logon.user, argv).await?;
            self.clients.insert(logon.user.clone(), client);
        }
        let all_answered = |view: View<'_>| logons.iter().all(|logon| is_answered(view, logon)).then_some(());
        if self.plex.journal.wait_for(within, all_answered).await.is_none() {
            let silent = self.plex.journal.look(|view| {
                let silent = logons.iter().filter(|logon| !is_answered(view, logon));
                silent.map(|logon| logon.user.clone()).collect::<Vec<_>>()
            });
            let within = humantime::format_duration(within);
            let what = format!("the RSE daemon has not answered {} within {within}", silent.join(", "));
            return Err(Failure::new(Symptom::LogonFailed, what).into());
        }
        for logon in logons {
            let stdin = self.clients.get_mut(&logon.user).and_then(|client| client.stdin.as_mut());
            // One that was turned away has ended; that is looked at below.
            let _ = stdin.map(|stdin| stdin.write_all(b"continue\n"));
        }
        let mut failures = Vec::new();
        for logon in logons {
            failures.extend(self.logged_on(logon, within).await.err());
        }
        match failures.first() {
            None => Ok(()),
            Some(Failure { symptom, what, .. }) => {
                let what = format!(
                    "{} of {} logons at the same moment failed; the first: {what}",
                    failures.len(),
                    logons.len()
                );
                Err(Failure::new(*symptom, what).into())
            }
        }
    }

    /// Users by system, as the kernels show the connections to their RSE servers.
    pub(super) fn users(&mut self, expected: &BTreeMap<LparIndex, u32>) -> Result<(), StepError> {
        let mut found: BTreeMap<LparIndex, u32> = BTreeMap::new();
        for lpar in &self.plex.sysplex.lpars {
            let Some(view) = self.plex.views.get(&lpar.name) else { continue };
            let stand = view.connections()?;
            let here = self.plex.journal.look(|view| {
                let second = view.events.iter().filter(|event| event.system == lpar.name);
                let second = second.filter(|event| match &event.what {
                    What::LogonComplete { peer, local, .. } => stand.iter().any(|socket| {
                        (socket.state, socket.local, socket.peer) == (TcpState::Established, *local, *peer)
                    }),
                    _ => false,
                });
                second.count()
            });
            found.extend((here > 0).then(|| (lpar.index, u32::try_from(here).unwrap_or(u32::MAX))));
        }
        let wanted: BTreeMap<LparIndex, u32> =
            expected.iter().map(|(lpar, count)| (*lpar, *count)).filter(|(_, count)| *count > 0).collect();
        let words = |counts| in_words(counts, &self.plex.sysplex);
        if found != wanted {
            let what = format!("users are logged on: {}, expected {}", words(&found), words(&wanted));
            return Err(Failure::new(Symptom::LogonElsewhere, what).into());
        }
        let proof = Proof {
            claim: format!("users are logged on: {}", words(&wanted)),
            ok: true,
            source: "sock_diag".into(),
            shown: format!("connections to RSE servers: {}", words(&found)),
        };
        Ok(self.must_all_be_shown(vec![proof])?)
    }
}

/// Has the client of this logon its answer from the RSE daemon, or will none come?
fn is_answered(view: View<'_>, logon: &Logon) -> bool {
    let answered = view.events.iter().any(|event| match &event.what {
        What::Logon { user, .. } | What::LogonRefused { user, .. } => *user == logon.user,
        What::ConnectFailed { .. } => event.task == logon.user,
        _ => false,
    });
    answered || view.exit_of(&logon.from, &logon.user).is_some()
}

pub(super) fn in_words(counts: &BTreeMap<LparIndex, u32>, sysplex: &Sysplex) -> String {
    let name = |lpar: LparIndex| sysplex.lpar(lpar).map_or("?", |lpar| lpar.name.as_str());
    let words: Vec<String> = counts.iter().map(|(&lpar, count)| format!("{} {count}", name(lpar))).collect();
    if words.is_empty() { "nobody anywhere".to_owned() } else { words.join(", ") }
}
