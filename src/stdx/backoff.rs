//! How long to wait before the next try.

use std::time::Duration;

/// Exponential delays with full jitter: anywhere between nothing and a bound that doubles up to `delay_max`.
///
/// Full jitter spreads clients that failed together better than any narrower one.
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/> (read 2026-11)
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub delay_initial: Duration,
    pub delay_max: Duration,
}

impl Backoff {
    /// The delay after so many failed tries (1 after the first), for a random number from 0.0 to 1.0.
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let bound = self.delay_initial.saturating_mul(1 << doublings).min(self.delay_max);
        bound.mul_f64(random.clamp(0.0, 1.0))
    }
}

/// A random number from 0.0 up to 1.0, fit for jitter and for nothing that must be secret.
pub fn random() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    // Each RandomState is keyed anew by the standard library.
    let number = std::hash::RandomState::new().build_hasher().finish();
    (number >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_bound_and_never_pass_it() {
        let backoff = Backoff { delay_initial: Duration::from_secs(1), delay_max: Duration::from_secs(30) };
        let longest: Vec<u64> = (1..=7).map(|failures| backoff.delay(failures, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.delay(u32::MAX, 1.0), Duration::from_secs(30));
        assert_eq!(backoff.delay(3, 0.5), Duration::from_secs(2));
        assert_eq!(backoff.delay(3, 0.0), Duration::ZERO);
    }

    #[test]
    fn random_numbers_differ_and_stay_below_one() {
        let numbers: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
