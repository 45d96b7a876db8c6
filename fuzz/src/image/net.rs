//! Small language models.

use gatelet::format::{FeatureSpec, ImageSpec, MatrixSpec, Numbers, OperationSpec, VocabSpec};
use gatelet::{
    Cell, Dims, FourBits, KnownAnswer, Layout, Normalisation, Precision, Provenance, TextRules,
    UNKNOWN,
};

use super::aligned::written;
use super::numbers::{Affine, Maker, Size};
use crate::entropy::Entropy;

/// A shape.
fn dims(entropy: &mut Entropy<'_>) -> Dims {
    let cell = entropy.one(&[Cell::Rnn, Cell::Lstm, Cell::Lstm, Cell::Gru]);
    let precision = entropy.one(&[Precision::F32, Precision::Int8, Precision::Int8]);
    let layers = entropy.one(&[1, 1, 1, 2, 2, 3]);
    let hidden = match entropy.below(16) {
        0 => entropy.one(&[15, 16, 17, 33]),
        _ => 1 + entropy.below(9),
    };
    let vocab = 2 + entropy.below(8);
    let plain = Dims::new(cell, precision, layers, hidden, vocab).expect("small numbers");
    let width = |entropy: &mut Entropy<'_>| match entropy.below(3) {
        0 => 4 + entropy.below(6),
        _ => 0,
    };
    let (embedding, projection) = (width(entropy), width(entropy));
    let tied = entropy.rarely(3) && embedding > 0;
    let dims = match tied {
        true if hidden < 4 => plain.with_widths(embedding, embedding, true),
        true if projection == 0 => plain.with_widths(hidden, 0, true),
        true => plain.with_widths(embedding, embedding, true),
        false => plain.with_widths(embedding, projection, false),
    };
    let dims = dims.expect("widths of 4 and more");
    match entropy.rarely(3) {
        true => {
            let four = FourBits::new(
                std::array::from_fn(|layer| layer < layers && entropy.rarely(2)),
                !tied && entropy.rarely(2),
            );
            dims.with_four_bits(four).unwrap_or(dims)
        }
        false => dims,
    }
}

/// What the tokens are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tokens {
    Characters,
    Words,
    Bytes,
}

/// Rules, and what the tokens are.
fn rules(entropy: &mut Entropy<'_>) -> (TextRules, Tokens) {
    let tokens = match entropy.below(8) {
        0 | 1 => Tokens::Words,
        2 => Tokens::Bytes,
        _ => Tokens::Characters,
    };
    let rules = match entropy.rarely(3) {
        true => TextRules {
            unknown: entropy.rarely(2),
            lower_case: entropy.rarely(2),
            normalisation: entropy.one(&[
                Normalisation::None,
                Normalisation::Nfc,
                Normalisation::Nfkc,
            ]),
            fold_space: entropy.rarely(2),
            lines: entropy.rarely(2),
        },
        false => TextRules::default(),
    };
    let rules = match tokens {
        Tokens::Characters => rules,
        Tokens::Words => TextRules {
            unknown: true,
            ..rules
        },
        Tokens::Bytes => TextRules {
            lines: rules.lines,
            ..TextRules::default()
        },
    };
    (rules, tokens)
}

const BYTES: [u8; 11] = [0, 9, 10, 32, 65, 97, 127, 128, 200, 254, 255];
const CHARACTERS: [char; 11] = ['\n', ' ', 'a', 'b', 'c', 'x', 'é', 'ß', '漢', UNKNOWN, '😀'];
const WORDS: [&str; 11] = [
    "\n",
    "!",
    "a",
    "ab",
    "abc",
    "abcabcabcabcabcabcabcabcabcabcab",
    "b",
    "né",
    "z",
    "漢",
    "\u{fffd}",
];

/// An image of random numbers.
///
/// # Panics
/// When the writer refuses it.
pub(super) fn image(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let dims = dims(entropy);
    let layout = entropy.one(&Layout::ALL);
    let layout = match layout.check(&dims.net()) {
        Ok(()) => layout,
        Err(_) => Layout::Rows,
    };
    let size = Size::any(entropy);
    let (rules, kind) = rules(entropy);
    let cell_bits = match dims.cell {
        Cell::Rnn => 3,
        Cell::Lstm => 3 + entropy.below(5) as u8,
        Cell::Gru => 0,
    };
    let tokens: Vec<u16> = (0..entropy.one(&[0, 1, 6, 64]))
        .map(|_| entropy.below(dims.vocab) as u16)
        .collect();
    let corpus = "c".repeat(entropy.one(&[0, 1, 127, 128]));
    let mut maker = Maker {
        entropy,
        layout,
        size,
    };
    let spec = Made::new(&mut maker, dims);
    let mut characters = CHARACTERS.to_vec();
    let (mut words, mut bytes) = (WORDS.to_vec(), BYTES.to_vec());
    while characters.len() > dims.vocab {
        // The unknown token stays.
        let at = if characters[0] == UNKNOWN { 1 } else { 0 };
        characters.remove(at);
        words.remove(0);
        bytes.remove(0);
    }
    let vocab = match kind {
        Tokens::Words => VocabSpec::Words(&words),
        Tokens::Bytes => VocabSpec::Bytes(&bytes),
        Tokens::Characters => VocabSpec::Characters(&characters),
    };
    let line_feed = match kind {
        Tokens::Words => words.contains(&"\n"),
        Tokens::Bytes => bytes.contains(&b'\n'),
        Tokens::Characters => characters.contains(&'\n'),
    };
    let rules = TextRules {
        unknown: rules.unknown && (kind == Tokens::Words || characters.contains(&UNKNOWN)),
        lines: rules.lines && line_feed,
        ..rules
    };
    let known_answer = KnownAnswer {
        tokens: &tokens,
        hash: maker.entropy.random(),
        ..KnownAnswer::default()
    };
    let provenance = Provenance {
        corpus: &corpus,
        seed: maker.entropy.random() >> maker.entropy.below(64),
        ..Provenance::default()
    };
    spec.write(dims, layout, cell_bits, |spec| ImageSpec {
        vocab,
        known_answer,
        provenance,
        rules,
        ..spec
    })
}

/// A recurrent layer.
struct Layer {
    /// One, or those of a GRU.
    matrices: Vec<Affine>,
    real: Vec<f32>,
    integers: Vec<i16>,
    /// Of a GRU's recurrent product.
    bias: (Vec<f32>, Vec<i32>),
}

impl Layer {
    fn spec(&self, float: bool, state_bits: u8) -> OperationSpec<'_> {
        let mut all = self.matrices.iter().map(|matrix| matrix.spec(float));
        let count = all.len();
        let mut next = || all.next().unwrap_or_default();
        let weights = next();
        let candidate = if count > 2 {
            next()
        } else {
            MatrixSpec::default()
        };
        let hidden = if count > 1 {
            next()
        } else {
            MatrixSpec::default()
        };
        OperationSpec {
            input: match float {
                true => Numbers::F32(&self.real),
                false => Numbers::I16(&self.integers),
            },
            weights,
            candidate,
            hidden,
            bias: match (count, float) {
                (1, _) => Numbers::None,
                (_, true) => Numbers::F32(&self.bias.0),
                (_, false) => Numbers::I32(&self.bias.1),
            },
            state_bits: if float { 0 } else { state_bits },
            ..OperationSpec::default()
        }
    }
}

/// All numbers of a model, in both precisions.
struct Made {
    embedding: Option<Affine>,
    layers: Vec<Layer>,
    projection: Option<(Affine, Vec<f32>, Vec<i32>)>,
    head: (Affine, Vec<f32>, Vec<i32>),
}

impl Made {
    fn new(maker: &mut Maker<'_, '_>, dims: Dims) -> Self {
        let (stride, table) = (dims.stride(), dims.embedding_stride());
        let usual = maker.size;
        // A large table would leave nothing for the weights that it is multiplied with.
        maker.size = Size::Usual;
        let embedding = (dims.embedding > 0)
            .then(|| maker.affine(dims.vocab, (table, 8), |k| k < dims.embedding, 1.0));
        maker.size = usual;
        let mut layers = Vec::new();
        for layer in 0..dims.layers {
            let (below, padded) = match layer {
                0 => (dims.embedding, table),
                _ => (dims.hidden, stride),
            };
            let used = |k: usize| k < below || (k >= padded && k - padded < dims.hidden);
            let form = (dims.columns(layer), dims.four_bits.of_layer(layer));
            let bits = form.1;
            let matrices = match dims.cell {
                Cell::Rnn | Cell::Lstm => vec![maker.affine(dims.rows(), form, used, 2.0)],
                Cell::Gru => {
                    let hidden = dims.hidden;
                    let mut all = vec![maker.affine(2 * hidden, form, used, 2.0)];
                    if padded > 0 {
                        all.push(maker.affine(hidden, (padded, bits), |k| k < below, 2.0));
                    }
                    all.push(maker.affine(hidden, (stride, bits), |k| k < hidden, 1.0));
                    all
                }
            };
            let inputs = if layer == 0 && table == 0 {
                dims.vocab
            } else {
                1
            };
            let (real, integers) = maker.addends(inputs * dims.rows(), (4096.0, 32_767));
            let integers = integers.into_iter().map(|a| a.min(32_767) as i16).collect();
            let bias = maker.addends(dims.hidden, (4096.0, 1 << 30));
            layers.push(Layer {
                matrices,
                real,
                integers,
                bias: (bias.0, bias.1.into_iter().map(|b| b as i32).collect()),
            });
        }
        let own = |k: usize| k < dims.hidden;
        let addends = |maker: &mut Maker<'_, '_>, count| {
            let (real, integers) = maker.addends(count, (65_536.0, 1 << 30));
            (real, integers.into_iter().map(|b| b as i32).collect())
        };
        let wide = maker.size != Size::Usual;
        if wide && dims.projection > 0 {
            // So that the head has something left.
            maker.size = Size::Usual;
        }
        let projection = (dims.projection > 0).then(|| {
            let matrix = maker.affine(dims.projection, (stride, 8), own, 1.0);
            let (real, integers) = addends(maker, dims.projection);
            (matrix, real, integers)
        });
        maker.size = usual;
        let (columns, width, bound) = match dims.projection {
            0 => (stride, dims.hidden, 1.0),
            width => (dims.head_columns(), width, 2.0 * stride as f32 + 2.0),
        };
        let bits = dims.four_bits.of_head();
        let head = maker.affine(dims.vocab, (columns, bits), |k| k < width, bound);
        let (real, integers) = addends(maker, dims.vocab);
        Self {
            embedding,
            layers,
            projection,
            head: (head, real, integers),
        }
    }

    /// The image; `complete` fills in what is not a number.
    fn write<'s>(
        &'s self,
        dims: Dims,
        layout: Layout,
        cell_bits: u8,
        complete: impl FnOnce(ImageSpec<'s>) -> ImageSpec<'s>,
    ) -> Vec<u8> {
        let float = dims.precision == Precision::F32;
        let dense = |(matrix, real, integers): &'s (Affine, Vec<f32>, Vec<i32>), tied: bool| {
            let whole = matrix.spec(float);
            OperationSpec {
                weights: MatrixSpec {
                    weights: if tied { Numbers::None } else { whole.weights },
                    ..whole
                },
                bias: match float {
                    true => Numbers::F32(real),
                    false => Numbers::I32(integers),
                },
                ..OperationSpec::default()
            }
        };
        let table = self.embedding.iter();
        let table = table.map(|table| OperationSpec::table(table.spec(float)));
        let layers = self.layers.iter().map(|layer| layer.spec(float, cell_bits));
        let projection = self.projection.iter().map(|all| dense(all, false));
        let head = [dense(&self.head, dims.tied)];
        let operations: Vec<_> = table.chain(layers).chain(projection).chain(head).collect();
        let spec = ImageSpec {
            net: dims.net(),
            layout,
            vocab: VocabSpec::Characters(&[]),
            features: FeatureSpec::default(),
            operations: &[],
            outputs: Default::default(),
            provenance: Provenance::default(),
            known_answer: KnownAnswer::default(),
            rules: TextRules::default(),
        };
        let spec = complete(spec);
        let spec = ImageSpec {
            operations: &operations,
            ..spec
        };
        written(&spec)
    }
}
