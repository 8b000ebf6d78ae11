//! The report of a soak: one page that says what happened, escapes what is told, and stays small however long the soak was. From
//! directories written here; `soak.rs` looks at that of a real soak.

#[path = "report/page.rs"]
mod page;

use std::fmt::Write as _;
use std::path::Path;

use page::{all, lab, report, text_of, write};
use scraper::Html;
use serde_json::{Value, json};
use soak::model::{Kind, Violation};
use soak::summary::{Histogram, Summary};
use sysplex::Sysplex;

const MIB: usize = 1 << 20;
/// When it begins, `CLOCK_MONOTONIC`.
const BEGIN_NS: u64 = 46_613_000_000_000;
const HOSTILE: &str = r#"<script>alert(1)</script><img src=x onerror="alert(2)">&amp;</script><!-- ]]> '"#;

/// A soak of so many seconds, with a snapshot each ten, and so many faults.
struct Soak {
    seconds: u64,
    faults: u64,
    summary: Summary,
}

fn soak(seconds: u64, faults: u64) -> Soak {
    let mut handoffs = Histogram::default();
    (0..seconds * 200).for_each(|n| handoffs.add(300 + n % 977 + if n % 150 == 0 { 900_000 } else { 0 }));
    let mut summary: Summary = serde_json::from_value(zero()).expect("a summary");
    summary.ran_ms = seconds * 1000;
    summary.finished = true;
    (summary.counts.sessions, summary.counts.reached, summary.counts.excused) = (seconds * 200 + 3, seconds * 200, 3);
    summary.counts.excuses = [("LPAR2 is gone without a word".to_owned(), 3)].into();
    (summary.per_s, summary.p50_us, summary.p99_us) = (200.0, handoffs.quantile(500), handoffs.quantile(990));
    summary.handoffs = handoffs;
    summary.faults = [(soak::fault::Kind::Kill, faults / 2), (soak::fault::Kind::Crash, faults.div_ceil(2))].into();
    let slope = json!({"first": 9000.0, "last": 9100.0, "most": 9200.0, "per_hour": 120.5, "growth": 60.0});
    let grown = |n: u64| {
        json!({"of": format!("DBGMGR on LPAR{n}"), "quantity": "rss_kib", "slope": slope,
            "budget": {"per_hour": 4096.0, "floor": 8192.0}, "keeps": true})
    };
    summary.grown = (1..=150).map(|n| serde_json::from_value(grown(n)).expect("a series")).collect();
    Soak { seconds, faults, summary }
}

fn zero() -> Value {
    serde_json::to_value(Summary::default()).expect("JSON")
}

fn job(n: u64) -> String {
    soak::plan::job_name(n)
}

impl Soak {
    fn fault(&self, n: u64) -> (u64, Value) {
        let fault = match n % 2 {
            0 => json!({"kind": "crash", "lpar": "LPAR2"}),
            _ => json!({"kind": "kill", "task": "DBGMGR", "on": "LPAR1"}),
        };
        (self.seconds * 1000 * (2 * n + 1) / (2 * self.faults.max(1)), fault)
    }

    /// Written as the lab would; events only of the last minutes, as of a long soak.
    fn written(&self) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let planned = |n: u64| {
            let (at_ms, mut fault) = self.fault(n);
            fault["at_ms"] = at_ms.into();
            fault["for_ms"] = 4000.into();
            fault
        };
        let plan = json!({"sysplex": Sysplex::uniform(2), "backend": "nftables",
            "settings": {"seed": 77, "duration_ms": self.seconds * 1000, "users": 200, "rate": 200.0, "lpars": ["LPAR1", "LPAR2"]},
            "stays_ms": 200, "patience_ms": 30_000, "faults": (0..self.faults).map(planned).collect::<Vec<_>>()});
        write(directory.path(), "plan.json", &plan.to_string());
        write(directory.path(), "summary.json", &serde_json::to_string(&self.summary).expect("JSON"));
        let (mut snapshots, mut faults, mut events) = (String::new(), String::new(), String::new());
        for n in 1..=self.seconds / 10 {
            let t_ms = n * 10_000;
            let line = json!({"t_ms": t_ms, "t_ns": BEGIN_NS + t_ms * 1_000_000, "finished": n == self.seconds / 10, "reached": n * 2000,
                "excused": 0, "open": 3 + n % 11, "users": 190 + n % 10, "faults": n, "standing": [], "cpu_percent": 20.5, "rss_mib": 40.0,
                "vcrt": 300 + n % 50, "p99_us": 900_000, "violations": 0, "lately": {"p50_us": 800 + n % 90, "p99_us": 1200 + n % 700}});
            let _ = writeln!(snapshots, "{line}");
        }
        for n in 0..self.faults {
            let (at_ms, fault) = self.fault(n);
            let _ = writeln!(faults, "{}", json!({"t_ms": at_ms, "t_ns": 1, "fault": n, "begins": fault}));
            let _ = writeln!(
                faults,
                "{}",
                json!({"t_ms": at_ms + 4000, "t_ns": 1, "fault": n, "healed": fault, "failed": null})
            );
        }
        for n in 0..6000_u64 {
            let t_ns = BEGIN_NS + self.seconds * 1_000_000_000 - (6000 - n) * 10_000_000;
            let event = json!({"t_ns": t_ns, "system": "LPAR2", "task": "JOBS", "pid": 2, "event": "job_done", "job": job(n),
                "client": "U5", "failed": null, "handoff_us": 500});
            let _ = writeln!(events, "{event}");
        }
        // Half of each in the file that is older.
        for (name, text) in [("snapshots", &snapshots), ("faults", &faults), ("events", &events)] {
            let middle = text[..text.len() / 2].rfind('\n').map_or(0, |at| at + 1);
            write(directory.path(), &format!("{name}.jsonl.1"), &text[..middle]);
            write(directory.path(), &format!("{name}.jsonl"), &text[middle..]);
        }
        directory
    }

    fn breaks(&mut self, times: u64) {
        let end = BEGIN_NS + self.seconds * 1_000_000_000;
        self.summary.counts.violations = times;
        self.summary.violations = (0..times.min(100))
            .map(|n| Violation {
                t_ns: end - 20_000_000_000 + n * 1_000_000,
                kind: Kind::Failed,
                what: format!("{} on LPAR2 for U7, who is on LPAR1, failed", job(3000 + n)),
            })
            .collect();
        self.summary.finished = false;
    }
}

fn open(soak: &Soak) -> (String, Html) {
    report(soak.written().path())
}

#[test]
fn the_page_holds_together_and_a_screen_reader_finds_its_way() {
    let mut soak = soak(1800, 120);
    soak.breaks(2);
    let (text, page) = open(&soak);
    let references = page::references_lead_somewhere(&page);
    assert!(references > 15, "{references} references");
    page::nothing_leads_outside(&text, &page);
    page::a_screen_reader_finds_its_way(&page);
    assert_eq!(all(&page, ".tall").len(), all(&page, ".tall[tabindex='0'][role=region][aria-label]").len());
}

#[test]
fn what_is_to_be_known_first_stands_first() {
    let (_, page) = open(&soak(1800, 120));
    let head = text_of(&page, "header.verdict.passed");
    for words in
        ["passed", "Soak of", "on nftables", "200 users, 200 sessions a second on 2 LPARs", "30m", "0:30:00", "77"]
    {
        assert!(head.contains(words), "no `{words}` in {head}");
    }
    assert!(head.contains("lab soak --replay") && head.contains("360000 (200.0/s)"), "{head}");
    assert!(text_of(&page, "#invariants").contains("Each session reached its own user's client"));
}

#[test]
fn it_says_how_it_went() {
    let (_, page) = open(&soak(1800, 120));
    assert_eq!(all(&page, "svg.soak .chart").len(), 7, "a chart for each quantity");
    assert_eq!(all(&page, "svg.soak .course").len(), 8, "p50 and p99 are in one");
    assert_eq!(all(&page, "svg.soak .bar").len(), 120);
    let titles = text_of(&page, "svg.soak .bar title");
    assert!(titles.contains("Fault 1: LPAR2 is gone without a word, from 0:00:07.5 to 0:00:11.5"), "{titles}");
    let row = text_of(&page, ".figures tbody tr:first-child");
    assert_eq!(row, "Handoffs in a second200200200200");
    let faults = all(&page, ".each tbody tr");
    assert_eq!(faults.len(), 120);
    let first: Vec<String> =
        all(&page, ".each tbody tr:first-child > *").iter().map(|cell| cell.text().collect()).collect();
    assert_eq!(first, ["1", "0:00:07.5", "0:00:11.5", "4000 ms", "crash", "LPAR2 is gone without a word", "3"]);
    let kinds = text_of(&page, "table.faults:not(.each) tbody");
    assert!(kinds.contains("killed60240.0 s4000 ms0") && kinds.contains("crash60240.0 s4000 ms3"), "{kinds}");
    assert_eq!(all(&page, ".growth tbody tr.good").len(), 150);
    assert!(all(&page, "svg.histogram.large .bar").len() > 3);
    assert!(text_of(&page, "#topology svg").contains("LPAR2"));
}

#[test]
fn each_violation_has_the_events_around_it() {
    let mut soak = soak(600, 10);
    soak.breaks(100);
    soak.summary.shrunk = Some(
        serde_json::from_value(json!([{"at_ms": 5000, "for_ms": 900, "kind": "reset", "on": "LPAR1"}]))
            .expect("faults"),
    );
    soak.summary.grown[7].keeps = false;
    let (text, page) = open(&soak);
    let head = text_of(&page, "header.verdict.failed");
    assert!(head.contains("Failed: J00002BC on LPAR2 for U7") || head.contains(&job(3000)), "{head}");
    assert!(head.contains("more, below"), "{head}");
    assert_eq!(all(&page, ".violations > li").len(), 100);
    for (n, item) in all(&page, ".violations > li").iter().enumerate() {
        let item = Html::parse_fragment(&item.html());
        let rows = all(&item, "tbody tr").len();
        assert!((10..=50).contains(&rows), "{rows} events around violation {n}");
        let named = text_of(&item, "tr.named");
        assert!(named.contains(&format!("job={}", job(3000 + n as u64))), "its own job's end: {named}");
    }
    assert!(
        text_of(&page, ".violations h3").starts_with("Failed at 0:09:40.0"),
        "{}",
        text_of(&page, ".violations h3")
    );
    assert_eq!(all(&page, "svg.soak .broken").len(), 100);
    assert!(text_of(&page, "#shrunk").contains("at 5.0 s for 0.9 s: the connections of LPAR1 are reset"));
    assert!(text_of(&page, ".growth tbody tr:first-child.bad").contains("DBGMGR on LPAR8"), "what is over comes first");
    assert!(text.len() < 5 * MIB, "{} bytes", text.len());
}

#[test]
fn a_soak_that_did_not_come_to_its_end_is_interrupted() {
    let mut soak = soak(600, 10);
    soak.summary.finished = false;
    let directory = soak.written();
    let (_, page) = report(directory.path());
    let head = text_of(&page, "header.verdict.interrupted");
    assert!(head.contains("interrupted") && head.contains("nothing was seen to be wrong until then"), "{head}");
    // Killed while it wrote a line, and with a fault that stands.
    write(
        directory.path(),
        "faults.jsonl",
        "{\"t_ms\": 599000, \"fault\": 3, \"begins\": {\"kind\": \"crash\", \"lpar\": \"LPAR1\"}}\n{\"t_m",
    );
    let (_, page) = report(directory.path());
    assert!(text_of(&page, ".each tbody tr:last-child").contains("not healed"));
}

#[test]
fn half_an_hour_is_small_and_a_weekend_no_larger() {
    let mut half_an_hour = soak(1800, 450);
    half_an_hour.breaks(3);
    let (text, _) = open(&half_an_hour);
    assert!(text.len() < MIB, "{} bytes", text.len());
    let mut weekend = soak(60 * 3600, 14_400);
    weekend.summary.handoffs = half_an_hour.summary.handoffs.clone();
    weekend.breaks(1_000_000);
    let (text, page) = open(&weekend);
    assert!(text.len() < 3 * MIB, "{} bytes", text.len());
    assert!(text_of(&page, ".each .cut").starts_with("13900 faults left out here"), "{}", text_of(&page, ".each .cut"));
    assert!(text_of(&page, "#invariants").contains("1000000 times broken; the first 100 are kept"));
    let course = all(&page, "svg.soak .course")[0].attr("d").unwrap_or_default();
    assert_eq!(course.matches(['M', 'L']).count(), 600, "points");
    assert_eq!(text_of(&page, ".figures tbody tr:first-child"), "Handoffs in a second200200200200");
}

#[test]
fn what_is_told_is_text_and_no_markup() {
    let mut soak = soak(600, 10);
    soak.breaks(1);
    soak.summary.violations[0].what = format!("{} {HOSTILE}", job(5990));
    soak.summary.faults_failed = vec![HOSTILE.to_owned()];
    soak.summary.grown[0].of = HOSTILE.to_owned();
    soak.summary.counts.excuses.insert(HOSTILE.to_owned(), 1);
    let directory = soak.written();
    let t_ns = soak.summary.violations[0].t_ns;
    let event = json!({"t_ns": t_ns, "system": HOSTILE, "task": HOSTILE, "event": HOSTILE, "job": HOSTILE});
    write(directory.path(), "events.jsonl", &format!("{event}\n{HOSTILE}\n"));
    let fault = json!({"t_ms": 500, "fault": 3, "begins": {"kind": "kill", "task": HOSTILE, "on": HOSTILE}});
    write(directory.path(), "faults.jsonl", &format!("{fault}\n{HOSTILE}\n"));
    write(directory.path(), "snapshots.jsonl", HOSTILE);
    let (text, page) = report(directory.path());
    assert!(all(&page, "img").is_empty() && !text.contains("<script>alert"));
    let scripts: Vec<String> = all(&page, "script").iter().map(|script| script.text().collect()).collect();
    assert_eq!(scripts.len(), 2, "the summary and the page's own: {scripts:#?}");
    let island: Value = serde_json::from_str(&scripts[0]).expect("the island is whole");
    assert_eq!(island["faults_failed"][0], HOSTILE);
    for part in ["#invariants .what", "#invariants .logs", ".each", ".growth", "#sessions", "#faults li"] {
        assert!(text_of(&page, part).contains(HOSTILE), "{part}: {}", text_of(&page, part));
    }
}

#[test]
fn numbers_that_no_soak_has_break_nothing() {
    let mut soak = soak(60, 2);
    soak.breaks(1);
    let most = json!(u64::MAX);
    let mut summary = serde_json::to_value(&soak.summary).expect("JSON");
    for name in ["ran_ms", "p50_us", "p99_us"] {
        summary[name] = most.clone();
    }
    summary["violations"][0]["t_ns"] = most.clone();
    summary["faults"] = json!({"kill": most, "crash": most});
    summary["handoffs"] = json!({"counts": {"4294967295": most, "3": most}, "total": most, "most": most});
    for name in ["sessions", "reached", "excused", "violations"] {
        summary["counts"][name] = most.clone();
    }
    let directory = soak.written();
    write(directory.path(), "summary.json", &summary.to_string());
    let snapshot = json!({"t_ms": most, "t_ns": most, "reached": most, "open": 1e308, "users": -1e308, "cpu_percent": 1e308, "rss_mib": 1e308});
    write(directory.path(), "snapshots.jsonl", &format!("{snapshot}\n"));
    let fault = json!({"t_ms": most, "fault": most, "begins": {"kind": "reset", "on": "LPAR1"}});
    write(directory.path(), "faults.jsonl", &format!("{fault}\n"));
    let (text, page) = report(directory.path());
    assert!(!text_of(&page, "header.verdict.failed").is_empty() && !text.contains("NaN"), "a page");
}

#[test]
fn what_lacks_its_summary_is_refused() {
    let directory = soak(60, 1).written();
    let refused = |directory: &Path| {
        let output = lab(&["report", directory.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    write(directory.path(), "summary.json", "{\n\"ran_ms\": \"x\"}");
    assert!(refused(directory.path()).contains("summary.json:2:"), "{}", refused(directory.path()));
    std::fs::remove_file(directory.path().join("summary.json")).expect("removed");
    assert!(
        refused(directory.path()).contains("has the plan of a soak and no summary.json"),
        "{}",
        refused(directory.path())
    );
}
