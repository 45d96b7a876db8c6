//! The held-out loss while training.

use super::{EVAL_WINDOW, Trainer, put};
use crate::data::Data;
use crate::data::corpus::Corpus;
use crate::error::Result;
use crate::net::Window;
use crate::train::learner::Job;

/// Held-out tokens that an evaluation reads, at most: of a text of a gigabyte more would take
/// longer than training.
pub(super) const EVAL_MOST: usize = 1 << 20;
/// Characters before a stream's first counted one that warm up its state.
const EVAL_WARM_UP: usize = 128;

impl Trainer<'_> {
    /// Mean loss on the held-out text, or its first 2^20 tokens, in nats a token; each but the
    /// first counts once.
    ///
    /// The text is read as several streams side by side, each warmed up on the characters before
    /// it, so this differs from reading it in one go by less than 0.001 nats; `gatelet eval` reads
    /// it in one go.
    ///
    /// # Errors
    /// [`Error::Read`](crate::error::Error::Read) for a streamed text.
    pub fn evaluate(&mut self) -> Result<f64> {
        let corpus = self.corpus;
        let predictions = corpus.validation_len().min(EVAL_MOST) - 1;
        let streams = self.evaluation.rows();
        let rows: Vec<usize> = (0..streams).collect();
        let length = predictions.div_ceil(streams);
        let windows = (length + EVAL_WARM_UP).div_ceil(EVAL_WINDOW);
        let packs = self.learner.packs()?;
        let mut loss = 0.0;
        for window in 0..windows {
            let data = HeldOut {
                corpus,
                predictions,
                length,
                window,
            };
            let job = Job {
                first: window == 0,
                scale: 0.0,
                step: 0,
            };
            loss += self.evaluation.run(packs, (&data, &rows), job)?;
        }
        Ok(loss / predictions as f64)
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
