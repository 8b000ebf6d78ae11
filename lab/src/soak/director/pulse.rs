//! Does the lab itself keep up? When it stood still (the machine was busy or asleep, a disk took long), events wait to be heard, and
//! nobody may be accused of silence before they were. Pure.

/// A pause between two looks that is longer is a standstill, in milliseconds; looks are ten apart.
const LONG: u64 = 1_000;
/// How long it takes, after a standstill, to hear all that was said meanwhile: at least so much, and half as long as it stood.
const HEARD_WITHIN: u64 = 2_000;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    last_ms: u64,
    judges_from_ms: u64,
}

impl Pulse {
    /// It looks again. How long it had stood still, when it had.
    pub(super) fn beat(&mut self, now_ms: u64) -> Option<u64> {
        let pause = now_ms.saturating_sub(self.last_ms);
        self.last_ms = now_ms;
        if pause < LONG {
            return None;
        }
        self.judges_from_ms = now_ms + HEARD_WITHIN.max(pause / 2);
        Some(pause)
    }

    /// Has all been heard by now that was said?
    pub(super) fn judges(&self) -> bool {
        self.last_ms >= self.judges_from_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_judged_just_after_a_standstill() {
        let mut pulse = Pulse::default();
        assert!((1..50).all(|at| pulse.beat(at * 10).is_none() && pulse.judges()));
        assert_eq!(pulse.beat(6_490), Some(6_000));
        assert!(!pulse.judges());
        for at in (6_500..9_490).step_by(10) {
            assert_eq!(pulse.beat(at), None);
            assert!(!pulse.judges(), "{at}");
        }
        assert_eq!(pulse.beat(9_490), None);
        assert!(pulse.judges());
    }
}
