//! The topology as SVG: the LAN above, XCF below, LPARs between them. Pure.

use maud::{Markup, html};

use super::plan::{Plan, System};
use super::words;

const BOX: f64 = 208.0;
const GAP: f64 = 22.0;
const MARGIN: f64 = 44.0;
/// Where the segments begin, with their names.
const EDGE: f64 = 6.0;
const LAN_Y: f64 = 118.0;
const BOX_Y: f64 = 168.0;
/// Started tasks that are named in a box.
const TASKS: usize = 6;
/// What makes a document of its own SVG.
const SVG: &str = "http://www.w3.org/2000/svg";
/// DVIPAs that are drawn.
const DVIPAS: usize = 6;

/// The figure, and the same in words.
pub(super) fn section(plan: &Plan) -> Markup {
    html! {
        section #topology aria-labelledby="topology-h" {
            h2 #topology-h { "Topology" }
            @if plan.lpars.is_empty() {
                p.none { "Not recorded." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Topology, drawn" { (figure(plan, None)) }
                details { summary { "The topology in words" } (in_words(plan)) }
            }
        }
    }
}

/// The drawing; as a document of its own when it says what lies under it.
pub(crate) fn figure(plan: &Plan, under: Option<&Markup>) -> Markup {
    let across = plan.lpars.len().max(plan.workstations.len()).max(3) as f64;
    let width = MARGIN * 2.0 + across * (BOX + GAP) - GAP;
    let tasks = plan.lpars.iter().map(|lpar| lpar.tasks.len()).max().unwrap_or(0);
    let rows = tasks.min(TASKS) + usize::from(tasks > TASKS);
    let owned = |name: &str| {
        plan.dvipas.iter().filter(|dvipa| dvipa.owner == name || dvipa.targets.iter().any(|t| t == name)).count()
    };
    let badges = plan.lpars.iter().map(|lpar| owned(&lpar.name).min(DVIPAS)).max().unwrap_or(0);
    let height = 66.0 + 20.0 * (rows + badges) as f64;
    let xcf_y = BOX_Y + height + 48.0;
    let place = |index: usize, of: usize| {
        let start = (width - (of as f64 * (BOX + GAP) - GAP)) / 2.0;
        start + index as f64 * (BOX + GAP)
    };
    html! {
        svg.topology xmlns=[under.map(|_| SVG)] viewBox={ "0 0 " (width) " " (xcf_y + 40.0) } width=(width) height=(xcf_y + 40.0) role="img" aria-labelledby="topo-title topo-desc" {
            title #topo-title { "Sysplex " (plan.name) ": " (words::count(plan.lpars.len() as u64, "LPAR")) " between LAN and XCF" }
            desc #topo-desc { "Workstations on the LAN; each LPAR with its addresses on LAN and XCF, the DVIPAs that it owns or holds hidden, and its started tasks." }
            @if let Some(under) = under { (under) }
            line.lan x1=(EDGE) x2=(width - EDGE) y1=(LAN_Y) y2=(LAN_Y) {}
            text.segment x=(EDGE) y=(LAN_Y + 20.0) { "LAN " (plan.lan) }
            line.xcf x1=(EDGE) x2=(width - EDGE) y1=(xcf_y) y2=(xcf_y) {}
            text.segment x=(EDGE) y=(xcf_y + 22.0) { "XCF " (plan.xcf) ": forwarded packets, the Debug Manager hub" }
            @for (index, (name, address)) in plan.workstations.iter().enumerate() {
                @let (x, middle) = (place(index, plan.workstations.len()), place(index, plan.workstations.len()) + BOX / 2.0);
                g class={ "node hue-" (plan.hue(name)) } {
                    line.wire x1=(middle) x2=(middle) y1="70" y2=(LAN_Y) {}
                    rect.floor x=(x) y="14" width=(BOX) height="56" rx="10" {}
                    text.host x=(middle) y="38" { (words::cut_short(name, 20)) }
                    text.detail x=(middle) y="57" { "workstation " (address) }
                }
            }
            @for (index, lpar) in plan.lpars.iter().enumerate() {
                (lpar_box(plan, lpar, place(index, plan.lpars.len()), (height, xcf_y)))
            }
        }
    }
}

fn lpar_box(plan: &Plan, lpar: &System, x: f64, (height, xcf_y): (f64, f64)) -> Markup {
    let middle = x + BOX / 2.0;
    let badges = plan.dvipas.iter().filter_map(|dvipa| {
        let owner = dvipa.owner == lpar.name;
        let target = dvipa.targets.contains(&lpar.name);
        (!lpar.is_down && (owner || target)).then_some((
            dvipa.address.as_str(),
            if owner { "" } else { ", hidden" },
            owner,
        ))
    });
    let badges: Vec<_> = badges.take(DVIPAS).collect();
    let after = BOX_Y + 66.0 + 20.0 * badges.len() as f64;
    html! {
        g class={ "node hue-" (plan.hue(&lpar.name)) @if lpar.is_down { " gone" } } {
            line.wire x1=(middle) x2=(middle) y1=(LAN_Y) y2=(BOX_Y) {}
            line.wire.dashed x1=(middle) x2=(middle) y1=(BOX_Y + height) y2=(xcf_y) {}
            rect.floor x=(x) y=(BOX_Y) width=(BOX) height=(height) rx="10" {}
            rect.cap x=(x) y=(BOX_Y) width=(BOX) height="4" rx="2" {}
            text.detail x=(middle + 8.0) y=(BOX_Y - 12.0) text-anchor="start" { (lpar.home) }
            text.detail x=(middle + 8.0) y=(BOX_Y + height + 20.0) text-anchor="start" { (lpar.xcf) }
            text.host x=(middle) y=(BOX_Y + 30.0) { (words::cut_short(&lpar.name, 20)) @if lpar.is_down { tspan.down { " is down" } } }
            @for (row, (address, how, owner)) in badges.iter().enumerate() {
                @let y = BOX_Y + 44.0 + 20.0 * row as f64;
                rect class=(if *owner { "badge owner" } else { "badge" }) x=(x + 12.0) y=(y) width=(BOX - 24.0) height="17" rx="8.5" {}
                text class=(if *owner { "vip owner" } else { "vip" }) x=(middle) y=(y + 12.5) { @if *owner { "owns " } @else { "holds " } (address) (how) }
            }
            @for (row, (task, ports)) in lpar.tasks.iter().take(TASKS).enumerate() {
                text.task x=(x + 16.0) y=(after + 20.0 * row as f64) {
                    tspan.strong { (words::cut_short(task, 10)) } " " tspan { (words::cut_short(ports, 18)) }
                }
            }
            @if lpar.tasks.len() > TASKS {
                text.task x=(x + 16.0) y=(after + 20.0 * TASKS as f64) { "and " (lpar.tasks.len() - TASKS) " more" }
            }
        }
    }
}

fn in_words(plan: &Plan) -> Markup {
    html! {
        ul {
            @for (name, address) in &plan.workstations { li { "Workstation " b { (name) } " at " (address) " on the LAN " (plan.lan) } }
            @for dvipa in &plan.dvipas {
                li {
                    "DVIPA " b { (dvipa.address) } ", owned by " (dvipa.owner)
                    @if !dvipa.backups.is_empty() { ", backed up by " (dvipa.backups.join(", ")) }
                    @if !dvipa.ports.is_empty() { "; distributes " (words::cut(&dvipa.ports.join("; "), 400)) }
                    @if !dvipa.targets.is_empty() { " to " (dvipa.targets.join(", ")) }
                }
            }
            @for lpar in &plan.lpars {
                li {
                    "LPAR " b { (lpar.name) } " at " (lpar.home) " on the LAN and " (lpar.xcf) " on XCF " (plan.xcf) @if lpar.is_down { ", is down" } "; runs "
                    @if lpar.tasks.is_empty() { "nothing" }
                    @for (index, (task, ports)) in lpar.tasks.iter().enumerate() {
                        @if index > 0 { ", " } (task) @if !ports.is_empty() { " (" (words::cut(ports, 200)) ")" }
                    }
                }
            }
        }
    }
}
