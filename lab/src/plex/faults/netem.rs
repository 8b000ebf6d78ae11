//! netem: packets that come late, in disorder or twice. The kernel's queueing discipline of that name does it, on what a host sends;
//! many kernels are built without.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::FaultError;
use super::filter::{tool, work};
use super::kind::Netem;
use super::packets::DISCARD;
use crate::plex::Hosts;

/// Datagrams that are sent at a time to see whether they come in order, and once.
const AT_A_TIME: u32 = 50;
/// How long it may take until one does not.
const WITHIN: Duration = Duration::from_secs(5);
/// How long after the last datagram another may still come.
const QUIET: Duration = Duration::from_millis(300);

/// Where it is, and between whom it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The host.
    pub(super) host: String,
    /// The link there.
    pub(super) link: &'static str,
    /// Another host on that segment, and its address.
    pub(super) other: (String, IpAddr),
}

/// Begins, and waits until it is seen.
pub(super) async fn begin(hosts: &Hosts, place: &Place, netem: Netem) -> Result<String, FaultError> {
    dial(hosts, place).await?; // asks for the neighbour, which would be late, too
    let args = arguments(place.link, netem);
    tc(hosts, &place.host, args).await.map_err(|e| FaultError::NotHere(e.to_string()))?;
    match bites(hosts, place, netem).await {
        Ok(shown) => Ok(shown),
        Err(why) => {
            end(hosts, place, Netem::default()).await?;
            Err(why)
        }
    }
}

/// Ends it; nothing is late any more.
pub(super) async fn end(hosts: &Hosts, place: &Place, netem: Netem) -> Result<String, FaultError> {
    let words = ["qdisc", "delete", "dev", place.link, "root"].map(str::to_owned);
    tc(hosts, &place.host, words.to_vec()).await?;
    let took = dial(hosts, place).await?;
    if !netem.delay.is_zero() && took >= netem.delay {
        return Err(FaultError::NotSeen(format!("{} is still answered after {took:?}", place.host)));
    }
    Ok(format!("{} is answered after {} µs", place.host, took.as_micros()))
}

fn arguments(link: &str, Netem { delay, jitter, reorder, duplicate }: Netem) -> Vec<String> {
    let mut words: Vec<String> = ["qdisc", "add", "dev", link, "root", "netem"].map(str::to_owned).to_vec();
    if !delay.is_zero() {
        words.extend(["delay".to_owned(), format!("{}us", delay.as_micros())]);
        words.extend((!jitter.is_zero()).then(|| format!("{}us", jitter.as_micros())));
    }
    if reorder > 0 {
        words.extend(["reorder".to_owned(), format!("{reorder}%")]);
    }
    if duplicate > 0 {
        words.extend(["duplicate".to_owned(), format!("{duplicate}%")]);
    }
    words
}

async fn bites(hosts: &Hosts, place: &Place, netem: Netem) -> Result<String, FaultError> {
    let mut shown = Vec::new();
    if netem.reorder == 0 && !netem.delay.is_zero() {
        let (took, least) = (dial(hosts, place).await?, netem.delay.saturating_sub(netem.jitter));
        if took < least {
            return Err(FaultError::NotSeen(format!("{} is answered after {took:?}, expected {least:?}", place.host)));
        }
        shown.push(format!("{} is answered after {} ms", place.host, took.as_millis()));
    }
    let (mut disorder, mut twice) = (netem.reorder == 0, netem.duplicate == 0);
    let deadline = Instant::now() + WITHIN;
    while !disorder || !twice {
        let came = deliver(hosts, place).await?;
        disorder |= came.windows(2).any(|two| two[0] > two[1]);
        let mut once = came.clone();
        once.sort_unstable();
        once.dedup();
        twice |= once.len() < came.len();
        if Instant::now() > deadline {
            let what = if twice { "out of order" } else { "twice" };
            return Err(FaultError::NotSeen(format!("no datagram has come {what} within {WITHIN:?}")));
        }
    }
    shown.extend((netem.reorder > 0).then(|| "datagrams come out of order".to_owned()));
    shown.extend((netem.duplicate > 0).then(|| "datagrams come twice".to_owned()));
    Ok(shown.join("; "))
}

/// How long it takes until the other host answers.
async fn dial(hosts: &Hosts, place: &Place) -> Result<Duration, FaultError> {
    let (netns, to) = (hosts.get(&place.host)?.0.netns().clone(), SocketAddr::new(place.other.1, 1));
    work(netns, move || {
        let begin = Instant::now();
        // Nothing listens there: it is refused, as soon as that can be.
        match TcpStream::connect_timeout(&to, WITHIN) {
            Err(e) if e.kind() != io::ErrorKind::ConnectionRefused => Err(e),
            _ => Ok(begin.elapsed()),
        }
    })
    .await
}

/// The numbers of the datagrams that the other host gets, in their order.
async fn deliver(hosts: &Hosts, place: &Place) -> Result<Vec<u32>, FaultError> {
    let to = SocketAddr::new(place.other.1, DISCARD);
    let receiver = work(hosts.get(&place.other.0)?.0.netns().clone(), move || UdpSocket::bind(to)).await?;
    let from = hosts.get(&place.host)?.0.netns().clone();
    work(from, move || {
        let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
        let sender = UdpSocket::bind((any, 0))?;
        for number in 0..AT_A_TIME {
            sender.send_to(&number.to_be_bytes(), to)?;
        }
        Ok(())
    })
    .await?;
    let received = tokio::task::spawn_blocking(move || {
        receiver.set_read_timeout(Some(QUIET))?;
        let (mut came, mut bytes) = (Vec::new(), [0; 4]);
        while let Ok(4) = receiver.recv(&mut bytes) {
            came.push(u32::from_be_bytes(bytes));
        }
        Ok::<_, io::Error>(came)
    });
    Ok(received.await.map_err(io::Error::other)??)
}

async fn tc(hosts: &Hosts, host: &str, args: Vec<String>) -> Result<String, FaultError> {
    let netns = hosts.get(host)?.0.netns().clone();
    work(netns, move || tool("tc", &args, "")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tc_is_told() {
        let netem =
            Netem { delay: Duration::from_millis(100), jitter: Duration::from_millis(5), reorder: 25, duplicate: 1 };
        let words = "qdisc add dev lan0 root netem delay 100000us 5000us reorder 25% duplicate 1%";
        assert_eq!(arguments("lan0", netem).join(" "), words);
        let twice = Netem { duplicate: 50, ..Netem::default() };
        assert_eq!(arguments("xcf0", twice).join(" "), "qdisc add dev xcf0 root netem duplicate 50%");
    }
}
