//! The page of a soak. Pure.

use maud::html;

use super::dir::Soak;
use super::verdict::{self, Verdict};
use super::{faults, growth, latency, sessions, timeline, violations};
use crate::report::page::Shell;
use crate::report::topology;

/// The whole page.
pub(in crate::report) fn render(soak: &Soak) -> String {
    let sections = [
        ("invariants", "Invariants"),
        ("timeline", "Timeline"),
        ("latency", "Latency"),
        ("sessions", "Sessions"),
        ("faults", "Faults"),
        ("growth", "Growth"),
        ("topology", "Topology"),
    ];
    let main = html! {
        (verdict::header(soak))
        (violations::section(soak))
        (timeline::section(soak))
        (latency::section(soak))
        (sessions::section(soak))
        (faults::section(soak))
        (growth::section(soak))
        (topology::section(&soak.topology))
    };
    let title =
        format!("{}: soak of {}, seed {}", Verdict::of(soak).as_str(), soak.topology.name, soak.plan.settings.seed);
    Shell { title, sections: &sections, directory: Some(&soak.directory), of: "soak" }.around(&main, &soak.summary)
}
