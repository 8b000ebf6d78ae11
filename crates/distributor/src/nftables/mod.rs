//! nftables: a table `dvipa` of family `ip`, and one of `ip6`, in the owner's namespace. Packets stay as they are; there is no
//! address translation and no connection tracking in it.

mod read;
mod render;
mod ruleset;

use std::time::Duration;

use crate::{Affinity, Backend, Connection, OwnerPlan, ReadError, Script, Tables};

/// The tool.
const NFT: &str = "nft";

/// Elements that one script changes at most. It is one message to the kernel, which takes from a plain user what `wmem_max` allows
/// (twice 208 KiB by default), and an element of IPv6 takes about 100 bytes of it.
const MOST: usize = 2000;

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

    fn clear(&self, _prepared: bool) -> Vec<Script> {
        vec![Script::new(NFT, &["flush", "ruleset"], "")]
    }

    fn render(&self, previous: Option<&OwnerPlan>, next: &OwnerPlan, connections: &[Connection]) -> Vec<Script> {
        let plan = load(render::script(previous, next, connections));
        let known: Vec<Script> = connections.chunks(MOST).map(|some| load(render::connections(some))).collect();
        // What is not known is dropped only as long as a plan says so: so connections come first, where they can.
        let scripts = match (previous, known.as_slice()) {
            (_, [only]) => vec![load(plan.stdin + &only.stdin)],
            (Some(before), _) if render::has_tables(before, connections) => known.into_iter().chain([plan]).collect(),
            _ => [plan].into_iter().chain(known).collect(),
        };
        scripts.into_iter().filter(|script| !script.stdin.is_empty()).collect()
    }

    fn forget(&self, connections: &[Connection]) -> Vec<Script> {
        connections.chunks(MOST).map(|some| load(render::forget(some))).collect()
    }

    fn read(&self) -> Vec<Script> {
        // Both families: nft lists what there is, and a table that is not there is an error.
        vec![Script::new(NFT, &["-j", "-n", "list", "ruleset"], "")]
    }

    fn parse(&self, outputs: &[String]) -> Result<Tables, ReadError> {
        read::parse(outputs.first().map(String::as_str).unwrap_or_default())
    }

    fn affinity_timers(&self, timers: &[(Affinity, Duration)]) -> Vec<Script> {
        timers.chunks(MOST / 2).map(|some| load(render::affinity_timers(some))).collect() // taken out and put in again
    }
}

fn load(text: String) -> Script {
    Script::new(NFT, &["-f", "-"], text)
}
