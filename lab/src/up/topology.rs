//! The sysplex that a file describes: a topology, a scenario with its topology, or a site's z/OS members.

use std::path::Path;

use sysplex::Sysplex;

use crate::scenario::{Scenario, read_bounded};
use crate::site;

/// Keys that only a scenario has.
const OF_SCENARIOS: [&str; 5] = ["title", "topology", "members", "plex", "step"];

/// Reads a topology, a scenario's topology, or a directory with a site's z/OS members.
///
/// # Errors
/// Everything that is wrong, ready to be shown.
pub(crate) fn load(path: &Path) -> Result<Sysplex, Vec<String>> {
    if path.is_dir() {
        let files = site::read(&[path.to_owned()]).map_err(|why| vec![format!("error: {why}")])?;
        return site::import(&files).map(|imported| imported.sysplex);
    }
    let source = read_bounded(path).map_err(|e| vec![format!("error: cannot read {}: {e}", path.display())])?;
    if is_scenario(&source) {
        return Scenario::load(path).map(|scenario| scenario.sysplex);
    }
    let shown = path.display().to_string();
    Sysplex::from_toml(&source).map_err(|all| all.iter().map(|problem| problem.render(&shown, &source)).collect())
}

/// What cannot be read at all is none; then the error of a topology says where.
fn is_scenario(source: &str) -> bool {
    let table: toml::Table = source.parse().unwrap_or_default();
    OF_SCENARIOS.iter().any(|key| table.contains_key(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_known_by_its_keys() {
        assert!(is_scenario("title = \"t\"\ntopology = \"x.toml\""));
        assert!(is_scenario("[[plex.lpar]]\nname = \"LPAR1\""));
        assert!(!is_scenario("[sysplex]\nname = \"PLEX1\"\n[[lpar]]\nname = \"LPAR1\""));
        assert!(!is_scenario("title = "));
    }
}
