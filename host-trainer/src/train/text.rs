//! A text as what a run learns from: windows of streams with carried state.
//!
//! ```text
//! the training part is cut into `batch` streams; every epoch starts at another offset and at zero state
//! evaluation:  the held-out part, in streams of its own
//! ```

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::dataset::{Dataset, Judged, Use};
use super::terms::Terms;
use crate::data::Data;
use crate::data::corpus::{Corpus, Vocabulary};
use crate::error::Result;
use crate::net::{IGNORED, Loss, Net, Window};
use crate::train::checkpoint::Meta;
use crate::train::config::Config;
use crate::train::learner::{Job, Learner, Team};

/// Streams of the held-out text that are evaluated side by side, at most.
const EVAL_STREAMS: usize = 32;
/// Steps of a window in evaluation.
const EVAL_WINDOW: usize = 64;
/// Held-out tokens that an evaluation reads, at most: of a text of a gigabyte more would take
/// longer than training.
const EVAL_MOST: usize = 1 << 20;
/// Characters before a stream's first counted one that warm up its state.
const EVAL_WARM_UP: usize = 128;

/// Offset of the first window of an epoch, and the windows that fit.
fn layout(corpus: &Corpus, config: &Config, epoch: usize) -> (usize, usize) {
    let Config {
        batch,
        window,
        seed,
        ..
    } = *config;
    let spare = corpus.train_len - 1 - batch * window;
    let mut rng =
        Pcg64::seed_from_u64(seed.wrapping_add((epoch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let offset = rng.random_range(0..=spare.min(window - 1) as u64) as usize;
    (offset, (corpus.train_len - 1 - offset) / batch / window)
}

impl Dataset for Corpus {
    fn name(&self) -> &str {
        &self.name
    }

    fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    fn train_len(&self) -> usize {
        self.train_len
    }

    fn vocab(&self) -> Option<&Vocabulary> {
        Some(&self.vocab)
    }

    fn net(&self, config: &Config) -> Result<Net> {
        Ok(config.shape(self.vocab.len()).net())
    }

    fn check(&self, config: &Config) -> Result<()> {
        self.check_length(config.batch, config.window)
    }

    fn describe(&self, meta: &mut Meta) {
        meta.vocabulary = self.vocab.chars().iter().collect();
        meta.words = self.vocab.words().to_vec();
    }

    fn set_up(&self, learner: &mut Learner<f32>, config: &Config) -> Result<()> {
        let line_break = config.lines.then(|| self.vocab.line_break()).flatten();
        learner.break_lines(line_break);
        let smoothing = config.label_smoothing;
        learner.set_loss(0, Loss::CrossEntropy { smoothing })
    }

    fn windows(&self, config: &Config, epoch: usize) -> usize {
        layout(self, config, epoch).1
    }

    fn window(
        &self,
        config: &Config,
        (epoch, window): (usize, usize),
        use_it: Use<'_>,
    ) -> Result<()> {
        let (offset, _) = layout(self, config, epoch);
        let data = Streams {
            corpus: self,
            start: offset + window * config.window,
            stream: (self.train_len - 1 - offset) / config.batch,
            window: config.window,
        };
        use_it(&data, config.batch, window == 0)
    }

    /// Mean loss on the held-out text, or its first 2^20 tokens, in nats a token; each but the
    /// first counts once.
    ///
    /// The text is read as several streams side by side, each warmed up on the characters before
    /// it, so this differs from reading it in one go by less than 0.001 nats; `gatelet eval` reads
    /// it in one go.
    fn judge(&self, learner: &mut Learner<f32>, config: &Config) -> Result<Judged> {
        let predictions = self.validation_len().min(EVAL_MOST) - 1;
        let most = (self.validation_len() - 1) / 256;
        let streams = most.clamp(1, EVAL_STREAMS);
        let rows: Vec<usize> = (0..streams).collect();
        let length = predictions.div_ceil(streams);
        let windows = (length + EVAL_WARM_UP).div_ceil(EVAL_WINDOW);
        let mut team = learner.evaluation.take().unwrap_or_else(|| {
            let mut team = Team::new(learner.params().net(), streams, EVAL_WINDOW);
            let line_break = config.lines.then(|| self.vocab.line_break()).flatten();
            for (shard, _) in team.shards_mut() {
                shard.break_lines(line_break);
            }
            team
        });
        let packs = learner.packs()?;
        let mut loss = 0.0;
        for window in 0..windows {
            let data = HeldOut {
                corpus: self,
                predictions,
                length,
                window,
            };
            let job = Job {
                first: window == 0,
                scale: 0.0,
                step: 0,
            };
            loss += team.run(packs, (&data, &rows), job)?;
        }
        learner.evaluation = Some(team);
        Ok(Judged {
            loss: loss / predictions as f64,
            figure: None,
        })
    }

    fn terms(&self) -> Terms {
        Terms {
            unit: self.vocab.level().unit(),
            loss: "nats",
            figure: None,
        }
    }

    fn unknowing(&self) -> f64 {
        (self.vocab.len() as f64).ln()
    }

    fn baseline(&self) -> Result<Option<f64>> {
        self.unigram_nats().map(Some)
    }

    fn prompt(&self, tokens: usize) -> Result<Option<Vec<u16>>> {
        let mut start = vec![0; tokens.min(self.validation_len())];
        self.fill(self.train_len, &mut start)?;
        Ok(Some(start))
    }
}

/// A window of every stream of the training part.
struct Streams<'c> {
    corpus: &'c Corpus,
    /// Where the first stream's window begins, and how far it is to the next one's.
    start: usize,
    stream: usize,
    window: usize,
}

impl Data<f32> for Streams<'_> {
    fn len(&self) -> usize {
        self.corpus.train_len / self.stream.max(1)
    }

    fn steps(&self) -> usize {
        self.window
    }

    fn counted(&self, _example: usize) -> usize {
        self.window
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, f32>,
        room: &mut Vec<u16>,
    ) -> Result<()> {
        room.resize(self.window + 1, 0);
        self.corpus.fill(self.start + example * self.stream, room)?;
        put(row, window, room, |_| true);
        Ok(())
    }
}

/// Writes `tokens` as a row, each to be predicted after the one before it, where `counts` says so.
fn put(row: usize, window: &mut Window<'_, f32>, tokens: &[u16], counts: impl Fn(usize) -> bool) {
    let Some(targets) = window.targets.first_mut() else {
        return;
    };
    for (t, pair) in tokens.windows(2).enumerate() {
        let at = t * window.rows + row;
        window.tokens[at] = pair[0];
        targets.tokens[at] = if counts(t) { pair[1] } else { IGNORED };
    }
}

/// A window of every stream of the held-out part.
struct HeldOut<'c> {
    corpus: &'c Corpus,
    /// Of all streams.
    predictions: usize,
    /// Predictions of a stream.
    length: usize,
    window: usize,
}

impl Data<f32> for HeldOut<'_> {
    fn len(&self) -> usize {
        self.predictions.div_ceil(self.length)
    }

    fn steps(&self) -> usize {
        EVAL_WINDOW
    }

    fn counted(&self, _example: usize) -> usize {
        EVAL_WINDOW
    }

    fn fill(
        &self,
        example: usize,
        row: usize,
        window: &mut Window<'_, f32>,
        room: &mut Vec<u16>,
    ) -> Result<()> {
        let first = example * self.length;
        let counted = first..(first + self.length).min(self.predictions);
        let start = first.saturating_sub(EVAL_WARM_UP) + self.window * EVAL_WINDOW;
        room.clear();
        room.resize(EVAL_WINDOW + 1, 0);
        let there = room.len().min((self.predictions + 1).saturating_sub(start));
        if there > 0 {
            let from = self.corpus.train_len + start;
            self.corpus.fill(from, &mut room[..there])?;
        }
        put(row, window, room, |t| counted.contains(&(start + t)));
        Ok(())
    }
}
