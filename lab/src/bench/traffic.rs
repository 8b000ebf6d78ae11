//! `lab bench traffic`: new connections and bytes by way of the distributor, against the same client and the same servers
//! without it, and new connections with few and with many entries in the VCRT.
//!
//! All ways are measured in turn, often and for a short time, so that what else the machine does meets each of them.

mod bed;
mod load;
pub(super) mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use netns::Network;
use serde::{Deserialize, Serialize};

use super::bulk::{self, Way};
use super::realm::{in_realm, median, on_runtime};
use crate::backends::{Choice, Known};
use crate::{exit, programs};
use bed::Bed;
use load::Rate;
use serve::{BULK, GREETS};

/// Entries in the VCRT of the owner that has few.
const FEW: u32 = 100;
/// Each way is gone once before it is measured: neighbours are found, programs and tables are in the caches.
const WARM_UP: Duration = Duration::from_millis(50);

/// What is measured, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub struct Traffic {
    /// What distributes connections in the kernel
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    pub(crate) backend: Choice,
    /// How often each way is measured, in turn; the medians are printed
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// How long each measurement takes; longer on slow machines, such as emulated ones
    #[arg(long = "for", value_name = "DURATION", default_value = "200ms", value_parser = duration)]
    time: Duration,
    /// Clients that make connections at the same time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    clients: u32,
    /// Entries in the VCRT of the owner that has many
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    entries: u32,
    /// One JSON object per backend on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (least, most) = (Duration::from_millis(10), Duration::from_secs(60));
    let found = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    let fits = (least..=most).contains(&found);
    if fits { Ok(found) } else { Err(format!("found {text}, expected 10ms to 60s")) }
}

/// One way beside another, in the same unit.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Compared {
    /// What the other is held against, such as the way without the distributor.
    pub(super) base: f64,
    pub(super) found: f64,
    /// found / base.
    pub(super) ratio: f64,
    /// The same of measurements that followed each other: what a quarter of them is below, and what a quarter is above. Far
    /// apart where the machine has much else to do.
    pub(super) quartiles: [f64; 2],
}

/// Medians for one backend.
#[derive(Debug, Serialize)]
struct Figures {
    backend: &'static str,
    runs: u32,
    /// New connections in a second: the targets' own addresses, and the DVIPA.
    connections: Compared,
    /// The same to DVIPAs whose owners have few and many entries in the VCRT; nothing where the kernel takes none.
    entries: Option<Compared>,
    /// How many entries the owner that has many had.
    entries_held: usize,
    /// MiB in a second.
    to_client: Compared,
    to_server: Compared,
}

/// What the runs in a realm report, one number for each run.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Measured {
    entries_held: usize,
    direct: Vec<f64>,
    few: Vec<f64>,
    many: Vec<f64>,
    to_client: [Vec<f64>; 2],
    to_server: [Vec<f64>; 2],
}

impl Traffic {
    /// Runs the benchmark on one backend; returns the exit status.
    pub(crate) fn run(&self, backend: &Known) -> u8 {
        let measured = programs::own_directory().and_then(|bin_dir| {
            let (what, known) = (self.clone(), *backend);
            in_realm(move |realm| on_runtime(what.measure(realm, &known, bin_dir)))
        });
        match measured {
            Ok((measured, _)) => {
                self.say(&self.figures(backend, measured));
                exit::PASSED
            }
            Err(why) => {
                crate::note!("error: {}: {why}", backend.name);
                exit::CANNOT_RUN
            }
        }
    }

    async fn measure(self, realm: &Network, backend: &Known, bin_dir: PathBuf) -> Result<Measured, String> {
        let bed = Bed::make(realm, backend, bin_dir, self.clients as usize).await?;
        bed.fill(0, FEW).await?;
        let mut measured = Measured { entries_held: bed.fill(1, self.entries).await?, ..Measured::default() };
        self.round(&bed, WARM_UP, &mut Measured::default())?;
        for _ in 0..self.runs {
            self.round(&bed, self.time, &mut measured)?;
        }
        Ok(measured)
    }

    /// All ways, one after the other.
    fn round(&self, bed: &Bed, time: Duration, measured: &mut Measured) -> Result<(), String> {
        measured.direct.push(self.rate(bed, &bed.direct(GREETS), time)?);
        measured.few.push(self.rate(bed, &[bed.distributed(0, GREETS)], time)?);
        measured.many.push(self.rate(bed, &[bed.distributed(1, GREETS)], time)?);
        let ways = [bed.direct(BULK)[0], bed.distributed(0, BULK)];
        for (to, number) in ways.into_iter().zip(0..) {
            measured.to_client[number].push(bulk::call(&bed.station, to, Way::ToClient, time)?);
            measured.to_server[number].push(bulk::call(&bed.station, to, Way::ToServer, time)?);
        }
        Ok(())
    }

    fn rate(&self, bed: &Bed, to: &[SocketAddr], time: Duration) -> Result<f64, String> {
        let Rate { per_s, greeted_by } = load::connections(&bed.station, to, self.clients as usize, time)?;
        // Else another way was measured.
        if !greeted_by.iter().copied().eq(bed.greetings()) {
            let expected: Vec<u8> = bed.greetings().collect();
            return Err(format!("{to:?}: found greetings of LPARs {greeted_by:?}, expected {expected:?}"));
        }
        Ok(per_s)
    }

    fn figures(&self, backend: &Known, measured: Measured) -> Figures {
        let Measured { entries_held, direct, few, many, to_client, to_server } = measured;
        let mib = |[base, found]: &[Vec<f64>; 2]| {
            let mib = |bytes: &[f64]| bytes.iter().map(|bytes| bytes / 1024.0 / 1024.0).collect::<Vec<_>>();
            compare(&mib(base), &mib(found))
        };
        let holds = entries_held >= self.entries as usize;
        Figures {
            backend: backend.name,
            runs: self.runs,
            entries: holds.then(|| compare(&few, &many)),
            entries_held,
            connections: compare(&direct, &few),
            to_client: mib(&to_client),
            to_server: mib(&to_server),
        }
    }

    fn say(&self, figures: &Figures) {
        if self.json {
            crate::say!("{}", serde_json::to_string(figures).unwrap_or_default());
            return;
        }
        let line = |what: &str, names: [&str; 2], of: Compared| {
            let [low, high] = of.quartiles;
            crate::say!(
                "  {what:<36} {:>7} {:>8.0}   {:>11} {:>8.0}   ratio {:.2} ({low:.2} to {high:.2})",
                names[0],
                of.base,
                names[1],
                of.found,
                of.ratio
            );
        };
        let ways = ["direct", "distributed"];
        crate::say!(
            "{}, medians of {} runs of {} each, in turn; {} clients at a time, two targets; quartiles of the ratio in brackets",
            figures.backend,
            self.runs,
            humantime::format_duration(self.time),
            self.clients
        );
        line("new connections/s", ways, figures.connections);
        line("MiB/s to the client", ways, figures.to_client);
        line("MiB/s to the server", ways, figures.to_server);
        let (few, many) = (FEW.to_string(), self.entries.to_string());
        match figures.entries {
            Some(of) => line("new connections/s by entries in VCRT", [&few, &many], of),
            None => crate::say!(
                "  new connections/s by entries in VCRT: not measured: given {many}, as at a takeover, the kernel has {} (IPVS \
                 learns of connections by its sync daemon only)",
                figures.entries_held
            ),
        }
    }
}

/// Medians, and how far the runs are apart.
pub(super) fn compare(base: &[f64], found: &[f64]) -> Compared {
    let mut ratios: Vec<f64> = found.iter().zip(base).map(|(found, base)| found / base).collect();
    ratios.sort_by(f64::total_cmp);
    let quartile = |part: usize| ratios.get(ratios.len() * part / 4).copied().unwrap_or(0.0);
    let quartiles = [quartile(1), quartile(3)];
    let (base, found) = (median(base.to_vec()), median(found.to_vec()));
    Compared { base, found, ratio: found / base, quartiles }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_medians() {
        let base = [100.0, 100.0, 10.0, 100.0, 1000.0];
        let compared = compare(&base, &[90.0, 80.0, 9.0, 70.0, 900.0]);
        assert_eq!((compared.base, compared.found, compared.ratio), (100.0, 80.0, 0.8));
        assert_eq!(compared.quartiles, [0.8, 0.9], "of 0.7, 0.8 and three times 0.9");
    }

    #[test]
    fn a_measurement_has_a_time_that_can_be_waited_for() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(duration("1h").is_err_and(|why| why == "found 1h, expected 10ms to 60s"));
        assert!(duration("0s").is_err());
        assert!(duration("soon").is_err());
    }
}
