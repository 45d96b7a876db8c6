//! Images of random weights, of any net: for tests and benches.
//!
//! ```text
//! every row    factor, uniform in 0.5..1 of a bound that keeps sums about 1;  weight = integer * factor / 127 (or 7)
//! f32 image    the weights                       int8 image    the integers, and the factors as multipliers
//! ```
//! The bound of a dense operation of 4 bits is four times as large, as training makes it: the shift
//! of its requantization is then below 24. A column of values whose integers stand for more than
//! 1/128 has smaller weights in f32. So the two images of a seed are one net, and the int8 one is
//! off by the roundings of the state and by nothing else. Nets of characters with layers of one
//! size are made by [`export::random`](crate::quantize::export::random) too, as training starts.

use gatelet::format::{FeatureSpec, ImageSpec, MAX_KNOWN_FEATURES, VocabSpec};
use gatelet::net::{Input, Kind, Net, Value};
use gatelet::{KnownAnswer, Layout, Precision, Provenance, Scalar, TextRules, UNKNOWN};
use gatelet_random::{Added, Addends, Matrix, Numbers, Operations, Wanted};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use crate::error::{Error, Result};
use crate::image::{Image, storage};
use crate::net::FrontEnd;
use crate::quantize::SHIFT;
use crate::quantize::export::KNOWN_ANSWER;

/// Largest magnitude of an integer weight of so many bits.
const fn largest(bits: u8) -> i8 {
    if bits == 4 { 7 } else { 127 }
}
/// Bits behind the point of gates, and of the results of dense operations.
const GATES: f64 = 4096.0;
const LOGITS: f64 = 65_536.0;
/// What a feature is multiplied by to be an integer: features within 2 are.
const FEATURE: f32 = 63.5;
/// The same of a front end's: levels are within 40.
const LEVEL: f32 = 3.0;
/// Integer bits of a relu RNN's h.
const RELU_BITS: u8 = 3;

/// How many steps of 1/128 an integer of each value stands for: of the input, then of each
/// operation's.
fn steps(net: &Net, scale: f32) -> Vec<f32> {
    let mut steps = vec![match net.input {
        Input::Tokens { .. } => 1.0,
        Input::Features { .. } => 128.0 / scale,
    }];
    for operation in net.operations() {
        let of = |part: usize| steps[usize::from(operation.operand.part(part).code())];
        let next = match operation.kind {
            kind if kind.cell().is_some_and(|form| form.unbounded) => f32::from(1_u8 << RELU_BITS),
            Kind::Add => 2.0 * of(0).max(of(1)),
            _ => 1.0,
        };
        steps.push(next);
    }
    steps
}

/// A matrix `[rows, columns]` with one factor a row.
struct Factored {
    integers: Vec<i8>,
    factors: Vec<f32>,
    /// The steps of each, and nothing for padding.
    columns: Vec<Option<f32>>,
}

impl Factored {
    /// The largest weight is about `bound`, divided by the root of the columns that are used.
    fn new(
        rng: &mut Pcg64,
        (rows, bits): (usize, u8),
        columns: Vec<Option<f32>>,
        bound: f32,
    ) -> Self {
        let used = columns.iter().flatten().count().max(1);
        let bound = bound / (used as f32).sqrt();
        let mut integers = Vec::with_capacity(rows * columns.len());
        for _ in 0..rows {
            integers.extend(columns.iter().map(|column| match column {
                Some(_) => rng.random_range(-largest(bits)..=largest(bits)),
                None => 0,
            }));
        }
        let factor = |_| bound * (0.5 + 0.5 * rng.random::<f32>()) / f32::from(largest(bits));
        Self {
            integers,
            factors: (0..rows).map(factor).collect(),
            columns,
        }
    }

    fn real(&self) -> Vec<f32> {
        let rows = self.integers.chunks_exact(self.columns.len().max(1));
        rows.zip(&self.factors)
            .flat_map(|(row, factor)| {
                let columns = row.iter().zip(&self.columns);
                columns.map(move |(&w, steps)| f32::from(w) * factor / steps.unwrap_or(1.0))
            })
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

    /// In both precisions.
    fn both(&self, unit: f64, per: f64) -> Matrix {
        let (multipliers, shift) = self.multipliers(unit, per);
        Matrix {
            real: self.real(),
            int8: self.integers.clone(),
            multipliers,
            shift,
        }
    }
}

/// Numbers of the size that training makes.
struct Typical {
    rng: Pcg64,
    /// How many steps of 1/128 an integer of each value stands for.
    steps: Vec<f32>,
    /// The table that a tied operation's weights are.
    table: Option<Factored>,
}

impl Numbers for Typical {
    fn matrix(&mut self, wanted: &Wanted<'_>) -> Matrix {
        let of = wanted.operation();
        let steps = |value: Value| self.steps[usize::from(value.code())];
        let columns = wanted
            .columns
            .iter()
            .map(|value| value.map(steps))
            .collect();
        let form = (wanted.rows, of.bits);
        match of.kind {
            Kind::Embedding { units } => {
                let bound = 0.9 * (units as f32).sqrt();
                let table = Factored::new(&mut self.rng, form, columns, bound);
                self.table.insert(table).both(128.0, 1.0)
            }
            Kind::Dense { .. } => match self.table.as_ref().filter(|_| of.tied.is_some()) {
                Some(table) => {
                    let (multipliers, shift) = table.multipliers(LOGITS, 128.0);
                    Matrix {
                        multipliers,
                        shift,
                        ..Matrix::default()
                    }
                }
                None => {
                    let mut outputs = wanted.net.outputs();
                    let given = outputs.any(|output| output.value() == Value::of(wanted.index));
                    let bound = match (given, of.bits) {
                        (false, _) => 1.0,
                        (true, 4) => 16.0,
                        (true, _) => 4.0,
                    };
                    Factored::new(&mut self.rng, form, columns, bound).both(LOGITS, 128.0)
                }
            },
            _ => Factored::new(&mut self.rng, form, columns, 2.0).both(GATES, 128.0),
        }
    }

    fn addends(&mut self, added: &Added<'_>) -> Addends {
        let unit = f64::from(added.unit);
        let integer = |_| (self.rng.random_range(-0.5..0.5) * unit) as i32;
        let integers: Vec<i32> = (0..added.count).map(integer).collect();
        let real = |&b: &i32| (f64::from(b) / unit) as f32;
        Addends {
            real: integers.iter().map(real).collect(),
            integers,
        }
    }

    fn ratios(&mut self, net: &Net, index: usize) -> (Vec<i32>, u8) {
        let steps = |value: Value| self.steps[usize::from(value.code())];
        let own = Value::of(index);
        let ratio = |value| (steps(value) / steps(own) * f32::from(SHIFT).exp2()) as i32;
        let parts = net.operation(index).map(|of| of.operand.parts());
        let numbers = net.width(own);
        let ratios = parts
            .into_iter()
            .flatten()
            .flat_map(|value| vec![ratio(value); numbers]);
        (ratios.collect(), SHIFT)
    }

    fn state_bits(&mut self, kind: Kind) -> u8 {
        match kind {
            Kind::Lstm { .. } => 4,
            _ => RELU_BITS,
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

/// The known answer's features: within 2.
fn features(width: usize) -> Vec<f32> {
    let count = KNOWN_ANSWER.min(MAX_KNOWN_FEATURES / width.max(1)) * width;
    (0..count)
        .map(|i| ((i * 37) % 401) as f32 / 100.0 - 2.0)
        .collect()
}

/// An image of random weights in rows, with its known answer; of words if `of_words` is set.
///
/// # Errors
/// [`Error::Export`] when it cannot be written.
pub fn image(net: &Net, of_words: bool, seed: u64, command: &str) -> Result<Image> {
    written(net, (of_words, None), seed, command)
}

/// The same of a net whose features a front end makes of samples.
///
/// # Errors
/// As [`image`].
pub fn image_of_sound(net: &Net, front: FrontEnd, seed: u64, command: &str) -> Result<Image> {
    written(net, (false, Some(front)), seed, command)
}

fn written(
    net: &Net,
    (of_words, front): (bool, Option<FrontEnd>),
    seed: u64,
    command: &str,
) -> Result<Image> {
    let scale = if front.is_some() { LEVEL } else { FEATURE };
    let mut typical = Typical {
        rng: Pcg64::seed_from_u64(seed),
        steps: steps(net, scale),
        table: None,
    };
    let numbers = Operations::new(net, &mut typical);
    let operations = numbers.specs();

    let vocab = net.vocab();
    let (characters, list) = (characters(vocab), words(vocab));
    let list: Vec<&str> = list.iter().map(String::as_str).collect();
    let (mut tokens, mut inputs) = (Vec::new(), Vec::new());
    let (mut scales, mut doubled_features): (Vec<f32>, Vec<u16>) = (Vec::new(), Vec::new());
    match net.input {
        Input::Tokens { vocab } => {
            tokens.extend((0..KNOWN_ANSWER).map(|i| (i * 7 % vocab) as u16));
        }
        Input::Features { width, doubled } => {
            inputs = features(width);
            if net.precision == Precision::Int8 {
                scales = vec![scale; width];
                doubled_features.extend((0..width as u16).take(doubled));
            }
        }
    }
    let mut spec = ImageSpec {
        net: *net,
        layout: Layout::Rows,
        vocab: match (net.takes_tokens(), of_words) {
            (false, _) => VocabSpec::None,
            (true, true) => VocabSpec::Words(&list),
            (true, false) => VocabSpec::Characters(&characters),
        },
        features: FeatureSpec {
            scales: &scales,
            doubled: &doubled_features,
            front_end: front.map(|front| front.0),
        },
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
            features: &inputs,
            hash: 0,
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
    let hash = model.known_answer_hash(Scalar, &mut storage(net));
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
