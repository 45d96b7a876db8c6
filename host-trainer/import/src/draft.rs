//! A net as a file describes it, before it becomes a list of Gatelet's operations.
//!
//! A reader changes only what its format alone knows: the order of gates, transposed matrices, two
//! biases that are added. What all formats share is done once, in [`lower`](crate::lower()):
//! normalisation, activations and slices go into the weights beside them.
//!
//! ```text
//! value 0      the input                     value k + 1    what layer k makes
//! gates        i f g o of an LSTM, r z n of a GRU: blocks of `units` rows, as in PyTorch
//! ```

use gatelet::net::Reset;

/// A matrix, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// `[rows, columns]`.
    pub data: Vec<f32>,
}

impl Matrix {
    /// A matrix of these numbers; nothing where their count is another.
    pub fn new(rows: usize, columns: usize, data: Vec<f32>) -> Option<Self> {
        let matrix = Self {
            rows,
            columns,
            data,
        };
        (rows.checked_mul(columns) == Some(matrix.data.len())).then_some(matrix)
    }

    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            data: vec![0.0; rows * columns],
        }
    }

    /// Rows become columns.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let columns = 0..self.columns;
        let data = columns.flat_map(|c| (0..self.rows).map(move |r| r * self.columns + c));
        Self {
            rows: self.columns,
            columns: self.rows,
            data: data.map(|at| self.data[at]).collect(),
        }
    }

    /// Blocks of `rows / order.len()` rows in another order: block `k` of the result is block
    /// `order[k]` of this.
    #[must_use]
    pub fn blocks(&self, order: &[usize]) -> Self {
        Self {
            data: blocks(&self.data, order),
            ..*self
        }
    }
}

/// Blocks of `data.len() / order.len()` numbers in another order: block `k` of the result is block
/// `order[k]` of `data`.
pub fn blocks(data: &[f32], order: &[usize]) -> Vec<f32> {
    let len = data.len() / order.len().max(1);
    let all = order.iter().flat_map(|k| &data[k * len..][..len]);
    all.copied().collect()
}

/// A function of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Function {
    /// The number itself.
    #[default]
    Linear,
    /// max(0, x).
    Relu,
    /// tanh(x).
    Tanh,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// x above 0, e^x - 1 below.
    Elu,
    /// `slope x + offset`, within 0 and 1: 1/6 and 1/2 in Keras 3, 0.2 and 1/2 in Keras 2 and ONNX.
    HardSigmoid {
        /// What x is multiplied by.
        slope: f32,
        /// What is added.
        offset: f32,
    },
}

/// A recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// `h' = f(W x + U h + b)`.
    Rnn {
        /// f: tanh or relu.
        function: Function,
    },
    /// Gates i, f, g, o.
    Lstm {
        /// Of i, f and o: sigmoid or hard sigmoid.
        gate: Function,
        /// Of g: tanh.
        candidate: Function,
        /// Of c on its way to h: tanh.
        output: Function,
    },
    /// Gates r, z and the candidate n: `h' = z h + (1 - z) n`.
    Gru {
        /// What r multiplies.
        reset: Reset,
        /// Of r and z: sigmoid or hard sigmoid.
        gate: Function,
        /// Of n: tanh or relu.
        candidate: Function,
    },
}

impl Cell {
    /// Rows for each unit.
    pub const fn gates(&self) -> usize {
        match self {
            Self::Rnn { .. } => 1,
            Self::Lstm { .. } => 4,
            Self::Gru { .. } => 3,
        }
    }
}

/// A recurrent layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    /// The cell.
    pub cell: Cell,
    /// `[gates*units, inputs]`.
    pub input: Matrix,
    /// `[gates*units, units]`.
    pub recurrent: Matrix,
    /// `[gates*units]`: all biases added, but b_hn of a GRU that resets the product.
    pub bias: Vec<f32>,
    /// `[units]`: b_hn of a GRU that resets the product; empty for any other cell.
    pub hidden_bias: Vec<f32>,
    /// `[units]`: h at the start; empty for zeros.
    pub h: Vec<f32>,
    /// `[units]`: c of an LSTM at the start; empty for zeros.
    pub c: Vec<f32>,
}

/// What a layer does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A row of a table for each token.
    Embedding {
        /// `[vocab, units]`.
        table: Matrix,
    },
    /// A recurrent cell.
    Recurrent(Box<Recurrent>),
    /// `f(W x + b)`.
    Dense {
        /// `[units, inputs]`.
        weight: Matrix,
        /// `[units]`.
        bias: Vec<f32>,
        /// f.
        function: Function,
    },
    /// A function of each number.
    Activation(Function),
    /// `factor x + offset`, number by number: normalisation of any kind.
    Affine {
        /// One for each number, or one for all.
        factor: Vec<f32>,
        /// As many.
        offset: Vec<f32>,
    },
    /// The sum of two values of one width.
    Add,
    /// All operands side by side.
    Concat,
    /// `len` numbers from `start` on.
    Slice {
        /// The first.
        start: usize,
        /// How many.
        len: usize,
    },
    /// `e^x / sum e^x`; only where a net ends.
    Softmax,
    /// The operand itself: dropout, a reshape.
    Identity,
}

/// A layer of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name in the file.
    pub name: String,
    /// What it is called there, for the table of what was imported: `GRU`, `Dense`.
    pub from: String,
    /// What it does.
    pub kind: Kind,
    /// The values it reads.
    pub reads: Vec<usize>,
    /// The tensors of the file that its numbers came from.
    pub tensors: Vec<String>,
    /// What the reader folded, left out or changed, and why that is safe; a sentence each.
    pub notes: Vec<String>,
}

/// What a net is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// One token at every step.
    Tokens {
        /// Its name in the file.
        name: String,
        /// How many there are.
        vocab: usize,
    },
    /// Numbers; several inputs stand side by side, in this order.
    Features(Vec<(String, usize)>),
}

/// What a net gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name in the file.
    pub name: String,
    /// The value.
    pub value: usize,
}

/// A net as a file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What it is, for messages: `ONNX`, `Keras`.
    pub format: &'static str,
    /// What it is given.
    pub input: Input,
    /// Its layers, each after those that it reads.
    pub layers: Vec<Layer>,
    /// What it gives.
    pub outputs: Vec<Output>,
    /// What of the file as a whole was left out or changed, and why that is safe.
    pub notes: Vec<String>,
}
