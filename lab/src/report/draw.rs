//! The sequence diagram as SVG: a lane per host, a line per process, an arrow per step, faults shaded behind them. Pure.

use maud::{Markup, html};

use super::fault::Fault;
use super::run_dir::Run;
use super::sequence::{Arrow, Role, Sequence};
use super::words;

/// Width of a column, and of the margin with the times.
const COLUMN: f64 = 162.0;
const MARGIN: f64 = 104.0;
/// Where the arrows begin.
const TOP: f64 = 118.0;
/// Least and most distance between two arrows.
const NEAR: f64 = 40.0;
const FAR: f64 = 84.0;

/// What is drawn, with its places.
pub(super) struct Drawing<'a> {
    run: &'a Run,
    sequence: &'a Sequence,
    /// Where each arrow is.
    y: Vec<f64>,
    height: f64,
    /// Prefix of the `id`s.
    id: String,
}

impl<'a> Drawing<'a> {
    /// Finds the places.
    pub(super) fn new(run: &'a Run, sequence: &'a Sequence) -> Self {
        let mut y = Vec::new();
        let mut at = TOP;
        for (index, arrow) in sequence.arrows.iter().enumerate() {
            if index > 0 {
                let since = match (sequence.arrows[index - 1].at_ms, arrow.at_ms) {
                    (Some(before), Some(now)) => (now - before).max(0.0),
                    _ => 0.0,
                };
                at += (NEAR + 14.0 * (1.0 + since).log10() * 2.0).min(FAR);
            }
            y.push(at);
        }
        Self { run, sequence, height: at + 44.0, y, id: words::id(&sequence.whose.job) }
    }

    fn x(&self, column: usize) -> f64 {
        MARGIN + COLUMN * (column as f64 + 0.5)
    }

    fn width(&self) -> f64 {
        MARGIN + COLUMN * self.sequence.columns.len() as f64 + 8.0
    }

    /// Where a moment is, between the arrows before and after it.
    fn y_at(&self, ms: f64) -> f64 {
        let known = self.sequence.arrows.iter().zip(&self.y).filter_map(|(arrow, &y)| Some((arrow.at_ms?, y)));
        let (mut before, mut after) = ((f64::NEG_INFINITY, TOP - 26.0), (f64::INFINITY, self.height - 12.0));
        for (at, y) in known {
            if at <= ms {
                before = (at, y);
            } else if at < after.0 {
                after = (at, y);
            }
        }
        let part = if before.0.is_finite() && after.0.is_finite() && after.0 > before.0 {
            (ms - before.0) / (after.0 - before.0)
        } else {
            0.5
        };
        before.1 + (after.1 - before.1) * part
    }

    /// The figure.
    pub(super) fn svg(&self, faults: &[Fault]) -> Markup {
        let (width, height, job) = (self.width(), self.height, &self.sequence.whose.job);
        let (title, desc) = (format!("seq-{}-title", self.id), format!("seq-{}-desc", self.id));
        html! {
            svg.sequence viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="group"
                aria-labelledby=(title) aria-describedby=(desc) {
                title id=(title) { "The nine steps of " (job) " as a sequence diagram" }
                desc id=(desc) { "Each arrow is a link to its evidence in the list after this figure, which says the same in words." }
                defs { (self.markers()) }
                (self.lanes())
                @for fault in faults { (self.fault(fault)) }
                @for (index, column) in self.sequence.columns.iter().enumerate() {
                    line.life x1=(self.x(index)) x2=(self.x(index)) y1="78" y2=(height - 14.0) {}
                    text.who x=(self.x(index)) y="52" { (words::cut_short(&column.name, 16)) }
                    text.role x=(self.x(index)) y="68" { (role(column.role)) }
                }
                @for (arrow, &y) in self.sequence.arrows.iter().zip(&self.y) { (self.arrow(arrow, y)) }
            }
        }
    }

    fn markers(&self) -> Markup {
        html! {
            @for (name, class) in [("ok", "head"), ("no", "head missing")] {
                marker id={ "tip-" (name) "-" (self.id) } viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse" {
                    path class=(class) d="M0,0.6 L9.4,5 L0,9.4 Z" {}
                }
            }
            (hatch(&format!("hatch-{}", self.id)))
        }
    }

    /// A lane for each host.
    fn lanes(&self) -> Markup {
        let mut lanes: Vec<(&str, usize, usize)> = Vec::new();
        for (index, column) in self.sequence.columns.iter().enumerate() {
            match lanes.last_mut() {
                Some((system, _, count)) if *system == column.system => *count += 1,
                _ => lanes.push((&column.system, index, 1)),
            }
        }
        html! {
            @for (system, first, count) in lanes {
                @let (x, width) = (MARGIN + COLUMN * first as f64 + 5.0, COLUMN * count as f64 - 10.0);
                g class={ "lane hue-" (self.run.hue(system)) } {
                    rect.floor x=(x) y="6" width=(width) height=(self.height - 12.0) rx="10" {}
                    rect.cap x=(x) y="6" width=(width) height="4" rx="2" {}
                    text.host x=(x + width / 2.0) y="30" { (words::cut_short(system, 24)) }
                }
            }
        }
    }

    fn fault(&self, fault: &Fault) -> Markup {
        let (from, to) = (self.run.ms(fault.from), fault.to.map(|to| self.run.ms(to)));
        let top = self.y_at(from);
        let bottom = to.map_or(self.height - 12.0, |to| self.y_at(to)).max(top + 4.0);
        html! {
            g.fault {
                title { "Fault: " (fault.name) }
                rect x=(MARGIN) y=(top) width=(self.width() - MARGIN - 8.0) height=(bottom - top) fill={ "url(#hatch-" (self.id) ")" } {}
                text x=(self.width() - 16.0) y=(top + 13.0) { "fault: " (words::cut_short(&fault.name, 40)) }
            }
        }
    }

    fn arrow(&self, arrow: &Arrow, y: f64) -> Markup {
        let (from, to) = (self.x(arrow.from), self.x(arrow.to));
        let towards = if to < from { -1.0 } else { 1.0 };
        let kind = match arrow {
            arrow if arrow.is_needless() => "step needless",
            arrow if arrow.at_ms.is_none() => "step missing",
            arrow if !arrow.ok => "step wrong",
            _ => "step",
        };
        let bad = arrow.at_ms.is_none() || !arrow.ok;
        let when =
            arrow.at_ms.map_or_else(|| if arrow.ok { "–" } else { "not seen" }.to_owned(), |ms| words::at(ms) + " ms");
        let tip = format!("url(#tip-{}-{})", if bad { "no" } else { "ok" }, self.id);
        let label = words::cut_short(&arrow.label, 34);
        html! {
            a class=(kind) href={ "#" (anchor(&self.sequence.whose.job, arrow.n)) } {
                rect.hit x="2" y=(y - 25.0) width=(self.width() - 10.0) height="34" rx="6" {}
                text.time x=(MARGIN - 10.0) y=(y + 4.0) { (when) }
                " "
                @if arrow.is_needless() {
                    text.label x=(from.midpoint(to)) y=(y + 4.0) { "(" (arrow.n) " is not needed: user and job are on one LPAR)" }
                } @else {
                    line.shaft x1=(from) x2=(to - towards * 2.0) y1=(y) y2=(y) marker-end=(tip) {}
                    @if let Some(via) = arrow.via { circle.via cx=(self.x(via)) cy=(y) r="4.5" {} }
                    text.label x=(from.midpoint(to) + towards * 4.0) y=(y - 10.0) { (label) }
                    " "
                    circle.badge cx=(from) cy=(y) r="10" {}
                    text.number x=(from) y=(y + 4.0) { (arrow.n) }
                }
            }
        }
    }
}

/// The `id` of a step's evidence.
pub(super) fn anchor(job: &str, n: u8) -> String {
    format!("step-{}-{n}", words::id(job))
}

/// The pattern of faults.
pub(super) fn hatch(id: &str) -> Markup {
    html! {
        pattern id=(id) width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
            rect.hatch-floor width="8" height="8" {}
            line.hatch-line x1="0" x2="0" y1="0" y2="8" {}
        }
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Client => "Eclipse client",
        Role::Distributor => "distributor",
        Role::Rse => "RSE, Debug Miner",
        Role::Manager => "Debug Manager",
        Role::Job => "job, debugger",
    }
}
