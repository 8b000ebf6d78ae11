//! Moving DVIPAs from owner to owner, so that no connection to a surviving target notices.
//!
//! A new owner first learns the connections, from the sockets of the targets, and how to distribute; then it has the address
//! and announces it; then it looks again for connections that came about meanwhile. Until that is done it does not answer
//! what belongs to no connection it knows: the client asks again. Last, the old owner lets go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use distributor::{Connection, OwnerPlan, Place, Places};
use netns::{Batch, inside};
use sysplex::LparIndex;

use super::{Distributor, PlexError};
use crate::plex::network;
use crate::plex::own_calls::{self, Ways};

impl Distributor {
    pub(super) async fn take_over(&mut self, plans: &BTreeMap<LparIndex, OwnerPlan>) -> Result<(), PlexError> {
        let next = self.group.places();
        let gained = gained(&self.places, &next);
        let mut learnt: BTreeSet<Connection> = BTreeSet::new();
        for (&owner, dvipas) in &gained {
            let known = self.connections_to(dvipas)?;
            learnt.extend(&known);
            let plan = plans.get(&owner).cloned().unwrap_or_default();
            self.learn(owner, &OwnerPlan { settling: dvipas.clone(), ..plan }, known, dvipas).await?;
        }
        self.announce(&next)?;
        for (&owner, dvipas) in &gained {
            let known = self.connections_to(dvipas)?;
            self.forget_ended(owner, &learnt, &known).await;
            let plan = plans.get(&owner).cloned().unwrap_or_default();
            self.learn(owner, &plan, known, dvipas).await?;
        }
        self.responsive = None; // a look at what else has ended
        self.rearrange(&next)?;
        self.let_go(plans).await?;
        self.places = next;
        Ok(())
    }

    /// An LPAR is gone: what was sent to it is forgotten, so that a client learns of it as soon as it speaks.
    pub(super) async fn forget_target(&self, gone: LparIndex) -> Result<(), PlexError> {
        let owners: Vec<LparIndex> = self.applied.keys().copied().collect();
        for owner in owners {
            self.forget(owner, |connection| connection.target == gone).await?;
        }
        Ok(())
    }

    /// Gives a new owner its plan and connections. What it may still know from an earlier time is not true any more.
    async fn learn(
        &mut self,
        owner: LparIndex,
        plan: &OwnerPlan,
        known: Vec<Connection>,
        dvipas: &BTreeSet<IpAddr>,
    ) -> Result<(), PlexError> {
        let has = if self.applied.contains_key(&owner) { self.tables(owner).await?.vcrt } else { Vec::new() };
        let has: BTreeSet<Connection> = has.iter().map(distributor::VcrtEntry::connection).collect();
        let ends: BTreeSet<_> = known.iter().map(|connection| (connection.client, connection.dvipa)).collect();
        let true_ones: BTreeSet<&Connection> = known.iter().collect();
        let wrong: Vec<Connection> = has
            .iter()
            .filter(|c| dvipas.contains(&c.dvipa.ip()) && ends.contains(&(c.client, c.dvipa)) && !true_ones.contains(c))
            .copied()
            .collect();
        self.run(owner, &self.backend.forget(&wrong)).await?;
        let new: Vec<Connection> = known.into_iter().filter(|connection| !has.contains(connection)).collect();
        self.follow(owner, plan, &new).await
    }

    /// Takes out what a new owner has learnt and what has ended meanwhile, on the old owner's last packets.
    async fn forget_ended(&self, owner: LparIndex, learnt: &BTreeSet<Connection>, known: &[Connection]) {
        let known: BTreeSet<&Connection> = known.iter().collect();
        let ended: Vec<Connection> = learnt.iter().filter(|connection| !known.contains(connection)).copied().collect();
        if self.backend.forgets_one() {
            // One that the client has just ended is not there; the next look will show what is left.
            let _ = self.run(owner, &self.backend.forget(&ended)).await;
        }
    }

    /// Who owns nothing of a DVIPA any more distributes it no more, and forgets its connections.
    async fn let_go(&mut self, plans: &BTreeMap<LparIndex, OwnerPlan>) -> Result<(), PlexError> {
        let before: Vec<LparIndex> = self.applied.keys().copied().filter(|&lpar| self.group.is_up(lpar)).collect();
        for owner in before {
            let plan = plans.get(&owner).cloned().unwrap_or_default();
            let lost = |address: IpAddr| !plan.dvipas.contains_key(&address);
            if self.applied.get(&owner).is_some_and(|old| old.dvipas.keys().any(|&address| lost(address))) {
                self.follow(owner, &plan, &[]).await?;
                self.forget(owner, |connection| lost(connection.dvipa.ip())).await?;
            }
        }
        Ok(())
    }

    async fn forget(&self, owner: LparIndex, which: impl Fn(&Connection) -> bool) -> Result<(), PlexError> {
        if !self.group.is_up(owner) {
            return Ok(());
        }
        // An entry that expires between reading and forgetting makes the whole script fail; then it is read again.
        for attempt in 0.. {
            let entries = self.tables(owner).await?.vcrt;
            let gone: Vec<_> = entries.iter().map(distributor::VcrtEntry::connection).filter(&which).collect();
            match self.run(owner, &self.backend.forget(&gone)).await {
                Err(_) if attempt < 5 => {}
                result => return result,
            }
        }
        Ok(())
    }

    /// Gives every new owner its addresses on the LAN, and has its kernel announce them.
    fn announce(&self, next: &Places) -> Result<(), PlexError> {
        for lpar in self.sysplex.lpars.iter().filter(|lpar| self.group.is_up(lpar.index)) {
            let mut batch = Batch::default();
            for (dvipa, _, after) in self.moves(lpar.index, next) {
                if after == Some(Place::Lan) {
                    batch.address(network::LAN_LINK, dvipa, network::host_prefix(dvipa));
                }
            }
            if !batch.is_empty() {
                batch.hardware_address(network::LAN_LINK, network::lan_mac(lpar.index.get() as usize - 1));
                self.commit(&lpar.name, batch)?;
            }
        }
        Ok(())
    }

    /// The rest: targets hide what they are new to, and everybody gives up what is elsewhere now.
    fn rearrange(&self, next: &Places) -> Result<(), PlexError> {
        for lpar in self.sysplex.lpars.iter().filter(|lpar| self.group.is_up(lpar.index)) {
            let mut batch = Batch::default();
            for (dvipa, before, after) in self.moves(lpar.index, next) {
                let prefix = network::host_prefix(dvipa);
                if let Some(place @ Place::Hidden) = after {
                    batch.address(network::link_of(place), dvipa, prefix);
                }
                if let Some(place) = before {
                    batch.remove_address(network::link_of(place), dvipa, prefix);
                }
            }
            if !batch.is_empty() {
                self.commit(&lpar.name, batch)?;
            }
        }
        Ok(())
    }

    /// Leads what the LPARs themselves say to a DVIPA on these ways.
    pub(super) fn lead(&mut self, next: Ways) -> Result<(), PlexError> {
        if next == self.ways {
            return Ok(());
        }
        for lpar in self.sysplex.lpars.iter().filter(|lpar| self.group.is_up(lpar.index)) {
            for address in self.sysplex.dvipas.iter().map(|dvipa| dvipa.address) {
                let key = (lpar.index, address);
                let routing = |ways: &Ways| Some(own_calls::routing(&self.sysplex, lpar, address, ways.get(&key)?));
                let batch = own_calls::change(routing(&self.ways), routing(&next));
                if !batch.is_empty() {
                    self.commit(&lpar.name, batch)?;
                }
            }
        }
        self.ways = next;
        Ok(())
    }

    /// Each DVIPA that an LPAR is to have elsewhere: where it has it, and where it is to have it.
    fn moves(&self, lpar: LparIndex, next: &Places) -> impl Iterator<Item = (IpAddr, Option<Place>, Option<Place>)> {
        let all = self.sysplex.dvipas.iter().map(move |dvipa| {
            let key = (lpar, dvipa.address);
            (dvipa.address, self.places.get(&key).copied(), next.get(&key).copied())
        });
        all.filter(|(_, before, after)| before != after)
    }

    pub(super) fn commit(&self, host: &str, batch: Batch) -> Result<(), PlexError> {
        let (host, _) = self.hosts.get(host)?;
        let done = inside(host.netns(), || {
            let mut socket = Batch::socket()?;
            batch.commit(&mut socket).map_err(std::io::Error::other)
        });
        Ok(done?)
    }
}

/// The DVIPAs that each LPAR comes to own.
fn gained(before: &Places, next: &Places) -> BTreeMap<LparIndex, BTreeSet<IpAddr>> {
    let mut gained: BTreeMap<LparIndex, BTreeSet<IpAddr>> = BTreeMap::new();
    for (&(lpar, address), place) in next {
        if *place == Place::Lan && before.get(&(lpar, address)) != Some(&Place::Lan) {
            gained.entry(lpar).or_default().insert(address);
        }
    }
    gained
}
