//! int8 nets against the specification in numpy, on every kernel of this machine: every output and
//! every state of every step, bit for bit.

use gatelet::format::{FeatureSpec, MatrixSpec, Numbers, OperationSpec};
use gatelet::net::{Input, Kind, Net, Precision};
use gatelet::{Isa, Kernel, Model, Session, StateView, TokenId, WithKernel};
use gatelet_trainer::image::Image;

use crate::file::{self, Golden, padded};

/// Steps of every file.
const STEPS: usize = 120;

/// A matrix in rows, and what belongs to it.
#[derive(Default)]
struct Matrix {
    weights: Vec<i8>,
    multipliers: Vec<i32>,
    shift: u8,
}

impl Matrix {
    fn spec(&self) -> MatrixSpec<'_> {
        let whole = MatrixSpec::int8(&self.weights, &self.multipliers, self.shift);
        match self.weights.is_empty() {
            // A sum has multipliers alone.
            true => MatrixSpec {
                weights: Numbers::None,
                ..whole
            },
            false => whole,
        }
    }
}

/// The numbers of an operation, empty where it has none.
#[derive(Default)]
struct Numbered {
    weights: Matrix,
    candidate: Matrix,
    hidden: Matrix,
    input: Vec<i16>,
    bias: Vec<i32>,
    state_bits: u8,
    start_hidden: Vec<i8>,
    start_cell: Vec<i16>,
}

/// What a row has besides the values that the operation reads.
#[derive(Clone, Copy)]
enum Columns {
    Read,
    Own,
    Both,
}

/// The operation that is put together.
struct Reader<'a> {
    golden: &'a Golden,
    net: &'a Net,
    index: usize,
}

impl Reader<'_> {
    fn integers(&self, name: &str) -> Vec<i32> {
        let name = format!("operation.{}.{name}", self.index);
        self.golden.find_integers(&name).unwrap_or_default()
    }

    fn units(&self) -> usize {
        let operation = self.net.operation(self.index);
        operation.expect("it is one of the net's").kind.units()
    }

    /// Row numbers as an image has them, of rows gate by gate: an LSTM's gates stand together.
    fn order(&self) -> Vec<usize> {
        let (units, kind) = (
            self.units(),
            self.net.operation(self.index).map(|of| of.kind),
        );
        match kind {
            Some(Kind::Lstm { .. }) => (0..4 * units)
                .map(|row| row % 4 * units + row / 4)
                .collect(),
            Some(Kind::Gru { .. }) => (0..2 * units).collect(),
            _ => (0..units).collect(),
        }
    }

    /// A matrix whose shift is the operation's `number`-th.
    fn matrix(&self, name: &str, order: &[usize], columns: Columns, number: usize) -> Matrix {
        let multipliers = self.integers(&format!("{name}.multipliers"));
        let weights = narrow::<i8>(&self.integers(name));
        let width = weights.len() / multipliers.len();
        let units = self.units();
        let row = |&row: &usize| {
            let row = &weights[row * width..(row + 1) * width];
            let (read, own) = match columns {
                Columns::Read => (row, &[][..]),
                Columns::Own => (&[][..], row),
                Columns::Both => row.split_at(width - units),
            };
            let mut all = match read {
                [] => Vec::new(),
                read => padded(self.net, self.index, read),
            };
            all.extend(own);
            all.resize(all.len().next_multiple_of(4), 0);
            all
        };
        let shifts = &self.golden.operation(self.index)["shifts"];
        Matrix {
            weights: order.iter().flat_map(row).collect(),
            multipliers: order.iter().map(|&row| multipliers[row]).collect(),
            shift: shifts[number].as_u64().expect("a shift") as u8,
        }
    }

    fn numbered(&self) -> Numbered {
        let (order, units) = (self.order(), self.units());
        let operation = self.net.operation(self.index).expect("it is there");
        let kind = operation.kind;
        let bits = self.golden.operation(self.index)["state"].as_u64();
        let mut numbers = Numbered {
            bias: self.integers("bias"),
            state_bits: bits.unwrap_or_default() as u8,
            start_hidden: narrow(&self.integers("start_h")),
            start_cell: narrow(&self.integers("start_c")),
            ..Numbered::default()
        };
        match kind {
            Kind::Add => {
                let shift = self.golden.operation(self.index)["shifts"][0].as_u64();
                numbers.weights = Matrix {
                    weights: Vec::new(),
                    multipliers: self.integers("weights.multipliers"),
                    shift: shift.expect("a shift") as u8,
                };
            }
            Kind::Embedding { .. } => {
                let rows: Vec<usize> = (0..self.net.vocab()).collect();
                numbers.weights = self.matrix("weights", &rows, Columns::Own, 0);
            }
            Kind::Dense { .. } => {
                numbers.weights = self.matrix("weights", &order, Columns::Read, 0);
            }
            kind => {
                numbers.weights = self.matrix("weights", &order, Columns::Both, 0);
                let input = self.integers("input");
                let rows = kind.gates() * units;
                let all: Vec<usize> = match kind {
                    Kind::Gru { .. } => (0..rows).collect(),
                    _ => order,
                };
                let token = |of: &[i32]| all.iter().map(|&row| of[row]).collect::<Vec<_>>();
                numbers.input = narrow(&input.chunks(rows).flat_map(token).collect::<Vec<_>>());
                if let Kind::Gru { .. } = kind {
                    let rows: Vec<usize> = (0..units).collect();
                    numbers.hidden = self.matrix("hidden", &rows, Columns::Own, 2);
                    if !self.net.reads_token(self.index) || operation.operand.len() > 1 {
                        numbers.candidate = self.matrix("candidate", &rows, Columns::Read, 1);
                    }
                }
            }
        }
        numbers
    }
}

impl Numbered {
    fn spec(&self) -> OperationSpec<'_> {
        OperationSpec {
            weights: self.weights.spec(),
            candidate: self.candidate.spec(),
            hidden: self.hidden.spec(),
            input: some(&self.input, Numbers::I16),
            bias: some(&self.bias, Numbers::I32),
            state_bits: self.state_bits,
            start_hidden: some(&self.start_hidden, Numbers::I8),
            start_cell: some(&self.start_cell, Numbers::I16),
        }
    }
}

fn some<'a, T>(numbers: &'a [T], of: fn(&'a [T]) -> Numbers<'a>) -> Numbers<'a> {
    match numbers {
        [] => Numbers::None,
        _ => of(numbers),
    }
}

/// Integers in fewer bits, which hold them.
fn narrow<T: TryFrom<i32>>(numbers: &[i32]) -> Vec<T> {
    let of = |&number: &i32| T::try_from(number).ok().expect("a number in range");
    numbers.iter().map(of).collect()
}

fn image(golden: &Golden) -> Image {
    let net = &golden.net(Precision::Int8);
    let numbers: Vec<Numbered> = (0..net.len())
        .map(|index| Reader { golden, net, index }.numbered())
        .collect();
    let operations: Vec<_> = numbers.iter().map(Numbered::spec).collect();
    let (mut scales, mut doubled) = (Vec::new(), Vec::new());
    if let Input::Features { .. } = net.input {
        scales = golden.tensor("scales");
        doubled = golden
            .integers("doubled")
            .iter()
            .map(|&k| k as u16)
            .collect();
    }
    let features = FeatureSpec {
        scales: &scales,
        doubled: &doubled,
        front_end: None,
    };
    file::image(*net, features, &operations)
}

/// The numbers of step `t`.
fn step(all: &[i32], t: usize) -> &[i32] {
    let numbers = all.len() / STEPS;
    &all[t * numbers..(t + 1) * numbers]
}

/// A golden file's steps with one kernel.
struct Run<'a>(&'a str, &'a Golden, Model<'a>);

impl WithKernel for Run<'_> {
    type Output = ();

    fn run<K: Kernel>(self, kernel: K) {
        let Self(name, golden, model) = self;
        let net = *model.net();
        let name = format!("{name}, {} in {}", K::NAME, model.layout());
        let mut storage = vec![7; net.state_words()];
        let mut session = Session::new(&model, kernel, &mut storage).expect("room enough");
        let outputs: Vec<_> = (0..net.output_len())
            .map(|index| golden.integers(&format!("golden.output.{index}")))
            .collect();
        let state = |index, part| golden.find_integers(&format!("golden.{index}.{part}"));
        let states: Vec<_> = (0..net.len())
            .map(|index| ["h", "c"].map(|part| state(index, part).unwrap_or_default()))
            .collect();
        for t in 0..STEPS {
            match net.input {
                Input::Tokens { .. } => {
                    let id = golden.integers("golden.input")[t];
                    session.step(TokenId(id as u16)).map(|_| ())
                }
                Input::Features { width, .. } => {
                    let all = golden.tensor("golden.input");
                    session.step(&all[t * width..(t + 1) * width]).map(|_| ())
                }
            }
            .expect("an input of the net");
            for (index, expected) in outputs.iter().enumerate() {
                let scores = session.scores(index);
                let ids = (0..scores.len() as u16).map(TokenId);
                let found: Vec<i32> = ids.filter_map(|id| scores.q16(id)).collect();
                let what = format!("{name}, output {index} of step {t}");
                assert_eq!(found, step(expected, t), "{what}");
            }
            for (index, [h, c]) in states.iter().enumerate() {
                let Some(StateView::Int8 {
                    h: found_h,
                    c: found_c,
                }) = session.state(index)
                else {
                    assert!(h.is_empty() && net.recurrent(index).is_none());
                    continue;
                };
                let wide = |of: &[i16]| of.iter().map(|&x| i32::from(x)).collect::<Vec<_>>();
                let found_h: Vec<i32> = found_h.iter().map(|&x| i32::from(x)).collect();
                let what = format!("{name}, state of operation {index} at step {t}");
                assert_eq!(found_h, step(h, t), "{what}");
                assert_eq!(wide(found_c), step(c, t), "{what}");
            }
        }
    }
}

fn equals(name: &str) {
    let golden = Golden::read(name);
    let rows = image(&golden);
    for isa in Isa::available() {
        let own = rows.for_isa(isa).expect("a small net");
        for image in [&rows, &own] {
            isa.run(Run(name, &golden, image.model().expect("a good image")));
        }
    }
}

#[test]
fn gru_with_reset_after_and_doubled_features_is_numpys() {
    equals("int8_gru_after");
}

#[test]
fn gru_with_reset_before_is_numpys() {
    equals("int8_gru_before");
}

#[test]
fn grus_that_read_tokens_are_numpys() {
    equals("int8_gru_tokens");
}

#[test]
fn lstms_and_rnns_are_numpys() {
    equals("int8_lstm");
}

#[test]
fn hard_sigmoids_and_relu_candidates_are_numpys() {
    equals("int8_functions");
}

#[test]
fn a_net_that_mixes_operations_is_numpys() {
    equals("int8_mixed");
}
