//! The page: one file, nothing from outside, every section from the same run. Pure.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::run_dir::Run;
use super::{connections, fault, latency, log, packet_list, steps, timeline, topology, verdict};

const STYLE: &str =
    concat!(include_str!("assets/colours.css"), include_str!("assets/report.css"), include_str!("assets/topology.css"));
const SCRIPT: &str = include_str!("assets/report.js");
/// Largest result that is put into the page for programs, in bytes.
const LARGEST_ISLAND: usize = 256 << 10;

/// What every report has around its sections.
pub(super) struct Shell<'a> {
    /// Of the window.
    pub(super) title: String,
    /// The sections: `id` and name.
    pub(super) sections: &'a [(&'a str, &'a str)],
    /// Where the evidence is.
    pub(super) directory: Option<&'a Path>,
    /// Of what it is: a run, a soak.
    pub(super) of: &'a str,
}

/// The page of a run.
pub(super) fn render(run: &Run) -> String {
    let faults = fault::seen(run.events.iter());
    let result = &run.result;
    let sections = [
        ("steps", "Steps"),
        ("proofs", "Kernel"),
        ("connections", "Connections"),
        ("topology", "Topology"),
        ("timeline", "Timeline"),
        ("latency", "Latency"),
        ("packets", "Packets"),
        ("logs", "Logs"),
    ];
    let title = format!("{}: {} on {}", result.verdict.as_str(), result.scenario, result.backend);
    let shell = Shell { title, sections: &sections, directory: result.out.as_deref(), of: "run" };
    let main = html! {
        (verdict::header(run))
        (steps::section(run, &faults))
        (verdict::proofs(run))
        (connections::section(run))
        (topology::section(&run.record.plan))
        (timeline::section(run, &faults))
        (latency::section(run))
        (packet_list::section(run))
        (log::section(run))
    };
    shell.around(&main, result)
}

impl Shell<'_> {
    /// The whole page. `result` is for programs that are given the page alone.
    pub(super) fn around(&self, main: &Markup, result: &impl Serialize) -> String {
        let first = self.sections.first().copied().unwrap_or_default();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="generator" content={ "dvipa-lab " (env!("CARGO_PKG_VERSION")) };
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href={ "#" (first.0) } { "Skip to the " (first.1.to_lowercase()) }
                    nav aria-label="Sections" {
                        span.brand { "DVIPA Lab" }
                        ul { @for (id, name) in self.sections { li { a href={ "#" (id) } { (name) } } } }
                        button #theme type="button" hidden { "Dark" }
                    }
                    main { (main) }
                    footer {
                        p {
                            "Written by " code { "lab" } " " (env!("CARGO_PKG_VERSION")) " from the " (self.of) "'s directory"
                            @if let Some(out) = self.directory { " " code { (out.display()) } }
                            ", where all of the evidence is. " code { "lab report" } " writes it anew."
                        }
                    }
                    (island(result))
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }
}

/// Only this page's own style and script are allowed, whatever else its texts may contain.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!("default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'")
}

/// The result for programs that are given the page alone. `<` is escaped as JSON does it, so that no text ends the element.
fn island(result: &impl Serialize) -> Markup {
    let json = serde_json::to_string(result).unwrap_or_default().replace('<', "\\u003c");
    html! {
        @if json.len() <= LARGEST_ISLAND { script #result type="application/json" { (PreEscaped(json)) } }
    }
}
