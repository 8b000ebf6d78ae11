//! Steps that do something to the sysplex: operators, crashes, servers.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use evidence::{Event, What};
use rustix::process::Signal;
use sysplex::{LparIndex, Sysplex};
use tokio::time::Instant;

use super::diagnose::Failure;
use super::logons;
use super::result::Proof;
use super::steps::{Stage, StepError};
use super::{agreement, network};
use crate::netstat;
use crate::plex::tasks::TaskHandle;
use crate::plex::{PlexError, tool};
use crate::scenario::Symptom;
use crate::scenario::acts::{Act, Answer, Finish, OfTask, Then};

/// One line of what a step does, for a person.
pub(super) fn describe(act: &Act, sysplex: &Sysplex) -> String {
    let name = |lpar: LparIndex| sysplex.lpar(lpar).map_or("?", |lpar| lpar.name.as_str());
    match act {
        Act::Calls(calls) => {
            let then = match calls.then {
                Then::Bye | Then::Keep(_) => "",
                Then::Hold => ", which stay",
                Then::Get { .. } => ", which receive",
                Then::Put { .. } => ", which send",
            };
            format!("{} calls from {} to {}{then}", calls.count, calls.from, calls.to)
        }
        Act::Finish(Finish { calls, lost: 0 }) => format!("{calls} are whole to the end"),
        Act::Finish(Finish { calls, lost }) => format!("{calls} are whole to the end, but for {lost}"),
        Act::Vary { on, command, .. } => format!("VARY on {}: {command:?}", name(*on)),
        Act::Modify { on, command, .. } => format!("{command} on {on}"),
        Act::Tell { task, order } => format!("{} on {}: {order}", task.task, task.on),
        Act::Start(OfTask { task, on }) => format!("START {task} on {on}"),
        Act::Stop(OfTask { task, on }) => format!("STOP {task} on {on}"),
        Act::Crash(lpar) => format!("{} is gone without a word", name(*lpar)),
        Act::Ipl(lpar) => format!("{} is started again: IPL", name(*lpar)),
        Act::Fault(planned) => crate::scenario::fault::describe(planned),
        Act::Run(run) => format!("{} on {}", run.argv.join(" "), run.on),
        Act::Heal(name) => format!("{name} is healed"),
        Act::Pause(time) => format!("{} pass", humantime::format_duration(*time)),
        Act::Owner { dvipa, is: Some(lpar) } => format!("{} has {dvipa} on the LAN", name(*lpar)),
        Act::Owner { dvipa, is: None } => format!("nobody has {dvipa} on the LAN"),
        Act::Netstat { on, request, .. } => format!("NETSTAT {request} on {}", name(*on)),
        Act::Assert(assertion) => assertion.describe(),
        Act::Capture { name, field, of } => format!("${name} is {field} of {}", of.describe()),
        Act::Network(act) => network::describe(act),
        Act::Agreement { dvipa, rounds, .. } => {
            format!("the VCRT of {dvipa} agrees with the targets' sockets, {rounds} times")
        }
        Act::Logons(logons) => format!("{} users log on at the same moment", logons.len()),
        Act::Users(on) => format!("users are logged on: {}", logons::in_words(on, sysplex)),
        Act::Ezbeport { there } => {
            format!("the structure EZBEPORT is {}", if *there { "there" } else { "lost" })
        }
    }
}

impl Stage<'_> {
    pub(super) async fn act(&mut self, act: &Act, within: Duration) -> Result<(), StepError> {
        match act {
            Act::Calls(calls) => self.calls(calls, within).await,
            Act::Finish(finish) => self.finish(finish, within).await,
            Act::Vary { on, command, answer } => {
                let said = self.plex.distribution.vary(*on, command.clone()).await?;
                let (text, refused) = match said {
                    Ok(messages) => (messages.join("\n"), false),
                    Err(refused) => (refused.to_string(), true),
                };
                Ok(answered(answer, &text, refused)?)
            }
            Act::Modify { on, argv, answer, .. } => self.modify(on, argv, answer).await,
            Act::Tell { task, order } => self.tell(task, order),
            Act::Start(task) => self.start_again(task, within).await,
            Act::Stop(task) => self.stop(task, within).await,
            Act::Crash(lpar) => self.crash(*lpar).await,
            Act::Ipl(lpar) => self.ipl(*lpar, within).await,
            Act::Fault(planned) => self.fault(planned).await,
            Act::Heal(name) => self.heal(name).await,
            Act::Run(run) => self.run(run, within).await,
            Act::Pause(time) => {
                tokio::time::sleep(*time).await; // what is awaited is that time passes
                Ok(())
            }
            Act::Owner { dvipa, is } => self.owner(*dvipa, *is).await,
            Act::Netstat { on, request, says, says_not, eventually } => {
                let until = Instant::now() + if *eventually { within } else { Duration::ZERO };
                self.netstat(*on, request, (says, says_not), until).await
            }
            Act::Assert(assertion) => self.assert(assertion, within).await,
            Act::Capture { name, field, of } => self.capture(name, field, of, within).await,
            Act::Network(act) => self.network(act).await,
            Act::Agreement { dvipa, rounds, at_least } => self.agreement(*dvipa, *rounds, *at_least).await,
            Act::Logons(logons) => self.logons(logons, within).await,
            Act::Users(on) => self.users(on),
            Act::Ezbeport { there } => self.ezbeport(*there),
        }
    }

    async fn modify(&mut self, on: &str, argv: &[String], answer: &Answer) -> Result<(), StepError> {
        let (host, exits) = self.plex.hosts.get(on)?;
        let said = tool::run_tool(&host, &exits, argv.to_vec(), "").await;
        let (text, refused) = match said {
            Ok(text) => (text, false),
            Err(netns::HostError::Refused { reason, .. }) => (reason, true),
            Err(e) => return Err(e.into()),
        };
        Ok(answered(answer, &text, refused)?)
    }

    fn tell(&mut self, OfTask { task, on }: &OfTask, order: &str) -> Result<(), StepError> {
        let tell = |handle: &mut TaskHandle| {
            handle.stdin.as_mut().map(|stdin| stdin.write_all(format!("{order}\n").as_bytes()))
        };
        let told = self.plex.started.one(on, task, tell).flatten();
        Ok(told.ok_or_else(|| io::Error::other(format!("{task} on {on} does not run")))??)
    }

    async fn start_again(&mut self, OfTask { task, on }: &OfTask, within: Duration) -> Result<(), StepError> {
        let lpar = self.plex.sysplex.lpar_named(on).cloned();
        let lpar = lpar.ok_or_else(|| io::Error::other(format!("no LPAR {on}")))?;
        let Some(started) = lpar.tasks.iter().find(|other| other.name() == task) else { return Ok(()) };
        match self.plex.systems.start_again(&lpar, started, within).await {
            Err(PlexError::Task(exit)) => {
                let what = PlexError::Task(exit).to_string();
                Err(Failure::new(Symptom::TaskFailed, what).into())
            }
            result => Ok(result?),
        }
    }

    async fn stop(&mut self, OfTask { task, on }: &OfTask, within: Duration) -> Result<(), StepError> {
        match self.plex.systems.end(on, task, Signal::TERM, within).await {
            Err(PlexError::Io(e)) if e.kind() == io::ErrorKind::TimedOut => {
                Err(Failure::new(Symptom::StepTimedOut, e.to_string()).into())
            }
            result => Ok(result.map(drop)?),
        }
    }

    async fn crash(&mut self, lpar: LparIndex) -> Result<(), StepError> {
        let Some(lpar) = self.plex.sysplex.lpar(lpar).cloned() else { return Ok(()) };
        self.plex.systems.crash(&lpar).await?;
        Ok(())
    }

    async fn ipl(&mut self, lpar: LparIndex, within: Duration) -> Result<(), StepError> {
        let Some(lpar) = self.plex.sysplex.lpar(lpar).cloned() else { return Ok(()) };
        match self.plex.systems.ipl(&lpar, within).await {
            Err(e @ PlexError::Task(_)) => Err(Failure::new(Symptom::TaskFailed, e.to_string()).into()),
            result => Ok(result?),
        }
    }

    /// Who has the address on the LAN, as the kernels say.
    async fn owner(&mut self, dvipa: IpAddr, is: Option<LparIndex>) -> Result<(), StepError> {
        // An LPAR that is down has nothing.
        let up = self.plex.distribution.up().await?;
        let mut owners = Vec::new();
        for lpar in self.plex.sysplex.lpars.iter().filter(|lpar| up.contains(&lpar.index)) {
            let has = self.plex.hosts.inside(&lpar.name, || {
                let has = netns::addresses()?;
                Ok(has.iter().any(|a| a.address == dvipa && a.link == crate::plex::LAN_LINK))
            });
            if has? {
                owners.push(lpar.index);
            }
        }
        let names = |of: &[LparIndex]| {
            let names = of.iter().filter_map(|&lpar| self.plex.sysplex.lpar(lpar)).map(|lpar| lpar.name.as_str());
            let names: Vec<&str> = names.collect();
            if names.is_empty() { "nobody".to_owned() } else { names.join(" and ") }
        };
        let expected: Vec<LparIndex> = is.into_iter().collect();
        let proof = Proof {
            claim: format!("{} has {dvipa} on the LAN", names(&expected)),
            ok: owners == expected,
            source: "addresses".into(),
            shown: names(&owners),
        };
        Ok(self.must_all_be_shown(vec![proof])?)
    }

    async fn netstat(
        &mut self,
        on: LparIndex,
        request: &netstat::Request,
        (says, says_not): (&[String], &[String]),
        until: Instant,
    ) -> Result<(), StepError> {
        // A table gives no event.
        const AGAIN: Duration = Duration::from_millis(20);
        let (text, wrong) = loop {
            let facts = netstat::gather(self.plex, on).await?;
            let text = netstat::render(request, &self.plex.sysplex, &facts);
            let wrong = wrong_in(&text, says, says_not);
            if wrong.is_none() || Instant::now() >= until {
                break (text, wrong);
            }
            tokio::time::sleep(AGAIN).await;
        };
        let system = self.plex.sysplex.lpar(on).map_or("?", |lpar| lpar.name.as_str());
        let proof = Proof {
            claim: format!("NETSTAT {request} on {system} says what it must"),
            ok: wrong.is_none(),
            source: "NETSTAT".into(),
            shown: wrong.map_or_else(|| says.join("; "), |wrong| format!("{wrong}, found:\n{text}")),
        };
        Ok(self.must_all_be_shown(vec![proof])?)
    }

    /// What does not agree. A table is read while it changes, and the kernel may pass over an entry then; so a difference counts
    /// when there is one in each of several readings.
    async fn difference(&self, dvipa: IpAddr, most: &mut usize) -> Result<Option<String>, StepError> {
        // What a target has dropped by itself, or on a crashed owner's last packets, goes after two looks of the distributor.
        const READINGS: u32 = 5;
        const AGAIN: Duration = Duration::from_millis(100);
        let mut found = None;
        for reading in 0..READINGS {
            if reading > 0 {
                tokio::time::sleep(AGAIN).await; // a table gives no event
            }
            let owner = self.plex.distribution.owner(dvipa).await?;
            let before = agreement::sockets(self.plex, dvipa)?;
            let vcrt = match owner {
                Some(owner) => self.plex.distribution.vcrt(owner).await?,
                None => Vec::new(),
            };
            let after = agreement::sockets(self.plex, dvipa)?;
            let connections = vcrt.iter().map(distributor::VcrtEntry::connection);
            let ours: Vec<_> = connections.filter(|connection| connection.dvipa.ip() == dvipa).collect();
            *most = ours.len().max(*most);
            found = agreement::difference(&before, &ours, &after);
            if found.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn agreement(&mut self, dvipa: IpAddr, rounds: u32, at_least: u32) -> Result<(), StepError> {
        let mut most = 0;
        for round in 1..=rounds {
            if let Some(difference) = self.difference(dvipa, &mut most).await? {
                let proof = Proof {
                    claim: format!("the VCRT of {dvipa} agrees with the targets' sockets"),
                    ok: false,
                    source: "VCRT and sock_diag".into(),
                    shown: format!("in round {round} of {rounds}: {difference}"),
                };
                return Ok(self.must_all_be_shown(vec![proof])?);
            }
        }
        let proof = Proof {
            claim: format!(
                "the VCRT of {dvipa} agrees with the targets' sockets, {rounds} times, with at least {at_least} connections"
            ),
            ok: most >= at_least as usize,
            source: "VCRT and sock_diag".into(),
            shown: format!("no difference; {most} connections at most"),
        };
        Ok(self.must_all_be_shown(vec![proof])?)
    }
}

/// What a report lacks, or has too much.
fn wrong_in(report: &str, says: &[String], says_not: &[String]) -> Option<String> {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let report = flat(report);
    let missing = says.iter().find(|words| !report.contains(&flat(words)));
    let unwanted = says_not.iter().find(|words| report.contains(&flat(words)));
    let wrong = missing.map(|words| format!("expected `{words}`"));
    wrong.or_else(|| unwanted.map(|words| format!("expected no `{words}`")))
}

fn answered(answer: &Answer, text: &str, refused: bool) -> Result<(), Failure> {
    let wrong = if refused != answer.refused {
        Some(if refused { "it was refused" } else { "it was not refused" }.to_owned())
    } else {
        answer.says.as_ref().filter(|says| !text.contains(*says)).map(|says| format!("expected `{says}`"))
    };
    let failure =
        |wrong| Failure::new(Symptom::CommandAnswered, format!("the operator's command: {wrong}; it said: {text}"));
    wrong.map_or(Ok(()), |wrong| Err(failure(wrong)))
}

/// Is this an event of these calls?
pub(super) fn is_of(event: &Event, name: &str) -> bool {
    match &event.what {
        What::Answered { call, .. }
        | What::CallFailed { call, .. }
        | What::CallsPlaced { call, .. }
        | What::CallsEnded { call, .. } => call == name,
        _ => false,
    }
}
