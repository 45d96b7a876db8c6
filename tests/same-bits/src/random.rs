//! Models with random weights, of any shape.

use gatelet::format::{HeadSpec, ImageSpec, KnownAnswer, LayerSpec, Provenance, write_image};
use gatelet::{Cell, Dims, Layout, Precision};

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

/// Right shifts of the requantizations of the layers, and of the head.
pub(crate) type Shifts = [u8; 2];
/// What the vector kernels' tests have.
pub(crate) const USUAL_SHIFTS: Shifts = [24, 20];

/// What the multiplier of a row may be at most: see `REQUANTIZED_LIMIT` in core.
fn largest_multiplier(columns: usize, shift: u8) -> u64 {
    let largest_sum = 127 * 128 * columns as u64;
    (((1 << 30 << shift) - 1) / largest_sum).min(i32::MAX as u64)
}

/// Multipliers below `below * 2^shift`, or below the largest there may be; the first is the largest.
fn multipliers(
    random: &mut Random,
    rows: usize,
    columns: usize,
    shift: u8,
    below: f64,
) -> Vec<i32> {
    let largest = largest_multiplier(columns, shift);
    let below = ((below * f64::from(shift).exp2()) as u64).clamp(1, largest);
    let mut all: Vec<i32> = (0..rows).map(|_| random.below(below) as i32).collect();
    all[0] = largest as i32;
    all
}

/// Gives a matrix's first row the least weights, but for padding.
fn least_row(weights: &mut [i8], columns: usize, padded: &impl Fn(usize) -> bool) {
    for (k, weight) in weights[..columns].iter_mut().enumerate() {
        *weight = if padded(k) { 0 } else { -127 };
    }
}

/// A model with random weights, in rows; its length in `image`.
pub(crate) fn random(
    dims: Dims,
    [shift, head_shift]: Shifts,
    known_answer: KnownAnswer<'_>,
    image: &mut [u8],
) -> Result<usize, String> {
    let random = &mut Random(dims.rows() as u64 * 31 + dims.layers as u64);
    let vocab: Vec<char> = (' '..).take(dims.vocab).collect();
    let (rows, stride) = (dims.rows(), dims.stride());
    let padded = |k: usize| k % stride >= dims.hidden;
    let mut real = Vec::new();
    let mut whole = Vec::new();
    let input_rows = |layer| if layer == 0 { dims.vocab } else { 1 };
    for layer in 0..dims.layers {
        let columns = dims.columns(layer);
        let weights = (0..rows * columns).map(|i| i % columns);
        let input = 0..input_rows(layer) * rows;
        let scale = 1.0 / (dims.hidden as f32).sqrt();
        let mut f32_weight = |k| {
            if padded(k) {
                0.0
            } else {
                random.real() * scale
            }
        };
        real.push((
            weights.clone().map(&mut f32_weight).collect::<Vec<f32>>(),
            input.clone().map(|_| random.real()).collect::<Vec<f32>>(),
        ));
        let mut weight = |k| {
            if padded(k) {
                0
            } else {
                (random.below(255) - 127) as i8
            }
        };
        let mut int8: Vec<i8> = weights.map(&mut weight).collect();
        let mut int16: Vec<i16> = input
            .map(|_| (random.below(65_536) - 32_768) as i16)
            .collect();
        // An RNN of one layer has h = -128 after token 0, and so the largest sum there is in row 0.
        least_row(&mut int8, columns, &padded);
        if layer == 0 {
            int16[..rows].fill(i16::MIN);
        }
        whole.push((int8, int16, multipliers(random, rows, columns, shift, 0.25)));
    }
    let head = (0..dims.vocab * stride).map(|i| i % stride);
    let head_f32: Vec<f32> = head
        .clone()
        .map(|k| if padded(k) { 0.0 } else { random.real() })
        .collect();
    let mut head_i8: Vec<i8> = head
        .map(|k| {
            if padded(k) {
                0
            } else {
                (random.below(255) - 127) as i8
            }
        })
        .collect();
    least_row(&mut head_i8, stride, &padded);
    let head_multipliers = multipliers(random, dims.vocab, stride, head_shift, 40.0);
    let bias_f32: Vec<f32> = (0..dims.vocab).map(|_| random.real()).collect();
    let bias: Vec<i32> = (0..dims.vocab)
        .map(|_| random.below(100_000) as i32 - 50_000)
        .collect();

    let cell_bits = if dims.cell == Cell::Rnn { 3 } else { 4 };
    let layers: Vec<LayerSpec<'_>> = match dims.precision {
        Precision::F32 => real
            .iter()
            .map(|(weights, input)| LayerSpec::F32 { input, weights })
            .collect(),
        Precision::Int8 => whole
            .iter()
            .map(|(weights, input, multipliers)| LayerSpec::Int8 {
                input,
                weights,
                multipliers,
                shift,
                cell_bits,
            })
            .collect(),
    };
    let spec = ImageSpec {
        dims,
        layout: Layout::Rows,
        vocab: &vocab,
        layers: &layers,
        head: match dims.precision {
            Precision::F32 => HeadSpec::F32 {
                weights: &head_f32,
                bias: &bias_f32,
            },
            Precision::Int8 => HeadSpec::Int8 {
                weights: &head_i8,
                multipliers: &head_multipliers,
                shift: head_shift,
                bias: &bias,
            },
        },
        provenance: Provenance::default(),
        known_answer,
        rules: Default::default(),
    };
    write_image(&spec, image).map_err(|error| error.to_string())
}
