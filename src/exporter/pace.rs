//! How an exporter wants to be delivered to: the keys that every exporter has.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::stdx::fault::Fault;
use crate::stdx::located::Place;
use crate::stdx::units::Interval;

/// More requests at once than any vendor takes from one client; each holds a request in memory.
pub const CONCURRENCY_MAX: usize = 1024;

/// Delays between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Upper bound of the first delay; doubles with each failure.
    pub initial: Interval,
    /// Upper bound of every delay.
    pub max: Interval,
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryConfig { initial: Interval::seconds(1), max: Interval::seconds(30) }
    }
}

/// Whether an exporter sends, or only shows what it would send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preview {
    #[default]
    Off,
    /// Shows, whatever credentials there are.
    On,
    /// Sends if it has credentials, else shows.
    Auto,
}

impl<'de> Deserialize<'de> for Preview {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PreviewVisitor;

        impl Visitor<'_> for PreviewVisitor {
            type Value = Preview;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("true, false or auto")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Preview, E> {
                Ok(if flag { Preview::On } else { Preview::Off })
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Preview, E> {
                match word {
                    "true" => Ok(Preview::On),
                    "false" => Ok(Preview::Off),
                    "auto" => Ok(Preview::Auto),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }
        }

        deserializer.deserialize_any(PreviewVisitor)
    }
}

/// How one exporter is delivered to.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub retry: RetryConfig,
    /// Requests under way at once.
    pub concurrency: usize,
    /// For one attempt.
    pub timeout: Duration,
    /// How long the first item of a request waits for company.
    pub linger: Duration,
}

impl Pace {
    /// From the four keys as every exporter has them.
    pub fn new(retry: RetryConfig, concurrency: usize, timeout: Interval, linger: Interval) -> Self {
        Pace { retry, concurrency, timeout: timeout.duration(), linger: linger.duration() }
    }

    /// What would keep an exporter from ever sending, or make it send without rest; `place` is where its name stands.
    /// `concurrency: 0` is found where the configuration is put together.
    pub fn faults(&self, place: Place) -> Vec<Fault> {
        let RetryConfig { initial, max } = self.retry;
        let checks = [
            (self.timeout.is_zero(), "`timeout` is 0: every attempt would end before it begins"),
            (initial.duration().is_zero(), "`retry.initial` is 0: a vendor that is down would be asked without rest"),
            (max.duration().is_zero(), "`retry.max` is 0: a vendor that is down would be asked without rest"),
            (self.concurrency > CONCURRENCY_MAX, "`concurrency` is above 1024"),
        ];
        checks.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, message)| Fault::at(place, message)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_that_makes_no_sense_is_named() {
        let sound = Pace {
            retry: RetryConfig::default(),
            concurrency: CONCURRENCY_MAX,
            timeout: Duration::from_secs(1),
            linger: Duration::ZERO,
        };
        let messages =
            |pace: Pace| -> Vec<String> { pace.faults(Place::NONE).into_iter().map(|fault| fault.message).collect() };
        assert_eq!(messages(sound), Vec::<String>::new());
        let retry = RetryConfig { initial: Interval::millis(0), max: Interval::millis(0) };
        let broken = Pace { retry, concurrency: CONCURRENCY_MAX + 1, timeout: Duration::ZERO, ..sound };
        for (message, key) in messages(broken).iter().zip(["timeout", "retry.initial", "retry.max", "concurrency"]) {
            assert!(message.contains(key), "{message}");
        }
        assert_eq!(messages(broken).len(), 4);
    }
}
