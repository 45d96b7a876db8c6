//! A net run over texts in f64, with everything that happened kept: what the report looks into.
//!
//! ```text
//! forward    training's window over all steps, but for the heads: few steps are asked about
//! back       from the loss of a prediction down through the layers, and in each back through time
//! ```
//! Both are training's own operations, on [`Shape`]'s nets. A step costs as many
//! multiply-accumulates as on the device, about 10^9 of them a second; callers choose how much text
//! they can afford.

use super::common::Common;
use super::dropout::Masks;
use super::packs::{Linear, Pack, Packs, Recurrent};
use super::recurrent::Tape;
use super::shard::Shard;
use super::{Params, softmax};
use crate::engine::Engine;
use crate::memory::Memory;
use crate::shape::Shape;

/// A net and what it did on texts that it read side by side.
#[derive(Clone, Debug)]
pub struct Unrolled {
    shape: Shape,
    packs: Packs<f64>,
    shard: Shard<f64>,
}

/// What one layer did at every step, of one text.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// `[steps, gates*hidden]`: activations i, f, g, o, or r, z, n; of an RNN, whose h they are,
    /// the sums.
    pub gates: &'a [f64],
    /// `[steps, hidden]`: h after the step.
    pub h: &'a [f64],
    /// `[steps, hidden]`: c after the step; empty for a cell without one.
    pub c: &'a [f64],
}

/// After step `t` of text `row` comes `target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prediction {
    pub(crate) row: usize,
    pub(crate) t: usize,
    pub(crate) target: u16,
}

/// The gradients of predictions' losses by the states of a layer, so many steps before them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) lag: usize,
    /// `[predictions, hidden]` each; `dc` is empty for a cell without c.
    pub(crate) dh: &'a [f64],
    pub(crate) dc: &'a [f64],
}

impl Unrolled {
    /// Runs `params` over `tokens`, at least one, from the zero state. Tokens have to be smaller
    /// than the vocabulary.
    ///
    /// # Panics
    /// When the net has no [`Shape`].
    pub fn new(params: &Params<f64>, tokens: &[u16]) -> Self {
        Self::of(params, &[tokens], None)
    }

    /// The same of a text of lines, whose break is `line_break`; `None` for any other text.
    pub fn of_lines(params: &Params<f64>, tokens: &[u16], line_break: Option<u16>) -> Self {
        Self::of(params, &[tokens], line_break)
    }

    /// The same of several texts, each by itself. What is behind the end of a shorter one is of no
    /// text.
    pub(crate) fn of(params: &Params<f64>, texts: &[&[u16]], line_break: Option<u16>) -> Self {
        let steps = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let packs = Packs::of(params);
        let mut shard = Shard::new(params.net(), texts.len(), steps);
        shard.break_lines(line_break);
        let token = |row: usize, t: usize| texts[row].get(t).copied().unwrap_or(0);
        shard.load(|row, t| (token(row, t), 0));
        shard.record(&packs);
        Self {
            shape: params.shape(),
            packs,
            shard,
        }
    }

    /// The net's sizes.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// What a layer did, of a net that has read one text.
    pub fn layer(&self, layer: usize) -> Layer<'_> {
        let tape = self.tape(layer);
        Layer {
            gates: tape.gates(),
            h: tape.output(),
            c: tape.memory(),
        }
    }

    /// What the head reads after step `t` of the first text: the projection of the top layer's h,
    /// or h.
    pub fn read(&self, t: usize) -> &[f64] {
        self.read_of(0, t)
    }

    /// Probabilities of the next token after step `t` of the first text.
    pub fn probabilities(&self, t: usize) -> Vec<f64> {
        self.probabilities_of(self.read(t))
    }

    /// Shows the gradients of the losses of predictions, each by itself, by the states of each
    /// layer, lag after lag from 0 to `lags`. Every prediction needs as many steps before it.
    pub(crate) fn back(
        &self,
        of: &[Prediction],
        lags: usize,
        mut see: impl FnMut(usize, Seen<'_>),
    ) {
        let shape = self.shape;
        let reads = of.iter().flat_map(|of| self.read_of(of.row, of.t));
        let mut d = self.probabilities_of(&reads.copied().collect::<Vec<f64>>());
        for (d, of) in d.chunks_exact_mut(shape.vocab).zip(of) {
            d[usize::from(of.target)] -= 1.0;
        }
        let mut through = |linear: &Linear<f64>, width: usize| {
            let mut dx = vec![0.0; of.len() * width];
            f64::matmul(&d, &linear.weights.back, false, &mut dx, &mut []);
            d = dx;
        };
        through(self.linear(shape.head()), shape.head_inputs());
        if shape.projection > 0 {
            through(self.linear(shape.projected()), shape.hidden);
        }
        // Before the last step nothing is asked.
        let mut d = [vec![0.0; lags * d.len()], d].concat();
        let ends: Vec<(usize, usize)> = of.iter().map(|of| (of.row, of.t)).collect();
        let mut common = self.common(&ends, lags + 1);
        for layer in (0..shape.layers).rev() {
            let mut dx = vec![0.0; if layer > 0 { d.len() } else { 0 }];
            let mut tape = self.tape(layer).cut(&ends, lags + 1);
            let pack = self.recurrent(shape.layer(layer));
            tape.reach(&mut common, pack, (&mut d, &mut dx), |t, dh, dc| {
                let lag = lags - t;
                see(layer, Seen { lag, dh, dc });
            });
            d = dx;
        }
    }

    /// What the operations of the `steps` steps before and with each of `ends` share.
    fn common(&self, ends: &[(usize, usize)], steps: usize) -> Common<f64> {
        let of = &self.shard.common;
        let token =
            |k: usize, (row, t): (usize, usize)| of.tokens[(t + k + 1 - steps) * of.rows + row];
        let tokens = (0..steps).flat_map(|k| ends.iter().map(move |&end| token(k, end)));
        Common {
            rows: ends.len(),
            window: steps,
            arch: of.arch,
            tokens: tokens.collect(),
            masks: Masks::default(),
            line_break: of.line_break,
            scratch: Memory::zeroed(0),
            sums: Vec::new(),
        }
    }

    fn tape(&self, layer: usize) -> &Tape<f64> {
        self.shard.layer(layer)
    }

    fn recurrent(&self, operation: usize) -> &Recurrent<f64> {
        match &self.packs.operations[operation] {
            Pack::Recurrent(pack) => pack,
            _ => unreachable!("operation {operation} is a layer"),
        }
    }

    fn linear(&self, operation: usize) -> &Linear<f64> {
        match &self.packs.operations[operation] {
            Pack::Dense(linear) => linear,
            _ => unreachable!("operation {operation} is a dense one"),
        }
    }

    /// What the head reads after step `t` of text `row`.
    fn read_of(&self, row: usize, t: usize) -> &[f64] {
        let width = self.shape.head_inputs();
        let (below, head) = self.shard.works.split_at(self.shape.head());
        let read = head[0].operand.read(below, &[]);
        &read[(t * self.shard.rows() + row) * width..][..width]
    }

    /// Probabilities, row by row, of what the head reads.
    fn probabilities_of(&self, reads: &[f64]) -> Vec<f64> {
        let (vocab, rows) = (self.shape.vocab, reads.len() / self.shape.head_inputs());
        let mut scores = vec![0.0; rows * vocab];
        self.linear(self.shape.head())
            .apply(reads, &mut scores, &mut []);
        scores.chunks_exact_mut(vocab).for_each(softmax);
        scores
    }
}
