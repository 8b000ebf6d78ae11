//! Steps in which the network between the hosts does something on its own.

use std::io;
use std::net::IpAddr;

use netns::Batch;

use super::diagnose::Failure;
use super::steps::{Stage, StepError};
use crate::plex::{LAN_LINK, lan_mac, tool};
use crate::scenario::Symptom;
use crate::scenario::network::NetworkAct;

/// On whichever backend: it is a host's own filter, of no concern to the distributor's.
const FILTER: &str = "table ip too_long {
  chain input {
    type filter hook input priority 0
    icmp type destination-unreachable icmp code 4 counter drop
  }
}
";

/// One line of what a step does, for a person.
pub(super) fn describe(act: &NetworkAct) -> String {
    match act {
        NetworkAct::Router { on, to, keeps: true } => format!("the router of {on} keeps its path to {to}"),
        NetworkAct::Router { on, to, keeps: false } => format!("the router of {on} looks anew for a path to {to}"),
        NetworkAct::FilterTooLong { on } => format!("{on} gets no ICMP type 3, code 4 (fragmentation needed) any more"),
    }
}

impl Stage<'_> {
    pub(super) async fn network(&mut self, act: &NetworkAct) -> Result<(), StepError> {
        match act {
            NetworkAct::Router { on, to, keeps: true } => self.keep_path(on, *to).await,
            NetworkAct::Router { on, to, keeps: false } => {
                self.neighbour(on, |batch| batch.forget_neighbour(LAN_LINK, *to))
            }
            NetworkAct::FilterTooLong { on } => {
                let (host, exits) = self.plex.hosts.get(on)?;
                let argv = ["nft", "-f", "-"].map(str::to_owned).to_vec();
                tool::run_tool(&host, &exits, argv, FILTER).await?;
                Ok(())
            }
        }
    }

    async fn keep_path(&mut self, on: &str, to: IpAddr) -> Result<(), StepError> {
        let Some(owner) = self.plex.distribution.owner(to).await? else {
            let what = format!("there is no path to {to} that could be kept: no system has it");
            return Err(Failure::new(Symptom::EvidenceMissing, what).into());
        };
        self.neighbour(on, |batch| batch.keep_neighbour(LAN_LINK, to, lan_mac(owner.get() as usize - 1)))
    }

    fn neighbour(&mut self, on: &str, change: impl FnOnce(&mut Batch) + Send) -> Result<(), StepError> {
        let changed = self.plex.hosts.inside(on, || {
            let mut batch = Batch::default();
            change(&mut batch);
            batch.commit(&mut Batch::socket()?).map_err(io::Error::other)
        });
        Ok(changed?)
    }
}
