//! Steps in which the network between the hosts does something on its own: a router that keeps its path, a filter.

use std::net::IpAddr;

use serde::Deserialize;
use sysplex::raw::Spanned;

use super::acts::Act;
use super::resolve::Resolver;

/// What the network does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkAct {
    /// The router of a host goes on sending what is for a DVIPA to the LPAR that owns it now; or, its dead interval over, finds out
    /// anew who owns it.
    Router {
        /// The host.
        on: String,
        /// The DVIPA.
        to: IpAddr,
        /// It keeps its path.
        keeps: bool,
    },
    /// A host is no longer told that its packets are too long for the path: ICMP type 3, code 4 is filtered.
    FilterTooLong {
        /// The host.
        on: String,
    },
}

/// `router`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Router {
    on: Spanned<String>,
    to: Spanned<String>,
    path: Spanned<String>,
}

/// `filter`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    on: Spanned<String>,
    icmp: Spanned<String>,
}

/// What becomes of a router's path.
const PATHS: [&str; 2] = ["kept", "new"];
/// ICMP messages that are filtered.
const MESSAGES: [&str; 1] = ["fragmentation-needed"];

impl Resolver<'_> {
    pub(super) fn router(&mut self, router: &Router) -> Option<Act> {
        let (on, to) = (self.host(&router.on)?, self.dvipa(&router.to)?);
        let keeps = self.one_of(&router.path, "path", &PATHS)? == "kept";
        Some(Act::Network(NetworkAct::Router { on, to, keeps }))
    }

    pub(super) fn filter(&mut self, filter: &Filter) -> Option<Act> {
        let on = self.host(&filter.on)?;
        self.one_of(&filter.icmp, "ICMP message", &MESSAGES)?;
        Some(Act::Network(NetworkAct::FilterTooLong { on }))
    }
}
