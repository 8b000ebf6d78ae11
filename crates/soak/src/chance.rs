//! Numbers that look like chance and are the same for the same seed, on every machine.

/// A row of such numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The row of a seed. Rows for different purposes of one seed do not follow each other.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut mixed = Self(seed ^ purpose.wrapping_mul(0xA24B_AED4_963E_E407));
        Self(mixed.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A number from `from` to `to`, both included.
    pub fn from_to(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from).saturating_add(1))
    }

    /// One of these; nothing when there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let position = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from.get(position)
    }

    /// A time with this mean, as the pauses between independent events are (exponentially distributed), at most eight means.
    pub fn pause(&mut self, mean: f64) -> f64 {
        let unit = (self.below(1 << 52) as f64 + 1.0) / (1_u64 << 52) as f64;
        (-unit.ln() * mean).min(8.0 * mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_another_purpose_another() {
        let row = |seed, purpose| {
            let mut chance = Chance::new(seed, purpose);
            [(); 4].map(|()| chance.below(1000))
        };
        assert_eq!(row(7, 1), row(7, 1));
        assert_ne!(row(7, 1), row(7, 2));
        assert_ne!(row(7, 1), row(8, 1));
    }

    #[test]
    fn pauses_have_their_mean_and_are_bounded() {
        let mut chance = Chance::new(1, 1);
        let pauses: Vec<f64> = (0..20_000).map(|_| chance.pause(5.0)).collect();
        let mean = pauses.iter().sum::<f64>() / pauses.len() as f64;
        assert!((4.8..5.2).contains(&mean), "{mean}");
        assert!(pauses.iter().all(|pause| (0.0..=40.0).contains(pause)));
    }
}
