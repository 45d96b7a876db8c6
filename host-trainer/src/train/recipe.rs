//! The recipe of a run where it is not given: it follows the amount of text.
//!
//! ```text
//! n = tokens of the training part,  r = parameters / n
//! window   32, or 64 from 250 thousand tokens on;  batch = sqrt(n / 1000), a power of two, 4..=32
//!          both shrink until an epoch has eight steps
//! epochs   20 to 40, and 100 million tokens at most; of a preset what its characters come to
//! lr       2.56 / hidden, at most 0.03, over sqrt(layers), half of it for a GRU, a quarter for an RNN; from 200 thousand tokens on it falls to that of
//!          long texts, reached at a million
//! warm-up  one step in 50, 100 at most
//! dropout  p = 0.25 (1 + log10 r), 0..=0.6, of each layer 1 - (1 - p)^(1 / layers), half of it on the recurrence;
//!          none for fewer than four epochs
//! patience a quarter of the evaluations, 5..=30
//! ```
//! A short text has few steps, so they are made many and large: few streams, short windows, a high rate. It is also
//! learnt by heart soon, which dropout delays the more of it there is, and a net that is larger than its text needs more.
//! The constants were chosen on later parts of the novels, chat, Rust sources and a licence; `benches/amounts.py` has the
//! losses on other texts (docs/training.md).
//!
//! What comes out is an ordinary [`Config`], so a checkpoint and a recorded command hold plain numbers.

use crate::train::config::Config;
use crate::train::layers::Cell;
use crate::train::optim::Optimizer;
use crate::train::preset::Preset;

/// Bytes of a text, at least, unless `--batch` and `--window` are given: the held-out tenth of a shorter one says nothing.
pub const LEAST_BYTES: u64 = 1000;
/// Tokens to train on without a preset: what texts up to about a million are read several times for ...
const CHARACTERS: usize = 24_000_000;
/// ... and what a longer one is cut at.
const MOST_CHARACTERS: usize = 100_000_000;
/// Steps of an epoch, at least.
const STEPS: usize = 8;
/// Evaluations of a run, at least.
const EVALUATIONS: u64 = 20;
/// Tokens from which on an epoch is long.
const LONG_EPOCH: usize = 2_000_000;
/// Tokens up to which the rate is that of short texts, and from which it is that of long ones.
const RATES: (f64, f64) = (200e3, 1e6);

/// What was given of the numbers that otherwise follow the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// `--epochs`
    pub epochs: Option<usize>,
    /// `--characters`
    pub characters: Option<u64>,
    /// `--batch`
    pub batch: Option<usize>,
    /// `--window`
    pub window: Option<usize>,
    /// `--lr`
    pub lr: Option<f64>,
    /// `--warmup`
    pub warmup: Option<u64>,
    /// `--dropout`
    pub dropout: Option<f64>,
    /// `--recurrent-dropout`
    pub recurrent_dropout: Option<f64>,
    /// `--patience`
    pub patience: Option<usize>,
    /// `--eval-every`
    pub eval_every: Option<u64>,
}

/// The options of a run on `tokens` training tokens of a vocabulary of `vocab`: `config` with what follows the text, and
/// over that what is `given`.
pub fn follow(
    config: &Config,
    preset: Option<Preset>,
    given: &Given,
    vocab: usize,
    tokens: usize,
) -> Config {
    let tokens = tokens.max(1);
    let parameters = config.shape(vocab).parameters();
    let (batch, window) = streams(tokens, given);
    let epochs = given.epochs.unwrap_or_else(|| epochs(preset, tokens));
    let most = preset.map_or(MOST_CHARACTERS, Preset::characters) as u64;
    let characters = given.characters.or_else(|| {
        let long = given.epochs.is_none() && tokens as u64 > most;
        long.then_some(most)
    });
    let dropout = given.dropout.unwrap_or_else(|| match epochs {
        0..4 => 0.0,
        _ => dropout(parameters as f64 / tokens as f64, config.layers, preset),
    });
    let recurrent = given.recurrent_dropout;
    let mut config = Config {
        batch,
        window,
        epochs,
        characters,
        dropout,
        recurrent_dropout: recurrent.unwrap_or(dropout / 2.0),
        lr: given.lr.unwrap_or_else(|| rate(config, preset, tokens)),
        ..config.clone()
    };
    config.warmup = given.warmup.unwrap_or_else(|| warmup(&config, tokens));
    config.eval_every = given
        .eval_every
        .unwrap_or_else(|| eval_every(&config, tokens));
    config.patience = given.patience.unwrap_or_else(|| patience(&config, tokens));
    config
}

/// Streams and steps of a window.
fn streams(tokens: usize, given: &Given) -> (usize, usize) {
    let mut window = if tokens < 250_000 { 32 } else { 64 };
    let root = (tokens as f64 / 1000.0).sqrt();
    let mut batch = 1 << (root.log2().round().clamp(2.0, 5.0) as u32);
    if let Some(given) = given.window {
        window = given;
    }
    if let Some(given) = given.batch {
        batch = given;
    }
    let few = |batch: usize, window: usize| batch * (window + 1) * STEPS > tokens;
    while given.window.is_none() && few(batch, window) && window > 16 {
        window /= 2;
    }
    while given.batch.is_none() && few(batch, window) && batch > 1 {
        batch /= 2;
    }
    while given.window.is_none() && few(batch, window) && window > 4 {
        window /= 2;
    }
    (batch, window)
}

/// Passes over the training part.
fn epochs(preset: Option<Preset>, tokens: usize) -> usize {
    let passes = |characters: usize| characters.div_ceil(tokens);
    let epochs = match preset {
        None => (CHARACTERS / tokens)
            .clamp(20, 40)
            .min(passes(MOST_CHARACTERS)),
        Some(preset) => passes(preset.characters()).min(40 + tokens / 2000),
    };
    epochs.max(1)
}

/// Highest learning rate.
fn rate(config: &Config, preset: Option<Preset>, tokens: usize) -> f64 {
    if !matches!(config.optimizer, Optimizer::AdamW | Optimizer::Adam) {
        return config.optimizer.learning_rate();
    }
    let units = config.hidden as f64 / 128.0;
    let bears = match config.cell {
        Cell::Lstm => 1.0,
        Cell::Gru => 0.5,
        Cell::Rnn => 0.25,
    };
    let bears = bears / (config.layers as f64).sqrt();
    let short = bears * (0.02 / units).min(0.03);
    let long = preset.map_or(0.6 * short, |preset| bears * preset.rate());
    let (from, to) = RATES;
    let way = ((tokens as f64 / from).ln() / (to / from).ln()).clamp(0.0, 1.0);
    rounded(short * (long / short).powf(way))
}

/// Two digits: a rate that people can read and type.
fn rounded(rate: f64) -> f64 {
    let unit = 10_f64.powi(rate.log10().floor() as i32 - 1);
    // Through its text, so that it is the number that is typed.
    format!("{:.6}", (rate / unit).round() * unit)
        .parse()
        .unwrap_or(rate)
}

/// Part of the outputs that are dropped, in steps of 0.05.
fn dropout(ratio: f64, layers: usize, preset: Option<Preset>) -> f64 {
    let wanted = (0.25 * (1.0 + ratio.log10())).clamp(0.0, 0.6);
    // As much gets through all layers as through one.
    let wanted = 1.0 - (1.0 - wanted).powf(1.0 / layers as f64);
    let least = preset.map_or(0.0, Preset::dropout);
    (20.0 * wanted.max(least)).round() / 20.0
}

/// Optimizer steps of the whole run.
fn steps(config: &Config, tokens: usize) -> u64 {
    let width = (config.batch * config.window).max(1);
    let epoch = ((tokens.saturating_sub(1)) / width).max(1) as u64;
    let all = epoch.saturating_mul(config.epochs as u64);
    let most = config.characters.map(|most| most.div_ceil(width as u64));
    most.map_or(all, |most| all.min(most)).max(1)
}

/// Steps of linear warm-up.
pub fn warmup(config: &Config, tokens: usize) -> u64 {
    (steps(config, tokens) / 50).clamp(1, 100)
}

/// Optimizer steps between evaluations: 0, which is once an epoch, or fewer where there are few long epochs.
pub fn eval_every(config: &Config, tokens: usize) -> u64 {
    let many = config.epochs as u64 >= EVALUATIONS && config.characters.is_none();
    if many || tokens < LONG_EPOCH {
        return 0;
    }
    (steps(config, tokens) / EVALUATIONS).max(1)
}

/// Evaluations without a better one after which the end begins.
fn patience(config: &Config, tokens: usize) -> usize {
    let evaluations = match config.eval_every {
        0 => config.epochs as u64,
        every => steps(config, tokens) / every,
    };
    (evaluations / 4).clamp(5, 30) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Training tokens of texts of 1 KB to 1 GB, three to a factor of ten.
    fn amounts() -> impl Iterator<Item = usize> {
        (0..=18).map(|i| (900.0 * 10_f64.powf(f64::from(i) / 3.0)) as usize)
    }

    fn without_options(tokens: usize) -> Config {
        follow(&Config::default(), None, &Given::default(), 70, tokens)
    }

    #[test]
    fn every_amount_of_text_has_a_recipe_that_fits_it() {
        for preset in [
            None,
            Some(Preset::Tiny),
            Some(Preset::Small),
            Some(Preset::Medium),
        ] {
            let base = preset.map_or_else(Config::default, Preset::config);
            for tokens in amounts() {
                for vocab in [2, 70, 300] {
                    let config = follow(&base, preset, &Given::default(), vocab, tokens);
                    config.validate().unwrap();
                    let steps = steps(&config, tokens);
                    let what = format!("{preset:?}, {tokens} tokens: {config:?}");
                    assert!(
                        config.batch * (config.window + 1) * STEPS <= tokens,
                        "{what}"
                    );
                    assert!(steps >= 300 && config.warmup * 20 <= steps, "{what}");
                    // Minutes, not hours: not much more than what a preset or the default names.
                    let most = preset.map_or(MOST_CHARACTERS, Preset::characters) as u64;
                    let trained = steps * (config.batch * config.window) as u64;
                    assert!(trained <= most + tokens.min(most as usize) as u64, "{what}");
                    // Early stopping leaves room for a cooldown, and evaluations for it to see anything.
                    let evaluations = match config.eval_every {
                        0 => config.epochs as u64,
                        every => steps / every,
                    };
                    assert!(evaluations >= EVALUATIONS, "{what}");
                    assert!((config.patience as u64) < evaluations / 2, "{what}");
                }
            }
        }
    }

    #[test]
    fn the_shorter_the_text_the_stronger_the_regularization() {
        let all: Vec<Config> = amounts().map(without_options).collect();
        assert!(all.is_sorted_by(|a, b| a.dropout >= b.dropout));
        assert!(all.is_sorted_by(|a, b| a.batch <= b.batch && a.window <= b.window));
        assert!(all.is_sorted_by(|a, b| a.lr >= b.lr && a.epochs >= b.epochs));
        let (short, long) = (&all[0], &all[18]);
        assert!(short.dropout >= 0.5 && long.dropout == 0.0);
        assert_eq!((long.epochs, long.characters), (1, Some(100_000_000)));
        // A wider net on the same text learns it by heart sooner, and bears a lower rate.
        let wide = Config {
            hidden: 512,
            ..Config::default()
        };
        let wide = follow(&wide, None, &Given::default(), 70, 200_000);
        let usual = without_options(200_000);
        assert!(wide.dropout > usual.dropout && wide.lr < usual.lr);
    }

    #[test]
    fn what_is_given_stays_and_the_rest_follows_it() {
        let given = Given {
            epochs: Some(3),
            batch: Some(7),
            lr: Some(0.123),
            ..Given::default()
        };
        for tokens in amounts() {
            let config = follow(&Config::default(), None, &given, 70, tokens);
            assert_eq!((config.epochs, config.batch, config.lr), (3, 7, 0.123));
            assert_eq!((config.characters, config.dropout), (None, 0.0));
            assert!(config.warmup * 20 <= steps(&config, tokens).max(20));
        }
        let all = Given {
            epochs: Some(1),
            characters: Some(2),
            batch: Some(3),
            window: Some(4),
            lr: Some(0.5),
            warmup: Some(6),
            dropout: Some(0.7),
            recurrent_dropout: Some(0.8),
            patience: Some(9),
            eval_every: Some(10),
        };
        let config = follow(&Config::default(), Some(Preset::Small), &all, 70, 1_000_000);
        let found = Given {
            epochs: Some(config.epochs),
            characters: config.characters,
            batch: Some(config.batch),
            window: Some(config.window),
            lr: Some(config.lr),
            warmup: Some(config.warmup),
            dropout: Some(config.dropout),
            recurrent_dropout: Some(config.recurrent_dropout),
            patience: Some(config.patience),
            eval_every: Some(config.eval_every),
        };
        assert_eq!(found, all);
        // Half of the dropout that is given, if only that is.
        let given = Given {
            dropout: Some(0.5),
            ..Given::default()
        };
        let config = follow(&Config::default(), None, &given, 70, 10_000);
        assert_eq!((config.dropout, config.recurrent_dropout), (0.5, 0.25));
    }

    #[test]
    fn rates_are_the_optimizers_own_and_have_few_digits() {
        let sgd = Config::default().with_optimizer(Optimizer::Sgd);
        for tokens in amounts() {
            let config = follow(&sgd, None, &Given::default(), 70, tokens);
            assert_eq!(config.lr, Optimizer::Sgd.learning_rate());
            assert!(without_options(tokens).lr.to_string().len() <= 6);
        }
    }

    /// The recipe that the losses of docs/benchmarks.md are of.
    #[test]
    fn a_preset_on_the_novels_is_what_was_measured() {
        let base = Preset::Small.config();
        let config = follow(&base, Some(Preset::Small), &Given::default(), 81, 1_216_757);
        let streams = (config.batch, config.window, config.epochs, config.warmup);
        assert_eq!(streams, (32, 64, 83, 100));
        let rates = (config.lr, config.dropout, config.recurrent_dropout);
        assert_eq!(rates, (0.006, 0.1, 0.05));
        assert_eq!((config.eval_every, config.characters), (0, None));
    }
}
