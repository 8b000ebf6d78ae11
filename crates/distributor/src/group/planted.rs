//! A bug on purpose, to see that a soak finds it: chosen by the environment, and never in a release.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use sysplex::LparIndex;

#[cfg(not(debug_assertions))]
compile_error!("the feature `planted` puts a bug into the distributor on purpose: it is for debug builds only");

type Listeners = BTreeSet<(LparIndex, SocketAddr)>;

/// Those that were seen before, and those that have gone since.
static SEEN: Mutex<(Listeners, Listeners)> = Mutex::new((Listeners::new(), Listeners::new()));

/// `NeverReadyAgain`: a target whose listener was gone once does not become ready again.
pub(super) fn never_ready_again(listeners: &mut BTreeMap<LparIndex, Vec<SocketAddr>>) {
    if std::env::var("DVIPA_LAB_PLANTED").as_deref() != Ok("NeverReadyAgain") {
        return;
    }
    let now: Listeners = listeners.iter().flat_map(|(lpar, all)| all.iter().map(|at| (*lpar, *at))).collect();
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (before, gone) = &mut *seen;
    gone.extend(before.difference(&now).copied());
    before.extend(now);
    for (lpar, all) in listeners {
        all.retain(|at| !gone.contains(&(*lpar, *at)));
    }
}
