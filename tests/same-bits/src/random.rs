//! Models with random weights, of any shape.

use gatelet::format::{
    EmbeddingSpec, HeadSpec, ImageSpec, KnownAnswer, LayerSpec, Provenance, VocabSpec, write_image,
};
use gatelet::{Cell, Dims, Layout, Precision, TextRules};

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
        let places = (0..rows * columns).map(|i| padded(i % columns));
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
}

/// A head or a projection.
struct Affine {
    matrix: Matrix,
    real_bias: Vec<f32>,
    bias: Vec<i32>,
    shift: u8,
}

impl Affine {
    /// `rows` outputs from `columns` numbers, of which `width` are not padding, with weights of so many bits; `range` as in
    /// [`Matrix::new`].
    fn new(
        random: &mut Random,
        (rows, columns, width, bits): (usize, usize, usize, u32),
        (shift, below): (u8, f64),
    ) -> Self {
        let matrix = Matrix::new(
            random,
            (rows, columns, bits),
            |k| k >= width,
            (1.0, shift, below),
        );
        Affine {
            matrix,
            real_bias: (0..rows).map(|_| random.real()).collect(),
            bias: (0..rows)
                .map(|_| random.below(100_000) as i32 - 50_000)
                .collect(),
            shift,
        }
    }

    /// Without weights for a tied head.
    fn spec(&self, precision: Precision, tied: bool) -> HeadSpec<'_> {
        let none = if tied { 0 } else { usize::MAX };
        let weights = &self.matrix;
        match precision {
            Precision::F32 => HeadSpec::F32 {
                weights: &weights.real[..weights.real.len().min(none)],
                bias: &self.real_bias,
            },
            Precision::Int8 => HeadSpec::Int8 {
                weights: &weights.int8[..weights.int8.len().min(none)],
                multipliers: &weights.multipliers,
                shift: self.shift,
                bias: &self.bias,
            },
        }
    }
}

/// A model with random weights, in rows; its length in `image`. One with an embedding is of words.
pub(crate) fn random(
    dims: Dims,
    [shift, head_shift]: Shifts,
    known_answer: KnownAnswer<'_>,
    image: &mut [u8],
) -> Result<usize, String> {
    let random = &mut Random(dims.rows() as u64 * 31 + dims.layers as u64);
    let characters: Vec<char> = (' '..).take(dims.vocab).collect();
    let list: Vec<String> = (1..dims.vocab)
        .map(|i| format!("{:03}{}", i / 3, ["", "a", "é"][i % 3]))
        .chain(["\u{fffd}".to_owned()])
        .collect();
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let (rows, stride, table) = (dims.rows(), dims.stride(), dims.embedding_stride());
    let embedded = dims.embedding > 0;
    // The table of a tied head is the head's, whose shift is only as large as the head's products allow.
    let embedding = Matrix::new(
        random,
        (dims.vocab, table, 8),
        |k| k >= dims.embedding,
        (1.0, shift, 1.0),
    );
    let mut layers = Vec::new();
    for layer in 0..dims.layers {
        let columns = dims.columns(layer);
        let below = if layer == 0 { table } else { stride };
        let padded = |k: usize| match k.checked_sub(below) {
            Some(own) => own >= dims.hidden,
            None if layer == 0 => k >= dims.embedding,
            None => k >= dims.hidden,
        };
        let scale = 1.0 / (dims.hidden as f32).sqrt();
        let input_rows = if layer == 0 && !embedded {
            dims.vocab
        } else {
            1
        };
        let form = (rows, columns, dims.four_bits.of_layer(layer));
        let matrix = Matrix::new(random, form, padded, (scale, shift, 0.25));
        let input = 0..input_rows * rows;
        let real: Vec<f32> = input.clone().map(|_| random.real()).collect();
        let mut int16: Vec<i16> = input
            .map(|_| (random.below(65_536) - 32_768) as i16)
            .collect();
        // An RNN of one layer has h = -128 after token 0, and so the largest sum there is in row 0.
        if layer == 0 && !embedded {
            int16[..rows].fill(i16::MIN);
        }
        layers.push((matrix, real, int16));
    }
    let projection = Affine::new(
        random,
        (dims.projection.max(1), stride, dims.hidden, 8),
        (head_shift, 2.0),
    );
    let (head_columns, head_width) = match dims.projection {
        0 => (stride, dims.hidden),
        width => (dims.head_columns(), width),
    };
    let head = Affine::new(
        random,
        (
            dims.vocab,
            head_columns,
            head_width,
            dims.four_bits.of_head(),
        ),
        (head_shift, 40.0),
    );

    let cell_bits = if dims.cell == Cell::Rnn { 3 } else { 4 };
    let layers: Vec<LayerSpec<'_>> = layers
        .iter()
        .map(|(matrix, real, input)| match dims.precision {
            Precision::F32 => LayerSpec::F32 {
                input: real,
                weights: &matrix.real,
            },
            Precision::Int8 => LayerSpec::Int8 {
                input,
                weights: &matrix.int8,
                multipliers: &matrix.multipliers,
                shift,
                cell_bits,
            },
        })
        .collect();
    let embedding = match dims.precision {
        Precision::F32 => EmbeddingSpec::F32 {
            weights: &embedding.real,
        },
        Precision::Int8 => EmbeddingSpec::Int8 {
            weights: &embedding.int8,
            multipliers: &embedding.multipliers,
            shift,
        },
    };
    let spec = ImageSpec {
        dims,
        layout: Layout::Rows,
        vocab: match embedded {
            true => VocabSpec::Words(&list),
            false => VocabSpec::Characters(&characters),
        },
        embedding: embedded.then_some(embedding),
        layers: &layers,
        projection: (dims.projection > 0).then(|| projection.spec(dims.precision, false)),
        head: head.spec(dims.precision, dims.tied),
        provenance: Provenance::default(),
        known_answer,
        rules: TextRules {
            unknown: embedded,
            ..TextRules::default()
        },
    };
    write_image(&spec, image).map_err(|error| error.to_string())
}
