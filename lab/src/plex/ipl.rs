//! What an LPAR's stack forgets at IPL. Its network namespace stays, with the captures and the views of its sockets that are open
//! there; all that is in it goes and is made anew.

use std::io;

use distributor::{Places, Script};
use evidence::SocketView;
use netns::{Batch, Host, NetNs, inside};
use sysplex::{Lpar, Sysplex};

use super::PlexError;
use super::network;
use super::own_calls::Ways;
use super::tasks::Exits;
use super::tool::run_tool;

/// Links, connections, addresses, routes and rules: nothing is left, and then they are as the topology has them.
pub(super) fn clear(sysplex: &Sysplex, lpar: &Lpar, netns: &NetNs) -> io::Result<()> {
    let position = lpar.index.get() as usize - 1;
    let commit = |batch: Batch| batch.commit(&mut Batch::socket()?).map_err(io::Error::other);
    // Links first: nobody hears of what else ends.
    commit(network::no_links(lpar))?;
    inside(netns, || {
        let all = SocketView::open()?.connections()?;
        netns::reset_connections(&all.iter().map(|socket| (socket.local, socket.peer)).collect::<Vec<_>>())?;
        netns::forget_routing()
    })?;
    commit(network::links(position, netns, true))?;
    let config = network::config(sysplex, (&Places::new(), &Ways::new()), position, network::kernel_has_ipv6());
    inside(netns, || {
        config.commit()?;
        // Whoever knew the LPAR before knew other hardware addresses.
        commit(network::announced(lpar))
    })
}

/// What the LPAR's kernel knew of the distribution.
pub(super) async fn forget_distribution(host: &Host, exits: &Exits, scripts: Vec<Script>) -> Result<(), PlexError> {
    for script in scripts {
        let argv = [script.program.to_owned()].into_iter().chain(script.args.iter().cloned()).collect();
        run_tool(host, exits, argv, &script.stdin).await?;
    }
    Ok(())
}
