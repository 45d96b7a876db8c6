//! Images of random weights with embedding, projection or a vocabulary of words: for tests and benches.
//!
//! ```text
//! every row    factor, uniform in 0.5..1 of a bound that keeps sums about 1;  weight = integer * factor / 127 (or 7)
//! f32 image    the weights                       int8 image    the integers, and the factors as multipliers
//! ```
//! The bound of a head of 4 bits is four times as large, as training makes it: the shift of its requantization is then below 24.
//! So the two images of a seed are one net, and the int8 one is off by the roundings of the state and by nothing else.
//! Nets of characters without embedding and projection are made by [`export::random`](crate::export::random).

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, VocabSpec};
use gatelet::{Cell, Dims, KnownAnswer, Layout, Precision, Provenance, Scalar, TextRules, UNKNOWN};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::error::{Error, Result};
use crate::export::KNOWN_ANSWER;
use crate::image::{Image, storage};
use crate::quantize::SHIFT;

/// Largest magnitude of an integer weight of so many bits.
const fn largest(bits: u32) -> i8 {
    if bits == 4 { 7 } else { 127 }
}
/// Bits behind the point of gates, and of the results of head and projection.
const GATES: f64 = 4096.0;
const LOGITS: f64 = 65_536.0;

/// A matrix `[rows, columns]` with one factor a row.
struct Matrix {
    integers: Vec<i8>,
    factors: Vec<f32>,
    columns: usize,
}

impl Matrix {
    /// `used` says which columns are not padding; the largest weight is about `bound`.
    fn new(
        rng: &mut Pcg64,
        (rows, columns, bits): (usize, usize, u32),
        used: impl Fn(usize) -> bool,
        bound: f32,
    ) -> Self {
        let mut integer = |column| match used(column) {
            true => rng.random_range(-largest(bits)..=largest(bits)),
            false => 0,
        };
        let integers = (0..rows * columns).map(|i| integer(i % columns)).collect();
        let factor = |_| bound * (0.5 + 0.5 * rng.random::<f32>()) / f32::from(largest(bits));
        Self {
            integers,
            factors: (0..rows).map(factor).collect(),
            columns,
        }
    }

    fn real(&self) -> Vec<f32> {
        let rows = self
            .integers
            .chunks_exact(self.columns.max(1))
            .zip(&self.factors);
        rows.flat_map(|(row, factor)| row.iter().map(move |&w| f32::from(w) * factor))
            .collect()
    }

    /// For results with `unit` steps to 1 of operands with `per` steps to 1: as many as there are rows, and their shift.
    fn multipliers(&self, unit: f64, per: f64) -> (Vec<i32>, u8) {
        let exact = |&factor: &f32, shift: u8| {
            let multiplier = f64::from(factor) * unit / per * f64::from(shift).exp2();
            multiplier.round()
        };
        let fits = |&shift: &u8| {
            let mut rows = self.factors.iter();
            rows.all(|factor| exact(factor, shift) <= f64::from(i32::MAX))
        };
        let shift = (0..=SHIFT).rev().find(fits).unwrap_or(0);
        let of = |factor: &f32| exact(factor, shift) as i32;
        (self.factors.iter().map(of).collect(), shift)
    }
}

/// The same numbers as reals and as integers with so many steps to 1.
fn biases(rng: &mut Pcg64, count: usize, unit: f64) -> (Vec<f32>, Vec<i32>) {
    let integer = |_| (rng.random_range(-0.5..0.5) * unit) as i32;
    let integers: Vec<i32> = (0..count).map(integer).collect();
    let real = integers.iter().map(|&b| (f64::from(b) / unit) as f32);
    (real.collect(), integers)
}

/// A matrix in both precisions.
struct Both {
    real: Vec<f32>,
    integers: Vec<i8>,
    multipliers: (Vec<i32>, u8),
}

impl Both {
    fn of(matrix: Matrix) -> Self {
        Self {
            real: matrix.real(),
            multipliers: matrix.multipliers(GATES, 128.0),
            integers: matrix.integers,
        }
    }

    fn spec(&self, precision: Precision) -> MatrixSpec<'_> {
        match precision {
            Precision::F32 => MatrixSpec::f32(&self.real),
            Precision::Int8 => {
                MatrixSpec::int8(&self.integers, &self.multipliers.0, self.multipliers.1)
            }
        }
    }
}

/// A recurrent layer.
struct Layer {
    /// One, or those of a GRU.
    matrices: Vec<Both>,
    real_input: Vec<f32>,
    input: Vec<i16>,
    real_bias: Vec<f32>,
    bias: Vec<i32>,
}

impl Layer {
    fn new(rng: &mut Pcg64, dims: &Dims, layer: usize) -> Self {
        let (below, width) = match layer {
            0 => (dims.embedding_stride(), dims.embedding),
            _ => (dims.stride(), dims.hidden),
        };
        let bits = dims.four_bits.of_layer(layer);
        let bound = |width: usize| 2.0 / (width as f32).sqrt();
        let columns = dims.columns(layer);
        let used = |k: usize| match k.checked_sub(below) {
            Some(own) => own < dims.hidden,
            None => k < width,
        };
        let (hidden, stride) = (dims.hidden, dims.stride());
        let matrices = match dims.cell {
            Cell::Rnn | Cell::Lstm => {
                let form = (dims.rows(), columns, bits);
                vec![Matrix::new(rng, form, used, bound(columns))]
            }
            Cell::Gru => {
                let form = (2 * hidden, columns, bits);
                let gates = Matrix::new(rng, form, used, bound(columns));
                let candidate = (below > 0).then(|| {
                    let form = (hidden, below, bits);
                    Matrix::new(rng, form, |k| k < width, bound(below))
                });
                let form = (hidden, stride, bits);
                let own = Matrix::new(rng, form, |k| k < hidden, bound(stride));
                [Some(gates), candidate, Some(own)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        };
        let inputs = if layer == 0 && below == 0 {
            dims.vocab
        } else {
            1
        };
        let (real_input, input) = biases(rng, inputs * dims.rows(), GATES);
        let biased = if dims.cell == Cell::Gru { hidden } else { 0 };
        let (real_bias, bias) = biases(rng, biased, GATES);
        Self {
            matrices: matrices.into_iter().map(Both::of).collect(),
            real_input,
            input: input.into_iter().map(|b| b as i16).collect(),
            real_bias,
            bias,
        }
    }

    fn spec(&self, dims: &Dims) -> OperationSpec<'_> {
        let precision = dims.precision;
        let all = self.matrices.iter().map(|matrix| matrix.spec(precision));
        let all = crate::export::matrices(all);
        let none = dims.cell != Cell::Gru;
        match precision {
            Precision::F32 => OperationSpec {
                input: Numbers::F32(&self.real_input),
                bias: if none {
                    Numbers::None
                } else {
                    Numbers::F32(&self.real_bias)
                },
                ..all
            },
            Precision::Int8 => OperationSpec {
                input: Numbers::I16(&self.input),
                bias: if none {
                    Numbers::None
                } else {
                    Numbers::I32(&self.bias)
                },
                state_bits: match dims.cell {
                    Cell::Rnn => 3,
                    Cell::Lstm => 4,
                    Cell::Gru => 0,
                },
                ..all
            },
        }
    }
}

/// Head or projection.
struct Affine {
    real: Vec<f32>,
    integers: Vec<i8>,
    multipliers: (Vec<i32>, u8),
    real_bias: Vec<f32>,
    bias: Vec<i32>,
}

impl Affine {
    /// `keep`: its weights are its own, and not the embedding's.
    fn new(rng: &mut Pcg64, matrix: &Matrix, keep: bool) -> Self {
        let (real_bias, bias) = biases(rng, matrix.factors.len(), LOGITS);
        Self {
            real: if keep { matrix.real() } else { Vec::new() },
            integers: if keep {
                matrix.integers.clone()
            } else {
                Vec::new()
            },
            multipliers: matrix.multipliers(LOGITS, 128.0),
            real_bias,
            bias,
        }
    }

    fn spec(&self, precision: Precision) -> OperationSpec<'_> {
        match precision {
            Precision::F32 => OperationSpec::dense_f32(&self.real, &self.real_bias),
            Precision::Int8 => {
                let (multipliers, shift) = &self.multipliers;
                let weights = MatrixSpec::int8(&self.integers, multipliers, *shift);
                OperationSpec::dense_int8(weights, &self.bias)
            }
        }
    }
}

/// So many words of made-up syllables, with the line break, a few marks and the unknown token, as a vocabulary has them.
pub fn words(count: usize) -> Vec<String> {
    let marks = ["\n", "!", ",", ".", "?"].into_iter().map(str::to_owned);
    let syllables: Vec<String> = "bdfgklmnprstvz"
        .chars()
        .flat_map(|c| "aeiou".chars().map(move |v| format!("{c}{v}")))
        .collect();
    let mut words: Vec<String> = marks.chain(syllables.iter().cloned()).collect();
    let mut last = syllables.clone();
    while words.len() + 1 < count {
        last = last
            .iter()
            .flat_map(|word| syllables.iter().map(move |s| format!("{word}{s}")))
            .take(count)
            .collect();
        words.extend(last.iter().cloned());
    }
    words.truncate(count.saturating_sub(1));
    words.push(UNKNOWN.to_string());
    words.sort();
    words
}

/// So many characters: printable ASCII first, then the code points after it.
pub(crate) fn characters(count: usize) -> Vec<char> {
    let points = (0x20..0x7F).chain(0xA1..=u32::from(char::MAX));
    points.filter_map(char::from_u32).take(count).collect()
}

/// An image of random weights in rows, with its known answer; of words if `of_words` is set.
///
/// # Errors
/// [`Error::Export`] when it cannot be written.
pub fn image(dims: Dims, of_words: bool, seed: u64, command: &str) -> Result<Image> {
    let rng = &mut Pcg64::seed_from_u64(seed);
    let stride = dims.stride();
    let (vocab, table, precision) = (dims.vocab, dims.embedding_stride(), dims.precision);
    let bound = |width: usize| 2.0 / (width as f32).sqrt();
    let embedding = Matrix::new(rng, (vocab, table, 8), |k| k < dims.embedding, 0.9);
    let layers: Vec<Layer> = (0..dims.layers)
        .map(|layer| Layer::new(rng, &dims, layer))
        .collect();
    let own = |k: usize| k < dims.hidden;
    let projection = (dims.projection > 0).then(|| {
        let shape = (dims.projection, stride, 8);
        let matrix = Matrix::new(rng, shape, own, 0.5 * bound(dims.hidden));
        Affine::new(rng, &matrix, true)
    });
    let head = if dims.tied {
        Affine::new(rng, &embedding, false)
    } else {
        let (columns, width) = match dims.projection {
            0 => (stride, dims.hidden),
            width => (dims.head_columns(), width),
        };
        let bits = dims.four_bits.of_head();
        let times = if bits == 4 { 8.0 } else { 2.0 };
        let matrix = Matrix::new(
            rng,
            (vocab, columns, bits),
            |k| k < width,
            times * bound(width),
        );
        Affine::new(rng, &matrix, true)
    };

    let (real, multipliers) = (embedding.real(), embedding.multipliers(128.0, 1.0));
    let table = OperationSpec::table(match precision {
        Precision::F32 => MatrixSpec::f32(&real),
        Precision::Int8 => MatrixSpec::int8(&embedding.integers, &multipliers.0, multipliers.1),
    });
    let operations: Vec<OperationSpec<'_>> = (dims.embedding > 0)
        .then_some(table)
        .into_iter()
        .chain(layers.iter().map(|layer| layer.spec(&dims)))
        .chain(projection.iter().map(|p| p.spec(precision)))
        .chain([head.spec(precision)])
        .collect();
    let (characters, list) = (characters(vocab), words(vocab));
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let tokens: Vec<u16> = (0..KNOWN_ANSWER).map(|i| (i * 7 % vocab) as u16).collect();
    let mut spec = ImageSpec {
        net: dims.net(),
        layout: Layout::Rows,
        vocab: match of_words {
            true => VocabSpec::Words(&list),
            false => VocabSpec::Characters(&characters),
        },
        features: FeatureSpec::default(),
        operations: &operations,
        outputs: Default::default(),
        provenance: Provenance {
            corpus: "random weights",
            command,
            trainer: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
            seed,
            nats_f32: f32::NAN,
            nats: f32::NAN,
            ..Provenance::default()
        },
        known_answer: KnownAnswer {
            tokens: &tokens,
            ..KnownAnswer::default()
        },
        rules: TextRules {
            unknown: of_words,
            lower_case: of_words,
            ..TextRules::default()
        },
    };
    let write =
        |spec: &ImageSpec<'_>| Image::write(spec).map_err(|error| Error::Export(error.to_string()));
    let first = write(&spec)?;
    let model = first
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    let hash = model.known_answer_hash(Scalar, &mut storage(&dims.net()));
    spec.known_answer.hash = hash.map_err(|error| Error::Export(error.to_string()))?;
    write(&spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_words_as_asked_for_sorted_and_distinct() {
        for count in [2, 3, 6, 75, 76, 77, 5000, 16_384] {
            let words = words(count);
            assert_eq!(words.len(), count);
            assert!(words.is_sorted_by(|a, b| a < b), "{count}");
            assert!(words.iter().all(|word| word.len() <= 32));
            assert_eq!(words.last().map(String::as_str), Some("\u{fffd}"));
        }
    }
}
