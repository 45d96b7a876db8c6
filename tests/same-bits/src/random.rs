//! Models with random weights, of any shape: as large as what an image may have.

use gatelet::TextRules;
use gatelet::format::{FeatureSpec, ImageSpec, KnownAnswer, Provenance, VocabSpec, write_image};
use gatelet::net::{Input, Kind, Layout, Net, Precision, Value};
use gatelet_random::{Added, Addends, Matrix, Numbers, Operations, Wanted};

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

/// Numbers with the largest sums and products there may be in the first row of every matrix.
struct Extreme {
    random: Random,
    /// Of recurrent operations, and of dense ones.
    shifts: Shifts,
}

impl Extreme {
    /// `scale` is the largest of the real numbers; `below` as in [`multipliers`].
    fn matrix_of(
        &mut self,
        (rows, columns, bits): (usize, usize, u32),
        padded: impl Fn(usize) -> bool,
        (scale, shift, below): (f32, u8, f64),
    ) -> Matrix {
        let random = &mut self.random;
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
            shift,
        }
    }
}

impl Numbers for Extreme {
    fn matrix(&mut self, wanted: &Wanted<'_>) -> Matrix {
        let of = wanted.operation();
        let [shift, dense_shift] = self.shifts;
        let scale = 1.0 / (of.kind.units().max(1) as f32).sqrt();
        let range = match of.kind {
            Kind::Embedding { .. } => (1.0, shift, 1.0),
            Kind::Dense { .. } if wanted.index + 1 == wanted.net.len() => (1.0, dense_shift, 40.0),
            Kind::Dense { .. } => (1.0, dense_shift, 2.0),
            _ => (scale, shift, 0.25),
        };
        let form = (wanted.rows, wanted.columns.len(), of.bits.into());
        self.matrix_of(form, |k| wanted.columns[k].is_none(), range)
    }

    fn addends(&mut self, added: &Added<'_>) -> Addends {
        let random = &mut self.random;
        let within = added.most.min(50_000);
        let integer = |_| (random.below(2 * within as u64 + 2) - i64::from(within) - 1) as i32;
        let mut integers: Vec<i32> = (0..added.count).map(integer).collect();
        // An RNN of one layer has h = -128 after token 0, and so the largest sum there is in row 0.
        if added.index == 0 && added.net.reads_token(0) && within < 50_000 {
            let rows = added.count / added.net.vocab();
            integers[..rows].fill(i16::MIN.into());
        }
        Addends {
            real: (0..added.count).map(|_| random.real()).collect(),
            integers,
        }
    }

    fn ratios(&mut self, net: &Net, index: usize) -> (Vec<i32>, u8) {
        let form = (2 * net.width(Value::of(index)), 4, 8);
        let [shift, _] = self.shifts;
        let ratios = self.matrix_of(form, |_| false, (1.0, shift, 0.7));
        (ratios.multipliers, shift)
    }

    fn state_bits(&mut self, kind: Kind) -> u8 {
        match kind {
            Kind::Lstm { .. } => 4,
            _ => 2,
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
    let mut extreme = Extreme {
        random: Random(units as u64 * 31 + net.len() as u64),
        shifts,
    };
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
    let numbers = Operations::new(net, &mut extreme);
    let operations = numbers.specs();
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
            front_end: None,
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
