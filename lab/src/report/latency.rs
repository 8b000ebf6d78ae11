//! How long things took: the nine steps, connections and calls, each as a row with a histogram. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use evidence::{Direction, What};
use maud::{Markup, html};

use super::run_dir::Run;
use super::words;

/// Bars of a histogram: five to a power of ten, from 10 µs to 100 s.
const BARS: usize = 35;
const BAR: f64 = 6.0;
const HEIGHT: f64 = 30.0;
/// Rows for calls that are shown.
const CALLS: usize = 40;

/// What took how long.
struct Row {
    name: String,
    /// In milliseconds, the shortest first.
    values: Vec<f64>,
}

/// The section.
pub(super) fn section(run: &Run) -> Markup {
    let (steps, connections) = (steps(run), connections(run));
    html! {
        section #latency aria-labelledby="latency-h" {
            h2 #latency-h { "How long it took" }
            @if steps.is_empty() && connections.is_empty() {
                p.none { "Nothing was measured." }
            } @else {
                @if !steps.is_empty() { (table("Each step, from the one before it, over all jobs", &steps)) }
                @if !connections.is_empty() { (table("Connections and calls, as the captures show them", &connections)) }
            }
        }
    }
}

/// From each step to the next, over all jobs.
fn steps(run: &Run) -> Vec<Row> {
    let mut jobs: BTreeMap<&str, BTreeMap<u8, f64>> = BTreeMap::new();
    for step in run.result.steps.iter().filter(|step| !step.job.is_empty()) {
        if let Some(at) = step.at_ms {
            jobs.entry(&step.job).or_default().insert(step.n, at);
        }
    }
    const NAMES: [(&[u8], u8, &str); 9] = [
        (&[1], 2, "1 → 2: the distributor picks an LPAR"),
        (&[2], 3, "2 → 3: the Debug Miner registers the user"),
        (&[4], 5, "4 → 5: Debug Manager asks the others"),
        (&[5, 4], 6, "5 → 6: the Debug Miner is told"),
        (&[6], 7, "6 → 7: the client is told"),
        (&[7], 8, "7 → 8: the engine is there"),
        (&[8], 9, "8 → 9: the socket is handed over"),
        (&[4], 9, "4 → 9: the whole handoff"),
        (&[1], 9, "1 → 9: all nine steps"),
    ];
    let row = |(from, to, name): &(&[u8], u8, &str)| {
        let values = jobs.values().filter_map(|at| Some(at.get(to)? - from.iter().find_map(|n| at.get(n))?));
        Row::new((*name).to_owned(), values)
    };
    NAMES.iter().filter_map(row).collect()
}

/// From the SYN at the owner to the SYN-ACK of the target, and to the server's word, by port and by name.
fn connections(run: &Run) -> Vec<Row> {
    let flows = run.record.pictures.last().map(|picture| picture.flows.as_slice()).unwrap_or_default();
    let mut asked: BTreeMap<(SocketAddr, SocketAddr), u64> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| flow.seen.syn > 0 && flow.key.direction == Direction::In) {
        let first = asked.entry((flow.key.source, flow.key.destination)).or_insert(flow.seen.first_ns);
        *first = flow.seen.first_ns.min(*first);
    }
    let mut answered: BTreeMap<SocketAddr, Vec<f64>> = BTreeMap::new();
    for flow in flows.iter().filter(|flow| flow.seen.syn_ack > 0 && flow.key.direction == Direction::Out) {
        if let Some(syn) = asked.get(&(flow.key.destination, flow.key.source)) {
            let took = flow.seen.first_ns.saturating_sub(*syn) as f64 / 1e6;
            answered.entry(flow.key.source).or_default().push(took);
        }
    }
    let mut calls: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for event in run.known() {
        if let What::Answered { call, local, peer, .. } = &event.what
            && let Some(syn) = asked.get(&(*local, *peer))
        {
            calls.entry(call).or_default().push(event.t_ns.saturating_sub(*syn) as f64 / 1e6);
        }
    }
    let accepted = answered.into_iter().filter_map(|(at, took)| Row::new(format!("{at}: SYN to SYN-ACK"), took));
    let said = calls.into_iter().filter_map(|(call, took)| Row::new(format!("{call}: SYN to the server's word"), took));
    said.chain(accepted).take(CALLS).collect()
}

impl Row {
    /// Nothing without values.
    fn new(name: String, values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).map(|v| v.max(0.0)).collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self { name, values })
    }

    /// The value below which so many hundredths of all are (nearest rank).
    fn percentile(&self, hundredths: usize) -> f64 {
        let rank = (self.values.len() * hundredths).div_ceil(100).max(1);
        self.values.get(rank - 1).copied().unwrap_or(0.0)
    }

    fn bars(&self) -> [usize; BARS] {
        let mut bars = [0; BARS];
        for value in &self.values {
            bars[bar(*value)] += 1;
        }
        bars
    }
}

/// The bar of a value in milliseconds.
fn bar(ms: f64) -> usize {
    let at = ((ms.max(1e-9).log10() + 2.0) * 5.0).floor();
    if at < 0.0 { 0 } else { (at as usize).min(BARS - 1) }
}

fn table(caption: &str, rows: &[Row]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.latency {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "What" } th.num scope="col" { "How many" }
                        th.num scope="col" { "Median" } th.num scope="col" { "90 %" } th.num scope="col" { "99 %" } th.num scope="col" { "Longest" }
                        th scope="col" { "Histogram " span.when { "10 µs to 100 s" } }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { (row.name) }
                            td.num { (row.values.len()) }
                            @for hundredths in [50, 90, 99, 100] { td.num { (words::lasting(row.percentile(hundredths))) } }
                            td { (histogram(row)) }
                        }
                    }
                }
            }
        }
    }
}

fn histogram(row: &Row) -> Markup {
    let bars = row.bars();
    let most = bars.iter().copied().max().unwrap_or(0).max(1);
    let width = BAR * BARS as f64;
    let words = format!(
        "{}: most between {} and {}",
        row.name,
        words::lasting(row.percentile(10)),
        words::lasting(row.percentile(90))
    );
    html! {
        svg.histogram viewBox={ "0 0 " (width) " " (HEIGHT) } width=(width) height=(HEIGHT) role="img" aria-label=(words) {
            @for power in (0..=BARS).step_by(5) { line.grid x1=(power as f64 * BAR) x2=(power as f64 * BAR) y1="0" y2=(HEIGHT) {} }
            @for (index, &count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
                @let height = (26.0 * count as f64 / most as f64).max(2.0);
                rect.bar x=(index as f64 * BAR + 0.5) y=(HEIGHT - height) width=(BAR - 1.0) height=(height) { title { (count) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let row = Row::new("x".into(), (1..=100).rev().map(f64::from)).expect("values");
        assert_eq!([50, 90, 99, 100].map(|n| row.percentile(n)), [50.0, 90.0, 99.0, 100.0]);
        let one = Row::new("x".into(), [7.0]).expect("a value");
        assert_eq!([50, 99, 100].map(|n| one.percentile(n)), [7.0; 3]);
        assert!(Row::new("x".into(), []).is_none());
    }

    #[test]
    fn each_power_of_ten_has_five_bars() {
        assert_eq!([bar(0.0), bar(0.01), bar(0.1001), bar(1.001), bar(99_999.0), bar(1e9)], [0, 0, 5, 10, 34, 34]);
    }
}
