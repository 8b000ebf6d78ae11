//! What is counted, from the same events that go to the lab.

use std::collections::HashMap;
use std::time::Duration;

use evidence::{HubState, What, monotonic_ns};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::{mpsc, oneshot};

use super::run::Event;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct How {
    how: String,
}

/// The metrics of one Debug Manager.
pub(super) struct Metrics {
    registry: Registry,
    users: Gauge,
    waiting: Gauge,
    linked: Counter,
    ended: Family<How, Counter>,
    refused: Family<How, Counter>,
    /// By port: `host`, with the handoff socket, or `hub`.
    unproven: Family<How, Counter>,
    hub: Family<How, Gauge>,
    handoff: Histogram,
    /// Sessions in relay mode at the moment, and the bytes of all that there were.
    pub(super) relays: Gauge,
    pub(super) to_debuggers: Counter,
    pub(super) to_clients: Counter,
    /// When the sessions that are not linked yet began to wait.
    since: HashMap<String, u64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        // From a millisecond to about nine minutes, which is more than a session waits by default.
        let handoff = Histogram::new(exponential_buckets(0.001, 2.0, 20));
        let mut metrics = Self {
            registry: Registry::with_prefix("dbgmgr"),
            users: Gauge::default(),
            waiting: Gauge::default(),
            linked: Counter::default(),
            ended: Family::default(),
            refused: Family::default(),
            unproven: Family::default(),
            hub: Family::default(),
            handoff,
            relays: Gauge::default(),
            to_debuggers: Counter::default(),
            to_clients: Counter::default(),
            since: HashMap::new(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "registrations",
            "Users who are registered on this system, each as often as he is",
            self.users.clone(),
        );
        registry.register(
            "sessions_waiting",
            "Sessions that wait for their user or for the engine",
            self.waiting.clone(),
        );
        registry.register("handoffs", "Clients' sockets that were passed to a debugger", self.linked.clone());
        registry.register("sessions_ended", "Sessions that are over or were given up", self.ended.clone());
        registry.register("engines_refused", "Engines that were turned away", self.refused.clone());
        let help = "Who was turned away at the HOST and HUB ports for want of proof who he is";
        registry.register("not_authorized", help, self.unproven.clone());
        registry.register("hub_role", "1 for the present role in the hub", self.hub.clone());
        registry.register("relays", "Sessions that are relayed, because TLS ends here", self.relays.clone());
        let help = "Bytes that relayed sessions' debuggers were given";
        registry.register("relayed_to_debuggers_bytes", help, self.to_debuggers.clone());
        let help = "Bytes that relayed sessions' clients were sent";
        registry.register("relayed_to_clients_bytes", help, self.to_clients.clone());
        let help = "From the beginning of a session's wait to the handoff";
        registry.register_with_unit("handoff_wait", help, Unit::Seconds, self.handoff.clone());
    }

    /// Counts an event.
    pub(super) fn count(&mut self, what: &What) {
        let how = |how: &str| How { how: how.to_owned() };
        match what {
            What::UserRegistered { .. } => drop(self.users.inc()),
            What::UserGone { .. } => drop(self.users.dec()),
            What::SessionWaiting { session, .. } => drop(self.since.insert(session.clone(), monotonic_ns())),
            What::Linked { session, .. } => {
                self.linked.inc();
                if let Some(since) = self.since.remove(session) {
                    self.handoff.observe(Duration::from_nanos(monotonic_ns().saturating_sub(since)).as_secs_f64());
                }
            }
            What::SessionEnded { session, how: reason } => {
                self.since.remove(session);
                self.ended.get_or_create(&how(reason)).inc();
            }
            What::EngineRefused { refusal, .. } => drop(self.refused.get_or_create(&how(&refusal.code)).inc()),
            What::HostRefused { .. } => drop(self.unproven.get_or_create(&how("host")).inc()),
            What::RelayStarted { .. } => drop(self.relays.inc()),
            What::RelayEnded { .. } => drop(self.relays.dec()),
            What::HubRefused { .. } => drop(self.unproven.get_or_create(&how("hub")).inc()),
            What::Hub { state, .. } => {
                self.hub.clear();
                let role = match state {
                    HubState::Off => "off",
                    HubState::Primary => "primary",
                    HubState::Secondary => "secondary",
                    HubState::Standalone => "standalone",
                };
                self.hub.get_or_create(&how(role)).set(1);
            }
            _ => {}
        }
        self.waiting.set(i64::try_from(self.since.len()).unwrap_or(i64::MAX));
    }

    /// All of them, in the text format of OpenMetrics, which Prometheus reads.
    pub(super) fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a `String` does not fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

/// Asks the core for the page; nothing when Debug Manager ends.
pub(super) async fn page(core: mpsc::Sender<Event>) -> Option<String> {
    let (answer, page) = oneshot::channel();
    core.send(Event::Scrape(answer)).await.ok()?;
    page.await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted() {
        let mut metrics = Metrics::new();
        let (session, user, job) = ("LPAR1.1".to_owned(), "IBMUSER".to_owned(), "EQATST".to_owned());
        let ends = |port| std::net::SocketAddr::from(([10, 10, 10, 1], port));
        let waiting =
            What::SessionWaiting { session: session.clone(), user: user.clone(), job: job.clone(), local: true };
        let refusal = evidence::Refusal { code: "not_authorized".to_owned(), reason: String::new() };
        for what in [
            What::UserRegistered { user: user.clone() },
            What::UserRegistered { user: user.clone() },
            What::UserGone { user: user.clone() },
            waiting.clone(),
            What::Linked { session: session.clone(), user, job, peer: ends(1), local: ends(2) },
            What::SessionEnded { session, how: "finished".into() },
            waiting,
            What::HostRefused { user: None, refusal: refusal.clone() },
            What::HubRefused { peer: ends(3), refusal },
            What::Hub { state: HubState::Standalone, hub: None, reason: String::new() },
            What::Hub { state: HubState::Primary, hub: None, reason: String::new() },
            What::RelayStarted { session: String::new(), peer: ends(4) },
            What::RelayStarted { session: String::new(), peer: ends(5) },
            What::RelayEnded {
                session: String::new(),
                peer: ends(4),
                to_debugger: 0,
                to_client: 0,
                reason: String::new(),
            },
        ] {
            metrics.count(&what);
        }
        metrics.to_clients.inc_by(70_000);
        let page = metrics.text();
        for line in [
            "dbgmgr_registrations 1",
            "dbgmgr_sessions_waiting 1",
            "dbgmgr_handoffs_total 1",
            "dbgmgr_sessions_ended_total{how=\"finished\"} 1",
            "dbgmgr_not_authorized_total{how=\"host\"} 1",
            "dbgmgr_not_authorized_total{how=\"hub\"} 1",
            "dbgmgr_relays 1",
            "dbgmgr_relayed_to_clients_bytes_total 70000",
            "dbgmgr_relayed_to_debuggers_bytes_total 0",
            "dbgmgr_hub_role{how=\"primary\"} 1",
            "dbgmgr_handoff_wait_seconds_count 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
        assert!(!page.contains("standalone"), "{page}");
    }
}
