//! Pauses between tries, for those who have lost Debug Manager: each twice as long as the one before, up to a longest, and each
//! shortened by chance, so that a thousand who lost it at the same moment do not come back at the same moment.

use std::time::Duration;

/// The pauses of one who tries again and again.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses from `first` to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// Pauses for a Debug Manager of the same system. Looking for it costs an open and a lock of a file (the name/token
    /// pair), so it is done often enough that whoever was known is known again within half a second of its start.
    pub fn for_debug_manager() -> Self {
        Self::new(Duration::from_millis(25), Duration::from_millis(500))
    }

    /// The next pause: from half to the whole of what is due.
    pub fn pause(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.most);
        whole.mul_f64(1.0 - chance() / 2.0)
    }

    /// It worked: begin with the first pause again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// From 0 to 1; without random numbers 0, which is the whole pause.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return 0.0;
    }
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_not_all_the_same() {
        let ms = Duration::from_millis;
        let mut tries = Backoff::new(ms(100), ms(500));
        for whole in [100, 200, 400, 500, 500] {
            let pause = tries.pause();
            assert!((ms(whole) / 2..=ms(whole)).contains(&pause), "{pause:?}, {whole} ms");
        }
        tries.reset();
        assert!(tries.pause() <= ms(100));
        let pauses: std::collections::BTreeSet<_> = (0..20).map(|_| Backoff::new(ms(100), ms(500)).pause()).collect();
        assert!(pauses.len() > 10, "{pauses:?}");
    }
}
