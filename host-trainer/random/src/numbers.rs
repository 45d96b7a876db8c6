//! The numbers of a net's operations, in both precisions: which there are, in which shapes, is decided here;
//! how large they are, by a [`Numbers`].

use gatelet::format::{MatrixSpec, Numbers as Spec, OperationSpec};
use gatelet::net::{Kind, MAX_MATRICES, Net, Operation, Precision, Reads, Value};

/// A matrix that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The net.
    pub net: &'a Net,
    /// Its operation.
    pub index: usize,
    /// Rows.
    pub rows: usize,
    /// The value that each column is a number of; none for padding.
    pub columns: &'a [Option<Value>],
}

impl<'a> Wanted<'a> {
    /// The operation.
    ///
    /// # Panics
    /// When the net has no such.
    pub fn operation(&self) -> &'a Operation {
        let operation = self.net.operation(self.index);
        operation.expect("it is one of the net's")
    }
}

/// A matrix `[rows, columns]`, with zeros where a column is padding.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// Of f32 nets.
    pub real: Vec<f32>,
    /// Of int8 nets.
    pub int8: Vec<i8>,
    /// `[rows]`
    pub multipliers: Vec<i32>,
    /// Their shift.
    pub shift: u8,
}

/// Numbers to be added to products that are wanted: a bias, or what is added to a cell's products, for
/// every token where it reads the token.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    /// The net.
    pub net: &'a Net,
    /// Its operation.
    pub index: usize,
    /// How many.
    pub count: usize,
    /// The integer that stands for 1.
    pub unit: f32,
    /// The largest integer that an image takes.
    pub most: i32,
}

/// Numbers that are added to products.
#[derive(Clone, Debug, Default)]
pub struct Addends {
    /// Of f32 nets.
    pub real: Vec<f32>,
    /// Of int8 nets.
    pub integers: Vec<i32>,
}

/// How large numbers are.
pub trait Numbers {
    /// A matrix. Of a tied operation the multipliers count.
    fn matrix(&mut self, wanted: &Wanted<'_>) -> Matrix;

    /// Numbers to be added.
    fn addends(&mut self, added: &Added<'_>) -> Addends;

    /// The multipliers of a sum, `[2, numbers]`, and their shift.
    fn ratios(&mut self, net: &Net, index: usize) -> (Vec<i32>, u8);

    /// Integer bits of an LSTM's c, or of an h that nothing bounds.
    fn state_bits(&mut self, kind: Kind) -> u8;

    /// A state to start from that is not zero: h and c of so many units, in Q0.15 and in integers.
    fn start(&mut self, _units: usize) -> Option<[Vec<i16>; 2]> {
        None
    }
}

/// Fraction bits, as numbers, of what is added to a cell's products and of a dense operation's bias.
const CELL: f32 = 4096.0;
const DENSE: f32 = 65_536.0;

/// The most that a bias may be in integers: core's `REQUANTIZED_LIMIT`.
const LARGEST_BIAS: i32 = 1 << 30;

/// The numbers of an operation.
#[derive(Clone, Debug)]
struct Made {
    kind: Kind,
    tied: bool,
    /// In the order of core's `CellForm`.
    matrices: [Matrix; MAX_MATRICES],
    input: (Vec<f32>, Vec<i16>),
    bias: Addends,
    state_bits: u8,
    start_hidden: (Vec<f32>, Vec<i8>),
    /// Of a GRU in int8 nets only.
    start_cell: (Vec<f32>, Vec<i16>),
}

/// The numbers of all operations of a net.
#[derive(Clone, Debug)]
pub struct Operations {
    precision: Precision,
    made: Vec<Made>,
}

impl Operations {
    /// Draws them, operation by operation.
    pub fn new(net: &Net, numbers: &mut impl Numbers) -> Self {
        Self {
            precision: net.precision,
            made: (0..net.len())
                .map(|index| Made::new(net, index, numbers))
                .collect(),
        }
    }

    /// What an image is written of; one of each operation.
    pub fn specs(&self) -> Vec<OperationSpec<'_>> {
        self.made
            .iter()
            .map(|made| made.spec(self.precision))
            .collect()
    }
}

/// The columns of values side by side.
fn columns(net: &Net, values: impl Iterator<Item = Value>) -> Vec<Option<Value>> {
    let mut columns = Vec::new();
    for value in values {
        let end = columns.len() + net.stride(value);
        columns.extend(vec![Some(value); net.width(value)]);
        columns.resize(end, None);
    }
    columns
}

impl Made {
    fn new(net: &Net, index: usize, numbers: &mut impl Numbers) -> Self {
        let operation = net.operation(index).expect("it is one of the net's");
        let (kind, units) = (operation.kind, operation.kind.units());
        let form = kind.cell();
        let own = || columns(net, [Value::of(index)].into_iter());
        let read = columns(net, operation.operand.parts());
        let mut matrix = |rows: usize, columns: &[Option<Value>]| match (rows, columns) {
            (0, _) | (_, []) => Matrix::default(),
            _ => numbers.matrix(&Wanted {
                net,
                index,
                rows,
                columns,
            }),
        };
        let matrices = match (kind, &form) {
            (_, Some(form)) => form.matrices.map(|of| {
                let Some(of) = of else {
                    return Matrix::default();
                };
                let columns = match of.reads {
                    Reads::All => [&read[..], &own()].concat(),
                    Reads::Inputs => read.clone(),
                    Reads::Own | Reads::Made => own(),
                };
                matrix(of.rows * units, &columns)
            }),
            (Kind::Embedding { .. }, _) => only(matrix(net.vocab(), &own())),
            (Kind::Add, _) => {
                let (multipliers, shift) = numbers.ratios(net, index);
                only(Matrix {
                    multipliers,
                    shift,
                    ..Matrix::default()
                })
            }
            _ => only(matrix(units, &read)),
        };
        let inputs = if net.reads_token(index) {
            net.vocab()
        } else {
            1
        };
        let recurrent = form.is_some();
        let (added, biased) = match &form {
            Some(form) => (inputs * form.addends * units, form.bias * units),
            None if matches!(kind, Kind::Dense { .. }) => (0, units),
            None => (0, 0),
        };
        let mut addends = |count: usize, unit: f32, most: i32| match count {
            0 => Addends::default(),
            _ => numbers.addends(&Added {
                net,
                index,
                count,
                unit,
                most,
            }),
        };
        let input = addends(added, CELL, i16::MAX.into());
        let bias = addends(biased, if recurrent { CELL } else { DENSE }, LARGEST_BIAS);
        let state_bits = match form.map_or([0, 0], |form| form.state_bits) {
            [least, most] if least == most => least,
            _ => numbers.state_bits(kind),
        };
        let start = match recurrent {
            true => numbers.start(units),
            false => None,
        };
        let [h, mut c] = start.unwrap_or_default();
        if !form.is_some_and(|form| form.carries(net.precision)) {
            c.clear();
        }
        Self {
            kind,
            tied: operation.tied.is_some(),
            matrices,
            input: (
                input.real,
                input.integers.iter().map(|&a| narrow(a)).collect(),
            ),
            bias,
            state_bits,
            start_hidden: (
                h.iter().map(|&h| f32::from(h) / 32_768.0).collect(),
                h.iter().map(|&h| (h >> 8) as i8).collect(),
            ),
            start_cell: (c.iter().map(|&c| f32::from(c) / 16.0).collect(), c),
        }
    }

    fn spec(&self, precision: Precision) -> OperationSpec<'_> {
        let float = precision == Precision::F32;
        let [weights, candidate, hidden] = &self.matrices;
        OperationSpec {
            weights: match (self.kind, float) {
                (Kind::Add, true) => MatrixSpec::default(),
                (Kind::Add, false) => without_weights(weights, precision),
                _ if self.tied => without_weights(weights, precision),
                _ => spec(weights, precision),
            },
            candidate: spec(candidate, precision),
            hidden: spec(hidden, precision),
            input: either(float, &self.input.0, &self.input.1, Spec::I16),
            bias: either(float, &self.bias.real, &self.bias.integers, Spec::I32),
            state_bits: if float { 0 } else { self.state_bits },
            start_hidden: either(float, &self.start_hidden.0, &self.start_hidden.1, Spec::I8),
            start_cell: either(float, &self.start_cell.0, &self.start_cell.1, Spec::I16),
        }
    }
}

/// The only matrix of an operation.
fn only(matrix: Matrix) -> [Matrix; MAX_MATRICES] {
    [matrix, Matrix::default(), Matrix::default()]
}

/// The nearest number of 16 bits.
fn narrow(a: i32) -> i16 {
    a.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// A matrix in a precision; none if there is none.
fn spec(matrix: &Matrix, precision: Precision) -> MatrixSpec<'_> {
    match precision {
        _ if matrix.multipliers.is_empty() => MatrixSpec::default(),
        Precision::F32 => MatrixSpec::f32(&matrix.real),
        Precision::Int8 => MatrixSpec::int8(&matrix.int8, &matrix.multipliers, matrix.shift),
    }
}

/// Its multipliers alone.
fn without_weights(matrix: &Matrix, precision: Precision) -> MatrixSpec<'_> {
    MatrixSpec {
        weights: Spec::None,
        ..spec(matrix, precision)
    }
}

/// The one or the other; nothing if there is nothing.
fn either<'a, T>(
    float: bool,
    real: &'a [f32],
    integers: &'a [T],
    of: fn(&'a [T]) -> Spec<'a>,
) -> Spec<'a> {
    match float {
        _ if integers.is_empty() => Spec::None,
        true => Spec::F32(real),
        false => of(integers),
    }
}
