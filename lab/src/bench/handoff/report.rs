//! What was measured, as a table or as JSON. What is asked of the figures stands beside them and is not judged here.

use serde::Serialize;

use super::bytes::Bytes;
use super::dormant::Dormant;
use super::others::REMEDY;
use super::pipeline::Loop;
use super::{Handoff, Measured, Processor, Rates};
use crate::backends::Known;
use crate::bench::realm::median;
use crate::bench::traffic::{Compared, compare};

const MIB: f64 = 1024.0 * 1024.0;

/// Everything.
#[derive(Debug, Serialize)]
struct Figures<'a> {
    backend: &'a str,
    runs: u32,
    for_ms: u128,
    /// Of the machine over the minute before, and how many processors it has.
    load: f64,
    processors: usize,
    /// MiB in a second.
    to_client: Option<Ways>,
    to_server: Option<Ways>,
    handoffs: Vec<InFlight>,
    dormant: Option<Asleep>,
}

/// Bytes: direct (base) and handed over (found), and who else was there.
#[derive(Debug, Serialize)]
struct Ways {
    handed_over: Compared,
    haproxy: Option<f64>,
    socat: Option<f64>,
}

/// Handoffs with one number in flight.
#[derive(Debug, Serialize)]
struct InFlight {
    in_flight: u32,
    handoffs: Over,
    haproxy: Option<Over>,
    /// Handoffs per connection of HAProxy.
    ratio: Option<f64>,
    processor_us: Processor,
}

/// Medians over the runs, and the worst p99.
#[derive(Debug, Serialize)]
struct Over {
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    p99_worst_ms: f64,
    whole_p50_ms: f64,
    whole_p99_ms: f64,
}

/// Dormant sessions, in MiB (RSS, PSS) and milliseconds.
#[derive(Debug, Serialize)]
struct Asleep {
    sessions: usize,
    idle_mib: [f64; 2],
    with_them_mib: [f64; 2],
    primary_mib: [f64; 2],
    idle_p50_ms: f64,
    p50_ms: f64,
    ratio: f64,
    p99_ms: f64,
}

pub(super) fn say(what: &Handoff, backend: &Known, load: f64, measured: Option<&Measured>, dormant: Option<&Dormant>) {
    let figures = Figures {
        backend: backend.name,
        runs: what.runs,
        for_ms: what.time.as_millis(),
        load,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        to_client: measured.and_then(|it| ways(&it.to_client)),
        to_server: measured.and_then(|it| ways(&it.to_server)),
        handoffs: measured.map_or_else(Vec::new, |it| it.rates.iter().filter_map(in_flight).collect()),
        dormant: dormant.map(asleep),
    };
    if what.json {
        crate::say!("{}", serde_json::to_string(&figures).unwrap_or_default());
        return;
    }
    crate::say!(
        "{}, medians of {} runs of {} each, in turn; {} processors, load {load:.1} before",
        figures.backend,
        figures.runs,
        humantime::format_duration(what.time),
        figures.processors
    );
    for (name, ways) in [("to the client", &figures.to_client), ("to the server", &figures.to_server)] {
        if let Some(ways) = ways {
            say_bytes(name, ways);
        }
    }
    if !figures.handoffs.is_empty() {
        say_handoffs(&figures.handoffs);
    }
    if measured.is_some_and(|it| !(it.haproxy && it.socat)) {
        crate::say!("  HAProxy or socat {REMEDY}");
    }
    if let Some(dormant) = &figures.dormant {
        say_dormant(dormant);
    }
}

fn say_bytes(name: &str, ways: &Ways) {
    let Compared { base, found, ratio, quartiles: [low, high] } = ways.handed_over;
    let other = |mib: Option<f64>| mib.map_or_else(|| "-".to_owned(), |mib| format!("{mib:.0}"));
    crate::say!(
        "  MiB/s {name}: direct {base:>6.0}   handed over {found:>6.0}   ratio {ratio:.2} ({low:.2} to {high:.2}; asked 0.95)   \
         HAProxy {:>6}   socat {:>6}",
        other(ways.haproxy),
        other(ways.socat)
    );
}

fn say_handoffs(all: &[InFlight]) {
    crate::say!(
        "  cross-LPAR handoffs, from `waiting` to the first DAP message at the debugger; HAProxy: from SYN to the first byte"
    );
    crate::say!(
        "  in flight   per s   p50 ms   p99 ms (worst)   with the logon p50/p99 ms    HAProxy per s   p50 ms   p99 ms   ratio"
    );
    for InFlight { in_flight, handoffs: own, haproxy, ratio, .. } in all {
        let beside = match (haproxy, ratio) {
            (Some(it), Some(ratio)) => format!("{:>13.0} {:>8.2} {:>8.2} {ratio:>7.2}", it.per_s, it.p50_ms, it.p99_ms),
            _ => format!("{:>13}", "-"),
        };
        crate::say!(
            "  {in_flight:>9} {:>7.0} {:>8.2} {:>8.2} {:>7.2} {:>16.2} {:>10.2} {beside:>18}",
            own.per_s,
            own.p50_ms,
            own.p99_ms,
            own.p99_worst_ms,
            own.whole_p50_ms,
            own.whole_p99_ms,
        );
    }
    crate::say!("  asked: p99 at 100 in flight at most 20 ms");
    for InFlight { in_flight, processor_us: of, .. } in all {
        crate::say!(
            "  {in_flight:>9} in flight, processor time of a handoff: Debug Manager {:.0} us at the job, {:.0} us at the user, RSE daemon {:.0} us",
            of.jobs_manager,
            of.users_manager,
            of.rsed
        );
    }
}

fn say_dormant(it: &Asleep) {
    let Asleep { sessions, idle_mib: idle, with_them_mib: with, primary_mib: primary, .. } = it;
    crate::say!(
        "  {sessions} dormant sessions: Debug Manager {:.1} MiB RSS, {:.1} PSS, idle {:.1} and {:.1} (asked: at most 60); the hub's \
         primary {:.1} RSS, {:.1} PSS",
        with[0],
        with[1],
        idle[0],
        idle[1],
        primary[0],
        primary[1]
    );
    crate::say!(
        "  a new handoff with them: p50 {:.2} ms, p99 {:.2} ms; idle p50 {:.2} ms; ratio {:.2} (asked: at most 2)",
        it.p50_ms,
        it.p99_ms,
        it.idle_p50_ms,
        it.ratio
    );
}

fn ways(bytes: &Bytes) -> Option<Ways> {
    let mib = |bytes: &[f64]| bytes.iter().map(|bytes| bytes / MIB).collect::<Vec<_>>();
    let some = |bytes: &[f64]| (!bytes.is_empty()).then(|| median(mib(bytes)));
    some(&bytes.direct)?;
    let handed_over = compare(&mib(&bytes.direct), &mib(&bytes.handed_over));
    Some(Ways { handed_over, haproxy: some(&bytes.haproxy), socat: some(&bytes.socat) })
}

fn in_flight(rates: &Rates) -> Option<InFlight> {
    let handoffs = over(&rates.handoffs)?;
    let haproxy = over(&rates.haproxy);
    let ratio = haproxy.as_ref().map(|other| handoffs.per_s / other.per_s);
    let of = |pick: fn(&Processor) -> f64| median(rates.processor.iter().map(pick).collect());
    let processor_us = Processor {
        jobs_manager: of(|it| it.jobs_manager),
        users_manager: of(|it| it.users_manager),
        rsed: of(|it| it.rsed),
    };
    Some(InFlight { in_flight: rates.in_flight, handoffs, haproxy, ratio, processor_us })
}

fn over(loops: &[Loop]) -> Option<Over> {
    let of = |pick: fn(&Loop) -> f64| median(loops.iter().map(pick).collect());
    let p99_worst_ms = loops.iter().map(|it| it.p99_ms).max_by(f64::total_cmp)?;
    Some(Over {
        per_s: of(|it| it.per_s),
        p50_ms: of(|it| it.p50_ms),
        p99_ms: of(|it| it.p99_ms),
        p99_worst_ms,
        whole_p50_ms: of(|it| it.whole_p50_ms),
        whole_p99_ms: of(|it| it.whole_p99_ms),
    })
}

fn asleep(it: &Dormant) -> Asleep {
    let mib = |bytes: [u64; 2]| bytes.map(|bytes| bytes as f64 / MIB);
    let p50 = |loops: &[Loop]| median(loops.iter().map(|it| it.p50_ms).collect());
    let (idle_p50_ms, p50_ms) = (p50(&it.handoffs_idle), p50(&it.handoffs_with_them));
    Asleep {
        sessions: it.sessions,
        idle_mib: mib(it.idle),
        with_them_mib: mib(it.with_them),
        primary_mib: mib(it.primary_with_them),
        idle_p50_ms,
        p50_ms,
        ratio: p50_ms / idle_p50_ms,
        p99_ms: median(it.handoffs_with_them.iter().map(|it| it.p99_ms).collect()),
    }
}
