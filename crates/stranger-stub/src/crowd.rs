//! The connections that say nothing, and that stay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::pace::Dialler;

/// How long one who was dropped stays away.
const AWAY: Duration = Duration::from_millis(500);

/// Opens `silent` connections, spread over the addresses, and returns once each was tried. They are held from then on; one that
/// is dropped comes back after a while, all of them together no more than `silent` times.
pub async fn gather(addresses: &[SocketAddr], silent: u32, dialler: &Dialler) {
    let comebacks = Arc::new(Semaphore::new(silent as usize));
    let mut openers = JoinSet::new();
    for (&address, share) in addresses.iter().zip(shares(silent, addresses.len())) {
        let (dialler, comebacks) = (dialler.clone(), Arc::clone(&comebacks));
        openers.spawn(async move {
            for _ in 0..share {
                if let Ok(stream) = dialler.dial(address).await {
                    tokio::spawn(stay(stream, address, dialler.clone(), Arc::clone(&comebacks)));
                }
            }
        });
    }
    while openers.join_next().await.is_some() {}
}

/// How many connections each of `addresses` gets: as equal as can be, `silent` in all.
fn shares(silent: u32, addresses: usize) -> impl Iterator<Item = u32> {
    let addresses = u32::try_from(addresses).unwrap_or(u32::MAX);
    let (each, more) = (silent / addresses.max(1), silent % addresses.max(1));
    (0..addresses).map(move |n| each + u32::from(n < more))
}

async fn stay(mut stream: TcpStream, address: SocketAddr, dialler: Dialler, comebacks: Arc<Semaphore>) {
    loop {
        until_dropped(&stream).await;
        drop(stream);
        match comebacks.try_acquire() {
            Ok(comeback) => comeback.forget(),
            Err(_) => return,
        }
        sleep(AWAY).await;
        match dialler.dial_again(address).await {
            Ok(again) => stream = again,
            Err(_) => return,
        }
    }
}

/// Waits for the end of a connection; what comes before it is read away.
pub(crate) async fn until_dropped(stream: &TcpStream) {
    let mut junk = [0; 1024];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut junk) {
            Ok(0) => return,
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silent_are_spread_and_none_is_lost() {
        assert_eq!(shares(1000, 3).collect::<Vec<_>>(), [334, 333, 333]);
        assert_eq!(shares(2, 3).collect::<Vec<_>>(), [1, 1, 0]);
        assert_eq!(shares(5, 0).count(), 0);
    }

    #[tokio::test]
    async fn one_who_is_dropped_comes_back_but_not_for_ever() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let dialler = Dialler::new();
        let stream = dialler.dial(address).await.expect("established");
        // Whoever comes is dropped at once.
        let seen = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = Arc::clone(&seen);
        let victim = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        });
        let staying = stay(stream, address, dialler.clone(), Arc::new(Semaphore::new(1)));
        let gave_up = tokio::time::timeout(Duration::from_secs(20), staying).await;
        assert!(gave_up.is_ok(), "awaited that it gives up; {seen:?} connections came");
        assert_eq!(seen.load(std::sync::atomic::Ordering::Relaxed), 2, "one, and one comeback");
        assert_eq!(dialler.counts(), (1, 0), "comebacks are not counted");
        victim.abort();
    }
}
