//! VIPAROUTE statements.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use toml::Spanned;

use super::Problems;
use crate::model::Lpar;
use crate::names::cut;
use crate::raw::Topology;

/// The other address may be anybody's, or nobody's, as on z/OS; that is a warning.
pub(super) fn resolve(
    topology: &Topology,
    lan: Ipv4Net,
    lpars: &[Lpar],
    problems: &mut Problems,
) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
    let mut routes = BTreeMap::new();
    for table in &topology.viparoute {
        let lpar = lpars.iter().find(|lpar| lpar.xcf.to_string() == *table.dynxcf.get_ref());
        let Some(lpar) = lpar else {
            unknown(&table.dynxcf, "dynamic XCF address", lpars.iter().map(|lpar| lpar.xcf), problems);
            continue;
        };
        let target = table.target.get_ref().parse().ok().filter(|target| lan.contains(target));
        let Some(target) = target else {
            let message = format!(
                "`{}` is no address on the LAN, {lan}: expected one of {}, {}",
                cut(table.target.get_ref()),
                lpar.name,
                lpar.home
            );
            problems.add(table.target.span(), message);
            continue;
        };
        if routes.insert(lpar.xcf, target).is_some() {
            problems.add(table.dynxcf.span(), format!("two VIPAROUTEs for {}: expected one", lpar.xcf));
        }
    }
    routes
}

fn unknown(found: &Spanned<String>, kind: &str, right: impl Iterator<Item = Ipv4Addr>, problems: &mut Problems) {
    let right: Vec<String> = right.map(|address| address.to_string()).collect();
    let message = format!("`{}` is no {kind}: expected {}", cut(found.get_ref()), right.join(" or "));
    problems.add(found.span(), message);
}
