//! How the learning rate changes over a run.
//!
//! ```text
//! constant   lr
//! cosine     lr (floor + (1 - floor) (1 + cos(pi p)) / 2)        p = progress in [0, 1]
//! plateau    lr scale;   scale <- max(floor, scale factor) after every `patience` evaluations without a better one
//! all        times (t + 1) / warmup during the first `warmup` steps
//! ```
//! The cosine needs to know when training ends; the plateau does not, but its decisions depend on the run so far, so
//! what it remembers belongs to the run's position and is kept in checkpoints.

use serde::{Deserialize, Serialize};

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine from the learning rate down to 1 % of it.
    Cosine,
    /// The same all the time.
    Constant,
    /// Lower whenever the held-out loss has stopped falling.
    Plateau,
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cosine => "cosine",
            Self::Constant => "constant",
            Self::Plateau => "plateau",
        })
    }
}

/// Where cosine and plateau end, as a fraction of the learning rate.
const FLOOR: f64 = 0.01;

impl Schedule {
    /// Learning rate at `progress` (0 at the start, 1 at the end of training), at step `step` of a linear warm-up of
    /// `warmup` steps, with what the plateau has come to.
    pub fn rate(
        self,
        learning_rate: f64,
        progress: f64,
        step: u64,
        warmup: u64,
        plateau: &Plateau,
    ) -> f64 {
        let rate = match self {
            Self::Constant => learning_rate,
            Self::Cosine => {
                let half_cosine =
                    0.5 * (1.0 + (std::f64::consts::PI * progress.clamp(0.0, 1.0)).cos());
                learning_rate * (FLOOR + (1.0 - FLOOR) * half_cosine)
            }
            Self::Plateau => learning_rate * plateau.scale,
        };
        if step < warmup {
            rate * (step + 1) as f64 / warmup as f64
        } else {
            rate
        }
    }
}

/// Constants of the plateau schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateauConfig {
    /// Factor of the learning rate at each reduction, above 0 and below 1.
    pub factor: f64,
    /// Evaluations without a better one before a reduction, at least 1.
    pub patience: usize,
}

/// What the plateau schedule remembers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// The learning rate now, as a fraction of the highest.
    pub scale: f64,
    /// Lowest held-out loss.
    pub best: Option<f64>,
    /// Evaluations since then, or since the last reduction.
    pub waited: usize,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            scale: 1.0,
            best: None,
            waited: 0,
        }
    }
}

impl Plateau {
    /// Takes note of an evaluation.
    pub fn observe(&mut self, nats: f64, config: PlateauConfig) {
        if self.best.is_none_or(|best| nats < best) {
            (self.best, self.waited) = (Some(nats), 0);
            return;
        }
        self.waited += 1;
        if self.waited >= config.patience {
            (self.scale, self.waited) = ((self.scale * config.factor).max(FLOOR), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(schedule: Schedule, progress: f64, step: u64, warmup: u64) -> f64 {
        schedule.rate(0.2, progress, step, warmup, &Plateau::default())
    }

    #[test]
    fn schedule_warms_up_and_ends_at_one_percent() {
        assert_eq!(rate(Schedule::Constant, 0.9, 500, 100), 0.2);
        assert!((rate(Schedule::Constant, 0.0, 24, 100) - 0.05).abs() < 1e-15);
        assert_eq!(rate(Schedule::Cosine, 0.0, 0, 0), 0.2);
        assert!((rate(Schedule::Cosine, 0.5, 0, 0) - 0.101).abs() < 1e-15);
        assert!((rate(Schedule::Cosine, 1.0, 0, 0) - 0.002).abs() < 1e-15);
    }

    #[test]
    fn plateau_falls_after_the_patience_and_not_below_the_floor() {
        let config = PlateauConfig {
            factor: 0.5,
            patience: 2,
        };
        let mut plateau = Plateau::default();
        let scales = [3.0, 2.0, 2.5, 1.9, 1.9, 2.0, 1.95, 1.8, 1.85, 1.85, 1.7].map(|nats| {
            plateau.observe(nats, config);
            plateau.scale
        });
        assert_eq!(
            scales,
            [1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]
        );
        assert_eq!(Schedule::Plateau.rate(0.2, 0.9, 7, 0, &plateau), 0.05);
        for _ in 0..100 {
            plateau.observe(f64::NAN, config);
        }
        assert_eq!((plateau.scale, plateau.best), (FLOOR, Some(1.7)));
    }

    #[test]
    fn plateau_comes_back_from_a_checkpoint_to_the_bit() {
        let plateau = Plateau {
            scale: 0.1_f64.powi(3),
            best: Some(1.0 / 3.0),
            waited: 1,
        };
        let text = serde_json::to_string(&plateau).unwrap();
        assert_eq!(serde_json::from_str::<Plateau>(&text).unwrap(), plateau);
    }
}
