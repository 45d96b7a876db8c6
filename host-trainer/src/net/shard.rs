//! Backpropagation through time over one window of any net, for a shard of the batch.
//!
//! ```text
//! forward    operations in order: each reads values that were made before it, and makes one
//! outputs    loss and its gradient; a head, a dense operation that nothing else reads, goes through
//!            the window in blocks of steps and takes each block's gradients while its z are there
//! backward   operations in reverse: each adds to the gradients of the values that it read
//! ```
//! The scores of a window of thousands of words would be its largest buffer by far: hence the
//! blocks.
//!
//! With dropout, what goes up is `m_t h_t` and what goes on in time `m h_{t-1}`; on the way back
//! the same masks multiply dH and the part of dh_t that came through W_h. The carried state is
//! whole, also as a GRU's z keeps it.
//!
//! Of a text of lines every line is a sequence by itself: where the token of step t is the line
//! break, (h, c)_{t-1} is zero to that step, and no gradient goes back from it in time.
//!
//! Truncated BPTT: the state after the last step of a window is the state before the first step of
//! the next; gradients stop at the window's start. All buffers are time-major [T, rows, ...] and
//! live as long as the shard: a window allocates nothing.

use gatelet::net::{Kind, Net, Value};
use pulp::Arch;

use super::common::{Common, Gradient, Made};
use super::given::{Given, Window};
use super::loss::{Loss, Targets, activation};
use super::operand::Operand;
use super::params::Params;
use super::recurrent;
use super::tensors::inputs;
use crate::engine::Engine;
use crate::error::Result;
use crate::memory::Memory;
use crate::net::device::qat::Columns;
use crate::net::dropout::{Dropout, Masks};

/// Scores that are held at a time, at most (one step of a shard's rows is the least): 4 MiB in f32,
/// and the gradient's scratch has as many. A net of characters has fewer in a whole window, and
/// then one block.
const BLOCK: usize = 1 << 20;

/// What an operation has made, and what it needs for the way back.
#[derive(Clone, Debug)]
pub(super) enum Tape<F: Engine> {
    /// [T, rows, units]: rows of a table, sums, or results of a dense operation.
    Value(Memory<F>),
    Recurrent(Box<recurrent::Tape<F>>),
    /// A dense operation that is one output and nothing else: its place among the outputs.
    Head(usize),
}

impl<F: Engine> Tape<F> {
    /// [T, rows, units]: what other operations see; of a head nothing.
    pub(super) fn value(&self) -> &[F] {
        match self {
            Self::Value(value) => value,
            Self::Recurrent(tape) => tape.output(),
            Self::Head(_) => &[],
        }
    }
}

/// An operation at work.
#[derive(Clone, Debug)]
pub(super) struct Work<F: Engine> {
    pub(super) kind: Kind,
    /// The embedding whose table its weights are.
    pub(super) tied: Option<usize>,
    pub(super) operand: Operand<F>,
    pub(super) tape: Tape<F>,
}

impl<F: Engine> Made<F> for Work<F> {
    fn value(&self) -> &[F] {
        self.tape.value()
    }
}

/// `rows` streams of the batch, with their state, their buffers and their share of the gradient.
#[derive(Clone, Debug)]
pub struct Shard<F: Engine> {
    pub(super) net: Net,
    pub(super) common: Common<F>,
    /// [T, rows, numbers], or empty.
    pub(super) features: Vec<F>,
    pub(super) works: Vec<Work<F>>,
    pub(super) gradients: Vec<Gradient<F>>,
    /// Tables of embeddings to whose gradient an operation that is tied to them has added.
    pub(super) tables: Vec<bool>,
    pub(super) given: Vec<Given<F>>,
    pub(super) targets: Vec<Targets<F>>,
    /// Features as the device has them, of a net that is trained for integers.
    pub(super) columns: Columns<F>,
    /// Whether products read fewer bits of h than are carried: of GRUs that are trained for
    /// integers.
    pub(super) narrow: bool,
    /// Sum of the gradients of the last [`Shard::backward`].
    pub gradient: Params<F>,
}

/// The output that operation `index` is, if it is a dense one that is nothing else.
fn head(net: &Net, index: usize) -> Option<usize> {
    let value = Value::of(index);
    let is_dense = matches!(net.operation(index)?.kind, Kind::Dense { .. });
    let mut readers = net.operations().flat_map(|of| of.operand.parts());
    let is_read = readers.any(|part| part == value);
    let mut outputs = net
        .outputs()
        .enumerate()
        .filter(|(_, of)| of.value() == value);
    let (output, _) = outputs.next()?;
    (is_dense && !is_read && outputs.next().is_none()).then_some(output)
}

impl<F: Engine> Shard<F> {
    /// Buffers for `rows` streams and windows of `window` steps; the state is zero. Outputs have
    /// their [usual](Loss::usual) losses.
    pub fn new(net: &Net, rows: usize, window: usize) -> Self {
        let steps = window * rows;
        let (mut works, mut gradients, mut layers) = (Vec::new(), Vec::new(), 0);
        let (mut scratch, mut given) = (0, Vec::new());
        for (index, of) in net.operations().enumerate() {
            let (inputs, units) = (inputs(net, index), net.width(Value::of(index)));
            let widest = units.max(inputs).max(of.kind.gates() * units);
            let head = head(net, index);
            let tape = match (head, of.kind.is_recurrent()) {
                (Some(output), _) => Tape::Head(output),
                (None, true) => {
                    layers += 1;
                    let reads_token = net.reads_token(index);
                    let sizes = (window, rows);
                    Tape::Recurrent(Box::new(recurrent::Tape::new(
                        of.kind,
                        layers - 1,
                        reads_token,
                        sizes,
                    )))
                }
                (None, false) => Tape::Value(Memory::zeroed(steps * units)),
            };
            let most = match head {
                None => (F::outer_scratch(steps, inputs.max(units)))
                    .max(F::matmul_scratch(steps, widest)),
                Some(_) => {
                    let block = block(rows, window, units);
                    let outer = F::outer_scratch(block, units);
                    outer.max(F::matmul_scratch(block, widest))
                }
            };
            scratch = scratch.max(most);
            let numbers = if head.is_some() { 0 } else { steps * units };
            gradients.push(Gradient {
                numbers: Memory::zeroed(numbers),
                written: false,
            });
            works.push(Work {
                kind: of.kind,
                tied: of.tied.map(usize::from),
                operand: Operand::new(net, index, steps),
                tape,
            });
        }
        for output in net.outputs() {
            let operation = output.value().operation().unwrap_or(0);
            let width = net.width(output.value());
            let steps = match head(net, operation) {
                Some(_) => block(rows, window, width),
                None => steps,
            };
            given.push(Given {
                operation,
                width,
                activation: activation(net, output),
                loss: Loss::usual(net, output),
                weights: Vec::new(),
                z: Memory::zeroed(steps * width),
                device: Vec::new(),
            });
        }
        let tokens = if net.takes_tokens() { steps } else { 0 };
        let targets = net.outputs();
        let targets = targets.map(|output| Targets::new(steps, output, net.width(output.value())));
        Self {
            net: *net,
            common: Common {
                rows,
                window,
                arch: Arch::new(),
                tokens: vec![0; tokens],
                masks: Masks::default(),
                line_break: None,
                scratch: Memory::zeroed(scratch),
                sums: Vec::new(),
            },
            features: vec![F::zero(); steps * net.width(Value::INPUT)],
            tables: vec![false; works.len()],
            works,
            gradients,
            given,
            targets: targets.collect(),
            columns: Columns::default(),
            narrow: false,
            gradient: Params::zeros(*net),
        }
    }

    /// From now on output `output` has this loss.
    ///
    /// # Errors
    /// As [`Loss::check`].
    pub fn set_loss(&mut self, output: usize, loss: Loss) -> Result<()> {
        if let (Some(given), Some(of)) = (self.given.get_mut(output), self.net.output(output)) {
            loss.check(&self.net, of)?;
            given.loss = loss;
        }
        Ok(())
    }

    /// From now on the gradients of the classes of output `output` count so much each. The loss that
    /// is told stays what it is: those of runs can be compared.
    pub fn weigh_classes(&mut self, output: usize, weights: &[F]) {
        if let Some(given) = self.given.get_mut(output) {
            given.weights = weights.to_vec();
        }
    }

    /// From now on drops outputs and what is read from h, with the masks of the shard's place in
    /// the batch.
    pub fn drop_out(
        &mut self,
        output: Option<Dropout>,
        recurrent: Option<Dropout>,
        first_row: usize,
    ) {
        self.common.masks = Masks {
            output,
            recurrent,
            first_row,
            step: 0,
        };
        self.make_room();
    }

    /// From now on the state is zero before every step of this token.
    pub fn break_lines(&mut self, line_break: Option<u16>) {
        self.common.line_break = line_break;
        self.make_room();
    }

    /// The recurrent operations.
    fn layers(&self) -> impl Iterator<Item = &recurrent::Tape<F>> {
        self.works.iter().filter_map(|work| match &work.tape {
            Tape::Recurrent(tape) => Some(&**tape),
            _ => None,
        })
    }

    /// The same, to change.
    fn layers_mut(&mut self) -> impl Iterator<Item = &mut recurrent::Tape<F>> {
        self.works
            .iter_mut()
            .filter_map(|work| match &mut work.tape {
                Tape::Recurrent(tape) => Some(&mut **tape),
                _ => None,
            })
    }

    /// The recurrent operation number `layer`.
    ///
    /// # Panics
    /// When there are not as many.
    pub(super) fn layer(&self, layer: usize) -> &recurrent::Tape<F> {
        self.layers().nth(layer).expect("a recurrent operation")
    }

    /// Room for states that are not seen as they are.
    pub(super) fn make_room(&mut self) {
        let (common, narrow) = (&self.common, self.narrow);
        for work in &mut self.works {
            if let Tape::Recurrent(tape) = &mut work.tape {
                tape.make_room(common, narrow);
            }
        }
    }

    /// Chooses the masks of an optimizer step, by the number of steps before it.
    pub fn choose_masks(&mut self, step: u64) {
        self.common.masks.step = step;
    }

    /// Streams of this shard.
    pub fn rows(&self) -> usize {
        self.common.rows
    }

    /// Steps of a window.
    pub fn steps(&self) -> usize {
        self.common.window
    }

    /// From now on a reset gives the recurrent operation number `layer` this h and c, `[units]`
    /// each, and not zeros. A cell without c has an empty one.
    pub fn start_from(&mut self, layer: usize, h: &[F], c: &[F]) {
        if let Some(tape) = self.layers_mut().nth(layer) {
            tape.start_from(h, c);
        }
    }

    /// The carried state is that to begin with: zero, unless [another](Shard::start_from) was
    /// given.
    pub fn reset(&mut self) {
        self.layers_mut().for_each(recurrent::Tape::reset);
    }

    /// Carried state of the recurrent operation number `layer`: (h, c), each [rows, units]; c is
    /// empty for a cell without one.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn state(&self, layer: usize) -> (&[F], &[F]) {
        self.layer(layer).state()
    }

    /// The same, to change.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn state_mut(&mut self, layer: usize) -> (&mut [F], &mut [F]) {
        let mut layers = self.layers_mut();
        layers
            .nth(layer)
            .expect("a recurrent operation")
            .state_mut()
    }

    /// The window's inputs and targets, to be written.
    pub fn window(&mut self) -> Window<'_, F> {
        Window {
            rows: self.common.rows,
            tokens: &mut self.common.tokens,
            features: &mut self.features,
            targets: &mut self.targets,
        }
    }

    /// Sets the tokens of a net that predicts them: `token(row, t)` gives the one in and the one to
    /// predict, or [`IGNORED`](super::IGNORED) for a prediction that does not count.
    pub fn load(&mut self, mut token: impl FnMut(usize, usize) -> (u16, u16)) {
        let (rows, window) = (self.common.rows, self.common.window);
        let Window {
            tokens, targets, ..
        } = self.window();
        let Some(targets) = targets.first_mut() else {
            return;
        };
        for t in 0..window {
            for row in 0..rows {
                let at = t * rows + row;
                (tokens[at], targets.tokens[at]) = token(row, t);
            }
        }
    }

    /// Shows what each operation has made in the last window, [T, rows, units], and the c of an LSTM
    /// after each step; of a GRU of relus its candidates as well, which have to fit too. Of a head
    /// nothing is kept.
    pub(crate) fn each_value(&self, mut see: impl FnMut(usize, &[F], &[F])) {
        for (index, work) in self.works.iter().enumerate() {
            let c = match &work.tape {
                Tape::Recurrent(tape) => tape.memory(),
                _ => &[],
            };
            see(index, work.tape.value(), c);
            if let Tape::Recurrent(tape) = &work.tape {
                tape.candidates().for_each(|n| see(index, n, &[]));
            }
        }
    }

    /// Shows the activations of the gates of each recurrent operation in the last window,
    /// [T, rows, gates * units]: i, f, g, o of an LSTM; r, z, n of a GRU; the h of an RNN.
    pub(crate) fn each_gate(&self, mut see: impl FnMut(usize, &[F])) {
        for (index, work) in self.works.iter().enumerate() {
            if let Tape::Recurrent(tape) = &work.tape {
                see(index, &tape.gates);
            }
        }
    }

    /// Carries the state over: after the window becomes before the next one.
    pub fn carry(&mut self) {
        self.layers_mut().for_each(recurrent::Tape::carry);
    }
}

/// Steps, times the rows, whose scores are held at a time.
fn block(rows: usize, window: usize, units: usize) -> usize {
    let fitting = (BLOCK / (rows * units).max(1)).max(1);
    rows * fitting.min(window)
}
