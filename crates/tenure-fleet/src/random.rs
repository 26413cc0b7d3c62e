//! Random numbers: what names are drawn from, and what spreads in time what would come together.

use std::time::Duration;

/// A number that nobody can guess.
pub(crate) fn draw() -> Result<u64, getrandom::Error> {
    getrandom::u64()
}

/// A time around this one, between half of it and one and a half of it.
pub(crate) fn around(time: Duration) -> Duration {
    let part = draw().unwrap_or(u64::MAX / 2) as f64 / u64::MAX as f64;
    time.mul_f64(0.5 + part)
}

/// The waits between attempts: none before the first, then longer and longer ones.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    first: Duration,
    most: Duration,
    next: Option<Duration>,
}

impl Waits {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            next: None,
        }
    }

    /// An attempt has succeeded.
    pub(crate) fn reset(&mut self) {
        self.next = None;
    }

    /// The time to wait before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        match self.next {
            None => {
                self.next = Some(self.first);
                Duration::ZERO
            }
            Some(wait) => {
                self.next = Some((wait * 2).min(self.most));
                around(wait).min(self.most)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attempt_is_at_once_and_others_wait_longer_up_to_a_bound() {
        let mut waits = Waits::new(Duration::from_secs(1), Duration::from_secs(30));
        for _ in 0..2 {
            assert_eq!(waits.next(), Duration::ZERO);
            for least in [500, 1000, 2000, 4000, 8000] {
                let wait = waits.next();
                assert!(
                    (least..=3 * least).contains(&(wait.as_millis() as u64)),
                    "{wait:?}"
                );
            }
            assert!((0..9).all(|_| waits.next() <= Duration::from_secs(30)));
            waits.reset();
        }
    }
}
