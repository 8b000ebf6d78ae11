//! The plans before anything listens, each put into its owner's kernel as soon as the owner is up: links and addresses may
//! come later.

use std::io;
use std::sync::Arc;

use netns::{Host, HostError};
use sysplex::{Dvipa, Lpar, Sysplex};
use tokio::task::JoinHandle;

use crate::plex::XCF;

use super::{Applied, Exits, PlexError, SharedBackend, run};

pub(in crate::plex) struct FirstPlans {
    plans: Applied,
    dvipas: Vec<Dvipa>,
    backend: SharedBackend,
    running: Vec<JoinHandle<Result<(), HostError>>>,
}

impl FirstPlans {
    pub(in crate::plex) fn new(sysplex: &Sysplex, plans: Applied, backend: &SharedBackend) -> Self {
        Self { plans, dvipas: sysplex.dvipas.clone(), backend: Arc::clone(backend), running: Vec::new() }
    }

    pub(in crate::plex) fn host_is_up(&mut self, lpar: &Lpar, host: &Arc<Host>, exits: &Exits) {
        let mut scripts = Vec::new();
        if self.dvipas.iter().any(|dvipa| dvipa.may_be_owned_by(lpar.index)) {
            scripts.extend(self.backend.prepare(XCF));
        }
        if let Some(plan) = self.plans.get(&lpar.index) {
            scripts.extend(self.backend.render(None, plan, &[]));
        }
        if !scripts.is_empty() {
            let (host, exits) = (Arc::clone(host), exits.clone());
            self.running.push(tokio::spawn(async move {
                for script in scripts {
                    run(&host, &exits, &script).await?;
                }
                Ok(())
            }));
        }
    }

    pub(in crate::plex) async fn applied(self) -> Result<Applied, PlexError> {
        for script in self.running {
            script.await.map_err(io::Error::other)??;
        }
        Ok(self.plans)
    }
}
