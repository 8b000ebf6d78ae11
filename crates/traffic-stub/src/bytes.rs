//! The bytes that a server sends: both ends make them from the same seed, so that a caller can check each one as it arrives.

/// Spreads seeds that are close to each other: the golden ratio's number, as in `SplitMix64`.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// So many bytes are compared at a time.
const PIECE: usize = 1024;

/// A sequence of bytes that is the same for the same seed, however it is cut into pieces: xorshift64* (Vigna, "An experimental
/// exploration of Marsaglia's xorshift generators, scrambled"), each number with its lowest byte first. Nothing secret depends
/// on it.
#[derive(Clone, Debug)]
pub struct Bytes {
    state: u64,
    /// The last number, and how many of its bytes were used.
    word: [u8; 8],
    used: usize,
}

impl Bytes {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        // The state 0 would give nothing but zeros; its seed shares the bytes of the one seed that begins with 1.
        let state = seed.wrapping_add(1).wrapping_mul(SPREAD).max(1);
        Self { state, word: [0; 8], used: 8 }
    }

    /// Fills `out` with the next bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        let left = (8 - self.used).min(out.len());
        let (head, rest) = out.split_at_mut(left);
        head.copy_from_slice(&self.word[self.used..self.used + left]);
        self.used += left;
        let mut words = rest.chunks_exact_mut(8);
        for word in &mut words {
            word.copy_from_slice(&self.next().to_le_bytes());
        }
        let tail = words.into_remainder();
        if !tail.is_empty() {
            self.word = self.next().to_le_bytes();
            self.used = tail.len();
            tail.copy_from_slice(&self.word[..tail.len()]);
        }
    }

    /// Are these the next bytes? Goes on behind them.
    ///
    /// # Errors
    /// The position in `found` of the first byte that is another.
    pub fn check(&mut self, found: &[u8]) -> Result<(), usize> {
        let mut expected = [0; PIECE];
        for (number, found) in found.chunks(PIECE).enumerate() {
            let expected = &mut expected[..found.len()];
            self.fill(expected);
            if let Some(wrong) = found.iter().zip(expected.iter()).position(|(found, expected)| found != expected) {
                return Err(number * PIECE + wrong);
            }
        }
        Ok(())
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        Bytes::new(seed).fill(&mut bytes);
        bytes
    }

    #[test]
    fn seeds_differ_and_none_is_all_zeros() {
        // u64::MAX is the seed whose state would be 0.
        for seed in [0, 1, 2, u64::MAX] {
            assert_eq!(whole(seed, 64), whole(seed, 64));
            assert_ne!(whole(seed, 64), whole(seed.wrapping_add(1), 64));
            assert!(whole(seed, 64).iter().any(|&byte| byte != 0));
        }
    }

    #[test]
    fn the_first_wrong_byte_is_found() {
        let right = whole(7, 5000);
        assert_eq!(Bytes::new(7).check(&right), Ok(()));
        for position in [0, 7, 1023, 1024, 4999] {
            let mut wrong = right.clone();
            wrong[position] ^= 1;
            assert_eq!(Bytes::new(7).check(&wrong), Err(position));
        }
    }

    proptest! {
        #[test]
        fn chunk_boundaries_do_not_matter(
            seed: u64,
            sent in prop::collection::vec(0usize..3000, 0..8),
            received in prop::collection::vec(1usize..3000, 1..8),
        ) {
            let (mut sender, mut stream) = (Bytes::new(seed), Vec::new());
            for length in sent {
                let mut chunk = vec![0; length];
                sender.fill(&mut chunk);
                stream.extend(chunk);
            }
            prop_assert_eq!(&stream, &whole(seed, stream.len()));
            let (mut receiver, mut rest) = (Bytes::new(seed), stream.as_slice());
            for length in received.iter().cycle() {
                let (chunk, after) = rest.split_at((*length).min(rest.len()));
                prop_assert_eq!(receiver.check(chunk), Ok(()));
                rest = after;
                if rest.is_empty() { break; }
            }
        }
    }
}
