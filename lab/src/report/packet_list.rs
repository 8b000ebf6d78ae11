//! Packets: how each connection began and ended on each interface. Pure.

use maud::{Markup, html};

use super::ends::within;
use super::evidence::line;
use super::run_dir::Run;
use super::words;

/// Bytes that the list may take.
const BUDGET: usize = 400_000;
/// Lines.
const MOST: usize = 1_500;

/// The section.
pub(super) fn section(run: &Run) -> Markup {
    let packets = &run.packets;
    let lines = within(packets.kept.iter().take(MOST).map(|packet| line(run, packet)), BUDGET);
    let left_out = packets.left_out + (packets.kept.len() - lines.len()) as u64;
    html! {
        section #packets aria-labelledby="packets-h" {
            h2 #packets-h { "Packets" }
            @if lines.is_empty() { p.none { "No capture." } } @else {
                details {
                    summary {
                        "The first packets of each connection on each interface: " (words::count(lines.len() as u64, "packet"))
                        @if left_out > 0 { ", " (left_out) " left out" }
                    }
                    pre tabindex="0" aria-label="packets" { code { @for line in &lines { (line) "\n" } } }
                }
            }
            @for trouble in packets.troubles.iter().take(20) { p.cut { "Not read to its end: " (trouble) } }
        }
    }
}
