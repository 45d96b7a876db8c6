//! What the curve of a run says: whether more training helps, or what else does.
//!
//! ```text
//! nothing learnt   the lowest held-out loss is not below that of the frequencies of tokens or
//!                  classes; of values the error to signal is not below that of their mean, 1
//! overfitted       after the lowest, the held-out loss rose by 2 % while the training loss fell, or by less while that
//!                  fell by a tenth
//! improving        the held-out loss fell by 2 % or more in the last quarter of the run, or in the second half of one of
//!                  fewer than ten epochs: there the rate falls to nothing before the net has settled
//! settled          none of these, or every answer to what is held out is right
//! ```
//! The curve is that of the loss, which the best net is chosen by. What is said of sequences is said
//! of their figure too: accuracy, or error to signal.
//!
//! `train` says it at the end of a run, and `report`, `compare` and `sweep` say it of a folder, by this one function.

mod words;

use serde::Serialize;

use self::words::{against_overfitting, figures, learnt_from, longer, nothing_learnt, smaller};
use crate::train::config::Config;
use crate::train::run::Metrics;

/// Part of the held-out loss that counts as a rise or a fall.
const CHANGE: f64 = 0.02;
/// Part of the training loss whose fall is learning by heart where the held-out loss rose at all.
const LEARNT: f64 = 0.1;
/// Epochs below which a run is short.
const SHORT: f64 = 10.0;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not better than the frequencies of tokens or classes, or the mean of values.
    NothingLearnt,
    /// More of the same training lowers the loss further.
    Improving,
    /// More of the same training changes little.
    Settled,
    /// It learnt its training text by heart.
    Overfitted,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NothingLearnt => "nothing learnt",
            Self::Improving => "still improving",
            Self::Settled => "settled",
            Self::Overfitted => "overfitted",
        })
    }
}

/// A verdict with its reason and what to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What in the curve it follows from.
    pub reason: String,
    /// What lowers the loss.
    pub advice: String,
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            verdict,
            reason,
            advice,
        } = self;
        write!(f, "{verdict}: {reason}; {advice}")
    }
}

/// Judges the evaluations of a run with these options. `early` says whether it ended for want of a better evaluation,
/// `unigram` is the loss of the frequencies of tokens or classes in nats. `None` without an evaluation, and for a net that is trained
/// for integers, whose run begins where another ended.
pub fn judge(
    metrics: &[Metrics],
    config: &Config,
    early: bool,
    unigram: Option<f64>,
) -> Option<Judgement> {
    let curve: Vec<&Metrics> = metrics
        .iter()
        .filter(|m| m.valid_nats.is_finite())
        .collect();
    let best = (0..curve.len()).min_by(|&a, &b| nats(&curve, a).total_cmp(&nats(&curve, b)))?;
    if config.qat.is_some() {
        return None;
    }
    let lowest = nats(&curve, best);
    let (from, late) = match curve[curve.len() - 1].epoch < SHORT {
        true => (0.5, "second half"),
        false => (0.75, "last quarter"),
    };
    let fall = late_fall(&curve, lowest, from);
    if let Some(reason) = nothing_learnt(curve[best], config, unigram) {
        let advice = match fall >= CHANGE && best + 1 == curve.len() {
            true => longer(config, "it has had too few steps"),
            false => format!(
                "it needs more {}, another --lr, or more --epochs",
                learnt_from(config)
            ),
        };
        return Some(Judgement {
            verdict: Verdict::NothingLearnt,
            reason,
            advice,
        });
    }
    if is_all_right(curve[best], config) {
        return Some(Judgement {
            verdict: Verdict::Settled,
            reason: "every answer to what is held out is right".to_owned(),
            advice: match smaller(config) {
                Some(smaller) => format!("{smaller} may do as well"),
                None => "more data would tell more".to_owned(),
            },
        });
    }
    let stall = match early {
        true => longest_stall(&curve),
        false => (best, curve.len() - 1),
    };
    if let Some((rise, fall)) = by_heart(&curve, stall) {
        return Some(Judgement {
            verdict: Verdict::Overfitted,
            reason: format!(
                "after epoch {:.0} the held-out loss rose by {rise:.3}{} while the training loss fell \
                 by {fall:.3}{}",
                curve[stall.0].epoch.ceil(),
                words::unit(config),
                figures(config, curve[stall.0], curve[stall.1]),
            ),
            advice: against_overfitting(config),
        });
    }
    if !early && fall >= CHANGE {
        return Some(Judgement {
            verdict: Verdict::Improving,
            reason: match curve.len() {
                1 => "the one evaluation there is cannot show more".to_owned(),
                _ => format!(
                    "the held-out loss fell by {:.1} % in the {late} of the run{}",
                    100.0 * fall,
                    figures(config, before_late(&curve, from), curve[best]),
                ),
            },
            advice: longer(config, "more epochs lower it further"),
        });
    }
    let last = curve[curve.len() - 1];
    let apart = last.valid_nats - last.train_nats;
    Some(Judgement {
        verdict: Verdict::Settled,
        reason: match early {
            true => format!(
                "the held-out loss had stopped falling, and the rate came down before the end{}",
                figures(config, curve[best], curve[best])
            ),
            false => format!(
                "the held-out loss hardly fell in the {late} of the run{}",
                figures(config, before_late(&curve, from), curve[best])
            ),
        },
        advice: if apart > 0.1 * last.valid_nats {
            format!(
                "its loss is {apart:.2} lower on what it learns from, so more {} helps most",
                learnt_from(config)
            )
        } else {
            format!(
                "a larger net (--hidden {}) or more {} helps",
                (2 * config.hidden).min(1024),
                learnt_from(config)
            )
        },
    })
}

fn nats(curve: &[&Metrics], at: usize) -> f64 {
    curve[at].valid_nats
}

/// By how much the lowest held-out loss fell after the part `from` of the run, as a part of itself; infinite where there
/// is only one evaluation.
fn late_fall(curve: &[&Metrics], lowest: f64, from: f64) -> f64 {
    let then = match curve {
        [] => return 0.0,
        [_] => f64::INFINITY,
        curve => before_late(curve, from).valid_nats,
    };
    (then - lowest) / lowest
}

/// The evaluation with the lowest held-out loss before the part `from` of the run; the first where
/// there is none. There has to be one evaluation.
fn before_late<'m>(curve: &[&'m Metrics], from: f64) -> &'m Metrics {
    let last = curve.len() - 1;
    let late = from * curve[last].characters as f64;
    let early = curve[..last].iter();
    let early = early.take_while(|m| m.characters as f64 <= late);
    let lowest = early.min_by(|a, b| a.valid_nats.total_cmp(&b.valid_nats));
    lowest.copied().unwrap_or(curve[0])
}

/// Whether a net of classes gets every answer right.
fn is_all_right(of: &Metrics, config: &Config) -> bool {
    let series = config.series.as_ref();
    series.is_some_and(|series| series.task.is_of_classes()) && of.figure == Some(1.0)
}

/// The evaluation after which it took longest until there was a better one, and the last before that.
fn longest_stall(curve: &[&Metrics]) -> (usize, usize) {
    let (mut lowest, mut longest) = (0, (0, 0));
    for at in 0..curve.len() {
        if nats(curve, at) < nats(curve, lowest) {
            lowest = at;
        }
        if at - lowest > longest.1 - longest.0 {
            longest = (lowest, at);
        }
    }
    longest
}

/// By how much the held-out loss rose and the training loss fell over a stall, on average over its last third, if that is
/// learning by heart.
fn by_heart(curve: &[&Metrics], (from, to): (usize, usize)) -> Option<(f64, f64)> {
    let length = to - from;
    if length == 0 || length * 10 < curve.len() {
        return None;
    }
    let tail = &curve[to + 1 - length.div_ceil(3)..=to];
    let mean =
        |of: fn(&Metrics) -> f64| tail.iter().map(|m| of(m)).sum::<f64>() / tail.len() as f64;
    let rise = mean(|m| m.valid_nats) - nats(curve, from);
    let trained = curve[from].train_nats;
    let fall = trained - mean(|m| m.train_nats);
    let much = rise >= CHANGE * nats(curve, from) || fall >= LEARNT * trained;
    (rise > 0.0 && fall > 0.0 && much).then_some((rise, fall))
}

#[cfg(test)]
mod tests;
