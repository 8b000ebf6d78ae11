//! Round numbers along an axis. Pure.

/// Marks that an axis has at most.
const MOST: usize = 40;

/// A step of 1, 2 or 5 and zeros that goes about so many times into a span, or fewer.
pub(super) fn step(span: f64, about: f64) -> f64 {
    let rough = span / about;
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough).unwrap_or(power)
}

/// A step of time, in milliseconds, that a clock's face would have: seconds, minutes, hours, days.
pub(super) fn time_step(span_ms: f64, about: f64) -> f64 {
    const SECONDS: [u32; 18] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];
    let rough = span_ms / about;
    let steps = SECONDS.into_iter().map(|s| f64::from(s) * 1e3).find(|step| *step >= rough);
    steps.unwrap_or_else(|| (rough / 86_400e3).ceil() * 86_400e3)
}

/// The multiples of a step from `first` to `last`.
pub(super) fn ticks(first: f64, last: f64, step: f64) -> Vec<f64> {
    let from = (first / step).ceil();
    (0..MOST).map(|n| (from + n as f64) * step).take_while(|at| *at <= last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!([7.0, 90.0, 104.0, 0.3].map(|span| step(span, 4.0)), [2.0, 50.0, 50.0, 0.1]);
        let minutes = |span: f64| time_step(span * 60e3, 8.0) / 60e3;
        assert_eq!([0.5, 30.0, 120.0, 60.0 * 60.0].map(minutes), [5.0 / 60.0, 5.0, 15.0, 720.0]);
        assert_eq!(ticks(-72.0, 104.0, 50.0), [-50.0, 0.0, 50.0, 100.0]);
        assert_eq!(ticks(0.0, f64::INFINITY, 1.0).len(), MOST);
    }
}
