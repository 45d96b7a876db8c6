//! The held-out loss while training.

use rayon::prelude::*;

use super::{EVAL_WINDOW, Part, Trainer, total};
use crate::error::{Error, Result};
use crate::net::IGNORED;

/// Held-out tokens that an evaluation reads, at most: of a text of a gigabyte more would take longer than training.
pub(super) const EVAL_MOST: usize = 1 << 20;
/// Characters before a stream's first counted one that warm up its state.
const EVAL_WARM_UP: usize = 128;

impl Trainer<'_> {
    /// Mean loss on the held-out text, or its first 2^20 tokens, in nats a token; each but the first counts once.
    ///
    /// The text is read as several streams side by side, each warmed up on the characters before it, so this differs
    /// from reading it in one go by less than 0.001 nats; `gatelet eval` reads it in one go.
    ///
    /// # Errors
    /// [`Error::Read`] for a streamed text.
    pub fn evaluate(&mut self) -> Result<f64> {
        let corpus = self.corpus;
        let predictions = corpus.validation_len().min(EVAL_MOST) - 1;
        let streams: usize = self.evaluation.iter().map(|part| part.shard.rows()).sum();
        let length = predictions.div_ceil(streams);
        let windows = (length + EVAL_WARM_UP).div_ceil(EVAL_WINDOW);
        self.pack()?;
        let packs = &self.packs;
        self.evaluation.par_iter_mut().try_for_each(|part| {
            let Part {
                shard,
                first_row,
                tokens,
                loss,
            } = part;
            shard.reset();
            *loss = 0.0;
            for window in 0..windows {
                let counted = |row: usize| {
                    (*first_row + row) * length..((*first_row + row + 1) * length).min(predictions)
                };
                let start = |row: usize| {
                    counted(row).start.saturating_sub(EVAL_WARM_UP) + window * EVAL_WINDOW
                };
                for (row, tokens) in tokens.chunks_exact_mut(EVAL_WINDOW + 1).enumerate() {
                    let start = start(row);
                    let there = tokens.len().min((predictions + 1).saturating_sub(start));
                    if there > 0 {
                        corpus.fill(corpus.train_len + start, &mut tokens[..there])?;
                    }
                    tokens[there..].fill(0);
                }
                shard.load(|row, t| {
                    let at = row * (EVAL_WINDOW + 1) + t;
                    let counts = counted(row).contains(&(start(row) + t));
                    (tokens[at], if counts { tokens[at + 1] } else { IGNORED })
                });
                *loss += shard.forward(packs, 0.0);
                shard.carry();
            }
            Ok::<(), Error>(())
        })?;
        Ok(total(&self.evaluation) / predictions as f64)
    }
}
