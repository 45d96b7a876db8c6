//! Models with random weights, of any shape.

use gatelet::TextRules;
use gatelet::format::{
    FeatureSpec, ImageSpec, KnownAnswer, MatrixSpec, Numbers, OperationSpec, Provenance, VocabSpec,
    write_image,
};
use gatelet::net::{Input, Kind, Layout, Net, Operation, Precision, Reset, RnnActivation, Value};

/// Numbers in no simple order.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 33
    }

    fn below(&mut self, n: u64) -> i64 {
        (self.next() % n) as i64
    }

    fn real(&mut self) -> f32 {
        (self.below(2001) - 1000) as f32 / 1000.0
    }
}

/// Right shifts of the requantizations of recurrent operations, and of dense ones.
pub(crate) type Shifts = [u8; 2];
/// What the vector kernels' tests have.
pub(crate) const USUAL_SHIFTS: Shifts = [24, 20];

/// What the multiplier of a row may be at most: see `REQUANTIZED_LIMIT` in core.
fn largest_multiplier((columns, bits): (usize, u32), shift: u8) -> u64 {
    let weight = if bits == 4 { 7 } else { 127 };
    let largest_sum = weight * 128 * columns.max(1) as u64;
    (((1 << 30 << shift) - 1 - (1 << (shift - 1))) / largest_sum).min(i32::MAX as u64)
}

/// Multipliers below `below * 2^shift`, or below the largest there may be; the first is the largest.
fn multipliers(
    random: &mut Random,
    rows: usize,
    form: (usize, u32),
    shift: u8,
    below: f64,
) -> Vec<i32> {
    let largest = largest_multiplier(form, shift);
    let below = ((below * f64::from(shift).exp2()) as u64).clamp(1, largest);
    let mut all: Vec<i32> = (0..rows).map(|_| random.below(below) as i32).collect();
    if let Some(first) = all.first_mut() {
        *first = largest as i32;
    }
    all
}

/// Gives a matrix's first row the least weights, but for padding.
fn least_row(weights: &mut [i8], columns: usize, padded: &impl Fn(usize) -> bool) {
    for (k, weight) in weights.iter_mut().take(columns).enumerate() {
        *weight = if padded(k) { 0 } else { -127 };
    }
}

/// Numbers of a matrix `[rows, columns]` in both precisions, with zeros where `padded` says so.
struct Matrix {
    real: Vec<f32>,
    int8: Vec<i8>,
    multipliers: Vec<i32>,
}

impl Matrix {
    /// `scale` is the largest of the real numbers; `below` as in [`multipliers`].
    fn new(
        random: &mut Random,
        (rows, columns, bits): (usize, usize, u32),
        padded: impl Fn(usize) -> bool,
        (scale, shift, below): (f32, u8, f64),
    ) -> Self {
        let places = (0..rows * columns).map(|i| padded(i % columns.max(1)));
        let mut real = |padded| if padded { 0.0 } else { random.real() * scale };
        let real = places.clone().map(&mut real).collect();
        let mut whole = |padded| match padded {
            true => 0,
            false => (random.below(255) - 127) as i8,
        };
        let mut int8: Vec<i8> = places.map(&mut whole).collect();
        least_row(&mut int8, columns, &padded);
        if bits == 4 {
            int8.iter_mut().for_each(|weight| *weight /= 18); // -7..=7
        }
        Matrix {
            real,
            int8,
            multipliers: multipliers(random, rows, (columns, bits), shift, below),
        }
    }

    fn spec(&self, precision: Precision, shift: u8) -> MatrixSpec<'_> {
        match precision {
            Precision::F32 => MatrixSpec::f32(&self.real),
            Precision::Int8 => MatrixSpec::int8(&self.int8, &self.multipliers, shift),
        }
    }
}

/// Numbers that are added, in both precisions.
struct Addends {
    real: Vec<f32>,
    int16: Vec<i16>,
    int32: Vec<i32>,
}

impl Addends {
    fn new(random: &mut Random, count: usize) -> Self {
        Addends {
            real: (0..count).map(|_| random.real()).collect(),
            int16: (0..count)
                .map(|_| (random.below(65_536) - 32_768) as i16)
                .collect(),
            int32: (0..count)
                .map(|_| random.below(100_000) as i32 - 50_000)
                .collect(),
        }
    }

    fn narrow(&self, precision: Precision) -> Numbers<'_> {
        match precision {
            Precision::F32 => Numbers::F32(&self.real),
            Precision::Int8 => Numbers::I16(&self.int16),
        }
    }

    fn wide(&self, precision: Precision) -> Numbers<'_> {
        match precision {
            Precision::F32 => Numbers::F32(&self.real),
            Precision::Int8 => Numbers::I32(&self.int32),
        }
    }
}

/// The numbers of an operation.
struct Numbered {
    weights: Matrix,
    candidate: Matrix,
    hidden: Matrix,
    input: Addends,
    bias: Addends,
}

/// Whether a padded column of operation `index`'s operand holds nothing.
fn padding(net: &Net, index: usize, operation: &Operation, own: bool) -> Vec<bool> {
    let values = operation.operand.parts();
    let own = own.then_some(Value::of(index));
    values
        .chain(own)
        .flat_map(|value| {
            let (width, stride) = (net.width(value), net.stride(value));
            (0..stride).map(move |k| k >= width)
        })
        .collect()
}

impl Numbered {
    fn new(random: &mut Random, net: &Net, index: usize, [shift, dense_shift]: Shifts) -> Self {
        let operation = net.operation(index).expect("it is one of the net's");
        let (kind, units) = (operation.kind, operation.kind.units());
        let bits = operation.bits.into();
        let read = padding(net, index, operation, false);
        let all = padding(net, index, operation, kind.is_recurrent());
        let scale = 1.0 / (units.max(1) as f32).sqrt();
        let matrix = |random: &mut Random, rows: usize, padding: &[bool], range| {
            let form = (rows, padding.len(), bits);
            Matrix::new(random, form, |k| padding[k], range)
        };
        let weights = match kind {
            Kind::Embedding { .. } => {
                let padding: Vec<bool> =
                    (0..units.next_multiple_of(4)).map(|k| k >= units).collect();
                matrix(random, net.vocab(), &padding, (1.0, shift, 1.0))
            }
            Kind::Gru { .. } => matrix(random, 2 * units, &all, (scale, shift, 0.25)),
            Kind::Dense { .. } => {
                let below = if index + 1 == net.len() { 40.0 } else { 2.0 };
                matrix(random, units, &all, (1.0, dense_shift, below))
            }
            Kind::Add => {
                let padding = [false; 4];
                matrix(
                    random,
                    2 * net.width(Value::of(index)),
                    &padding,
                    (1.0, shift, 0.7),
                )
            }
            kind => matrix(random, kind.gates() * units, &all, (scale, shift, 0.25)),
        };
        let inputs = if net.reads_token(index) {
            net.vocab()
        } else {
            1
        };
        let mut input = Addends::new(random, inputs * kind.gates() * units);
        // An RNN of one layer has h = -128 after token 0, and so the largest sum there is in row 0.
        if index == 0 && net.reads_token(0) {
            input.int16[..kind.gates() * units].fill(i16::MIN);
        }
        let own: Vec<bool> = (0..units.next_multiple_of(4)).map(|k| k >= units).collect();
        let gru = matches!(kind, Kind::Gru { .. });
        let rows = if gru { units } else { 0 };
        Numbered {
            weights,
            candidate: matrix(random, rows, &read, (scale, shift, 0.25)),
            hidden: matrix(random, rows, &own, (scale, shift, 0.25)),
            input,
            bias: Addends::new(random, units),
        }
    }

    fn spec(&self, net: &Net, index: usize, [shift, dense_shift]: Shifts) -> OperationSpec<'_> {
        let operation = net.operation(index).expect("it is one of the net's");
        let precision = net.precision;
        let none = OperationSpec::default();
        let cell = OperationSpec {
            input: self.input.narrow(precision),
            weights: self.weights.spec(precision, shift),
            state_bits: match (operation.kind, precision) {
                (_, Precision::F32) => 0,
                (Kind::Lstm { .. }, _) => 4,
                (
                    Kind::Rnn {
                        activation: RnnActivation::Relu,
                        ..
                    },
                    _,
                ) => 2,
                (Kind::Rnn { .. }, _) => 3,
                _ => 0,
            },
            ..none
        };
        match operation.kind {
            Kind::Embedding { .. } => OperationSpec::table(self.weights.spec(precision, shift)),
            Kind::Add if precision == Precision::F32 => none,
            Kind::Add => OperationSpec::table(MatrixSpec {
                weights: Numbers::None,
                multipliers: &self.weights.multipliers,
                shift,
            }),
            Kind::Dense { .. } => {
                let whole = self.weights.spec(precision, dense_shift);
                let weights = match (operation.tied, whole.weights) {
                    (None, all) => all,
                    (Some(_), _) => Numbers::None,
                };
                OperationSpec {
                    weights: MatrixSpec { weights, ..whole },
                    bias: self.bias.wide(precision),
                    ..none
                }
            }
            Kind::Gru { reset, .. } => OperationSpec {
                candidate: match net.input_columns(index) {
                    0 => MatrixSpec::default(),
                    _ => self.candidate.spec(precision, shift),
                },
                hidden: self.hidden.spec(precision, shift),
                bias: match reset {
                    Reset::After => self.bias.wide(precision),
                    Reset::Before => Numbers::None,
                },
                ..cell
            },
            _ => cell,
        }
    }
}

/// A model with random weights, in rows; its length in `image`. One with an embedding is of words.
pub(crate) fn random(
    net: &Net,
    shifts: Shifts,
    known_answer: KnownAnswer<'_>,
    image: &mut [u8],
) -> Result<usize, String> {
    let units: usize = net
        .operations()
        .map(|of| of.kind.gates() * of.kind.units())
        .sum();
    let random = &mut Random(units as u64 * 31 + net.len() as u64);
    let vocab = net.vocab();
    let characters: Vec<char> = (' '..).take(vocab).collect();
    let list: Vec<String> = (1..vocab)
        .map(|i| format!("{:03}{}", i / 3, ["", "a", "é"][i % 3]))
        .chain(["\u{fffd}".to_owned()])
        .collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let words = net
        .operations()
        .any(|operation| matches!(operation.kind, Kind::Embedding { .. }));
    let numbers: Vec<Numbered> = (0..net.len())
        .map(|index| Numbered::new(random, net, index, shifts))
        .collect();
    let operations: Vec<OperationSpec<'_>> = numbers
        .iter()
        .enumerate()
        .map(|(index, numbers)| numbers.spec(net, index, shifts))
        .collect();
    let (scales, doubled) = match (net.input, net.precision) {
        (Input::Features { width, doubled }, Precision::Int8) => (
            (0..width).map(|k| 20.0 + (k % 7) as f32 * 9.5).collect(),
            (0..doubled).map(|k| k as u16).collect(),
        ),
        _ => (Vec::new(), Vec::<u16>::new()),
    };
    let spec = ImageSpec {
        net: *net,
        layout: Layout::Rows,
        vocab: match (words, net.input) {
            (true, _) => VocabSpec::Words(&list),
            (false, Input::Tokens { .. }) => VocabSpec::Characters(&characters),
            (false, Input::Features { .. }) => VocabSpec::None,
        },
        features: FeatureSpec {
            scales: &scales,
            doubled: &doubled,
        },
        operations: &operations,
        outputs: Default::default(),
        provenance: Provenance::default(),
        known_answer,
        rules: TextRules {
            unknown: words,
            ..TextRules::default()
        },
    };
    write_image(&spec, image).map_err(|error| error.to_string())
}
