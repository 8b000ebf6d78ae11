//! Target server responsiveness (TSR): how well a target takes the connections that it is sent.
//!
//! On z/OS the distributor computes it about every minute from three rates; the sample of NETSTAT VDPT DETAIL shows TCSR 100,
//! CER 75, SEF 100 and TSR 75. How exactly each is computed was not found documented. Here, our choice, each is what the
//! kernels show at one moment:
//!
//! - TCSR, target connectivity success rate: does the owner's kernel reach the target at all? 0 when nobody answers for the
//!   target's XCF address, or for that of its VIPAROUTE, as a neighbour.
//! - CER, connection establishment rate: of the connections that came in, how many are established and not half open?
//! - SEF, server efficiency fraction: how much of the accept queue is free?
//!
//! TSR is their product.

/// All in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tsr {
    /// Target connectivity success rate.
    pub tcsr: u8,
    /// Connection establishment rate.
    pub cer: u8,
    /// Server efficiency fraction.
    pub sef: u8,
}

impl Default for Tsr {
    /// As good as can be.
    fn default() -> Self {
        Self { tcsr: 100, cer: 100, sef: 100 }
    }
}

/// So many half-open connections are no sign of anything.
const ON_THEIR_WAY: u32 = 8;

/// What a target's kernel shows of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queues {
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// How many may.
    pub most: u32,
    /// Connections that are half open (SYN received).
    pub half_open: u32,
    /// Connections that are established.
    pub established: u32,
}

impl Tsr {
    /// From what the kernels show. `reachable` is what the owner's says of the way to the target.
    ///
    /// Rates are in steps of 5, and a few waiting connections are no sign of anything: a weight that changed with every packet
    /// would not be one.
    pub fn of(queues: Queues, reachable: bool) -> Self {
        // A few are always on their way.
        let stuck = queues.half_open.saturating_sub(ON_THEIR_WAY);
        let cer = if stuck == 0 { 100 } else { percent(queues.established, stuck + queues.established) };
        let sef = match queues.most {
            0 => 100,
            // The kernel takes one more than it was told.
            most if queues.waiting > most => 0,
            most => percent(most.saturating_sub(queues.waiting), most),
        };
        Self { tcsr: if reachable { 100 } else { 0 }, cer, sef }
    }

    /// As a stack says it that has the defect of SHAREPORT: half of the server's efficiency (by how much it is too low was not found
    /// documented).
    #[must_use]
    pub fn too_low(self) -> Self {
        Self { sef: self.sef / 2, ..self }
    }

    /// The product, in percent.
    pub fn percent(self) -> u8 {
        let product = u32::from(self.tcsr) * u32::from(self.cer) * u32::from(self.sef) / 10_000;
        u8::try_from(product).unwrap_or(100)
    }
}

fn percent(part: u32, whole: u32) -> u8 {
    let exact = u64::from(part.min(whole)) * 100 / u64::from(whole.max(1));
    let stepped = (exact + 2) / 5 * 5;
    u8::try_from(stepped).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let queues = Queues { waiting: 0, most: 128, half_open: 0, established: 10 };
        assert_eq!(Tsr::of(queues, true), Tsr::default());
        assert_eq!(Tsr::of(queues, false).percent(), 0);
        assert_eq!(Tsr::of(Queues { half_open: 18, ..queues }, true), Tsr { tcsr: 100, cer: 50, sef: 100 });
        let first = Queues { half_open: 3, established: 0, ..queues };
        assert_eq!(Tsr::of(first, true), Tsr::default(), "the first connections are on their way");
        assert_eq!(Tsr::of(Queues { waiting: 129, ..queues }, true).percent(), 0);
        assert_eq!(Tsr::of(Queues { waiting: 32, ..queues }, true), Tsr { tcsr: 100, cer: 100, sef: 75 });
        assert_eq!(Tsr::of(Queues { waiting: 1, ..queues }, true).sef, 100, "one is no sign");
        assert_eq!(Tsr::of(Queues::default(), true), Tsr::default());
    }
}
