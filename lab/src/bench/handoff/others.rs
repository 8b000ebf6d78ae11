//! What a site would put in front of jobs if Debug Manager did not hand sockets over: HAProxy in TCP mode, and socat. They run on
//! the jobs' LPAR as ordinary programs, with what their manuals show first, and pass everything on to the servers beside them.

use std::io::{self, Read};
use std::time::Duration;

use evidence::monotonic_ns;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::bed::{Bed, JOBS_ON};
use super::jobs::for_short_words;
use super::pipeline::{self, Loop, Times};
use super::program::{self, Program};
use crate::bench::traffic::serve::{self, BULK, GREETS};
use crate::programs;

/// HAProxy in front of the server that greets, and of the one that takes and sends bytes.
const HAPROXY_GREETS: u16 = 20_010;
const HAPROXY_BULK: u16 = 20_011;
/// socat in front of the latter.
const SOCAT_BULK: u16 = 20_012;
/// All ports of the DVIPA that belong to this.
pub(super) const PORTS: [u16; 5] = [GREETS, BULK, HAPROXY_GREETS, HAPROXY_BULK, SOCAT_BULK];
/// Where HAProxy's configuration is, in the LPAR's own file tree.
const CONFIGURATION: &str = "run/haproxy.cfg";
/// Threads that greet: none has to wait for a client.
const GREETERS: usize = 4;
/// How long a connection and its greeting may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is to be said where one is missing.
pub(super) const REMEDY: &str = "not installed: apt-get install haproxy socat";

/// The ports of those that are there.
pub(super) struct Others {
    /// Of HAProxy: where it greets, and where bytes go.
    pub(super) haproxy: Option<[u16; 2]>,
    /// Of socat: where bytes go.
    pub(super) socat: Option<u16>,
    _programs: Vec<Program>,
}

impl Others {
    /// Starts the servers, and who is in front of them.
    pub(super) async fn start(bed: &Bed) -> Result<Self, String> {
        serve::start(&bed.jobs, 2, GREETERS).map_err(|e| e.to_string())?;
        let mut others = Self { haproxy: None, socat: None, _programs: Vec::new() };
        if let Some(haproxy) = programs::find("haproxy") {
            let file = bed.jobs_root.join(CONFIGURATION);
            std::fs::write(&file, configuration()).map_err(|e| format!("{}: {e}", file.display()))?;
            let argv = [&haproxy.display().to_string(), "-db", "-f", &format!("/{CONFIGURATION}")].map(str::to_owned);
            others.add(bed, argv.into(), HAPROXY_GREETS).await?;
            others.haproxy = Some([HAPROXY_GREETS, HAPROXY_BULK]);
        }
        if let Some(socat) = programs::find("socat") {
            let listen = format!("TCP-LISTEN:{SOCAT_BULK},reuseaddr,fork");
            let argv = vec![socat.display().to_string(), listen, format!("TCP:127.0.0.1:{BULK}")];
            others.add(bed, argv, SOCAT_BULK).await?;
            others.socat = Some(SOCAT_BULK);
        }
        Ok(others)
    }

    async fn add(&mut self, bed: &Bed, argv: Vec<String>, port: u16) -> Result<(), String> {
        self._programs.push(program::start(&bed.distribution, JOBS_ON, argv, None).await?);
        program::listens(&bed.jobs, port).await
    }
}

fn configuration() -> String {
    let listen =
        |name: &str, port: u16, to: u16| format!("listen {name}\n    bind :{port}\n    server {name} 127.0.0.1:{to}\n");
    format!(
        "global\n    maxconn 8000\ndefaults\n    mode tcp\n    timeout connect 10s\n    timeout client 1m\n    timeout server 1m\n{}{}",
        listen("greets", HAPROXY_GREETS, GREETS),
        listen("bulk", HAPROXY_BULK, BULK)
    )
}

/// HAProxy's connections, as many at a time, each to its first byte.
pub(super) fn connections(bed: &Bed, port: u16, in_flight: usize, time: Duration) -> Result<Loop, String> {
    let to = bed.dvipa(port);
    let once = move |_| async move {
        let began_ns = monotonic_ns();
        let greeted = timeout(PATIENCE, async {
            let mut stream = TcpStream::connect(to).await?;
            for_short_words(&stream)?;
            let mut first = [0; 1];
            stream.read_exact(&mut first).await?;
            let first_ns = monotonic_ns();
            // The other end closes first, so the client's port is free at once.
            stream.read_to_end(&mut Vec::new()).await?;
            Ok::<_, io::Error>(first_ns)
        });
        let first_ns = greeted.await.map_err(|_| format!("{to}: no greeting for {PATIENCE:?}"))?;
        Ok(Times { began_ns, from_ns: began_ns, first_ns: first_ns.map_err(|e| format!("{to}: {e}"))? })
    };
    pipeline::keep(&bed.station, in_flight, time, once)
}

/// The load that the machine has, from everybody, over the last minute.
pub(super) fn load() -> f64 {
    let mut text = String::new();
    let read = std::fs::File::open("/proc/loadavg").and_then(|mut file| file.read_to_string(&mut text));
    read.ok().and_then(|_| text.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
