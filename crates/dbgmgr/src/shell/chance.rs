//! Chance, for pauses that are not to be the same on all systems.

/// Some number from 0 to `most`; 0 when the kernel has no random numbers to give.
pub(super) fn up_to(most: u64) -> u64 {
    let mut bytes = [0; 8];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => u64::from_ne_bytes(bytes) % most.saturating_add(1).max(1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bounds() {
        for most in [0, 1, 7, u64::MAX] {
            assert!((0..100).all(|_| up_to(most) <= most), "{most}");
        }
        let some: std::collections::BTreeSet<_> = (0..100).map(|_| up_to(1_000_000)).collect();
        assert!(some.len() > 50, "{some:?}");
    }
}
