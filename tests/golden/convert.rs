//! The tensors of a file of `nets.py` as the numbers of a net: gate orders and biases of the
//! frameworks become Gatelet's here.
//!
//! ```text
//!            weights                     LSTM       GRU      biases
//! PyTorch    [gates units, inputs]       i f g o    r z n    two of every gate
//! Keras      [inputs, gates units]       i f c o    z r h    one; with reset after two
//! Gatelet    rows of [inputs ; own h]    i f g o    r z n    one; with reset after b_h of n too
//! ```

use gatelet::format::{MatrixSpec, Numbers, OperationSpec};
use gatelet::net::{Kind, Net, Reset};

use crate::file::{Golden, padded};

impl Golden {
    fn is_keras(&self) -> bool {
        self.framework().starts_with("Keras")
    }

    /// The numbers of operation `index`.
    pub(crate) fn numbered(&self, net: &Net, index: usize) -> Numbered {
        let operation = net.operation(index).expect("it is one of the net's");
        let units = operation.kind.units();
        let tensor = |name: &str| self.find(&format!("operation.{index}.{name}"));
        let either = |torch, keras| match self.is_keras() {
            true => tensor(keras),
            false => tensor(torch),
        };
        match operation.kind {
            Kind::Add => Numbered::default(),
            Kind::Embedding { .. } => {
                let table = either("weight", "embeddings").expect("a table");
                let width = units.next_multiple_of(4);
                let rows = table.chunks_exact(units).flat_map(|row| {
                    let padding = std::iter::repeat_n(0.0, width - units);
                    row.iter().copied().chain(padding)
                });
                Numbered {
                    weights: rows.collect(),
                    ..Numbered::default()
                }
            }
            Kind::Dense { .. } => {
                // The slope of a hard sigmoid belongs to the weights.
                let slope = self.operation(index)["slope"].as_f64().unwrap_or(1.0) as f32;
                let scaled = |numbers: Vec<f32>| numbers.into_iter().map(|x| x * slope).collect();
                let given: Vec<f32> = scaled(either("weight", "kernel").expect("weights"));
                let rows = self.rows(&given, units);
                Numbered {
                    weights: rows.iter().flat_map(|x| padded(net, index, x)).collect(),
                    bias: scaled(tensor("bias").expect("a bias")),
                    ..Numbered::default()
                }
            }
            kind => {
                let cell = Cell {
                    units,
                    x: self.rows(
                        &either("weight_ih_l0", "kernel").expect("weights"),
                        kind.gates() * units,
                    ),
                    h: self.rows(
                        &either("weight_hh_l0", "recurrent_kernel").expect("weights"),
                        kind.gates() * units,
                    ),
                    bias: match self.is_keras() {
                        false => [tensor("bias_ih_l0"), tensor("bias_hh_l0")]
                            .map(|bias| bias.expect("two biases")),
                        true => {
                            let mut both = tensor("bias").expect("a bias");
                            both.resize(2 * kind.gates() * units, 0.0);
                            let second = both.split_off(kind.gates() * units);
                            [both, second]
                        }
                    },
                };
                let state = |part| self.find(&format!("golden.{index}.{part}0"));
                let slope = self.operation(index)["slope"].as_f64().unwrap_or(1.0) as f32;
                let cell = cell.with_slope(kind, slope);
                Numbered {
                    start_hidden: state("h").expect("a start state"),
                    start_cell: state("c").unwrap_or_default(),
                    ..cell.in_order(kind, self.is_keras()).numbered(net, index)
                }
            }
        }
    }

    /// The rows of a matrix, an output each, whichever way the framework has it.
    fn rows(&self, given: &[f32], outputs: usize) -> Vec<Vec<f32>> {
        let inputs = given.len() / outputs;
        let at = |output, input| match self.is_keras() {
            true => given[input * outputs + output],
            false => given[output * inputs + input],
        };
        let row = |output| (0..inputs).map(|input| at(output, input)).collect();
        (0..outputs).map(row).collect()
    }
}

/// A recurrent layer's numbers: rows gate by gate.
struct Cell {
    units: usize,
    /// Of what it reads; of tokens a column each.
    x: Vec<Vec<f32>>,
    /// Of its own h.
    h: Vec<Vec<f32>>,
    /// Of x and of h.
    bias: [Vec<f32>; 2],
}

impl Cell {
    /// With the gates in Gatelet's order, which is PyTorch's: Keras has a GRU's z first.
    fn in_order(mut self, kind: Kind, is_keras: bool) -> Self {
        if is_keras && matches!(kind, Kind::Gru { .. }) {
            let units = self.units;
            let [first, second] = &mut self.bias;
            for rows in [&mut self.x, &mut self.h] {
                rows[..2 * units].rotate_left(units);
            }
            for bias in [first, second] {
                bias[..2 * units].rotate_left(units);
            }
        }
        self
    }

    /// The slope of hard sigmoids belongs to the weights of the gates: all but the third block.
    fn with_slope(mut self, kind: Kind, slope: f32) -> Self {
        let gates = (0..kind.gates()).filter(|&gate| gate != 2);
        let rows = gates.flat_map(|gate| gate * self.units..(gate + 1) * self.units);
        for row in rows {
            let weights = self.x[row].iter_mut().chain(&mut self.h[row]);
            let biases = self.bias.iter_mut().map(|bias| &mut bias[row]);
            weights.chain(biases).for_each(|x| *x *= slope);
        }
        self
    }

    fn numbered(&self, net: &Net, index: usize) -> Numbered {
        let (kind, units) = (net.operation(index).expect("it is there").kind, self.units);
        let row = |row: usize| {
            let mut all = match net.reads_token(index) {
                true => Vec::new(),
                false => padded(net, index, &self.x[row]),
            };
            all.extend(&self.h[row]);
            all.resize(net.columns(index), 0.0);
            all
        };
        let [of_x, of_h] = &self.bias;
        // What is added: for each token, or once.
        let input = |rows: &[(usize, bool)]| -> Vec<f32> {
            let inputs = if net.reads_token(index) {
                net.vocab()
            } else {
                1
            };
            let at = |token: usize, &(row, both): &(usize, bool)| {
                let column = if inputs > 1 { self.x[row][token] } else { 0.0 };
                column + of_x[row] + if both { of_h[row] } else { 0.0 }
            };
            (0..inputs)
                .flat_map(|token| rows.iter().map(move |row| at(token, row)))
                .collect()
        };
        match kind {
            Kind::Gru { reset, .. } => {
                let own = |row: usize| {
                    let mut all = self.h[row].clone();
                    all.resize(units.next_multiple_of(4), 0.0);
                    all
                };
                let after = reset == Reset::After;
                let rows: Vec<_> = (0..3 * units)
                    .map(|row| (row, row < 2 * units || !after))
                    .collect();
                let candidate = 2 * units..3 * units;
                Numbered {
                    weights: (0..2 * units).flat_map(row).collect(),
                    candidate: match net.reads_token(index) {
                        true => Vec::new(),
                        false => candidate
                            .clone()
                            .flat_map(|row| padded(net, index, &self.x[row]))
                            .collect(),
                    },
                    hidden: candidate.clone().flat_map(own).collect(),
                    input: input(&rows),
                    bias: if after {
                        of_h[candidate].to_vec()
                    } else {
                        Vec::new()
                    },
                    ..Numbered::default()
                }
            }
            // Unit by unit, the gates of each together.
            _ => {
                let gates = kind.gates();
                let rows: Vec<usize> = (0..gates * units)
                    .map(|slot| slot % gates * units + slot / gates)
                    .collect();
                let both: Vec<_> = rows.iter().map(|&row| (row, true)).collect();
                Numbered {
                    weights: rows.into_iter().flat_map(row).collect(),
                    input: input(&both),
                    ..Numbered::default()
                }
            }
        }
    }
}

/// The numbers of an operation, empty where it has none.
#[derive(Default)]
pub(crate) struct Numbered {
    input: Vec<f32>,
    weights: Vec<f32>,
    candidate: Vec<f32>,
    hidden: Vec<f32>,
    bias: Vec<f32>,
    start_hidden: Vec<f32>,
    start_cell: Vec<f32>,
}

impl Numbered {
    pub(crate) fn spec(&self) -> OperationSpec<'_> {
        OperationSpec {
            input: some(&self.input),
            weights: matrix(&self.weights),
            candidate: matrix(&self.candidate),
            hidden: matrix(&self.hidden),
            bias: some(&self.bias),
            start_hidden: some(&self.start_hidden),
            start_cell: some(&self.start_cell),
            ..OperationSpec::default()
        }
    }
}

fn some(numbers: &[f32]) -> Numbers<'_> {
    match numbers {
        [] => Numbers::None,
        _ => Numbers::F32(numbers),
    }
}

fn matrix(weights: &[f32]) -> MatrixSpec<'_> {
    MatrixSpec {
        weights: some(weights),
        ..MatrixSpec::default()
    }
}
