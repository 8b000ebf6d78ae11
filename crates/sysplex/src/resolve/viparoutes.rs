//! VIPAROUTE statements.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use toml::Spanned;

use super::Problems;
use crate::model::Lpar;
use crate::names::cut;
use crate::raw::Topology;

pub(super) fn resolve(topology: &Topology, lpars: &[Lpar], problems: &mut Problems) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
    let mut routes = BTreeMap::new();
    for table in &topology.viparoute {
        let lpar = lpars.iter().find(|lpar| lpar.xcf.to_string() == *table.dynxcf.get_ref());
        let Some(lpar) = lpar else {
            unknown(&table.dynxcf, "dynamic XCF address", lpars.iter().map(|lpar| lpar.xcf), problems);
            continue;
        };
        if lpar.home.to_string() != *table.target.get_ref() {
            unknown(&table.target, &format!("other address of {}", lpar.name), [lpar.home].into_iter(), problems);
        } else if routes.insert(lpar.xcf, lpar.home).is_some() {
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
