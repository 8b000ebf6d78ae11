//! What is thrown at a port.

use dbm_protocol::frame::{self, MAX_LEN};
use dbm_protocol::{Hello, Role};

/// Longest run of random bytes.
const LONGEST_NOISE: u64 = 2048;
/// What half a frame announces: as much as is allowed, so that it is not refused for its length.
const ANNOUNCED: u32 = MAX_LEN as u32;

/// One kind of garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Random bytes.
    Noise,
    /// A header that announces the longest length it can, 4 GiB less one byte, and a little of it.
    FourGib,
    /// A header of the greatest length that is allowed, and half of the frame; the rest never comes.
    HalfFrame,
    /// A hello in good order. Each port takes one or two of the roles, so of these most are wrong wherever they go; from those
    /// that are right nothing follows.
    Hello(Role),
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Noise,
        Self::FourGib,
        Self::HalfFrame,
        Self::Hello(Role::Miner),
        Self::Hello(Role::Debugger),
        Self::Hello(Role::Manager),
        Self::Hello(Role::Engine),
        Self::Hello(Role::Client),
    ];

    /// The bytes.
    pub fn bytes(self, random: &mut Random) -> Vec<u8> {
        match self {
            Self::Noise => {
                let length = 1 + random.next() % LONGEST_NOISE;
                random.bytes(usize::try_from(length).unwrap_or(1))
            }
            Self::FourGib => [u32::MAX.to_be_bytes().to_vec(), random.bytes(64)].concat(),
            Self::HalfFrame => {
                // The beginning of a hello, so nobody can tell before the end that it is none.
                let mut bytes = [&ANNOUNCED.to_be_bytes(), br#"{"version":1,"#.as_slice()].concat();
                bytes.resize(4 + MAX_LEN / 2, b' ');
                bytes
            }
            Self::Hello(role) => frame::encode(&Hello::new(role)).unwrap_or_default(),
        }
    }

    /// Does it wait for an end that never comes, as long as the other side lets it?
    pub fn stays(self) -> bool {
        !matches!(self, Self::Noise)
    }
}

/// Random numbers that are the same for the same seed: `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators"). Nothing secret depends on them.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, seed: u64) -> Vec<u8> {
        kind.bytes(&mut Random::new(seed))
    }

    #[test]
    fn the_same_seed_throws_the_same() {
        assert_eq!(of(Kind::Noise, 7), of(Kind::Noise, 7));
        assert_ne!(of(Kind::Noise, 7), of(Kind::Noise, 8));
        // The first number of the published reference implementation for the seed 0.
        assert_eq!(Random::new(0).next(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn each_is_what_it_says() {
        let announced = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        assert_eq!(announced(&of(Kind::FourGib, 1)), u32::MAX);
        let half = of(Kind::HalfFrame, 1);
        assert_eq!((announced(&half) as usize, half.len()), (MAX_LEN, 4 + MAX_LEN / 2));
        let hello = of(Kind::Hello(Role::Miner), 1);
        assert_eq!(hello, frame::encode(&Hello::new(Role::Miner)).expect("fits"));
        for seed in 0..100 {
            assert!((1..=2048).contains(&of(Kind::Noise, seed).len()));
        }
    }
}
