//! What a run did: inputs, and those that were accepted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Counts the inputs of a target.
#[derive(Debug)]
pub struct Counts {
    target: &'static str,
    executions: AtomicU64,
    accepted: AtomicU64,
}

/// Inputs after which the counts are written once more.
const EVERY: u64 = 1 << 12;

impl Counts {
    /// Of a target.
    pub const fn new(target: &'static str) -> Self {
        Self {
            target,
            executions: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        }
    }

    /// One more input. Now and then the counts go to the file that `GATELET_FUZZ_COUNTS` names, if
    /// it does.
    ///
    /// # Panics
    /// When that file cannot be written.
    pub fn count(&self, accepted: bool, start: Instant) {
        self.accepted.fetch_add(accepted.into(), Relaxed);
        if (self.executions.fetch_add(1, Relaxed) + 1).is_multiple_of(EVERY) {
            self.write(start);
        }
    }

    /// Writes the counts, as one line of JSON.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, start: Instant) {
        let Some(path) = std::env::var_os("GATELET_FUZZ_COUNTS") else {
            return;
        };
        let (executions, accepted) = (self.executions.load(Relaxed), self.accepted.load(Relaxed));
        let line = format!(
            "{{\"target\":\"{}\",\"executions\":{executions},\"accepted\":{accepted},\"seconds\":{:.0}}}\n",
            self.target,
            start.elapsed().as_secs_f64()
        );
        std::fs::write(path, line).expect("the file of GATELET_FUZZ_COUNTS can be written");
    }
}
