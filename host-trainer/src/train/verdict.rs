//! What the curve of a run says: whether more training helps, or what else does.
//!
//! ```text
//! nothing learnt   the lowest held-out loss is not below that of the tokens' frequencies
//! overfitted       after the lowest, the held-out loss rose by 2 % while the training loss fell, or by less while that
//!                  fell by a tenth
//! improving        the held-out loss fell by 2 % or more in the last quarter of the run, or in the second half of one of
//!                  fewer than ten epochs: there the rate falls to nothing before the net has settled
//! settled          none of these
//! ```
//! `train` says it at the end of a run, and `report`, `compare` and `sweep` say it of a folder, by this one function.

use serde::Serialize;

use crate::train::config::Config;
use crate::train::run::Metrics;

/// Held-out loss, as a part of that of the frequencies, from which on nothing is learnt.
const NOTHING: f64 = 0.98;
/// Part of the held-out loss that counts as a rise or a fall.
const CHANGE: f64 = 0.02;
/// Part of the training loss whose fall is learning by heart where the held-out loss rose at all.
const LEARNT: f64 = 0.1;
/// Epochs below which a run is short.
const SHORT: f64 = 10.0;
/// Most dropout that is recommended.
const MOST_DROPOUT: f64 = 0.6;
/// Fewest units that are recommended.
const LEAST_HIDDEN: usize = 16;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Not better than the tokens' frequencies.
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
/// `unigram` is the loss of the tokens' frequencies in nats. `None` without an evaluation, and for a net that is trained
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
    if let Some(unigram) = unigram
        && lowest > NOTHING * unigram
    {
        let advice = match fall >= CHANGE && best + 1 == curve.len() {
            true => longer(config, "it has had too few steps"),
            false => "it needs more text, another --lr, or more --epochs".to_owned(),
        };
        return Some(Judgement {
            verdict: Verdict::NothingLearnt,
            reason: format!(
                "{lowest:.3} nats on held-out text, and guessing by how often each token occurs has {unigram:.3}"
            ),
            advice,
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
                "after epoch {:.0} the held-out loss rose by {rise:.3} nats while the training loss fell by {fall:.3}",
                curve[stall.0].epoch.ceil()
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
                    "the held-out loss fell by {:.1} % in the {late} of the run",
                    100.0 * fall
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
            true => "the held-out loss had stopped falling, and the rate came down before the end"
                .to_owned(),
            false => format!("the held-out loss hardly fell in the {late} of the run"),
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

/// What a run learns from, in a word.
fn learnt_from(config: &Config) -> &'static str {
    match config.series {
        None => "text",
        Some(_) => "data",
    }
}

fn nats(curve: &[&Metrics], at: usize) -> f64 {
    curve[at].valid_nats
}

/// By how much the lowest held-out loss fell after the part `from` of the run, as a part of itself; infinite where there
/// is only one evaluation.
fn late_fall(curve: &[&Metrics], lowest: f64, from: f64) -> f64 {
    let Some((last, before)) = curve.split_last() else {
        return 0.0;
    };
    let late = from * last.characters as f64;
    let early = before.iter().take_while(|m| m.characters as f64 <= late);
    let then = match early.map(|m| m.valid_nats).reduce(f64::min) {
        Some(nats) => nats,
        None => before.first().map_or(f64::INFINITY, |m| m.valid_nats),
    };
    (then - lowest) / lowest
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

/// The run made longer, in words.
fn longer(config: &Config, why: &str) -> String {
    let option = match (config.minutes, config.characters) {
        (Some(minutes), _) => format!("--minutes {}", 2.0 * minutes),
        (_, Some(characters)) => format!("--characters {}", 2 * characters),
        _ => format!("--epochs {}", 2 * config.epochs),
    };
    format!("{why} (--resume {option})")
}

fn against_overfitting(config: &Config) -> String {
    let mut cures = vec![format!("more {}", learnt_from(config))];
    if config.dropout < MOST_DROPOUT {
        let more = (config.dropout + 0.2).min(MOST_DROPOUT);
        cures.push(format!("--dropout {more:.1}"));
    }
    if config.hidden >= 2 * LEAST_HIDDEN {
        cures.push(format!("a smaller net (--hidden {})", config.hidden / 2));
    }
    let last = cures.pop().unwrap_or_default();
    match cures.is_empty() {
        true => format!("{last} helps"),
        false => format!("{} or {last} helps", cures.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with these training and held-out losses, one evaluation an epoch.
    fn curve(losses: &[(f64, f64)]) -> Vec<Metrics> {
        let line = |(at, &(train, valid)): (usize, &(f64, f64))| Metrics {
            epoch: at as f64 + 1.0,
            step: at as u64 + 1,
            characters: 100 * (at as u64 + 1),
            train_nats: train,
            valid_nats: valid,
            valid_bpc: valid / std::f64::consts::LN_2,
            figure: None,
            best: false,
            lr: 0.1,
            gradient_norm: 1.0,
            seconds: 1.0,
            characters_per_second: 1.0,
        };
        losses.iter().enumerate().map(line).collect()
    }

    fn verdict(losses: &[(f64, f64)], early: bool) -> Verdict {
        let judged = judge(&curve(losses), &Config::default(), early, Some(3.0));
        judged.unwrap().verdict
    }

    #[test]
    fn curves_are_told_apart() {
        use Verdict::{Improving, NothingLearnt, Overfitted, Settled};
        let falls = [(2.9, 2.8), (2.7, 2.6), (2.5, 2.4), (2.3, 2.2)];
        assert_eq!(verdict(&falls, false), Improving);
        assert_eq!(verdict(&falls[..1], false), Improving);
        let few = [(2.5, 2.4), (2.3, 2.2), (2.1, 2.11), (2.1, 2.1), (2.1, 2.09)];
        assert_eq!(verdict(&few, false), Improving);
        let flat = [&few[..], &[(2.1, 2.09); 7]].concat();
        assert_eq!(verdict(&flat, false), Settled);
        let rises = [(2.5, 2.4), (2.0, 2.2), (1.5, 2.25), (1.0, 2.5), (0.5, 2.8)];
        assert_eq!(verdict(&rises, false), Overfitted);
        // Stopped early, back to the best, and cooled down: the last evaluation is the best, and it has overfitted all the same.
        let cooled = [&rises[..], &[(1.9, 2.15), (1.9, 2.14)]].concat();
        assert_eq!(verdict(&cooled, true), Overfitted);
        // The same rise while the training loss rises too is a wild rate and not learning by heart.
        let wild = [(2.5, 2.4), (2.0, 2.2), (2.3, 2.5), (2.4, 2.6), (2.3, 2.6)];
        assert_eq!(verdict(&wild, false), Settled);
        // It need not rise by much.
        let stays = [
            (2.5, 2.4),
            (2.0, 2.2),
            (1.8, 2.21),
            (1.6, 2.22),
            (1.5, 2.21),
        ];
        assert_eq!(verdict(&stays, true), Overfitted);
        // One bad evaluation on the way is nothing.
        let mut bump: Vec<(f64, f64)> = (0..20).map(|i| (3.0, 2.5 - 0.05 * i as f64)).collect();
        bump[10].1 = 2.4;
        assert_eq!(verdict(&bump, false), Improving);
        for nothing in [
            &[(3.5, 3.4), (3.4, 3.2), (3.3, 3.1)][..],
            &[(3.1, 2.99); 8],
            &[(2.0, 3.0), (1.0, 3.5), (0.5, 4.0)],
        ] {
            assert_eq!(verdict(nothing, false), NothingLearnt, "{nothing:?}");
        }
    }

    #[test]
    fn without_an_evaluation_there_is_no_verdict() {
        let config = Config::default();
        assert_eq!(judge(&[], &config, false, None), None);
        assert_eq!(
            judge(&curve(&[(1.0, f64::NAN)]), &config, false, None),
            None
        );
        // A run of an earlier version has no loss of frequencies on record.
        assert!(judge(&curve(&[(5.0, 5.0)]), &config, false, None).is_some());
    }

    #[test]
    fn advice_changes_what_there_is_to_change() {
        let of = |config: Config, losses: &[(f64, f64)]| {
            judge(&curve(losses), &config, false, None).unwrap().advice
        };
        let rises = [(2.0, 2.2), (1.5, 2.4), (1.0, 2.5)];
        let config = Config {
            dropout: 0.6,
            hidden: 16,
            ..Config::default()
        };
        assert_eq!(of(config, &rises), "more text helps");
        let advice = of(Config::default(), &rises);
        assert_eq!(
            advice,
            "more text, --dropout 0.2 or a smaller net (--hidden 64) helps"
        );
        let falls = [(2.9, 2.8), (2.7, 2.6), (2.5, 2.4)];
        assert!(of(Config::default(), &falls).contains("--resume --epochs 40"));
        let minutes = Config {
            minutes: Some(1.5),
            ..Config::default()
        };
        assert!(of(minutes, &falls).contains("--resume --minutes 3"));
    }
}
