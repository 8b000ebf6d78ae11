//! Memory of an LPAR: the proportional set size of all its processes, shared pages divided among those who share them.

use std::collections::BTreeMap;
use std::io;

/// Bytes per PID namespace, for every process that `/proc` shows; by the link that names the namespace.
pub(super) fn pss_by_pid_namespace() -> io::Result<BTreeMap<String, u64>> {
    let mut sums = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let Ok(namespace) = std::fs::read_link(path.join("ns/pid")) else { continue };
        let Ok(rollup) = std::fs::read_to_string(path.join("smaps_rollup")) else { continue };
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
        let kib: u64 = pss.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
        *sums.entry(namespace.to_string_lossy().into_owned()).or_insert(0) += kib * 1024;
    }
    Ok(sums)
}
