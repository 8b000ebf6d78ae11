//! How a soak goes, for Prometheus.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use soak::summary::Summary;
use tokio::sync::{mpsc, oneshot};

/// What is not in a summary: how things are at this moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    /// Sessions that have not ended.
    pub open: usize,
    /// Users who are logged on.
    pub users: usize,
    /// Faults that stand.
    pub standing: usize,
    /// Processor time of the lab, in seconds.
    pub cpu_s: f64,
    /// Memory of the lab, in KiB.
    pub rss_kib: f64,
    /// Entries of the connection routing table, when it was looked at.
    pub vcrt: Option<f64>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Quantile {
    sessions: &'static str,
    quantile: &'static str,
}

/// Whoever asks is answered between two events.
pub(super) type Asked = oneshot::Sender<String>;

/// Those who ask; without a socket nobody does.
pub(super) struct Askers(Option<mpsc::Receiver<Asked>>);

impl Askers {
    /// Answers on this socket, which is one of the network that the lab was called in.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub(super) fn on(listener: Option<&TcpListener>) -> io::Result<Self> {
        /// More who ask wait.
        const WAITING: usize = 8;
        let Some(listener) = listener else { return Ok(Self(None)) };
        let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
        let (ask, asked) = mpsc::channel(WAITING);
        tokio::spawn(scrape::serve(listener, move || page(ask.clone())));
        Ok(Self(Some(asked)))
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Asked {
        match &mut self.0 {
            Some(asked) => match asked.recv().await {
                Some(asked) => asked,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

async fn page(ask: mpsc::Sender<Asked>) -> Option<String> {
    let (answer, page) = oneshot::channel();
    ask.send(answer).await.ok()?;
    page.await.ok()
}

/// The page, in the text format of OpenMetrics.
pub(super) fn text(summary: &Summary, moment: &Moment) -> String {
    let mut registry = Registry::with_prefix("lab_soak");
    let counts = &summary.counts;
    let mut counter = |name: &str, help: &str, value: u64| registry.register(name, help, ConstCounter::new(value));
    counter("sessions", "Sessions that were ordered", counts.sessions);
    counter("handoffs", "Sessions that reached their client and their job", counts.reached);
    counter("excused", "Sessions that failed with an excuse", counts.excused);
    counter("violations", "Invariants that were broken", counts.violations);
    counter("logons", "Logons that were done", counts.logons);
    counter("users_lost", "Users that were lost with an excuse", counts.users_lost);

    let faults = Family::<OfKind, Counter>::default();
    for (kind, count) in &summary.faults {
        faults.get_or_create(&OfKind { kind: kind.as_str() }).inc_by(*count);
    }
    registry.register("faults", "Faults that were brought about", faults);

    let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let mut gauge =
        |name: &str, help: &str, value: usize| registry.register(name, help, ConstGauge::new(number(value)));
    gauge("faults_standing", "Faults that stand", moment.standing);
    gauge("sessions_open", "Sessions that have not ended", moment.open);
    gauge("users", "Users who are logged on", moment.users);

    let took = Family::<Quantile, Gauge<f64, AtomicU64>>::default();
    for (sessions, quantile, us) in [
        ("all", "0.5", summary.p50_us),
        ("all", "0.99", summary.p99_us),
        ("undisturbed", "0.5", summary.undisturbed_p50_us),
        ("undisturbed", "0.99", summary.undisturbed_p99_us),
    ] {
        took.get_or_create(&Quantile { sessions, quantile }).set(us as f64 / 1e6);
    }
    let help = "From a job's wait to the first message, of all sessions and of those that no fault touched";
    registry.register_with_unit("handoff", help, Unit::Seconds, took);

    let help = "Processor time of the lab itself";
    registry.register_with_unit("cpu", help, Unit::Seconds, ConstCounter::new(moment.cpu_s));
    let help = "Memory of the lab itself";
    registry.register_with_unit("resident_memory", help, Unit::Bytes, ConstGauge::new(moment.rss_kib * 1024.0));
    if let Some(entries) = moment.vcrt {
        registry.register("vcrt_entries", "Entries of the connection routing table", ConstGauge::new(entries));
    }
    let mut page = String::new();
    // Writing to a `String` does not fail.
    let _ = text::encode(&mut page, &registry);
    page
}

#[cfg(test)]
mod tests {
    use soak::fault::Kind;
    use soak::model::Counts;

    use super::*;

    #[test]
    fn every_figure_is_on_the_page() {
        let counts = Counts { sessions: 9, reached: 7, excused: 1, violations: 1, ..Counts::default() };
        let summary = Summary {
            counts,
            p99_us: 250_000,
            undisturbed_p99_us: 2_500,
            faults: [(Kind::FreezeHost, 2)].into(),
            ..Summary::default()
        };
        let moment = Moment { open: 1, users: 5, standing: 2, cpu_s: 1.5, rss_kib: 1.0, vcrt: Some(64.0) };
        let page = text(&summary, &moment);
        for line in [
            "lab_soak_handoffs_total 7",
            "lab_soak_excused_total 1",
            "lab_soak_violations_total 1",
            "lab_soak_faults_total{kind=\"freeze_host\"} 2",
            "lab_soak_faults_standing 2",
            "lab_soak_sessions_open 1",
            "lab_soak_users 5",
            "lab_soak_handoff_seconds{sessions=\"all\",quantile=\"0.99\"} 0.25",
            "lab_soak_handoff_seconds{sessions=\"undisturbed\",quantile=\"0.99\"} 0.0025",
            "lab_soak_cpu_seconds_total 1.5",
            "lab_soak_resident_memory_bytes 1024.0",
            "lab_soak_vcrt_entries 64.0",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
    }
}
