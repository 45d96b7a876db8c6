//! A net run over texts in f64, with everything that happened kept: what the report looks into.
//!
//! ```text
//! forward    training's window over all steps, but for the heads: few steps are asked about
//! back       from the loss of a prediction down through the layers, and in each back through time
//! ```
//! Both are training's own operations, on nets of layers one above the other ([`Chain`]). A step costs as many
//! multiply-accumulates as on the device, about 10^9 of them a second; callers choose how much text
//! they can afford.

use gatelet::net::{Activation, Kind, Net, Output, Value};

use super::common::Common;
use super::dropout::Masks;
use super::packs::{Linear, Pack, Packs, Recurrent};
use super::recurrent::Tape;
use super::shard::Shard;
use super::{Params, inputs, softmax};
use crate::engine::Engine;
use crate::memory::Memory;

/// The operations of a net whose layers stand one above the other, over tokens and below dense
/// operations without an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The layers, the lowest first: which operation, and what it is.
    pub layers: Vec<(usize, Kind)>,
    /// Dense operations from the top layer on, each with the numbers that it reads; the last is the
    /// head.
    denses: Vec<(usize, usize)>,
    /// Scores of the head.
    scores: usize,
}

impl Chain {
    /// That of a net that is so.
    pub fn of(net: &Net) -> Option<Self> {
        let (mut layers, mut denses) = (Vec::new(), Vec::new());
        for (index, of) in net.operations().enumerate() {
            let parts = of.operand.parts();
            let is_above = index == 0 || parts.eq([Value::of(index - 1)]);
            match of.kind {
                Kind::Embedding { .. } if index == 0 => {}
                Kind::Dense { activation, .. } if is_above && !layers.is_empty() => {
                    let is_linear = activation == Activation::None;
                    is_linear.then(|| denses.push((index, inputs(net, index))))?;
                }
                kind if kind.is_recurrent() && is_above && denses.is_empty() => {
                    layers.push((index, kind));
                }
                _ => return None,
            }
        }
        let is_whole = net.takes_tokens() && net.output_len() == 1 && !denses.is_empty();
        (is_whole && net.output(0)? == Output::Scores(net.last())).then(|| Self {
            layers,
            denses,
            scores: net.output_width(0),
        })
    }

    /// The head, and the numbers that it reads.
    fn head(&self) -> (usize, usize) {
        self.denses.last().copied().unwrap_or((0, 1))
    }
}

/// A net and what it did on texts that it read side by side.
#[derive(Clone, Debug)]
pub struct Unrolled {
    chain: Chain,
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
    /// When the net has no [`Chain`].
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
            chain: Chain::of(params.net()).expect("layers one above the other"),
            packs,
            shard,
        }
    }

    /// Its operations.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
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
        let chain = &self.chain;
        let reads = of.iter().flat_map(|of| self.read_of(of.row, of.t));
        let mut d = self.probabilities_of(&reads.copied().collect::<Vec<f64>>());
        for (d, of) in d.chunks_exact_mut(chain.scores).zip(of) {
            d[usize::from(of.target)] -= 1.0;
        }
        let mut through = |linear: &Linear<f64>, width: usize| {
            let mut dx = vec![0.0; of.len() * width];
            f64::matmul(&d, &linear.weights.back, false, &mut dx, &mut []);
            d = dx;
        };
        for &(dense, inputs) in chain.denses.iter().rev() {
            through(self.linear(dense), inputs);
        }
        // Before the last step nothing is asked.
        let mut d = [vec![0.0; lags * d.len()], d].concat();
        let ends: Vec<(usize, usize)> = of.iter().map(|of| (of.row, of.t)).collect();
        let mut common = self.common(&ends, lags + 1);
        for (layer, &(operation, _)) in chain.layers.iter().enumerate().rev() {
            let below = layer
                .checked_sub(1)
                .map_or(0, |below| chain.layers[below].1.units());
            let mut dx = vec![0.0; (lags + 1) * of.len() * below];
            let mut tape = self.tape(layer).cut(&ends, lags + 1);
            let pack = self.recurrent(operation);
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
        let (head, width) = self.chain.head();
        let (below, head) = self.shard.works.split_at(head);
        let read = head[0].operand.read(below, &[]);
        &read[(t * self.shard.rows() + row) * width..][..width]
    }

    /// Probabilities, row by row, of what the head reads.
    fn probabilities_of(&self, reads: &[f64]) -> Vec<f64> {
        let (head, width) = self.chain.head();
        let mut scores = vec![0.0; reads.len() / width * self.chain.scores];
        self.linear(head).apply(reads, &mut scores, &mut []);
        scores.chunks_exact_mut(self.chain.scores).for_each(softmax);
        scores
    }
}
