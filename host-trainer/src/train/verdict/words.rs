//! What is said of a curve: in nats of a text, in the figure of sequences.

use crate::train::config::Config;
use crate::train::run::Metrics;

/// Held-out loss, as a part of that of the frequencies, from which on nothing is learnt; and the
/// error to signal of values.
const NOTHING: f64 = 0.98;
/// Most dropout that is recommended.
const MOST_DROPOUT: f64 = 0.6;
/// Fewest units that are recommended: of a text, and of sequences.
const LEAST_HIDDEN: (usize, usize) = (16, 4);

/// What a run learns from, in a word.
pub(super) fn learnt_from(config: &Config) -> &'static str {
    match config.series {
        None => "text",
        Some(_) => "data",
    }
}

/// The unit of a loss, behind a number.
pub(super) fn unit(config: &Config) -> &'static str {
    match &config.series {
        Some(series) if !series.task.is_of_classes() => "",
        _ => " nats",
    }
}

/// Why nothing was learnt, if the best evaluation says so.
pub(super) fn nothing_learnt(
    best: &Metrics,
    config: &Config,
    unigram: Option<f64>,
) -> Option<String> {
    let loss = best.valid_nats;
    let not_below = |unigram: &f64| loss > NOTHING * unigram;
    let Some(series) = &config.series else {
        let unigram = unigram.filter(not_below)?;
        return Some(format!(
            "{loss:.3} nats on held-out text, and guessing by how often each token occurs has \
             {unigram:.3}"
        ));
    };
    let figure = best.figure?;
    if !series.task.is_of_classes() {
        let nothing = figure >= NOTHING;
        return nothing.then(|| {
            format!(
                "error to signal {figure:.3} on what is held out, and always saying the mean has 1"
            )
        });
    }
    // Smoothing and weights move the loss away from that of the frequencies.
    let plain = config.label_smoothing == 0.0 && !series.class_weights;
    let unigram = unigram.filter(|_| plain).filter(not_below)?;
    Some(format!(
        "accuracy {figure:.3} and a loss of {loss:.3} nats on what is held out, and guessing by how \
         often each class occurs has {unigram:.3} nats"
    ))
}

/// How the figure went between two evaluations, to be added to a sentence; nothing of a text.
pub(super) fn figures(config: &Config, from: &Metrics, to: &Metrics) -> String {
    let series = config.series.as_ref();
    let name = series.and_then(|series| series.task.terms().figure);
    let (Some(name), Some(from), Some(to)) = (name, from.figure, to.figure) else {
        return String::new();
    };
    let [from, to] = [from, to].map(|x| format!("{x:.3}"));
    match from == to {
        true => format!(", {name} {to}"),
        false => format!(", {name} went from {from} to {to}"),
    }
}

/// A net of half the units, where that is not too few.
pub(super) fn smaller(config: &Config) -> Option<String> {
    let least = match config.series {
        None => LEAST_HIDDEN.0,
        Some(_) => LEAST_HIDDEN.1,
    };
    let half = config.hidden / 2;
    (half >= least).then(|| format!("a smaller net (--hidden {half})"))
}

/// The run made longer, in words.
pub(super) fn longer(config: &Config, why: &str) -> String {
    let option = match (config.minutes, config.characters) {
        (Some(minutes), _) => format!("--minutes {}", 2.0 * minutes),
        (_, Some(characters)) => format!("--characters {}", 2 * characters),
        _ => format!("--epochs {}", 2 * config.epochs),
    };
    format!("{why} (--resume {option})")
}

/// What helps against learning by heart.
pub(super) fn against_overfitting(config: &Config) -> String {
    let mut cures = vec![format!("more {}", learnt_from(config))];
    if config.dropout < MOST_DROPOUT {
        let more = (config.dropout + 0.2).min(MOST_DROPOUT);
        cures.push(format!("--dropout {more:.1}"));
    }
    cures.extend(smaller(config));
    let last = cures.pop().unwrap_or_default();
    match cures.is_empty() {
        true => format!("{last} helps"),
        false => format!("{} or {last} helps", cures.join(", ")),
    }
}
