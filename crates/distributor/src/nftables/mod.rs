//! nftables: a table `dvipa` of family `ip`, and one of `ip6`, in the owner's namespace. Packets stay as they are; there is no
//! address translation and no connection tracking in it.

mod read;
mod render;
mod ruleset;

use std::time::Duration;

use crate::{Affinity, Backend, Connection, OwnerPlan, ReadError, Script, Tables};

/// The tool.
const NFT: &str = "nft";

/// The backend for nftables (seen to work with nft 1.0.6; `reject` in prerouting needs kernel 5.9).
#[derive(Clone, Copy, Debug, Default)]
pub struct Nftables;

impl Backend for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn tools(&self) -> &'static [&'static str] {
        &[NFT]
    }

    fn render(&self, previous: Option<&OwnerPlan>, next: &OwnerPlan, connections: &[Connection]) -> Vec<Script> {
        let text = render::script(previous, next, connections);
        if text.is_empty() { Vec::new() } else { vec![load(text)] }
    }

    fn forget(&self, connections: &[Connection]) -> Vec<Script> {
        if connections.is_empty() { Vec::new() } else { vec![load(render::forget(connections))] }
    }

    fn read(&self) -> Vec<Script> {
        // Both families: nft lists what there is, and a table that is not there is an error.
        vec![Script::new(NFT, &["-j", "-n", "list", "ruleset"], "")]
    }

    fn parse(&self, outputs: &[String]) -> Result<Tables, ReadError> {
        read::parse(outputs.first().map(String::as_str).unwrap_or_default())
    }

    fn affinity_timers(&self, timers: &[(Affinity, Duration)]) -> Vec<Script> {
        if timers.is_empty() { Vec::new() } else { vec![load(render::affinity_timers(timers))] }
    }
}

fn load(text: String) -> Script {
    Script::new(NFT, &["-f", "-"], text)
}
