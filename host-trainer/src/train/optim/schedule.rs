//! How the learning rate changes over a run.
//!
//! ```text
//! constant   lr
//! cosine     lr (floor + (1 - floor) (1 + cos(pi p)) / 2)        p = progress in [0, 1]
//! plateau    lr scale;   scale <- max(floor, scale factor) after every `patience` evaluations without a better one
//! all        times (t + 1) / warmup during the first `warmup` steps
//! cooldown   floor lr + (r - floor lr) (1 + cos(pi q)) / 2       q = part of the cooldown that is done, r = rate before
//! ```
//! The cosine needs to know when training ends; the plateau does not, but its decisions depend on the
//! run so far, so what it remembers belongs to the run's position and is kept in checkpoints.
//!
//! A run whose patience is exhausted does not stop at the rate it has: it cools down first, because a
//! net is at its best only after the rate has come down.

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
/// A cooldown has this part of the steps before it.
const COOLDOWN: u64 = 4;

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
            Self::Cosine => learning_rate * (FLOOR + (1.0 - FLOOR) * half_cosine(progress)),
            Self::Plateau => learning_rate * plateau.scale,
        };
        if step < warmup {
            rate * (step + 1) as f64 / warmup as f64
        } else {
            rate
        }
    }
}

/// The last steps of a run that stops early.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cooldown {
    /// Optimizer steps done when it began.
    pub start: u64,
    /// Its steps, at least 1.
    pub steps: u64,
    /// Learning rate of the step before it.
    pub rate: f64,
}

impl Cooldown {
    /// The cooldown that follows when `schedule` has come to `rate`, below `learning_rate`, after `step` steps. `None`
    /// where nothing is to fall: a constant rate stays, and one at the floor is there.
    pub fn new(schedule: Schedule, learning_rate: f64, rate: f64, step: u64) -> Option<Self> {
        let high = rate > 2.0 * FLOOR * learning_rate;
        (high && schedule != Schedule::Constant).then(|| Self {
            start: step,
            steps: step.div_ceil(COOLDOWN),
            rate,
        })
    }

    /// Learning rate at step `step`; the last one's is the floor.
    pub fn rate(&self, learning_rate: f64, step: u64) -> f64 {
        let floor = FLOOR * learning_rate;
        let done = (step + 1 - self.start) as f64 / self.steps.max(1) as f64;
        floor + (self.rate - floor) * half_cosine(done)
    }

    /// Whether it is over after `step` steps.
    pub fn is_over(&self, step: u64) -> bool {
        step >= self.start + self.steps
    }
}

/// 1 at 0, 0 at 1.
fn half_cosine(progress: f64) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * progress.clamp(0.0, 1.0)).cos())
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
    fn a_cooldown_falls_from_where_the_rate_was_to_the_floor() {
        let of = |schedule, rate, step| Cooldown::new(schedule, 0.2, rate, step);
        let cooldown = of(Schedule::Cosine, 0.15, 1000).unwrap();
        assert_eq!(cooldown.steps, 250);
        let rates: Vec<f64> = (1000..1250).map(|step| cooldown.rate(0.2, step)).collect();
        assert!(rates.is_sorted_by(|a, b| a > b) && rates[0] < 0.15);
        assert!((rates[249] - 0.002).abs() < 1e-15, "{}", rates[249]);
        assert!(!cooldown.is_over(1249) && cooldown.is_over(1250));
        assert_eq!(of(Schedule::Plateau, 0.2, 3).unwrap().steps, 1);
        // Nothing is to fall.
        assert_eq!(of(Schedule::Constant, 0.2, 1000), None);
        assert_eq!(of(Schedule::Plateau, 0.002, 1000), None);
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
