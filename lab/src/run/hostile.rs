//! The steps of hostile input: strangers come, and started tasks are looked at.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use evidence::{TcpSocket, TcpState, What};
use sysplex::Sysplex;

use super::commands;
use super::diagnose::Failure;
use super::memory::{self, Found};
use super::result::Proof;
use super::steps::{Stage, StepError};
use crate::plex::tasks::TaskHandle;
use crate::scenario::{ExpectTask, Garbage, Symptom};

impl Stage<'_> {
    /// Lets strangers come, waits until all of them are there, and asks the kernel whether they are.
    pub(super) async fn garbage(&mut self, garbage: &Garbage, within: Duration) -> Result<(), StepError> {
        let Garbage { from, at, silent } = garbage;
        let name = format!("strangers-{}", self.strangers.len() + 1);
        let strangers = self.plex.start(from, &name, commands::strangers(at, *silent)).await?;
        self.strangers.push(strangers);

        let seen = self.plex.journal.wait_for(within, |view| {
            let exit = view.exit_of(from, &name).map(|exit| Err(format!("they ended: {}", exit.how)));
            let in_place = view.find(|event| match &event.what {
                What::StrangersInPlace { connections, refused } if event.system == *from && event.task == name => {
                    Some(if *refused == 0 {
                        Ok(())
                    } else {
                        Err(format!("{connections} of their connections were established and {refused} were not"))
                    })
                }
                _ => None,
            });
            in_place.or(exit)
        });
        let late = || Err(format!("not within {}", humantime::format_duration(within)));
        seen.await.unwrap_or_else(late).map_err(|why| {
            let ports: Vec<String> = at.iter().map(ToString::to_string).collect();
            let what = format!("strangers on {from} were to be at {}: {why}", ports.join(", "));
            Failure::new(Symptom::StepTimedOut, what)
        })?;

        let mut sockets = Vec::new();
        for (lpar, view) in &self.plex.views {
            sockets.extend(view.connections()?.into_iter().map(|socket| (lpar.as_str(), socket)));
        }
        let stand = most_stand(&self.plex.sysplex, garbage, &sockets);
        Ok(self.must_all_be_shown(vec![stand])?)
    }

    /// Looks at a started task on every LPAR: is it the process that was started, and what did it take at most?
    pub(super) fn expect_task(&mut self, expect: &ExpectTask) -> Result<(), StepError> {
        let look = |handle: &TaskHandle| {
            let found = self.look_at(handle);
            let proof = memory::proof(&handle.system, &handle.name, &found, expect.memory);
            (found, proof)
        };
        let found: Vec<(Found, Proof)> =
            self.plex.started.with(|all| all.iter().filter(|handle| handle.name == expect.task).map(look).collect());
        let ended = found.iter().find(|(found, _)| matches!(found, Found::Ended(_))).map(|(_, proof)| proof.clone());
        let shown = self.must_all_be_shown(found.into_iter().map(|(_, proof)| proof).collect());
        if let Some(Proof { claim, shown, .. }) = ended {
            return Err(Failure::new(Symptom::TaskFailed, format!("expected: {claim}; {shown}")).into());
        }
        Ok(shown?)
    }

    fn look_at(&self, handle: &TaskHandle) -> Found {
        let TaskHandle { system, name, running, .. } = handle;
        let ended = self.plex.journal.look(|view| view.exit_of(system, name).map(|exit| exit.how.clone()));
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.realm_pid)).unwrap_or_default();
        match (ended, memory::peak(&status, running.pid)) {
            (None, Some(peak)) => Found::Up { peak },
            (how, _) => Found::Ended(how.unwrap_or_else(|| "there is no such process any more".to_owned())),
        }
    }
}

/// Do the silent connections stand? Whoever is attacked may drop some of them, and then they come back later, so it must be most.
fn most_stand(sysplex: &Sysplex, garbage: &Garbage, sockets: &[(&str, TcpSocket)]) -> Proof {
    let Garbage { from, at, silent } = garbage;
    let own = addresses_of(sysplex, from);
    let theirs = |lpar: &str, socket: &TcpSocket| {
        // A host dials its own addresses from those addresses.
        own.contains(&socket.peer.ip()) || (lpar == from && socket.peer.ip() == socket.local.ip())
    };
    let held = |address: &SocketAddr| {
        let at_address = sockets.iter().filter(|(lpar, socket)| {
            socket.state == TcpState::Established && socket.local == *address && theirs(lpar, socket)
        });
        at_address.count()
    };
    let counts: Vec<(SocketAddr, usize)> = at.iter().map(|address| (*address, held(address))).collect();
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let shown: Vec<String> = counts.iter().map(|(address, count)| format!("{address}: {count}")).collect();
    Proof {
        claim: format!("of {silent} silent connections from {from}, most stand"),
        ok: 2 * all >= *silent as usize,
        source: "sock_diag".into(),
        shown: format!("{all} are established; {}", shown.join(", ")),
    }
}

fn addresses_of(sysplex: &Sysplex, host: &str) -> Vec<IpAddr> {
    let lpar = sysplex.lpar_named(host).map(|lpar| vec![lpar.home.into(), lpar.xcf.into()]);
    let workstation = || sysplex.workstations.iter().find(|w| w.name == host).map(|w| vec![w.address.into()]);
    lpar.or_else(workstation).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(local: &str, peer: &str) -> TcpSocket {
        let address = |text: &str| text.parse().expect("an address");
        TcpSocket {
            state: TcpState::Established,
            local: address(local),
            peer: address(peer),
            inode: 1,
            waiting: 0,
            backlog: 0,
        }
    }

    #[test]
    fn only_the_strangers_own_connections_count() {
        let mut sysplex = Sysplex::uniform(2);
        sysplex.workstations.truncate(1);
        let ws = sysplex.workstations[0].clone();
        let (from_ws, from_other) = (format!("{}:1000", ws.address), "10.255.255.255:1000");
        let victim = "10.10.10.1:4035";
        let garbage = |silent| Garbage { from: ws.name.clone(), at: vec![victim.parse().expect("address")], silent };
        let sockets = [("LPAR1", socket(victim, &from_ws)), ("LPAR2", socket(victim, from_other))];
        let two = most_stand(&sysplex, &garbage(2), &sockets);
        assert!(two.ok && two.shown == "1 are established; 10.10.10.1:4035: 1", "{two:?}");
        assert!(!most_stand(&sysplex, &garbage(3), &sockets).ok);
    }

    #[test]
    fn strangers_on_an_lpar_dial_its_loopback() {
        let sysplex = Sysplex::uniform(2);
        let lpar = sysplex.lpars[1].name.clone();
        let garbage =
            Garbage { from: lpar.clone(), at: vec!["127.0.0.1:5336".parse().expect("an address")], silent: 1 };
        let both_ends = [socket("127.0.0.1:5336", "127.0.0.1:40000"), socket("127.0.0.1:40000", "127.0.0.1:5336")];
        let on = |lpar: &str| most_stand(&sysplex, &garbage, &both_ends.map(|socket| (lpar, socket)));
        assert_eq!(on(&lpar).shown, "1 are established; 127.0.0.1:5336: 1");
        assert!(!on(&sysplex.lpars[0].name).ok, "that is another LPAR's loopback");
    }
}
