//! nftables: one table, `ip dvipa`, in the owner's namespace. Packets stay as they are; there is no address translation
//! and no connection tracking in it.

mod render;
mod ruleset;
mod vcrt;

use crate::{Backend, OwnerPlan, Script, VcrtEntry, VcrtError};

/// The tool.
const NFT: &str = "nft";

/// The backend for nftables (seen to work with nft 1.0.6; `reject` in prerouting needs kernel 5.9).
#[derive(Clone, Copy, Debug, Default)]
pub struct Nftables;

impl Backend for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn render(&self, previous: Option<&OwnerPlan>, next: &OwnerPlan) -> Script {
        Script { program: NFT, args: vec!["-f".to_owned(), "-".to_owned()], stdin: render::script(previous, next) }
    }

    fn read_vcrt(&self) -> Script {
        let args = ["-j", "-n", "list", "map", "ip", ruleset::TABLE, ruleset::VCRT];
        Script { program: NFT, args: args.map(str::to_owned).to_vec(), stdin: String::new() }
    }

    fn parse_vcrt(&self, output: &str) -> Result<Vec<VcrtEntry>, VcrtError> {
        vcrt::parse(output)
    }
}
