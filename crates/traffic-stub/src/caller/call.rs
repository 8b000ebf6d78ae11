//! One call, from its number to its end.

use std::sync::Arc;
use std::time::Duration;

use evidence::What;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use super::failure::Failure;
use super::line::Line;
use super::{Series, Then};
use crate::command::{Get, Put};

/// While a call has it, it counts as on its way.
pub(super) type Slot = OwnedSemaphorePermit;

/// So many bytes show that a held call is alive.
const PROOF: u64 = 4096;
/// A transfer in which no byte comes for so long has failed. Longer than any takeover of a DVIPA is to last.
const SILENCE: Duration = Duration::from_secs(30);

/// Between a call and its series.
#[derive(Debug)]
pub(super) struct Signals {
    /// Dropped when the call's bytes were received, or are not going to be.
    pub(super) busy: mpsc::Sender<()>,
    /// Becomes true when calls that are held are to end.
    pub(super) finished: watch::Receiver<bool>,
}

/// Places the call of this number and follows it to its end. Gives its slot back as soon as the next may be placed.
pub(super) async fn place(series: Arc<Series>, number: u32, slot: Slot, signals: Signals) {
    match converse(&series, number, slot, signals).await {
        Ok(()) => series.tally.add_complete(),
        Err(Failure { how, reason }) => {
            tracing::debug!(number, how = how.as_str(), "{reason}");
            let call = series.config.name.clone();
            series.emitter.emit(What::CallFailed { call, number, how: how.as_str().to_owned(), reason });
        }
    }
}

async fn converse(series: &Series, number: u32, slot: Slot, signals: Signals) -> Result<(), Failure> {
    let Series { config, tally, .. } = series;
    let Some((to, from)) = config.ends(number) else { return Ok(()) };
    let mut line = Line::dial(to, from, config.limit).await?;
    let greeting = line.greeting().await?;
    let (call, local, on) = (config.name.clone(), line.local()?, greeting.system().to_owned());
    series.emitter.emit(What::Answered { call, number, local, peer: to, on });
    tally.add_answered();

    let Signals { busy, mut finished } = signals;
    let finish = async move {
        // An error means that nobody can say so any more: that is the end, too.
        let _ = finished.wait_for(|&finished| finished).await;
    };
    let seed = seed(&config.name, number);
    match config.then {
        Then::Leave => {
            let left = line.leave().await;
            drop(slot);
            return left;
        }
        Then::Keep(time) => {
            drop(slot);
            line.stands(tokio::time::sleep(time)).await?;
        }
        Then::Hold => {
            drop(slot);
            line.stands(finish).await?;
            let _turn = series.checks.acquire().await;
            line.receive(Get { bytes: PROOF, rate: 0, seed }, config.limit, tally).await?;
        }
        Then::Get { bytes, rate, hold } => {
            drop(slot);
            line.receive(Get { bytes, rate, seed }, SILENCE, tally).await?;
            drop(busy);
            if hold {
                line.stands(finish).await?;
            }
        }
        Then::Put { bytes } => {
            drop(slot);
            line.send(Put { bytes, seed }).await?;
            drop(busy);
        }
    }
    line.leave().await
}

/// Another for each call, so that one call's bytes are not taken for another's: FNV-1a of the name, and the number.
fn seed(name: &str, number: u32) -> u64 {
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().chain(number.to_be_bytes()).fold(0xcbf2_9ce4_8422_2325, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_have_the_same_bytes() {
        let seeds = ["A", "B"].iter().flat_map(|name| (1..=1000).map(move |number| seed(name, number)));
        assert_eq!(seeds.collect::<std::collections::BTreeSet<_>>().len(), 2000);
    }
}
